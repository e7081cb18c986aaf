"""Which observations are believed at once, and which are looked at again, because one answer of Azure may be wrong."""

import asyncio
import json
from dataclasses import replace

import pytest

from shared.decide.confirmation import (
    CONFIRM_SECONDS,
    DELETE_EVENT,
    EVENT,
    MAX_BACK_OFF_SECONDS,
    MISSING,
    NO_EVENT,
    SILENT,
    observed_row,
    says_the_same,
)
from shared.decide.routing import keep_open
from shared.decide.rules import Rules
from shared.domain.endpoints import EndpointRow, State
from shared.domain.overrides import Override
from shared.domain.zones import Answer, RecordSet
from simulator.arm.front_door import Response
from tests.support.deployment import REGIONS, a_vm, a_world, run_scenario, vm_id, vnet
from tests.support.values import LATENCY, parsed, vm

EAST, WEST, FAR = REGIONS
WAIT = 900.0
SERVING = vm("a", "10.1.0.4", health=True)
GONE = replace(SERVING, state=State.GONE, health=None)
WARMING = replace(SERVING, state=State.WARMING, unreported=True)
UNREAD = replace(SERVING, state=State.UNKNOWN, health=None)
THERE = EndpointRow(SERVING)


def row(old, seen, began=1000.0, now=None, asks=(EVENT,)):
    return observed_row(old, seen, began, began + 0.5 if now is None else now, asks=asks, health_wait=WAIT)


def asked_again(old, seen, after, asks=(NO_EVENT,)):
    """The row after a second look, begun so many seconds after the first one's answer."""
    first = row(old, seen)
    return row(first, seen, began=first.seen_at + after, asks=asks)


# --- one 404


@pytest.mark.parametrize("asks", [(EVENT,), (NO_EVENT,), (EVENT, NO_EVENT)])
def test_one_404_withdraws_nothing(asks):
    found = row(THERE, GONE, asks=asks)
    assert (found.endpoint.state, found.endpoint.addresses) == (State.SERVING, SERVING.addresses)
    assert found.endpoint.doubt == MISSING
    assert found.look_at == found.missing_at + CONFIRM_SECONDS


@pytest.mark.parametrize("asks", [(DELETE_EVENT,), (DELETE_EVENT, EVENT, NO_EVENT)])
def test_after_the_delete_event_one_404_is_enough_and_it_is_looked_at_once_more(asks):
    found = row(THERE, GONE, asks=asks)
    assert (found.endpoint.state, found.endpoint.doubt) == (State.GONE, "")
    assert found.look_at == found.missing_at + CONFIRM_SECONDS
    again = row(found, GONE, began=found.look_at, asks=(NO_EVENT,))
    assert (again.endpoint.state, again.look_at) == (State.GONE, 0.0)


@pytest.mark.parametrize(
    ("after", "asks", "gone"),
    [
        (CONFIRM_SECONDS, (NO_EVENT,), True),
        (CONFIRM_SECONDS - 0.1, (NO_EVENT,), False),
        (CONFIRM_SECONDS, (EVENT,), False),
        (CONFIRM_SECONDS, (NO_EVENT, EVENT), False),
    ],
)
def test_a_second_404_confirms_it_some_seconds_later_where_no_event_asks(after, asks, gone):
    """Between two answers the endpoint may have been made again: the event of that must not confirm its end."""
    assert (asked_again(THERE, GONE, after, asks).endpoint.state == State.GONE) is gone


def test_the_time_counts_at_which_the_second_request_was_sent():
    first = row(THERE, GONE)
    late = observed_row(first, GONE, first.missing_at + 1, first.missing_at + 11, asks=(NO_EVENT,), health_wait=WAIT)
    assert late.endpoint.state == State.SERVING, "the answer took long: it may be as old as the request"


def test_what_is_seen_again_is_in_no_doubt_any_more():
    found = row(row(THERE, GONE), SERVING)
    assert (found.endpoint, found.missing_at, found.look_at) == (SERVING, 0.0, 0.0)


def test_what_was_never_seen_gets_a_tombstone_that_is_looked_at_once_more():
    """A replica that lags is likeliest right after the endpoint was made."""
    found = row(None, GONE)
    assert (found.endpoint.state, bool(found.look_at)) == (State.GONE, True)
    assert asked_again(None, GONE, CONFIRM_SECONDS).look_at == 0.0


def test_a_claimant_that_has_still_to_be_read_holds_its_names_back_until_its_404_is_confirmed():
    assert row(EndpointRow(UNREAD), GONE, asks=(NO_EVENT,)).endpoint.unread
    assert asked_again(EndpointRow(UNREAD), GONE, CONFIRM_SECONDS).endpoint.state == State.GONE


