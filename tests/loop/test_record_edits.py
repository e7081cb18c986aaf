"""Edits of our zones by others: told by Event Grid, put right in seconds; our own writes are no work."""

import asyncio
import json
from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from shared.decide import own_writes
from shared.domain.dirty import Cause
from shared.edge import event_hints as events
from shared.edge.event_hints import Ignored, RecordEdit
from shared.loop.record_edits import CHECK_WINDOW_SECONDS, DEBOUNCE_SECONDS, MAX_CHECKS
from simulator.arm.front_door import Response
from simulator.event_grid.delivery import Subscription
from simulator.private_dns.rules import AssumedBehaviour
from tests.support.deployment import SUB, a_vm, a_world, run_scenario, vm_id, zone_id
from tests.support.event_samples import KINDS, TYPES, cloud, native
from tests.support.values import parsed

EAST, WEST = "eastus", "westeurope"
ZONE = zone_id(EAST)
OWN = own_writes.request_id_prefix(parsed())
WRITE, DELETE = "Microsoft.Resources.ResourceWriteSuccess", "Microsoft.Resources.ResourceDeleteSuccess"
VMS = (a_vm("a", EAST, 4), a_vm("b", WEST, 5, "mistral"))
RIGHT = ["10.1.0.4"]


def read(event, own=OWN):
    return events.hint(json.dumps(event), {SUB}, TYPES, {ZONE.lower()}, own)


# --- what an event says


@pytest.mark.parametrize("schema", [native, cloud])
@pytest.mark.parametrize("kind", [WRITE, DELETE])
@pytest.mark.parametrize(
    "subject", [f"{ZONE}/A/llama", f"{ZONE}/a/LLAMA", f"{ZONE.upper()}/A/llama", f"{ZONE}/A/llama/x"]
)
def test_an_edit_of_a_record_set_of_ours_names_zone_and_name(schema, kind, subject):
    assert read(schema(kind, subject)) == RecordEdit(ZONE.lower(), "llama")


@pytest.mark.parametrize(
    "subject",
    [
        f"{ZONE}/SOA/@",
        f"{ZONE}/AAAA/llama",
        f"{ZONE}/CNAME/llama",
        f"{ZONE}/A/@",
        f"{ZONE}/A/*",
        f"{ZONE}/A/www.llama",
        f"{ZONE}/A/a_b",
        f"{zone_id(WEST)}/A/llama",
        f"{ZONE}x/A/llama",
        f"{ZONE}/virtualNetworkLinks/llama",
        ZONE,
    ],
)
def test_what_is_no_name_of_a_zone_of_ours_is_ignored(subject):
    assert read(native(WRITE, subject)).outcome == "irrelevant"


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in (WRITE, DELETE)])
def test_what_failed_or_changes_nothing_is_ignored(kind):
    assert read(native(kind, f"{ZONE}/A/llama")).outcome == "irrelevant"


def test_our_own_writes_are_known_by_the_id_of_their_request():
    ids = [own_writes.request_id(OWN, str(uuid4())) for _ in range(100)]
    assert len(set(ids)) == 100
    for each in ids:
        assert UUID(each).version == 4
        assert str(UUID(each)) == each
        for told in (each, each.upper()):
            event = native(WRITE, f"{ZONE}/A/llama", httpRequest={"clientRequestId": told})
            assert read(event) == Ignored("own", "our own write of 'llama'")


@pytest.mark.parametrize(
    "request_", [None, {}, [], "x", 7, {"clientRequestId": None}, {"clientRequestId": 7}, {"clientRequestId": "x"}]
)
def test_a_request_that_is_not_known_as_ours_is_anothers(request_):
    assert read(native(WRITE, f"{ZONE}/A/llama", httpRequest=request_)) == RecordEdit(ZONE.lower(), "llama")


