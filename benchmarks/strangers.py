"""A storm of events about VMs that the app does not know and that claim nothing: what it delays, and what it costs.

Half a subscription starts in the morning, and no VM of it is ours. Meanwhile a VM that serves stops. Two instances of
the app get the events at random, with one catalog in a simulated table. Writes of unknown VMs might have added a tag: a
tenth of them are read as they come; the whole number, about VMs that exist and about ids that do not, is left to the
sweep of the next drain.
"""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, NoReturn, TypeAlias

from benchmarks import worlds
from benchmarks.fleet import DRAIN_EVERY, Fleet
from benchmarks.harness import Figure, Say, Scenario
from benchmarks.stage import Stage, sweeping
from benchmarks.tables import SharedTable
from shared.loop.reconciler import Reconciler
from shared.loop.unknown_resources import is_sweep_noted
from simulator.compute.vm import VM_TYPE
from simulator.event_grid.delivery import ANSWER_TIMEOUT
from simulator.timing.virtual_time import in_virtual_time

Json: TypeAlias = Any

FIGURES = {
    "acknowledged": Figure(
        "", "5,000 starts of unknown VMs within ten seconds: share of deliveries acknowledged", "= 1"
    ),
    "ack_max_s": Figure("s", "the same: slowest answer to a delivery", "<= 25"),
    "reads": Figure("", "the same: GETs, each page of a list counted as one", "<= 50"),
    "stop_s": Figure("s", "the same: stop of a known VM during the storm, from its event to every zone", "<= 3"),
    "mb": Figure("MB", "the same: peak additional memory of app and simulator", "< 100"),
    "write_acknowledged": Figure(
        "", "500 writes of unknown VMs within ten seconds: share of deliveries acknowledged", "= 1"
    ),
    "write_ack_max_s": Figure("s", "the same: slowest answer to a delivery", "<= 25"),
    "write_reads": Figure("", "the same: GETs, each page of a list counted as one", "<= 200"),
    "write_stop_s": Figure("s", "the same: stop of a known VM during the storm, from its event to every zone", "<= 5"),
    "flood_acknowledged": Figure(
        "", "5,000 writes of unknown VMs within ten seconds: share of deliveries acknowledged", "= 1"
    ),
    "flood_ack_max_s": Figure("s", "the same: slowest answer to a delivery", "<= 25"),
    "flood_reads": Figure("", "the same: GETs for the events, each page of a list counted as one", "<= 500"),
    "flood_sweep_reads": Figure("", "the same: GETs of the sweeps to which the events are left", "<= 500"),
    "flood_stop_s": Figure("s", "the same: stop of a known VM during the storm, from its event to every zone", "<= 5"),
    "flood_seen_s": Figure("s", "the same: from the last event until a sweep has observed every VM", "<= 180"),
    "flood_mb": Figure("MB", "the same: peak additional memory of app and simulator", "< 100"),
    "ghosts_acknowledged": Figure("", "the same with ids that do not exist: share of deliveries acknowledged", "= 1"),
    "ghosts_ack_max_s": Figure("s", "the same: slowest answer to a delivery", "<= 25"),
    "ghosts_reads": Figure("", "the same: GETs for the events, each page of a list counted as one", "<= 500"),
    "ghosts_sweep_reads": Figure("", "the same: GETs of the sweeps to which the events are left", "<= 500"),
    "ghosts_stop_s": Figure("s", "the same: stop of a known VM during the storm, from its event to every zone", "<= 5"),
    "ghosts_seen_s": Figure("s", "the same: from the last event until a sweep has observed every VM", "<= 180"),
    "ghosts_mb": Figure("MB", "the same: peak additional memory of app and simulator", "< 100"),
}
WITHIN = 10.0
SETTLED_SECONDS = 40.0
LIMIT = 600.0


def _world(strangers: int, *, exist: bool) -> tuple[Json, Sequence[str]]:
    known = [worlds.vm(number, region, ["svc"], health=None) for number, region in enumerate(worlds.REGIONS)]
    others = [worlds.vm(10 + number, worlds.REGIONS[0], [], health=None) | {"tags": {}} for number in range(strangers)]
    return worlds.world([*known, *(others if exist else [])], converged=False), [each["id"] for each in others]


