"""Finds what keeps probes from working, and says what to do about it. Pure.

Nothing that is found here withdraws an address. What the app knows of its network is the address that App Service puts
into WEBSITE_PRIVATE_IP. It is not documented whether Flex Consumption does so too: without it nothing is concluded, and
the texts name what to check.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address

from shared.domain.alarms import Alarm
from shared.domain.probes import Evidence, ProbeWord, Target, TargetKey, VantageRow

EXAMPLES = 3
"""How many names or addresses an alarm shows."""
ROUND_SECONDS = 300.0
"""Seconds without a round of probes after which an alarm is raised, as in infra/alerts.py."""

_NETWORK = frozenset({ProbeWord.CONNECT_TIMEOUT, ProbeWord.UNREACHABLE})
_WRONG_CERTIFICATE = "set the server's name in `tls.name` of NEARZONE_PROBES, or `verify` to false for a private issuer"
_DO = {
    ProbeWord.REFUSED: "nothing listens there: check `port` in NEARZONE_PROBES, and start the server",
    ProbeWord.RESET: "check `port` and `tls` in NEARZONE_PROBES, and whether a firewall ends the connections",
    ProbeWord.CLOSED: "check `port` and `tls` in NEARZONE_PROBES: the server may expect another protocol",
    ProbeWord.ANSWER_TIMEOUT: "check `path` in NEARZONE_PROBES, or set a longer `timeout` in NEARZONE_PROBING",
    ProbeWord.TLS_FAILED: "check `port` and `tls` in NEARZONE_PROBES: the server may not expect TLS there",
    ProbeWord.CERTIFICATE_EXPIRED: "renew the server's certificate",
    ProbeWord.CERTIFICATE_NAME: _WRONG_CERTIFICATE,
    ProbeWord.CERTIFICATE_UNTRUSTED: _WRONG_CERTIFICATE,
    ProbeWord.STATUS: "check `path` in NEARZONE_PROBES, or add the status to `expect`",
    ProbeWord.REDIRECT: "set `path` in NEARZONE_PROBES to where the redirect leads, or add its status to `expect`",
    ProbeWord.TOO_LONG: "set `path` in NEARZONE_PROBES to one with a short answer",
    ProbeWord.NOT_HTTP: "check `port`, `kind` and `tls` in NEARZONE_PROBES: the server speaks another protocol",
    ProbeWord.LOCAL_FAULT: "restart the app; if the alarm stays, look at the log of the function `probe`",
}
"""What to do if an address has never answered, by what its probe finds. For `_NETWORK`: `_allow`."""


@dataclass(frozen=True, slots=True)
class ProbingFacts:
    """What is known of an app that probes. `row`: its last round, None for none; `evidence`, `targets`: of that round.

    `own_ip`: the instance's address in its VNet, "" if unknown. `begun`: since when the app has been set up to probe, 0
    if unknown. `down_after`: failed rounds in a row before an address counts as silent. Times in seconds since the
    epoch.
    """

    row: VantageRow | None
    evidence: Collection[Evidence]
    targets: Mapping[TargetKey, Target]
    own_ip: str = ""
    begun: float = 0.0
    down_after: int = 3


def private_address(text: str | None) -> str:
    """Return the value of WEBSITE_PRIVATE_IP, "" if it is no private IPv4 address."""
    try:
        found = IPv4Address(text or "")
    except AddressValueError:
        return ""
    usable = found.is_private and not (found.is_loopback or found.is_unspecified or found.is_link_local)
    return str(found) if usable else ""


def check(facts: ProbingFacts, now: float) -> list[Alarm]:
    """Return all alarms about probing. Call it only where NEARZONE_PROBES names a probe."""
    return [*missing_round(facts, now), *blind(facts), *never_answered(facts)]


def missing_round(facts: ProbingFacts, now: float) -> list[Alarm]:
    """Return an alarm if nothing has been probed for `ROUND_SECONDS`."""
    last = facts.row.at if facts.row else facts.begun
    if now - last <= ROUND_SECONDS:
        return []
    ended = (
        f"no round of probes ended for {(now - last) / 60:.0f} minutes" if last else "no round of probes has ended yet"
    )
    return [
        Alarm(
            ended,
            "no probe takes an address out of an answer",
            "check that the app setting AzureWebJobs.probe.Disabled is not true and that NEARZONE_PROBE_SCHEDULE is "
            "right, and look at the runs of the function `probe`",
        )
    ]


def blind(facts: ProbingFacts) -> list[Alarm]:
    """Return an alarm if the vantage is presumed blind."""
    if not facts.row or not facts.row.blind_since:
        return []
    return [
        Alarm(
            f"the vantage {facts.row.vantage} is blind: {facts.row.failing:,} of {facts.row.addresses:,} addresses "
            "fail, in every region",
            "the fault is probably in the app's network: its probes take no address out of an answer",
            f"check peerings, routes, firewall and network security groups of {_subnet(facts)}",
            facts.row.failing,
        )
    ]


def never_answered(facts: ProbingFacts) -> list[Alarm]:
    """Return an alarm for each thing to do about addresses that have never answered their probe."""
    known = [each for each in facts.evidence if each.key in facts.targets]
    silent = [each for each in known if not each.armed and each.fails >= facts.down_after]
    answered = {name for each in known if each.armed for name in facts.targets[each.key].names}
    causes: defaultdict[tuple[ProbeWord, bool], list[Evidence]] = defaultdict(list)
    for each in silent:
        causes[each.word, not facts.targets[each.key].names & answered].append(each)
    nothing_answers = not any(each.armed for each in known)
    return [
        _never_answered(facts, word, found, whole=whole, nothing_answers=nothing_answers)
        for (word, whole), found in sorted(causes.items())
    ]


def _never_answered(
    facts: ProbingFacts, word: ProbeWord, found: Sequence[Evidence], *, whole: bool, nothing_answers: bool
) -> Alarm:
    """Return the alarm on addresses with one cause. `whole`: no other address of their names has answered either."""
    names = _listed(sorted({name for each in found for name in facts.targets[each.key].names}))
    addresses = [f"{each.ip}:{facts.targets[each.key].probe.port}" for each in found]
    statuses = sorted({each.status for each in found if each.status})
    cause = f"{word} {', '.join(map(str, statuses))}" if word == ProbeWord.STATUS and statuses else str(word)
    shown = f"({_listed(addresses)}: {cause})"
    many = "an address has" if len(found) == 1 else f"{len(found):,} addresses have"
    what = (
        f"no address has ever answered the probe of {names}" if whole else f"{many} never answered the probe of {names}"
    )
    do = _allow(facts, nothing_answers=nothing_answers) if word in _NETWORK else _DO[word]
    means = "their failures take no address out of an answer, so a later crash would not be seen"
    return Alarm(f"{what} {shown}", means, do, len(found), tuple(addresses[:EXAMPLES]))


def _allow(facts: ProbingFacts, *, nothing_answers: bool) -> str:
    do = (
        f"allow {_subnet(facts)} in the network security groups of the endpoints; or check port, peering and route to "
        "them"
    )
    if nothing_answers and not facts.own_ip:
        return f"check that the app has VNet integration (`subnet` in the configuration of infra/); then {do}"
    return do


def _subnet(facts: ProbingFacts) -> str:
    return f"the app's integration subnet (it has {facts.own_ip})" if facts.own_ip else "the app's integration subnet"


def _listed(texts: Iterable[str]) -> str:
    found = list(texts)
    return ", ".join([*found[:EXAMPLES], *(["..."] if len(found) > EXAMPLES else [])])
