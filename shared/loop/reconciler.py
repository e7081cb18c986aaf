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
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Coroutine, Sequence
from contextlib import asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from functools import wraps
from math import inf
from typing import Any, Concatenate, ParamSpec

from shared.config.settings import Settings
from shared.decide import preflight
from shared.decide import subscription_checks as watched
from shared.decide import unreadable_rows as bad_rows
from shared.decide.confirmation import CONFIRM_SECONDS, NO_EVENT, TO_CONFIRM
from shared.decide.own_writes import request_id_prefix
from shared.decide.region_latency import Latency
from shared.domain.alarms import Alarm
from shared.domain.catalog_state import SweepSummary
from shared.domain.clock import Clock
from shared.domain.concurrency import SharedRun, SharedRuns, gather_bounded
from shared.domain.counters import Counters, Gauge, ProcessCounters
from shared.domain.dirty import Cause
from shared.domain.endpoints import Endpoint, State
from shared.domain.errors import Conflict, NearzoneError, Terminal, Transient
from shared.domain.zones import Zone
from shared.edge import pages
from shared.edge.commands import Resync, StatusQuery
from shared.edge.event_hints import Hint, Ignored, RecordEdit, hint
from shared.edge.last_status import RUNBOOK, LastStatus, stale
from shared.edge.override_errors import override_not_kept
from shared.edge.report import Report, error_text
from shared.loop import metrics as scrape
from shared.loop import status as explain
from shared.loop import status_details as details
from shared.loop.catch_up import PROGRESS_SECONDS
from shared.loop.export import export
from shared.loop.observer import Observer
from shared.loop.overrides import Overrides
from shared.loop.record_edits import RecordEdits
from shared.loop.recorder import MAX_CONCURRENT_OBSERVATIONS, Recorder
from shared.loop.region_check import RegionCheck
from shared.loop.sweep import Sweeper, SweepObservations
from shared.loop.unknown_resources import UnknownResources, sweep_is_due
from shared.loop.zone.apply import ZoneApplier
from shared.loop.zone_plan import SweepScope
from shared.ports import Catalog, Inventory, Metrics, RecordSets, ZoneEnvironmentReader, no_metrics

EVENT_SECONDS = 20.0
"""Event Grid gives a delivery 30 s; what is not written by then is left to the drain."""
DRAIN_SECONDS = 25.0
SWEEP_SECONDS = 240.0
"""host.json ends a function after 5 minutes."""
RESYNC_SECONDS = 200.0
"""Azure's load balancer ends an HTTP request after 230 s."""
MIN_RESYNC_SECONDS = 10.0
"""A resync that has waited for others begins only where it has so many seconds left."""
MAX_CONCURRENT_RESYNCS = 2
"""Resyncs of different scopes that read at a time: each lists everything, and Azure allows a process so many lists."""
SHUTDOWN_GRACE_SECONDS = 4.0
"""Seconds for what was begun before a deadline; then it is broken off, and stays dirty."""
MAX_CONCURRENT_REOBSERVATIONS = 8
PREFLIGHT_SECONDS = 3600.0
"""Seconds between looks at what could stand in the way."""
PREFLIGHT_AFTER_FINDINGS_SECONDS = 240.0
"""The same while something was found. The sweeps of several apps, or very frequent ones, share a look."""
LAST_EVENT_WRITE_SECONDS = 600.0
"""Seconds between notes of this process that events still come."""
FIRST_SWEEP_RETRY_SECONDS = 60.0
"""Seconds between attempts at the first complete sweep."""
NO_PROGRESS_SECONDS = 4 * PROGRESS_SECONDS
"""Seconds after which a sweep that tells of no progress in reading is taken to have ended."""
NO_SUCH_NAME = "no endpoint claims it, and no zone in scope has a record set of it that is ours"
SWEEPS_KEPT = 20
"""Sweeps that are remembered."""
MAX_FAILING_EXAMPLES, MAX_ERROR_CHARACTERS = 3, 300
"""So many names that fail are remembered of a sweep, and so many characters of its error."""

