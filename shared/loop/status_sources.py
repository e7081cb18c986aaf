"""What the status is made from: the catalog, the settings, and what this process knows of each zone's rate limits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from shared.config.settings import Settings
from shared.decide.rate_limit import RateLimit
from shared.decide.region_latency import Latency
from shared.decide.rules import Rules
from shared.domain.overrides import Override, active_freeze
from shared.domain.probes import Measured, VantageRow
from shared.domain.zones import Zone
from shared.loop import catalog_queries
from shared.ports import Catalog, RecordSets


@dataclass(frozen=True)
class StatusSources:
    """`record_sets`: read for single names only. `clock`: seconds since the epoch. `budgets`: by the zone's key.

    `private_ip`: this instance's address in its VNet as the platform tells it, "" if unknown.
    """

    catalog: Catalog
    record_sets: RecordSets
    settings: Settings
    latency: Latency
    clock: Callable[[], float]
    budgets: Mapping[str, RateLimit]
    private_ip: str = ""

    async def complete_epoch(self) -> str | None:
        """The catalog's epoch where it knows every claim under the present settings, otherwise None."""
        return await catalog_queries.complete_epoch(self.catalog, self.settings, self.clock)

    async def active_overrides(self) -> tuple[Override, ...]:
        """The overrides in force now."""
        return await catalog_queries.active_overrides(self.catalog, self.clock())

    async def rules(self) -> Rules:
        """What decisions depend on now."""
        overrides, measured = await asyncio.gather(self.active_overrides(), self.measured())
        return Rules(self.settings, self.latency, overrides, measured)

    async def measured(self) -> Measured:
        """What probes have found that changes answers now."""
        return await catalog_queries.measured(self.catalog, self.settings)

    async def vantage(self) -> VantageRow | None:
        """The last round of this app's vantage, whatever the mode; None where it has not probed yet."""
        stored = await self.catalog.vantage(self.settings.probing.vantage)
        return stored.value if stored else None

    async def active_freeze(self, zone: Zone) -> Override | None:
        """The override that freezes a zone now."""
        return active_freeze(zone, await self.active_overrides())
