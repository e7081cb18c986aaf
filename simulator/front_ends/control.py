"""The simulator's own routes below `/_simulator`, with which demos and tests change the world outside of ARM.

Azure has no such routes. Everything that Azure itself offers goes through ARM.
"""

from __future__ import annotations

from typing import Annotated, Literal, Protocol

import msgspec
from aiohttp import web

from simulator.arm.front_door import ArmError
from simulator.arm.permissions import Role
from simulator.cloud import SimulatedAzure
from simulator.compute.vm import Health, Vm
from simulator.containers.container_group import ContainerState, Current, State
from simulator.dialing.connections import ProbedNetwork
from simulator.event_grid.delivery import EventGrid, Subscription
from simulator.event_grid.events import Schema, Topic
from simulator.faults.fault_domains import all_regions
from simulator.faults.source import Faults, Rates
from simulator.front_ends.control_routes import BadRequestError, bad_request, route
from simulator.front_ends.network_control import NetworkControl
from simulator.network.private_endpoint import Status


class _Health(msgspec.Struct, forbid_unknown_fields=True):
    vm: str
    health: Health


class _Vm(msgspec.Struct, forbid_unknown_fields=True):
    vm: str


class _Crash(msgspec.Struct, forbid_unknown_fields=True):
    vm: str
    seconds: Annotated[float, msgspec.Meta(ge=0)]


class _Ending(msgspec.Struct, forbid_unknown_fields=True):
    id: str
    outcome: Literal["Failure", "Cancel"]


class _Lose(msgspec.Struct, forbid_unknown_fields=True):
    events: Annotated[int, msgspec.Meta(ge=0)]


class _Subscription(msgspec.Struct, forbid_unknown_fields=True):
    endpoint: Annotated[str, msgspec.Meta(pattern="^https?://")]
    schema: Schema = "EventGridSchema"
    operations: list[str] = []
    topic: Topic = "Microsoft.Resources.Subscriptions"


class _Outage(msgspec.Struct, forbid_unknown_fields=True):
    region: str
    seconds: Annotated[float, msgspec.Meta(ge=0)]


class _Limits(msgspec.Struct, forbid_unknown_fields=True):
    enforced: bool


class _Permissions(msgspec.Struct, forbid_unknown_fields=True):
    roles: list[Role]


class _Foreign(msgspec.Struct, forbid_unknown_fields=True):
    zone: str
    kind: Literal["create", "update", "delete", "get", "list"]
    count: Annotated[int, msgspec.Meta(ge=0)]


class _Connection(msgspec.Struct, forbid_unknown_fields=True):
    private_endpoint: str
    status: Status


class _Relocate(msgspec.Struct, forbid_unknown_fields=True):
    container_group: str


class _ContainerState(msgspec.Struct, forbid_unknown_fields=True):
    container_group: str
    state: State


class _Container(msgspec.Struct, forbid_unknown_fields=True):
    container_group: str
    container: str
    state: ContainerState
    detail: str = ""


class Simulation(Protocol):
    """The objects on which the routes act."""

    cloud: SimulatedAzure
    event_grid: EventGrid
    faults: Faults
    network: ProbedNetwork


