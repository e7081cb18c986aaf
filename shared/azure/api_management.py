"""API Management services in internal mode: each location of a service is an endpoint, and has the service's tags.

The gateway of each location has its own region, VNet and private addresses (specification apimdeployment.json of
2024-05-01). A location is no resource in Azure. Its id here is `SERVICE/locations/REGION`, for example
`.../service/apim/locations/eastus`. It claims the names of the service's tags, and the service's own name. An event is
about the service: then all its locations are read.

A service stays up while it is Updating, apart from one of the Developer tier (Microsoft Learn,
api-management-using-with-internal-vnet). The states are listed without their meaning in the specification: one that
does not tell whether the service serves keeps what is known.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from shared.azure.answers import Page, Unreadable
from shared.azure.client import Arm
from shared.azure.endpoint_kind import (
    Items,
    ListResult,
    as_listing,
    as_observation,
    from_tags,
    list_all,
    merge_previous,
)
from shared.azure.machine import Link, private_address
from shared.azure.tags import claims, drained, names
from shared.config.settings import region_name
from shared.domain.endpoints import Address, Endpoint, Listing, State

SERVICE = "microsoft.apimanagement/service"
KIND = f"{SERVICE}/locations"
API = "2024-05-01"
UNKNOWN_LOCATION = "unknown"
"""Stands for the locations of a service that cannot be read and was never read before, so that it is reported."""
STARTING = ("created", "activating")
UP = ("succeeded", "updating")
ENDED = ("stopped", "terminating", "deleting", "deleted")
"""Provisioning states in lower case. `deleting` was recorded; the specification lists the others."""


class _VnetConfiguration(msgspec.Struct, rename="camel"):
    subnet_resource_id: str | None = None


class _Location(msgspec.Struct, rename="camel", kw_only=True):
    """What a service reports of one location. The primary one has its region and its fields in the service itself."""

    private_addresses: list[str] | None = msgspec.field(name="privateIPAddresses", default=None)
    virtual_network_configuration: _VnetConfiguration | None = None
    disable_gateway: bool | None = None


class _AdditionalLocation(_Location, rename="camel", kw_only=True):
    location: str


class _Properties(_Location, rename="camel", kw_only=True):
    """Of a service. One without a state cannot be read: an empty answer must not look like one with one location."""

    provisioning_state: str
    virtual_network_type: str = ""
    additional_locations: list[_AdditionalLocation] | None = None


class _Sku(msgspec.Struct):
    name: str = ""


class _Service(msgspec.Struct):
    id: str
    name: str
    location: str
    properties: _Properties
    tags: dict[str, Any] | None = None
    sku: _Sku = msgspec.field(default_factory=_Sku)

    @property
    def mode(self) -> str:
        return self.properties.virtual_network_type.lower()

    @property
    def state(self) -> str:
        return self.properties.provisioning_state.lower()

    @property
    def locations(self) -> Iterator[tuple[str, _Location]]:
        """Its locations by region, the primary one first."""
        yield region_name(self.location), self.properties
        for each in self.properties.additional_locations or ():
            yield region_name(each.location), each


_service = msgspec.json.Decoder(_Service)
_services = msgspec.json.Decoder(Page[_Service])


class ApiManagementServices:
    """API Management services, which contain locations."""

    type = SERVICE

    def __init__(self, arm: Arm) -> None:
        self._arm = arm

    async def members(self, service_id: str, previous: Sequence[Endpoint]) -> ListResult | None:
        """Return its locations; one request shows them all; None if it does not exist. Raises Transient, Terminal.

        Nothing if it claims no name and none of its locations did before.
        """
        try:
            found = await self._arm.get(service_id, _service, **{"api-version": API})
        except Unreadable as error:
            return [], _locations_of_unreadable(error, service_id, previous)
        if found is None:
            return None
        if not (claims(found.tags) or any(each.names for each in previous)):
            return [], []
        return list(_endpoints(found, {each.key: each for each in previous})), []


class ApiManagementLocations:
    """The locations of API Management services."""

    kind = KIND

    def __init__(self, arm: Arm) -> None:
        self._arm = arm

    async def observe(self, endpoint_id: str, previous: Endpoint | None, listed: Endpoint | None = None) -> Endpoint:
        """Read one location, with its service."""
        del listed
        return await as_observation(endpoint_id, KIND, previous, self._read(endpoint_id, previous))

    async def _read(self, endpoint_id: str, previous: Endpoint | None) -> Endpoint | None:
        found = await self._arm.get(_service_id(endpoint_id), _service, **{"api-version": API})
        wanted = endpoint_id.lower()
        there = _endpoints(found, {wanted: previous}) if found else ()
        return next((each for each in there if each.key == wanted), None)

    async def observe_many(self, subscription: str, wanted: Mapping[str, Endpoint | None]) -> Sequence[Endpoint]:
        """Read the wanted locations (by id in lower case) by a list of their services. Raises Transient, Terminal."""
        services = (await self._all(subscription)).values()
        return [each for one in services for each in _endpoints(one, wanted) if each.key in wanted]

    async def list_in(self, subscription: str, previous: Sequence[Endpoint]) -> Listing:
        """List all locations of the services of a subscription that claim names, or claimed names before."""
        return await as_listing(subscription, KIND, self._list(subscription, previous))

    async def _list(self, subscription: str, previous: Sequence[Endpoint]) -> ListResult:
        there, before = await self._all(subscription), {each.key: each for each in previous}
        known = {each.parent for each in previous if each.names}
        wanted = [each for key, each in there.items() if claims(each.tags) or key in known]
        unread = [each for each in there.unreadable if each.id and (claims(each.tags) or each.id.lower() in known)]
        return [each for one in wanted for each in _endpoints(one, before)], [
            each for one in unread for each in _locations_of_unreadable(one, one.id, previous)
        ]

    async def _all(self, subscription: str) -> Items[_Service]:
        path = f"/subscriptions/{subscription}/providers/Microsoft.ApiManagement/service"
        return await list_all(self._arm, path, _services, {"api-version": API})


def _service_id(location_id: str) -> str:
    return location_id.rsplit("/", 2)[0]


def _endpoints(found: _Service, previous: Mapping[str, Endpoint | None]) -> Iterator[Endpoint]:
    """Return the locations of a service as endpoints."""
    for region, location in found.locations:
        endpoint = _to_endpoint(found, region, location)
        yield merge_previous(endpoint, previous.get(endpoint.key))


def _to_endpoint(found: _Service, region: str, location: _Location) -> Endpoint:
    tagged, own, faults = names(found.tags, found.name)
    addresses = _addresses(location) if found.mode == "internal" else ()
    state, doubt = _state(found, location, served=bool(addresses))
    if claims(found.tags):
        faults += _mode_fault(found, location)
    return Endpoint(
        id=f"{found.id}/locations/{region or UNKNOWN_LOCATION}",
        kind=KIND,
        region=region,
        tagged=tagged,
        own=own,
        addresses=addresses,
        state=state,
        health=False,
        doubt=doubt if claims(found.tags) else "",
        faults=faults,
        parent=found.id.lower(),
    )


def _addresses(location: _Location) -> tuple[Address, ...]:
    vnet = location.virtual_network_configuration
    subnet = Link(vnet.subnet_resource_id) if vnet and vnet.subnet_resource_id else None
    found = [private_address(each, subnet) for each in location.private_addresses or ()]
    return tuple(sorted(each for each in found if each))


def _is_v2(found: _Service) -> bool:
    return found.sku.name.lower().endswith("v2")


def _mode_fault(found: _Service, location: _Location) -> tuple[str, ...]:
    """Return why the addresses of a location are not published, as text, or nothing.

    The specification restricts the field of the private addresses to tiers that are not v2. A v2 service in internal
    mode has an address all the same (Microsoft Learn, inject-vnet-v2), and is published if Azure does report it.
    """
    if found.mode not in ("internal", ""):
        mode = f"its virtual network mode is {found.properties.virtual_network_type} (tier {found.sku.name})"
        return (f"{mode}, in which its gateway has no private address, so it is not published: only mode Internal is",)
    if found.mode and _is_v2(found) and not location.private_addresses:
        unreported = f"Azure does not report the private address of tier {found.sku.name}"
        return (f"{unreported}, so it is not published: list the address in NEARZONE_STATIC",)
    return ()


def _state(found: _Service, location: _Location, *, served: bool) -> tuple[State, str]:
    """Return the state of a location, and why it is in doubt, or ""."""
    if found.state in ENDED or found.mode not in ("internal", "") or location.disable_gateway:
        return State.STOPPED, ""
    doubt = ""
    if found.state not in (*STARTING, *UP):
        doubt = (
            f"its provisioning state is {found.properties.provisioning_state}, which does not tell whether it serves"
        )
    elif not found.mode:
        doubt = "Azure does not report its virtual network mode"
    elif not served and found.state == "succeeded":
        if _is_v2(found):
            return State.STOPPED, ""
        doubt = "Azure does not report its address"
    if drained(found.tags):
        return State.DRAINING, doubt
    return State.SERVING if served and found.state in UP else State.WARMING, doubt


def _locations_of_unreadable(found: Unreadable, service_id: str, previous: Sequence[Endpoint]) -> list[Endpoint]:
    """Return the known locations of a service that cannot be read, without a state.

    If none is known and it claims names, one entry that stands for them: its own read reports the problem.
    """
    known = [each for each in previous if each.parent == service_id.lower() and each.state != State.GONE]
    if known:
        return [replace(each, state=State.UNKNOWN, doubt="", unreported=False) for each in known]
    if not claims(found.tags):
        return []
    one = from_tags(service_id, KIND, found.tags)
    return [replace(one, id=f"{service_id}/locations/{UNKNOWN_LOCATION}", parent=service_id.lower())]
