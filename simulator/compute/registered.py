"""The VMs that Azure's private DNS registers by itself, with the names that it takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from simulator.arm.collection import Collection
from simulator.compute.vm import Vm
from simulator.network.nic import Nic
from simulator.private_dns.registration import Machine


def registered(vms: Iterable[Vm], nics: Collection[Nic]) -> Iterator[Machine]:
    """The VMs that are not deallocated, by their primary NIC (private-dns-autoregistration, dns-faq-private.yml).

    A VM without a computer name (from a specialized disk) has the VM's name (assumed). Instances of uniform scale sets
    are left out: the documents speak of VMs only.
    """
    for vm in vms:
        if vm.power == "deallocated":
            continue
        nic = next((nics.find(each.id) for each in vm.nics if each.primary), None)
        for each in nic.configurations if nic else ():
            if each.primary and each.address and each.version == "IPv4":
                yield Machine(each.vnet, computer_name(vm), each.address)


def computer_name(vm: Vm) -> str:
    """The host name of the guest: what the client wrote, else the VM's name."""
    return str(vm.settings.get("osProfile", {}).get("computerName") or vm.name)
