"""What a sweep found in one zone that an operator should know: blocked names, kept records, refused plans."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from shared.domain.alarms import Alarm


class Obstacle(StrEnum):
    """Why a record set is not ours to write.

    `LOST`: it was ours, and has no owner's mark any more. `FOREIGN`: it has no mark and was never ours. `OTHER`: it has
    the mark of another owner. `AUTO`: Azure's auto-registration has made it.
    """

    LOST = "lost"
    FOREIGN = "foreign"
    OTHER = "other owner"
    AUTO = "auto-registered"


@dataclass(frozen=True, slots=True)
class BlockedName:
    """A name whose record set in a zone is not ours to write. `owner`: whose mark it has, or "".

    `addresses`: what it holds. `claimed`: an endpoint that may do so claims the name. `at`: when it was read, in
    seconds since the epoch; it does not count in comparisons.
    """

    name: str
    why: Obstacle
    owner: str = ""
    addresses: tuple[str, ...] = ()
    claimed: bool = True
    at: float = field(default=0.0, compare=False)

    @property
    def concerns(self) -> bool:
        """Whether a person should know of it: not of what was never ours and nobody claims."""
        return self.claimed or self.why == Obstacle.LOST


@dataclass(frozen=True, slots=True)
class KeptRecord:
    """What a zone holds for a name that a sweep leaves as it is. `at`: when it was read, in seconds since the epoch.

    `why`: `refused` by the guard, `incomplete` (a list was not complete), or `kept` for a claimant that is not read.
    """

    name: str
    addresses: tuple[str, ...]
    why: str
    at: float = field(default=0.0, compare=False)


@dataclass(frozen=True, slots=True)
class RefusedPlan:
    """A plan for a zone (its id) that the guard refused: it would remove or empty `removals` of `owned` record sets.

    `digest`: names exactly these record sets with their addresses. `beyond`: more than `force` alone may let through.
    """

    zone: str
    digest: str
    removals: int
    owned: int
    beyond: bool = False


@dataclass(frozen=True, slots=True)
class ZoneFindings:
    """What a person should know of one zone (its key), as the last sweep has found it.

    `count`: how many names are blocked; `blocked`: the first of them; `alarms`: about all of them. `held_count` and
    `held`: the same of names that the sweep leaves as they are. `at`: when it read the zone (seconds since the epoch).
    `refused`: the plan that `refusals` are about.
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
