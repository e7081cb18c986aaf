"""Alarms about sweeps and events that have stopped coming."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice

from cronsim import CronSim

from shared.config.settings import Settings
from shared.decide import preflight
from shared.domain.alarms import Alarm
from shared.domain.catalog_rows import Versioned
from shared.domain.catalog_state import CatalogState


def overdue_alarms(stored: Versioned[CatalogState] | None, settings: Settings, now: float) -> list[Alarm]:
    """Whether sweeps or events have stopped coming; nothing before the first sweep was complete."""
    if not stored or not stored.value.completed_at:
        return []
    due = CronSim(settings.sweep_schedule, datetime.fromtimestamp(now, UTC), reverse=True)
    third_last = next(islice(due, 2, None)).timestamp()
    state = stored.value
    return preflight.overdue_sweep_alarm(state.completed_at, third_last) + preflight.missing_events_alarm(
        state.event_at, state.began_at, now
    )
