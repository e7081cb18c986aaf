"""The world file: the state of a simulated Azure as JSON, read, checked, loaded and written again.

The format is described in the structs below; an unknown field or a wrong type is an error that names the field. Nothing
happens in here: what is loaded has always been so, and Event Grid is told of nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from typing import Annotated, Any, Literal, Protocol

import msgspec

from simulator.compute import Compute
from simulator.core import ArmError, Azure
from simulator.network import Network
from simulator.nic import IpConfiguration as Address
from simulator.nic import Nic, Subnet, Vnet
from simulator.private_dns import PrivateDns
from simulator.record_sets import RecordSet, Zone
from simulator.vm import Health, NicLink, Power, Vm


def _id_of(resource_type: str) -> msgspec.Meta:
    return msgspec.Meta(
        pattern=f"^/[sS]ubscriptions/[^/]+/[rR]esource[gG]roups/[^/]+/providers/{re.escape(resource_type)}/[^/]+$"
    )


VnetId = Annotated[str, _id_of("Microsoft.Network/virtualNetworks")]
ZoneId = Annotated[str, _id_of("Microsoft.Network/privateDnsZones")]
NicId = Annotated[str, _id_of("Microsoft.Network/networkInterfaces")]
VmId = Annotated[str, _id_of("Microsoft.Compute/virtualMachines")]


class WorldError(ValueError):
    """A world that cannot be: the message names the field, what was found and what is expected."""


class SubnetEntry(msgspec.Struct, forbid_unknown_fields=True):
    """A subnet with addresses of its own. One that is only named by a NIC spans its VNet and need not be listed."""

    name: str
    prefix: str


class VnetEntry(msgspec.Struct, forbid_unknown_fields=True):
    """A virtual network."""

    id: VnetId
    location: str
    prefixes: list[str]
    subnets: list[SubnetEntry] = []


class LinkEntry(msgspec.Struct, forbid_unknown_fields=True):
    """A link from a zone to a virtual network."""

    name: str
    vnet: VnetId
    registration: bool = False


class RecordEntry(msgspec.Struct, forbid_unknown_fields=True):
    """A record set. `records` holds the JSON of the type's own field where the type is not A."""

    name: str
    type: str
    ttl: int
    addresses: list[str] = []
    metadata: dict[str, str] = {}
    auto_registered: bool = False
    records: Any = None


class ZoneEntry(msgspec.Struct, forbid_unknown_fields=True):
    """A private DNS zone; its SOA record set comes by itself."""

    id: ZoneId
    tags: dict[str, str] = {}
    links: list[LinkEntry] = []
    records: list[RecordEntry] = []


class IpConfigurationEntry(msgspec.Struct, forbid_unknown_fields=True):
    """One address of a NIC."""

    name: str
    address: str
    primary: bool = True
    version: Literal["IPv4", "IPv6"] = "IPv4"
    allocation: Literal["Dynamic", "Static"] = "Dynamic"


class NicEntry(msgspec.Struct, forbid_unknown_fields=True):
    """A network interface of a VM."""

    id: NicId
    vnet: VnetId
    ip_configurations: list[IpConfigurationEntry]
    subnet: str = "default"
    primary: bool = True


class VmEntry(msgspec.Struct, forbid_unknown_fields=True):
    """A virtual machine; health null: it has no Application Health extension.

    A power state on the way to another one is written, but read as the one where it leads.
    """

    id: VmId
    location: str
    power: Power
    nics: list[NicEntry]
    tags: dict[str, str] = {}
    health: Health | None = None


class World(msgspec.Struct, forbid_unknown_fields=True):
    """Everything that there is. `settings` are app settings for whoever runs nearzone here: only kept."""

    vnets: list[VnetEntry] = []
    zones: list[ZoneEntry] = []
    vms: list[VmEntry] = []
    settings: dict[str, Any] = {}


class Parts(Protocol):
    """What a world is loaded into and read from."""

    azure: Azure
    network: Network
    compute: Compute
    private_dns: PrivateDns
    settings: dict[str, Any]


_SETTLED: Mapping[Power, Power] = {"starting": "running", "stopping": "stopped", "deallocating": "deallocated"}


def read(text: bytes | str) -> World:
    """A world from JSON text. Raises WorldError."""
    try:
        world = msgspec.json.decode(text, type=World)
    except msgspec.DecodeError as error:
        raise WorldError(str(error)) from error
    _check(world)
    return world


