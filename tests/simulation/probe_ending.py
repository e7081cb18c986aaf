"""The end of a story with probes: nothing changes any more, and what probes say is compared with what is true."""

import asyncio
from random import Random

from simulator.oracle.claims import claims, decoded, endpoints, most_specific, permitted, region, serving
from simulator.oracle.probes import Limits, Seen, Stance, misplaced, stances
from tests.simulation.cluster import resync
from tests.simulation.distance_invariants import ROUND

DRAIN = 30.0
MARKING = 35.0
"""Seconds after which the drain timer finishes what a prober has left."""
LONG = 2000.0
"""Seconds after which an order of distances has followed the truth."""
OUT, BACK = 90.0, 480.0
"""Seconds after which what is dead is out (three rounds and their spread), and what works is in (the longest hold)."""
PATIENCE = 8


class ProbeEnding:
    """Lets the prober settle, judges it, and stops or kills it where the story ends so."""

    def __init__(self, story):
        self.story, self.drawn, self.probed = story, story.drawn.probing, story.probed
        self.clock, self.trace, self.probes = story.clock, story.trace, story.probes
        self.rng = Random(f"ending {story.drawn.seed}")
        self._timers, self._began = [], 0.0

    async def settle(self):
        """Run rounds and drains until everything is settled. They go on until `end`."""
        await self.story.cluster.finish("sweep", lambda app: app.correct_drift())
        self._began = self.clock()
        work = (
            self._every(ROUND, "probe", lambda app: app.probe()),
            self._every(DRAIN, "drain", lambda app: app.drain()),
        )
        self._timers = [asyncio.get_running_loop().create_task(each) for each in work]
        await asyncio.sleep(self.drawn.settles)

    async def _every(self, seconds, kind, work):
        while True:
            self.story.cluster.run(kind, work)
            await asyncio.sleep(seconds)

    async def end(self):
        """Judge what the row says; then stop the prober, and see its verdicts end."""
        for wrong in judge_row(self.probes, self._seen(), self._true_ms(), Limits(OUT, BACK), 1.0):
            self.trace.violation("verdicts and distances follow the truth", wrong)
        if self.drawn.ends == "dies" and self.probes.enforce:
            await self._kill()
        for each in self._timers:
            each.cancel()
        await asyncio.gather(*self._timers, return_exceptions=True)
        while self.story.cluster.running:
            await asyncio.wait(list(self.story.cluster.running))
        if self.drawn.ends != "goes on" and self.probes.enforce:
            await self._stale()

    def _seen(self):
        """The addresses that are probed, as the vantage sees them."""
        world = self.story.cloud.world()
        settings = decoded(world["settings"])
        claiming = [(vm, claims(vm, settings)) for vm in endpoints(world, settings)]
        taken = {n for vm, names in claiming for n, tag in names.items() if tag and permitted(vm, n, settings)}
        return [
            Seen(vm["id"].lower(), ip, region(vm["location"]), self.probed.works(ip), self._age(), self._armed(ip))
            for vm, names in claiming
            if any(self._probed(vm, name, settings) for name, tag in names.items() if tag or name not in taken)
            for ip in serving(vm)
        ]

    def _probed(self, vm, name, settings):
        only = most_specific(name, settings["NEARZONE_POLICIES"], {}).get("regions", [vm["location"]])
        asked = most_specific(name, settings["NEARZONE_PROBES"], None)
        return asked is not None and permitted(vm, name, settings) and vm["location"] in only

    def _age(self):
        return self.clock() - self._began

    def _armed(self, ip):
        return any(key[0] == ip for key in self.probes.armed)

    def _true_ms(self):
        """The true distance of each region that has had an answering address for long enough."""
        if self._age() < LONG:
            return {}
        paths, home = self.story.cloud.paths, self.probed.vantage
        found = {each.region for each in self._seen() if each.works and each.armed}
        return {at: paths.true_ms(home, at) for at in found if paths.terminated_ms(home, at) is None}

    async def _kill(self):
        """A server dies, and the prober with it as soon as its row names what is to be marked."""
        killed, there = asyncio.Event(), [each for each in self._seen() if each.works and each.armed]
        if not there:
            return
        self._timers.pop(0).cancel()
        await asyncio.sleep(ROUND)

        def kill(errand):
            self.trace(errand.life.name, "dies with names to be marked")
            self.probes.on_todo = None
            killed.set()
            errand.life.die()

        self.probes.on_todo = kill
        self.probed.cloud.servers.set(*self.probed.dead(self.rng.choice(there).endpoint))
        for _ in range(PATIENCE):
            if not killed.is_set():
                self.story.cluster.run("probe", lambda app: app.probe())
                await asyncio.sleep(ROUND)
        self.probes.on_todo = None
        if killed.is_set():
            await asyncio.sleep(MARKING)
            await self._drained()
            if self.probes.row and self.probes.row.todo:
                self.trace.violation("a drain finishes what a dead prober has left", sorted(self.probes.row.todo))

    async def _drained(self):
        await self.story.cluster.finish("drain", lambda app: app.drain())

    async def _stale(self):
        """No round renews anything: within two drains the answers are those without verdicts."""
        await asyncio.sleep(self.probes.probing.stale_after + 2 * self.probes.off + 1.0)
        plan = await self.story.cluster.finish("resync", lambda app: resync(app, {"dry_run": True}))
        if plan and bool(plan.changes) != bool(self.story._wrong()):
            self.trace.violation("a plan uses no verdict that has ended", f"{plan.changes}, {self.story._wrong()}")
        for _ in range(2):
            await asyncio.sleep(DRAIN)
            await self._drained()
        row = self.probes.row
        if row and (row.verdicts or row.todo):
            self.trace.violation("verdicts end within two drains after they were renewed last", f"{row}")
        for _ in range(PATIENCE):  # Azure's limits may hold back some writes.
            if await self.story._dirty():
                await asyncio.sleep(DRAIN)
                await self._drained()
        for key, (got, want) in self.story._wrong().items():
            self.trace.violation("old evidence is no evidence", f"{key}: {got}, expected {want}")


