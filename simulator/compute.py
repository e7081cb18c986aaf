"""The compute resource provider: virtual machines, what they are doing, and their long-running operations.

NICs belong to `network.py`; the bodies to `vm.py`. Azure tells Event Grid of an operation when it has completed, and of
nothing that happens inside a VM: `set_health` and `guest_shutdown` are silent. What no recording or document shows is
marked "inferred".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from simulator.collection import Collection, decode, rejected
from simulator.compute_limits import Limits
from simulator.core import ArmError, Azure, Call, Family, Outcome, Response
from simulator.inline_nics import InlineNic, create
from simulator.latency import Spread
from simulator.network import Network
from simulator.operations import Fault, Operations
from simulator.vm import VM_TYPE, Health, NicLink, Power, Vm

DURATIONS = {
    "start": Spread(5, 5.5, 23),
    "poweroff": Spread(6, 8.4, 21),
    "deallocate": Spread(22, 28, 41),
    "restart": Spread(0.3, 8, 42),
    "delete": Spread(0.5, 30, 324),
    "put": Spread(0.6, 23, 102),
}
"""Seconds from start to end of recorded operations: azure-cli and Azure Service Operator recordings 2023-2026."""

PAGE_SIZES: Sequence[int] = (299, 250, 211, 116, 81, 50, 50, 50, 50, 48)
"""Sizes of the pages that one real listing had (Azure/azure-rest-api-specs#13843): never a constant."""

POWER: dict[str, tuple[Power, Power]] = {
    "start": ("starting", "running"),
    "poweroff": ("stopping", "stopped"),
    "deallocate": ("deallocating", "deallocated"),
    "restart": ("starting", "running"),
}
"""Power state during and after an action. During a restart: inferred."""

PREEMPTED = Fault("OperationPreempted", "Operation execution has been preempted by a more recent operation.")
"""Azure's public wording; that it ends an earlier power action in this way is inferred."""

_OPERATIONS = {"start": "start", "poweroff": "powerOff", "deallocate": "deallocate", "restart": "restart"}


class _NicReference(msgspec.Struct):
    id: str
    properties: dict[str, Any] | None = None


class _NetworkProfile(msgspec.Struct, rename="camel"):
    network_interfaces: list[_NicReference] = []
    network_interface_configurations: list[InlineNic] = []


class _Properties(msgspec.Struct, rename="camel"):
    network_profile: _NetworkProfile


class _VmBody(msgspec.Struct):
    location: str
    properties: _Properties
    tags: dict[str, str] | None = None


class _VmPatch(msgspec.Struct):
    tags: dict[str, str] | None = None


class Compute:
    """Answers for `Microsoft.Compute/virtualMachines`.

    Unknown, so switches: `status_only_health`, whether a listing with `statusOnly=true` carries `vmHealth`;
    `inline_nic_event`, whether a NIC made with its VM raises an event of its own.
    """

    def __init__(self, azure: Azure, network: Network) -> None:
        self.azure = azure
        self.network = network
        self.vms: Collection[Vm] = Collection(VM_TYPE)
        self.status_only_health = True
        self.inline_nic_event = False
        self.page_sizes = PAGE_SIZES
        self.limits = Limits(azure.clock)
        self._operations = Operations(azure, "Microsoft.Compute", detailed=True)
        self._routes: dict[tuple[str, int, str], Callable[[Call], Response]] = {
            ("virtualmachines", 0, "GET"): self._list,
            ("virtualmachines", 1, "GET"): self._get,
            ("virtualmachines", 1, "PUT"): self._put,
            ("virtualmachines", 1, "PATCH"): self._patch,
            ("virtualmachines", 1, "DELETE"): self._delete,
            ("virtualmachines/instanceview", 1, "GET"): self._get_instance_view,
            ("locations/operations", 2, "GET"): self._operations.poll,
            **{(f"virtualmachines/{action}", 1, "POST"): self._act for action in POWER},
        }

    def handle(self, call: Call) -> Response:
        """Answer a call on a VM or a compute operation."""
        answer = self._routes.get((call.kind, len(call.names), call.method))
        if answer is None:
            raise ArmError(405, "MethodNotAllowed", f"{call.method} on {'/'.join(call.types)} is not simulated.")
        if call.names and call.types[0].lower() == "virtualmachines" and call.method not in {"PUT", "DELETE"}:
            self.vms.called(call)  # ARM knows that a VM does not exist, and the provider's limits never hear of it
        counted = self.limits.charge(call)
        try:
            response = answer(call)
        except ArmError as error:
            error.response = replace(error.response, headers={**error.response.headers, **counted})
            raise
        return replace(response, headers={**response.headers, **counted})

    def load(self, vm: Vm) -> None:
        """Put a VM into the world as it is, attached to its NICs, without an event."""
        self.vms.add(vm)
        for link in vm.nics:
            nic = self.network.nics.find(link.id)
            if nic is not None:
                self.network.attach(nic, vm.id, primary=link.primary)

    def set_health(self, vm_id: str, health: Health) -> None:
        """What the Application Health extension says from now on. No event. Raises KeyError for an unknown VM."""
        vm = self._known(vm_id)
        vm.health, vm.health_since = health, self.azure.clock()

    def guest_shutdown(self, vm_id: str) -> None:
        """The guest system shuts itself down: stopped, and Azure tells nobody. Raises KeyError for an unknown VM."""
        vm = self._known(vm_id)
        vm.power, vm.changed = "stopped", self.azure.clock()

    def move(self, vm_id: str, group: str) -> str:
        """Move a VM (not its NICs) to another resource group of its subscription, without an event.

        Gives the new id. Raises KeyError for an unknown VM.
        """
        vm = self._known(vm_id)
        parts = vm.id.split("/")
        self.vms.remove(vm)
        self.azure.ensure_group(parts[2], group)
        vm.id = "/".join([*parts[:4], group, *parts[5:]])
        self.load(vm)
        return vm.id

    def _known(self, vm_id: str) -> Vm:
        vm = self.vms.find(vm_id)
        if vm is None:
            raise KeyError(vm_id)
        return vm

    def _list(self, call: Call) -> Response:
        size = self.azure.rng.choice(self.page_sizes)
        if call.request.query.get("statusOnly", "").lower() == "true":
            return self.vms.page(call, size, lambda vm: vm.status_only(with_health=self.status_only_health))
        return self.vms.page(call, size, Vm.body)

    def _get(self, call: Call) -> Response:
        expand = call.request.query.get("$expand", "").lower() == "instanceview"
        return Response(200, self.vms.called(call).body(expand=expand))

    def _get_instance_view(self, call: Call) -> Response:
        return Response(200, self.vms.called(call).instance_view())

    def _put(self, call: Call) -> Response:
        body = decode(call, _VmBody)
        vm_id = self.vms.id_of(call)
        old = self.vms.find(vm_id)
        if old is not None:
            _refuse_while_deleting(old, "write")
        now = self.azure.clock()
        location = body.location.lower().replace(" ", "")
        vm = old or Vm(vm_id, location, {}, "starting", None, [], self.azure.new_guid(), now, now)
        links = self._links(vm, body.properties.network_profile, is_new=old is None)
        self._release_nics(vm, keep={link.id.lower() for link in links})
        vm.nics, vm.tags = links, dict(body.tags or {})
        properties = call.json()["properties"]
        vm.settings |= {key: value for key, value in properties.items() if key != "networkProfile"}
        self.load(vm)
        return self._write(call, vm, created=old is None)

    def _links(self, vm: Vm, profile: _NetworkProfile, *, is_new: bool) -> list[NicLink]:
        """The NICs that a VM has after being written, those that it asked for inline made already."""
        links = [NicLink(each.id, each.properties) for each in profile.network_interfaces]
        self._check_nics(vm.id, links)
        inline = profile.network_interface_configurations
        if inline:  # that an update with such a body leaves the NICs as they are is inferred
            links = links + create(self.network, vm, inline, told=self.inline_nic_event) if is_new else vm.nics
        if not links:  # inferred
            raise rejected(400, "InvalidParameter", "The networkInterfaces of a virtual machine are missing.")
        return links

    def _check_nics(self, vm_id: str, links: list[NicLink]) -> None:
        for link in links:
            nic = self.network.nics.find(link.id)
            if nic is None:
                raise rejected(404, "NotFound", f"Resource {link.id} not found.")
            if nic.vm is not None and nic.vm.lower() != vm_id.lower():
                raise rejected(400, "NicInUse", f"Network Interface {nic.id} is in use by {nic.vm}.")  # inferred

    def _patch(self, call: Call) -> Response:
        vm = self.vms.called(call)
        _refuse_while_deleting(vm, "write")
        tags = decode(call, _VmPatch).tags
        if tags is not None:
            vm.tags = dict(tags)
        return self._write(call, vm, created=False)

    def _write(self, call: Call, vm: Vm, *, created: bool) -> Response:
        vm.provisioning, vm.changed = "Creating" if created else "Updating", self.azure.clock()

        def complete() -> None:
            vm.provisioning, vm.changed = "Succeeded", self.azure.clock()
            if created:
                vm.power = "running"
            self._emit(vm, "write", "Write")

        headers = self._begin(call, vm, "put", complete)
        return Response(201 if created else 200, vm.body(), headers)

    def _delete(self, call: Call) -> Response:
        vm = self.vms.find(self.vms.id_of(call))
        if vm is None:
            return Response(204)  # inferred from the OpenAPI document
        vm.provisioning, vm.changed = "Deleting", self.azure.clock()

        def complete() -> None:
            if self.vms.find(vm.id) is vm:
                self._release_nics(vm, keep=set(), going=True)
                self.vms.remove(vm)
                self._emit(vm, "delete", "Delete")

        return Response(202, None, self._begin(call, vm, "delete", complete))

    def _release_nics(self, vm: Vm, keep: set[str], *, going: bool = False) -> None:
        for link in vm.nics:
            nic = self.network.nics.find(link.id)
            if nic is not None and link.id.lower() not in keep:
                self.network.detach(nic)
                if going and link.goes_with_vm:
                    self.network.remove_nic(nic)

    def _act(self, call: Call) -> Response:
        vm = self.vms.called(call)
        action = call.types[1].lower()
        operation = f"{_OPERATIONS[action]}/action"
        _refuse_while_deleting(vm, _OPERATIONS[action])
        if action == "restart" and vm.power != "running":
            raise rejected(409, "OperationNotAllowed", f"VM '{vm.name}' is not running.")  # inferred
        during, after = _power(vm, action)
        mine = self._enter(vm, during)

        def complete() -> Fault | None:
            if vm.operation != mine or self.vms.find(vm.id) is not vm:
                self._emit(vm, operation, "Action", "Failure")
                return PREEMPTED
            vm.power, vm.changed = after, self.azure.clock()
            self._emit(vm, operation, "Action")
            return None

        return Response(202, None, self._begin(call, vm, action, complete))

    def _enter(self, vm: Vm, power: Power) -> int:
        """Enter a power state; gives the number of the operation that owns the VM's power from now on."""
        if power == "starting" and vm.health is not None:
            # A GPU VM that has just started has not loaded its model yet: unhealthy until told otherwise.
            vm.health, vm.health_since = "unhealthy", self.azure.clock()
        vm.power = power
        vm.operation += 1
        return vm.operation

    def _begin(self, call: Call, vm: Vm, kind: str, complete: Callable[[], Fault | None]) -> dict[str, str]:
        return self._operations.begin(call, vm.location, DURATIONS[kind].draw(self.azure.rng), complete)

    def _emit(self, vm: Vm, operation: str, family: Family, outcome: Outcome = "Success") -> None:
        self.azure.emit(vm.id, f"{VM_TYPE}/{operation}", family, outcome)


def _power(vm: Vm, action: str) -> tuple[Power, Power]:
    """Power state during and after an action; a VM that is already there stays as it is (inferred)."""
    during, after = POWER[action]
    there = vm.power == after or (action == "poweroff" and vm.power == "deallocated")
    return (vm.power, vm.power) if there and action != "restart" else (during, after)


def _refuse_while_deleting(vm: Vm, operation: str) -> None:
    if vm.provisioning == "Deleting":
        raise rejected(  # Azure's public wording; no recording
            409,
            "OperationNotAllowed",
            f"Operation '{operation}' is not allowed on VM '{vm.name}' since the VM is marked for deletion. "
            "You can only retry the Delete operation (or wait for an ongoing one to complete).",
        )


def register(azure: Azure, network: Network) -> Compute:
    """Make the compute provider and let it answer."""
    compute = Compute(azure, network)
    for resource_type in ("virtualMachines", "locations"):
        azure.register("Microsoft.Compute", resource_type, compute)
    return compute
