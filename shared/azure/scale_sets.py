"""Uniform scale sets: each instance is an endpoint, and has the tags of the scale set.

An instance claims the names of its set, and the set's own name. Scaling sends one event, about the set: then all its
instances are read, those in the catalog and those that exist. The VMs of a flexible set are ordinary VMs with their own
tags; only its drain tag counts for them (`flexible_sets.py`). The NICs of an instance are below the scale set:
Microsoft.Network does not list them.
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
from shared.azure.endpoint_kind import Items, ListResult, as_listing, as_observation, from_tags, list_all, read_part
from shared.azure.flexible_sets import SET_API
from shared.azure.machine import Extension, InstanceView, NetworkProfile, Nic, has_health_extension, primary_nic
from shared.azure.tags import Tags, claims, names
from shared.azure.virtual_machines import KIND as VM_KIND
from shared.azure.virtual_machines import VM_API
from shared.config.settings import region_name
from shared.domain.endpoints import Endpoint, Listing, State
from shared.domain.resource_ids import resource_id

SET = "microsoft.compute/virtualmachinescalesets"
KIND = f"{SET}/virtualmachines"
NIC_API = "2018-10-01"
"""For the NICs below a scale set. Source: vmssNetworkInterface.json of 2024-01-01, which has this version."""


class _ExtensionProfile(msgspec.Struct, gc=False):
    extensions: list[Extension] | None = None


class _Profile(msgspec.Struct, rename="camel", gc=False):
    extension_profile: _ExtensionProfile | None = None


class _SetProperties(msgspec.Struct, rename="camel", gc=False):
    orchestration_mode: str = "Uniform"
    """Scale sets from before this choice existed do not have the field, and are uniform."""
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
        return has_health_extension(
            profile.extension_profile.extensions if profile and profile.extension_profile else ()
        )


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
    """Scale sets, which contain instances, or the VMs of flexible sets."""

    type = SET

    def __init__(self, arm: Arm) -> None:
        self._arm = arm

    async def members(self, set_id: str, previous: Sequence[Endpoint]) -> ListResult | None:
        """Return its instances as lists show them, or the ids of its VMs; None if it does not exist.

        Nothing if it claims no name and none of its instances did before. Raises Transient, Terminal.
        """
        try:
            found = await self._arm.get(set_id, _set, **{"api-version": SET_API})
        except Unreadable as error:
            return await _members_of_unreadable(self._arm, set_id, error.tags)
        if found is None:
            return None
        if not found.uniform:
            vms = f"/subscriptions/{set_id.split('/')[2]}/providers/Microsoft.Compute/virtualMachines"
            wanted = {"api-version": VM_API, "$filter": f"'virtualMachineScaleSet/id' eq '{found.id}'"}
            there = await list_all(self._arm, vms, _vms, wanted)
            return [], [Endpoint(each.id, VM_KIND) for each in there.values()]
        if not claims(found.tags) and not any(each.names for each in previous):
            return [], []
        return await members_of(self._arm, found, {each.key: each for each in previous})


class ScaleSetInstances:
    """The instances of uniform scale sets."""

    kind = KIND

    def __init__(self, arm: Arm) -> None:
        self._arm = arm

    async def observe(self, endpoint_id: str, previous: Endpoint | None, listed: Endpoint | None = None) -> Endpoint:
        """Read one instance, with its scale set and its NICs."""
        del listed
        return await as_observation(endpoint_id, KIND, previous, self._read(endpoint_id, previous))

    async def _read(self, endpoint_id: str, previous: Endpoint | None) -> Endpoint | None:
        scale_set, (instance, doubt) = await asyncio.gather(
            self._set(_scale_set_id(endpoint_id)), read_part(self._instance(endpoint_id))
        )
        if scale_set is None or not scale_set.uniform or (instance is None and not doubt):
            return None
        nics: Items[Nic] | None = None
        if instance and claims(scale_set.tags) and machines.power_state(instance.properties.instance_view) == "running":
            path = f"{endpoint_id}/networkInterfaces"
            nics, doubt = await read_part(list_all(self._arm, path, _nics, {"api-version": NIC_API}))
            doubt = nics.doubt if nics is not None else doubt
        return _to_endpoint(scale_set, instance or _Instance(endpoint_id), nics or {}, previous, doubt)

    async def _set(self, set_id: str) -> _Set | None:
        return await self._arm.get(set_id, _set, **{"api-version": SET_API})

    async def _instance(self, instance_id: str) -> _Instance | None:
        return await self._arm.get(instance_id, _instance, **{"api-version": SET_API, "$expand": "instanceView"})

    async def list_in(self, subscription: str, previous: Sequence[Endpoint]) -> Listing:
        """List all instances of the uniform scale sets of a subscription that claim names, or claimed names before."""
        return await as_listing(subscription, KIND, self._list(subscription, {each.key: each for each in previous}))

    async def _list(self, subscription: str, previous: Mapping[str, Endpoint]) -> ListResult:
        path = f"/subscriptions/{subscription}/providers/Microsoft.Compute/virtualMachineScaleSets"
        sets = await list_all(self._arm, path, _sets, {"api-version": SET_API})
        previous_parents = {endpoint.parent for endpoint in previous.values() if endpoint.names}
        wanted = [
            scale_set
            for key, scale_set in sets.items()
            if scale_set.uniform and (claims(scale_set.tags) or key in previous_parents)
        ]
        unread = [self._without_set(each, previous) for each in sets.unreadable if _is_relevant(each, previous_parents)]
        return _concat(
            await asyncio.gather(*(members_of(self._arm, scale_set, previous) for scale_set in wanted), *unread)
        )

    async def _without_set(self, found: Unreadable, previous: Mapping[str, Endpoint]) -> ListResult:
        """Return all instances of a set that cannot be read, from the catalog and from a list, without a state."""
        there = (await _members_of_unreadable(self._arm, found.id, found.tags))[1]
        before = [_without_state(each) for each in previous.values() if each.parent == found.id.lower()]
        return [], list({each.key: each for each in (*before, *there)}.values())

    async def observe_many(self, subscription: str, wanted: Mapping[str, Endpoint | None]) -> Sequence[Endpoint]:
        """Read the wanted instances (by id in lower case) for which the lists of their sets are sufficient."""
        del subscription  # Their ids have it.
        by_set: defaultdict[str, set[str]] = defaultdict(set)
        for endpoint_id in wanted:
            by_set[_scale_set_id(endpoint_id)].add(endpoint_id)
        previous = {key: endpoint for key, endpoint in wanted.items() if endpoint}
        found = _concat(await asyncio.gather(*(self._members_of(set_id, previous) for set_id in by_set)))
        return [endpoint for endpoint in found[0] if endpoint.key in wanted]

    async def _members_of(self, set_id: str, previous: Mapping[str, Endpoint]) -> ListResult:
        scale_set = await self._set(set_id)
        return await members_of(self._arm, scale_set, previous) if scale_set and scale_set.uniform else ([], [])


async def members_of(arm: Arm, scale_set: _Set, previous: Mapping[str, Endpoint]) -> ListResult:
    """Return the instances of a uniform set, by two lists. Raises Transient, Terminal."""
    query = {"api-version": SET_API, "$expand": "instanceView"}
    instances, nics = await asyncio.gather(
        list_all(arm, f"{scale_set.id}/virtualMachines", _instances, query),
        list_all(arm, f"{scale_set.id}/networkInterfaces", _nics, {"api-version": NIC_API}),
    )
    found = {key: _to_endpoint(scale_set, each, nics, previous.get(key)) for key, each in instances.items()}
    clear = {key for key, each in instances.items() if _list_is_sufficient(scale_set, each, nics)}
    needs_get = [_without_state(each) for key, each in found.items() if key not in clear]
    needs_get += [_member_from_tags(each.id, scale_set.id, scale_set.tags) for each in instances.unreadable if each.id]
    return [each for key, each in found.items() if key in clear], needs_get


async def _members_of_unreadable(arm: Arm, set_id: str, tags: Tags) -> ListResult:
    """Return the instances of a set that cannot be read itself, without a state. Raises Transient, Terminal.

    None if the set has not opted in.
    """
    if not claims(tags):
        return [], []
    there = await list_all(arm, f"{set_id}/virtualMachines", _vms, {"api-version": SET_API})
    return [], [_member_from_tags(each.id, set_id, tags) for each in there.values()]


def _member_from_tags(instance_id: str, set_id: str, tags: Tags) -> Endpoint:
    """Return an instance with the names that the tags of its set claim."""
    return replace(from_tags(set_id, KIND, tags), id=instance_id, parent=set_id.lower())


def _without_state(found: Endpoint) -> Endpoint:
    """Return the endpoint without a state."""
    return replace(found, state=State.UNKNOWN, doubt="", unreported=False)


def _is_relevant(found: Unreadable, previous_parents: Collection[str]) -> bool:
    """Return whether a set that cannot be read claims names, or its instances did before."""
    return bool(found.id) and (claims(found.tags) or found.id.lower() in previous_parents)


def _scale_set_id(instance: str) -> str:
    found = resource_id(instance)
    return found.id if found else instance


def _concat(parts: Sequence[ListResult]) -> ListResult:
    return [each for endpoints, _ in parts for each in endpoints], [
        each for _, needs_get in parts for each in needs_get
    ]


def _list_is_sufficient(scale_set: _Set, instance: _Instance, nics: Collection[str]) -> bool:
    """Return whether the lists are sufficient for an instance."""
    view = instance.properties.instance_view
    if machines.power_state(view) != "running":
        return machines.power_state(view) not in ("", "unknown")
    nic = primary_nic(instance.properties.network_profile)
    return (nic is None or nic.lower() in nics) and (
        not _reports(scale_set, instance) or machines.health_state(view) is not None
    )


def _reports(scale_set: _Set, instance: _Instance) -> bool:
    """Return whether an instance has the Application Health extension: by its own list, otherwise by the set's model.

    If the latest model has not been applied to an instance, it may lack the extension of the model.
    """
    if instance.resources is not None:
        return has_health_extension(instance.resources)
    return scale_set.reports_health and instance.properties.latest_model_applied is not False


def _to_endpoint(
    scale_set: _Set, instance: _Instance, nics: Mapping[str, Nic], previous: Endpoint | None, doubt: str = ""
) -> Endpoint:
    """Return an instance, with its set and its NICs, as an endpoint."""
    view, nic = instance.properties.instance_view, primary_nic(instance.properties.network_profile)
    tagged, own, faults = names(scale_set.tags, scale_set.name)
    seen = machines.MachineView(
        instance.id, view, nics.get((nic or "").lower()), scale_set.tags, _reports(scale_set, instance), doubt
    )
    machine = machines.to_state(seen, previous)
    return Endpoint(
        id=instance.id,
        kind=KIND,
        region=region_name(scale_set.location),
        tagged=tagged,
        own=own,
        addresses=machine.addresses,
        state=machine.state,
        health=_reports(scale_set, instance) or machines.health_state(view) is not None,
        doubt=machine.doubt,
        unreported=machine.unreported,
        faults=faults,
        parent=scale_set.id.lower(),
    )
