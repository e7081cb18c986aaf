"""The record sets of one zone as they were last read or written, so that few requests are needed.

A record set that was read at any time may be written on condition of its etag. A decision to do nothing must rest on a
read that began after the dirty row was read: see `CachedRecordSet.dirty_etag`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from math import inf

from shared.domain.catalog_rows import Versioned
from shared.domain.catalog_state import WriteStamp
from shared.domain.dirty import DirtyName
from shared.domain.errors import NearzoneError
from shared.domain.zones import RecordSet, Zone
from shared.loop.zone.outcomes import PastDeadline
from shared.loop.zone.prefetches import Prefetches
from shared.loop.zone.record_reads import CachedRecordSet, RecordReads
from shared.ports import RecordSets

PREFETCH_MAX_GETS = 60
"""GETs of a zone in a minute up to which record sets are read before it is known that they are needed."""
CLOCK_SET_BACK_SECONDS = 3.0
"""Seconds by which the clock may be set back without harm. If it is set back further, the cache is emptied: its entries
would count as newer than what is read now."""
CACHE_TTL_SECONDS = 3600.0


@dataclass
class RecordSetCache:
    """The cache of one zone, and its reads. `make_room`: called with the number of entries that are about to come."""

    record_sets: RecordSets
    zone: Zone
    clock: Callable[[], float]
    make_room: Callable[[int], None] = lambda _: None
    _cached: dict[str, CachedRecordSet] = field(default_factory=dict)
    _listed_at: float | None = None
    """When a list has shown all record sets: a name that is not cached has none, except the names that follow."""
    _invalid_since_list: set[str] = field(default_factory=set)
    _prefetches: Prefetches[CachedRecordSet | None] = field(default_factory=Prefetches)
    _latest: float = 0.0

    def __post_init__(self) -> None:
        self.reads = RecordReads(self.record_sets, self.zone, self.now)
        self.budget = self.reads.budget

    def now(self) -> float:
        """The time; no entry is much newer."""
        now = self.clock()
        if now < self._latest - CLOCK_SET_BACK_SECONDS:
            self.clear()
            self._prefetches.clear()
            self._invalid_since_list.clear()
            self._latest = now
        self._latest = max(self._latest, now)
        return now

    @property
    def size(self) -> int:
        """How many entries there are."""
        return len(self._cached)

    def clear(self) -> None:
        """Forget every record set."""
        self._cached.clear()
        self._listed_at = None

    def prefetch(self, name: str) -> None:
        """Begin to read what will probably be written in a moment, where reads are not scarce."""
        now = self.now()
        self._prefetches.drop_expired(now)
        may_read = self.budget.used("get", now) < PREFETCH_MAX_GETS
        if may_read and name not in self._prefetches and self.cached(name) is None:
            self._prefetches.start(name, now, self._prefetch(name))

    async def _prefetch(self, name: str) -> CachedRecordSet | None:
        try:
            found = await self.reads.fetch(name)
        except NearzoneError:
            return None  # The caller that needs the record set reads it again, and meets the error.
        return None if isinstance(found, PastDeadline) else found

    def cached(self, name: str) -> CachedRecordSet | None:
        """What is cached of a name."""
        found = self._cached.get(name)
        if found is None and self._listed_at is not None and name not in self._invalid_since_list:
            found = CachedRecordSet(None, self._listed_at)
        return found if found and found.at > self.now() - CACHE_TTL_SECONDS else None

    async def cached_or_fetch(self, row: Versioned[DirtyName], until: float = inf) -> CachedRecordSet | PastDeadline:
        """What is cached or on its way, otherwise what a GET reads now. Raises Transient, Terminal."""
        prefetch = self._prefetches.take(row.value.name, self.now())
        found = self.cached(row.value.name) or (await prefetch if prefetch else None)
        return found or await self.reads.fetch(row.value.name, row.etag, until)

    def put(self, name: str, found: CachedRecordSet) -> None:
        """Cache a record set as it was read or written, unless a newer one is cached."""
        self.make_room(1)
        found = replace(found, at=min(found.at, self.now()))
        if name not in self._cached or self._cached[name].at <= found.at:
            self._cached[name] = found

    def merge_newer(self, record_sets: Sequence[RecordSet], read_at: float) -> Sequence[RecordSet]:
        """A list that was begun at `read_at`, with what is known to have changed since."""
        self.now()  # Empties the cache if the clock was set back.
        newer = {name: found for name, found in self._cached.items() if found.at > read_at}
        if not newer:
            return record_sets
        changed = [found.record_set for found in newer.values() if found.record_set]
        return [each for each in record_sets if each.name not in newer] + changed

    def invalidate(self, name: str) -> None:
        """What is cached of a name may be wrong."""
        self._cached.pop(name, None)
        self._invalid_since_list.add(name)

    def apply_foreign_writes(self, writes: Iterable[WriteStamp] | None) -> None:
        """Forget what an earlier holder of the zone has written since it was read; None: its writes are not known."""
        if writes is None:
            self.clear()
            self._prefetches.clear()
        for write in writes or ():
            found = self.cached(write.name)
            if found and found.at < write.at:
                self.invalidate(write.name)
            self._prefetches.drop_begun_before(write.name, write.at)

    async def fill_from_list(self, rows: Sequence[Versioned[DirtyName]]) -> bool:
        """Read the record sets of many dirty names by a list; False where it has more pages than there are names.

        The list's other record sets are cached as well, unless they were written meanwhile.
        """
        begun = self.now()
        self._listed_at, self._invalid_since_list = None, set()
        found = await self.reads.list_up_to(len(rows))
        if found is None:
            return False
        begun = min(begun, self.now())
        by_name = {each.name: each for each in found}
        etags = {row.value.name: row.etag for row in rows}
        self.make_room(len(by_name) + len(etags))
        for name in by_name.keys() | etags.keys():
            cached = self._cached.get(name)
            if (cached is None or cached.at < begun) and name not in self._invalid_since_list:
                self._cached[name] = CachedRecordSet(by_name.get(name), begun, etags.get(name))
        self._listed_at = begun
        return True
