"""The network resource provider: network interfaces, virtual networks, and the holders of addresses.

Private DNS zones have their own package. A VM's side of an attachment belongs to `simulator/compute`, which calls
`attach` and `detach` here. "Inferred" marks behaviour that is not recorded and only follows Azure's public wording.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from simulator.arm.collection import Collection, decode, rejected
from simulator.arm.front_door import ArmError, ArmFrontDoor, Call, Family, Response
from simulator.arm.operations import Operations, Work
from simulator.network.addresses import Wanted, configure
from simulator.network.limits import NetworkLimits
from simulator.network.nic import NIC_TYPE, POOL_FIELDS, VNET_TYPE, IpConfiguration, Nic, Vnet
from simulator.network.public_addresses import PublicAddresses
from simulator.network.vnet_calls import VnetCalls
from simulator.timing.latency import Spread

WRITE_SECONDS = Spread(0.3, 1.0, 3.0)
"""Duration of NIC and VNet writes in seconds. Of 76 first polls in azure-cli recordings, all 70 made after 3 s or more
found the write done, and 4 of the 6 made within 1 s; the shape of the distribution in between is assumed."""

PAGE_SIZE = 250
"""Assumed: none of the 8 recorded NIC listings has a second page."""

_NIC_SETTINGS = {
    "auxiliaryMode", "auxiliarySku", "disableTcpStateTracking", "dnsSettings", "enableAcceleratedNetworking",
    "enableIPForwarding", "networkSecurityGroup", "nicType",
}  # fmt: skip
_ADDRESS_SETTINGS = {
    "applicationGatewayBackendAddressPools", "applicationSecurityGroups", "gatewayLoadBalancer",
    "loadBalancerBackendAddressPools", "loadBalancerInboundNatRules", "publicIPAddress",
}  # fmt: skip


class _NicProperties(msgspec.Struct, rename="camel"):
    ip_configurations: list[Wanted] = []


class _NicBody(msgspec.Struct):
    location: str
    properties: _NicProperties
    tags: dict[str, str] | None = None


class Network:
    """Answers for `Microsoft.Network/networkInterfaces` and `Microsoft.Network/virtualNetworks`."""

    def __init__(self, azure: ArmFrontDoor) -> None:
        self.azure = azure
        self.nics: Collection[Nic] = Collection(NIC_TYPE)
        self.vnets: Collection[Vnet] = Collection(VNET_TYPE)
        self._instance_nics: dict[str, Nic] = {}
        self.backends: dict[str, dict[str, None]] = {}
        """By the id of a pool of a load balancer or gateway, in lower case: the ids of its NICs' configurations."""
        self.deallocated: Callable[[str], bool] = lambda _: False
        """Whether a VM, by its id, is deallocated; the compute provider knows."""
        self.limits = NetworkLimits(azure.clock)
        self.operations = Operations(azure, "Microsoft.Network", detailed=False)
        self.public_addresses = PublicAddresses(azure, self.operations, self.limits)
        self._routes: dict[tuple[str, int, str], Callable[[Call], Response]] = {
            ("networkinterfaces", 0, "GET"): self._list_nics,
            ("networkinterfaces", 1, "GET"): self._get_nic,
            ("networkinterfaces", 1, "PUT"): self._put_nic,
            ("networkinterfaces", 1, "DELETE"): self._delete_nic,
            **VnetCalls(self.vnets, self._nic, azure, self.operations).routes,
            ("locations/operations", 2, "GET"): self.operations.poll,
            ("locations/operationresults", 2, "GET"): self.operations.poll,
        }

    def handle(self, call: Call) -> Response:
        """Answer a call on a NIC, a VNet or a network operation."""
        self.limits.charge(call)
        answer = self._routes.get((call.kind, len(call.names), call.method))
        if answer is None:
            raise ArmError(405, "MethodNotAllowed", f"{call.method} on {'/'.join(call.types)} is not simulated.")
        return answer(call)

    def _list_nics(self, call: Call) -> Response:
        return self.nics.page(call, PAGE_SIZE, lambda nic: self._body(call, nic))

    def _get_nic(self, call: Call) -> Response:
        nic = self.nics.get_or_404(call)
        return Response(200, self._body(call, nic), {"etag": nic.etag})

    def _body(self, call: Call, nic: Nic) -> dict[str, Any]:
        """A NIC as served; that of a deallocated VM has no domain name suffix.

        azure-cli, test_vm_show_list_sizes_list_ip_addresses (1), 2023: 5 of 12 NICs of VMs have none. No recording has
        the power of these VMs.
        """
        suffix = nic.vm is None or not self.deallocated(nic.vm)
        return nic.body(call.request.query["api-version"], suffix=suffix)

    def attach(self, nic: Nic, vm: str, *, primary: bool) -> None:
        """Attach this NIC to a VM, without an event."""
        nic.vm, nic.primary, nic.used, nic.etag = vm, primary, True, self.new_etag()
        nic.mac = nic.mac or "00-0D-3A-" + "-".join(f"{self.azure.rng.randrange(256):02X}" for _ in range(3))

    def detach(self, nic: Nic) -> None:
        """Detach this NIC from its VM, without an event."""
        nic.vm, nic.mac, nic.etag = None, "", self.new_etag()

    def load_vnet(self, vnet: Vnet) -> None:
        """Add a VNet to the world as it is, without an event; load it before its NICs."""
        self.vnets.add(vnet)

    def load_nic(self, nic: Nic) -> None:
        """Add a NIC to the world as it is, without an event; its addresses count as assigned."""
        self.nics.add(nic)
        self._take(nic)
        self.public_addresses.hold(nic.id, _public(nic.id, nic.configurations))

    def lodge(self, nic: Nic) -> None:
        """Assign the addresses of a NIC of a scale set's instance, which this provider does not serve; no event."""
        self._instance_nics[nic.id.lower()] = nic
        self._take(nic)

    def occupy(self, subnet_id: str, configurations: Sequence[str]) -> None:
        """Let a subnet have exactly these address configurations of what is not simulated (gateways, ...); no event.

        KeyError: no such VNet.
        """
        vnet_id, _, name = subnet_id.lower().partition("/subnets/")
        vnet = self.vnets.find(vnet_id)
        if vnet is None:
            raise KeyError(vnet_id)
        elsewhere = {each: subnet for each, subnet in vnet.others.items() if subnet != name}
        others = elsewhere | dict.fromkeys(configurations, name)
        if others != vnet.others:
            vnet.others = others
            vnet.touch()

    def _take(self, nic: Nic) -> None:
        for vnet, address in self._held(nic):
            if vnet.taken.get(address) != nic.id:
                vnet.taken[address] = nic.id
                vnet.touch()
        for pool, member in _memberships(nic):
            self.backends.setdefault(pool, {})[member] = None

    def has_nic(self, nic_id: str) -> bool:
        """Whether there is such a NIC, that of a scale set's instance included."""
        return self._nic(nic_id) is not None

    def _nic(self, nic_id: str) -> Nic | None:
        return self.nics.find(nic_id) or self._instance_nics.get(nic_id.lower())

    def remove_nic(self, nic: Nic) -> None:
        """Remove a NIC, without an event, and release its addresses."""
        self._release(nic, [])
        self.public_addresses.hold(nic.id, {})
        self.nics.remove(nic)
        self._instance_nics.pop(nic.id.lower(), None)

    def _release(self, nic: Nic, kept: Sequence[IpConfiguration]) -> None:
        """Release the addresses that a NIC does not keep, and take it out of all pools."""
        for pool, member in _memberships(nic):
            self.backends.get(pool, {}).pop(member, None)
        staying = {(each.vnet.lower(), each.address) for each in kept}
        for vnet, address in self._held(nic):
            own = vnet.taken.get(address, "").lower() == nic.id.lower()
            if own and (vnet.id.lower(), address) not in staying:
                del vnet.taken[address]
                vnet.touch()

    def _held(self, nic: Nic) -> Iterator[tuple[Vnet, str]]:
        for each in nic.configurations:
            vnet = self.vnets.find(each.vnet)
            if vnet is not None:
                yield vnet, each.address

    def new_etag(self) -> str:
        """A new etag in this provider's format."""
        return f'W/"{self.azure.new_guid()}"'

    def _put_nic(self, call: Call) -> Response:
        body = decode(call, _NicBody)
        nic_id = self.nics.id_of(call)
        old = self.nics.find(nic_id)
        properties = call.json()["properties"]
        wanted = body.properties.ip_configurations
        public = ((each.name, ref.id) for each in wanted if (ref := each.properties.public_ip_address))
        self.public_addresses.check({f"{nic_id}/ipConfigurations/{name}": target for name, target in public})
        configurations = configure(self.vnets, nic_id, old.configurations if old else [], wanted)
        for each, stated in zip(configurations, properties["ipConfigurations"], strict=True):
            each.settings = _stated(stated["properties"], _ADDRESS_SETTINGS)
        nic = old or Nic(nic_id, _region(body.location), {}, [], "", self.azure.new_guid())
        self._release(nic, configurations)
        nic.configurations = sorted(configurations, key=lambda each: not each.primary)  # as recorded
        nic.settings = _stated(properties, _NIC_SETTINGS)
        nic.tags, nic.bare = dict(body.tags or {}), body.tags is None
        nic.etag = self.new_etag()
        self.load_nic(nic)
        headers = self._begin(call, nic.id, nic.location, f"{NIC_TYPE}/write", _nothing)
        return Response(200 if old else 201, self._body(call, nic), headers)

    def _delete_nic(self, call: Call) -> Response:
        """Delete a NIC: 202 and a result of 204 like the provider's other deletions.

        The one recorded NIC, which no VM had ever had, was 200 with a result of 200 (azure-cli, test_network_nic, 76 to
        78, 2023). networkInterface.json has both; that a VM makes the difference is assumed.
        """
        nic = self.nics.find(self.nics.id_of(call))
        if nic is None:
            return Response(204)
        user = nic.vm or nic.private_endpoint
        if user is not None:
            raise rejected(  # inferred: no recording; Azure's public wording
                400,
                "NicInUse",
                f"Network Interface {nic.id} is used by existing resource {user}. In order to delete the network "
                "interface, it must be dissociated from the resource.",
            )
        self.remove_nic(nic)
        headers = self._begin(call, nic.id, nic.location, f"{NIC_TYPE}/delete", _nothing, 204 if nic.used else 200)
        return Response(202 if nic.used else 200, None, headers)

    def _begin(
        self, call: Call, resource: str, location: str, operation: str, end: Callable[[], None], result: int = 200
    ) -> dict[str, str]:
        family: Family = "Delete" if operation.endswith("/delete") else "Write"
        work = Work(_Named(resource), operation, family, end, end, result)
        headers = self.operations.run(call, location, WRITE_SECONDS.draw(self.azure.rng), work)
        if call.method == "PUT":  # as recorded: only deletions have both
            headers.pop("location", None)
        return headers


