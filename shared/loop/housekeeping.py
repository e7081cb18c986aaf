"""Housekeeping after a sweep: removes from the catalog what nothing can need any more.

Each removal is on condition of the row's version: what has changed meanwhile stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from shared.decide.inventory_diff import Rows
from shared.domain.catalog_rows import NameIndexEntry, Versioned
from shared.domain.catalog_state import CatalogState
from shared.domain.endpoints import EndpointRow, State
from shared.domain.errors import Conflict
from shared.domain.zones import Zone
from shared.ports import Catalog

TOMBSTONE_SECONDS = 3600.0
"""Seconds after which nothing that saw an endpoint alive can still be running."""
DAY = 86_400.0
HISTORY_RETENTION_SECONDS = 30 * DAY
"""Seconds for which the history of a name is kept after its last change."""
CATALOG_RETENTION_SECONDS = 30 * DAY
"""Seconds without a sweep after which another deployment on the same account removes a deployment's catalog."""


@dataclass(frozen=True)
class Housekeeping:
    """Purges one catalog. `vantage`: of this app, "" if it does not probe. Every call may raise Transient."""

    catalog: Catalog
    zones: Sequence[Zone]
    vantage: str = ""

    async def purge(
        self, rows: Rows, index: Sequence[Versioned[NameIndexEntry]], begun: CatalogState, now: float
    ) -> None:
        """Purge after a sweep. `begun`: the state row when it began; `rows`, `index`: as it read them.

        `now`: in seconds since the epoch.
        """
        if begun.attempted_at // DAY > begun.completed_at // DAY:
            await self._purge_daily(begun.attempted_at, now)
        await self._purge_index(rows, index, now - TOMBSTONE_SECONDS)
        await self._purge_tombstones(rows, now - TOMBSTONE_SECONDS)

    async def _purge_daily(self, begun_at: float, now: float) -> None:
        """Once a day: old history, catalogs of abandoned deployments, and notes of a day ago.

        These are notes of unreadable rows, counters of processes that have counted nothing since, and the rows of
        vantages that are not configured any more.
        """
        await self.catalog.purge_history(begun_at - HISTORY_RETENTION_SECONDS, {zone.key for zone in self.zones})
        await self.catalog.purge_others(now - CATALOG_RETENTION_SECONDS)
        await self.catalog.forget_bad_rows(now - DAY)
        await self.catalog.purge_process_counters(now - DAY)
        if self.vantage:
            await self.catalog.purge_vantages(self.vantage, now - DAY)

    async def _purge_index(self, rows: Rows, index: Sequence[Versioned[NameIndexEntry]], before: float) -> None:
        """Index rows of names that their endpoints left a while ago."""
        for entry in index:
            stored = rows.get(entry.value.key)
            if not (stored and _claims(stored.value, entry.value.name)) and entry.value.at < before:
                with suppress(Conflict):
                    await self.catalog.purge_index(entry)

    async def _purge_tombstones(self, rows: Rows, before: float) -> None:
        """Rows of endpoints that are gone, or claim nothing any more."""
        for stored in rows.values():
            row = stored.value
            dead = row.endpoint.state == State.GONE or not row.endpoint.is_relevant
            if dead and not row.todo and not row.missing_at and row.seen_at < before:
                with suppress(Conflict):
                    await self.catalog.purge_endpoint(row.endpoint.key, stored.etag)


def _claims(row: EndpointRow, name: str) -> bool:
    return row.endpoint.state != State.GONE and name in row.endpoint.names
