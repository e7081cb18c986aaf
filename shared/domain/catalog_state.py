"""The state of the catalog as a whole: its epoch, its completeness, the last sweeps, unreadable rows."""

from __future__ import annotations

from dataclasses import dataclass

from shared.domain.alarms import Alarm


@dataclass(frozen=True, slots=True)
class SweepSummary:
    """A sweep that has ended. `at`: when it began, in seconds since the epoch. `endpoints`: how many it listed.

    `drift`: record sets that differed from their answers. `complete`: the sweep could read everything. `failures`:
    includes names that failed before and were not due for a retry. `failing`: how many names stay dirty because their
    writes fail; `examples`: the first of them. `error`: why the sweep was aborted, or the first failure, or
    why it is not complete, or "".
    `inventory`: how it found endpoints (see `loop/graph_inventory.py`), or "" if it did not come so far.
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
    inventory: str = ""


@dataclass(frozen=True, slots=True)
class WriteStamp:
    """A write that was sent to a zone. `kind`: create, update or delete. `at`: seconds since the epoch."""

    kind: str
    name: str
    at: float


@dataclass(frozen=True, slots=True)
class ReadingProgress:
    """The progress of a sweep that reads endpoints one by one because their lists are not sufficient.

    It has read `read` of `of` endpoints, from `begun` to `at` (seconds since the epoch). `ended`: the sweep has stopped
    reading; the next sweep reads the rest.
    """

    read: int
    of: int
    begun: float
    at: float
    ended: bool = False


@dataclass(frozen=True, slots=True)
class WatchedGroup:
    """A management group that the settings name, and its subscriptions as last read. `error`: why not read since."""

    name: str
    subscriptions: tuple[str, ...]
    error: str = ""


@dataclass(frozen=True, slots=True)
class CatalogState:
    """States that the catalog has every claim as of `completed_at`, under the settings with this `digest`.

    Times are in seconds since the epoch. `attempted_at`: when the last sweep began. `alarms`: its alarms that concern
    more than one zone (those of one zone are in `ZoneFindings`). `checked_at`, `findings`: the last preflight and its
    alarms. `event_at`: the approximate time of the last event. `sweeps`: the last sweeps, newest first. `epoch`:
    created with the first state row of a catalog and never changed; a different epoch means that the catalog was lost
    in between. `began_at`: when the epoch was created, 0 if an earlier release created it. `progress`: of the last
    sweep that had to read many endpoints one by one. `deferred_at`: when an event was last left to a sweep (see
    `unknown_resources.py`). `covered_at`: sweeps have handled all events that were deferred up to this time.
    `graph_at`: when the first sweep of this catalog began that asked Resource Graph about the watched subscriptions,
    whose digest is `graph_scope`. `groups`: the management groups of the settings.
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
    graph_scope: str = ""
    graph_at: float = 0.0
    groups: tuple[WatchedGroup, ...] = ()


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row of the catalog that could not be read. `why`: the error. `at`: when, in seconds since the epoch.

    `partition`: the kind of row, as `catalog/codec.py` lists them.
    """

    partition: str
    key: str
    why: str
    at: float
