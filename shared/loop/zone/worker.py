"""The work on one zone under its lease: name by name, most urgent first, inside the zone's budget.

For each name, in this order: read the dirty row, read the record set, read the claims, write on condition, clear the
dirty row on condition. A failed condition leaves the name dirty. The order is model-checked (tests/protocol).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from shared.config.settings import Settings
from shared.decide.decision import NameInputs, Rules, decide
from shared.decide.dirty_queue import DirtyQueue
from shared.decide.plan import Change, Skip, has_no_owner_tag
from shared.decide.rate_limit import back_off
from shared.decide.region_latency import Latency
from shared.decide.zone_refusals import ZoneRefusals
from shared.domain.catalog_rows import Lease, Versioned
from shared.domain.clock import TOLERANCE
from shared.domain.concurrency import gather_bounded
from shared.domain.dirty import DirtyName, RecordChange
from shared.domain.errors import Conflict, NearzoneError, Terminal, Transient
from shared.domain.overrides import Override, active_freeze
from shared.domain.zones import RecordSet, Zone
from shared.edge.report import NOT_TRIED, Report, decision_log_line
from shared.loop.catalog_queries import active_overrides, complete_epoch
from shared.loop.zone.record_cache import CachedRecordSet, PastDeadlineError, RecordSetCache
from shared.loop.zone.slot import ZoneSlot
from shared.loop.zone_findings import Findings
from shared.ports import Catalog, Metrics, RecordSets, no_metrics

LEASE_SECONDS = 60.0
"""Seconds for which a zone is taken."""
REQUEST_SECONDS = 10.0
"""Seconds that a request may take: a write starts only while more of the lease than this is left."""
WORKERS_PER_ZONE = 4
QUEUE_REFRESH_SECONDS = 0.25
"""Seconds after which the dirty rows are read again, to find what other instances have marked."""
MIN_SLEEP_SECONDS = 0.001
"""Seconds that are waited at least: sums of times since the epoch are not exact, so that a shorter wait may not end."""
QUEUE_REFRESH_SECONDS_PER_ROW = 0.00025
"""Seconds for each dirty row in which it is not read again, so that reading many of them does not become the work."""
LIST_THRESHOLD = 8
"""So many record sets that have to be read are worth a list."""
LIST_INTERVAL_SECONDS = 10.0
"""Seconds between the beginnings of two lists of a zone."""
CATALOG_INCOMPLETE_SECONDS = 10.0
"""Seconds after which a name is looked at again that the catalog did not know enough of."""
CLAIMANTS_UNREAD_SECONDS = 2.0
"""The same for a name whose claimants are being read."""
ADDITIONS_HELD_SECONDS = 30.0
"""Seconds for which nothing is added to a name while claimants of it are being read; addresses go away at once."""
CONFLICTS_BEFORE_BACKOFF = 5
"""Failed conditions of a name after which it is backed off."""
MAX_BACKOFF_WAIT_SECONDS = 8.5
"""Seconds for which a caller is kept waiting for a name that is backed off: three attempts after the first one where
trying again may help (after 2, 4 and 8 s), none where it does not. The next drain takes up what is left."""
MAX_ERROR_CHARACTERS = 400
"""So many characters of an error are kept with a name."""
HISTORY_FLUSH_SECONDS = 3.0
"""Seconds that a run which ends may take to keep the history of what it has written."""

_log = logging.getLogger("nearzone")


class _WaitForBudgetError(NearzoneError):
    """Nothing failed: the zone's budget lets this change go later. `change`: which one."""

    def __init__(self, change: Change) -> None:
        super().__init__(f"{change.kind} waits for the zone's budget")
        self.change = change


class _NotTriedError(NearzoneError):
    """The zone has refused writes like this one for a cause of its own. `answer`: what it says."""

    def __init__(self, answer: Terminal) -> None:
        super().__init__(f"{NOT_TRIED}{answer}")
        self.answer = answer


class _CatalogIncompleteError(NearzoneError):
    """The catalog does not know enough of the name's claims yet. `pause`: seconds until the next attempt."""

    def __init__(self, message: str, pause: float) -> None:
        super().__init__(message)
        self.pause = pause


