"""Power of machines: actions through ARM, and what the guest and the platform do.

For VMs and for the instances of scale sets. Event Grid is notified of completed actions, and of nothing that happens
without ARM, except the signals of `health_signals.py`. "Inferred" marks behaviour that no recording or document shows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from simulator.arm.collection import rejected
from simulator.arm.front_door import ArmError, ArmFrontDoor, Call, Response
from simulator.arm.operations import Fault, Operations, Work
from simulator.compute.health_signals import annotate, tell_availability
from simulator.compute.vm import Power, Vm
from simulator.timing.latency import Spread

DURATIONS = {
    "start": Spread(5, 5.5, 23),
    "poweroff": Spread(6, 8.4, 21),
    "deallocate": Spread(22, 28, 41),
    "restart": Spread(0.3, 8, 42),
    "redeploy": Spread(43, 80, 120),
    "reapply": Spread(5, 7.3, 10),
    "delete": Spread(0.5, 30, 324),
    "put": Spread(0.6, 23, 102),
    "reimage": Spread(66, 71, 89),
    "reimageall": Spread(66, 71, 89),
}
"""Seconds from start to end of recorded operations: azure-cli and Azure Service Operator recordings 2023-2026. One
`reapply` was recorded (7.3 s) and two `redeploy`: their distributions are assumed. Reimages were recorded on scale sets
only."""

EVICTION_SECONDS = 66.0
"""From a simulated eviction to `deallocated`: azure-cli, test_vm_simulate_eviction.yaml, calls 31 and 32."""

FIRST_REPORT_SECONDS = 10.0
"""From `running` to the first report of the Application Health extension: assumed, no recording has `vmHealth`."""

POWER: dict[str, tuple[Power, Power]] = {
    "start": ("starting", "running"),
    "poweroff": ("stopping", "stopped"),
    "deallocate": ("deallocating", "deallocated"),
    "restart": ("starting", "running"),
    "redeploy": ("starting", "running"),
    "reimage": ("starting", "running"),
    "reimageall": ("starting", "running"),
}
"""Power state during and after an action. The states during a restart, a redeployment and a reimage are inferred."""

_REBOOTS = frozenset({"restart", "redeploy", "reimage", "reimageall"})

REIMAGES = {"reimage": "reimage", "reimageall": "reimageAll"}
"""Actions on the machines of uniform scale sets only, and their spelling in the name of the operation."""

ACTIONS = {
    "start": "start",
    "poweroff": "powerOff",
    "deallocate": "deallocate",
    "restart": "restart",
    "redeploy": "redeploy",
    "reapply": "reapply",
}
"""The actions that are long-running operations, and their spelling in the name of the operation."""

PREEMPTED = Fault("OperationPreempted", "Operation execution has been preempted by a more recent operation.")
"""Azure's public wording; that it ends an earlier power action in this way is inferred."""

_WHY = {
    "start": "VirtualMachineStartInitiatedByControlPlane",
    "poweroff": "VirtualMachineStopInitiatedByControlPlane",
    "deallocate": "VirtualMachineDeallocationInitiated",
    "restart": "VirtualMachineRebootInitiatedByControlPlane",
    "redeploy": "VirtualMachineRedeployInitiatedByControlPlane",
    "reimage": "VirtualMachineRebootInitiatedByControlPlane",
    "reimageall": "VirtualMachineRebootInitiatedByControlPlane",
}


@dataclass(frozen=True, slots=True)
class PowerTransition:
    """An action in progress on one machine: `finish` returns whether it was still the latest one at the end."""

    finish: Callable[[], bool]
    undo: Callable[[], object]


class Subject(Protocol):
    """What an operation's event names."""

    id: str
    location: str

    @property
    def type(self) -> str:
        """The resource type."""


