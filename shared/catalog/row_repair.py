"""What becomes of a row that cannot be read, so that one bad row stops nothing: it is told, and dropped or made good.

partition    what is done
endpoints    the marker says first that not every claim is known, in a new epoch; then the row is dropped. No address is
             taken away until a sweep has begun and ended after that (model-checked, `bad row:` in tests/protocol)
index        made anew: its key has the name and the hash of the endpoint, whose row has the id; dropped without that
dirty        read as a fresh mark of the name that is its key; it goes when the name is settled
leases       read as another holder's, until it is over; then whoever takes the zone writes the row anew
orders       stays, in force and without an end, for the target whose hash is its key
history      its changes are emptied; the column that says whether the record set is ours stays
found        dropped; the next sweep finds it again
marker       dropped; the next sweep makes a new one

A row is dropped on condition of the etag with which it could not be read: one that was written anew meanwhile stays.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TypeVar

from azure.data.tables import TableEntity

from shared.catalog import codec as rows
from shared.catalog.codec import UnreadableRow
from shared.catalog.table_client import TableRows
from shared.domain.catalog_rows import NameIndexEntry, Versioned
from shared.domain.catalog_state import BadRow
from shared.domain.concurrency import gather_bounded
from shared.domain.errors import Conflict, NearzoneError

T = TypeVar("T")

MAX_CONCURRENT_CALLS = 16
REPEAT_SECONDS = 3600.0
"""Seconds after which a row that stays unreadable is told again by the same process."""
MAX_REMEMBERED = 1000
"""Rows that this process remembers to have told of."""

_log = logging.getLogger("nearzone")


class RowRepair:
    """Mends rows of one table. Every call may raise Transient."""

    def __init__(self, store: TableRows) -> None:
        self._store = store
        self._told: dict[tuple[str, str, str], float] = {}

    async def scan(
        self, where: str, columns: Sequence[str], read: Callable[[TableEntity], T]
    ) -> tuple[list[T], list[tuple[TableEntity, UnreadableRow]]]:
        """All rows that a filter finds: what they hold, and those that cannot be read, with all of their columns."""
        found = await self._store.query(where, columns)
        try:
            return [read(row) for row in found], []
        except UnreadableRow:  # Its key was not asked for: that would cost every scan its time.
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
        """Let people know of a row, once an hour as long as it stays."""
        key, now = (bad.partition, bad.key, bad.etag), asyncio.get_running_loop().time()
        if now < self._told.get(key, float("-inf")) + REPEAT_SECONDS:
            return
        if len(self._told) >= MAX_REMEMBERED:
            self._told.clear()
        self._told[key] = now
        _log.error("%s", bad)
        try:
            await self._store.upsert(rows.bad_row(bad))
        except NearzoneError:
            self._told.pop(key, None)  # Who meets it next tells of it.
            raise

    async def drop(self, bad: UnreadableRow) -> None:
        """Remove a row that the next sweep, or the next write, makes anew."""
        await self.record(bad)
        with suppress(Conflict):  # It was written anew meanwhile.
            await self._store.delete(bad.partition, bad.key, bad.etag)

    async def drop_endpoints(self, bad: Sequence[UnreadableRow]) -> None:
        """Remove rows of endpoints, after the marker says that not every claim is known any more."""
        if bad:
            await self._forget_completeness(bad[0].etag)
            await gather_bounded((self.drop(each) for each in bad), MAX_CONCURRENT_CALLS)

    async def _forget_completeness(self, unique: str) -> None:
        """In a new epoch: a drain, or a sweep, that has begun before does not take the catalog for complete, either.

        When the last complete sweep was stays: by that sweeps know which machines are due to be read again.
        """
        while row := await self._store.get("marker", "marker"):
            try:
                marker = rows.read(row, rows.STATE)
            except UnreadableRow as error:
                await self.drop(error)
                return
            reset = replace(marker.value, digest="", epoch=f"without {unique}")
            with suppress(Conflict):
                await self._store.replace(rows.encode_row("marker", "marker", reset, "the marker"), marker.etag)
                return

    async def index(self, bad: Iterable[UnreadableRow]) -> list[Versioned[NameIndexEntry]]:
        """Make index rows anew; gives those that lead to an endpoint."""
        found = await gather_bounded((self._index(each) for each in bad), MAX_CONCURRENT_CALLS)
        return [row for row in found if row]

    async def _index(self, bad: UnreadableRow) -> Versioned[NameIndexEntry] | None:
        name, _, key = bad.key.rpartition(":")
        endpoint = await self._store.get("endpoints", key) if name and rows.row_key(name) == name else None
        if endpoint is None:
            await self.drop(bad)
            return None
        try:
            row = NameIndexEntry(name, rows.read_endpoint(endpoint).value.endpoint.key, bad.written)
        except UnreadableRow as error:
            await self.drop_endpoints([error])  # The next look at the endpoint writes its row and its index rows.
            return None
        await self.record(bad)
        with suppress(Conflict):  # Another reader has just made it anew: it leads there all the same.
            return Versioned(row, await self._store.replace(rows.indexed(row), bad.etag))
        return Versioned(row, bad.etag)

    async def empty_history(self, bad: UnreadableRow) -> None:
        """Take the changes out of a row of history."""
        await self.record(bad)
        with suppress(Conflict):
            emptied = {"PartitionKey": bad.partition, "RowKey": bad.key, "body": "[]"}
            await self._store.replace(emptied, bad.etag, merge=True)

    async def recorded(self) -> Sequence[BadRow]:
        """What any process has told of rows."""
        found = await self._store.query("PartitionKey eq 'unreadable'", None)
        return [told for row in found if (told := rows.read_bad_row(row))]

    async def forget(self, before: float) -> None:
        """Tell no more of what was told before then (seconds since the epoch, by the account's clock)."""
        for row in await self._store.query("PartitionKey eq 'unreadable'", None):
            if rows.written(row) < before:
                with suppress(Conflict):
                    await self._store.delete("unreadable", row["RowKey"], str(row.metadata["etag"]))
