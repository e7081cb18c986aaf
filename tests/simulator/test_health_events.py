"""The HealthResources topic tells what the platform knows of machines, to those who listen to it and to nobody else."""

import asyncio
import json
from random import Random

import pytest
from recordings import AZURE
from test_eventgrid import URL, Endpoint
from test_scale_sets import SET, a_set, an_instance

from simulator.arm.front_door import Signal
from simulator.compute.health_signals import ANNOTATIONS
from simulator.compute.vm_power import DURATIONS
from simulator.event_grid.delivery import EventGrid, Subscription
from simulator.event_grid.events import health_event_of
from tests.support.small_world import Scene, a_vm, in_virtual_time, vm_id

EXAMPLES = AZURE / "examples/eventgrid/data-plane/Microsoft.ResourceNotifications/stable/2018-01-01/examples"
TOPIC = "Microsoft.ResourceNotifications.HealthResources"


def signals_of(scene, act):
    """What is told while something happens, as short as it can be said."""
    told = []
    scene.cloud.azure.signalled.append(told.append)
    act(scene)
    scene.wait_for_all()
    return [each.details.get("annotationName") or each.details["availabilityState"] for each in told]


def post(path):
    return lambda scene: scene.ask("POST", path)


@pytest.mark.parametrize(
    ("power", "act", "told"),
    [
        ("running", post(f"{vm_id('gpu')}/powerOff"), ["VirtualMachineStopInitiatedByControlPlane", "Unavailable"]),
        ("running", post(f"{vm_id('gpu')}/deallocate"), ["VirtualMachineDeallocationInitiated", "Unavailable"]),
        ("stopped", post(f"{vm_id('gpu')}/start"), ["VirtualMachineStartInitiatedByControlPlane", "Available"]),
        (
            "deallocated",
            post(f"{vm_id('gpu')}/start"),
            ["VirtualMachineAllocated", "VirtualMachineStartInitiatedByControlPlane", "Available"],
        ),
        (
            "running",
            lambda scene: scene.cloud.compute.guest_shutdown(vm_id("gpu")),
            ["VirtualMachineStoppedInternally", "Unavailable"],
        ),
        (
            "running",
            lambda scene: scene.cloud.compute.preempt(vm_id("gpu")),
            ["VirtualMachinePreempted", "Unavailable"],
        ),
        (
            "running",
            lambda scene: scene.cloud.compute.host_crash(vm_id("gpu"), 60),
            ["VirtualMachineHostCrashed", "Unavailable", "Available"],
        ),
        ("running", post(f"{vm_id('gpu')}/start"), []),
        ("running", post(f"{vm_id('gpu')}/reapply"), []),
    ],
)
def test_what_changes_a_machine_says_why_and_whether_it_is_available(power, act, told):
    assert signals_of(Scene(a_vm("gpu", "10.1.0.4", power, spot="Deallocate")), act) == told


def test_a_change_of_availability_says_what_it_was_before():
    scene = Scene(a_vm("gpu", "10.1.0.4"))
    told = []
    scene.cloud.azure.signalled.append(told.append)
    scene.cloud.compute.guest_shutdown(vm_id("gpu"))
    assert told[1].details == {"previousAvailabilityState": "Available", "availabilityState": "Unavailable"}


def test_instances_are_told_of_as_well():
    scene = Scene(scale_sets=[a_set(an_instance(0, "10.1.0.10"))])
    machine = f"{SET}/virtualMachines/0"
    assert "VirtualMachineStoppedInternally" in signals_of(scene, lambda s: s.cloud.compute.guest_shutdown(machine))


