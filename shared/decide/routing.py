"""Which addresses a zone answers for a name, and why each claim is in the answer or not.

`route` is the way in. `_evaluate` leaves out the claims that may not or cannot answer, and those whose probes fail;
`_through_nearest` leaves out private endpoints of a service of which another one is nearer to the clients;
`_select_regions` then decides which regions answer: the nearest one, and more where the policy asks for more.
`keep_open` adds what the zone already holds of claimants that could not be read. Equal inputs give equal answers, in
whatever order the claims come. What probes have measured only takes away or reorders, and never empties an answer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

from shared.decide.claims import availability_problem, claim_problem, claimants_of, eligible_claims, exclude
from shared.decide.distance import Distance, distances_in_force, place_of, published, rank
from shared.decide.rules import Rules
from shared.domain import addresses
from shared.domain.endpoints import Address, Endpoint
from shared.domain.probes import Distances, Verdict, VerdictKind
from shared.domain.zones import MAX_ADDRESSES, Answer, ClaimVerdict, Policy, RecordSet, Zone


class _Candidate(NamedTuple):
    """A serving claim with those of its addresses that may be published in the zone."""

    endpoint: Endpoint
    addresses: Collection[str]


def route(zone: Zone, name: str, endpoints: Iterable[Endpoint], rules: Rules) -> Answer:
    """Decide what a zone answers for a name. `endpoints`: endpoints that do not claim the name are ignored."""
    return _evaluate(zone, name, endpoints, rules, {})[0]


def keep_open(
    answer: Answer,
    actual: RecordSet | None,
    endpoints: Collection[Endpoint],
    rules: Rules,
    *,
    only_remove: bool = False,
) -> Answer:
    """The answer, and what the zone already holds of claimants whose state is not known.

    Their addresses stay. If a list has not shown the addresses of such a claimant, every address stays that no other
    claimant has. Then no fallback is added. `only_remove`: these claimants are being read, so nothing is added yet,
    unless nothing would be left of what the zone holds: a farther endpoint is better than no answer.
    """
    overrides, settings = rules.overrides, rules.settings
    claimants = claimants_of(answer.name, endpoints)
    drained = {each.key for each in claimants if any(override.applies_to(each) for override in overrides)}
    unsure = [e for e in claimants if e.open and e.key not in drained and not claim_problem(e, answer.name, settings)]
    if not unsure or answer.addresses is None:
        return answer
    there = actual.addresses if actual else ()
    theirs = {address.ip for each in unsure for address in each.addresses}
    others = {address.ip for each in claimants if each not in unsure for address in each.addresses}
    hidden = any(not each.addresses for each in unsure)
    kept = [ip for ip in there if ip in theirs or (hidden and ip not in others)]
    of_claims = theirs | others
    wanted = dict.fromkeys((*(ip for ip in answer.addresses if not kept or ip in of_claims), *kept))  # No fallback.
    held = [ip for ip in wanted if ip in there]
    addresses = tuple(sorted((held if only_remove and (held or not there) else list(wanted))[:MAX_ADDRESSES]))
    why = f"; kept for {len(unsure)} that could not be read" if kept else ""
    return replace(answer, addresses=addresses, reason=answer.reason + why)


def explain_claims(zone: Zone, name: str, endpoints: Collection[Endpoint], rules: Rules) -> tuple[ClaimVerdict, ...]:
    """Why each claim is in the answer that `route` gives, or why it is not; sorted by the endpoint's key."""
    excluded: dict[str, str] = {}
    answer, chosen = _evaluate(zone, name, endpoints, rules, excluded)
    distances = distances_in_force(zone, name, rules)
    found = []
    for endpoint in sorted(claimants_of(name, endpoints), key=lambda e: e.key):
        held = {address.ip for address in endpoint.addresses}
        published = held.intersection(answer.addresses or ())
        reason = excluded.get(endpoint.key)
        place = place_of(endpoint, distances)
        if not reason and place not in chosen:
            reason = f"farther: {rank(zone, name, {place: endpoint.region}, rules, distances)[0]}"
        elif not reason and not published:
            reason = f"cut: a record set holds {MAX_ADDRESSES} addresses (put an internal load balancer in front)"
        shown = tuple(sorted(held if reason else published))
        found.append(
            ClaimVerdict(endpoint.id, endpoint.region, endpoint.state, shown, not reason, reason or answer.reason)
        )
    return tuple(found)


