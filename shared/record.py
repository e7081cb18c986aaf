"""Recording: one endpoint's observation goes into the catalog, and the names that it changes become dirty.

The steps and their order were model-checked; leaving one out loses updates. In particular the row is always written,
even when nothing changed, and a tombstone is written for what was never seen: that write makes a slower handler with an
older observation fail and look again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass

from shared.errors import Conflict, Transient
from shared.model import Dirty, Endpoint, EndpointRow, State, Urgency, Zone
from shared.ports import Catalog, Inventory, Stored

ATTEMPTS = 20


@dataclass(frozen=True)
class Recorder:
    """Writes what is observed. `clock`: seconds since the epoch."""

    catalog: Catalog
    inventory: Inventory
    zones: tuple[Zone, ...]
    clock: Callable[[], float]

    async def look(self, endpoint_id: str) -> frozenset[str]:
        """Observe an endpoint and record it; gives the names made dirty. Raises Transient, Forbidden."""
        for _ in range(ATTEMPTS):
            stored = await self.catalog.endpoint(endpoint_id.lower())
            observed = await self.inventory.observe(endpoint_id, stored.value.endpoint if stored else None)
            try:
                return await self.write(stored, observed)
            except Conflict:
                continue
        raise Transient(f"the catalog row of {endpoint_id} changed {ATTEMPTS} times while it was written")

    async def write(self, stored: Stored[EndpointRow] | None, observed: Endpoint) -> frozenset[str]:
        """Record an observation made after `stored` was read. Raises Conflict where the row has changed since."""
        old = stored.value.endpoint if stored else None
        changed = observed != old
        todo = stored.value.todo if stored else frozenset()
        if changed:
            todo |= observed.names | (old.names if old else frozenset())
        row = EndpointRow(observed, todo, self.clock())
        etag = await self.catalog.put_endpoint(row, stored.etag if stored else None)
        if todo:
            await self._publish(row, etag, urgency(old, observed))
        return todo

    async def _publish(self, row: EndpointRow, etag: str, urgency: Urgency) -> None:
        now = self.clock()
        for name in sorted(row.todo):
            await self.catalog.index(name, row.endpoint.key, now)
        await self.mark(row.todo, urgency)
        with suppress(Conflict):  # Somebody newer has the row now, and carries the names on.
            await self.catalog.put_endpoint(EndpointRow(row.endpoint, frozenset(), row.seen_at), etag)

    async def mark(self, names: Iterable[str], urgency: Urgency = Urgency.OTHER, *, adopt: bool = False) -> None:
        """Make names dirty in every zone."""
        now = self.clock()
        for name in sorted(names):
            for zone in self.zones:
                await self.catalog.mark(Dirty(zone.key, name, urgency, now, adopt=adopt))


def urgency(old: Endpoint | None, new: Endpoint) -> Urgency:
    """How urgent the names of a changed endpoint are."""
    was = set(old.addresses) if old and old.state == State.SERVING else set()
    now = set(new.addresses) if new.state == State.SERVING else set()
    if was - now:
        return Urgency.WITHDRAW
    return Urgency.FIRST if now - was else Urgency.OTHER
