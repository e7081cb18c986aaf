"""The other catalogs of the storage account: that of the release before, which is taken over, and abandoned ones.

Up to release 0.1.0 all deployments on an account shared the table `nearzone`. Now each has a table of its own.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from azure.data.tables import TableEntity
from azure.data.tables.aio import TableServiceClient

from shared.catalog import codec as rows
from shared.catalog.table_client import TableRows, translate_errors
from shared.config.settings import Settings
from shared.domain.catalog_state import CatalogState
from shared.domain.concurrency import gather_bounded
from shared.domain.errors import Conflict, NearzoneError, Terminal

SHARED = "nearzone"
"""The table that all deployments on an account shared."""
CATALOG = re.compile(r"nearzone(?:[0-9a-f]{12})?")
"""Names of catalogs, and of nothing else."""
MAX_CONCURRENT_CALLS = 16
"""Rows that are copied at the same time."""
ZONE = "/microsoft.network/privatednszones/"

_log = logging.getLogger("nearzone")


class OtherDeployments:
    """The catalogs beside one's own, by a client of the account that is closed by who made it."""

    def __init__(self, service: TableServiceClient, settings: Settings) -> None:
        self._service = service
        self._settings = settings

    async def take_over(self, own: TableRows, name: str) -> None:
        """Copy what concerns this deployment from the shared table into its own one, once.

        Rows that are there already stay as they are: an event, or another instance that copies as well, was faster.
        The sweep that follows makes the catalog complete, because instances of the old release may go on to write
        the shared table for a while. That one stays, so that the old release can run again. Raises Transient, Terminal.
        """
        shared = self._store(SHARED)
        for where, concerns in self._parts():
            found = [row for row in await shared.query(where, None) if concerns(row)]
            if await shared.get("taken", name):
                return
            await gather_bounded((_copy(row, own) for row in found), MAX_CONCURRENT_CALLS)
        marker = await shared.get("marker", "marker")
        if marker is None:  # Then there is no such table, or no sweep has ever filled it.
            return
        with suppress(Conflict):
            await shared.insert({"PartitionKey": "taken", "RowKey": name})
        begun = replace(
            _read(marker, rows.STATE) or CatalogState(), digest="", epoch="", completed_at=0.0, attempted_at=0.0
        )
        await _copy(rows.encode_row("marker", "marker", rows.truncate_state(begun), "the marker"), own)

    def _parts(self) -> Sequence[tuple[str, Callable[[TableEntity], bool]]]:
        """Filters for rows, and which of these concern this deployment.

        What was written, and what is due to be written, is a matter of the deployment that applies.
        """
        zones = [zone.key for zone in self._settings.zones] if self._settings.apply else []
        known: set[str] = set()

        def ours(row: TableEntity) -> bool:
            endpoint = _read(row, rows.ENDPOINT)
            if endpoint is None or endpoint.endpoint.subscription not in {*self._settings.subscriptions, "static"}:
                return False
            known.add(endpoint.endpoint.key)
            return True

        def indexed(row: TableEntity) -> bool:
            found = _read(row, rows.INDEXED)
            return found is not None and found.key in known

        return [
            ("PartitionKey eq 'orders'", self._ordered),
            *((f"PartitionKey eq '{rows.history_of(zone)}'", _any) for zone in zones),
            *((f"PartitionKey eq '{rows.dirty_in(zone)}'", _any) for zone in zones),
            ("PartitionKey eq 'endpoints'", ours),
            ("PartitionKey eq 'index'", indexed),
        ]

    def _ordered(self, row: TableEntity) -> bool:
        """Whether an order is not about a zone of another deployment; one that cannot be read may be about anything."""
        order = _read(row, rows.OVERRIDE)
        return order is None or ZONE not in order.target or order.target in {z.key for z in self._settings.zones}

    async def purge(self, own: str, before: float) -> None:
        """Delete catalogs whose deployments have not swept since then (seconds since the epoch).

        The account tells when the marker was written, which each sweep does; no instance's clock has a say. The marker
        is emptied first, on condition: a deployment that has come back meanwhile keeps its table, or starts anew. What
        fails is tried again later.
        """
        try:
            async with translate_errors():
                names = [table.name async for table in self._service.list_tables()]
            for name in names:
                if CATALOG.fullmatch(name) and name != own:
                    await self._purge(name, before)
        except NearzoneError as error:
            _log.warning("abandoned catalogs could not be looked for: %s", error)

    async def _purge(self, name: str, before: float) -> None:
        store = self._store(name)
        marker = await store.get("marker", "marker")
        if marker is None or rows.written(marker) >= before:
            return
        with suppress(Conflict):
            await store.replace(rows.encode_row("marker", "marker", CatalogState(), ""), str(marker.metadata["etag"]))
            async with translate_errors():
                await self._service.delete_table(name)
            _log.info("the abandoned catalog in table %s was deleted", name)

    def _store(self, name: str) -> TableRows:
        return TableRows(self._service.get_table_client(name))


def _any(_row: TableEntity) -> bool:
    return True


def _read(row: TableEntity, decoder: Any) -> Any:  # noqa: ANN401 - what the decoder makes
    """What a row holds; None for one that cannot be read: the sweep, or a person, says it anew."""
    try:
        return rows.read(row, decoder).value
    except Terminal:
        return None


async def _copy(row: dict[str, Any], own: TableRows) -> None:
    with suppress(Conflict):
        await own.insert(dict(row))
