"""Scale sets: writes of them, and actions on all or several of their machines at once.

Single instances are in `scale_set_instances.py`, the creation of machines in `scale_set_machines.py`. Scaling raises
one write of the scale set in either mode; whether the VMs of a flexible one raise events as well is unknown. "Inferred"
marks behaviour that no recording or document shows.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec

from simulator.arm.collection import Collection, decode, rejected
from simulator.arm.front_door import ArmError, ArmFrontDoor, Call, Response
from simulator.arm.merge_patch import merge
from simulator.arm.operations import Operations, Work
from simulator.compute.scale_set import SCALE_SET_TYPE, Instance, ScaleSet, policies, with_nic_defaults
from simulator.compute.scale_set_instances import Instances
from simulator.compute.scale_set_machines import Machines
from simulator.compute.vm import Vm
from simulator.compute.vm_power import ACTIONS, POWER, REIMAGES, VmPower, finish_all, undo_all
from simulator.compute.vm_writes import VmWrites
from simulator.network.provider import Network
from simulator.timing.latency import Spread

DURATIONS = {
    "start": Spread(3, 6, 10),
    "poweroff": Spread(6, 17.3, 21),
    "deallocate": Spread(30, 32, 35),
    "restart": Spread(0.3, 8, 42),
    "redeploy": Spread(43, 80, 120),
    "reapply": Spread(5, 7.3, 10),
    "delete": Spread(1, 20, 50),
    "manualupgrade": Spread(5, 30, 60),
    "reimage": Spread(66, 71, 89),
    "reimageall": Spread(66, 71, 89),
    "put": Spread(0.1, 30, 321),
}
"""Seconds from start to end of recorded operations, 2023 to 2026; medians partly assumed, `restart`, `redeploy` and
`reapply` as for VMs, `manualupgrade` around the one recorded (55 s). A reimage took 67 to 89 s
(test_vmss_reimage.yaml)."""

PAGE_SIZE = 100
"""Assumed: no recorded listing of scale sets has a second page."""

_NAMES = {**ACTIONS, **REIMAGES, "delete": "delete", "manualupgrade": "manualUpgrade"}
_SERVED = frozenset({"provisioningState", "uniqueId", "timeCreated"})


class _Sku(msgspec.Struct):
    name: str | None = None
    tier: str | None = None
    capacity: int | None = None


class _Body(msgspec.Struct):
    location: str
    sku: _Sku | None = None
    tags: dict[str, str] | None = None
    properties: dict[str, Any] = {}


class _Patch(msgspec.Struct):
    sku: _Sku | None = None
    tags: dict[str, str] | None = None
    properties: dict[str, Any] = {}


class _Chosen(msgspec.Struct, rename="camel"):
    instance_ids: list[str] | None = None


class ScaleSets:
    """The part of the compute provider that answers for `virtualMachineScaleSets`, by its routes."""

    def __init__(
        self, azure: ArmFrontDoor, network: Network, operations: Operations, power: VmPower, writes: VmWrites
    ) -> None:
        self.sets: Collection[ScaleSet] = Collection(SCALE_SET_TYPE)
        self.machines = Machines(azure, network, writes.vms, writes)
        self._azure = azure
        self._operations = operations
        self._power = power
        self._writes = writes
        self.instances = Instances(azure, operations, self.sets, self.machines, power)
        kind = "virtualmachinescalesets"
        self.routes: dict[tuple[str, int, str], Callable[[Call], Response]] = {
            (kind, 0, "GET"): lambda call: self.sets.page(call, PAGE_SIZE, ScaleSet.body),
            (kind, 1, "GET"): lambda call: Response(200, self.sets.get_or_404(call).body()),
            (kind, 1, "PUT"): self._put,
            (kind, 1, "PATCH"): self._patch,
            (kind, 1, "DELETE"): self._delete,
            (f"{kind}/instanceview", 1, "GET"): lambda call: Response(200, self.sets.get_or_404(call).instance_view()),
            **{(f"{kind}/{action}", 1, "POST"): self._act for action in _NAMES},
            **self.instances.routes,
        }

    def load(self, scale_set: ScaleSet, instances: list[Instance]) -> None:
        """Add a scale set and its instances to the world as they are, without an event."""
        self.sets.add(scale_set)
        for each in instances:
            self.machines.load(scale_set, each)

    def machine(self, machine_id: str) -> Vm | None:
        """The instance with this id, as a machine; or None."""
        set_id, _, number = machine_id.rstrip("/").lower().rpartition("/virtualmachines/")
        scale_set = self.sets.find(set_id) if set_id else None
        found = scale_set.instances.get(int(number)) if scale_set and number.isdecimal() else None
        return found.vm if found else None

    def evict(self, vm: Vm) -> None:
        """An eviction deletes an instance, and the capacity of its scale set falls (inferred)."""
        scale_set = self.sets.find(vm.id.rsplit("/", 2)[0])
        if scale_set is not None:
            self.machines.remove(scale_set, vm)
            scale_set.shrink(1)

    def _put(self, call: Call) -> Response:
        body = decode(call, _Body)
        set_id, now = self.sets.id_of(call), self._azure.clock()
        old = self.sets.find(set_id)
        location = body.location.lower().replace(" ", "")
        scale_set = old or ScaleSet(set_id, location, None, {}, {}, self._azure.new_guid(), now, now)
        if old is None:
            scale_set.properties = _defaults(body.properties)
        tags = self._writes.tags_after_put(scale_set.tags, body.tags)
        return self._write(call, scale_set, body, tags, created=old is None)

    def _patch(self, call: Call) -> Response:
        body = decode(call, _Patch)
        scale_set = self.sets.get_or_404(call)
        tags = scale_set.tags if body.tags is None else dict(body.tags)
        return self._write(call, scale_set, body, tags, created=False)

    def _write(
        self, call: Call, scale_set: ScaleSet, body: _Body | _Patch, tags: dict[str, str] | None, *, created: bool
    ) -> Response:
        _refuse_while_deleting(scale_set)
        before = (scale_set.properties, scale_set.sku, scale_set.tags)
        stated = {key: value for key, value in body.properties.items() if key not in _SERVED}
        scale_set.properties = merge(scale_set.properties, stated) | policies(stated)
        scale_set.sku, scale_set.tags = _sku(scale_set.sku, body.sku), tags
        present = self.machines.of(scale_set)
        capacity = scale_set.sku.get("capacity", len(present))
        try:
            made = self.machines.add(scale_set, capacity - len(present))
        except ArmError:
            scale_set.properties, scale_set.sku, scale_set.tags = before
            raise
        scale_set.properties = with_nic_defaults(scale_set.properties)
        # Scaling in removes the newest (recorded; that nothing else counts is inferred).
        return self._scale(call, scale_set, made, present[max(capacity, 0) :], created=created)

    def _scale(self, call: Call, scale_set: ScaleSet, made: list[Vm], leaving: list[Vm], *, created: bool) -> Response:
        self.sets.add(scale_set)
        self._enter(scale_set, "Creating" if created else "Updating")
        for vm in leaving:
            vm.provisioning = "Deleting"

        def done() -> None:
            self._settle(made)
            self._take_away(scale_set, leaving)
            self._enter(scale_set, "Succeeded")

        def undone() -> None:  # inferred
            for vm in made:
                self.machines.remove(scale_set, vm)
            for vm in leaving:
                vm.provisioning = "Succeeded"
            scale_set.sku |= {"capacity": len(self.machines.of(scale_set))} if scale_set.sku else {}
            self._enter(scale_set, "Failed")

        headers = self._run(call, scale_set, "put", Work(scale_set, f"{SCALE_SET_TYPE}/write", "Write", done, undone))
        del headers["location"]
        return Response(201 if created else 200, scale_set.body(), headers)

    def _settle(self, made: list[Vm]) -> None:
        there = [vm for vm in made if not vm.gone and vm.provisioning != "Deleting"]
        for vm in there:
            vm.provisioning, vm.changed = "Succeeded", self._azure.clock()
            self._power.arrive(vm, "running")
        self.machines.tell(there, "write")

    def _take_away(self, scale_set: ScaleSet, leaving: list[Vm]) -> None:
        for vm in leaving:
            self.machines.remove(scale_set, vm)
        self.machines.tell(leaving, "delete")

    def _enter(self, scale_set: ScaleSet, provisioning: str) -> None:
        if scale_set.provisioning != "Deleting" or provisioning == "Failed":
            scale_set.provisioning, scale_set.changed = provisioning, self._azure.clock()

    def _delete(self, call: Call) -> Response:
        scale_set = self.sets.find(self.sets.id_of(call))
        if scale_set is None:
            return Response(204)  # inferred from the OpenAPI document
        self._enter(scale_set, "Deleting")

        def done() -> None:
            self._take_away(scale_set, self.machines.of(scale_set))  # of a flexible one as well: inferred
            for instance in list(scale_set.instances.values()):
                self.machines.remove(scale_set, instance.vm)
            self.sets.remove(scale_set)

        work = Work(scale_set, f"{SCALE_SET_TYPE}/delete", "Delete", done, lambda: self._enter(scale_set, "Failed"))
        return Response(202, None, self._run(call, scale_set, "delete", work))

    def _act(self, call: Call) -> Response:
        scale_set, action = self.sets.get_or_404(call), call.types[-1].lower()
        _refuse_while_deleting(scale_set)
        chosen = self._chosen(scale_set, decode(call, _Chosen).instance_ids)
        operation = f"{SCALE_SET_TYPE}/{_NAMES[action]}/action"
        if action == "delete":
            return self._delete_some(call, scale_set, chosen, operation)
        # A restart of the set skips machines that do not run; of a single one it is refused (inferred).
        able = [vm for vm in chosen if vm.power == "running" or action not in {"restart", "redeploy"}]
        turns = [self._power.turn(vm, action) for vm in able] if action in POWER else []
        work = Work(scale_set, operation, "Action", partial(finish_all, turns), partial(undo_all, turns))
        return Response(202, None, self._run(call, scale_set, action, work))

    def _delete_some(self, call: Call, scale_set: ScaleSet, chosen: list[Vm], operation: str) -> Response:
        for vm in chosen:
            vm.provisioning = "Deleting"

        def done() -> None:
            going = [vm for vm in chosen if not vm.gone]
            self._take_away(scale_set, going)
            scale_set.shrink(len(going))

        def undone() -> None:
            for vm in chosen:
                vm.provisioning = "Failed"

        return Response(
            202, None, self._run(call, scale_set, "delete", Work(scale_set, operation, "Action", done, undone))
        )

    def _chosen(self, scale_set: ScaleSet, wanted: list[str] | None) -> list[Vm]:
        """The machines of an action: those named, or all."""
        present = {vm.id.rsplit("/", 1)[1].lower(): vm for vm in self.machines.of(scale_set)}
        if not wanted or wanted == ["*"]:
            return list(present.values())
        for each in wanted:
            if each.lower() not in present:
                raise rejected(  # Azure's public wording; no recording
                    400,
                    "InvalidParameter",
                    f"The provided instanceId {each} is not an active Virtual Machine Scale Set VM instanceId.",
                )
        return [present[each.lower()] for each in dict.fromkeys(wanted)]

    def _run(self, call: Call, scale_set: ScaleSet, kind: str, work: Work) -> dict[str, str]:
        seconds = DURATIONS[kind].draw(self._azure.rng)
        return self._operations.run(call, scale_set.location, seconds, work, patient=True)


def _defaults(stated: dict[str, Any]) -> dict[str, Any]:
    """Azure's additions to a new scale set of either mode, as recorded."""
    if str(stated.get("orchestrationMode", "")).lower() == "flexible":
        return {"singlePlacementGroup": False}
    added = {"overprovision": True, "doNotRunExtensionsOnOverprovisionedVMs": False}
    return {"singlePlacementGroup": True, "orchestrationMode": "Uniform", **added}


def _sku(old: dict[str, Any], new: _Sku | None) -> dict[str, Any]:
    if new is None:
        return old
    stated = {"name": new.name, "tier": new.tier, "capacity": new.capacity}
    found = old | {key: value for key, value in stated.items() if value is not None}
    return {"tier": "Standard", **found}


def _refuse_while_deleting(scale_set: ScaleSet) -> None:
    if scale_set.provisioning == "Deleting":
        raise rejected(  # inferred
            409, "OperationNotAllowed", f"The scale set '{scale_set.name}' is marked for deletion."
        )
