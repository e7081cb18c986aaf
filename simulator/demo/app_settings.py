"""A world file for running the app on it: with app settings, stated in the file or derived from its content.

Faults that the app finds in derived settings are reported with the place in the file from which they come.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import msgspec

from simulator.cloud import SimulatedAzure
from simulator.demo.client import SettingsError
from simulator.demo.processes import LaunchError
from simulator.oracle.claims import KINDS, decoded
from simulator.world.world import WorldError, read_file

_FAULT = re.compile(r"(?P<place>(?P<name>\w+).*?): (?P<what>(?:found|missing|line \d).*)", re.DOTALL)
"""A fault as the app prints it."""
_NEARLY = 0.9
"""From this similarity of two ids on (0 to 1), one is taken for a misspelling of the other."""
_SUBSCRIPTION = re.compile("/subscriptions/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/", re.IGNORECASE)
_SCHEDULE = re.compile(r"setting (NEARZONE_\w+): (.*)")
"""A fault as the host prints it, which reads the schedules itself."""


def load(path: Path) -> dict[str, Any]:
    """A world file with all defaults and with derived settings where it has none. Raises WorldError."""
    world = read_file(path, for_app=True)
    SimulatedAzure(world)  # Otherwise another process would refuse it, under another file name.
    found: dict[str, Any] = msgspec.to_builtins(world)
    stated, wrong = _stated(found)
    found["settings"] = _derived(found)[0] | stated
    wrong += _zones(found)
    if wrong:
        raise WorldError(*wrong)
    return found


def told(path: Path, error: WorldError | SettingsError | LaunchError) -> list[str]:
    """The faults of a file, line by line: the file, the place in it, the value found and the value expected."""
    if isinstance(error, WorldError):
        return error.told(path)
    if isinstance(error, LaunchError):
        setting = _SCHEDULE.search(str(error))
        return [f"{path}: settings.{setting[1]}: {setting[2]}" if setting else str(error)]
    world: dict[str, Any] = msgspec.to_builtins(read_file(path))
    _, places = _derived(world)
    lines: dict[str, str] = {}
    for fault in error.faults:
        found = _FAULT.fullmatch(fault)
        name, place, what = found.group("name", "place", "what") if found else ("", "", fault)
        where = f"settings.{place}" if name in world["settings"] else _place_of(name, place, places)
        lines.setdefault(where, f"{path}: {where}: {what}")
    return list(lines.values())


def _place_of(name: str, place: str, places: Mapping[str, str]) -> str:
    """The place in the file from which a part of a derived setting comes: the file has no such setting to correct."""
    parts = (key for key in places if key.startswith(place or name) or place.startswith(key))
    return places.get(place) or places.get(next(parts, ""), "settings")


def _stated(world: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The settings in the file, and the faults of those that are not JSON."""
    found: dict[str, Any] = {}
    wrong = []
    for name, value in world["settings"].items():
        try:
            found |= decoded({name: value})
        except ValueError as error:
            wrong.append(f"settings.{name}: found {value!r}, expected JSON or the text of it: {error}")
    return found, wrong


def _derived(world: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Settings for a world without any, and the place in the file from which each part of them comes.

    Each zone serves the region of the first VNet linked to it.
    """
    vnets = {vnet["id"].lower(): (number, vnet) for number, vnet in enumerate(world["vnets"])}
    zones: list[dict[str, str]] = []
    places: dict[str, str] = {}
    for number, zone in enumerate(world["zones"]):
        if zone["links"]:
            at, vnet = vnets[zone["links"][0]["vnet"].lower()]
            places[f"NEARZONE_ZONES[{len(zones)}].id"] = f"zones[{number}].id"
            places[f"NEARZONE_ZONES[{len(zones)}].region"] = f"vnets[{at}].location"
            zones.append({"id": zone["id"], "region": vnet["location"]})
    watched = dict(reversed([(each.split("/")[2].lower(), place) for place, each in _endpoints(world)]))
    subscriptions = sorted(watched)
    for number, each in enumerate(subscriptions):
        places[f"NEARZONE_SUBSCRIPTIONS[{number}]"] = places[f'NEARZONE_CLAIMS["*"][{number}]'] = watched[each]
    settings = {"NEARZONE_ZONES": zones, "NEARZONE_SUBSCRIPTIONS": subscriptions}
    return settings | {"NEARZONE_CLAIMS": {"*": subscriptions}}, places


def _endpoints(world: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The ids of possible endpoints, each with its place; the ids of the zones if there are no endpoints."""
    kinds = [kind for kind in (*KINDS, "scale_sets") if world[kind]] or ["zones"]
    return ((f"{kind}[{number}].id", each["id"]) for kind in kinds for number, each in enumerate(world[kind]))


def _zones(world: Mapping[str, Any]) -> Iterator[str]:
    """Faults of the zones, and of the zones that the settings name."""
    if not world["zones"]:
        yield "zones: found none, expected at least one"
        return
    for number, zone in enumerate(world["zones"]):
        if not _SUBSCRIPTION.match(zone["id"]):  # The simulator accepts it; the app does not.
            yield f"zones[{number}].id: found {zone['id']!r}, expected the id of a subscription (GUID) in it"
    zones = world["settings"]["NEARZONE_ZONES"]
    if not zones:
        yield "zones: found none with a link to a VNet, expected at least one"
    there = {zone["id"].lower() for zone in world["zones"]}
    for number, zone in enumerate(zones if isinstance(zones, list) else ()):
        named = zone.get("id") if isinstance(zone, dict) else None
        if isinstance(named, str) and named.lower() not in there:
            yield _unknown_zone(world, number, named)


def _unknown_zone(world: Mapping[str, Any], number: int, named: str) -> str:
    """A zone of the settings that does not exist: a zone with a similar id that no setting names is misspelt."""
    stated = {str(each.get("id")).lower() for each in world["settings"]["NEARZONE_ZONES"] if isinstance(each, dict)}
    place = f"settings.NEARZONE_ZONES[{number}].id"
    left = {zone["id"]: at for at, zone in enumerate(world["zones"]) if zone["id"].lower() not in stated}
    if near := get_close_matches(named, left, 1, _NEARLY):
        return f"zones[{left[near[0]]}].id: found {near[0]!r}, expected {named!r}, as {place} has it"
    return f"{place}: found {named!r}, expected the id of one of `zones`"
