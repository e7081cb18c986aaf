"""The common parts of the storms: many VMs that change at once, Event Grid, the timers, and the figures.

No internals of the app are used: events go in, and the figures come from the simulated zones.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from operator import eq
from random import Random
from typing import Any, NoReturn, TypeAlias

from benchmarks import worlds
from benchmarks.harness import Say
from benchmarks.history import History, Key
from benchmarks.stage import Stage, sweeping
from shared.domain.errors import NearzoneError
from shared.loop.reconciler import Reconciler
from simulator.compute.vm import VM_TYPE, Power
from simulator.event_grid.delivery import ANSWER_TIMEOUT, EventGrid, Subscription
from simulator.oracle.answers import Answers, expected

Json: TypeAlias = Any

WATCHED = ("Microsoft.Compute/virtualMachines/", "Microsoft.Network/networkInterfaces/", "Microsoft.Resources/tags/")
"""The prefixes that the app's event subscription delivers."""
EVENTS_WITHIN = 10.0
"""Seconds in which all VMs change."""
LIMIT = 3600.0
"""Seconds after the last event after which the run stops: a figure as large as this says "not within it"."""
DRAIN_EVERY, SWEEP_EVERY = 30.0, 600.0
"""Seconds between runs of the timers' functions."""
BUDGET = 60
"""Creates, updates or deletes of one zone in a minute. Source: Azure DNS limits, 2024-10-08."""
SEEDS = 3
"""How many times a storm runs, each with its own random choices; the worst value of each figure counts."""
STEP = 5.0
"""Virtual seconds between two checks whether all is right."""


