"""Uniform scale sets: each instance is an endpoint, and the tags are the scale set's.

An instance claims what its set claims, and the set's own name. Scaling tells one event, on the set: all its instances
are looked at then, those that are known and those that are there. The VMs of a flexible set are ordinary VMs with tags
of their own. An instance's NICs stand under the scale set: Microsoft.Network does not list them.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from shared.azure import machine as machines
from shared.azure.answers import Page, Unreadable
from shared.azure.client import Arm
from shared.azure.endpoint_kind import Items, ListResult, as_listing, as_observation, claimed, list_all, part
from shared.azure.machine import Extension, InstanceView, NetworkProfile, Nic, has_health, primary_nic
from shared.azure.tags import Tags, claims, names
from shared.azure.virtual_machines import KIND as VM_KIND
from shared.azure.virtual_machines import VM_API
from shared.config.settings import region_name
from shared.domain.endpoints import Endpoint, Listing, State
from shared.domain.resource_ids import resource_id

SET = "microsoft.compute/virtualmachinescalesets"
KIND = f"{SET}/virtualmachines"
SET_API = "2024-07-01"
NIC_API = "2018-10-01"
"""Of the NICs under a scale set. Source: vmssNetworkInterface.json of 2024-01-01, whose version this is."""


class _ExtensionProfile(msgspec.Struct, gc=False):
    extensions: list[Extension] | None = None


class _Profile(msgspec.Struct, rename="camel", gc=False):
    extension_profile: _ExtensionProfile | None = None


class _SetProperties(msgspec.Struct, rename="camel", gc=False):
    orchestration_mode: str = "Uniform"
    """Sets that are older than the choice do not say it, and are uniform."""
    virtual_machine_profile: _Profile | None = None


class _Set(msgspec.Struct, gc=False):
    id: str
    name: str
    location: str = ""
    tags: dict[str, Any] | None = None
    properties: _SetProperties = msgspec.field(default_factory=_SetProperties)

    @property
    def uniform(self) -> bool:
        return self.properties.orchestration_mode.lower() != "flexible"

    @property
    def reports_health(self) -> bool:
        profile = self.properties.virtual_machine_profile
        return has_health(profile.extension_profile.extensions if profile and profile.extension_profile else ())


class _InstanceProperties(msgspec.Struct, rename="camel", gc=False):
    latest_model_applied: bool | None = None
    instance_view: InstanceView | None = None
    network_profile: NetworkProfile | None = None


class _Instance(msgspec.Struct, gc=False):
    id: str
    properties: _InstanceProperties = msgspec.field(default_factory=_InstanceProperties)
    resources: list[Extension] | None = None


class _Vm(msgspec.Struct, gc=False):
    id: str


_set = msgspec.json.Decoder(_Set)
_sets = msgspec.json.Decoder(Page[_Set])
_instance = msgspec.json.Decoder(_Instance)
_instances = msgspec.json.Decoder(Page[_Instance])
_nics = msgspec.json.Decoder(Page[Nic])
_vms = msgspec.json.Decoder(Page[_Vm])


class ScaleSets:
    """What instances, and the VMs of flexible sets, depend on."""

    type = SET

    def __init__(self, arm: Arm) -> None:
        self._arm = arm

    async def members(self, set_id: str, known: Sequence[Endpoint]) -> ListResult:
        """Its instances as lists show them, or the ids of its VMs. Raises Transient, Terminal.

        Nothing where it claims no name and none of its instances did.
        """
        try:
            found = await self._arm.get(set_id, _set, **{"api-version": SET_API})
        except Unreadable as error:
            return await _inside(self._arm, set_id, error.tags)
        if found is None:
            return [], []
        if not found.uniform:
            vms = f"/subscriptions/{set_id.split('/')[2]}/providers/Microsoft.Compute/virtualMachines"
            wanted = {"api-version": VM_API, "$filter": f"'virtualMachineScaleSet/id' eq '{found.id}'"}
            there = await list_all(self._arm, vms, _vms, wanted)
            return [], [Endpoint(each.id, VM_KIND) for each in there.values()]
        if not claims(found.tags) and not any(each.names for each in known):
            return [], []
        return await members_of(self._arm, found, {each.key: each for each in known})


class ScaleSetInstances:
    """One kind of endpoint."""

    kind = KIND

    def __init__(self, arm: Arm) -> None:
        self._arm = arm

    async def observe(self, endpoint_id: str, known: Endpoint | None, listed: Endpoint | None = None) -> Endpoint:
        """Read one instance, with its scale set and its NICs."""
        del listed
        return await as_observation(endpoint_id, KIND, known, self._read(endpoint_id, known))

    async def _read(self, endpoint_id: str, known: Endpoint | None) -> Endpoint | None:
        of, (instance, doubt) = await asyncio.gather(
            self._set(_scale_set_id(endpoint_id)), part(self._instance(endpoint_id))
        )
        if of is None or not of.uniform or (instance is None and not doubt):
            return None
        nics: Items[Nic] | None = None
        if instance and claims(of.tags) and machines.power(instance.properties.instance_view) == "running":
            path = f"{endpoint_id}/networkInterfaces"
            nics, doubt = await part(list_all(self._arm, path, _nics, {"api-version": NIC_API}))
            doubt = nics.doubt if nics is not None else doubt
        return _to_endpoint(of, instance or _Instance(endpoint_id), nics or {}, known, doubt)

    async def _set(self, set_id: str) -> _Set | None:
        return await self._arm.get(set_id, _set, **{"api-version": SET_API})

    async def _instance(self, instance_id: str) -> _Instance | None:
        return await self._arm.get(instance_id, _instance, **{"api-version": SET_API, "$expand": "instanceView"})

    async def list_in(self, subscription: str, known: Sequence[Endpoint]) -> Listing:
        """All instances of the uniform scale sets of a subscription that claim names, or did."""
        return await as_listing(subscription, KIND, self._list(subscription, {each.key: each for each in known}))

    async def _list(self, subscription: str, known: Mapping[str, Endpoint]) -> ListResult:
        path = f"/subscriptions/{subscription}/providers/Microsoft.Compute/virtualMachineScaleSets"
        sets = await list_all(self._arm, path, _sets, {"api-version": SET_API})
        remembered = {endpoint.parent for endpoint in known.values() if endpoint.names}
        wanted = [of for key, of in sets.items() if of.uniform and (claims(of.tags) or key in remembered)]
        unread = [self._left_open(each, known) for each in sets.unreadable if _concerns(each, remembered)]
        return _concat(await asyncio.gather(*(members_of(self._arm, of, known) for of in wanted), *unread))

    async def _left_open(self, found: Unreadable, known: Mapping[str, Endpoint]) -> ListResult:
        """All instances, known or there, of a set that cannot be read."""
        there = (await _inside(self._arm, found.id, found.tags))[1]
        before = [_unread(each) for each in known.values() if each.parent == found.id.lower()]
        return [], list({each.key: each for each in (*before, *there)}.values())

    async def observe_many(self, subscription: str, wanted: Mapping[str, Endpoint | None]) -> Sequence[Endpoint]:
        """Those of the wanted instances (by id in lower case) of which the lists of their sets say enough."""
        del subscription  # Their ids say enough.
        by_set: defaultdict[str, set[str]] = defaultdict(set)
        for endpoint_id in wanted:
            by_set[_scale_set_id(endpoint_id)].add(endpoint_id)
        known = {key: endpoint for key, endpoint in wanted.items() if endpoint}
        found = _concat(await asyncio.gather(*(self._some(set_id, known) for set_id in by_set)))
        return [endpoint for endpoint in found[0] if endpoint.key in wanted]

    async def _some(self, set_id: str, known: Mapping[str, Endpoint]) -> ListResult:
        of = await self._set(set_id)
        return await members_of(self._arm, of, known) if of and of.uniform else ([], [])


async def members_of(arm: Arm, of: _Set, known: Mapping[str, Endpoint]) -> ListResult:
    """The instances of a uniform set, by two lists. Raises Transient, Terminal."""
    query = {"api-version": SET_API, "$expand": "instanceView"}
    instances, nics = await asyncio.gather(
        list_all(arm, f"{of.id}/virtualMachines", _instances, query),
        list_all(arm, f"{of.id}/networkInterfaces", _nics, {"api-version": NIC_API}),
    )
    found = {key: _to_endpoint(of, each, nics, known.get(key)) for key, each in instances.items()}
    clear = {key for key, each in instances.items() if _list_is_sufficient(of, each, nics)}
    unclear = [_unread(each) for key, each in found.items() if key not in clear]
    unclear += [_member(each.id, of.id, of.tags) for each in instances.unreadable if each.id]
    return [each for key, each in found.items() if key in clear], unclear


async def _inside(arm: Arm, set_id: str, tags: Tags) -> ListResult:
    """The instances of a uniform set that cannot be read itself, all left open. Raises Transient, Terminal.

    None where it has not opted in.
    """
    if not claims(tags):
        return [], []
    there = await list_all(arm, f"{set_id}/virtualMachines", _vms, {"api-version": SET_API})
    return [], [_member(each.id, set_id, tags) for each in there.values()]


def _member(instance_id: str, set_id: str, tags: Tags) -> Endpoint:
    """What a set's tags say of an instance."""
    return replace(claimed(set_id, KIND, tags), id=instance_id, parent=set_id.lower())


