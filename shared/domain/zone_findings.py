"""What a sweep found in one zone and the operator should know: blocked names, kept records, refused plans."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from shared.domain.alarms import Alarm


class Obstacle(StrEnum):
    """Why nearzone may not write a record set.

    `LOST`: nearzone wrote it, and its owner tag is gone. `FOREIGN`: it has no owner tag, and nearzone never wrote it.
    `OTHER`: it has the tag of another owner. `AUTO`: Azure's auto-registration created it.
    """

    LOST = "lost"
    FOREIGN = "foreign"
    OTHER = "other owner"
    AUTO = "auto-registered"


@dataclass(frozen=True, slots=True)
class BlockedName:
    """A name whose record set nearzone may not write. `owner`: the value of its owner tag, or "".

    `addresses`: what it contains. `claimed`: an endpoint with permission claims the name. `at`: when it was read, in
    seconds since the epoch; comparisons ignore it.
    """

    name: str
    why: Obstacle
    owner: str = ""
    addresses: tuple[str, ...] = ()
    claimed: bool = True
    at: float = field(default=0.0, compare=False)

    @property
    def concerns(self) -> bool:
        """Whether the operator should know of it: it is claimed, or has lost our owner tag."""
        return self.claimed or self.why == Obstacle.LOST


@dataclass(frozen=True, slots=True)
class KeptRecord:
    """A record set that a sweep did not change. `at`: when it was read, in seconds since the epoch.

    `why`: `refused` by the guard, `incomplete` (a list was incomplete), or `kept` for a claimant that has not been
    read.
    """

    name: str
    addresses: tuple[str, ...]
    why: str
    at: float = field(default=0.0, compare=False)


@dataclass(frozen=True, slots=True)
class RefusedPlan:
    """A plan for a zone (its id) that the guard refused: it would remove or empty `removals` of `owned` record sets.

    `digest`: identifies exactly these record sets with their addresses. `beyond`: `force` alone does not permit it.
    """

    zone: str
    digest: str
    removals: int
    owned: int
    beyond: bool = False


@dataclass(frozen=True, slots=True)
class ZoneFindings:
    """The findings of the last sweep in one zone (its key).

    `count`: number of blocked names; `blocked`: the first of them; `alarms`: about all of them. `held_count`, `held`:
    the same for record sets that the sweep did not change. `at`: when it read the zone (seconds since the epoch).
    `refused`: the plans behind `refusals`.
    """

    zone: str
    refusals: tuple[str, ...] = ()
    alarms: tuple[Alarm, ...] = ()
    blocked: tuple[BlockedName, ...] = ()
    count: int = 0
    held: tuple[KeptRecord, ...] = ()
    held_count: int = 0
    at: float = 0.0
    refused: tuple[RefusedPlan, ...] = ()
