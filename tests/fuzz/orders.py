"""Orders to drain and to freeze: the bodies that rightly change something, played alone and judged by the oracle."""

import asyncio

from shared.domain.errors import BadRequest
from shared.edge import commands as resync
from tests.fuzz.targets import plain
from tests.fuzz.world import Broken, Settled


class Ordered:
    """A stage on which orders are given; `due` says until when each drain is in force.

    A freeze is ended at once: while it lasts nothing may be written, and what it held back comes at its end.
    """

    def __init__(self, stage):
        self.stage = stage
        self.due = {}

    @classmethod
    async def made(cls):
        return cls(await Settled.made(locked=False))

    async def give(self, body):
        """Give an order and look at every zone: only what the order covers may have changed, and only by it."""
        app = self.stage.app
        try:
            wanted = resync.parse(body, app.settings, app.inventory.kinds)
        except BadRequest as error:
            return f"refused: {plain(str(error))}"
        if wanted.dry_run and wanted.override:
            return await self._shown(wanted)
        if wanted.freeze or wanted.unfreeze:
            return await self._freeze(wanted)
        if not (wanted.drain or wanted.undrain):
            return "no order"
        try:
            await app.resync(wanted)
        except BadRequest as error:
            return f"refused: {plain(str(error))}"
        if wanted.drain:
            self.due[wanted.drain] = self.stage.clock() + 60 * wanted.drain_minutes
        else:
            self.due.pop(wanted.undrain, None)
        await asyncio.sleep(90)  # So that no zone's budget is short.
        await app.drain()
        self._judge()
        return "given" if wanted.drain else "taken back"

    async def _freeze(self, wanted):
        """A world that is right stays so, frozen or not."""
        app = self.stage.app
        try:
            await app.resync(wanted)
        except BadRequest as error:
            return f"refused: {plain(str(error))}"
        if zone := wanted.freeze:
            if not (await app.handle_status(resync.StatusQuery(zone, "llama")))["frozen"]:
                raise Broken(f"{zone.region} was frozen and is not")
            await app.resync(resync.Resync(app.settings.zones, unfreeze=zone))
        await asyncio.sleep(90)
        await app.drain()
        self._judge()
        return "frozen" if wanted.freeze else "unfrozen"

    async def _shown(self, wanted):
        """A dry run of an order changes nothing."""
        try:
            await self.stage.app.resync(wanted)
        except BadRequest as error:
            return f"refused: {plain(str(error))}"
        self._judge()
        return "shown"

    def _judge(self):
        in_force = frozenset(target for target, until in self.due.items() if until > self.stage.clock())
        if wrong := self.stage.wrong(in_force):
            raise Broken(f"with orders for {sorted(in_force)}: {wrong}")
        if strayed := self.stage.transport.strayed:
            raise Broken(strayed[0])

    async def end(self, _):
        """A week and a day later no order is in force, and everything is as it was."""
        await asyncio.sleep(8 * 24 * 3600)
        await self.stage.app.drain()
        await asyncio.sleep(90)
        await self.stage.app.drain()
        self._judge()
        await self.stage.verify()
        return "all expired"