_log = logging.getLogger("nearzone")

P = ParamSpec("P")


def _counted(
    verb: Callable[Concatenate[Reconciler, P], Awaitable[Report]],
) -> Callable[Concatenate[Reconciler, P], Coroutine[Any, Any, Report]]:
    """A verb at whose end, however it ends, what was counted is kept."""

    @wraps(verb)
    async def counted(self: Reconciler, /, *args: P.args, **kwargs: P.kwargs) -> Report:
        try:
            return await verb(self, *args, **kwargs)
        finally:
            self.metrics_writer.schedule_write()

    return counted


@dataclass
class Reconciler:
    """A ready loop. `clock`: as the catalog corrects it. `holder`: names this process in leases.

    `notes`: what a person should know of how this process was set up.
    """

    settings: Settings
    latency: Latency
    catalog: Catalog
    inventory: Inventory
    record_sets: RecordSets
    clock: Clock
    holder: str
    zone_environments: ZoneEnvironmentReader
    metrics: Metrics = no_metrics
    counters: Counters = field(default_factory=Counters)
    notes: Sequence[Alarm] = ()
    events: Counter[str] = field(default_factory=Counter)
    _event_noted_at: float = 0.0
    _opened: bool = False
    _taken_over: bool = False

    def __post_init__(self) -> None:
        self.applier = ZoneApplier(
            self.catalog, self.record_sets, self.settings, self.latency, self.clock, self.holder, self.metrics
        )
        observer = Observer(self.inventory, self.clock)
        self.recorder = Recorder(
            self.catalog,
            observer,
            self.settings.zones,
            self.clock,
            self.applier.prefetch,
            60.0 * self.settings.health_wait_minutes,
        )
        self.sweeper = Sweeper(self.recorder, self.applier)
        self.record_edits = RecordEdits(self.applier)
        self.unknown_resources = UnknownResources(self.catalog, self.applier.complete_epoch, self.clock)
        self._zone_keys, self._own = (
            frozenset(zone.key for zone in self.settings.zones),
            request_id_prefix(self.settings),
        )
        self.region_check = RegionCheck(self.applier, self.zone_environments)
        self._last = LastStatus()
        self._resyncs: SharedRuns[Report] = SharedRuns(gate=asyncio.Semaphore(MAX_CONCURRENT_RESYNCS))
        self.overrides = Overrides(self.catalog, self.recorder, self.clock, self.latency.regions)
        self.metrics_writer = scrape.MetricsWriter(self.applier, self.counters)

    async def _start(self, *, fills: bool = True) -> float:
        """When this call began. Before a process's first call reckons with time, it asks the catalog what time it is.

        And before the first one that `fills` the catalog or orders something, what was kept elsewhere is taken over.
        Raises Transient, Terminal.
        """
        begun = self.clock.local()
        if not self._opened:
            await self.catalog.open(self.clock)
            self._opened = True
        if fills and not self._taken_over:
            await self.catalog.take_over()
            self._taken_over = True
        return self.clock.at(begun)

    @_counted
    async def on_event(self, text: str | bytes) -> Report:
        """Look at what an event hints at. Raises only where the observation could not be made durable.

        An event that is none of ours is counted, logged with its reason, and changes nothing.
        """
        report = Report("event")
        found = hint(text, self.settings.subscriptions, self.inventory.types, self._zone_keys, self._own)
        if isinstance(found, Ignored):
            self._count(found.outcome)
            _log.info("event ignored, %s: %s", found.outcome, found.reason)
            return report
        if isinstance(found, RecordEdit):
            return await self._on_edit(found, report)
        with self.unknown_resources.under_way(found):
            return await self._on_hint(found, report)

    async def _on_hint(self, found: Hint, report: Report) -> Report:
        begun = self.clock()
        try:
            now = await self._start(fills=False)
            deadline = now + EVENT_SECONDS
            async with _deadline(deadline - self.clock()):
                if await self.unknown_resources.may_drop(found):
                    self._count("stranger")
                    return report
                if await self._deferred(found, begun):
                    return report
                seen, first = await self.recorder.follow_hint(found, Cause(found.description, now))
        except Terminal as error:  # Another delivery would not fare better; the sweep says so again.
            self._count("unreadable")
            report.fail(found.resource_id, error)
            return report
        except Transient:
            async with _deadline(SHUTDOWN_GRACE_SECONDS):
                if await self._deferred(found, begun):
                    return report
            raise
        self._count("accepted")
        report.observed = len(seen)
        if first:  # The other events that shared this look leave the names that it made dirty to this one.
            await self._apply_after_record(deadline, report)
            await self._confirm(seen, found, deadline, report)
        await self._note_event()
        return report

    async def _deferred(self, found: Hint, begun: float) -> bool:
        deferred = await self.unknown_resources.may_defer(found, begun)
        if deferred:
            self._count("deferred")
        return deferred

    async def _on_edit(self, edit: RecordEdit, report: Report) -> Report:
        """Look at a record set that another one has edited. Raises only where the name could not be marked."""
        now = await self._start(fills=False)
        deadline = now + EVENT_SECONDS
        async with _deadline(deadline - self.clock()):
            outcome, first = await self.record_edits.follow(edit, Cause(edit.description, now))
        self._count(outcome)
        if first:
            await self._apply_after_record(deadline, report)
        await self._note_event()
        return report

    async def _note_event(self) -> None:
        """Note now and then that events come."""
        if abs(self.clock() - self._event_noted_at) >= LAST_EVENT_WRITE_SECONDS:
            self._event_noted_at = self.clock()
            await self._update_state(event_at=self.clock())

    def _count(self, outcome: str) -> None:
        self.events[outcome] += 1
        self.metrics("events", 1, outcome=outcome)

    async def _confirm(self, seen: Sequence[Endpoint], hint: Hint, deadline: float, report: Report) -> None:
        """Look once more, some seconds later, at what one answer of Azure has put in doubt; the drain does the rest.

        The event is recorded already: what fails now is no reason to fail its delivery.
        """
        doubtful = [each.id for each in seen if each.doubt in TO_CONFIRM and each.names]
        if not doubtful or self.clock() + CONFIRM_SECONDS >= deadline:
            return
        await asyncio.sleep(CONFIRM_SECONDS)
        try:
            async with _deadline(max(0.0, deadline - self.clock())):
                cause = Cause(hint.description, self.clock())
                await gather_bounded(
                    (self.recorder.observe_and_record(endpoint_id, cause, NO_EVENT) for endpoint_id in doubtful),
                    MAX_CONCURRENT_OBSERVATIONS,
                )
        except NearzoneError as error:
            report.fail(hint.resource_id, error)
        await self._apply_after_record(deadline, report)

    @_counted
    async def drain(self) -> Report:
        """Settle what is dirty, look at warming endpoints again, end expired orders.

        Instead of that, a sweep if none is complete; after it, one if events were left to a sweep.
        """
        report, deadline = Report("drain"), await self._start() + DRAIN_SECONDS
        if await self._needs_sweep():
            try:
                cause = explain.cause_now("sweep", self.clock())
                await self._sweep(SweepScope(self.settings.zones, cause), SWEEP_SECONDS, report)
            finally:
                await self._record_gauges()
            return report
        try:
            async with _deadline(DRAIN_SECONDS + SHUTDOWN_GRACE_SECONDS):
                await self.overrides.expire(self.settings.zones, report)
                await self._reobserve_pending(deadline - DRAIN_SECONDS / 2, report)
                await self.applier.apply(self.settings.zones, deadline, report, wait=True)
            if sweep_is_due(await self.catalog.state(), self.clock()):
                cause = explain.cause_now("sweep", self.clock())
                await self._sweep(SweepScope(self.settings.zones, cause), SWEEP_SECONDS - DRAIN_SECONDS, report)
        finally:  # The figures that alerts look at are needed most where a drain fails.
            await self._record_gauges()
        return report

    async def _needs_sweep(self) -> bool:
        """Whether the catalog does not know every claim yet, or a sweep that has ended left endpoints unread."""
        stored, now = await self.catalog.state(), self.clock()
        if not await self.applier.complete_epoch():
            return abs(now - (stored.value.attempted_at if stored else 0.0)) >= FIRST_SWEEP_RETRY_SECONDS
        progress = stored.value.progress if stored else None
        if progress is None or progress.read >= progress.of:
            return False
        return progress.ended or now - progress.at >= NO_PROGRESS_SECONDS

    async def _record_gauges(self) -> None:
        """Measure how things stand."""
        for gauge in await scrape.current_gauges(self.applier):
            self.metrics(gauge.name, gauge.value, **gauge.labels)

    @_counted
    async def correct_drift(self) -> Report:
        """Compare everything with the truth, and now and then look at what could stand in the way.

        Every hour, and with every sweep while something was found: what was put right is an alarm no longer.
        """
        report = Report("sweep")
        await self._start()
        seen = await self._sweep(
            SweepScope(self.settings.zones, explain.cause_now("sweep", self.clock())), SWEEP_SECONDS, report
        )
        if seen:
            await self._check_if_due(seen, PREFLIGHT_AFTER_FINDINGS_SECONDS, PREFLIGHT_SECONDS)
        return report

    async def _check_if_due(self, seen: SweepObservations, found_pause: float, pause: float) -> None:
        """Look at what could stand in the way, unless the last look is not so long ago.

        `found_pause`: seconds where that look has found something, `pause`: where it has found nothing.
        """
        stored = await self.catalog.state()
        if stored and abs(self.clock() - stored.value.checked_at) >= (found_pause if stored.value.findings else pause):
            await self._update_state(checked_at=self.clock(), findings=await self._preflight(seen))

    async def check(self) -> Report:
        """Look at what could stand in the way of right answers, now; nothing else is done.

        Without the catalog, what Azure alone can tell; the failures say what is missing.
        """
        report, known, missing = Report("check"), list[Endpoint](), "what sweeps and events have left in the catalog"
        try:
            await self._start()
            known = [stored.value.endpoint for stored in await self.catalog.endpoints()]
        except (Transient, Terminal) as error:
            report.fail(missing, error)
        listings = await self.inventory.list_all(self.settings.subscriptions, known)
        # Before the first sweep lists leave VMs open for their health, which does not matter here.
        left = [replace(each, health=False) for listing in listings for each in listing.needs_get]
        if left:
            listings = await self.inventory.list_all(self.settings.subscriptions, [*left, *known])
        listed = {endpoint.key: endpoint for listing in listings for endpoint in listing.endpoints}
        endpoints = {endpoint.key: endpoint for endpoint in known} | listed
        report.observed = len(endpoints)
        found = await self._preflight(SweepObservations(listings, endpoints.values()))
        report.alarms += (*self.notes, *found)
        if report.failures:
            return report
        try:
            await self._update_state(checked_at=self.clock(), findings=found)
            report.alarms += explain.overdue_alarms(await self.catalog.state(), self.settings, self.clock())
            report.alarms += bad_rows.alarms(await self.catalog.bad_rows())
            for zone in self.settings.zones:
                stored = await self.catalog.findings(zone.key)
                report.alarms += stored.value.alarms if stored else ()
        except (Transient, Terminal) as error:
            report.fail(missing, error)
        return report

    async def _preflight(self, seen: SweepObservations) -> Sequence[Alarm]:
        zones = self.settings.zones
        around = await asyncio.gather(*(self.zone_environments.read(zone) for zone in zones))
        by_key = {zone.key: each for zone, each in zip(zones, around, strict=True)}
        silent = watched.empty_subscriptions(seen.listings)
        rights = dict(zip(silent, await asyncio.gather(*map(self.zone_environments.permissions, silent)), strict=True))
        checked = preflight.check(self.settings, by_key, seen.listings, seen.endpoints, rights)
        return tuple(replace(alarm, at=self.clock()) for alarm in checked)

    async def _update_state(self, *sweeps: SweepSummary, **said: Any) -> None:  # noqa: ANN401 - fields of the marker
        """Keep something in the marker, where there is one."""
        while stored := await self.catalog.state():
            noted = replace(stored.value, **said, sweeps=(*sweeps, *stored.value.sweeps)[:SWEEPS_KEPT])
            with suppress(Conflict):
                await self.catalog.put_state(noted, stored.etag)
                return

    @_counted
    async def resync(self, wanted: Resync) -> Report:
        """What a person asked for by hand. Raises BadRequest where only the catalog shows that it cannot be."""
        if wanted.check:
            return (await self._resyncs.run(wanted.shared_key, "", lambda _: self.check()))[0]
        with override_not_kept() if wanted.override else nullcontext():
            report, deadline = Report("resync", wanted.dry_run), await self._start() + RESYNC_SECONDS
            covered = await self.overrides.check(wanted, report) if wanted.override else ()
        if wanted.override:
            return await self._give_override(wanted, covered, deadline, report)
        shared, _ = await self._resyncs.run(
            wanted.shared_key, "", lambda flight: self._resync(wanted, deadline, flight)
        )
        return shared

    async def _resync(self, wanted: Resync, deadline: float, flight: SharedRun[Report]) -> Report:
        """One run for all who have asked for exactly this. `deadline`: that of the first one. Raises Transient."""
        now = self.clock()
        report, seconds = Report("resync", wanted.dry_run), deadline - now
        cause = explain.cause_now("resync", now, wanted.by, wanted.reason)
        if seconds < MIN_RESYNC_SECONDS:
            raise Transient("other resyncs have taken the time of this one: nothing was looked at for it, ask again")
        names = None if wanted.name is None else frozenset((wanted.name,))
        if wanted.endpoint is not None:
            if await self.catalog.endpoint(wanted.endpoint.lower()) is None:
                await self.overrides.look("endpoint", wanted.endpoint, report)
            seen = await self._names_of_endpoint(wanted.endpoint, None if wanted.dry_run else cause)
            names = seen if names is None else names & seen
        elif wanted.adopt and names is None:
            names = wanted.adopt
        if not wanted.dry_run:
            await self.overrides.clear_backoff(wanted.zones, names)
        scope = SweepScope(wanted.zones, cause, names, wanted.dry_run, wanted.force, wanted.force_beyond, wanted.adopt)
        scope = replace(scope, regain=wanted.adopt_lost)
        swept = await self._sweep(scope, seconds, report, flight.open_gate)
        if swept and not wanted.dry_run:
            with suppress(NearzoneError):  # The next sweep looks around.
                async with _deadline(max(SHUTDOWN_GRACE_SECONDS, deadline - self.clock())):
                    await self._check_if_due(swept, 0.0, inf)
        report.notes += _unmatched(wanted, names, report)
        return report

    async def _give_override(
        self, wanted: Resync, covered: Sequence[Endpoint], deadline: float, report: Report
    ) -> Report:
        """Carry out an order, or show what it would do."""
        if wanted.dry_run:
            await self._sweep(self.overrides.supposed(wanted, covered), RESYNC_SECONDS, report)
        elif wanted.freeze:
            return await self.overrides.freeze(wanted.freeze, wanted)
        elif wanted.unfreeze:
            cause = explain.cause_now("unfreeze", self.clock(), wanted.by, wanted.reason)
            await self.overrides.unfreeze(wanted.unfreeze, cause, report)
            sweep = replace(wanted, zones=(wanted.unfreeze,), unfreeze=None)
            shared, _ = await self._resyncs.run(
                sweep.shared_key, "", lambda flight: self._resync(sweep, deadline, flight)
            )
            return replace(shared, failures=[*report.failures, *shared.failures])
        else:
            await self.overrides.drain(wanted, report)
            await self._apply_after_record(deadline, report, wait=True)
        return report

    async def status(self, *, full: bool = False) -> dict[str, Any]:
        """How things stand, in short; `full`: with names and endpoints, as many as one answer holds."""
        told = pages.summary(await self._summary())
        for name, key in (("names", "names"), ("endpoints", "known")) if full else ():
            first = await self.page(name, limit=pages.FULL)
            told |= {key: first["items"], f"{key}_count": first["count"], f"{key}_next": first["next"]}
        return told

    async def _summary(self) -> dict[str, Any]:
        await self._start(fills=False)
        return {**await explain.status(self.applier, self._own_alarms()), "events": dict(sorted(self.events.items()))}

    async def page(self, name: str, after: str = "", limit: int = pages.FULL) -> dict[str, Any]:
        """A page of one of the long lists of the status."""
        await self._start(fills=False)
        if name == "names":
            items = await details.names(self.applier)
        elif name == "endpoints":
            items = await details.endpoints(self.applier)
        else:
            items = (await self._summary())[name]
        return {"now": explain.format_time(self.clock()), **pages.page(name, items, after, limit)}

    async def explain(self, zone: Zone, name: str) -> dict[str, Any]:
        """Why a zone answers a name as it does."""
        await self._start(fills=False)
        return await explain.explain(self.applier, zone, name)

    async def metrics_page(self) -> tuple[Sequence[Gauge], Sequence[ProcessCounters]]:
        """How things stand now, and what every process has counted. Raises Transient, Terminal."""
        await self._start(fills=False)
        gauges = [*await scrape.current_gauges(self.applier), *await scrape.blocked_gauges(self.applier)]
        return gauges, await self.metrics_writer.all_instances()

    async def handle_status(self, asked: StatusQuery) -> dict[str, Any] | str:
        """What a status request asks: of the log lines of JSON, of everything else values that are ready for JSON.

        Where the catalog cannot be read now, what this process last knew, and how old that is.
        Raises BadRequest for a span that is none, Transient where nothing was ever known.
        """
        if asked.since:
            await self._start(fills=False)
            return await export(self.applier, asked.since, asked.until)
        try:
            told = await self._status(asked)
        except (Transient, Terminal) as error:
            return await self._stale(asked, error)
        self._last.keep(asked, told, self.clock())
        return told

    async def _status(self, asked: StatusQuery) -> dict[str, Any]:
        if asked.list:
            return await self.page(asked.list, asked.after, asked.limit)
        return await (self.explain(asked.zone, asked.name) if asked.zone else self.status(full=asked.full))

    async def _stale(self, asked: StatusQuery, error: NearzoneError) -> dict[str, Any]:
        """The last answer; of one name, what the zone holds is read anew where Azure tells it."""
        known, record = (self._last.name(asked) if asked.zone else self._last.status(asked)), None
        if asked.zone:
            with suppress(NearzoneError):
                record = await explain.record(self.applier, asked.zone, asked.name)
        if not known and not record:
            raise Transient(
                f"{error}. Nothing was known before in this process, so there is no older answer; {RUNBOOK}"
            )
        at, told = known or (None, {"answer": None})
        about = {"zone": asked.zone.id, "name": asked.name} if asked.zone else {}
        old = stale(at, self.clock(), explain.format_time(at or 0.0), error)
        return {**told, **about, **(record or {}), "stale": old}

    async def _apply_after_record(self, deadline: float, report: Report, *, wait: bool = False) -> None:
        """Drain after something durable was recorded: what fails now is dirty, and no reason to fail the delivery."""
        try:
            async with _deadline(max(0.0, deadline - self.clock()) + SHUTDOWN_GRACE_SECONDS):
                await self.applier.apply(self.settings.zones, deadline, report, wait=wait)
        except NearzoneError as error:
            report.fail("drain", error)

    def _own_alarms(self) -> Sequence[Alarm]:
        """Alarms of this process."""
        return (*self.notes, *preflight.skew(self.clock.offset, self.holder))

    async def _sweep(
        self, scope: SweepScope, seconds: float, report: Report, marked: Callable[[], None] = lambda: None
    ) -> SweepObservations | None:
        """A sweep; None where it is refused, because the settings cannot be meant."""
        report.alarms += self._own_alarms()
        try:
            async with _deadline(seconds + SHUTDOWN_GRACE_SECONDS):
                digest = await self.region_check.refuses(scope, report)
                if digest and digest not in scope.force and not scope.dry_run:
                    await self._update_state(self._sweep_summary(scope.cause, report), attempted_at=self.clock())
                    return None
                scope = replace(scope, force=scope.force - {digest})
                seen = await self.sweeper.sweep(scope, self.clock() + seconds, report, marked)
        except Exception as error:  # Also a bug: a sweep that was broken off stands among the sweeps.
            if not scope.dry_run:
                report.complete = False
                with suppress(NearzoneError):  # Where the catalog is away, the function's own failure has to tell.
                    await self._update_state(self._sweep_summary(scope.cause, report, error_text(error)))
            raise
        if not scope.dry_run:
            self.metrics("sweep.duration", self.clock() - scope.cause.at)
            await self._update_state(self._sweep_summary(scope.cause, report))
        return seen

    def _sweep_summary(self, cause: Cause, report: Report, error: str = "") -> SweepSummary:
        """What is remembered of a sweep that is over. `error`: what broke it off; that is one failure more."""
        failures = len(report.failures) + bool(error)
        done = (len(report.changes), failures, len(report.refusals), report.complete)
        said = error or next((f"{what}: {why}" for what, why in report.failures), "")
        failing = (len(report.failing), tuple(report.failing[:MAX_FAILING_EXAMPLES]), said[:MAX_ERROR_CHARACTERS])
        took = self.clock() - cause.at
        who = (cause.by, cause.reason_given)
        return SweepSummary(cause.at, took, cause.text, report.observed, report.drift, *done, *failing, *who)

    async def _reobserve_pending(self, deadline: float, report: Report) -> None:
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
        queue, cause = deque(due[True] + due[False]), explain.cause_now("drain", self.clock())

        async def work() -> None:
            while queue and self.clock() < deadline:
                endpoint_id = queue.popleft()
                try:
                    await self.recorder.observe_and_record(endpoint_id, cause, NO_EVENT)
                    report.observed += 1
                except NearzoneError as error:
                    report.fail(endpoint_id, error)

        await gather_bounded(work() for _ in range(MAX_CONCURRENT_REOBSERVATIONS))

    async def _names_of_endpoint(self, endpoint_id: str, cause: Cause | None) -> frozenset[str]:
        """The names of an endpoint, looked at now, with those that it had before. Not recorded without a cause."""
        before = await self.catalog.endpoint(endpoint_id.lower())
        known = before.value.endpoint if before else None
        if cause is None:
            now = await self.inventory.observe(endpoint_id, known)
        else:
            now = await self.recorder.observe_and_record(endpoint_id, cause, NO_EVENT)
        return frozenset(name for endpoint in (known, now) if endpoint for name in endpoint.names)


def _unmatched(wanted: Resync, names: Collection[str] | None, report: Report) -> list[str]:
    """What a request names that no zone of its scope and no endpoint has: a misspelt name is not met with silence."""
    met = report.met
    if report.failures or not report.complete:  # What could not be read may have it.
        return []
    notes = [f"name {each}: {NO_SUCH_NAME}" for each in sorted({wanted.name or ""} - {"", *met})]
    notes += [f"adopt {each}: {NO_SUCH_NAME}" for each in sorted(wanted.adopt - met)]
    if wanted.adopt_lost and not met:
        notes.append("adopt lost: no record set in scope has lost our mark")
    if wanted.endpoint is not None and not names:
        which = f"endpoint {wanted.endpoint} claims no name" if wanted.name is None else "endpoint does not claim name"
        notes.append(which)
    return notes


@asynccontextmanager
async def _deadline(seconds: float) -> AsyncIterator[None]:
    """Ends what runs longer than so many seconds, as Transient."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise Transient(f"not done within {seconds:g} s") from error