def _evaluate(
    zone: Zone,
    name: str,
    endpoints: Iterable[Endpoint],
    rules: Rules,
    excluded: dict[str, str],
) -> tuple[Answer, Collection[str]]:
    """The answer and the places that it comes from.

    Each step leaves out claims; `excluded` collects, by the endpoint's key, why. What remains are the candidates.
    """
    settings, overrides = rules.settings, rules.overrides
    policy = settings.policy(name)
    claimants = claimants_of(name, endpoints)
    permitted, tagged, eligible = eligible_claims(name, claimants, settings, excluded)
    serving = [e for e in eligible if not exclude(excluded, e, availability_problem(e, overrides))]
    usable = _candidates(zone, serving, policy, excluded)
    candidates, fail_open = _healthy(zone, name, usable, rules, excluded) if rules.measured else (usable, False)
    if len(candidates) > 1 and any([each.endpoint.location for each in candidates]):  # noqa: C419 - faster than a generator
        candidates = _through_nearest(zone, candidates, rules, excluded)
    distances = distances_in_force(zone, name, rules)
    chosen, nearest = _select_regions(zone, name, candidates, rules, distances)
    addresses: tuple[str, ...] | None = _limit_addresses(zone, chosen)
    if not addresses:
        addresses, reason = _empty_answer(zone, policy, claimants, serving)
    else:
        wanted = [e for e in eligible if not policy.regions or e.region in policy.regions]
        skipped = None
        if len(candidates) < len(eligible):
            ranked = rank(zone, name, _places(wanted, distances), rules, distances)
            there = _places((each.endpoint for each in usable), distances)
            skipped = _skipped_regions(ranked, nearest[0], _places(serving, distances), there)
        reason = _reason(tuple(nearest), skipped, fail_open=fail_open)
    ttl = policy.ttl or (settings.ttl if tagged or not permitted else settings.host_ttl)
    return Answer(name, addresses, ttl, reason, fail_open), [each.place for each in nearest]


def _candidates(zone: Zone, serving: list[Endpoint], policy: Policy, excluded: dict[str, str]) -> list[_Candidate]:
    """The claims with an address that the zone's clients can reach, and that only one VNet has."""
    alone = len(serving) == 1 and len(serving[0].addresses) == 1  # Most names have one claim with one address.
    ambiguous = set() if alone else ambiguous_addresses(serving)
    candidates = []
    for endpoint in serving:
        clear = [address for address in endpoint.addresses if address.ip not in ambiguous]
        reachable = [address.ip for address in clear if reaches(zone, address)]
        if not endpoint.addresses:
            excluded[endpoint.key] = _without_address(endpoint)
        elif not clear:
            excluded[endpoint.key] = "ambiguous: the same address is claimed from another VNet"
        elif policy.regions and endpoint.region not in policy.regions:
            excluded[endpoint.key] = "its region is not in the policy's regions"
        elif not reachable:
            excluded[endpoint.key] = _unreachable(zone, clear)
        else:
            candidates.append(_Candidate(endpoint, reachable))
    return candidates


def _without_address(endpoint: Endpoint) -> str:
    if endpoint.not_serving:
        return endpoint.not_serving
    return (
        "no part that its tag names has a private IPv4 address" if endpoint.selected else "has no private IPv4 address"
    )


def _unreachable(zone: Zone, found: Iterable[Address]) -> str:
    """Why none of these addresses is published in a zone."""
    for address in found:
        if words := addresses.reason_never_published(address.ip):
            return f"{address.ip} is {words}, which is never published"
        if addresses.is_public(address.ip) and not zone.public:
            return f'{address.ip} is a public address, and its zone in NEARZONE_ZONES does not say "public": true'
    return "clients of this zone cannot reach its address"


