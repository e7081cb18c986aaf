"""The simulator's own routes below `/_simulator`: what a demo or a test does to the world behind Azure's back.

Azure has nothing of the kind; everything that Azure itself can do goes through ARM.
"""

from __future__ import annotations

from typing import Annotated, Protocol, TypeVar

import msgspec
from aiohttp import web

from simulator.azure import Cloud
from simulator.eventgrid import EventGrid, RefusedError, Subscription
from simulator.eventgrid_events import Schema
from simulator.vm import Health


class _Health(msgspec.Struct, forbid_unknown_fields=True):
    vm: str
    health: Health


class _Vm(msgspec.Struct, forbid_unknown_fields=True):
    vm: str


class _Lose(msgspec.Struct, forbid_unknown_fields=True):
    events: Annotated[int, msgspec.Meta(ge=0)]


class _Subscription(msgspec.Struct, forbid_unknown_fields=True):
    endpoint: Annotated[str, msgspec.Meta(pattern="^https?://")]
    schema: Schema = "EventGridSchema"
    operations: list[str] = []


class _BadRequestError(Exception):
    pass


class Simulation(Protocol):
    """What the routes act on."""

    cloud: Cloud
    event_grid: EventGrid


T = TypeVar("T")


class Control:
    """The routes. All bodies and answers are JSON; a fault is 400 with `error`, which names the field."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation

    def routes(self, prefix: str) -> list[web.RouteDef]:
        """The routes below a prefix."""
        return [
            web.get(f"{prefix}/world", self._world),
            web.get(f"{prefix}/deliveries", self._deliveries),
            web.post(f"{prefix}/health", self._health),
            web.post(f"{prefix}/guest-shutdown", self._guest_shutdown),
            web.post(f"{prefix}/lose", self._lose),
            web.post(f"{prefix}/subscriptions", self._subscribe),
        ]

    async def _world(self, _: web.Request) -> web.Response:
        self._simulation.cloud.azure.advance()
        return web.json_response(self._simulation.cloud.world())

    async def _deliveries(self, request: web.Request) -> web.Response:
        try:
            after = int(request.query.get("after", "0"))
        except ValueError:
            return _bad("after: a whole number is expected")
        return web.json_response(self._simulation.event_grid.log_after(after))

    async def _health(self, request: web.Request) -> web.Response:
        try:
            wanted = await _read(request, _Health)
            self._simulation.cloud.compute.set_health(wanted.vm, wanted.health)
        except (_BadRequestError, KeyError) as error:
            return _bad(_reason(error))
        return web.json_response({})

    async def _guest_shutdown(self, request: web.Request) -> web.Response:
        try:
            wanted = await _read(request, _Vm)
            self._simulation.cloud.compute.guest_shutdown(wanted.vm)
        except (_BadRequestError, KeyError) as error:
            return _bad(_reason(error))
        return web.json_response({})

    async def _lose(self, request: web.Request) -> web.Response:
        try:
            wanted = await _read(request, _Lose)
        except _BadRequestError as error:
            return _bad(_reason(error))
        self._simulation.event_grid.disturbance.lose_next = wanted.events
        return web.json_response({})

    async def _subscribe(self, request: web.Request) -> web.Response:
        try:
            wanted = await _read(request, _Subscription)
            await self._simulation.event_grid.subscribe(
                Subscription(wanted.endpoint, wanted.schema, tuple(wanted.operations))
            )
        except (_BadRequestError, RefusedError) as error:
            return _bad(_reason(error))
        return web.json_response({})


async def _read(request: web.Request, body: type[T]) -> T:
    try:
        return msgspec.json.decode(await request.read(), type=body)
    except msgspec.DecodeError as error:
        raise _BadRequestError(str(error)) from error


def _reason(error: Exception) -> str:
    return f"vm: no VM has the id {error.args[0]!r}" if isinstance(error, KeyError) else str(error)


def _bad(message: str) -> web.Response:
    return web.json_response({"error": message}, status=400)
