"""Applying: settling dirty names, the one path on which record sets are written."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence

from shared.config.settings import Settings
from shared.decide.region_latency import Latency
from shared.domain.catalog_state import CatalogState
from shared.domain.overrides import Override
from shared.domain.zones import Zone
from shared.edge.report import Report
from shared.loop.incomplete import incomplete_alarm
from shared.loop.zone.record_caches import RecordCaches
from shared.loop.zone.services import ApplyRequest, LoopServices
from shared.loop.zone.worker import ZoneWorker
from shared.loop.zone_findings import Findings
from shared.ports import Catalog, Metrics, RecordSets


class ZoneApplier:
    """Has one worker per zone, and exposes the services that other modules read."""

    def __init__(self, services: LoopServices) -> None:
        self.services, zones = services, services.settings.zones
        self.record_cache = RecordCaches(zones, services.record_sets, services.clock)
        self._workers = {zone.key: ZoneWorker(services, zone, self.record_cache.of_zone(zone)) for zone in zones}

    def worker(self, zone: Zone) -> ZoneWorker:
        """The worker of a zone."""
        return self._workers[zone.key]

    async def apply(
        self,
        zones: Sequence[Zone],
        deadline: float,
        report: Report,
        *,
        keep_waiting: bool = False,
        count_remaining: bool = False,
        additions_only: bool = False,
    ) -> None:
        """Settle dirty names until the deadline; failures go into the report, for each name the last one.

        Ends before the deadline where all names that remain are backed off for longer than
        `worker.MAX_BACKOFF_WAIT_SECONDS`. One call works on a zone, one waits to take over: the one with the latest
        deadline; the others return, unless they `keep_waiting`. `count_remaining`: report what stays dirty.
        `additions_only`: the catalog does not know every claim, so do not remove addresses.
        """
        epoch = await self.complete_epoch()
        if not additions_only and not epoch:
            stored = await self.catalog.state()
            state = stored.value if stored else CatalogState()
            report.alarms.append(incomplete_alarm(state, self.settings, self.clock()))
        else:
            request = ApplyRequest(deadline, report, None if additions_only else epoch, keep_waiting)
            work = (self.worker(zone).apply(request) for zone in zones)
            for outcome in await asyncio.gather(*work, return_exceptions=True):
                if outcome is not None:  # Only after every zone has come to its end, and given its lease back.
                    raise outcome
        if count_remaining:
            report.waiting = [row.value for zone in zones for row in await self.catalog.dirty(zone.key)]
            report.names_remaining = len(report.waiting)

    def prefetch(self, names: Iterable[str]) -> None:
        """Begin to read the record sets of names that may become dirty soon."""
        for name in names:
            for zone in self.settings.zones:
                self.record_cache.prefetch(zone, name)

    async def complete_epoch(self) -> str | None:
        """See `LoopServices.complete_epoch`."""
        return await self.services.complete_epoch()

    async def active_overrides(self) -> tuple[Override, ...]:
        """The overrides that are in force now."""
        return await self.services.active_overrides()

    async def active_freeze(self, zone: Zone) -> Override | None:
        """The override that freezes a zone; None: the zone is not frozen."""
        return await self.services.active_freeze(zone)

    @property
    def catalog(self) -> Catalog:
        """The catalog."""
        return self.services.catalog

    @property
    def record_sets(self) -> RecordSets:
        """The record sets of the zones, read without pacing."""
        return self.services.record_sets

    @property
    def settings(self) -> Settings:
        """The settings."""
        return self.services.settings

    @property
    def latency(self) -> Latency:
        """Round-trip times between regions."""
        return self.services.latency

    @property
    def clock(self) -> Callable[[], float]:
        """Seconds since the epoch."""
        return self.services.clock

    @property
    def holder(self) -> str:
        """The name of this process in leases."""
        return self.services.holder

    @property
    def measure(self) -> Metrics:
        """Where measurements go."""
        return self.services.metrics

    @property
    def zone_findings(self) -> Findings:
        """Where what is found of a zone is kept."""
        return self.services.zone_findings