def test_another_deployment_is_another_one():
    settings = parsed()
    others = [replace(settings, owner="other"), replace(settings, zones=())]
    marks = {own_writes.request_id_prefix(each) for each in (settings, *others)}
    assert len(marks) == 3
    assert own_writes.request_id_prefix(replace(settings, apply=False, ttl=7)) == OWN, (
        "what it decides is not who it is"
    )
    assert not own_writes.is_own("", "anything")


# --- what becomes of it


def play(story, *vms, **options):
    """`story(stage)` after a sweep; from then on every request is counted."""

    async def played(stage):
        stage.event_grid.subscriptions = [Subscription("app", "EventGridSchema", ("Microsoft.",))]
        await stage.app.correct_drift()
        await stage.deliver_pending_events(CHECK_WINDOW_SECONDS)
        assert stage.wrong_answers() == {}
        stage.app.events.clear()
        stage.request_log.requests.clear()
        stage.request_log.writes.clear()
        stage.event_grid.deliveries.clear()
        return await story(stage)

    return run_scenario(played, a_world(*(vms or VMS), **options))


def edit(stage, name="llama", address="10.9.9.9", region=EAST, **metadata):
    """Somebody else replaces a record set."""
    body = {"properties": {"ttl": 30, "aRecords": [{"ipv4Address": address}], "metadata": metadata}}
    stage.arm("PUT", f"{zone_id(region)}/A/{name}", body)


def remove(stage, name="llama"):
    stage.arm("DELETE", f"{ZONE}/A/{name}")


async def until(stage, holds, seconds=20.0):
    """Let time pass until this holds; gives how long it took."""
    begun = stage.clock()
    while not holds():
        assert stage.clock() < begun + seconds
        await stage.deliver_pending_events(0.1)
    return stage.clock() - begun


def counted(stage):
    return {name: count for name, count in sorted(stage.app.events.items()) if name != "irrelevant"}


@pytest.mark.parametrize("what", ["replaced", "removed"])
def test_an_edit_of_a_record_set_is_put_right_within_seconds(what):
    async def story(stage):
        (remove if what == "removed" else lambda stage: edit(stage, **{"nearzone-owner": "nearzone"}))(stage)
        took = await until(stage, lambda: stage.record(EAST, "llama") == RIGHT)
        assert took <= 3.0
        await stage.deliver_pending_events(60.0)
        assert [write[:2] for write in stage.request_log.writes] == [("PUT", "llama")]

    play(story)


def test_a_record_set_that_has_lost_our_mark_is_an_alarm_within_seconds():
    async def story(stage):
        edit(stage)
        await stage.deliver_pending_events(3.0)
        status = await stage.app.status()
        assert [(each["name"], each["why"]) for each in status["blocked"]] == [("llama", "lost")]
        assert stage.record(EAST, "llama") == ["10.9.9.9"]
        assert stage.request_log.writes == []

    play(story)


def a_stop_and_a_start(*, told, heard=True):
    """What both cost; `told`: an event of a creation tells whose it is, `heard`: Event Grid tells of record sets.

    Gives how many record sets were created, how often one was read, and what became of the events.
    """

    async def story(stage):
        stage.cloud.private_dns._sets._unknowns = AssumedBehaviour(create_tells_request=told)
        if not heard:
            stage.event_grid.subscriptions = [Subscription("app", "EventGridSchema", ("Microsoft.Compute/",))]
        for action in ("deallocate", "start"):
            stage.arm("POST", f"{vm_id('a')}/{action}")
            await stage.deliver_pending_events(60.0)
        assert stage.wrong_answers() == {}
        before = len(stage.request_log.requests)
        await stage.deliver_pending_events(120.0)
        assert before == len(stage.request_log.requests), "nothing comes back of it"
        statuses = [status for *_, status in stage.request_log.writes]
        reads = sum(method == "GET" and "/A/" in path for method, path in stage.request_log.requests)
        return len(statuses), statuses.count(201), reads, counted(stage)

    return play(story)


def test_our_own_writes_cost_no_read_where_azure_tells_whose_they_are():
    *wanted, _ = a_stop_and_a_start(told=True, heard=False)
    *cost, events_seen = a_stop_and_a_start(told=True)
    assert cost == wanted
    assert events_seen == {"accepted": 2, "own": cost[0]}


