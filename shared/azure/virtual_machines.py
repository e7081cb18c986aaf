"""Virtual machines as endpoints: power state and health from the instance view, addresses from the primary NIC.

The VMs of a flexible scale set are ordinary VMs; the drain tag of the set counts for each of them, so it is read beside
the NIC. The NIC of a stopped VM is not read: its last addresses stay in the catalog, where they explain the removal of
these addresses from DNS.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import msgspec

from shared.azure import machine as machines
from shared.azure.answers import Page
from shared.azure.client import Arm
from shared.azure.endpoint_kind import Items, ListResult, as_listing, as_observation, list_all, read_part
from shared.azure.flexible_sets import list_set_tags, read_set_tags
from shared.azure.machine import (
    NIC_API,
    Extension,
    InstanceView,
    Link,
    NetworkProfile,
    Nic,
    has_health_extension,
    primary_nic,
)
from shared.azure.tags import Tags, claims, drain_faults, drained, names
from shared.config.settings import region_name
from shared.domain.concurrency import gather_bounded
from shared.domain.endpoints import Endpoint, Listing, State
from shared.domain.errors import NearzoneError

KIND = "microsoft.compute/virtualmachines"
VM_API = "2024-07-01"


class _VmProperties(msgspec.Struct, rename="camel", gc=False):
    instance_view: InstanceView | None = None
    network_profile: NetworkProfile | None = None
    virtual_machine_scale_set: Link | None = None


class _Vm(msgspec.Struct, gc=False):
    id: str
    name: str
    location: str = ""
    tags: dict[str, Any] | None = None
    properties: _VmProperties = msgspec.field(default_factory=_VmProperties)
    resources: list[Extension] | None = None


_vm = msgspec.json.Decoder(_Vm)
_vms = msgspec.json.Decoder(Page[_Vm])
_nic = msgspec.json.Decoder(Nic)
_nics = msgspec.json.Decoder(Page[Nic])


class VirtualMachines:
    """Virtual machines."""

    kind = KIND

    def __init__(self, arm: Arm) -> None:
        self._arm = arm

    async def observe(self, endpoint_id: str, previous: Endpoint | None, listed: Endpoint | None = None) -> Endpoint:
        """Read one VM, and its NIC unless a list has just shown its addresses."""
        return await as_observation(endpoint_id, KIND, previous, self._read(endpoint_id, previous, listed))

    async def _read(self, endpoint_id: str, previous: Endpoint | None, listed: Endpoint | None) -> Endpoint | None:
        vm = await self._arm.get(endpoint_id, _vm, **{"api-version": VM_API, "$expand": "instanceView"})
        if vm is None:
            return None
        is_listed = listed is not None and bool(listed.addresses)
        if listed and is_listed:
            previous = replace(previous or listed, addresses=listed.addresses)
        (nic, doubt), (set_tags, why) = await asyncio.gather(self._nic(vm, is_listed), self._set_tags(vm))
        return _to_endpoint(vm, nic, previous, has_health_extension(vm.resources), doubt or why, set_tags)

    async def _nic(self, vm: _Vm, is_listed: bool) -> tuple[Nic | None, str]:
        """Return the primary NIC of a running VM, and why it cannot be read, or "".

        `is_listed`: a list has shown its addresses.
        """
        nic_id = primary_nic(vm.properties.network_profile)
        running = machines.power_state(vm.properties.instance_view) == "running"
        if is_listed or not nic_id or not claims(vm.tags) or not running:
            return None, ""
        reading = self._arm.get(nic_id, _nic, **{"api-version": NIC_API})
        return await read_part(reading)

    async def _set_tags(self, vm: _Vm) -> tuple[Tags, str]:
        """Return the tags of a VM's scale set if they decide whether it serves, and why they are not known, or ""."""
        parent = _parent(vm) if _depends_on_set(vm, vm.properties.instance_view) else ""
        return await read_set_tags(self._arm, parent) if parent else (None, "")

    async def list_in(self, subscription: str, previous: Sequence[Endpoint]) -> Listing:
        """List all VMs of a subscription, as far as lists are sufficient."""
        return await as_listing(subscription, KIND, self._list(subscription, {each.key: each for each in previous}))

    async def _list(self, subscription: str, before: Mapping[str, Endpoint]) -> ListResult:
        vms, views, nics = await self._lists(subscription)
        sets = await self._sets(subscription, vms.values())
        unreadable = {each.id.lower() for each in vms.unreadable}
        seen = {key: view for key, view in views.items() if key not in unreadable}
        endpoints, needs_get = _join(vms, seen, nics, sets, before)
        return endpoints, [*needs_get, *vms.needs_get(KIND, {key for key, each in before.items() if each.names})]

    async def observe_many(self, subscription: str, wanted: Mapping[str, Endpoint | None]) -> Sequence[Endpoint]:
        """Read the wanted VMs (by id in lower case) for which lists are sufficient. Raises Transient, Terminal."""
        there, views, nics = await self._lists(subscription)
        vms = {key: vm for key, vm in there.items() if key in wanted}
        seen = {key: vm for key, vm in views.items() if key in vms}
        sets = await self._sets(subscription, vms.values())
        endpoints, _ = _join(vms, seen, nics, sets, {key: previous for key, previous in wanted.items() if previous})
        strangers = [_to_endpoint(vm, None, None, None) for key, vm in vms.items() if _is_irrelevant(vm, wanted[key])]
        return [*endpoints, *strangers]

    async def list_addresses(self, vms: Sequence[Endpoint]) -> list[Endpoint]:
        """Return VMs with their addresses, where lists of NICs show these with fewer calls than GETs.

        Each resource group with several of the VMs is listed, up to as many pages as it has VMs of them.
        """
        groups: defaultdict[str, list[Endpoint]] = defaultdict(list)
        for vm in vms:
            groups[vm.id.lower().partition("/providers/")[0]].append(vm)
        found = await gather_bounded(self._with_addresses(*each) for each in groups.items())
        return [vm for group in found for vm in group]

    async def _with_addresses(self, group: str, vms: Sequence[Endpoint]) -> Sequence[Endpoint]:
        found = {vm.key: vm for vm in vms}
        if len(vms) == 1:
            return vms
        nics, pages = f"{group}/providers/Microsoft.Network/networkInterfaces", len(vms)
        with suppress(NearzoneError):  # Then the NICs are read by GET.
            async for page in self._arm.pages(nics, _nics, {"api-version": NIC_API}, unreadable=[]):
                for nic in page:
                    link = nic.properties.virtual_machine
                    vm = found.get(link.id.lower()) if link and nic.properties.primary else None
                    if vm:
                        found[vm.key] = replace(vm, addresses=machines.addresses_of(nic, vm.id))
                pages -= 1
                if not pages:
                    break
        return tuple(found.values())

    async def _lists(self, subscription: str) -> tuple[Items[_Vm], Items[_Vm], Items[Nic]]:
        """Return VMs with tags and NICs, VMs with power states, and NICs; each by id in lower case."""
        path = f"/subscriptions/{subscription}/providers/"
        vms, nics = f"{path}Microsoft.Compute/virtualMachines", f"{path}Microsoft.Network/networkInterfaces"
        return await asyncio.gather(
            list_all(self._arm, vms, _vms, {"api-version": VM_API}),
            list_all(self._arm, vms, _vms, {"api-version": VM_API, "statusOnly": "true"}),
            list_all(self._arm, nics, _nics, {"api-version": NIC_API}),
        )

    async def _sets(self, subscription: str, vms: Iterable[_Vm]) -> Mapping[str, Tags]:
        """Return the tags of the scale sets, by id in lower case, if one of these VMs depends on its set."""
        needed = any(_parent(vm) and claims(vm.tags) for vm in vms)
        return await list_set_tags(self._arm, subscription) if needed else {}


