"""One VM starts and stops: from the event's delivery to the right answers, against the shortest chain of ARM calls.

The chain is what any program has to wait for. A bare client that knows exactly what to do runs it in the same run: the
VM's GET beside the GETs of its two record sets, then (for a start) its NIC's GET, then both writes concurrently. It has
its own VM and zone in the same simulated Azure, latencies with the same distribution, and writes the same.

An answer counts from the instant at which its write takes effect in Azure, for both; that is before the response
arrives. The ratios until the response has arrived are shown as well.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from functools import partial
from operator import eq
from statistics import median, quantiles
from typing import Any, TypeAlias

from azure.core.rest import HttpRequest

from benchmarks import worlds
from benchmarks.harness import Figure, Say, Scenario
from benchmarks.history import History
from benchmarks.stage import RecordingTransport, Stage
from benchmarks.tables import SharedTable
from shared.ports import Catalog
from simulator.compute.vm import VM_TYPE, Power
from simulator.timing.virtual_time import in_virtual_time

FIGURES = {
    "start_ratio": Figure("", "start: median until the zone is right, relative to the chain", "<= 1.15"),
    "stop_ratio": Figure("", "stop: median until the zone is right, relative to the chain", "<= 1.15"),
    "p99_ratio": Figure(
        "", "99th percentile of the app relative to that of the chain, the worse of start and stop", "<= 1.6"
    ),
    "start_s": Figure("s", "start: median until the zone is right"),
    "stop_s": Figure("s", "stop: median until the zone is right"),
    "start_p99_s": Figure("s", "start: 99th percentile"),
    "stop_p99_s": Figure("s", "stop: 99th percentile"),
    "chain_start_s": Figure("s", "the chain, start: median"),
    "chain_stop_s": Figure("s", "the chain, stop: median"),
    "chain_start_p99_s": Figure("s", "the chain, start: 99th percentile"),
    "chain_stop_p99_s": Figure("s", "the chain, stop: 99th percentile"),
    "start_p99_ratio": Figure("", "start: 99th percentile relative to that of the chain"),
    "stop_p99_ratio": Figure("", "stop: 99th percentile relative to that of the chain"),
    "start_answered_ratio": Figure("", "start: median until the writer has its answer, relative to the chain"),
    "stop_answered_ratio": Figure("", "stop: median until the writer has its answer, relative to the chain"),
}

PAUSE = 60.0
"""Virtual seconds from one event to the next, so that rate limits do not matter."""
WARM_UP = 3
OURS, CHAINS = worlds.REGIONS[:2]
"""The zone that the app writes, and the one that the chain writes, by their regions."""
SERVICE = "llama-70b"
DNS_API = "2024-06-01"
WRITES = ("PUT", "DELETE")

Json: TypeAlias = Any
Deliver: TypeAlias = Callable[[], Awaitable[object]]


@dataclass
class Times:
    """Seconds from delivery until the zone was right, and until the response to the write arrived."""

    right: list[float] = field(default_factory=list)
    answered: list[float] = field(default_factory=list)

    def add(self, right: float, answered: float) -> None:
        """Add one repetition."""
        self.right.append(right)
        self.answered.append(answered)

    @property
    def p99(self) -> float:
        """The 99th percentile until the zone was right."""
        return quantiles(self.right, n=100, method="inclusive")[98]


@dataclass(frozen=True)
class Chain:
    """The bare client, with its VM."""

    wire: RecordingTransport
    vm: Json

    async def start(self) -> None:
        """Publish the VM."""
        await self._read()
        await self._ask("GET", self.vm["nics"][0]["id"], "2024-01-01")
        ip = self.vm["nics"][0]["ip_configurations"][0]["address"]
        bodies = ({"properties": {"ttl": ttl, "aRecords": [{"ipv4Address": ip}]}} for ttl in (30, 300))
        paths = _record_sets(CHAINS, self.vm)
        await asyncio.gather(
            *(
                self._ask("PUT", path, DNS_API, {"If-None-Match": "*"}, body)
                for path, body in zip(paths, bodies, strict=True)
            )
        )

    async def stop(self) -> None:
        """Remove the VM from DNS."""
        sets = await self._read()
        await asyncio.gather(*(self._ask("DELETE", each["id"], DNS_API, {"If-Match": each["etag"]}) for each in sets))

    async def _read(self) -> list[Json]:
        vm = self._ask("GET", self.vm["id"], "2024-07-01&$expand=instanceView")
        sets = (self._ask("GET", path, DNS_API) for path in _record_sets(CHAINS, self.vm))
        return (await asyncio.gather(vm, *sets))[1:]

    async def _ask(self, method: str, path: str, version: str, headers: Json = None, body: Json = None) -> Json:
        url = f"https://management.azure.com{path}?api-version={version}"
        response = await self.wire.send(HttpRequest(method, url, headers=headers, json=body))
        return response.json() if response.content else None


def _record_sets(region: str, vm: Json) -> list[str]:
    """Return the ids of a VM's two record sets: for its service's name and its own."""
    return [f"{worlds.zone_id(region)}/A/{name}" for name in (SERVICE, vm["id"].rsplit("/", 1)[1])]


@dataclass
class Scene:
    """A stage, its history, and VMs that change their power one after the other."""

    stage: Stage
    history: History

    async def change(self, vm: Json, power: Power, region: str, deliver: Deliver) -> tuple[float, float]:
        """Change a VM, deliver the event, and return the seconds until its answers were right, and until the response.

        Raises RuntimeError if they do not become right.
        """
        found = self.stage.cloud.compute.vms.find(vm["id"])
        if found is None:
            raise KeyError(vm["id"])
        found.power, begun = power, self.stage.clock()
        self.stage.sent.clear()
        await deliver()
        await asyncio.sleep(PAUSE)
        ids = [each.lower() for each in _record_sets(region, vm)]
        ip = vm["nics"][0]["ip_configurations"][0]["address"]
        wants = [(ttl, frozenset({ip})) if power == "running" else None for ttl in (30, 300)]
        keys = [(each.rsplit("/", 2)[0], each.rsplit("/", 1)[1]) for each in ids]
        right = max(self.history.since(key, partial(eq, want)) for key, want in zip(keys, wants, strict=True))
        answered = max((each.ended for each in self.stage.sent if each.method in WRITES), default=right)
        if not begun < right < begun + PAUSE:
            raise RuntimeError(f"{vm['id']} is {power}, and its answers have not followed within {PAUSE:.0f} s")
        return right - begun, answered - begun


async def _play(repetitions: int, say: Say) -> dict[str, Times]:
    ours, chains = (worlds.vm(number, OURS, [SERVICE], health=None) | {"power": "deallocated"} for number in (0, 1))
    chains["tags"] = {}  # The app must ignore it.
    world = worlds.world([ours, chains], (OURS, CHAINS), converged=False)
    world["settings"]["NEARZONE_ZONES"] = world["settings"]["NEARZONE_ZONES"][:1]
    stage = Stage(world)
    account = SharedTable(stage.clock)
    app, chain, scene = stage.app(catalog=account.open()), Chain(stage.wire, chains), Scene(stage, History(stage.cloud))
    await stage.fill_catalog(app)

    async def event(action: str) -> None:
        stage.cloud.azure.emit(ours["id"], f"{VM_TYPE}/{action}/action", "Action")
        await app.on_event(stage.event(stage.notifications[-1]))

    times = {name: Times() for name in ("start", "stop", "chain_start", "chain_stop")}
    for number in range(WARM_UP + repetitions):
        await _record_sweep(app.catalog, stage.clock())
        for name, *step in (
            ("start", ours, "running", OURS, partial(event, "start")),
            ("chain_start", chains, "running", CHAINS, chain.start),
            ("stop", ours, "deallocated", OURS, partial(event, "deallocate")),
            ("chain_stop", chains, "deallocated", CHAINS, chain.stop),
        ):
            found = await scene.change(*step)
            if number >= WARM_UP:
                times[name].add(*found)
        if number % 50 == 0:
            say(f"{number} starts and stops")
    return times


async def _record_sweep(catalog: Catalog, now: float) -> None:
    """Record that a sweep has begun now: without a sweep for hours, the catalog counts as incomplete."""
    stored = await catalog.state()
    if stored:
        await catalog.put_state(replace(stored.value, attempted_at=now), stored.etag)


def measure(repetitions: int, say: Say) -> dict[str, float]:
    """Run this many starts and stops of the app, and as many of the chain."""
    times = in_virtual_time(lambda: _play(repetitions, say))
    found: dict[str, float] = {}
    for action in ("start", "stop"):
        ours, chain = times[action], times[f"chain_{action}"]
        found |= {
            f"{action}_ratio": median(ours.right) / median(chain.right),
            f"{action}_answered_ratio": median(ours.answered) / median(chain.answered),
            f"{action}_s": median(ours.right),
            f"{action}_p99_s": ours.p99,
            f"{action}_p99_ratio": ours.p99 / chain.p99,
            f"chain_{action}_s": median(chain.right),
            f"chain_{action}_p99_s": chain.p99,
        }
    return found | {"p99_ratio": max(found["start_p99_ratio"], found["stop_p99_ratio"])}


def _run(quick: bool, say: Say) -> dict[str, float]:
    return measure(20 if quick else 300, say)


SCENARIO = Scenario("One VM starts and stops, compared with the shortest chain of ARM calls.", FIGURES, _run)
