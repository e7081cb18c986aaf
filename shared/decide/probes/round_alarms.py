"""What an operator should know of a round, and which names probes would have emptied."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping

from shared.config.settings import Probing, Settings
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


def alarms_of(row: VantageRow, evidence: Collection[Evidence], probing: Probing) -> tuple[Alarm, ...]:
    """Return the alarms of a round. `row`: the new row; `evidence`: of its targets, settled."""
    return (
        *_blind(row, evidence),
        *_never_answered(row.vantage, evidence, probing),
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


def _never_answered(vantage: str, evidence: Iterable[Evidence], probing: Probing) -> Iterable[Alarm]:
    by_word: defaultdict[ProbeWord, list[Evidence]] = defaultdict(list)
    for each in evidence:
        if not each.armed and each.fails >= probing.down_after:
            by_word[each.word].append(each)
    for word, found in sorted(by_word.items()):
        examples = tuple(f"{each.ip} of {_short(each.endpoint)}" for each in found[:EXAMPLES])
        more = ", ..." if len(found) > EXAMPLES else ""
        yield Alarm(
            f"{len(found):,} addresses have never answered a probe from {vantage}: {word.value} "
            f"({', '.join(examples)}{more})",
            "their failures take no address out of an answer, so a crash of these servers would not be seen",
            "check the network security group, and the port and path in NEARZONE_PROBES",
            len(found),
            examples,
        )


def _short(endpoint: str) -> str:
    return "/".join(endpoint.rsplit("/", 2)[-2:])


def _kept(row: VantageRow) -> Iterable[Alarm]:
    if row.kept:
        examples = row.kept[:EXAMPLES]
        more = ", ..." if len(row.kept) > EXAMPLES else ""
        yield Alarm(
            f"probes from {row.vantage} fail at all addresses of {len(row.kept):,} names: {', '.join(examples)}{more}",
            "the answers keep the addresses that Azure reports as running, so clients may get servers that are down",
            "check the servers of these names, and the probe of these names in NEARZONE_PROBES",
            len(row.kept),
            examples,
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
