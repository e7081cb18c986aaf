"""Network interfaces: the endpoint that each belongs to. Their addresses are part of the endpoints."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from shared.azure.answers import Unreadable
from shared.azure.client import Arm
from shared.azure.machine import NIC_API, Link
from shared.domain.resource_ids import resource_id


class _Properties(msgspec.Struct, rename="camel"):
    virtual_machine: Link | None = None
    private_endpoint: Link | None = None


class _Nic(msgspec.Struct):
    properties: _Properties = msgspec.field(default_factory=_Properties)


_nic = msgspec.json.Decoder(_Nic)


class NetworkInterfaces:
    """Network interfaces, which VMs and private endpoints depend on."""

    type = "microsoft.network/networkinterfaces"

    def __init__(self, arm: Arm) -> None:
        self._arm = arm

    async def endpoints(self, nic_id: str) -> Sequence[str]:
        """Return the id of its VM or private endpoint; none if the NIC names none. Raises Transient, Terminal."""
        try:
            nic = await self._arm.get(nic_id, _nic, **{"api-version": NIC_API})
        except Unreadable:
            return []
        links = (nic.properties.virtual_machine, nic.properties.private_endpoint) if nic else ()
        found = [resource_id(link.id) for link in links if link]
        return [each.id for each in found if each and each.whole]  # NICs of scale set instances have another type.