async def _play(
    strangers: int, action: str, seed: int, *, exist: bool = True, drains: bool = False
) -> tuple[Fleet, float, float, float]:
    """Publish one event about each unknown VM.

    Returns the fleet, the seconds that the stop of a known VM took, the memory in MB, and with `drains` the seconds
    until a sweep has read everything.
    """
    world, ids = _world(strangers, exist=exist)
    stage = Stage(world, seed=seed)
    account = SharedTable(stage.clock)
    apps = [stage.app(f"app-{number}", catalog=account.open()) for number in (1, 2)]
    await stage.fill_catalog(apps[0])
    await apps[0].correct_drift()
    await asyncio.sleep(120.0)
    fleet, rng = Fleet(stage, [app.on_event for app in apps], seed), Random(seed)
    stage.sent.clear()
    tracemalloc.start()
    before, begun = tracemalloc.get_traced_memory()[0], stage.clock()
    timers = [asyncio.ensure_future(_drain(apps[0]))] if drains else []
    stop = asyncio.get_running_loop().create_task(_stop(fleet, WITHIN / 2))
    for instant, vm_id in sorted((rng.uniform(0, WITHIN), each) for each in ids):
        await asyncio.sleep(begun + instant - stage.clock())
        stage.cloud.azure.emit(vm_id, f"{VM_TYPE}/{action}", "Action" if action.endswith("action") else "Write")
    ended, took = stage.clock(), await stop
    seen = await _until_swept(apps[0], ended) if drains else 0.0
    for timer in timers:
        timer.cancel()
    await asyncio.gather(*timers, return_exceptions=True)
    await asyncio.sleep(SETTLED_SECONDS)
    taken = (tracemalloc.get_traced_memory()[1] - before) / 2**20
    tracemalloc.stop()
    await fleet.event_grid.close()
    return fleet, took, taken, seen


async def _until_swept(app: Reconciler, ended: float) -> float:
    """Wait until no event waits for a sweep any more; return the seconds since the last event."""
    while app.clock() < ended + LIMIT:
        await asyncio.sleep(1.0)
        stored = await app.catalog.state()
        if stored and not is_sweep_noted(stored.value):
            break
    return app.clock() - ended


async def _drain(app: Reconciler) -> NoReturn:
    """Run the drain's timer, on one instance."""
    while True:
        await asyncio.sleep(DRAIN_EVERY - app.clock() % DRAIN_EVERY)
        with sweeping():
            await app.drain()


async def _stop(fleet: Fleet, after: float) -> float:
    """Stop a known VM `after` seconds from now; return the seconds until every zone is right."""
    await asyncio.sleep(after)
    vm = fleet.stage.cloud.compute.vms.find(worlds.vm_id("vm-00000"))
    if vm is None:
        raise KeyError("vm-00000")
    begun, vm.power, vm.changed = fleet.clock(), "deallocated", fleet.clock()
    fleet.stage.cloud.azure.emit(vm.id, f"{VM_TYPE}/deallocate/action", "Action")
    want = fleet.expected()
    while fleet.clock() < begun + 60.0 and any(  # noqa: ASYNC110 - the zones send no notification of a change
        fleet.history.now(key) != answer for key, answer in want.items()
    ):
        await asyncio.sleep(0.05)
    return fleet.clock() - begun


def _figures(fleet: Fleet) -> dict[str, float]:
    sent = [each for each in fleet.event_grid.deliveries if each.attempt == 1]
    waited = [ANSWER_TIMEOUT if each.answered_at is None else each.answered_at - each.sent_at for each in sent]
    return {
        "acknowledged": sum(each.status == 202 for each in sent) / len(sent),
        "ack_max_s": max(waited),
        "reads": sum(each.method == "GET" and not each.of_sweep for each in fleet.stage.sent),
    }


def measure(starts: int, writes: int, flood: int, say: Say) -> dict[str, float]:
    """Publish this many starts, and this many writes: few, many, and many about ids that do not exist."""
    say(f"{starts} starts of strangers")
    fleet, took, taken, _ = in_virtual_time(lambda: _play(starts, "start/action", 1))
    found = _figures(fleet) | {"stop_s": took, "mb": taken}
    say(f"{writes} writes of strangers")
    fleet, took, _, _ = in_virtual_time(lambda: _play(writes, "write", 2))
    found |= _named("write", _figures(fleet) | {"stop_s": took})
    for name, exist in (("flood", True), ("ghosts", False)):
        say(f"{flood} writes of strangers that {'exist' if exist else 'do not exist'}")
        found |= _named(name, _flood(flood, exist=exist))
    return found


def _flood(writes: int, *, exist: bool) -> dict[str, float]:
    fleet, took, taken, seen = in_virtual_time(lambda: _play(writes, "write", 3, exist=exist, drains=True))
    reads = sum(each.method == "GET" and each.of_sweep for each in fleet.stage.sent)
    return _figures(fleet) | {"sweep_reads": reads, "stop_s": took, "mb": taken, "seen_s": seen}


def _named(prefix: str, figures: Mapping[str, float]) -> dict[str, float]:
    return {f"{prefix}_{name}": value for name, value in figures.items()}


def _run(quick: bool, say: Say) -> dict[str, float]:
    return measure(300, 60, 600, say) if quick else measure(5000, 500, 5000, say)


SCENARIO = Scenario("Thousands of VMs that claim nothing start within ten seconds.", FIGURES, _run)
