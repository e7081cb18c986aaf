"""Reads of record sets that begin before it is certain that they are needed."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Generic, TypeVar

PREFETCH_TTL_SECONDS = 10.0
"""Seconds after its beginning for which a prefetch is used."""

T = TypeVar("T")


class Prefetches(Generic[T]):
    """The prefetches of one zone, by name. Times in seconds since the epoch."""

    def __init__(self) -> None:
        self._begun: dict[str, tuple[float, asyncio.Task[T]]] = {}

    def drop_expired(self, now: float) -> None:
        """Forget what is too old to be used."""
        self._begun = {name: each for name, each in self._begun.items() if each[0] > now - PREFETCH_TTL_SECONDS}

    def __contains__(self, name: str) -> bool:
        """Whether a name's prefetch has begun."""
        return name in self._begun

    def start(self, name: str, now: float, read: Coroutine[Any, Any, T]) -> None:
        """Begin a read."""
        self._begun[name] = now, asyncio.get_running_loop().create_task(read)

    def take(self, name: str, now: float) -> asyncio.Task[T] | None:
        """The prefetch of a name, for one use; None where there is none, or it is too old."""
        begun, task = self._begun.pop(name, (0.0, None))
        return task if begun > now - PREFETCH_TTL_SECONDS else None

    def drop_begun_before(self, name: str, at: float) -> None:
        """Forget a prefetch that may have read what was there before `at`."""
        if name in self._begun and self._begun[name][0] < at:
            del self._begun[name]

    def clear(self) -> None:
        """Forget all."""
        self._begun = {}
