"""Troubles of a probed world that last for minutes: single changes seldom last, or come together, for long enough."""

import asyncio

from simulator.model_servers.entry import ServerEntry
from simulator.paths.entry import EVERYWHERE, PathEntry

NAMES = ("llama", "mistral", "phi")
FARTHER_MS = 20.0
EACH_WAY = 30.0
"""Seconds for which a path that alternates has each of its round-trip times: too short for any median to follow."""


class Spells:
    """Lets such a trouble begin from time to time. `every`: mean seconds between two of them, 0: none."""

    def __init__(self, world, rng, every):
        self.world, self.rng, self.every = world, rng, every
        self.paths, self.vantage = world.cloud.paths, world.vantage

    async def run(self):
        """Begin one after another, until cancelled."""
        while self.every:
            await asyncio.sleep(self.rng.expovariate(1 / self.every))
            spell = self.rng.choice((self.blackout, self.dead_name, self.alternating_path))
            self.world.trace("network", "spell begins", spell.__name__)
            await spell()
            self.world.trace("network", "spell ends", spell.__name__)

    def end(self):
        """End the blackout that may be under way when the story's faults stop."""
        self.paths.mend(PathEntry(self.vantage, EVERYWHERE, both=False))

    async def blackout(self):
        """The prober gets no answer from any region, its own included."""
        self.paths.change(PathEntry(self.vantage, EVERYWHERE, both=False, partition="prober"))
        await asyncio.sleep(self.rng.uniform(20.0, 240.0))
        self.end()

    async def dead_name(self):
        """Every server with a name in its tag dies; others live on, so that the vantage is not blind."""
        name, servers = self.rng.choice(NAMES), self.world.cloud.servers
        named = [vm.id for vm in self.world.cloud.compute.vms if name in (vm.tags or {}).get("nearzone", "").lower()]
        for each in sorted(named):
            servers.set(each, ServerEntry(behaviour="dead"), self.world.clock())
        await asyncio.sleep(self.rng.uniform(60.0, 240.0))
        for each in sorted(named):
            servers.set(each, ServerEntry(behaviour="healthy"), self.world.clock())

    async def alternating_path(self):
        """A region is nearer and farther than another one in turn."""
        regions = [each for each in self.world.story.drawn.regions if each != self.vantage]
        near, far = sorted(self.world._published(each) for each in self.rng.sample(regions, 2))
        for _ in range(int(self.rng.uniform(300.0, 900.0) / EACH_WAY / 2)):
            for rtt_ms in (far[0] + FARTHER_MS, near[0]):
                self.paths.change(PathEntry(self.vantage, near[1], rtt_ms=rtt_ms))
                await asyncio.sleep(EACH_WAY)
