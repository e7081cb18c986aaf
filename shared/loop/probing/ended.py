"""What the drain timer does for a prober that has stopped: its verdicts and distances end, and its names are marked."""

from __future__ import annotations

from shared.decide.probes.changes import ended
from shared.domain.catalog_rows import Versioned
from shared.domain.errors import Conflict
from shared.loop.probing.marks import mark_names
from shared.loop.probing.vantage import Vantage
from shared.loop.times import cause_now

MARKING_SECONDS = 30.0
"""Seconds after a round for which its prober may still be marking names: a round ends long before."""


async def end_what_is_over(vantage: Vantage) -> int:
    """End what has not been renewed, and finish what a dead prober has left; gives how many names were marked.

    Nothing is read without probes and in observe mode. Raises Transient, Terminal.
    """
    stored = await vantage.row() if vantage.enforces else None
    if stored is None:
        return 0
    row, now = stored.value, vantage.clock()
    over = ended(row, now)
    left = (bool(row.todo) or row.reordered) and row.at + MARKING_SECONDS < now
    if over == row and not left:
        return 0
    try:
        written = Versioned(over, await vantage.catalog.put_vantage(over, stored.etag))
    except Conflict:  # The prober is back, or another instance does this.
        return 0
    marked = await mark_names(vantage, row, over, cause_now("end of probing", now))
    await vantage.clear_todo(written)
    return marked
