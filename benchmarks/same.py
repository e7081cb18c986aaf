"""Many events about one VM, about one scale set, and a flood about six VMs: how soon they are acknowledged.

A deployment or a policy run writes one resource repeatedly; each write is an event. Two instances of the app get the
events at random, with one catalog in a simulated table. Half-way the machine changes, and in the end its answer must be
right: if an event were acknowledged without a read of its resource, the answer would stay wrong.
"""

from __future__ import annotations

import asyncio
import re
import tracemalloc
from collections.abc import Callable, Sequence
from random import Random
from typing import Any, TypeAlias

from benchmarks import worlds
from benchmarks.fleet import Fleet
from benchmarks.harness import Figure, Say, Scenario
from benchmarks.stage import Stage
from benchmarks.tables import SharedTable
from simulator.compute.vm import VM_TYPE
from simulator.event_grid.delivery import ANSWER_TIMEOUT, Subscription
from simulator.timing.virtual_time import in_virtual_time

Json: TypeAlias = Any

FIGURES = {
    "ack_max_s": Figure("s", "100 events about one VM within a second: slowest answer to a delivery", "<= 5"),
    "reads": Figure("", "the same: GETs of the VM, both instances together", "<= 6"),
    "set_ack_max_s": Figure("s", "100 events about one set of 60 instances: slowest answer to a delivery", "<= 5"),
    "set_lists": Figure("", "the same: lists of its instances and of their NICs", "<= 10"),
    "set_reads": Figure("", "the same: GETs of the set and of its instances", "<= 60"),
    "failed_deliveries": Figure("", "both cases: deliveries that failed or got no answer in time", "= 0"),
    "flood_ack_max_s": Figure("s", "5,000 events about six VMs within ten seconds: slowest answer", "<= 25"),
    "flood_failed": Figure("", "the same: deliveries that failed or got no answer in time", "= 0"),
    "flood_reads": Figure("", "the same: GETs of the VMs"),
    "flood_mb": Figure("MB", "the same: peak additional memory of app and simulator", "< 100"),
}

INSTANCES = 60
REGION = worlds.REGIONS[0]
SET = (
    f"/subscriptions/{worlds.SUBSCRIPTION}/resourceGroups/gpu/providers/Microsoft.Compute/virtualMachineScaleSets/pool"
)
SETTLED_SECONDS = 60.0


def _scale_set() -> Json:
    return {
        "id": SET,
        "location": REGION,
        "mode": "Uniform",
        "tags": {"nearzone": "svc-set"},
        "vnet": worlds.vnet_id(REGION),
        "subnet": "pool",
        "instances": [
            {"id": str(number), "power": "running", "address": f"10.1.200.{number + 4}"} for number in range(INSTANCES)
        ],
    }


async def _play(
    vms: Sequence[Json], events: Sequence[tuple[str, str]], within: float, change: Callable[[Stage], None], seed: int
) -> tuple[Fleet, float]:
    """Publish these events (resource and operation) within `within` seconds; `change` happens half-way.

    Returns the fleet, and its peak memory in MB. Raises RuntimeError if an answer stays wrong.
    """
    world = worlds.world(vms) | {"scale_sets": [_scale_set()]}
    stage = Stage(world, seed=seed)
    account = SharedTable(stage.clock)
    apps = [stage.app(f"app-{number}", catalog=account.open()) for number in (1, 2)]
    await stage.fill_catalog(apps[0])
    await apps[0].correct_drift()
    fleet, rng = Fleet(stage, [app.on_event for app in apps], seed), Random(seed)
    fleet.event_grid.subscriptions = [Subscription("app", "EventGridSchema", ("Microsoft.",))]
    stage.sent.clear()
    tracemalloc.start()
    before, begun, changed = tracemalloc.get_traced_memory()[0], stage.clock(), False
    for instant, told in sorted((rng.uniform(0, within), each) for each in events):
        about = told
        await asyncio.sleep(begun + instant - stage.clock())
        if instant > within / 2 and not changed:
            change(stage)
            changed, about = True, events[0]  # This event reports it.
        stage.cloud.azure.emit(*about, "Write")
    await asyncio.sleep(SETTLED_SECONDS)
    taken = (tracemalloc.get_traced_memory()[1] - before) / 2**20
    tracemalloc.stop()
    await fleet.event_grid.idle()
    wrong = [key for key, answer in fleet.expected().items() if fleet.history.now(key) != answer]
    if wrong:
        raise RuntimeError(f"an acknowledged change is not in the answers: {wrong[:3]}")
    return fleet, taken


def _stopped(vm_id: str) -> Callable[[Stage], None]:
    def stop(stage: Stage) -> None:
        vm = stage.cloud.compute.vms.find(vm_id)
        if vm is None:
            raise KeyError(vm_id)
        vm.power, vm.changed = "deallocated", stage.clock()

    return stop


def _instance_stopped(stage: Stage) -> None:
    found = stage.cloud.compute.scale_sets.sets.find(SET)
    if found is None:
        raise KeyError(SET)
    found.instances[0].vm.power = "deallocated"


def _acknowledged(fleet: Fleet) -> tuple[float, int]:
    """Return the slowest response in seconds, and the number of failed deliveries."""
    sent = fleet.event_grid.deliveries
    waited = (ANSWER_TIMEOUT if each.answered_at is None else each.answered_at - each.sent_at for each in sent)
    return max(waited), sum(each.status != 202 for each in sent)


def _count_gets(fleet: Fleet, path: str) -> int:
    """Return the number of GETs whose path matches."""
    return sum(each.method == "GET" and bool(re.fullmatch(path, each.path, re.IGNORECASE)) for each in fleet.stage.sent)


def measure(events: int, flood: int, say: Say) -> dict[str, float]:
    """Publish this many events about one VM and about one set, and a flood of this many about six VMs."""
    vms = [worlds.vm(number, REGION, ["svc-vm"], health=None) for number in range(6)]
    one, write = vms[0]["id"], f"{VM_TYPE}/write"
    say(f"{events} events about one VM, and about one set of {INSTANCES} instances")
    of_vm, _ = in_virtual_time(lambda: _play(vms, [(one, write)] * events, 1.0, _stopped(one), 1))
    set_write = "Microsoft.Compute/virtualMachineScaleSets/write"
    of_set, _ = in_virtual_time(lambda: _play(vms, [(SET, set_write)] * events, 1.0, _instance_stopped, 2))
    say(f"{flood} events about six VMs")
    many = [(vms[number % 6]["id"], write) for number in range(flood)]
    of_all, taken = in_virtual_time(lambda: _play(vms, many, 10.0, _stopped(one), 3))
    found: dict[str, float] = {"failed_deliveries": 0, "flood_mb": taken}
    for prefix, fleet in (("", of_vm), ("set_", of_set)):
        found[f"{prefix}ack_max_s"], failed = _acknowledged(fleet)
        found["failed_deliveries"] += failed
    found["flood_ack_max_s"], found["flood_failed"] = _acknowledged(of_all)
    return found | {
        "reads": _count_gets(of_vm, re.escape(one)),
        "set_lists": _count_gets(of_set, f"{SET}/(virtualMachines|networkInterfaces)"),
        "set_reads": _count_gets(of_set, f"{SET}(/virtualMachines/[0-9]+)?"),
        "flood_reads": _count_gets(of_all, ".*/virtualMachines/vm-[0-9]+"),
    }


def _run(quick: bool, say: Say) -> dict[str, float]:
    return measure(20, 200, say) if quick else measure(100, 5000, say)


SCENARIO = Scenario("Many events tell of the same VM, the same scale set, or the same six VMs.", FIGURES, _run)