def test_a_404_never_says_the_same_as_another_row():
    assert says_the_same(THERE, SERVING)
    assert not says_the_same(EndpointRow(GONE), GONE)
    assert not says_the_same(replace(THERE, missing_at=1.0), SERVING)


# --- health that is not reported


def test_a_machine_that_reported_its_health_and_does_not_any_more_is_looked_at_once_more_before_it_is_withdrawn():
    first = row(THERE, WARMING)
    assert (first.endpoint.state, first.endpoint.doubt) == (State.SERVING, SILENT)
    assert asked_again(THERE, WARMING, CONFIRM_SECONDS - 0.1).endpoint.state == State.SERVING
    assert asked_again(THERE, WARMING, CONFIRM_SECONDS).endpoint.state == State.WARMING
    assert row(first, SERVING).endpoint == SERVING


def test_a_machine_that_never_reports_its_health_is_published_after_the_time_that_a_person_has_set():
    booted = row(EndpointRow(replace(SERVING, state=State.STOPPED)), WARMING)
    assert booted.endpoint.state == State.WARMING
    before = row(booted, WARMING, began=booted.since + WAIT - 2, asks=(NO_EVENT,))
    assert before.endpoint.state == State.WARMING
    after = row(before, WARMING, began=booted.since + WAIT, asks=(NO_EVENT,))
    assert (after.endpoint.state, after.endpoint.unreported) == (State.SERVING, True)
    assert row(after, WARMING, began=booted.since + 2 * WAIT).endpoint.state == State.SERVING


def test_one_without_an_address_is_never_published():
    nowhere = replace(WARMING, addresses=())
    assert row(row(None, nowhere), nowhere, began=1000.0 + WAIT).endpoint.state == State.WARMING


def test_its_time_begins_anew_when_it_boots_again():
    waits = row(row(None, WARMING), replace(WARMING, state=State.STOPPED, unreported=False), began=1800.0)
    assert row(waits, WARMING, began=1000.0 + WAIT).endpoint.state == State.WARMING


# --- back-off


def test_a_doubt_that_stays_is_looked_at_again_ever_more_rarely():
    doubt = replace(SERVING, doubt="Azure does not report its power state")
    found, pauses = THERE, []
    for _ in range(9):
        found = row(found, doubt, began=found.look_at or 1000.0)
        pauses.append(found.look_at - found.seen_at)
    assert pauses == [5.0, 10.0, 20.0, 40.0, 80.0, 160.0, *[MAX_BACK_OFF_SECONDS] * 3]
    assert row(found, SERVING).look_at == 0.0


def test_a_doubt_about_what_claims_no_name_is_not_looked_at_again():
    assert row(None, vm("a", tagged=(), doubt="cannot be read: HTTP 403")).look_at == 0.0


# --- the whole app


def two(**near):
    return a_world(a_vm("near", EAST, 4, **near), a_vm("far", FAR, 4), regions=(EAST, FAR))


def not_found(code, until=lambda: True):
    def fault(request):
        if request.method == "GET" and request.path.lower() == vm_id("near").lower() and until():
            return Response(404, {"error": {"code": code, "message": "on purpose"}})
        return None

    return fault


def tagged(stage, **tags):
    """Somebody writes the VM's tags: an event, after which the VM claims the same names."""
    body = {"operation": "Merge", "properties": {"tags": tags}}
    stage.arm("PATCH", f"{vm_id('near')}/providers/Microsoft.Resources/tags/default", body)


@pytest.mark.parametrize("code", ["ResourceNotFound", "ResourceGroupNotFound", "SubscriptionNotFound"])
def test_one_404_for_a_running_vm_after_its_tags_were_written_takes_nothing_away(code):
    async def story(stage):
        await stage.app.correct_drift()
        left = [1]
        stage.faults = not_found(code, lambda: left and left.pop())
        tagged(stage, owner="me")
        for _ in range(40):
            await asyncio.sleep(1.0)
            assert stage.record(EAST, "llama") == ["10.1.0.4"]
        await stage.deliver_pending_events()
        assert (left, stage.wrong_answers()) == ([], {})
        assert MISSING not in json.dumps((await stage.app.status())["alarms"])

    run_scenario(story, two())


