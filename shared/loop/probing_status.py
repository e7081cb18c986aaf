"""What the status and the metrics say of probing: the vantage, its verdicts, and what they change. Reads, never writes.

Nothing of it is read or shown without NEARZONE_PROBES.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from shared.config.settings import Probing, Settings
from shared.decide.decision import NameInputs
from shared.decide.distance import distances_in_force, place_of, rank
from shared.decide.probe_effects import Effect, changed_answers, effect
from shared.decide.probe_states import TROUBLED, ProbeState, is_stale, rtt_ms, state
from shared.decide.probes.app_network import unconnected
from shared.decide.probes.setting_alarms import setting_alarms
from shared.decide.probes.targets import unprobed
from shared.decide.rules import Rules
from shared.domain.alarms import Alarm
from shared.domain.endpoints import Endpoint
from shared.domain.probes import (
    NOTHING_MEASURED,
    Distances,
    Evidence,
    Measured,
    Probe,
    TargetKey,
    VantageRow,
    Verdict,
    VerdictKind,
    shown,
)
from shared.domain.zones import Zone
from shared.loop.status_json import answer_json
from shared.loop.status_sources import StatusSources
from shared.loop.times import format_time

LISTED = 50
"""Items of each list of the section; each list says how many there are."""


@dataclass(frozen=True)
class VantageView:
    """What this app's vantage has found, as of `now`. `row`: its last round, None where it has not probed yet.

    `evidence`: what it has seen of each target. `probes`: how addresses are probed now, by the probe's digest.
    `private_ip`: this instance's address in its VNet, "" if unknown.
    """

    probing: Probing
    probes: Mapping[str, Probe]
    now: float
    row: VantageRow | None
    evidence: Mapping[TargetKey, Evidence]
    private_ip: str = ""

    @cached_property
    def measured(self) -> Measured:
        """What has not ended of it, whatever the mode."""
        return shown(self.row, self.now, enforce=self.probing.enforce) if self.row else NOTHING_MEASURED

    @cached_property
    def verdicts(self) -> Mapping[TargetKey, Verdict]:
        """The verdicts in force, by their targets."""
        return {verdict.key: verdict for verdict in self.measured.verdicts}

    @property
    def mode(self) -> str:
        """Whether it changes answers."""
        return "enforce" if self.probing.enforce else "observe"

    @property
    def is_stale(self) -> bool:
        """Whether its last round is too long ago."""
        return is_stale(self.row, self.probing, self.now)

    def state(self, key: TargetKey) -> ProbeState:
        """How an address stands."""
        return state(self.evidence.get(key), self.verdicts.get(key), self.probing, self.now)


async def vantage_view(sources: StatusSources) -> VantageView | None:
    """What this app's vantage has found; None without probes. Raises Transient, Terminal."""
    settings = sources.settings
    if not settings.probes:
        return None
    row = await sources.vantage()
    evidence: dict[TargetKey, Evidence] = {}
    for page in await sources.catalog.evidence(settings.probing.vantage):
        for each in page.evidence:
            evidence[each.key] = max(evidence.get(each.key, each), each, key=lambda one: one.at)
    probes = {probe.digest: probe for probe in settings.probes.values()}
    return VantageView(settings.probing, probes, sources.clock(), row, evidence, sources.private_ip)


async def effects(
    sources: StatusSources, endpoints: Sequence[Endpoint], rules: Rules
) -> Mapping[tuple[str, str], dict[str, Any]]:
    """What probes change of the answers, or would change, by zone key and name. Raises Transient, Terminal."""
    row = await sources.vantage() if sources.settings.probes else None
    if row is None:
        return {}
    found = changed_answers(endpoints, rules, shown(row, sources.clock(), enforce=sources.settings.probing.enforce))
    return {(each.zone.key, each.probed.name): _change(each) for each in found}


def explained(view: VantageView, zone: Zone, inputs: NameInputs, rules: Rules) -> dict[str, Any]:
    """What one answer is with probes and without them, whatever the mode."""
    found = effect(zone, inputs, rules, view.measured)
    return {
        "mode": view.mode,
        "vantage": view.probing.vantage,
        "stale": view.is_stale,
        "differs": found.differs,
        "with": answer_json(found.probed),
        "without": answer_json(found.without),
        "distances": _nearest(zone, inputs, replace(rules, measured=view.measured)),
    }