def deliveries(*topics, operations=()):
    """What one endpoint is sent of a deallocation, by the topics that it has subscribed to."""

    async def story(loop):
        scene = Scene(a_vm("gpu", "10.1.0.4"), clock=loop.time)
        endpoint = Endpoint(loop)
        grid = EventGrid(scene.cloud.azure, endpoint.post, Random(3))
        for topic in topics:
            await grid.subscribe(Subscription(URL, "EventGridSchema", operations, topic))
        scene.ask("POST", f"{vm_id('gpu')}/deallocate")
        await asyncio.sleep(DURATIONS["deallocate"].high)
        scene.cloud.azure.advance()
        await grid.idle()
        return [
            (each[3][0]["eventType"], record.operation)
            for each, record in zip(endpoint.got, grid.deliveries, strict=True)
        ]

    return in_virtual_time(story)


def test_only_a_subscription_to_the_health_topic_hears_of_health():
    assert [kind for kind, _ in deliveries("Microsoft.Resources.Subscriptions")] == [
        "Microsoft.Resources.ResourceActionSuccess"
    ]
    assert {kind for kind, _ in deliveries(TOPIC)} == {
        f"{TOPIC}.ResourceAnnotated",
        f"{TOPIC}.AvailabilityStatusChanged",
    }


def test_an_endpoint_may_listen_to_both_topics():
    assert len(deliveries("Microsoft.Resources.Subscriptions", TOPIC)) == 3


def test_a_health_subscription_may_ask_for_some_annotations_only():
    found = deliveries(TOPIC, operations=("VirtualMachineDeallocation",))
    assert found == [(f"{TOPIC}.ResourceAnnotated", "VirtualMachineDeallocationInitiated")]


def shape(value):
    """Field names and types all the way down; texts that only have to be there are all alike."""
    if isinstance(value, dict):
        return {key: shape(each) for key, each in value.items()}
    return type(value).__name__


@pytest.mark.skipif(not EXAMPLES.is_dir(), reason=f"no examples at {EXAMPLES}")
@pytest.mark.parametrize("kind", ["AvailabilityStatusChanged", "ResourceAnnotated"])
@pytest.mark.parametrize(
    ("schema", "folder"), [("EventGridSchema", "event-grid-schema"), ("CloudEventSchemaV1_0", "cloud-events-schema")]
)
def test_a_health_event_is_as_in_the_openapi_examples(kind, schema, folder):
    example = json.loads((EXAMPLES / folder / f"HealthResources_{kind}.json").read_text())
    details = example["data"]["resourceInfo"]["properties"]
    told = {key: value for key, value in details.items() if not key.startswith(("target", "occurred"))}
    event = health_event_of(Signal(vm_id("gpu"), kind, told, 1_800_000_000.25), "event", "name")
    body = json.loads(event.body(schema))
    ours = body[0] if isinstance(body, list) else body
    assert shape(ours) == shape(example)
    assert ours["data"]["apiVersion"] == example["data"]["apiVersion"]
    assert ours.get("dataVersion") == example.get("dataVersion")
    info = ours["data"]["resourceInfo"]
    assert info["type"] == example["data"]["resourceInfo"]["type"]
    assert info["properties"]["targetResourceType"] == details["targetResourceType"]
    assert info["id"] == f"{vm_id('gpu')}/providers/{info['type']}/name"


@pytest.mark.skipif(not EXAMPLES.is_dir(), reason=f"no examples at {EXAMPLES}")
def test_the_annotation_of_the_example_says_the_same_here():
    example = json.loads((EXAMPLES / "event-grid-schema/HealthResources_ResourceAnnotated.json").read_text())
    wanted = example["data"]["resourceInfo"]["properties"]
    found = ANNOTATIONS[wanted["annotationName"]]
    assert (found.reason, found.summary, found.context, found.category) == tuple(
        wanted[key] for key in ("reason", "summary", "context", "category")
    )


def test_the_type_of_an_instance_is_that_of_an_instance():
    told = {"annotationName": "VirtualMachinePreempted"}
    event = health_event_of(Signal(f"{SET}/virtualMachines/0", "ResourceAnnotated", told, 0), "event", "name")
    kind = event.data["resourceInfo"]["properties"]["targetResourceType"]
    assert kind == "Microsoft.Compute/virtualMachineScaleSets/virtualMachines"
