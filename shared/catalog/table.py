"""The durable catalog, in Azure Table Storage: what instances that share no memory share.

What each call promises stands in `ports.Catalog`, what rows look like in `rows.py`, the way to the table in `store.py`.
Calls are few, because every one of them costs an event its time.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from contextlib import suppress
from functools import partial
from math import inf
from typing import Any, TypeVar

import msgspec
from azure.data.tables import TableEntity
from azure.data.tables.aio import TableClient

from shared.catalog import codec as rows
from shared.catalog import future_times as times
from shared.catalog import history
from shared.catalog.codec import BODY, FACTS, LeaseRow, UnreadableRow
from shared.catalog.other_deployments import OtherDeployments
from shared.catalog.row_repair import RowRepair
from shared.catalog.table_client import TableRows
from shared.domain.catalog_rows import WHOLE_ZONE, Lease, LeaseHolder, LogPage, NameIndexEntry, Versioned, tick
from shared.domain.catalog_state import BadRow, CatalogState, WriteStamp
from shared.domain.clock import TOLERANCE, Clock
from shared.domain.concurrency import gather_bounded
from shared.domain.counters import ProcessCounters
from shared.domain.dirty import DirtyName, RecordChange
from shared.domain.endpoints import EndpointRow
from shared.domain.errors import Conflict
from shared.domain.overrides import Override
from shared.domain.resource_ids import digest
from shared.domain.zone_findings import ZoneFindings

T = TypeVar("T")

MAX_CONCURRENT_CALLS = 16
"""Rows of a name's claimants that are read at the same time."""
ROWS_PER_POINT_READ = 60
"""Rows of a scan that cost as much CPU as one row read by its key (measured: 17 us and 1 ms)."""
ASSUMED_ENDPOINTS = 30 * ROWS_PER_POINT_READ
"""How many endpoints there are taken to be before the first scan."""
LOG_PAGE = 500
"""Rows of the log after which no further page is read: more than one zone's budget lets be written in `LOG_SPAN`."""
KEY = ("PartitionKey", "RowKey")
LEASE_CAS_ATTEMPTS = 6
"""How often a lost race for a lease row is run again: requests of one process race when they prolong its lease."""


