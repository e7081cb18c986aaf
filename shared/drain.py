"""Draining: the one path on which record sets are written, name by name, by the holder of the zone's lease.

For each name, in this order: read the dirty row, read the record set, read the claims, write on condition, clear the
dirty row on condition. A failed condition leaves the name dirty. The order was model-checked.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from shared.budget import Budget, back_off
from shared.errors import Conflict, NearzoneError, Terminal, Transient
from shared.latency import Latency
from shared.model import Dirty, Drain, Zone
from shared.plan import Change, Skip, compare, judge
from shared.ports import Catalog, RecordSets, Stored
from shared.report import Report
from shared.routing import route
from shared.settings import Settings

LEASE = 60.0
"""Seconds for which a zone is taken."""
REQUEST = 10.0
"""Seconds that a request may take: a write starts only while more of the lease than this is left."""
AT_ONCE = 4
BATCH = 40
PATIENCE = 5

_log = logging.getLogger("nearzone")


class _BudgetSpentError(NearzoneError):
    """Nothing failed: the zone's budget lets this write go only after the deadline."""

    def __init__(self, kind: str, wait: float) -> None:
        super().__init__(f"waits {wait:.0f} s for the zone's budget of {kind}s")
        self.wait = wait


@dataclass
class Drainer:
    """Settles dirty names. `holder` names this process in leases; `clock`: seconds since the epoch."""

    catalog: Catalog
    record_sets: RecordSets
    settings: Settings
    latency: Latency
    clock: Callable[[], float]
    holder: str
    _budgets: defaultdict[str, Budget] = field(default_factory=lambda: defaultdict(Budget))
    _locks: defaultdict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))

    async def drain(
        self, zones: Sequence[Zone], deadline: float, report: Report, *, wait: bool = False, partial: bool = False
    ) -> None:
        """Settle what is dirty and due in these zones until the deadline; failures go into the report.

        `wait`: where somebody in this process drains a zone already, wait for it instead of leaving it to them.
        `partial`: the catalog does not know every claim, so write only what narrows nothing.
        """
        if not partial and not await self.complete():
            report.alarms.append("no complete sweep yet under these settings: names wait for it")
        else:
            work = (self._drain_zone(zone, deadline, report, wait, partial) for zone in zones)
            for outcome in await asyncio.gather(*work, return_exceptions=True):
                if outcome is not None:  # Only after every zone has come to its end, and given its lease back.
                    raise outcome
        report.left = sum([len(await self.catalog.dirty(zone.key)) for zone in zones])

    async def complete(self) -> bool:
        """Whether the catalog knows every claim under the present settings."""
        marker = await self.catalog.marker()
        return marker.completed_at > 0 and marker.digest == self.settings.digest

    async def orders(self) -> tuple[Drain, ...]:
        """The drain orders in force now."""
        now = self.clock()
        return tuple(stored.value for stored in await self.catalog.drains() if stored.value.until > now)

    async def _drain_zone(self, zone: Zone, deadline: float, report: Report, wait: bool, partial: bool) -> None:
        """Until nothing is due. Looking again after the lease is released finds what was marked by those who left."""
        lock = self._locks[zone.key]
        while self.clock() < deadline and await self._due(zone):
            if lock.locked() and not wait:
                return
            try:
                async with asyncio.timeout(deadline - self.clock()):
                    await lock.acquire()
            except TimeoutError:
                return
            try:
                if not await self._drain_held(zone, deadline, report, partial):
                    return
            finally:
                lock.release()

    async def _drain_held(self, zone: Zone, deadline: float, report: Report, partial: bool) -> bool:
        """One batch under the zone's lease; False where another instance has it."""
        lease = await self.catalog.acquire(zone.key, self.holder, self.clock(), LEASE)
        if lease is None:
            return False
        budget = self._budgets[zone.key]
        budget.learn(lease.spent, self.clock())
        try:
            await _Run(self, zone, deadline, report, partial, lease.expires).batch(await self._due(zone))
        finally:
            await self.catalog.release(zone.key, self.holder, budget.writes(self.clock()))
        return True

    async def _due(self, zone: Zone) -> list[Stored[Dirty]]:
        now = self.clock()
        due = [row for row in await self.catalog.dirty(zone.key) if row.value.not_before <= now]
        return sorted(due, key=lambda row: (row.value.urgency, row.value.since, row.value.name))[:BATCH]


