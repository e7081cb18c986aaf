"""The load balancers, private endpoints and container groups of a world file. Gateways: `gateways.py`.

`world.py` loads and writes them. Properties that a file lacks do not exist.
"""

from __future__ import annotations

from typing import Any, Protocol

from simulator.arm.front_door import ArmFrontDoor
from simulator.containers.container_group import ContainerGroup, Current
from simulator.containers.environment import ContainerEnvironments
from simulator.containers.provider import ContainerGroups
from simulator.gateways.api_managements import ApiManagements
from simulator.gateways.application_gateways import ApplicationGateways
from simulator.model_servers.entry import ServerEntry
from simulator.model_servers.server import ModelServers
from simulator.network.backend_pools import pool_of, reached
from simulator.network.load_balancer import Frontend, LoadBalancer
from simulator.network.load_balancer_provider import LoadBalancers
from simulator.network.nic import IpConfiguration, Subnet
from simulator.network.private_endpoint import Connection, PrivateEndpoint, ZoneGroup
from simulator.network.private_endpoint_provider import PrivateEndpoints
from simulator.network.provider import Network
from simulator.world.entries import (
    ContainerEntry,
    ContainerGroupEntry,
    FrontendEntry,
    LoadBalancerEntry,
    PrivateEndpointEntry,
    World,
    WorldError,
)


class Parts(Protocol):
    """The objects into which endpoints are loaded and from which they are read."""

    azure: ArmFrontDoor
    network: Network
    load_balancers: LoadBalancers
    private_endpoints: PrivateEndpoints
    container_groups: ContainerGroups
    application_gateways: ApplicationGateways
    api_managements: ApiManagements
    container_environments: ContainerEnvironments
    servers: ModelServers


def place_server(parts: Parts, key: str, entry: ServerEntry | None) -> None:
    """Give an endpoint or a host its model server; None: a healthy one. `key`: its id or address."""
    if entry is not None:
        parts.servers.set(key, entry, parts.azure.clock())


def load(parts: Parts, world: World) -> None:
    """Create them, without an event; their VNets exist."""
    for balancer in world.load_balancers:
        _load_balancer(parts, balancer)
    for endpoint in world.private_endpoints:
        _load_private_endpoint(parts, endpoint)
    for group in world.container_groups:
        _load_container_group(parts, group)


def ensure_group(parts: Parts, resource_id: str) -> None:
    """Create the resource group of a resource if it does not exist."""
    segments = resource_id.split("/")
    parts.azure.ensure_group(segments[2], segments[4])


def address_in(parts: Parts, name: str, vnet_id: str, subnet_name: str, address: str) -> IpConfiguration:
    """An address in a subnet, which is made if the file does not list it."""
    vnet = parts.network.vnets.find(vnet_id)
    if vnet is None:
        raise WorldError(f"vnet {vnet_id!r} is not among the vnets")
    subnet = vnet.subnet(subnet_name)
    if subnet is None:
        subnet = Subnet(subnet_name, list(vnet.prefixes), declared=False)
        vnet.subnets[subnet_name.lower()] = subnet
    return IpConfiguration(name, address, vnet.id, subnet.name, version="IPv6" if ":" in address else "IPv4")


def _load_balancer(parts: Parts, entry: LoadBalancerEntry) -> None:
    ensure_group(parts, entry.id)
    place_server(parts, entry.id, entry.server)
    frontends = [
        Frontend(each.name, address_in(parts, each.name, each.vnet, each.subnet, each.address))
        if each.vnet and each.address
        else Frontend(each.name, public_ip=each.public_ip)
        for each in entry.frontends
    ]
    empty = ("probes", "inboundNatRules", "outboundRules", "inboundNatPools")
    parts.load_balancers.load(
        LoadBalancer(
            id=entry.id,
            location=entry.location,
            tags=dict(entry.tags),
            etag=parts.network.new_etag(),
            guid=parts.azure.new_guid(),
            frontends=frontends,
            sections={**_balancing(entry), **{each: {} for each in empty}},
            sku={"name": "Standard"},
        )
    )


POOL = "backends"
"""The pool of a load balancer of a world file to which all frontends lead that have no pool of their own."""


def _balancing(entry: LoadBalancerEntry) -> dict[str, dict[str, dict[str, Any]]]:
    """The pools of a load balancer, with members of NICs that are not simulated, and a rule for each frontend."""
    sizes = {
        POOL: entry.backends,
        **{each.name: each.backends for each in entry.frontends if each.backends is not None},
    }
    rules = {
        each.name: {
            "protocol": "All",
            "frontendIPConfiguration": {"id": f"{entry.id}/frontendIPConfigurations/{each.name}"},
            "backendAddressPool": {
                "id": f"{entry.id}/backendAddressPools/{POOL if each.backends is None else each.name}"
            },
        }
        for each in entry.frontends
    }
    pools = {name: pool_of(entry.id, name, size) for name, size in sizes.items()}
    return {"backendAddressPools": pools, "loadBalancingRules": rules}


def _load_private_endpoint(parts: Parts, entry: PrivateEndpointEntry) -> None:
    ensure_group(parts, entry.id)
    place_server(parts, entry.id, entry.server)
    held = [
        address_in(parts, f"privateEndpointIpConfig.{parts.azure.new_guid()}", entry.vnet, entry.subnet, address)
        for address in entry.addresses
    ]
    for each in held:
        if member := entry.members.get(each.address):
            each.private_link = {"groupId": member, "requiredMemberName": member, "fqdns": []}
    if entry.service_location is not None:
        parts.private_endpoints.service_locations[entry.service.lower()] = entry.service_location
    connection = Connection("default", entry.service, [], manual=False, status=entry.connection, description="")
    endpoint = PrivateEndpoint(
        id=entry.id,
        location=entry.location,
        tags=dict(entry.tags),
        subnet=f"{entry.vnet}/subnets/{entry.subnet}",
        connections=[connection],
        nic=parts.private_endpoints.new_nic(entry.id, entry.location),
        etag=parts.network.new_etag(),
        guid=parts.azure.new_guid(),
        named=True,
    )
    if entry.zone_group:
        zones = [] if entry.zone_group is True else entry.zone_group
        configs = {f"config-{number}": zone_id for number, zone_id in enumerate(zones)}
        endpoint.groups["default"] = ZoneGroup("default", configs, parts.network.new_etag())
    parts.private_endpoints.load(endpoint, held)


