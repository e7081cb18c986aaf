"""Sweeping: everything is compared with the truth, whatever events were lost and whoever edited records by hand.

Reads record sets, catalog rows and the inventory, in this order: what an event handler writes meanwhile has a newer
version than the sweep's, so that the sweep's write fails its condition instead of undoing it. The sweep writes no
record itself; it marks names dirty after the guard has looked at the plan, and the drain does the rest.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any
from zlib import crc32

from shared.drain import Drainer
from shared.errors import Conflict, NearzoneError, UnsafePlan
from shared.model import Alarm, Cause, Dirty, Endpoint, EndpointRow, Marker, Order, RecordSet, State, Zone, freeze
from shared.plan import OWNER_KEY, Change, Skip, compare, guard, judge
from shared.ports import Indexed, Listing, Stored
from shared.reader import Known
from shared.record import Recorder
from shared.report import Report
from shared.routing import ambiguous_addresses, route
from shared.together import all_of

TOMBSTONE = 3600.0
"""Seconds after which nothing that saw an endpoint alive can still be running."""
LOOK_AGAIN = 86_400.0
"""Seconds after which a VM that has reported no health is read by GET again: nobody knows whether lists show that it
has come to report some, and the event of that may be lost."""
DAY = 86_400.0
REMEMBERED = 30 * DAY
"""Seconds for which the history of a name is kept that does not change any more."""
ABANDONED = 30 * DAY
"""Seconds without a sweep after which a deployment's catalog is removed by another one on the same account."""
AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Scope:
    """What a sweep plans for. `names` None: all. `force`: without the guard. `adopt`: names to take over."""

    zones: tuple[Zone, ...]
    cause: Cause
    names: frozenset[str] | None = None
    dry_run: bool = False
    force: bool = False
    adopt: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Seen:
    """What a sweep has seen: the lists, and all endpoints that are known after it."""

    listings: Sequence[Listing]
    endpoints: Collection[Endpoint]


