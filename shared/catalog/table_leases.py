"""The leases of the zones in the table: take, renew and release, each as a compare-and-swap of one row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from math import inf

from shared.catalog import codec
from shared.catalog.codec import UnreadableRow
from shared.catalog.lease_rows import LeaseRow, read_lease, unreadable_lease
from shared.catalog.row_repair import RowRepair
from shared.catalog.table_client import TableRows
from shared.domain.catalog_rows import Lease, LeaseHolder, Versioned
from shared.domain.catalog_state import WriteStamp
from shared.domain.clock import TOLERANCE
from shared.domain.errors import Conflict
from shared.domain.resource_ids import digest

LEASE_CAS_ATTEMPTS = 6
"""Attempts to change a lease row: requests of one process compete when they renew its lease."""


class LeaseTable:
    """The lease rows of one table. Every call may raise Transient. Times in seconds since the epoch."""

    def __init__(self, store: TableRows, repair: RowRepair) -> None:
        self._store = store
        self._repair = repair
        self._last_written: dict[str, Versioned[LeaseRow]] = {}
        """By zone, the row as this process wrote it last."""

    async def acquire(self, zone: str, holder: str, now: float, seconds: float) -> Lease | None:
        """As `ports.Catalog.acquire`."""

        def take(row: LeaseRow) -> LeaseRow | None:
            if row.holder not in ("", holder) and row.expires > now:
                return None
            return LeaseRow(zone, holder, now + seconds, row.spent if row.holder in ("", holder) else None)

        taken = await self._change(zone, take, seconds + TOLERANCE)
        return None if taken is None else Lease(zone, taken.expires, _recent_writes(taken))

    async def release(self, zone: str, holder: str, recent_writes: Sequence[WriteStamp]) -> None:
        """As `ports.Catalog.release`."""
        free = LeaseRow(zone, spent=tuple((write.kind, write.name, write.at) for write in recent_writes))
        await self._change(zone, lambda row: free if row.holder == holder else None)

    async def holder(self, zone: str, seconds: float) -> LeaseHolder:
        """As `ports.Catalog.lease_holder`."""
        stored, changed_at = await self._read(zone, seconds + TOLERANCE)
        row = stored.value
        return LeaseHolder(row.holder, row.expires if row.holder else 0.0, _recent_writes(row), changed_at)

    async def _change(
        self, zone: str, change: Callable[[LeaseRow], LeaseRow | None], longest: float = inf
    ) -> LeaseRow | None:
        """Replace a lease row with what `change` returns; None if `change` returns None, or after too many conflicts.

        The row that this process wrote last saves the read. If it is out of date, the condition of the write fails.
        `longest`: seconds without a renewal after which a lease has expired, whatever its holder's clock says.
        """
        row = self._last_written.pop(zone, None)
        for _ in range(LEASE_CAS_ATTEMPTS):
            if row is None or change(row.value) is None:
                row, _ = await self._read(zone, longest)
            wanted = change(row.value)
            if wanted is None:
                return None
            entity = codec.encode_row("leases", digest(zone), wanted, f"the lease of {zone}")
            with suppress(Conflict):
                etag = await (self._store.replace(entity, row.etag) if row.etag else self._store.insert(entity))
                self._last_written[zone] = Versioned(wanted, etag)
                return wanted
            row = None
        return None

    async def _read(self, zone: str, longest: float) -> tuple[Versioned[LeaseRow], float]:
        """Return the lease row, and when it was written."""
        found = await self._store.get("leases", digest(zone))
        if found is None:
            return Versioned(LeaseRow(zone), ""), 0.0
        try:
            return read_lease(found, longest), codec.modified_at(found)
        except UnreadableRow as error:
            await self._repair.record(error)
            return unreadable_lease(zone, found, longest), codec.modified_at(found)


def _recent_writes(row: LeaseRow) -> tuple[WriteStamp, ...] | None:
    return None if row.spent is None else tuple(WriteStamp(*write) for write in row.spent)
