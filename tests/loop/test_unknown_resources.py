"""A storm of events about machines that claim nothing: dropped unread, and nothing is missed by it."""

import asyncio
import json
from dataclasses import replace

import pytest

from shared.domain.catalog_rows import Versioned
from shared.domain.catalog_state import CatalogState
from shared.domain.endpoints import State
from shared.domain.errors import Transient
from shared.edge import event_hints as events
from shared.loop.unknown_resources import (
    MAX_UNKNOWN_IDS,
    MIN_CONCURRENT_EVENTS,
    SWEEP_INTERVAL_SECONDS,
    is_sweep_noted,
    sweep_is_due,
)
from tests.support.deployment import SUB, a_vm, a_world, nic_id, run_scenario, vm_id
from tests.support.event_samples import TYPES, cloud, native

EAST = "eastus"
VM = vm_id("a")
ACTION = "Microsoft.Resources.ResourceActionSuccess"
WRITE = "Microsoft.Resources.ResourceWriteSuccess"
TYPE = "Microsoft.Compute/virtualMachines"
MANY = 60
FLOOD = 3 * MAX_UNKNOWN_IDS
DELETE = "Microsoft.Resources.ResourceDeleteSuccess"
TAGS = "/providers/Microsoft.Resources/tags/default"


def strangers(count=MANY):
    return [a_vm(f"s{number:03}", EAST, 50 + number, None) for number in range(count)]


@pytest.mark.parametrize("schema", [native, cloud])
@pytest.mark.parametrize(
    ("kind", "subject", "operation", "power"),
    [
        (ACTION, VM, f"{TYPE}/start/action", True),
        (ACTION, VM, f"{TYPE.upper()}/POWEROFF/action", True),
        ("Microsoft.Resources.ResourceActionFailure", VM, f"{TYPE}/deallocate/action", True),
        ("Microsoft.ResourceNotifications.HealthResources.ResourceAnnotated", VM, "", True),
        (WRITE, VM, f"{TYPE}/start/action", False),
        (ACTION, VM, f"{TYPE}/write", False),
        (ACTION, VM, f"{TYPE}/reapply/action", False),
        (WRITE, VM, f"{TYPE}/write", False),
        (WRITE, f"{VM}/providers/Microsoft.Resources/tags/default", "Microsoft.Resources/tags/write", False),
        ("Microsoft.Resources.ResourceDeleteSuccess", VM, f"{TYPE}/delete", False),
        (ACTION, VM.replace("virtualMachines", "virtualMachineScaleSets"), f"{TYPE}/start/action", False),
    ],
)
def test_only_what_cannot_change_a_claim_is_a_power_event(schema, kind, subject, operation, power):
    found = events.hint(json.dumps(schema(kind, subject, operationName=operation)), {SUB}, TYPES)
    assert found.power is power


def event(name, operation="start/action", kind=ACTION):
    data = {"operationName": f"{TYPE}/{operation}"}
    return json.dumps({"eventType": kind, "subject": vm_id(name), "data": data})


async def told(stage, *texts):
    """All of these at once."""
    await asyncio.gather(*(stage.app.on_event(text) for text in texts))


def play(story, *vms, **options):
    async def played(stage):
        await stage.app.correct_drift()
        await stage.app.drain()
        assert stage.wrong_answers() == {}
        stage.request_log.requests.clear()
        return await story(stage)

    return run_scenario(played, a_world(a_vm("a", EAST, 4), a_vm("b", EAST, 5), *strangers(), *vms), **options)


def storm(*more):
    return [*(event(f"s{number:03}") for number in range(MANY)), *more]


def test_a_storm_of_strangers_costs_a_few_reads_and_no_row():
    async def story(stage):
        rows = len(await stage.app.catalog.endpoints())
        begun = stage.clock()
        await told(stage, *storm())
        assert stage.clock() - begun < 5.0
        assert len(stage.request_log.requests) <= MIN_CONCURRENT_EVENTS
        assert stage.app.events["stranger"] >= MANY - MIN_CONCURRENT_EVENTS
        assert len(await stage.app.catalog.endpoints()) <= rows + MIN_CONCURRENT_EVENTS
        begun = stage.clock()
        await told(stage, *storm())
        assert stage.clock() - begun < 5.0

    play(story)