def _nearest(zone: Zone, inputs: NameInputs, rules: Rules) -> list[str]:
    """The places of a name's claims with their distances, nearest first."""
    distances = distances_in_force(zone, inputs.name, rules)
    places = {place_of(each, distances): each.region for each in inputs.claimants if inputs.name in each.names}
    return [str(each) for each in rank(zone, inputs.name, places, rules, distances)]


def addresses_by_claim(view: VantageView, inputs: NameInputs, rules: Rules) -> dict[str, list[dict[str, Any]]]:
    """How each address of a name's claims stands under its probe, by endpoint id; no address where it has no probe."""
    probe = rules.settings.probe(inputs.name)
    if probe is None:
        return {each.id: [] for each in inputs.claimants}
    reasons = unprobed(inputs.name, inputs.claimants, rules.settings)
    return {
        each.id: [
            address_json(view, (each.key, ip, probe.digest), rules) | {"not_probed": reasons.get((each.key, ip))}
            for ip in sorted({address.ip for address in each.narrowed(inputs.name).addresses})
        ]
        for each in inputs.claimants
    }


def section(view: VantageView, endpoints: Sequence[Endpoint], rules: Rules) -> dict[str, Any]:
    """The section `probing` of the summary. `rules`: of this moment."""
    row, enforce = view.row, view.probing.enforce
    changes = _listed(
        [
            {"zone": each.zone.id, "name": each.probed.name, **_change(each)}
            for each in changed_answers(endpoints, rules, view.measured)
        ]
    )
    return {
        "mode": view.mode,
        "vantage": view.probing.vantage,
        "stale": view.is_stale,
        "last_round": _last_round(row, view.now) if row else None,
        "blind_since": format_time(row.blind_since) if row else None,
        "suspected_since": format_time(row.suspected_since) if row else None,
        "verdicts": _verdicts(view),
        "would_change": None if enforce else changes,
        "changes": changes if enforce else None,
        "kept": _listed(row.kept if row and view.verdicts else ()),
        "never_answered": _listed(_never_answered(view)),
        "trouble": _listed(_trouble(view, rules)),
        "distances": _distances(row.distances, view, endpoints, rules) if row else None,
    }


def _listed(items: Sequence[Any]) -> dict[str, Any]:
    """The first items of a list, and how many there are."""
    return {"count": len(items), "items": list(items[:LISTED])}


def _last_round(row: VantageRow, now: float) -> dict[str, Any]:
    return {
        "number": row.round,
        "at": format_time(row.at),
        "age_s": round(max(0.0, now - row.at), 1),
        "seconds": round(row.seconds, 3),
        "addresses": row.addresses,
        "failing": row.failing,
    }


def _verdicts(view: VantageView) -> dict[str, Any]:
    found = sorted(view.verdicts.values(), key=lambda each: (each.since, each.key))
    items = [{**verdict_json(each), "endpoint": each.endpoint, "ip": each.ip} for each in found[:LISTED]]
    kinds = Counter(each.kind for each in found)
    return {"count": len(found), "kinds": {kind.value: kinds[kind] for kind in VerdictKind}, "items": items}


def verdict_json(verdict: Verdict) -> dict[str, Any]:
    """What is said against an address."""
    return {
        "kind": verdict.kind.value,
        "since": format_time(verdict.since),
        "why": verdict.why,
        "everywhere": verdict.everywhere,
    }


def _change(found: Effect) -> dict[str, Any]:
    return {
        "from": None if found.without.addresses is None else list(found.without.addresses),
        "to": None if found.probed.addresses is None else list(found.probed.addresses),
        "why": found.probed.reason,
    }


def _never_answered(view: VantageView) -> list[dict[str, Any]]:
    """Addresses that are probed and have never answered, longest first."""
    found = [each for each in view.evidence.values() if _is_current(each, view) and not each.armed]
    return [
        {
            "endpoint": each.endpoint,
            "ip": each.ip,
            **_probe(view.probes[each.probe]),
            "since": format_time(each.since),
            "fails": each.fails,
            "word": each.word.value,
            "status": each.status or None,
        }
        for each in sorted(found, key=lambda each: (each.since, each.key))
    ]


def _is_current(found: Evidence, view: VantageView) -> bool:
    """Whether an address is probed under the present settings and has a result."""
    return found.probe in view.probes and not found.absent and found.at > 0


