"""Event Grid tells of what has completed, at least once, in the documented shapes and at the documented times."""

import asyncio
import itertools
import json
from random import Random

import pytest

from simulator.arm.front_door import Completed
from simulator.event_grid.delivery import DeliveryFaults, EventGrid, RefusedError, Subscription, next_attempt
from simulator.event_grid.events import event_of
from tests.support.small_world import Scene, a_vm, in_virtual_time, vm_id

START = "Microsoft.Compute/virtualMachines/start/action"
URL = "http://127.0.0.1:7071/runtime/webhooks/EventGrid?functionName=on_resource_event"


class Endpoint:
    """A webhook that answers from a list, the last answer for ever, and notes what it got and when."""

    def __init__(self, loop, *answers, seconds=0.0):
        self.loop, self.answers, self.seconds = loop, list(answers) or [200], seconds
        self.got = []

    async def post(self, url, headers, body):
        content = json.loads(body)
        if headers["aeg-event-type"] == "SubscriptionValidation":
            data = (content[0] if isinstance(content, list) else content)["data"]
            data = json.loads(data) if isinstance(data, str) else data
            return 200, json.dumps({"validationResponse": data["validationCode"]}).encode()
        self.got.append((self.loop.time(), url, headers, content))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        await asyncio.sleep(self.seconds)
        if isinstance(answer, Exception):
            raise answer
        return answer, b""


def telling(*answers, events=1, seconds=0.0, schema="EventGridSchema", disturbance=None, until=None, operations=()):
    """Subscribe, let operations complete, wait until all is quiet; gives the grid, the endpoint and the start."""

    async def story(loop):
        scene = Scene(a_vm("gpu", "10.1.0.4"), clock=loop.time)
        endpoint = Endpoint(loop, *answers, seconds=seconds)
        grid = EventGrid(scene.cloud.azure, endpoint.post, Random(3), disturbance or DeliveryFaults())
        await grid.subscribe(Subscription(URL, schema, operations))
        began = loop.time()
        for number in range(events):
            scene.cloud.azure.emit(vm_id(f"gpu-{number}"), START, "Action")
        if until is None:
            await grid.idle()
        else:
            await asyncio.sleep(until)
            await grid.close()
        return grid, endpoint, began

    return in_virtual_time(story)


def test_an_endpoint_has_one_subscription_to_each_topic():
    async def story(loop):
        grid = EventGrid(Scene(clock=loop.time).cloud.azure, Endpoint(loop).post, Random(3))
        health = "Microsoft.ResourceNotifications.HealthResources"
        for wanted in (Subscription(URL), Subscription(URL, topic=health), Subscription(URL, operations=("x",))):
            await grid.subscribe(wanted)
        return [(each.topic, each.operations) for each in grid.subscriptions]

    health, resources = in_virtual_time(story)
    assert health == ("Microsoft.ResourceNotifications.HealthResources", ())
    assert resources == ("Microsoft.Resources.Subscriptions", ("x",))


def note(operation=START, family="Action", outcome="Success"):
    return Completed(vm_id("gpu"), operation, family, outcome, 1_800_000_000.25, "correlation")


def test_an_event_has_the_documented_fields_in_the_event_grid_schema():
    [body] = json.loads(event_of(note(), "id-1").body("EventGridSchema"))
    assert set(body) == {"id", "topic", "subject", "eventType", "eventTime", "data", "dataVersion", "metadataVersion"}
    assert body["eventType"] == "Microsoft.Resources.ResourceActionSuccess"
    assert body["topic"] == "/subscriptions/S"
    assert body["subject"] == vm_id("gpu")
    assert body["eventTime"] == "2027-01-15T08:00:00.2500000Z"
    assert (body["dataVersion"], body["metadataVersion"]) == ("2", "1")
    assert set(body["data"]) == {
        "authorization",
        "claims",
        "correlationId",
        "httpRequest",
        "resourceProvider",
        "resourceUri",
        "operationName",
        "status",
        "subscriptionId",
        "tenantId",
    }
    assert body["data"]["httpRequest"]["url"].split("?")[0].endswith("/gpu/start")
    assert body["data"]["resourceProvider"] == "Microsoft.Compute"


def test_an_event_has_the_documented_fields_as_a_cloud_event():
    body = json.loads(event_of(note(), "id-1").body("CloudEventSchemaV1_0"))
    assert set(body) == {"id", "source", "subject", "type", "time", "data", "specversion"}
    assert (body["specversion"], body["source"]) == ("1.0", "/subscriptions/S")


