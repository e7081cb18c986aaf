"""The entries of a world file: one struct for each kind of object.

An unknown field or a wrong type is an error that names the field. `world.py` reads and writes them. The reference for
users is simulator/README.md.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

import msgspec

from simulator.compute.vm import Health, Power
from simulator.containers.container_group import ContainerState, State
from simulator.containers.environment import EnvironmentState
from simulator.gateways.api_management import Mode, ServiceState
from simulator.gateways.application_gateway import OperationalState
from simulator.model_servers.entry import ServerEntry
from simulator.network.private_endpoint import Status
from simulator.paths.entry import NetworkEntry, PathEntry  # noqa: F401 - a part of the format, as all structs here

EXPECTED: dict[str, str] = {}
"""The meaning of each pattern of a field, in words."""


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
ComputerName = Annotated[
    str, _like("^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$", "a host name of up to 63 letters, digits and hyphens")
]
ApplicationGatewayId = Annotated[str, _id_of("Microsoft.Network/applicationGateways")]
ApiManagementId = Annotated[str, _id_of("Microsoft.ApiManagement/service")]
ContainerEnvironmentId = Annotated[str, _id_of("Microsoft.App/managedEnvironments")]
ContainerGroupId = Annotated[str, _id_of("Microsoft.ContainerInstance/containerGroups")]


TOLD = 100
"""Most faults of one file that are reported at once."""


class WorldError(ValueError):
    """An impossible world. `faults`: each names its place in the file, the value found and the value expected."""

    def __init__(self, *faults: str) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults

    def told(self, path: object) -> list[str]:
        """The faults as lines with the file's name, and the number of further faults above the maximum."""
        lines = [f"{path}: {each}" for each in self.faults[:TOLD]]
        return lines + ([f"{path}: and {more} more"] if (more := len(self.faults) - TOLD) > 0 else [])


class SubnetEntry(msgspec.Struct, forbid_unknown_fields=True):
    """A subnet with its own range. A subnet that only a NIC names spans its VNet and need not be listed."""

    name: str
    prefix: str


class VnetEntry(msgspec.Struct, forbid_unknown_fields=True):
    """A virtual network. `peerings`: the VNets with which this side peers; connected if the other side peers too."""

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
    """A record set. `records` holds the JSON of the type's own field, for all types but A."""

    name: str
    type: str
    ttl: int
    addresses: list[str] = []
    metadata: dict[str, str] = {}
    auto_registered: bool = False
    records: Any = None


class ZoneEntry(msgspec.Struct, forbid_unknown_fields=True):
    """A private DNS zone; its SOA record set is created with it."""

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
    """A virtual machine; health null: no Application Health extension, `silent`: the extension reports nothing.

    A transitional power state is written, but read as the state to which it leads. `scale_set`: the flexible one that
    the VM belongs to. `spot`: the eviction policy of a Spot VM. `server`: its model server; null: a healthy one.
    `computer_name`: the guest's host name; null: the VM's name.
    """

    id: VmId
    location: str
    power: Power
    nics: list[NicEntry]
    tags: dict[str, str] = {}
    health: Health | None = None
    scale_set: ScaleSetId | None = None
    spot: Literal["Deallocate", "Delete"] | None = None
    server: ServerEntry | None = None
    computer_name: ComputerName | None = None


class InstanceEntry(msgspec.Struct, forbid_unknown_fields=True):
    """An instance of a uniform scale set, with the address of its one NIC."""

    id: Annotated[str, _like("^(0|[1-9][0-9]*)$", 'the number of an instance as text, such as "0"')]
    power: Power
    address: str
    health: Health | None = None
    server: ServerEntry | None = None


class ScaleSetEntry(msgspec.Struct, forbid_unknown_fields=True):
    """A scale set. `instances` only of a uniform one: VMs of a flexible one name it."""

    id: ScaleSetId
    location: str
    mode: Literal["Uniform", "Flexible"]
    vnet: VnetId
    subnet: str = "default"
    instances: list[InstanceEntry] = []
    tags: dict[str, str] = {}


class FrontendEntry(msgspec.Struct, forbid_unknown_fields=True):
    """A frontend of a load balancer: a private address (`vnet`, `subnet`, `address`) or a public one (`public_ip`).

    `backends`: the number of members of a pool of its own; null: its rules lead to the load balancer's pool.
    """

    name: str
    vnet: VnetId | None = None
    subnet: str = "default"
    address: str | None = None
    public_ip: str | None = None
    backends: int | None = None