@dataclass(frozen=True)
class Sweeper:
    """Runs sweeps; records through the recorder, writes through the drainer."""

    recorder: Recorder
    drainer: Drainer

    async def sweep(self, scope: Scope, deadline: float, report: Report) -> Seen:
        """One whole sweep; gives what it has seen. What could not be read is reported, and stays; the rest goes on."""
        catalog, clock, settings = self.recorder.catalog, self.recorder.clock, self.drainer.settings
        begun = None if scope.dry_run else await self._begin()
        read_at = clock()
        actual = await self._record_sets(scope.zones, report)
        rows = await self._rows()
        listings = await self._list(self._known(rows, begun), report)
        work = self._compare(rows, listings, scope, report)
        finished = await work.run(deadline)
        if work.written:
            rows = await self._rows()
        endpoints = {key: stored.value.endpoint for key, stored in rows.items()} | work.seen
        index = await catalog.indexed()
        knows_all = finished and not any(listing.error for listing in listings)
        report.complete = knows_all
        plan = _Plan(self.drainer, scope, report, await self.drainer.orders(), knows_all)
        claims = _by_name(endpoints, [row.value for row in index])
        for zone in scope.zones:
            if zone.key in actual:
                plan.add(zone, self.drainer.reader.newer(zone, actual[zone.key], read_at), claims)
        report.alarms += _ambiguous(endpoints.values())
        if begun is None:
            report.changes += plan.changes
            return Seen(listings, endpoints.values())
        await self._mark(plan.changes, scope, read_at)
        said: dict[str, Any] = {"refusals": tuple(report.refusals), "alarms": tuple(report.alarms)}
        if knows_all:
            said |= {"digest": settings.digest, "completed_at": clock()}
        if not await self._put_marker(begun.epoch, said):
            report.failures.append(("sweep", "the catalog was lost meanwhile: the next sweep fills it"))
        complete = await self.drainer.complete()
        await self.drainer.drain(scope.zones, deadline, report, wait=True, partial=not complete)
        await self._purge(rows, index, begun)
        return Seen(listings, endpoints.values())

    async def _begin(self) -> Marker:
        """Note that a sweep has begun; the catalog gets an epoch where it is new or was lost."""
        while True:
            stored, now = await self.recorder.catalog.marker(), self.recorder.clock()
            begun = replace(stored.value if stored else Marker(), attempted_at=now)
            if not begun.epoch:
                begun = replace(begun, epoch=f"{self.drainer.holder} {now}", completed_at=0.0)
            with suppress(Conflict):
                await self.recorder.catalog.put_marker(begun, stored.etag if stored else None)
                return begun

    async def _put_marker(self, epoch: str, said: Mapping[str, Any]) -> bool:
        """Note what a sweep has found; False where this is not the catalog any more in which it began."""
        while (stored := await self.recorder.catalog.marker()) and stored.value.epoch == epoch:
            with suppress(Conflict):  # Another sweep has just begun or ended.
                await self.recorder.catalog.put_marker(replace(stored.value, **said), stored.etag)
                return True
        return False

    async def _mark(self, changes: Iterable[Change], scope: Scope, read_at: float) -> None:
        """Leave the writing to the drain, with what was read of the record sets."""
        cause, zones = scope.cause, {zone.key: zone for zone in scope.zones}
        marks = []
        for change in changes:
            zone, adopt = change.zone.lower(), change.name in scope.adopt
            self.drainer.reader.remember(zones[zone], change.name, Known(change.before, read_at))
            mark = Dirty(zone, change.name, change.urgency, cause.at, change.empties, adopt, cause=cause.said)
            marks.append(mark)
        await all_of(self.recorder.catalog.mark(mark) for mark in marks)

    async def _record_sets(self, zones: Sequence[Zone], report: Report) -> dict[str, Sequence[RecordSet]]:
        async def read(zone: Zone) -> Sequence[RecordSet] | None:
            try:
                return await self.drainer.reader.all(zone)
            except NearzoneError as error:
                report.fail(f"record sets of {zone.fqdn} ({zone.region})", error)
                return None

        found = await asyncio.gather(*(read(zone) for zone in zones))
        return {zone.key: sets for zone, sets in zip(zones, found, strict=True) if sets is not None}

    def _known(self, rows: Mapping[str, Stored[EndpointRow]], begun: Marker | None) -> list[Endpoint]:
        """What the catalog knows, but not what has to be looked at again since the last complete sweep."""
        endpoints = [stored.value.endpoint for stored in rows.values()]
        if begun is None:
            return endpoints
        return [replace(each, health=None) if _unsure(each) and _due(each.key, begun) else each for each in endpoints]

    async def _list(self, known: Sequence[Endpoint], report: Report) -> list[Listing]:
        settings = self.drainer.settings
        listings = await self.recorder.observer.inventory.listings(settings.subscriptions, known)
        for listing in listings:
            if listing.error:
                report.failures.append(
                    (f"list of {listing.kind} in subscription {listing.subscription}", listing.error)
                )
        return list(listings)

    async def _rows(self) -> dict[str, Stored[EndpointRow]]:
        return {stored.value.endpoint.key: stored for stored in await self.recorder.catalog.endpoints()}

    def _compare(
        self, rows: Mapping[str, Stored[EndpointRow]], listings: Sequence[Listing], scope: Scope, report: Report
    ) -> _Reconciliation:
        """What has to be recorded because it differs, and looked at because it is missing."""
        listed = {endpoint.key: endpoint for listing in listings for endpoint in listing.endpoints}
        unclear = {endpoint_id.lower(): endpoint_id for listing in listings for endpoint_id in listing.unclear}
        report.observed = len(listed) + len(unclear)
        work = _Reconciliation(self.recorder, scope.cause, scope.dry_run, report)
        for key, endpoint in listed.items():
            stored = rows.get(key)
            if stored is None and not endpoint.speaks:
                continue
            if stored is None or stored.value.todo or not endpoint.same(stored.value.endpoint):
                work.add(endpoint, stored)
        complete = {(listing.subscription, listing.kind) for listing in listings if not listing.error}
        for key, stored in rows.items():
            if key in listed or key in unclear:
                continue
            endpoint = stored.value.endpoint
            # Lists tell of every endpoint whether it claims names: the row of one that claims none may grow old.
            if (endpoint.state == State.GONE or not endpoint.speaks) and not stored.value.todo:
                continue
            if (endpoint.subscription, endpoint.kind) in complete or stored.value.todo:
                work.add_missing(endpoint.id, endpoint)
        for key, endpoint_id in unclear.items():
            work.add_missing(endpoint_id, rows[key].value.endpoint if key in rows else None)
        return work

    async def _purge(
        self, rows: Mapping[str, Stored[EndpointRow]], index: Sequence[Stored[Indexed]], begun: Marker
    ) -> None:
        """Remove tombstones and index rows that nobody can need any more, unless they have changed meanwhile.

        And once a day what is too old of the history, and the catalogs of deployments that are no more.
        """
        catalog, old = self.recorder.catalog, self.recorder.clock() - TOMBSTONE
        if begun.attempted_at // DAY > begun.completed_at // DAY:
            await catalog.forget(begun.attempted_at - REMEMBERED)
            await catalog.purge_others(self.recorder.clock() - ABANDONED)
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
            dead = row.endpoint.state == State.GONE or not row.endpoint.speaks
            if dead and not row.todo and row.seen_at < old:
                with suppress(Conflict):
                    await catalog.purge_endpoint(row.endpoint.key, stored.etag)


