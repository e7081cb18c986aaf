"""Unreadable rows: each is reported, then dropped or repaired, so that one bad row stops nothing.

partition    what is done
endpoints    the state row is first marked incomplete, in a new epoch; then the row is dropped. No address is removed
             until a sweep has begun and ended after that (model-checked, `bad row:` in tests/protocol)
index        rebuilt: its key has the name and the hash of the endpoint, whose row has the id; else dropped
dirty        read as a fresh mark of the name in its key; processing the name removes it
leases       read as another holder's lease until it has expired; the next holder then replaces the row
orders       stays, in force and without an end, for the target whose hash is its key
history      its changes are removed; the column that says whether the record set is ours stays
found        dropped; the next sweep writes it again
marker       dropped; the next sweep writes a new one
vantages     dropped: it is as if the vantage had never probed; the next round writes a new one
evidence     dropped: the targets of the page start without evidence

The drop has a condition: the etag of the unreadable row. A row that was rewritten in between stays.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TypeVar

from azure.data.tables import TableEntity

from shared.catalog import codec
from shared.catalog.codec import UnreadableRow
from shared.catalog.table_client import TableRows
from shared.domain.catalog_rows import NameIndexEntry, Versioned
from shared.domain.catalog_state import BadRow
from shared.domain.concurrency import gather_bounded
from shared.domain.errors import Conflict, NearzoneError

T = TypeVar("T")

MAX_CONCURRENT_CALLS = 16
REPORT_INTERVAL_SECONDS = 3600.0
"""Seconds after which the same process reports a row again that is still unreadable."""
MAX_REPORTED = 1000
"""Number of reported rows that this process remembers."""

_log = logging.getLogger("nearzone")


class RowRepair:
    """Repairs the rows of one table. Every call may raise Transient."""

    def __init__(self, store: TableRows) -> None:
        self._store = store
        self._reported_at: dict[tuple[str, str, str], float] = {}

    async def scan(
        self, where: str, columns: Sequence[str], read: Callable[[TableEntity], T]
    ) -> tuple[list[T], list[tuple[TableEntity, UnreadableRow]]]:
        """Return the values of all rows that a filter finds, and the unreadable rows with all of their columns."""
        found = await self._store.query(where, columns)
        try:
            return [read(row) for row in found], []
        except UnreadableRow:  # The first query selects no keys, because they would slow down every scan.
            found = await self._store.query(where, None)
        good: list[T] = []
        bad: list[tuple[TableEntity, UnreadableRow]] = []
        for row in found:
            try:
                good.append(read(row))
            except UnreadableRow as error:
                bad.append((row, error))
        return good, bad

    async def record(self, bad: UnreadableRow) -> None:
        """Log an unreadable row and record it for the status, once an hour while it stays."""
        key, now = (bad.partition, bad.key, bad.etag), asyncio.get_running_loop().time()
        if now < self._reported_at.get(key, float("-inf")) + REPORT_INTERVAL_SECONDS:
            return
        if len(self._reported_at) >= MAX_REPORTED:
            self._reported_at.clear()
        self._reported_at[key] = now
        _log.error("%s", bad)
        try:
            await self._store.upsert(codec.encode_bad_row(bad))
        except NearzoneError:
            self._reported_at.pop(key, None)  # The next reader of the row reports it.
            raise

    async def drop(self, bad: UnreadableRow) -> None:
        """Remove a row that the next sweep, or the next write, creates again."""
        await self.record(bad)
        with suppress(Conflict):  # It was rewritten in between.
            await self._store.delete(bad.partition, bad.key, bad.etag)

    async def drop_endpoints(self, bad: Sequence[UnreadableRow]) -> None:
        """Remove rows of endpoints, after the catalog is marked incomplete."""
        if bad:
            await self._mark_incomplete(bad[0].etag)
            await gather_bounded((self.drop(each) for each in bad), MAX_CONCURRENT_CALLS)

    async def _mark_incomplete(self, unique: str) -> None:
        """Set a new epoch: an apply or a sweep that began earlier does not treat the catalog as complete either.

        The time of the last complete sweep stays: sweeps use it to find the machines that are due for a read.
        """
        while row := await self._store.get("marker", "marker"):
            try:
                marker = codec.read(row, codec.STATE)
            except UnreadableRow as error:
                await self.drop(error)
                return
            reset = replace(marker.value, digest="", epoch=f"without {unique}")
            with suppress(Conflict):
                await self._store.replace(codec.encode_row("marker", "marker", reset, "the marker"), marker.etag)
                return

    async def rebuild_index(self, bad: Iterable[UnreadableRow]) -> list[Versioned[NameIndexEntry]]:
        """Rebuild index rows; return those that lead to an endpoint."""
        found = await gather_bounded((self._rebuild_entry(each) for each in bad), MAX_CONCURRENT_CALLS)
        return [row for row in found if row]

    async def _rebuild_entry(self, bad: UnreadableRow) -> Versioned[NameIndexEntry] | None:
        name, _, key = bad.key.rpartition(":")
        endpoint = await self._store.get("endpoints", key) if name and codec.row_key(name) == name else None
        if endpoint is None:
            await self.drop(bad)
            return None
        try:
            row = NameIndexEntry(name, codec.read_endpoint(endpoint).value.endpoint.key, bad.modified_at)
        except UnreadableRow as error:
            await self.drop_endpoints(
                [error]
            )  # The next observation of the endpoint writes its row and its index rows.
            return None
        await self.record(bad)
        with suppress(Conflict):  # Another reader has just rebuilt it, with the same content.
            return Versioned(row, await self._store.replace(codec.encode_index_entry(row), bad.etag))
        return Versioned(row, bad.etag)

    async def empty_history(self, bad: UnreadableRow) -> None:
        """Remove the changes from a history row."""
        await self.record(bad)
        with suppress(Conflict):
            emptied = {"PartitionKey": bad.partition, "RowKey": bad.key, "body": "[]"}
            await self._store.replace(emptied, bad.etag, merge=True)

    async def recorded(self) -> Sequence[BadRow]:
        """Return the unreadable rows that any process has recorded."""
        found = await self._store.query("PartitionKey eq 'unreadable'", None)
        return [told for row in found if (told := codec.read_bad_row(row))]

    async def purge_recorded(self, before: float) -> None:
        """Delete records from before `before` (seconds since the epoch, by the account's clock)."""
        for row in await self._store.query("PartitionKey eq 'unreadable'", None):
            if codec.modified_at(row) < before:
                with suppress(Conflict):
                    await self._store.delete("unreadable", row["RowKey"], str(row.metadata["etag"]))
