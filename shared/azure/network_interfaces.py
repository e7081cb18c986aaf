"""Network interfaces: the endpoints that each belongs to, and those whose backend pools it is in.

Their addresses are part of the endpoints. A NIC that leaves a pool does not name it any more, so the sweep finds that.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from shared.azure.answers import Unreadable
from shared.azure.client import Arm
from shared.azure.machine import NIC_API, Link
from shared.domain.resource_ids import resource_id


class _IpProperties(msgspec.Struct):
    of_balancers: list[Link] | None = msgspec.field(name="loadBalancerBackendAddressPools", default=None)
    of_gateways: list[Link] | None = msgspec.field(name="applicationGatewayBackendAddressPools", default=None)

    @property
    def pools(self) -> list[Link]:
        """The pools of load balancers and Application Gateways."""
        return [*(self.of_balancers or ()), *(self.of_gateways or ())]


class _IpConfiguration(msgspec.Struct):
    properties: _IpProperties = msgspec.field(default_factory=_IpProperties)


class _Properties(msgspec.Struct, rename="camel"):
    virtual_machine: Link | None = None
    private_endpoint: Link | None = None
    ip_configurations: list[_IpConfiguration] | None = None


class _Nic(msgspec.Struct):
    properties: _Properties = msgspec.field(default_factory=_Properties)


_nic = msgspec.json.Decoder(_Nic)


class NetworkInterfaces:
    """Network interfaces, which VMs, private endpoints, load balancers and gateways depend on."""

    type = "microsoft.network/networkinterfaces"

    def __init__(self, arm: Arm) -> None:
        self._arm = arm

    async def endpoints(self, nic_id: str) -> Sequence[str]:
        """Return the ids of its VM or private endpoint, and of the load balancers and gateways of its pools.

        None if the NIC names none. Raises Transient, Terminal.
        """
        try:
            nic = await self._arm.get(nic_id, _nic, **{"api-version": NIC_API})
        except Unreadable:
            return []
        if nic is None:
            return []
        links = [link for link in (nic.properties.virtual_machine, nic.properties.private_endpoint) if link]
        found = [resource_id(link.id) for link in links]
        owners = [each.id for each in found if each and each.whole]  # NICs of scale set instances have another type.
        pools = [pool for each in nic.properties.ip_configurations or () for pool in each.properties.pools]
        leading = [resource_id(pool.id.partition("/backendAddressPools/")[0]) for pool in pools]
        return [*owners, *dict.fromkeys(each.id for each in leading if each and each.whole)]