def ambiguous_addresses(serving: Iterable[Endpoint]) -> set[str]:
    """The addresses that are claimed from two VNets: a packet to one may arrive in either.

    An address without a known VNet (a static endpoint's) is ambiguous with none.
    """
    networks: dict[str, str] = {}
    ambiguous = set()
    for endpoint in serving:
        for address in endpoint.addresses:
            if address.network and networks.setdefault(address.ip, address.network) != address.network:
                ambiguous.add(address.ip)
    return ambiguous


def reaches(zone: Zone, address: Address) -> bool:
    """Whether the zone's clients can connect to an address, and it may be published there."""
    for first, last in zone.ranges:  # noqa: SIM110 - a generator would cost more than the comparisons
        if first <= address.number <= last:
            return True
    return False


def _healthy(
    zone: Zone, name: str, usable: list[_Candidate], rules: Rules, excluded: dict[str, str]
) -> tuple[list[_Candidate], bool]:
    """The candidates without a verdict against them, and whether all count because probes fail at every address.

    Where every address has a verdict, those count whose probes do not fail; where there are none, all count. So
    verdicts never empty an answer. A name whose policy does not wait ignores WAITING, which is there for other names of
    the endpoint.
    """
    probe = rules.settings.probe(name)
    if probe is None:
        return usable, False
    waits = rules.settings.policy(name).wait_minutes > 0
    found = {
        (each.endpoint.key, ip): verdict
        for each in usable
        for ip in each.addresses
        if (verdict := rules.measured.verdict(zone.region, each.endpoint.key, ip, probe.digest))
        and (waits or verdict.kind != VerdictKind.WAITING)
    }
    if not found:
        return usable, False
    healthy = _without(usable, found)
    if not healthy:
        found = {key: verdict for key, verdict in found.items() if verdict.kind == VerdictKind.DOWN}
        healthy = _without(usable, found)
    if not healthy:
        return usable, True
    for each in usable:
        against = [found.get((each.endpoint.key, ip)) for ip in each.addresses]
        if all(against):
            exclude(excluded, each.endpoint, f"{next(filter(None, against)).words} (probes of this app)")
    return healthy, False


def _without(usable: list[_Candidate], found: Mapping[tuple[str, str], Verdict]) -> list[_Candidate]:
    """The candidates with those of their addresses that have no verdict, if there are any."""
    left = (
        each._replace(addresses=[ip for ip in each.addresses if (each.endpoint.key, ip) not in found])
        for each in usable
    )
    return [each for each in left if each.addresses]


def _through_nearest(
    zone: Zone, candidates: list[_Candidate], rules: Rules, excluded: dict[str, str]
) -> list[_Candidate]:
    """The candidates without the private endpoints of a service of which another one is nearer to the clients.

    The distance of a private endpoint itself counts here: all of them lead to the same service, in the same region.
    """
    nearest: dict[tuple[str, str], float] = {}
    found = []
    for each in candidates:
        endpoint = each.endpoint
        ms = published(zone, endpoint.key, endpoint.network_region, rules).ms
        group = endpoint.service or endpoint.key, endpoint.region  # Two regions, if one is assumed, are two places.
        nearest[group] = min(ms, nearest.get(group, ms))
        found.append((each, group, ms))
    for each, group, ms in found:
        if ms > nearest[group]:
            excluded[each.endpoint.key] = "farther: another private endpoint of its service is nearer"
    return [each for each, group, ms in found if ms <= nearest[group]]


def _select_regions(
    zone: Zone, name: str, candidates: list[_Candidate], rules: Rules, distances: Distances | None
) -> tuple[list[_Candidate], list[Distance]]:
    """Which regions answer: the nearest, and the next ones that the policy asks for. Gives their candidates as well.

    A region is added while fewer than `min_endpoints` are chosen, or if it is at most `tolerance_ms` farther than the
    nearest one. Regions come with their distances, nearest first. A static endpoint that has a measured distance counts
    as a region of its own.
    """
    if len(candidates) == 1:
        endpoint = candidates[0].endpoint
        return candidates, rank(zone, name, {place_of(endpoint, distances): endpoint.region}, rules, distances)
    policy = rules.settings.policy(name)
    by_place: dict[str, list[_Candidate]] = {}
    for candidate in candidates:
        by_place.setdefault(place_of(candidate.endpoint, distances), []).append(candidate)
    chosen: list[_Candidate] = []
    nearest: list[Distance] = []
    for each in rank(zone, name, {p: found[0].endpoint.region for p, found in by_place.items()}, rules, distances):
        if not _enough(chosen, policy.min_endpoints) or each.within(nearest[0], policy.tolerance_ms):
            nearest.append(each)
            chosen += by_place[each.place]
    return chosen, nearest


