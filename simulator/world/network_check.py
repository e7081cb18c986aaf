"""Checks of a world file's network: regions of paths, what each path states, and addresses of hosts outside Azure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches
from ipaddress import IPv4Address, ip_address
from typing import Any

from simulator.paths.entry import EVERYWHERE
from simulator.paths.paths import region
from simulator.world.places import Json, listed

_STATED = ("rtt_ms", "terminated_ms", "partition")


def network_faults(world: Json, regions: Collection[str], ranges: Mapping[str, list[Any]]) -> Iterator[str]:
    """Every fault of the network, each with its place. `ranges`: networks by the id of their VNet."""
    network = world.get("network")
    if isinstance(network, dict):
        yield from _paths(network, regions)
    yield from _hosts(world, ranges)


def _paths(network: Json, regions: Collection[str]) -> Iterator[str]:
    for where, path in listed(network, "paths", "network"):
        for key, others in (("from", ""), ("to", f' or "{EVERYWHERE}"')):
            found = path.get(key)
            if (
                not regions
                or not isinstance(found, str)
                or region(found) in regions
                or (others and found == EVERYWHERE)
            ):
                continue
            near = get_close_matches(region(found), regions, 1, 0.75)
            hint = f"; did you mean {near[0]}?" if near else ""
            yield f"{where}.{key}: found {found!r}, expected an Azure region{others}{hint}"
        if all(path.get(key) is None for key in _STATED):
            yield f"{where}: states nothing about the path, expected one of {', '.join(_STATED)}"


def _hosts(world: Json, ranges: Mapping[str, list[Any]]) -> Iterator[str]:
    first: dict[str, str] = {}
    networks = [network for key, several in ranges.items() for network in several]
    for where, host in listed(world, "hosts"):
        text = host.get("address")
        if not isinstance(text, str):
            continue
        try:
            address = ip_address(text)
        except ValueError as error:
            yield f"{where}.address: {error}"
            continue
        if not isinstance(address, IPv4Address):
            yield f"{where}.address: found {text!r}, expected an IPv4 address"
        elif any(address.version == each.version and address in each for each in networks):
            yield f"{where}.address: {text} is in a VNet of this world, expected an address outside"
        at = first.setdefault(text, where)
        if at != where:
            yield f"{where}.address: {text} is used twice; it is also at {at}"
