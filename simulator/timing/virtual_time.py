"""An event loop that jumps to its next timer instead of waiting for it: Azure's latency costs no real time.

The processor's work takes no virtual time, so a figure in virtual time does not depend on the machine.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

START = 1_800_000_000.0
"""Seconds since the epoch at which virtual time begins."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """Its `time()` is virtual, in seconds since the epoch. `steps`: how often it has run what was ready."""

    def __init__(self) -> None:
        super().__init__()
        self._now = START
        self.steps = 0
        self._clock_resolution = 1e-6  # a float of this size cannot distinguish less

    def time(self) -> float:
        """Virtual seconds since the epoch."""
        return self._now

    def _run_once(self) -> None:
        inner: Any = self  # asyncio offers no way to skip waiting other than its list of timers
        while inner._scheduled and inner._scheduled[0]._cancelled:  # noqa: SLF001 - as above
            inner._timer_cancelled_count -= 1  # noqa: SLF001 - as above
            heapq.heappop(inner._scheduled)._scheduled = False  # noqa: SLF001 - as above
        if not inner._ready and inner._scheduled:  # noqa: SLF001 - as above
            self._now = max(self._now, inner._scheduled[0]._when)  # noqa: SLF001 - as above
        self.steps += 1
        super()._run_once()  # type: ignore[misc] # as above


def in_virtual_time(story: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine function on a virtual loop and give its result."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(story())