def _parent(vm: _Vm) -> str:
    """Return the id of the flexible scale set that a VM belongs to, or ""."""
    link = vm.properties.virtual_machine_scale_set
    return link.id if link else ""


def _depends_on_set(vm: _Vm, view: InstanceView | None) -> bool:
    """Return whether the drain tag of its scale set decides whether a VM serves."""
    may_run = machines.power_state(view) in ("running", "", "unknown")
    return may_run and bool(_parent(vm)) and claims(vm.tags) and not drained(vm.tags)


def _join(
    vms: Mapping[str, _Vm],
    views: Mapping[str, _Vm],
    nics: Mapping[str, Nic],
    sets: Mapping[str, Tags],
    previous: Mapping[str, Endpoint],
) -> ListResult:
    """Return the endpoints for which the lists are sufficient, and the others."""
    endpoints: list[Endpoint] = []
    needs_get: list[Endpoint] = []
    for key in vms.keys() | views.keys():
        vm, view, before = vms.get(key), views.get(key), previous.get(key)
        if vm and _is_irrelevant(vm, before):
            continue
        nic_id = primary_nic(vm.properties.network_profile) if vm else None
        nic = nics.get(nic_id.lower()) if nic_id else None
        seen = view.properties.instance_view if view else None
        parent = _parent(vm).lower() if vm and _depends_on_set(vm, seen) else ""
        if vm and seen and list_is_sufficient(seen, before) and (nic or not nic_id) and (parent in sets or not parent):
            vm.properties.instance_view = seen
            health = before.health if before else None
            endpoints.append(_to_endpoint(vm, nic, before, health, set_tags=sets.get(parent)))
        else:
            needs_get.append(_from_list(vm, nic) if vm else Endpoint(view.id, KIND))  # type: ignore[union-attr] # one is there
    return endpoints, needs_get