def test_our_own_creations_cost_no_read_where_azure_does_not_tell_whose_they_are():
    *wanted, _ = a_stop_and_a_start(told=False, heard=False)
    assert wanted[1] > 1, "creations"
    *cost, events_seen = a_stop_and_a_start(told=False)
    assert cost == wanted
    assert events_seen == {"accepted": 2, "own": cost[0]}


def test_a_record_set_that_another_one_creates_where_we_have_none_is_an_alarm_within_seconds():
    async def story(stage):
        stage.arm("POST", f"{vm_id('a')}/deallocate")
        await until(stage, lambda: stage.record(EAST, "a") is None, 60.0)
        await stage.deliver_pending_events(10.0)
        edit(stage, "a")
        await stage.deliver_pending_events(5.0)
        assert ("a", "foreign") in [(each["name"], each["why"]) for each in (await stage.app.status())["blocked"]]

    play(story)


def test_an_edit_that_is_told_together_with_our_creation_is_looked_at():
    async def story(stage):
        remove(stage)
        await until(stage, lambda: stage.record(EAST, "llama") == RIGHT)
        await stage.deliver_pending_events(5.0)
        stage.event_grid.subscriptions = []
        edit(stage)
        edits = [RecordEdit(ZONE.lower(), "llama", created=created) for created in (True, False)]
        outcomes = await asyncio.gather(
            *(stage.app.event_handler.record_edits.follow(each, Cause("e", stage.clock())) for each in edits)
        )
        assert [outcome for outcome, _ in outcomes] == ["accepted", "accepted"]

    play(story)


@pytest.mark.parametrize("pause", [0.0, 60.0])
def test_a_record_set_that_another_one_deletes_and_creates_after_we_did_is_seen(pause):
    async def story(stage):
        remove(stage)
        await until(stage, lambda: stage.record(EAST, "llama") == RIGHT)
        await stage.deliver_pending_events(1.0)
        remove(stage)
        await asyncio.sleep(pause)
        edit(stage)
        await stage.deliver_pending_events(60.0)
        status = await stage.app.status()
        blocked = [(each["name"], each["why"]) for each in status["blocked"]]
        assert stage.record(EAST, "llama") == RIGHT or blocked, "it is ours again, or an alarm"

    play(story)


@pytest.mark.parametrize(
    "region_and_name", [(EAST, "somebody-elses"), (EAST, "a.b"), ("southeastasia", "somebody-elses")]
)
def test_an_edit_of_a_name_that_nobody_claims_causes_nothing(region_and_name):
    async def story(stage):
        region, name = region_and_name
        edit(stage, name, region=region)
        await stage.deliver_pending_events(60.0)
        assert stage.request_log.requests == []
        assert set(counted(stage)) <= {"unclaimed"}
        assert [row for zone in stage.app.settings.zones for row in await stage.app.catalog.dirty(zone.key)] == []

    play(story)


def test_many_edits_of_one_name_cost_few_looks():
    async def story(stage):
        begun = stage.clock()
        for number in range(100):
            edit(stage, address=f"10.9.9.{number}", **{"nearzone-owner": "nearzone"})
            await asyncio.sleep(0.015)
        took = await until(stage, lambda: stage.record(EAST, "llama") == RIGHT)
        assert took <= 2 * DEBOUNCE_SECONDS
        await stage.deliver_pending_events(60.0)
        assert stage.record(EAST, "llama") == RIGHT
        answered = [each.answered_at - begun for each in stage.event_grid.deliveries]
        assert sum(after < DEBOUNCE_SECONDS for after in answered) <= 3, (
            "one look at once, and later ones for all the others"
        )
        assert stage.app.events["accepted"] == 100
        assert max(each.answered_at - each.sent_at for each in stage.event_grid.deliveries) < 5.0

    play(story)