class LoadBalancerEntry(msgspec.Struct, forbid_unknown_fields=True):
    """A load balancer. `backends`: the number of members of its pool. A dump leaves out one that is being deleted."""

    id: LoadBalancerId
    location: str
    frontends: list[FrontendEntry]
    tags: dict[str, str] = {}
    server: ServerEntry | None = None
    backends: int = 1


class PrivateEndpointEntry(msgspec.Struct, forbid_unknown_fields=True):
    """A private endpoint; its NIC is created with it. `service`: the id of its target.

    `members`: the member of the service that an address leads to, by address; without an entry none is named.
    `service_location`: null: the service is where the private endpoint is.

    `zone_group`: the zones in which Azure itself keeps its records; true: a zone group without zones. A dump leaves out
    an endpoint that is being deleted.
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
    server: ServerEntry | None = None
    members: dict[str, str] = {}
    service_location: str | None = None


class ContainerEntry(msgspec.Struct, forbid_unknown_fields=True):
    """A container of a group. `state`: its state while the group runs. `port`: null for none."""

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
    server: ServerEntry | None = None


class GatewayFrontendEntry(msgspec.Struct, forbid_unknown_fields=True):
    """A frontend of an Application Gateway: as of a load balancer. `listener`: whether a listener uses it."""

    name: str
    vnet: VnetId | None = None
    subnet: str = "default"
    address: str | None = None
    public_ip: str | None = None
    listener: bool = True


class ApplicationGatewayEntry(msgspec.Struct, forbid_unknown_fields=True):
    """An Application Gateway. `backends`: the number of members of its pools. A dump leaves out one being deleted."""

    id: ApplicationGatewayId
    location: str
    frontends: list[GatewayFrontendEntry]
    operational: OperationalState = "Running"
    tags: dict[str, str] = {}
    server: ServerEntry | None = None
    backends: int = 1


class ApiManagementLocationEntry(msgspec.Struct, forbid_unknown_fields=True):
    """An additional location of an API Management service. `disabled`: its gateway is disabled."""

    location: str
    vnet: VnetId | None = None
    subnet: str = "default"
    address: str | None = None
    disabled: bool = False
    server: ServerEntry | None = None


class ApiManagementEntry(msgspec.Struct, forbid_unknown_fields=True):
    """An API Management service, with the fields of its primary location. A dump leaves out one being deleted."""

    id: ApiManagementId
    location: str
    mode: Mode = "Internal"
    tier: str = "Premium"
    state: ServiceState = "Succeeded"
    vnet: VnetId | None = None
    subnet: str = "default"
    address: str | None = None
    disabled: bool = False
    additional_locations: list[ApiManagementLocationEntry] = []
    tags: dict[str, str] = {}
    server: ServerEntry | None = None


class ContainerEnvironmentEntry(msgspec.Struct, forbid_unknown_fields=True):
    """A Container Apps environment; without `vnet` and `address` it has a public address."""

    id: ContainerEnvironmentId
    location: str
    state: EnvironmentState = "Succeeded"
    vnet: VnetId | None = None
    subnet: str = "default"
    address: str | None = None
    tags: dict[str, str] = {}
    server: ServerEntry | None = None


class HostEntry(msgspec.Struct, forbid_unknown_fields=True):
    """A host outside Azure that the network reaches, such as one of NEARZONE_STATIC. `location`: its nearest region."""

    address: str
    location: str
    server: ServerEntry | None = None


class World(msgspec.Struct, forbid_unknown_fields=True):
    """A whole world. `settings` are app settings for nearzone; the simulator only stores them."""

    vnets: list[VnetEntry] = []
    zones: list[ZoneEntry] = []
    vms: list[VmEntry] = []
    scale_sets: list[ScaleSetEntry] = []
    load_balancers: list[LoadBalancerEntry] = []
    private_endpoints: list[PrivateEndpointEntry] = []
    container_groups: list[ContainerGroupEntry] = []
    application_gateways: list[ApplicationGatewayEntry] = []
    api_managements: list[ApiManagementEntry] = []
    container_environments: list[ContainerEnvironmentEntry] = []
    hosts: list[HostEntry] = []
    network: NetworkEntry = msgspec.field(default_factory=NetworkEntry)
    settings: dict[str, Any] = {}
