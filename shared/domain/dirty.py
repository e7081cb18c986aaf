"""Names to process: why they are dirty, how urgent they are, and what a write to one changed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum

LONGEST_WAIT = 600.0
"""Seconds after which a name is tried again whatever was asked for; a row that says to wait longer is not believed.
Twice the longest back-off: what a wrong clock has written holds no name back for longer than this."""


class Urgency(IntEnum):
    """Which write goes first when the zone's budget is short.

    Host names come after service names: a client that asks for a service has nobody else to tell it who is dead.
    """

    WITHDRAW = 0
    FIRST_ADDRESS = 1
    MORE_ADDRESSES = 2
    HOST_WITHDRAW = 3
    HOST_FIRST_ADDRESS = 4
    OTHER = 5

    @property
    def is_host_name(self) -> bool:
        """Whether this is no service name's address: it leaves a part of the budget to those."""
        return self >= Urgency.HOST_WITHDRAW


@dataclass(frozen=True, slots=True)
class DirtyName:
    """A name of a zone that has to be looked at. Times in seconds since the epoch.

    `cleared`: the guard has looked at this change, so it may empty the record set even where that rests on absence.
    `adopt`: a person asked to take over a foreign record set of this name; `regain`: only where it was ours and has
    lost our mark. `cause`: what marked it, for people; `by`, `reason_given`: as in `Cause`. `holds`: the addresses that
    the zone held at `held_at`, None where they were not read since the name became dirty.
    """

    zone: str
    name: str
    urgency: Urgency = Urgency.OTHER
    since: float = 0.0
    cleared: bool = False
    adopt: bool = False
    attempts: int = 0
    not_before: float = 0.0
    last_error: str = ""
    cause: str = ""
    regain: bool = False
    holds: tuple[str, ...] | None = None
    held_at: float = 0.0
    by: str = ""
    reason_given: str = ""

    def told(self, mark: DirtyName) -> DirtyName:
        """The same row with what a newer mark knows of the record set."""
        newer = mark.holds is not None and mark.held_at >= self.held_at
        return replace(self, holds=mark.holds, held_at=mark.held_at) if newer else self


@dataclass(frozen=True, slots=True)
class Cause:
    """Who asks for a look. `said`: for people, with the id that leads to log lines. `at`: since when, in seconds.

    `by`: the person or program that has called, "" where none has; `reason_given`: the reason that they gave, or "".
    """

    text: str
    at: float
    by: str = ""
    reason_given: str = ""


@dataclass(frozen=True, slots=True)
class RecordChange:
    """A change of a record set that was written: its addresses `before` and `after`. `at`: seconds since the epoch.

    `kind`: create, update, delete, or adopt for an update that took the record set over. Or an order, about no name
    (`*`): drain, undrain, freeze, unfreeze, force, or end of an order whose time was over.
    `cause`: what has marked the name, and when or by which event; the log lines have the same words. `by`,
    `reason_given`: as in `Cause`. Rows of releases up to 0.1.0 have neither.
    """

    name: str
    at: float
    kind: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    reason: str
    cause: str
    by: str = ""
    reason_given: str = ""
