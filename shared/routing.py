"""Claims x region latency x policy x reach -> answer, with the reason for every claim, in or out.

Pure: equal inputs give equal answers, in whatever order the claims come.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address

from shared.latency import Latency
from shared.model import MAX_ADDRESSES, Answer, Decision, Drain, Endpoint, Policy, State, Zone
from shared.settings import Settings

_FAR = float("inf")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A serving claim with those of its addresses that may be published in the zone."""

    endpoint: Endpoint
    addresses: tuple[str, ...]


def route(
    zone: Zone, name: str, endpoints: Iterable[Endpoint], drains: Sequence[Drain], settings: Settings, latency: Latency
) -> Answer:
    """Decide what a zone answers for a name.

    `endpoints` may hold others than claimants of the name; they do not count. `drains` are the orders in force now.
    """
    policy = settings.policy(name)
    claimants = sorted((e for e in endpoints if name in e.names), key=lambda e: e.key)
    permitted = [e for e in claimants if e.state != State.GONE and settings.may_claim(name, e.id)]
    tagged = any(name in e.tagged for e in permitted)
    ttl = policy.ttl or (settings.ttl if tagged or not permitted else settings.host_ttl)

    refused = (e for e in claimants if e not in permitted)
    out = {e.key: "NEARZONE_CLAIMS does not let it claim this name" for e in refused}
    out |= {e.key: "deleted" for e in claimants if e.state == State.GONE}
    serving = []
    for endpoint in permitted:
        reason = _out_of_the_running(endpoint, name, tagged, drains, settings)
        if reason:
            out[endpoint.key] = reason
        else:
            serving.append(endpoint)
    candidates = _reachable(zone, _unambiguous(serving, out), policy, out)
    claimed = {e.region for e in permitted if name in e.tagged or not tagged}
    chosen, why, reasons = _nearest(zone, candidates, policy, latency, claimed)
    out |= {c.endpoint.key: reasons[c.endpoint.region] for c in candidates if c not in chosen}
    addresses = _cut(zone, chosen, out)
    decisions = tuple(_decision(e, addresses, out, why) for e in claimants)
    return _answer(zone, replace(policy, ttl=ttl), name, addresses, why, decisions)


def _out_of_the_running(
    endpoint: Endpoint, name: str, tagged: bool, drains: Sequence[Drain], settings: Settings
) -> str:
    if not settings.watches(endpoint.id):
        return "its subscription is not in NEARZONE_SUBSCRIPTIONS"
    if name not in endpoint.tagged and not settings.host_names:
        return "claims it only by its own name, and NEARZONE_HOST_NAMES is false"
    if tagged and name not in endpoint.tagged:
        return "claims it only by its own name, and others claim it by tag"
    if any(drain.covers(endpoint) for drain in drains):
        return "drained by order"
    if endpoint.state != State.SERVING:
        return endpoint.state.value + (f" ({endpoint.doubt})" if endpoint.doubt else "")
    return "" if endpoint.addresses else "has no private IPv4 address"


def _unambiguous(serving: list[Endpoint], out: dict[str, str]) -> list[Endpoint]:
    """Without the addresses that are claimed from two VNets: nobody can say where such a packet would arrive."""
    networks = defaultdict(set)
    for endpoint in serving:
        for address in endpoint.addresses:
            networks[address.ip].add(address.network)
    kept = []
    for endpoint in serving:
        addresses = tuple(a for a in endpoint.addresses if len(networks[a.ip]) == 1)
        if addresses:
            kept.append(replace(endpoint, addresses=addresses))
        else:
            out[endpoint.key] = "ambiguous: the same address is claimed from another VNet"
    return kept


def _reachable(zone: Zone, serving: list[Endpoint], policy: Policy, out: dict[str, str]) -> list[Candidate]:
    candidates = []
    for endpoint in serving:
        addresses = tuple(sorted({a.ip for a in endpoint.addresses if reaches(zone, a.ip)}))
        if policy.regions and endpoint.region not in policy.regions:
            out[endpoint.key] = "its region is not in the policy's regions"
        elif not addresses:
            out[endpoint.key] = "clients of this zone cannot reach its address"
        else:
            candidates.append(Candidate(endpoint, addresses))
    return candidates