@dataclass
class _Run:
    """One batch of names of one zone, under one lease."""

    of: Drainer
    zone: Zone
    deadline: float
    report: Report
    partial: bool
    lease_expires: float

    async def batch(self, rows: Sequence[Stored[Dirty]]) -> None:
        queue = deque(rows)

        async def work() -> None:
            while queue and self.of.clock() < self.deadline:
                await self._try(queue.popleft())

        await asyncio.gather(*(work() for _ in range(AT_ONCE)))

    async def _try(self, row: Stored[Dirty]) -> None:
        """Settle one name, or note when to try it again."""
        dirty = row.value
        try:
            await self._settle(row)
        except _BudgetSpentError as error:
            await self._later(row, error.wait, error, failed=False)
        except Conflict as error:
            delay = 0.0 if dirty.attempts < PATIENCE else back_off(dirty.attempts - PATIENCE + 1, None)
            await self._later(row, delay, error)
        except Transient as error:
            self.report.fail(f"{dirty.name} in {self.zone.fqdn} ({self.zone.region})", error)
            await self._later(row, back_off(dirty.attempts + 1, error.retry_after), error)
        except Terminal as error:
            self.report.fail(f"{dirty.name} in {self.zone.fqdn} ({self.zone.region})", error)
            await self._later(row, back_off(dirty.attempts + 6, None), error)

    async def _later(self, row: Stored[Dirty], delay: float, error: NearzoneError, *, failed: bool = True) -> None:
        later = replace(
            row.value,
            attempts=row.value.attempts + failed,
            not_before=self.of.clock() + delay,
            last_error=str(error)[:500],
        )
        try:
            await self.of.catalog.put_dirty(later, row.etag)
        except Conflict:
            pass  # Marked again meanwhile: it will be looked at in any case.
        except NearzoneError as worse:  # The row stays as it was: dirty, and due.
            self.report.fail(f"{row.value.name} in {self.zone.fqdn} ({self.zone.region})", worse)

    async def _settle(self, row: Stored[Dirty]) -> None:
        dirty, zone, of = row.value, self.zone, self.of
        actual = await of.record_sets.get(zone, dirty.name)
        endpoints = [claimant.endpoint for claimant in await of.catalog.claimants(dirty.name)]
        drains = await of.orders()
        answer = route(zone, dirty.name, endpoints, drains, of.settings, of.latency)
        found = compare(zone, answer, actual, of.settings.owner, adopt=dirty.adopt)
        if isinstance(found, Change):
            found = self._permit(judge(found, endpoints, drains), dirty)
        if isinstance(found, Skip):
            self.report.skips.append(found)
        elif found and of.settings.apply:
            await self._write(found)
        if isinstance(found, Change):
            self.report.changes.append(found)
            _log.info("%s %s in %s: %s", found.kind, found.name, zone.fqdn, found.reason)
        await of.catalog.clear(zone.key, dirty.name, row.etag)

    def _permit(self, change: Change, dirty: Dirty) -> Change | Skip:
        before = set(change.before.addresses) if change.before else set()
        after = set(change.after.addresses) if change.after else set()
        if self.partial and (before - after or change.kind == "delete"):
            return Skip(self.zone.id, change.name, "not narrowed before a complete sweep")
        if change.empties and not change.seen and not dirty.cleared:
            return Skip(
                self.zone.id, change.name, "no endpoint accounts for its addresses: a sweep decides, under guard"
            )
        return change

    async def _write(self, change: Change) -> None:
        await self._pace(change.kind, change.name)
        sets, etag = self.of.record_sets, change.before.etag if change.before else None
        if change.after is None:
            await sets.delete(self.zone, change.name, etag or "")
        else:
            await sets.put(self.zone, change.after, etag)

    async def _pace(self, kind: str, name: str) -> None:
        """Wait for the budget, and make sure that the lease outlasts the request."""
        budget, clock = self.of._budgets[self.zone.key], self.of.clock  # noqa: SLF001 - one room, two classes
        while True:  # No await between the last look at the budget and spending from it: four names share it.
            wait = budget.wait(kind, clock())
            if clock() + wait > self.deadline:
                raise _BudgetSpentError(kind, wait)
            if wait > 0:
                await asyncio.sleep(wait)
            elif self.lease_expires - clock() <= REQUEST:
                await self._prolong()
            else:
                budget.spend(kind, name, clock())
                return

    async def _prolong(self) -> None:
        lease = await self.of.catalog.acquire(self.zone.key, self.of.holder, self.of.clock(), LEASE)
        if lease is None:
            raise Transient("another instance has taken the zone over")
        self.lease_expires = lease.expires
