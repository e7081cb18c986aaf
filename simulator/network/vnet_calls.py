"""The calls on virtual networks and their subnets; those on peerings are in `peering_calls.py`.

As recorded, a write is in progress until its operation ends, but a write of a subnet that changes nothing succeeds at
once. "Inferred" marks what only follows Azure's public wording. Bodies: `vnet_bodies.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from ipaddress import ip_network
from typing import Any

import msgspec

from simulator.arm.collection import Collection, decode, rejected
from simulator.arm.front_door import ArmError, ArmFrontDoor, Call, Response
from simulator.arm.operations import Operations
from simulator.network.nic import VNET_TYPE, Nic, Subnet, Vnet
from simulator.network.peering_calls import PeeringCalls
from simulator.network.vnet_bodies import SUBNET_TYPE, VnetBodies, policies
from simulator.network.vnet_parts import missing, parent, stated
from simulator.network.vnet_writes import VnetWrite, VnetWrites
from simulator.timing.latency import Spread

PAGE_SIZE = 250
WRITE_SECONDS = Spread(0.3, 1.0, 6.0)
DELETE_SECONDS = Spread(1.0, 5.0, 10.0)
"""Durations in seconds. Nearly all first polls of a write found it done after 3 s; one was running after 4 s and done
after 14 s (azure-sdk-for-net, PatchLink_LinkExistsAddTags). A deletion was done after 11 s (azure-cli,
test_network_subnet_set)."""
DELETE_RETRY_AFTER = 10
"""Seconds between polls of a deletion: those of load balancers and private endpoints; azure-cli polled after 11 s."""

_PUT_VNET = "PutVirtualNetworkOperation"  # inferred from the operation name of a subnet's write
_PUT_SUBNET = "PutSubnetOperation"
_VNET_SETTINGS = {"bgpCommunities", "ddosProtectionPlan", "dhcpOptions", "enableDdosProtection", "encryption"}
_SUBNET_SETTINGS = {
    "defaultOutboundAccess", "delegations", "natGateway", "networkSecurityGroup", "privateEndpointNetworkPolicies",
    "privateLinkServiceNetworkPolicies", "routeTable", "serviceEndpointPolicies", "serviceEndpoints",
}  # fmt: skip


class _SubnetProperties(msgspec.Struct, rename="camel"):
    address_prefix: str | None = None
    address_prefixes: list[str] = []


class _SubnetBody(msgspec.Struct):
    properties: _SubnetProperties
    name: str = ""


class _AddressSpace(msgspec.Struct, rename="camel"):
    address_prefixes: list[str]


class _VnetProperties(msgspec.Struct, rename="camel"):
    address_space: _AddressSpace
    subnets: list[_SubnetBody] = []


class _VnetBody(msgspec.Struct):
    location: str
    properties: _VnetProperties
    tags: dict[str, str] | None = None


class VnetCalls:
    """Answers calls on `virtualNetworks` and below."""

    def __init__(
        self, vnets: Collection[Vnet], nic: Callable[[str], Nic | None], azure: ArmFrontDoor, operations: Operations
    ) -> None:
        self._vnets = vnets
        self._bodies = VnetBodies(vnets, nic)
        self._writes = VnetWrites(azure, operations)
        self._peerings = PeeringCalls(vnets, self._bodies, self._writes)
        self._new_guid = azure.new_guid
        self.routes: Mapping[tuple[str, int, str], Callable[[Call], Response]] = {
            ("virtualnetworks", 0, "GET"): self._list,
            ("virtualnetworks", 1, "GET"): self._get,
            ("virtualnetworks", 1, "PUT"): self._put,
            ("virtualnetworks", 1, "DELETE"): self._delete,
            ("virtualnetworks/subnets", 1, "GET"): self._list_subnets,
            ("virtualnetworks/subnets", 2, "GET"): self._get_subnet,
            ("virtualnetworks/subnets", 2, "PUT"): self._put_subnet,
            ("virtualnetworks/subnets", 2, "DELETE"): self._delete_subnet,
            **self._peerings.routes,
        }

    def _list(self, call: Call) -> Response:
        return self._vnets.page(
            call, PAGE_SIZE, lambda vnet: self._bodies.vnet(vnet, call.request.query["api-version"])
        )

    def _get(self, call: Call) -> Response:
        vnet = self._vnets.get_or_404(call)
        return Response(200, self._bodies.vnet(vnet, call.request.query["api-version"]), {"etag": vnet.etag})

    def _put(self, call: Call) -> Response:
        body = decode(call, _VnetBody)
        vnet_id = self._vnets.id_of(call)
        prefixes = _prefixes(body.properties.address_space.address_prefixes)
        written = call.json()["properties"]
        settings = _settings(vnet_id, written)
        raw = written.get("subnets", [])
        old = self._vnets.find(vnet_id)
        self._writes.check(call, old)
        if old is not None and old.prefixes != prefixes:
            self._keep_spaces(old)
        vnet = old or Vnet(vnet_id, body.location.lower().replace(" ", ""), [], "", self._new_guid())
        vnet.prefixes, vnet.settings = prefixes, settings
        subnets = [_subnet(each.name, each, given) for each, given in zip(body.properties.subnets, raw, strict=True)]
        vnet.subnets = {each.name.lower(): each for each in subnets}
        vnet.tags, vnet.bare, vnet.provisioning = dict(body.tags or {}), body.tags is None, "Updating"
        vnet.touch()
        self._vnets.add(vnet)
        for each in subnets:
            each.busy = _PUT_VNET

        def end() -> None:
            vnet.provisioning = "Succeeded"
            for each in subnets:
                each.busy = None
            vnet.touch()

        write = VnetWrite(vnet.id, f"{VNET_TYPE}/write", _PUT_VNET, WRITE_SECONDS, end)
        headers = self._writes.start(call, vnet, write)
        return Response(200 if old else 201, self._bodies.vnet(vnet, call.request.query["api-version"]), headers)

    def _delete(self, call: Call) -> Response:
        vnet = self._vnets.find(self._vnets.id_of(call))
        if vnet is None:
            return Response(204)
        users = [*vnet.taken.values(), *vnet.others]
        if users:
            raise _in_use(f"A subnet of {vnet.id}", users[0])
        self._writes.check(call, vnet)
        for peering in vnet.peerings.values():
            self._peerings.disconnect(vnet, peering)
        self._vnets.remove(vnet)
        return self._deleted(call, vnet, vnet.id, VNET_TYPE, "DeleteVirtualNetworkOperation")

    def _deleted(self, call: Call, vnet: Vnet, resource_id: str, kind: str, name: str) -> Response:
        write = VnetWrite(resource_id, f"{kind}/delete", name, DELETE_SECONDS, _nothing, DELETE_RETRY_AFTER)
        return Response(202, None, self._writes.start(call, vnet, write))

    def _keep_spaces(self, vnet: Vnet) -> None:
        """Let the peerings with a VNet work with its address ranges of now until they are synchronised."""
        for other in self._vnets:
            for peering in other.peerings.values():
                if peering.remote.lower() == vnet.id.lower() and peering.space is None:
                    peering.space = list(vnet.prefixes)

    def _list_subnets(self, call: Call) -> Response:
        vnet = self._vnets.get_or_404(call)
        return Response(200, {"value": [self._bodies.subnet(vnet, each) for each in vnet.subnets.values()]})

    def _get_subnet(self, call: Call) -> Response:
        vnet = self._vnets.get_or_404(call)
        subnet = vnet.subnet(call.names[1])
        if subnet is None:
            raise missing(call)
        return Response(200, self._bodies.subnet(vnet, subnet), {"etag": vnet.etag})

    def _put_subnet(self, call: Call) -> Response:
        vnet = parent(self._vnets, call)
        old = vnet.subnet(call.names[1])
        new = _subnet(old.name if old else call.names[1], decode(call, _SubnetBody), call.json())
        self._writes.check(call, vnet)
        subnet = vnet.subnets.setdefault(new.name.lower(), new)
        changed = old is None or (old.prefixes, policies(old)) != (new.prefixes, policies(new))
        subnet.prefixes, subnet.settings, subnet.declared = new.prefixes, new.settings, True
        vnet.touch()
        if changed:  # a write that changes nothing has succeeded at once, as recorded
            subnet.busy = _PUT_SUBNET

        def end() -> None:
            if changed:
                subnet.busy = None
                vnet.touch()

        write = VnetWrite(call.id, f"{SUBNET_TYPE}/write", _PUT_SUBNET, WRITE_SECONDS, end, locks=changed)
        headers = self._writes.start(call, vnet, write)
        return Response(200 if old else 201, self._bodies.subnet(vnet, subnet), headers)

    def _delete_subnet(self, call: Call) -> Response:
        vnet = parent(self._vnets, call)
        subnet = vnet.subnet(call.names[1])
        if subnet is None:
            return Response(204)
        users = list(self._bodies.configurations(vnet, subnet))
        if users:
            raise _in_use(f"Subnet {subnet.name}", users[0])
        self._writes.check(call, vnet)
        del vnet.subnets[subnet.name.lower()]
        vnet.touch()
        return self._deleted(call, vnet, call.id, SUBNET_TYPE, "DeleteSubnetOperation")


def _nothing() -> None:
    pass


def _settings(vnet_id: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    """What a client wrote about a VNet, with Azure's defaults. Raises ArmError 400 for half an encryption.

    azure-cli, test_network_vnet_with_encryption (11 and 15), 2023.
    """
    found = stated(properties, _VNET_SETTINGS)
    if "dhcpOptions" in found:
        found["dhcpOptions"] = {"dnsServers": [], **found["dhcpOptions"]}
    encryption = found.get("encryption") or {}
    if encryption.get("enabled") and "enforcement" not in encryption:
        raise rejected(
            400,
            "MustSpecifyBothEncryptionIntentAndEnforcementPolicy",
            f"Cannot encrypt VirtualNetwork {vnet_id} unless both encryption intent (Enabled true or false) and "
            "enforcement policy (AllowUnencrypted or DropUnencrypted) are specified.",
        )
    if encryption:
        found["encryption"] = {"enforcement": "AllowUnencrypted", **encryption}
    return found


def _subnet(name: str, wanted: _SubnetBody, given: Mapping[str, Any]) -> Subnet:
    one = wanted.properties.address_prefix
    prefixes = _prefixes(wanted.properties.address_prefixes or ([one] if one else []))
    return Subnet(name, prefixes, settings=stated(given["properties"], _SUBNET_SETTINGS))


def _prefixes(wanted: list[str]) -> list[str]:
    try:
        return [str(ip_network(each)) for each in wanted]
    except ValueError as error:  # inferred
        raise rejected(400, "InvalidAddressPrefixFormat", f"Address prefix is not valid: {error}.") from error


def _in_use(what: str, user: str) -> ArmError:
    return rejected(400, "InUseSubnetCannotBeDeleted", f"{what} is in use by {user} and cannot be deleted.")  # inferred
