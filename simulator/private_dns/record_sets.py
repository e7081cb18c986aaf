"""The contents of a private DNS zone in Azure's form: record sets, virtual network links, the zone itself.

Values only: no request, clock or condition; those are in `record_set_calls.py` and `zone_calls.py`. The wire forms are
those of the azure-cli and azure-service-operator recordings; api-versions 2018-09-01, 2020-06-01 and 2024-06-01 are
equal except for a zone's `internalId`.
"""

from __future__ import annotations

import bisect
import heapq
import ipaddress
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from simulator.arm.front_door import ArmError

SETS_PER_ZONE = 25_000
"""Record sets in a zone, its SOA included. Source: dns-limits.md, 2024-10-08."""
RECORDS_PER_SET = 20
"""Records in a set. Source: dns-limits.md, 2024-10-08."""
MAX_TTL = 2_147_483_647
AUTO_REGISTERED_TTL = 10
FIELDS = {
    "A": "aRecords",
    "AAAA": "aaaaRecords",
    "CNAME": "cnameRecord",
    "MX": "mxRecords",
    "PTR": "ptrRecords",
    "SOA": "soaRecord",
    "SRV": "srvRecords",
    "TXT": "txtRecords",
}
"""Record type -> the field of a record set's properties that holds its records."""
SINGLE = frozenset({"CNAME", "SOA"})
"""Types whose field holds one record instead of a list, and is absent without one (recorded for CNAME)."""
_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")


@dataclass(frozen=True, slots=True)
class RecordSet:
    """All records of a name and type. `records` is the JSON of the type's field; `metadata` is None if never set.

    `name` is in lower case, whatever the client wrote.
    """

    name: str
    type: str
    ttl: int
    etag: str
    records: Any = None
    metadata: Mapping[str, str] | None = None
    auto_registered: bool = False

    @property
    def addresses(self) -> tuple[str, ...]:
        """The IPv4 addresses of an A set in the order in which they were written; empty for any other type."""
        return tuple(record["ipv4Address"] for record in self.records) if self.type == "A" else ()


@dataclass(frozen=True, slots=True)
class Soa:
    """The fields of a zone's SOA record set. Times in seconds; `minimum_ttl`: lifetime of a negative answer."""

    host: str
    email: str
    serial: int
    refresh: int
    retry: int
    expire: int
    minimum_ttl: int
    ttl: int


@dataclass(frozen=True, slots=True)
class Link:
    """A zone's link to one virtual network. `etag` includes its quotes; `tags` is None if never set.

    `name` is in lower case, whatever the client wrote.
    """

    name: str
    vnet: str
    registration: bool
    etag: str
    tags: Mapping[str, str] | None = None
    state: str = "Completed"
    resolution_policy: Literal["Default", "NxDomainRedirect"] | None = None
    """`Default` or `NxDomainRedirect` (fall back to public DNS if the zone lacks the name); None: never set"""