class TableCatalog:
    """Fulfils `ports.Catalog`. The client is closed by who made it. `others`: the catalogs beside it."""

    def __init__(self, client: TableClient, others: OtherDeployments | None = None) -> None:
        self._store = TableRows(client)
        self._mending = RowRepair(self._store)
        self._client = client
        self._others = others
        self._leases: dict[str, Versioned[LeaseRow]] = {}
        self._endpoints = ASSUMED_ENDPOINTS

    async def open(self, clock: Clock) -> None:
        self._store.clock = clock
        await self._store.get("marker", "marker")

    def _now(self) -> float:
        """The account's time, as far as it is known."""
        return self._store.clock() if self._store.clock else inf

    async def location(self) -> Mapping[str, str]:
        return {"kind": "table", "account": self._client.account_name or "", "table": self._client.table_name}

    async def take_over(self) -> None:
        if self._others and not await self._store.get("marker", "marker"):
            await self._others.take_over(self._store, self._client.table_name)

    async def purge_others(self, before: float) -> None:
        if self._others:
            await self._others.purge(self._client.table_name, before)

    async def endpoint(self, key: str) -> Versioned[EndpointRow] | None:
        row = await self._store.get("endpoints", digest(key))
        try:
            return times.without_future_times(rows.read_endpoint(row), self._now()) if row else None
        except UnreadableRow as error:
            await self._mending.drop_endpoints([error])
            return None

    async def endpoints(self) -> Sequence[Versioned[EndpointRow]]:
        good, bad = await self._mending.scan("PartitionKey eq 'endpoints'", BODY, rows.read_endpoint)
        await self._mending.drop_endpoints([error for _, error in bad])
        self._endpoints, now = len(good), self._now()
        return tuple(times.without_future_times(row, now) for row in good)

    async def bad_rows(self) -> Sequence[BadRow]:
        return await self._mending.recorded()

    async def forget_bad_rows(self, before: float) -> None:
        await self._mending.forget(before)

    async def claimants(self, name: str) -> Sequence[EndpointRow]:
        keys = [row.value.key for row in await self._indexed(rows.indexed_under(name))]
        if len(keys) * ROWS_PER_POINT_READ > self._endpoints:
            every = {row.value.endpoint.key: row.value for row in await self.endpoints()}
            return tuple(every[key] for key in keys if key in every)
        each = await gather_bounded((self.endpoint(key) for key in keys), MAX_CONCURRENT_CALLS)
        return tuple(row.value for row in each if row)

    async def put_endpoint(self, row: EndpointRow, etag: str | None) -> str:
        what = f"what is known of endpoint {row.endpoint.id}"
        entity = rows.encode_row("endpoints", digest(row.endpoint.key), row, what)
        return await (self._store.insert(entity) if etag is None else self._store.replace(entity, etag))

    async def purge_endpoint(self, key: str, etag: str) -> None:
        await self._store.delete("endpoints", digest(key), etag)

    async def index(self, name: str, key: str, now: float) -> None:
        await self._store.upsert(rows.indexed(NameIndexEntry(name, key, now)))

    async def indexed(self) -> Sequence[Versioned[NameIndexEntry]]:
        return tuple(await self._indexed("PartitionKey eq 'index'"))

    async def _indexed(self, where: str) -> list[Versioned[NameIndexEntry]]:
        good, bad = await self._mending.scan(where, BODY, rows.read_indexed)
        now = self._now()
        return [
            times.without_future_times(row, now) for row in good + await self._mending.index(error for _, error in bad)
        ]

    async def purge_index(self, row: Versioned[NameIndexEntry]) -> None:
        await self._store.delete("index", rows.index_key(row.value.name, row.value.key), row.etag)

    async def mark_dirty(self, dirty: DirtyName) -> None:
        """One call where the name is clean, two where it is dirty; `since` stays that of the first mark.

        The second call has no condition: the name is dirty after it even if it was cleared between the two.
        """
        try:
            await self._store.insert(rows.dirty(dirty))
        except Conflict:
            await self._store.upsert(rows.encode_mark(dirty), merge=True)

    async def dirty(self, zone: str) -> Sequence[Versioned[DirtyName]]:
        where, read = f"PartitionKey eq '{rows.dirty_in(zone)}'", partial(rows.read_dirty, zone)
        good, bad = await self._mending.scan(where, FACTS, read)
        hidden, now = [row for each in bad if (row := await self._hidden_dirty(zone, *each))], self._now()
        return tuple(times.without_future_times(row, now) for row in (*good, *hidden))

    async def dirty_name(self, zone: str, name: str) -> Versioned[DirtyName] | None:
        row = await self._store.get(rows.dirty_in(zone), rows.row_key(name))
        if row is None:
            return None
        try:
            return times.without_future_times(rows.read_dirty(zone, row), self._now())
        except UnreadableRow as error:
            return await self._hidden_dirty(zone, row, error)

    async def _hidden_dirty(self, zone: str, row: TableEntity, bad: UnreadableRow) -> Versioned[DirtyName] | None:
        found = rows.hidden_dirty(zone, row)
        await (self._mending.record(bad) if found else self._mending.drop(bad))
        return found

    async def put_dirty(self, dirty: DirtyName, etag: str) -> None:
        await self._store.replace(rows.dirty(dirty), etag)

    async def remove_dirty(self, zone: str, name: str, etag: str) -> None:
        await self._store.delete(rows.dirty_in(zone), rows.row_key(name), etag)

    async def acquire(self, zone: str, holder: str, now: float, seconds: float) -> Lease | None:
        def take(row: LeaseRow) -> LeaseRow | None:
            if row.holder not in ("", holder) and row.expires > now:
                return None
            return LeaseRow(zone, holder, now + seconds, row.spent if row.holder in ("", holder) else None)

        taken = await self._change_lease(zone, take, seconds + TOLERANCE)
        if taken is None:
            return None
        spent = None if taken.spent is None else tuple(WriteStamp(*write) for write in taken.spent)
        return Lease(zone, taken.expires, spent)

    async def release(self, zone: str, holder: str, spent: Sequence[WriteStamp]) -> None:
        free = LeaseRow(zone, spent=tuple((write.kind, write.name, write.at) for write in spent))
        await self._change_lease(zone, lambda row: free if row.holder == holder else None)

    async def lease_holder(self, zone: str, seconds: float) -> LeaseHolder:
        stored, written = await self._lease(zone, seconds + TOLERANCE)
        row = stored.value
        spent = None if row.spent is None else tuple(WriteStamp(*write) for write in row.spent)
        return LeaseHolder(row.holder, row.expires if row.holder else 0.0, spent, written)

    async def _change_lease(
        self, zone: str, change: Callable[[LeaseRow], LeaseRow | None], longest: float = inf
    ) -> LeaseRow | None:
        """Make of a lease row what `change` makes of it; None where that leaves it alone, or the race is lost.

        What this process wrote last saves the read: where that is out of date, the condition fails. `longest`: seconds
        after which a lease that nobody has prolonged is over, whatever its holder's clock said.
        """
        row = self._leases.pop(zone, None)
        for _ in range(LEASE_CAS_ATTEMPTS):
            if row is None or change(row.value) is None:
                row, _ = await self._lease(zone, longest)
            wanted = change(row.value)
            if wanted is None:
                return None
            entity = rows.encode_row("leases", digest(zone), wanted, f"the lease of {zone}")
            with suppress(Conflict):
                etag = await (self._store.replace(entity, row.etag) if row.etag else self._store.insert(entity))
                self._leases[zone] = Versioned(wanted, etag)
                return wanted
            row = None
        return None

    async def _lease(self, zone: str, longest: float) -> tuple[Versioned[LeaseRow], float]:
        """The lease row, and when it was written."""
        found = await self._store.get("leases", digest(zone))
        if found is None:
            return Versioned(LeaseRow(zone), ""), 0.0
        try:
            return rows.read_lease(found, longest), rows.written(found)
        except UnreadableRow as error:
            await self._mending.record(error)
            return rows.hidden_lease(zone, found, longest), rows.written(found)

    async def state(self) -> Versioned[CatalogState] | None:
        row = await self._one("marker", "marker", rows.STATE)
        return row and times.without_future_times(row, self._now())

    async def _one(self, partition: str, key: str, decoder: msgspec.json.Decoder[T]) -> Versioned[T] | None:
        """One row; None also for one that had to be dropped."""
        row = await self._store.get(partition, key)
        try:
            return rows.read(row, decoder) if row else None
        except UnreadableRow as error:
            await self._mending.drop(error)
            return None

    async def put_state(self, state: CatalogState, etag: str | None) -> str:
        entity = rows.encode_row("marker", "marker", rows.truncate_state(state), "the marker")
        return await (self._store.insert(entity) if etag is None else self._store.replace(entity, etag))

    async def overrides(self) -> Sequence[Versioned[Override]]:
        good, bad = await self._mending.scan("PartitionKey eq 'orders'", BODY, rows.read_order)
        for _, error in bad:
            await self._mending.record(error)
        return (*good, *(rows.hidden_order(error) for _, error in bad))

    async def put_override(self, override: Override) -> None:
        what = f"the order about {override.target}"
        await self._store.upsert(rows.encode_row("orders", digest(override.target), override, what))

    async def purge_override(self, target: str, etag: str | None = None) -> None:
        await self._store.delete("orders", digest(target), etag)

    async def findings(self, zone: str) -> Versioned[ZoneFindings] | None:
        return await self._one("found", digest(zone), rows.FINDINGS)

    async def put_findings(self, found: ZoneFindings, etag: str | None) -> str:
        entity = rows.encode_row("found", digest(found.zone), found, f"what was found of {found.zone}")
        return await (self._store.insert(entity) if etag is None else self._store.replace(entity, etag))

    async def add_history(self, zone: str, changes: Sequence[RecordChange]) -> None:
        """The log costs one call more, whatever the number of names, as long as a row has room for its entries."""
        logged = [rows.log(zone, batch) for batch in history.batches(changes)]
        work: list[Coroutine[Any, Any, object]] = [self._store.upsert(row) for row in logged]
        await gather_bounded(
            (*work, *(self._keep(zone, *part) for part in history.split_by_name(changes))), MAX_CONCURRENT_CALLS
        )

    async def log(self, zone: str, since: float, until: float) -> LogPage:
        found = await self._store.query(rows.logged(zone, since, until), (*KEY, *rows.LOG_BODIES), LOG_PAGE)
        whole = until
        if len(found) >= LOG_PAGE:
            whole = rows.log_begun(found[-1])
            if tick(whole) <= tick(since):  # A page that does not come to the span's beginning.
                found = await self._store.query(rows.logged(zone, since, until), (*KEY, *rows.LOG_BODIES))
                whole = until
        entries = (past for row in found for past in rows.read_log(row) if tick(since) <= tick(past.at) < tick(whole))
        return LogPage(tuple(sorted(entries, key=lambda past: past.at)), whole)

    async def _keep(self, zone: str, name: str, changes: Sequence[RecordChange]) -> None:
        """On condition: an order is entered by who does not hold the zone's lease."""
        for _ in range(LEASE_CAS_ATTEMPTS):
            row = await self._store.get(rows.history_of(zone), rows.history_key(name))
            whole = rows.history(zone, name, history.append_bounded(name, changes, await self._past(row)))
            with suppress(Conflict):
                etag = str(row.metadata["etag"]) if row else ""
                await (self._store.replace(whole, etag) if etag else self._store.insert(whole))
                return
        raise Conflict(f"the history of {name} changed {LEASE_CAS_ATTEMPTS} times while it was written")

    async def history(self, zone: str, name: str = WHOLE_ZONE) -> Sequence[RecordChange]:
        row = await self._store.get(rows.history_of(zone), rows.history_key(name))
        return await self._past(row)

    async def _past(self, row: TableEntity | None) -> Sequence[RecordChange]:
        if not row or not row.get("body"):
            return ()
        try:
            return times.without_future_times(rows.read(row, rows.HISTORY), self._now()).value
        except UnreadableRow as error:
            await self._mending.empty_history(error)
            return ()

    async def purge_history(self, before: float, zones: Collection[str]) -> None:
        kept = {rows.history_of(zone) for zone in zones}
        old = await self._store.query(rows.old_log(before), KEY)
        await gather_bounded(
            (self._store.delete(row["PartitionKey"], row["RowKey"], None) for row in old), MAX_CONCURRENT_CALLS
        )
        for row in await self._store.query(rows.old_history(before), (*KEY, "ours")):
            if row.get("ours") and row["PartitionKey"] in kept:
                continue
            with suppress(Conflict):  # It has changed just now.
                await self._store.delete(row["PartitionKey"], row["RowKey"], str(row.metadata["etag"]))

    async def owned(self, zone: str) -> Mapping[str, str]:
        found = await self._store.query(rows.owned(zone), ("RowKey",))
        return {row["RowKey"]: str(row.metadata["etag"]) for row in found}

    async def is_owned(self, zone: str, name: str) -> bool:
        row = await self._store.get(rows.history_of(zone), rows.history_key(name))
        return bool(row and row.get("ours"))

    async def record_owned(self, zone: str, names: Collection[str]) -> None:
        await gather_bounded((self._own(zone, name) for name in names), MAX_CONCURRENT_CALLS)

    async def _own(self, zone: str, name: str) -> None:
        known = rows.known(zone, name, as_ours=True)
        try:
            await self._store.insert({**known, "body": "[]", "at": 0.0})
        except Conflict:
            await self._store.upsert(known, merge=True)

    async def remove_owned(self, zone: str, names: Mapping[str, str]) -> None:
        await gather_bounded((self._disown(zone, name, etag) for name, etag in names.items()), MAX_CONCURRENT_CALLS)

    async def _disown(self, zone: str, name: str, etag: str) -> None:
        with suppress(Conflict):  # It was written just now.
            await self._store.replace(rows.known(zone, name, as_ours=False), etag, merge=True)

    async def process_counters(self) -> Sequence[ProcessCounters]:
        return tuple(row.value for row in await self._tallies())

    async def _tallies(self) -> list[Versioned[ProcessCounters]]:
        found = await self._store.query("PartitionKey eq 'tallies'", rows.TALLY_COLUMNS)
        return [rows.read_tally(row) for row in found]

    async def put_process_counters(self, tally: ProcessCounters) -> None:
        await self._store.upsert(rows.tally(tally))

    async def purge_process_counters(self, before: float) -> None:
        for row in await self._tallies():
            if row.value.at < before:
                with suppress(Conflict):  # Its process has written it just now.
                    await self._store.delete("tallies", digest(row.value.instance), row.etag)
