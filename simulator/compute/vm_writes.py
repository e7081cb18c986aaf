"""Writes of virtual machines: PUT, PATCH and DELETE, and their effect on NICs.

Power is in `vm_power.py`, NICs themselves in `simulator/network`. "Inferred" marks behaviour that no recording or
document shows.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import msgspec

from simulator.arm.collection import Collection, decode, rejected
from simulator.arm.front_door import ArmFrontDoor, Call, Response
from simulator.arm.managed_identity import identity_of
from simulator.arm.merge_patch import merge
from simulator.arm.operations import Operations, Work
from simulator.compute.health_signals import annotate
from simulator.compute.inline_nics import InlineNic, create
from simulator.compute.vm import VM_TYPE, NicLink, Power, Vm
from simulator.compute.vm_power import DURATIONS, VmPower, refuse_while_deleting
from simulator.network.addresses import Reference
from simulator.network.provider import Network

_SERVED = frozenset({"networkProfile", "instanceView", "provisioningState", "vmId", "timeCreated"})
"""Properties that Azure sets, whatever a client writes."""


class _NicReference(msgspec.Struct):
    id: str
    properties: dict[str, Any] | None = None


class _NetworkProfile(msgspec.Struct, rename="camel"):
    network_interfaces: list[_NicReference] = []
    network_interface_configurations: list[InlineNic] = []


class _StorageProfile(msgspec.Struct, rename="camel"):
    os_disk: dict[str, Any] = {}
    data_disks: list[dict[str, Any]] = []


class _Properties(msgspec.Struct, rename="camel"):
    network_profile: _NetworkProfile
    virtual_machine_scale_set: Reference | None = None
    storage_profile: _StorageProfile | None = None
    os_profile: dict[str, Any] | None = None


class _VmBody(msgspec.Struct):
    location: str
    properties: _Properties
    tags: dict[str, str] | None = None


class _VmPatch(msgspec.Struct):
    tags: dict[str, str] | None = None


class VmWrites:
    """Creates, changes and removes VMs. `inline_nic_event` and `put_keeps_tags`: unknown, see `provider.py`."""

    def __init__(
        self, azure: ArmFrontDoor, network: Network, vms: Collection[Vm], operations: Operations, power: VmPower
    ) -> None:
        self.inline_nic_event = False
        self.put_keeps_tags = True
        self.evicted: set[str] = set()
        """Ids in lower case of VMs that an eviction has deleted: ARM does not know that."""
        self._azure = azure
        self._network = network
        self.vms = vms
        self._operations = operations
        self._power = power

    def load(self, vm: Vm) -> None:
        """Add a VM to the world as it is, attached to its NICs, without an event."""
        self.vms.add(vm)
        self.evicted.discard(vm.id.lower())
        for link in vm.nics:
            nic = self._network.nics.find(link.id)
            if nic is not None:
                self._network.attach(nic, vm.id, primary=link.primary)

    def put(self, call: Call) -> Response:
        """Answer a PUT on a VM."""
        body = decode(call, _VmBody)
        vm_id = self.vms.id_of(call)
        old = self.vms.find(vm_id)
        if old is not None:
            refuse_while_deleting(old, "write")
        now, location = self._azure.clock(), body.location.lower().replace(" ", "")
        vm = old or Vm(vm_id, location, None, "starting", None, [], self._azure.new_guid(), now, now)
        before = (vm.settings, vm.identity, vm.nics)
        links = self._links(vm, body.properties.network_profile, is_new=old is None)
        self._release_nics(vm, keep={link.id.lower() for link in links})
        vm.nics, vm.tags = links, self.tags_after_put(vm.tags, body.tags)
        vm.identity = identity_of(call.json(), vm.identity, self._azure.new_guid)
        written = {key: value for key, value in call.json()["properties"].items() if key not in _SERVED}
        vm.settings = merge(vm.settings, written)
        self.load(vm)
        if old is not None and before == (vm.settings, vm.identity, vm.nics):
            return self._at_once(vm)
        return self._write(call, vm, created=old is None)

    def tags_after_put(self, old: dict[str, str] | None, written: dict[str, str] | None) -> dict[str, str] | None:
        """The tags of a VM or a scale set after a PUT, which may leave them out."""
        if written is None:
            return old if self.put_keeps_tags else None
        return dict(written)

    def _at_once(self, vm: Vm) -> Response:
        """A PUT that changes nothing or only tags answers `Updating` and starts no operation.

        Recorded: test_vm_update_size.yaml, call 23 (nothing), and test_vm_create_no_wait.yaml, call 12 (tags).
        """
        content = vm.body()
        content["properties"]["provisioningState"] = "Updating"
        self._azure.emit(vm.id, f"{VM_TYPE}/write", "Write")
        return Response(200, content)

    def _links(self, vm: Vm, profile: _NetworkProfile, *, is_new: bool) -> list[NicLink]:
        """The NICs of a VM after a write, with those that it requested inline already created."""
        links = [NicLink(each.id, each.properties) for each in profile.network_interfaces]
        self._check_nics(vm.id, links)
        inline = profile.network_interface_configurations
        if inline:  # that an update with such a body does not change the NICs is inferred
            links = links + create(self._network, vm, inline, told=self.inline_nic_event) if is_new else vm.nics
        if not links:  # inferred
            raise rejected(400, "InvalidParameter", "The networkInterfaces of a virtual machine are missing.")
        return links

    def _check_nics(self, vm_id: str, links: list[NicLink]) -> None:
        for link in links:
            nic = self._network.nics.find(link.id)
            if nic is None:
                raise rejected(404, "NotFound", f"Resource {link.id} not found.")
            if nic.vm is not None and nic.vm.lower() != vm_id.lower():
                raise rejected(400, "NicInUse", f"Network Interface {nic.id} is in use by {nic.vm}.")  # inferred

    def patch(self, call: Call) -> Response:
        """Answer a PATCH on a VM: its tags."""
        vm = self.vms.get_or_404(call)
        refuse_while_deleting(vm, "write")
        tags = decode(call, _VmPatch).tags
        if tags is not None:
            vm.tags = dict(tags)
        return self._write(call, vm, created=False)

    def _write(self, call: Call, vm: Vm, *, created: bool) -> Response:
        vm.provisioning, vm.changed = "Creating" if created else "Updating", self._azure.clock()

        def end(provisioning: str, power: Power) -> None:
            if vm.provisioning != "Deleting":
                vm.provisioning, vm.changed = provisioning, self._azure.clock()
            if created:
                self._power.arrive(vm, power)

        # The state after a failed creation is inferred.
        work = Work(
            vm, f"{VM_TYPE}/write", "Write", partial(end, "Succeeded", "running"), partial(end, "Failed", "deallocated")
        )
        if created:
            annotate(self._azure, vm.id, "VirtualMachineAllocated")
        seconds = DURATIONS["put"].draw(self._azure.rng)
        headers = self._operations.run(call, vm.location, seconds, work, patient=created)
        # As recorded, a PUT has no `location`, and only a creation returns how long to wait.
        without = {"location"} if created else {"location", "retry-after"}
        headers = {name: value for name, value in headers.items() if name not in without}
        return Response(201 if created else 200, vm.body(), headers)

    def delete(self, call: Call) -> Response:
        """Answer a DELETE on a VM."""
        vm = self.vms.find(self.vms.id_of(call))
        if vm is None:
            self.evicted.discard(self.vms.id_of(call).lower())
            return Response(204)  # inferred from the OpenAPI document
        vm.provisioning, vm.changed = "Deleting", self._azure.clock()

        def done() -> None:
            if not vm.gone:
                self.remove(vm)

        def undone() -> None:
            vm.provisioning, vm.changed = "Failed", self._azure.clock()

        work = Work(vm, f"{VM_TYPE}/delete", "Delete", done, undone)
        seconds = DURATIONS["delete"].draw(self._azure.rng)
        return Response(202, None, self._operations.run(call, vm.location, seconds, work, patient=True))

    def remove(self, vm: Vm) -> None:
        """Remove a VM and the NICs that are deleted with it, without an event."""
        self._release_nics(vm, keep=set())
        for link in vm.nics:
            nic = self._network.nics.find(link.id)
            if nic is not None and link.goes_with_vm:
                self._network.remove_nic(nic)
        self.vms.remove(vm)
        vm.gone = True

    def evict(self, vm: Vm) -> None:
        """An eviction deletes a VM; ARM still considers it existing."""
        self.remove(vm)
        self.evicted.add(vm.id.lower())

    def _release_nics(self, vm: Vm, keep: set[str]) -> None:
        for link in vm.nics:
            nic = self._network.nics.find(link.id)
            if nic is not None and link.id.lower() not in keep:
                self._network.detach(nic)
