"""Conditional writes of record sets, under the zone's lease and inside its budget."""

from __future__ import annotations

from dataclasses import dataclass, field

from shared.decide.dirty_queue import DirtyQueue
from shared.decide.plan import Change
from shared.decide.zone_refusals import ZoneRefusals
from shared.domain.errors import Terminal
from shared.domain.zones import RecordSet, Zone
from shared.loop.zone.lease import REQUEST_SECONDS, ZoneLease
from shared.loop.zone.outcomes import Done, LeaseChanged, LeaseTaken, NotTried, WaitForBudget
from shared.loop.zone.record_cache import RecordSetCache
from shared.loop.zone.record_reads import CachedRecordSet
from shared.loop.zone.services import LoopServices


@dataclass
class RecordWriter:
    """The writes of one run to one zone."""

    services: LoopServices
    zone: Zone
    cache: RecordSetCache
    queue: DirtyQueue
    lease: ZoneLease
    _refusals: ZoneRefusals = field(default_factory=ZoneRefusals)

    async def write(
        self, change: Change, generation: int
    ) -> Done | NotTried | LeaseTaken | LeaseChanged | WaitForBudget:
        """Write on condition of the etag that was read. `generation`: of the lease in which the claims were read.

        Raises Conflict, Transient, Terminal.
        """
        if answer := self._refusals.of(change.kind):
            return NotTried(answer)
        while self.lease.seconds_left() <= REQUEST_SECONDS:  # Renewing it may have taken long.
            if taken := await self.lease.renew():
                return taken
        if self.lease.generation != generation:
            return LeaseChanged()
        now = self.services.clock()
        # No await between checking the budget and recording the write in it: several names share the budget.
        if self.queue.wait(change, now) > 0:
            return WaitForBudget(change)
        self.cache.budget.record(change.kind, change.name, now)
        try:
            written = await self._send(change)
        except Terminal as error:
            self._refusals.refused(change.kind, error)
            raise
        self._refusals.written(change.kind)
        self.cache.put(change.name, CachedRecordSet(written, self.services.clock()))
        return Done()

    async def _send(self, change: Change) -> RecordSet | None:
        sets, before = self.services.record_sets, change.before
        if change.after:
            return await sets.put(self.zone, change.after, before.etag if before else None)
        if before:
            await sets.delete(self.zone, change.name, before.etag)
        return None
