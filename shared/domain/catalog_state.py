"""The state of the catalog as a whole: its epoch, its completeness, the last sweeps, unreadable rows."""

from __future__ import annotations

from dataclasses import dataclass

from shared.domain.alarms import Alarm


@dataclass(frozen=True, slots=True)
class SweepSummary:
    """A sweep that is over. `at`: when it began, in seconds since the epoch. `endpoints`: so many were listed.

    `drift`: record sets that were not as they should be. `complete`: everything could be read. `failures`: also names
    that failed before and were not due for another attempt. `failing`: how many names stay dirty because their writes
    fail; `examples`: the first of them. `error`: why the sweep was broken off, or the first failure, or "".
    """

    at: float
    seconds: float
    cause: str
    endpoints: int = 0
    drift: int = 0
    changes: int = 0
    failures: int = 0
    refused: int = 0
    complete: bool = False
    failing: int = 0
    examples: tuple[str, ...] = ()
    error: str = ""
    by: str = ""
    reason_given: str = ""


@dataclass(frozen=True, slots=True)
class WriteStamp:
    """A write that has gone to a zone. `kind`: create, update or delete. `at`: seconds since the epoch."""

    kind: str
    name: str
    at: float


@dataclass(frozen=True, slots=True)
class ReadingProgress:
    """How far a sweep has read what lists leave open: `read` of `of` endpoints, from `begun` to `at` (seconds).

    `ended`: it does not go on; what it has not read is left to the next one.
    """

    read: int
    of: int
    begun: float
    at: float
    ended: bool = False


@dataclass(frozen=True, slots=True)
class CatalogState:
    """Says that the catalog knows every claim: as of `completed_at`, under the settings with this `digest`.

    `attempted_at`: when the last sweep began. `alarms`: what it has to say to a person beyond one zone (see `Found`).
    `checked_at`, `findings`: the last preflight, and what it found. `event_at`: when about the last event was seen.
    `sweeps`: the last ones, newest first.
    `epoch`: made with the first marker of a catalog, and kept: another one means that the catalog was lost meanwhile.
    `began_at`: when that was, 0 where an earlier release made it.
    `progress`: of the last sweep that had to read many endpoints one by one.
    `deferred_at`: when an event was last left to a sweep (see `strangers.py`). `covered_at`: all that were left to one
    until then have been made up for.
    """

    digest: str = ""
    completed_at: float = 0.0
    attempted_at: float = 0.0
    alarms: tuple[Alarm, ...] = ()
    epoch: str = ""
    checked_at: float = 0.0
    findings: tuple[Alarm, ...] = ()
    event_at: float = 0.0
    sweeps: tuple[SweepSummary, ...] = ()
    progress: ReadingProgress | None = None
    began_at: float = 0.0
    deferred_at: float = 0.0
    covered_at: float = 0.0


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row of the catalog that could not be read. `why`: what was wrong with it. `at`: when, in seconds.

    `partition`: the kind of row, as `catalog/rows.py` lists them.
    """

    partition: str
    key: str
    why: str
    at: float
