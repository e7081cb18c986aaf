"""The calls on virtual networks, their subnets and their peerings.

As recorded, a write is in progress until its operation ends, but a write of a subnet that changes nothing succeeds at
once. Peerings are in no recording: their operations are those of subnets. "Inferred" marks what only follows Azure's
public wording. Bodies: `vnet_bodies.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from ipaddress import ip_network
from typing import Any

import msgspec

from simulator.arm.collection import Collection, decode, rejected
from simulator.arm.front_door import ArmError, Call, Response
from simulator.network.addresses import Reference, dangling
from simulator.network.nic import VNET_TYPE, Nic, Peering, Subnet, Vnet
from simulator.network.vnet_bodies import PEERING_TYPE, SUBNET_TYPE, VnetBodies, policies

PAGE_SIZE = 250

Begin = Callable[[Call, str, str, str, Callable[[], None]], dict[str, str]]
"""Starts a write or delete: the call, the resource's id, its location, the operation's name, the function at its end.
"""

_VNET_SETTINGS = {"bgpCommunities", "ddosProtectionPlan", "dhcpOptions", "enableDdosProtection", "encryption"}
_SUBNET_SETTINGS = {
    "defaultOutboundAccess", "delegations", "natGateway", "networkSecurityGroup", "privateEndpointNetworkPolicies",
    "privateLinkServiceNetworkPolicies", "routeTable", "serviceEndpointPolicies", "serviceEndpoints",
}  # fmt: skip
_PEERING_SETTINGS = {"allowForwardedTraffic", "allowGatewayTransit", "allowVirtualNetworkAccess", "useRemoteGateways"}


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


class _PeeringProperties(msgspec.Struct, rename="camel"):
    remote_virtual_network: Reference


class _PeeringBody(msgspec.Struct):
    properties: _PeeringProperties


class VnetCalls:
    """Answers calls on `virtualNetworks` and below."""

    def __init__(
        self, vnets: Collection[Vnet], nic: Callable[[str], Nic | None], begin: Begin, new_guid: Callable[[], str]
    ) -> None:
        self._vnets = vnets
        self._bodies = VnetBodies(vnets, nic)
        self._begin = begin
        self._new_guid = new_guid
        self.routes: Mapping[tuple[str, int, str], Callable[[Call], Response]] = {
            ("virtualnetworks", 0, "GET"): self._list,
            ("virtualnetworks", 1, "GET"): self._get,
            ("virtualnetworks", 1, "PUT"): self._put,
            ("virtualnetworks", 1, "DELETE"): self._delete,
            ("virtualnetworks/subnets", 1, "GET"): self._list_subnets,
            ("virtualnetworks/subnets", 2, "GET"): self._get_subnet,
            ("virtualnetworks/subnets", 2, "PUT"): self._put_subnet,
            ("virtualnetworks/subnets", 2, "DELETE"): self._delete_subnet,
            ("virtualnetworks/virtualnetworkpeerings", 1, "GET"): self._list_peerings,
            ("virtualnetworks/virtualnetworkpeerings", 2, "GET"): self._get_peering,
            ("virtualnetworks/virtualnetworkpeerings", 2, "PUT"): self._put_peering,
            ("virtualnetworks/virtualnetworkpeerings", 2, "DELETE"): self._delete_peering,
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
        stated = call.json()["properties"]
        raw = stated.get("subnets", [])
        old = self._vnets.find(vnet_id)
        vnet = old or Vnet(vnet_id, body.location.lower().replace(" ", ""), [], "", self._new_guid())
        vnet.prefixes, vnet.settings = prefixes, _stated(stated, _VNET_SETTINGS)
        subnets = [_subnet(each.name, each, given) for each, given in zip(body.properties.subnets, raw, strict=True)]
        vnet.subnets = {each.name.lower(): each for each in subnets}
        vnet.tags, vnet.bare, vnet.provisioning = dict(body.tags or {}), body.tags is None, "Updating"
        vnet.touch()
        self._vnets.add(vnet)
        for each in subnets:
            each.busy = "PutVirtualNetworkOperation"  # inferred from the operation name of a subnet's write

        def end() -> None:
            vnet.provisioning = "Succeeded"
            for each in subnets:
                each.busy = None
            vnet.touch()

        headers = self._begin(call, vnet.id, vnet.location, f"{VNET_TYPE}/write", end)
        return Response(200 if old else 201, self._bodies.vnet(vnet, call.request.query["api-version"]), headers)

    def _delete(self, call: Call) -> Response:
        vnet = self._vnets.find(self._vnets.id_of(call))
        if vnet is None:
            return Response(204)
        if vnet.taken:
            raise _in_use(f"A subnet of {vnet.id}", next(iter(vnet.taken.values())))
        for peering in vnet.peerings.values():
            self._disconnect(vnet, peering)
        self._vnets.remove(vnet)
        return Response(202, None, self._begin(call, vnet.id, vnet.location, f"{VNET_TYPE}/delete", _nothing))

    def _list_subnets(self, call: Call) -> Response:
        vnet = self._vnets.get_or_404(call)
        return Response(200, {"value": [self._bodies.subnet(vnet, each) for each in vnet.subnets.values()]})

    def _get_subnet(self, call: Call) -> Response:
        vnet = self._vnets.get_or_404(call)
        subnet = vnet.subnet(call.names[1])
        if subnet is None:
            raise _missing(call)
        return Response(200, self._bodies.subnet(vnet, subnet), {"etag": vnet.etag})

    def _put_subnet(self, call: Call) -> Response:
        vnet = self._parent(call)
        old = vnet.subnet(call.names[1])
        new = _subnet(old.name if old else call.names[1], decode(call, _SubnetBody), call.json())
        subnet = vnet.subnets.setdefault(new.name.lower(), new)
        changed = old is None or (old.prefixes, policies(old)) != (new.prefixes, policies(new))
        subnet.prefixes, subnet.settings, subnet.declared = new.prefixes, new.settings, True
        vnet.touch()
        if changed:  # a write that changes nothing has succeeded at once, as recorded
            subnet.busy = "PutSubnetOperation"

        def end() -> None:
            if changed:
                subnet.busy = None
                vnet.touch()

        headers = self._begin(call, call.id, vnet.location, f"{SUBNET_TYPE}/write", end)
        return Response(200 if old else 201, self._bodies.subnet(vnet, subnet), headers)

    def _delete_subnet(self, call: Call) -> Response:
        vnet = self._parent(call)
        subnet = vnet.subnet(call.names[1])
        if subnet is None:
            return Response(204)
        users = list(self._bodies.configurations(vnet, subnet))
        if users:
            raise _in_use(f"Subnet {subnet.name}", users[0])
        del vnet.subnets[subnet.name.lower()]
        vnet.touch()
        return Response(202, None, self._begin(call, call.id, vnet.location, f"{SUBNET_TYPE}/delete", _nothing))

    def _list_peerings(self, call: Call) -> Response:
        vnet = self._vnets.get_or_404(call)
        return Response(200, {"value": [self._bodies.peering(vnet, each) for each in vnet.peerings.values()]})

    def _get_peering(self, call: Call) -> Response:
        vnet = self._vnets.get_or_404(call)
        peering = vnet.peerings.get(call.names[1].lower())
        if peering is None:
            raise _missing(call)
        return Response(200, self._bodies.peering(vnet, peering), {"etag": vnet.etag})

    def _put_peering(self, call: Call) -> Response:
        vnet = self._parent(call)
        remote = decode(call, _PeeringBody).properties.remote_virtual_network.id
        old = vnet.peerings.get(call.names[1].lower())
        if self._vnets.find(remote) is None:
            raise dangling(remote, call.id)
        name = old.name if old else call.names[1]
        peering = Peering(name, remote, _stated(call.json()["properties"], _PEERING_SETTINGS))
        vnet.peerings[name.lower()] = peering
        vnet.touch()
        headers = self._begin(call, call.id, vnet.location, f"{PEERING_TYPE}/write", vnet.touch)
        return Response(200 if old else 201, self._bodies.peering(vnet, peering), headers)

    def _delete_peering(self, call: Call) -> Response:
        vnet = self._parent(call)
        peering = vnet.peerings.pop(call.names[1].lower(), None)
        if peering is None:
            return Response(204)
        self._disconnect(vnet, peering)
        vnet.touch()
        return Response(202, None, self._begin(call, call.id, vnet.location, f"{PEERING_TYPE}/delete", _nothing))

    def _disconnect(self, vnet: Vnet, peering: Peering) -> None:
        other = self._bodies.reverse(vnet, peering)
        if other is not None:
            other.disconnected = True

    def _parent(self, call: Call) -> Vnet:
        vnet = self._vnets.find(self._vnets.id_of(call))
        if vnet is None:
            raise ArmError(  # the words recorded for record sets of a missing zone
                404,
                "ParentResourceNotFound",
                f"Can not perform requested operation on nested resource. Parent resource '{call.names[0]}' not found.",
            )
        return vnet


def _nothing() -> None:
    pass


def _stated(properties: Mapping[str, Any], names: set[str]) -> dict[str, Any]:
    found = {name: value for name, value in properties.items() if name in names}
    if "dhcpOptions" in found:
        found["dhcpOptions"] = {"dnsServers": [], **found["dhcpOptions"]}
    return found


def _subnet(name: str, wanted: _SubnetBody, given: Mapping[str, Any]) -> Subnet:
    one = wanted.properties.address_prefix
    prefixes = _prefixes(wanted.properties.address_prefixes or ([one] if one else []))
    return Subnet(name, prefixes, settings=_stated(given["properties"], _SUBNET_SETTINGS))


def _prefixes(wanted: list[str]) -> list[str]:
    try:
        return [str(ip_network(each)) for each in wanted]
    except ValueError as error:  # inferred
        raise rejected(400, "InvalidAddressPrefixFormat", f"Address prefix is not valid: {error}.") from error


def _in_use(what: str, user: str) -> ArmError:
    return rejected(400, "InUseSubnetCannotBeDeleted", f"{what} is in use by {user} and cannot be deleted.")  # inferred


def _missing(call: Call) -> ArmError:
    return rejected(404, "NotFound", f"Resource {call.id} not found.")  # inferred
