"""Concurrent work: a bounded number of coroutines at once, or one run for all callers that ask for the same."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Iterable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

T = TypeVar("T")


async def gather_bounded(coroutines: Iterable[Coroutine[Any, Any, T]], limit: int = 32) -> list[T]:
    """Run all coroutines, at most `limit` at once, and return their results in order.

    Raises the first error, after all coroutines have ended.
    """
    todo = list(coroutines)
    gate = asyncio.Semaphore(limit)

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
    """One run of shared work. `callers`: how many wait for it.

    `began`: its start in seconds, by the event loop's clock. `waiting_callers`: the requests of its callers, as text.
    `passed`: set as soon as the next run may begin (see `open_gate`). `gate`: limits the runs of all keys.
    """

    waiting_callers: set[str] = field(default_factory=set)
    callers: int = 0
    began: float = 0.0
    task: asyncio.Task[T] | None = None
    passed: asyncio.Event = field(default_factory=asyncio.Event)
    gate: asyncio.Semaphore | None = None

    def open_gate(self) -> None:
        """Let the next run begin: the work has read all that it reads. A run that ends opens the gate itself."""
        if not self.passed.is_set():
            self.passed.set()
            if self.gate:
                self.gate.release()


@dataclass(slots=True)
class SharedRuns(Generic[T]):
    """Runs the same work once for all callers that can share it.

    Per key at most one run is active and one waits for it to end. A caller joins the waiting run, so that every caller
    gets a run that begins after its call. A run without callers is cancelled. `pause`: minimum seconds from the start
    of a run to the start of the next. `gate`: if given, limits how many runs of all keys are between their start and
    `SharedRun.open_gate`.
    """

    pause: float = 0.0
    gate: asyncio.Semaphore | None = None
    _running: dict[Hashable, SharedRun[T]] = field(default_factory=dict)
    _waiting: dict[Hashable, SharedRun[T]] = field(default_factory=dict)

    async def run(self, key: Hashable, ask: str, work: Callable[[SharedRun[T]], Awaitable[T]]) -> tuple[T, bool]:
        """Return the result of the work, and whether the caller is the first of its run. Raises what the work raises.

        The run begins in the context of its first caller, at the earliest in the next step of the event loop. `ask`:
        the caller's request, which the work finds in `SharedRun.waiting_callers`.
        """
        flight = self._waiting.get(key)
        first = flight is None
        if flight is None:
            flight = self._waiting[key] = SharedRun()
            flight.task = asyncio.get_running_loop().create_task(self._execute(key, flight, work))
        flight.waiting_callers.add(ask)
        flight.callers += 1
        assert flight.task  # noqa: S101 - for the type checker: every run has its task
        try:
            return await asyncio.shield(flight.task), first
        finally:
            flight.callers -= 1
            if not flight.callers:
                flight.task.cancel()
                self._stop_waiting(
                    key, flight
                )  # A task that is cancelled before its first step does not run its own `finally`.

    async def _execute(self, key: Hashable, flight: SharedRun[T], work: Callable[[SharedRun[T]], Awaitable[T]]) -> T:
        try:
            while (before := self._running.get(key)) and not before.passed.is_set():
                await before.passed.wait()
                await asyncio.sleep(max(0.0, before.began + self.pause - asyncio.get_running_loop().time()))
            if self.gate:
                await self.gate.acquire()
                flight.gate = self.gate
        finally:
            self._stop_waiting(key, flight)
        self._running[key], flight.began = flight, asyncio.get_running_loop().time()
        try:
            return await work(flight)
        finally:
            flight.open_gate()
            if self._running.get(key) is flight:
                del self._running[key]

    def _stop_waiting(self, key: Hashable, flight: SharedRun[T]) -> None:
        if self._waiting.get(key) is flight:
            del self._waiting[key]
