"""Tags as a resource of their own: `{resource id}/providers/Microsoft.Resources/tags/default`.

For the resources that have tags here: VMs and NICs. Shapes from memory of the public API, unverified: no recording has
them, and Azure may answer a write with a long-running operation. The event names the tags, not the resource:
`Microsoft.Resources/tags/write` with the tags' own id.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from simulator.collection import decode
from simulator.compute import Compute
from simulator.core import ArmError, Azure, Call, Response
from simulator.network import Network
from simulator.nic import Nic
from simulator.vm import Vm

_SUFFIX = "/providers/Microsoft.Resources/tags/default"


class _Tags(msgspec.Struct):
    tags: dict[str, str] = {}


class _Put(msgspec.Struct):
    properties: _Tags


class _Patch(msgspec.Struct):
    operation: Literal["Merge", "Replace", "Delete"]
    properties: _Tags


class Tags:
    """Answers for `Microsoft.Resources/tags` at the scope of a VM or a NIC."""

    def __init__(self, azure: Azure, compute: Compute, network: Network) -> None:
        self._azure = azure
        self._compute = compute
        self._network = network

    def handle(self, call: Call) -> Response:
        """Answer a call on the tags of a resource."""
        resource = self._resource(call)
        if call.method == "GET":
            return Response(200, _body(resource))
        resource.tags = _changed(resource.tags, call)
        operation = "delete" if call.method == "DELETE" else "write"
        family: Literal["Delete", "Write"] = "Delete" if call.method == "DELETE" else "Write"
        self._azure.emit(resource.id + _SUFFIX, f"Microsoft.Resources/tags/{operation}", family)
        return Response(200, None if call.method == "DELETE" else _body(resource))

    def _resource(self, call: Call) -> Vm | Nic:
        scope = call.id[: call.id.lower().rindex("/providers/microsoft.resources/")]
        found = self._compute.vms.find(scope) or self._network.nics.find(scope)
        if found is None or [name.lower() for name in call.names] != ["default"]:
            raise ArmError(404, "ResourceNotFound", f"The Resource '{scope}' was not found.")
        return found


def _changed(tags: dict[str, str], call: Call) -> dict[str, str]:
    if call.method == "DELETE":
        return {}
    if call.method == "PUT":
        return dict(decode(call, _Put).properties.tags)
    if call.method != "PATCH":
        raise ArmError(405, "MethodNotAllowed", f"{call.method} on tags is not simulated.")
    patch = decode(call, _Patch)
    if patch.operation == "Replace":
        return dict(patch.properties.tags)
    if patch.operation == "Merge":
        return tags | patch.properties.tags
    # Delete takes names together with the values that they have.
    return {name: value for name, value in tags.items() if patch.properties.tags.get(name) != value}


def _body(resource: Vm | Nic) -> dict[str, Any]:
    return {
        "id": resource.id + _SUFFIX,
        "name": "default",
        "type": "Microsoft.Resources/tags",
        "properties": {"tags": dict(resource.tags)},
    }


def register(azure: Azure, compute: Compute, network: Network) -> Tags:
    """Make the tags provider and let it answer."""
    tags = Tags(azure, compute, network)
    azure.register("Microsoft.Resources", "tags", tags)
    return tags
