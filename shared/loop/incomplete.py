"""What the operator is told while the catalog does not know every claim: what is held back, and until when.

With lists, the next sweep that can read everything completes the catalog. With Resource Graph, a sweep does so only if
events have been recorded for `SETTLED_SECONDS` before it: a resync before that does not help.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from shared.config.settings import Settings
from shared.decide.sweep_reads import SETTLED_SECONDS, prefers_graph
from shared.domain.alarms import Alarm
from shared.domain.catalog_state import CatalogState
from shared.domain.errors import NearzoneError
from shared.edge.report import Report
from shared.loop.catalog_queries import complete_epoch
from shared.loop.times import format_time
from shared.ports import Catalog

_INCOMPLETE = "no complete sweep yet under these settings"
_LATE = f"Resource Graph may be {SETTLED_SECONDS / 60:.0f} minutes late"


def incomplete_alarm(state: CatalogState, settings: Settings, now: float) -> Alarm:
    """The alarm about a catalog that does not know every claim at `now` (seconds since the epoch)."""
    waits = _wait(state, settings, now)
    return Alarm(
        f"{_INCOMPLETE}: {_LATE}" if waits else _INCOMPLETE,
        "the catalog may not know every claim: no event changes a name, no address is removed, not even by a drain",
        f"wait for {waits}, a resync before it does not help; if sweeps fail, their failures say why"
        if waits
        else "wait for the next sweep, or resync; if sweeps fail, their failures say why",
    )


async def note_held_back(catalog: Catalog, settings: Settings, clock: Callable[[], float], report: Report) -> None:
    """Add a note to a report whose removals are held back, or would be, because the catalog is not complete.

    If the catalog cannot be read, the report stays as it is: what it says has been done is done.
    """
    if not report.names_remaining and not (report.dry_run and report.changes):
        return
    with suppress(NearzoneError):
        if await complete_epoch(catalog, settings, clock) is None:
            stored = await catalog.state()
            until = (
                _wait(stored.value if stored else CatalogState(), settings, clock())
                or "the next sweep that can read everything"
            )
            why = f" ({_LATE})" if prefers_graph(settings) else ""
            report.notes.append(f"the catalog may not know every claim yet{why}: no address is removed before {until}")


def _wait(state: CatalogState, settings: Settings, now: float) -> str:
    """The sweep before which no resync completes the catalog; "" if the next sweep may."""
    if not prefers_graph(settings):
        return ""
    if state.graph_scope != settings.subscriptions_digest:
        return f"a sweep that begins {SETTLED_SECONDS / 60:.0f} minutes after the first one"
    settled = state.graph_at + SETTLED_SECONDS
    return f"the first sweep that begins after {format_time(settled)}" if now < settled else ""
