"""Checks beyond the types of a world file's fields: unique ids, regions, references, ranges and addresses.

Reads the file's JSON and not its structs, so that one misspelt key does not hide the other faults. Values of the wrong
type are skipped here: `file.py` reports them. Every fault names its place in the file.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from difflib import get_close_matches
from ipaddress import ip_address, ip_network
from itertools import combinations
from typing import Any, TypeAlias

from simulator.private_dns.record_sets import FIELDS
from simulator.world.network_check import network_faults
from simulator.world.places import Json, Place, addresses, listed, named_vnets, placed

KINDS = (
    "vnets",
    "zones",
    "vms",
    "scale_sets",
    "load_balancers",
    "private_endpoints",
    "container_groups",
    "application_gateways",
    "api_managements",
    "container_environments",
)
LOCATED = (*(kind for kind in KINDS if kind != "zones"), "hosts")

Ranges: TypeAlias = Mapping[str, list[Any]]
"""Networks by the id of their VNet, or by that id and the name of the subnet, in lower case."""


def faults(world: Json, regions: Collection[str]) -> list[str]:
    """Every fault of a world. `regions`: existing regions, empty: any; NEARZONE_LATENCY in the file adds some."""
    found = [*_twice(world), *_records(world), *_halves(world), *_scale_sets(world)]
    ranges: dict[str, list[Any]] = {}
    found += _ranges(world, ranges)
    return [
        *found,
        *_regions(world, regions),
        *_references(world),
        *_locations(world, regions),
        *_addresses(world, ranges),
        *network_faults(world, regions, ranges),
    ]


def _twice(world: Json) -> Iterator[str]:
    ids: list[Place] = []
    for kind in KINDS:
        for where, each in listed(world, kind):
            ids.append((f"{where}.id", each.get("id")))
            yield from _names_twice(where, each)
    ids += [(f"{where}.id", nic.get("id")) for where, _, nic in placed(world) if where.startswith("vms")]
    yield from _repeated(ids, "each id once")


def _names_twice(where: str, entry: Json) -> Iterator[str]:
    """Repeated names within one object."""
    for key in ("subnets", "links", "frontends", "containers"):
        yield from _repeated([(f"{place}.name", each.get("name")) for place, each in listed(entry, key, where)])
    for place, nic in listed(entry, "nics", where):
        names = [(f"{at}.name", each.get("name")) for at, each in listed(nic, "ip_configurations", place)]
        yield from _repeated(names)
    records = [
        (f"{place}.name", f"{each.get('name')} {each.get('type')}".upper())
        for place, each in listed(entry, "records", where)
    ]
    yield from _repeated(records, "each name and type once", shown=str.lower)
    yield from _repeated([(f"{place}.id", each.get("id")) for place, each in listed(entry, "instances", where)])


def _repeated(
    found: list[Place], expected: str = "no duplicates", shown: Callable[[str], str] = lambda text: text
) -> Iterator[str]:
    first: dict[str, str] = {}
    for where, each in found:
        if isinstance(each, str) and first.setdefault(each.lower(), where) != where:
            yield f"{where}: found {shown(each)!r} twice, expected {expected}; it is also at {first[each.lower()]}"


def _records(world: Json) -> Iterator[str]:
    for where, zone in listed(world, "zones"):
        for place, record in listed(zone, "records", where):
            if isinstance(record.get("type"), str) and record["type"].upper() not in FIELDS:
                yield f"{place}.type: found {record['type']!r}, expected one of {', '.join(FIELDS)}"
            if record.get("auto_registered") is True and not record.get("addresses"):
                yield f"{place}.addresses: found none, expected the registered address"


def _halves(world: Json) -> Iterator[str]:
    """Objects with half of an address, or without a required one."""
    for where, vm in listed(world, "vms"):
        for place, nic in listed(vm, "nics", where):
            if nic.get("ip_configurations") == []:
                yield f"{place}.ip_configurations: found none, expected at least one"
    for kind in ("load_balancers", "application_gateways"):
        for where, balancer in listed(world, kind):
            for place, each in listed(balancer, "frontends", where):
                given = [each.get(key) is not None for key in ("vnet", "address", "public_ip")]
                if given not in ([True, True, False], [False, False, True]):
                    yield f"{place}: either vnet and address or public_ip is expected"
    for where, _, each in placed(world):
        either = where.startswith(("container_groups", "api_managements", "container_environments"))
        if either and (each.get("vnet") is None) != (each.get("address") is None):
            yield f"{where}: vnet and address, or neither, are expected"


def _scale_sets(world: Json) -> Iterator[str]:
    flexible = set()
    for where, each in listed(world, "scale_sets"):
        if each.get("mode") == "Flexible":
            flexible.add(str(each.get("id")).lower())
            if each.get("instances"):
                yield f"{where}.instances: a flexible scale set has VMs, which name it as their scale_set"
    for where, vm in listed(world, "vms"):
        named = vm.get("scale_set")
        if isinstance(named, str) and named.lower() not in flexible:
            yield f"{where}.scale_set: {named!r} is not among the flexible scale_sets"


def _ranges(world: Json, ranges: dict[str, list[Any]]) -> Iterator[str]:
    """Put the ranges of VNets and subnets into `ranges`."""
    for where, vnet in listed(world, "vnets"):
        key = str(vnet.get("id")).lower()
        prefixes = vnet.get("prefixes")
        several = list(enumerate(prefixes)) if isinstance(prefixes, list) else [(0, None)]
        held = _read({f"{where}.prefixes[{number}]": each for number, each in several})
        yield from (each for each in held.values() if isinstance(each, str))
        if len(held) == len(several) and not any(isinstance(each, str) for each in held.values()):
            ranges[key] = list(held.values())  # Otherwise the content of the VNet is unknown.
        subnets = _read({f"{place}.prefix": each.get("prefix") for place, each in listed(vnet, "subnets", where)})
        yield from (each for each in subnets.values() if isinstance(each, str))
        for place, each in listed(vnet, "subnets", where):
            network = subnets.get(f"{place}.prefix")
            if network is None or isinstance(network, str):
                continue
            ranges[f"{key}/{str(each.get('name')).lower()}"] = [network]
            if key in ranges and not any(_within(network, one) for one in ranges[key]):
                yield f"{place}.prefix: {network} is not in the prefixes of its VNet"
        yield from _overlaps({k: v for k, v in subnets.items() if not isinstance(v, str)})
        yield from _overlaps({k: v for k, v in held.items() if not isinstance(v, str)})


def _read(prefixes: Mapping[str, object]) -> dict[str, Any]:
    """Each prefix as a network, or as a text that says what is wrong with it; values that are not text are left out."""
    found: dict[str, Any] = {}
    for where, prefix in prefixes.items():
        if isinstance(prefix, str):
            try:
                found[where] = ip_network(prefix)
            except ValueError as error:
                found[where] = f"{where}: {error}; an address range such as 10.1.0.0/16 is expected"
    return found


def _overlaps(networks: Mapping[str, Any]) -> Iterator[str]:
    for (first, one), (second, other) in combinations(networks.items(), 2):
        if one.version == other.version and one.overlaps(other):
            yield f"{second}: {other} overlaps {one} at {first}"


def _regions(world: Json, regions: Collection[str]) -> Iterator[str]:
    located = [found for kind in LOCATED for found in listed(world, kind)]
    for where, service in listed(world, "api_managements"):
        located += listed(service, "additional_locations", where)
    for where, each in located if regions else ():
        found = each.get("location")
        if isinstance(found, str) and _region(found) not in regions:
            near = get_close_matches(_region(found), regions, 1, 0.75)
            hint = f"; did you mean {near[0]}?" if near else ""
            yield f"{where}.location: found {found!r}, expected an Azure region{hint}"


def _references(world: Json) -> Iterator[str]:
    there = {str(vnet.get("id")).lower() for _, vnet in listed(world, "vnets")}
    for where, vnet in named_vnets(world):
        if isinstance(vnet, str) and vnet.lower() not in there:
            yield f"{where}: {vnet!r} is not among the vnets"


def _locations(world: Json, known: Collection[str]) -> Iterator[str]:
    """Resources in another region than their VNet, which Azure would refuse. Unknown regions are reported elsewhere."""
    regions = {str(vnet.get("id")).lower(): vnet.get("location") for _, vnet in listed(world, "vnets")}
    told = set()
    for where, owner, each in placed(world):
        vnet, found = each.get("vnet"), owner.get("location")
        there = regions.get(vnet.lower()) if isinstance(vnet, str) else None
        top = where.partition(".")[0]
        if not (isinstance(there, str) and isinstance(found, str)) or _region(there) == _region(found):
            continue
        if known and not {_region(there), _region(found)} <= set(known):
            continue
        if (top, there) not in told:
            told.add((top, there))
            yield f"{top}.location: found {found!r}, expected {there!r}, the location of its VNet {vnet}"


def _addresses(world: Json, ranges: Ranges) -> Iterator[str]:
    first: dict[tuple[str, str], str] = {}
    for where, vnet, subnet, address in addresses(world):
        if not (isinstance(vnet, str) and isinstance(address, str)) or vnet.lower() not in ranges:
            continue
        key = vnet.lower()
        try:
            found = ip_address(address)
        except ValueError as error:
            yield f"{where}: {error}"
            continue
        own = ranges.get(f"{key}/{subnet.lower()}") if isinstance(subnet, str) else None
        if not any(found in prefix for prefix in own or ranges[key]):
            whose = f"{own[0]}, the prefix of its subnet {subnet}" if own else "the prefixes of its VNet"
            yield f"{where}: {address} is not in {whose}"
        at = first.setdefault((key, str(found)), where)
        if at != where:
            yield f"{where}: {address} is used twice in this VNet; it is also at {at}"


def _within(network: Any, other: Any) -> bool:  # noqa: ANN401 - one of the two network classes of ipaddress
    return network.version == other.version and bool(network.subnet_of(other))


def _region(text: str) -> str:
    return text.replace(" ", "").lower()
