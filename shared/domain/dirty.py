"""Names to process: why they are dirty, how urgent they are, and what a write changed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum

LONGEST_WAIT = 600.0
"""Seconds after which a name is retried in any case; a row that asks for a longer wait is ignored. It is twice the
longest back-off, so that a wrong clock delays a name no longer than this."""


class Urgency(IntEnum):
    """The order of writes when the zone's budget is short.

    Host names come after service names: a client of a service learns only from DNS which endpoints are gone.
    """

    WITHDRAW = 0
    FIRST_ADDRESS = 1
    MORE_ADDRESSES = 2
    HOST_WITHDRAW = 3
    HOST_FIRST_ADDRESS = 4
    OTHER = 5

    @property
    def key(self) -> str:
        """Return its word in stored columns and in the status; catalogs that exist already hold these words."""
        return _URGENCY_KEYS[self]

    @classmethod
    def of_key(cls, key: str) -> Urgency:
        """Return the urgency with this word. Raises ValueError for any other word."""
        return cls(_URGENCY_KEYS.index(key))

    @property
    def is_host_name(self) -> bool:
        """Return whether the change is of a host name; such changes leave a part of the budget to service names."""
        return self >= Urgency.HOST_WITHDRAW


_URGENCY_KEYS = ("withdraw", "first", "more", "host_withdraw", "host_first", "other")


@dataclass(frozen=True, slots=True)
class DirtyName:
    """A name of a zone that has to be processed. Times in seconds since the epoch.

    `cleared`: the guard has approved this change, so it may empty the record set even if the endpoints are only absent
    from lists. `adopt`: an operator asked to take over a foreign record set of this name; `regain`: only if it was ours
    and has lost our owner tag. `cause`: the event or command that marked the name, for the operator; `by`,
    `reason_given`: as in `Cause`. `holds`: the addresses of the record set at `held_at`, None if it was not read since
    the name became dirty.
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

    def with_newer_addresses(self, mark: DirtyName) -> DirtyName:
        """Return this row with the addresses of a newer mark, if that mark has read the record set later."""
        newer = mark.holds is not None and mark.held_at >= self.held_at
        return replace(self, holds=mark.holds, held_at=mark.held_at) if newer else self


@dataclass(frozen=True, slots=True)
class Cause:
    """The reason for a read or a write. `text`: with the id to search for in the log. `at`: when it occurred, seconds.

    `by`: the operator or program that sent the request, or ""; `reason_given`: the reason in that request, or "".
    """

    text: str
    at: float
    by: str = ""
    reason_given: str = ""


@dataclass(frozen=True, slots=True)
class RecordChange:
    """A change of a record set: its addresses `before` and `after`. `at`: seconds since the epoch.

    `kind`: create, update, delete, or adopt for an update that took over the record set. For an override, about no name
    (`*`): drain, undrain, freeze, unfreeze, force, or end if it expired. `cause`: what marked the name, and when or by
    which event; log lines have the same text. `by`, `reason_given`: as in `Cause`. Rows of releases up to 0.1.0 have
    neither.
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