def test_an_event_about_a_write_says_nothing_of_the_request_and_one_about_a_delete_does():
    written = event_of(note("Microsoft.Compute/virtualMachines/write", "Write"), "1").data
    deleted = event_of(note("Microsoft.Compute/virtualMachines/delete", "Delete"), "1").data
    assert "httpRequest" not in written
    assert deleted["httpRequest"]["method"] == "DELETE"


@pytest.mark.parametrize(
    ("outcome", "status"), [("Success", "Succeeded"), ("Failure", "Failed"), ("Cancel", "Canceled")]
)
def test_an_events_type_and_status_say_how_it_went(outcome, status):
    event = event_of(note(outcome=outcome), "1")
    assert event.type == f"Microsoft.Resources.ResourceAction{outcome}"
    assert event.data["status"] == status


@pytest.mark.parametrize(
    ("attempt", "status", "verdict"),
    [
        (1, 200, None),
        (1, 204, None),
        (1, 205, 10),
        (1, 302, 10),
        (1, 500, 10),
        (2, 500, 30),
        (3, None, 60),
        (4, 500, 300),
        (10, 500, 43200),
        (29, 500, 43200),
        (1, 503, 30),
        (1, 404, 300),
        (1, 408, 120),
        (1, 400, "BadRequest"),
        (1, 401, "Unauthorized"),
        (1, 403, "Forbidden"),
        (1, 413, "PayloadTooLarge"),
        (30, 500, "MaxDeliveryAttemptsExceeded"),
    ],
)
def test_what_follows_an_attempt_is_as_documented(attempt, status, verdict):
    assert next_attempt(attempt, status) == verdict


@pytest.mark.parametrize("schema", ["EventGridSchema", "CloudEventSchemaV1_0"])
def test_a_subscriber_gets_an_event_once_with_its_headers(schema):
    grid, endpoint, _ = telling(202, schema=schema)
    [(_, url, headers, content)] = endpoint.got
    assert url == URL
    assert headers["aeg-event-type"] == "Notification"
    assert headers["aeg-delivery-count"] == "0"
    assert isinstance(content, list) is (schema == "EventGridSchema")
    assert headers["content-type"].split(";")[0] == (
        "application/json" if schema == "EventGridSchema" else "application/cloudevents+json"
    )
    [entry] = grid.log_after(0)
    assert (entry["seq"], entry["attempt"], entry["status"], entry["operation"]) == (1, 1, 202, START)
    assert entry["subject"] == vm_id("gpu-0")
    assert grid.log_after(1) == []


def test_a_failing_endpoint_is_asked_again_on_the_documented_schedule():
    _, endpoint, began = telling(500, ConnectionRefusedError(), 500, 200)
    waits = [
        at - before for (at, *_), before in zip(endpoint.got, [began, *(at for at, *_ in endpoint.got)], strict=False)
    ]
    assert len(waits) == 4
    for waited, wanted in zip(waits, [0, 10, 30, 60], strict=True):
        assert wanted <= waited <= wanted * 1.1 + 0.01
    assert [headers["aeg-delivery-count"] for _, _, headers, _ in endpoint.got] == ["0", "1", "2", "3"]
    assert len({content[0]["id"] for *_, content in endpoint.got}) == 1


def test_an_event_that_nobody_may_have_is_given_up_at_once():
    grid, endpoint, _ = telling(401)
    assert len(endpoint.got) == 1
    [letter] = grid.dead_letters
    assert (letter.reason, letter.attempts) == ("Unauthorized", 1)


def test_an_event_that_is_never_taken_is_given_up_within_a_day():
    grid, _, began = telling(500)
    assert [letter.reason for letter in grid.dead_letters] == ["TimeToLiveExceeded"]
    assert grid.deliveries[-1].sent_at - began < 86400


def test_an_endpoint_slower_than_30_seconds_gets_the_event_again_while_it_still_works():
    grid, endpoint, began = telling(200, seconds=55, until=400)
    assert endpoint.got[0][0] == began
    assert 40 <= endpoint.got[1][0] - began <= 42
    assert (grid.deliveries[0].status, grid.deliveries[0].answered_at) == (None, None)


def test_a_late_answer_that_comes_before_the_next_attempt_removes_the_event():
    _, endpoint, _ = telling(200, seconds=35)
    assert len(endpoint.got) == 1


def test_the_next_events_can_be_lost_by_number():
    grid, endpoint, _ = telling(200, events=5, disturbance=DeliveryFaults(lose_next=2))
    assert len(endpoint.got) == 3
    assert len(grid.lost) == 2


