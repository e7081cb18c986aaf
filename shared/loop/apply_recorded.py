"""Applying what was just recorded: by now it is durable, so that a failure fails neither an event nor an override."""

from __future__ import annotations

from shared.domain.errors import NearzoneError
from shared.edge.report import Report
from shared.loop.deadlines import SHUTDOWN_GRACE_SECONDS, time_limit
from shared.loop.zone.apply import ZoneApplier


async def apply_recorded(applier: ZoneApplier, deadline: float, report: Report, *, wait: bool = False) -> None:
    """Apply the dirty names of all zones until the deadline (seconds since the epoch).

    What fails stays dirty, is in the report, and is left to the drain timer. `wait`: as in `ZoneApplier.apply`.
    """
    try:
        async with time_limit(max(0.0, deadline - applier.clock()) + SHUTDOWN_GRACE_SECONDS):
            await applier.apply(applier.settings.zones, deadline, report, keep_waiting=wait, count_remaining=wait)
    except NearzoneError as error:
        report.fail("drain", error)
