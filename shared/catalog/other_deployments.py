"""Other catalogs in the storage account: the earlier release's, which is copied, and abandoned ones.

Up to release 0.1.0 all deployments on an account shared the table `nearzone`. Now each deployment has its own table.
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

from shared.catalog import codec
from shared.catalog.table_client import TableRows, translate_errors
from shared.config.settings import Settings
from shared.domain.catalog_state import CatalogState
from shared.domain.concurrency import gather_bounded
from shared.domain.errors import Conflict, NearzoneError, Terminal

SHARED_TABLE = "nearzone"
"""The table that all deployments on an account shared up to release 0.1.0."""
CATALOG_TABLE = re.compile(r"nearzone(?:[0-9a-f]{12})?")
"""Names of catalog tables, and of no other tables."""
MAX_CONCURRENT_CALLS = 16
"""Rows that are copied at the same time."""
ZONE = "/microsoft.network/privatednszones/"

_log = logging.getLogger("nearzone")


class OtherDeployments:
    """The other catalogs of the account. The caller that made the client closes it."""

    def __init__(self, service: TableServiceClient, settings: Settings) -> None:
        self._service = service
        self._settings = settings

    async def take_over(self, own: TableRows, name: str) -> None:
        """Copy the rows of this deployment from the shared table into its own, once.

        Rows that already exist stay as they are: an event, or another instance that copies as well, wrote them first.
        The sweep that follows makes the catalog complete, because instances of the old release may still write to the
        shared table for a while. The shared table stays, so that the old release can run again. Raises Transient,
        Terminal.
        """
        shared = self._rows_of(SHARED_TABLE)
        for where, concerns in self._row_filters():
            found = [row for row in await shared.query(where, None) if concerns(row)]
            if await shared.get("taken", name):
                return
            await gather_bounded((_copy(row, own) for row in found), MAX_CONCURRENT_CALLS)
        marker = await shared.get("marker", "marker")
        if marker is None:  # There is no such table, or no sweep has filled it.
            return
        with suppress(Conflict):
            await shared.insert({"PartitionKey": "taken", "RowKey": name})
        begun = replace(
            _read(marker, codec.STATE) or CatalogState(), digest="", epoch="", completed_at=0.0, attempted_at=0.0
        )
        await _copy(codec.encode_row("marker", "marker", codec.truncate_state(begun), "the marker"), own)

    def _row_filters(self) -> Sequence[tuple[str, Callable[[TableEntity], bool]]]:
        """Return filters for rows, each with a predicate that selects the rows of this deployment.

        History and dirty rows belong to a deployment only if it applies changes.
        """
        zones = [zone.key for zone in self._settings.zones] if self._settings.apply else []
        known: set[str] = set()

        def ours(row: TableEntity) -> bool:
            endpoint = _read(row, codec.ENDPOINT)
            if endpoint is None or endpoint.endpoint.subscription not in {*self._settings.subscriptions, "static"}:
                return False
            known.add(endpoint.endpoint.key)
            return True

        def indexed(row: TableEntity) -> bool:
            found = _read(row, codec.INDEX_ENTRY)
            return found is not None and found.key in known

        return [
            ("PartitionKey eq 'orders'", self._is_our_override),
            *((f"PartitionKey eq '{codec.history_partition(zone)}'", _accept) for zone in zones),
            *((f"PartitionKey eq '{codec.dirty_partition(zone)}'", _accept) for zone in zones),
            ("PartitionKey eq 'endpoints'", ours),
            ("PartitionKey eq 'index'", indexed),
        ]

    def _is_our_override(self, row: TableEntity) -> bool:
        """Return whether an override may concern this deployment: all except those for zones of other deployments.

        An override that cannot be read may concern any deployment.
        """
        override = _read(row, codec.OVERRIDE)
        zones = {zone.key for zone in self._settings.zones}
        return override is None or ZONE not in override.target or override.target in zones

    async def purge(self, own: str, before: float) -> None:
        """Delete catalogs whose deployments have not swept since `before` (seconds since the epoch).

        The time is the account's time of the last write of the state row, which every sweep writes; no instance's clock
        matters. The state row is reset first, on condition: a deployment that resumes keeps its table, or starts again.
        A failure is logged, and the next call retries.
        """
        try:
            async with translate_errors():
                names = [table.name async for table in self._service.list_tables()]
            for name in names:
                if CATALOG_TABLE.fullmatch(name) and name != own:
                    await self._purge(name, before)
        except NearzoneError as error:
            _log.warning("abandoned catalogs could not be listed: %s", error)

    async def _purge(self, name: str, before: float) -> None:
        store = self._rows_of(name)
        marker = await store.get("marker", "marker")
        if marker is None or codec.modified_at(marker) >= before:
            return
        with suppress(Conflict):
            await store.replace(codec.encode_row("marker", "marker", CatalogState(), ""), str(marker.metadata["etag"]))
            async with translate_errors():
                await self._service.delete_table(name)
            _log.info("the abandoned catalog in table %s was deleted", name)

    def _rows_of(self, name: str) -> TableRows:
        return TableRows(self._service.get_table_client(name))


def _accept(_row: TableEntity) -> bool:
    return True


def _read(row: TableEntity, decoder: Any) -> Any:  # noqa: ANN401 - what the decoder makes
    """Return the value of a row; None if it cannot be read. The next sweep, or the operator, writes it again."""
    try:
        return codec.read(row, decoder).value
    except Terminal:
        return None


async def _copy(row: dict[str, Any], own: TableRows) -> None:
    with suppress(Conflict):
        await own.insert(dict(row))