def _load_container_group(parts: Parts, entry: ContainerGroupEntry) -> None:
    ensure_group(parts, entry.id)
    place_server(parts, entry.id, entry.server)
    address = None
    ports = {"ports": [{"protocol": "TCP", "port": 80}]}
    containers = [_container(each) for each in entry.containers]
    written: dict[str, Any] = {"containers": containers, "osType": "Linux", "ipAddress": {**ports, "type": "Public"}}
    if entry.vnet and entry.address:
        address = address_in(parts, "private", entry.vnet, entry.subnet, entry.address)
        subnets = [{"id": f"{address.vnet}/subnets/{address.subnet}"}]
        written |= {"ipAddress": {**ports, "type": "Private"}, "subnetIds": subnets}
    tags, now = dict(entry.tags), parts.azure.clock()
    group = ContainerGroup(entry.id, entry.location, tags, written, entry.state, now, address)
    group.others = {each.name: Current(each.state, each.detail) for each in entry.containers if each.state != "Running"}
    parts.container_groups.load(group)


def _container(entry: ContainerEntry) -> dict[str, Any]:
    ports = [] if entry.port is None else [{"protocol": "TCP", "port": entry.port}]
    resources = {"requests": {"memoryInGB": 1.5, "cpu": 1.0}}
    return {"name": entry.name, "properties": {"image": "image", "ports": ports, "resources": resources}}


def load_balancers(parts: Parts) -> list[LoadBalancerEntry]:
    """The current load balancers."""
    return [_load_balancer_entry(parts, each) for each in parts.load_balancers.all if each.provisioning != "Deleting"]


def _load_balancer_entry(parts: Parts, each: LoadBalancer) -> LoadBalancerEntry:
    """Every frontend has what its rules lead to, as the number of the one pool if that is the same for all."""
    served = {section: list(each.parts(section)) for section in each.sections}
    basic = each.sku.get("name", "Basic") == "Basic"
    sizes = [reached(f"{each.id}/frontendIPConfigurations/{one.name}", served, basic=basic) for one in each.frontends]
    usual = next(
        (
            len(pool["properties"].get("loadBalancerBackendAddresses", ()))
            for pool in served["backendAddressPools"]
            if pool["name"] == POOL
        ),
        sizes[0] if sizes else 1,
    )
    frontends = [
        _frontend(one, None if size == usual else size) for one, size in zip(each.frontends, sizes, strict=True)
    ]
    return LoadBalancerEntry(
        each.id, each.location, frontends, dict(each.tags or {}), parts.servers.entry(each.id), usual
    )


def _frontend(each: Frontend, backends: int | None) -> FrontendEntry:
    if each.address is None:
        return FrontendEntry(each.name, public_ip=each.public_ip, backends=backends)
    address = each.address
    return FrontendEntry(each.name, address.vnet, address.subnet, address.address, backends=backends)


def private_endpoints(parts: Parts) -> list[PrivateEndpointEntry]:
    """The current private endpoints; of several connections, the first approved one or else the first."""
    return [_private_endpoint(parts, each) for each in parts.private_endpoints.all if each.provisioning != "Deleting"]


def _private_endpoint(parts: Parts, endpoint: PrivateEndpoint) -> PrivateEndpointEntry:
    vnet, _, subnet = endpoint.subnet.partition("/subnets/")
    first = min(endpoint.connections, key=lambda each: each.status != "Approved")
    return PrivateEndpointEntry(
        id=endpoint.id,
        location=endpoint.location,
        vnet=vnet,
        addresses=[each.address for each in endpoint.nic.configurations],
        service=first.service,
        subnet=subnet,
        connection=first.status,
        zone_group=[zone_id for group in endpoint.groups.values() for zone_id in group.zones.values()]
        or bool(endpoint.groups),
        tags=dict(endpoint.tags or {}),
        server=parts.servers.entry(endpoint.id),
        members={
            each.address: each.private_link["requiredMemberName"]
            for each in endpoint.nic.configurations
            if each.private_link
        },
        service_location=parts.private_endpoints.service_locations.get(first.service.lower()),
    )


def container_groups(parts: Parts) -> list[ContainerGroupEntry]:
    """The current container groups."""
    return [_container_group(parts, each) for each in parts.container_groups.all]


def _container_group(parts: Parts, group: ContainerGroup) -> ContainerGroupEntry:
    containers = [_container_entry(group, each) for each in group.written.get("containers", [])]
    entry = ContainerGroupEntry(
        group.id, group.location, group.state, containers=containers, tags=dict(group.tags or {})
    )
    if group.address is not None:
        entry.vnet, entry.subnet, entry.address = group.address.vnet, group.address.subnet, group.address.address
    entry.server = parts.servers.entry(group.id)
    return entry


def _container_entry(group: ContainerGroup, written: dict[str, Any]) -> ContainerEntry:
    now = group.others.get(written["name"], Current("Running"))
    ports = written["properties"].get("ports") or [{"port": None}]
    return ContainerEntry(written["name"], now.state, now.detail, ports[0]["port"])
