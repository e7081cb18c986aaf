"""A platform of 200 subscriptions and 100,000 VMs, of which 2,000 have opted in: what a sweep asks of Azure.

`arm_calls` counts the requests of a sweep to Resource Manager: queries of Resource Graph, GETs, and lists with each of
their pages. Calls for record sets are counted apart, for each zone has limits of its own (`zone_calls`). The world is
right already, and the app is in shadow mode. What the names of a new fleet cost does not depend on how it was found
(`bootstrap`). Both ways run in the same world, each with an empty
catalog: by Azure Resource Graph, and by lists (`NEARZONE_RESOURCE_GRAPH` = `never`).

The 10 VMs of a subscription that have opted in are in one resource group with 40 others; each claims a service name and
its own. The others are made up page by page as lists ask for them (`Crowd`): the simulator holds only what has opted
in.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from random import Random
from typing import Any, TypeAlias

from benchmarks import worlds
from benchmarks.harness import Figure, Say, Scenario
from benchmarks.stage import Stage
from shared.loop.reconciler import Reconciler
from simulator.arm.front_door import ArmError, Call, Request, Response, parse
from simulator.cloud import SimulatedAzure
from simulator.compute.provider import PAGE_SIZES
from simulator.network.provider import PAGE_SIZE
from simulator.timing.virtual_time import in_virtual_time

Json: TypeAlias = Any

CLIENTS = "eastus"
PLAIN_IN_GROUP = 40
"""VMs that have not opted in, in the resource group of those that have."""
PAUSE = 600.0
"""Seconds between two sweeps."""
GRAPH = "/providers/microsoft.resourcegraph/resources"

FIGURES = {
    "arm_calls": Figure("", "calls of a first sweep, its catalog empty", "<= 2300"),
    "wall_s": Figure("s", "from its start until every VM that has opted in is read", "<= 60"),
    "arm_calls_unchanged": Figure("", "calls of a sweep in which nothing has changed", "<= 120"),
    "wall_unchanged_s": Figure("s", "the same in that sweep, for what it reads"),
    "graph_queries": Figure("", "queries of Resource Graph among these, each page one", "<= 15"),
    "zone_calls": Figure("", "calls for record sets of the zone in a first sweep, in addition"),
    "zone_calls_unchanged": Figure("", "the same in a sweep in which nothing has changed"),
    "listed_calls": Figure("", "calls of a first sweep that lists every VM"),
    "listed_s": Figure("s", "from its start until every VM that has opted in is read"),
    "listed_unchanged_calls": Figure("", "calls of a sweep that lists every VM, and in which nothing has changed"),
    "listed_unchanged_s": Figure("s", "the same in that sweep"),
    "throttled": Figure("", "requests refused with 429, in both ways", "= 0"),
    "unread": Figure("", "VMs that have opted in and whose state was not known after the first sweep", "= 0"),
    "drift": Figure("", "record sets that a sweep would have changed", "= 0"),
}


def a_subscription(number: int) -> str:
    """Return the id of a subscription."""
    return f"33333333-3333-4333-8333-{number:012}"


def a_world(subscriptions: int, opted_in: int) -> Json:
    """Return a world in which these VMs of each subscription have opted in, ten for each service name."""
    vms = [
        worlds.vm(number, worlds.REGIONS[number % len(worlds.REGIONS)], [f"svc-{number // 10:05}"], health=None)
        for number in range(subscriptions * opted_in)
    ]
    for number, vm in enumerate(vms):
        for each in (vm, *vm["nics"]):
            each["id"] = each["id"].replace(worlds.SUBSCRIPTION, a_subscription(number // opted_in))
    world = worlds.world(vms, [CLIENTS])
    watched = [a_subscription(number) for number in range(subscriptions)]
    world["settings"] |= {"NEARZONE_SUBSCRIPTIONS": watched, "NEARZONE_CLAIMS": {"*": watched}}
    return world


class Crowd:
    """A cloud with `vms` more VMs in each of its watched subscriptions, none of which has opted in.

    A list has them on its first pages, of the sizes of the simulator; then come the cloud's own resources.
    """

    def __init__(self, cloud: SimulatedAzure, vms: int) -> None:
        self._cloud = cloud
        self._vms = vms
        self._rng = Random(1)

    def handle(self, request: Request) -> Response:
        """Answer a request."""
        if request.path.lower() == GRAPH:
            return self._with_counts(self._cloud.handle(request))
        try:
            call = parse(request)
        except ArmError:
            return self._cloud.handle(request)
        listed = call.method == "GET" and not call.names and "$filter" not in request.query
        bodies = {"virtualmachines": _vm, "networkinterfaces": _nic}.get(call.kind) if listed else None
        token = request.query.get("$skiptoken", "crowd 0")
        if bodies is None or not token.startswith("crowd "):
            return self._cloud.handle(request)
        return self._page(call, int(token.split()[1]), bodies)

    def _page(self, call: Call, at: int, body: Callable[[str, int, bool], Json]) -> Response:
        there = self._vms if call.group is None else PLAIN_IN_GROUP
        compute = call.kind == "virtualmachines"
        end = min(there, at + (self._rng.choice(PAGE_SIZES) if compute else PAGE_SIZE))
        if not compute and there == end and at < end:  # The rest of the page is the cloud's own.
            whole = self._cloud.handle(replace(call.request, query=_without_token(call.request.query)))
            more = [body(call.subscription, number, False) for number in range(at, end)]
            return replace(whole, content={**whole.content, "value": [*more, *whole.content["value"]]})
        try:
            headers = {**self._cloud.arm_limits.charge(call)}
            if compute:
                headers |= self._cloud.compute.limits.charge(call)
            else:
                self._cloud.network.limits.charge(call)
        except ArmError as error:
            return error.response
        status = call.request.query.get("statusOnly", "").lower() == "true"
        value = [body(call.subscription, number, status) for number in range(at, end)]
        query = _without_token(call.request.query) | ({} if end == there else {"$skiptoken": f"crowd {end}"})
        link = "&".join(f"{name}={text}" for name, text in query.items())
        if end == there:
            link += "&$skiptoken="  # The first page of the cloud's own.
        return Response(200, {"value": value, "nextLink": f"{call.request.base}{call.id}?{link}"}, headers)

    def _with_counts(self, response: Response) -> Response:
        """Return an answer of Resource Graph that counts the others as well."""
        rows = response.content.get("data", ())
        if not rows or "vms" not in rows[0]:
            return response
        counted = [row | {"vms": (row["vms"] or 0) + self._vms} for row in rows]
        return replace(response, content={**response.content, "data": counted})


def _without_token(query: Mapping[str, str]) -> dict[str, str]:
    return {name: text for name, text in query.items() if name != "$skiptoken"}


def _group(subscription: str, number: int) -> str:
    group = "gpu" if number < PLAIN_IN_GROUP else f"other-{number // 50}"
    return f"/subscriptions/{subscription}/resourceGroups/{group}/providers"


def _vm(subscription: str, number: int, status: bool) -> Json:
    name = f"plain-{number:04}"
    body = {
        "name": name,
        "id": f"{_group(subscription, number)}/Microsoft.Compute/virtualMachines/{name}",
        "type": "Microsoft.Compute/virtualMachines",
        "location": worlds.REGIONS[number % len(worlds.REGIONS)],
    }
    if status:
        view = {"statuses": [{"code": "ProvisioningState/succeeded"}, {"code": "PowerState/running"}]}
        return body | {"properties": {"provisioningState": "Succeeded", "instanceView": view}}
    nic = f"{_group(subscription, number)}/Microsoft.Network/networkInterfaces/{name}-nic"
    profile = {"networkInterfaces": [{"id": nic, "properties": {"primary": True}}]}
    return body | {"tags": {"team": "web"}, "properties": {"vmId": name, "networkProfile": profile}}


def _nic(subscription: str, number: int, _: bool) -> Json:
    name, group = f"plain-{number:04}", _group(subscription, number)
    address = {"privateIPAddress": f"10.200.{number // 250}.{number % 250}", "primary": True}
    return {
        "name": f"{name}-nic",
        "id": f"{group}/Microsoft.Network/networkInterfaces/{name}-nic",
        "properties": {
            "ipConfigurations": [{"name": "ipconfig1", "properties": address}],
            "virtualMachine": {"id": f"{group}/Microsoft.Compute/virtualMachines/{name}"},
            "primary": True,
        },
    }


class _Run:
    """One app in the world. `calls` and `seconds`: of each sweep, until the last VM was read."""

    def __init__(self, world: Json, plain: int, way: str) -> None:
        self.stage = Stage(world, front=lambda cloud: Crowd(cloud, plain))
        self.stage.environment |= {"NEARZONE_RESOURCE_GRAPH": way, "NEARZONE_MODE": "shadow"}
        self.app: Reconciler = self.stage.app()
        self.calls: list[int] = []
        self.seconds: list[float] = []
        self.queries: list[int] = []
        self.zone_calls: list[int] = []
        self.drift = self.throttled = self.unread = 0

    async def sweep(self, say: Say) -> None:
        """Sweep, and count. Raises RuntimeError if something failed."""
        self.stage.sent.clear()
        begun = self.stage.clock()
        report = await self.app.correct_drift()
        if report.failures or report.refusals or report.endpoints_unread or report.changes:
            raise RuntimeError(f"the world could not be swept to its end: {report.as_json()}")
        zone = [each for each in self.stage.sent if "/privatednszones/" in each.path.lower()]
        sent = [each for each in self.stage.sent if each not in zone]
        self.zone_calls.append(len(zone))
        self.seconds.append(max(each.ended for each in sent if "/virtualmachines" in each.path.lower()) - begun)
        self.calls.append(len(sent))
        self.queries.append(sum(each.path.lower() == GRAPH for each in sent))
        self.throttled += sum(each.status == 429 for each in self.stage.sent)
        self.drift += report.drift
        say(f"{report.inventory}: {self.calls[-1]} calls, {len(zone)} to the zone, in {self.seconds[-1]:.1f} virtual s")

    async def unknown(self, opted_in: int) -> int:
        """How many VMs that have opted in the catalog does not know, or by name only."""
        known = [stored.value.endpoint for stored in await self.app.catalog.endpoints()]
        return opted_in - sum(not each.open for each in known)


async def _play(world: Json, plain: int, way: str, say: Say) -> _Run:
    run = _Run(world, plain, way)
    await run.sweep(say)
    run.unread = await run.unknown(len(world["vms"]))
    await asyncio.sleep(PAUSE)
    await run.sweep(say)
    return run


def measure(subscriptions: int, vms: int, opted_in: int, say: Say) -> dict[str, float]:
    """Return all figures. `vms`, `opted_in`: of each subscription."""
    say(f"{subscriptions} subscriptions with {vms} VMs each, {opted_in} of which have opted in")
    world, plain = a_world(subscriptions, opted_in), vms - opted_in
    graph, lists = (in_virtual_time(partial(_play, world, plain, way, say)) for way in ("auto", "never"))
    return {
        "arm_calls": graph.calls[0],
        "wall_s": graph.seconds[0],
        "arm_calls_unchanged": graph.calls[1],
        "wall_unchanged_s": graph.seconds[1],
        "graph_queries": max(graph.queries),
        "zone_calls": graph.zone_calls[0],
        "zone_calls_unchanged": graph.zone_calls[1],
        "listed_calls": lists.calls[0],
        "listed_s": lists.seconds[0],
        "listed_unchanged_calls": lists.calls[1],
        "listed_unchanged_s": lists.seconds[1],
        **{name: getattr(graph, name) + getattr(lists, name) for name in ("throttled", "unread", "drift")},
    }


def _run(quick: bool, say: Say) -> dict[str, float]:
    return measure(12, 150, 5, say) if quick else measure(200, 500, 10, say)


SCENARIO = Scenario("200 subscriptions with 100,000 VMs, of which 2,000 have opted in.", FIGURES, _run)
