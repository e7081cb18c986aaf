"""Azure's rules for a world file: names, record sets, links, reserved addresses; and settings.

For handwritten files. Reads the file's JSON as `check.py` does; values of the wrong type are skipped here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import IPv4Network, ip_address, ip_network
from typing import Any

from simulator.arm.front_door import ArmError
from simulator.private_dns.record_sets import FIELDS, valid_name, written
from simulator.world.places import Json, addresses, listed

_NAMING = frozenset({"id", "name", "location", "vnet", "subnet", "scale_set", "peerings"})
"""The fields that name a resource, a part of one, or a place."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_ZONE_ID = re.compile(r".*/privateDnsZones/(?P<name>[^/]+)", re.IGNORECASE | re.DOTALL)
_OURS = ("NEARZONE_", "AZUREWEBJOBSSTORAGE")
"""Prefixes of settings that reach the app, in upper case."""
_RESERVED = 4
"""Azure reserves this many addresses at the start of a subnet, and the last one. Source: docs, virtual-networks-faq."""


def forbidden(world: object) -> list[str]:
    """Everything in a world that Azure would refuse, each with its place."""
    if not isinstance(world, dict):
        return []
    named = {key: value for key, value in world.items() if key != "settings"}
    return [
        *_characters(named, ""),
        *_zone_ids(world),
        *_record_sets(world),
        *_links(world),
        *_without_nics(world),
        *_reserved(world),
    ]


def _characters(content: Any, place: str, *, names: bool = False) -> Iterator[str]:  # noqa: ANN401 - JSON
    """Control characters in names."""
    if isinstance(content, str) and names and _CONTROL.search(content):
        yield f"{place}: found {content[:80]!r}, expected text without control characters"
    elif isinstance(content, dict):
        for key, value in content.items():
            yield from _characters(value, f"{place}.{key}".lstrip("."), names=key in _NAMING)
    elif isinstance(content, list):
        for index, each in enumerate(content):
            yield from _characters(each, f"{place}[{index}]", names=names)


def _zone_ids(world: Json) -> Iterator[str]:
    for where, zone in listed(world, "zones"):
        found = _ZONE_ID.fullmatch(zone["id"]) if isinstance(zone.get("id"), str) else None
        if not found or _CONTROL.search(zone["id"]):
            continue
        if not 2 <= len(found["name"].split(".")) <= 34 or not valid_name(found["name"]):
            expected = "a DNS name of 2 to 34 labels, such as ai.internal"
            yield f"{where}.id: the zone's name is {found['name']!r}, expected {expected}"


def _record_sets(world: Json) -> Iterator[str]:
    for where, zone in listed(world, "zones"):
        types: dict[str, set[str]] = {}
        for place, record in listed(zone, "records", where):
            name, kind = record.get("name"), str(record.get("type")).upper()
            if not isinstance(name, str) or kind not in FIELDS or type(record.get("ttl")) is not int:
                continue
            there = types.setdefault(name.lower(), set())
            there.add(kind)
            if len(there) > 1 and "CNAME" in there:
                yield f"{place}: a CNAME and another record set of the name {name!r}, expected the CNAME alone"
            if text := _refused(kind, name, record):
                yield f"{place}: {text}"


def _refused(kind: str, name: str, record: Json) -> str:
    """Azure's objection to a record set; "" if it accepts the set."""
    stated = record.get("addresses", [])
    if record.get("auto_registered") is True or not isinstance(stated, list):
        return ""
    records = [{"ipv4Address": each} for each in stated] if kind == "A" else record.get("records")
    try:
        written(None, kind, name, {"ttl": record["ttl"], FIELDS[kind]: records})
    except ArmError as error:
        return str(error)
    return ""


def _links(world: Json) -> Iterator[str]:
    """A VNet can be linked to one zone of a name only: azure-aks-docs#212, foundry-samples#214."""
    first: dict[tuple[str, str], str] = {}
    for where, zone in listed(world, "zones"):
        name = str(zone.get("id")).rpartition("/")[2].lower()
        for place, link in listed(zone, "links", where):
            vnet = link.get("vnet")
            at = first.setdefault((name, vnet.lower()), place) if isinstance(vnet, str) else place
            if at != place:
                yield f"{place}.vnet: found {vnet!r}, which {at} links to a zone of the same name; expected one of them"


def _without_nics(world: Json) -> Iterator[str]:
    for where, vm in listed(world, "vms"):
        if vm.get("nics") == []:
            yield f"{where}.nics: found none, expected at least one"


def _reserved(world: Json) -> Iterator[str]:
    """Addresses that Azure reserves. A subnet that is only named spans its VNet."""
    subnets: dict[tuple[str, str], list[object]] = {}
    for where, vnet in listed(world, "vnets"):
        key, prefixes = str(vnet.get("id")).lower(), vnet.get("prefixes")
        subnets[key, ""] = prefixes if isinstance(prefixes, list) else []
        for _, each in listed(vnet, "subnets", where):
            subnets[key, str(each.get("name")).lower()] = [each.get("prefix")]
    for where, vnet_id, subnet, address in addresses(world):
        key = str(vnet_id).lower()
        prefixes = subnets.get((key, str(subnet).lower()), subnets.get((key, ""), []))
        if any(_keeps(prefix, address) for prefix in prefixes):
            yield f"{where}: {address} is one of the first four or the last of its subnet, which Azure reserves"


def _keeps(prefix: object, address: object) -> bool:
    try:
        network, found = ip_network(str(prefix)), ip_address(str(address))
    except ValueError:  # `check.py` reports it.
        return False
    if not isinstance(network, IPv4Network) or found not in network:
        return False
    return int(found) - int(network.network_address) < _RESERVED or found == network.broadcast_address


def unread(world: object) -> Iterator[str]:
    """Settings of a world that would not reach the app as they are."""
    settings = world.get("settings") if isinstance(world, dict) else None
    for name, value in settings.items() if isinstance(settings, dict) else ():
        if not name.upper().startswith(_OURS):
            yield f"settings.{name}: there is no such setting; expected names that begin with NEARZONE_"
        elif name.upper() == "NEARZONE_CLOUD":
            yield f"settings.{name}: the simulator sets it to its own address; leave it out"
        elif "\0" in name or (isinstance(value, str) and "\0" in value):
            yield f"settings.{name.replace(chr(0), '?')}: found a NUL character, expected text without one"
