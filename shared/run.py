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

from shared.budget import back_off
from shared.clock import TOLERANCE
from shared.errors import Conflict, NearzoneError, Terminal, Transient
from shared.findings import Findings
from shared.latency import Latency
from shared.model import Dirty, Order, Past, RecordSet, Zone, freeze
from shared.plan import Change, Skip, compare, judge, unmarked
from shared.ports import Catalog, Lease, Measure, RecordSets, Stored, unmeasured
from shared.queue import Queue
from shared.reader import Known, Reader, TooLateError
from shared.refusals import Refusals
from shared.report import NOT_TRIED, Report, decided
from shared.routing import claimed, keep_open, route
from shared.settings import Settings
from shared.together import all_of
from shared.turn import Turn

UNUSED = 6 * 3600.0
"""Seconds without a sweep after which the catalog may not know what has happened."""
LEASE = 60.0
"""Seconds for which a zone is taken."""
REQUEST = 10.0
"""Seconds that a request may take: a write starts only while more of the lease than this is left."""
AT_ONCE = 4
LOOK = 0.25
"""Seconds after which the dirty rows are read again, to find what other instances have marked."""
MOMENT = 0.001
"""Seconds that are waited at least: sums of times since the epoch are not exact, so that a shorter wait may not end."""
LOOK_SHARE = 0.00025
"""Seconds for each dirty row in which it is not read again, so that reading many of them does not become the work."""
MANY = 8
"""So many record sets that have to be read are worth a list."""
LIST_PAUSE = 10.0
"""Seconds between the beginnings of two lists of a zone."""
UNKNOWN_PAUSE = 10.0
"""Seconds after which a name is looked at again that the catalog did not know enough of."""
READING_PAUSE = 2.0
"""The same for a name whose claimants are being read."""
UNREAD_SECONDS = 30.0
"""Seconds for which nothing is added to a name while claimants of it are being read; addresses go away at once."""
PATIENCE = 5
"""Failed conditions of a name after which it is backed off."""
CALLER_PATIENCE = 8.5
"""Seconds for which a caller is kept waiting for a name that is backed off: three attempts after the first one where
trying again may help (after 2, 4 and 8 s), none where it does not. The next drain takes up what is left."""
ERROR = 400
"""So many characters of an error are kept with a name."""
LAST_WORDS = 3.0
"""Seconds that a run which ends may take to keep the history of what it has written."""

_log = logging.getLogger("nearzone")


class _NotYetError(NearzoneError):
    """Nothing failed: the zone's budget lets this change go later. `change`: which one."""

    def __init__(self, change: Change) -> None:
        super().__init__(f"{change.kind} waits for the zone's budget")
        self.change = change


class _NotTriedError(NearzoneError):
    """The zone has refused writes like this one for a cause of its own. `answer`: what it says."""

    def __init__(self, answer: Terminal) -> None:
        super().__init__(f"{NOT_TRIED}{answer}")
        self.answer = answer


class _NotKnownError(NearzoneError):
    """The catalog does not know enough of the name's claims yet. `pause`: seconds until the next attempt."""

    def __init__(self, message: str, pause: float) -> None:
        super().__init__(message)
        self.pause = pause


class _StaleError(NearzoneError):
    """The lease has lapsed since the claims were read: somebody else may have settled the name meanwhile."""


class TakenError(NearzoneError):
    """The lease is another instance's: nothing may be written any more."""


class FrozenError(NearzoneError):
    """A person has ordered that nothing is written to this zone; its names stay dirty."""


@dataclass(frozen=True, slots=True)
class Task:
    """What a drain is asked for. `epoch`: of the catalog that knows every claim, or "": write what narrows nothing."""

    deadline: float
    report: Report
    epoch: str


