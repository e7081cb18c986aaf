"""Metrics: gauges that are read from the catalog, and the counters of every process.

Each process keeps its counters in the catalog as one row: the process that serves the metrics shares no memory with
those that do the work.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from shared.domain.counters import Counters, Gauge, ProcessCounters
from shared.domain.errors import NearzoneError
from shared.domain.overrides import active_freeze
from shared.domain.zones import Zone
from shared.loop.catalog_queries import active_overrides
from shared.loop.instance import Instance
from shared.ports import Catalog, Metrics

WRITE_INTERVAL_SECONDS = 30.0
"""Seconds between two writes of what a process has counted."""

_log = logging.getLogger("nearzone")


async def current_gauges(catalog: Catalog, zones: Iterable[Zone], now: float) -> list[Gauge]:
    """How things stand at `now` (seconds since the epoch), but for the blocked names. Raises Transient, Terminal."""
    overrides, stored = await active_overrides(catalog, now), await catalog.state()
    found = []
    for zone in zones:
        since = [row.value.since for row in await catalog.dirty(zone.key)]
        labels = {"zone": zone.region}
        found.append(Gauge("dirty", len(since), labels))
        found.append(Gauge("dirty.oldest", max(0.0, now - min(since, default=now)), labels))
        found.append(Gauge("frozen", 1 if active_freeze(zone, overrides) else 0, labels))
    if stored and stored.value.completed_at:
        found.append(Gauge("sweep.age", max(0.0, now - stored.value.completed_at)))
    return found


async def record_gauges(catalog: Catalog, zones: Iterable[Zone], now: float, metrics: Metrics) -> None:
    """Record how things stand as metrics of this process. Raises Transient, Terminal."""
    for gauge in await current_gauges(catalog, zones, now):
        metrics(gauge.name, gauge.value, **gauge.labels)


async def blocked_gauges(catalog: Catalog, zones: Iterable[Zone]) -> list[Gauge]:
    """How many names of each zone may not be written, as it was found last; nothing of a zone that was never swept.

    The number changes only when a sweep or the zone worker finds such a name.
    """
    found = [(zone.region, await catalog.findings(zone.key)) for zone in zones]
    return [Gauge("blocked", stored.value.count, {"zone": region}) for region, stored in found if stored]


@dataclass
class MetricsWriter:
    """Keeps the counters of this process in the catalog: one row, written only after a change.

    Not more often than every `WRITE_INTERVAL_SECONDS`.
    """

    catalog: Catalog
    counters: Counters
    instance: Instance
    _next: float = 0.0
    _writing: asyncio.Task[None] | None = field(default=None)

    @contextmanager
    def write_after(self) -> Iterator[None]:
        """Work at whose end, however it ends, what was counted is written."""
        try:
            yield
        finally:
            self.schedule_write()

    def schedule_write(self) -> None:
        """Write the counters in the background where they have changed: no caller waits for it or fails with it."""
        if self.counters.changed and (self._writing is None or self._writing.done()):
            self._writing = asyncio.get_running_loop().create_task(self._write())

    async def _write(self) -> None:
        passed = asyncio.get_running_loop().time
        while self.counters.changed:
            await asyncio.sleep(max(0.0, self._next - passed()))
            self._next = passed() + WRITE_INTERVAL_SECONDS
            self.counters.changed = False
            try:
                await self.catalog.put_process_counters(self._own())
            except NearzoneError as error:  # The next call tries again.
                self.counters.changed = True
                _log.warning("the figures of this instance are not in the catalog: %s", error)
                return

    def _own(self) -> ProcessCounters:
        return self.counters.snapshot(self.instance.holder, self.instance.clock())

    async def all_instances(self) -> Sequence[ProcessCounters]:
        """The counters of each process: of this one as of now, of the others as of their last write."""
        own = self._own()
        others = [each for each in await self.catalog.process_counters() if each.instance != own.instance]
        return sorted((*others, *([own] if own.counts or own.spreads else [])), key=lambda each: each.instance)
