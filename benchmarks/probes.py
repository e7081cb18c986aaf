"""What probes withdraw, how fast, how often wrongly, and what they must never do; beside the rules of others.

Failures are played in front of whole apps in virtual time, timers included, and judged by the records of the simulated
zones. False withdrawals are rare, so the rules run alone for thousands of days; the rules of others meet the same
disturbances (equal seeds and days), and their figures exclude the time that their DNS takes.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from benchmarks import health_rules, probe_noise
from benchmarks.harness import Figure, Say, Scenario
from benchmarks.health_rules import RULES
from benchmarks.probe_failures import blind_vantage, one_path, one_server
from benchmarks.probe_storm import storm
from simulator.timing.virtual_time import in_virtual_time

Found = TypeVar("Found")

TITLES = {
    "powerdns": "PowerDNS (ifurlup)",
    "kubernetes": "Kubernetes' readiness probes",
    "route53": "Route 53, fast",
    "traffic_manager": "Traffic Manager",
}
FIGURES = {
    "withdraw_p95_s": Figure(
        "s", "from the failure of a server until no zone answers with it, p95, worse of dead and hanging", "<= 55"
    ),
    "dead_p95_s": Figure("s", "the same, dead: no answer to a SYN"),
    "hanging_p95_s": Figure("s", "the same, hanging: accepts connections and does not answer"),
    **{f"{name}_p95_s": Figure("s", f"the same by the rule of {title}, without DNS") for name, title in TITLES.items()},
    "return_p95_s": Figure("s", "from the repair of that server until every zone answers with it again, p95"),
    "path_p95_s": Figure(
        "s",
        "from the failure of the path between two regions until the zone of its clients answers otherwise, p95",
        "<= 90",
    ),
    "path_elsewhere": Figure("", "the same runs: changes of any answer in other zones, of both apps", "= 0"),
    "path_beside": Figure("", "the same runs: changes of other names' answers in the zone of its clients"),
    "false_per_day": Figure("1/d", "withdrawals of an endpoint that only pauses, an endpoint and day", "<= 0.25"),
    "false_connect_per_day": Figure(
        "1/d", "the same if a disturbed path ends a probe after 3 s, the time limit for connections, and not after 5 s"
    ),
    **{
        f"{name}_false_per_day": Figure("1/d", f"the same by the rule of {title}, on the same disturbances")
        for name, title in TITLES.items()
    },
    "emptied": Figure("", "hours of failures of every kind: names emptied although Azure has a running VM", "= 0"),
    "emptied_withdrawals": Figure("", "the same hours: addresses withdrawn"),
    "emptied_kept": Figure(
        "", "the same hours: times that all addresses of a name in a zone had verdicts, and were kept"
    ),
    "blind_changes": Figure("", "answers changed by a vantage that is cut off for an hour", "= 0"),
}


@dataclass(frozen=True)
class Sizes:
    """How often each failure is played, and for how long the others run.

    `servers`: runs of each kind of failure. `storm_hours`, `noise_days`: for each seed. `others`, `connects`: seeds, at
    most `noises`, that the rules of others meet, and the probe with a time limit for connections.
    """

    servers: int
    paths: int
    blind: int
    storms: int
    storm_hours: float
    noises: int
    noise_days: int
    others: int
    connects: int


FULL = Sizes(60, 60, 6, 4, 2.0, 100, 60, 6, 30)
QUICK = Sizes(3, 2, 1, 1, 0.5, 4, 20, 2, 2)


def measure(sizes: Sizes, say: Say) -> dict[str, float]:
    """Return all figures."""
    return _failures(sizes, say) | _noise(sizes, say) | _harm(sizes, say)


def _failures(sizes: Sizes, say: Say) -> dict[str, float]:
    say(f"a server fails: {sizes.servers} times dead, {sizes.servers} times hanging")
    dead = _played(partial(one_server, "dead"), range(sizes.servers))
    hanging = _played(partial(one_server, "hangs"), range(sizes.servers, 2 * sizes.servers))
    say(f"a path between two regions fails: {sizes.paths} times")
    paths = _played(one_path, range(sizes.paths))
    apart = {"dead_p95_s": _p95([gone for gone, _ in dead]), "hanging_p95_s": _p95([gone for gone, _ in hanging])}
    return {
        "withdraw_p95_s": max(apart.values()),
        **apart,
        "return_p95_s": _p95([back for _, back in (*dead, *hanging)]),
        "path_p95_s": _p95([gone for gone, _, _ in paths]),
        "path_elsewhere": sum(elsewhere for _, elsewhere, _ in paths),
        "path_beside": sum(beside for _, _, beside in paths),
    }


def _noise(sizes: Sizes, say: Say) -> dict[str, float]:
    days = sizes.noise_days
    say(f"endpoints that only pause: {sizes.noises} times {days} days, {sizes.others} times by the rules of others")
    found = {
        "false_per_day": statistics.fmean(probe_noise.false_per_day(seed, days) for seed in range(sizes.noises)),
        "false_connect_per_day": statistics.fmean(
            probe_noise.false_per_day(seed, days, connects=True) for seed in range(sizes.connects)
        ),
    }
    for name, rule in RULES.items():
        false = [health_rules.false_per_day(rule, seed, days) for seed in range(sizes.others)]
        found[f"{name}_false_per_day"] = statistics.fmean(false)
        found[f"{name}_p95_s"] = _p95([health_rules.withdrawal_seconds(rule, seed) for seed in range(1000)])
    return found


def _harm(sizes: Sizes, say: Say) -> dict[str, float]:
    say(f"failures of every kind: {sizes.storms} times {sizes.storm_hours:g} h")
    storms = _played(partial(storm, hours=sizes.storm_hours, say=say), range(sizes.storms))
    say(f"a vantage is cut off for an hour: {sizes.blind} times")
    return {
        "emptied": sum(each.emptied for each in storms),
        "emptied_withdrawals": sum(each.withdrawals for each in storms),
        "emptied_kept": sum(each.kept for each in storms),
        "blind_changes": sum(_played(blind_vantage, range(sizes.blind))),
    }


def _played(story: Callable[[int], Coroutine[Any, Any, Found]], seeds: Sequence[int]) -> list[Found]:
    """What each seed has given."""
    return [in_virtual_time(partial(story, seed)) for seed in seeds]


def _p95(values: Sequence[float]) -> float:
    return statistics.quantiles(values, n=20)[-1]


def _run(quick: bool, say: Say) -> dict[str, float]:
    return measure(QUICK if quick else FULL, say)


SCENARIO = Scenario("Servers and paths that fail, seem to fail, or fail all at once.", FIGURES, _run)