@dataclass
class Means:
    """What a run works with. `holder` names this process in leases; `clock`: seconds since the epoch."""

    catalog: Catalog
    record_sets: RecordSets
    settings: Settings
    latency: Latency
    clock: Callable[[], float]
    holder: str
    measure: Measure = unmeasured

    def __post_init__(self) -> None:
        self.reader = Reader(self.record_sets, self.clock)
        self.findings = Findings(self.catalog, self.measure)

    async def complete(self) -> str:
        """The catalog's epoch where it knows every claim under the present settings, otherwise "".

        One in which no sweep has begun for hours was not in use: its deployment had other settings meanwhile, or none.
        """
        stored = await self.catalog.marker()
        known = stored and stored.value.completed_at > 0 and stored.value.digest == self.settings.digest
        if stored and self.clock() - stored.value.attempted_at >= UNUSED:
            return ""
        return stored.value.epoch if stored and known else ""

    async def orders(self) -> tuple[Order, ...]:
        """The orders in force now."""
        now = self.clock()
        return tuple(stored.value for stored in await self.catalog.orders() if stored.value.until > now)

    async def frozen(self, zone: Zone) -> Order | None:
        """The order that nothing is written to a zone."""
        return freeze(zone, await self.orders())

    async def acquire(self, zone: Zone) -> Lease | None:
        """Take or prolong a zone's lease and learn what others have written; None where it is taken."""
        lease = await self.catalog.acquire(zone.key, self.holder, self.clock(), LEASE)
        if lease is None:
            return None
        new = self.reader.budgets[zone.key].learn(lease.spent, self.clock())
        self.reader.learn(zone, None if lease.spent is None else new)
        return lease


