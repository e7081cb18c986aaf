"""Private endpoints as endpoints: Azure OpenAI, Azure Machine Learning and other inference services behind one.

A private endpoint serves while the service has approved the connection, with the addresses of its NIC. If it has a DNS
zone group for a zone of the settings, it claims no name: Azure writes its records there. A zone group for any other
zone, such as one that an Azure Policy adds to every private endpoint, does not matter. Its region is the service's: a
private endpoint to an account far away is far. Its own region is kept beside it, as its location.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple

import msgspec

from shared.azure.answers import Page
from shared.azure.client import Arm
from shared.azure.endpoint_kind import ListableKind, list_all, read_part
from shared.azure.machine import NIC_API, Link, Nic
from shared.azure.parts import Part, select
from shared.azure.service_regions import ServiceRegions
from shared.azure.tags import claims, drained, names_and_parts, tag
from shared.config.region_names import is_name, suggestion
from shared.config.settings import region_name
from shared.domain.endpoints import Address, Endpoint, State

MAX_CONCURRENT_GETS = 8
"""Private endpoints that are read at the same time."""
PREFERRED_MEMBER = "inference"
"""The member that a claim without a part means, if a service has it (Azure Machine Learning: public templates of its
private endpoints name the members default, notebook, inference and others)."""


REGION_TAG = "nearzone-region"
"""The region of the service, where the app's role does not let it read the service."""


class _Place(NamedTuple):
    """The region that distances count from, its service or "", whether its region could not be read, and faults."""

    region: str
    service: str = ""
    assumed: bool = False
    faults: tuple[str, ...] = ()


class _Status(msgspec.Struct):
    status: str = ""


class _ConnectionProperties(msgspec.Struct, rename="camel"):
    service: str | None = msgspec.field(name="privateLinkServiceId", default=None)
    state: _Status | None = msgspec.field(name="privateLinkServiceConnectionState", default=None)


class _Connection(msgspec.Struct):
    properties: _ConnectionProperties = msgspec.field(default_factory=_ConnectionProperties)


class _Properties(msgspec.Struct, rename="camel"):
    provisioning_state: str = ""
    network_interfaces: list[Link] | None = None
    private_link_service_connections: list[_Connection] | None = None
    manual_private_link_service_connections: list[_Connection] | None = None


class _PrivateEndpoint(msgspec.Struct):
    id: str
    name: str
    location: str = ""
    tags: dict[str, Any] | None = None
    properties: _Properties = msgspec.field(default_factory=_Properties)


class _ConfigProperties(msgspec.Struct, rename="camel"):
    private_dns_zone_id: str | None = None


class _Config(msgspec.Struct):
    properties: _ConfigProperties = msgspec.field(default_factory=_ConfigProperties)


class _GroupProperties(msgspec.Struct, rename="camel"):
    private_dns_zone_configs: list[_Config] | None = None


class _ZoneGroup(msgspec.Struct):
    id: str
    properties: _GroupProperties = msgspec.field(default_factory=_GroupProperties)


_nic = msgspec.json.Decoder(Nic)
_groups = msgspec.json.Decoder(Page[_ZoneGroup])


