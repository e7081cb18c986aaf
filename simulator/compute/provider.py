"""The compute resource provider: answers for virtual machines, scale sets and their long-running operations.

Writes of VMs are in `vm_writes.py`, power in `vm_power.py`, scale sets in `scale_set_provider.py`, NICs in
`simulator/network`, bodies in `vm.py`. Azure sends Event Grid an operation when it has completed, and nothing about
events inside a VM. "Inferred" marks behaviour that no recording or document shows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from simulator.arm.collection import Collection
from simulator.arm.front_door import ArmError, ArmFrontDoor, Call, Response
from simulator.arm.operations import Operations
from simulator.compute import images
from simulator.compute.extensions import Extensions
from simulator.compute.limits import Limits
from simulator.compute.scale_set_provider import ScaleSets
from simulator.compute.vm import VM_TYPE, Health, Vm
from simulator.compute.vm_power import ACTIONS, VmPower
from simulator.compute.vm_writes import VmWrites
from simulator.network.provider import Network

PAGE_SIZES: Sequence[int] = (299, 250, 211, 116, 81, 50, 50, 50, 50, 48)
"""Sizes of the pages of one real listing (Azure/azure-rest-api-specs#13843): never a constant."""

_OF_SCALE_SET = re.compile(r"\s*'virtualMachineScaleSet/id'\s+eq\s+'([^']+)'\s*", re.IGNORECASE)


class Compute:
    """Answers for `Microsoft.Compute/virtualMachines` and `Microsoft.Compute/virtualMachineScaleSets`.

    Switches for unknown behaviour: `status_only_health` (whether a listing with `statusOnly=true` contains `vmHealth`),
    `writes.inline_nic_event` (whether a NIC that is created with its VM raises its own event),
    `writes.put_keeps_tags` (whether a PUT of a VM or a scale set without tags keeps the old ones), and those of
    `scale_sets`. `moved`: called with the old and the new id of a VM that has moved to another resource group.
    """

    def __init__(self, azure: ArmFrontDoor, network: Network) -> None:
        self.azure = azure
        self.network = network
        self.vms: Collection[Vm] = Collection(VM_TYPE)
        self.status_only_health = True
        self.moved: Callable[[str, str], None] = lambda _old, _new: None
        self.page_sizes = PAGE_SIZES
        self.limits = Limits(azure.clock)
        operations = Operations(azure, "Microsoft.Compute", detailed=True)
        self.power = VmPower(azure, operations, self._evicted)
        self.writes = VmWrites(azure, network, self.vms, operations, self.power)
        self.scale_sets = ScaleSets(azure, network, operations, self.power, self.writes)
        extensions = Extensions(azure, operations, self.vms, self.scale_sets.sets)
        self._routes: dict[tuple[str, int, str], Callable[[Call], Response]] = {
            ("virtualmachines", 0, "GET"): self._list,
            ("virtualmachines", 1, "GET"): self._get,
            ("virtualmachines", 1, "PUT"): self.writes.put,
            ("virtualmachines", 1, "PATCH"): self.writes.patch,
            ("virtualmachines", 1, "DELETE"): self.writes.delete,
            ("virtualmachines/instanceview", 1, "GET"): self._get_instance_view,
            ("virtualmachines/simulateeviction", 1, "POST"): self._simulate_eviction,
            ("virtualmachines/generalize", 1, "POST"): self._generalize,
            ("locations/operations", 2, "GET"): operations.poll,
            **{(f"virtualmachines/{action}", 1, "POST"): self._act for action in ACTIONS},
            **self.scale_sets.routes,
            **extensions.routes,
            **images.routes(self._regions),
        }

    def handle(self, call: Call) -> Response:
        """Answer a call on a VM, a scale set or a compute operation."""
        answer = self._routes.get((call.kind, len(call.names), call.method))
        if answer is None:
            raise ArmError(405, "MethodNotAllowed", f"{call.method} on {'/'.join(call.types)} is not simulated.")
        self._check_there(call)
        if call.types[-1].lower() == "networkinterfaces":
            return answer(call)  # the network provider's answer, although the path is below compute
        counted = self.limits.charge(call)
        try:
            response = answer(call)
        except ArmError as error:
            error.response = replace(error.response, headers={**error.response.headers, **counted})
            raise
        if response.content == {"value": []}:
            return response  # recorded: ARM answers for a missing resource without calling the provider
        return replace(response, headers={**response.headers, **counted})

    def _check_there(self, call: Call) -> None:
        """ARM itself answers for a missing VM or scale set; the call does not count against the provider's limits."""
        kind = call.types[0].lower()
        if not call.names or (len(call.types) == 1 and call.method in {"PUT", "DELETE"}):
            return
        if kind == "virtualmachines":
            if self.vms.id_of(call).lower() in self.writes.evicted:
                error = ArmError(404, "NotFound", "The entity was not found in this Azure location.")
                error.response = Response(404, error.response.content, self.limits.charge(call))
                raise error
            self.vms.get_or_404(call)
        elif kind == "virtualmachinescalesets":
            self.scale_sets.sets.get_or_404(call)

    def load(self, vm: Vm) -> None:
        """Add a VM to the world as it is, attached to its NICs, without an event."""
        self.writes.load(vm)

    def set_health(self, machine_id: str, health: Health) -> None:
        """Set what the Application Health extension reports from now on, or that it reports nothing. No event.

        Raises KeyError for an unknown machine.
        """
        vm = self.machine(machine_id)
        vm.health, vm.health_since, vm.waits = health, self.azure.clock(), False

    def guest_shutdown(self, machine_id: str) -> None:
        """The guest system shuts down: stopped, without an event. Raises KeyError for an unknown machine."""
        self.power.guest_shutdown(self.machine(machine_id))

    def host_crash(self, machine_id: str, seconds: float) -> None:
        """The host fails; the machine comes back after this many seconds. Raises KeyError for an unknown machine."""
        self.power.host_crash(self.machine(machine_id), seconds)

    def preempt(self, machine_id: str) -> None:
        """Azure reclaims a Spot machine's capacity. Raises KeyError for an unknown machine or one that is not Spot."""
        vm = self.machine(machine_id)
        if not vm.spot:
            raise KeyError(machine_id)
        self.power.preempt(vm)

    def move(self, vm_id: str, group: str) -> str:
        """Move a VM (not its NICs) to another resource group of its subscription, without an event.

        Returns the new id. Raises KeyError for an unknown VM.
        """
        vm = self.vms.find(vm_id)
        if vm is None:
            raise KeyError(vm_id)
        self.vms.remove(vm)
        vm.id = self._in_group(vm.id, group)
        self.load(vm)
        self.moved(vm_id, vm.id)
        return vm.id

    def move_nic(self, nic_id: str, group: str) -> str:
        """Move a NIC to another resource group, without an event, and update its VM's link. Raises KeyError."""
        nic = self.network.nics.find(nic_id)
        if nic is None:
            raise KeyError(nic_id)
        vm = self.vms.find(nic.vm or "")
        self.network.remove_nic(nic)
        nic.id = self._in_group(nic.id, group)
        self.network.load_nic(nic)
        if vm is not None:
            vm.nics = [replace(each, id=nic.id) if each.id.lower() == nic_id.lower() else each for each in vm.nics]
        return nic.id

    def _in_group(self, resource_id: str, group: str) -> str:
        parts = resource_id.split("/")
        self.azure.ensure_group(parts[2], group)
        return "/".join([*parts[:4], group, *parts[5:]])

    def machine(self, machine_id: str) -> Vm:
        """The VM or the instance of a scale set with this id. Raises KeyError."""
        vm = self.vms.find(machine_id) or self.scale_sets.machine(machine_id)
        if vm is None:
            raise KeyError(machine_id)
        return vm

    def _regions(self) -> list[str]:
        """The regions with a VNet, where machines can be."""
        return sorted({vnet.location for vnet in self.network.vnets})

    def _evicted(self, vm: Vm) -> None:
        if vm.type == VM_TYPE:
            self.writes.evict(vm)
        else:
            self.scale_sets.evict(vm)

    def _list(self, call: Call) -> Response:
        size = self.azure.rng.choice(self.page_sizes)
        wanted = call.request.query.get("$filter")
        if wanted is not None:
            return self._list_of_scale_set(call, wanted, size)
        if call.request.query.get("statusOnly", "").lower() == "true":
            return self.vms.page(call, size, lambda vm: vm.status_only(with_health=self.status_only_health))
        return self.vms.page(call, size, _listed)

    def _list_of_scale_set(self, call: Call, wanted: str, size: int) -> Response:
        """The VMs of a flexible scale set; `$expand=instanceView` is allowed here (OpenAPI 2024-03-01)."""
        found = _OF_SCALE_SET.fullmatch(wanted)
        if found is None:  # inferred
            raise ArmError(400, "BadRequest", f"The filter {wanted!r} is not supported.", wrapped=True)
        scale_set, expand = found[1].lower(), _expanded(call)
        return self.vms.page(
            call,
            size,
            lambda vm: vm.body(expand=expand, listed=True),
            lambda vm: (vm.scale_set or "").lower() == scale_set,
        )

    def _get(self, call: Call) -> Response:
        return Response(200, self.vms.get_or_404(call).body(expand=_expanded(call)))

    def _get_instance_view(self, call: Call) -> Response:
        return Response(200, self.vms.get_or_404(call).instance_view())

    def _act(self, call: Call) -> Response:
        return self.power.act(call, self.vms.get_or_404(call))

    def _simulate_eviction(self, call: Call) -> Response:
        return self.power.simulate_eviction(call, self.vms.get_or_404(call))

    def _generalize(self, call: Call) -> Response:
        """Recorded (test_vm_generalize.yaml, call 20): 200 at once; no GET shows it."""
        self.azure.emit(self.vms.get_or_404(call).id, f"{VM_TYPE}/generalize/action", "Action")
        return Response(200)


def _expanded(call: Call) -> bool:
    return call.request.query.get("$expand", "").lower() == "instanceview"


def _listed(vm: Vm) -> dict[str, object]:
    return vm.body(listed=True)


def register(azure: ArmFrontDoor, network: Network) -> Compute:
    """Create the compute provider and register it."""
    compute = Compute(azure, network)
    for resource_type in ("virtualMachines", "virtualMachineScaleSets", "locations", "skus"):
        azure.register("Microsoft.Compute", resource_type, compute)
    return compute
