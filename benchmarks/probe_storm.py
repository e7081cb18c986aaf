"""Hours of failures of every kind at once, in front of two apps that probe: probes must empty no name.

Servers behave in every way that the simulator knows, machines stop and start, and paths break, become longer and mend;
every half hour everything is mended, so that addresses answer again. A name is emptied if its record set is written
without an address, or removed, although a VM that claims it has been running for long enough that the app must know.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, TypeAlias, get_args

from benchmarks import worlds
from benchmarks.harness import Say
from benchmarks.noise import HOUR, ROUND
from benchmarks.probed_apps import ProbedApps, machines
from shared.domain.probes import VerdictKind
from simulator.arm.front_door import Completed
from simulator.model_servers.entry import Behaviour
from simulator.paths.entry import EVERYWHERE, PathEntry

Json: TypeAlias = Any

KNOWN_AFTER = 120.0
"""Seconds after its start from which the app must know that a VM runs: its event has been delivered and handled."""
EVERY = (2.0, 40.0)
"""Shortest and longest time between two failures, in seconds."""
MEND_EVERY = HOUR / 2
SERVICES, PER_REGION = 12, 8
_BEHAVIOURS: tuple[Behaviour, ...] = get_args(Behaviour)


@dataclass
class Seen:
    """What a run has shown. `withdrawals`: addresses that were withdrawn, each time counted, of both vantages.

    `kept`: how often all addresses of a name in a zone had verdicts at once, so that all of them were kept.
    """

    emptied: int = 0
    withdrawals: int = 0
    kept: int = 0
    writes: int = 0
    actions: Counter[str] = field(default_factory=Counter)


class Storm:
    """One run. `seen` is complete after `run`."""

    def __init__(self, seed: int) -> None:
        claims = [
            (region, [f"svc-{(number * 5 + place * 3 + each) % SERVICES:05}" for each in range(1 + number % 3)])
            for place, region in enumerate(worlds.REGIONS)
            for number in range(PER_REGION)
        ]
        self.apps = ProbedApps(machines(claims), seed, self._measure)
        self.rnd, self.vms = self.apps.rnd, self.apps.world["vms"]
        self.seen = Seen()
        self._kept: set[tuple[str, str]] = set()
        self.apps.cloud.azure.completed.append(self._check)

    def _measure(self, name: str, value: float, /, **dimensions: str) -> None:
        if name == "probes.verdict_changes" and dimensions["change"] == "given":
            self.seen.withdrawals += int(value) if dimensions["kind"] == VerdictKind.DOWN.value else 0

    def _check(self, note: Completed) -> None:
        """Judge a write of a zone at the instant at which it takes effect."""
        if not note.operation.startswith("Microsoft.Network/privateDnsZones/A/"):
            return
        zone_id, _, name = note.resource_id.rsplit("/", 2)
        self.seen.writes += 1
        answer = self.apps.history.now((zone_id.lower(), name.lower()))
        if not (answer and answer[1]) and self._has_candidate(name.lower()):
            self.seen.emptied += 1

    def _has_candidate(self, name: str) -> bool:
        known = self.apps.clock() - KNOWN_AFTER
        claiming = (vm["id"] for vm in self.vms if name in vm["tags"]["nearzone"].split(","))
        found = (self.apps.cloud.compute.vms.find(each) for each in claiming)
        return any(vm and vm.power == "running" and vm.running_since <= known for vm in found)

    async def run(self, hours: float, say: Say) -> Seen:
        """Break things at random for so long."""
        await self.apps.start()
        kept = asyncio.ensure_future(self._count_kept())
        end, mend_at = self.apps.clock() + hours * HOUR, self.apps.clock() + MEND_EVERY
        while self.apps.clock() < end:
            await asyncio.sleep(self.rnd.uniform(*EVERY))
            if self.apps.clock() >= mend_at:
                self._mend()
                await asyncio.sleep(10 * ROUND)
                mend_at = self.apps.clock() + MEND_EVERY
            self._break()
        kept.cancel()
        await self.apps.close()
        say(f"{dict(self.seen.actions)}, {self.seen.writes} writes")
        return self.seen

    async def _count_kept(self) -> None:
        while True:
            await asyncio.sleep(ROUND)
            for vantage, app in self.apps.apps.items():
                stored = await app.catalog.vantage(vantage)
                now = {(vantage, name) for name in (stored.value.kept if stored else ())}
                self.seen.kept += len(now - self._kept)
                self._kept = {each for each in self._kept if each[0] != vantage} | now

    def _break(self) -> None:
        action = self.rnd.choice(
            (self._server, self._server, self._server, self._service, self._region, self._path, self._power)
        )
        self.seen.actions[action.__name__.strip("_")] += 1
        action()

    def _server(self) -> None:
        self.apps.behave(self.rnd.choice(self.vms), self.rnd.choice(_BEHAVIOURS))

    def _service(self) -> None:
        name, behaviour = f"svc-{self.rnd.randrange(SERVICES):05}", self.rnd.choice(_BEHAVIOURS)
        for vm in self.vms:
            if name in vm["tags"]["nearzone"].split(","):
                self.apps.behave(vm, behaviour)

    def _region(self) -> None:
        region, behaviour = self.rnd.choice(worlds.REGIONS), self.rnd.choice(_BEHAVIOURS)
        for vm in self.vms:
            if vm["location"] == region:
                self.apps.behave(vm, behaviour)

    def _path(self) -> None:
        origin, to = self.rnd.sample((*worlds.REGIONS, EVERYWHERE), 2)
        if origin == EVERYWHERE:
            origin, to = to, self.rnd.choice(worlds.REGIONS)
        both, change = self.rnd.random() < 0.5, self.rnd.random()
        entry = PathEntry(origin, to, both=both)
        if change < 0.4:
            self.apps.cloud.paths.mend(entry)
        elif change < 0.7:
            self.apps.cloud.paths.change(PathEntry(origin, to, both=both, partition="all"))
        else:
            self.apps.cloud.paths.change(PathEntry(origin, to, both=both, rtt_ms=self.rnd.uniform(1, 400)))

    def _power(self) -> None:
        vm = self.apps.cloud.compute.vms.find(self.rnd.choice(self.vms)["id"])
        if vm and vm.power in ("running", "deallocated"):
            self.apps.stage.arm("POST", f"{vm.id}/{'deallocate' if vm.power == 'running' else 'start'}")

    def _mend(self) -> None:
        for vm in self.vms:
            self.apps.behave(vm, "healthy")
        for origin in (*worlds.REGIONS, EVERYWHERE):
            for to in (*worlds.REGIONS, EVERYWHERE):
                self.apps.cloud.paths.mend(PathEntry(origin, to))


async def storm(seed: int, hours: float, say: Say) -> Seen:
    """Run one storm. Raises RuntimeError if an app failed."""
    return await Storm(seed).run(hours, say)
