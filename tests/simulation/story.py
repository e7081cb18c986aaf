"""One seed, from its first event to the verdict: instances, deliveries, timers, faults, and then quiet."""

import asyncio
import json
from random import Random
from weakref import WeakKeyDictionary

from shared.decide.sweep_reads import SETTLED_SECONDS
from shared.domain.clock import TOLERANCE
from shared.loop.sweep_reader import HEALTH_RECHECK_SECONDS
from simulator.cloud import SimulatedAzure
from simulator.event_grid.delivery import EventGrid, Subscription
from simulator.event_grid.events import event_of
from simulator.faults.source import Faults
from simulator.oracle.answers import expected, held
from simulator.oracle.claims import claims, decoded, endpoints, permitted
from simulator.private_dns.rules import AssumedBehaviour
from simulator.timing.latency import Latency
from simulator.world.world import read
from tests.simulation import gateways
from tests.simulation.catalog_faults import FaultSchedule
from tests.simulation.catalogs import InMemory, InTable
from tests.simulation.cluster import Cluster, resync
from tests.simulation.faults import ShortLists, storms
from tests.simulation.graph_scenario import GraphFaults
from tests.simulation.history import History
from tests.simulation.invariants import Invariants
from tests.simulation.probe_ending import ProbeEnding, prober_timer
from tests.simulation.probe_invariants import ProbeInvariants
from tests.simulation.probed_world import ProbedWorld
from tests.simulation.process import CrashSchedule
from tests.simulation.scenario import draw
from tests.simulation.trace import Trace
from tests.simulation.witness import Witness
from tests.simulation.workload import Workload, foreign_writer, freezer, resizer
from tests.support.small_world import in_virtual_time

EVENTS = 40
"""So many at least are told in each story, whatever becomes of them then."""
DRAIN = 30.0
WATCHED = ("Microsoft.Compute/", "Microsoft.Network/networkInterfaces/", "Microsoft.Resources/tags/")
EDITS = "Microsoft.Network/privateDnsZones/A/"
"""Every fourth seed hears of these as well; the others' stories stay as they were."""
DELIVERIES = 120.0
"""Seconds for which deliveries are waited for once the faults have stopped; then they are lost."""
REST = 300.0
"""Seconds before the verdict: so long does the longest of Azure's limits count what was before."""
QUIET = 400.0
"""No function runs longer than this, not even one that was frozen."""
DRAINS = 60


