"""What probes change: answers decided with what they have measured, compared with the answers without it. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from shared.decide.decision import NameInputs, decide_answer
from shared.decide.distance import place_of, rank
from shared.decide.rules import Rules
from shared.domain.endpoints import STATIC, Endpoint
from shared.domain.probes import NOTHING_MEASURED, Distances, Measured
from shared.domain.zones import Answer, Zone


@dataclass(frozen=True, slots=True)
class Effect:
    """One answer of a zone without probes, and with what they have measured."""

    zone: Zone
    without: Answer
    probed: Answer

    @property
    def differs(self) -> bool:
        """Whether probes change the addresses."""
        return self.without.addresses != self.probed.addresses


def effect(zone: Zone, inputs: NameInputs, rules: Rules, measured: Measured) -> Effect:
    """Return both answers for a name, decided as a zone worker does. What `rules` hold as measured does not count."""
    without, _ = decide_answer(zone, inputs, replace(rules, measured=NOTHING_MEASURED))
    probed, _ = decide_answer(zone, inputs, replace(rules, measured=measured))
    return Effect(zone, without, probed)


def changed_answers(endpoints: Iterable[Endpoint], rules: Rules, measured: Measured) -> list[Effect]:
    """Return the answers of all zones that probes change, by zone and name; claims alone decide.

    Only names are routed that a verdict or a measured order may concern: mostly there are few of them or none.
    """
    if not measured:
        return []
    claimants = _claimants(endpoints)
    with_verdict = frozenset(_names_with_verdicts(claimants, rules, measured))
    found = (
        effect(zone, NameInputs(name, claimants[name], None), rules, measured)
        for zone in rules.settings.zones
        for name in sorted({*with_verdict, *_names_that_move(zone, claimants, rules, measured)})
    )
    return [each for each in found if each.differs]


def _claimants(endpoints: Iterable[Endpoint]) -> Mapping[str, Sequence[Endpoint]]:
    found: defaultdict[str, list[Endpoint]] = defaultdict(list)
    for endpoint in endpoints:
        for name in endpoint.names:
            found[name].append(endpoint)
    return found


def _names_with_verdicts(
    claimants: Mapping[str, Sequence[Endpoint]], rules: Rules, measured: Measured
) -> Iterator[str]:
    """The names that ask for the probe of a verdict, and that its endpoint claims."""
    against = {(verdict.endpoint, verdict.probe) for verdict in measured.verdicts}
    for name, found in claimants.items() if against else ():
        probe = rules.settings.probe(name)
        if probe and any((each.key, probe.digest) in against for each in found):
            yield name


def _names_that_move(
    zone: Zone, claimants: Mapping[str, Sequence[Endpoint]], rules: Rules, measured: Measured
) -> Iterator[str]:
    """The names of a zone with endpoints in several places whose measured order or distances may decide otherwise."""
    distances = measured.distances
    if distances is None or zone.region != measured.vantage:
        return
    reordered = _is_reordered(zone, claimants, rules, distances)
    for name, found in claimants.items():
        several = len(found) > 1 and len({place_of(each, distances) for each in found}) > 1
        if several and (reordered or rules.settings.policy(name).tolerance_ms):
            yield name


def _is_reordered(zone: Zone, claimants: Mapping[str, Sequence[Endpoint]], rules: Rules, distances: Distances) -> bool:
    """Whether measured values can decide otherwise than the published ones, apart from a policy's tolerance.

    That is so where an order in force is not the published one, or where measured values do not grow along it. A static
    endpoint with a distance is a place of its own.
    """
    places = {
        place: each.region
        for found in claimants.values()
        for each in found
        if (place := place_of(each, distances)) in distances.ms
    }
    if any(place.startswith(f"{STATIC}/") for place in places):
        return True
    published = [each.place for each in rank(zone, "", places, rules, None)]
    ms = [distances.ms[place] for place in published]
    orders = (distances.order, distances.previous if distances.pending else distances.order)
    return any(one >= other for one, other in pairwise(ms)) or any(
        [place for place in order if place in places] != published for order in orders
    )
