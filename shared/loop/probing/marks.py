"""Marks the names dirty that the row of a vantage concerns."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from shared.decide.probes.changes import NameChange
from shared.domain.concurrency import gather_bounded
from shared.domain.dirty import Cause, DirtyName, Urgency
from shared.loop.probing.vantage import Vantage

LEFT_BEHIND = NameChange(Urgency.WITHDRAW, everywhere=True, cause="an earlier round ended before it marked the name")
"""What is known of a name that another process has left in `todo`."""


async def mark_names(vantage: Vantage, names: Collection[str], changes: Mapping[str, NameChange], cause: Cause) -> None:
    """Mark names dirty in the zones that they concern. Raises Transient, Terminal; then any of them may be marked."""
    rows = [
        DirtyName(zone.key, name, change.urgency, cause.at, cause=f"{cause.text}: {change.cause}")
        for name in sorted(names)
        for change in (changes.get(name, LEFT_BEHIND),)
        for zone in vantage.settings.zones
        if change.everywhere or zone.region == vantage.name
    ]
    await gather_bounded(vantage.catalog.mark_dirty(row) for row in rows)
