"""NICs that a VM's or a scale set's own PUT requests (`networkInterfaceConfigurations`), in its group and region.

The body is that of the OpenAPI document 2024-03-01 (virtualMachine.json). The name of such a NIC (the configuration's
name and eight hexadecimal digits) is recorded for flexible scale sets (azure-cli, test_vm_list_filter.yaml) and assumed
for other VMs. Whether it raises its own event is unknown: `provider.py` decides.
"""

from __future__ import annotations

from functools import partial

import msgspec

from simulator.compute.vm import NicLink, Vm
from simulator.network.addresses import Reference, Wanted, WantedProperties, configure
from simulator.network.nic import IpConfiguration, Nic, Version
from simulator.network.provider import WRITE_SECONDS, Network


class _IpProperties(msgspec.Struct, rename="camel"):
    subnet: Reference
    primary: bool | None = None
    private_ip_address_version: Version = msgspec.field(default="IPv4", name="privateIPAddressVersion")


class _Ip(msgspec.Struct):
    name: str
    properties: _IpProperties


class _Properties(msgspec.Struct, rename="camel"):
    ip_configurations: list[_Ip]
    primary: bool = True
    delete_option: str = "Detach"


class InlineNic(msgspec.Struct):
    """One wanted NIC."""

    name: str
    properties: _Properties


def create(network: Network, vm: Vm, wanted: list[InlineNic], *, told: bool) -> list[NicLink]:
    """Create NICs; returns the VM's links to them. Raises ArmError 400 where Azure would refuse.

    `told`: each NIC raises an event as if it had been written separately, and as late; otherwise none does.
    """
    group = vm.id.split("/providers/", maxsplit=1)[0]
    links = []
    for each in wanted:
        nic_id = f"{group}/providers/{network.nics.type}/{each.name}-{network.azure.rng.getrandbits(32):08x}"
        configurations = addresses_of(network, nic_id, each)
        guid = network.azure.new_guid()
        network.load_nic(Nic(nic_id, vm.location, {}, configurations, network.new_etag(), guid))
        stated = {"primary": each.properties.primary, "deleteOption": each.properties.delete_option}
        links.append(NicLink(nic_id, stated))
        if told:
            delay = WRITE_SECONDS.draw(network.azure.rng) * network.azure.operation_scale
            network.azure.schedule(delay, partial(network.azure.emit, nic_id, f"{network.nics.type}/write", "Write"))
    return links


def addresses_of(network: Network, nic_id: str, wanted: InlineNic) -> list[IpConfiguration]:
    """The addresses that a wanted NIC gets. Raises ArmError 400 where Azure would refuse."""
    return configure(network.vnets, nic_id, [], [_wanted(ip) for ip in wanted.properties.ip_configurations])


def _wanted(ip: _Ip) -> Wanted:
    stated = ip.properties
    version = stated.private_ip_address_version
    return Wanted(ip.name, WantedProperties(stated.subnet, private_ip_address_version=version, primary=stated.primary))
