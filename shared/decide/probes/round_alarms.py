"""What an operator should know of a round, and which names probes would have emptied."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from shared.config.settings import Probing, Settings
from shared.decide.probes.advice import advice
from shared.decide.routing import reaches
from shared.domain.alarms import Alarm
from shared.domain.endpoints import Address
from shared.domain.probes import Evidence, ProbeWord, Target, TargetKey, VantageRow, Verdict, VerdictKind
from shared.domain.zones import Zone

EXAMPLES = 3


def kept_names(
    verdicts: Iterable[Verdict], targets: Mapping[TargetKey, Target], settings: Settings, vantage: str
) -> tuple[str, ...]:
    """Return the names, as `NAME.ZONE`, of which every address that the zone reaches is down: all of them count.

    An override is not taken into account: the answer itself (`Answer.fail_open`) is exact.
    """
    down = {each.key: each for each in verdicts if each.kind == VerdictKind.DOWN}
    suspects = {name for key in down if key in targets for name in targets[key].names}
    if not suspects:
        return ()
    by_name: defaultdict[str, list[Target]] = defaultdict(list)
    for target in targets.values():
        for name in target.names & suspects:
            by_name[name].append(target)
    return tuple(
        f"{name}.{zone.fqdn} ({zone.region})"
        for name in sorted(suspects)
        for zone in settings.zones
        if _all_down(zone, by_name[name], down, vantage)
    )


def _all_down(zone: Zone, found: Iterable[Target], down: Mapping[TargetKey, Verdict], vantage: str) -> bool:
    there = [each.key for each in found if reaches(zone, Address(each.ip))]
    return bool(there) and all(key in down and down[key].holds_in(zone.region, vantage) for key in there)


def alarms_of(
    row: VantageRow, evidence: Mapping[TargetKey, Evidence], targets: Mapping[TargetKey, Target], probing: Probing
) -> tuple[Alarm, ...]:
    """Return the alarms of a round. `row`: the new row; `evidence`: of its targets, settled."""
    return (
        *_blind(row, evidence.values()),
        *_never_answered(row.vantage, evidence.values(), targets, probing),
        *_kept(row),
        *(_implausible(row.vantage, place) for place in row.distances.implausible),
    )


def _blind(row: VantageRow, evidence: Collection[Evidence]) -> Iterable[Alarm]:
    if not row.blind_since:
        return
    failing = [each for each in evidence if each.armed and each.fails]
    regions = sorted({each.region for each in failing})
    yield Alarm(
        f"the probes from {row.vantage} fail at {len(failing):,} addresses, in every region where it has any",
        "the fault may be the network of this app; its probes take no address out of an answer until they work again",
        "check the app's VNet integration, its network security group and routes; if all these servers are down, "
        "start them: the answers still have them",
        len(failing),
        tuple(regions[:EXAMPLES]),
    )


def _never_answered(
    vantage: str, evidence: Iterable[Evidence], targets: Mapping[TargetKey, Target], probing: Probing
) -> Iterable[Alarm]:
    """Return an alarm for each cause: one network rule that is missing is one alarm, for any number of addresses."""
    causes: defaultdict[tuple[ProbeWord, int], list[Evidence]] = defaultdict(list)
    for each in evidence:
        if not each.armed and each.fails >= probing.down_after:
            causes[each.word, each.status if each.word == ProbeWord.STATUS else 0].append(each)
    for (word, status), found in sorted(causes.items()):
        names = sorted({name for each in found for name in targets[each.key].names})
        addresses = [f"{each.ip}:{targets[each.key].probe.port}" for each in found]
        many = "an address has" if len(found) == 1 else f"{len(found):,} addresses have"
        cause = f"{word} {status}" if status else f"{word}"
        yield Alarm(
            f"{many} never answered a probe from {vantage}: {cause} ({_listed(addresses)}; names: {_listed(names)})",
            "their failures take no address out of an answer, so a crash of these servers would not be seen",
            advice(word, status),
            len(found),
            tuple(addresses[:EXAMPLES]),
        )


def _listed(texts: Sequence[str]) -> str:
    return ", ".join([*texts[:EXAMPLES], *(["..."] if len(texts) > EXAMPLES else [])])


def _kept(row: VantageRow) -> Iterable[Alarm]:
    if row.kept:
        yield Alarm(
            f"probes from {row.vantage} fail at all addresses of {len(row.kept):,} names: {_listed(row.kept)}",
            "the answers keep the addresses that Azure reports as running, so clients may get servers that are down",
            "check the servers of these names, and the probe of these names in NEARZONE_PROBES",
            len(row.kept),
            row.kept[:EXAMPLES],
        )


def _implausible(vantage: str, place: str) -> Alarm:
    return Alarm(
        f"the round-trip time from {vantage} to {place} is too short to be true",
        "something on the way, such as a proxy or firewall, answers for the endpoints; the published distance counts, "
        "and a probe without TLS or a path may find servers up that are down",
        "let the app connect to the endpoints directly",
        1,
        (place,),
    )
