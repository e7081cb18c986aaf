"""The A record sets of the zones: read as pages of JSON, written through azure-mgmt-privatedns, always on condition."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol

import msgspec

from shared.azure.answers import Page, Unreadable
from shared.azure.client import Arm, translate_errors
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


class Writer(Protocol):
    """The part of azure-mgmt-privatedns' `record_sets` that is used."""

    async def create_or_update(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the SDK's signature
        """PUT."""

    async def delete(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the SDK's signature
        """DELETE."""


class PrivateDnsRecordSets:
    """Fulfils `ports.RecordSets`. `writers`: the SDK's record set operations for each subscription.

    `request_id`: makes the id that a write carries, by which its event is known as ours.
    """

    def __init__(self, arm: Arm, writers: dict[str, Writer], request_id: Callable[[], str]) -> None:
        self._arm = arm
        self._writers = writers
        self._request_id = request_id

    async def get(self, zone: Zone, name: str) -> RecordSet | None:
        """One record set; None also where the zone is not there, for its write will say so."""
        found = await self._arm.get(f"{zone.id}/A/{name}", _one, **{"api-version": API_VERSION})
        return _value(found) if found else None

    async def list(self, zone: Zone, turn: Callable[[], Awaitable[None]]) -> Sequence[RecordSet]:
        """All A record sets of a zone; waits for `turn` before each page.

        One that cannot be read bears nobody's mark, and so is never written; its own GET says what is wrong.
        """
        unreadable: list[Unreadable] = []
        query = {"api-version": API_VERSION, "$top": "100"}
        pages = self._arm.pages(f"{zone.id}/A", _page, query, turn, unreadable)
        found = [_value(each) async for page in pages for each in page]
        return [*found, *(RecordSet(each.id.rsplit("/", 1)[-1].lower(), 0, ()) for each in unreadable if each.id)]

    async def put(self, zone: Zone, record_set: RecordSet, etag: str | None) -> RecordSet:
        """Create (`etag` None) or replace a record set on condition; gives it with its new etag.

        The header carries exactly the etag that Azure gave. The SDK's own `etag=` would put quotes around it, and no
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
        """Remove a record set on condition."""
        async with translate_errors():
            await self._writer(zone).delete(
                *_names(zone), "A", name, headers={"If-Match": _require_etag(etag)}, **self._options()
            )

    def _options(self) -> dict[str, Any]:
        return {"retry_total": 0, "request_id": self._request_id()}

    def _writer(self, zone: Zone) -> Writer:
        return self._writers[zone.key.split("/")[2]]


def _names(zone: Zone) -> tuple[str, str]:
    """Resource group and name of a zone."""
    parts = zone.id.split("/")
    return parts[4], parts[-1]


def _require_etag(etag: str) -> str:
    """Refuse to write on no condition, or on any version."""
    if etag in ("", "*"):
        raise Terminal("Azure gave no etag for the record set, so it cannot be written safely")
    return etag


def _value(found: _RecordSet) -> RecordSet:
    properties = found.properties
    return RecordSet(
        name=found.name.lower(),
        ttl=properties.ttl,
        addresses=tuple(sorted([record.address for record in properties.a_records or ()])),
        metadata=tuple(sorted((properties.metadata or {}).items())),
        etag=found.etag,
        auto_registered=bool(properties.is_auto_registered),
    )
