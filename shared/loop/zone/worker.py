"""The work on one zone under its lease: name by name, most urgent first, inside the zone's budget.

This module decides which name is next and when a run ends; `name_attempt.py` has the steps of one name.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field

from shared.decide.dirty_queue import DirtyQueue
from shared.decide.plan import Skip
from shared.domain.catalog_rows import WHOLE_ZONE, Versioned
from shared.domain.concurrency import gather_bounded
from shared.domain.dirty import DirtyName
from shared.domain.errors import NearzoneError
from shared.domain.zones import Zone
from shared.loop.zone.dirty_rows import DirtyRows
from shared.loop.zone.history_writer import HistoryWriter
from shared.loop.zone.lease import ZoneLease
from shared.loop.zone.list_planner import ListPlanner
from shared.loop.zone.name_attempt import NameAttempts
from shared.loop.zone.outcomes import LeaseTaken, ZoneFrozen
from shared.loop.zone.record_cache import RecordSetCache
from shared.loop.zone.record_writer import RecordWriter
from shared.loop.zone.services import ApplyRequest, LoopServices
from shared.loop.zone.slot import ZoneSlot

LEASE_TAKEN_SECONDS = 2.0
"""Seconds between attempts to take a zone whose lease another instance holds."""
NAMES_AT_ONCE = 4
QUEUE_REFRESH_SECONDS = 0.25
"""Seconds after which the dirty rows are read again, to find what other instances have marked."""
QUEUE_REFRESH_SECONDS_PER_ROW = 0.00025
"""Seconds by which each dirty row delays the next read of the rows, so that a long queue is read less often."""
MIN_SLEEP_SECONDS = 0.001
"""Shortest wait in seconds: sums of times since the epoch are not exact, so that a shorter one may not end."""
MAX_BACKOFF_WAIT_SECONDS = 8.5
"""Seconds for which a caller waits for a name that is backed off: three more attempts where another attempt may help
(after 2, 4 and 8 s), none where it does not. A later call continues."""


@dataclass
class _Run:
    """One run: the work on the zone under one lease. `ended`: why it ends before its work is done."""

    request: ApplyRequest
    names: NameAttempts
    rows: DirtyRows
    refresh_at: float
    ended: LeaseTaken | ZoneFrozen | NearzoneError | None = None
    refreshing: asyncio.Lock = field(default_factory=asyncio.Lock)


class ZoneWorker:
    """One process's state of one zone: lease, queue, record cache and budget, list planning, and slot.

    It works only during `apply`, in one call at a time. No task outlives the call, but for prefetches: single GETs,
    whose result is dropped if it is not used within `prefetches.PREFETCH_TTL_SECONDS`.
    """

    def __init__(self, services: LoopServices, zone: Zone, cache: RecordSetCache) -> None:
        self.services, self.zone, self.cache, self.clock = services, zone, cache, services.clock
        self.slot, self.queue = ZoneSlot(), DirtyQueue(cache.budget)
        self.lease = ZoneLease(services, zone, cache)
        self.lists = ListPlanner(cache, self.queue, self.slot.new_work, self.clock)

    async def apply(self, request: ApplyRequest) -> None:
        """Settle names until nothing can be done before the deadline, or another call of this process does it."""
        self.slot.new_work.set()  # So that an active call reads what the caller has marked.
        if not await self.slot.acquire(self.clock(), request.deadline, keep_waiting=request.keep_waiting):
            return
        try:
            while await self._apply_pass(request):
                pass
        finally:
            self.slot.release()

    async def _apply_pass(self, request: ApplyRequest) -> bool:
        """Read the dirty rows and settle them. Return True if they have to be read again."""
        new_work = self.slot.new_work
        new_work.clear()
        await self._read_rows()
        if self.queue.next_ready_at(self.clock(), MAX_BACKOFF_WAIT_SECONDS) >= request.deadline:
            return new_work.is_set()  # While the rows were read, another call marked names and left them to this one.
        match await self._apply_under_lease(request):
            case ZoneFrozen():
                reason = f"{self.zone.fqdn} ({self.zone.region}) is frozen: its names stay dirty"
                request.report.skips.append(Skip(self.zone.id, WHOLE_ZONE, reason))
                return False
            case LeaseTaken():
                if new_work.is_set() and self.clock() < request.deadline:
                    return True
                if not request.keep_waiting or self.clock() + LEASE_TAKEN_SECONDS >= request.deadline:
                    return False
                await asyncio.sleep(LEASE_TAKEN_SECONDS)
        return True

    async def _apply_under_lease(self, request: ApplyRequest) -> LeaseTaken | ZoneFrozen | None:
        if not await self.lease.take():
            return LeaseTaken()
        try:
            return await self._run(request)
        finally:
            # Awaited to its end: a release that was given up could come late, and end the next run's lease.
            await self.lease.release()

    async def _run(self, request: ApplyRequest) -> LeaseTaken | ZoneFrozen | None:
        """Settle name after name, a few at a time, until nothing can be done before the deadline."""
        history = HistoryWriter(self.services.catalog, self.zone, request.report)
        writer = RecordWriter(self.services, self.zone, self.cache, self.queue, self.lease)
        names = NameAttempts(self.services, self.zone, request, self.cache, writer, history)
        rows = DirtyRows(self.services, self.zone, self.cache, self.queue, request.report)
        run = _Run(request, names, rows, self._next_refresh())
        self.lists.plan()
        try:
            await gather_bounded(self._settle_names(run) for _ in range(NAMES_AT_ONCE))
        finally:  # No task may outlive the run.
            self.lists.stop()
            await history.close()
        if isinstance(run.ended, NearzoneError):
            raise run.ended
        return run.ended

    async def _settle_names(self, run: _Run) -> None:
        try:
            while row := await self._next_name(run):
                waits = None
                try:
                    outcome = await run.names.attempt(row)
                    waits = await run.rows.settle(row, outcome)
                finally:
                    self.queue.finish(row, self.clock(), waits)
                if isinstance(outcome, LeaseTaken | ZoneFrozen):
                    run.ended = run.ended or outcome
                elif not self.queue.busy:
                    self.slot.new_work.set()  # A worker that waits for the others' names need not wait any longer.
        except NearzoneError as error:  # The other workers end as well, before the lease is given back.
            run.ended = run.ended or error

    async def _next_name(self, run: _Run) -> Versioned[DirtyName] | None:
        """Wait for a name that may be tried and return the most urgent one; None if none may before the deadline."""
        deadline, new_work = run.request.deadline, self.slot.new_work
        while (now := self.clock()) < deadline and not run.ended:
            async with run.refreshing:
                if taken := await self._refresh_queue(run):
                    run.ended = run.ended or taken
                    return None
            if row := self.queue.next(self.clock()):
                return row
            soonest = self.queue.next_ready_at(now, MAX_BACKOFF_WAIT_SECONDS)
            if soonest >= deadline and not self.queue.busy and not self.lists.is_listing:
                return None
            if new_work.is_set():  # It was too early to read the rows again.
                await asyncio.sleep(max(run.refresh_at - now, 0.01))
                continue
            wait = min(max(soonest - now, MIN_SLEEP_SECONDS), QUEUE_REFRESH_SECONDS)
            with suppress(TimeoutError):
                async with asyncio.timeout(wait if soonest > now else QUEUE_REFRESH_SECONDS):
                    await new_work.wait()
        return None

    async def _refresh_queue(self, run: _Run) -> LeaseTaken | None:
        """Read the dirty rows again, where names were marked in this process, or may have been in another one."""
        if taken := await self.lease.renew():  # Also while all workers wait: a lease that lapses counts as a crash.
            return taken
        if self.clock() >= run.refresh_at + (0.0 if self.slot.new_work.is_set() else QUEUE_REFRESH_SECONDS):
            self.slot.new_work.clear()
            await self._read_rows()
            run.refresh_at = self._next_refresh()
            self.lists.plan()
        return None

    async def _read_rows(self) -> None:
        read_at = self.clock()
        self.queue.replace_rows(await self.services.catalog.dirty(self.zone.key), read_at, self.clock())

    def _next_refresh(self) -> float:
        return self.clock() + QUEUE_REFRESH_SECONDS_PER_ROW * self.queue.size
