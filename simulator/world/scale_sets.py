"""Scale sets of a world file: loaded with their instances, and written again. Called by `world.py`.

A file contains only what decides which machines serve where; the machines' model is a placeholder.
"""

from __future__ import annotations

from typing import Any, Literal, Protocol

from simulator.arm.front_door import ArmFrontDoor
from simulator.compute.provider import Compute
from simulator.compute.scale_set import Instance, ScaleSet
from simulator.compute.vm import SETTLED, Vm, health_extension
from simulator.model_servers.server import ModelServers
from simulator.network.nic import IpConfiguration, Nic, Subnet
from simulator.network.provider import Network
from simulator.world.entries import InstanceEntry, ScaleSetEntry, World, WorldError


class Parts(Protocol):
    """The objects into which scale sets are loaded and from which they are read."""

    azure: ArmFrontDoor
    network: Network
    compute: Compute
    servers: ModelServers


def load(parts: Parts, world: World) -> None:
    """Create them, without an event; their VNets and VMs exist."""
    for entry in world.scale_sets:
        _load(parts, entry, sum((vm.scale_set or "").lower() == entry.id.lower() for vm in world.vms))


def _load(parts: Parts, entry: ScaleSetEntry, vms: int) -> None:
    segments, now = entry.id.split("/"), parts.azure.clock()
    parts.azure.ensure_group(segments[2], segments[4])
    vnet = parts.network.vnets.find(entry.vnet)
    if vnet is None:
        raise WorldError(f"{entry.id}: vnet {entry.vnet!r} is not among the vnets")
    if vnet.subnet(entry.subnet) is None:
        vnet.subnets[entry.subnet.lower()] = Subnet(entry.subnet, list(vnet.prefixes), declared=False)
    scale_set = ScaleSet(
        id=entry.id,
        location=entry.location,
        tags=dict(entry.tags) or None,
        sku={"name": "Standard_NC24ads_A100_v4", "tier": "Standard", "capacity": len(entry.instances) or vms},
        properties=_properties(entry, f"{vnet.id}/subnets/{entry.subnet}"),
        guid=parts.azure.new_guid(),
        created=now,
        changed=now,
    )
    instances = [_instance(parts, entry, scale_set, each) for each in entry.instances]
    parts.compute.scale_sets.load(scale_set, instances)


def _properties(entry: ScaleSetEntry, subnet: str) -> dict[str, Any]:
    name = entry.id.rsplit("/", 1)[1]
    ip = {"name": f"{name}IPConfig", "properties": {"subnet": {"id": subnet}, "privateIPAddressVersion": "IPv4"}}
    nic = {"name": f"{name}Nic", "properties": {"primary": True, "deleteOption": "Delete", "ipConfigurations": [ip]}}
    profile: dict[str, Any] = {"networkProfile": {"networkInterfaceConfigurations": [nic]}}
    if any(each.health is not None for each in entry.instances):
        profile["extensionProfile"] = {"extensions": [health_extension()]}
    return {"orchestrationMode": entry.mode, "virtualMachineProfile": profile}


def _instance(parts: Parts, entry: ScaleSetEntry, scale_set: ScaleSet, each: InstanceEntry) -> Instance:
    now, power = parts.azure.clock(), SETTLED.get(each.power, each.power)
    machine_id, guid = f"{scale_set.id}/virtualMachines/{each.id}", parts.azure.new_guid()
    if each.server is not None:
        parts.servers.set(machine_id, each.server, now)
    vm = Vm(machine_id, entry.location, {}, power, each.health, [], guid, now, now, now)
    ip = IpConfiguration(f"{scale_set.name}IPConfig", each.address, entry.vnet, entry.subnet)
    nic_id = f"{machine_id}/networkInterfaces/{scale_set.name}Nic"
    nic = Nic(nic_id, entry.location, {}, [ip], parts.network.new_etag(), parts.azure.new_guid())
    return Instance(int(each.id), vm, [nic])


def dump(parts: Parts) -> list[ScaleSetEntry]:
    """The current scale sets; one without a subnet in an existing VNet cannot be written."""
    found = []
    for scale_set in parts.compute.scale_sets.sets:
        subnet_id = scale_set.subnet_id
        if subnet_id is None:
            continue
        vnet, _, subnet = subnet_id.partition("/subnets/")
        entries = [_entry(parts, each) for each in sorted(scale_set.instances.values(), key=lambda each: each.number)]
        mode: Literal["Flexible", "Uniform"] = "Flexible" if scale_set.flexible else "Uniform"
        tags = dict(scale_set.tags or {})
        found.append(ScaleSetEntry(scale_set.id, scale_set.location, mode, vnet, subnet, entries, tags))
    return found


def _entry(parts: Parts, instance: Instance) -> InstanceEntry:
    nics = [nic for nic in instance.nics if nic.primary] or instance.nics
    address = next((each.address for each in nics[0].configurations if each.primary), "")
    server = parts.servers.entry(instance.vm.id)
    return InstanceEntry(str(instance.number), instance.vm.power, address, instance.vm.health, server)
