"""Two instances of the app on one table, with clocks of their own."""

import asyncio

from shared.bootstrap import build
from shared.edge.commands import parse
from tests.support.catalogs import CatalogFixture
from tests.support.deployment import REGIONS, Token, a_vm, a_world, run_scenario, zone_id

EAST, WEST, ASIA = REGIONS


KEY = zone_id(EAST).lower()


class Two:
    """A stage with two instances on one table, whose own clocks are off by these seconds."""

    def __init__(self, stage, skews):
        self.stage, self.bench = stage, CatalogFixture(asyncio.get_running_loop())
        self.skews = list(skews)
        self.apps = [self._app(number) for number in range(len(skews))]

    def _app(self, number):
        return build(
            self.stage.environment,
            credential=Token(),
            transport=self.stage.transport,
            catalog=self.bench.open(),
            clock=lambda: self.stage.clock() + self.skews[number],
            holder=f"instance {number}",
        )

    async def lost(self, method, path):
        """Something happens, and Event Grid does not tell of it by itself."""
        self.stage.event_grid.disturbance.lose_next = 1
        self.stage.arm(method, path)
        await self.stage.finish_operations()

    async def ask(self, app, text):
        return await app.resync(parse(text, app.settings, app.inventory.kinds))


def played(story, skews, world):
    async def play(stage):
        return await story(stage, Two(stage, skews))

    return run_scenario(play, world)


def fleet():
    return a_world(a_vm("e-1", EAST, 4), a_vm("e-2", EAST, 5), a_vm("w-1", WEST, 4))