def _is_irrelevant(vm: _Vm, previous: Endpoint | None) -> bool:
    """Return whether a VM claims no name, and has not claimed one before."""
    return not claims(vm.tags) and not (previous and previous.names)


def _from_list(vm: _Vm, nic: Nic | None) -> Endpoint:
    """Return a VM without a state, with the names and addresses from lists."""
    addresses = machines.addresses_of(nic, vm.id) if nic else ()
    return replace(_to_endpoint(vm, None, None, None), state=State.UNKNOWN, addresses=addresses, doubt="")


def list_is_sufficient(view: InstanceView, previous: Endpoint | None) -> bool:
    """Return whether a status-only list is sufficient for a VM.

    It is unknown whether such a list contains the health of VMs that report it. A running VM without health in the list
    is therefore read by GET, unless an earlier GET has shown that it reports none.
    """
    state = machines.power_state(view)
    if state in ("", "unknown"):
        return False
    if state != "running" or machines.health_state(view) is not None:
        return True
    return previous is not None and previous.health is False


def _to_endpoint(
    vm: _Vm,
    nic: Nic | None,
    previous: Endpoint | None,
    health: bool | None,
    doubt: str = "",
    set_tags: Tags = None,
) -> Endpoint:
    """Return a VM and its primary NIC as an endpoint.

    `health`: whether it has the Application Health extension, None until a GET has shown it; a GET has all extensions
    (recorded). `set_tags`: the tags of its flexible scale set.
    """
    view = vm.properties.instance_view
    tagged, own, faults = names(vm.tags, vm.name)
    seen = machines.MachineView(vm.id, view, nic, vm.tags, bool(health), doubt, set_tags)
    machine = machines.to_state(seen, previous)
    return Endpoint(
        id=vm.id,
        kind=KIND,
        region=region_name(vm.location),
        tagged=tagged,
        own=own,
        addresses=machine.addresses,
        state=machine.state,
        health=True if machines.health_state(view) is not None else health,
        doubt=machine.doubt,
        unreported=machine.unreported,
        faults=(*faults, *(f"its scale set's {fault}" for fault in drain_faults(set_tags))),
        parent=_parent(vm).lower(),
    )