def reaches(zone: Zone, ip: str) -> bool:
    """Whether the zone's clients can connect to an address."""
    return any(IPv4Address(ip) in network for network in zone.reach)


def _nearest(
    zone: Zone, candidates: list[Candidate], policy: Policy, latency: Latency, claimed: Collection[str]
) -> tuple[list[Candidate], str, Mapping[str, str]]:
    """The candidates of the nearest regions, why these, and for each other region why not."""
    regions: defaultdict[str, list[Candidate]] = defaultdict(list)
    for candidate in candidates:
        regions[candidate.endpoint.region].append(candidate)
    times = {region: latency.ms(zone.region, region) for region in {*regions, *claimed}}

    def distance(region: str) -> tuple[float, str]:
        return _ms(times[region]), region

    order = sorted(regions, key=distance)
    chosen: list[Candidate] = []
    used: list[str] = []
    reasons = {}
    for region in order:
        if (
            len(chosen) < policy.min_endpoints
            or _ms(times[region]) <= _ms(times[order[0]]) + policy.tolerance_ms < _FAR
        ):
            chosen += regions[region]
            used.append(region)
        else:
            reasons[region] = f"farther: {region} {_shown(times[region])}"
    why = ", ".join(f"{region} {_shown(times[region])}" for region in used)
    nearer = sorted((r for r in claimed if used and distance(r) < distance(used[0])), key=distance)
    why = f"failover: nobody serves in {', '.join(nearer)}; nearest is {why}" if nearer else f"nearest: {why}"
    if len(used) > 1:
        why += f" (mixed: clients spread evenly over {len(used)} regions)"
    return chosen, why, reasons


def _ms(time: float | None) -> float:
    return _FAR if time is None else time


def _shown(time: float | None) -> str:
    return "(no published round-trip time)" if time is None else f"{time:g} ms"


def rank(zone: Zone, endpoint_id: str) -> str:
    """Rendezvous hash of an endpoint in a zone: stable under churn, and different from zone to zone."""
    return hashlib.sha256(f"{zone.key}\n{endpoint_id.lower()}".encode()).hexdigest()


def _cut(zone: Zone, chosen: list[Candidate], out: dict[str, str]) -> tuple[str, ...]:
    """At most as many addresses as a record set holds, by rendezvous hashing."""
    addresses: dict[str, None] = {}
    for candidate in sorted(chosen, key=lambda c: rank(zone, c.endpoint.id)):
        for ip in candidate.addresses:
            if len(addresses) < MAX_ADDRESSES:
                addresses[ip] = None
        if not addresses.keys() & set(candidate.addresses):
            out[candidate.endpoint.key] = (
                f"cut: a record set holds {MAX_ADDRESSES} addresses (put an internal load balancer in front)"
            )
    return tuple(sorted(addresses))


def _decision(endpoint: Endpoint, addresses: tuple[str, ...], out: Mapping[str, str], why: str) -> Decision:
    included = endpoint.key not in out
    ips = tuple(sorted({a.ip for a in endpoint.addresses} & set(addresses))) if included else ()
    shown = ips or tuple(sorted({a.ip for a in endpoint.addresses}))
    reason = why if included else out[endpoint.key]
    return Decision(endpoint.id, endpoint.region, endpoint.state, shown, included, reason)


def _answer(
    zone: Zone, policy: Policy, name: str, addresses: tuple[str, ...], why: str, decisions: tuple[Decision, ...]
) -> Answer:
    ttl = policy.ttl or 0
    if addresses:
        return Answer(name, addresses, ttl, why, decisions)
    fallback = tuple(ip for ip in policy.fallback if reaches(zone, ip))
    if fallback:
        return Answer(name, fallback, ttl, "fallback: no endpoint serves", decisions)
    if policy.when_empty == "keep":
        return Answer(name, None, ttl, "kept: no endpoint serves, and the policy keeps what is there", decisions)
    return Answer(name, (), ttl, "no endpoint serves" if decisions else "nobody claims this name", decisions)
