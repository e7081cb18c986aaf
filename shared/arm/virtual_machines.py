"""Virtual machines as endpoints: power state and health from the instance view, addresses from the primary NIC.

Only the primary IPv4 configurations of the primary NIC are published. A stopped VM's NIC is not read: its last known
addresses stay in the catalog, and say what its withdrawal explains.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Protocol, TypeVar

import msgspec

from shared.arm.client import Arm, Page
from shared.errors import Forbidden, NearzoneError
from shared.model import Address, Endpoint, State, resource_id
from shared.ports import Listing
from shared.settings import LABEL, region_name

KIND = "microsoft.compute/virtualmachines"
NIC = "microsoft.network/networkinterfaces"
VM_API = "2024-07-01"
NIC_API = "2024-01-01"
TAG = "nearzone"
DRAIN_TAG = "nearzone-drain"


class _Resource(Protocol):
    id: str


R = TypeVar("R", bound=_Resource)


class _Status(msgspec.Struct, gc=False):
    code: str = ""


class _Health(msgspec.Struct, gc=False):
    status: _Status | None = None


class _InstanceView(msgspec.Struct, rename="camel", gc=False):
    statuses: list[_Status] | None = None
    vm_health: _Health | None = None


class _Primary(msgspec.Struct, gc=False):
    primary: bool | None = None


class _NicLink(msgspec.Struct, gc=False):
    id: str
    properties: _Primary | None = None


class _NetworkProfile(msgspec.Struct, rename="camel", gc=False):
    network_interfaces: list[_NicLink] | None = None


class _VmProperties(msgspec.Struct, rename="camel", gc=False):
    instance_view: _InstanceView | None = None
    network_profile: _NetworkProfile | None = None


class _ExtensionProperties(msgspec.Struct, gc=False):
    type: str = ""


class _Extension(msgspec.Struct, gc=False):
    properties: _ExtensionProperties | None = None


class _Vm(msgspec.Struct, gc=False):
    id: str
    name: str
    location: str = ""
    tags: dict[str, str] | None = None
    properties: _VmProperties = msgspec.field(default_factory=_VmProperties)
    resources: list[_Extension] | None = None


class _Link(msgspec.Struct, gc=False):
    id: str = ""


class _IpProperties(msgspec.Struct, rename="camel", gc=False):
    address: str | None = msgspec.field(name="privateIPAddress", default=None)
    version: str | None = msgspec.field(name="privateIPAddressVersion", default=None)
    primary: bool | None = None
    subnet: _Link | None = None


class _IpConfiguration(msgspec.Struct, gc=False):
    properties: _IpProperties = msgspec.field(default_factory=_IpProperties)


class _NicProperties(msgspec.Struct, rename="camel", gc=False):
    ip_configurations: list[_IpConfiguration] | None = None
    virtual_machine: _Link | None = None


class _Nic(msgspec.Struct, gc=False):
    id: str
    properties: _NicProperties = msgspec.field(default_factory=_NicProperties)


_vm = msgspec.json.Decoder(_Vm)
_vms = msgspec.json.Decoder(Page[_Vm])
_nic = msgspec.json.Decoder(_Nic)
_nics = msgspec.json.Decoder(Page[_Nic])


class VirtualMachines:
    """One kind of endpoint: observe one, list all of a subscription, and find whose a NIC is."""

    kind = KIND
    depends_on = frozenset({NIC})

    def __init__(self, arm: Arm) -> None:
        self._arm = arm

    async def owners(self, dependency: str) -> Sequence[str]:
        """The VM that a NIC is attached to. Raises Transient, Terminal."""
        nic = await self._arm.get(dependency, _nic, **{"api-version": NIC_API})
        link = nic.properties.virtual_machine if nic else None
        owner = resource_id(link.id) if link else None  # A scale set's VM owns NICs of its own kind.
        return [owner.id] if owner and owner.whole and owner.type == KIND else []

    async def observe(self, endpoint_id: str, known: Endpoint | None) -> Endpoint:
        """Read one VM: its GET 404 makes it gone, 403 leaves what was known, in doubt. Raises Transient, Terminal."""
        try:
            vm = await self._arm.get(endpoint_id, _vm, **{"api-version": VM_API, "$expand": "instanceView"})
            if vm is None:
                return replace(known or Endpoint(endpoint_id, KIND), state=State.GONE, doubt="")
            nic_id = primary_nic(vm)
            nic = None
            if nic_id and claims(vm) and power(vm) == "running":
                nic = await self._arm.get(nic_id, _nic, **{"api-version": NIC_API})
        except Forbidden as error:
            return replace(known or Endpoint(endpoint_id, KIND), doubt=f"cannot be read: {error}")
        return replace(assess(vm, nic, known), health=reports_health(vm))

    async def listing(self, subscription: str, known: Sequence[Endpoint]) -> Listing:
        """All VMs of a subscription, as far as lists say enough."""
        before = {endpoint.key: endpoint for endpoint in known}
        try:
            endpoints, unclear = _join(*await self._lists(subscription), before)
        except NearzoneError as error:
            return Listing(subscription, KIND, error=f"{type(error).__name__}: {error}")
        return Listing(subscription, KIND, tuple(endpoints), tuple(unclear))

    async def several(self, subscription: str, wanted: Mapping[str, Endpoint | None]) -> Sequence[Endpoint]:
        """Those of the wanted VMs (by id in lower case) of which lists say enough. Raises Transient, Terminal."""
        vms, views, nics = await self._lists(subscription)
        vms = {key: vm for key, vm in vms.items() if key in wanted}
        views = {key: vm for key, vm in views.items() if key in vms}
        endpoints, _ = _join(vms, views, nics, {key: known for key, known in wanted.items() if known})
        return endpoints

    async def _lists(self, subscription: str) -> tuple[dict[str, _Vm], dict[str, _Vm], dict[str, _Nic]]:
        """VMs with tags and NICs, VMs with power states, and NICs; each by id in lower case."""
        path = f"/subscriptions/{subscription}/providers/"
        vms, nics = f"{path}Microsoft.Compute/virtualMachines", f"{path}Microsoft.Network/networkInterfaces"
        return await asyncio.gather(
            self._all(vms, _vms, {"api-version": VM_API}),
            self._all(vms, _vms, {"api-version": VM_API, "statusOnly": "true"}),
            self._all(nics, _nics, {"api-version": NIC_API}),
        )

    async def _all(self, path: str, decoder: msgspec.json.Decoder[Page[R]], query: dict[str, str]) -> dict[str, R]:
        return {each.id.lower(): each async for page in self._arm.pages(path, decoder, query) for each in page}


def _join(
    listed: Mapping[str, _Vm], viewed: Mapping[str, _Vm], nics: Mapping[str, _Nic], known: Mapping[str, Endpoint]
) -> tuple[list[Endpoint], list[str]]:
    """Endpoints of which the lists say enough, and the ids of those that they leave open."""
    endpoints, unclear = [], []
    for key in listed.keys() | viewed.keys():
        vm, view, before = listed.get(key), viewed.get(key), known.get(key)
        if vm and not claims(vm) and not (before and before.names):
            continue
        nic_id = primary_nic(vm) if vm else None
        nic = nics.get(nic_id.lower()) if nic_id else None
        if vm and view and view.properties.instance_view and told(view, before) and (nic or not nic_id):
            vm.properties.instance_view = view.properties.instance_view
            endpoints.append(assess(vm, nic, before))
        else:
            unclear.append((vm or view).id)  # type: ignore[union-attr] # the key is in one of the two
    return endpoints, unclear


def told(view: _Vm, known: Endpoint | None) -> bool:
    """Whether a status-only list says enough of a VM.

    It is not known whether such a list holds the health of VMs that report it. So a running VM without health in the
    list is read by GET, unless an earlier GET has shown that it reports none.
    """
    instance, state = view.properties.instance_view, power(view)
    if state in ("", "unknown"):
        return False
    if state != "running" or (instance and instance.vm_health):
        return True
    return known is not None and known.health is False


def power(vm: _Vm) -> str:
    """The power state in lower case, e.g. `running`, or "" where the instance view tells none."""
    view = vm.properties.instance_view
    for status in (view.statuses or ()) if view else ():
        kind, _, state = status.code.lower().partition("/")
        if kind == "powerstate":
            return state
    return ""


def tag(vm: _Vm, name: str) -> str | None:
    """A tag's value; tag names are not case-sensitive in Azure."""
    for key, value in (vm.tags or {}).items():
        if key.lower() == name:
            return value
    return None