def a_fleet(hosts: int, services: int, power: Power) -> list[Json]:
    """VMs of a world file without a health extension, spread over the regions; each claims one of the services."""
    found = []
    for number in range(hosts):
        region = worlds.REGIONS[number // services % len(worlds.REGIONS)]
        found.append(worlds.vm(number, region, [f"svc-{number % services:05}"], health=None) | {"power": power})
    return found


def is_service(key: Key) -> bool:
    """Return whether a name is claimed by tag, and is not a host name."""
    return key[1].startswith("svc-")


def a_world(vms: Sequence[Json]) -> Json:
    """Return a world in which every zone contains the oracle's answers for these VMs."""
    world = worlds.world(vms, converged=False)
    zones = {zone["id"].lower(): zone for zone in world["zones"]}
    for (zone_id, name), answer in sorted(expected(world).items()):
        if answer:
            record = {"name": name, "type": "A", "ttl": answer[0], "addresses": sorted(answer[1])}
            zones[zone_id]["records"].append(record | {"metadata": {"nearzone-owner": "nearzone"}})
    return world


class Fleet:
    """A stage with Event Grid, which delivers to a random one of the handlers. Needs a virtual event loop."""

    def __init__(self, stage: Stage, handlers: Sequence[Callable[[str], Awaitable[object]]], seed: int = 0) -> None:
        self.stage = stage
        self.clock = stage.clock
        self.history = History(stage.cloud)
        self.changed_at: dict[str, float] = {}
        """When each VM (resource id) changed and its event was published, in this order."""
        self.errors: Counter[str] = Counter()
        self._handlers = handlers
        self._rng = Random(seed)
        self._timers: list[asyncio.Task[NoReturn]] = []
        self.event_grid = EventGrid(stage.cloud.azure, self._post, Random(seed))
        self.event_grid.subscriptions = [Subscription("app", "EventGridSchema", WATCHED)]

    async def _post(self, _url: str, _headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        handle = self._rng.choice(self._handlers)
        try:
            for event in json.loads(body):
                await handle(json.dumps(event))
        except Exception as error:  # noqa: BLE001 - the host responds so to any exception
            self.errors[type(error).__name__] += 1
            return 500, b""
        return 202, b""

    def start_timers(self, app: Reconciler) -> None:
        """Run drain and sweep on one instance: Azure runs a timer's function on one instance at a time."""

        async def sweep() -> None:
            with sweeping():
                await app.correct_drift()

        work: Sequence[tuple[Callable[[], Awaitable[object]], float]] = ((app.drain, DRAIN_EVERY), (sweep, SWEEP_EVERY))
        self._timers = [asyncio.ensure_future(self._repeat(*each)) for each in work]

    async def _repeat(self, work: Callable[[], Awaitable[object]], every: float) -> NoReturn:
        while True:
            await asyncio.sleep(every - self.clock() % every)
            try:
                await work()
            except NearzoneError as error:
                self.errors[f"timer: {type(error).__name__}"] += 1

    async def close(self, say: Say) -> None:
        """Stop timers and deliveries, and report their errors."""
        for timer in self._timers:
            timer.cancel()
        await asyncio.gather(*self._timers, return_exceptions=True)
        await self.event_grid.close()
        if self.errors:
            say(f"errors: {dict(self.errors)}")

    async def burst(self, vms: Iterable[Json], power: Power) -> None:
        """Change the power state of VMs at random instants; the event of each is published at once."""
        begun = self.clock()
        for instant, vm_id in sorted((self._rng.uniform(0, EVENTS_WITHIN), vm["id"]) for vm in vms):
            await asyncio.sleep(begun + instant - self.clock())
            vm = self.stage.cloud.compute.vms.find(vm_id)
            if vm is None:
                raise KeyError(vm_id)
            vm.power, vm.changed = power, self.clock()
            self.changed_at[vm_id] = self.clock()
            action = "start" if power == "running" else "deallocate"
            self.stage.cloud.azure.emit(vm_id, f"{VM_TYPE}/{action}/action", "Action")

    def expected(self) -> Answers:
        """Return the right answers of every zone for the world as it is now."""
        return expected(self.stage.cloud.world())

    async def until_right(self, want: Answers, say: Say) -> None:
        """Advance virtual time until every zone answers as wanted, or the limit is reached."""
        wrong = list(want)
        while wrong and self._after(self.clock()) < LIMIT:
            await asyncio.sleep(STEP)
            wrong = [key for key in wrong if self.history.now(key) != want[key]] or self._wrong(want)
            if self.clock() % 60.0 < STEP:
                say(f"{self._after(self.clock()):.0f} virtual s: {len(wrong)} of {len(want)} answers are not yet right")

    def _wrong(self, want: Answers) -> list[Key]:
        return [key for key, answer in want.items() if self.history.now(key) != answer]

    def since_right(self, want: Answers) -> dict[Key, float]:
        """Return since when each zone has answered as wanted; infinite if it does not."""
        return {key: self.history.since(key, partial(eq, answer)) for key, answer in want.items()}

    def _after(self, instant: float) -> float:
        return instant - max(self.changed_at.values())

    def latest(self, instants: Iterable[float]) -> float:
        """Seconds from the last event to the latest of these instants."""
        return min(LIMIT, max(0.0, *(self._after(each) for each in instants)))

    def first_answer(self, answers: Iterable[Key]) -> float:
        """Seconds from a service's first event to its first address, of the slowest answer."""
        begun: dict[str, float] = {}
        for vm_id, at in self.changed_at.items():
            begun.setdefault(self._service(vm_id), at)
        return min(LIMIT, max(self.history.first(key) - begun[key[1]] for key in answers))

    def _service(self, vm_id: str) -> str:
        vm = self.stage.cloud.compute.vms.find(vm_id)
        return (vm.tags or {})["nearzone"] if vm else ""

    def writes(self) -> Counter[Key]:
        """How many writes were sent for each answer."""
        paths = (each.path.rsplit("/", 2) for each in self.stage.sent if each.method in ("PUT", "DELETE"))
        return Counter((zone_id.lower(), name.lower()) for zone_id, _, name in paths)

    def costs(self, services: Collection[Key]) -> dict[str, float]:
        """Return the costs of a storm so far. `services`: the answers of service names.

        Reads of the timer's sweeps do not belong to the storm, and are left out.
        """
        sent, deliveries, writes = self.stage.sent, self.event_grid.deliveries, self.writes()
        reads = sum(each.method == "GET" and not each.of_sweep for each in sent)
        per_service = [writes[key] for key in services]
        waited = (
            ANSWER_TIMEOUT if each.answered_at is None else each.answered_at - each.sent_at for each in deliveries
        )
        return {
            "writes_per_answer": sum(per_service) / len(per_service),
            "writes_of_worst": max(per_service),
            "reads_per_event": reads / len(self.changed_at),
            "throttled": sum(each.status == 429 for each in sent),
            "ack_max_s": max(waited),
            "failed_deliveries": sum(each.status != 202 for each in deliveries),
        }


async def play(
    vms: Sequence[Json], striking: Iterable[Json], power: Power, seed: int, say: Say
) -> tuple[Fleet, Answers]:
    """Change some VMs of a world, and run two instances of the app, which know all VMs, until all is right.

    Each event goes to a random instance; the timers run on the first one. Also returns the final right answers.
    """
    stage = Stage(a_world(vms), seed=seed)
    apps = [stage.app("app-1"), stage.app("app-2")]
    await stage.fill_catalog(apps[0])
    stage.sent.clear()
    fleet = Fleet(stage, [app.on_event for app in apps], seed)
    fleet.start_timers(apps[0])
    await fleet.burst(striking, power)
    want = fleet.expected()
    await fleet.until_right(want, say)
    await fleet.close(say)
    return fleet, want


def worst(runs: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the worst value of each figure in several runs: the minimum for use of a rate limit, else the maximum."""
    return {name: (min if name.endswith("budget_use") else max)(run[name] for run in runs) for name in runs[0]}


def budget_use(instants: Mapping[Key, float]) -> float:
    """Return the share of its zone's rate limit that the writes used, from the first to the last.

    Of several zones, the least share.
    """
    by_zone: defaultdict[str, list[float]] = defaultdict(list)
    for (zone, _), at in instants.items():
        by_zone[zone].append(at)
    per_minute = ((len(own) - 1) * 60.0 / (max(own) - min(own)) for own in by_zone.values())
    return min(per_minute) / BUDGET
