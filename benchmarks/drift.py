"""Drift: one record set in a hundred of a full zone was edited or removed by hand; a sweep finds and corrects it.

In turn, a record set gets a wrong TTL, a wrong address, or is removed. Azure's limits are on, so the writes take
minutes: the timer `drain` writes what the sweep's deadline leaves. Every request to ARM counts from the beginning of
the sweep until all is right, except for the pages of the lists that every sweep reads.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from benchmarks import converged, worlds
from benchmarks.harness import Figure, Say, Scenario
from benchmarks.stage import Sent, Stage
from shared.loop.reconciler import Reconciler
from simulator.timing.virtual_time import in_virtual_time

HOSTS, SERVICES = 10_000, 14_999
SHARE = 100
"""One record set in this many has drifted."""
DRAIN_SECONDS = 30.0
PATIENCE = 3600.0
LISTS = ("/A", "/virtualmachines", "/networkinterfaces")

FIGURES = {
    "calls_per_drift": Figure("", "ARM calls for each drifted set, without the pages that the sweep lists", "<= 1.1"),
    "drifted": Figure("", "record sets edited or removed"),
    "pages": Figure("", "pages that the sweep lists"),
    "seconds": Figure("s", "from the start of the sweep until every set is right again"),
}


def measure(hosts: int, services: int, say: Say) -> dict[str, float]:
    """Return all figures for a world of this size."""
    return in_virtual_time(lambda: _drift(hosts, services, say))


async def _drift(hosts: int, services: int, say: Say) -> dict[str, float]:
    stage = Stage(worlds.world(worlds.fleet(hosts, services), [converged.CLIENTS]))
    zone = worlds.zone_id(converged.CLIENTS)
    app = stage.app()
    await stage.fill_catalog(app)
    right = stage.record_sets(zone)
    drifted = sorted(right)[::SHARE]
    _edit(stage, zone, drifted)
    say(f"{len(drifted)} of {len(right):,} record sets have drifted")
    stage.sent.clear()
    begun = stage.clock()
    await app.correct_drift()
    pages = sum(is_page(each) for each in stage.sent)
    say(f"swept in {stage.clock() - begun:.0f} s of virtual time; {stage_left(stage, zone, right)} sets are left")
    await _until_right(stage, app, right)
    return {
        "calls_per_drift": (len(stage.sent) - pages) / len(drifted),
        "drifted": len(drifted),
        "pages": pages,
        "seconds": stage.clock() - begun,
    }


def _edit(stage: Stage, zone: str, names: Sequence[str]) -> None:
    """Edit these record sets by hand; our owner tag stays."""
    stage.cloud.enforce_limits(enforced=False)
    for number, name in enumerate(names):
        path = f"{zone}/A/{name}"
        if number % 3 == 2:
            stage.arm("DELETE", path)
            continue
        properties = stage.arm("GET", path)["properties"]
        edit = {"aRecords": [{"ipv4Address": "10.99.99.99"}]} if number % 3 else {"ttl": 3600}
        kept = {key: properties[key] for key in ("ttl", "aRecords", "metadata")}
        stage.arm("PUT", path, {"properties": kept | edit})
    stage.cloud.enforce_limits()


def stage_left(stage: Stage, zone: str, right: dict[str, tuple[int, tuple[str, ...]]]) -> int:
    """Return the number of record sets that are not right."""
    held = stage.record_sets(zone)
    return sum(held.get(name) != wanted for name, wanted in right.items())


async def _until_right(stage: Stage, app: Reconciler, right: dict[str, tuple[int, tuple[str, ...]]]) -> None:
    """Run the drain timer. Raises RuntimeError if the zone does not become right."""
    begun = stage.clock()
    while stage_left(stage, worlds.zone_id(converged.CLIENTS), right):
        if stage.clock() > begun + PATIENCE:
            raise RuntimeError(f"not right after {PATIENCE:.0f} s: {(await app.status())['alarms'][:5]}")
        await asyncio.sleep(DRAIN_SECONDS)
        await app.drain()


def is_page(each: Sent) -> bool:
    """Return whether a request is for a page of one of the lists."""
    return each.method == "GET" and each.path.lower().endswith(tuple(path.lower() for path in LISTS))


def _run(quick: bool, say: Say) -> dict[str, float]:
    return measure(800, 1199, say) if quick else measure(HOSTS, SERVICES, say)


SCENARIO = Scenario("One in a hundred of 25,000 record sets was edited or removed by hand.", FIGURES, _run)
