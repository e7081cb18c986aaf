"""Sweeping: everything is compared with the truth, whatever events were lost and whoever edited records by hand.

Reads record sets, catalog rows and the inventory, in this order: what an event handler writes meanwhile has a newer
version than the sweep's, so that the sweep's write fails its condition instead of undoing it. The sweep writes no
record itself; it marks names dirty after the guard has looked at the plan, and the drain does the rest.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any
from zlib import crc32

from shared.decide import alarms
from shared.decide.confirmation import CONFIRM_SECONDS
from shared.decide.plan import Change
from shared.decide.routing import ambiguous_addresses
from shared.domain.alarms import Alarm
from shared.domain.catalog_rows import NameIndexEntry, Versioned
from shared.domain.catalog_state import CatalogState, ReadingProgress
from shared.domain.concurrency import gather_bounded
from shared.domain.dirty import DirtyName
from shared.domain.endpoints import Endpoint, EndpointRow, Listing, State
from shared.domain.errors import Conflict, NearzoneError
from shared.domain.overrides import Override, active_freeze
from shared.domain.zones import RecordSet, Zone
from shared.edge.report import Report
from shared.loop.catch_up import ObservationCatchUp
from shared.loop.operator_log import OperatorLog
from shared.loop.recorder import Recorder
from shared.loop.unknown_resources import is_sweep_noted
from shared.loop.zone.apply import ZoneApplier
from shared.loop.zone.record_reads import CachedRecordSet
from shared.loop.zone_plan import Plan, SweepScope

TOMBSTONE_SECONDS = 3600.0
"""Seconds after which nothing that saw an endpoint alive can still be running."""
HEALTH_RECHECK_SECONDS = 86_400.0
"""Seconds after which a VM that has reported no health is read by GET again: nobody knows whether lists show that it
has come to report some, and the event of that may be lost."""
DAY = 86_400.0
HISTORY_RETENTION_SECONDS = 30 * DAY
"""Seconds for which the history of a name is kept that does not change any more."""
CATALOG_RETENTION_SECONDS = 30 * DAY
"""Seconds without a sweep after which a deployment's catalog is removed by another one on the same account."""
PLAN_SECONDS = 30.0
"""Seconds of a sweep that reading leaves to its plan."""
DRAIN_SECONDS, DRAIN_PAUSE = 5.0, 0.5
"""While endpoints are read: for how long what has become dirty is settled at a time, and the pause between."""


@dataclass(frozen=True, slots=True)
class SweepObservations:
    """What a sweep has seen: the lists, and all endpoints that are known after it."""

    listings: Sequence[Listing]
    endpoints: Collection[Endpoint]


