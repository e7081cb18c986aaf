"""What the catalog returns beside the values themselves: versions, index entries, leases, pages of the log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from shared.domain.catalog_state import WriteStamp
from shared.domain.dirty import RecordChange

T = TypeVar("T", covariant=True)  # noqa: PLC0105 - a row is only read

WHOLE_ZONE = "*"
"""Stands for a zone's history as a whole; no record set that could be ours has this name."""


@dataclass(frozen=True, slots=True)
class Versioned(Generic[T]):
    """A row as read, with the etag that a conditional write of it carries."""

    value: T
    etag: str


@dataclass(frozen=True, slots=True)
class NameIndexEntry:
    """An index row: look at this endpoint's row for this name. `at`: when it was last upserted, in seconds."""

    name: str
    key: str
    at: float


@dataclass(frozen=True, slots=True)
class LogPage:
    """A page of a zone's log: every entry of the span asked for that is before `until` (seconds since the epoch)."""

    entries: tuple[RecordChange, ...]
    until: float


def tick(seconds: float) -> int:
    """A time in whole milliseconds since the epoch: what is told of it can be asked for again."""
    return int(seconds * 1000 + 1e-3)  # A float of today is exact to 2.4e-7 s.


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to write a zone. `expires`: seconds since the epoch.

    `spent`: the writes of the last minute that the holder before left behind, or None where it let its lease expire, so
    that nobody knows what it wrote.
    """

    zone: str
    expires: float
    recent_writes: tuple[WriteStamp, ...] | None = ()


@dataclass(frozen=True, slots=True)
class LeaseHolder:
    """Who has a zone, for people. `holder`: "" for nobody. `expires`: seconds since the epoch, 0 where it is free.

    `spent`: as in `Lease`, what the last holder has left behind; while a zone is held, that is the one before.
    `changed_at`: when the lease was last taken, prolonged or given back, 0 where that is not known.
    """

    holder: str = ""
    expires: float = 0.0
    spent: tuple[WriteStamp, ...] | None = ()
    changed_at: float = 0.0
