"""The regions that a request depends on, which fail together. Pure reading of a simulated Azure.

A resource with a location is in that region. A private DNS zone is global in Azure; here it belongs to the regions of
the VNets that are linked to it, as a zone for one region's clients does. A list depends on the regions of all its
items.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simulator.arm.collection import Collection
from simulator.arm.front_door import Call
from simulator.cloud import SimulatedAzure

_TAGS = "/providers/microsoft.resources/tags"


def all_regions(cloud: SimulatedAzure) -> list[str]:
    """The regions that have a VNet or a VM."""
    return sorted({each.location for each in cloud.network.vnets} | {each.location for each in cloud.compute.vms})


def regions_of(cloud: SimulatedAzure, call: Call) -> set[str]:
    """The regions that a call depends on; none for a missing resource."""
    kind = call.types[0].lower()
    if kind == "locations":
        return set(call.names[:1])
    if kind == "privatednszones":
        return _of_zone(cloud, "/".join(call.id.split("/")[:9])) if call.names else set()
    if _TAGS in call.id.lower():
        scope = call.id[: call.id.lower().index(_TAGS)]
        found = [each for one in _collections(cloud).values() if (each := one.find(scope))]
        return {each.location for each in found}
    resources = _collections(cloud).get(kind)
    if resources is None:
        return set()
    if call.names:
        named = resources.find(resources.id_of(call))
        return {named.location} if named else set()
    scope = call.id[: call.id.lower().rindex("/providers/")].lower() + "/"
    return {each.location for each in resources if each.id.lower().startswith(scope)}


def _collections(cloud: SimulatedAzure) -> Mapping[str, Collection[Any]]:
    return {
        "virtualmachines": cloud.compute.vms,
        "virtualmachinescalesets": cloud.compute.scale_sets.sets,
        "networkinterfaces": cloud.network.nics,
        "virtualnetworks": cloud.network.vnets,
        "loadbalancers": cloud.load_balancers.all,
        "privateendpoints": cloud.private_endpoints.all,
        "containergroups": cloud.container_groups.all,
        "applicationgateways": cloud.application_gateways.all,
        "service": cloud.api_managements.all,
        "managedenvironments": cloud.container_environments.all,
    }


def _of_zone(cloud: SimulatedAzure, zone_id: str) -> set[str]:
    zone = cloud.private_dns.zone(zone_id)
    vnets = [cloud.network.vnets.find(link.vnet) for link in (zone.links if zone else ())]
    return {vnet.location for vnet in vnets if vnet}
