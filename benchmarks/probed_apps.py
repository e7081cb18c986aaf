"""Two apps that probe: each with zones, a catalog and a vantage of its own, at one simulated Azure, in virtual time.

The app of East US has the zones of East US and Southeast Asia, the app of West Europe that of West Europe. The timers
run at their real schedules, and Event Grid delivers to both apps. The network loses packets, queues and wanders.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from random import Random
from typing import Any, NoReturn, TypeAlias, cast

from benchmarks import worlds
from benchmarks.fleet import DRAIN_EVERY, SWEEP_EVERY, WATCHED
from benchmarks.fleet import a_world as converged_world
from benchmarks.history import Answer, History, Key
from benchmarks.noise import ROUND
from benchmarks.recorded import Token
from benchmarks.stage import CATALOG_SECONDS, DelayedCatalog, Stage, fill_catalog
from shared.bootstrap import build
from shared.catalog.memory import MemoryCatalog
from shared.domain.errors import DialError, NearzoneError
from shared.domain.probes import ProbeWord
from shared.loop.reconciler import Reconciler
from shared.ports import Catalog, Dialer, no_metrics
from simulator.dialing.connections import ProbedNetwork
from simulator.dialing.virtual_dialer import VirtualDialer
from simulator.event_grid.delivery import EventGrid, Subscription
from simulator.model_servers.entry import Behaviour, ServerEntry

Json: TypeAlias = Any

EAST, WEST, ASIA = worlds.REGIONS
ZONES_OF = {EAST: (EAST, ASIA), WEST: (WEST,)}
"""The vantage of each app, with the regions of its zones."""
PROBES = {"svc-*": {"kind": "http", "port": 8000, "path": "/health"}}
NETWORK = {"loss": 0.005, "jitter_ms": 0.3, "spikes": 0.02, "wander_ms": 0.8}


class ProbedApps:
    """The apps and their Azure. `measure`: gets the metrics of both apps. Needs a virtual event loop."""

    def __init__(self, vms: Sequence[Json], seed: int, measure: Callable[..., None] = no_metrics) -> None:
        self.world = converged_world(vms) | {"network": NETWORK}
        self.stage = Stage(self.world, seed=seed)
        self.cloud, self.clock = self.stage.cloud, self.stage.clock
        self.rnd = Random(seed)
        self.errors: Counter[str] = Counter()
        network = ProbedNetwork(self.cloud)
        self.apps = {vantage: self._app(vantage, network, measure) for vantage in ZONES_OF}
        self.history = History(self.cloud)
        self._timers: list[asyncio.Task[NoReturn]] = []
        self._event_grid = EventGrid(self.cloud.azure, self._post, Random(seed))
        self._event_grid.subscriptions = [Subscription(each, "EventGridSchema", WATCHED) for each in self.apps]

    def _app(self, vantage: str, network: ProbedNetwork, measure: Callable[..., None]) -> Reconciler:
        zones = [{"id": worlds.zone_id(each), "region": each} for each in ZONES_OF[vantage]]
        settings = self.world["settings"] | {
            "NEARZONE_ZONES": zones,
            "NEARZONE_PROBES": PROBES,
            "NEARZONE_PROBING": {"mode": "enforce", "vantage": vantage},
        }
        dialer = VirtualDialer(network, vantage, lambda fault: DialError(ProbeWord[fault.name]))
        return build(
            {name: json.dumps(value) for name, value in settings.items()},
            credential=Token(),
            transport=self.stage.wire,
            catalog=cast("Catalog", DelayedCatalog(MemoryCatalog(), CATALOG_SECONDS)),
            dialer=cast("Dialer", dialer),
            clock=self.clock,
            holder=f"app-{vantage}",
            measure=measure,
        )

    async def _post(self, url: str, _headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        try:
            for event in json.loads(body):
                await self.apps[url].on_event(json.dumps(event))
        except Exception as error:  # noqa: BLE001 - the host responds so to any exception
            self.errors[type(error).__name__] += 1
            return 500, b""
        return 202, b""

    async def start(self) -> None:
        """Fill the catalogs, start the timers, and let every address answer some rounds."""
        for app in self.apps.values():
            await fill_catalog(app, self.clock())
            work = ((app.probe, ROUND), (app.drain, DRAIN_EVERY), (app.correct_drift, SWEEP_EVERY))
            self._timers += [asyncio.ensure_future(self._repeat(*each)) for each in work]
        await asyncio.sleep(8 * ROUND)

    async def _repeat(self, work: Callable[[], Awaitable[object]], every: float) -> NoReturn:
        while True:
            await asyncio.sleep(every - self.clock() % every)
            try:
                await work()
            except NearzoneError as error:
                self.errors[f"timer: {type(error).__name__}"] += 1

    async def close(self) -> None:
        """Stop timers and deliveries. Raises RuntimeError if a timer or a delivery failed."""
        for timer in self._timers:
            timer.cancel()
        await asyncio.gather(*self._timers, return_exceptions=True)
        await self._event_grid.close()
        if self.errors:
            raise RuntimeError(f"errors of the apps: {dict(self.errors)}")

    def behave(self, vm: Json, behaviour: Behaviour) -> None:
        """Let the model server of a VM behave like this from now on."""
        self.cloud.servers.set(vm["id"], ServerEntry(behaviour=behaviour), self.clock())

    def answers(self) -> dict[Key, Answer]:
        """Return the current answers of all zones for service names."""
        names = {name for vm in self.world["vms"] for name in vm["tags"]["nearzone"].split(",")}
        keys = [(worlds.zone_id(region).lower(), name) for region in worlds.REGIONS for name in sorted(names)]
        return {key: self.history.now(key) for key in keys}

    async def until(self, reached: Callable[[], bool], limit: float, step: float = 1.0) -> None:
        """Advance virtual time until something holds. Raises RuntimeError if it does not within `limit` seconds."""
        end = self.clock() + limit
        while not reached():
            if self.clock() > end:
                raise RuntimeError(f"not reached within {limit:g} virtual seconds")
            await asyncio.sleep(step)


def address(vm: Json) -> str:
    """The address of a VM."""
    return str(vm["nics"][0]["ip_configurations"][0]["address"])


def machines(claims: Iterable[tuple[str, Sequence[str]]]) -> list[Json]:
    """Return running VMs, each in a region with the names that it claims."""
    return [worlds.vm(number, region, names, health=None) for number, (region, names) in enumerate(claims)]
