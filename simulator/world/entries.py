"""The entries of a world file: one struct for each kind of thing.

An unknown field or a wrong type is an error that names the field. `world.py` reads and writes them.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

import msgspec

from simulator.compute.vm import Health, Power
from simulator.containers.container_group import ContainerState, State
from simulator.network.private_endpoint import Status

EXPECTED: dict[str, str] = {}
"""What each pattern of a field means, in words."""


def _like(pattern: str, words: str) -> msgspec.Meta:
    EXPECTED[pattern] = words
    return msgspec.Meta(pattern=pattern)


def _id_of(resource_type: str) -> msgspec.Meta:
    pattern = f"^/[sS]ubscriptions/[^/]+/[rR]esource[gG]roups/[^/]+/providers/{re.escape(resource_type)}/[^/]+$"
    return _like(pattern, f"the id /subscriptions/ID/resourceGroups/NAME/providers/{resource_type}/NAME")


VnetId = Annotated[str, _id_of("Microsoft.Network/virtualNetworks")]
ZoneId = Annotated[str, _id_of("Microsoft.Network/privateDnsZones")]
NicId = Annotated[str, _id_of("Microsoft.Network/networkInterfaces")]
VmId = Annotated[str, _id_of("Microsoft.Compute/virtualMachines")]
LoadBalancerId = Annotated[str, _id_of("Microsoft.Network/loadBalancers")]
PrivateEndpointId = Annotated[str, _id_of("Microsoft.Network/privateEndpoints")]
ScaleSetId = Annotated[str, _id_of("Microsoft.Compute/virtualMachineScaleSets")]
ContainerGroupId = Annotated[str, _id_of("Microsoft.ContainerInstance/containerGroups")]


TOLD = 100
"""Faults of one file that are told at once."""


class WorldError(ValueError):
    """A world that cannot be. `faults`: each names its place in the file, what was found and what is expected."""

    def __init__(self, *faults: str) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults

    def told(self, path: object) -> list[str]:
        """The faults as lines, each with the file, and how many more there are than a person reads."""
        lines = [f"{path}: {each}" for each in self.faults[:TOLD]]
        return lines + ([f"{path}: and {more} more"] if (more := len(self.faults) - TOLD) > 0 else [])


class SubnetEntry(msgspec.Struct, forbid_unknown_fields=True):
    """A subnet with addresses of its own. One that is only named by a NIC spans its VNet and need not be listed."""

    name: str
    prefix: str


class VnetEntry(msgspec.Struct, forbid_unknown_fields=True):
    """A virtual network. `peerings`: the VNets that this side peers with; connected where the other side says so."""

    id: VnetId
    location: str
    prefixes: list[str]
    subnets: list[SubnetEntry] = []
    peerings: list[VnetId] = []


class LinkEntry(msgspec.Struct, forbid_unknown_fields=True):
    """A link from a zone to a virtual network."""

    name: str
    vnet: VnetId
    registration: bool = False
    resolution_policy: Literal["Default", "NxDomainRedirect"] | None = None


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
    """A virtual machine; health null: it has no Application Health extension, `silent`: that reports nothing.

    A power state on the way to another one is written, but read as the one where it leads. `scale_set`: the flexible
    one that it is in. `spot`: it is a Spot VM, and this becomes of it when Azure takes its capacity back.
    """

    id: VmId
    location: str
    power: Power
    nics: list[NicEntry]
    tags: dict[str, str] = {}
    health: Health | None = None
    scale_set: ScaleSetId | None = None
    spot: Literal["Deallocate", "Delete"] | None = None


class InstanceEntry(msgspec.Struct, forbid_unknown_fields=True):
    """An instance of a uniform scale set, with the address of its one NIC."""

    id: Annotated[str, _like("^(0|[1-9][0-9]*)$", 'the number of an instance as text, such as "0"')]
    power: Power
    address: str
    health: Health | None = None


class ScaleSetEntry(msgspec.Struct, forbid_unknown_fields=True):
    """A scale set. `instances` only of a uniform one: a flexible one has VMs that say so."""

    id: ScaleSetId
    location: str
    mode: Literal["Uniform", "Flexible"]
    vnet: VnetId
    subnet: str = "default"
    instances: list[InstanceEntry] = []
    tags: dict[str, str] = {}


class FrontendEntry(msgspec.Struct, forbid_unknown_fields=True):
    """Where a load balancer answers: a private address (`vnet`, `subnet`, `address`) or a public one (`public_ip`)."""

    name: str
    vnet: VnetId | None = None
    subnet: str = "default"
    address: str | None = None
    public_ip: str | None = None


class LoadBalancerEntry(msgspec.Struct, forbid_unknown_fields=True):
    """A load balancer. One that is being deleted is not written."""

    id: LoadBalancerId
    location: str
    frontends: list[FrontendEntry]
    tags: dict[str, str] = {}


class PrivateEndpointEntry(msgspec.Struct, forbid_unknown_fields=True):
    """A private endpoint; its NIC comes by itself. `service`: the id of what it leads to.

    `zone_group`: the zones in which Azure itself keeps its records; true: it has a zone group that names none. One that
    is being deleted is not written.
    """

    id: PrivateEndpointId
    location: str
    vnet: VnetId
    addresses: list[str]
    service: str
    subnet: str = "default"
    connection: Status = "Approved"
    zone_group: bool | list[ZoneId] = False
    tags: dict[str, str] = {}


class ContainerEntry(msgspec.Struct, forbid_unknown_fields=True):
    """A container of a group. `state`: what it does while its group runs. `port` null: it opens none."""

    name: str
    state: ContainerState = "Running"
    detail: str = ""
    port: int | None = 80


class ContainerGroupEntry(msgspec.Struct, forbid_unknown_fields=True):
    """A container group; without `vnet` and `address` it has no private address."""

    id: ContainerGroupId
    location: str
    state: State
    vnet: VnetId | None = None
    subnet: str = "default"
    address: str | None = None
    containers: list[ContainerEntry] = []
    tags: dict[str, str] = {}


class World(msgspec.Struct, forbid_unknown_fields=True):
    """Everything that there is. `settings` are app settings for whoever runs nearzone here: only kept."""

    vnets: list[VnetEntry] = []
    zones: list[ZoneEntry] = []
    vms: list[VmEntry] = []
    scale_sets: list[ScaleSetEntry] = []
    load_balancers: list[LoadBalancerEntry] = []
    private_endpoints: list[PrivateEndpointEntry] = []
    container_groups: list[ContainerGroupEntry] = []
    settings: dict[str, Any] = {}
