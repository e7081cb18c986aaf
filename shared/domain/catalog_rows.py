"""What the catalog returns besides the values themselves: versions, index entries, leases, pages of the log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from shared.domain.catalog_state import WriteStamp
from shared.domain.dirty import RecordChange

T = TypeVar("T", covariant=True)  # noqa: PLC0105 - a row is only read

WHOLE_ZONE = "*"
"""Stands for the history of a zone as a whole. nearzone writes no record set of this name."""


@dataclass(frozen=True, slots=True)
class Versioned(Generic[T]):
    """A row as it was read, with the etag for a conditional write."""

    value: T
    etag: str


@dataclass(frozen=True, slots=True)
class NameIndexEntry:
    """An index row: the endpoint with this `key` claims this `name`. `at`: last upsert, in seconds since the epoch."""

    name: str
    key: str
    at: float


@dataclass(frozen=True, slots=True)
class LogPage:
    """A page of a zone's log: all entries of the requested span that are before `until` (seconds since the epoch)."""

    entries: tuple[RecordChange, ...]
    until: float


def tick(seconds: float) -> int:
    """Return a time in whole milliseconds since the epoch, so that a time once shown can be used in a later query."""
    return int(seconds * 1000 + 1e-3)  # Current times as floats are exact to 2.4e-7 s.


@dataclass(frozen=True, slots=True)
class Lease:
    """The exclusive right to write a zone. `expires`: seconds since the epoch.

    `recent_writes`: the writes of the last minute that the previous holder saved when it released the lease. None if
    that holder let its lease expire: its writes are unknown then.
    """

    zone: str
    expires: float
    recent_writes: tuple[WriteStamp, ...] | None = ()


@dataclass(frozen=True, slots=True)
class LeaseHolder:
    """The lease of a zone, for the status. `holder`: "" if the zone is free.

    `expires`: seconds since the epoch, 0 if free. `recent_writes`: as in `Lease`, what the last holder saved; while the
    zone is held, this is the previous holder. `changed_at`: when the lease was last taken, renewed or released, in
    seconds since the epoch, 0 if unknown.
    """

    holder: str = ""
    expires: float = 0.0
    recent_writes: tuple[WriteStamp, ...] | None = ()
    changed_at: float = 0.0
