"""The record caches of all zones of a process, and their common bound."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import inf

from shared.decide.rate_limit import RateLimit
from shared.domain.zones import RecordSet, Zone
from shared.loop.zone.outcomes import PastDeadline
from shared.loop.zone.record_cache import RecordSetCache
from shared.loop.zone.record_reads import CachedRecordSet
from shared.ports import RecordSets

MAX_CACHED = 30_000
"""Record sets that a process caches; above that it drops all. A zone can have 25,000 (Azure DNS limits, 2024-10-08)."""


class RecordCaches:
    """One record cache per zone. Its calls are those of `RecordSetCache`, with the zone in front."""

    def __init__(self, zones: Sequence[Zone], record_sets: RecordSets, clock: Callable[[], float]) -> None:
        self._caches = {zone.key: RecordSetCache(record_sets, zone, clock, self._make_room) for zone in zones}
        self.budgets: Mapping[str, RateLimit] = {key: cache.budget for key, cache in self._caches.items()}

    def of_zone(self, zone: Zone) -> RecordSetCache:
        """The cache of one zone."""
        return self._caches[zone.key]

    def _make_room(self, count: int) -> None:
        if sum(cache.size for cache in self._caches.values()) + count > MAX_CACHED:
            for cache in self._caches.values():
                cache.clear()

    def prefetch(self, zone: Zone, name: str) -> None:
        """Begin to read what will probably be written in a moment."""
        self._caches[zone.key].prefetch(name)

    def cached(self, zone: Zone, name: str) -> CachedRecordSet | None:
        """What is cached of a name."""
        return self._caches[zone.key].cached(name)

    def put(self, zone: Zone, name: str, found: CachedRecordSet) -> None:
        """Cache a record set as it was read."""
        self._caches[zone.key].put(name, found)

    def invalidate(self, zone: Zone, name: str) -> None:
        """What is cached of a name may be wrong."""
        self._caches[zone.key].invalidate(name)

    def merge_newer(self, zone: Zone, record_sets: Sequence[RecordSet], read_at: float) -> Sequence[RecordSet]:
        """A list that was begun at `read_at`, with what is known to have changed since."""
        return self._caches[zone.key].merge_newer(record_sets, read_at)

    async def fetch(self, zone: Zone, name: str, until: float = inf) -> CachedRecordSet | PastDeadline:
        """Read a record set now. Raises Transient, Terminal."""
        return await self._caches[zone.key].reads.fetch(name, until=until)

    async def fetch_all(self, zone: Zone) -> Sequence[RecordSet]:
        """Read every record set of a zone. Raises Transient, Terminal."""
        return await self._caches[zone.key].reads.list_all()
