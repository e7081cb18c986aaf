"""Resource groups: `/subscriptions/{id}/resourcegroups[/{name}]`.

As recorded (azure-service-operator, Test_Network_v1api20240601_CreationAndDeletion, 2024): PUT is 201 for a new group,
DELETE is 202 and ends at `operationresults`. HEAD is 204 or 404 (OpenAPI). As documented
(azure-resource-manager/management/delete-resource-group): a deletion deletes the group's resources, each with its own
event, and retries until none is left or it gives up. Inferred: how often it retries, and code and words of giving up. A
group that came with the world has the location of its resources.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from simulator.arm.front_door import ArmError, ArmFrontDoor, Request, Response
from simulator.arm.locks import Locks, locked
from simulator.arm.operation_results import OperationResults
from simulator.arm.permissions import Permissions
from simulator.arm.resource_manager import Entry

_TYPE = "Microsoft.Resources/subscriptions/resourceGroups"
_STEP = 15.0  # seconds between two rounds of deletions
_ROUNDS = 40


class _Body(msgspec.Struct):
    location: str = ""
    tags: dict[str, str] | None = None


@dataclass(slots=True)
class _Details:
    location: str
    tags: dict[str, str] = field(default_factory=dict)
    state: str = "Succeeded"


class ResourceGroups:
    """Answers for resource groups. `ArmFrontDoor.groups` has their names; this class has their properties."""

    def __init__(
        self, azure: ArmFrontDoor, inventory: Callable[[], Iterable[Entry]], locks: Locks, permissions: Permissions
    ) -> None:
        self._azure = azure
        self._inventory = inventory
        self._locks = locks
        self._permissions = permissions
        self._details: dict[tuple[str, str], _Details] = {}
        self.results = OperationResults(azure)
        azure.register("Microsoft.Resources", "operationresults", self.results)

    def handle(self, request: Request) -> Response:
        """Answer a call on one group or on all of a subscription. Raises ArmError."""
        parts = request.path.rstrip("/").split("/")
        verb = {"GET": "read", "HEAD": "read", "DELETE": "delete"}.get(request.method, "write")
        self._permissions.demand(f"{_TYPE}/{verb}", request.path.rstrip("/"))
        if len(parts) < 5:
            return self._list(parts[2].lower())
        key = parts[2].lower(), parts[4].lower()
        if request.method == "PUT":
            return self._put(request, key, parts[4])
        exists = key in self._azure.groups
        if request.method == "HEAD":
            return Response(204 if exists else 404)
        if not exists:
            raise ArmError(404, "ResourceGroupNotFound", f"Resource group '{parts[4]}' could not be found.")
        if request.method == "DELETE":
            return self._delete(request, key)
        if request.method != "GET":
            raise ArmError(405, "MethodNotAllowed", f"{request.method} on a resource group is not simulated.")
        return Response(200, self._body(key))

    def _list(self, subscription: str) -> Response:
        keys = [key for key in self._azure.groups if key[0] == subscription]
        return Response(200, {"value": [self._body(key) for key in sorted(keys)]})

    def _put(self, request: Request, key: tuple[str, str], name: str) -> Response:
        try:
            body = msgspec.json.decode(request.body, type=_Body)
        except msgspec.DecodeError as error:
            raise ArmError(400, "InvalidRequestContent", f"The request content was invalid: {error}.") from error
        if not body.location:
            raise ArmError(400, "LocationRequired", "The location property is required for this definition.")
        new = key not in self._azure.groups
        self._azure.ensure_group(key[0], name)
        location = body.location.lower().replace(" ", "")
        if location != self._of(key, location).location:
            raise ArmError(
                409,
                "InvalidResourceGroupLocation",
                f"Invalid resource group location '{location}'. The Resource group already exists in location "
                f"'{self._of(key).location}'.",
            )
        self._of(key).tags = dict(body.tags or {})
        self._azure.emit(self._id(key), f"{_TYPE}/write", "Write")
        return Response(201 if new else 200, self._body(key))

    def _of(self, key: tuple[str, str], location: str = "eastus") -> _Details:
        if key not in self._details:
            regions = (each.location for each in self._within(key) if each.location != "global")
            self._details[key] = _Details(next(regions, location))
        return self._details[key]

    def _id(self, key: tuple[str, str]) -> str:
        return f"/subscriptions/{key[0]}/resourceGroups/{self._azure.groups[key]}"

    def _body(self, key: tuple[str, str]) -> dict[str, Any]:
        details = self._of(key)
        return {
            "id": self._id(key),
            "name": self._azure.groups[key],
            "type": "Microsoft.Resources/resourceGroups",
            "location": details.location,
            "tags": dict(details.tags),
            "properties": {"provisioningState": details.state},
        }

    def _within(self, key: tuple[str, str]) -> list[Entry]:
        return [each for each in self._inventory() if (each.subscription.lower(), each.group.lower()) == key]

    def _delete(self, request: Request, key: tuple[str, str]) -> Response:
        for scope in self._locks.below(self._id(key)):
            raise locked(self._id(key), "delete", scope)
        job, headers = self.results.begin(request)
        self._of(key).state = "Deleting"
        self._azure.schedule(0.0, lambda: self._empty(key, job, _ROUNDS))
        return Response(202, None, headers)

    def _empty(self, key: tuple[str, str], job: str, rounds: int) -> None:
        """Delete what is left; a resource that another one holds is deleted in a later round."""
        left = self._within(key)
        if not left:
            self._end(key, job)
        elif not rounds:
            self._of(key).state = "Succeeded"
            message = (
                f"Deletion of resource group '{key[1]}' failed as resources with identifiers '{left[0].id}' are left."
            )
            self.results.end(job, ArmError(409, "ResourceGroupDeletionBlocked", message).response)
        else:
            for each in left:
                self._azure.remove(each.id)
            self._azure.schedule(_STEP * self._azure.operation_scale, lambda: self._empty(key, job, rounds - 1))

    def _end(self, key: tuple[str, str], job: str) -> None:
        resource_id = self._id(key)
        self._locks.forget(resource_id)
        self._details.pop(key, None)
        del self._azure.groups[key]
        self._azure.emit(resource_id, f"{_TYPE}/delete", "Delete")
        self.results.end(job, Response(200))
