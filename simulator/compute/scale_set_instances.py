"""Single instances of uniform scale sets: reads and actions on their own path, and their NICs.

Actions on one raise `.../virtualMachineScaleSets/virtualMachines/{action}/action` with the instance's id as subject,
a PUT `.../virtualMachines/write` and a deletion `.../virtualMachines/delete`: inferred from the names of permissions.
The event of an action on all instances (`*`) has the path as it was called (inferred). Every error here is inferred.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec

from simulator.arm.collection import Collection, continued, decode
from simulator.arm.front_door import ArmError, ArmFrontDoor, Call, Response
from simulator.arm.merge_patch import merge
from simulator.arm.operations import Operations, Work
from simulator.compute.scale_set import INSTANCE_SETTINGS, AllInstances, Instance, ScaleSet, instance_body, nic_body
from simulator.compute.scale_set_machines import Machines
from simulator.compute.vm import INSTANCE_TYPE
from simulator.compute.vm_power import ACTIONS, REIMAGES, VmPower, refuse_while_deleting
from simulator.timing.latency import Spread

PAGE_SIZE = 120
"""Assumed: no recorded listing of instances has a second page."""

_DELETE_SECONDS = Spread(1, 20, 50)
_PUT_SECONDS = Spread(15, 28, 41)
"""From start to end of the two recorded operations: 15 and 41 s (test_vmss_update_instance_disks.yaml)."""


class _Body(msgspec.Struct):
    properties: dict[str, Any] = {}


class Instances:
    """The part of the compute provider that answers for instances, by its routes."""

    def __init__(
        self,
        azure: ArmFrontDoor,
        operations: Operations,
        sets: Collection[ScaleSet],
        machines: Machines,
        power: VmPower,
    ) -> None:
        self._azure = azure
        self._operations = operations
        self._sets = sets
        self._machines = machines
        self._power = power
        kind = "virtualmachinescalesets/virtualmachines"
        self.routes: dict[tuple[str, int, str], Callable[[Call], Response]] = {
            (kind, 1, "GET"): self._list,
            (kind, 2, "GET"): self._get,
            (kind, 2, "PUT"): self._put,
            (kind, 2, "DELETE"): self._delete,
            (f"{kind}/instanceview", 2, "GET"): lambda call: Response(200, self._called(call)[1].vm.instance_view()),
            (f"{kind}/simulateeviction", 2, "POST"): self._simulate_eviction,
            **{(f"{kind}/{action}", 2, "POST"): self._act for action in ACTIONS | REIMAGES},
            ("virtualmachinescalesets/networkinterfaces", 1, "GET"): self._list_all_nics,
            (f"{kind}/networkinterfaces", 2, "GET"): self._list_nics,
            (f"{kind}/networkinterfaces", 3, "GET"): self._get_nic,
        }

    def _called(self, call: Call) -> tuple[ScaleSet, Instance]:
        scale_set, number = self._sets.get_or_404(call), call.names[1]
        found = scale_set.instances.get(int(number)) if number.isdecimal() else None
        if found is None:
            raise _missing()
        return scale_set, found

    def _list(self, call: Call) -> Response:
        scale_set = self._sets.get_or_404(call)
        if scale_set.flexible:
            raise ArmError(409, "OperationNotAllowed", "A flexible scale set has no instances of its own.")
        expand = _expanded(call)
        found = sorted(scale_set.instances.values(), key=lambda each: each.number)
        bodies = [(each.key, partial(instance_body, scale_set, each, expand=expand)) for each in found]
        return continued(call, PAGE_SIZE, bodies)

    def _get(self, call: Call) -> Response:
        return Response(200, instance_body(*self._called(call), expand=_expanded(call)))

    def _act(self, call: Call) -> Response:
        """Act on one instance, or on all of them: azure-cli's `vmss deallocate --instance-ids "*"` names `*`."""
        if call.names[1] != "*":
            return self._power.act(call, self._called(call)[1].vm)
        scale_set = self._sets.get_or_404(call)
        name = (ACTIONS | REIMAGES)[call.types[-1].lower()]
        subject = AllInstances(f"{scale_set.id}/virtualMachines/*", scale_set.location)
        return self._power.act_on(call, subject, [each.vm for each in scale_set.living], name)

    def _put(self, call: Call) -> Response:
        """Change one instance: its disks, its protection. Recorded: test_vmss_update_instance_disks.yaml, call 17.

        Tags of single instances are not simulated.
        """
        scale_set, instance = self._called(call)
        vm = instance.vm
        refuse_while_deleting(vm, "write")
        written = decode(call, _Body).properties
        vm.settings = merge(vm.settings, {key: value for key, value in written.items() if key in INSTANCE_SETTINGS})
        vm.provisioning, vm.changed = "Updating", self._azure.clock()

        def end(provisioning: str) -> None:
            if vm.provisioning == "Updating":
                vm.provisioning, vm.changed = provisioning, self._azure.clock()

        work = Work(vm, f"{INSTANCE_TYPE}/write", "Write", partial(end, "Succeeded"), partial(end, "Failed"))
        seconds = _PUT_SECONDS.draw(self._azure.rng)
        headers = self._operations.run(call, scale_set.location, seconds, work)
        del headers["location"], headers["retry-after"]
        return Response(200, instance_body(scale_set, instance), headers)

    def _simulate_eviction(self, call: Call) -> Response:
        return self._power.simulate_eviction(call, self._called(call)[1].vm)

    def _delete(self, call: Call) -> Response:
        try:
            scale_set, instance = self._called(call)
        except ArmError:
            self._sets.get_or_404(call)
            return Response(204)
        vm = instance.vm
        vm.provisioning, vm.changed = "Deleting", self._azure.clock()

        def done() -> None:
            if not vm.gone:
                self._machines.remove(scale_set, vm)
                scale_set.shrink(1)

        def undone() -> None:
            vm.provisioning = "Failed"

        work = Work(vm, f"{INSTANCE_TYPE}/delete", "Delete", done, undone)
        seconds = _DELETE_SECONDS.draw(self._azure.rng)
        return Response(202, None, self._operations.run(call, scale_set.location, seconds, work, patient=True))

    def _list_all_nics(self, call: Call) -> Response:
        scale_set = self._sets.get_or_404(call)
        found = sorted(scale_set.instances.values(), key=lambda each: each.number)
        return _nic_page(call, scale_set, found)

    def _list_nics(self, call: Call) -> Response:
        scale_set, instance = self._called(call)
        return _nic_page(call, scale_set, [instance])

    def _get_nic(self, call: Call) -> Response:
        scale_set, instance = self._called(call)
        for nic in instance.nics:
            if nic.id.rsplit("/", 1)[1].lower() == call.names[2].lower():
                return Response(200, nic_body(scale_set, instance, nic), {"etag": nic.etag})
        raise ArmError(404, "NotFound", f"Resource {call.id} not found.")


def _nic_page(call: Call, scale_set: ScaleSet, instances: list[Instance]) -> Response:
    items = [
        (f"{each.key} {nic.id.lower()}", partial(nic_body, scale_set, each, nic))
        for each in instances
        for nic in each.nics
    ]
    return continued(call, PAGE_SIZE, items)


def _expanded(call: Call) -> bool:
    return call.request.query.get("$expand", "").lower() == "instanceview"


def _missing() -> ArmError:
    """As recorded for an extension of a scale set: the provider's answer, not ARM's."""
    error = ArmError(404, "NotFound", "The entity was not found in this Azure location.")
    error.response = Response(404, error.response.content)
    return error