@dataclass(frozen=True)
class Sweeper:
    """Runs sweeps; records through the recorder, writes through the drainer."""

    recorder: Recorder
    applier: ZoneApplier

    async def sweep(
        self, scope: SweepScope, deadline: float, report: Report, marked: Callable[[], None] = lambda: None
    ) -> SweepObservations:
        """One whole sweep; gives what it has seen. What could not be read is reported, and stays; the rest goes on.

        Alarms that the report has already are kept with those of the sweep. `marked` is called when everything is read
        and what has to be written is marked.
        """
        own = tuple(report.alarms)
        catalog, clock = self.recorder.catalog, self.recorder.clock
        begun, known = await asyncio.gather(self._start(scope), self._owned(scope.zones))
        read_at = clock()
        actual = await self._record_sets(scope.zones, report)
        begun, rows, listings = await self._read_all(scope, begun, report)
        work = ObservationCatchUp(
            self.recorder, scope.cause, scope.dry_run, report, rewrites=bool(begun and is_sweep_noted(begun))
        )
        work.compare(rows, listings)
        finished = await work.run(deadline)
        knows_all = finished and not any(listing.error for listing in listings)
        if begun and work.unread:
            if knows_all:
                await self._update_state(begun.epoch, self._complete())
            await self._read(work, scope, deadline - PLAN_SECONDS, report, begun.epoch)
        if work.written:
            rows = await self._read_rows()
        endpoints = {key: stored.value.endpoint for key, stored in rows.items()} | work.seen
        index = await catalog.indexed()
        report.complete = knows_all and not report.endpoints_unread
        orders = scope.with_supposed(await self.applier.active_overrides())
        plan = Plan(self.applier, scope, report, orders, knows_all, read_at=read_at)
        claims = _claims_by_name(endpoints, [row.value for row in index])
        for zone in scope.zones:
            if zone.key in actual:
                actual[zone.key] = self.applier.record_cache.merge_newer(zone, actual[zone.key], read_at)
                plan.add(zone, actual[zone.key], claims, known[zone.key])
        report.notes += plan.unmatched_digests()
        ambiguous = _ambiguous_address_alarms(endpoints.values())
        report.alarms += ambiguous
        if begun is None:
            report.changes += plan.changes
            return SweepObservations(listings, endpoints.values())
        await self._mark_dirty(plan.changes, scope, read_at)
        await self._mark_dirty(plan.frozen, scope, read_at, judged=False)
        await self._enter(plan)
        said: dict[str, Any] = {"alarms": tuple(replace(alarm, at=read_at) for alarm in (*own, *ambiguous))}
        if knows_all:
            said |= self._complete() | {"covered_at": begun.attempted_at - CONFIRM_SECONDS}
        noted, _ = await asyncio.gather(self._update_state(begun.epoch, said), self._keep_found(plan, actual, known))
        if not noted:
            report.failures.append(("sweep", "the catalog was lost meanwhile: the next sweep fills it"))
        marked()
        complete = await self.applier.complete_epoch()
        await self.applier.apply(
            scope.zones,
            deadline,
            report,
            keep_waiting=True,
            count_remaining=True,
            additions_only=not complete,
        )
        _report_failing(scope, plan.orders, report)
        await self._purge(rows, index, begun)
        return SweepObservations(listings, endpoints.values())

    async def _read(
        self, work: ObservationCatchUp, scope: SweepScope, deadline: float, report: Report, epoch: str
    ) -> None:
        """Read what was enlisted, and settle meanwhile what becomes dirty: no name waits for the last endpoint."""

        async def note(progress: ReadingProgress) -> None:
            await self._update_state(epoch, {"progress": progress})

        reading = asyncio.get_running_loop().create_task(work.read(deadline, note))
        try:
            while self.applier.settings.apply and not reading.done():
                complete, soon = (
                    await self.applier.complete_epoch(),
                    min(deadline, self.recorder.clock() + DRAIN_SECONDS),
                )
                await self.applier.apply(scope.zones, soon, report, additions_only=not complete)
                await asyncio.wait((reading,), timeout=DRAIN_PAUSE)
            await reading
        finally:
            reading.cancel()

    def _complete(self) -> dict[str, Any]:
        """What the marker says where the catalog knows every claim."""
        return {"digest": self.applier.settings.digest, "completed_at": self.recorder.clock()}

    async def _keep_found(
        self, plan: Plan, actual: Mapping[str, Sequence[RecordSet]], known: Mapping[str, Mapping[str, str]]
    ) -> None:
        """Keep what was found of each zone, and which record sets are ours."""
        keeper, settings = self.applier.zone_findings, self.applier.settings
        zones = [zone for zone in plan.scope.zones if zone.key in plan.found]
        await gather_bounded(keeper.keep(zone, plan.found[zone.key], whole=plan.scope.whole) for zone in zones)
        await gather_bounded(keeper.follow(zone, actual[zone.key], known[zone.key], settings) for zone in zones)

    async def _owned(self, zones: Sequence[Zone]) -> dict[str, Mapping[str, str]]:
        """What is known as ours, read before the record sets: what is written from now on has another etag."""
        found = await gather_bounded(self.recorder.catalog.owned(zone.key) for zone in zones)
        return {zone.key: names for zone, names in zip(zones, found, strict=True)}

    async def _start(self, scope: SweepScope) -> CatalogState | None:
        """Note that a sweep has begun; the catalog gets an epoch where it is new or was lost. None: a dry run."""
        if scope.dry_run:
            return None
        while True:
            stored, now = await self.recorder.catalog.state(), self.recorder.clock()
            begun = replace(stored.value if stored else CatalogState(), attempted_at=now)
            if not begun.epoch:
                begun = replace(begun, epoch=f"{self.applier.holder} {now}", completed_at=0.0, began_at=now)
            with suppress(Conflict):
                await self.recorder.catalog.put_state(begun, stored.etag if stored else None)
                return begun

    async def _read_all(
        self, scope: SweepScope, begun: CatalogState | None, report: Report
    ) -> tuple[CatalogState | None, dict[str, Versioned[EndpointRow]], list[Listing]]:
        """Rows of endpoints, then lists. Where rows had to be dropped, the sweep begins anew, and makes up for them."""
        rows = await self._read_rows()
        listings, stored = await asyncio.gather(
            self._list_inventory(self._previous_endpoints(rows, begun), report), self.recorder.catalog.state()
        )
        if begun and (stored is None or stored.value.epoch != begun.epoch):
            begun = await self._start(scope)
            rows = await self._read_rows()
            listings = await self._list_inventory(self._previous_endpoints(rows, begun), report)
        return begun, rows, listings

    async def _update_state(self, epoch: str, said: Mapping[str, Any]) -> bool:
        """Note what a sweep has found; False where this is not the catalog any more in which it began."""
        while (stored := await self.recorder.catalog.state()) and stored.value.epoch == epoch:
            with suppress(Conflict):  # Another sweep has just begun or ended.
                await self.recorder.catalog.put_state(replace(stored.value, **said), stored.etag)
                return True
        return False

    async def _mark_dirty(
        self, changes: Iterable[Change], scope: SweepScope, read_at: float, *, judged: bool = True
    ) -> None:
        """Leave the writing to the drain, with what was read of the record sets. `judged`: the guard lets it pass."""
        cause, zones = scope.cause, {zone.key: zone for zone in scope.zones}
        marks = []
        for change in changes:
            zone, adopt = change.zone.lower(), change.name in scope.adopt
            self.applier.record_cache.put(zones[zone], change.name, CachedRecordSet(change.before, read_at))
            cleared = judged and change.empties
            mark = DirtyName(zone, change.name, change.urgency, cause.at, cleared, adopt, cause=cause.text)
            mark = replace(mark, regain=scope.regain, by=cause.by, reason_given=cause.reason_given)
            mark = replace(mark, holds=change.old, held_at=read_at)
            marks.append(mark)
        await gather_bounded(self.recorder.catalog.mark_dirty(mark) for mark in marks)

    async def _enter(self, plan: Plan) -> None:
        """What was forced is an entry of the zone's history: who, and which plan."""
        journal = OperatorLog(self.recorder.catalog)
        for zone in plan.scope.zones if self.applier.settings.apply else ():
            if forced := plan.forced.get(zone.key):
                said = f"plan {forced.digest}: {forced.removals} of {forced.owned} owned record sets removed or emptied"
                await journal.enter((zone,), "force", said, plan.scope.cause, plan.report)

    async def _record_sets(self, zones: Sequence[Zone], report: Report) -> dict[str, Sequence[RecordSet]]:
        async def read(zone: Zone) -> Sequence[RecordSet] | None:
            try:
                return await self.applier.record_cache.fetch_all(zone)
            except NearzoneError as error:
                report.fail(f"record sets of {zone.fqdn} ({zone.region})", error)
                return None

        found = await asyncio.gather(*(read(zone) for zone in zones))
        return {zone.key: sets for zone, sets in zip(zones, found, strict=True) if sets is not None}

    def _previous_endpoints(
        self, rows: Mapping[str, Versioned[EndpointRow]], begun: CatalogState | None
    ) -> list[Endpoint]:
        """What the catalog knows, but not what has to be looked at again since the last complete sweep."""
        endpoints = [stored.value.endpoint for stored in rows.values()]
        if begun is None:
            return endpoints
        return [
            replace(each, health=None) if _health_unconfirmed(each) and _health_check_due(each.key, begun) else each
            for each in endpoints
        ]

    async def _list_inventory(self, known: Sequence[Endpoint], report: Report) -> list[Listing]:
        settings = self.applier.settings
        listings = await self.recorder.inventory.list_all(settings.subscriptions, known)
        for listing in listings:
            if listing.error:
                report.failures.append(
                    (f"list of {listing.kind} in subscription {listing.subscription}", listing.error)
                )
        return list(listings)

    async def _read_rows(self) -> dict[str, Versioned[EndpointRow]]:
        return {stored.value.endpoint.key: stored for stored in await self.recorder.catalog.endpoints()}

    async def _purge(
        self,
        rows: Mapping[str, Versioned[EndpointRow]],
        index: Sequence[Versioned[NameIndexEntry]],
        begun: CatalogState,
    ) -> None:
        """Remove tombstones and index rows that nobody can need any more, unless they have changed meanwhile.

        And once a day what is too old of the history, the catalogs of deployments that are no more, and what processes
        have counted that did not count anything for a day.
        """
        catalog, old = self.recorder.catalog, self.recorder.clock() - TOMBSTONE_SECONDS
        if begun.attempted_at // DAY > begun.completed_at // DAY:
            await catalog.purge_history(
                begun.attempted_at - HISTORY_RETENTION_SECONDS, {zone.key for zone in self.applier.settings.zones}
            )
            await catalog.purge_others(self.recorder.clock() - CATALOG_RETENTION_SECONDS)
            await catalog.forget_bad_rows(self.recorder.clock() - DAY)
            await catalog.purge_process_counters(self.recorder.clock() - DAY)
        for indexed in index:
            stored = rows.get(indexed.value.key)
            claims = (
                stored
                and stored.value.endpoint.state != State.GONE
                and indexed.value.name in stored.value.endpoint.names
            )
            if not claims and indexed.value.at < old:
                with suppress(Conflict):
                    await catalog.purge_index(indexed)
        for stored in rows.values():
            row = stored.value
            dead = row.endpoint.state == State.GONE or not row.endpoint.is_relevant
            if dead and not row.todo and not row.missing_at and row.seen_at < old:
                with suppress(Conflict):
                    await catalog.purge_endpoint(row.endpoint.key, stored.etag)


