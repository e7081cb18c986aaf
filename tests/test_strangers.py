"""A storm of events about machines that claim nothing: dropped unread, and nothing is missed by it."""

import asyncio
import json
from dataclasses import replace

import pytest

from shared import events
from shared.strangers import CROWD
from tests.stage import SUB, a_vm, a_world, staged, vm_id
from tests.test_events import TYPES, cloud, native

EAST = "eastus"
VM = vm_id("a")
ACTION = "Microsoft.Resources.ResourceActionSuccess"
WRITE = "Microsoft.Resources.ResourceWriteSuccess"
TYPE = "Microsoft.Compute/virtualMachines"
MANY = 60


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
        assert stage.wrong() == {}
        stage.witness.requests.clear()
        return await story(stage)

    return staged(played, a_world(a_vm("a", EAST, 4), a_vm("b", EAST, 5), *strangers(), *vms), **options)


def storm(*more):
    return [*(event(f"s{number:03}") for number in range(MANY)), *more]


def test_a_storm_of_strangers_costs_a_few_reads_and_no_row():
    async def story(stage):
        rows = len(await stage.app.catalog.endpoints())
        begun = stage.clock()
        await told(stage, *storm())
        assert stage.clock() - begun < 5.0
        assert len(stage.witness.requests) <= CROWD
        assert stage.app.events["stranger"] >= MANY - CROWD
        assert len(await stage.app.catalog.endpoints()) <= rows + CROWD
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
        assert stage.wrong() == {}
        return found[0]

    assert play(crowded, latency=0.0) <= play(alone, latency=0.0) + 0.1


def test_where_the_catalog_does_not_know_every_claim_nothing_is_dropped():
    async def story(stage):
        stored = await stage.app.catalog.marker()
        await stage.app.catalog.put_marker(replace(stored.value, digest=""), stored.etag)
        await told(stage, *storm())
        assert stage.app.events["stranger"] == 0
        assert len(await stage.app.catalog.endpoints()) == MANY + 2, "each was looked at"

    play(story)


def test_a_stranger_that_has_come_to_claim_is_found_by_its_own_event_in_the_midst_of_it():
    async def story(stage):
        stage.cloud.compute.vms.find(vm_id("s050")).tags["nearzone"] = "llama"
        await told(stage, *storm(event("s050", "write", WRITE)))
        assert "10.1.0.100" in stage.record(EAST, "llama")
        assert stage.wrong() == {}

    play(story)


def test_a_power_event_that_was_dropped_while_the_first_claim_was_recorded_is_made_up_for():
    """The handler of the tag's event has seen the machine run before the stop whose event found no row of it."""

    async def story(stage):
        vm = stage.cloud.compute.vms.find(vm_id("s050"))
        vm.tags["nearzone"] = "llama"
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
        assert stage.wrong() != {}, "it has recorded what was true before"
        await asyncio.sleep(1.0)
        await stage.app.drain()
        assert stage.wrong() == {}

    play(story)


def test_writes_of_strangers_are_answered_by_lists():
    async def story(stage):
        await told(stage, *(event(f"s{number:03}", "write", WRITE) for number in range(MANY)))
        assert len(stage.witness.requests) <= 20

    play(story)
