"""Draining: the one path on which record sets are written, by the holder of the zone's lease.

Who drains a zone when, in this process and among instances, stands here; what is done under the lease, in run.py.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from shared.model import Alarm, Zone
from shared.plan import Skip
from shared.ports import EVERY_NAME
from shared.queue import Queue
from shared.report import Report
from shared.run import CALLER_PATIENCE, FrozenError, Means, Run, TakenError, Task
from shared.turn import Turn

TAKEN_PAUSE = 2.0
"""Seconds after which a zone is tried again that another instance has."""
INCOMPLETE = Alarm(
    "no complete sweep yet under these settings",
    "the catalog may not know every claim: no name is changed by an event, no address is taken away",
    "wait for the next sweep, or resync; where sweeps fail, their failures say why",
)


@dataclass
class Drainer(Means):
    """Settles dirty names."""

    _turns: defaultdict[str, Turn] = field(default_factory=lambda: defaultdict(Turn))
    _queues: dict[str, Queue] = field(default_factory=dict)

    async def drain(
        self, zones: Sequence[Zone], deadline: float, report: Report, *, wait: bool = False, partial: bool = False
    ) -> None:
        """Settle what is dirty until the deadline; failures go into the report, for each name the last one.

        Ends before the deadline where all that is left is backed off for longer than `run.CALLER_PATIENCE`. Where
        somebody in this process drains a zone already, the last one who comes waits, to take over when that one's
        time is up, and everybody else leaves it to them, unless they `wait`. `partial`: the catalog does not know every
        claim, so write only what narrows nothing.
        """
        epoch = await self.complete()
        if not partial and not epoch:
            report.alarms.append(INCOMPLETE)
        else:
            task = Task(deadline, report, "" if partial else epoch)
            work = (self._drain_zone(zone, task, stays=wait) for zone in zones)
            for outcome in await asyncio.gather(*work, return_exceptions=True):
                if outcome is not None:  # Only after every zone has come to its end, and given its lease back.
                    raise outcome
        if wait:  # Somebody reads the report.
            report.waiting = [row.value for zone in zones for row in await self.catalog.dirty(zone.key)]
            report.left = len(report.waiting)

    def foresee(self, names: Iterable[str]) -> None:
        """Read the record sets of names that may be dirty in a moment, beside what else has to be read."""
        for name in names:
            for zone in self.settings.zones:
                self.reader.foresee(zone, name)

    def turn(self, zone: Zone) -> Turn:
        """Who works on a zone in this process."""
        return self._turns[zone.key]

    def queue(self, zone: Zone) -> Queue:
        """What is dirty in a zone, as this process sees it."""
        return self._queues.setdefault(zone.key, Queue(self.reader.budgets[zone.key]))

    async def _drain_zone(self, zone: Zone, task: Task, *, stays: bool) -> None:
        """Until nothing can be done before the deadline. Looking again after a release finds what was marked late."""
        turn, queue = self.turn(zone), self.queue(zone)
        turn.news.set()  # Who works on this zone already shall see what the caller has marked.
        if not await turn.take(self.clock(), task.deadline, stays=stays):
            return
        try:
            while True:
                turn.news.clear()
                read_at = self.clock()
                queue.take(await self.catalog.dirty(zone.key), read_at, self.clock())
                if queue.soonest(self.clock(), CALLER_PATIENCE) >= task.deadline:
                    if turn.news.is_set():  # Marked while the rows were read, by somebody who has left it to this one.
                        continue
                    return
                if not await self._drain_held(zone, task):
                    if turn.news.is_set() and self.clock() < task.deadline:
                        continue
                    if not stays or self.clock() + TAKEN_PAUSE >= task.deadline:
                        return
                    await asyncio.sleep(TAKEN_PAUSE)
        except FrozenError as error:
            task.report.skips.append(Skip(zone.id, EVERY_NAME, f"{error}: its names stay dirty"))
        finally:
            turn.give()

    async def _drain_held(self, zone: Zone, task: Task) -> bool:
        """Work under the zone's lease; False where another instance has it."""
        expires = await self._hold(zone)
        if expires is None:
            return False
        try:
            await Run(self, zone, task, expires, self.queue(zone), self.turn(zone)).work()
        except TakenError:
            return False
        finally:
            spent = self.reader.budgets[zone.key].writes(self.clock())
            # To its end: a release that was given up could come late, and end the next run's lease.
            await self.catalog.release(zone.key, self.holder, spent)
        return True

    async def _hold(self, zone: Zone) -> float | None:
        """Take a zone; gives the lease's end, None where another instance has it."""
        lease = await self.acquire(zone)
        while lease and lease.spent is None:  # Written down, or prolonging the lease would assume the worst once more.
            await self.catalog.release(zone.key, self.holder, self.reader.budgets[zone.key].writes(self.clock()))
            lease = await self.acquire(zone)
        return lease.expires if lease else None
