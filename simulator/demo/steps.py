"""The steps of the demo, one function each, which select a VM by its state and never by its name.

A step looks for a resource in the world that can show it, describes the change, and makes it through `Client`.
`__main__.py` judges the answers. A step raises Skip, with the reason, if the world cannot show it.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping

from simulator.demo import world_model as happen
from simulator.demo.processes import DRAIN_SECONDS
from simulator.demo.step import Skip, Step, StepContext, name_of
from simulator.demo.steps_failures import (
    lost_event_and_edited_record,
    region_outage,
    region_returns,
    unauthorized_claim,
)
from simulator.demo.steps_probes import path_cut, path_mended, path_through_a_hub, server_hangs, server_mended
from simulator.demo.world_model import Vm, WorldModel, affected_names, most_visible
from simulator.oracle.claims import serving

_REPORTED = f"the health report (no event: the app checks every {DRAIN_SECONDS} s)"


def first_sweep(play: StepContext) -> Step:
    """The first sweep: the app knows nothing yet."""

    async def act() -> float:
        since = time.time()
        await play.outside.resync({})  # The drain writes what the budgets leave over.
        return since

    count = len(play.replica.endpoints)
    return Step(
        "The first sweep",
        f"The app has just started and knows nothing. POST /api/resync: it reads {count} endpoints and fills the "
        "zones.",
        act,
        names=play.replica.services()[:3]
        or sorted({name for vm in play.replica.vms for name in play.replica.names(vm)})[:3],
        since="POST /api/resync was sent",
    )


def starts(play: StepContext) -> Step:
    """A stopped VM starts."""
    idle = sorted(play.replica.idle(), key=lambda vm: vm["health"] is None)
    if not idle:
        raise Skip("no VM with a tag nearzone is stopped")
    vm = next((each for each in idle if _reports_usefully(play.replica, each)), idle[0])
    play.started = vm["id"]
    waits = "It runs, but its model is not loaded: nothing may change yet." if vm["health"] else "It serves at once."
    return Step(
        f"{name_of(vm)} starts",
        f"POST .../{vm['id'].rsplit('/', 1)[1]}/start. {waits}",
        play.all_of("POST", [vm], "/start"),
        happen.power([vm["id"]], "running"),
        play.replica.names(vm)[:1],
        play.expected_events([vm]),
    )


def _reports_usefully(replica: WorldModel, vm: Vm) -> bool:
    def change(trial: WorldModel) -> None:
        happen.power([vm["id"]], "running")(trial)
        happen.healthy([vm["id"]])(trial)

    services = set(replica.services())
    return any(name in services for _, name in happen.differing(replica.answers, replica.after(change)))


def becomes_healthy(play: StepContext) -> Step:
    """The model of the started VM has loaded."""
    warming = [vm for vm in play.replica.vms if vm["power"] == "running" and vm["health"] == "unhealthy"]
    warming.sort(key=lambda vm: vm["id"] != play.started)
    if not warming:
        raise Skip("no VM that has started reports its health (Application Health extension)")
    vm = warming[0]

    async def act() -> float:
        await play.outside.control("health", {"vm": vm["id"], "health": "healthy"})
        return time.time()

    return Step(
        f"The model on {name_of(vm)} is loaded",
        "Its Application Health extension reports healthy. Azure sends no event for that.",
        act,
        happen.healthy([vm["id"]]),
        play.replica.names(vm)[:1],
        since=_REPORTED,
    )


def is_deallocated(play: StepContext) -> Step:
    """A serving VM is deallocated."""
    found = most_visible(play.replica, [(vm, happen.power([vm["id"]], "deallocated")) for vm in play.replica.serving()])
    if not found:
        raise Skip("no VM serves")
    vm, change = found
    return Step(
        f"{name_of(vm)} is deallocated",
        f"POST .../{vm['id'].rsplit('/', 1)[1]}/deallocate.",
        play.all_of("POST", [vm], "/deallocate"),
        change,
        affected_names(play.replica, play.replica.after(change), 1),
        play.expected_events([vm]),
    )


def ip_changes(play: StepContext) -> Step:
    """The private address of a serving VM changes."""
    choices = []
    for vm in play.replica.serving():
        address = play.replica.free_address(vm["nics"][0]) if len(vm["nics"]) == 1 else None
        if address and len(serving(vm)) == 1:
            choices.append(((vm, address), happen.readdressed(vm["id"], address)))
    found = most_visible(play.replica, choices)
    if not found:
        raise Skip("no VM serves with one NIC and one address in a subnet that has another one free")
    (vm, address), change = found
    nic = vm["nics"][0]["id"]

    async def act() -> None:
        body = await play.outside.arm("GET", nic)
        properties = next(
            each["properties"] for each in body["properties"]["ipConfigurations"] if each["properties"]["primary"]
        )
        properties |= {"privateIPAddress": address, "privateIPAllocationMethod": "Static"}
        await play.outside.arm("PUT", nic, body)

    return Step(
        f"{name_of(vm)} gets another address",
        f"PUT .../{nic.rsplit('/', 1)[1]}: {next(iter(serving(vm)))} becomes {address}.",
        act,
        change,
        affected_names(play.replica, play.replica.after(change), 1),
        play.expected_events([vm], lambda vm: str(vm["nics"][0]["id"])),
    )


def is_deleted(play: StepContext) -> Step:
    """A serving VM is deleted, while another one serves."""
    vms = play.replica.serving()
    found = most_visible(play.replica, [(vm, happen.deleted(vm["id"])) for vm in vms]) if len(vms) > 1 else None
    if not found:
        raise Skip("fewer than two VMs serve")
    vm, change = found
    return Step(
        f"{name_of(vm)} is deleted",
        f"DELETE .../{vm['id'].rsplit('/', 1)[1]}.",
        play.all_of("DELETE", [vm], ""),
        change,
        affected_names(play.replica, play.replica.after(change), 1),
        play.expected_events([vm]),
    )


def scales_in(play: StepContext) -> Step:
    """A uniform scale set scales in."""
    sets = [each for each in play.replica.world["scale_sets"] if each["mode"] == "Uniform"]
    running = [(one, each) for one in sets for each in one["instances"] if each["power"] == "running"]
    choices = [((one, each), happen.without_instance(one["id"], each["id"])) for one, each in running]
    found = most_visible(play.replica, choices)
    if not found:
        raise Skip("no uniform scale set has an instance that serves")
    (one, instance), change = found
    (endpoint,) = (
        each for each in play.replica.endpoints if each["id"] == f"{one['id']}/virtualMachines/{instance['id']}"
    )
    names = play.replica.names(endpoint)

    async def act() -> None:
        await play.outside.arm("POST", f"{one['id']}/delete", {"instanceIds": [instance["id"]]})

    return Step(
        f"Scale set {name_of(one)} loses instance {instance['id']}",
        "POST .../delete with its number. Azure sends one event, about the set; none about the instance.",
        act,
        change,
        names[:1],
        {one["id"].lower(): frozenset(names)},
    )


def is_drained(play: StepContext) -> Step:
    """A serving VM is drained by an override."""
    found = most_visible(play.replica, [(vm, happen.drained(vm["id"].lower())) for vm in play.replica.serving()])
    if not found:
        raise Skip("no VM serves")
    vm, change = found
    play.ordered = vm["id"]
    return Step(
        f"{name_of(vm)} is drained",
        'POST /api/resync {"drain": {"endpoint": ..., "minutes": 10}}: it keeps running, but gets no new clients.',
        _order(play, {"drain": {"endpoint": vm["id"], "minutes": 10}}),
        change,
        affected_names(play.replica, play.replica.after(change), 1),
        since="the drain was set",
    )


def is_undrained(play: StepContext) -> Step:
    """The drain is removed."""
    if not play.ordered:
        raise Skip("nothing is drained")
    change = happen.drained(play.ordered.lower(), back=True)
    return Step(
        f"{name_of(play.replica.vm(play.ordered))} is no longer drained",
        'POST /api/resync {"undrain": {"endpoint": ...}}.',
        _order(play, {"undrain": {"endpoint": play.ordered}}),
        change,
        affected_names(play.replica, play.replica.after(change), 1),
        since="the drain was removed",
    )


def _order(play: StepContext, body: Mapping[str, object]) -> Callable[[], Awaitable[float]]:
    async def act() -> float:
        since = time.time()
        await play.outside.resync(body)
        return since

    return act


def steps(replica: WorldModel) -> list[Callable[[StepContext], Step]]:
    """All steps in order. If no stopped VM could start, one is deallocated first."""
    start = [starts, becomes_healthy]
    return [
        first_sweep,
        *([*start, is_deallocated] if replica.idle() else [is_deallocated, *start]),
        ip_changes,
        region_outage,
        region_returns,
        is_deleted,
        scales_in,
        is_drained,
        is_undrained,
        lost_event_and_edited_record,
        unauthorized_claim,
        server_hangs,
        server_mended,
        path_cut,
        path_mended,
        path_through_a_hub,
    ]