@dataclass(slots=True)
class Zone:
    """A private DNS zone with its SOA. Any module may read it; only the provider writes."""

    id: str
    name: str
    etag: str
    internal_id: str = ""
    stated_tags: Mapping[str, str] | None = None
    links_by_name: dict[str, Link] = field(default_factory=dict)
    _sets: dict[tuple[str, str], RecordSet] = field(default_factory=dict)
    _order: dict[str, list[tuple[str, ...]]] = field(default_factory=dict)
    """For each type, the names in listing order, as labels from the right: a page is found without a scan."""

    @property
    def tags(self) -> Mapping[str, str]:
        """The zone's tags; empty if never set."""
        return self.stated_tags or {}

    @property
    def links(self) -> tuple[Link, ...]:
        """The links, by name."""
        return tuple(self.links_by_name[name] for name in sorted(self.links_by_name))

    @property
    def record_sets(self) -> tuple[RecordSet, ...]:
        """All record sets, the SOA among them, in the order in which Azure lists them."""
        return tuple(self.sets_after(None))

    @property
    def soa(self) -> Soa:
        """The fields of the SOA record set, which every zone has."""
        found = self._sets["SOA", "@"]
        soa = found.records
        return Soa(
            host=soa["host"],
            email=soa["email"],
            serial=soa["serialNumber"],
            refresh=soa["refreshTime"],
            retry=soa["retryTime"],
            expire=soa["expireTime"],
            minimum_ttl=soa["minimumTtl"],
            ttl=found.ttl,
        )

    def __len__(self) -> int:
        return len(self._sets)

    def get(self, record_type: str, name: str) -> RecordSet | None:
        """The record set of this type (upper case) and name (any case), or None."""
        return self._sets.get((record_type, name.lower()))

    def types_at(self, name: str) -> list[str]:
        """The types of the record sets at this name."""
        return [record_type for record_type in FIELDS if (record_type, name.lower()) in self._sets]

    def put(self, record_set: RecordSet) -> None:
        """Store a record set, replacing the one of the same type and name."""
        key = (record_set.type, record_set.name.lower())
        if key not in self._sets:
            bisect.insort(self._order.setdefault(record_set.type, []), _labels(key[1]))
        self._sets[key] = record_set

    def remove(self, record_set: RecordSet) -> None:
        """Remove a record set."""
        key = (record_set.type, record_set.name.lower())
        del self._sets[key]
        names = self._order[record_set.type]
        del names[bisect.bisect_left(names, _labels(key[1]))]

    def sets_after(self, last: tuple[str, str] | None, record_type: str | None = None) -> Iterator[RecordSet]:
        """The record sets of one type or of all, in listing order: by labels, then by type (Zone2 and Zone3 import).

        Only those after `last` (type and name), whether or not it still exists; None: from the start.
        """
        kinds = self._order if record_type is None else self._order.keys() & {record_type}
        for labels, kind in heapq.merge(*(self._names_after(last, kind) for kind in kinds)):
            yield self._sets[kind, ".".join(reversed(labels))]

    def _names_after(self, last: tuple[str, str] | None, kind: str) -> Iterator[tuple[tuple[str, ...], str]]:
        names, start = self._order[kind], 0
        if last is not None:
            find = bisect.bisect_left if kind > last[0] else bisect.bisect_right
            start = find(names, _labels(last[1].lower()))
        return ((names[at], kind) for at in range(start, len(names)))


def _labels(name: str) -> tuple[str, ...]:
    return tuple(reversed(name.split(".")))


def new_soa(etag: str) -> RecordSet:
    """The SOA that Azure creates with each private zone (test_GetRecordSet_SoaRecord, azure-cli)."""
    records = {
        "email": "azureprivatedns-host.microsoft.com",
        "expireTime": 2419200,
        "host": "azureprivatedns.net",
        "minimumTtl": 10,
        "refreshTime": 3600,
        "retryTime": 300,
        "serialNumber": 1,
    }
    return RecordSet("@", "SOA", 3600, etag, records)


def written(old: RecordSet | None, record_type: str, name: str, properties: Mapping[str, Any]) -> RecordSet:
    """The record set that results from writing `properties` over `old` (PATCH) or over nothing (PUT); its etag is "".

    Raises ArmError for what Azure refuses: 409 above 20 records (terraform-provider-azurerm#12406), else 400.
    """
    base = old or RecordSet(name.lower(), record_type, -1, "", None if record_type in SINGLE else [])
    records = properties.get(FIELDS[record_type], base.records)
    new = replace(
        base,
        ttl=properties.get("ttl", base.ttl),
        records=records,
        metadata=properties.get("metadata", base.metadata),
        auto_registered=False,
        etag="",
    )
    _check(new)
    return new


def _check(new: RecordSet) -> None:
    if not valid_name(new.name) or (new.type == "SOA" and new.name != "@"):
        raise refused(f"The relative record set name '{new.name}' is invalid.")
    if not isinstance(new.ttl, int) or isinstance(new.ttl, bool) or not 0 <= new.ttl <= MAX_TTL:
        raise refused(f"The TTL of record set '{new.name}' is missing or invalid.")
    if new.metadata is not None and not _strings(new.metadata):
        raise refused(f"The metadata of record set '{new.name}' is invalid: a map of strings is expected.")
    if new.type in SINGLE:
        if not isinstance(new.records, dict | None):
            raise refused(f"The record of record set '{new.name}' is invalid: an object is expected.")
        return
    if not isinstance(new.records, list) or not all(isinstance(record, dict) for record in new.records):
        raise refused(f"The records of record set '{new.name}' are invalid: a list of objects is expected.")
    if len(new.records) > RECORDS_PER_SET:
        # Status as reported in terraform-provider-azurerm#12406; the body is not public: the words are the simulator's.
        raise ArmError(
            409, "Conflict", f"Record set '{new.name}' has more than {RECORDS_PER_SET} records.", wrapped=False
        )
    if new.type == "A":
        _check_addresses(new)


