"""The preflight: reads what could stand in the way of right answers and keeps what `decide/preflight.py` finds."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from shared.config.settings import Settings
from shared.decide import preflight, subscription_checks, unreadable_rows
from shared.domain.alarms import Alarm
from shared.domain.endpoints import Endpoint
from shared.domain.errors import Terminal, Transient
from shared.edge.report import Report
from shared.loop.catalog_state import update_state
from shared.loop.instance import Instance
from shared.loop.overdue import overdue_alarms
from shared.loop.startup import Startup
from shared.loop.status_sources import StatusSources
from shared.loop.sweep import SweepObservations
from shared.ports import Catalog, Inventory, ZoneEnvironmentReader

PREFLIGHT_SECONDS = 3600.0
"""Seconds between two preflights."""
PREFLIGHT_AFTER_FINDINGS_SECONDS = 240.0
"""The same while the last one has found something. Several instances, or frequent sweeps, share one preflight."""


@dataclass(frozen=True)
class PreflightCheck:
    """Runs the preflight with sweeps or by itself. It changes nothing but the catalog's state row."""

    sources: StatusSources
    inventory: Inventory
    zone_environments: ZoneEnvironmentReader
    instance: Instance
    startup: Startup

    @property
    def settings(self) -> Settings:
        """The app's settings."""
        return self.sources.settings

    @property
    def catalog(self) -> Catalog:
        """The app's catalog."""
        return self.sources.catalog

    async def run_if_due(
        self,
        seen: SweepObservations,
        after_findings: float = PREFLIGHT_AFTER_FINDINGS_SECONDS,
        pause: float = PREFLIGHT_SECONDS,
    ) -> None:
        """Run the preflight with what a sweep has seen, unless the last one was a short time ago. Raises Transient.

        `after_findings`: seconds since the last one where that has found something; `pause`: where it found nothing.
        """
        clock, stored = self.instance.clock, await self.catalog.state()
        if stored and abs(clock() - stored.value.checked_at) >= (after_findings if stored.value.findings else pause):
            await self._keep(clock(), await self._find(seen))

    async def check(self) -> Report:
        """Run the preflight now, and nothing else.

        Without the catalog it says what Azure alone can tell; the failures say what is missing.
        """
        report, known, missing = Report("check"), list[Endpoint](), "the state in the catalog"
        try:
            await self.startup.begin()
            known = [stored.value.endpoint for stored in await self.catalog.endpoints()]
        except (Transient, Terminal) as error:
            report.fail(missing, error)
        seen = await self._list(known)
        report.observed = len(seen.endpoints)
        found = await self._find(seen)
        report.alarms += (*self.instance.notes, *found)
        if report.failures:
            return report
        try:
            await self._keep(self.instance.clock(), found)
            report.alarms += await self._catalog_alarms()
        except (Transient, Terminal) as error:
            report.fail(missing, error)
        return report

    async def _list(self, known: Sequence[Endpoint]) -> SweepObservations:
        """List everything; what is known already, and not listed, counts as well."""
        listings = await self.inventory.list_all(self.settings.subscriptions, known)
        # Before the first sweep lists leave VMs open for their health, which does not matter here.
        left = [replace(each, health=False) for listing in listings for each in listing.needs_get]
        if left:
            listings = await self.inventory.list_all(self.settings.subscriptions, [*left, *known])
        listed = {endpoint.key: endpoint for listing in listings for endpoint in listing.endpoints}
        return SweepObservations(listings, ({endpoint.key: endpoint for endpoint in known} | listed).values())

    async def _find(self, seen: SweepObservations) -> tuple[Alarm, ...]:
        """Read the surroundings of the zones, and decide what stands in the way."""
        zones, reader = self.settings.zones, self.zone_environments
        around = await asyncio.gather(*(reader.read(zone) for zone in zones))
        by_key = {zone.key: each for zone, each in zip(zones, around, strict=True)}
        silent = subscription_checks.empty_subscriptions(seen.listings)
        rights = dict(zip(silent, await asyncio.gather(*map(reader.permissions, silent)), strict=True))
        found = preflight.check(self.settings, by_key, seen.listings, seen.endpoints, rights)
        return tuple(replace(alarm, at=self.instance.clock()) for alarm in found)

    async def _keep(self, checked_at: float, found: tuple[Alarm, ...]) -> None:
        """Keep the findings in the state row, where there is one."""
        await update_state(self.catalog, lambda state: state and replace(state, checked_at=checked_at, findings=found))

    async def _catalog_alarms(self) -> list[Alarm]:
        """Alarms about the catalog itself, of probing, and those that sweeps have kept of each zone.

        Alarms of probing are not kept as findings: the status reads them from the vantage's row, as this does.
        """
        alarms = list(overdue_alarms(await self.catalog.state(), self.settings, self.instance.clock()))
        alarms += unreadable_rows.alarms(await self.catalog.bad_rows())
        for zone in self.settings.zones:
            stored = await self.catalog.findings(zone.key)
            alarms += stored.value.alarms if stored else ()
        return [*alarms, *(await self._probing_alarms() if self.settings.probes else ())]

    async def _probing_alarms(self) -> Sequence[Alarm]:
        """Alarms about probing. Imported here: a process that only handles events does not need it."""
        from shared.loop import probing_status  # noqa: PLC0415

        view = await probing_status.vantage_view(self.sources)
        known = [stored.value.endpoint for stored in await self.catalog.endpoints()]
        return probing_status.alarms(view, self.settings, known, swept=True) if view else ()