class _LeaseChangedError(NearzoneError):
    """The lease has lapsed since the claims were read: somebody else may have settled the name meanwhile."""


class LeaseTakenError(NearzoneError):
    """The lease is another instance's: nothing may be written any more."""


class ZoneFrozenError(NearzoneError):
    """A person has ordered that nothing is written to this zone; its names stay dirty."""


@dataclass(frozen=True, slots=True)
class ApplyRequest:
    """What a drain is asked for. `epoch`: of the catalog that knows every claim, or "": write what narrows nothing."""

    deadline: float
    report: Report
    epoch: str


@dataclass
class LoopServices:
    """What a run works with. `holder` names this process in leases; `clock`: seconds since the epoch."""

    catalog: Catalog
    record_sets: RecordSets
    settings: Settings
    latency: Latency
    clock: Callable[[], float]
    holder: str
    measure: Metrics = no_metrics

    def __post_init__(self) -> None:
        self.record_cache = RecordSetCache(self.record_sets, self.clock)
        self.zone_findings = Findings(self.catalog, self.measure)

    async def complete_epoch(self) -> str:
        """The catalog's epoch where it knows every claim under the present settings, otherwise ""."""
        return await complete_epoch(self.catalog, self.settings, self.clock)

    async def active_overrides(self) -> tuple[Override, ...]:
        """The orders in force now."""
        return await active_overrides(self.catalog, self.clock())

    async def active_freeze(self, zone: Zone) -> Override | None:
        """The order that nothing is written to a zone."""
        return active_freeze(zone, await self.active_overrides())

    async def acquire(self, zone: Zone) -> Lease | None:
        """Take or prolong a zone's lease and learn what others have written; None where it is taken."""
        lease = await self.catalog.acquire(zone.key, self.holder, self.clock(), LEASE_SECONDS)
        if lease is None:
            return None
        new = self.record_cache.budgets[zone.key].import_writes(lease.recent_writes, self.clock())
        self.record_cache.apply_foreign_writes(zone, None if lease.recent_writes is None else new)
        return lease


