"""Single instances of uniform scale sets: reads and actions on their own path, and their NICs.

Actions on one raise `.../virtualMachineScaleSets/virtualMachines/{action}/action` with the instance's id as subject,
and a deletion `.../virtualMachines/delete`: inferred from the names of permissions. Every error here is inferred too.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from simulator.arm.collection import Collection, continued
from simulator.arm.front_door import ArmError, ArmFrontDoor, Call, Response
from simulator.arm.operations import Operations, Work
from simulator.compute.scale_set import Instance, ScaleSet, instance_body, nic_body
from simulator.compute.scale_set_machines import Machines
from simulator.compute.vm import INSTANCE_TYPE
from simulator.compute.vm_power import ACTIONS, VmPower
from simulator.timing.latency import Spread

PAGE_SIZE = 120
"""Assumed: no recorded listing of instances has a second page."""

_DELETE_SECONDS = Spread(1, 20, 50)


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
            (kind, 2, "DELETE"): self._delete,
            (f"{kind}/instanceview", 2, "GET"): lambda call: Response(200, self._called(call)[1].vm.instance_view()),
            (f"{kind}/simulateeviction", 2, "POST"): self._simulate_eviction,
            **{(f"{kind}/{action}", 2, "POST"): self._act for action in ACTIONS},
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
        return self._power.act(call, self._called(call)[1].vm)

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
