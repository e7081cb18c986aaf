"""Draining: the one path on which record sets are written, by the holder of the zone's lease.

Who drains a zone when, in this process and among instances, stands here; what is done under the lease, in run.py.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from shared.decide.dirty_queue import DirtyQueue
from shared.decide.plan import Skip
from shared.domain.alarms import Alarm
from shared.domain.catalog_rows import WHOLE_ZONE
from shared.domain.zones import Zone
from shared.edge.report import Report
from shared.loop.zone.slot import ZoneSlot
from shared.loop.zone.worker import (
    MAX_BACKOFF_WAIT_SECONDS,
    ApplyRequest,
    LeaseTakenError,
    LoopServices,
    ZoneFrozenError,
    ZoneWorker,
)

LEASE_TAKEN_SECONDS = 2.0
"""Seconds after which a zone is tried again that another instance has."""
INCOMPLETE = Alarm(
    "no complete sweep yet under these settings",
    "the catalog may not know every claim: no name is changed by an event, no address is taken away",
    "wait for the next sweep, or resync; where sweeps fail, their failures say why",
)


@dataclass
class ZoneApplier(LoopServices):
    """Settles dirty names."""

    _slots: defaultdict[str, ZoneSlot] = field(default_factory=lambda: defaultdict(ZoneSlot))
    _queues: dict[str, DirtyQueue] = field(default_factory=dict)

    async def apply(
        self, zones: Sequence[Zone], deadline: float, report: Report, *, wait: bool = False, partial: bool = False
    ) -> None:
        """Settle what is dirty until the deadline; failures go into the report, for each name the last one.

        Ends before the deadline where all that is left is backed off for longer than `run.CALLER_PATIENCE`. Where
        somebody in this process drains a zone already, the last one who comes waits, to take over when that one's
        time is up, and everybody else leaves it to them, unless they `wait`. `partial`: the catalog does not know every
        claim, so write only what narrows nothing.
        """
        epoch = await self.complete_epoch()
        if not partial and not epoch:
            report.alarms.append(INCOMPLETE)
        else:
            task = ApplyRequest(deadline, report, "" if partial else epoch)
            work = (self._apply_zone(zone, task, stays=wait) for zone in zones)
            for outcome in await asyncio.gather(*work, return_exceptions=True):
                if outcome is not None:  # Only after every zone has come to its end, and given its lease back.
                    raise outcome
        if wait:  # Somebody reads the report.
            report.waiting = [row.value for zone in zones for row in await self.catalog.dirty(zone.key)]
            report.names_remaining = len(report.waiting)

    def prefetch(self, names: Iterable[str]) -> None:
        """Read the record sets of names that may be dirty in a moment, beside what else has to be read."""
        for name in names:
            for zone in self.settings.zones:
                self.record_cache.prefetch(zone, name)

    def slot_of(self, zone: Zone) -> ZoneSlot:
        """Who works on a zone in this process."""
        return self._slots[zone.key]

    def queue_of(self, zone: Zone) -> DirtyQueue:
        """What is dirty in a zone, as this process sees it."""
        return self._queues.setdefault(zone.key, DirtyQueue(self.record_cache.budgets[zone.key]))

    async def _apply_zone(self, zone: Zone, task: ApplyRequest, *, stays: bool) -> None:
        """Until nothing can be done before the deadline. Looking again after a release finds what was marked late."""
        turn, queue = self.slot_of(zone), self.queue_of(zone)
        turn.new_work.set()  # Who works on this zone already shall see what the caller has marked.
        if not await turn.acquire(self.clock(), task.deadline, stays=stays):
            return
        try:
            while True:
                turn.new_work.clear()
                read_at = self.clock()
                queue.replace_rows(await self.catalog.dirty(zone.key), read_at, self.clock())
                if queue.next_ready_at(self.clock(), MAX_BACKOFF_WAIT_SECONDS) >= task.deadline:
                    if (
                        turn.new_work.is_set()
                    ):  # Marked while the rows were read, by somebody who has left it to this one.
                        continue
                    return
                if not await self._apply_under_lease(zone, task):
                    if turn.new_work.is_set() and self.clock() < task.deadline:
                        continue
                    if not stays or self.clock() + LEASE_TAKEN_SECONDS >= task.deadline:
                        return
                    await asyncio.sleep(LEASE_TAKEN_SECONDS)
        except ZoneFrozenError as error:
            task.report.skips.append(Skip(zone.id, WHOLE_ZONE, f"{error}: its names stay dirty"))
        finally:
            turn.release()

    async def _apply_under_lease(self, zone: Zone, task: ApplyRequest) -> bool:
        """Work under the zone's lease; False where another instance has it."""
        expires = await self._take_lease(zone)
        if expires is None:
            return False
        try:
            await ZoneWorker(self, zone, task, expires, self.queue_of(zone), self.slot_of(zone)).run()
        except LeaseTakenError:
            return False
        finally:
            spent = self.record_cache.budgets[zone.key].recent_writes(self.clock())
            # To its end: a release that was given up could come late, and end the next run's lease.
            await self.catalog.release(zone.key, self.holder, spent)
        return True

    async def _take_lease(self, zone: Zone) -> float | None:
        """Take a zone; gives the lease's end, None where another instance has it."""
        lease = await self.acquire(zone)
        while (
            lease and lease.recent_writes is None
        ):  # Written down, or prolonging the lease would assume the worst once more.
            await self.catalog.release(
                zone.key, self.holder, self.record_cache.budgets[zone.key].recent_writes(self.clock())
            )
            lease = await self.acquire(zone)
        return lease.expires if lease else None
