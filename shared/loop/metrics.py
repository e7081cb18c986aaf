"""Metrics: gauges that are read from the catalog, and the counters of every process.

Each process keeps its counters in the catalog as one row: the process that serves the metrics shares no memory with
those that do the work.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from shared.domain.counters import Counters, Gauge, ProcessCounters
from shared.domain.errors import NearzoneError
from shared.domain.overrides import active_freeze
from shared.domain.probes import Measured, VerdictKind, shown
from shared.domain.zones import Zone
from shared.loop.catalog_queries import active_overrides
from shared.loop.instance import Instance
from shared.loop.status_sources import StatusSources
from shared.ports import Catalog, Metrics

WRITE_INTERVAL_SECONDS = 30.0
"""Seconds between two writes of what a process has counted."""

_log = logging.getLogger("nearzone")


async def current_gauges(sources: StatusSources) -> list[Gauge]:
    """How things stand now, but for the blocked names. Raises Transient, Terminal."""
    catalog, now = sources.catalog, sources.clock()
    overrides, stored = await active_overrides(catalog, now), await catalog.state()
    found = []
    for zone in sources.settings.zones:
        since = [row.value.since for row in await catalog.dirty(zone.key)]
        labels = {"zone": zone.region}
        found.append(Gauge("dirty", len(since), labels))
        found.append(Gauge("dirty.oldest", max(0.0, now - min(since, default=now)), labels))
        found.append(Gauge("frozen", 1 if active_freeze(zone, overrides) else 0, labels))
    if stored and stored.value.completed_at:
        found.append(Gauge("sweep.age", max(0.0, now - stored.value.completed_at)))
    return [*found, *await probing_gauges(sources)]


async def record_gauges(sources: StatusSources, metrics: Metrics) -> None:
    """Record how things stand as metrics of this process. Raises Transient, Terminal."""
    for gauge in await current_gauges(sources):
        metrics(gauge.name, gauge.value, **gauge.labels)


async def probing_gauges(sources: StatusSources) -> list[Gauge]:
    """The gauges of probing: none without probes, and of a stale vantage its age alone. Raises Transient, Terminal."""
    row = await sources.vantage() if sources.settings.probes else None
    if row is None:
        return []
    from shared.decide.probe_states import is_stale  # noqa: PLC0415 - an app without probes does not import it

    probing, now = sources.settings.probing, sources.clock()
    labels = {"vantage": row.vantage}
    age = Gauge("probes.round_age", max(0.0, now - row.at), labels)
    if is_stale(row, probing, now):
        return [age]
    in_force = shown(row, now, enforce=probing.enforce)
    kinds = Counter(each.kind for each in in_force.verdicts)
    return [
        age,
        Gauge("probes.all_down", len(row.kept) if kinds else 0, labels),
        Gauge("probes.blind", 1 if row.blind_since else 0, labels),
        Gauge("probes.failing", row.failing, labels),
        *(Gauge("probes.verdicts", kinds[kind], {**labels, "kind": kind.value}) for kind in VerdictKind),
        *([] if probing.enforce else [await _would_change(sources, in_force, labels)]),
        *_rtt_gauges(in_force, labels),
    ]


async def _would_change(sources: StatusSources, in_force: Measured, labels: Mapping[str, str]) -> Gauge:
    """How many answers would differ; the endpoints are read only where something is in force."""
    from shared.decide.probe_effects import changed_answers  # noqa: PLC0415 - as above

    rows = await sources.catalog.endpoints() if in_force else ()
    endpoints = [row.value.endpoint for row in rows]
    changes = changed_answers(endpoints, await sources.rules(), in_force)
    return Gauge("probes.would_change", len(changes), labels)


def _rtt_gauges(in_force: Measured, labels: Mapping[str, str]) -> list[Gauge]:
    """Measured distances of regions. No metric has the name of an endpoint, so static endpoints are left out."""
    ms = in_force.distances.ms if in_force.distances else {}
    return [Gauge("probes.rtt", ms[place], {**labels, "place": place}) for place in sorted(ms) if "/" not in place]


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
