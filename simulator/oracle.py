"""What every zone must answer, by brute force, for checking the app against.

Written from the design alone. Nothing of the app may enter: two programs that share code share its mistakes. It reads
a world (see `world.py`, with the app settings in `settings`) and the published latency matrix as data; no sockets.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from fnmatch import fnmatchcase
from hashlib import sha256
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any, TypeAlias

Answers: TypeAlias = dict[tuple[str, str], "tuple[int, frozenset[str]] | None"]
"""(zone id in lower case, name) -> (TTL in seconds, addresses), or None: no A record set."""

_LABEL = re.compile("[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_REACH = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"]
with (Path(__file__).parent.parent / "shared" / "data" / "region_latency.csv").open() as _file:
    _PUBLISHED = {(r["source_region"], r["destination_region"]): float(r["rtt_ms"]) for r in csv.DictReader(_file)}


def expected(
    world: Mapping[str, Any], drains: AbstractSet[str] = frozenset(), before: Answers | None = None
) -> Answers:
    """What each zone must answer for each name that a VM claims, that has a record set, or that `before` knows.

    `drains`: ids of endpoints and regions that are drained by order. `before`: the answers until now, which the policy
    `"when_empty": "keep"` keeps.
    """
    settings = {name: _value(value) for name, value in world["settings"].items()}
    owner = str(settings.get("NEARZONE_OWNER", "nearzone"))
    answers: Answers = {}
    for zone in settings["NEARZONE_ZONES"]:
        key = zone["id"].lower()
        sets = [each for one in world["zones"] if one["id"].lower() == key for each in one.get("records", [])]
        held = {each["name"].lower(): each for each in sets if each["type"] in {"A", "CNAME"}}
        known = {name: answer for (where, name), answer in (before or {}).items() if where == key}
        for name in {name for vm in world["vms"] for name in claims(vm, settings)} | held.keys() | known.keys():
            record: Mapping[str, Any] = held.get(name, {})
            there = (record["ttl"], frozenset(record["addresses"])) if record.get("type") == "A" else None
            marked = record.get("metadata", {}).get("nearzone-owner") == owner and not record.get("auto_registered")
            old = known.get(name, there)
            answers[key, name] = there if record and not marked else _route(world, settings, zone, name, drains, old)
    return answers


def claims(vm: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, bool]:
    """The names that a VM claims, each with whether it does so by tag; nothing if it is not looked at."""
    tags = {key.lower(): value for key, value in vm.get("tags", {}).items()}
    watched = [each.lower() for each in _value(settings["NEARZONE_SUBSCRIPTIONS"])]
    if "nearzone" not in tags or vm["id"].split("/")[2].lower() not in watched:
        return {}
    own = [vm["id"].rsplit("/", 1)[1].lower()] if _value(settings.get("NEARZONE_HOST_NAMES", True)) else []
    tagged = [name.strip().lower() for name in tags["nearzone"].split(",")]
    return {name: name in tagged for name in own + tagged if _LABEL.fullmatch(name)}


def permitted(vm: Mapping[str, Any], name: str, settings: Mapping[str, Any]) -> bool:
    """Whether NEARZONE_CLAIMS lets a VM claim a name."""
    scopes = [scope.lower().rstrip("/") for scope in _most_specific(name, settings["NEARZONE_CLAIMS"]) or []]
    prefixes = [scope if scope.startswith("/") else f"/subscriptions/{scope}" for scope in scopes]
    return any(vm["id"].lower().startswith(f"{prefix}/") for prefix in prefixes)


def serving(vm: Mapping[str, Any], drains: AbstractSet[str] = frozenset()) -> dict[str, str]:
    """The addresses at which a VM serves, each with its VNet's id; none when it does not serve."""
    tags = {key.lower(): value for key, value in vm.get("tags", {}).items()}
    drained = {vm["id"].lower(), _region(vm["location"])} & {_region(each) for each in drains}
    if vm["power"] != "running" or vm.get("health") == "unhealthy" or drained or tags.get("nearzone-drain") == "true":
        return {}
    nic: Mapping[str, Any] = next((nic for nic in vm["nics"] if len(vm["nics"]) == 1 or nic.get("primary", True)), {})
    each_ip = [each for each in nic.get("ip_configurations", []) if each.get("primary", True)]
    return {each["address"]: nic["vnet"].lower() for each in each_ip if each.get("version", "IPv4") == "IPv4"}


def _route(world: Any, settings: Any, zone: Any, name: str, drains: AbstractSet[str], old: Any) -> Any:  # noqa: ANN401 - JSON
    policy = _most_specific(name, settings.get("NEARZONE_POLICIES", {})) or {}
    claiming = [(vm, claims(vm, settings)[name]) for vm in world["vms"] if name in claims(vm, settings)]
    claiming = [(vm, by_tag) for vm, by_tag in claiming if permitted(vm, name, settings)]
    hosts = bool(claiming) and not any(by_tag for _, by_tag in claiming)
    default = settings.get("NEARZONE_HOST_TTL", 300) if hosts else settings.get("NEARZONE_TTL", 30)
    ready = [(vm, serving(vm, drains)) for vm, by_tag in claiming if by_tag or hosts]
    networks = {ip: {at[ip] for _, at in ready if ip in at} for _, at in ready for ip in at}
    good = {ip for ip in networks if len(networks[ip]) == 1 and _reaches(zone, ip)}
    near = [(vm["id"].lower(), _region(vm["location"]), sorted(at.keys() & good)) for vm, at in ready]
    allowed = {_region(each) for each in policy.get("regions", [])}
    near = [each for each in near if each[2] and (not allowed or each[1] in allowed)]
    chosen = _nearest(near, policy, _region(zone["region"]), settings)
    chosen.sort(key=lambda each: sha256(f"{zone['id'].lower()}\n{each[0]}".encode()).hexdigest())
    ips = list(dict.fromkeys(ip for _, _, at in chosen for ip in at))[:20]
    ips = ips or [ip for ip in policy.get("fallback", []) if _reaches(zone, ip)]
    if not ips:
        return old if policy.get("when_empty") == "keep" else None
    return policy.get("ttl", default), frozenset(ips)


def _nearest(near: list[Any], policy: Any, client: str, settings: Any) -> list[Any]:  # noqa: ANN401 - JSON
    own = {
        (_region(a), _region(b)): ms for a, to in settings.get("NEARZONE_LATENCY", {}).items() for b, ms in to.items()
    }
    rtt = {each[1]: 0 if each[1] == client else {**_PUBLISHED, **own}.get((client, each[1]), 1e9) for each in near}
    limit = min(rtt.values(), default=0) + policy.get("tolerance_ms", 0)
    chosen: list[Any] = []
    for region in sorted(rtt, key=lambda each: (rtt[each], each)):
        if len(chosen) < policy.get("min_endpoints", 1) or rtt[region] <= limit < 1e9:
            chosen += [each for each in near if each[1] == region]
    return chosen


def _most_specific(name: str, patterns: Mapping[str, Any]) -> Any:  # noqa: ANN401 - JSON
    fitting = [each for each in patterns if fnmatchcase(name, each.lower())]
    order = sorted(fitting, key=lambda each: (each.lower() != name, -len(re.sub("[*?]", "", each)), each.lower()))
    return patterns[order[0]] if order else None


def _reaches(zone: Mapping[str, Any], ip: str) -> bool:
    return any(ip_address(ip) in ip_network(each) for each in zone.get("reach", _REACH))


def _region(text: str) -> str:
    return text.replace(" ", "").lower()


def _value(value: Any) -> Any:  # noqa: ANN401 - a setting is JSON or the text of it
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return value
