"""The Application Gateways, API Management services and Container Apps environments of a world file.

`world.py` loads and writes them. A gateway has an HTTP listener for each frontend of which the file says so, and one
pool to which all listeners lead.
"""

from __future__ import annotations

from typing import Any

from simulator.containers.environment import Environment
from simulator.gateways.api_management import Place, Service, place_id
from simulator.gateways.application_gateway import ApplicationGateway, Frontend
from simulator.gateways.application_gateways import parts_of
from simulator.network.nic import IpConfiguration
from simulator.world.endpoints import Parts, address_in, ensure_group, place_server
from simulator.world.entries import (
    ApiManagementEntry,
    ApiManagementLocationEntry,
    ApplicationGatewayEntry,
    ContainerEnvironmentEntry,
    GatewayFrontendEntry,
    World,
)


def load(parts: Parts, world: World) -> None:
    """Create them, without an event; their VNets exist."""
    for gateway in world.application_gateways:
        _load_application_gateway(parts, gateway)
    for service in world.api_managements:
        _load_api_management(parts, service)
    for environment in world.container_environments:
        _load_container_environment(parts, environment)


def _load_application_gateway(parts: Parts, entry: ApplicationGatewayEntry) -> None:
    ensure_group(parts, entry.id)
    place_server(parts, entry.id, entry.server)
    frontends = [
        Frontend(each.name, address_in(parts, each.name, each.vnet, each.subnet, each.address))
        if each.vnet and each.address
        else Frontend(each.name, public_ip=each.public_ip)
        for each in entry.frontends
    ]
    heard = {each.name for each in entry.frontends if each.listener}
    parts.application_gateways.load(
        ApplicationGateway(
            id=entry.id,
            location=entry.location,
            tags=dict(entry.tags),
            etag=parts.network.new_etag(),
            guid=parts.azure.new_guid(),
            frontends=frontends,
            sections=parts_of([each for each in frontends if each.name in heard], entry.id, entry.backends),
            settings={"sku": {"name": "Standard_v2", "tier": "Standard_v2", "capacity": 2}},
            operational=entry.operational,
        )
    )


def _load_api_management(parts: Parts, entry: ApiManagementEntry) -> None:
    ensure_group(parts, entry.id)
    entries = [_primary(entry), *entry.additional_locations]
    now = parts.azure.clock()
    places = [_place(parts, entry, number, each) for number, each in enumerate(entries, 1)]
    service = Service(
        id=entry.id,
        location=places[0].region,
        tags=dict(entry.tags),
        sku={"name": entry.tier, "capacity": 1},
        written=_written(entry, places),
        places=places,
        created=now,
        written_at=now,
        number=0,
        provisioning=entry.state,
    )
    parts.api_managements.load(service)
    for each, place in zip(entries, places, strict=True):
        place_server(parts, place_id(service.id, place), each.server)


def _primary(entry: ApiManagementEntry) -> ApiManagementLocationEntry:
    return ApiManagementLocationEntry(
        entry.location, entry.vnet, entry.subnet, entry.address, entry.disabled, entry.server
    )


def _place(parts: Parts, entry: ApiManagementEntry, number: int, each: ApiManagementLocationEntry) -> Place:
    address, subnet = None, None
    if each.vnet and each.address:
        address = address_in(parts, "gateway", each.vnet, each.subnet, each.address)
        subnet = f"{address.vnet}/subnets/{address.subnet}"
    sku: dict[str, Any] = {"name": entry.tier, "capacity": 1}
    return Place(each.location, subnet, address, f"203.0.113.{number}", each.disabled, sku)


def _written(entry: ApiManagementEntry, places: list[Place]) -> dict[str, Any]:
    """The properties with which a client would have written a service."""
    first, *others = places
    return {
        "publisherEmail": "a@example.com",
        "publisherName": "a",
        "virtualNetworkType": entry.mode,
        **_written_place(first),
        "additionalLocations": [
            {"location": each.location, "sku": each.sku, **_written_place(each)} for each in others
        ],
    }


def _written_place(place: Place) -> dict[str, Any]:
    network = {"virtualNetworkConfiguration": {"subnetResourceId": place.subnet}} if place.subnet else {}
    return {"disableGateway": place.disabled, **network}


def _load_container_environment(parts: Parts, entry: ContainerEnvironmentEntry) -> None:
    ensure_group(parts, entry.id)
    place_server(parts, entry.id, entry.server)
    address, written = None, {}
    if entry.vnet and entry.address:
        address = address_in(parts, "internal", entry.vnet, entry.subnet, entry.address)
        subnet = f"{address.vnet}/subnets/{address.subnet}"
        written = {"vnetConfiguration": {"internal": True, "infrastructureSubnetId": subnet}}
    public = "203.0.113.99"
    environment = Environment(entry.id, entry.location, dict(entry.tags), written, public, address, entry.state)
    parts.container_environments.load(environment)


def application_gateways(parts: Parts) -> list[ApplicationGatewayEntry]:
    """The current Application Gateways."""
    return [
        ApplicationGatewayEntry(
            id=each.id,
            location=each.location,
            frontends=[_frontend(each, one) for one in each.frontends],
            operational=each.operational,
            tags=dict(each.tags or {}),
            server=parts.servers.entry(each.id),
            backends=each.backends,
        )
        for each in parts.application_gateways.all
        if each.provisioning != "Deleting"
    ]


def _frontend(gateway: ApplicationGateway, each: Frontend) -> GatewayFrontendEntry:
    listener = gateway.listens(each.name)
    if each.address is None:
        return GatewayFrontendEntry(each.name, public_ip=each.public_ip, listener=listener)
    address = each.address
    return GatewayFrontendEntry(each.name, address.vnet, address.subnet, address.address, listener=listener)


def api_managements(parts: Parts) -> list[ApiManagementEntry]:
    """The current API Management services."""
    return [_api_management(parts, each) for each in parts.api_managements.all if each.provisioning != "Deleting"]


def _api_management(parts: Parts, service: Service) -> ApiManagementEntry:
    first, *others = [_location(parts, service, each) for each in service.places]
    mode = service.mode
    return ApiManagementEntry(
        id=service.id,
        location=first.location,
        mode="Internal" if mode == "Internal" else "External" if mode == "External" else "None",
        tier=str(service.sku.get("name", "")),
        state=service.provisioning,
        vnet=first.vnet,
        subnet=first.subnet,
        address=first.address,
        disabled=first.disabled,
        additional_locations=others,
        tags=dict(service.tags),
        server=first.server,
    )


def _location(parts: Parts, service: Service, place: Place) -> ApiManagementLocationEntry:
    address = place.address or IpConfiguration("", "", "", "default")
    return ApiManagementLocationEntry(
        location=place.location,
        vnet=address.vnet or None,
        subnet=address.subnet,
        address=address.address or None,
        disabled=place.disabled,
        server=parts.servers.entry(place_id(service.id, place)),
    )


def container_environments(parts: Parts) -> list[ContainerEnvironmentEntry]:
    """The current Container Apps environments."""
    return [
        _environment(parts, each) for each in parts.container_environments.all if each.state != "ScheduledForDelete"
    ]


def _environment(parts: Parts, each: Environment) -> ContainerEnvironmentEntry:
    found = ContainerEnvironmentEntry(each.id, each.location, each.state, tags=dict(each.tags))
    if each.address is not None:
        found.vnet, found.subnet, found.address = each.address.vnet, each.address.subnet, each.address.address
    found.server = parts.servers.entry(each.id)
    return found