def _check(world: World) -> None:
    prefixes = {}
    for index, vnet in enumerate(world.vnets):
        prefixes[vnet.id.lower()] = [
            _network(f"vnets[{index}].prefixes[{number}]", prefix) for number, prefix in enumerate(vnet.prefixes)
        ]
        for number, subnet in enumerate(vnet.subnets):
            _network(f"vnets[{index}].subnets[{number}].prefix", subnet.prefix)
    for index, zone in enumerate(world.zones):
        for number, link in enumerate(zone.links):
            if link.vnet.lower() not in prefixes:
                raise WorldError(f"zones[{index}].links[{number}].vnet: {link.vnet!r} is not among the vnets")
    taken: set[tuple[str, str]] = set()
    for where, nic in _nics(world):
        if nic.vnet.lower() not in prefixes:
            raise WorldError(f"{where}.vnet: {nic.vnet!r} is not among the vnets")
        for number, each in enumerate(nic.ip_configurations):
            _check_address(f"{where}.ip_configurations[{number}].address", each.address, prefixes[nic.vnet.lower()])
            if (nic.vnet.lower(), each.address) in taken:
                raise WorldError(
                    f"{where}.ip_configurations[{number}].address: {each.address} is taken twice in this VNet"
                )
            taken.add((nic.vnet.lower(), each.address))


def _nics(world: World) -> list[tuple[str, NicEntry]]:
    return [
        (f"vms[{index}].nics[{number}]", nic)
        for index, vm in enumerate(world.vms)
        for number, nic in enumerate(vm.nics)
    ]


def _network(where: str, prefix: str) -> Any:  # noqa: ANN401 - one of the two network classes of ipaddress
    try:
        return ip_network(prefix)
    except ValueError as error:
        raise WorldError(f"{where}: {error}; an address range such as 10.1.0.0/16 is expected") from error


def _check_address(where: str, address: str, prefixes: list[Any]) -> None:
    try:
        found = ip_address(address)
    except ValueError as error:
        raise WorldError(f"{where}: {error}") from error
    if not any(found in prefix for prefix in prefixes):
        raise WorldError(f"{where}: {address} is not in the prefixes of its VNet")


def load(parts: Parts, world: World) -> None:
    """Make everything that a world names exist, without an event. Raises WorldError for what Azure would refuse."""
    for vnet in world.vnets:
        _load_vnet(parts, vnet)
    for index, zone in enumerate(world.zones):
        _group(parts, zone.id)
        try:
            links = [msgspec.to_builtins(link) for link in zone.links]
            records = [msgspec.to_builtins(record) for record in zone.records]
            parts.private_dns.load_zone(zone.id, tags=zone.tags, links=links, records=records)
        except (ArmError, KeyError, IndexError) as error:
            raise WorldError(f"zones[{index}]: {error}") from error
    for vm in world.vms:
        _load_vm(parts, vm)
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
        )
    )


def _load_vm(parts: Parts, entry: VmEntry) -> None:
    _group(parts, entry.id)
    for each in entry.nics:
        _load_nic(parts, each, entry.location)
    several = len(entry.nics) > 1
    now = parts.azure.clock()
    parts.compute.load(
        Vm(
            id=entry.id,
            location=entry.location,
            tags=dict(entry.tags),
            power=_SETTLED.get(entry.power, entry.power),
            health=entry.health,
            nics=[NicLink(each.id, {"primary": each.primary} if several else None) for each in entry.nics],
            guid=parts.azure.new_guid(),
            created=now,
            changed=now,
            health_since=now,
        )
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
    """The world as it is now, in the format of the file."""
    world = World(
        vnets=[_vnet_entry(vnet) for vnet in parts.network.vnets],
        zones=[_zone_entry(zone) for zone in parts.private_dns.zones()],
        vms=[_vm_entry(parts, vm) for vm in parts.compute.vms],
        settings=dict(parts.settings),
    )
    found: dict[str, Any] = msgspec.to_builtins(world)
    return found


def _vnet_entry(vnet: Vnet) -> VnetEntry:
    declared = [SubnetEntry(each.name, each.prefixes[0]) for each in vnet.subnets.values() if each.declared]
    return VnetEntry(vnet.id, vnet.location, list(vnet.prefixes), declared)


def _zone_entry(zone: Zone) -> ZoneEntry:
    return ZoneEntry(
        id=zone.id,
        tags=dict(zone.tags),
        links=[LinkEntry(link.name, link.vnet, link.registration) for link in zone.links],
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
    return VmEntry(vm.id, vm.location, vm.power, nics, dict(vm.tags), vm.health)


def _nic_entry(nic: Nic, *, primary: bool) -> NicEntry:
    first = nic.configurations[0]
    addresses = [
        IpConfigurationEntry(each.name, each.address, each.primary, each.version, each.allocation)
        for each in nic.configurations
    ]
    return NicEntry(nic.id, first.vnet, addresses, first.subnet, primary)
