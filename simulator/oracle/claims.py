"""Which endpoints of a world claim which names, which may, and which serve; for the oracle and the demo.

Written from the design alone, as `answers.py` is. No code of the app may enter, and nothing about zones or routing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Set as AbstractSet
from fnmatch import fnmatchcase
from typing import Any, TypeAlias

Json: TypeAlias = Any

KINDS = ("vms", "load_balancers", "private_endpoints", "container_groups", "application_gateways")
"""The lists of a world whose entries may be endpoints."""


def decoded(settings: Json) -> Json:
    """App settings, given as JSON or as its text, as JSON."""
    text = re.compile(r"[\[{].*|true|false|\d+", re.DOTALL)
    return {k: json.loads(v) if isinstance(v, str) and text.fullmatch(v.strip()) else v for k, v in settings.items()}


def endpoints(world: Json, settings: Json) -> list[Json]:
    """Everything that may claim a name; `settings` decoded."""
    static = settings.get("NEARZONE_STATIC", [])
    sets = {each["id"].lower(): each for each in world.get("scale_sets", [])}
    return [
        *(_in_set(_at_service(each), sets) for kind in KINDS for each in world.get(kind, [])),
        *(_instance(one, each) for one in world.get("scale_sets", []) for each in one.get("instances", [])),
        *({"environment": True, **each} for each in world.get("container_environments", [])),
        *(_location(one, each) for one in world.get("api_managements", []) for each in _locations(one)),
        *(
            {"claims": [], **each, "id": f"static/{each['name'].lower()}", "location": each["region"]}
            for each in static
        ),
    ]


def _at_service(endpoint: Json) -> Json:
    """A private endpoint is where its service is, and `own_location` says where it is itself."""
    if not endpoint.get("service_location"):
        return endpoint
    return {**endpoint, "location": endpoint["service_location"], "own_location": endpoint["location"]}


def _in_set(machine: Json, sets: dict[str, Json]) -> Json:
    """The same endpoint; a VM of a flexible scale set also with the tags of its set as `set_tags`."""
    scale_set = sets.get((machine.get("scale_set") or "").lower())
    return {**machine, "set_tags": scale_set.get("tags") or {}} if scale_set else machine


def _instance(scale_set: Json, instance: Json) -> Json:
    """An instance as an endpoint: it has the tags, the location and the name of its scale set."""
    nic = {"vnet": scale_set["vnet"], "ip_configurations": [{"address": instance["address"]}]}
    machine = {**scale_set, **instance, "id": f"{scale_set['id']}/virtualMachines/{instance['id']}", "nics": [nic]}
    return machine | {"own": scale_set["id"].rsplit("/", 1)[1]}


def _locations(service: Json) -> list[Json]:
    """The locations of an API Management service, the primary one first."""
    return [service, *service.get("additional_locations", [])]


def _location(service: Json, place: Json) -> Json:
    """A location as an endpoint: it has the tags and the name of its service, and its own region and address."""
    kept = {"address": None, "vnet": None, "disabled": False, **place}
    whole = {"mode": "Internal", "state": "Succeeded", **service, **kept}
    own = {"id": f"{service['id']}/locations/{region(place['location'])}", "own": service["id"].rsplit("/", 1)[1]}
    return whole | own | {"tags": service.get("tags", {})}


def claims(vm: Json, settings: Json) -> dict[str, bool]:
    """The names that an endpoint claims, each with whether it claims it by tag; none for an unobserved endpoint."""
    if "claims" in vm:
        return _names(vm, settings, vm["claims"])
    tag = {key.lower(): value for key, value in vm.get("tags", {}).items()}.get("nearzone")
    if tag is None or vm["id"].split("/")[2].lower() not in map(str.lower, settings["NEARZONE_SUBSCRIPTIONS"]):
        return {}
    zones = {each["id"].lower() for each in settings["NEARZONE_ZONES"]}
    grouped = vm.get("zone_group") or []
    if grouped is not True and not zones.isdisjoint(each.lower() for each in grouped):
        return {}  # Azure writes its records there.
    return _names(vm, settings, tag.split(","))


def _names(vm: Json, settings: Json, stated: list[str]) -> dict[str, bool]:
    own = [vm.get("own", vm["id"].rsplit("/", 1)[1]).lower()] if settings.get("NEARZONE_HOST_NAMES", True) else []
    asked = _asked(stated)
    tagged = [name for name, parts in asked.items() if _parts(vm) is not None or parts & {"", "*"}]
    restricted = {item.lower().partition("@")[0].strip() for item in stated if "@" in item}
    own = [name for name in own if name in tagged or name not in restricted]
    return {n: n in tagged for n in own + tagged if re.fullmatch("[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", n)}


def _asked(stated: list[str]) -> dict[str, set[str]]:
    """The names of a tag, each with the parts that it asks for: `""` for the name alone."""
    asked: dict[str, set[str]] = {}
    for item in stated:
        name, at, part = item.strip().lower().partition("@")
        if not at or re.fullmatch(r"[^@\s]+", part):
            asked.setdefault(name, set()).add(part)
    return asked


def _parts(vm: Json) -> list[tuple[str, str]] | None:
    """The parts that a claim may ask for, each a name and an address; None: a kind without parts."""
    if "frontends" in vm:
        return [(each["name"].lower(), each["address"]) for each in vm["frontends"] if each.get("address")]
    if "connection" in vm:
        return [(vm.get("members", {}).get(ip, "").lower(), ip) for ip in vm["addresses"]]
    return None


def meant(vm: Json, name: str) -> set[str] | None:
    """The addresses of the parts that an endpoint's claim of a name asks for; None: all of them."""
    parts = _parts(vm)
    if parts is None:
        return None
    stated = [value for key, value in vm.get("tags", {}).items() if key.lower() == "nearzone"]
    asked = _asked(stated[0].split(",") if stated else []).get(name, {""})
    usual = {ip for part, ip in parts if part == "inference" and "connection" in vm} or {ip for _, ip in parts}
    found = {ip for part, ip in parts if "*" in asked or asked & {part, ip} - {""}}
    return found | (usual if "" in asked else set())


