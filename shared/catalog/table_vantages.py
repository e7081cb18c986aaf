"""What a vantage keeps in the table: its row, and the pages of its evidence.

An unreadable row or page is dropped: what it said is no evidence any more, and the next round writes it again.
"""

from __future__ import annotations

from contextlib import suppress

from shared.catalog import future_times as times
from shared.catalog import vantage_rows
from shared.catalog.codec import UnreadableRow, modified_at
from shared.catalog.row_repair import RowRepair
from shared.catalog.table_client import KEY, TableRows
from shared.domain.catalog_rows import Versioned
from shared.domain.errors import Conflict
from shared.domain.probes import EvidencePage, VantageRow
from shared.domain.resource_ids import digest


class VantageTable:
    """The rows of the vantages in one table. Every call may raise Transient and Terminal."""

    def __init__(self, store: TableRows, repair: RowRepair) -> None:
        self._store = store
        self._repair = repair

    async def row(self, vantage: str) -> Versioned[VantageRow] | None:
        """As `ports.Catalog.vantage`."""
        found = await self._store.get(vantage_rows.PARTITION, digest(vantage))
        if found is None:
            return None
        try:
            return times.without_future_times(vantage_rows.read_vantage(found), self._store.now())
        except UnreadableRow as error:
            await self._repair.drop(error)
            return None

    async def put_row(self, row: VantageRow, etag: str | None) -> str:
        """As `ports.Catalog.put_vantage`."""
        entity = vantage_rows.encode_vantage(row)
        return await (self._store.insert(entity) if etag is None else self._store.replace(entity, etag))

    async def evidence(self, vantage: str) -> tuple[EvidencePage, ...]:
        """As `ports.Catalog.evidence`."""
        where = vantage_rows.evidence_filter(vantage)
        good, bad = await self._repair.scan(where, vantage_rows.BODIES, vantage_rows.read_evidence)
        for _, error in bad:
            await self._repair.drop(error)
        now = self._store.now()
        return tuple(times.without_future_times(page, now).value for page in good)

    async def put_evidence(self, page: EvidencePage) -> None:
        """As `ports.Catalog.put_evidence`."""
        await self._store.upsert(vantage_rows.encode_evidence(page))

    async def purge_evidence(self, vantage: str, number: int) -> None:
        """As `ports.Catalog.purge_evidence`."""
        await self._store.delete(vantage_rows.evidence_partition(vantage), vantage_rows.evidence_key(number), None)

    async def purge(self, but: str, before: float) -> None:
        """As `ports.Catalog.purge_vantages`. The age of a row is by the account's clock."""
        kept = {(vantage_rows.PARTITION, digest(but))}
        columns = (*KEY, "Timestamp")
        found = await self._store.query(vantage_rows.ALL_VANTAGES_FILTER, columns)
        found += await self._store.query(vantage_rows.ALL_EVIDENCE_FILTER, columns)
        for row in found:
            key = row["PartitionKey"], row["RowKey"]
            own = key in kept or key[0] == vantage_rows.evidence_partition(but)
            if not own and modified_at(row) < before:
                with suppress(Conflict):  # It has just been written.
                    await self._store.delete(*key, str(row.metadata["etag"]))
