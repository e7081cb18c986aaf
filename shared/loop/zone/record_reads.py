"""Reads of a zone's record sets, within the zone's budget of reads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import inf

from shared.decide.rate_limit import RateLimit
from shared.domain.zones import RecordSet, Zone
from shared.loop.zone.outcomes import PastDeadline
from shared.ports import RecordSets


@dataclass(frozen=True, slots=True)
class CachedRecordSet:
    """A record set (None: there is none) as read at `at`, in seconds since the epoch.

    `dirty_etag`: the read began after the dirty row with this etag was read; None: after no such row.
    """

    record_set: RecordSet | None
    at: float
    dirty_etag: str | None = None


class _TooManyPagesError(Exception):
    """Ends a list that has more pages than the caller wants to read."""


@dataclass
class RecordReads:
    """Paced reads of one zone. `clock`: seconds since the epoch."""

    record_sets: RecordSets
    zone: Zone
    clock: Callable[[], float]
    budget: RateLimit = field(default_factory=RateLimit)

    async def fetch(
        self, name: str, dirty_etag: str | None = None, until: float = inf
    ) -> CachedRecordSet | PastDeadline:
        """Read a record set now; PastDeadline where the budget allows that only after `until`.

        Raises Transient, Terminal.
        """
        if late := await self._pace("get", until):
            return late
        return CachedRecordSet(await self.record_sets.get(self.zone, name), self.clock(), dirty_etag)

    async def list_all(self) -> Sequence[RecordSet]:
        """Every record set of the zone. Raises Transient, Terminal."""
        return await self.record_sets.list(self.zone, self._before_page)

    async def list_up_to(self, most: int) -> Sequence[RecordSet] | None:
        """Every record set of the zone; None where that takes more than `most` pages. Raises Transient, Terminal."""
        pages = 0

        async def before_page() -> None:
            nonlocal pages
            pages += 1
            if pages > most:
                raise _TooManyPagesError
            await self._before_page()

        try:
            return await self.record_sets.list(self.zone, before_page)
        except _TooManyPagesError:
            return None

    async def _before_page(self) -> None:
        await self._pace("list")

    async def _pace(self, kind: str, until: float = inf) -> PastDeadline | None:
        while (wait := self.budget.wait(kind, self.clock())) > 0:
            if self.clock() + wait >= until:
                return PastDeadline()
            await asyncio.sleep(wait)
        self.budget.record(kind, "", self.clock())
        return None
