"""The loop: event, timer and HTTP come here, and differ only in scope.

    scope    which endpoints or names to look at      (here)
    observe  read the truth from ARM                  (record.py, through the inventory)
    record   write it to the catalog                  (record.py)
    route    claims x latency x policy x reach        (routing.py, pure)
    plan     answers x actual record sets             (plan.py, pure)
    apply    conditional writes inside the budgets    (drain.py)
    report   seen, decided, written, skipped, failed  (report.py)

The protocols through which it reaches the world stand in ports.py.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from typing import Any

from shared import explain, preflight
from shared.catch_up import PROGRESS_SECONDS
from shared.clock import Clock
from shared.doubt import CONFIRM_SECONDS, NO_EVENT, TO_CONFIRM
from shared.drain import Drainer
from shared.errors import Conflict, NearzoneError, Terminal, Transient
from shared.events import Hint, Ignored, hint
from shared.last_known import RUNBOOK, LastKnown, stale
from shared.latency import Latency
from shared.model import Alarm, Cause, Endpoint, State, Swept, Zone, freeze
from shared.observe import Observer
from shared.order_errors import not_kept
from shared.orders import Orders
from shared.ports import Catalog, Inventory, Measure, RecordSets, Surveyor, unmeasured
from shared.record import LOOKS, Recorder
from shared.report import Report
from shared.resync import Question, Resync
from shared.settings import Settings
from shared.sweep import Seen, Sweeper
from shared.sweep_plan import Scope
from shared.together import Flight, Shared, all_of

EVENT_SECONDS = 20.0
"""Event Grid gives a delivery 30 s; what is not written by then is left to the drain."""
DRAIN_SECONDS = 25.0
SWEEP_SECONDS = 240.0
"""host.json ends a function after 5 minutes."""
RESYNC_SECONDS = 200.0
"""Azure's load balancer ends an HTTP request after 230 s."""
RESYNC_LEAST_SECONDS = 10.0
"""A resync that has waited for others begins only where it has so many seconds left."""
RESYNCS_AT_ONCE = 2
"""Resyncs of different scopes that read at a time: each lists everything, and Azure allows a process so many lists."""
GRACE = 4.0
"""Seconds for what was begun before a deadline; then it is broken off, and stays dirty."""
AT_ONCE = 8
CHECK_PAUSE = 3600.0
"""Seconds between looks at what could stand in the way."""
HEARD_PAUSE = 600.0
"""Seconds between notes of this process that events still come."""
BOOTSTRAP_PAUSE = 60.0
"""Seconds between attempts at the first complete sweep."""
PROGRESS_PAUSE = 4 * PROGRESS_SECONDS
"""Seconds after which a sweep that tells of no progress in reading is taken to have ended."""
SWEEPS = 20
"""Sweeps that are remembered."""

_log = logging.getLogger("nearzone")


