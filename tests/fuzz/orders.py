"""Orders to drain and to freeze: the bodies that rightly change something, played alone and judged by the oracle."""

import asyncio

from shared.domain.errors import BadRequest
from shared.edge.commands import Drain, Freeze, OverrideCommand, Undrain, Unfreeze, parse
from shared.edge.status_query import NameQuery
from tests.fuzz.targets import plain
from tests.fuzz.world import Broken, SteadyState


class Ordered:
    """A stage on which orders are given; `due` says until when each drain is in force.

    A freeze is ended at once: while it lasts nothing may be written, and what it held back comes at its end.
    """

    def __init__(self, stage):
        self.stage = stage
        self.due = {}

    @classmethod
    async def made(cls):
        return cls(await SteadyState.made(locked=False))

    async def give(self, body):
        """Give an order and look at every zone: only what the order covers may have changed, and only by it."""
        app = self.stage.app
        try:
            command = parse(body, app.settings, app.inventory.kinds, parents=app.inventory.parent_types)
        except BadRequest as error:
            return f"refused: {plain(str(error))}"
        if not isinstance(command, OverrideCommand):
            return "no order"
        try:
            await app.resync(command)
        except BadRequest as error:
            return f"refused: {plain(str(error))}"
        if command.dry_run:  # It changes nothing.
            self._judge()
            return "shown"
        return await self._follow(command)

    async def _follow(self, command):
        """What a command has changed is right, and a freeze is taken back."""
        app = self.stage.app
        match command:
            case Drain(target=target, minutes=minutes):
                self.due[target], outcome = self.stage.clock() + 60 * minutes, "given"
            case Undrain(target=target):
                self.due.pop(target, None)
                outcome = "taken back"
            case Freeze(zone=zone):
                if not (await app.handle_status(NameQuery(zone, "llama")))["frozen"]:
                    raise Broken(f"{zone.region} was frozen and is not")
                await app.resync(Unfreeze(zone))
                outcome = "frozen"
            case Unfreeze():
                outcome = "unfrozen"
        await asyncio.sleep(90)  # So that no zone's budget is short.
        await app.drain()
        self._judge()
        return outcome

    def _judge(self):
        in_force = frozenset(target for target, until in self.due.items() if until > self.stage.clock())
        if wrong := self.stage.wrong_answers(in_force):
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
