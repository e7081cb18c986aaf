"""Which address each configuration of a network interface gets when the interface is written.

Decides only; `network.py` changes the world. Errors follow Azure's public wording and are inferred: no recording here
has a refused address. Address rules: docs, virtual-network/ip-services/private-ip-addresses.md (read 2026-11-23).
"""

from __future__ import annotations

from ipaddress import ip_address

import msgspec

from simulator.collection import Collection, rejected
from simulator.nic import Allocation, IpConfiguration, Nic, Subnet, Version, Vnet, contains


class Reference(msgspec.Struct):
    """A link to another resource."""

    id: str


class WantedProperties(msgspec.Struct, rename="camel"):
    """What a PUT says about one address."""

    subnet: Reference
    private_ip_address: str | None = msgspec.field(default=None, name="privateIPAddress")
    private_ip_allocation_method: Allocation = msgspec.field(default="Dynamic", name="privateIPAllocationMethod")
    private_ip_address_version: Version = msgspec.field(default="IPv4", name="privateIPAddressVersion")
    primary: bool | None = None


class Wanted(msgspec.Struct):
    """One wanted address configuration."""

    name: str
    properties: WantedProperties


def configure(vnets: Collection[Vnet], nic_id: str, old: Nic | None, wanted: list[Wanted]) -> list[IpConfiguration]:
    """The configurations that a NIC has after being written. Raises ArmError 400 where Azure would refuse."""
    if not wanted:
        raise rejected(
            400,
            "NetworkInterfaceMustHaveAtLeastOneIpConfiguration",
            f"Network interface {nic_id} must have at least one ip configuration.",
        )
    held = {each.name.lower(): each for each in (old.configurations if old else [])}
    chosen: list[IpConfiguration] = []
    for index, each in enumerate(wanted):
        vnet, subnet = _subnet(vnets, nic_id, each.properties.subnet.id)
        taken = {one.address for one in chosen if one.vnet == vnet.id}
        address = _address(vnet, subnet, nic_id, each, held.get(each.name.lower()), taken)
        properties = each.properties
        chosen.append(
            IpConfiguration(
                name=each.name,
                address=address,
                vnet=vnet.id,
                subnet=subnet.name,
                primary=index == 0 if properties.primary is None else properties.primary,
                version=properties.private_ip_address_version,
                allocation=properties.private_ip_allocation_method,
            )
        )
    return chosen


def _subnet(vnets: Collection[Vnet], nic_id: str, subnet_id: str) -> tuple[Vnet, Subnet]:
    vnet_id, _, name = subnet_id.partition("/subnets/")
    vnet = vnets.find(vnet_id)
    subnet = vnet.subnet(name) if vnet else None
    if vnet is None or subnet is None:
        raise rejected(
            400,
            "InvalidResourceReference",
            f"Resource {subnet_id} referenced by resource {nic_id} was not found. Please make sure that the "
            "referenced resource exists, and that both resources are in the same region.",
        )
    return vnet, subnet


def _address(
    vnet: Vnet, subnet: Subnet, nic_id: str, wanted: Wanted, old: IpConfiguration | None, taken: set[str]
) -> str:
    if wanted.properties.private_ip_allocation_method == "Static":
        return _static(vnet, subnet, nic_id, wanted.properties.private_ip_address, taken)
    # A dynamic address is let go only with the NIC, the subnet, or for another static address.
    if old and (old.vnet.lower(), old.subnet) == (vnet.id.lower(), subnet.name) and old.address not in taken:
        return old.address
    free = vnet.free(subnet, wanted.properties.private_ip_address_version, taken)
    if free is None:
        raise rejected(400, "SubnetIsFull", f"Subnet {subnet.name} does not have enough capacity for 1 IP addresses.")
    return free


def _static(vnet: Vnet, subnet: Subnet, nic_id: str, address: str | None, taken: set[str]) -> str:
    try:
        wanted = str(ip_address(address or ""))
    except ValueError as error:
        raise rejected(400, "InvalidIPAddressFormat", f"IP address {address!r} is not valid.") from error
    if not contains(subnet, wanted):
        raise rejected(
            400,
            "PrivateIPAddressNotInSubnet",
            f"Private static IP address {wanted} does not belong to the range of subnet prefix {subnet.prefixes[0]}.",
        )
    holder = vnet.taken.get(wanted)
    if wanted in taken or (holder is not None and holder.lower() != nic_id.lower()):
        raise rejected(
            400,
            "PrivateIPAddressIsAllocated",
            f"IP configuration of {nic_id} is using the private IP address {wanted} which is already allocated to "
            f"resource {holder or nic_id}.",
        )
    return wanted
