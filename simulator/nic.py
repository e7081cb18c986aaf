"""Virtual networks and network interfaces as data, and their bodies as the network provider writes them.

No requests in here: `network.py` decides what happens to them. Shapes as recorded by azure-cli, test_network_nic.yaml
and test_vm_create_state_modifications.yaml (2023).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any, Literal

NIC_TYPE = "Microsoft.Network/networkInterfaces"
VNET_TYPE = "Microsoft.Network/virtualNetworks"

Version = Literal["IPv4", "IPv6"]
Allocation = Literal["Dynamic", "Static"]


@dataclass(slots=True)
class Subnet:
    """A part of a VNet. `declared` is False for one that was only ever named: it spans the whole VNet."""

    name: str
    prefixes: list[str]
    declared: bool = True


@dataclass(slots=True)
class Vnet:
    """A virtual network and the addresses taken in it."""

    id: str
    location: str
    prefixes: list[str]
    etag: str
    guid: str
    tags: dict[str, str] = field(default_factory=dict)
    subnets: dict[str, Subnet] = field(default_factory=dict)
    taken: dict[str, str] = field(default_factory=dict)
    """address -> id of the NIC that has it"""
    provisioning: str = "Succeeded"

    def subnet(self, name: str) -> Subnet | None:
        """The subnet with this name, whatever its case."""
        return self.subnets.get(name.lower())

    def free(self, subnet: Subnet, version: Version, avoid: set[str]) -> str | None:
        """The lowest free address; Azure keeps the first four and the last of a subnet (docs, virtual-networks-faq)."""
        for network in _networks(subnet, version):
            last = int(network.broadcast_address)
            for number in range(int(network.network_address) + 4, last):
                address = str(ip_address(number))
                if address not in self.taken and address not in avoid:
                    return address
        return None


def _networks(subnet: Subnet, version: Version) -> Iterator[IPv4Network | IPv6Network]:
    for prefix in subnet.prefixes:
        network = ip_network(prefix)
        if network.version == (4 if version == "IPv4" else 6):
            yield network


def contains(subnet: Subnet, address: str) -> bool:
    """Whether an address lies in a subnet."""
    return any(ip_address(address) in ip_network(prefix) for prefix in subnet.prefixes)


@dataclass(slots=True)
class IpConfiguration:
    """One address of a NIC."""

    name: str
    address: str
    vnet: str
    subnet: str
    primary: bool = True
    version: Version = "IPv4"
    allocation: Allocation = "Dynamic"


@dataclass(slots=True)
class Nic:
    """A network interface. `vm` is the id of the VM that it is attached to."""

    id: str
    location: str
    tags: dict[str, str]
    configurations: list[IpConfiguration]
    etag: str
    guid: str
    vm: str | None = None
    primary: bool = True
    mac: str = ""

    def body(self) -> dict[str, Any]:
        """The NIC as served; a MAC address and `primary` only while it is attached, as recorded."""
        properties: dict[str, Any] = {
            "provisioningState": "Succeeded",
            "resourceGuid": self.guid,
            "ipConfigurations": [self._configuration(each) for each in self.configurations],
            "dnsSettings": {
                "dnsServers": [],
                "appliedDnsServers": [],
                "internalDomainNameSuffix": f"{self.guid.replace('-', '')[:26]}.bx.internal.cloudapp.net",
            },
            "enableAcceleratedNetworking": False,
            "vnetEncryptionSupported": False,
            "enableIPForwarding": False,
            "hostedWorkloads": [],
            "tapConfigurations": [],
            "nicType": "Standard",
            "allowPort25Out": True,
        }
        if self.vm is not None:
            properties |= {"macAddress": self.mac, "primary": self.primary, "virtualMachine": {"id": self.vm}}
        return {
            "name": self.id.rsplit("/", 1)[1],
            "id": self.id,
            "etag": self.etag,
            "tags": dict(self.tags),
            "properties": properties,
            "type": NIC_TYPE,
            "location": self.location,
            "kind": "Regular",
        }

    def _configuration(self, each: IpConfiguration) -> dict[str, Any]:
        return {
            "name": each.name,
            "id": f"{self.id}/ipConfigurations/{each.name}",
            "etag": self.etag,
            "type": f"{NIC_TYPE}/ipConfigurations",
            "properties": {
                "provisioningState": "Succeeded",
                "privateIPAddress": each.address,
                "privateIPAllocationMethod": each.allocation,
                "subnet": {"id": f"{each.vnet}/subnets/{each.subnet}"},
                "primary": each.primary,
                "privateIPAddressVersion": each.version,
            },
        }


def vnet_body(vnet: Vnet) -> dict[str, Any]:
    """A virtual network as served."""
    return {
        "name": vnet.id.rsplit("/", 1)[1],
        "id": vnet.id,
        "etag": vnet.etag,
        "type": VNET_TYPE,
        "location": vnet.location,
        "tags": dict(vnet.tags),
        "properties": {
            "provisioningState": vnet.provisioning,
            "resourceGuid": vnet.guid,
            "addressSpace": {"addressPrefixes": list(vnet.prefixes)},
            "subnets": [_subnet_body(vnet, subnet) for subnet in vnet.subnets.values()],
            "virtualNetworkPeerings": [],
            "enableDdosProtection": False,
        },
    }


def _subnet_body(vnet: Vnet, subnet: Subnet) -> dict[str, Any]:
    one = len(subnet.prefixes) == 1
    return {
        "name": subnet.name,
        "id": f"{vnet.id}/subnets/{subnet.name}",
        "etag": vnet.etag,
        "properties": {
            "provisioningState": "Succeeded",
            **({"addressPrefix": subnet.prefixes[0]} if one else {"addressPrefixes": list(subnet.prefixes)}),
            "delegations": [],
            "privateEndpointNetworkPolicies": "Disabled",
            "privateLinkServiceNetworkPolicies": "Enabled",
        },
        "type": f"{VNET_TYPE}/subnets",
    }
