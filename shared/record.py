"""Recording: one endpoint's observation goes into the catalog, and the names that it changes become dirty.

The steps and their order are model-checked (tests/protocol); leaving one out loses updates. In particular the row is
always written, even when nothing changed, and a tombstone is written for what was never seen: that write makes a slower
handler with an older observation fail and look again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from shared.errors import Conflict, Transient
from shared.model import Cause, Dirty, Endpoint, EndpointRow, State, Urgency, Zone
from shared.observe import Observer
from shared.ports import Catalog, Stored
from shared.together import all_of

ATTEMPTS = 20


@dataclass(frozen=True)
class Recorder:
    """Writes what is observed. `clock`: seconds since the epoch.

    `foresee` is told, before an endpoint is observed, which names this may make dirty.
    """

    catalog: Catalog
    observer: Observer
    zones: tuple[Zone, ...]
    clock: Callable[[], float]
    foresee: Callable[[Iterable[str]], None]

    async def look(self, endpoint_id: str, cause: Cause) -> Endpoint:
        """Observe an endpoint and record it; gives what was seen. Raises Transient, Terminal."""
        for _ in range(ATTEMPTS):
            stored = await self.catalog.endpoint(endpoint_id.lower())
            known = stored.value.endpoint if stored else None
            if known and self.observer.calm:
                self.foresee(known.names)
            observed = await self.observer.observe(endpoint_id, known)
            try:
                await self.write(stored, observed, cause)
            except Conflict:
                continue
            return observed
        raise Transient(f"the catalog row of {endpoint_id} changed {ATTEMPTS} times while it was written")

    async def write(self, stored: Stored[EndpointRow] | None, observed: Endpoint, cause: Cause) -> None:
        """Record an observation made after `stored` was read. Raises Conflict where the row has changed since."""
        old = stored.value.endpoint if stored else None
        todo = left = stored.value.todo if stored else frozenset()
        if old is None or not observed.same(old):
            todo |= observed.names | (old.names if old else frozenset())
        row = EndpointRow(observed, todo, self.clock())
        etag = await self.catalog.put_endpoint(row, stored.etag if stored else None)
        if todo:
            urgencies = {name: urgency(old, observed, name, again=name in left) for name in todo}
            await self._publish(row, etag, urgencies, cause)

    async def _publish(self, row: EndpointRow, etag: str, urgencies: Mapping[str, Urgency], cause: Cause) -> None:
        now = self.clock()
        await all_of(self.catalog.index(name, row.endpoint.key, now) for name in sorted(row.todo))
        await self.mark(urgencies, cause)
        with suppress(Conflict):  # Somebody newer has the row now, and carries the names on.
            await self.catalog.put_endpoint(EndpointRow(row.endpoint, frozenset(), row.seen_at), etag)

    async def mark(self, names: Mapping[str, Urgency], cause: Cause) -> None:
        """Make names dirty in every zone."""
        rows = [
            Dirty(zone.key, name, how, cause.at, cause=cause.said)
            for name, how in sorted(names.items())
            for zone in self.zones
        ]
        await all_of(self.catalog.mark(row) for row in rows)


def urgency(old: Endpoint | None, new: Endpoint, name: str, *, again: bool = False) -> Urgency:
    """How urgent a name of a changed endpoint is. `again`: who has seen the change may not have told of it."""
    was, now = _served(old, name), _served(new, name)
    host = not any(endpoint and name in endpoint.tagged for endpoint in (old, new))
    if was - now or (again and not now):
        return Urgency.HOST_WITHDRAW if host else Urgency.WITHDRAW
    if now - was or again:
        return Urgency.HOST_FIRST if host else Urgency.FIRST
    return Urgency.OTHER


def _served(endpoint: Endpoint | None, name: str) -> set[object]:
    serves = endpoint and endpoint.state == State.SERVING and name in endpoint.names
    return set(endpoint.addresses) if endpoint and serves else set()
