"""What is told to those who ask for figures: how things stand now, and what every process has counted.

How things stand is read from the catalog. What this process counts is kept there as one row, for the process that is
asked shares no memory with those that do the work.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from shared.domain.counters import Counters, Gauge, ProcessCounters
from shared.domain.errors import NearzoneError
from shared.domain.overrides import active_freeze
from shared.loop.zone.apply import ZoneApplier

WRITE_INTERVAL_SECONDS = 30.0
"""Seconds between two writes of what a process has counted."""

_log = logging.getLogger("nearzone")


async def current_gauges(drainer: ZoneApplier) -> list[Gauge]:
    """How things stand, but for the blocked names, which change only when a sweep or a run finds them."""
    catalog, now, orders = drainer.catalog, drainer.clock(), await drainer.active_overrides()
    found, stored = [], await catalog.state()
    for zone in drainer.settings.zones:
        since = [row.value.since for row in await catalog.dirty(zone.key)]
        labels = {"zone": zone.region}
        found.append(Gauge("dirty", len(since), labels))
        found.append(Gauge("dirty.oldest", max(0.0, now - min(since, default=now)), labels))
        found.append(Gauge("frozen", 1 if active_freeze(zone, orders) else 0, labels))
    if stored and stored.value.completed_at:
        found.append(Gauge("sweep.age", max(0.0, now - stored.value.completed_at)))
    return found


async def blocked_gauges(drainer: ZoneApplier) -> list[Gauge]:
    """How many names of each zone may not be written, as it was found last; nothing of a zone that was never swept."""
    found = [(zone.region, await drainer.catalog.findings(zone.key)) for zone in drainer.settings.zones]
    return [Gauge("blocked", stored.value.count, {"zone": region}) for region, stored in found if stored]


@dataclass
class MetricsWriter:
    """Keeps in the catalog what this process counts: one row, every `PAUSE` at most, and only after it has changed."""

    applier: ZoneApplier
    counters: Counters
    _next: float = 0.0
    _writing: asyncio.Task[None] | None = field(default=None)

    def schedule_write(self) -> None:
        """Have it written beside the work, where something was counted: no caller waits for it or fails with it."""
        if self.counters.changed and (self._writing is None or self._writing.done()):
            self._writing = asyncio.get_running_loop().create_task(self._write())

    async def _write(self) -> None:
        passed = asyncio.get_running_loop().time
        while self.counters.changed:
            await asyncio.sleep(max(0.0, self._next - passed()))
            self._next = passed() + WRITE_INTERVAL_SECONDS
            self.counters.changed = False
            try:
                await self.applier.catalog.put_process_counters(self._own())
            except NearzoneError as error:  # The next call tries again.
                self.counters.changed = True
                _log.warning("the figures of this instance are not in the catalog: %s", error)
                return

    def _own(self) -> ProcessCounters:
        return self.counters.snapshot(self.applier.holder, self.applier.clock())

    async def all_instances(self) -> Sequence[ProcessCounters]:
        """What each process has counted: this one until now, the others until they wrote last."""
        own = self._own()
        others = [each for each in await self.applier.catalog.process_counters() if each.instance != own.instance]
        return sorted((*others, *([own] if own.counts or own.spreads else [])), key=lambda each: each.instance)
