"""The network resource provider: network interfaces, virtual networks, and who holds which address.

Private DNS zones have a room of their own. A VM's side of an attachment belongs to `compute.py`, which calls
`attach` and `detach` here. What is not recorded and only follows Azure's public wording is marked "inferred".
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_network

import msgspec

from simulator.addresses import Wanted, configure
from simulator.collection import Collection, decode, rejected
from simulator.core import ArmError, Azure, Call, Response
from simulator.latency import Spread
from simulator.network_limits import NetworkLimits
from simulator.nic import NIC_TYPE, VNET_TYPE, Nic, Subnet, Vnet, vnet_body
from simulator.operations import Operations

WRITE_SECONDS = Spread(0.3, 1.0, 3.0)
"""Duration of NIC and VNet writes in seconds. Of 76 first polls in azure-cli recordings, all 70 made after 3 s or more
found the write done, and 4 of the 6 made within 1 s; the shape in between is assumed."""

PAGE_SIZE = 250
"""Assumed: none of the 8 recorded NIC listings has a second page."""


class _NicProperties(msgspec.Struct, rename="camel"):
    ip_configurations: list[Wanted] = []


class _NicBody(msgspec.Struct):
    location: str
    properties: _NicProperties
    tags: dict[str, str] | None = None


class _SubnetProperties(msgspec.Struct, rename="camel"):
    address_prefix: str | None = None
    address_prefixes: list[str] = []


class _WantedSubnet(msgspec.Struct):
    name: str
    properties: _SubnetProperties


class _AddressSpace(msgspec.Struct, rename="camel"):
    address_prefixes: list[str]


class _VnetProperties(msgspec.Struct, rename="camel"):
    address_space: _AddressSpace
    subnets: list[_WantedSubnet] = []


class _VnetBody(msgspec.Struct):
    location: str
    properties: _VnetProperties
    tags: dict[str, str] | None = None


class Network:
    """Answers for `Microsoft.Network/networkInterfaces` and `Microsoft.Network/virtualNetworks`."""

    def __init__(self, azure: Azure) -> None:
        self.azure = azure
        self.nics: Collection[Nic] = Collection(NIC_TYPE)
        self.vnets: Collection[Vnet] = Collection(VNET_TYPE)
        self.limits = NetworkLimits(azure.clock)
        self._operations = Operations(azure, "Microsoft.Network", detailed=False)
        self._routes: dict[tuple[str, int, str], Callable[[Call], Response]] = {
            ("networkinterfaces", 0, "GET"): self._list_nics,
            ("networkinterfaces", 1, "GET"): self._get_nic,
            ("networkinterfaces", 1, "PUT"): self._put_nic,
            ("networkinterfaces", 1, "DELETE"): self._delete_nic,
            ("virtualnetworks", 0, "GET"): self._list_vnets,
            ("virtualnetworks", 1, "GET"): self._get_vnet,
            ("virtualnetworks", 1, "PUT"): self._put_vnet,
            ("virtualnetworks", 1, "DELETE"): self._delete_vnet,
            ("locations/operations", 2, "GET"): self._operations.poll,
            ("locations/operationresults", 2, "GET"): self._operations.poll,
        }

    def handle(self, call: Call) -> Response:
        """Answer a call on a NIC, a VNet or a network operation."""
        self.limits.charge(call)
        answer = self._routes.get((call.kind, len(call.names), call.method))
        if answer is None:
            raise ArmError(405, "MethodNotAllowed", f"{call.method} on {'/'.join(call.types)} is not simulated.")
        return answer(call)

    def _list_nics(self, call: Call) -> Response:
        return self.nics.page(call, PAGE_SIZE, Nic.body)

    def _get_nic(self, call: Call) -> Response:
        nic = self.nics.called(call)
        return Response(200, nic.body(), {"etag": nic.etag})

    def _list_vnets(self, call: Call) -> Response:
        return self.vnets.page(call, PAGE_SIZE, vnet_body)

    def _get_vnet(self, call: Call) -> Response:
        vnet = self.vnets.called(call)
        return Response(200, vnet_body(vnet), {"etag": vnet.etag})

    def attach(self, nic: Nic, vm: str, *, primary: bool) -> None:
        """Note that a VM has this NIC, without an event."""
        nic.vm, nic.primary, nic.etag = vm, primary, self.new_etag()
        nic.mac = nic.mac or "00-0D-3A-" + "-".join(f"{self.azure.rng.randrange(256):02X}" for _ in range(3))

    def detach(self, nic: Nic) -> None:
        """Note that no VM has this NIC any more, without an event."""
        nic.vm, nic.mac, nic.etag = None, "", self.new_etag()

    def load_vnet(self, vnet: Vnet) -> None:
        """Put a VNet into the world as it is, without an event; load it before its NICs."""
        self.vnets.add(vnet)

    def load_nic(self, nic: Nic) -> None:
        """Put a NIC into the world as it is, without an event; its addresses count as taken."""
        self.nics.add(nic)
        for each in nic.configurations:
            vnet = self.vnets.find(each.vnet)
            if vnet is not None:
                vnet.taken[each.address] = nic.id

    def remove_nic(self, nic: Nic) -> None:
        """Take a NIC out of the world, without an event, and free its addresses."""
        self._release(nic)
        self.nics.remove(nic)

    def _release(self, nic: Nic) -> None:
        for each in nic.configurations:
            vnet = self.vnets.find(each.vnet)
            if vnet is not None and vnet.taken.get(each.address, "").lower() == nic.id.lower():
                del vnet.taken[each.address]

    def new_etag(self) -> str:
        """An etag as this provider writes them."""
        return f'W/"{self.azure.new_guid()}"'

    def _put_nic(self, call: Call) -> Response:
        body = decode(call, _NicBody)
        nic_id = self.nics.id_of(call)
        old = self.nics.find(nic_id)
        configurations = configure(self.vnets, nic_id, old, body.properties.ip_configurations)
        nic = old or Nic(nic_id, _region(body.location), {}, [], "", self.azure.new_guid())
        self._release(nic)
        nic.configurations = configurations
        nic.tags = dict(body.tags or {})
        nic.etag = self.new_etag()
        self.load_nic(nic)
        headers = self._write(call, nic.id, nic.location, f"{NIC_TYPE}/write")
        return Response(200 if old else 201, nic.body(), headers)

    def _delete_nic(self, call: Call) -> Response:
        nic = self.nics.find(self.nics.id_of(call))
        if nic is None:
            return Response(204)
        if nic.vm is not None:
            raise rejected(  # inferred: no recording; Azure's public wording
                400,
                "NicInUse",
                f"Network Interface {nic.id} is used by existing resource {nic.vm}. In order to delete the network "
                "interface, it must be dissociated from the resource.",
            )
        self.remove_nic(nic)
        return Response(200, None, self._write(call, nic.id, nic.location, f"{NIC_TYPE}/delete"))

    def _put_vnet(self, call: Call) -> Response:
        body = decode(call, _VnetBody)
        vnet_id = self.vnets.id_of(call)
        prefixes = _prefixes(body.properties.address_space.address_prefixes)
        subnets = {each.name.lower(): _subnet(each) for each in body.properties.subnets}
        old = self.vnets.find(vnet_id)
        vnet = old or Vnet(vnet_id, _region(body.location), [], "", self.azure.new_guid())
        vnet.prefixes, vnet.subnets = prefixes, subnets
        vnet.tags, vnet.etag, vnet.provisioning = dict(body.tags or {}), self.new_etag(), "Updating"
        self.vnets.add(vnet)
        headers = self._write(call, vnet.id, vnet.location, f"{VNET_TYPE}/write", vnet)
        return Response(200 if old else 201, vnet_body(vnet), headers)

    def _delete_vnet(self, call: Call) -> Response:
        vnet = self.vnets.find(self.vnets.id_of(call))
        if vnet is None:
            return Response(204)
        if vnet.taken:
            user = next(iter(vnet.taken.values()))
            raise rejected(  # inferred
                400, "InUseSubnetCannotBeDeleted", f"A subnet of {vnet.id} is in use by {user} and cannot be deleted."
            )
        self.vnets.remove(vnet)
        return Response(202, None, self._write(call, vnet.id, vnet.location, f"{VNET_TYPE}/delete"))

    def _write(
        self, call: Call, resource: str, location: str, operation: str, vnet: Vnet | None = None
    ) -> dict[str, str]:
        def complete() -> None:
            if vnet is not None:
                vnet.provisioning, vnet.etag = "Succeeded", self.new_etag()
            self.azure.emit(resource, operation, "Delete" if operation.endswith("/delete") else "Write")

        return self._operations.begin(call, location, WRITE_SECONDS.draw(self.azure.rng), complete)


def _region(location: str) -> str:
    return location.lower().replace(" ", "")


def _subnet(wanted: _WantedSubnet) -> Subnet:
    one = wanted.properties.address_prefix
    return Subnet(wanted.name, _prefixes(wanted.properties.address_prefixes or ([one] if one else [])))


def _prefixes(wanted: list[str]) -> list[str]:
    try:
        return [str(ip_network(each)) for each in wanted]
    except ValueError as error:
        raise rejected(
            400, "InvalidAddressPrefixFormat", f"Address prefix is not valid: {error}."
        ) from error  # inferred


def register(azure: Azure) -> Network:
    """Make the network provider and let it answer."""
    network = Network(azure)
    for resource_type in ("networkInterfaces", "virtualNetworks", "locations"):
        azure.register("Microsoft.Network", resource_type, network)
    return network
