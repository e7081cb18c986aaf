"""The calls on peerings of virtual networks. Bodies: `vnet_bodies.py`.

As recorded by azure-cli (test_network_vnet_peering.yaml, test_network_vnet_peering_sync.yaml,
test_network_vnet_with_encryption.yaml, 2023): a peering is `Updating` until its operation ends, and the other side's
VNet gets a new etag, too. No recording has an address space that differs: that a peering keeps the remote one until it
is synchronised (`syncRemoteAddressSpace`) follows the OpenAPI document virtualNetwork.json, 2024-01-01.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from simulator.arm.collection import Collection, decode
from simulator.arm.front_door import Call, Response
from simulator.network.addresses import Reference, dangling
from simulator.network.nic import Peering, Vnet
from simulator.network.vnet_bodies import PEERING_TYPE, VnetBodies
from simulator.network.vnet_parts import missing, parent, stated
from simulator.network.vnet_writes import VnetWrite, VnetWrites
from simulator.timing.latency import Spread

WRITE_SECONDS = Spread(2.0, 7.0, 20.0)
DELETE_SECONDS = Spread(1.0, 5.0, 10.0)
"""Durations in seconds: of 7 recorded writes, 5 were complete after 10 s and the others after 21 and 22 s; both
deletions were complete after 12 s. The medians are assumed."""
RETRY_AFTER = 10
_SETTINGS = {
    "allowForwardedTraffic", "allowGatewayTransit", "allowVirtualNetworkAccess", "doNotVerifyRemoteGateways",
    "peerCompleteVnets", "useRemoteGateways",
}  # fmt: skip


class _Properties(msgspec.Struct, rename="camel"):
    remote_virtual_network: Reference


class _Body(msgspec.Struct):
    properties: _Properties


class PeeringCalls:
    """Answers calls on `virtualNetworks/virtualNetworkPeerings`."""

    def __init__(self, vnets: Collection[Vnet], bodies: VnetBodies, writes: VnetWrites) -> None:
        self._vnets = vnets
        self._bodies = bodies
        self._writes = writes
        self.routes: Mapping[tuple[str, int, str], Callable[[Call], Response]] = {
            ("virtualnetworks/virtualnetworkpeerings", 1, "GET"): self._list,
            ("virtualnetworks/virtualnetworkpeerings", 2, "GET"): self._get,
            ("virtualnetworks/virtualnetworkpeerings", 2, "PUT"): self._put,
            ("virtualnetworks/virtualnetworkpeerings", 2, "DELETE"): self._delete,
        }

    def _list(self, call: Call) -> Response:
        vnet = self._vnets.get_or_404(call)
        return Response(200, {"value": [self._bodies.peering(vnet, each) for each in vnet.peerings.values()]})

    def _get(self, call: Call) -> Response:
        vnet = self._vnets.get_or_404(call)
        peering = vnet.peerings.get(call.names[1].lower())
        if peering is None:
            raise missing(call)
        return Response(200, self._bodies.peering(vnet, peering), {"etag": vnet.etag})

    def _put(self, call: Call) -> Response:
        vnet = parent(self._vnets, call)
        remote_id = decode(call, _Body).properties.remote_virtual_network.id
        old = vnet.peerings.get(call.names[1].lower())
        remote = self._vnets.find(remote_id)
        if remote is None:
            raise dangling(remote_id, call.id)
        self._writes.check(call, vnet)
        name = old.name if old else call.names[1]
        settings = stated(call.json()["properties"], _SETTINGS)
        peering = Peering(name, remote_id, settings, space=list(remote.prefixes), provisioning="Updating")
        synchronised = call.request.query.get("syncRemoteAddressSpace", "").lower() == "true"
        if old is not None and old.remote.lower() == remote_id.lower() and not synchronised:
            peering.space = old.space
        vnet.peerings[name.lower()] = peering

        def end() -> None:
            peering.provisioning = "Succeeded"
            self._touch(vnet, peering)

        self._touch(vnet, peering)
        operation = f"{PEERING_TYPE}/write"
        name = "PutVirtualNetworkPeeringOperation"
        headers = self._writes.start(call, vnet, VnetWrite(call.id, operation, name, WRITE_SECONDS, end, RETRY_AFTER))
        return Response(200 if old else 201, self._bodies.peering(vnet, peering), headers)

    def _delete(self, call: Call) -> Response:
        vnet = parent(self._vnets, call)
        peering = vnet.peerings.get(call.names[1].lower())
        if peering is None:
            return Response(204)
        self._writes.check(call, vnet)
        self._touch(vnet, peering)
        self.disconnect(vnet, peering)
        del vnet.peerings[call.names[1].lower()]
        name = "DeleteVirtualNetworkPeeringOperation"
        write = VnetWrite(call.id, f"{PEERING_TYPE}/delete", name, DELETE_SECONDS, _nothing, RETRY_AFTER)
        return Response(202, None, self._writes.start(call, vnet, write))

    def disconnect(self, vnet: Vnet, peering: Peering) -> None:
        """Tell the other side that this one is gone."""
        other = self._bodies.reverse(vnet, peering)
        if other is not None:
            other.disconnected = True

    def _touch(self, vnet: Vnet, peering: Peering) -> None:
        """Give both sides new etags; the other one if it has a peering back."""
        vnet.touch()
        remote = self._vnets.find(peering.remote)
        if remote is not None and self._bodies.reverse(vnet, peering) is not None:
            remote.touch()


def _nothing() -> None:
    pass
