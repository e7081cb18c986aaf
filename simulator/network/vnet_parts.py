"""What the calls on subnets and on peerings have in common: the VNet, what a client wrote, and a 404."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simulator.arm.collection import Collection, rejected
from simulator.arm.front_door import ArmError, Call
from simulator.network.nic import Vnet


def parent(vnets: Collection[Vnet], call: Call) -> Vnet:
    """The VNet of a part. Raises ArmError 404 in the words recorded for record sets of a missing zone."""
    vnet = vnets.find(vnets.id_of(call))
    if vnet is None:
        raise ArmError(
            404,
            "ParentResourceNotFound",
            f"Can not perform requested operation on nested resource. Parent resource '{call.names[0]}' not found.",
        )
    return vnet


def stated(properties: Mapping[str, Any], names: set[str]) -> dict[str, Any]:
    """What a client wrote of the fields with these names."""
    return {name: value for name, value in properties.items() if name in names}


def missing(call: Call) -> ArmError:
    """A 404 for a part that does not exist; inferred."""
    return rejected(404, "NotFound", f"Resource {call.id} not found.")
