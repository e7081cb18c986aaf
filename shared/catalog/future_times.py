"""What is believed of the times in the catalog's rows: none lies in the future, but for those that may.

A clock that was ahead, or a release that did not correct its clock, has left such times. They would hold a name back,
or keep an alarm silent, until the clocks have reached them. So each time is judged where it is read:

    row       times                                          one of the future counts as
    endpoint  seen_at, missing_at, since                     when the row was written
              look_at, beyond `LONGEST_WAIT`                 due
    index     at                                             when the row was written
    dirty     since                                          when the row was written
              not_before, beyond `LONGEST_WAIT`              due
    marker    completed_at, attempted_at, checked_at,        when the row was written
              event_at, of `sweeps` and of `progress`
    history   at                                             when the row was written
    lease     expires                                        a minute after the row was written (`rows.read_lease`)
              of `spent`                                     now, and once (`budget.Budget.learn`)
    order     until                                          what it says: an order ends in the future

When a row was written is told by the account's own clock: the etag of a row is made of it (recorded, and so in Azurite;
Microsoft calls it opaque). Where an etag says nothing of the kind, now is taken.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar, cast
from urllib.parse import unquote

from shared.domain.catalog_rows import NameIndexEntry, Versioned
from shared.domain.catalog_state import CatalogState, ReadingProgress, SweepSummary
from shared.domain.clock import TOLERANCE
from shared.domain.dirty import LONGEST_WAIT, DirtyName, RecordChange
from shared.domain.endpoints import EndpointRow

T = TypeVar("T")

_PAST: dict[type, tuple[str, ...]] = {
    EndpointRow: ("seen_at", "missing_at", "since"),
    NameIndexEntry: ("at",),
    DirtyName: ("since",),
    CatalogState: ("completed_at", "attempted_at", "checked_at", "event_at", "deferred_at", "covered_at"),
    SweepSummary: ("at",),
    ReadingProgress: ("begun", "at"),
    RecordChange: ("at",),
}
_AHEAD: dict[type, str] = {EndpointRow: "look_at", DirtyName: "not_before"}
_ETAG = re.compile(r"""W/"datetime'([^']+)'\"""")


def without_future_times(stored: Versioned[T], now: float) -> Versioned[T]:
    """A row with believable times; the same object where nothing was wrong. `now`: seconds since the epoch."""
    value: Any = stored.value
    if isinstance(value, tuple):
        changed: Any = _history(value, now, stored.etag)
    else:
        changed = _changed(value, now, stored.etag)
    if isinstance(changed, CatalogState):
        changed = _marker(changed, now, stored.etag)
    return stored if changed is value else Versioned(cast("T", changed), stored.etag)


def _changed(value: Any, now: float, etag: str) -> Any:  # noqa: ANN401 - any value of the catalog
    latest = now + TOLERANCE
    said = [name for name in _PAST.get(type(value), ()) if getattr(value, name) > latest]
    ahead = _AHEAD.get(type(value))
    if ahead and getattr(value, ahead) > latest + LONGEST_WAIT:
        said.append(ahead)
    return replace(value, **dict.fromkeys(said, min(written_at(etag) or now, now))) if said else value


def _history(value: tuple[RecordChange, ...], now: float, etag: str) -> tuple[RecordChange, ...]:
    """Where one time is wrong, the others are bounded as well, so that the newest change stays the first one."""
    if all(past.at <= now + TOLERANCE for past in value):
        return value
    written = min(written_at(etag) or now, now)
    return tuple(replace(past, at=min(past.at, written)) for past in value)


def _marker(marker: CatalogState, now: float, etag: str) -> CatalogState:
    sweeps = tuple(_changed(sweep, now, etag) for sweep in marker.sweeps)
    progress = marker.progress and _changed(marker.progress, now, etag)
    same = progress is marker.progress and all(new is old for new, old in zip(sweeps, marker.sweeps, strict=True))
    return marker if same else replace(marker, sweeps=sweeps, progress=progress)


def written_at(etag: str) -> float | None:
    """When a row with this etag was written, in seconds since the epoch; None where the etag does not say."""
    found = _ETAG.fullmatch(etag)
    try:
        return datetime.fromisoformat(unquote(found[1])).timestamp() if found else None
    except ValueError:
        return None
