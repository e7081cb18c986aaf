"""The A record sets of the zones: read as pages of JSON, written through azure-mgmt-privatedns, always on condition."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol

import msgspec

from shared.azure.answers import Page, Unreadable
from shared.azure.arm_errors import translate_errors
from shared.azure.client import Arm
from shared.domain.errors import Terminal
from shared.domain.zones import RecordSet, Zone

API_VERSION = "2024-06-01"


class _ARecord(msgspec.Struct, gc=False):
    address: str = msgspec.field(name="ipv4Address", default="")


class _Properties(msgspec.Struct, rename="camel", gc=False):
    ttl: int = 0
    a_records: list[_ARecord] | None = None
    metadata: dict[str, str] | None = None
    is_auto_registered: bool | None = None


class _RecordSet(msgspec.Struct, gc=False):
    name: str
    properties: _Properties
    etag: str = ""


_one = msgspec.json.Decoder(_RecordSet)
_page = msgspec.json.Decoder(Page[_RecordSet])


class RecordSetOperations(Protocol):
    """The methods of azure-mgmt-privatedns' `record_sets` that are used."""

    async def create_or_update(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the SDK's signature
        """PUT."""

    async def delete(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the SDK's signature
        """DELETE."""


class PrivateDnsRecordSets:
    """Implements `ports.RecordSets`. `writers`: the SDK's record set operations for each subscription.

    `request_id`: returns the id of a write, which identifies the event of the write as our own.
    """

    def __init__(self, arm: Arm, writers: dict[str, RecordSetOperations], request_id: Callable[[], str]) -> None:
        self._arm = arm
        self._writers = writers
        self._request_id = request_id

    async def get(self, zone: Zone, name: str) -> RecordSet | None:
        """Return one record set; None also if the zone does not exist: a write reports that."""
        found = await self._arm.get(f"{zone.id}/A/{name}", _one, **{"api-version": API_VERSION})
        return _record_set(found) if found else None

    async def list(self, zone: Zone, before_page: Callable[[], Awaitable[None]]) -> Sequence[RecordSet]:
        """Return all A record sets of a zone; awaits `before_page` before each page.

        A record set that cannot be read has no owner tag in the result, and so is never written; its own GET reports
        the error.
        """
        unreadable: list[Unreadable] = []
        query = {"api-version": API_VERSION, "$top": "100"}
        pages = self._arm.pages(f"{zone.id}/A", _page, query, before_page, unreadable)
        found = [_record_set(each) async for page in pages for each in page]
        return [*found, *(RecordSet(each.id.rsplit("/", 1)[-1].lower(), 0, ()) for each in unreadable if each.id)]

    async def put(self, zone: Zone, record_set: RecordSet, etag: str | None) -> RecordSet:
        """Create (`etag` None) or replace a record set on condition; return it with its new etag.

        The header has exactly the etag that Azure returned. The SDK's own `etag=` would put quotes around it, and no
        recorded conditional write of a record set that succeeded has them.
        """
        body = {
            "properties": {
                "ttl": record_set.ttl,
                "aRecords": [{"ipv4Address": ip} for ip in record_set.addresses],
                "metadata": dict(record_set.metadata),
            }
        }
        headers = {"If-None-Match": "*"} if etag is None else {"If-Match": _require_etag(etag)}
        async with translate_errors():
            written = await self._writer(zone).create_or_update(
                *_names(zone), "A", record_set.name, body, headers=headers, **self._options()
            )
        return replace(record_set, etag=written.etag or "")

    async def delete(self, zone: Zone, name: str, etag: str) -> None:
        """Delete a record set on condition."""
        async with translate_errors():
            await self._writer(zone).delete(
                *_names(zone), "A", name, headers={"If-Match": _require_etag(etag)}, **self._options()
            )

    def _options(self) -> dict[str, Any]:
        return {"retry_total": 0, "request_id": self._request_id()}

    def _writer(self, zone: Zone) -> RecordSetOperations:
        return self._writers[zone.key.split("/")[2]]


def _names(zone: Zone) -> tuple[str, str]:
    """Return resource group and name of a zone."""
    parts = zone.id.split("/")
    return parts[4], parts[-1]


def _require_etag(etag: str) -> str:
    """Refuse a write without a condition, or with a condition that any version meets."""
    if etag in ("", "*"):
        raise Terminal("Azure returned no etag for the record set, so it cannot be written safely")
    return etag


def _record_set(found: _RecordSet) -> RecordSet:
    properties = found.properties
    return RecordSet(
        name=found.name.lower(),
        ttl=properties.ttl,
        addresses=tuple(sorted([record.address for record in properties.a_records or ()])),
        metadata=tuple(sorted((properties.metadata or {}).items())),
        etag=found.etag,
        auto_registered=bool(properties.is_auto_registered),
    )
