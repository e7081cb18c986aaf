"""Which addresses are probed, and which of them share one connection."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping

from msgspec.structs import replace

from shared.config.settings import Settings
from shared.decide.claims import claimants_of, serving_claims
from shared.decide.routing import ambiguous_addresses, reaches
from shared.domain.addresses import reason_never_published
from shared.domain.endpoints import STATIC, Address, Endpoint
from shared.domain.probes import Probe, ProbeResult, Target, TargetKey

Dial = tuple[str, str]
"""The address and the probe's digest: targets with the same dial share one connection."""

Ranges = Collection[tuple[int, int]]
"""First and last addresses of networks."""
NEVER = "NEARZONE_PROBING.never has it"
AMBIGUOUS = "endpoints of different VNets have it, so which of them answers is not known"
OTHER_REGION = "its region is not in `regions` of the name's policy"
OUT_OF_REACH = "no zone reaches it"


def targets(settings: Settings, endpoints: Iterable[Endpoint]) -> tuple[Target, ...]:
    """Return what is to be probed, sorted by key.

    Only addresses of serving endpoints whose claim counts, within the reach of at least one zone, outside the
    networks that are never probed. An endpoint that an override drains is probed as well, so that its evidence is fresh
    when the override ends. `endpoints`: all that claim a name; an endpoint alone can differ in which of its claims
    count.
    """
    never = never_ranges(settings)
    refused: dict[str, str] = {}
    found: dict[TargetKey, Target] = {}
    for name, (probe, claimants) in sorted(_probed_names(settings, endpoints).items()):
        for endpoint, address, why in _addresses(name, claimants, settings):
            if address.ip not in refused:
                refused[address.ip] = _why_not_dialed(address, settings, never)
            if not why and not refused[address.ip]:
                key = (endpoint.key, address.ip, probe.digest)
                found[key] = _with_name(found.get(key), endpoint, address, probe, name)
    return tuple(found[key] for key in sorted(found))


def unprobed(name: str, claimants: Iterable[Endpoint], settings: Settings) -> dict[tuple[str, str], str]:
    """Return why addresses of serving claims that count are not probed for a name, by endpoint key and address."""
    never = never_ranges(settings)
    return {
        (endpoint.key, address.ip): reason
        for endpoint, address, why in _addresses(name, claimants, settings)
        if (reason := why or _why_not_dialed(address, settings, never))
    }


def never_ranges(settings: Settings) -> Ranges:
    """Return the networks of NEARZONE_PROBING.never as numbers."""
    return [(int(each[0]), int(each[-1])) for each in settings.probing.never]


def lies_in(address: Address, ranges: Ranges) -> bool:
    """Return whether an address lies in one of the ranges."""
    return any(first <= address.number <= last for first, last in ranges)


def _probed_names(settings: Settings, endpoints: Iterable[Endpoint]) -> dict[str, tuple[Probe, list[Endpoint]]]:
    """The names that have a probe, each with it and with the endpoints that claim the name."""
    claimants: defaultdict[str, list[Endpoint]] = defaultdict(list)
    for endpoint in endpoints:
        for name in endpoint.names:
            claimants[name].append(endpoint)
    return {name: (probe, found) for name, found in claimants.items() if (probe := settings.probe(name))}


def _addresses(name: str, claimants: Iterable[Endpoint], settings: Settings) -> Iterable[tuple[Endpoint, Address, str]]:
    """The addresses of serving claims that count, and why an answer cannot have one of them; "": it can.

    Which of two VNets a connection to an ambiguous address reaches is not known, so it would tell nothing.
    """
    serving = serving_claims(name, claimants_of(name, claimants), settings)
    regions, ambiguous = settings.policy(name).regions, ambiguous_addresses(serving)
    for endpoint in serving:
        elsewhere = OTHER_REGION if regions and endpoint.region not in regions else ""
        for each in endpoint.addresses:
            yield endpoint, each, elsewhere or (AMBIGUOUS if each.ip in ambiguous else "")


def _why_not_dialed(address: Address, settings: Settings, never: Ranges) -> str:
    """Why the app may not connect to an address; "": it may."""
    if why := reason_never_published(address.ip):
        return why
    if lies_in(address, never):
        return NEVER
    return "" if any(reaches(zone, address) for zone in settings.zones) else OUT_OF_REACH


def _with_name(known: Target | None, endpoint: Endpoint, address: Address, probe: Probe, name: str) -> Target:
    tagged = frozenset({name} if name in endpoint.tagged else ())
    if known:
        return replace(known, names=known.names | {name}, tagged=known.tagged | tagged)
    place = endpoint.key if endpoint.kind == STATIC else endpoint.region
    return Target(endpoint.key, address.ip, endpoint.region, place, probe, frozenset({name}), tagged)


def by_dial(targets: Iterable[Target]) -> Mapping[Dial, tuple[Target, ...]]:
    """Group targets by what is dialed: each group needs one connection."""
    groups: defaultdict[Dial, list[Target]] = defaultdict(list)
    for each in targets:
        groups[each.ip, each.probe.digest].append(each)
    return {dial: tuple(group) for dial, group in groups.items()}


def results_by_target(results: Mapping[Dial, ProbeResult], targets: Iterable[Target]) -> dict[TargetKey, ProbeResult]:
    """Return the result of each target; a target whose dial has no result has none."""
    return {each.key: results[dial] for each in targets if (dial := (each.ip, each.probe.digest)) in results}
