"""Recording: what was observed of an endpoint goes into the catalog, and the names that it changes become dirty.

The steps and their order are model-checked (tests/protocol); leaving one out loses updates. In particular the row is
always written, even when nothing changed, and a tombstone is written for what was never seen: that write makes a slower
handler with an older observation fail and observe again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import repeat

from shared.decide.confirmation import DELETE_EVENT, EVENT, NO_EVENT, UNKNOWN, observed_row, says_the_same
from shared.domain.catalog_rows import Versioned
from shared.domain.concurrency import SharedRun, SharedRuns, gather_bounded
from shared.domain.dirty import Cause, DirtyName, Urgency
from shared.domain.endpoints import Endpoint, EndpointRow, State
from shared.domain.errors import Conflict, Transient
from shared.domain.zones import Zone
from shared.edge.event_hints import Hint
from shared.loop.observer import Observer
from shared.loop.probing.interface import NoProbing, Probing
from shared.ports import Catalog, Inventory

MAX_RECORD_ATTEMPTS = 20
MAX_CONCURRENT_OBSERVATIONS = 200
"""Endpoints of one event that are observed together: many that wait are read by a list."""
HINT_INTERVAL_SECONDS = 1.0
"""Seconds between the beginnings of two observations of one resource: a deployment sends many events about it."""


@dataclass(frozen=True)
class Recorder:
    """Writes what is observed. `clock`: seconds since the epoch. `health_wait`: see `confirmation.observed_row`.

    `prefetch` is called before an endpoint is observed, with the names that may become dirty. `probing`: may hold an
    endpoint back until its first successful probe.
    """

    catalog: Catalog
    inventory: Inventory
    observer: Observer
    zones: tuple[Zone, ...]
    clock: Callable[[], float]
    prefetch: Callable[[Iterable[str]], None]
    health_wait: float
    probing: Probing = field(default_factory=NoProbing)
    _hints: SharedRuns[Sequence[Endpoint]] = field(default_factory=lambda: SharedRuns(HINT_INTERVAL_SECONDS))
    _looks: SharedRuns[Endpoint] = field(default_factory=SharedRuns)

    async def follow_hint(self, hint: Hint, cause: Cause) -> tuple[Sequence[Endpoint], bool]:
        """Observe and record all endpoints that a hint is about. Raises Transient, Terminal.

        Hints at one resource that come together share a run. Gives what was recorded, and whether this call is the
        first one of its run: its caller applies the dirty names.
        """

        async def work(flight: SharedRun[Sequence[Endpoint]]) -> Sequence[Endpoint]:
            if hint.type in self.inventory.parent_types:
                return await self._observe_members(hint.resource_id, cause, flight.waiting_callers)
            ids = await self.inventory.resolve(hint.resource_id)
            itself = DELETE_EVENT if DELETE_EVENT in flight.waiting_callers else EVENT
            asks = [itself if each.lower() == hint.resource_id.lower() else EVENT for each in ids]
            return await gather_bounded(
                (self.observe_and_record(*each) for each in zip(ids, repeat(cause), asks)), MAX_CONCURRENT_OBSERVATIONS
            )

        ask = DELETE_EVENT if hint.deleted else EVENT
        return await self._hints.run(hint.resource_id.lower(), ask, work)

    async def _observe_members(self, parent_id: str, cause: Cause, asks: Collection[str]) -> Sequence[Endpoint]:
        """Observe the endpoints of a parent by its lists; by GET only what these leave open or no longer show."""
        every = await self.catalog.endpoints()
        rows = {row.value.endpoint.key: row for row in every if row.value.endpoint.parent == parent_id.lower()}
        known = [row.value.endpoint for row in rows.values()]
        clear, unclear = await self.inventory.members(parent_id, known) or ((), ())
        ask = DELETE_EVENT if DELETE_EVENT in asks else EVENT
        work = [self._interpret(rows.get(each.key), each, cause) for each in clear]
        there = {each.key for each in clear}
        missing = [each for each in known if each.state != State.GONE and each.key not in there]
        rest = {each.key: each.id for each in (*missing, *unclear)}
        work += [self.observe_and_record(each, cause, ask) for each in rest.values()]
        return await gather_bounded(work, MAX_CONCURRENT_OBSERVATIONS)

    async def _interpret(self, stored: Versioned[EndpointRow] | None, listed: Endpoint, cause: Cause) -> Endpoint:
        """Record what a list has shown, or observe the endpoint where another handler was faster."""
        asks = (EVENT,) if stored and stored.value.endpoint.names else (EVENT, UNKNOWN)
        try:
            return (await self.record(stored, listed, cause, self.clock(), asks)).value.endpoint
        except Conflict:
            return await self.observe_and_record(listed.id, cause, EVENT)

    async def observe_and_record(self, endpoint_id: str, cause: Cause, ask: str) -> Endpoint:
        """Observe an endpoint and record it; gives what was recorded. Raises Transient, Terminal.

        Calls during an observation of the same endpoint share the next one. `ask`: the kind of request, one
        of the words of `decide/confirmation.py`.
        """

        async def work(flight: SharedRun[Endpoint]) -> Endpoint:
            return await self._observe_and_record(endpoint_id, cause, flight.waiting_callers)

        seen, _ = await self._looks.run(endpoint_id.lower(), ask, work)
        return seen

    async def _observe_and_record(self, endpoint_id: str, cause: Cause, asks: Collection[str]) -> Endpoint:
        for _ in range(MAX_RECORD_ATTEMPTS):
            stored = await self.catalog.endpoint(endpoint_id.lower())
            known = stored.value.endpoint if stored else None
            if known and self.observer.is_idle:
                self.prefetch(known.names)
            if not (known and known.names):
                asks = {*asks, UNKNOWN}
            began = self.clock()
            observed = await self.observer.observe(endpoint_id, known)
            with suppress(Conflict):
                return (await self.record(stored, observed, cause, began, asks)).value.endpoint
            # Another handler was faster. Where it saw the same, writing that again on condition of its version is
            # enough: a handler with an older observation fails on it.
            stored = await self.catalog.endpoint(endpoint_id.lower())
            if stored and says_the_same(stored.value, observed):
                with suppress(Conflict):
                    return (await self.record(stored, observed, cause, began, asks)).value.endpoint
        raise Transient(f"the catalog row of {endpoint_id} changed {MAX_RECORD_ATTEMPTS} times while it was written")

    async def record(
        self,
        stored: Versioned[EndpointRow] | None,
        observed: Endpoint,
        cause: Cause,
        began: float,
        asks: Collection[str] = (NO_EVENT,),
    ) -> Versioned[EndpointRow]:
        """Record an observation that began at `began`, after `stored` was read. Raises Conflict if the row changed."""
        old = stored.value if stored else None
        row = observed_row(old, observed, began, self.clock(), asks=set(asks), health_wait=self.health_wait)
        before, left = old.endpoint if old else None, row.todo
        if before is None or not row.endpoint.equals_ignoring_id_case(before):
            row = replace(row, todo=row.todo | row.endpoint.names | (before.names if before else frozenset()))
        # First of all: whatever reads that the endpoint serves must read the verdict as well.
        await self.probing.wait_for_first(before, row.endpoint)
        etag = await self.catalog.put_endpoint(row, stored.etag if stored else None)
        if not row.todo:
            return Versioned(row, etag)
        urgencies = {name: urgency(before, row.endpoint, name, again=name in left) for name in row.todo}
        await self._index(row, row.todo)
        await self.mark_dirty(urgencies, cause)
        return await self._write_todo(row, etag, frozenset())

    async def enlist(self, stored: Versioned[EndpointRow] | None, listed: Endpoint) -> Versioned[EndpointRow]:
        """Record what an endpoint claims that has still to be read. Raises Conflict where the row has changed.

        No name becomes dirty: neither what was there before (nothing, a tombstone, or an endpoint that was not read
        either) nor this is published. A name that it no longer claims is marked when it is read: until now it was held
        back for this endpoint.
        """
        todo = (stored.value.todo | stored.value.endpoint.names - listed.names) if stored else frozenset()
        row = EndpointRow(listed, todo | listed.names, self.clock())
        etag = await self.catalog.put_endpoint(row, stored.etag if stored else None)
        await self._index(row, listed.names)
        return await self._write_todo(row, etag, todo)

    async def _index(self, row: EndpointRow, names: Iterable[str]) -> None:
        now = self.clock()
        await gather_bounded(self.catalog.index(name, row.endpoint.key, now) for name in sorted(names))

    async def _write_todo(self, row: EndpointRow, etag: str, todo: frozenset[str]) -> Versioned[EndpointRow]:
        """Write the row with this `todo`. After a conflict, the handler that has the row now marks the names."""
        row = replace(row, todo=todo)
        with suppress(Conflict):
            etag = await self.catalog.put_endpoint(row, etag)
        return Versioned(row, etag)

    async def mark_dirty(self, names: Mapping[str, Urgency], cause: Cause) -> None:
        """Make names dirty in every zone."""
        rows = [
            DirtyName(zone.key, name, how, cause.at, cause=cause.text, by=cause.by, reason_given=cause.reason_given)
            for name, how in sorted(names.items())
            for zone in self.zones
        ]
        await gather_bounded(self.catalog.mark_dirty(row) for row in rows)


def urgency(old: Endpoint | None, new: Endpoint, name: str, *, again: bool = False) -> Urgency:
    """How urgent a name of a changed endpoint is. `again`: an earlier handler may not have marked it."""
    was, now = _served(old, name), _served(new, name)
    host = not any(endpoint and name in endpoint.tagged for endpoint in (old, new))
    if was - now or (again and not now):
        return Urgency.HOST_WITHDRAW if host else Urgency.WITHDRAW
    if now - was or again:
        return Urgency.HOST_FIRST_ADDRESS if host else Urgency.FIRST_ADDRESS
    return Urgency.OTHER


def _served(endpoint: Endpoint | None, name: str) -> set[object]:
    serves = endpoint and endpoint.state == State.SERVING and name in endpoint.names
    return set(endpoint.narrowed(name).addresses) if endpoint and serves else set()