@dataclass
class _Reconciliation:
    """Endpoints whose rows have to follow what was listed, a few at a time."""

    recorder: Recorder
    cause: Cause
    dry_run: bool
    report: Report
    seen: dict[str, Endpoint] = field(default_factory=dict)
    """What a dry run has seen and not recorded."""
    written: bool = False
    """Whether rows may have changed."""
    _differing: list[tuple[Endpoint, Stored[EndpointRow] | None]] = field(default_factory=list)
    _missing: list[tuple[str, Endpoint | None]] = field(default_factory=list)
    _blind: bool = False

    def add(self, endpoint: Endpoint, stored: Stored[EndpointRow] | None) -> None:
        self._differing.append((endpoint, stored))

    def add_missing(self, endpoint_id: str, known: Endpoint | None) -> None:
        self._missing.append((endpoint_id, known))

    async def run(self, deadline: float) -> bool:
        """Whether everything was done before the deadline, and nothing is left unread."""
        todo = iter(
            [*(self._follow(*pair) for pair in self._differing), *(self._suspect(*pair) for pair in self._missing)]
        )

        async def work() -> None:
            for step in todo:
                if self.recorder.clock() >= deadline:
                    step.close()
                    late.append(True)
                else:
                    await step

        late: list[bool] = []
        await all_of(work() for _ in range(AT_ONCE))
        if late:
            self.report.failures.append(("sweep", f"deadline: {len(late)} endpoints are left for the next one"))
        return not late and not self._blind

    async def _follow(self, endpoint: Endpoint, stored: Stored[EndpointRow] | None) -> None:
        if self.dry_run:
            self.seen[endpoint.key] = endpoint
            return
        self.written = True
        try:
            await self.recorder.write(stored, endpoint, self.cause)
        except Conflict:
            # An event handler was faster; what it saw may be older than the list.
            await self._look(endpoint.id)
        except NearzoneError as error:
            self._blind = True
            self.report.fail(endpoint.id, error)

    async def _suspect(self, endpoint_id: str, known: Endpoint | None) -> None:
        """Absence from a list is not evidence: only the endpoint's own GET is."""
        if not self.dry_run:
            await self._look(endpoint_id)
            return
        try:
            self.seen[endpoint_id.lower()] = await self.recorder.observer.inventory.observe(endpoint_id, known)
        except NearzoneError as error:
            self._blind |= known is None
            self.report.fail(endpoint_id, error)

    async def _look(self, endpoint_id: str) -> None:
        """What cannot be read, or not be recorded, leaves the catalog incomplete; not so what may not be read."""
        self.written = True
        try:
            seen = await self.recorder.look(endpoint_id, self.cause)
        except NearzoneError as error:
            self._blind = True
            self.report.fail(endpoint_id, error)
        else:
            self._blind |= bool(seen.doubt) and not seen.names


