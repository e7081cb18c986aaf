"""The durable catalog, in Azure Table Storage: what instances that share no memory share.

What each call promises stands in `ports.Catalog`, what rows look like in `rows.py`, the way to the table in `store.py`.
Calls are few, because every one of them costs an event its time.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from math import inf

from azure.data.tables.aio import TableClient

from shared.catalog import history, rows, times
from shared.catalog.others import Others
from shared.catalog.rows import BODY, FACTS, LeaseRow
from shared.catalog.store import Store
from shared.clock import TOLERANCE, Clock
from shared.errors import Conflict
from shared.model import Dirty, EndpointRow, Found, Marker, Order, Past, Write
from shared.ports import EVERY_NAME, Indexed, Lease, Stored, Tenancy
from shared.together import all_of

AT_ONCE = 16
"""Rows of a name's claimants that are read at the same time."""
WORTH = 60
"""Rows of a scan that cost as much CPU as one row read by its key (measured: 17 us and 1 ms)."""
UNSEEN = 30 * WORTH
"""How many endpoints there are taken to be before the first scan."""
RACES = 6
"""How often a lost race for a lease row is run again: requests of one process race when they prolong its lease."""


class TableCatalog:
    """Fulfils `ports.Catalog`. The client is closed by who made it. `others`: the catalogs beside it."""

    def __init__(self, client: TableClient, others: Others | None = None) -> None:
        self._store = Store(client)
        self._client = client
        self._others = others
        self._leases: dict[str, Stored[LeaseRow]] = {}
        self._endpoints = UNSEEN

    async def open(self, clock: Clock) -> None:
        self._store.clock = clock
        await self._store.get("marker", "marker")

    def _now(self) -> float:
        """The account's time, as far as it is known."""
        return self._store.clock() if self._store.clock else inf

    async def place(self) -> Mapping[str, str]:
        return {"kind": "table", "account": self._client.account_name or "", "table": self._client.table_name}

    async def take_over(self) -> None:
        if self._others and not await self._store.get("marker", "marker"):
            await self._others.take_over(self._store, self._client.table_name)

    async def purge_others(self, before: float) -> None:
        if self._others:
            await self._others.purge(self._client.table_name, before)

    async def endpoint(self, key: str) -> Stored[EndpointRow] | None:
        row = await self._store.get("endpoints", rows.digest(key))
        return times.believed(rows.read(row, rows.ENDPOINT), self._now()) if row else None

    async def endpoints(self) -> Sequence[Stored[EndpointRow]]:
        found = await self._store.query("PartitionKey eq 'endpoints'", BODY)
        self._endpoints = len(found)
        now = self._now()
        return tuple(times.believed(rows.read(row, rows.ENDPOINT), now) for row in found)

    async def claimants(self, name: str) -> Sequence[EndpointRow]:
        found = await self._store.query(rows.indexed_under(name), BODY)
        keys = [rows.read(row, rows.INDEXED).value.key for row in found]
        if len(keys) * WORTH > self._endpoints:
            every = {row.value.endpoint.key: row.value for row in await self.endpoints()}
            return tuple(every[key] for key in keys if key in every)
        each = await all_of((self.endpoint(key) for key in keys), AT_ONCE)
        return tuple(row.value for row in each if row)

    async def put_endpoint(self, row: EndpointRow, etag: str | None) -> str:
        what = f"what is known of endpoint {row.endpoint.id}"
        entity = rows.entity("endpoints", rows.digest(row.endpoint.key), row, what)
        return await (self._store.insert(entity) if etag is None else self._store.replace(entity, etag))

    async def purge_endpoint(self, key: str, etag: str) -> None:
        await self._store.delete("endpoints", rows.digest(key), etag)

    async def index(self, name: str, key: str, now: float) -> None:
        value = Indexed(name, key, now)
        await self._store.upsert(rows.entity("index", rows.index_key(name, key), value, f"the index of {name}"))

    async def indexed(self) -> Sequence[Stored[Indexed]]:
        found = await self._store.query("PartitionKey eq 'index'", BODY)
        now = self._now()
        return tuple(times.believed(rows.read(row, rows.INDEXED), now) for row in found)

    async def purge_index(self, row: Stored[Indexed]) -> None:
        await self._store.delete("index", rows.index_key(row.value.name, row.value.key), row.etag)

    async def mark(self, dirty: Dirty) -> None:
        """One call where the name is clean, two where it is dirty; `since` stays that of the first mark.

        The second call has no condition: the name is dirty after it even if it was cleared between the two.
        """
        try:
            await self._store.insert(rows.dirty(dirty))
        except Conflict:
            await self._store.upsert(rows.mark(dirty), merge=True)

    async def dirty(self, zone: str) -> Sequence[Stored[Dirty]]:
        found = await self._store.query(f"PartitionKey eq '{rows.dirty_in(zone)}'", FACTS)
        now = self._now()
        return tuple(times.believed(rows.read_dirty(zone, row), now) for row in found)

    async def dirty_name(self, zone: str, name: str) -> Stored[Dirty] | None:
        row = await self._store.get(rows.dirty_in(zone), rows.label(name))
        return times.believed(rows.read_dirty(zone, row), self._now()) if row else None

    async def put_dirty(self, dirty: Dirty, etag: str) -> None:
        await self._store.replace(rows.dirty(dirty), etag)

    async def clear(self, zone: str, name: str, etag: str) -> None:
        await self._store.delete(rows.dirty_in(zone), rows.label(name), etag)

    async def acquire(self, zone: str, holder: str, now: float, seconds: float) -> Lease | None:
        def take(row: LeaseRow) -> LeaseRow | None:
            if row.holder not in ("", holder) and row.expires > now:
                return None
            return LeaseRow(zone, holder, now + seconds, row.spent if row.holder in ("", holder) else None)

        taken = await self._change_lease(zone, take, seconds + TOLERANCE)
        if taken is None:
            return None
        spent = None if taken.spent is None else tuple(Write(*write) for write in taken.spent)
        return Lease(zone, taken.expires, spent)

    async def release(self, zone: str, holder: str, spent: Sequence[Write]) -> None:
        free = LeaseRow(zone, spent=tuple((write.kind, write.name, write.at) for write in spent))
        await self._change_lease(zone, lambda row: free if row.holder == holder else None)

    async def tenancy(self, zone: str, seconds: float) -> Tenancy:
        found = await self._store.get("leases", rows.digest(zone))
        if not found:
            return Tenancy()
        row = rows.read_lease(found, seconds + TOLERANCE).value
        spent = None if row.spent is None else tuple(Write(*write) for write in row.spent)
        return Tenancy(row.holder, row.expires if row.holder else 0.0, spent, rows.written(found))

    async def _change_lease(
        self, zone: str, change: Callable[[LeaseRow], LeaseRow | None], longest: float = inf
    ) -> LeaseRow | None:
        """Make of a lease row what `change` makes of it; None where that leaves it alone, or the race is lost.

        What this process wrote last saves the read: where that is out of date, the condition fails. `longest`: seconds
        after which a lease that nobody has prolonged is over, whatever its holder's clock said.
        """
        row = self._leases.pop(zone, None)
        for _ in range(RACES):
            if row is None or change(row.value) is None:
                found = await self._store.get("leases", rows.digest(zone))
                row = rows.read_lease(found, longest) if found else Stored(LeaseRow(zone), "")
            wanted = change(row.value)
            if wanted is None:
                return None
            entity = rows.entity("leases", rows.digest(zone), wanted, f"the lease of {zone}")
            with suppress(Conflict):
                etag = await (self._store.replace(entity, row.etag) if row.etag else self._store.insert(entity))
                self._leases[zone] = Stored(wanted, etag)
                return wanted
            row = None
        return None

    async def marker(self) -> Stored[Marker] | None:
        row = await self._store.get("marker", "marker")
        return times.believed(rows.read(row, rows.MARKER), self._now()) if row else None

    async def put_marker(self, marker: Marker, etag: str | None) -> str:
        entity = rows.entity("marker", "marker", rows.bounded(marker), "the marker")
        return await (self._store.insert(entity) if etag is None else self._store.replace(entity, etag))

    async def orders(self) -> Sequence[Stored[Order]]:
        found = await self._store.query("PartitionKey eq 'orders'", BODY)
        return tuple(rows.read(row, rows.ORDER) for row in found)

    async def put_order(self, order: Order) -> None:
        what = f"the order about {order.target}"
        await self._store.upsert(rows.entity("orders", rows.digest(order.target), order, what))

    async def purge_order(self, target: str, etag: str | None = None) -> None:
        await self._store.delete("orders", rows.digest(target), etag)

    async def found(self, zone: str) -> Stored[Found] | None:
        row = await self._store.get("found", rows.digest(zone))
        return rows.read(row, rows.FOUND) if row else None

    async def put_found(self, found: Found, etag: str | None) -> str:
        entity = rows.entity("found", rows.digest(found.zone), found, f"what was found of {found.zone}")
        return await (self._store.insert(entity) if etag is None else self._store.replace(entity, etag))

    async def keep(self, zone: str, changes: Sequence[Past]) -> None:
        await all_of((self._keep(zone, *part) for part in history.parts(changes)), AT_ONCE)

    async def _keep(self, zone: str, name: str, changes: Sequence[Past]) -> None:
        whole = history.added(name, changes, await self.history(zone, name))
        await self._store.upsert(rows.history(zone, name, whole))

    async def history(self, zone: str, name: str = EVERY_NAME) -> Sequence[Past]:
        row = await self._store.get(rows.history_of(zone), rows.history_key(name))
        if not row or not row.get("body"):
            return ()
        return times.believed(rows.read(row, rows.HISTORY), self._now()).value

    async def forget(self, before: float, zones: Collection[str]) -> None:
        kept = {rows.history_of(zone) for zone in zones}
        for row in await self._store.query(rows.old_history(before), ("PartitionKey", "RowKey", "ours")):
            if row.get("ours") and row["PartitionKey"] in kept:
                continue
            with suppress(Conflict):  # It has changed just now.
                await self._store.delete(row["PartitionKey"], row["RowKey"], str(row.metadata["etag"]))

    async def owned(self, zone: str) -> Mapping[str, str]:
        found = await self._store.query(rows.owned(zone), ("RowKey",))
        return {row["RowKey"]: str(row.metadata["etag"]) for row in found}

    async def owns(self, zone: str, name: str) -> bool:
        row = await self._store.get(rows.history_of(zone), rows.history_key(name))
        return bool(row and row.get("ours"))

    async def own(self, zone: str, names: Collection[str]) -> None:
        await all_of((self._own(zone, name) for name in names), AT_ONCE)

    async def _own(self, zone: str, name: str) -> None:
        known = rows.known(zone, name, as_ours=True)
        try:
            await self._store.insert({**known, "body": "[]", "at": 0.0})
        except Conflict:
            await self._store.upsert(known, merge=True)

    async def disown(self, zone: str, names: Mapping[str, str]) -> None:
        await all_of((self._disown(zone, name, etag) for name, etag in names.items()), AT_ONCE)

    async def _disown(self, zone: str, name: str, etag: str) -> None:
        with suppress(Conflict):  # It was written just now.
            await self._store.replace(rows.known(zone, name, as_ours=False), etag, merge=True)