def claims(vm: _Vm) -> bool:
    """Whether the VM has opted in."""
    return tag(vm, TAG) is not None


def primary_nic(vm: _Vm) -> str | None:
    """The id of the only NIC, or of the one that is marked primary."""
    profile = vm.properties.network_profile
    links = (profile.network_interfaces or []) if profile else []
    if len(links) == 1:
        return links[0].id
    return next((link.id for link in links if link.properties and link.properties.primary), None)


def assess(vm: _Vm, nic: _Nic | None, known: Endpoint | None) -> Endpoint:
    """What a VM and its primary NIC amount to. An unknown power state leaves what was known, in doubt."""
    tagged, own, faults = _names(vm)
    running, health = power(vm), _health(vm)
    state = _state(running, health, (tag(vm, DRAIN_TAG) or "").strip().lower() == "true")
    addresses = _addresses(nic, vm.id) if running == "running" and nic else (known.addresses if known else ())
    if state == State.SERVING and not addresses and claims(vm):
        state = State.WARMING
    doubt = ""
    if running in ("", "unknown") and known and known.state != State.GONE:
        state, doubt = known.state, "Azure does not tell its power state"
    return Endpoint(
        id=vm.id,
        kind=KIND,
        region=region_name(vm.location),
        tagged=tagged,
        own=own,
        addresses=addresses,
        state=state,
        health=True if health is not None else known.health if known else None,
        doubt=doubt,
        faults=faults,
    )