@dataclass
class Run:
    """The work on one zone under one lease."""

    of: Means
    zone: Zone
    task: Task
    lease_expires: float
    queue: Queue
    turn: Turn
    _tenure: int = 0
    """Goes up when the lease has lapsed and was taken again."""
    _error: NearzoneError | None = None
    _looking: asyncio.Lock = field(default_factory=asyncio.Lock)
    _prolonging: asyncio.Lock = field(default_factory=asyncio.Lock)
    _list: asyncio.Task[None] | None = None
    _past: list[Past] = field(default_factory=list)
    """What was written, and is not in the history yet."""
    _keeping: asyncio.Task[None] | None = None
    _refusals: Refusals = field(default_factory=Refusals)

    def __post_init__(self) -> None:
        self.reader = self.of.reader
        self._look_at = self.of.clock() + LOOK_SHARE * self.queue.size

    async def work(self) -> None:
        """Settle name after name, a few at a time, until nothing can be done before the deadline."""
        self._read_ahead()
        try:
            await all_of(self._work() for _ in range(AT_ONCE))
        finally:
            self.queue.hold(())
            if self._list:
                self._list.cancel()
            if self._keeping:
                done, _ = await asyncio.wait((self._keeping,), timeout=LAST_WORDS)
                self._keeping.cancel()
                for task in done:
                    task.result()  # Its errors are in the report; what is raised here is a bug.
        if self._error:
            raise self._error

    async def _work(self) -> None:
        try:
            while row := await self._next():
                waits = None
                try:
                    waits = await self._try(row)
                finally:
                    self.queue.done(row, self.of.clock(), waits)
                if not self.queue.busy:
                    self.turn.news.set()  # Who waits for the others need not wait any longer.
        except NearzoneError as error:  # The others end as well, before the lease is given back.
            self._error = self._error or error

    async def _next(self) -> Stored[Dirty] | None:
        """The most urgent name, as soon as one may go; None where none will before the deadline."""
        deadline = self.task.deadline
        while (now := self.of.clock()) < deadline and not self._error:
            async with self._looking:
                await self._look()
            if row := self.queue.next(self.of.clock()):
                return row
            soonest = self.queue.soonest(now, CALLER_PATIENCE)
            if soonest >= deadline and not self.queue.busy and not self._list:
                return None
            if self.turn.news.is_set():  # It was too early to read the rows again.
                await asyncio.sleep(max(self._look_at - now, 0.01))
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(min(max(soonest - now, MOMENT), LOOK) if soonest > now else LOOK):
                    await self.turn.news.wait()
        return None

    async def _look(self) -> None:
        """Read the dirty rows again, where names were marked in this process, or may have been in another one."""
        if self._left() <= LEASE / 2:  # Also while all wait: a lease that lapses is a crash.
            await self._prolong()
        if self.of.clock() >= self._look_at + (0.0 if self.turn.news.is_set() else LOOK):
            self.turn.news.clear()
            read_at = self.of.clock()
            self.queue.take(await self.of.catalog.dirty(self.zone.key), read_at, self.of.clock())
            self._look_at = self.of.clock() + LOOK_SHARE * self.queue.size
            self._read_ahead()

    def _read_ahead(self) -> None:
        """Where many record sets have to be read, a list reads them, and names that are not urgent wait for it."""
        now, turn = self.of.clock(), self.turn
        if self._list and self._list.done():
            self._list = None
        self.queue.hold(())  # Those held until now are due as well.
        unread = [row for row in self.queue.due(now) if self.reader.known(self.zone, row.value.name) is None]
        for row in [row for row in unread if not row.value.urgency.host][:MANY]:
            self.reader.foresee(self.zone, row.value.name)
        if self._list is None and len(unread) >= max(MANY, turn.worth) and turn.next_list <= now:
            turn.next_list = now + LIST_PAUSE
            self._list = asyncio.get_running_loop().create_task(self._list_for(unread))
        if self._list:
            self.queue.hold(row.value.name for row in unread if row.value.urgency.host)

    async def _list_for(self, rows: Sequence[Stored[Dirty]]) -> None:
        try:
            async with asyncio.timeout(LIST_PAUSE):  # Names wait for it.
                found = await self.reader.read_ahead(self.zone, rows)
        except (NearzoneError, TimeoutError):  # They are read one by one, and meet the error there.
            self.turn.next_list = self.of.clock() + 10 * LIST_PAUSE
        else:
            self.turn.worth = 0 if found else 2 * len(rows)
        self.turn.news.set()

    async def _try(self, row: Stored[Dirty]) -> Change | None:
        """Settle one name, or note when to try it again; gives the change that has to wait for the budget."""
        dirty = row.value
        self.task.report.tried.add((self.zone.key, dirty.name))
        try:
            await self._settle(row)
            self.task.report.settle_name(self.zone, dirty.name)
            return None
        except _NotYetError as error:
            return error.change
        except (TooLateError, _StaleError):
            return None  # Dirty and due as before.
        except _NotKnownError as error:
            self.task.report.put_off_name(self.zone, dirty.name, str(error))
            await self._later(row, error.pause, error, failed=False)
        except Conflict as error:
            self.of.measure("conflicts", 1, zone=self.zone.region)
            delay = 0.0 if dirty.attempts < PATIENCE else back_off(dirty.attempts - PATIENCE + 1, None)
            await self._later(row, delay, error)
        except Transient as error:
            self._fail(dirty, error)
            if error.retry_after:
                self.queue.pause(self.of.clock() + error.retry_after)
            await self._later(row, back_off(dirty.attempts + 1, error.retry_after), error)
        except (Terminal, _NotTriedError) as error:
            self._fail(dirty, error)
            answer = error.answer if isinstance(error, _NotTriedError) else error
            await self._later(row, back_off(dirty.attempts + 6, None), answer)
        self.reader.forget(self.zone, dirty.name)
        return None

    def _fail(self, dirty: Dirty, error: NearzoneError) -> None:
        self.of.measure("failures", 1, zone=self.zone.region)
        self.task.report.fail_name(self.zone, dirty.name, error)
        # What was not tried has the error of those that were, which the log has already.
        level = logging.INFO if isinstance(error, _NotTriedError) else logging.ERROR
        _log.log(level, "%s", decided("failed", self.zone, dirty, reason=f"{type(error).__name__}: {error}"))

    async def _later(self, row: Stored[Dirty], delay: float, error: NearzoneError, *, failed: bool = True) -> None:
        later = replace(
            row.value,
            attempts=row.value.attempts + failed,
            not_before=self.of.clock() + delay,
            last_error=str(error)[:ERROR],
        )
        if seen := self.reader.known(self.zone, row.value.name):
            later = replace(later, holds=seen.record_set.addresses if seen.record_set else (), held_at=seen.at)
        try:
            await self.of.catalog.put_dirty(later, row.etag)
        except Conflict:
            pass  # Marked again meanwhile: it will be looked at in any case.
        except NearzoneError as worse:  # The row stays as it was: dirty, and due.
            self.task.report.fail_name(self.zone, row.value.name, worse)

    async def _settle(self, row: Stored[Dirty]) -> None:
        name, tenure = row.value.name, self._tenure
        known = await self.reader.latest(self.zone, row, self.task.deadline)
        found = await self._decide(row.value, known.record_set)
        if not isinstance(found, Change) and known.row != row.etag:
            known = await self.reader.get(self.zone, name, row.etag, self.task.deadline)
            found = await self._decide(row.value, known.record_set)
        if isinstance(found, Skip):
            self.task.report.skips.append(found)
            _log.info("%s", decided("skip", self.zone, row.value, reason=found.reason))
            if found.blocked and found.blocked.concerns:
                blocked = replace(found.blocked, at=known.at)
                self.task.report.alarms += await self.of.findings.note(self.zone, blocked)
        if isinstance(found, Change):
            if self.of.settings.apply:
                self.reader.remember(self.zone, name, known)
                await self._write(found, tenure)
                self._written(found, row.value)
            self.task.report.changes.append(found)
            what = found.word if self.of.settings.apply else f"would {found.word}"
            _log.info("%s", decided(what, self.zone, row.value, found.old, found.new, found.reason))
        with suppress(Conflict):  # Marked again meanwhile: again.
            await self.of.catalog.clear(self.zone.key, name, row.etag)

    async def _decide(self, dirty: Dirty, actual: RecordSet | None) -> Change | Skip | None:
        """What has to be done, by claims that are read after the record set was."""
        of = self.of
        claimants, orders = await asyncio.gather(of.catalog.claimants(dirty.name), of.orders())
        if freeze(self.zone, orders):
            raise FrozenError(f"{self.zone.fqdn} ({self.zone.region}) is frozen")
        endpoints = [claimant.endpoint for claimant in claimants]
        since = of.clock() - UNREAD_SECONDS
        unread = sum(each.endpoint.unread and each.seen_at > since for each in claimants)
        answer = route(self.zone, dirty.name, endpoints, orders, of.settings, of.latency)
        answer = keep_open(answer, actual, endpoints, orders, of.settings, only_remove=unread > 0)
        was_ours = unmarked(actual) and await of.catalog.owns(self.zone.key, dirty.name)
        adopt = dirty.adopt or (dirty.regain and was_ours)
        found = compare(self.zone, answer, actual, of.settings.owner, adopt=adopt, was_ours=was_ours)
        if isinstance(found, Skip) and found.blocked:
            by_somebody = claimed(dirty.name, endpoints, of.settings)
            return replace(found, blocked=replace(found.blocked, claimed=by_somebody))
        if not isinstance(found, Change):
            if unread:
                raise _NotKnownError(f"{unread} of its claimants are being read", READING_PAUSE)
            return found
        # Asked after the claims were read: a catalog that was lost before would have shown none.
        if found.narrows and (not self.task.epoch or await of.complete() != self.task.epoch):
            raise _NotKnownError("not narrowed before a complete sweep", UNKNOWN_PAUSE)
        return self._permit(judge(found, endpoints, orders), dirty)

    def _permit(self, change: Change, dirty: Dirty) -> Change | Skip:
        if change.empties and not change.seen and not dirty.cleared:
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
        while self._left() <= REQUEST:  # Taking it may have taken long.
            await self._prolong()
        if self._tenure != tenure:
            raise _StaleError(f"the lease of {self.zone.fqdn} ({self.zone.region}) has lapsed")
        now = self.of.clock()  # No await between the look at the budget and spending from it: four names share it.
        if self.queue.wait(change, now) > 0:
            raise _NotYetError(change)
        self.reader.budgets[self.zone.key].spend(change.kind, change.name, now)
        sets, etag = self.of.record_sets, change.before.etag if change.before else None
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
        self.reader.remember(self.zone, change.name, Known(written, self.of.clock()))

    def _written(self, change: Change, dirty: Dirty) -> None:
        """Measure a write, and have it kept beside the work: nobody who asks for a name waits for its history."""
        now, region = self.of.clock(), self.zone.region
        self.of.measure("writes", 1, zone=region, kind=change.kind)
        if dirty.cause.startswith("event "):
            self.of.measure("delivery_to_dns", max(0.0, now - dirty.since), zone=region)
        who = (dirty.cause, dirty.by, dirty.reason_given)
        self._past.append(Past(change.name, now, change.word, change.old, change.new, change.reason, *who))
        if self._keeping is None or self._keeping.done():
            self._keeping = asyncio.get_running_loop().create_task(self._keep())

    async def _keep(self) -> None:
        while self._past:
            past, self._past = self._past, []
            try:
                await self.of.catalog.keep(self.zone.key, past)
            except NearzoneError as error:  # The record sets are right; the log lines tell what is missing here.
                self.task.report.fail(f"history of {self.zone.fqdn} ({self.zone.region})", error)

    async def _prolong(self) -> None:
        """One at a time. Raises TakenError where the zone is, or was meanwhile, another instance's."""
        async with self._prolonging:
            if self._left() > LEASE / 2:
                return
            lease = await self.of.acquire(self.zone)
            if lease is None:
                raise TakenError("another instance has taken the zone over")
            if lease.spent is None:  # It took the zone and died: this run began in another minute than it goes on.
                raise TakenError("another instance had taken the zone over")
            self._tenure += self._left() <= 0.0
            self.lease_expires = lease.expires

    def _left(self) -> float:
        """Seconds before another instance, whose clock may be ahead, can take the zone; 0 where that is unknown."""
        left = self.lease_expires - self.of.clock()
        return left - TOLERANCE if left <= LEASE + TOLERANCE else 0.0  # Otherwise the clock was set back meanwhile.
