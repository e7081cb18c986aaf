"""The past in the table: the history of each name and zone, which record sets are ours, and the log of each zone."""

from __future__ import annotations

from collections.abc import Collection, Coroutine, Mapping, Sequence
from contextlib import suppress
from typing import Any

from azure.data.tables import TableEntity

from shared.catalog import codec, history, history_rows
from shared.catalog import future_times as times
from shared.catalog.codec import UnreadableRow, history_partition
from shared.catalog.row_repair import MAX_CONCURRENT_CALLS, RowRepair
from shared.catalog.table_client import KEY, TableRows
from shared.domain.catalog_rows import WHOLE_ZONE, LogPage, tick
from shared.domain.concurrency import gather_bounded
from shared.domain.dirty import RecordChange
from shared.domain.errors import Conflict

LOG_PAGE = 500
"""Rows of the log after which no further page is read: more than a zone's budget permits within `LOG_SPAN`."""
HISTORY_CAS_ATTEMPTS = 6
"""Attempts to append to a history row that other writers change at the same time."""


class HistoryTable:
    """The rows of the past in one table. Every call may raise Transient. Times in seconds since the epoch."""

    def __init__(self, store: TableRows, repair: RowRepair) -> None:
        self._store = store
        self._repair = repair

    async def add(self, zone: str, changes: Sequence[RecordChange]) -> None:
        """As `ports.Catalog.add_history`.

        The log costs one extra call for any number of names, as long as its entries fit into one row.
        """
        logged = [history_rows.encode_log(zone, batch) for batch in history.log_batches(changes)]
        work: list[Coroutine[Any, Any, object]] = [self._store.upsert(row) for row in logged]
        await gather_bounded(
            (*work, *(self._append(zone, *part) for part in history.split_by_name(changes))),
            MAX_CONCURRENT_CALLS,
        )

    async def log(self, zone: str, since: float, until: float) -> LogPage:
        """As `ports.Catalog.log`."""
        found = await self._store.query(
            history_rows.log_filter(zone, since, until), (*KEY, *history_rows.LOG_BODIES), LOG_PAGE
        )
        whole = until
        if len(found) >= LOG_PAGE:
            whole = history_rows.log_row_start(found[-1])
            if tick(whole) <= tick(since):  # The page does not reach the beginning of the span.
                found = await self._store.query(
                    history_rows.log_filter(zone, since, until), (*KEY, *history_rows.LOG_BODIES)
                )
                whole = until
        entries = (
            past for row in found for past in history_rows.read_log(row) if tick(since) <= tick(past.at) < tick(whole)
        )
        return LogPage(tuple(sorted(entries, key=lambda past: past.at)), whole)

    async def _append(self, zone: str, name: str, changes: Sequence[RecordChange]) -> None:
        """Append on condition: a process without the zone's lease may append an override at the same time."""
        for _ in range(HISTORY_CAS_ATTEMPTS):
            row = await self._store.get(history_partition(zone), history_rows.history_key(name))
            whole = history_rows.encode_history(
                zone, name, history.append_bounded(name, changes, await self._read_history(row))
            )
            with suppress(Conflict):
                etag = str(row.metadata["etag"]) if row else ""
                await (self._store.replace(whole, etag) if etag else self._store.insert(whole))
                return
        raise Conflict(f"the history of {name} changed {HISTORY_CAS_ATTEMPTS} times while it was written")

    async def of_name(self, zone: str, name: str = WHOLE_ZONE) -> Sequence[RecordChange]:
        """As `ports.Catalog.history`."""
        row = await self._store.get(history_partition(zone), history_rows.history_key(name))
        return await self._read_history(row)

    async def _read_history(self, row: TableEntity | None) -> Sequence[RecordChange]:
        if not row or not row.get("body"):
            return ()
        try:
            return times.without_future_times(codec.read(row, history_rows.HISTORY), self._store.now()).value
        except UnreadableRow as error:
            await self._repair.empty_history(error)
            return ()

    async def purge(self, before: float, zones: Collection[str]) -> None:
        """As `ports.Catalog.purge_history`."""
        kept = {history_partition(zone) for zone in zones}
        old = await self._store.query(history_rows.old_log_filter(before), KEY)
        await gather_bounded(
            (self._store.delete(row["PartitionKey"], row["RowKey"], None) for row in old), MAX_CONCURRENT_CALLS
        )
        for row in await self._store.query(history_rows.old_history_filter(before), (*KEY, "ours")):
            if row.get("ours") and row["PartitionKey"] in kept:
                continue
            with suppress(Conflict):  # It has just changed.
                await self._store.delete(row["PartitionKey"], row["RowKey"], str(row.metadata["etag"]))

    async def owned(self, zone: str) -> Mapping[str, str]:
        """As `ports.Catalog.owned`."""
        found = await self._store.query(history_rows.owned_filter(zone), ("RowKey",))
        return {row["RowKey"]: str(row.metadata["etag"]) for row in found}

    async def is_owned(self, zone: str, name: str) -> bool:
        """As `ports.Catalog.is_owned`."""
        row = await self._store.get(history_partition(zone), history_rows.history_key(name))
        return bool(row and row.get("ours"))

    async def record_owned(self, zone: str, names: Collection[str]) -> None:
        """As `ports.Catalog.record_owned`."""
        await gather_bounded((self._set_owned(zone, name) for name in names), MAX_CONCURRENT_CALLS)

    async def _set_owned(self, zone: str, name: str) -> None:
        known = history_rows.encode_ownership(zone, name, as_ours=True)
        try:
            await self._store.insert({**known, "body": "[]", "at": 0.0})
        except Conflict:
            await self._store.upsert(known, merge=True)

    async def remove_owned(self, zone: str, names: Mapping[str, str]) -> None:
        """As `ports.Catalog.remove_owned`."""
        await gather_bounded(
            (self._clear_owned(zone, name, etag) for name, etag in names.items()), MAX_CONCURRENT_CALLS
        )

    async def _clear_owned(self, zone: str, name: str, etag: str) -> None:
        with suppress(Conflict):  # It was just written.
            await self._store.replace(history_rows.encode_ownership(zone, name, as_ours=False), etag, merge=True)
