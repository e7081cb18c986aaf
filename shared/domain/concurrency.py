"""Several things at once: a few at a time, or one for all who ask for the same."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Iterable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

T = TypeVar("T")


async def gather_bounded(work: Iterable[Coroutine[Any, Any, T]], at_once: int = 32) -> list[T]:
    """Do everything, and give the results in order; raises the first error only after everything has ended."""
    todo = list(work)
    gate = asyncio.Semaphore(at_once)

    async def one(step: Coroutine[Any, Any, T]) -> T:
        async with gate:
            return await step

    if len(todo) == 1:
        return [await todo[0]]
    results = await asyncio.gather(*map(one, todo), return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return [result for result in results if not isinstance(result, BaseException)]


@dataclass(eq=False, slots=True)
class SharedRun(Generic[T]):
    """One run of shared work. `asks`: what its callers have asked it for. `callers`: how many wait for it.

    `began`: when, by the event loop's clock. `passed`: set as soon as the next run may begin (see `let_pass`). `gate`:
    gives way to the runs of other keys.
    """

    waiting_callers: set[str] = field(default_factory=set)
    callers: int = 0
    began: float = 0.0
    task: asyncio.Task[T] | None = None
    passed: asyncio.Event = field(default_factory=asyncio.Event)
    gate: asyncio.Semaphore | None = None

    def open_gate(self) -> None:
        """The next run may begin: the work has read what it reads. At the latest when the run ends."""
        if not self.passed.is_set():
            self.passed.set()
            if self.gate:
                self.gate.release()


@dataclass(slots=True)
class SharedRuns(Generic[T]):
    """Runs the same work once for all callers that can share it.

    Of each key at most one run is in flight and one waits for it to end. A caller joins the run that waits, so every
    caller gets a run that begins after its call. A run ends early when no caller waits for it any more.
    `pause`: seconds from the beginning of a run to that of the one that waits for it. `gate`: where given, it bounds
    how many runs, of all keys, are between their beginning and `Flight.let_pass`.
    """

    pause: float = 0.0
    gate: asyncio.Semaphore | None = None
    _flying: dict[Hashable, SharedRun[T]] = field(default_factory=dict)
    _waiting: dict[Hashable, SharedRun[T]] = field(default_factory=dict)

    async def run(self, key: Hashable, ask: str, work: Callable[[SharedRun[T]], Awaitable[T]]) -> tuple[T, bool]:
        """Give the result of the work, and whether the caller is the first one of its run. Raises what the work does.

        The run begins in the context of its first caller, at the earliest in the event loop's next step.
        """
        flight = self._waiting.get(key)
        first = flight is None
        if flight is None:
            flight = self._waiting[key] = SharedRun()
            flight.task = asyncio.get_running_loop().create_task(self._fly(key, flight, work))
        flight.waiting_callers.add(ask)
        flight.callers += 1
        assert flight.task  # noqa: S101 - told to the type checker; it was made with the flight
        try:
            return await asyncio.shield(flight.task), first
        finally:
            flight.callers -= 1
            if not flight.callers:
                flight.task.cancel()
                self._leave(key, flight)  # A task that is cancelled before its first step does not do it itself.

    async def _fly(self, key: Hashable, flight: SharedRun[T], work: Callable[[SharedRun[T]], Awaitable[T]]) -> T:
        try:
            while (before := self._flying.get(key)) and not before.passed.is_set():
                await before.passed.wait()
                await asyncio.sleep(max(0.0, before.began + self.pause - asyncio.get_running_loop().time()))
            if self.gate:
                await self.gate.acquire()
                flight.gate = self.gate
        finally:
            self._leave(key, flight)
        self._flying[key], flight.began = flight, asyncio.get_running_loop().time()
        try:
            return await work(flight)
        finally:
            flight.open_gate()
            if self._flying.get(key) is flight:
                del self._flying[key]

    def _leave(self, key: Hashable, flight: SharedRun[T]) -> None:
        if self._waiting.get(key) is flight:
            del self._waiting[key]
