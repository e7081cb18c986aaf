"""One failure in front of two apps that probe: how long until the simulated zones answer without it, and with it again.

Each run has its own random numbers, and begins at a random phase of the timers.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any, TypeAlias

from benchmarks import worlds
from benchmarks.history import Answer
from benchmarks.noise import HOUR
from benchmarks.probed_apps import ASIA, EAST, WEST, ProbedApps, address, machines
from simulator.model_servers.entry import Behaviour
from simulator.paths.entry import EVERYWHERE, PathEntry

Json: TypeAlias = Any

PHASE = 30.0
"""The timers' phases repeat after so many seconds."""
LIMIT = 900.0
PER_REGION = 3
CLAIMS = {
    EAST: ("svc-near", "svc-wide"),
    WEST: ("svc-near", "svc-wide", "svc-far", "svc-west"),
    ASIA: ("svc-near", "svc-far"),
}
"""The names of each region's VMs. From East US, `svc-far` is in West Europe, else in Southeast Asia.

From Southeast Asia, `svc-wide` is in West Europe, else in East US."""


def _fleet() -> list[Json]:
    return machines((region, names) for region, names in CLAIMS.items() for _ in range(PER_REGION))


async def one_server(behaviour: Behaviour, seed: int) -> tuple[float, float]:
    """Let the server of one VM fail, and work again some minutes later.

    Returns the seconds until no zone answers with it, and from its return until all zones do that did before.
    """
    apps = ProbedApps(_fleet(), seed)
    await apps.start()
    vm = apps.rnd.choice(apps.world["vms"])
    before, without = apps.answers(), partial(_is_without, address(vm))
    await asyncio.sleep(apps.rnd.uniform(0, PHASE))
    apps.behave(vm, behaviour)
    failed = apps.clock()
    await apps.until(lambda: all(map(without, apps.answers().values())), LIMIT)
    gone = max(apps.history.since(key, without) for key in before)
    await asyncio.sleep(apps.rnd.uniform(2 * PHASE, 10 * PHASE))
    apps.behave(vm, "healthy")
    mended = apps.clock()
    await apps.until(lambda: apps.answers() == before, LIMIT)
    back = max(apps.history.since(key, partial(_is, before[key])) for key in before)
    await apps.close()
    return gone - failed, back - mended


async def one_path(seed: int) -> tuple[float, int, int]:
    """Let nothing from East US reach West Europe.

    Returns the seconds until the zone of East US answers `svc-far` from elsewhere. Until some minutes later: how many
    answers of other zones have changed, and how many of other names in the zone of East US. West Europe's own app, and
    its clients, reach everything.
    """
    apps = ProbedApps(_fleet(), seed)
    await apps.start()
    expected = frozenset(map(address, apps.world["vms"][-PER_REGION:]))
    key = (worlds.zone_id(EAST).lower(), "svc-far")
    await asyncio.sleep(apps.rnd.uniform(0, PHASE))
    apps.cloud.paths.change(PathEntry(EAST, WEST, both=False, partition="all"))
    failed = apps.clock()
    await apps.until(lambda: _addresses(apps.history.now(key)) == expected, LIMIT)
    gone = apps.history.since(key, lambda answer: _addresses(answer) == expected)
    await asyncio.sleep(20 * PHASE)
    changes = apps.history.changes(failed)
    await apps.close()
    others = {other: count for other, count in changes.items() if other != key}
    here = sum(count for other, count in others.items() if other[0] == key[0])
    return gone - failed, sum(others.values()) - here, here


async def blind_vantage(seed: int, seconds: float = HOUR) -> int:
    """Cut the vantage of East US off for an hour; returns how many answers change until some minutes later.

    In each region one VM has never answered a probe, so that no verdict can stand against it: if the others had one, it
    alone would be answered.
    """
    apps = ProbedApps(_fleet(), seed)
    for vm in apps.world["vms"][::PER_REGION]:
        apps.behave(vm, "refuses")
    await apps.start()
    await asyncio.sleep(apps.rnd.uniform(0, PHASE))
    cut = apps.clock()
    apps.cloud.paths.change(PathEntry(EAST, EVERYWHERE, partition="all"))
    await asyncio.sleep(seconds)
    apps.cloud.paths.mend(PathEntry(EAST, EVERYWHERE))
    await asyncio.sleep(20 * PHASE)
    await apps.close()
    return sum(apps.history.changes(cut).values())


def _addresses(answer: Answer) -> frozenset[str]:
    return answer[1] if answer else frozenset()


def _is_without(ip: str, answer: Answer) -> bool:
    return ip not in _addresses(answer)


def _is(wanted: Answer, answer: Answer) -> bool:
    return answer == wanted