def _trouble(view: VantageView, rules: Rules) -> list[dict[str, Any]]:
    """Addresses that an operator should look at, the worst first; of a stale vantage those that failed last."""
    order = {kind: place for place, kind in enumerate((*TROUBLED, ProbeState.STALE))}
    found = []
    for each in view.evidence.values():
        stands = view.state(each.key)
        if _is_current(each, view) and stands in order and (stands != ProbeState.STALE or each.fails):
            found.append((order[stands], each.down_since or each.since, each))
    found.sort(key=lambda one: (one[0], one[1], one[2].key))
    return [{"endpoint": each.endpoint, **address_json(view, each.key, rules)} for *_, each in found]


def address_json(view: VantageView, key: TargetKey, rules: Rules) -> dict[str, Any]:
    """How one address stands, and what the vantage has seen of it: null where it has seen nothing."""
    found, verdict, probe = view.evidence.get(key), view.verdicts.get(key), view.probes[key[2]]
    published = rules.latency.ms(view.probing.vantage, found.region) if found else None
    return {
        "ip": key[1],
        **_probe(probe),
        "state": view.state(key).value,
        "since": format_time(_since(found, verdict)),
        "armed": found.armed if found else False,
        "word": found.word.value if found and found.at else None,
        "status": (found.status or None) if found else None,
        "fails": found.fails if found else 0,
        "successes": found.successes if found else 0,
        "recent": found.recent if found else "",
        "rtt_ms": rtt_ms(found) if found else None,
        "samples": len(found.samples) if found else 0,
        "published_ms": published,
        "age_s": round(max(0.0, view.now - found.at), 1) if found and found.at else None,
        "verdict": verdict_json(verdict) if verdict else None,
    }


def _since(found: Evidence | None, verdict: Verdict | None) -> float:
    """Since when an address has been in its state; 0 where that is not known."""
    if verdict:
        return verdict.since
    return 0.0 if found is None else found.down_since or (found.up_at if found.armed else found.since)


def _probe(probe: Probe) -> dict[str, Any]:
    return {"kind": probe.kind, "port": probe.port, "path": probe.path or None}


def _distances(
    found: Distances, view: VantageView, endpoints: Iterable[Endpoint], rules: Rules
) -> dict[str, Any] | None:
    """Measured and published distances of all places, in the order in force; None where nothing is measured."""
    if not found.order and not found.implausible:
        return None
    return {
        "in_force": view.measured.distances is not None,
        "until": format_time(found.until),
        "changed_at": format_time(found.changed_at),
        "order": list(found.order),
        "places": _places(found, view, {each.key: each.region for each in endpoints}, rules),
        "pending": _listed(sorted(found.pending)),
        "previous": list(found.previous) if found.pending else None,
        "better": [
            {"nearer": each.nearer, "farther": each.farther, "since": format_time(each.since)} for each in found.better
        ],
    }


def _places(found: Distances, view: VantageView, regions: Mapping[str, str], rules: Rules) -> list[dict[str, Any]]:
    """Each place with its distances. `regions`: of the endpoints that are places of their own, by their keys."""
    return [
        {
            "place": place,
            "ms": found.ms.get(place),
            "published_ms": rules.latency.ms(view.probing.vantage, regions.get(place, place)),
            "implausible": place in found.implausible,
        }
        for place in dict.fromkeys((*found.order, *sorted(found.ms), *found.implausible))
    ]


def alarms(view: VantageView, settings: Settings, endpoints: Collection[Endpoint], *, swept: bool) -> Sequence[Alarm]:
    """The alarms about the settings of probing, and about the vantage. `swept`: a sweep was complete.

    They are found anew each time, so that no row need keep them beside the vantage's.
    """
    return [*setting_alarms(settings, endpoints), *_vantage_alarms(view, swept=swept)]


def _vantage_alarms(view: VantageView, *, swept: bool) -> Sequence[Alarm]:
    """The alarms of the vantage's last round; of a stale vantage, that it is stale."""
    row, vantage = view.row, view.probing.vantage
    if row and not view.is_stale:
        current = [each for each in view.evidence.values() if _is_current(each, view)]
        return [*row.alarms, *unconnected(current, view.private_ip, view.probing)]
    means = "no address is withdrawn for a failing probe until rounds come again"
    do = (
        "check that the app setting AzureWebJobs.probe.Disabled is not true and that NEARZONE_PROBE_SCHEDULE is right, "
        "and look at the runs of the function `probe`"
    )
    if row:
        return [Alarm(f"vantage {vantage} has had no probe round since {format_time(row.at)}", means, do)]
    return [Alarm(f"vantage {vantage} has not probed yet", means, do)] if swept else []
