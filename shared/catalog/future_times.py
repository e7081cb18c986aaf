"""Which times in the catalog's rows are accepted: no time in the future, except where a future time is possible.

A clock that was ahead, or a release that did not correct its clock, may have written such times. They would delay a
name, or suppress an alarm, until the clocks reach them. So each time is checked when it is read:

    row       times                                          a time in the future counts as
    endpoint  seen_at, missing_at, since                     when the row was written
              look_at, beyond `LONGEST_WAIT`                 due
    index     at                                             when the row was written
    dirty     since                                          when the row was written
              not_before, beyond `LONGEST_WAIT`              due
    marker    completed_at, attempted_at, checked_at,        when the row was written
              event_at, of `sweeps` and of `progress`
    history   at                                             when the row was written
    lease     expires                                        a minute after the row was written (`read_lease`)
              of `spent`                                     now, and once (`RateLimit.import_writes`)
    orders    until                                          valid: an override ends in the future
    vantages  at, ..._since, of verdicts and distances       when the row was written
              until, of verdicts and distances               earlier by as much as `at` was too late
    evidence  all                                            when the page was written

The time at which a row was written comes from the account's clock: the etag of a row contains it (recorded, and the
same in Azurite; Microsoft calls the etag opaque). If an etag has no such time, the current time is used.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar, cast
from urllib.parse import unquote

from msgspec import Struct, structs

from shared.domain.catalog_rows import NameIndexEntry, Versioned
from shared.domain.catalog_state import CatalogState, ReadingProgress, SweepSummary
from shared.domain.clock import TOLERANCE
from shared.domain.dirty import LONGEST_WAIT, DirtyName, RecordChange
from shared.domain.endpoints import EndpointRow
from shared.domain.probes import Better, Distances, Evidence, EvidencePage, VantageRow, Verdict

T = TypeVar("T")

_PAST: dict[type, tuple[str, ...]] = {
    EndpointRow: ("seen_at", "missing_at", "since"),
    NameIndexEntry: ("at",),
    DirtyName: ("since",),
    CatalogState: ("completed_at", "attempted_at", "checked_at", "event_at", "deferred_at", "covered_at", "graph_at"),
    SweepSummary: ("at",),
    ReadingProgress: ("begun", "at"),
    RecordChange: ("at",),
    VantageRow: ("at", "blind_since", "suspected_since"),
    Verdict: ("since",),
    Distances: ("changed_at",),
    Better: ("since",),
    Evidence: ("since", "at", "down_since", "up_at", "sampled_at", "ok_at"),
}
_AHEAD: dict[type, str] = {EndpointRow: "look_at", DirtyName: "not_before"}
_ETAG = re.compile(r"""W/"datetime'([^']+)'\"""")


def without_future_times(stored: Versioned[T], now: float) -> Versioned[T]:
    """Return a row with accepted times; the same object if all were fine. `now`: seconds since the epoch."""
    value: Any = stored.value
    if isinstance(value, tuple):
        changed: Any = _bound_history(value, now, stored.etag)
    else:
        changed = _bound_times(value, now, stored.etag)
    if isinstance(changed, CatalogState):
        changed = _state(changed, now, stored.etag)
    if isinstance(changed, VantageRow):
        changed = _vantage(changed, now, stored.etag, ahead=max(0.0, value.at - changed.at))
    if isinstance(changed, EvidencePage):
        evidence = tuple(_evidence(each, now, stored.etag) for each in changed.evidence)
        changed = _with(changed, evidence=evidence)
    return stored if changed is value else Versioned(cast("T", changed), stored.etag)


def _bound_times(value: Any, now: float, etag: str) -> Any:  # noqa: ANN401 - any value of the catalog
    latest = now + TOLERANCE
    said = [name for name in _PAST.get(type(value), ()) if getattr(value, name) > latest]
    ahead = _AHEAD.get(type(value))
    if ahead and getattr(value, ahead) > latest + LONGEST_WAIT:
        said.append(ahead)
    return _replace(value, dict.fromkeys(said, min(written_at(etag) or now, now))) if said else value


def _bound_history(value: tuple[RecordChange, ...], now: float, etag: str) -> tuple[RecordChange, ...]:
    """If one time is wrong, bound the others as well, so that the newest change stays the first one."""
    if all(past.at <= now + TOLERANCE for past in value):
        return value
    written = min(written_at(etag) or now, now)
    return tuple(replace(past, at=min(past.at, written)) for past in value)


def _vantage(row: VantageRow, now: float, etag: str, ahead: float) -> VantageRow:
    """`ahead`: by how many seconds the clock was ahead that gave the row its time and its ends."""
    distances: Distances = _bound_times(row.distances, now, etag)
    distances = _with(
        distances,
        until=max(0.0, distances.until - ahead),
        released=_bound_all(distances.released, now, etag),
        better=tuple(_bound_times(each, now, etag) for each in distances.better),
    )
    verdicts = tuple(_bound_times(each, now, etag) for each in row.verdicts)
    return _with(row, until=max(0.0, row.until - ahead), verdicts=verdicts, distances=distances)


def _evidence(value: Evidence, now: float, etag: str) -> Evidence:
    bounded: Evidence = _bound_times(value, now, etag)
    return _with(bounded, withdrawals=_bound_all(value.withdrawals, now, etag))


def _bound_all(found: tuple[float, ...], now: float, etag: str) -> tuple[float, ...]:
    written = min(written_at(etag) or now, now)
    return tuple(at if at <= now + TOLERANCE else written for at in found)


def _with(value: T, **fields: object) -> T:
    """Return a value with these fields; the same object if it has them."""
    return (
        value
        if all(getattr(value, name) == new for name, new in fields.items())
        else _replace(cast("Any", value), fields)
    )


def _replace(value: Any, fields: Mapping[str, object]) -> Any:  # noqa: ANN401 - a dataclass or a msgspec struct
    change: Any = structs.replace if isinstance(value, Struct) else replace
    return change(value, **fields)


def _state(state: CatalogState, now: float, etag: str) -> CatalogState:
    sweeps = tuple(_bound_times(sweep, now, etag) for sweep in state.sweeps)
    progress = state.progress and _bound_times(state.progress, now, etag)
    same = progress is state.progress and all(new is old for new, old in zip(sweeps, state.sweeps, strict=True))
    return state if same else replace(state, sweeps=sweeps, progress=progress)


def written_at(etag: str) -> float | None:
    """Return when a row with this etag was written, in seconds since the epoch; None if the etag has no time."""
    found = _ETAG.fullmatch(etag)
    try:
        return datetime.fromisoformat(unquote(found[1])).timestamp() if found else None
    except ValueError:
        return None