def permitted(vm: Json, name: str, settings: Json) -> bool:
    """Whether NEARZONE_CLAIMS permits a claim; static endpoints are exempt."""
    if "claims" in vm:
        return True
    entries, spelled = settings["NEARZONE_CLAIMS"], settings.get("NEARZONE_NEVER_BY_WILDCARD", "")
    if name in map(str.lower, ["wpad", "isatap"] if spelled == "" else spelled):
        entries = {each: scopes for each, scopes in entries.items() if each.lower() == name}
    scopes = [each.lower().rstrip("/") for each in most_specific(name, entries, [])]
    return any(vm["id"].lower().startswith((f"{each}/", f"/subscriptions/{each}/")) for each in scopes)


def serving(vm: Json, drains: AbstractSet[str] = frozenset()) -> dict[str, str]:
    """The addresses at which an endpoint serves, each with its VNet's id; empty if it does not serve.

    `drains`: ids of drained endpoints and of what contains them, and drained regions.
    """
    tags = [*vm.get("tags", {}).items(), *vm.get("set_tags", {}).items()]
    said = {value.strip().lower() for key, value in tags if key.lower() == "nearzone-drain"}
    drained = {"true", "yes", "on", "1"} & said
    above = {vm["id"].lower().rsplit("/", 2)[0], (vm.get("scale_set") or "").lower()}  # What contains it.
    regions = {region(vm["location"]), region(vm.get("own_location", vm["location"]))}
    drained |= {vm["id"].lower(), *regions, *above} & {region(each) for each in drains}
    return (
        {}
        if drained
        else {ip: net.lower() for ip, net in _serving_addresses_if_not_drained(vm).items() if ":" not in ip}
    )


def _serving_addresses_if_not_drained(vm: Json) -> dict[str, str]:
    """The addresses at which an endpoint would serve if it was not drained."""
    if "claims" in vm:
        return dict.fromkeys(vm["addresses"], "")
    if "frontends" in vm:
        private = [
            each for each in vm["frontends"] if each.get("address") and each.get("listener", True) and _backed(vm, each)
        ]
        return {each["address"]: each["vnet"] for each in private if vm.get("operational", "Running") == "Running"}
    if "disabled" in vm:
        serves = vm["mode"] == "Internal" and vm["state"] in ("Succeeded", "Updating") and not vm["disabled"]
        return {vm["address"]: vm["vnet"]} if serves and vm["address"] else {}
    if "environment" in vm:
        serves = vm.get("state", "Succeeded") == "Succeeded" and bool(vm.get("address"))
        return {vm["address"]: vm["vnet"]} if serves else {}
    if "connection" in vm:
        return dict.fromkeys(vm["addresses"], vm["vnet"]) if vm["connection"] == "Approved" else {}
    if "state" in vm:
        open_ports = [each for each in vm.get("containers", []) if each.get("port", 80) is not None]
        states = {each.get("state", "Running") for each in open_ports or vm.get("containers", [])}
        runs = vm["state"].lower() == "running" and (not states or "Running" in states)
        return {vm["address"]: vm["vnet"]} if runs and vm.get("address") else {}
    if vm["power"] != "running" or vm.get("health") in ("unhealthy", "silent"):
        return {}
    nics = [nic for nic in vm["nics"] if len(vm["nics"]) == 1 or nic.get("primary", True)]
    ips = [(each, nic["vnet"]) for nic in nics[:1] for each in nic["ip_configurations"]]
    return {ip["address"]: net for ip, net in ips if ip.get("primary", True) and ip.get("version", "IPv4") == "IPv4"}


def _backed(balancer: Json, frontend: Json) -> bool:
    """Whether something is in the pool to which a frontend leads."""
    own = frontend.get("backends")
    return bool(balancer.get("backends", 1) if own is None else own)


def most_specific(name: str, patterns: Json, default: Json) -> Json:
    """The value of the exact name, else of the matching glob with the most literal characters (ties: alphabetical)."""
    found = [each for each in patterns if fnmatchcase(name, each.lower())]
    found.sort(key=lambda each: (each.lower() != name, -len(re.sub("[*?]", "", each)), each.lower()))
    return patterns[found[0]] if found else default


def region(text: str) -> str:
    """`East US` as `eastus`."""
    return text.replace(" ", "").lower()