def prober_timer(story, rng):
    """Runs rounds: with gaps, sometimes two at once, and sometimes a prober freezes."""
    drawn = story.drawn.probing

    async def run():
        await asyncio.sleep(rng.uniform(0.0, ROUND))
        while True:
            for _ in range(1 + (rng.random() < drawn.twice)):
                begun = story.cluster.run("probe", lambda app: app.probe())
                if begun and rng.random() < drawn.freeze:
                    asyncio.get_running_loop().call_later(rng.uniform(0.0, 8.0), freeze, begun[0], rng)
            await asyncio.sleep(ROUND + (rng.uniform(30.0, 150.0) if rng.random() < drawn.gap else 0.0))

    return run()


def freeze(life, rng):
    if life.alive and life.going.is_set():
        life.pause(rng.uniform(60.0, 200.0), "probing")


def judge_row(invariants, seen, order_ms, limits, slack_ms):
    """What a row says that it must not by now, and what it lacks, as sentences. `seen`: by name of the probed."""
    row, found = invariants.row, []
    if row is None:
        return ["there is no row"]
    for zone, entry in invariants.zones.items():
        holding = {
            (v.endpoint, v.ip): v.kind
            for v in row.verdicts
            if v.kind != "down" or invariants._holds(v, entry["region"])
        }
        for (endpoint, ip), stance in stances(seen, entry["region"], invariants.vantage, limits).items():
            said = holding.get((endpoint, ip))
            if stance == Stance.OUT and said != "down":
                found.append(f"{ip} must be out in {zone.split('/')[4]}, and it is {said}")
            if stance == Stance.IN and said is not None:
                found.append(f"{ip} must be in in {zone.split('/')[4]}, and it is {said}")
    wrong = misplaced(row.distances.order, order_ms, slack_ms)
    return found + [f"{second} is truly nearer than {first}: {order_ms}" for first, second in wrong]
