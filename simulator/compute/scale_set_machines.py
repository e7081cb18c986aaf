"""The machines of scale sets: their creation and removal.

A uniform scale set has instances below its path; a flexible one has ordinary VMs, named after it and eight hexadecimal
digits (recorded: azure-cli, test_vm_list_filter.yaml). This module answers no requests.
"""

from __future__ import annotations

import msgspec

from simulator.arm.collection import Collection, rejected
from simulator.arm.front_door import ArmError, ArmFrontDoor
from simulator.compute.health_signals import annotate
from simulator.compute.inline_nics import InlineNic, addresses_of, create
from simulator.compute.scale_set import Instance, ScaleSet, balance
from simulator.compute.vm import VM_TYPE, Health, Vm
from simulator.compute.vm_writes import VmWrites
from simulator.network.nic import Nic
from simulator.network.provider import Network

_SPOT = ("priority", "evictionPolicy", "billingProfile")


class Machines:
    """Creates and removes machines, without events except those of the switch.

    `vm_events`: whether each VM that a flexible scale set creates or removes raises its own event.
    """

    def __init__(self, azure: ArmFrontDoor, network: Network, vms: Collection[Vm], writes: VmWrites) -> None:
        self.vm_events = False
        self._azure = azure
        self._network = network
        self._vms = vms
        self._writes = writes

    def of(self, scale_set: ScaleSet) -> list[Vm]:
        """The machines of a scale set that are not being deleted, oldest first."""
        if not scale_set.flexible:
            return [each.vm for each in scale_set.living]
        found = [vm for vm in self._vms if (vm.scale_set or "").lower() == scale_set.id.lower()]
        return sorted((vm for vm in found if vm.provisioning != "Deleting"), key=lambda vm: (vm.created, vm.id))

    def add(self, scale_set: ScaleSet, count: int) -> list[Vm]:
        """Create this many machines, in the starting state. Raises ArmError, and then creates none."""
        wanted = _nics(scale_set)
        made: list[Vm] = []
        try:
            while len(made) < count:
                made.append(self._add_vm(scale_set, wanted) if scale_set.flexible else self._add(scale_set, wanted))
        except ArmError:
            for vm in made:
                self.remove(scale_set, vm)
            raise
        for vm in made:
            annotate(self._azure, vm.id, "VirtualMachineAllocated")
        return made

    def _add(self, scale_set: ScaleSet, wanted: list[InlineNic]) -> Vm:
        number = scale_set.next_number
        vm = self._new(scale_set, f"{scale_set.id}/virtualMachines/{number}")
        nics = []
        for each in wanted:
            nic_id = f"{vm.id}/networkInterfaces/{each.name}"
            configurations = addresses_of(self._network, nic_id, each)
            guid, etag = self._azure.new_guid(), self._network.new_etag()
            nics.append(
                Nic(nic_id, scale_set.location, {}, configurations, etag, guid, primary=each.properties.primary)
            )
            self._network.lodge(nics[-1])
        self.load(scale_set, Instance(number, vm, nics))
        return vm

    def load(self, scale_set: ScaleSet, instance: Instance) -> None:
        """Add an instance to its scale set as it is, its NICs attached and their addresses assigned."""
        for nic in instance.nics:
            balance(scale_set, nic)
            self._network.lodge(nic)
            self._network.attach(nic, instance.vm.id, primary=nic.primary)
        scale_set.instances[instance.number] = instance
        scale_set.next_number = max(scale_set.next_number, instance.number + 1)

    def _new(self, scale_set: ScaleSet, vm_id: str) -> Vm:
        now = self._azure.clock()
        health: Health | None = "unhealthy" if scale_set.reports_health else None
        vm = Vm(
            vm_id, scale_set.location, None, "starting", health, [], self._azure.new_guid(), now, now, now, "Creating"
        )
        vm.settings = {key: scale_set.profile[key] for key in _SPOT if key in scale_set.profile}
        return vm

    def _add_vm(self, scale_set: ScaleSet, wanted: list[InlineNic]) -> Vm:
        group = scale_set.id.split("/providers/", maxsplit=1)[0]
        name = f"{scale_set.name}_{self._azure.rng.getrandbits(32):08x}"
        vm = self._new(scale_set, f"{group}/providers/{VM_TYPE}/{name}")
        vm.tags = None if scale_set.tags is None else dict(scale_set.tags)  # inferred; in the only recording, no tags
        vm.settings |= {
            key: scale_set.profile[key] for key in ("storageProfile", "osProfile") if key in scale_set.profile
        }
        vm.settings |= {
            "virtualMachineScaleSet": {"id": scale_set.id},
            "hardwareProfile": {"vmSize": scale_set.sku.get("name", "")},
        }
        vm.nics = create(self._network, vm, wanted, told=self._writes.inline_nic_event)
        self._writes.load(vm)
        return vm

    def remove(self, scale_set: ScaleSet, vm: Vm) -> None:
        """Remove a machine with its NICs."""
        if vm.type == VM_TYPE:
            if not vm.gone:
                self._writes.remove(vm)
            return
        number = int(vm.id.rsplit("/", 1)[1])
        instance = scale_set.instances.get(number)
        if instance is not None and instance.vm is vm:
            for nic in instance.nics:
                self._network.remove_nic(nic)
            del scale_set.instances[number]
        vm.gone = True

    def tell(self, vms: list[Vm], verb: str) -> None:
        """Notify Event Grid of VMs that a flexible scale set has created or removed, if Azure does so."""
        for vm in vms if self.vm_events else []:
            if vm.type == VM_TYPE:
                self._azure.emit(vm.id, f"{VM_TYPE}/{verb}", "Delete" if verb == "delete" else "Write")


def _nics(scale_set: ScaleSet) -> list[InlineNic]:
    try:
        return msgspec.convert(scale_set.nic_configurations, list[InlineNic])
    except msgspec.ValidationError as error:
        raise rejected(400, "InvalidRequestFormat", f"Cannot parse the request: {error}.") from error
