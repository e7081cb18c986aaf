"""Which address each configuration of a network interface gets when the interface is written.

Decides only; `changes.py` and the providers change the world. Errors follow Azure's public wording and are inferred: no
recording here has a refused address. Address rules: docs, virtual-network/ip-services/private-ip-addresses.md (read
2026-11-23).
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address

import msgspec

from simulator.arm.collection import Collection, rejected
from simulator.arm.front_door import ArmError, Response
from simulator.network.nic import Allocation, IpConfiguration, Subnet, Version, Vnet, contains


class Reference(msgspec.Struct):
    """A link to another resource."""

    id: str


class WantedProperties(msgspec.Struct, rename="camel"):
    """The properties of one address in a PUT."""

    subnet: Reference | None = None
    private_ip_address: str | None = msgspec.field(default=None, name="privateIPAddress")
    private_ip_allocation_method: str = msgspec.field(default="Dynamic", name="privateIPAllocationMethod")
    private_ip_address_version: str = msgspec.field(default="IPv4", name="privateIPAddressVersion")
    primary: bool | None = None
    public_ip_address: Reference | None = msgspec.field(default=None, name="publicIPAddress")

    @property
    def allocation(self) -> Allocation:
        """The allocation method in any case: azure-cli writes it in lower case (test_network_nic.yaml)."""
        return "Static" if self.private_ip_allocation_method.lower() == "static" else "Dynamic"

    @property
    def version(self) -> Version:
        """The IP version in any case: as above (test_network_nic_subresources.yaml)."""
        return "IPv6" if self.private_ip_address_version.lower() == "ipv6" else "IPv4"


class Wanted(msgspec.Struct):
    """One wanted address configuration."""

    name: str
    properties: WantedProperties


def configure(
    vnets: Collection[Vnet], nic_id: str, old: Sequence[IpConfiguration], wanted: list[Wanted]
) -> list[IpConfiguration]:
    """The configurations of a NIC, or of another holder of addresses, after a write over its `old` ones.

    An IPv6 configuration without a subnet has no address, as recorded (azure-cli, test_vm_create_existing_nic.yaml).
    Raises ArmError 400 where Azure would refuse.
    """
    if not wanted:
        raise rejected(
            400,
            "NetworkInterfaceMustHaveAtLeastOneIpConfiguration",
            f"Network interface {nic_id} must have at least one ip configuration.",
        )
    held = {each.name.lower(): each for each in old}
    chosen: list[IpConfiguration] = []
    for index, each in enumerate(wanted):
        before = held.get(each.name.lower())
        if each.properties.subnet is None and each.properties.version == "IPv6":
            chosen.append(IpConfiguration(each.name, "", "", "", primary=False, version="IPv6"))
            continue
        vnet, subnet = _subnet(vnets, nic_id, each, before)
        taken = {one.address for one in chosen if one.vnet == vnet.id}
        address = _address(vnet, subnet, nic_id, each, before, taken)
        properties = each.properties
        chosen.append(
            IpConfiguration(
                name=each.name,
                address=address,
                vnet=vnet.id,
                subnet=subnet.name,
                primary=index == 0 if properties.primary is None else properties.primary,
                version=properties.version,
                allocation=properties.allocation,
            )
        )
    return chosen


def _subnet(vnets: Collection[Vnet], nic_id: str, wanted: Wanted, old: IpConfiguration | None) -> tuple[Vnet, Subnet]:
    """The subnet of an address; if the request names none, the address stays (azure-cli, test_network_nic.yaml)."""
    stated = wanted.properties.subnet
    if stated is None and old is None:
        raise rejected(400, "InvalidRequestFormat", f"The subnet of {nic_id} is missing.")  # inferred
    subnet_id = stated.id if stated else f"{old.vnet}/subnets/{old.subnet}" if old else ""
    vnet_id, _, name = subnet_id.partition("/subnets/")
    vnet = vnets.find(vnet_id)
    subnet = vnet.subnet(name) if vnet else None
    if vnet is None or subnet is None:
        raise dangling(subnet_id, nic_id)
    if subnet.busy:
        raise _not_provisioned(subnet_id, nic_id, subnet.busy)
    return vnet, subnet


def dangling(resource: str, user: str) -> ArmError:
    """A 400 for a reference to a resource that does not exist.

    Code and words: Azure/sap-hana issue 581 and Azure/bicep-types-az issue 1403 (parts of a load balancer),
    F5Networks/f5-azure-arm-templates issue 152 (a public address).
    """
    return rejected(
        400,
        "InvalidResourceReference",
        f"Resource {resource} referenced by resource {user} was not found. Please make sure that the referenced "
        "resource exists, and that both resources are in the same region.",
    )


def _not_provisioned(subnet_id: str, nic_id: str, operation: str) -> ArmError:
    """The refusal of an address in a subnet that is being written: Test_Compute_VM_20201201_CRUD.yaml, call 8."""
    error = ArmError(429, "RetryableError", "A retryable error occurred.")
    detail = {
        "code": "ReferencedResourceNotProvisioned",
        "message": f"Cannot proceed with operation because resource {subnet_id} used by resource {nic_id} is not in "
        "Succeeded state. Resource is in Updating state and the last operation that updated/is updating the resource "
        f"is {operation}.",
    }
    content = {"error": {"code": "RetryableError", "message": "A retryable error occurred.", "details": [detail]}}
    error.response = Response(429, content, {"x-ms-failure-cause": "service"})
    return error


def _address(
    vnet: Vnet, subnet: Subnet, nic_id: str, wanted: Wanted, old: IpConfiguration | None, taken: set[str]
) -> str:
    if wanted.properties.allocation == "Static":
        return _static(vnet, subnet, nic_id, wanted.properties.private_ip_address, taken)
    # A dynamic address is released only with the NIC or the subnet, or for another static address.
    if old and (old.vnet.lower(), old.subnet) == (vnet.id.lower(), subnet.name) and old.address not in taken:
        return old.address
    free = vnet.free(subnet, wanted.properties.version, taken)
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