def _memberships(nic: Nic) -> Iterator[tuple[str, str]]:
    """The pools that a NIC's configurations name, in lower case, each with the configuration's id."""
    for each in nic.configurations:
        for pool in (pool for field in POOL_FIELDS for pool in each.settings.get(field, ())):
            yield pool["id"].lower(), f"{nic.id}/ipConfigurations/{each.name}"


@dataclass(slots=True)
class _Named:
    id: str


def _stated(properties: Mapping[str, Any], names: set[str]) -> dict[str, Any]:
    """What a client wrote, without empty lists, which are not served, as recorded."""
    return {name: value for name, value in properties.items() if name in names and value != []}


def _public(nic_id: str, configurations: Sequence[IpConfiguration]) -> dict[str, str]:
    """The public addresses that a NIC has, by the ids of its configurations."""
    return {
        f"{nic_id}/ipConfigurations/{each.name}": named["id"]
        for each in configurations
        if (named := each.settings.get("publicIPAddress"))
    }


def _nothing() -> None:
    pass


def _region(location: str) -> str:
    return location.lower().replace(" ", "")


def register(azure: ArmFrontDoor) -> Network:
    """Create the network provider and register it."""
    network = Network(azure)
    for resource_type in ("networkInterfaces", "virtualNetworks", "locations"):
        azure.register("Microsoft.Network", resource_type, network)
    azure.register("Microsoft.Network", "publicIPAddresses", network.public_addresses)
    return network
