"""What surrounds a zone in Azure: its links, locks, permissions, peerings and limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class VnetLink:
    """A link of a zone to a VNet (id in lower case). `redirects`: what is not in the zone is asked in public DNS."""

    name: str
    vnet: str
    redirects: bool = False


@dataclass(frozen=True, slots=True)
class Lock:
    """A management lock. `level`: `readonly` or `cannotdelete`. `id`: where it stands, and its name."""

    id: str
    level: str


@dataclass(frozen=True, slots=True)
class Permission:
    """Actions that a role gives, and those that it leaves out; both may hold `*`."""

    actions: tuple[str, ...] = ()
    not_actions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ZoneEnvironment:
    """What stands around a zone. None: it could not be read, and `unread` says why.

    `negative_ttl`: seconds for which "no such name" is cached. `record_sets`, `max_record_sets`: of any type. `peers`:
    for each linked VNet (by id in lower case) those that it is peered with. `locations`: the regions of those VNets.
    """

    exists: bool = True
    record_sets: int | None = None
    max_record_sets: int | None = None
    negative_ttl: int | None = None
    links: tuple[VnetLink, ...] | None = None
    peers: Mapping[str, frozenset[str]] = field(default_factory=dict)
    locations: Mapping[str, str] = field(default_factory=dict)
    locks: tuple[Lock, ...] | None = None
    permissions: tuple[Permission, ...] | None = None
    unread: tuple[str, ...] = ()

    @property
    def regions(self) -> frozenset[str]:
        """The regions of the linked VNets; empty where not all of them are known."""
        at = {self.locations.get(link.vnet, "") for link in self.links or ()}
        return frozenset() if "" in at else frozenset(at)