@dataclass
class ZoneWorker:
    """The work on one zone under one lease."""

    services: LoopServices
    zone: Zone
    task: ApplyRequest
    lease_expires: float
    queue: DirtyQueue
    slot: ZoneSlot
    _lease_generation: int = 0
    """Goes up when the lease has lapsed and was taken again."""
    _error: NearzoneError | None = None
    _refreshing: asyncio.Lock = field(default_factory=asyncio.Lock)
    _renewing: asyncio.Lock = field(default_factory=asyncio.Lock)
    _list_task: asyncio.Task[None] | None = None
    _unsaved_history: list[RecordChange] = field(default_factory=list)
    """What was written, and is not in the history yet."""
    _history_task: asyncio.Task[None] | None = None
    _refusals: ZoneRefusals = field(default_factory=ZoneRefusals)

    def __post_init__(self) -> None:
        self.reader = self.services.record_cache
        self._look_at = self.services.clock() + QUEUE_REFRESH_SECONDS_PER_ROW * self.queue.size

    async def run(self) -> None:
        """Settle name after name, a few at a time, until nothing can be done before the deadline."""
        self._prefetch_records()
        try:
            await gather_bounded(self._worker() for _ in range(WORKERS_PER_ZONE))
        finally:
            self.queue.defer(())
            if self._list_task:
                self._list_task.cancel()
            if self._history_task:
                done, _ = await asyncio.wait((self._history_task,), timeout=HISTORY_FLUSH_SECONDS)
                self._history_task.cancel()
                for task in done:
                    task.result()  # Its errors are in the report; what is raised here is a bug.
        if self._error:
            raise self._error

    async def _worker(self) -> None:
        try:
            while row := await self._next_name():
                waits = None
                try:
                    waits = await self._attempt(row)
                finally:
                    self.queue.finish(row, self.services.clock(), waits)
                if not self.queue.busy:
                    self.slot.new_work.set()  # Who waits for the others need not wait any longer.
        except NearzoneError as error:  # The others end as well, before the lease is given back.
            self._error = self._error or error

    async def _next_name(self) -> Versioned[DirtyName] | None:
        """The most urgent name, as soon as one may go; None where none will before the deadline."""
        deadline = self.task.deadline
        while (now := self.services.clock()) < deadline and not self._error:
            async with self._refreshing:
                await self._refresh_queue()
            if row := self.queue.next(self.services.clock()):
                return row
            soonest = self.queue.next_ready_at(now, MAX_BACKOFF_WAIT_SECONDS)
            if soonest >= deadline and not self.queue.busy and not self._list_task:
                return None
            if self.slot.new_work.is_set():  # It was too early to read the rows again.
                await asyncio.sleep(max(self._look_at - now, 0.01))
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(
                    min(max(soonest - now, MIN_SLEEP_SECONDS), QUEUE_REFRESH_SECONDS)
                    if soonest > now
                    else QUEUE_REFRESH_SECONDS
                ):
                    await self.slot.new_work.wait()
        return None

    async def _refresh_queue(self) -> None:
        """Read the dirty rows again, where names were marked in this process, or may have been in another one."""
        if self._lease_seconds_left() <= LEASE_SECONDS / 2:  # Also while all wait: a lease that lapses is a crash.
            await self._renew_lease()
        if self.services.clock() >= self._look_at + (0.0 if self.slot.new_work.is_set() else QUEUE_REFRESH_SECONDS):
            self.slot.new_work.clear()
            read_at = self.services.clock()
            self.queue.replace_rows(await self.services.catalog.dirty(self.zone.key), read_at, self.services.clock())
            self._look_at = self.services.clock() + QUEUE_REFRESH_SECONDS_PER_ROW * self.queue.size
            self._prefetch_records()

    def _prefetch_records(self) -> None:
        """Where many record sets have to be read, a list reads them, and names that are not urgent wait for it."""
        now, turn = self.services.clock(), self.slot
        if self._list_task and self._list_task.done():
            self._list_task = None
        self.queue.defer(())  # Those held until now are due as well.
        unread = [row for row in self.queue.ready(now) if self.reader.cached(self.zone, row.value.name) is None]
        for row in [row for row in unread if not row.value.urgency.is_host_name][:LIST_THRESHOLD]:
            self.reader.prefetch(self.zone, row.value.name)
        if self._list_task is None and len(unread) >= max(LIST_THRESHOLD, turn.worth) and turn.next_list <= now:
            turn.next_list = now + LIST_INTERVAL_SECONDS
            self._list_task = asyncio.get_running_loop().create_task(self._list_records(unread))
        if self._list_task:
            self.queue.defer(row.value.name for row in unread if row.value.urgency.is_host_name)

    async def _list_records(self, rows: Sequence[Versioned[DirtyName]]) -> None:
        try:
            async with asyncio.timeout(LIST_INTERVAL_SECONDS):  # Names wait for it.
                found = await self.reader.fill_from_list(self.zone, rows)
        except (NearzoneError, TimeoutError):  # They are read one by one, and meet the error there.
            self.slot.next_list = self.services.clock() + 10 * LIST_INTERVAL_SECONDS
        else:
            self.slot.worth = 0 if found else 2 * len(rows)
        self.slot.new_work.set()

    async def _attempt(self, row: Versioned[DirtyName]) -> Change | None:
        """Settle one name, or note when to try it again; gives the change that has to wait for the budget."""
        dirty = row.value
        self.task.report.tried.add((self.zone.key, dirty.name))
        try:
            await self._process_name(row)
            self.task.report.settle_name(self.zone, dirty.name)
            return None
        except _WaitForBudgetError as error:
            return error.change
        except (PastDeadlineError, _LeaseChangedError):
            return None  # Dirty and due as before.
        except _CatalogIncompleteError as error:
            self.task.report.put_off_name(self.zone, dirty.name, str(error))
            await self._back_off(row, error.pause, error, failed=False)
        except Conflict as error:
            self.services.measure("conflicts", 1, zone=self.zone.region)
            delay = (
                0.0
                if dirty.attempts < CONFLICTS_BEFORE_BACKOFF
                else back_off(dirty.attempts - CONFLICTS_BEFORE_BACKOFF + 1, None)
            )
            await self._back_off(row, delay, error)
        except Transient as error:
            self._record_failure(dirty, error)
            if error.retry_after:
                self.queue.pause(self.services.clock() + error.retry_after)
            await self._back_off(row, back_off(dirty.attempts + 1, error.retry_after), error)
        except (Terminal, _NotTriedError) as error:
            self._record_failure(dirty, error)
            answer = error.answer if isinstance(error, _NotTriedError) else error
            await self._back_off(row, back_off(dirty.attempts + 6, None), answer)
        self.reader.invalidate(self.zone, dirty.name)
        return None

    def _record_failure(self, dirty: DirtyName, error: NearzoneError) -> None:
        self.services.measure("failures", 1, zone=self.zone.region)
        self.task.report.fail_name(self.zone, dirty.name, error)
        # What was not tried has the error of those that were, which the log has already.
        level = logging.INFO if isinstance(error, _NotTriedError) else logging.ERROR
        _log.log(level, "%s", decision_log_line("failed", self.zone, dirty, reason=f"{type(error).__name__}: {error}"))

    async def _back_off(
        self, row: Versioned[DirtyName], delay: float, error: NearzoneError, *, failed: bool = True
    ) -> None:
        later = replace(
            row.value,
            attempts=row.value.attempts + failed,
            not_before=self.services.clock() + delay,
            last_error=str(error)[:MAX_ERROR_CHARACTERS],
        )
        if seen := self.reader.cached(self.zone, row.value.name):
            later = replace(later, holds=seen.record_set.addresses if seen.record_set else (), held_at=seen.at)
        try:
            await self.services.catalog.put_dirty(later, row.etag)
        except Conflict:
            pass  # Marked again meanwhile: it will be looked at in any case.
        except NearzoneError as worse:  # The row stays as it was: dirty, and due.
            self.task.report.fail_name(self.zone, row.value.name, worse)

    async def _process_name(self, row: Versioned[DirtyName]) -> None:
        name, tenure = row.value.name, self._lease_generation
        known = await self.reader.cached_or_fetch(self.zone, row, self.task.deadline)
        found = await self._decide(row.value, known.record_set)
        if not isinstance(found, Change) and known.dirty_etag != row.etag:
            known = await self.reader.fetch(self.zone, name, row.etag, self.task.deadline)
            found = await self._decide(row.value, known.record_set)
        if isinstance(found, Skip):
            self.task.report.skips.append(found)
            _log.info("%s", decision_log_line("skip", self.zone, row.value, reason=found.reason))
            if found.blocked and found.blocked.concerns:
                blocked = replace(found.blocked, at=known.at)
                self.task.report.alarms += await self.services.zone_findings.note(self.zone, blocked)
        if isinstance(found, Change):
            if self.services.settings.apply:
                self.reader.put(self.zone, name, known)
                await self._write(found, tenure)
                self._record_write(found, row.value)
            self.task.report.changes.append(found)
            what = found.word if self.services.settings.apply else f"would {found.word}"
            _log.info("%s", decision_log_line(what, self.zone, row.value, found.old, found.new, found.reason))
        with suppress(Conflict):  # Marked again meanwhile: again.
            await self.services.catalog.remove_dirty(self.zone.key, name, row.etag)

    async def _decide(self, dirty: DirtyName, actual: RecordSet | None) -> Change | Skip | None:
        """What has to be done, by claims that are read after the record set was."""
        of = self.services
        claimants, orders = await asyncio.gather(of.catalog.claimants(dirty.name), of.active_overrides())
        if active_freeze(self.zone, orders):
            raise ZoneFrozenError(f"{self.zone.fqdn} ({self.zone.region}) is frozen")
        endpoints = [claimant.endpoint for claimant in claimants]
        since = of.clock() - ADDITIONS_HELD_SECONDS
        unread = sum(each.endpoint.unread and each.seen_at > since for each in claimants)
        was_ours = has_no_owner_tag(actual) and await of.catalog.is_owned(self.zone.key, dirty.name)
        adopt = dirty.adopt or (dirty.regain and was_ours)
        inputs = NameInputs(dirty.name, endpoints, actual, was_ours=was_ours, adopt=adopt, only_remove=unread > 0)
        found = decide(self.zone, inputs, Rules(of.settings, of.latency, orders)).outcome
        if isinstance(found, Skip) and found.blocked:
            return found
        if not isinstance(found, Change):
            if unread:
                raise _CatalogIncompleteError(f"{unread} of its claimants are being read", CLAIMANTS_UNREAD_SECONDS)
            return found
        # Asked after the claims were read: a catalog that was lost before would have shown none.
        if found.narrows and (not self.task.epoch or await of.complete_epoch() != self.task.epoch):
            raise _CatalogIncompleteError("not narrowed before a complete sweep", CATALOG_INCOMPLETE_SECONDS)
        return self._check_write_allowed(found, dirty)

    def _check_write_allowed(self, change: Change, dirty: DirtyName) -> Change | Skip:
        if change.empties and not change.removal_explained and not dirty.cleared:
            return Skip(
                self.zone.id, change.name, "no endpoint accounts for its addresses: a sweep decides, under guard"
            )
        return change

    async def _write(self, change: Change, tenure: int) -> None:
        """Write on condition, inside the budget and the lease in which the claims were read.

        Raises _NotYetError, _NotTriedError, _StaleError, Conflict, Transient, Terminal.
        """
        if answer := self._refusals.of(change.kind):
            raise _NotTriedError(answer)
        while self._lease_seconds_left() <= REQUEST_SECONDS:  # Taking it may have taken long.
            await self._renew_lease()
        if self._lease_generation != tenure:
            raise _LeaseChangedError(f"the lease of {self.zone.fqdn} ({self.zone.region}) has lapsed")
        now = (
            self.services.clock()
        )  # No await between the look at the budget and spending from it: four names share it.
        if self.queue.wait(change, now) > 0:
            raise _WaitForBudgetError(change)
        self.reader.budgets[self.zone.key].record(change.kind, change.name, now)
        sets, etag = self.services.record_sets, change.before.etag if change.before else None
        written = None
        try:
            if change.after is None:
                await sets.delete(self.zone, change.name, etag or "")
            else:
                written = await sets.put(self.zone, change.after, etag)
        except Terminal as error:
            self._refusals.refused(change.kind, error)
            raise
        self._refusals.written(change.kind)
        self.reader.put(self.zone, change.name, CachedRecordSet(written, self.services.clock()))

    def _record_write(self, change: Change, dirty: DirtyName) -> None:
        """Measure a write, and have it kept beside the work: nobody who asks for a name waits for its history."""
        now, region = self.services.clock(), self.zone.region
        self.services.measure("writes", 1, zone=region, kind=change.kind)
        if dirty.cause.startswith("event "):
            self.services.measure("delivery_to_dns", max(0.0, now - dirty.since), zone=region)
        who = (dirty.cause, dirty.by, dirty.reason_given)
        self._unsaved_history.append(
            RecordChange(change.name, now, change.word, change.old, change.new, change.reason, *who)
        )
        if self._history_task is None or self._history_task.done():
            self._history_task = asyncio.get_running_loop().create_task(self._flush_history())

    async def _flush_history(self) -> None:
        while self._unsaved_history:
            past, self._unsaved_history = self._unsaved_history, []
            try:
                await self.services.catalog.add_history(self.zone.key, past)
            except NearzoneError as error:  # The record sets are right; the log lines tell what is missing here.
                self.task.report.fail(f"history of {self.zone.fqdn} ({self.zone.region})", error)

    async def _renew_lease(self) -> None:
        """One at a time. Raises TakenError where the zone is, or was meanwhile, another instance's."""
        async with self._renewing:
            if self._lease_seconds_left() > LEASE_SECONDS / 2:
                return
            lease = await self.services.acquire(self.zone)
            if lease is None:
                raise LeaseTakenError("another instance has taken the zone over")
            if (
                lease.recent_writes is None
            ):  # It took the zone and died: this run began in another minute than it goes on.
                raise LeaseTakenError("another instance had taken the zone over")
            self._lease_generation += self._lease_seconds_left() <= 0.0
            self.lease_expires = lease.expires

    def _lease_seconds_left(self) -> float:
        """Seconds before another instance, whose clock may be ahead, can take the zone; 0 where that is unknown."""
        left = self.lease_expires - self.services.clock()
        return (
            left - TOLERANCE if left <= LEASE_SECONDS + TOLERANCE else 0.0
        )  # Otherwise the clock was set back meanwhile.
