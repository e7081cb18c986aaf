"""What the types of a world file's fields cannot say: VNets that are there, ranges, and addresses taken once.

Every fault is a WorldError that names the field.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import ip_address, ip_network
from typing import Any, TypeAlias

from simulator import world_endpoints, world_scale_sets
from simulator.record_sets import FIELDS
from simulator.world_entries import World, WorldError

Prefixes: TypeAlias = Mapping[str, list[Any]]
"""The ranges of each VNet by its id in lower case."""


def check(world: World) -> None:
    """Raise WorldError for a world that cannot be."""
    seen: set[str] = set()
    for where, each in _ids(world):
        if each.lower() in seen:
            raise WorldError(f"{where}: found {each!r} twice, expected each id once")
        seen.add(each.lower())
    _check_records(world)
    prefixes = _prefixes(world)
    for where, vnet in _named_vnets(world):
        if vnet.lower() not in prefixes:
            raise WorldError(f"{where}: {vnet!r} is not among the vnets")
    world_scale_sets.check_links(world)
    taken: set[tuple[str, str]] = set()
    for where, vnet, address in _addresses(world):
        _check_address(where, address, prefixes[vnet.lower()])
        if (vnet.lower(), address) in taken:
            raise WorldError(f"{where}: {address} is taken twice in this VNet")
        taken.add((vnet.lower(), address))


def _ids(world: World) -> Iterator[tuple[str, str]]:
    """The ids of everything, each with the field. Raises WorldError for a NIC without an address."""
    for kind in (field for field in World.__struct_fields__ if field != "settings"):
        yield from ((f"{kind}[{index}].id", each.id) for index, each in enumerate(getattr(world, kind)))
    for index, vm in enumerate(world.vms):
        for number, nic in enumerate(vm.nics):
            where = f"vms[{index}].nics[{number}]"
            yield f"{where}.id", nic.id
            if not nic.ip_configurations:
                raise WorldError(f"{where}.ip_configurations: found none, expected at least one")


def _check_records(world: World) -> None:
    for index, zone in enumerate(world.zones):
        for number, record in enumerate(zone.records):
            where = f"zones[{index}].records[{number}]"
            if record.type.upper() not in FIELDS:
                raise WorldError(f"{where}.type: found {record.type!r}, expected one of {', '.join(FIELDS)}")
            if record.auto_registered and not record.addresses:
                raise WorldError(f"{where}.addresses: found none, expected the address that is registered")


def _prefixes(world: World) -> Prefixes:
    found = {}
    for index, vnet in enumerate(world.vnets):
        where = f"vnets[{index}]"
        found[vnet.id.lower()] = [_network(f"{where}.prefixes[{n}]", each) for n, each in enumerate(vnet.prefixes)]
        for number, subnet in enumerate(vnet.subnets):
            _network(f"{where}.subnets[{number}].prefix", subnet.prefix)
    return found


def _named_vnets(world: World) -> Iterator[tuple[str, str]]:
    """The VNets that something names, each with the field."""
    for index, vnet in enumerate(world.vnets):
        yield from ((f"vnets[{index}].peerings[{number}]", remote) for number, remote in enumerate(vnet.peerings))
    for index, zone in enumerate(world.zones):
        yield from ((f"zones[{index}].links[{number}].vnet", link.vnet) for number, link in enumerate(zone.links))
    for index, vm in enumerate(world.vms):
        yield from ((f"vms[{index}].nics[{number}].vnet", nic.vnet) for number, nic in enumerate(vm.nics))
    yield from ((f"scale_sets[{index}].vnet", each.vnet) for index, each in enumerate(world.scale_sets))
    yield from ((f"{where}.vnet", vnet) for where, vnet, _ in world_endpoints.addresses(world))


def _addresses(world: World) -> Iterator[tuple[str, str, str]]:
    """The addresses that something has, each with the field and its VNet."""
    for index, vm in enumerate(world.vms):
        for number, nic in enumerate(vm.nics):
            for position, each in enumerate(nic.ip_configurations):
                yield f"vms[{index}].nics[{number}].ip_configurations[{position}].address", nic.vnet, each.address
    yield from world_scale_sets.addresses(world)
    yield from world_endpoints.addresses(world)


def _network(where: str, prefix: str) -> Any:  # noqa: ANN401 - one of the two network classes of ipaddress
    try:
        return ip_network(prefix)
    except ValueError as error:
        raise WorldError(f"{where}: {error}; an address range such as 10.1.0.0/16 is expected") from error


def _check_address(where: str, address: str, prefixes: list[Any]) -> None:
    try:
        found = ip_address(address)
    except ValueError as error:
        raise WorldError(f"{where}: {error}") from error
    if not any(found in prefix for prefix in prefixes):
        raise WorldError(f"{where}: {address} is not in the prefixes of its VNet")