def _names(vm: _Vm) -> tuple[tuple[str, ...], str | None, tuple[str, ...]]:
    """The names that it claims by tag, its own where it has opted in, and what is no DNS label among them, in words."""
    text = tag(vm, TAG)
    return ((), None, ()) if text is None else _claimed(text, vm.name.lower())


@lru_cache(50_000)
def _claimed(text: str, own: str) -> tuple[tuple[str, ...], str | None, tuple[str, ...]]:
    wanted = [item.strip().lower() for item in text.split(",") if item.strip()]
    labels = {item for item in wanted if LABEL.fullmatch(item)}
    faults = [f"tag {TAG}: {item[:80]!r} is no DNS label" for item in wanted if item not in labels]
    if LABEL.fullmatch(own):
        return tuple(sorted(labels)), own, tuple(faults)
    return tuple(sorted(labels)), None, (*faults, f"its own name {own!r} is no DNS label and is not claimed")


def reports_health(vm: _Vm) -> bool:
    """Whether a VM that was read by GET has the Application Health extension; recorded GETs hold all extensions."""
    extensions = [each.properties.type.lower() for each in vm.resources or () if each.properties]
    return _health(vm) is not None or any(each.startswith("applicationhealth") for each in extensions)


def _health(vm: _Vm) -> str | None:
    """The state that the Application Health extension reports, e.g. `healthy`, or None where none does."""
    view = vm.properties.instance_view
    if view is None or view.vm_health is None:
        return None
    status = view.vm_health.status
    return (status.code if status else "").lower().removeprefix("healthstate/")


def _state(running: str, health: str | None, drained: bool) -> State:
    if running in ("starting", "", "unknown"):
        return State.WARMING
    if running != "running":
        return State.STOPPED
    if drained:
        return State.DRAINING
    return State.SERVING if health in (None, "healthy") else State.WARMING


def _addresses(nic: _Nic, vm_id: str) -> tuple[Address, ...]:
    """The primary IPv4 configurations' addresses; none while the NIC is attached to something else."""
    owner = nic.properties.virtual_machine
    if owner is None or owner.id.lower() != vm_id.lower():
        return ()
    found = []
    for each in nic.properties.ip_configurations or ():
        ip = each.properties
        if ip.primary and ip.address and (ip.version or "IPv4") == "IPv4":
            subnet = ip.subnet.id.lower() if ip.subnet else ""
            found.append(Address(ip.address, subnet.split("/subnets/", 1)[0]))
    return tuple(sorted(found))
