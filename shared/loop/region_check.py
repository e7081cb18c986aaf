"""Whether the regions of zones are swapped in changed settings, before the first sweep under them.

That sweep would rewrite every answer, and no guard stops changes to addresses of endpoints that serve. While no sweep
is complete yet there is no check: the catalog knows no settings that were right before.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from shared.config.settings import Settings
from shared.decide import zone_regions
from shared.domain.sweep_scope import SweepScope
from shared.edge.report import Report
from shared.loop.zone_findings import Findings
from shared.ports import Catalog, Metrics, ZoneEnvironmentReader

READ_SECONDS = 30.0
"""Seconds for reading the VNets; where that takes longer, the sweep goes on without the check."""


@dataclass(frozen=True)
class RegionCheck:
    """Refuses a sweep where zones are clearly swapped, until the settings change or an operator forces it."""

    settings: Settings
    catalog: Catalog
    zone_environments: ZoneEnvironmentReader
    zone_findings: Findings
    metrics: Metrics

    async def refuses(self, scope: SweepScope, report: Report) -> str:
        """The digest of the swap for which no sweep is made, or ""; the report says why, and so does the status.

        The scope's `force` may name this digest, and a dry run may go on always.
        """
        zones = self.settings.zones
        if len({zone.region for zone in zones}) < 2 or not await self._changed():
            return ""
        try:
            async with asyncio.timeout(READ_SECONDS):
                found = await asyncio.gather(*(self.zone_environments.regions(zone) for zone in zones))
        except TimeoutError:
            return ""
        regions = {zone.key: each for zone, each in zip(zones, found, strict=True)}
        swapped = zone_regions.swapped(zones, regions)
        if not swapped:
            return ""
        digest = zone_regions.digest(zones, swapped)
        if digest in scope.force:
            return digest
        refused = zone_regions.refusals(zones, swapped)
        report.refusals += refused.values()
        for zone in zones if not scope.dry_run else ():
            if zone.key in refused:
                await self.zone_findings.refuse(zone, refused[zone.key])
                self.metrics("refused_plans", 1, zone=zone.region)
        return digest

    async def _changed(self) -> bool:
        """Whether the last complete sweep was made under other settings."""
        stored = await self.catalog.state()
        return bool(stored and stored.value.completed_at and stored.value.digest != self.settings.digest)
