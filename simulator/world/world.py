"""The world file: the state of a simulated Azure as JSON, read, checked, loaded and written again.

`entries.py` describes the format. Loading raises no events: what is loaded counts as having always been so.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

import msgspec

from simulator.arm.front_door import ArmError
from simulator.compute.provider import Compute
from simulator.compute.registered import computer_name
from simulator.compute.vm import SETTLED, NicLink, Vm
from simulator.network.nic import IpConfiguration as Address
from simulator.network.nic import Nic, Subnet, Vnet, peering
from simulator.paths.paths import Paths
from simulator.private_dns.provider import PrivateDns
from simulator.private_dns.record_sets import RecordSet, Zone
from simulator.world import endpoints as world_endpoints
from simulator.world import gateways as world_gateways
from simulator.world import scale_sets as world_scale_sets
from simulator.world.check import faults as faults_of
from simulator.world.endpoints import place_server
from simulator.world.entries import (
    HostEntry,
    IpConfigurationEntry,
    LinkEntry,
    NicEntry,
    RecordEntry,
    SubnetEntry,
    VmEntry,
    VnetEntry,
    World,
    WorldError,
    ZoneEntry,
)
from simulator.world.file import misshapen, regions_of, text_of, twice
from simulator.world.rules import forbidden, unread

__all__ = ["World", "WorldError", "dump", "load", "read", "read_file"]


class Parts(world_endpoints.Parts, Protocol):
    """The objects into which a world is loaded and from which it is read."""

    compute: Compute
    private_dns: PrivateDns
    paths: Paths
    hosts: dict[str, HostEntry]
    settings: dict[str, Any]


def read(text: bytes | str, regions: Collection[str] = (), known: Sequence[str] = ()) -> World:
    """Read a world from JSON text. Raises WorldError with all of its faults, `known` ones first.

    `regions`: allowed locations; empty: any.
    """
    try:
        content = json.loads(text)
    except ValueError as error:
        raise WorldError(str(error)) from error
    wrong, world = list(known), None
    try:
        world = msgspec.json.decode(text, type=World)
    except msgspec.ValidationError:
        wrong += misshapen(content)
    if isinstance(content, dict):
        wrong += faults_of(content, regions)
    if wrong or world is None:
        raise WorldError(*wrong)
    return world


def read_file(path: Path, *, for_app: bool = False) -> World:
    """Read a world from a file. Raises WorldError, which names the places in the file.

    `for_app`: the app is started with its settings, so they must be settings that reach the app.
    """
    text = text_of(path)
    content = json.loads(text)
    return read(text, regions_of(content), [*twice(text), *forbidden(content), *(unread(content) if for_app else ())])


def load(parts: Parts, world: World) -> None:
    """Create everything in a world, without an event. Raises WorldError for what Azure would refuse."""
    for vnet in world.vnets:
        _load_vnet(parts, vnet)
    wrong = []
    for index, zone in enumerate(world.zones):
        _group(parts, zone.id)
        try:
            links = [msgspec.to_builtins(link) for link in zone.links]
            records = [msgspec.to_builtins(record) for record in zone.records]
            parts.private_dns.load_zone(zone.id, tags=zone.tags, links=links, records=records)
        except (ArmError, KeyError, IndexError) as error:
            wrong.append(f"zones[{index}]: {error}")
    if wrong:
        raise WorldError(*wrong)
    for vm in world.vms:
        _load_vm(parts, vm)
    world_scale_sets.load(parts, world)
    world_endpoints.load(parts, world)
    world_gateways.load(parts, world)
    parts.paths.load(world.network)
    for host in world.hosts:
        parts.hosts[host.address] = host
        place_server(parts, host.address, host.server)
    parts.settings.update(world.settings)


def _group(parts: Parts, resource_id: str) -> None:
    segments = resource_id.split("/")
    parts.azure.ensure_group(segments[2], segments[4])


def _load_vnet(parts: Parts, entry: VnetEntry) -> None:
    _group(parts, entry.id)
    subnets = {each.name.lower(): Subnet(each.name, [each.prefix]) for each in entry.subnets}
    parts.network.load_vnet(
        Vnet(
            id=entry.id,
            location=entry.location,
            prefixes=list(entry.prefixes),
            etag=parts.network.new_etag(),
            guid=parts.azure.new_guid(),
            subnets=subnets,
            peerings={each.name.lower(): each for each in map(peering, entry.peerings)},
        )
    )


def _load_vm(parts: Parts, entry: VmEntry) -> None:
    _group(parts, entry.id)
    for each in entry.nics:
        _load_nic(parts, each, entry.location)
    several = len(entry.nics) > 1
    now = parts.azure.clock()
    place_server(parts, entry.id, entry.server)
    parts.compute.load(
        Vm(
            id=entry.id,
            location=entry.location,
            tags=dict(entry.tags) or None,
            power=SETTLED.get(entry.power, entry.power),
            health=entry.health,
            nics=[NicLink(each.id, {"primary": each.primary} if several else None) for each in entry.nics],
            guid=parts.azure.new_guid(),
            created=now,
            changed=now,
            health_since=now,
            settings=_settings(entry),
        )
    )


def _settings(entry: VmEntry) -> dict[str, Any]:
    spot = {"priority": "Spot", "evictionPolicy": entry.spot, "billingProfile": {"maxPrice": -1.0}}
    return (
        (spot if entry.spot else {})
        | ({"virtualMachineScaleSet": {"id": entry.scale_set}} if entry.scale_set else {})
        | ({"osProfile": {"computerName": entry.computer_name}} if entry.computer_name else {})
    )


def _load_nic(parts: Parts, entry: NicEntry, location: str) -> None:
    _group(parts, entry.id)
    vnet = parts.network.vnets.find(entry.vnet)
    if vnet is None:
        raise WorldError(f"{entry.id}: vnet {entry.vnet!r} is not among the vnets")
    subnet = vnet.subnet(entry.subnet)
    if subnet is None:
        subnet = Subnet(entry.subnet, list(vnet.prefixes), declared=False)
        vnet.subnets[entry.subnet.lower()] = subnet
    addresses = [
        Address(each.name, each.address, vnet.id, subnet.name, each.primary, each.version, each.allocation)
        for each in entry.ip_configurations
    ]
    nic = Nic(entry.id, location, {}, addresses, parts.network.new_etag(), parts.azure.new_guid())
    parts.network.load_nic(nic)


def dump(parts: Parts) -> dict[str, Any]:
    """The current world, in the format of the file."""
    hosts = parts.hosts.values()
    world = World(
        vnets=[_vnet_entry(vnet) for vnet in parts.network.vnets],
        zones=[_zone_entry(zone) for zone in parts.private_dns.zones()],
        vms=[_vm_entry(parts, vm) for vm in parts.compute.vms],
        scale_sets=world_scale_sets.dump(parts),
        load_balancers=world_endpoints.load_balancers(parts),
        private_endpoints=world_endpoints.private_endpoints(parts),
        container_groups=world_endpoints.container_groups(parts),
        application_gateways=world_gateways.application_gateways(parts),
        api_managements=world_gateways.api_managements(parts),
        container_environments=world_gateways.container_environments(parts),
        hosts=[HostEntry(each.address, each.location, parts.servers.entry(each.address)) for each in hosts],
        network=parts.paths.entry(),
        settings=dict(parts.settings),
    )
    found: dict[str, Any] = msgspec.to_builtins(world)
    return found


def _vnet_entry(vnet: Vnet) -> VnetEntry:
    declared = [SubnetEntry(each.name, each.prefixes[0]) for each in vnet.subnets.values() if each.declared]
    peerings = [each.remote for each in vnet.peerings.values()]
    return VnetEntry(vnet.id, vnet.location, list(vnet.prefixes), declared, peerings)


def _zone_entry(zone: Zone) -> ZoneEntry:
    return ZoneEntry(
        id=zone.id,
        tags=dict(zone.tags),
        links=[LinkEntry(link.name, link.vnet, link.registration, link.resolution_policy) for link in zone.links],
        records=[_record_entry(each) for each in zone.record_sets if each.type != "SOA"],
    )


def _record_entry(found: RecordSet) -> RecordEntry:
    return RecordEntry(
        name=found.name,
        type=found.type,
        ttl=found.ttl,
        addresses=list(found.addresses),
        metadata=dict(found.metadata or {}),
        auto_registered=found.auto_registered,
        records=None if found.type == "A" else found.records,
    )


def _vm_entry(parts: Parts, vm: Vm) -> VmEntry:
    links = [(link, parts.network.nics.find(link.id)) for link in vm.nics]
    nics = [_nic_entry(nic, primary=link.primary) for link, nic in links if nic is not None]
    spot: Literal["Delete", "Deallocate"] | None = None
    if vm.spot:
        spot = "Delete" if vm.spot == "Delete" else "Deallocate"
    server = parts.servers.entry(vm.id)
    host = computer_name(vm)
    return VmEntry(
        id=vm.id,
        location=vm.location,
        power=vm.power,
        nics=nics,
        tags=dict(vm.tags or {}),
        health=vm.health,
        scale_set=vm.scale_set,
        spot=spot,
        server=server,
        computer_name=None if host == vm.name else host,
    )


def _nic_entry(nic: Nic, *, primary: bool) -> NicEntry:
    first = nic.configurations[0]
    addresses = [
        IpConfigurationEntry(each.name, each.address, each.primary, each.version, each.allocation)
        for each in nic.configurations
    ]
    return NicEntry(nic.id, first.vnet, addresses, first.subnet, primary)
