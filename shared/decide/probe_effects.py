"""What probes change: answers decided with what they have measured, compared with the answers without it. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from shared.decide.decision import NameInputs, decide_answer
from shared.decide.distance import Distance, distances_in_force, place_of, rank
from shared.decide.rules import Rules
from shared.domain.endpoints import Endpoint, State
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
        for name in sorted({*with_verdict, *names_that_move(zone, claimants, rules, measured)})
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


def names_that_move(
    zone: Zone, claimants: Mapping[str, Sequence[Endpoint]], rules: Rules, measured: Measured
) -> Iterator[str]:
    """Return the names of a zone that measured distances may decide otherwise than the published ones.

    Many names have endpoints in the same places: what these places decide is found out once.
    """
    if measured.distances is None or zone.region != measured.vantage:
        return
    probed = replace(rules, measured=measured)
    known: dict[tuple[frozenset[tuple[str, str]], float, bool], bool] = {}
    for name, found in claimants.items():
        distances = distances_in_force(zone, name, probed) if len(found) > 1 else None
        if distances is None:
            continue
        places = frozenset((place_of(each, distances), each.region) for each in found if each.state == State.SERVING)
        if len(places) < 2:
            continue
        key = places, rules.settings.policy(name).tolerance_ms, name in distances.pending
        if key not in known:
            known[key] = _may_differ(zone, name, dict(places), rules, distances)
        if known[key]:
            yield name


def _may_differ(zone: Zone, name: str, places: Mapping[str, str], rules: Rules, distances: Distances) -> bool:
    """Whether measured distances decide otherwise than the published ones, for some of these places (with regions).

    They do not if the order is the same, and the same pairs are within the tolerance of the policy. A static endpoint
    with a measured distance is a place of its own only by measured distances.
    """
    if any(place != region for place, region in places.items()):
        return True
    without = rank(zone, name, places, rules, None)
    probed = rank(zone, name, places, rules, distances)
    tolerance = rules.settings.policy(name).tolerance_ms
    return any(
        one.place != other.place or _within(without[:i], one, tolerance) != _within(probed[:i], other, tolerance)
        for i, (one, other) in enumerate(zip(without, probed, strict=True))
    )


def _within(nearer: Iterable[Distance], place: Distance, tolerance_ms: float) -> list[bool]:
    """Whether a place is within the tolerance of each nearer one, any of which may be the nearest that answers."""
    return [place.within(each, tolerance_ms) for each in nearer]