def test_a_known_machine_is_followed_in_the_midst_of_it_as_fast_as_alone():
    async def alone(stage):
        return await stop(stage)

    async def crowded(stage):
        return await stop(stage, *storm())

    async def stop(stage, *others):
        await told(stage, *others)
        stage.cloud.compute.vms.find(VM).power = "deallocated"
        found = []

        async def follow():
            await asyncio.sleep(0.1)
            begun = stage.clock()
            await stage.app.on_event(event("a", "deallocate/action"))
            found.append(stage.clock() - begun)

        await asyncio.gather(*(stage.app.on_event(text) for text in others), follow())
        assert stage.wrong_answers() == {}
        return found[0]

    assert play(crowded, latency=0.0) <= play(alone, latency=0.0) + 0.1


def test_where_the_catalog_does_not_know_every_claim_nothing_is_dropped():
    async def story(stage):
        stored = await stage.app.catalog.state()
        await stage.app.catalog.put_state(replace(stored.value, digest=""), stored.etag)
        await told(stage, *storm())
        assert stage.app.events["stranger"] == 0
        assert len(await stage.app.catalog.endpoints()) == MANY + 2, "each was looked at"

    play(story)


def test_a_stranger_that_has_come_to_claim_is_found_by_its_own_event_in_the_midst_of_it():
    async def story(stage):
        stage.cloud.compute.vms.find(vm_id("s050")).tags = {"nearzone": "llama"}
        await told(stage, *storm(event("s050", "write", WRITE)))
        assert "10.1.0.100" in stage.record(EAST, "llama")
        assert stage.wrong_answers() == {}

    play(story)


def test_a_power_event_that_was_dropped_while_the_first_claim_was_recorded_is_made_up_for():
    """The handler of the tag's event has seen the machine run before the stop whose event found no row of it."""

    async def story(stage):
        vm = stage.cloud.compute.vms.find(vm_id("s050"))
        vm.tags = {"nearzone": "llama"}
        catalog, held = stage.app.catalog, asyncio.Event()
        put = catalog.put_endpoint

        async def slow(row, etag):
            if row.endpoint.key == vm_id("s050").lower():
                await held.wait()
            return await put(row, etag)

        catalog.put_endpoint = slow
        tagged = asyncio.create_task(stage.app.on_event(event("s050", "write", WRITE)))
        await asyncio.sleep(3.0)
        vm.power = "deallocated"
        await told(stage, *storm())
        assert not tagged.done()
        held.set()
        await tagged
        assert stage.wrong_answers() != {}, "it has recorded what was true before"
        await asyncio.sleep(1.0)
        await stage.app.drain()
        assert stage.wrong_answers() == {}

    play(story)


def test_writes_of_strangers_are_answered_by_lists():
    async def story(stage):
        await told(stage, *(event(f"s{number:03}", "write", WRITE) for number in range(MANY)))
        assert len(stage.request_log.requests) <= 20

    play(story)


def flood(*more, operation=f"{TYPE}/write", kind=WRITE, subject=vm_id, after="", exist=False):
    """Events about more unknown resources than can be read before Event Grid's deadline."""
    names = [f"s{number:03}" if exist else f"ghost-{number}" for number in range(FLOOD)]
    data = {"operationName": operation}
    return [*(json.dumps({"eventType": kind, "subject": subject(each) + after, "data": data}) for each in names), *more]


def flooded(story, *vms, **options):
    """A complete catalog, in a world with strangers enough; the last sweep was a while ago."""

    async def played(stage):
        await asyncio.sleep(SWEEP_INTERVAL_SECONDS)
        return await story(stage)

    return play(played, *strangers(FLOOD)[MANY:], *vms, **options)


async def marker(stage):
    return (await stage.app.catalog.state()).value


OPERATIONS = [
    {"operation": f"{TYPE}/write"},
    {"operation": f"{TYPE}/delete", "kind": DELETE},
    {"operation": "Microsoft.Resources/tags/write", "after": TAGS},
    {"operation": f"{TYPE}/reapply/action", "kind": ACTION},
    {"operation": "Microsoft.Network/networkInterfaces/write", "subject": nic_id},
]


@pytest.mark.parametrize("exist", [True, False])
@pytest.mark.parametrize("what", OPERATIONS, ids=lambda what: what["operation"])
def test_a_flood_of_unknown_resources_is_acknowledged_at_the_cost_of_one_sweep(what, exist):
    async def story(stage):
        rows, begun = len(await stage.app.catalog.endpoints()), stage.clock()
        await told(stage, *flood(**what, exist=exist))
        assert stage.clock() - begun < 20.0
        assert stage.app.events["deferred"] >= FLOOD - 2 * MAX_UNKNOWN_IDS
        assert stage.app.events["accepted"] + stage.app.events["deferred"] == FLOOD
        assert len(stage.request_log.requests) <= 5 * MAX_UNKNOWN_IDS, "only what came before it was a flood"
        assert len(await stage.app.catalog.endpoints()) <= rows + 2 * MAX_UNKNOWN_IDS
        assert (await stage.app.status())["last_sweep"]["deferred"]
        await asyncio.sleep(10.0)
        await stage.app.drain()
        assert not is_sweep_noted(await marker(stage))
        assert (await stage.app.status())["last_sweep"]["deferred"] is None
        assert stage.wrong_answers() == {}

    flooded(story)