def test_a_vm_that_is_gone_without_an_event_is_withdrawn_by_the_sweep_that_misses_it():
    async def story(stage):
        await stage.app.correct_drift()
        stage.event_grid.subscriptions.clear()
        stage.arm("DELETE", vm_id("near"))
        await stage.finish_operations()
        report = await stage.app.correct_drift()
        assert (report.failures, stage.wrong_answers()) == ([], {})
        assert stage.record(EAST, "llama") == ["10.3.0.4"]

    run_scenario(story, two())


def test_a_vm_whose_deletion_is_told_is_withdrawn_at_once():
    async def story(stage):
        await stage.app.correct_drift()
        stage.arm("DELETE", vm_id("near"))
        await stage.finish_operations()
        await asyncio.sleep(CONFIRM_SECONDS - 1.0)
        assert stage.record(EAST, "llama") == ["10.3.0.4"]
        await stage.deliver_pending_events()

    run_scenario(story, two())


def test_a_deletion_whose_event_is_lost_and_that_another_event_meets_is_confirmed_by_the_drain():
    async def story(stage):
        await stage.app.correct_drift()
        stage.event_grid.disturbance.lose_next = 1
        stage.arm("DELETE", vm_id("near"))
        await stage.finish_operations()
        stage.cloud.azure.emit(vm_id("near"), "Microsoft.Compute/virtualMachines/write", "Write")
        await stage.deliver_pending_events()
        await asyncio.sleep(CONFIRM_SECONDS)
        await stage.app.drain()
        assert (stage.record(EAST, "llama"), stage.wrong_answers()) == (["10.3.0.4"], {})

    run_scenario(story, two())


def test_a_power_state_that_is_missing_once_is_asked_for_again_by_the_next_drain():
    """After a deallocation the dead address is away within 40 s, though the first answer had no power state."""

    async def story(stage):
        await stage.app.correct_drift()
        hidden = [True]
        stage.request_log.cloud = without_power(stage.cloud, hidden)
        stage.arm("POST", f"{vm_id('near')}/deallocate")
        await stage.deliver_pending_events()
        assert stage.record(EAST, "llama") == ["10.1.0.4"]
        hidden.clear()
        await asyncio.sleep(10.0)
        await stage.app.drain()
        assert (stage.record(EAST, "llama"), stage.wrong_answers()) == (["10.3.0.4"], {})

    run_scenario(story, two())


def without_power(cloud, hidden):
    """The cloud, whose GETs of a VM have no power state while `hidden` holds something."""

    class Hiding:
        def handle(self, request):
            response = cloud.handle(request)
            view = (response.content or {}).get("properties", {}).get("instanceView")
            if hidden and view and request.method == "GET":
                kept = [each for each in view["statuses"] if not each["code"].startswith("PowerState")]
                content = json.loads(json.dumps(response.content))
                content["properties"]["instanceView"]["statuses"] = kept
                return replace(response, content=content)
            return response

    return Hiding()


def test_a_vm_whose_extension_never_reports_is_published_with_an_alarm_after_the_time_that_is_set():
    async def story(stage):
        await stage.app.correct_drift()
        assert stage.record(EAST, "llama") == ["10.3.0.4"]
        for minutes, answer in ((4.0, ["10.3.0.4"]), (2.0, ["10.1.0.4"])):
            await asyncio.sleep(60.0 * minutes)
            await stage.app.drain()
            assert stage.record(EAST, "llama") == answer
        told = [each["what"] for each in (await stage.app.status())["alarms"] if "has not reported" in each["what"]]
        assert ["near" in each for each in told] == [True]

    run_scenario(story, two(health="silent"), NEARZONE_HEALTH_WAIT_MINUTES="5")


# --- many events about one endpoint


def test_many_events_about_one_vm_share_two_looks_and_none_fails_or_is_lost():
    """Half-way the VM stops: an event that joined a look that began before it would leave a dead address."""

    async def story(stage):
        await stage.app.correct_drift()
        stage.request_log.requests.clear()
        write = ("Microsoft.Compute/virtualMachines/write", "Write")
        for number in range(100):
            if number == 50:
                stage.cloud.compute.vms.find(vm_id("near")).power = "deallocated"
            stage.cloud.azure.emit(vm_id("near"), *write)
            await asyncio.sleep(0.01)
        await stage.deliver_pending_events()
        assert {each.status for each in stage.event_grid.deliveries} == {202}
        assert stage.request_log.requests.count(("GET", vm_id("near"))) <= 3
        assert (stage.record(EAST, "llama"), stage.wrong_answers()) == (["10.3.0.4"], {})

    run_scenario(story, two())