class PrivateEndpoints(ListableKind[_PrivateEndpoint]):
    """Private endpoints. Further requests read the NIC, the zone groups and, once, the region of the service.

    `zones`: the zones of the settings, by id in lower case. `regions`: the regions that a tag may name; empty: any.
    """

    path = "Microsoft.Network/privateEndpoints"
    api = "2024-01-01"
    one = msgspec.json.Decoder(_PrivateEndpoint)
    many = msgspec.json.Decoder(Page[_PrivateEndpoint])

    def __init__(self, arm: Arm, zones: Collection[str] = (), regions: Collection[str] = ()) -> None:
        super().__init__(arm)
        self._zones, self._known_regions = frozenset(zones), frozenset(regions)
        self._regions = ServiceRegions(arm)
        self._gate = asyncio.Semaphore(MAX_CONCURRENT_GETS)

    async def to_endpoint(self, found: _PrivateEndpoint, *, from_list: bool) -> Endpoint:
        """Return the private endpoint as an endpoint with its NIC's addresses, unless Azure writes its records."""
        del from_list
        nics, grouped, doubt = await self._nics_and_zone_groups(found) if claims(found.tags) else ([], False, "")
        (tagged, own, faults), _ = claimed = names_and_parts(found.tags, found.name)
        addresses, selected, unclear = select(*claimed, _members(nics), "member", PREFERRED_MEMBER)
        faults += unclear
        if grouped:
            tagged, own, selected = (), None, ()
            zone_group = "it has a DNS zone group for a zone of NEARZONE_ZONES"
            faults = (f"{zone_group}: Azure writes its records, so nearzone ignores its claims",)
        location = region_name(found.location)
        place = await self._place(found) if tagged or own else _Place(location)
        return Endpoint(
            id=found.id,
            kind=self.kind,
            region=place.region,
            tagged=tagged,
            own=own,
            addresses=addresses,
            state=_state(found, served=bool(addresses) and not doubt),
            health=False,
            doubt=(doubt or _missing_information(found, served=bool(addresses))) if claims(found.tags) else "",
            faults=faults + place.faults,
            selected=selected,
            service=place.service,
            region_assumed=place.assumed,
            location=location if location != place.region else "",
        )

    async def _place(self, found: _PrivateEndpoint) -> _Place:
        """Return where its service is: as read, else as its tag says, else where the private endpoint itself is."""
        service = _service(found)
        if "approved" not in _connection_states(found):
            self._regions.forget(service)
            service = ""  # It is read when the connection is approved: until then another service may take its id.
        if not service:
            return _Place(region_name(found.location))
        async with self._gate:
            region = await self._regions.region(service)
        return _Place(region, service.lower()) if region else self._stated_place(found, service)

    def _stated_place(self, found: _PrivateEndpoint, service: str) -> _Place:
        """Return the region of its tag, or its own with a fault."""
        assumed = _Place("", service.lower(), assumed=True)
        stated = region_name(tag(found.tags, REGION_TAG) or "")
        if stated in self._known_regions or (is_name(stated) and not self._known_regions):
            return assumed._replace(region=stated)
        wrong = f"tag {REGION_TAG}: {stated[:80]!r} is not a known region{suggestion(stated, self._known_regions)}"
        own = region_name(found.location)
        why = self._regions.failure(service)
        unknown = (
            f"the region of its service '{service}' cannot be read ({why}), so its distance is not known and counts "
            f"from the private endpoint's own region, '{own}': let the app read the service, or add the tag "
            f"{REGION_TAG}"
        )
        return assumed._replace(region=own, faults=(wrong, unknown) if stated else (unknown,))

    async def _read(self, endpoint_id: str, previous: Endpoint | None) -> Endpoint | None:
        self._regions.keep(previous)
        return await super()._read(endpoint_id, previous)

    async def _to_endpoints(
        self, found: Collection[_PrivateEndpoint], previous: Mapping[str, Endpoint | None]
    ) -> list[Endpoint]:
        for each in previous.values():
            self._regions.keep(each)
        return await super()._to_endpoints(found, previous)

    async def _nics_and_zone_groups(self, found: _PrivateEndpoint) -> tuple[list[Nic], bool, str]:
        """Return its NICs, whether Azure writes its records into a zone of the settings, and what could not be read."""
        groups = list_all(self.arm, f"{found.id}/privateDnsZoneGroups", _groups, {"api-version": self.api})
        async with self._gate:
            nics, grouped = await asyncio.gather(self._nics(found), groups)
        doubt = next((doubt for _, doubt in nics if doubt), grouped.doubt)
        configs = chain.from_iterable(each.properties.private_dns_zone_configs or () for each in grouped.values())
        written = {(each.properties.private_dns_zone_id or "").lower() for each in configs}
        return [nic for nic, _ in nics if nic], not written.isdisjoint(self._zones), doubt

    async def _nics(self, found: _PrivateEndpoint) -> list[tuple[Nic | None, str]]:
        links = found.properties.network_interfaces or []
        return await asyncio.gather(*(read_part(self._nic(link.id)) for link in links))

    async def _nic(self, nic_id: str) -> Nic | None:
        return await self.arm.get(nic_id, _nic, **{"api-version": NIC_API})


def _connections(found: _PrivateEndpoint) -> list[_Connection]:
    properties = found.properties
    both = properties.private_link_service_connections, properties.manual_private_link_service_connections
    return [each for connections in both for each in connections or ()]


def _service(found: _PrivateEndpoint) -> str:
    """Return the id or alias of its service, "" if Azure does not report it."""
    return next((each.properties.service for each in _connections(found) if each.properties.service), "")


def _connection_states(found: _PrivateEndpoint) -> set[str]:
    """Return the states of its connections, in lower case."""
    states = {each.properties.state.status.lower() for each in _connections(found) if each.properties.state}
    return states - {""}


def _missing_information(found: _PrivateEndpoint, *, served: bool) -> str:
    """Return what Azure does not report of a provisioned private endpoint, or ""."""
    states = _connection_states(found)
    if found.properties.provisioning_state.lower() not in ("", "succeeded") or (served and states):
        return ""
    if not states:
        return "Azure does not report the state of its connection"
    return "Azure does not report its address" if "approved" in states else ""


def _state(found: _PrivateEndpoint, *, served: bool) -> State:
    states = _connection_states(found)
    if found.properties.provisioning_state.lower() == "deleting" or (states and not states & {"approved", "pending"}):
        return State.STOPPED  # Rejected by the service, or disconnected from it.
    if drained(found.tags):
        return State.DRAINING
    return State.SERVING if "approved" in states and served else State.WARMING


def _members(nics: Sequence[Nic]) -> list[Part]:
    """Return the members of the service with their addresses."""
    members: dict[str, set[Address]] = {}
    for configuration in chain.from_iterable(nic.properties.ip_configurations or () for nic in nics):
        member = configuration.properties.member
        if address := configuration.properties.private:
            members.setdefault(member.required_member_name if member else "", set()).add(address)
    return [Part(name, tuple(sorted(addresses))) for name, addresses in sorted(members.items())]