def test_one_that_has_come_to_claim_in_a_flood_is_found_by_the_next_drain():
    async def story(stage):
        stage.cloud.compute.vms.find(vm_id("s150")).tags = {"nearzone": "llama"}
        await told(stage, *flood(event("s150", "write", WRITE)))
        assert stage.wrong_answers() != {}
        await asyncio.sleep(30.0)
        await stage.app.drain()
        assert stage.wrong_answers() == {}

    flooded(story)


def test_events_that_came_while_a_sweep_was_under_way_or_had_just_begun_wait_for_the_next_one():
    async def story(stage):
        rest = asyncio.create_task(told(stage, *flood()))
        await asyncio.sleep(3.0)
        await stage.app.drain()
        await rest
        assert is_sweep_noted(await marker(stage)), "Azure's lists may lag behind an event of a moment ago"
        await stage.app.drain()
        before = (await marker(stage)).attempted_at
        assert stage.clock() < before + SWEEP_INTERVAL_SECONDS, "no sweep after sweep"
        await asyncio.sleep(SWEEP_INTERVAL_SECONDS)
        await stage.app.drain()
        assert not is_sweep_noted(await marker(stage))
        assert (await marker(stage)).attempted_at > before
        await asyncio.sleep(SWEEP_INTERVAL_SECONDS)
        await stage.app.drain()
        assert stage.clock() > (await marker(stage)).attempted_at + SWEEP_INTERVAL_SECONDS, (
            "no sweep that nothing waits for"
        )

    flooded(story)


def test_an_event_is_not_acknowledged_before_the_catalog_says_that_a_sweep_is_due():
    async def story(stage):
        put = stage.app.catalog.put_state

        async def away(_row, _etag):
            raise Transient("the storage account is away")

        stage.app.catalog.put_state = away
        outcomes = await asyncio.gather(*map(stage.app.on_event, flood()), return_exceptions=True)
        stage.app.catalog.put_state = put
        assert sum(isinstance(each, Transient) for each in outcomes) >= FLOOD - 2 * MAX_UNKNOWN_IDS
        assert stage.app.events["deferred"] == 0

    flooded(story)


def test_an_event_is_not_left_to_a_sweep_that_a_catalog_that_was_just_lost_cannot_note():
    async def story(stage):
        catalog = stage.app.catalog
        endpoints = catalog.endpoints

        async def gone():
            return None

        async def then_lost():
            catalog.state = gone
            return await endpoints()

        catalog.endpoints = then_lost
        await asyncio.gather(*map(stage.app.on_event, flood()), return_exceptions=True)
        assert catalog.state is gone
        assert stage.app.events["deferred"] == 0

    flooded(story)


def test_what_comes_soon_after_a_flood_is_left_to_the_sweep_as_well_so_that_azure_is_read_no_more():
    async def story(stage):
        rest = asyncio.create_task(told(stage, *flood()))
        await asyncio.sleep(7.0)
        before, read = stage.app.events["deferred"], len(stage.request_log.requests)
        late = [event(f"late-{number}", "write", WRITE) for number in range(20)]
        await told(stage, *late)
        assert stage.app.events["deferred"] == before + len(late)
        await rest
        assert len(stage.request_log.requests) < read + MAX_UNKNOWN_IDS
        await asyncio.sleep(10.0)
        await told(stage, *late)
        assert stage.app.events["deferred"] == before + len(late), "the flood is over"

    flooded(story)


def test_a_known_machine_is_followed_at_once_in_a_flood_that_meets_a_process_that_has_read_nothing_yet():
    async def story(stage):
        stage.cloud.compute.vms.find(VM).power = "deallocated"
        await told(stage, *flood(event("a", "write", WRITE)))
        assert stage.wrong_answers() == {}

    flooded(story)


def test_in_a_flood_where_the_catalog_does_not_know_every_claim_no_event_is_left_to_a_sweep():
    async def story(stage):
        stored = await stage.app.catalog.state()
        await stage.app.catalog.put_state(replace(stored.value, digest=""), stored.etag)
        await asyncio.gather(*map(stage.app.on_event, flood()), return_exceptions=True)
        assert stage.app.events["deferred"] == 0

    flooded(story)