class Story:
    """One seed's simulation."""

    def __init__(self, seed, clock, parents, *, trace=False):
        self.drawn, self.clock = draw(seed), clock
        drawn, self.rng, self.trace = self.drawn, Random(f"chance {seed}"), Trace(clock, on=trace)
        self._azure(seed)
        self.history = History(self.cloud, clock)
        self.witness = Witness(self.cloud, self.history, self.trace, clock)
        off = TOLERANCE if drawn.skew else 0.0
        lag = drawn.graph.lag if drawn.graph else 0.0
        self.ledger = Invariants(self.history, self.trace, clock, self.witness.settled, parents, off=off, lag=lag)
        self.witness.ledger = self.ledger
        self.short_lists = self.witness.short_lists = ShortLists(self.rng, drawn.short_lists, self.ledger, self.trace)
        self.weather = self._weather(*drawn.catalog)
        made = InTable if drawn.table else InMemory
        self.catalog = made(self.ledger, self.weather, drawn.catalog_seconds, self.trace)
        self.fates = CrashSchedule(self.rng, crash=drawn.crash_every, pause=drawn.pause_every, loss=drawn.loss_every)
        self.probed = ProbedWorld(self, Random(f"network {seed}")) if drawn.probing else None
        self.cluster = Cluster(self, drawn.instances)
        if self.probed:
            self._watch_probes()
        self.event_grid = EventGrid(self.cloud.azure, self.cluster.deliver, Random(f"events {seed}"))
        schema = "CloudEventSchemaV1_0" if drawn.cloud_events else "EventGridSchema"
        watched = (*WATCHED, EDITS) if seed % 4 == 3 else WATCHED
        watched += gateways.WATCHED if "application_gateways" in drawn.world else ()
        self.event_grid.subscriptions = [Subscription("app", schema, watched)]
        self.told = 0
        self.cloud.azure.completed.append(self._count)
        trouble = self.event_grid.disturbance
        trouble.loss, trouble.duplication, trouble.reordering = drawn.loss, drawn.duplication, drawn.reordering
        self.people = Workload(self, Random(f"people {seed}"))

    def _watch_probes(self):
        probes = self.ledger.probes = ProbeInvariants(self.cluster.settings(), self.probed, self.ledger)
        for hook in ("before_vantage", "after_vantage", "after_put_vantage", "after_evidence", "after_put_evidence"):
            setattr(self.ledger, hook, getattr(probes, hook))

    @property
    def probes(self):
        """The invariants of probing."""
        return self.ledger.probes

    def _azure(self, seed):
        unknowns = AssumedBehaviour.draw(Random(f"unknowns {seed}"))
        world = read(json.dumps(self.drawn.world))
        self.cloud = SimulatedAzure(world, clock=self.clock, seed=seed, unknowns=unknowns)
        self.cloud.enforce_limits(enforced=self.drawn.limits == "all")
        self.cloud.private_dns.limits = self.drawn.limits != "none"
        self.cloud.compute.page_sizes = (5, 9)
        self.faults = Faults(self.cloud, Random(f"faults {seed}"))
        self.graph = GraphFaults(self.cloud, self.drawn.graph, Random(f"late {seed}")) if self.drawn.graph else None
        self.latency = Latency(Random(seed), self.drawn.arm_latency)

    def fault(self, request):
        """What goes wrong with a request to Azure."""
        fault = self.faults(request)
        if fault is not None and self.trace.on:
            self.trace("azure", f"fails {request.method} {request.path[-60:]}", fault)
        return fault

    def _weather(self, calm, stormy, times):
        now = self.clock()
        return FaultSchedule(self.rng, self.clock, calm, stormy, [(now + a, now + b) for a, b in times])

    def _count(self, note):
        event = event_of(note, "", action_in_subject=False)
        self.told += any(each.wants(event) for each in self.event_grid.subscriptions)

    def counts(self):
        """What the story was full of."""
        return {
            "events": self.told,
            "requests": self.witness.requests,
            "writes": self.witness.writes,
            "late writes": self.witness.late,
            "deliveries": len(self.event_grid.deliveries),
            "crashes": self.fates.count["crash"],
            "pauses": self.fates.count["pause"],
            "lost catalogs": self.fates.count["loss"],
            "faults of Azure": self.faults.made.total(),
            "zones frozen": self.ledger.frozen,
            "refusals for a limit": self.cloud.throttled.total(),
            "faults of the catalog": self.weather.count,
            "undecided": self.history.undecided,
            **self.probes.counts(),
        }

    def edited(self, path):
        """A person has changed a record set."""
        self.witness.edited(path)

    def lose_catalog(self):
        """Every row is gone, for everybody, at once."""
        self.catalog.wipe()
        self.ledger.wipe()
        self.witness.wiped()

    # --- time

    async def _timer(self, kind, seconds, work):
        await asyncio.sleep(self.rng.uniform(0.0, seconds))
        while True:
            for _ in range(1 + (self.rng.random() < self.drawn.overlap)):
                self.cluster.run(kind, work)
            await asyncio.sleep(seconds)

    async def _operations(self):
        """Long-running operations end when they are due."""
        while True:
            due = self.cloud.azure.next_due()
            await asyncio.sleep(0.5 if due is None else max(0.0, due - self.clock()))
            self.cloud.azure.advance()

    def _background(self):
        drawn = self.drawn
        work = [
            self._timer("drain", DRAIN, lambda app: app.drain()),
            self._timer("sweep", drawn.sweep_every, lambda app: app.correct_drift()),
            self._operations(),
            storms(self.faults, *drawn.arm),
        ]
        if drawn.foreign_writes:
            work.append(foreign_writer(self, Random(f"foreign {drawn.seed}"), drawn.foreign_writes))
        if drawn.seed % 5 == 2:  # the stories of the other seeds stay as they were
            work.append(resizer(self, Random(f"resizer {drawn.seed}")))
        if drawn.freezes:
            work.append(freezer(self, Random(f"freezer {drawn.seed}")))
        if self.probed:
            work += [
                self.probed.changes(),
                self.probed.spells.run(),
                prober_timer(self, Random(f"prober {drawn.seed}")),
            ]
        return [asyncio.get_running_loop().create_task(each) for each in work]

    async def play(self):
        """The whole story. Gives the promises that were broken."""
        background = self._background()
        await asyncio.sleep(self.rng.uniform(0, 40))
        acted = 0
        while (acted < self.drawn.operations or self.told < EVENTS) and not self.trace.violations:
            self.people.act()
            acted += 1
            await asyncio.sleep(self.rng.uniform(0, self.drawn.tempo))
        await self._quiet(background)
        if not self.trace.violations:
            await self._verdict()
        return self.trace.violations

    async def _quiet(self, background):
        """Faults stop, deliveries end, and every function that still runs comes to its end."""
        self.trace("story", "faults stop")
        await _ended(background)
        for each in (self.fates, self.weather, self.faults):
            each.stop()
        self.short_lists.chance = 0.0
        if self.graph:
            self.graph.stop()
        if self.probed:
            self.probed.settle()
        for life in self.cluster.lives:
            life.resume()
        while (due := self.cloud.azure.next_due()) is not None:
            await asyncio.sleep(max(0.0, due - self.clock()))
            self.cloud.azure.advance()
        try:
            async with asyncio.timeout(DELIVERIES):
                await self.event_grid.idle()
        except TimeoutError:
            await self.event_grid.close()
        end = self.clock() + QUIET
        while self.cluster.running and self.clock() < end:  # What ends may write, and events of that begin others.
            await asyncio.wait(list(self.cluster.running), timeout=end - self.clock())
        if self.cluster.running:
            self.trace.violation("every function ends", f"{len(self.cluster.running)} still run")
        soon = [until - self.clock() for until in self.ledger.orders[-1][1].values() if until - self.clock() < QUIET]
        # And nobody is dead any more, and no order ends from now on.
        await asyncio.sleep(max([REST, *soon]) + self.ledger.off)
        for name in sorted({name for known in self.ledger.rows.values() for name in known.row.endpoint.names}):
            self.ledger.check_name(name, "at the end")

    async def _verdict(self):
        """One sweep, and drains until nothing is dirty: then everything is right."""
        finish = self.cluster.finish
        await self._unfreeze()
        ending = ProbeEnding(self) if self.probed else None
        if self.history.late():  # It is looked at once a day from the first sweep on that finds it running.
            await finish("sweep", lambda app: app.correct_drift())
            await asyncio.sleep(HEALTH_RECHECK_SECONDS)
        if ending:
            await ending.settle()
        before = self.witness.untouchable()
        await self._sweep()
        for _ in range(DRAINS):
            if not await self._dirty():
                break
            await asyncio.sleep(DRAIN)
            await finish("drain", lambda app: app.drain())
        if dirty := await self._dirty():
            self.trace.violation("drains settle every name", f"after {DRAINS}: {dirty}")
        for key, (got, want) in self._wrong().items():
            self.trace.violation("one sweep makes every zone right", f"{key}: {got}, expected {want}")
        plan = await finish("resync", lambda app: resync(app, {"dry_run": True}))
        if plan is None or plan.changes or plan.failures:
            self.trace.violation("a right world needs no plan", f"{plan}")
        await self._nothing_silent()
        if ending:
            await ending.end()
        if self.witness.untouchable() != before:
            self.trace.violation("foreign and auto-registered record sets never change", "at the end")

    async def _sweep(self):
        if self.graph:  # Where the catalog was lost lately, it is complete only when late rows are there.
            await self.cluster.finish("sweep", lambda app: app.correct_drift())
            await asyncio.sleep(SETTLED_SECONDS)
        report = await self.cluster.finish("sweep", lambda app: app.correct_drift())
        if report and report.refusals:
            force = {"force": [plan.digest for plan in report.refused], "force_beyond": True}
            await self.cluster.finish("resync", lambda app: resync(app, force))
        if report and report.failures:
            self.trace.violation("without faults nothing fails", f"sweep: {report.failures[:3]}")

    async def _unfreeze(self):
        for zone in sorted(self.history.zones.keys() & self.ledger.orders[-1][1].keys()):
            await self.cluster.finish("resync", lambda app, zone=zone: resync(app, {"unfreeze": {"zone": zone}}))

    async def _dirty(self):
        rows = [row.value for zone in self.history.zones for row in await self.catalog.whole.dirty(zone)]
        return [(row.zone.split("/")[4], row.name, row.attempts, row.last_error) for row in rows]

    async def _nothing_silent(self):
        """Every name that may not be written is in the status."""
        told = await self.cluster.finish("status", lambda app: app.status())
        shown = {(each["zone"].lower(), each["name"]) for each in told["blocked"]} if told else set()
        if silent := self._blocked() - shown:
            self.trace.violation("what may not be written is told", f"{sorted(silent)}")

    def _blocked(self):
        """Zone and name of every record set that is not the app's and whose name somebody claims who may."""
        world = self.cloud.world()
        settings = decoded(world["settings"])
        named = {
            name for vm in endpoints(world, settings) for name in claims(vm, settings) if permitted(vm, name, settings)
        }
        found = {(zone, name) for zone, kind, name in self.witness.untouchable() if kind == "A" and name in named}
        return {(zone, name) for zone, name in found if zone in self.history.zones}

    def _wrong(self):
        world = self.cloud.world()
        orders, now = self.ledger.orders[-1][1], self.clock()
        drained = frozenset(target for target, until in orders.items() if until > now)

        def probed(zone, name):
            return self.probes.current(zone["id"].lower(), name)

        got, want = held(world), expected(world, drained, probed=probed)
        return {key: (got.get(key), answer) for key, answer in want.items() if got.get(key) != answer}


async def _ended(tasks):
    """Tasks that go on for ever, cancelled. Raises what one of them was ended by before: a mistake in it."""
    for task in tasks:
        task.cancel()
    for outcome in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(outcome, Exception):
            raise outcome


def tell(seed, *, trace=False):
    """Play a seed's story in virtual time; gives the story when it is over."""

    async def play(loop):
        parents = WeakKeyDictionary()

        def begin(loop, work, **options):
            task = asyncio.Task(work, loop=loop, **options)
            parents[task] = asyncio.current_task(loop)
            return task

        loop.set_task_factory(begin)
        story = Story(seed, loop.time, parents, trace=trace)
        await story.play()
        return story

    return in_virtual_time(play)
