"""Observing endpoints: few of them by a GET each, many of them by lists.

Every observation begins after its call, so that it may be recorded on condition of a row that was read before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from shared.domain.endpoints import Endpoint
from shared.domain.errors import NearzoneError
from shared.ports import Inventory

MAX_CONCURRENT_GETS = 6
"""Endpoints that are read by GETs at a time."""
LIST_THRESHOLD = 16
"""From this many waiting endpoints on, lists replace GETs; from more, if the last lists took longer than the GETs."""
GETS_PER_SECOND = 9.0
"""The rate of `MAX_CONCURRENT_GETS`, at 0.42 s for a VM and 0.2 s for its NIC (recorded medians)."""
LIST_INTERVAL_SECONDS = 5.0
"""Seconds between the beginnings of two lists: calls in between share the second one."""
LIST_TIMEOUT_SECONDS = 12.0
"""Seconds after which lists are given up: the endpoints that wait for them have to be recorded before a deadline."""
LIST_COOLDOWN_SECONDS = 300.0
"""Seconds for which nothing is listed after lists failed or took too long."""
SERVICE_SEEN_SECONDS = 10.0
"""Seconds after the observation of a service in which its next observation waits for its turn."""
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
    _recent_services: dict[str, float] = field(default_factory=dict)
    _next_list: float = 0.0
    _no_lists_before: float = 0.0
    _last_list_seconds: float = 0.0
    _last_observed_at: float = 0.0

    @property
    def is_idle(self) -> bool:
        """Whether nothing was observed a moment ago, so that the next observation competes with no other."""
        return self.clock() >= self._last_observed_at + IDLE_AFTER_SECONDS

    async def observe(self, endpoint_id: str, previous: Endpoint | None) -> Endpoint:
        """The truth about an endpoint, as of after this call. Raises Transient, Terminal."""
        self._note_time(self.clock())
        if self._is_first_for_service(previous):
            return await self.inventory.observe(endpoint_id, previous)
        pending = _PendingObservation(endpoint_id, previous)
        self._waiting.add(pending)
        try:
            async with self._gate:
                await self._batch_if_cheaper(pending)
                self._waiting.discard(pending)
                return pending.result or await self.inventory.observe(endpoint_id, previous)
        finally:
            self._waiting.discard(pending)

    def _note_time(self, now: float) -> None:
        if now < self._last_observed_at - IDLE_AFTER_SECONDS:
            # The clock was set back: pauses that were noted by it do not hold any more.
            self._recent_services, self._next_list, self._no_lists_before = {}, 0.0, 0.0
        self._last_observed_at = now

    async def read(self, listed: Endpoint, previous: Endpoint | None) -> Endpoint:
        """Read one endpoint now, with what a list has just shown of it. Raises Transient, Terminal."""
        return await self.inventory.observe(listed.id, previous, listed)

    def _is_first_for_service(self, previous: Endpoint | None) -> bool:
        """Whether a service would wait behind other observations for its first address."""
        now = self.clock()
        recent = {name: at for name, at in self._recent_services.items() if at > now - SERVICE_SEEN_SECONDS}
        fresh = set(previous.tagged if previous else ()) - recent.keys()
        self._recent_services = recent | dict.fromkeys(fresh, now)
        return bool(fresh)

    async def _batch_if_cheaper(self, pending: _PendingObservation) -> None:
        """The first caller lists for all that wait; the others find their result when they get the lock."""
        async with self._one_list:
            worth = len(self._waiting) >= max(LIST_THRESHOLD, GETS_PER_SECOND * self._last_list_seconds)
            if pending not in self._waiting or not worth or self.clock() < self._no_lists_before:
                return
            wait = self._next_list - self.clock()
            await asyncio.sleep(min(LIST_INTERVAL_SECONDS, max(0.0, wait)))  # The clock may be set back.
            batch, self._waiting = self._waiting, set()
            begun = self.clock()
            self._next_list = begun + LIST_INTERVAL_SECONDS
            try:
                async with asyncio.timeout(LIST_TIMEOUT_SECONDS):
                    found = await self.inventory.observe_many({each.endpoint_id: each.previous for each in batch})
            except (
                NearzoneError,
                TimeoutError,
            ):  # Each endpoint is read by GET instead, and its caller gets the error.
                self._no_lists_before = self.clock() + LIST_COOLDOWN_SECONDS
                return
            self._last_list_seconds = min(
                LIST_TIMEOUT_SECONDS, max(0.0, self.clock() - begun)
            )  # The clock may be set meanwhile.
            for each in batch:
                each.result = found.get(each.endpoint_id)