def _unread(found: Endpoint) -> Endpoint:
    """The same without what the lists leave open."""
    return replace(found, state=State.UNKNOWN, doubt="", unreported=False)


def _concerns(found: Unreadable, remembered: Collection[str]) -> bool:
    """Whether a set that cannot be read claims names, or its instances did."""
    return bool(found.id) and (claims(found.tags) or found.id.lower() in remembered)


def _scale_set_id(instance: str) -> str:
    found = resource_id(instance)
    return found.id if found else instance


def _concat(parts: Sequence[ListResult]) -> ListResult:
    return [each for endpoints, _ in parts for each in endpoints], [each for _, unclear in parts for each in unclear]


def _list_is_sufficient(of: _Set, instance: _Instance, nics: Collection[str]) -> bool:
    """Whether the lists say enough of an instance."""
    view = instance.properties.instance_view
    if machines.power(view) != "running":
        return machines.power(view) not in ("", "unknown")
    nic = primary_nic(instance.properties.network_profile)
    return (nic is None or nic.lower() in nics) and (not _reports(of, instance) or machines.health(view) is not None)


def _reports(of: _Set, instance: _Instance) -> bool:
    """Whether an instance has the Application Health extension: as it says itself, otherwise as the set's model does.

    An instance to which the latest model has not been applied may be older than the extension in it.
    """
    if instance.resources is not None:
        return has_health(instance.resources)
    return of.reports_health and instance.properties.latest_model_applied is not False


def _to_endpoint(
    of: _Set, instance: _Instance, nics: Mapping[str, Nic], known: Endpoint | None, doubt: str = ""
) -> Endpoint:
    """What an instance, its set and its NICs amount to."""
    view, nic = instance.properties.instance_view, primary_nic(instance.properties.network_profile)
    tagged, own, faults = names(of.tags, of.name)
    seen = machines.MachineView(
        instance.id, view, nics.get((nic or "").lower()), of.tags, _reports(of, instance), doubt
    )
    machine = machines.assess(seen, known)
    return Endpoint(
        id=instance.id,
        kind=KIND,
        region=region_name(of.location),
        tagged=tagged,
        own=own,
        addresses=machine.addresses,
        state=machine.state,
        health=_reports(of, instance) or machines.health(view) is not None,
        doubt=machine.doubt,
        unreported=machine.unreported,
        faults=faults,
        parent=of.id.lower(),
    )