@dataclass
class Reconciler:
    """A ready loop. `clock`: as the catalog corrects it. `holder`: names this process in leases."""

    settings: Settings
    latency: Latency
    catalog: Catalog
    inventory: Inventory
    record_sets: RecordSets
    clock: Clock
    holder: str
    surveyor: Surveyor
    measure: Measure = unmeasured
    events: Counter[str] = field(default_factory=Counter)
    _heard_at: float = 0.0
    _opened: bool = False
    _whole: bool = False

    def __post_init__(self) -> None:
        self.drainer = Drainer(
            self.catalog, self.record_sets, self.settings, self.latency, self.clock, self.holder, self.measure
        )
        observer = Observer(self.inventory, self.clock)
        self.recorder = Recorder(
            self.catalog,
            observer,
            self.settings.zones,
            self.clock,
            self.drainer.foresee,
            60.0 * self.settings.health_wait_minutes,
        )
        self.sweeper = Sweeper(self.recorder, self.drainer)
        self._last = LastKnown()
        self._resyncs: Shared[Report] = Shared(gate=asyncio.Semaphore(RESYNCS_AT_ONCE))
        self.orders = Orders(self.catalog, self.recorder, self.clock, self.latency.regions)

    async def _begin(self, *, fills: bool = True) -> float:
        """When this call began. Before a process's first call reckons with time, it asks the catalog what time it is.

        And before the first one that `fills` the catalog or orders something, what was kept elsewhere is taken over.
        Raises Transient, Terminal.
        """
        begun = self.clock.local()
        if not self._opened:
            await self.catalog.open(self.clock)
            self._opened = True
        if fills and not self._whole:
            await self.catalog.take_over()
            self._whole = True
        return self.clock.at(begun)

    async def on_event(self, text: str | bytes) -> Report:
        """Look at what an event hints at. Raises only where the observation could not be made durable.

        An event that is none of ours is counted, logged with its reason, and changes nothing.
        """
        report = Report("event")
        found = hint(text, self.settings.subscriptions, self.inventory.types)
        if isinstance(found, Ignored):
            self._count(found.outcome)
            _log.info("event ignored, %s: %s", found.outcome, found.reason)
            return report
        try:
            now = await self._begin(fills=False)
            deadline = now + EVENT_SECONDS
            async with _within(deadline - self.clock()):
                seen, first = await self.recorder.follow(found, Cause(found.said, now))
        except Terminal as error:  # Another delivery would not fare better; the sweep says so again.
            self._count("unreadable")
            report.fail(found.resource_id, error)
            return report
        self._count("accepted")
        report.observed = len(seen)
        if first:  # The other events that shared this look leave the names that it made dirty to this one.
            await self._settle(deadline, report)
            await self._confirm(seen, found, deadline, report)
        if abs(self.clock() - self._heard_at) >= HEARD_PAUSE:
            self._heard_at = self.clock()
            await self._note(event_at=self.clock())
        return report

    def _count(self, outcome: str) -> None:
        self.events[outcome] += 1
        self.measure("events", 1, outcome=outcome)

    async def _confirm(self, seen: Sequence[Endpoint], hint: Hint, deadline: float, report: Report) -> None:
        """Look once more, some seconds later, at what one answer of Azure has put in doubt; the drain does the rest.

        The event is recorded already: what fails now is no reason to fail its delivery.
        """
        doubtful = [each.id for each in seen if each.doubt in TO_CONFIRM and each.names]
        if not doubtful or self.clock() + CONFIRM_SECONDS >= deadline:
            return
        await asyncio.sleep(CONFIRM_SECONDS)
        try:
            async with _within(max(0.0, deadline - self.clock())):
                cause = Cause(hint.said, self.clock())
                await all_of((self.recorder.look(endpoint_id, cause, NO_EVENT) for endpoint_id in doubtful), LOOKS)
        except NearzoneError as error:
            report.fail(hint.resource_id, error)
        await self._settle(deadline, report)

    async def drain(self) -> Report:
        """Settle what is dirty, look at warming endpoints again, end expired orders; sweep if none is complete."""
        report, deadline = Report("drain"), await self._begin() + DRAIN_SECONDS
        if await self._needs_sweep():
            await self._sweep(Scope(self.settings.zones, explain.because("sweep", self.clock())), SWEEP_SECONDS, report)
            return report
        async with _within(DRAIN_SECONDS + GRACE):
            await self.orders.end()
            await self._look_again(deadline - DRAIN_SECONDS / 2, report)
            await self.drainer.drain(self.settings.zones, deadline, report, wait=True)
            await self._take_stock()
        return report

    async def _needs_sweep(self) -> bool:
        """Whether the catalog does not know every claim yet, or a sweep that has ended left endpoints unread."""
        stored, now = await self.catalog.marker(), self.clock()
        if not await self.drainer.complete():
            return abs(now - (stored.value.attempted_at if stored else 0.0)) >= BOOTSTRAP_PAUSE
        progress = stored.value.progress if stored else None
        if progress is None or progress.read >= progress.of:
            return False
        return progress.ended or now - progress.at >= PROGRESS_PAUSE

    async def _take_stock(self) -> None:
        """Measure how things stand."""
        now, orders, stored = self.clock(), await self.drainer.orders(), await self.catalog.marker()
        for zone in self.settings.zones:
            dirty = [row.value.since for row in await self.catalog.dirty(zone.key)]
            self.measure("dirty", len(dirty), zone=zone.region)
            self.measure("dirty.oldest", max(0.0, now - min(dirty, default=now)), zone=zone.region)
            self.measure("frozen", 1 if freeze(zone, orders) else 0, zone=zone.region)
        if stored and stored.value.completed_at:
            self.measure("sweep.age", max(0.0, now - stored.value.completed_at))

    async def correct_drift(self) -> Report:
        """Compare everything with the truth, and every hour look at what could stand in the way."""
        report = Report("sweep")
        await self._begin()
        seen = await self._sweep(
            Scope(self.settings.zones, explain.because("sweep", self.clock())), SWEEP_SECONDS, report
        )
        stored = await self.catalog.marker()
        if stored and abs(self.clock() - stored.value.checked_at) >= CHECK_PAUSE:
            await self._note(checked_at=self.clock(), findings=await self._survey(seen))
        return report

    async def check(self) -> Report:
        """Look at what could stand in the way of right answers, now; nothing else is done.

        Without the catalog, what Azure alone can tell; the failures say what is missing.
        """
        report, known, missing = Report("check"), list[Endpoint](), "what sweeps and events have left in the catalog"
        try:
            await self._begin()
            known = [stored.value.endpoint for stored in await self.catalog.endpoints()]
        except (Transient, Terminal) as error:
            report.fail(missing, error)
        listings = await self.inventory.listings(self.settings.subscriptions, known)
        # Before the first sweep lists leave VMs open for their health, which does not matter here.
        left = [replace(each, health=False) for listing in listings for each in listing.unclear]
        if left:
            listings = await self.inventory.listings(self.settings.subscriptions, [*left, *known])
        listed = {endpoint.key: endpoint for listing in listings for endpoint in listing.endpoints}
        endpoints = {endpoint.key: endpoint for endpoint in known} | listed
        report.observed = len(endpoints)
        report.alarms += (found := await self._survey(Seen(listings, endpoints.values())))
        if report.failures:
            return report
        try:
            await self._note(checked_at=self.clock(), findings=found)
            report.alarms += explain.overdue(await self.catalog.marker(), self.settings, self.clock())
            for zone in self.settings.zones:
                stored = await self.catalog.found(zone.key)
                report.alarms += stored.value.alarms if stored else ()
        except (Transient, Terminal) as error:
            report.fail(missing, error)
        return report

    async def _survey(self, seen: Seen) -> Sequence[Alarm]:
        zones = self.settings.zones
        around = await asyncio.gather(*(self.surveyor.survey(zone) for zone in zones))
        by_key = {zone.key: each for zone, each in zip(zones, around, strict=True)}
        return preflight.check(self.settings, by_key, seen.listings, seen.endpoints)

    async def _note(self, *sweeps: Swept, **said: Any) -> None:  # noqa: ANN401 - fields of the marker
        """Keep something in the marker, where there is one."""
        while stored := await self.catalog.marker():
            noted = replace(stored.value, **said, sweeps=(*sweeps, *stored.value.sweeps)[:SWEEPS])
            with suppress(Conflict):
                await self.catalog.put_marker(noted, stored.etag)
                return

    async def resync(self, wanted: Resync) -> Report:
        """What a person asked for by hand. Raises BadRequest where only the catalog shows that it cannot be."""
        if wanted.check:
            return (await self._resyncs.run(wanted, "", lambda _: self.check()))[0]
        with not_kept() if wanted.orders else nullcontext():
            report, deadline = Report("resync", wanted.dry_run), await self._begin() + RESYNC_SECONDS
        if wanted.freeze:
            return await self.orders.freeze(wanted.freeze, wanted.freeze_minutes)
        if wanted.drain or wanted.undrain:
            await self.orders.drain(wanted)
            await self._settle(deadline, report, wait=True)
            return report
        if wanted.unfreeze:
            with not_kept("The order was NOT taken back"):
                await self.catalog.purge_order(wanted.unfreeze.key)
        shared, _ = await self._resyncs.run(wanted, "", lambda flight: self._resync(wanted, deadline, flight))
        return shared

    async def _resync(self, wanted: Resync, deadline: float, flight: Flight[Report]) -> Report:
        """One run for all who have asked for exactly this. `deadline`: that of the first one. Raises Transient."""
        now = self.clock()
        report, cause, seconds = Report("resync", wanted.dry_run), explain.because("resync", now), deadline - now
        if seconds < RESYNC_LEAST_SECONDS:
            raise Transient("other resyncs have taken the time of this one: nothing was looked at for it, ask again")
        if wanted.unfreeze:
            await self.orders.hurry((wanted.unfreeze,), None)
            await self._sweep(Scope((wanted.unfreeze,), cause), seconds, report, flight.let_pass)
            return report
        names = None if wanted.name is None else frozenset((wanted.name,))
        if wanted.endpoint is not None:
            seen = await self._seen(wanted.endpoint, None if wanted.dry_run else cause)
            names = seen if names is None else names & seen
        elif wanted.adopt and names is None:
            names = wanted.adopt
        if not wanted.dry_run:
            await self.orders.hurry(wanted.zones, names)
        scope = Scope(wanted.zones, cause, names, wanted.dry_run, wanted.force, wanted.adopt, wanted.regain)
        await self._sweep(scope, seconds, report, flight.let_pass)
        return report

    async def status(self, *, full: bool = False) -> dict[str, Any]:
        """How things stand; `full`: with every name and endpoint."""
        await self._begin(fills=False)
        told = {**await explain.status(self.drainer, self._skew()), "events": dict(sorted(self.events.items()))}
        return told | (await explain.everything(self.drainer) if full else {})

    async def explain(self, zone: Zone, name: str) -> dict[str, Any]:
        """Why a zone answers a name as it does."""
        await self._begin(fills=False)
        return await explain.explain(self.drainer, zone, name)

    async def answer(self, asked: Question) -> dict[str, Any]:
        """What a status request asks; what this process last knew, and how old that is, where it cannot be read now.

        Raises Transient where nothing was ever known.
        """
        try:
            told = await (self.explain(asked.zone, asked.name) if asked.zone else self.status(full=asked.full))
        except (Transient, Terminal) as error:
            return await self._stale(asked, error)
        self._last.keep(asked, told, self.clock())
        return told

    async def _stale(self, asked: Question, error: NearzoneError) -> dict[str, Any]:
        """The last answer; of one name, what the zone holds is read anew where Azure tells it."""
        known, record = (self._last.name(asked) if asked.zone else self._last.status(asked)), None
        if asked.zone:
            with suppress(NearzoneError):
                record = await explain.record(self.drainer, asked.zone, asked.name)
        if not known and not record:
            raise Transient(
                f"{error}. Nothing was known before in this process, so there is no older answer; {RUNBOOK}"
            )
        at, told = known or (None, {"answer": None})
        about = {"zone": asked.zone.id, "name": asked.name} if asked.zone else {}
        old = stale(at, self.clock(), explain.moment(at or 0.0), error)
        return {**told, **about, **(record or {}), "stale": old}

    async def _settle(self, deadline: float, report: Report, *, wait: bool = False) -> None:
        """Drain after something durable was recorded: what fails now is dirty, and no reason to fail the delivery."""
        try:
            async with _within(max(0.0, deadline - self.clock()) + GRACE):
                await self.drainer.drain(self.settings.zones, deadline, report, wait=wait)
        except NearzoneError as error:
            report.fail("drain", error)

    def _skew(self) -> Sequence[Alarm]:
        return preflight.skew(self.clock.offset, self.holder)

    async def _sweep(
        self, scope: Scope, seconds: float, report: Report, marked: Callable[[], None] = lambda: None
    ) -> Seen:
        report.alarms += self._skew()
        async with _within(seconds + GRACE):
            seen = await self.sweeper.sweep(scope, self.clock() + seconds, report, marked)
        if not scope.dry_run:
            cause, took = scope.cause, self.clock() - scope.cause.at
            self.measure("sweep.duration", took)
            done = (len(report.changes), len(report.failures), len(report.refusals), report.complete)
            await self._note(Swept(cause.at, took, cause.said, report.observed, report.drift, *done))
        return seen

    async def _look_again(self, deadline: float, report: Report) -> None:
        """Observe what was warming, in doubt, or left half recorded by a crash; the longest unseen comes first.

        After these, what only lists have shown: how it reports its health is learned here, and not when it starts.
        What a sweep has listed and not read yet is left to the sweeps.
        """
        rows = sorted((stored.value for stored in await self.catalog.endpoints()), key=lambda row: row.seen_at)
        due: dict[bool, list[str]] = {True: [], False: []}
        for row in rows:
            endpoint = row.endpoint
            first = endpoint.state == State.WARMING or bool(row.todo) or 0.0 < row.look_at <= self.clock()
            listed_only = endpoint.health is None and endpoint.names and endpoint.state != State.GONE
            if first or (listed_only and not endpoint.doubt and not endpoint.unread):
                due[first].append(endpoint.id)
        queue, cause = deque(due[True] + due[False]), explain.because("drain", self.clock())

        async def work() -> None:
            while queue and self.clock() < deadline:
                endpoint_id = queue.popleft()
                try:
                    await self.recorder.look(endpoint_id, cause, NO_EVENT)
                    report.observed += 1
                except NearzoneError as error:
                    report.fail(endpoint_id, error)

        await all_of(work() for _ in range(AT_ONCE))

    async def _seen(self, endpoint_id: str, cause: Cause | None) -> frozenset[str]:
        """The names of an endpoint, looked at now, with those that it had before. Not recorded without a cause."""
        before = await self.catalog.endpoint(endpoint_id.lower())
        known = before.value.endpoint if before else None
        if cause is None:
            now = await self.inventory.observe(endpoint_id, known)
        else:
            now = await self.recorder.look(endpoint_id, cause, NO_EVENT)
        return frozenset(name for endpoint in (known, now) if endpoint for name in endpoint.names)


@asynccontextmanager
async def _within(seconds: float) -> AsyncIterator[None]:
    """Ends what runs longer than so many seconds, as Transient."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise Transient(f"not done within {seconds:g} s") from error