def _check_addresses(new: RecordSet) -> None:
    for record in new.records:
        try:
            ipaddress.IPv4Address(record.get("ipv4Address"))
        except ValueError as error:
            raise refused(f"The record set '{new.name}' holds an invalid IPv4 address: {error}.") from error


def _strings(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(text, str) for pair in value.items() for text in pair)


def refused(message: str) -> ArmError:
    """A 400 of the provider itself. The code is that of public DNS (external-dns#4855), the words are our own."""
    return ArmError(400, "BadRequest", message, wrapped=False)


def valid_name(name: str) -> bool:
    """Whether Azure accepts this relative name: `@`, or labels of 1 to 63 characters, the first of which may be `*`."""
    if name == "@":
        return True
    first, *rest = name.split(".")
    return len(name) <= 253 and (first == "*" or bool(_LABEL.fullmatch(first))) and all(map(_LABEL.fullmatch, rest))


def record_set_json(zone: Zone, record_set: RecordSet) -> dict[str, Any]:
    """A record set as Azure returns it: the type in upper case whatever the request, no metadata if never set."""
    properties: dict[str, Any] = {}
    if record_set.metadata is not None:
        properties["metadata"] = dict(record_set.metadata)
    properties["fqdn"] = f"{zone.name}." if record_set.name == "@" else f"{record_set.name}.{zone.name}."
    properties["ttl"] = record_set.ttl
    if record_set.records is not None:
        properties[FIELDS[record_set.type]] = record_set.records
    properties["isAutoRegistered"] = record_set.auto_registered
    return {
        "id": f"{zone.id}/{record_set.type}/{record_set.name}",
        "name": record_set.name,
        "type": f"Microsoft.Network/privateDnsZones/{record_set.type}",
        "etag": record_set.etag,
        "properties": properties,
    }


def zone_json(zone: Zone, api_version: str) -> dict[str, Any]:
    """A zone as Azure returns it. `internalId` is in the OpenAPI text since 2020-06-01, recorded with 2024-06-01."""
    properties: dict[str, Any] = {"internalId": zone.internal_id} if api_version >= "2020" else {}
    properties |= {
        "maxNumberOfRecordSets": SETS_PER_ZONE,
        "maxNumberOfVirtualNetworkLinks": 1000,
        "maxNumberOfVirtualNetworkLinksWithRegistration": 100,
        "numberOfRecordSets": len(zone),
        "numberOfVirtualNetworkLinks": len(zone.links_by_name),
        "numberOfVirtualNetworkLinksWithRegistration": sum(link.registration for link in zone.links),
        "provisioningState": "Succeeded",
    }
    return _tracked(zone.id, zone.name, "Microsoft.Network/privateDnsZones", zone.etag, zone.stated_tags, properties)


def link_json(zone: Zone, link: Link, api_version: str) -> dict[str, Any]:
    """A virtual network link as Azure returns it.

    `resolutionPolicy` came with 2024-06-01. The only recording of that version neither sets nor returns it, so it is
    served if it was set.
    """
    policy = link.resolution_policy if api_version >= "2024-06-01" else None
    properties = {
        **({"resolutionPolicy": policy} if policy else {}),
        "provisioningState": "Succeeded",
        "registrationEnabled": link.registration,
        "virtualNetwork": {"id": link.vnet},
        "virtualNetworkLinkState": link.state,
    }
    link_id = f"{zone.id}/virtualNetworkLinks/{link.name}"
    link_type = "Microsoft.Network/privateDnsZones/virtualNetworkLinks"
    return _tracked(link_id, link.name, link_type, link.etag, link.tags, properties)


def _tracked(*parts: Any) -> dict[str, Any]:  # noqa: ANN401 - ids, names and JSON side by side, in the order below
    resource_id, name, kind, etag, tags, properties = parts
    head = {"id": resource_id, "name": name, "type": kind, "etag": etag, "location": "global"}
    return {**head, **({} if tags is None else {"tags": dict(tags)}), "properties": properties}
