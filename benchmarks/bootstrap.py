"""A new deployment over a large fleet of running VMs: the time until service names are right and all VMs are read.

The catalog is empty, and lists do not say whether VMs report their health, so each VM has to be read once, at the 25
reads a second that Resource Manager allows after the first 250.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any, TypeAlias

from benchmarks import worlds
from benchmarks.fleet import DRAIN_EVERY, Fleet, is_service
from benchmarks.harness import Figure, Say, Scenario
from benchmarks.stage import Stage
from benchmarks.tables import SharedTable
from simulator.timing.virtual_time import in_virtual_time

Json: TypeAlias = Any

FIGURES = {
    "services_s": Figure(
        "s", "3,000 VMs: from the first timer until every service name is right in every zone", "<= 60"
    ),
    "complete_s": Figure("s", "3,000 VMs: from the first timer until every VM is read", "<= 180"),
    "throttled": Figure("", "3,000 VMs: requests refused with 429", "= 0"),
    "large_services_s": Figure(
        "s", "10,000 VMs: from the first timer until every service name is right in every zone", "<= 120"
    ),
    "large_throttled": Figure("", "10,000 VMs: requests refused with 429", "= 0"),
}
LIMIT = 1800.0
STEP = 0.5


def a_fleet(hosts: int, claimants: int, services: int) -> list[Json]:
    """Return running VMs; the last ones claim the services, in turn."""
    first = hosts - claimants
    return [
        worlds.vm(
            number,
            worlds.REGIONS[number % len(worlds.REGIONS)],
            [f"svc-{number % services:05}"] if number >= first else [],
            health=None,
        )
        for number in range(hosts)
    ]


async def _play(vms: Sequence[Json], *, whole: bool, say: Say) -> dict[str, float]:
    """Run until every service name is right; `whole`: until every VM has been read, too."""
    stage = Stage(worlds.world(vms, converged=False))
    account = SharedTable(stage.clock)
    app = stage.app(catalog=account.open())
    fleet = Fleet(stage, [app.on_event])
    want = {key: answer for key, answer in fleet.expected().items() if is_service(key)}
    fleet.start_timers(app)
    await asyncio.sleep(DRAIN_EVERY - stage.clock() % DRAIN_EVERY)  # Then the first timer runs a sweep.
    begun = stage.clock()
    found = {"services_s": LIMIT} | ({"complete_s": LIMIT} if whole else {})
    while LIMIT in found.values() and (passed := stage.clock() - begun) < LIMIT:
        await asyncio.sleep(STEP)
        if all(fleet.history.now(key) == answer for key, answer in want.items()):
            found["services_s"] = min(found["services_s"], passed)
        stored = await app.catalog.state()
        progress = stored.value.progress if stored else None
        if whole and progress and progress.read == progress.of:
            found["complete_s"] = min(found["complete_s"], passed)
        if passed % 60 < STEP:
            say(f"{passed:.0f} virtual s: {progress}")
    await fleet.close(say)
    return found | {"throttled": sum(each.status == 429 for each in stage.sent)}


def measure(hosts: int, large: int, claimants: int, services: int, say: Say) -> dict[str, float]:
    """Run two fleets of these sizes. Figures are virtual seconds from the first timer on."""
    found: dict[str, float] = {}
    for prefix, size in (("", hosts), ("large_", large)):
        say(f"{size} VMs and an empty catalog")
        vms, whole = a_fleet(size, claimants, services), not prefix
        values = in_virtual_time(partial(_play, vms, whole=whole, say=say))
        found |= {f"{prefix}{name}": value for name, value in values.items()}
    return found


def _run(quick: bool, say: Say) -> dict[str, float]:
    return measure(90, 120, 12, 3, say) if quick else measure(3000, 10_000, 200, 10, say)


SCENARIO = Scenario("A new deployment meets thousands of running VMs; its catalog is empty.", FIGURES, _run)
