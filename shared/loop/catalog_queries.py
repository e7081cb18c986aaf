"""What several parts of the loop ask the catalog: whether it knows every claim, and which overrides are in force."""

from __future__ import annotations

from collections.abc import Callable

from shared.config.settings import Settings
from shared.domain import probes
from shared.domain.overrides import Override
from shared.domain.probes import NOTHING_MEASURED, Measured
from shared.ports import Catalog

UNUSED_SECONDS = 6 * 3600.0
"""Seconds without the beginning of a sweep after which a catalog counts as unused."""


async def complete_epoch(catalog: Catalog, settings: Settings, clock: Callable[[], float]) -> str | None:
    """The catalog's epoch where it knows every claim under the present settings, otherwise None.

    A catalog in which no sweep has begun for hours was not in use: its deployment had other settings meanwhile, or was
    removed. Raises Transient, Terminal.
    """
    stored = await catalog.state()
    if stored is None or clock() - stored.value.attempted_at >= UNUSED_SECONDS:
        return None
    is_complete = stored.value.completed_at > 0 and stored.value.digest == settings.digest
    return (stored.value.epoch or None) if is_complete else None


async def active_overrides(catalog: Catalog, now: float) -> tuple[Override, ...]:
    """The overrides in force at `now` (seconds since the epoch). Raises Transient, Terminal."""
    return tuple(stored.value for stored in await catalog.overrides() if stored.value.until > now)


async def measured(catalog: Catalog, settings: Settings) -> Measured:
    """What probes have found that changes answers: nothing without probes, and in observe mode.

    Raises Transient, Terminal.
    """
    if not settings.probes or not settings.probing.enforce:
        return NOTHING_MEASURED
    stored = await catalog.vantage(settings.probing.vantage)
    return probes.measured(stored.value) if stored else NOTHING_MEASURED
