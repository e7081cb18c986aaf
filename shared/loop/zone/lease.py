"""The lease on a zone: taken for a run, renewed while it lasts, checked before each write, given back at the end."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from shared.domain.catalog_rows import Lease
from shared.domain.clock import TOLERANCE
from shared.domain.zones import Zone
from shared.loop.zone.outcomes import LeaseTaken
from shared.loop.zone.record_cache import RecordSetCache
from shared.loop.zone.services import LoopServices

LEASE_SECONDS = 60.0
"""Seconds for which a zone is taken."""
REQUEST_SECONDS = 10.0
"""Seconds that a request may take: a write starts only while more of the lease than this is left."""


@dataclass
class ZoneLease:
    """The lease of this process on one zone. `expires`: seconds since the epoch.

    `generation`: goes up when the lease had lapsed and was taken again. What was decided in an earlier generation must
    not be written: another instance may have had the zone in between.
    """

    services: LoopServices
    zone: Zone
    cache: RecordSetCache
    expires: float = 0.0
    generation: int = 0
    _renewing: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def take(self) -> bool:
        """Take the zone; False where another instance has it."""
        lease = await self.acquire()
        while lease and lease.recent_writes is None:
            # Stored at once: otherwise the next renewal would assume again that the last holder used up the budget.
            await self.release()
            lease = await self.acquire()
        if lease is None:
            return False
        self.expires = lease.expires
        return True

    async def acquire(self) -> Lease | None:
        """Take or prolong the lease and learn what other instances wrote; None where another instance has it."""
        lease = await self.services.catalog.acquire(
            self.zone.key, self.services.holder, self.services.clock(), LEASE_SECONDS
        )
        if lease:
            new = self.cache.budget.import_writes(lease.recent_writes, self.services.clock())
            self.cache.apply_foreign_writes(None if lease.recent_writes is None else new)
        return lease

    async def release(self) -> None:
        """Release the lease, and store the writes of the last minute for the next holder."""
        writes = self.cache.budget.recent_writes(self.services.clock())
        await self.services.catalog.release(self.zone.key, self.services.holder, writes)

    async def renew(self) -> LeaseTaken | None:
        """Prolong the lease if half of it is over; one call at a time."""
        async with self._renewing:
            if self.seconds_left() > LEASE_SECONDS / 2:
                return None
            lease = await self.acquire()
            # `recent_writes` is None: another instance took the zone and died, so its writes are not known.
            if lease is None or lease.recent_writes is None:
                return LeaseTaken()
            self.generation += self.seconds_left() <= 0.0
            self.expires = lease.expires
            return None

    def seconds_left(self) -> float:
        """Seconds before another instance, whose clock may be ahead, can take the zone; 0 where that is unknown."""
        left = self.expires - self.services.clock()
        was_set_back = left > LEASE_SECONDS + TOLERANCE  # The clock, after the lease was taken.
        return 0.0 if was_set_back else left - TOLERANCE