def test_many_events_about_one_scale_set_share_two_lists_of_its_instances():
    """One instance stops half-way: its address goes, so the later events shared a look that began after that."""

    async def story(stage):
        await stage.app.correct_drift()
        await stage.deliver_pending_events()
        before = len(stage.event_grid.deliveries)
        stage.request_log.requests.clear()
        for number in range(60):
            if number == 20:
                stage.cloud.compute.scale_sets.sets.find(POOL["id"]).instances[0].vm.power = "deallocated"
            stage.cloud.azure.emit(POOL["id"], "Microsoft.Compute/virtualMachineScaleSets/write", "Write")
            await asyncio.sleep(0.01)
        await asyncio.sleep(15.0)
        told = [each for each in stage.event_grid.deliveries[before:] if "ScaleSets" in each.subject]
        assert {each.status for each in told} == {202}
        lists = [each for _, each in stage.request_log.requests if each.startswith(POOL["id"]) and each.endswith("s")]
        assert len(lists) <= 2 * 2
        assert (stage.record(EAST, "llama"), stage.wrong_answers()) == (["10.1.0.51", "10.1.0.52"], {})

    run_scenario(story, a_world(a_vm("far", FAR, 4), regions=(EAST, FAR)) | {"scale_sets": [POOL]})


POOL = {
    "id": vm_id("pool").replace("virtualMachines", "virtualMachineScaleSets"),
    "location": EAST,
    "mode": "Uniform",
    "tags": {"nearzone": "llama"},
    "vnet": vnet(EAST),
    "instances": [{"id": str(n), "power": "running", "address": f"10.1.0.{50 + n}"} for n in range(3)],
}


def test_an_event_that_no_look_could_be_kept_for_fails_for_everyone_who_shared_it():
    async def story(stage):
        await stage.app.correct_drift()
        await stage.deliver_pending_events()
        before = len(stage.event_grid.deliveries)
        stage.faults = lambda request: (
            Response(503, {"error": {"code": "ServiceUnavailable", "message": "on purpose"}})
            if request.path.lower() == vm_id("near").lower()
            else None
        )
        for _ in range(5):
            stage.cloud.azure.emit(vm_id("near"), "Microsoft.Compute/virtualMachines/write", "Write")
        await asyncio.sleep(9.0)
        assert [each.status for each in stage.event_grid.deliveries[before:]] == [500] * 5
        stage.faults = None
        await stage.deliver_pending_events()

    run_scenario(story, two())


def test_nothing_but_404_counts_even_where_events_keep_asking_and_is_looked_at_once_more():
    """A stream of events less than the confirming time apart would put the second look off for ever."""
    found, now = THERE, 1000.0
    while now < 1029.0:
        found = row(found, GONE, began=now)
        assert found.endpoint.state == State.SERVING
        now += 3.0
    found = row(found, GONE, began=1031.0)
    assert (found.endpoint.state, bool(found.look_at)) == (State.GONE, True)


def test_a_doubt_about_what_was_never_seen_is_told_from_one_about_what_was_seen_not_to_serve():
    """What the zones hold of the first one stays; the second one's address is dead."""
    doubt = replace(SERVING, state=State.WARMING, doubt="Azure does not report its power state")
    assert row(None, doubt).endpoint.open
    assert row(row(None, doubt), doubt).endpoint.open
    assert not row(EndpointRow(replace(SERVING, state=State.WARMING)), doubt).endpoint.open
    assert not row(row(None, doubt), SERVING).endpoint.open


def test_what_stays_of_an_unread_claimant_takes_no_serving_address_with_it_and_brings_no_fallback():
    """A static endpoint claims by the settings, without a scope in NEARZONE_CLAIMS."""
    settings = parsed(
        STATIC=[{"name": "fixed", "region": "westeurope", "addresses": ["10.9.0.4"], "claims": ["llama"]}]
    )
    there = RecordSet("llama", 30, ("10.1.0.4", "10.1.0.9", "10.9.0.4"))
    claimants = (UNREAD, settings.static[0])
    found = keep_open(Answer("llama", ("10.9.0.4",), 30, "nearest"), there, claimants, Rules(settings, LATENCY))
    assert found.addresses == ("10.1.0.4", "10.9.0.4"), "10.1.0.9 is nobody's"
    fallback = Answer("llama", ("10.7.7.7",), 30, "fallback")
    assert keep_open(fallback, there, (UNREAD,), Rules(settings, LATENCY)).addresses == ("10.1.0.4",)
    hidden, dead = replace(UNREAD, addresses=()), vm("b", "10.1.0.9", state=State.GONE)
    kept = keep_open(fallback, there, (hidden, dead, settings.static[0]), Rules(settings, LATENCY)).addresses
    assert kept == ("10.1.0.4",), "what no other claimant accounts for may be the hidden one's"
    drained = (Override(UNREAD.key, 1e12),)
    assert keep_open(fallback, there, (UNREAD,), Rules(settings, LATENCY, drained)).addresses == ("10.7.7.7",)


