"""Extensions of VMs and of scale sets as separate resources, served as written.

As recorded: azure-cli, test_vm_create_state_modifications.yaml, calls 27 to 33, and Azure Service Operator,
Test_Compute_VM_20201201_CRUD.yaml and Test_Compute_VMSS_20220301_CRUD.yaml. One extension has an effect: with
Application Health, a VM reports its health from the end of the operation on, and is unhealthy until the world changes
that (docs, health-extension: without a response to its probe). Not simulated: that a scale set passes an extension on
to its machines.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import msgspec

from simulator.arm.collection import Collection, decode
from simulator.arm.front_door import ArmError, ArmFrontDoor, Call, Family, Response
from simulator.arm.merge_patch import merge
from simulator.arm.operations import Operations, Work
from simulator.compute.scale_set import SCALE_SET_TYPE, ScaleSet
from simulator.compute.vm import VM_TYPE, Vm, is_health
from simulator.timing.latency import Spread

SECONDS = Spread(10, 24, 120)
"""Duration of an extension's PUT and DELETE; recorded are operations of 10 to 40 s, the longest is assumed."""

Parent: TypeAlias = "Vm | ScaleSet"


class _Body(msgspec.Struct):
    properties: dict[str, Any]


class Extensions:
    """Answers below `virtualMachines/{vm}/extensions` and `virtualMachineScaleSets/{set}/extensions`."""

    def __init__(
        self, azure: ArmFrontDoor, operations: Operations, vms: Collection[Vm], scale_sets: Collection[ScaleSet]
    ) -> None:
        self._azure = azure
        self._operations = operations
        self._parents: dict[str, Collection[Any]] = {
            "virtualmachines": vms,
            "virtualmachinescalesets": scale_sets,
        }
        self.routes: dict[tuple[str, int, str], Callable[[Call], Response]] = {
            (f"{kind}/extensions", names, method): answer
            for kind in self._parents
            for names, method, answer in (
                (1, "GET", self._list),
                (2, "GET", self._get),
                (2, "PUT", self._put),
                (2, "DELETE", self._delete),
            )
        }

    def _parent(self, call: Call) -> Parent:
        found: Parent = self._parents[call.types[0].lower()].get_or_404(call)
        return found

    def _list(self, call: Call) -> Response:
        return Response(200, {"value": list(self._parent(call).extensions.values())})

    def _get(self, call: Call) -> Response:
        parent = self._parent(call)
        found = parent.extensions.get(call.names[1].lower())
        if found is None:
            raise _missing(parent, call)
        return Response(200, found)

    def _put(self, call: Call) -> Response:
        parent, key = self._parent(call), call.names[1].lower()
        properties = decode(call, _Body).properties
        old = parent.extensions.get(key)
        body: dict[str, Any] = {
            "name": call.names[1],
            "id": f"{parent.id}/extensions/{call.names[1]}",
            "type": f"{_type(parent)}/extensions",
        }
        if isinstance(parent, Vm):
            body["location"] = parent.location
        written = merge(old["properties"] if old else {}, properties)
        # Recorded: `settings` are there if written, or if there are no protected ones either (which are never served).
        settings: dict[str, Any] = {} if old or "protectedSettings" in properties else {"settings": {}}
        body["properties"] = {"autoUpgradeMinorVersion": False, **settings, **written}
        body["properties"]["provisioningState"] = "Updating" if old else "Creating"
        parent.extensions[key] = body
        if isinstance(parent, Vm):
            _enter(parent, "Updating", ("Succeeded", "Failed"), self._azure.clock())

        health = parent if isinstance(parent, Vm) and is_health(properties) else None
        if health and health.health is None:
            health.health = "silent"

        def end(state: str) -> None:
            if health and health.health == "silent" and state == "Succeeded":
                health.health, health.health_since = "unhealthy", self._azure.clock()
            parent.extensions[key] = {**body, "properties": {**body["properties"], "provisioningState": state}}
            if isinstance(parent, Vm):
                _enter(parent, "Succeeded", ("Updating",), self._azure.clock())

        headers = self._run(call, parent, "write", lambda: end("Succeeded"), lambda: end("Failed"))
        del headers["location"]
        return Response(200 if old else 201, body, headers)

    def _delete(self, call: Call) -> Response:
        parent, key = self._parent(call), call.names[1].lower()
        if key not in parent.extensions:
            return Response(204)  # inferred

        def done() -> None:
            found = parent.extensions.pop(key, None)
            if isinstance(parent, Vm) and found:
                parent.deleted_extensions.add(key)
                parent.health = None if is_health(found["properties"]) else parent.health

        return Response(202, None, self._run(call, parent, "delete", done, lambda: None))

    def _run(
        self, call: Call, parent: Parent, verb: str, done: Callable[[], None], undone: Callable[[], None]
    ) -> dict[str, str]:
        extension = _Named(f"{parent.id}/extensions/{call.names[1]}")
        family: Family = "Delete" if verb == "delete" else "Write"
        work = Work(extension, f"{_type(parent)}/extensions/{verb}", family, done, undone)
        patient = isinstance(parent, ScaleSet)
        seconds = SECONDS.draw(self._azure.rng)
        headers = self._operations.run(call, parent.location, seconds, work, patient=patient)
        return headers if patient else {name: value for name, value in headers.items() if name != "retry-after"}


class _Named(msgspec.Struct):
    id: str


def _enter(vm: Vm, provisioning: str, before: tuple[str, ...], now: float) -> None:
    """A VM is `Updating` while an extension is written (recorded: test_vm_extension_list.yaml, call 16)."""
    if vm.provisioning in before:
        vm.provisioning, vm.changed = provisioning, now


def _type(parent: Parent) -> str:
    return VM_TYPE if isinstance(parent, Vm) else SCALE_SET_TYPE


def _missing(parent: Parent, call: Call) -> ArmError:
    """The provider's answer (recorded for scale sets); ARM's own for a VM's extension that was deleted (recorded)."""
    if isinstance(parent, ScaleSet) or call.names[1].lower() not in parent.deleted_extensions:
        error = ArmError(404, "NotFound", "The entity was not found in this Azure location.")
        error.response = Response(404, error.response.content)
        return error
    return ArmError(
        404,
        "ResourceNotFound",
        f"The Resource '{VM_TYPE}/{call.names[0]}/extensions/{call.names[1]}' under resource group '{call.group}' was "
        "not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix",
    )
