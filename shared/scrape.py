"""What is told to those who ask for figures: how things stand now, and what every process has counted.

How things stand is read from the catalog. What this process counts is kept there as one row, for the process that is
asked shares no memory with those that do the work.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from shared.drain import Drainer
from shared.errors import NearzoneError
from shared.figures import Figures, Gauge, Tally
from shared.model import freeze

PAUSE = 30.0
"""Seconds between two writes of what a process has counted."""

_log = logging.getLogger("nearzone")


async def standing(drainer: Drainer) -> list[Gauge]:
    """How things stand, but for the blocked names, which change only when a sweep or a run finds them."""
    catalog, now, orders = drainer.catalog, drainer.clock(), await drainer.orders()
    found, stored = [], await catalog.marker()
    for zone in drainer.settings.zones:
        since = [row.value.since for row in await catalog.dirty(zone.key)]
        labels = {"zone": zone.region}
        found.append(Gauge("dirty", len(since), labels))
        found.append(Gauge("dirty.oldest", max(0.0, now - min(since, default=now)), labels))
        found.append(Gauge("frozen", 1 if freeze(zone, orders) else 0, labels))
    if stored and stored.value.completed_at:
        found.append(Gauge("sweep.age", max(0.0, now - stored.value.completed_at)))
    return found


async def blocked(drainer: Drainer) -> list[Gauge]:
    """How many names of each zone may not be written, as it was found last; nothing of a zone that was never swept."""
    found = [(zone.region, await drainer.catalog.found(zone.key)) for zone in drainer.settings.zones]
    return [Gauge("blocked", stored.value.count, {"zone": region}) for region, stored in found if stored]


@dataclass
class Tallier:
    """Keeps in the catalog what this process counts: one row, every `PAUSE` at most, and only after it has changed."""

    drainer: Drainer
    figures: Figures
    _next: float = 0.0
    _writing: asyncio.Task[None] | None = field(default=None)

    def note(self) -> None:
        """Have it written beside the work, where something was counted: no caller waits for it or fails with it."""
        if self.figures.changed and (self._writing is None or self._writing.done()):
            self._writing = asyncio.get_running_loop().create_task(self._write())

    async def _write(self) -> None:
        passed = asyncio.get_running_loop().time
        while self.figures.changed:
            await asyncio.sleep(max(0.0, self._next - passed()))
            self._next = passed() + PAUSE
            self.figures.changed = False
            try:
                await self.drainer.catalog.put_tally(self._own())
            except NearzoneError as error:  # The next call tries again.
                self.figures.changed = True
                _log.warning("the figures of this instance are not in the catalog: %s", error)
                return

    def _own(self) -> Tally:
        return self.figures.tally(self.drainer.holder, self.drainer.clock())

    async def tallies(self) -> Sequence[Tally]:
        """What each process has counted: this one until now, the others until they wrote last."""
        own = self._own()
        others = [each for each in await self.drainer.catalog.tallies() if each.instance != own.instance]
        return sorted((*others, *([own] if own.counts or own.spreads else [])), key=lambda each: each.instance)
