"""Sweeping: compare everything with the truth, whatever events were lost and whatever was edited by hand.

A sweep writes no record set. It marks the names that differ as dirty, after the guard has seen the plan, and the zone
workers write.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import partial

from shared.decide.inventory_diff import diff_inventory
from shared.decide.zone_plan import dirty_names
from shared.domain.catalog_state import CatalogState
from shared.domain.concurrency import gather_bounded
from shared.domain.endpoints import Endpoint, Listing
from shared.domain.overrides import active_freeze
from shared.domain.sweep_scope import SweepScope
from shared.edge.report import Report
from shared.loop.catch_up import ObservationCatchUp
from shared.loop.dry_run import dry_run
from shared.loop.housekeeping import Housekeeping
from shared.loop.operator_log import OperatorLog
from shared.loop.recorder import Recorder
from shared.loop.sweep_plan import SweepPlan, plan_sweep
from shared.loop.sweep_reader import Fleet, InventoryReadings, SweepReader, ZoneReadings
from shared.loop.sweep_state import SweepState
from shared.loop.unknown_resources import is_sweep_noted
from shared.loop.zone.apply import ZoneApplier
from shared.loop.zone.record_reads import CachedRecordSet

PLAN_SECONDS = 30.0
"""Seconds at the end of a sweep that are reserved for its plan: reading stops before."""
APPLY_SECONDS, APPLY_PAUSE = 5.0, 0.5
"""While endpoints are read: seconds of each run that applies what became dirty, and the pause between two runs."""


@dataclass(frozen=True, slots=True)
class SweepObservations:
    """What a sweep has seen: the lists, and all endpoints that are known after it."""

    listings: Sequence[Listing]
    endpoints: Collection[Endpoint]


@dataclass(frozen=True)
class Sweeper:
    """Runs sweeps; records through the recorder, writes through the applier."""

    recorder: Recorder
    applier: ZoneApplier

    @property
    def _reader(self) -> SweepReader:
        return SweepReader(self.recorder, self.applier)

    @property
    def _state(self) -> SweepState:
        holder, digest = self.applier.holder, self.applier.settings.digest
        return SweepState(self.recorder.catalog, holder, digest, self.recorder.clock)

    async def sweep(
        self, scope: SweepScope, deadline: float, report: Report, marked: Callable[[], None] = lambda: None
    ) -> SweepObservations:
        """Run one sweep and return what it read. What it cannot read is reported and stays as it is.

        Alarms that the report has already are kept with those of the sweep. `marked` is called when everything is read
        and what has to be written is marked. A dry run ends with the plan. Raises Transient.
        """
        if scope.dry_run:
            fleet, _ = await dry_run(self._reader, scope, deadline, report)
            return SweepObservations(fleet.listings, fleet.endpoints.values())
        own_alarms = list(report.alarms)
        begun, owned = await asyncio.gather(self._state.start(), self._reader.read_owned(scope.zones))
        zones = await self._reader.read_zones(scope.zones, owned, report)
        begun, inventory = await self._read_inventory(begun, report)
        own_alarms += inventory.lists.alarms
        report.alarms += inventory.lists.alarms
        fleet = await self._catch_up(scope, begun, inventory, deadline, report)
        plan = await plan_sweep(self.applier, scope, zones, fleet, report)
        await self._mark(scope, plan, zones.read_at)
        await self._log_forced(scope, plan, report)
        alarms = [replace(alarm, at=zones.read_at) for alarm in (*own_alarms, *plan.ambiguous)]
        late, is_complete = inventory.lists.late, fleet.is_complete
        finishing = self._state.finish(begun, alarms, is_complete=is_complete, late=late)
        noted, _ = await asyncio.gather(finishing, self._keep_findings(scope, plan, zones))
        if not noted:
            report.failures.append(("sweep", "the catalog was lost meanwhile: the next sweep fills it"))
        marked()
        await self._apply(scope, plan, deadline, report)
        settings = self.applier.settings
        vantage = settings.probing.vantage if settings.probes else ""
        housekeeping = Housekeeping(self.recorder.catalog, settings.zones, vantage)
        await housekeeping.purge(fleet.rows, plan.index, begun, self.recorder.clock())
        return SweepObservations(fleet.listings, fleet.endpoints.values())

    async def _read_inventory(self, begun: CatalogState, report: Report) -> tuple[CatalogState, InventoryReadings]:
        """Read rows and lists. Where rows were dropped meanwhile, the sweep starts anew, and the lists replace them."""
        inventory = await self._reader.read_inventory(begun, report)
        if inventory.epoch != begun.epoch:
            begun = await self._state.start()
            inventory = await self._reader.read_inventory(begun, report)
        if inventory.lists.scope:
            await self._state.ask_graph(begun, inventory.lists.scope)
        return begun, inventory

    async def _catch_up(
        self, scope: SweepScope, begun: CatalogState, inventory: InventoryReadings, deadline: float, report: Report
    ) -> Fleet:
        """Bring the rows of endpoints up to date, and read what lists leave open."""
        rewrites = is_sweep_noted(begun)
        diff = diff_inventory(inventory.rows, inventory.listings, rewrites=rewrites)
        report.observed = diff.listed
        work = ObservationCatchUp(self.recorder, scope.cause, report, rewrites)
        is_complete = await work.run(diff, deadline) and inventory.is_complete
        if work.unread:
            if is_complete:
                await self._state.complete(begun)
            await self._read_enlisted(work, scope, begun, deadline - PLAN_SECONDS, report)
        rows = await self._reader.read_rows() if work.written else inventory.rows
        report.complete = is_complete and not report.endpoints_unread
        endpoints = {key: stored.value.endpoint for key, stored in rows.items()}
        return Fleet(rows, inventory.listings, endpoints, is_complete)

    async def _read_enlisted(
        self, work: ObservationCatchUp, scope: SweepScope, begun: CatalogState, deadline: float, report: Report
    ) -> None:
        """Read what was enlisted, and apply meanwhile what becomes dirty: no name waits for the last endpoint."""
        note = partial(self._state.progress, begun)
        reading = asyncio.get_running_loop().create_task(work.read(deadline, note))
        try:
            while self.applier.settings.apply and not reading.done():
                complete = await self.applier.complete_epoch()
                until = min(deadline, self.recorder.clock() + APPLY_SECONDS)
                await self.applier.apply(scope.zones, until, report, additions_only=not complete)
                await asyncio.wait((reading,), timeout=APPLY_PAUSE)
            await reading
        finally:
            reading.cancel()

    async def _mark(self, scope: SweepScope, plan: SweepPlan, read_at: float) -> None:
        """Mark the names that differ as dirty, and count them. In a frozen zone the guard approves none of them."""
        for each in plan.zones:
            self.applier.measure("drift", each.drift, zone=each.zone.region)
            if each.refused:
                self.applier.measure("refused_plans", 1, zone=each.zone.region)
            for change in (*each.changes, *each.frozen_changes):
                self.applier.record_cache.put(each.zone, change.name, CachedRecordSet(change.before, read_at))
        marks = [mark for each in plan.zones for mark in dirty_names(each, scope, read_at)]
        await gather_bounded(self.recorder.catalog.mark_dirty(mark) for mark in marks)

    async def _log_forced(self, scope: SweepScope, plan: SweepPlan, report: Report) -> None:
        """Add each forced plan to its zone's history, with the operator who forced it."""
        journal = OperatorLog(self.recorder.catalog)
        for each in plan.zones if self.applier.settings.apply else ():
            if forced := each.forced:
                said = f"plan {forced.digest}: {forced.removals} of {forced.owned} owned record sets removed or emptied"
                await journal.enter((each.zone,), "force", said, scope.cause, report)

    async def _keep_findings(self, scope: SweepScope, plan: SweepPlan, readings: ZoneReadings) -> None:
        """Keep what was found of each zone, and which record sets are ours."""
        keeper, sets, owned = self.applier.zone_findings, plan.record_sets, readings.owned
        settings = self.applier.settings
        await gather_bounded(keeper.keep(each.zone, each.findings, whole=scope.whole) for each in plan.zones)
        zones = [each.zone for each in plan.zones]
        await gather_bounded(keeper.follow(zone, sets[zone.key], owned[zone.key], settings) for zone in zones)

    async def _apply(self, scope: SweepScope, plan: SweepPlan, deadline: float, report: Report) -> None:
        """Write what is dirty, and report the names whose writes fail; in a frozen zone nothing is tried."""
        complete = await self.applier.complete_epoch()
        await self.applier.apply(
            scope.zones, deadline, report, keep_waiting=True, count_remaining=True, additions_only=not complete
        )
        for zone in (zone for zone in scope.zones if not active_freeze(zone, plan.overrides)):
            rows = [row for row in report.waiting if row.zone == zone.key]
            report.keep_failing(zone, [row for row in rows if scope.names is None or row.name in scope.names])
