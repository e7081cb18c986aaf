"""The durable catalog, in Azure Table Storage: the shared memory of the instances.

`ports.Catalog` describes each call, `codec.py` the rows, `table_client.py` the access to the table. Each method makes
as few calls as possible, because every call adds to the latency of an event.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import TypeVar

import msgspec
from azure.data.tables import TableEntity
from azure.data.tables.aio import TableClient

from shared.catalog import codec, dirty_rows
from shared.catalog import future_times as times
from shared.catalog.codec import BODY, UnreadableRow
from shared.catalog.other_deployments import OtherDeployments
from shared.catalog.row_repair import RowRepair
from shared.catalog.table_client import TableRows
from shared.catalog.table_history import HistoryTable
from shared.catalog.table_leases import LeaseTable
from shared.catalog.table_vantages import VantageTable
from shared.domain.catalog_rows import WHOLE_ZONE, Lease, LeaseHolder, LogPage, NameIndexEntry, Versioned
from shared.domain.catalog_state import BadRow, CatalogState, WriteStamp
from shared.domain.clock import Clock
from shared.domain.concurrency import gather_bounded
from shared.domain.counters import ProcessCounters
from shared.domain.dirty import DirtyName, RecordChange
from shared.domain.endpoints import EndpointRow
from shared.domain.errors import Conflict
from shared.domain.overrides import Override
from shared.domain.probes import EvidencePage, VantageRow
from shared.domain.resource_ids import digest
from shared.domain.zone_findings import ZoneFindings

T = TypeVar("T")

MAX_CONCURRENT_CALLS = 16
"""Rows that are read or written at the same time."""
ROWS_PER_POINT_READ = 60
"""Rows of a scan that cost as much CPU as one point read (measured: 17 us a row, 1 ms a point read)."""
ASSUMED_ENDPOINTS = 30 * ROWS_PER_POINT_READ
"""The assumed number of endpoints before the first scan."""


class TableCatalog:
    """Implements `ports.Catalog`. The caller that made the client closes it.

    `others`: the other catalogs of the account.
    """

    def __init__(self, client: TableClient, others: OtherDeployments | None = None) -> None:
        self._store = TableRows(client)
        self._repair = RowRepair(self._store)
        self._client = client
        self._others = others
        self._leases = LeaseTable(self._store, self._repair)
        self._history = HistoryTable(self._store, self._repair)
        self._vantages = VantageTable(self._store, self._repair)
        self._endpoints = ASSUMED_ENDPOINTS

    async def open(self, clock: Clock) -> None:
        self._store.clock = clock
        await self._store.get("marker", "marker")

    def _now(self) -> float:
        return self._store.now()

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
            return times.without_future_times(codec.read_endpoint(row), self._now()) if row else None
        except UnreadableRow as error:
            await self._repair.drop_endpoints([error])
            return None

    async def endpoints(self) -> Sequence[Versioned[EndpointRow]]:
        good, bad = await self._repair.scan("PartitionKey eq 'endpoints'", BODY, codec.read_endpoint)
        await self._repair.drop_endpoints([error for _, error in bad])
        self._endpoints, now = len(good), self._now()
        return tuple(times.without_future_times(row, now) for row in good)

    async def bad_rows(self) -> Sequence[BadRow]:
        return await self._repair.recorded()

    async def forget_bad_rows(self, before: float) -> None:
        await self._repair.purge_recorded(before)

    async def claimants(self, name: str) -> Sequence[EndpointRow]:
        keys = [row.value.key for row in await self._read_index(codec.index_filter(name))]
        if len(keys) * ROWS_PER_POINT_READ > self._endpoints:
            every = {row.value.endpoint.key: row.value for row in await self.endpoints()}
            return tuple(every[key] for key in keys if key in every)
        each = await gather_bounded((self.endpoint(key) for key in keys), MAX_CONCURRENT_CALLS)
        return tuple(row.value for row in each if row)

    async def put_endpoint(self, row: EndpointRow, etag: str | None) -> str:
        what = f"the row of endpoint {row.endpoint.id}"
        entity = codec.encode_row("endpoints", digest(row.endpoint.key), row, what)
        return await (self._store.insert(entity) if etag is None else self._store.replace(entity, etag))

    async def purge_endpoint(self, key: str, etag: str) -> None:
        await self._store.delete("endpoints", digest(key), etag)

    async def index(self, name: str, key: str, now: float) -> None:
        await self._store.upsert(codec.encode_index_entry(NameIndexEntry(name, key, now)))

    async def indexed(self) -> Sequence[Versioned[NameIndexEntry]]:
        return tuple(await self._read_index("PartitionKey eq 'index'"))

    async def _read_index(self, where: str) -> list[Versioned[NameIndexEntry]]:
        good, bad = await self._repair.scan(where, BODY, codec.read_index_entry)
        now = self._now()
        return [
            times.without_future_times(row, now)
            for row in good + await self._repair.rebuild_index(error for _, error in bad)
        ]

    async def purge_index(self, row: Versioned[NameIndexEntry]) -> None:
        await self._store.delete("index", codec.index_key(row.value.name, row.value.key), row.etag)

    async def mark_dirty(self, dirty: DirtyName) -> None:
        """One call if the name is clean, two if it is dirty; `since` stays that of the first mark.

        The second call has no condition: the name is dirty afterwards even if another process removed the row in
        between.
        """
        try:
            await self._store.insert(dirty_rows.encode_dirty(dirty))
        except Conflict:
            await self._store.upsert(dirty_rows.encode_mark(dirty), merge=True)

    async def dirty(self, zone: str) -> Sequence[Versioned[DirtyName]]:
        where, read = f"PartitionKey eq '{codec.dirty_partition(zone)}'", partial(dirty_rows.read_dirty, zone)
        good, bad = await self._repair.scan(where, dirty_rows.DIRTY_COLUMNS, read)
        hidden, now = [row for each in bad if (row := await self._unreadable_dirty(zone, *each))], self._now()
        return tuple(times.without_future_times(row, now) for row in (*good, *hidden))

    async def dirty_name(self, zone: str, name: str) -> Versioned[DirtyName] | None:
        row = await self._store.get(codec.dirty_partition(zone), codec.row_key(name))
        if row is None:
            return None
        try:
            return times.without_future_times(dirty_rows.read_dirty(zone, row), self._now())
        except UnreadableRow as error:
            return await self._unreadable_dirty(zone, row, error)

    async def _unreadable_dirty(self, zone: str, row: TableEntity, bad: UnreadableRow) -> Versioned[DirtyName] | None:
        found = dirty_rows.unreadable_dirty(zone, row)
        await (self._repair.record(bad) if found else self._repair.drop(bad))
        return found

    async def put_dirty(self, dirty: DirtyName, etag: str) -> None:
        await self._store.replace(dirty_rows.encode_dirty(dirty), etag)

    async def remove_dirty(self, zone: str, name: str, etag: str) -> None:
        await self._store.delete(codec.dirty_partition(zone), codec.row_key(name), etag)

    async def acquire(self, zone: str, holder: str, now: float, seconds: float) -> Lease | None:
        return await self._leases.acquire(zone, holder, now, seconds)

    async def release(self, zone: str, holder: str, spent: Sequence[WriteStamp]) -> None:
        await self._leases.release(zone, holder, spent)

    async def lease_holder(self, zone: str, seconds: float) -> LeaseHolder:
        return await self._leases.holder(zone, seconds)

    async def state(self) -> Versioned[CatalogState] | None:
        row = await self._read_or_drop("marker", "marker", codec.STATE)
        return row and times.without_future_times(row, self._now())

    async def _read_or_drop(self, partition: str, key: str, decoder: msgspec.json.Decoder[T]) -> Versioned[T] | None:
        """Return one row; None also for an unreadable row, which is dropped."""
        row = await self._store.get(partition, key)
        try:
            return codec.read(row, decoder) if row else None
        except UnreadableRow as error:
            await self._repair.drop(error)
            return None

    async def put_state(self, state: CatalogState, etag: str | None) -> str:
        entity = codec.encode_row("marker", "marker", codec.truncate_state(state), "the marker")
        return await (self._store.insert(entity) if etag is None else self._store.replace(entity, etag))

    async def overrides(self) -> Sequence[Versioned[Override]]:
        good, bad = await self._repair.scan("PartitionKey eq 'orders'", BODY, codec.read_override)
        for _, error in bad:
            await self._repair.record(error)
        return (*good, *(codec.unreadable_override(error) for _, error in bad))

    async def put_override(self, override: Override) -> None:
        what = f"the override of {override.target}"
        await self._store.upsert(codec.encode_row("orders", digest(override.target), override, what))

    async def purge_override(self, target: str, etag: str | None = None) -> None:
        await self._store.delete("orders", digest(target), etag)

    async def findings(self, zone: str) -> Versioned[ZoneFindings] | None:
        return await self._read_or_drop("found", digest(zone), codec.FINDINGS)

    async def put_findings(self, found: ZoneFindings, etag: str | None) -> str:
        entity = codec.encode_row("found", digest(found.zone), found, f"the findings of {found.zone}")
        return await (self._store.insert(entity) if etag is None else self._store.replace(entity, etag))

    async def add_history(self, zone: str, changes: Sequence[RecordChange]) -> None:
        await self._history.add(zone, changes)

    async def log(self, zone: str, since: float, until: float) -> LogPage:
        return await self._history.log(zone, since, until)

    async def history(self, zone: str, name: str = WHOLE_ZONE) -> Sequence[RecordChange]:
        return await self._history.of_name(zone, name)

    async def purge_history(self, before: float, zones: Collection[str]) -> None:
        await self._history.purge(before, zones)

    async def owned(self, zone: str) -> Mapping[str, str]:
        return await self._history.owned(zone)

    async def is_owned(self, zone: str, name: str) -> bool:
        return await self._history.is_owned(zone, name)

    async def record_owned(self, zone: str, names: Collection[str]) -> None:
        await self._history.record_owned(zone, names)

    async def remove_owned(self, zone: str, names: Mapping[str, str]) -> None:
        await self._history.remove_owned(zone, names)

    async def vantage(self, vantage: str) -> Versioned[VantageRow] | None:
        return await self._vantages.row(vantage)

    async def put_vantage(self, row: VantageRow, etag: str | None) -> str:
        return await self._vantages.put_row(row, etag)

    async def evidence(self, vantage: str) -> Sequence[EvidencePage]:
        return await self._vantages.evidence(vantage)

    async def put_evidence(self, page: EvidencePage) -> None:
        await self._vantages.put_evidence(page)

    async def purge_evidence(self, vantage: str, number: int) -> None:
        await self._vantages.purge_evidence(vantage, number)

    async def purge_vantages(self, but: str, before: float) -> None:
        await self._vantages.purge(but, before)

    async def process_counters(self) -> Sequence[ProcessCounters]:
        return tuple(row.value for row in await self._counters())

    async def _counters(self) -> list[Versioned[ProcessCounters]]:
        found = await self._store.query("PartitionKey eq 'tallies'", codec.COUNTERS_COLUMNS)
        return [codec.read_counters(row) for row in found]

    async def put_process_counters(self, counters: ProcessCounters) -> None:
        await self._store.upsert(codec.encode_counters(counters))

    async def purge_process_counters(self, before: float) -> None:
        for row in await self._counters():
            if row.value.at < before:
                with suppress(Conflict):  # Its process has just written it.
                    await self._store.delete("tallies", digest(row.value.instance), row.etag)
