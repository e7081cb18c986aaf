"""Catching up: the catalog's rows of endpoints follow what a sweep has listed; what lists leave open is read by GET.

GETs run at the pace that Azure allows (see `azure/throttle.py`), claimants of service names first. An endpoint that
the catalog does not know is enlisted before it is read: its row gets its names and no state. Then the catalog knows
every claim, and each name is right as soon as its own claimants are read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from shared.decide.confirmation import CONFIRM_SECONDS, EVENT, MISSING, NO_EVENT, UNKNOWN
from shared.decide.inventory_diff import InventoryDiff, Row
from shared.domain.catalog_rows import Versioned
from shared.domain.catalog_state import ReadingProgress
from shared.domain.concurrency import gather_bounded
from shared.domain.dirty import Cause
from shared.domain.endpoints import Endpoint, EndpointRow
from shared.domain.errors import Conflict, NearzoneError, Transient
from shared.edge.report import Report
from shared.loop.observer import Observer
from shared.loop.recorder import Recorder

MAX_CONCURRENT_RECORDINGS = 16
"""Endpoints that are recorded at a time."""
MAX_CONCURRENT_ENLISTINGS = 64
"""The same for what is only enlisted, which takes no call to Azure."""
MAX_CONCURRENT_READS = 32
"""Endpoints that are read at a time: at 0.42 s for a VM (recorded median) more than the 25 reads a second that Azure
allows in the long run, so that the throttle sets the pace."""
PROGRESS_SECONDS = 10.0
"""Seconds between two notes of how many endpoints have been read."""


@dataclass
class ObservationCatchUp:
    """One sweep's work on the rows of endpoints. `complete`: what was done until now has left nothing open.

    `rewrites`: the sweep stands for observations that events have left to it (see `unknown_resources.py`). It writes
    also rows that say what a list says: a slower handler with an older observation fails on these writes. An endpoint's
    first claim is then observed once more.
    """

    recorder: Recorder
    cause: Cause
    report: Report
    rewrites: bool = False
    written: bool = False
    """Whether rows may have changed."""
    complete: bool = True
    deadline: float = 0.0
    """When what runs now has to end, in seconds since the epoch."""
    _unread: list[tuple[Endpoint, Versioned[EndpointRow]]] = field(default_factory=list)
    _doubted: list[str] = field(default_factory=list)

    @property
    def unread(self) -> int:
        """How many endpoints are enlisted and have still to be read."""
        return len(self._unread)

    async def run(self, diff: InventoryDiff, deadline: float) -> bool:
        """Enlist, read and record. Return whether all was done before the deadline and nothing is left open."""
        self.deadline = deadline
        late = await self._some((self._enlist(*pair) for pair in diff.unknown), MAX_CONCURRENT_ENLISTINGS)
        late += await self._some((self._read(*pair) for pair in diff.needs_get), MAX_CONCURRENT_READS)
        rest = [
            *(self._record_listed(*pair) for pair in diff.differing),
            *(self._check_missing(endpoint) for endpoint in diff.missing),
        ]
        late += await self._some(rest, MAX_CONCURRENT_RECORDINGS)
        if self._doubted and self.recorder.clock() + CONFIRM_SECONDS < deadline:
            await asyncio.sleep(CONFIRM_SECONDS)
            late += await self._some((self._observe(each) for each in tuple(self._doubted)), MAX_CONCURRENT_RECORDINGS)
        report_late(late, self.report)
        return not late and self.complete

    async def read(self, deadline: float, note: Callable[[ReadingProgress], Awaitable[object]]) -> None:
        """Read what was enlisted, until the deadline; `note` gets the progress now and then, and at the end."""
        self.deadline, clock, unread = deadline, self.recorder.clock, self._unread
        begun = noted = clock()
        done = 0

        async def step(listed: Endpoint, stored: Versioned[EndpointRow]) -> None:
            nonlocal done, noted
            await self._read(listed, stored)
            done += 1
            if clock() >= noted + PROGRESS_SECONDS:
                noted = clock()
                await note(ReadingProgress(done, len(unread), begun, noted))

        await note(ReadingProgress(0, len(unread), begun, begun))
        self.report.endpoints_unread = await self._some((step(*pair) for pair in unread), MAX_CONCURRENT_READS)
        await note(ReadingProgress(done, len(unread), begun, clock(), ended=True))

    async def _some(self, steps: Iterable[Coroutine[None, None, None]], at_once: int) -> int:
        return await run_until(steps, at_once, self.recorder.clock, self.deadline)

    async def _enlist(self, listed: Endpoint, stored: Row) -> None:
        self.written = True
        try:
            self._unread.append((listed, await self.recorder.enlist(stored, listed)))
        except Conflict:  # An event handler was faster, and has read it.
            await self._observe(listed.id)
        except NearzoneError as error:
            self._fail(listed.id, error)

    async def _read(self, listed: Endpoint, stored: Row) -> None:
        """Read an endpoint by GET and merge what its list has shown; `stored` was read before the list."""
        previous = stored.value.endpoint if stored else None
        try:
            observer, clock = self.recorder.observer, self.recorder.clock
            seen, began = await read_throttled(observer, clock, listed, previous, self.deadline)
            self.written = True
            recorded = await self.recorder.record(stored, seen, self.cause, began, self._asks(stored))
            self._note_doubt(recorded.value.endpoint)
        except Conflict:
            await self._observe(listed.id, self._ask)
        except NearzoneError as error:
            self._fail(listed.id, error)
            if stored and stored.value.endpoint.unread:
                await self._doubt(stored, error)

    async def _doubt(self, stored: Versioned[EndpointRow], error: NearzoneError) -> None:
        """Record that an endpoint could not be read: it no longer holds names back, and drains read it again."""
        seen = replace(stored.value.endpoint, doubt=f"cannot be read: {error}"[:500])
        with suppress(NearzoneError):  # Another handler has observed it, or the next sweep will.
            await self.recorder.record(stored, seen, self.cause, self.recorder.clock())

    async def _record_listed(self, endpoint: Endpoint, stored: Row) -> None:
        self.written = True
        try:
            await self.recorder.record(stored, endpoint, self.cause, self.recorder.clock(), self._asks(stored))
        except Conflict:
            # An event handler was faster; what it saw may be older than the list.
            await self._observe(endpoint.id, self._ask)
        except NearzoneError as error:
            self._fail(endpoint.id, error)

    async def _check_missing(self, endpoint: Endpoint) -> None:
        """Observe an endpoint that its list lacks: only its own GET shows whether it is gone."""
        await self._observe(endpoint.id)

    @property
    def _ask(self) -> str:
        return EVENT if self.rewrites else NO_EVENT

    def _asks(self, stored: Row) -> Sequence[str]:
        return (self._ask,) if stored and stored.value.endpoint.names else (self._ask, UNKNOWN)

    async def _observe(self, endpoint_id: str, ask: str = NO_EVENT) -> None:
        self.written = True
        try:
            self._note_doubt(await self.recorder.observe_and_record(endpoint_id, self.cause, ask))
        except NearzoneError as error:
            self._fail(endpoint_id, error)

    def _note_doubt(self, seen: Endpoint) -> None:
        """Note whether an observation leaves the catalog incomplete, and which missing endpoints are read again."""
        if seen.doubt == MISSING and seen.id not in self._doubted:
            self._doubted.append(seen.id)
        self.complete &= not seen.doubt or bool(seen.names) or seen.doubt == MISSING

    def _fail(self, endpoint_id: str, error: NearzoneError) -> None:
        self.complete = False
        self.report.fail(endpoint_id, error)


def report_late(late: int, report: Report) -> None:
    """Report endpoints that were not reached before the deadline."""
    if late:
        report.failures.append(("sweep", f"deadline: {late} endpoints are left for the next sweep"))


async def run_until(
    steps: Iterable[Coroutine[None, None, None]], at_once: int, clock: Callable[[], float], deadline: float
) -> int:
    """Run the steps, at most `at_once` at a time, and start none after the deadline; gives how many were left out."""
    todo, left = iter(steps), 0

    async def work() -> None:
        nonlocal left
        for step in todo:
            if clock() >= deadline:
                step.close()
                left += 1
            else:
                await step

    await gather_bounded((work() for _ in range(at_once)), at_once)
    return left


async def read_throttled(
    observer: Observer, clock: Callable[[], float], listed: Endpoint, previous: Endpoint | None, deadline: float
) -> tuple[Endpoint, float]:
    """Read an endpoint, and again if Azure asks to wait and time is left; gives also when the reading began."""
    while True:
        began = clock()
        try:
            return await observer.read(listed, previous), began
        except Transient as error:
            if error.retry_after is None or began + error.retry_after >= deadline:
                raise
            await asyncio.sleep(error.retry_after)
