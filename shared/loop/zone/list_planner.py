"""When a zone is listed instead of reading one record set after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from shared.decide.dirty_queue import DirtyQueue
from shared.domain.catalog_rows import Versioned
from shared.domain.dirty import DirtyName
from shared.domain.errors import NearzoneError
from shared.loop.zone.record_cache import RecordSetCache

LIST_THRESHOLD = 8
"""So many record sets that have to be read are worth a list."""
LIST_INTERVAL_SECONDS = 10.0
"""Seconds between the beginnings of two lists of a zone."""


@dataclass
class ListPlanner:
    """Plans the reads of one zone. `new_work`: set when a list has ended, so that waiting names go on.

    After a list that had more pages than names to read, the next one needs twice as many names.
    """

    cache: RecordSetCache
    queue: DirtyQueue
    new_work: asyncio.Event
    clock: Callable[[], float]
    _next_at: float = 0.0
    _min_names: int = 0
    _task: asyncio.Task[None] | None = None

    @property
    def is_listing(self) -> bool:
        """Whether a list is under way."""
        return self._task is not None

    def plan(self) -> None:
        """Start a list where many record sets have to be read; until it has ended, names that are not urgent wait."""
        now = self.clock()
        if self._task and self._task.done():
            self._task = None
        self.queue.defer(())  # Names that were deferred until now count as unread as well.
        unread = [row for row in self.queue.ready(now) if self.cache.cached(row.value.name) is None]
        for row in [row for row in unread if not row.value.urgency.is_host_name][:LIST_THRESHOLD]:
            self.cache.prefetch(row.value.name)
        if self._task is None and len(unread) >= max(LIST_THRESHOLD, self._min_names) and self._next_at <= now:
            self._next_at = now + LIST_INTERVAL_SECONDS
            self._task = asyncio.get_running_loop().create_task(self._list(unread))
        if self._task:
            self.queue.defer(row.value.name for row in unread if row.value.urgency.is_host_name)

    async def _list(self, rows: Sequence[Versioned[DirtyName]]) -> None:
        try:
            async with asyncio.timeout(LIST_INTERVAL_SECONDS):  # Names wait for it.
                is_whole = await self.cache.fill_from_list(rows)
        except (NearzoneError, TimeoutError):  # The names are read one by one, and meet the error there.
            self._next_at = self.clock() + 10 * LIST_INTERVAL_SECONDS
        else:
            self._min_names = 0 if is_whole else 2 * len(rows)
        self.new_work.set()

    def stop(self) -> None:
        """Cancel a list that is under way: its task ends in the event loop's next step."""
        self.queue.defer(())
        if self._task:
            self._task.cancel()
            self._task = None
