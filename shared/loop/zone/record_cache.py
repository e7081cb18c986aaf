"""Record sets as they are, read within the zones' budgets and with as few requests as possible.

A record set that was read at any time may be written on condition of its etag. A decision to do nothing must rest on a
reading that began after the dirty row was read: `Known.row` is the etag of that row, or "".
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from math import inf

from shared.decide.rate_limit import RateLimit
from shared.domain.catalog_rows import Versioned
from shared.domain.catalog_state import WriteStamp
from shared.domain.dirty import DirtyName
from shared.domain.errors import NearzoneError
from shared.domain.zones import RecordSet, Zone
from shared.ports import RecordSets

PREFETCH_MAX_GETS = 60
"""GETs of a zone in a minute up to which record sets are read before it is known that they are needed."""
EARLY_SECONDS = 10.0
SET_BACK = 3.0
"""Seconds by which the clock may be corrected without harm; where it is set back further, what is remembered by it is
forgotten: it would count as newer than what is read now."""
CACHE_TTL_SECONDS = 3600.0
MAX_CACHED = 30_000

_Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class CachedRecordSet:
    """A record set (None: nothing there) as read at `at`, after the dirty row with the etag `row` ("": no such row)."""

    record_set: RecordSet | None
    at: float
    dirty_etag: str = ""


class PastDeadlineError(NearzoneError):
    """Nothing failed: the budget lets this read go only after the deadline."""


class _TooManyPagesError(Exception):
    """The list is longer than it is worth."""


@dataclass
class RecordSetCache:
    """Reads for the whole process. `clock`: seconds since the epoch."""

    record_sets: RecordSets
    clock: Callable[[], float]
    budgets: defaultdict[str, RateLimit] = field(default_factory=lambda: defaultdict(RateLimit))
    _cached: dict[_Key, CachedRecordSet] = field(default_factory=dict)
    _listed_at: dict[str, float] = field(default_factory=dict)
    """When a list has shown all record sets of a zone, by its key: what is not remembered is not there."""
    _invalid_since_list: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Names of a zone for which that does not hold any more."""
    _prefetches: dict[_Key, tuple[float, asyncio.Task[CachedRecordSet | None]]] = field(default_factory=dict)
    _latest: float = 0.0

    def now(self) -> float:
        """The time; nothing that is remembered was read much later than it."""
        now = self.clock()
        if now < self._latest - SET_BACK:
            self._cached, self._listed_at, self._prefetches = {}, {}, {}
            self._invalid_since_list.clear()
            self._latest = now
        self._latest = max(self._latest, now)
        return now

    async def fetch(self, zone: Zone, name: str, row: str = "", until: float = inf) -> CachedRecordSet:
        """One record set, now. Raises Transient, Terminal; TooLateError where its turn comes after `until`."""
        await self._pace(zone, "get", until)
        return CachedRecordSet(await self.record_sets.get(zone, name), self.now(), row)

    async def fetch_all(self, zone: Zone, most: int | None = None) -> Sequence[RecordSet] | None:
        """Every record set of a zone; None where that takes more than `most` pages. Raises Transient, Terminal."""
        pages = 0

        async def turn() -> None:
            nonlocal pages
            pages += 1
            if most is not None and pages > most:
                raise _TooManyPagesError
            await self._pace(zone, "list")

        try:
            return await self.record_sets.list(zone, turn)
        except _TooManyPagesError:
            return None

    async def _pace(self, zone: Zone, kind: str, until: float = inf) -> None:
        budget = self.budgets[zone.key]
        while (wait := budget.wait(kind, self.now())) > 0:
            if self.now() + wait >= until:
                raise PastDeadlineError("no more reads of this zone before the deadline")
            await asyncio.sleep(wait)
        budget.record(kind, "", self.now())

    def prefetch(self, zone: Zone, name: str) -> None:
        """Begin to read what will probably be written in a moment, where reads are not scarce."""
        now, key = self.now(), (zone.key, name)
        self._prefetches = {k: early for k, early in self._prefetches.items() if early[0] > now - EARLY_SECONDS}
        calm = self.budgets[zone.key].used("get", now) < PREFETCH_MAX_GETS
        if calm and key not in self._prefetches and self.cached(zone, name) is None:
            self._prefetches[key] = now, asyncio.get_running_loop().create_task(self._read_early(zone, name))

    async def _read_early(self, zone: Zone, name: str) -> CachedRecordSet | None:
        try:
            return await self.fetch(zone, name)
        except NearzoneError:
            return None  # Whoever needs it reads it again, and meets the error.

    def cached(self, zone: Zone, name: str) -> CachedRecordSet | None:
        """What is remembered of a name."""
        found = self._cached.get((zone.key, name))
        if found is None and zone.key in self._listed_at and name not in self._invalid_since_list[zone.key]:
            found = CachedRecordSet(None, self._listed_at[zone.key])
        return found if found and found.at > self.now() - CACHE_TTL_SECONDS else None

    async def cached_or_fetch(self, zone: Zone, row: Versioned[DirtyName], until: float = inf) -> CachedRecordSet:
        """What is remembered or on its way, otherwise what a GET says now. Raises Transient, Terminal."""
        begun, early = self._prefetches.pop((zone.key, row.value.name), (0.0, None))
        fresh = early if begun > self.now() - EARLY_SECONDS else None
        found = self.cached(zone, row.value.name) or (await fresh if fresh else None)
        return found or await self.fetch(zone, row.value.name, row.etag, until)

    def put(self, zone: Zone, name: str, known: CachedRecordSet) -> None:
        """Keep how a record set stands, unless something newer is known."""
        self._make_room(1)
        known = replace(known, at=min(known.at, self.now()))
        key = (zone.key, name)
        if key not in self._cached or self._cached[key].at <= known.at:
            self._cached[key] = known

    def merge_newer(self, zone: Zone, record_sets: Sequence[RecordSet], read_at: float) -> Sequence[RecordSet]:
        """A list of a zone that was begun at `read_at`, with what is known to have changed since."""
        self.now()
        since = {key[1]: known for key, known in self._cached.items() if key[0] == zone.key and known.at > read_at}
        if not since:
            return record_sets
        changed = [known.record_set for known in since.values() if known.record_set]
        return [each for each in record_sets if each.name not in since] + changed

    def _make_room(self, count: int) -> None:
        if len(self._cached) + count > MAX_CACHED:
            self._cached.clear()
            self._listed_at.clear()

    def invalidate(self, zone: Zone, name: str) -> None:
        """Something is not as it was thought to be."""
        self._cached.pop((zone.key, name), None)
        self._invalid_since_list[zone.key].add(name)

    def apply_foreign_writes(self, zone: Zone, writes: Iterable[WriteStamp] | None) -> None:
        """Forget what a holder of the zone before has written since it was read; None: nobody knows what it was."""
        if writes is None:
            self._cached = {key: known for key, known in self._cached.items() if key[0] != zone.key}
            self._prefetches = {key: early for key, early in self._prefetches.items() if key[0] != zone.key}
            self._listed_at.pop(zone.key, None)
        for write in writes or ():
            key, known = (zone.key, write.name), self.cached(zone, write.name)
            if known and known.at < write.at:
                self.invalidate(zone, write.name)
            if key in self._prefetches and self._prefetches[key][0] < write.at:
                del self._prefetches[key]

    async def fill_from_list(self, zone: Zone, rows: Sequence[Versioned[DirtyName]]) -> bool:
        """Read the record sets of many dirty names by a list; False where it has more pages than there are names.

        The others that it shows are remembered, too, unless they were written meanwhile.
        """
        begun = self.now()
        self._listed_at.pop(zone.key, None)
        self._invalid_since_list[zone.key] = set()
        found = await self.fetch_all(zone, most=len(rows))
        if found is None:
            return False
        begun = min(begun, self.now())
        by_name = {each.name: each for each in found}
        marked = {row.value.name: row.etag for row in rows}
        self._make_room(len(by_name) + len(marked))
        for name in by_name.keys() | marked.keys():
            known = self._cached.get((zone.key, name))
            if (known is None or known.at < begun) and name not in self._invalid_since_list[zone.key]:
                self._cached[zone.key, name] = CachedRecordSet(by_name.get(name), begun, marked.get(name, ""))
        self._listed_at[zone.key] = begun
        return True
