"""What a sweep reads, in this order: record sets, the catalog's rows of endpoints, the inventory.

So whatever an event handler writes meanwhile has a newer version than the one that the sweep has read, and the sweep's
own write fails its condition instead of undoing it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from zlib import crc32

from shared.decide.inventory_diff import Rows
from shared.domain.catalog_rows import Versioned
from shared.domain.catalog_state import CatalogState
from shared.domain.concurrency import gather_bounded
from shared.domain.endpoints import Endpoint, EndpointRow, Listing, State
from shared.domain.errors import NearzoneError
from shared.domain.zones import RecordSet, Zone
from shared.edge.report import Report
from shared.loop.recorder import Recorder
from shared.loop.zone.apply import ZoneApplier

if TYPE_CHECKING:
    from shared.loop.graph_inventory import InventoryLists

HEALTH_RECHECK_SECONDS = 86_400.0
"""Seconds after which a VM that has reported no health is read by GET again: whether lists show that it began to report
some is not known, and the event of that may be lost."""


@dataclass(frozen=True, slots=True)
class ZoneReadings:
    """What was read of the zones, by zone key. `record_sets`: as they stood at `read_at` (seconds since the epoch).

    `owned`: the names that the catalog knows as ours, with the etags of these notes; read before the record sets, so
    that a note that is written later has another etag.
    """

    owned: Mapping[str, Mapping[str, str]]
    record_sets: Mapping[str, Sequence[RecordSet]]
    read_at: float


@dataclass(frozen=True, slots=True)
class InventoryReadings:
    """Rows of endpoints, then the lists of Azure. `epoch`: the catalog's, read beside the lists; None: it has none."""

    rows: Rows
    lists: InventoryLists
    epoch: str | None

    @property
    def listings(self) -> Sequence[Listing]:
        """The lists of Azure."""
        return self.lists.listings

    @property
    def is_complete(self) -> bool:
        """Whether every list is complete, and they show everything that events do not."""
        return self.lists.settled and not any(listing.error for listing in self.listings)


@dataclass(frozen=True, slots=True)
class Fleet:
    """All endpoints that are known after the catch-up, by their keys. `rows`: the catalog's, as read last.

    `is_complete`: every list and every endpoint could be read.
    """

    rows: Rows
    listings: Sequence[Listing]
    endpoints: Mapping[str, Endpoint]
    is_complete: bool


@dataclass(frozen=True)
class SweepReader:
    """Reads for sweeps. What could not be read is reported; the rest goes on."""

    recorder: Recorder
    applier: ZoneApplier

    async def read_owned(self, zones: Sequence[Zone]) -> Sequence[Mapping[str, str]]:
        """Which record sets of each zone are known as ours. To be read before the record sets. Raises Transient."""
        return await gather_bounded(self.recorder.catalog.owned(zone.key) for zone in zones)

    async def read_zones(
        self, zones: Sequence[Zone], owned: Sequence[Mapping[str, str]], report: Report
    ) -> ZoneReadings:
        """The record sets of the zones; a zone that cannot be read is left out. `owned`: see `read_owned`."""
        read_at = self.recorder.clock()
        found = await asyncio.gather(*(self._read_record_sets(zone, report) for zone in zones))
        return ZoneReadings(
            {zone.key: names for zone, names in zip(zones, owned, strict=True)},
            {zone.key: sets for zone, sets in zip(zones, found, strict=True) if sets is not None},
            read_at,
        )

    async def _read_record_sets(self, zone: Zone, report: Report) -> Sequence[RecordSet] | None:
        try:
            return await self.applier.record_cache.fetch_all(zone)
        except NearzoneError as error:
            report.fail(f"record sets of {zone.fqdn} ({zone.region})", error)
            return None

    async def read_inventory(self, begun: CatalogState | None, report: Report) -> InventoryReadings:
        """Rows and lists. `begun`: the state row when the sweep began; None: a dry run. Raises Transient."""
        rows = await self.read_rows()
        previous = _previous_endpoints((stored.value.endpoint for stored in rows.values()), begun)
        reading = self._list(rows, previous, begun, report)
        lists, state = await asyncio.gather(reading, self.recorder.catalog.state())
        return InventoryReadings(rows, lists, state.value.epoch if state else None)

    async def read_rows(self) -> dict[str, Versioned[EndpointRow]]:
        """The catalog's rows of endpoints. Raises Transient."""
        return {stored.value.endpoint.key: stored for stored in await self.recorder.catalog.endpoints()}

    async def _list(
        self, rows: Rows, previous: Sequence[Endpoint], begun: CatalogState | None, report: Report
    ) -> InventoryLists:
        """Imported here: a process that only handles events does not need it."""
        from shared.loop.graph_inventory import NOT_SETTLED, GraphInventory  # noqa: PLC0415

        inventory = GraphInventory(self.recorder.observer.inventory, self.applier.settings, self.recorder.clock)
        lists = await inventory.read(rows, previous, begun)
        report.failures += [
            (f"list of {each.kind} in subscription {each.subscription}", each.error)
            for each in lists.listings
            if each.error
        ]
        report.inventory = lists.way
        report.not_settled = "" if lists.settled else NOT_SETTLED
        return lists


def _previous_endpoints(known: Iterable[Endpoint], begun: CatalogState | None) -> list[Endpoint]:
    """The known endpoints; without their health, those whose health has to be read again by GET."""
    if begun is None:
        return list(known)
    return [
        replace(each, health=None) if _health_unconfirmed(each) and _health_check_due(each.key, begun) else each
        for each in known
    ]


def _health_unconfirmed(endpoint: Endpoint) -> bool:
    return endpoint.health is False and endpoint.state != State.STOPPED


def _health_check_due(key: str, begun: CatalogState) -> bool:
    """Whether this sweep is the first one after the endpoint's time of day. The times of endpoints are spread."""
    offset = crc32(key.encode()) / 2**32 * HEALTH_RECHECK_SECONDS
    before, now = begun.completed_at - offset, begun.attempted_at - offset
    return now // HEALTH_RECHECK_SECONDS > before // HEALTH_RECHECK_SECONDS