@dataclass
class _Plan:
    """The plan of all zones in scope, after the guard."""

    drainer: Drainer
    scope: Scope
    report: Report
    orders: tuple[Order, ...]
    knows_all: bool
    changes: list[Change] = field(default_factory=list)

    def add(self, zone: Zone, record_sets: Sequence[RecordSet], claims: Mapping[str, Sequence[Endpoint]]) -> None:
        """Plan for one zone. What a frozen one would need is said, and not done."""
        settings = self.drainer.settings
        actual = {each.name: each for each in record_sets}
        owned = {name for name, each in actual.items() if each.tag(OWNER_KEY) == settings.owner}
        changes: list[Change] = []
        for name in sorted(owned | claims.keys()):
            if self.scope.names is not None and name not in self.scope.names:
                continue
            claimants = claims.get(name, ())
            answer = route(zone, name, claimants, self.orders, settings, self.drainer.latency)
            found = compare(zone, answer, actual.get(name), settings.owner, adopt=name in self.scope.adopt)
            if isinstance(found, Change):
                changes.append(judge(found, claimants, self.orders))
            elif found:
                self.report.skips.append(found)
        self.report.skips += [
            Skip(zone.id, name, "not adopted: nobody claims this name")
            for name in sorted(self.scope.adopt - owned - claims.keys())
        ]
        self.report.drift += len(changes)
        self._measure("drift", len(changes), zone)
        if freeze(zone, self.orders):
            self.report.skips += [Skip(zone.id, each.name, f"frozen: would {each.kind} it") for each in changes]
        else:
            self.changes += self._after_guard(zone, changes, len(owned))

    def _measure(self, name: str, count: int, zone: Zone) -> None:
        """A dry run is a question: what it finds is nobody's alarm."""
        if not self.scope.dry_run:
            self.drainer.measure(name, count, zone=zone.region)

    def _after_guard(self, zone: Zone, changes: list[Change], owned: int) -> list[Change]:
        """What was seen is always written; what rests on absence only under the guard, and not from partial reading."""
        unseen = [change for change in changes if change.empties and not change.seen]
        rest = [change for change in changes if change.seen or not change.empties]
        if unseen and not self.knows_all:
            self.report.skips += [Skip(zone.id, change.name, "held back: a list was not complete") for change in unseen]
            return rest
        try:
            if not self.scope.force:
                guard(zone, changes, owned)
        except UnsafePlan as error:
            self.report.refusals.append(str(error))
            self._measure("refused_plans", 1, zone)
            self.report.skips += [Skip(zone.id, change.name, "refused by the guard") for change in unseen]
            return rest
        return rest + unseen


def _by_name(endpoints: Mapping[str, Endpoint], indexed: Iterable[Indexed]) -> dict[str, list[Endpoint]]:
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


def _unsure(endpoint: Endpoint) -> bool:
    return endpoint.health is False and endpoint.state != State.STOPPED


def _due(key: str, begun: Marker) -> bool:
    """Whether a sweep is the first one after an endpoint's time, which comes once in `LOOK_AGAIN`, spread over it."""
    offset = crc32(key.encode()) / 2**32 * LOOK_AGAIN
    return (begun.attempted_at - offset) // LOOK_AGAIN > (begun.completed_at - offset) // LOOK_AGAIN


def _ambiguous(endpoints: Iterable[Endpoint]) -> list[Alarm]:
    """Addresses that serving endpoints of different VNets hold, whatever their names."""
    twice = ambiguous_addresses(e for e in endpoints if e.state == State.SERVING and e.names)
    means = "nobody can say where a packet to it would arrive: it is refused where one name has both"
    do = "give the VNets address ranges of their own, or let only one of the endpoints claim the name"
    return [Alarm(f"address {ip} is claimed from more than one VNet", means, do) for ip in sorted(twice)]
