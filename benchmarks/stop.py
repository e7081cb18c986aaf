"""A thousand VMs, or those of one region, stop within ten seconds: the time until no answer has a dead address.

Before, every zone is right and the app knows every VM. Two instances get the events at random; the timers run on the
first one. Each case runs several times, and the worst value of each figure counts; it is about service names. Host
names follow at the pace of the zones' rate limits.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from benchmarks.fleet import SEEDS, Json, a_fleet, budget_use, is_service, play, worst
from benchmarks.harness import Figure, Say, Scenario
from benchmarks.history import Answer
from simulator.timing.virtual_time import in_virtual_time

FIGURES = {
    "dead_address_s": Figure(
        "s", "from the last event until no service's answer holds a dead address, worse case", "<= 15"
    ),
    "all_dead_address_s": Figure("s", "the same, when every VM stops"),
    "region_dead_address_s": Figure("s", "the same, when one region's VMs stop"),
    "region_settled_s": Figure(
        "s", "from the last event until every service's answer is right, when one region's VMs stop"
    ),
    "all_settled_s": Figure("s", "from the last event until every service's answer is right, when every VM stops"),
    "host_budget_use": Figure("", "deletes of host names as a share of 60 a minute, slowest zone, worse case"),
    "hosts_s": Figure("s", "from the last event until every host name of a stopped VM is removed, worse case"),
    "reads_per_event": Figure(
        "",
        "ARM reads per event until all is right, each page of a list counted as one; sweeps excluded, worse case",
    ),
    "writes_per_answer": Figure("", "writes sent per zone and service name, worse case"),
    "throttled": Figure("", "requests refused with 429, worse case", "= 0"),
    "ack_max_s": Figure("s", "slowest answer to a delivery, worse case", "<= 25"),
    "failed_deliveries": Figure("", "deliveries that failed or got no answer in time, worse case"),
}
FAILING = "westeurope"
"""The region that stops alone."""


def measure(hosts: int, services: int, seeds: int, say: Say) -> dict[str, float]:
    """Stop everything, then one region; `seeds` times."""
    vms = a_fleet(hosts, services, "running")
    region = [vm for vm in vms if vm["location"] == FAILING]
    cases: dict[str, dict[str, float]] = {}
    for case, stopping in (("all", vms), ("region", region)):
        say(f"{len(stopping)} VMs stop ({case}), {seeds} times")
        runs = [in_virtual_time(partial(_stop, vms, stopping, seed, say)) for seed in range(seeds)]
        cases[case] = worst(runs)
    found = worst(list(cases.values()))
    apart = {f"{case}_{name}": cases[case][name] for case in cases for name in ("dead_address_s", "settled_s")}
    return {name: value for name, value in (found | apart).items() if name in FIGURES}


async def _stop(vms: Sequence[Json], stopping: Sequence[Json], seed: int, say: Say) -> dict[str, float]:
    fleet, want = await play(vms, stopping, "deallocated", seed, say)
    dead = frozenset(vm["nics"][0]["ip_configurations"][0]["address"] for vm in stopping)

    def alive(answer: Answer) -> bool:
        return answer is None or not answer[1] & dead

    right = fleet.since_right(want)
    gone = {key: at for key, at in right.items() if want[key] is None and not is_service(key)}
    of_services = [key for key in want if is_service(key)]
    return {
        **fleet.costs(of_services),
        "dead_address_s": fleet.latest(fleet.history.since(key, alive) for key in of_services),
        "settled_s": fleet.latest(right[key] for key in of_services),
        "host_budget_use": budget_use(gone),
        "hosts_s": fleet.latest(gone.values()),
    }


def _run(quick: bool, say: Say) -> dict[str, float]:
    return measure(90, 3, 1, say) if quick else measure(1000, 10, SEEDS, say)


SCENARIO = Scenario("A thousand VMs of ten services stop within ten seconds, or those of one region.", FIGURES, _run)
