"""Observing endpoints: by a GET each while they are few, by lists for all of them when many are due.

Every observation begins after it was asked for, so that it may be recorded on condition of a row read before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from shared.domain.endpoints import Endpoint
from shared.domain.errors import NearzoneError
from shared.ports import Inventory

MAX_CONCURRENT_GETS = 6
"""Endpoints that are read at a time, one by one."""
LIST_THRESHOLD = 16
"""So many waiting endpoints are worth a list, more where the last lists took longer than that many GETs."""
GETS_PER_SECOND = 9.0
"""About what `SINGLY` at a time come to, at 0.42 s for a VM and 0.2 s for its NIC (recorded medians)."""
LIST_INTERVAL_SECONDS = 5.0
"""Seconds between the beginnings of two lists: what comes in between shares the second one."""
LIST_TIMEOUT_SECONDS = 12.0
"""Seconds after which lists are given up: what waits for them has to be read, and recorded, before its deadline."""
LIST_COOLDOWN_SECONDS = 300.0
"""Seconds for which nothing is listed after lists failed or took too long."""
SERVICE_SEEN_SECONDS = 10.0
IDLE_AFTER_SECONDS = 0.5


@dataclass(eq=False, slots=True)
class _PendingObservation:
    endpoint_id: str
    previous: Endpoint | None
    result: Endpoint | None = None


@dataclass
class Observer:
    """Observes for the whole process. `clock`: seconds since the epoch."""

    inventory: Inventory
    clock: Callable[[], float]
    _waiting: set[_PendingObservation] = field(default_factory=set)
    _gate: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MAX_CONCURRENT_GETS))
    _one_list: asyncio.Lock = field(default_factory=asyncio.Lock)
    _looked: dict[str, float] = field(default_factory=dict)
    _next_list: float = 0.0
    _distrusted_until: float = 0.0
    _took: float = 0.0
    _last: float = 0.0

    @property
    def is_idle(self) -> bool:
        """Whether nothing has been observed for a moment: what comes now is alone."""
        return self.clock() >= self._last + IDLE_AFTER_SECONDS

    async def observe(self, endpoint_id: str, known: Endpoint | None) -> Endpoint:
        """The truth about an endpoint, as of after this call. Raises Transient, Terminal."""
        self._see(self.clock())
        if self._is_first_for_service(known):
            return await self.inventory.observe(endpoint_id, known)
        asked = _PendingObservation(endpoint_id, known)
        self._waiting.add(asked)
        try:
            async with self._gate:
                await self._batch_if_cheaper(asked)
                self._waiting.discard(asked)
                return asked.result or await self.inventory.observe(endpoint_id, known)
        finally:
            self._waiting.discard(asked)

    def _see(self, now: float) -> None:
        if (
            now < self._last - IDLE_AFTER_SECONDS
        ):  # The clock was set back: no pause that was noted by it holds any more.
            self._looked, self._next_list, self._distrusted_until = {}, 0.0, 0.0
        self._last = now

    async def read(self, listed: Endpoint, known: Endpoint | None) -> Endpoint:
        """Read one endpoint now, with what a list has just shown of it. Raises Transient, Terminal."""
        return await self.inventory.observe(listed.id, known, listed)

    def _is_first_for_service(self, known: Endpoint | None) -> bool:
        """Whether a service would wait for others' observations to get its first address."""
        now = self.clock()
        self._looked = {name: at for name, at in self._looked.items() if at > now - SERVICE_SEEN_SECONDS}
        fresh = set(known.tagged if known else ()) - self._looked.keys()
        self._looked |= dict.fromkeys(fresh, now)
        return bool(fresh)

    async def _batch_if_cheaper(self, asked: _PendingObservation) -> None:
        """Whoever comes first lists for all who wait; who waits for the lists may find the answer there."""
        async with self._one_list:
            worth = len(self._waiting) >= max(LIST_THRESHOLD, GETS_PER_SECOND * self._took)
            if asked not in self._waiting or not worth or self.clock() < self._distrusted_until:
                return
            await asyncio.sleep(
                min(LIST_INTERVAL_SECONDS, max(0.0, self._next_list - self.clock()))
            )  # The clock may be set back.
            everybody, self._waiting = self._waiting, set()
            begun = self.clock()
            self._next_list = begun + LIST_INTERVAL_SECONDS
            try:
                async with asyncio.timeout(LIST_TIMEOUT_SECONDS):
                    found = await self.inventory.observe_many({each.endpoint_id: each.previous for each in everybody})
            except (NearzoneError, TimeoutError):  # All of them are read one by one, and meet the error there.
                self._distrusted_until = self.clock() + LIST_COOLDOWN_SECONDS
                return
            self._took = min(LIST_TIMEOUT_SECONDS, max(0.0, self.clock() - begun))  # The clock may be set meanwhile.
            for each in everybody:
                each.result = found.get(each.endpoint_id)