def test_a_tool_that_edits_again_and_again_is_answered_a_few_times_and_then_by_the_sweep():
    async def story(stage):
        begun, fights = stage.clock(), 0
        while stage.clock() < begun + CHECK_WINDOW_SECONDS - 60.0:
            if stage.record(EAST, "llama") == RIGHT:
                edit(stage, **{"nearzone-owner": "nearzone"})
                fights += 1
            await stage.deliver_pending_events(1.0)
        assert fights == MAX_CHECKS + 1
        assert counted(stage)["repeated"] == 1
        await stage.app.correct_drift()
        assert stage.record(EAST, "llama") == RIGHT
        await stage.deliver_pending_events(CHECK_WINDOW_SECONDS)
        edit(stage, **{"nearzone-owner": "nearzone"})
        await until(stage, lambda: stage.record(EAST, "llama") == RIGHT)

    play(story)


def test_an_edit_that_is_told_while_the_zone_is_frozen_stays_dirty():
    async def story(stage):
        await stage.resync(freeze={"zone": EAST})
        edit(stage, **{"nearzone-owner": "nearzone"})
        await stage.deliver_pending_events(5.0)
        assert stage.record(EAST, "llama") == ["10.9.9.9"]
        assert [row.value.name for row in await stage.app.catalog.dirty(ZONE.lower())] == ["llama"]

    play(story)


async def shown(stage, name="llama"):
    """What the status says that a zone holds of a name, and why."""
    (found,) = [each for each in (await stage.app.status(full=True))["names"] if each["name"] == name]
    held = found["answers"][0]["held"]
    return held and (held["addresses"], held["why"])


@pytest.mark.parametrize("what", ["replaced", "removed"])
@pytest.mark.parametrize("outage", [0, 60])
def test_the_status_shows_what_an_edit_has_left_in_a_frozen_zone(what, outage):
    async def story(stage):
        await stage.resync(freeze={"zone": EAST})
        begun = stage.clock()
        stage.faults = lambda r: Response(503) if "/A/" in r.path and stage.clock() < begun + outage else None
        (remove if what == "removed" else lambda stage: edit(stage, **{"nearzone-owner": "nearzone"}))(stage)
        await stage.deliver_pending_events(outage + 5.0)
        assert await shown(stage) == ([] if what == "removed" else ["10.9.9.9"], "frozen")
        assert stage.request_log.writes == []
        await stage.resync(unfreeze={"zone": EAST})
        assert (stage.record(EAST, "llama"), await shown(stage)) == (RIGHT, None)

    play(story)


def test_a_record_set_that_has_lost_our_mark_in_a_frozen_zone_is_an_alarm_within_seconds():
    async def story(stage):
        await stage.resync(freeze={"zone": EAST})
        edit(stage)
        await stage.deliver_pending_events(5.0)
        status = await stage.app.status()
        assert [(each["name"], each["why"], each["claimed"]) for each in status["blocked"]] == [("llama", "lost", True)]
        assert any("has lost our owner tag" in alarm["what"] for alarm in status["alarms"])
        assert await shown(stage) == (["10.9.9.9"], "blocked")

    play(story)


def test_a_zone_in_a_subscription_that_is_not_watched_is_listened_to_all_the_same():
    other = ZONE.replace(SUB, "22222222-2222-4222-8222-222222222222")
    event = native(WRITE, f"{other}/A/llama")
    found = events.hint(json.dumps(event), {SUB}, TYPES, {other.lower()}, OWN)
    assert found == RecordEdit(other.lower(), "llama")


# --- the simulator


def test_the_simulator_tells_of_the_request_where_azure_documents_it():
    world = a_world(a_vm("a", EAST, 4))
    heard = []

    async def story(stage):
        stage.cloud.azure.completed.append(heard.append)
        edit(stage)
        edit(stage)
        remove(stage)

    run_scenario(story, world)
    assert [(note.operation.rsplit("/", 1)[-1], note.updates) for note in heard] == [
        ("write", False),
        ("write", True),
        ("delete", False),
    ]