def test_while_a_claimant_is_read_nothing_is_added_unless_nothing_else_would_be_left():
    settings = parsed()
    serving = vm("far", "10.2.0.4", region="westeurope")
    answer = Answer("llama", ("10.2.0.4",), 30, "nearest")

    def held(*addresses):
        there = RecordSet("llama", 30, addresses) if addresses else None
        rules, claimants = Rules(settings, LATENCY), (UNREAD, serving)
        return keep_open(answer, there, claimants, rules, only_remove=True).addresses

    assert held() == ()
    assert held("10.1.0.4") == ("10.1.0.4",)
    assert held("10.1.0.4", "10.9.9.9") == ("10.1.0.4",)
    assert held("10.9.9.9") == ("10.2.0.4",), "a farther endpoint is better than no answer"


# --- claimants that cannot be read


def unreadable(name, status=500):
    def fault(request):
        if request.method == "GET" and request.path.lower() == vm_id(name).lower():
            return Response(status, {"error": {"code": "X", "message": "on purpose"}})
        return None

    return fault


def stopped(stage):
    stage.arm("POST", f"{vm_id('near')}/deallocate")


async def drained(stage):
    await stage.resync(drain={"region": EAST, "minutes": 60})


@pytest.mark.parametrize("withdraw", [stopped, drained])
def test_a_claimant_that_cannot_be_read_keeps_no_dead_address_and_no_drained_one(withdraw):
    """A new VM claims the name, and its own GET fails: the service goes on without it, and an alarm says so."""

    async def story(stage):
        stage.cloud.compute.status_only_health = False
        await stage.app.correct_drift()
        stage.faults = unreadable("new")
        body = {"operation": "Merge", "properties": {"tags": {"nearzone": "llama"}}}
        stage.arm("PATCH", f"{vm_id('new')}/providers/Microsoft.Resources/tags/default", body)
        await asyncio.sleep(60.0)
        await stage.app.correct_drift()
        told = json.dumps((await stage.app.status())["alarms"])
        assert "HTTP 500" in told
        outcome = withdraw(stage)
        if outcome:
            await outcome
        await stage.finish_operations()
        await asyncio.sleep(30.0)
        await stage.app.drain()
        assert stage.record(EAST, "llama") == ["10.3.0.4"]
        stage.faults = None
        await asyncio.sleep(300.0)
        await stage.app.drain()
        await stage.deliver_pending_events()

    world = a_world(a_vm("near", EAST, 4), a_vm("new", EAST, 5, tag=None), a_vm("far", FAR, 4), regions=(EAST, FAR))
    run_scenario(story, world)


@pytest.mark.parametrize("status", [500, 403])
def test_a_first_sweep_publishes_what_it_could_read_and_ends_soon(status):
    async def story(stage):
        stage.cloud.compute.status_only_health = False
        stage.faults = unreadable("second", status)
        began = stage.clock()
        await stage.app.correct_drift()
        assert stage.clock() - began < 60.0
        assert stage.record(EAST, "llama") == ["10.1.0.4"]
        assert stage.record(FAR, "llama") == ["10.3.0.4"]

    run_scenario(story, a_world(*three(), regions=(EAST, FAR)))


@pytest.mark.parametrize("status", [500, 403, 404])
def test_a_first_sweep_over_right_zones_removes_nothing_of_what_it_cannot_read(status):
    """The catalog is lost, and one VM cannot be read: what the zones hold of it stays, for hours if need be."""

    async def story(stage):
        stage.cloud.compute.status_only_health = False
        await stage.app.correct_drift()
        before = {name: stage.record(EAST, name) for name in ("llama", "near", "second", "far")}
        stage.faults = unreadable("second", status)
        stage.restart()
        stage.request_log.writes.clear()
        await stage.app.correct_drift()
        for _ in range(3):
            await asyncio.sleep(30.0)
            if status != 404:
                await stage.app.drain()
        assert {name: stage.record(EAST, name) for name in before} == before
        stage.faults = None
        await stage.app.correct_drift()
        assert (stage.wrong_answers(), stage.request_log.writes if status != 404 else []) == ({}, [])

    run_scenario(story, a_world(*three(), regions=(EAST, FAR)))


def three():
    return a_vm("near", EAST, 4), a_vm("second", EAST, 5), a_vm("far", FAR, 4)
