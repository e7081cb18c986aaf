"""The environment of a zone in Azure: its links, locks, permissions, peerings and limits."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec


class VnetLink(msgspec.Struct, frozen=True):
    """A link of a zone to a VNet (id in lower case). `redirects`: public DNS resolves the names that the zone lacks."""

    name: str
    vnet: str
    redirects: bool = False


class Lock(msgspec.Struct, frozen=True):
    """A management lock. `level`: "readonly" or "cannotdelete". `id`: the id of the lock, which has its scope."""

    id: str
    level: str


class Permission(msgspec.Struct, frozen=True):
    """The actions that a role grants, and those that it excludes; both may contain `*`."""

    actions: tuple[str, ...] = ()
    not_actions: tuple[str, ...] = ()


class ZoneEnvironment(msgspec.Struct, frozen=True):
    """The environment of a zone. A field is None if it could not be read; `unread` has the reasons.

    `negative_ttl`: seconds for which resolvers cache "no such name". `record_sets`, `max_record_sets`: of all types.
    `peers`: by linked VNet (id in lower case), the VNets that it is peered with. `locations`: the regions of these
    VNets. `wildcards`: what the record sets named `*` hold, by their types; only types that lead to an address.
    """

    exists: bool = True
    record_sets: int | None = None
    max_record_sets: int | None = None
    negative_ttl: int | None = None
    links: tuple[VnetLink, ...] | None = None
    peers: Mapping[str, frozenset[str]] = {}
    locations: Mapping[str, str] = {}
    locks: tuple[Lock, ...] | None = None
    permissions: tuple[Permission, ...] | None = None
    wildcards: Mapping[str, tuple[str, ...]] = {}
    unread: tuple[str, ...] = ()

    @property
    def regions(self) -> frozenset[str]:
        """The regions of the linked VNets; empty unless all of them are known."""
        at = {self.locations.get(link.vnet, "") for link in self.links or ()}
        return frozenset() if "" in at else frozenset(at)
