"""A thousand known VMs start within ten seconds: the time until every service's answer is right, and the cost.

Two instances get the events at random; the timers run on the first one. Several storms run, and the worst value of each
figure counts. For comparison, one storm runs with a typical hand-written function (`per_event_writer.py`), which gets
as much time as the app took for all names.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from functools import partial

from benchmarks.fleet import SEEDS, Fleet, a_fleet, a_world, budget_use, is_service, play, worst
from benchmarks.harness import Figure, Say, Scenario
from benchmarks.history import Answer
from benchmarks.per_event_writer import ADDRESSES, PerEventWriter
from benchmarks.stage import Stage
from simulator.timing.virtual_time import in_virtual_time

FIGURES = {
    "first_answer_s": Figure("s", "from a name's first event to its first address in every zone, slowest name", "<= 3"),
    "settled_s": Figure("s", "from the last event until every service name is right in every zone", "<= 30"),
    "writes_per_answer": Figure("", "writes sent per zone and service name", "<= 5"),
    "writes_of_worst": Figure("", "the same, for the zone and service name with most"),
    "reads_per_event": Figure(
        "",
        "ARM reads per event until all names are right, each page of a list counted as one; sweeps excluded",
        "<= 0.3",
    ),
    "budget_use": Figure("", "creates of host names as a share of 60 a minute, slowest zone", ">= 0.9"),
    "hosts_s": Figure("s", "from the last event until every host name is right in every zone"),
    "throttled": Figure("", "requests refused with 429", "= 0"),
    "ack_max_s": Figure("s", "slowest answer to a delivery", "<= 25"),
    "failed_deliveries": Figure("", "deliveries that failed or got no answer in time"),
    "naive_first_answer_s": Figure("s", "simple handler: from a name's first event to its first address, slowest name"),
    "naive_full_answers": Figure(
        "", "simple handler: share of service answers that hold all possible addresses at the end"
    ),
    "naive_hosts": Figure("", "simple handler: share of host names that exist at the end"),
    "naive_writes_per_answer": Figure("", "simple handler: writes sent per zone and service name"),
    "naive_writes_of_worst": Figure("", "simple handler: the same, for the zone and service name with most"),
    "naive_reads_per_event": Figure("", "simple handler: ARM reads per event"),
    "naive_throttled": Figure("", "simple handler: requests refused with 429"),
    "naive_ack_max_s": Figure("s", "simple handler: slowest answer to a delivery, at most Event Grid's 30 s"),
    "naive_failed_deliveries": Figure("", "simple handler: deliveries that failed or got no answer in time"),
}


def measure(hosts: int, services: int, seeds: int, say: Say) -> dict[str, float]:
    """Run `seeds` storms with the app, then one with the hand-written function."""
    found = worst([in_virtual_time(partial(_with_app, hosts, services, seed, say)) for seed in range(seeds)])
    by_hand = in_virtual_time(lambda: _by_hand(hosts, services, found["hosts_s"], say))
    return found | {f"naive_{name}": value for name, value in by_hand.items()}


async def _with_app(hosts: int, services: int, seed: int, say: Say) -> dict[str, float]:
    say(f"storm with seed {seed}")
    vms = a_fleet(hosts, services, "deallocated")
    fleet, want = await play(vms, vms, "running", seed, say)
    right, of_services = fleet.since_right(want), [key for key in want if is_service(key)]
    hosts_right = {key: at for key, at in right.items() if not is_service(key)}
    return {
        **fleet.costs(of_services),
        "first_answer_s": fleet.first_answer(of_services),
        "settled_s": fleet.latest(right[key] for key in of_services),
        "budget_use": budget_use(hosts_right),
        "hosts_s": fleet.latest(hosts_right.values()),
    }


async def _by_hand(hosts: int, services: int, seconds: float, say: Say) -> dict[str, float]:
    vms = a_fleet(hosts, services, "deallocated")
    stage = Stage(a_world(vms))
    fleet = Fleet(stage, [PerEventWriter(stage).on_event, PerEventWriter(stage).on_event])
    await fleet.burst(vms, "running")
    want = fleet.expected()
    say(f"now by hand, for {seconds:.0f} virtual s")
    await asyncio.sleep(seconds)
    await fleet.close(say)
    of_services = [key for key in want if is_service(key)]
    hosts_now = [fleet.history.now(key) for key in want if not is_service(key)]
    return {
        **fleet.costs(of_services),
        "first_answer_s": fleet.first_answer(of_services),
        "full_answers": _share([fleet.history.now(key) for key in of_services], min(ADDRESSES, hosts // services)),
        "hosts": _share(hosts_now, 1),
    }


def _share(answers: Collection[Answer], at_least: int) -> float:
    """Return the share of these answers with at least this many addresses."""
    return sum(answer is not None and len(answer[1]) >= at_least for answer in answers) / len(answers)


def _run(quick: bool, say: Say) -> dict[str, float]:
    return measure(90, 3, 1, say) if quick else measure(1000, 10, SEEDS, say)


SCENARIO = Scenario("A thousand VMs of ten services start within ten seconds, in three regions.", FIGURES, _run)