class Control:
    """The routes. All bodies and answers are JSON; a fault is 400 with `error`, which names the field."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation

    def routes(self, prefix: str) -> list[web.RouteDef]:
        """The routes below a prefix."""
        return [
            web.get(f"{prefix}/world", self._world),
            web.get(f"{prefix}/deliveries", self._deliveries),
            web.get(f"{prefix}/refused", self._refused),
            web.post(f"{prefix}/health", route(_Health, self._health)),
            web.post(f"{prefix}/guest-shutdown", route(_Vm, self._guest_shutdown)),
            web.post(f"{prefix}/connection", route(_Connection, self._connection)),
            web.post(f"{prefix}/relocate", route(_Relocate, self._relocate)),
            web.post(f"{prefix}/container-state", route(_ContainerState, self._container_state)),
            web.post(f"{prefix}/container", route(_Container, self._container)),
            web.post(f"{prefix}/preempt", route(_Vm, self._preempt)),
            web.post(f"{prefix}/host-crash", route(_Crash, self._host_crash)),
            web.post(f"{prefix}/ending", route(_Ending, self._ending)),
            web.post(f"{prefix}/lose", route(_Lose, self._lose)),
            web.post(f"{prefix}/subscriptions", route(_Subscription, self._subscribe)),
            web.post(f"{prefix}/faults", route(Rates, self._faults)),
            web.post(f"{prefix}/outage", route(_Outage, self._outage)),
            web.post(f"{prefix}/limits", route(_Limits, self._limits)),
            web.post(f"{prefix}/permissions", route(_Permissions, self._permissions)),
            web.post(f"{prefix}/foreign-calls", route(_Foreign, self._foreign_calls)),
            *NetworkControl(lambda: self._simulation.network).routes(prefix),
        ]

    async def _world(self, _: web.Request) -> web.Response:
        self._simulation.cloud.azure.advance()
        return web.json_response(self._simulation.cloud.world())

    async def _deliveries(self, request: web.Request) -> web.Response:
        try:
            after = int(request.query.get("after", "0"))
        except ValueError:
            return bad_request("after: a whole number is expected")
        return web.json_response(self._simulation.event_grid.log_after(after))

    async def _refused(self, _: web.Request) -> web.Response:
        """Which calls were refused with 429 because of a limit, and which faults were injected."""
        throttled = [
            {"by": by, "scope": scope, "kind": kind, "calls": calls}
            for (by, scope, kind), calls in sorted(self._simulation.cloud.throttled.items())
        ]
        return web.json_response({"throttled": throttled, "faults": dict(self._simulation.faults.made)})

    def _machine(self, machine_id: str) -> Vm:
        try:
            return self._simulation.cloud.compute.machine(machine_id)
        except KeyError as error:
            raise BadRequestError(f"vm: no VM or instance has the id {machine_id!r}") from error

    async def _health(self, wanted: _Health) -> object:
        self._simulation.cloud.compute.set_health(self._machine(wanted.vm).id, wanted.health)
        return {}

    async def _guest_shutdown(self, wanted: _Vm) -> object:
        self._simulation.cloud.compute.guest_shutdown(self._machine(wanted.vm).id)
        return {}

    async def _preempt(self, wanted: _Vm) -> object:
        if not self._machine(wanted.vm).spot:
            raise BadRequestError(f"vm: {wanted.vm!r} is not a Spot VM")
        self._simulation.cloud.compute.preempt(wanted.vm)
        return {}

    async def _host_crash(self, wanted: _Crash) -> object:
        self._simulation.cloud.compute.host_crash(self._machine(wanted.vm).id, wanted.seconds)
        return {}

    async def _connection(self, wanted: _Connection) -> object:
        try:
            self._simulation.cloud.private_endpoints.decide(wanted.private_endpoint, wanted.status)
        except KeyError as error:
            raise BadRequestError(f"private_endpoint: none has the id {wanted.private_endpoint!r}") from error
        return {}

    async def _relocate(self, wanted: _Relocate) -> object:
        try:
            return {"address": self._simulation.cloud.container_groups.relocate(wanted.container_group)}
        except KeyError as error:
            raise BadRequestError(f"container_group: none in a VNet has the id {wanted.container_group!r}") from error
        except ArmError as error:
            raise BadRequestError(f"container_group: {error}") from error

    async def _container_state(self, wanted: _ContainerState) -> object:
        try:
            self._simulation.cloud.container_groups.set_state(wanted.container_group, wanted.state)
        except KeyError as error:
            raise BadRequestError(f"container_group: none has the id {wanted.container_group!r}") from error
        return {}

    async def _container(self, wanted: _Container) -> object:
        current = Current(wanted.state, wanted.detail)
        try:
            self._simulation.cloud.container_groups.set_container(wanted.container_group, wanted.container, current)
        except KeyError as error:
            raise BadRequestError(f"container: {wanted.container_group!r} has no {wanted.container!r}") from error
        return {}

    async def _ending(self, wanted: _Ending) -> object:
        """Set how the next operation on an endpoint or a scale set ends."""
        cloud = self._simulation.cloud
        if not any(each.find(wanted.id) for each in (cloud.compute.scale_sets.sets, *cloud.endpoints)):
            self._machine(wanted.id)
        self._simulation.cloud.azure.endings[wanted.id.lower()] = wanted.outcome
        return {}

    async def _lose(self, wanted: _Lose) -> object:
        self._simulation.event_grid.disturbance.lose_next = wanted.events
        return {}

    async def _subscribe(self, wanted: _Subscription) -> object:
        subscription = Subscription(wanted.endpoint, wanted.schema, tuple(wanted.operations), wanted.topic)
        await self._simulation.event_grid.subscribe(subscription)
        return {}

    async def _faults(self, wanted: Rates) -> object:
        if wanted == Rates():
            self._simulation.faults.stop()
        self._simulation.faults.rates = wanted
        return {}

    async def _outage(self, wanted: _Outage) -> object:
        regions = all_regions(self._simulation.cloud)
        if wanted.region not in regions:
            raise BadRequestError(f"region: {wanted.region!r} is not one of {regions}")
        self._simulation.faults.fail_region(wanted.region, wanted.seconds)
        return {}

    async def _limits(self, wanted: _Limits) -> object:
        self._simulation.cloud.enforce_limits(enforced=wanted.enforced)
        return {}

    async def _permissions(self, wanted: _Permissions) -> object:
        self._simulation.cloud.permissions.roles = tuple(wanted.roles)
        return {}

    async def _foreign_calls(self, wanted: _Foreign) -> object:
        dns = self._simulation.cloud.private_dns
        if dns.zone(wanted.zone) is None:
            raise BadRequestError(f"zone: no zone has the id {wanted.zone!r}")
        return {"let_through": dns.spend_foreign(wanted.zone, wanted.kind, wanted.count)}