def _report_failing(scope: SweepScope, orders: Sequence[Override], report: Report) -> None:
    """What stays dirty because its writes fail; a frozen zone has no failures, for nothing is tried there."""
    for zone in (zone for zone in scope.zones if not active_freeze(zone, orders)):
        rows = [row for row in report.waiting if row.zone == zone.key]
        report.keep_failing(zone, [row for row in rows if scope.names is None or row.name in scope.names])


def _claims_by_name(endpoints: Mapping[str, Endpoint], indexed: Iterable[NameIndexEntry]) -> dict[str, list[Endpoint]]:
    """Endpoints by name: those that claim it, and those that the index remembers to have claimed it lately."""
    claims: defaultdict[str, list[Endpoint]] = defaultdict(list)
    for endpoint in endpoints.values():
        for name in endpoint.names:
            claims[name].append(endpoint)
    for row in indexed:
        past = endpoints.get(row.key)
        if past and row.name not in past.names:
            claims[row.name].append(past)
    return claims


def _health_unconfirmed(endpoint: Endpoint) -> bool:
    return endpoint.health is False and endpoint.state != State.STOPPED


def _health_check_due(key: str, begun: CatalogState) -> bool:
    """Whether a sweep is the first one after an endpoint's time, which comes once in `LOOK_AGAIN`, spread over it."""
    offset = crc32(key.encode()) / 2**32 * HEALTH_RECHECK_SECONDS
    return (begun.attempted_at - offset) // HEALTH_RECHECK_SECONDS > (
        begun.completed_at - offset
    ) // HEALTH_RECHECK_SECONDS


def _ambiguous_address_alarms(endpoints: Iterable[Endpoint]) -> list[Alarm]:
    """Addresses that serving endpoints of different VNets hold, whatever their names."""
    twice = ambiguous_addresses(e for e in endpoints if e.state == State.SERVING and e.names)
    text = "the same address is claimed from more than one VNet"
    means = "nobody can say where a packet to it would arrive: it is refused where one name has both"
    do = "give the VNets address ranges of their own, or let only one of the endpoints claim the name"
    return alarms.grouped(
        alarms.Trouble(ip, text, means, do, "addresses", f"address {ip} is claimed from more than one VNet")
        for ip in sorted(twice)
    )