def _enough(chosen: list[_Candidate], wanted: int) -> bool:
    """Whether so many endpoints are chosen. Claims with the same addresses count as one endpoint."""
    if len(chosen) < wanted or wanted == 1:
        return len(chosen) >= wanted
    return len({frozenset(candidate.addresses) for candidate in chosen}) >= wanted


@lru_cache
def _reason(nearest: tuple[Distance, ...], skipped: str | None, *, fail_open: bool) -> str:
    places = ", ".join([str(each) for each in nearest])
    reason = f"failover: {skipped}; nearest is {places}" if skipped else f"nearest: {places}"
    reason += "; kept although the probes of all addresses fail" if fail_open else ""
    return reason if len(nearest) < 2 else f"{reason} (mixed: clients spread evenly over {len(nearest)} regions)"


def _skipped_regions(
    ranked: list[Distance], nearest: Distance, serving: Collection[str], usable: Collection[str]
) -> str | None:
    """Why nearer regions do not answer although the name is claimed there and the policy allows them; None: no such.

    `serving`: the places where an endpoint serves; `usable`: where it has a usable address as well, so that only a
    verdict of any kind holds it back.
    """
    places = [each.place for each in ranked]
    passed = places[: places.index(nearest.place)] if nearest.place in places else []
    silent = ", ".join([place for place in passed if place not in serving])
    unusable = ", ".join([place for place in passed if place in serving and place not in usable])
    held = ", ".join([place for place in passed if place in usable])
    faults = (
        f"no endpoint serves in {silent}" if silent else "",
        f"no usable address in {unusable}" if unusable else "",
        f"held back by probes in {held}" if held else "",
    )
    return "; ".join(filter(None, faults)) or None


def _places(endpoints: Iterable[Endpoint], distances: Distances | None) -> dict[str, str]:
    """The places of endpoints, each with its region."""
    return {place_of(endpoint, distances): endpoint.region for endpoint in endpoints}


def rendezvous_rank(zone: Zone, endpoint_id: str) -> str:
    """Rendezvous hash of an endpoint in a zone: stable under churn, and different from zone to zone."""
    return hashlib.sha256(f"{zone.key}\n{endpoint_id.lower()}".encode()).hexdigest()


def _limit_addresses(zone: Zone, chosen: list[_Candidate]) -> tuple[str, ...]:
    """Their addresses, sorted; if a record set cannot hold all, those that come first by rendezvous hashing."""
    addresses = {ip for candidate in chosen for ip in candidate.addresses}
    if len(addresses) > MAX_ADDRESSES:
        ranked = sorted(chosen, key=lambda candidate: rendezvous_rank(zone, candidate.endpoint.id))
        in_turn = dict.fromkeys(ip for candidate in ranked for ip in sorted(candidate.addresses))
        addresses = set(list(in_turn)[:MAX_ADDRESSES])
    return tuple(sorted(addresses))


def _empty_answer(
    zone: Zone, policy: Policy, claimants: list[Endpoint], serving: list[Endpoint]
) -> tuple[tuple[str, ...] | None, str]:
    """What to answer without a candidate, and why: the policy's fallback, what is there (None), or nothing."""
    why = "no endpoint that serves may be used here" if serving else "no endpoint serves"
    fallback = tuple(ip for ip in policy.fallback if reaches(zone, Address(ip)))
    if fallback:
        return fallback, f"fallback: {why}"
    if policy.when_empty == "keep":
        return None, f"kept: {why}, and the policy keeps the record set"
    return (), why if claimants else "no endpoint claims this name"
