"""Virtual networks and network interfaces as data, and their bodies as the network provider writes them.

No requests here: `provider.py` decides what happens to them. Shapes as recorded by azure-cli, test_network_nic.yaml and
test_vm_create_state_modifications.yaml (2023).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any, Literal
from uuid import UUID, uuid5

NIC_TYPE = "Microsoft.Network/networkInterfaces"
VNET_TYPE = "Microsoft.Network/virtualNetworks"
POOL_FIELDS = ("loadBalancerBackendAddressPools", "applicationGatewayBackendAddressPools")
"""The fields in which a configuration names the pools that it is in."""

Version = Literal["IPv4", "IPv6"]
Allocation = Literal["Dynamic", "Static"]


@dataclass(slots=True)
class Subnet:
    """A part of a VNet. `declared` is False for a subnet that was only named: it spans the whole VNet."""

    name: str
    prefixes: list[str]
    declared: bool = True
    settings: dict[str, Any] = field(default_factory=dict)
    """Fields that a client wrote and the simulator ignores (delegations, policies, ...)."""
    busy: str | None = None
    """Azure's name of the operation that is writing it, or None."""


@dataclass(slots=True)
class Peering:
    """One side of a peering: the VNet that holds it sees the remote one, once both sides have one."""

    name: str
    remote: str
    settings: dict[str, Any] = field(default_factory=dict)
    disconnected: bool = False
    """The remote side existed and was deleted."""
    space: list[str] | None = None
    """The remote VNet's address ranges with which this side works; None: the current ones."""
    provisioning: str = "Succeeded"


def peering(remote: str) -> Peering:
    """A peering with a VNet, named after the remote VNet's name and group, which are unique."""
    parts = remote.split("/")
    return Peering(f"peer-{parts[4]}-{parts[-1]}", remote)


@dataclass(frozen=True, slots=True)
class Running:
    """The operation that is changing a VNet or a part of it: Azure's name of it, and the link to its status."""

    name: str
    link: str


@dataclass(slots=True)
class Vnet:
    """A virtual network and the addresses assigned in it."""

    id: str
    location: str
    prefixes: list[str]
    etag: str
    guid: str
    tags: dict[str, str] = field(default_factory=dict)
    subnets: dict[str, Subnet] = field(default_factory=dict)
    taken: dict[str, str] = field(default_factory=dict)
    """address -> id of the NIC or other holder"""
    provisioning: str = "Succeeded"
    settings: dict[str, Any] = field(default_factory=dict)
    """Fields that a client wrote and the simulator ignores (dhcpOptions, ...)."""
    peerings: dict[str, Peering] = field(default_factory=dict)
    bare: bool = False
    """Written without tags: then no tags are served, not even an empty object."""
    changes: int = 0
    others: dict[str, str] = field(default_factory=dict)
    """Address configurations of types that the simulator does not have (gateways, ...): id -> subnet, in lower case"""
    running: Running | None = None
    """The operation that locks it and its parts"""

    def touch(self) -> None:
        """Give it a new etag; its subnets have the same one, as recorded."""
        self.changes += 1
        self.etag = f'W/"{uuid5(UUID(self.guid), str(self.changes))}"'

    def subnet(self, name: str) -> Subnet | None:
        """The subnet with this name, in any case."""
        return self.subnets.get(name.lower())

    def free(self, subnet: Subnet, version: Version, avoid: set[str]) -> str | None:
        """The lowest free address; Azure reserves the first four and the last of a subnet (virtual-networks-faq)."""
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
    """One address of a NIC; an IPv6 configuration without an address has no network."""

    name: str
    address: str
    vnet: str
    subnet: str
    primary: bool = True
    version: Version = "IPv4"
    allocation: Allocation = "Dynamic"
    private_link: dict[str, Any] | None = None
    """On the NIC of a private endpoint: the group and member of the service to which the address leads"""
    settings: dict[str, Any] = field(default_factory=dict)
    """Fields that a client wrote and the simulator ignores (publicIPAddress, ...)."""


@dataclass(slots=True)
class Nic:
    """A network interface. `vm`, `private_endpoint`: the id of the VM or private endpoint that it is attached to."""

    id: str
    location: str
    tags: dict[str, str]
    configurations: list[IpConfiguration]
    etag: str
    guid: str
    vm: str | None = None
    primary: bool = True
    mac: str = ""
    private_endpoint: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    """Fields that a client wrote and the simulator ignores (networkSecurityGroup, ...)."""
    bare: bool = False
    """Written without tags: then no tags are served, not even an empty object."""
    used: bool = False
    """A VM has or had it."""

    def body(self, version: str = "2024-01-01", *, suffix: bool = True) -> dict[str, Any]:
        """The NIC as served to an api-version; MAC address and `primary` only while it is attached, as recorded.

        `suffix`: whether it has a domain name.
        """
        later = version >= "2022"  # recorded for 2022-01-01 and not for 2020-11-01; the first version is unknown
        properties: dict[str, Any] = {
            "provisioningState": "Succeeded",
            "resourceGuid": self.guid,
            "ipConfigurations": [self._configuration(each) for each in self.configurations],
            "enableAcceleratedNetworking": False,
            "vnetEncryptionSupported": False,
            "enableIPForwarding": False,
            "hostedWorkloads": [],
            "tapConfigurations": [],
            "nicType": "Standard",
            **({"allowPort25Out": True} if later else {}),
            **self.settings,
            "dnsSettings": self._dns_settings(suffix=suffix),
        }
        if self.vm is not None:
            properties |= {"macAddress": self.mac, "primary": self.primary, "virtualMachine": {"id": self.vm}}
        if self.private_endpoint is not None:
            properties |= {"macAddress": "", "privateEndpoint": {"id": self.private_endpoint}}
        return {
            "name": self.id.rsplit("/", 1)[1],
            "id": self.id,
            **({"managedBy": self.private_endpoint} if self.private_endpoint else {}),
            "etag": self.etag,
            **({} if self.bare and not self.tags else {"tags": dict(self.tags)}),
            "properties": properties,
            "type": NIC_TYPE,
            "location": self.location,
            **({"kind": "Regular"} if later else {}),
        }

    def _place(self, each: IpConfiguration) -> dict[str, Any]:
        subnet = {"id": f"{each.vnet}/subnets/{each.subnet}"}
        return {"privateIPAddress": each.address, "subnet": subnet, "primary": each.primary}

    def _dns_settings(self, *, suffix: bool) -> dict[str, Any]:
        domain = f"{self.guid.replace('-', '')[:26]}.bx.internal.cloudapp.net"
        stated = self.settings.get("dnsSettings", {})
        label = stated.get("internalDnsNameLabel")
        names = {"internalFqdn": f"{label}.{domain}"} if label else {}
        return {
            "dnsServers": stated.get("dnsServers", []),
            "appliedDnsServers": [],
            **({"internalDnsNameLabel": label} if label else {}),
            **({**names, "internalDomainNameSuffix": domain} if suffix else {}),
        }

    def _configuration(self, each: IpConfiguration) -> dict[str, Any]:
        return {
            "name": each.name,
            "id": f"{self.id}/ipConfigurations/{each.name}",
            "etag": self.etag,
            "type": f"{NIC_TYPE}/ipConfigurations",
            "properties": {
                "provisioningState": "Succeeded",
                "privateIPAllocationMethod": each.allocation,
                "privateIPAddressVersion": each.version,
                **(self._place(each) if each.address else {}),
                **({"privateLinkConnectionProperties": each.private_link} if each.private_link else {}),
                **each.settings,
            },
        }
