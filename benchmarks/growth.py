"""How cost grows: the CPU of a warm sweep at three sizes, and the events that one instance can process.

Sweeps are measured as in `sweep`, in fresh processes that get recorded responses. The exponent is the slope of the line
through the three sizes in a log-log plot, by least squares; `exponent_last` that of its last segment alone, where the
constant cost of a sweep weighs least.

For events the simulator is in the process, but its own CPU is subtracted. Each event stops a VM that is known and
published, so that it is read and recorded, and its two names are routed and written. The clock is virtual and stops
while the processor works: no write waits for the zone's rate limits, and the figure is what the processor could do if
Azure permitted it.
"""

from __future__ import annotations

import asyncio
import math
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks import converged, worker, worlds
from benchmarks.harness import Figure, Say, Scenario
from benchmarks.stage import Stage
from simulator.arm.front_door import Completed
from simulator.timing.virtual_time import in_virtual_time

SIZES = {"1k": (400, 600), "5k": (2_000, 3_000), "25k": (10_000, 14_999)}
"""VMs and service names; together as many record sets."""
QUICK = {"1k": (40, 60), "5k": (200, 300), "25k": (400, 600)}
ROUNDS = 5
EVENTS = 1_000
APART = 1.2
"""Virtual seconds between two events: fewer than 57 writes a minute."""

FIGURES = {
    "exponent": Figure("", "slope of CPU over record sets in a log-log plot, three sizes", "<= 1.1", "real"),
    "exponent_last": Figure("", "the same between the two larger sizes", None, "real"),
    **{f"cpu_{size}_s": Figure("s", f"CPU of a warm sweep at {size} record sets", None, "real") for size in SIZES},
    "events_per_second": Figure("/s", "events per CPU second, each a change of a known VM", None, "real"),
}


def measure(sizes: dict[str, tuple[int, int]], rounds: int, events: int, say: Say) -> dict[str, float]:
    """Return all figures; `sizes` has the keys of SIZES."""
    spent = {}
    for name, (hosts, services) in sizes.items():
        say(f"sweeping {hosts:,} VMs and {hosts + services:,} record sets")
        with tempfile.TemporaryDirectory() as folder:
            _keep(Path(folder), hosts, services)
            spent[name] = worker.measure(Path(folder), "cpu", str(rounds))["sweep"]
    say(f"{events} events")
    points = [(sum(sizes[name]), cpu) for name, cpu in spent.items()]
    return {
        "exponent": slope(points),
        "exponent_last": slope(points[1:]),
        **{f"cpu_{name}_s": cpu for name, cpu in spent.items()},
        "events_per_second": in_virtual_time(lambda: _events(events)),
    }


def _keep(folder: Path, hosts: int, services: int) -> None:
    async def keep() -> None:
        await converged.keep_sweep(folder, converged.a_stage(hosts, services, latency=0))

    in_virtual_time(keep)


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Return the slope of the line through these points in a log-log plot, by least squares."""
    logs = [(math.log(x), math.log(y)) for x, y in points]
    middle_x, middle_y = (sum(column) / len(logs) for column in zip(*logs, strict=True))
    across = sum((x - middle_x) ** 2 for x, _ in logs)
    return float(sum((x - middle_x) * (y - middle_y) for x, y in logs) / across)


async def _events(count: int) -> float:
    """Return events per CPU second of the app. Raises RuntimeError if one was not handled completely."""
    fleet = worlds.fleet(count, count // 4, names_each=1)
    stage = Stage(worlds.world(fleet, [converged.CLIENTS]), latency=0, catalog_seconds=0)
    app = stage.app()
    await stage.fill_catalog(app)
    spent = 0.0
    for each in fleet:
        event = _stopped(stage, each["id"])
        await asyncio.sleep(APART)
        begun, azure = time.process_time(), stage.timed.cpu
        report = await app.on_event(event)
        spent += time.process_time() - begun - (stage.timed.cpu - azure)
        if report.failures or not report.changes or report.names_remaining:
            raise RuntimeError(f"{each['id']}: {report.as_json()}")
    return count / spent


def _stopped(stage: Stage, vm: str) -> str:
    """Stop a VM at once, and return the event about it."""
    found = stage.cloud.compute.vms.find(vm)
    if found is None:
        raise KeyError(vm)
    found.power = "deallocated"
    operation = "Microsoft.Compute/virtualMachines/deallocate/action"
    return stage.event(Completed(vm, operation, "Action", "Success", stage.clock(), stage.cloud.azure.new_guid()))


def _run(quick: bool, say: Say) -> dict[str, float]:
    return measure(QUICK, 2, 40, say) if quick else measure(SIZES, ROUNDS, EVENTS, say)


SCENARIO = Scenario("CPU of a sweep at 1,000, 5,000 and 25,000 record sets; events per second.", FIGURES, _run)