def test_a_known_machine_is_followed_in_a_flood_as_fast_as_otherwise():
    async def story(stage):
        await told(stage, event("a", "start/action"))
        rest = asyncio.gather(*map(stage.app.on_event, flood(exist=True)))
        await asyncio.sleep(1.0)
        stage.cloud.compute.vms.find(VM).power = "deallocated"
        begun = stage.clock()
        await stage.app.on_event(event("a", "deallocate/action"))
        assert stage.wrong_answers() == {}
        took = stage.clock() - begun
        await rest
        return took

    assert flooded(story) < 3.0


def test_a_handler_that_has_seen_what_was_before_a_deferred_event_does_not_undo_what_the_sweep_has_seen():
    """The sweep stands for the event's look: it writes the row although that says already what the list says."""

    async def story(stage):
        vm, catalog, let_go = stage.cloud.compute.vms.find(VM), stage.app.catalog, asyncio.Event()
        put, slow = catalog.put_endpoint, []

        async def hold_first(row, etag):
            if row.endpoint.key == VM.lower() and not slow:
                slow.append(row)
                await let_go.wait()
            return await put(row, etag)

        catalog.put_endpoint = hold_first
        vm.power = "deallocated"
        stopped = asyncio.create_task(stage.app.on_event(event("a", "deallocate/action")))
        await asyncio.sleep(2.0)
        vm.power = "running"
        rest = asyncio.create_task(told(stage, *flood()))
        await asyncio.sleep(8.0)
        await stage.app.drain()
        assert not is_sweep_noted(await marker(stage))
        assert not stopped.done()
        let_go.set()
        await stopped
        await rest
        assert stage.wrong_answers() == {}

    flooded(story)


def test_a_machine_that_was_stopped_while_the_sweep_recorded_its_first_claim_is_looked_at_again():
    """Its power event was dropped, for the catalog knew no claim of it yet."""

    async def story(stage):
        vm, put = stage.cloud.compute.vms.find(vm_id("s150")), stage.app.catalog.put_endpoint
        await told(stage, event("s150", "write", WRITE))  # Its health is known from now on: lists say enough of it.
        vm.tags = {"nearzone": "llama"}
        await told(stage, *flood(event("s150", "write", WRITE)))

        async def stops_before(row, etag):
            if row.endpoint.key == vm.id.lower() and row.endpoint.state == State.SERVING:
                vm.power = "deallocated"
            return await put(row, etag)

        await asyncio.sleep(8.0)
        stage.app.catalog.put_endpoint = stops_before
        await stage.app.drain()
        assert "10.1.0.200" in stage.record(EAST, "llama")
        await stage.app.drain()
        assert stage.wrong_answers() == {}

    flooded(story)


@pytest.mark.parametrize(
    ("deferred", "attempted", "covered", "now", "due"),
    [
        (0.0, 0.0, 0.0, 1000.0, False),
        (900.0, 500.0, 495.0, 901.0, True),
        (900.0, 880.0, 875.0, 901.0, False),
        (900.0, 880.0, 875.0, 940.0, True),
        (900.0, 1000.0, 995.0, 2000.0, False),
        (900.0, 1000.0, 495.0, 1060.0, False),
        (900.0, 1000.0, 495.0, 1100.0, True),
        (900.0, 3000.0, 495.0, 4000.0, False),
        (900.0, 3000.0, 495.0, 5100.0, True),
    ],
)
def test_a_sweep_for_deferred_events_comes_soon_and_after_longer_pauses_where_it_fails(
    deferred, attempted, covered, now, due
):
    found = CatalogState(deferred_at=deferred, attempted_at=attempted, covered_at=covered)
    assert sweep_is_due(Versioned(found, "1"), now) is due
    assert not sweep_is_due(None, now)


def test_what_could_not_be_read_in_time_in_a_flood_is_left_to_the_sweep_as_well():
    async def story(stage):
        observe = stage.app.inventory.observe

        async def slow(*asked):
            await asyncio.sleep(60.0)
            return await observe(*asked)

        stage.app.inventory.observe = slow
        begun = stage.clock()
        await told(stage, *flood())
        assert stage.clock() - begun < 25.0
        assert stage.app.events["deferred"] == FLOOD
        with pytest.raises(Transient):
            await stage.app.on_event(event("a", "write", WRITE))
        await asyncio.sleep(30.0)
        with pytest.raises(Transient):
            await stage.app.on_event(event("ghost-1", "write", WRITE))

    flooded(story)
