"""Walks the JSON of a world file and yields each part with its place. Judges nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

Json: TypeAlias = Mapping[str, Any]
Place: TypeAlias = tuple[str, Any]
"""A place in the file, and its value."""
_ONE_ADDRESS = (
    "load_balancers",
    "container_groups",
    "application_gateways",
    "api_managements",
    "container_environments",
)
"""The kinds whose parts in a VNet have one address each, under the key `address`."""


def listed(entry: Json, key: str, where: str = "") -> Iterator[tuple[str, Json]]:
    """The objects in a list, each with its place."""
    found = entry.get(key)
    for index, each in enumerate(found if isinstance(found, list) else ()):
        if isinstance(each, dict):
            yield f"{where}.{key}[{index}]".lstrip("."), each


def placed(world: Json) -> Iterator[tuple[str, Json, Json]]:
    """Everything in a VNet: its place, the resource with the location, and the part that names the VNet."""
    for where, vm in listed(world, "vms"):
        yield from ((place, vm, nic) for place, nic in listed(vm, "nics", where))
    for kind in ("load_balancers", "application_gateways"):
        for where, balancer in listed(world, kind):
            yield from ((place, balancer, each) for place, each in listed(balancer, "frontends", where))
    for kind in ("scale_sets", "private_endpoints", "container_groups", "api_managements", "container_environments"):
        yield from ((where, each, each) for where, each in listed(world, kind))
    for where, service in listed(world, "api_managements"):
        yield from ((place, each, each) for place, each in listed(service, "additional_locations", where))


def named_vnets(world: Json) -> Iterator[Place]:
    """All references to VNets."""
    for where, vnet in listed(world, "vnets"):
        peerings = vnet.get("peerings")
        for number, each in enumerate(peerings if isinstance(peerings, list) else ()):
            yield f"{where}.peerings[{number}]", each
    for where, zone in listed(world, "zones"):
        yield from ((f"{place}.vnet", link.get("vnet")) for place, link in listed(zone, "links", where))
    yield from ((f"{where}.vnet", each.get("vnet")) for where, _, each in placed(world))


def addresses(world: Json) -> Iterator[tuple[str, Any, Any, Any]]:
    """All addresses: place, VNet, subnet, address. A subnet without a name is `default`."""
    for where, _, each in placed(world):
        vnet, subnet = each.get("vnet"), each.get("subnet", "default")
        for place, part in (*listed(each, "ip_configurations", where), *listed(each, "instances", where)):
            yield f"{place}.address", vnet, subnet, part.get("address")
        if where.startswith(_ONE_ADDRESS) and each.get("address") is not None:
            yield f"{where}.address", vnet, subnet, each.get("address")
        several = each.get("addresses") if where.startswith("private_endpoints") else None
        for number, address in enumerate(several if isinstance(several, list) else ()):
            yield f"{where}.addresses[{number}]", vnet, subnet, address