def test_loss_duplication_and_reordering_can_be_turned_up():
    _, lossy, _ = telling(200, events=200, disturbance=DeliveryFaults(loss=0.5))
    assert 60 < len(lossy.got) < 140
    _, doubling, _ = telling(200, events=200, disturbance=DeliveryFaults(duplication=0.5))
    assert 260 < len(doubling.got) < 340
    _, shuffled, _ = telling(200, events=50, disturbance=DeliveryFaults(reordering=0.5))
    order = [int(content[0]["subject"].rsplit("-", 1)[1]) for *_, content in shuffled.got]
    assert sorted(order) == list(range(50))
    assert order != sorted(order)


def test_a_subscription_with_a_filter_gets_only_what_it_asked_for():
    _, endpoint, _ = telling(200, operations=("microsoft.network/",))
    assert endpoint.got == []
    _, endpoint, _ = telling(200, operations=("microsoft.compute/",))
    assert len(endpoint.got) == 1


@pytest.mark.parametrize("answer", [(200, b"{}"), (200, b"no json"), (404, None), ConnectionRefusedError()])
def test_an_endpoint_that_does_not_answer_the_handshake_is_refused_and_gets_nothing(answer):
    async def story(loop):
        scene = Scene(clock=loop.time)

        async def post(_, headers, body):
            if isinstance(answer, Exception):
                raise answer
            code = json.loads(body)[0]["data"]["validationCode"]
            status, content = answer
            return status, json.dumps({"validationResponse": code}).encode() if content is None else content

        grid = EventGrid(scene.cloud.azure, post, Random(3))
        with pytest.raises(RefusedError):
            await grid.subscribe(Subscription(URL))
        return grid.subscriptions

    assert in_virtual_time(story) == []


# Delayed delivery, by the document of 2026-02-09: when the first ten events fail


def delayed(*answers, first, second, until, on=True):
    """Some events at once, and one more after `second` seconds; when each attempt was made, and for which event."""

    async def story(loop):
        scene = Scene(clock=loop.time)
        endpoint = Endpoint(loop, *answers)
        grid = EventGrid(scene.cloud.azure, endpoint.post, Random(3), delayed_delivery=on)
        grid.subscriptions = [Subscription(URL)]
        began = loop.time()
        for number in range(first):
            scene.cloud.azure.emit(vm_id(f"gpu-{number}"), START, "Action")
        await asyncio.sleep(second)
        scene.cloud.azure.emit(vm_id("late"), START, "Action")
        await asyncio.sleep(until - second)
        await grid.close()
        return [(at - began, content[0]["subject"].rsplit("/", 1)[1]) for at, *_, content in endpoint.got]

    return in_virtual_time(story)


def late(attempts):
    return [round(at) for at, name in attempts if name == "late"]


def test_ten_failures_in_a_row_delay_new_events_and_retries_too():
    attempts = delayed(500, first=10, second=5, until=61)
    assert late(attempts) == [60]
    assert not [at for at, _ in attempts if 0.1 < at < 59.9], "the retries that were due after 10 s wait as well"
    assert late(delayed(500, first=10, second=5, until=61, on=False))[0] == 5


def test_nine_failures_delay_nobody():
    assert late(delayed(500, first=9, second=5, until=9)) == [5]


def test_one_success_among_the_failures_begins_the_count_anew():
    answers = [500] * 9 + [200] + [500] * 9 + [200]
    assert late(delayed(*answers, first=19, second=5, until=9)) == [5]


def test_an_endpoint_that_goes_on_failing_is_left_alone_longer_each_time():
    at = sorted(at for at, _ in delayed(500, first=10, second=1, until=40_000))
    silences = [round(after - before) for before, after in itertools.pairwise(at) if after - before > 45]
    assert silences[:4] == [60, 300, 900, 3600]
    assert all(each >= 10800 for each in silences[4:])


def test_an_endpoint_that_has_recovered_is_served_at_once_again():
    answers = [500] * 10 + [200]
    attempts = delayed(*answers, first=10, second=200, until=210)
    assert late(attempts) == [200]
    assert len(attempts) == 21


def test_events_that_wait_out_a_delay_still_grow_too_old():
    grid, _, began = telling(500, events=12)
    assert {letter.reason for letter in grid.dead_letters} == {"TimeToLiveExceeded"}
    assert len(grid.dead_letters) == 12
    assert grid.deliveries[-1].sent_at - began < 86400


def test_equal_seeds_make_equal_histories():
    chaos = {"loss": 0.2, "duplication": 0.3, "reordering": 0.5}
    first, second = (telling(500, 200, events=30, disturbance=DeliveryFaults(**chaos)) for _ in range(2))
    assert first[0].deliveries == second[0].deliveries
