"""The right answers of every zone, by brute force, to compare the app with.

Written from the design alone. No code of the app may enter: two programs that share code share its mistakes. It reads a
world (see `simulator/world`, with the app settings in `settings`) and the published latency matrix as data; no sockets.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from hashlib import sha256
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import NamedTuple, TypeAlias

from simulator.oracle.claims import Json, claims, decoded, endpoints, meant, most_specific, permitted, region, serving

Answers: TypeAlias = dict[tuple[str, str], "tuple[int, frozenset[str]] | None"]
"""(zone id in lower case, name) -> (TTL in seconds, addresses), or None: no A record set."""

REACH = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"]
NOBODYS = ["0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "168.63.129.16/32", "224.0.0.0/4", "240.0.0.0/4"]
UNKNOWN = 1e9  # ms: further away than any known pair
with (Path(__file__).parents[2] / "shared" / "data" / "region_latency.csv").open() as _file:
    MATRIX = {(row["source_region"], row["destination_region"]): float(row["rtt_ms"]) for row in csv.DictReader(_file)}


class Findings(NamedTuple):
    """What probes say in a zone for a name, by the id of the endpoint in lower case and the address.

    `down`: what does not answer; `held`: what is held back for another reason. `order`: measured regions, nearest
    first; `ms`: region and distance of each of them.
    """

    down: frozenset[tuple[str, str]] = frozenset()
    held: frozenset[tuple[str, str]] = frozenset()
    order: tuple[str, ...] = ()
    ms: tuple[tuple[str, float], ...] = ()


NOTHING = Findings()


def expected(
    world: Json,
    drains: AbstractSet[str] = frozenset(),
    before: Answers | None = None,
    probed: Callable[[Json, str], Findings] = lambda _zone, _name: NOTHING,
) -> Answers:
    """The right answer of each zone for each name that is claimed, that has a record set, or that `before` contains.

    `drains`: ids of drained endpoints and scale sets, and regions. `before`: the answers until now, which the policy
    `"when_empty": "keep"` keeps. `probed`: what probes say in a zone (its entry in the settings) for a name.
    """
    settings, known, answers = decoded(world["settings"]), before or {}, Answers()
    claiming = [(vm, claims(vm, settings)) for vm in endpoints(world, settings)]
    for zone in settings["NEARZONE_ZONES"]:
        key = zone["id"].lower()
        sets = [each for one in world["zones"] if one["id"].lower() == key for each in one.get("records", [])]
        held = {each["name"].lower(): each for each in sets if each["type"] in {"A", "CNAME"}}
        for name in {name for _, names in claiming for name in names} | held.keys() | {n for k, n in known if k == key}:
            record = held.get(name, {})
            answers[key, name] = (record["ttl"], frozenset(record["addresses"])) if record.get("type") == "A" else None
            owner = None if record.get("auto_registered") else record.get("metadata", {}).get("nearzone-owner")
            if not record or owner == settings.get("NEARZONE_OWNER", "nearzone"):
                old = known.get((key, name), answers[key, name])
                answers[key, name] = _route(claiming, settings, drains, zone, name, old, probed(zone, name))
    return answers


def held(world: Json) -> Answers:
    """The actual answer of each zone for each name with an A record set, to compare with `expected`."""
    return {
        (zone["id"].lower(), each["name"].lower()): (each["ttl"], frozenset(each["addresses"]))
        for zone in world["zones"]
        for each in zone.get("records", [])
        if each["type"] == "A"
    }


def _route(
    claiming: Json,
    settings: Json,
    drains: AbstractSet[str],
    zone: Json,
    name: str,
    old: Json,
    probed: Findings = NOTHING,
) -> Json:
    policy = most_specific(name, settings.get("NEARZONE_POLICIES", {}), {})
    asking = [(vm, names[name]) for vm, names in claiming if name in names and permitted(vm, name, settings)]
    hosts = bool(asking) and not any(by_tag for _, by_tag in asking)
    ttl = settings.get("NEARZONE_HOST_TTL", 300) if hosts else settings.get("NEARZONE_TTL", 30)
    served = [(vm, *at) for vm, by_tag in asking if by_tag or hosts for at in _served(vm, name, drains)]
    nets = [ip for ip, _ in {(ip, net) for _, ip, net in served if net}]
    only = {region(each) for each in policy.get("regions", [])}
    fit = [(vm["id"].lower(), region(vm["location"]), ip) for vm, ip, _ in served if nets.count(ip) <= 1]
    fit = [(vm, at, ip) for vm, at, ip in fit if _reaches(zone, ip) and (not only or at in only)]
    latency = settings.get("NEARZONE_LATENCY", {})
    fit = _through_nearest(_answering(fit, probed), [vm for vm, _ in asking], region(zone["region"]), latency)
    rtt = {at: _rtt(region(zone["region"]), at, latency) for _, at, _ in fit}
    used: dict[str, int] = {}
    ranked = _ranked(rtt, probed)
    for at in ranked:
        near = _near(at, ranked[0], policy.get("tolerance_ms", 0), rtt, dict(probed.ms))
        if near or sum(used.values()) < policy.get("min_endpoints", 1):
            used[at] = len({frozenset(ip for vm, _, ip in fit if vm == each) for each, other, _ in fit if other == at})
    fit.sort(key=lambda each: (sha256(f"{zone['id'].lower()}\n{each[0]}".encode()).hexdigest(), each[2]))
    ips = [*dict.fromkeys(ip for _, at, ip in fit if at in used)][:20]
    ips = ips or [ip for ip in policy.get("fallback", []) if _reaches(zone, ip)]
    empty = old if policy.get("when_empty") == "keep" else None
    return (policy.get("ttl", ttl), frozenset(ips)) if ips else empty


def _served(vm: Json, name: str, drains: AbstractSet[str]) -> list[tuple[str, str]]:
    """The addresses at which an endpoint serves, of those that its claim of a name means, each with its VNet."""
    chosen = meant(vm, name)
    return [at for at in serving(vm, drains).items() if chosen is None or at[0] in chosen]


def _answering(fit: Json, probed: Findings) -> Json:
    """What nothing is said against; else what does at least not fail; else all, as no verdict empties an answer."""
    said = [(each, (each[0], each[2])) for each in fit]
    return (
        [each for each, key in said if key not in probed.down | probed.held]
        or [each for each, key in said if key not in probed.down]
        or fit
    )


def _through_nearest(fit: Json, endpoints: list[Json], client: str, latency: Json) -> Json:
    """Of the private endpoints of one service, those that are themselves nearest to the clients; all others stay."""
    own = {
        vm["id"].lower(): (vm["service"].lower(), _rtt(client, region(vm.get("own_location", vm["location"])), latency))
        for vm in endpoints
        if "connection" in vm and vm.get("service")
    }
    ways = [(own[vm], at) for vm, at, _ in fit if vm in own]
    best = {
        group: min(ms for (to, ms), at in ways if (to, at) == group) for group in {(to, at) for (to, _), at in ways}
    }
    return [(vm, at, ip) for vm, at, ip in fit if vm not in own or own[vm][1] == best[own[vm][0], at]]


def _ranked(rtt: dict[str, float], probed: Findings) -> list[str]:
    """Regions, nearest first: the measured ones exchange their places among themselves."""
    ranked = sorted(rtt, key=lambda at: (rtt[at], at))
    measured = iter([at for at in probed.order if at in rtt])
    return [next(measured) if at in probed.order else at for at in ranked]


def _near(at: str, first: str, tolerance: float, rtt: dict[str, float], ms: dict[str, float]) -> bool:
    if at in ms and first in ms:
        return at == first or (tolerance > 0 and ms[at] <= ms[first] + tolerance)
    return rtt[at] <= rtt[first] + tolerance < UNKNOWN


def _rtt(client: str, at: str, overrides: Json) -> float:
    own = {(region(a), region(b)): ms for a, row in overrides.items() for b, ms in row.items()}
    return 0 if client == at else own.get((client, at), MATRIX.get((client, at), UNKNOWN))


def _reaches(zone: Json, ip: str) -> bool:
    def within(networks: list[str]) -> bool:
        return any(ip_address(ip) in ip_network(each) for each in networks)

    return within(zone.get("reach", REACH)) and not within(NOBODYS) and (zone.get("public", False) or within(REACH))
