"""Catching up: the rows of endpoints follow what a sweep has listed, and what its lists leave open is read.

What a list leaves open is read at the pace that Azure allows (see `arm.client.Throttle`), claimants of service names
first. An endpoint that the catalog does not know is enlisted before it is read: then the catalog knows every claim, so
each name is right as soon as its own claimants are read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from shared.decide.confirmation import CONFIRM_SECONDS, EVENT, MISSING, NO_EVENT, UNKNOWN
from shared.domain.catalog_rows import Versioned
from shared.domain.catalog_state import ReadingProgress
from shared.domain.concurrency import gather_bounded
from shared.domain.dirty import Cause
from shared.domain.endpoints import Endpoint, EndpointRow, Listing, State
from shared.domain.errors import Conflict, NearzoneError, Transient
from shared.edge.report import Report
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

Row = Versioned[EndpointRow] | None
Rows = Mapping[str, Versioned[EndpointRow]]


@dataclass
class ObservationCatchUp:
    """One sweep's work on the rows of endpoints. `complete`: whether what was done until now has left nothing open.

    `rewrites`: rows that say what a list says are written, too. The sweep then stands for the looks of events that were
    left to it: a slower handler with an older observation fails on these writes, as it does on a look's, and a first
    claim is looked at once more.
    """

    recorder: Recorder
    cause: Cause
    dry_run: bool
    report: Report
    rewrites: bool = False
    seen: dict[str, Endpoint] = field(default_factory=dict)
    """What a dry run has seen and not recorded."""
    written: bool = False
    """Whether rows may have changed."""
    complete: bool = True
    deadline: float = 0.0
    """When what runs now has to end, in seconds since the epoch."""
    _differing: list[tuple[Endpoint, Row]] = field(default_factory=list)
    _missing: list[tuple[str, Endpoint | None]] = field(default_factory=list)
    _needs_get: list[tuple[Endpoint, Row]] = field(default_factory=list)
    _new: list[tuple[Endpoint, Row]] = field(default_factory=list)
    _unread: list[tuple[Endpoint, Versioned[EndpointRow]]] = field(default_factory=list)
    _doubted: list[str] = field(default_factory=list)

    @property
    def unread(self) -> int:
        """How many endpoints are enlisted and have still to be read."""
        return len(self._unread)

    def compare(self, rows: Rows, listings: Sequence[Listing]) -> None:
        """Find out what has to be recorded because it differs, and looked at because it is missing or left open."""
        listed = {endpoint.key: endpoint for listing in listings for endpoint in listing.endpoints}
        unclear = {endpoint.key: endpoint for listing in listings for endpoint in listing.needs_get}
        self.report.observed = len(listed) + len(unclear)
        for key, endpoint in listed.items():
            stored = rows.get(key)
            if stored is None and not endpoint.is_relevant:
                continue
            if (
                stored is None
                or stored.value.todo
                or self.rewrites
                or not endpoint.equals_ignoring_id_case(stored.value.endpoint)
            ):
                self._differing.append((endpoint, stored))
        complete = {(listing.subscription, listing.kind) for listing in listings if not listing.error}
        for key, stored in rows.items():
            if key in listed or key in unclear:
                continue
            endpoint = stored.value.endpoint
            # Lists tell of every endpoint whether it claims names: the row of one that claims none may grow old.
            if (endpoint.state == State.GONE or not endpoint.is_relevant) and not stored.value.todo:
                continue
            if (endpoint.subscription, endpoint.kind) in complete or stored.value.todo:
                self._missing.append((endpoint.id, endpoint))
        for key, endpoint in unclear.items():
            stored = rows.get(key)
            fresh = stored is None or stored.value.endpoint.state == State.GONE or stored.value.endpoint.unread
            (self._new if fresh and endpoint.names and not self.dry_run else self._needs_get).append((endpoint, stored))

    async def run(self, deadline: float) -> bool:
        """Record, and enlist what is new; whether all of it was done before the deadline, and nothing is left open."""
        self.deadline = deadline
        self._new.sort(key=lambda pair: (not pair[0].tagged, pair[0].tagged))  # Service by service, then host names.
        late = await self._some((self._enlist(*pair) for pair in self._new), MAX_CONCURRENT_ENLISTINGS, deadline)
        late += await self._some((self._read(*pair) for pair in self._needs_get), MAX_CONCURRENT_READS, deadline)
        rest = [
            *(self._record_listed(*pair) for pair in self._differing),
            *(self._check_missing(*pair) for pair in self._missing),
        ]
        late += await self._some(rest, MAX_CONCURRENT_RECORDINGS, deadline)
        if self._doubted and self.recorder.clock() + CONFIRM_SECONDS < deadline:
            await asyncio.sleep(CONFIRM_SECONDS)
            late += await self._some(
                (self._observe(each) for each in tuple(self._doubted)), MAX_CONCURRENT_RECORDINGS, deadline
            )
        if late:
            self.report.failures.append(("sweep", f"deadline: {late} endpoints are left for the next one"))
        return not late and self.complete

    async def read(self, deadline: float, note: Callable[[ReadingProgress], Awaitable[object]]) -> None:
        """Read what was enlisted, until the deadline; tells every `PROGRESS_SECONDS`, and at the end, how far it is."""
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
        self.report.endpoints_unread = await self._some(
            (step(*pair) for pair in unread), MAX_CONCURRENT_READS, deadline
        )
        await note(ReadingProgress(done, len(unread), begun, clock(), ended=True))

    async def _some(self, steps: Iterable[Coroutine[None, None, None]], at_once: int, deadline: float) -> int:
        """Do the steps, so many at a time, and begin none after the deadline; gives how many were left out."""
        todo, left = iter(steps), 0

        async def work() -> None:
            nonlocal left
            for step in todo:
                if self.recorder.clock() >= deadline:
                    step.close()
                    left += 1
                else:
                    await step

        await gather_bounded((work() for _ in range(at_once)), at_once)
        return left

    async def _enlist(self, listed: Endpoint, stored: Row) -> None:
        self.written = True
        try:
            self._unread.append((listed, await self.recorder.enlist(stored, listed)))
        except Conflict:  # An event handler was faster, and has read it.
            await self._observe(listed.id)
        except NearzoneError as error:
            self._fail(listed.id, error)

    async def _read(self, listed: Endpoint, stored: Row) -> None:
        """Read what a list leaves open, beside what the list has shown; `stored` was read before the list."""
        known = stored.value.endpoint if stored else None
        try:
            seen, began = await self._retry_throttled(listed, known)
            if self.dry_run:
                self.seen[listed.key] = seen
                return
            self.written = True
            self._observe_open(
                (await self.recorder.record(stored, seen, self.cause, began, self._asks(stored))).value.endpoint
            )
        except Conflict:
            await self._observe(listed.id, self._ask)
        except NearzoneError as error:
            self._fail(listed.id, error, open_=known is None)
            if stored and stored.value.endpoint.unread and not self.dry_run:
                await self._doubt(stored, error)

    async def _doubt(self, stored: Versioned[EndpointRow], error: NearzoneError) -> None:
        """What could not be read does not hold its names back any longer: it is in doubt, and drains look again."""
        seen = replace(stored.value.endpoint, doubt=f"cannot be read: {error}"[:500])
        with suppress(NearzoneError):  # Another handler has looked at it, or the next sweep does.
            await self.recorder.record(stored, seen, self.cause, self.recorder.clock())

    async def _retry_throttled(self, listed: Endpoint, known: Endpoint | None) -> tuple[Endpoint, float]:
        """Read an endpoint, again where Azure asks to wait and the time is left; gives when the reading began."""
        while True:
            began = self.recorder.clock()
            try:
                return await self.recorder.observer.read(listed, known), began
            except Transient as error:
                if error.retry_after is None or began + error.retry_after >= self.deadline:
                    raise
                await asyncio.sleep(error.retry_after)

    async def _record_listed(self, endpoint: Endpoint, stored: Row) -> None:
        if self.dry_run:
            self.seen[endpoint.key] = endpoint
            return
        self.written = True
        try:
            await self.recorder.record(stored, endpoint, self.cause, self.recorder.clock(), self._asks(stored))
        except Conflict:
            # An event handler was faster; what it saw may be older than the list.
            await self._observe(endpoint.id, self._ask)
        except NearzoneError as error:
            self._fail(endpoint.id, error)

    async def _check_missing(self, endpoint_id: str, known: Endpoint | None) -> None:
        """Absence from a list is not evidence: only the endpoint's own GET is."""
        if not self.dry_run:
            await self._observe(endpoint_id)
            return
        try:
            self.seen[endpoint_id.lower()] = await self.recorder.inventory.observe(endpoint_id, known)
        except NearzoneError as error:
            self._fail(endpoint_id, error, open_=known is None)

    @property
    def _ask(self) -> str:
        return EVENT if self.rewrites else NO_EVENT

    def _asks(self, stored: Row) -> Sequence[str]:
        return (self._ask,) if stored and stored.value.endpoint.names else (self._ask, UNKNOWN)

    async def _observe(self, endpoint_id: str, ask: str = NO_EVENT) -> None:
        self.written = True
        try:
            self._observe_open(await self.recorder.observe_and_record(endpoint_id, self.cause, ask))
        except NearzoneError as error:
            self._fail(endpoint_id, error)

    def _observe_open(self, seen: Endpoint) -> None:
        """What cannot be read leaves the catalog incomplete where its names are not known; not so what may not be."""
        if seen.doubt == MISSING and seen.id not in self._doubted:
            self._doubted.append(seen.id)
        self.complete &= not seen.doubt or bool(seen.names) or seen.doubt == MISSING

    def _fail(self, endpoint_id: str, error: NearzoneError, *, open_: bool = True) -> None:
        self.complete &= not (open_ or not self.dry_run)
        self.report.fail(endpoint_id, error)