class VmPower:
    """Starts and stops machines. `evicted`: called for a machine that its eviction deletes."""

    def __init__(self, azure: ArmFrontDoor, operations: Operations, evicted: Callable[[Vm], None]) -> None:
        self._azure = azure
        self._operations = operations
        self._evicted = evicted

    def act(self, call: Call, vm: Vm) -> Response:
        """Answer a POST of one of ACTIONS or REIMAGES on a machine."""
        action = call.types[-1].lower()
        return self.act_on(call, vm, [vm], (ACTIONS | REIMAGES)[action])

    def act_on(self, call: Call, subject: Subject, machines: list[Vm], name: str) -> Response:
        """Begin one operation on machines; `name` as in the name of the operation. Raises ArmError 409."""
        for each in machines:
            refuse_while_deleting(each, name)
        turns = [self.turn(each, name.lower()) for each in machines]
        done, undone = partial(finish_all, turns), partial(undo_all, turns)
        work = Work(subject, f"{subject.type}/{name}/action", "Action", done, undone)
        seconds = DURATIONS[name.lower()].draw(self._azure.rng)
        return Response(202, None, self._operations.run(call, subject.location, seconds, work))

    def turn(self, vm: Vm, action: str) -> PowerTransition:
        """Begin an action on one machine. Raises ArmError 409 where Azure would refuse."""
        if action in {"restart", "redeploy"} and vm.power != "running":
            raise rejected(409, "OperationNotAllowed", f"VM '{vm.name}' is not running.")  # inferred
        before = vm.power
        during, after = _power(vm, action)
        if during != before:
            if action == "start" and before == "deallocated":
                annotate(self._azure, vm.id, "VirtualMachineAllocated")
            annotate(self._azure, vm.id, _WHY[action])
        mine = self.enter(vm, during)

        def end(power: Power) -> bool:
            if vm.operation != mine or vm.gone:
                return False
            self._set(vm, power)
            return True

        return PowerTransition(partial(end, after), partial(end, before))

    def enter(self, vm: Vm, power: Power) -> int:
        """Enter a power state; returns the number of the operation that owns the machine's power from now on."""
        if power == "starting" and vm.health is not None:
            # A GPU VM that has just started has not loaded its model: unhealthy until the world changes that.
            vm.health = "silent" if vm.health == "silent" else "unhealthy"
            vm.health_since = self._azure.clock()
        changed = vm.changed
        self._set(vm, power)
        vm.changed = changed  # the provisioning state's time changes at the end of an operation
        vm.operation += 1
        return vm.operation

    def arrive(self, vm: Vm, power: Power) -> None:
        """A new machine reaches this power state, unless another action has begun meanwhile."""
        if vm.power == "starting" and not vm.gone:
            self._set(vm, power)

    def _set(self, vm: Vm, power: Power) -> None:
        before, vm.power, vm.changed = vm.power, power, self._azure.clock()
        if power == "running" and before != "running":
            vm.running_since = vm.changed
            self._await_report(vm)
        if (before == "running") != (power == "running"):
            tell_availability(self._azure, vm.id, available=power == "running")

    def _await_report(self, vm: Vm) -> None:
        """A machine that has just booted has no `vmHealth` before its Application Health extension reports.

        A machine whose health was set meanwhile, or that never went down, has reported it.
        """
        if vm.health != "unhealthy":
            return
        vm.boots, vm.waits = vm.boots + 1, True
        boot = vm.boots

        def report() -> None:
            if vm.boots == boot:
                vm.waits = False

        self._azure.schedule(FIRST_REPORT_SECONDS * self._azure.operation_scale, report)

    def simulate_eviction(self, call: Call, vm: Vm) -> Response:
        """Answer a POST of simulateEviction: 204 at once, and the eviction some time later, as recorded."""
        if not vm.spot:
            message = "Operation 'simulateEviction' is allowed only for Spot Virtual Machines"
            error = ArmError(409, "OperationNotAllowed", message)
            error.response = Response(409, error.response.content)
            raise error
        refuse_while_deleting(vm, call.types[-1])
        self._azure.emit(vm.id, f"{vm.type}/simulateEviction/action", "Action")
        self._azure.schedule(EVICTION_SECONDS * self._azure.operation_scale, lambda: self.preempt(vm))
        return Response(204)

    def preempt(self, vm: Vm) -> None:
        """Azure reclaims the capacity: the VM is deallocated, or deleted if the eviction policy says so."""
        if vm.gone or vm.power == "deallocated":
            return
        annotate(self._azure, vm.id, "VirtualMachinePreempted")
        self.enter(vm, "deallocated")
        vm.changed = self._azure.clock()
        if vm.spot == "Delete":
            self._evicted(vm)

    def guest_shutdown(self, vm: Vm) -> None:
        """The guest system shuts down: stopped."""
        annotate(self._azure, vm.id, "VirtualMachineStoppedInternally")
        self._set(vm, "stopped")

    def host_crash(self, vm: Vm, seconds: float) -> None:
        """The host fails: the machine is down and comes back after this many seconds. A stopped machine stays stopped.

        The power state that Azure shows meanwhile is unknown: `stopped` here.
        """
        if vm.power != "running":
            return
        annotate(self._azure, vm.id, "VirtualMachineHostCrashed")
        mine = self.enter(vm, "stopped")

        def back() -> None:
            if vm.operation == mine and vm.power == "stopped" and not vm.gone:
                self.enter(vm, "starting")
                self._set(vm, "running")

        self._azure.schedule(seconds, back)


def finish_all(turns: list[PowerTransition]) -> Fault | None:
    """End the transitions of one operation: each, whatever the result of the others."""
    finished = [turn.finish() for turn in turns]
    return None if all(finished) else PREEMPTED


def undo_all(turns: list[PowerTransition]) -> None:
    """Undo the transitions of one operation."""
    for turn in turns:
        turn.undo()


def _power(vm: Vm, action: str) -> tuple[Power, Power]:
    """Power state during and after an action; a machine that is already in the final state stays in it (inferred)."""
    during, after = POWER.get(action, (vm.power, vm.power))
    if action in REIMAGES and vm.power != "running":
        return vm.power, vm.power
    there = vm.power == after or (action == "poweroff" and vm.power == "deallocated")
    return (vm.power, vm.power) if there and action not in _REBOOTS else (during, after)


def refuse_while_deleting(vm: Vm, operation: str) -> None:
    """Raise ArmError 409 for a machine that is being deleted."""
    if vm.provisioning == "Deleting":
        raise rejected(  # Azure's public wording; no recording
            409,
            "OperationNotAllowed",
            f"Operation '{operation}' is not allowed on VM '{vm.name}' since the VM is marked for deletion. "
            "You can only retry the Delete operation (or wait for an ongoing one to complete).",
        )
