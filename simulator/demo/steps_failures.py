"""The steps of the demo in which something fails: a region, an event, a record, a claim.

They select a VM by its state and never by its name, as in `steps.py`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from simulator.demo import world_model as happen
from simulator.demo.step import Skip, Step, StepContext, name_of
from simulator.demo.world_model import Change, Vm, WorldModel, affected_names, differing, most_visible
from simulator.oracle.claims import claims, permitted

HAND = "10.66.66.66"
"""The address that an operator enters by hand."""

_TAGS = "/providers/Microsoft.Resources/tags/default"


def region_outage(play: StepContext) -> Step:
    """Every serving VM of a region stops."""
    vms = play.replica.serving()
    regions = sorted({vm["location"] for vm in vms})
    if len(regions) < 2:
        raise Skip("fewer than two regions serve")
    members = [(region, [vm for vm in vms if vm["location"] == region]) for region in regions]
    found = most_visible(
        play.replica, [((r, vms), happen.power([vm["id"] for vm in vms], "deallocated")) for r, vms in members]
    )
    if not found:
        raise Skip("no region's VMs matter to any answer")
    (region, gone), change = found
    play.away = [vm["id"] for vm in gone]
    return Step(
        f"Every VM of {region} stops",
        f"Its {_count(gone)} deallocated at once.{_next(play.replica, change)}",
        play.all_of("POST", gone, "/deallocate"),
        change,
        affected_names(play.replica, play.replica.after(change), 3),
        play.expected_events(gone),
    )


def region_returns(play: StepContext) -> Step:
    """They come back."""
    if not play.away:
        raise Skip("no region has stopped")
    vms = [play.replica.vm(vm_id) for vm_id in play.away]
    reporting = [vm["id"] for vm in vms if vm["health"]]
    start = play.all_of("POST", vms, "/start")

    async def act() -> float | None:
        await start()
        for vm_id in reporting:
            await play.outside.control("health", {"vm": vm_id, "health": "healthy"})
        return time.time() if reporting else None

    def change(replica: WorldModel) -> None:
        happen.power(play.away, "running")(replica)
        happen.healthy(play.away)(replica)

    models = " When they run, their models load." if reporting else ""
    return Step(
        f"Every VM of {vms[0]['location']} starts again",
        f"Its {_count(vms)} started.{models}",
        act,
        change,
        affected_names(play.replica, play.replica.after(change), 3),
        play.expected_events(vms),
        since=f"the last of {len(reporting)} VMs reported itself healthy (no event)" if reporting else "",
    )


def _next(replica: WorldModel, change: Change) -> str:
    after = replica.after(change)
    moved = any(after.get(pair) for pair in differing(replica.answers, after))
    return " Its clients fail over to the next nearest region." if moved else " No other endpoint claims their names."


def _count(vms: list[Vm]) -> str:
    return "only VM is" if len(vms) == 1 else f"{len(vms)} VMs are"


def lost_event_and_edited_record(play: StepContext) -> Step:
    """A VM's events are lost, and a record is edited by hand; then the sweep runs."""
    found = most_visible(play.replica, [(vm, happen.power([vm["id"]], "deallocated")) for vm in play.replica.serving()])
    if not found:
        raise Skip("no VM serves")
    vm, change = found
    after = play.replica.after(change)
    lost = affected_names(play.replica, after, 1)
    zone, edited = _editable(play.replica, lost)
    deallocate = play.all_of("POST", [vm], "/deallocate")

    async def act() -> float:
        # The events of the operation and of the VM's health: why it stops, and that it is not available.
        await play.outside.control("lose", {"events": 3})
        await deallocate()
        record = f"{zone}/A/{edited}"
        body = await play.outside.arm("GET", record)
        body["properties"]["aRecords"] = [{"ipv4Address": HAND}]
        await play.outside.arm("PUT", record, body)
        await play.show("Until the sweep runs, this is wrong:", dict.fromkeys([*lost, edited]))
        since = time.time()
        await play.outside.sweep()
        return since

    return Step(
        "Events are lost, and a record is edited by hand",
        f"{name_of(vm)} is deallocated, and its events never arrive. An operator writes {HAND} into {edited} in "
        f"{zone.split('/')[4]}. Then the sweep (the timer correct_drift, started by hand) repairs both.",
        act,
        change,
        list(dict.fromkeys([*lost, edited])),
        since="the sweep was started",
    )


def _editable(replica: WorldModel, lost: list[str]) -> tuple[str, str]:
    """A zone's id and a name in it whose record set the app owns: another name than the lost one, if possible."""
    claimed = {name for vm in replica.vms for name in replica.names(vm)}
    foreign = {
        (zone["id"].lower(), each["name"].lower()) for zone in replica.world["zones"] for each in zone["records"]
    }
    order = [*replica.services(), *sorted(claimed)]
    ids = {zone["id"].lower(): zone["id"] for zone in replica.world["zones"]}
    ours = [pair for pair, answer in replica.answers.items() if answer and pair not in foreign and pair[1] in claimed]
    if not ours:
        raise Skip("the app owns no record set")
    zone, name = min(ours, key=lambda pair: (pair[1] in lost, order.index(pair[1]), pair[0]))
    return ids[zone], name


def unauthorized_claim(play: StepContext) -> Step:
    """A running VM tags itself with a name that it may not claim."""
    replica = play.replica
    for vm in sorted(replica.vms, key=lambda vm: vm["power"] != "running"):
        name = next((name for name in replica.services() if not permitted(vm, name, replica.settings)), None)
        if name is None or name in replica.names(vm) or not _watched(replica, vm):
            continue
        value = ", ".join(filter(None, [vm["tags"].get("nearzone", ""), name]))
        body = {"operation": "Merge", "properties": {"tags": {"nearzone": value}}}

        async def act(vm: Vm = vm, body: Mapping[str, object] = body) -> None:
            await play.outside.arm("PATCH", vm["id"] + _TAGS, body)

        change = happen.tagged(vm["id"], value)
        own = [each for each in affected_names(replica, replica.after(change), 1) if each != name]
        also = f" (It may have its own name, {own[0]}.)" if own else ""
        return Step(
            f"{name_of(vm)} claims {name}, which it may not claim",
            f"A user with rights on {vm['id'].split('/')[4]} tags it nearzone={value}. NEARZONE_CLAIMS does not let "
            f"that resource group claim {name}.{also}",
            act,
            change,
            [name, *own],
            {(vm["id"] + _TAGS).lower(): frozenset(own)},
            rejected=vm["id"],
        )
    raise Skip("NEARZONE_CLAIMS of this world lets every VM claim every service name")


def _watched(replica: WorldModel, vm: Vm) -> bool:
    return bool(claims({**vm, "tags": {"nearzone": "x"}}, replica.settings))
