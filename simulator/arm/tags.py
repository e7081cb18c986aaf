"""Tags as a separate resource: `{resource id}/providers/Microsoft.Resources/tags/default`.

For every type with tags here except zones. Shapes of the public API, unverified: no recording has them, and Azure may
answer a write with a long-running operation. The event names the tags, not the resource:
`Microsoft.Resources/tags/write` with the tags' own id.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Protocol

import msgspec

from simulator.arm.collection import decode
from simulator.arm.front_door import ArmError, ArmFrontDoor, Call, Response

_SUFFIX = "/providers/Microsoft.Resources/tags/default"


class Tagged(Protocol):
    """A resource with tags; None: never written."""

    id: str
    location: str
    tags: Any


class Taggable(Protocol):
    """The resources of one type."""

    def find(self, resource_id: str) -> Any:  # noqa: ANN401 - a resource of whatever type
        """The resource with this id, or None."""


class _Tags(msgspec.Struct):
    tags: dict[str, str] = {}


class _Put(msgspec.Struct):
    properties: _Tags


class _Patch(msgspec.Struct):
    operation: Literal["Merge", "Replace", "Delete"]
    properties: _Tags


class Tags:
    """Answers for `Microsoft.Resources/tags` at the scope of a resource."""

    def __init__(self, azure: ArmFrontDoor, resources: Sequence[Taggable]) -> None:
        self._azure = azure
        self._resources = resources

    def handle(self, call: Call) -> Response:
        """Answer a call on the tags of a resource."""
        resource = self._resource(call)
        if call.method == "GET":
            return Response(200, _body(resource))
        resource.tags = _changed(resource.tags or {}, call)
        operation = "delete" if call.method == "DELETE" else "write"
        family: Literal["Delete", "Write"] = "Delete" if call.method == "DELETE" else "Write"
        self._azure.emit(resource.id + _SUFFIX, f"Microsoft.Resources/tags/{operation}", family)
        return Response(200, None if call.method == "DELETE" else _body(resource))

    def _resource(self, call: Call) -> Tagged:
        scope = call.id[: call.id.lower().rindex("/providers/microsoft.resources/")]
        found: Tagged | None = next((each for one in self._resources if (each := one.find(scope))), None)
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
    # Delete takes names together with their values.
    return {name: value for name, value in tags.items() if patch.properties.tags.get(name) != value}


def _body(resource: Tagged) -> dict[str, Any]:
    return {
        "id": resource.id + _SUFFIX,
        "name": "default",
        "type": "Microsoft.Resources/tags",
        "properties": {"tags": dict(resource.tags or {})},
    }


def register(azure: ArmFrontDoor, resources: Sequence[Taggable]) -> Tags:
    """Create the tags provider and register it for these resources."""
    tags = Tags(azure, resources)
    azure.register("Microsoft.Resources", "tags", tags)
    return tags
