"""What zone workers work with, and what a call asks of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from shared.config.settings import Settings
from shared.decide.region_latency import Latency
from shared.domain.overrides import Override, active_freeze
from shared.domain.zones import Zone
from shared.edge.report import Report
from shared.loop.zone_findings import Findings
from shared.ports import Catalog, Metrics, RecordSets, no_metrics

UNUSED_SECONDS = 6 * 3600.0
"""Seconds without a sweep after which the catalog may not know what has happened."""


@dataclass(frozen=True)
class LoopServices:
    """What all zone workers of a process share. `holder`: its name in leases. `clock`: seconds since the epoch."""

    catalog: Catalog
    record_sets: RecordSets
    settings: Settings
    latency: Latency
    clock: Callable[[], float]
    holder: str
    metrics: Metrics = no_metrics

    @property
    def zone_findings(self) -> Findings:
        """Where what is found of a zone is kept."""
        return Findings(self.catalog, self.metrics)

    async def complete_epoch(self) -> str | None:
        """The catalog's epoch if it knows every claim under the present settings, otherwise None.

        A catalog in which no sweep has begun for hours was not in use: the deployment had other settings meanwhile, or
        did not run.
        """
        stored = await self.catalog.state()
        if stored is None or self.clock() - stored.value.attempted_at >= UNUSED_SECONDS:
            return None
        complete = stored.value.completed_at > 0 and stored.value.digest == self.settings.digest
        return (stored.value.epoch or None) if complete else None

    async def active_overrides(self) -> tuple[Override, ...]:
        """The overrides that are in force now."""
        now = self.clock()
        return tuple(stored.value for stored in await self.catalog.overrides() if stored.value.until > now)

    async def active_freeze(self, zone: Zone) -> Override | None:
        """The override that freezes a zone; None: the zone is not frozen."""
        return active_freeze(zone, await self.active_overrides())


@dataclass(frozen=True, slots=True)
class ApplyRequest:
    """What a caller asks of a zone worker. `deadline`: seconds since the epoch.

    `epoch`: of the catalog that knows every claim; None: do not remove addresses. `keep_waiting`: wait for the zone
    until the deadline, also where another call or another instance works on it.
    """

    deadline: float
    report: Report
    epoch: str | None
    keep_waiting: bool = False
