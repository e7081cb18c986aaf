"""Marks the names dirty that a change of a vantage's row concerns."""

from __future__ import annotations

from shared.decide.probes.changes import names_to_mark
from shared.domain.concurrency import gather_bounded
from shared.domain.dirty import Cause, DirtyName
from shared.domain.probes import VantageRow
from shared.loop.probing.vantage import Vantage


async def mark_names(vantage: Vantage, old: VantageRow, written: VantageRow, cause: Cause) -> int:
    """Mark what the row as it was written leaves to be marked; gives how many names. `old`: the row before.

    The endpoints are read after the row was written. Raises Transient, Terminal; then any name may be marked.
    """
    if not written.todo and not written.reordered:
        return 0
    targets, settings = await vantage.all_targets(), vantage.settings
    changes = names_to_mark(old, written, targets, settings, vantage.published)
    rows = [
        DirtyName(zone.key, name, change.urgency, cause.at, cause=f"{cause.text}: {change.cause}")
        for name, change in changes.items()
        for zone in settings.zones
        if change.everywhere or zone.region == vantage.name
    ]
    await gather_bounded(vantage.catalog.mark_dirty(row) for row in rows)
    return len(changes)
