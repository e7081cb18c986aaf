"""What all zone workers of a process share, and the request that one call passes to a worker."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from shared.config.settings import Settings
from shared.decide.region_latency import Latency
from shared.decide.rules import Rules
from shared.domain.overrides import Override, active_freeze
from shared.domain.probes import Measured
from shared.domain.zones import Zone
from shared.edge.report import Report
from shared.loop import catalog_queries
from shared.loop.zone_findings import Findings
from shared.ports import Catalog, Metrics, RecordSets, no_metrics


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
        """See `catalog_queries.complete_epoch`."""
        return await catalog_queries.complete_epoch(self.catalog, self.settings, self.clock)

    async def active_overrides(self) -> tuple[Override, ...]:
        """The overrides that are in force now."""
        return await catalog_queries.active_overrides(self.catalog, self.clock())

    async def rules(self) -> Rules:
        """What decisions depend on now."""
        return Rules(self.settings, self.latency, await self.active_overrides(), await self.measured())

    async def measured(self) -> Measured:
        """What probes have found that changes answers now."""
        return await catalog_queries.measured(self.catalog, self.settings)

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
