"""What the status shows of a name is a fact, or is marked: what the zone holds, since when that is known, and why."""

import json
from datetime import UTC, datetime

import pytest

from shared.catalog.memory import MemoryCatalog
from shared.domain.dirty import DirtyName, RecordChange, Urgency
from shared.domain.errors import BadRequest
from shared.edge.status_query import parse_status_query
from simulator.arm.front_door import Response
from tests.support.deployment import OURS, REGIONS, a_vm, a_world, orphans, run_scenario, vm_id, zone_id
from tests.support.values import parsed

EAST, WEST, ASIA = REGIONS
BOTH, LEFT = ["10.1.0.4", "10.1.0.5"], ["10.1.0.5"]


def fleet(*more, **settings):
    return a_world(a_vm("e-1", EAST, 4), a_vm("e-2", EAST, 5), a_vm("w-1", WEST, 4), *more, **settings)


async def cells(stage, name="llama"):
    """By region: what should be, and what is marked."""
    told = await stage.app.status(full=True)
    (found,) = [each for each in told["names"] if each["name"] == name]
    regions = {zone["id"]: zone["region"] for zone in told["zones"]}
    return {regions[each["zone"]]: (each["addresses"], each["held"]) for each in found["answers"]}


async def stopped(stage, name="e-1"):
    stage.arm("POST", vm_id(name) + "/deallocate")
    await stage.deliver_pending_events()


def marked(held):
    return held["addresses"], held["why"]


def test_what_is_as_it_should_be_is_not_marked():
    async def story(stage):
        await stage.app.correct_drift()
        assert await cells(stage) == {
            EAST: (BOTH, None),
            WEST: (["10.2.0.4"], None),
            ASIA: (["10.2.0.4"], None),
        }

    run_scenario(story, fleet())


def test_a_frozen_zone_still_holds_what_was_written_last():
    async def story(stage):
        await stage.app.correct_drift()
        await stage.resync(freeze={"zone": EAST})
        written = (await stage.app.catalog.history(zone_id(EAST).lower(), "llama"))[0].at
        await stopped(stage)
        intent, held = (await cells(stage))[EAST]
        assert (intent, marked(held)) == (LEFT, (BOTH, "frozen"))
        assert held["at"].startswith(iso(written)), "the age is that of the last write"
        await stage.app.correct_drift()
        assert (await cells(stage))[EAST][1]["at"] > held["at"], "a sweep has read it since"

    run_scenario(story, fleet())


def iso(at):
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")[:19]


def test_what_a_sweep_sees_in_a_frozen_zone_is_marked_as_well():
    """No event told of the edit, and nothing may be written: yet the cell says what is there."""

    async def story(stage):
        await stage.app.correct_drift()
        await stage.resync(freeze={"zone": EAST})
        stage.arm("DELETE", zone_id(EAST) + "/A/llama")
        await stage.app.correct_drift()
        intent, held = (await cells(stage))[EAST]
        assert (intent, marked(held)) == (BOTH, ([], "frozen"))
        await stage.resync(unfreeze={"zone": EAST})
        assert (await cells(stage))[EAST] == (BOTH, None)

    run_scenario(story, fleet())


def test_a_write_that_fails_is_marked_with_what_was_read_and_the_error():
    async def story(stage):
        await stage.app.correct_drift()
        stage.cloud.private_dns.lock(zone_id(EAST), "ReadOnly")
        await stopped(stage)
        intent, held = (await cells(stage))[EAST]
        assert (intent, marked(held)) == (LEFT, (BOTH, "failing"))
        assert "a management lock forbids it" in held["error"]
        assert (await cells(stage))[WEST][1] is None

    run_scenario(story, fleet())


def test_what_was_read_before_a_write_that_failed_counts_more_than_what_was_written_before():
    async def story(stage):
        await stage.app.correct_drift()
        edited = {"ttl": 30, "aRecords": [{"ipv4Address": "10.9.9.9"}], "metadata": OURS}
        stage.arm("PUT", zone_id(EAST) + "/A/llama", {"properties": edited})
        stage.restart(stage.app.catalog)
        stage.cloud.private_dns.lock(zone_id(EAST), "ReadOnly")
        await stopped(stage)
        assert marked((await cells(stage))[EAST][1]) == (["10.9.9.9"], "failing")

    run_scenario(story, fleet())


def test_a_name_of_which_nothing_is_known_yet_says_so():
    async def story(stage):
        await stage.app.correct_drift()
        catalog, zone = stage.app.catalog, zone_id(EAST).lower()
        await catalog.purge_history(stage.clock() + 1, set())
        await catalog.mark_dirty(DirtyName(zone, "llama", Urgency.FIRST_ADDRESS, stage.clock()))
        (_, held) = (await cells(stage))[EAST]
        assert held == {"addresses": None, "at": None, "why": "unwritten", "error": ""}

    run_scenario(story, fleet())


def test_a_replaced_record_is_marked_with_what_stands_there():
    async def story(stage):
        await stage.app.correct_drift()
        body = {"properties": {"ttl": 30, "aRecords": [{"ipv4Address": "10.9.9.9"}]}}
        stage.arm("PUT", zone_id(EAST) + "/A/llama", body)
        await stage.app.correct_drift()
        intent, held = (await cells(stage))[EAST]
        assert (intent, marked(held), held["error"]) == (BOTH, (["10.9.9.9"], "blocked"), "lost")
        stage.arm("DELETE", zone_id(EAST) + "/A/llama")
        await stage.app.correct_drift()
        assert (await cells(stage))[EAST] == (BOTH, None)

    run_scenario(story, fleet())


def test_what_the_guard_has_refused_to_remove_is_marked_although_nobody_claims_it():
    async def story(stage):
        await stage.app.correct_drift()
        assert (await stage.app.status())["refusals"]
        intent, held = (await cells(stage, "old-3"))[EAST]
        assert (intent, marked(held)) == ([], (["10.1.9.3"], "refused"))

    run_scenario(story, fleet(records=orphans(10)))


def test_what_is_kept_for_a_claimant_that_cannot_be_read_is_intent_and_fact_at_once():
    def forbidden(request):
        unreadable = request.method == "GET" and request.path.lower().startswith(vm_id("e-1").lower())
        return Response(403, {"error": {"code": "AuthorizationFailed", "message": "no"}}) if unreadable else None

    async def story(stage):
        await stage.app.correct_drift()
        stage.cloud.compute.status_only_health = False
        stage.restart(MemoryCatalog())
        stage.faults = forbidden
        for _ in range(3):
            await stage.app.correct_drift()
        row = await stage.app.catalog.endpoint(vm_id("e-1").lower())
        assert row.value.endpoint.open
        assert stage.record(EAST, "llama") == BOTH
        intent, held = (await cells(stage))[EAST]
        assert (sorted(intent), marked(held)) == (BOTH, (BOTH, "kept"))
        why = await stage.app.explain(stage.app.settings.zones[0], "llama")
        assert sorted(why["answer"]["addresses"]) == why["record"]["addresses"] == BOTH

    reporting = a_vm("e-1", EAST, 4, health="healthy")  # After a loss of the catalog it has to be read by GET.
    run_scenario(story, a_world(reporting, a_vm("e-2", EAST, 5), a_vm("w-1", WEST, 4)))


# Long lists.


async def crowded(stage, count):
    zones = [zone.key for zone in stage.app.settings.zones]
    for number in range(count):
        error = f"Terminal: a management lock forbids it: {'x' * 300} {number}"
        dirty = DirtyName(zones[number % 3], f"n-{number:04}", Urgency(number % 6), stage.clock(), attempts=3)
        await stage.app.catalog.mark_dirty(dirty)
        row = await stage.app.catalog.dirty_name(dirty.zone, dirty.name)
        await stage.app.catalog.put_dirty(
            DirtyName(dirty.zone, dirty.name, dirty.urgency, dirty.since, attempts=3, last_error=error), row.etag
        )
    past = [
        RecordChange(f"n-{i}", stage.clock() + i, "update", tuple(BOTH), tuple(LEFT), "r" * 80, "c" * 80)
        for i in range(50)
    ]
    for zone in zones:
        await stage.app.catalog.add_history(zone, past)


def test_the_summary_is_small_with_thousands_of_dirty_names_and_tells_how_many_there_are():
    async def story(stage):
        await stage.app.correct_drift()
        await crowded(stage, 2_700)
        told = await stage.app.status()
        assert len(json.dumps(told)) < 60_000
        assert (len(told["dirty"]), told["dirty_count"]) == (20, 2_700)
        assert {row["urgency"] for row in told["dirty"]} == {"withdraw"}, "the most urgent ones of all zones"
        assert sum(zone["dirty"] for zone in told["zones"]) == 2_700

    run_scenario(story, fleet())


@pytest.mark.parametrize("name", ["dirty", "names", "endpoints", "changes", "alarms", "blocked"])
def test_the_pages_of_a_list_hold_every_item_once(name):
    async def story(stage):
        await stage.app.correct_drift()
        await crowded(stage, 60)
        whole = await stage.app.page(name)
        found, after = [], ""
        while after is not None:
            asked = {"list": name, "limit": "7"} | ({"after": after} if after else {})
            page = await stage.app.handle_status(parse_status_query(asked, stage.app.settings))
            assert len(page["items"]) <= 7
            assert (page["list"], page["count"]) == (name, whole["count"])
            found += page["items"]
            after = page["next"]
        assert strip(found) == strip(whole["items"])
        assert len(found) == whole["count"]
        if name == "dirty":
            assert len(found) == 180 // 3

    run_scenario(story, fleet())


def strip(items):
    """Without times that are those of the question."""
    return [{key: value for key, value in item.items() if key != "at"} for item in items]


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"list": "nmaes"}, "list: 'nmaes' is not one of alarms, blocked, changes, dirty, endpoints, names"),
        ({"after": "x"}, "after: only together with list"),
        ({"limit": "5"}, "limit: only together with list"),
        ({"limit": "5", "after": "x"}, "limit: only together with list"),
        ({"list": ""}, "list: empty"),
        ({"list": "names", "limit": ""}, "limit: empty"),
        ({"zone": "", "name": ""}, "zone: empty"),
        ({"zone": "eastus", "name": " "}, "name: empty"),
        ({"full": ""}, "full: empty"),
        ({"list": "names", "limit": "0"}, "limit: '0' is not a whole number from 1 to 1000"),
        ({"list": "names", "limit": "1001"}, "limit: '1001' is not a whole number"),
        ({"list": "names", "limit": "ten"}, "limit: 'ten' is not a whole number"),
        ({"list": "names", "full": "true"}, "full: not together with list"),
        ({"list": "names", "zone": "eastus"}, "zone: not together with list"),
        ({"list": "names", "after": "x" * 3000}, "after: 3000 characters"),
        ({"page": "2"}, "page: unknown parameter"),
    ],
)
def test_a_question_about_a_page_is_read_strictly(params, said):
    with pytest.raises(BadRequest, match=said):
        parse_status_query(params, parsed())


def test_an_alarm_carries_the_time_of_the_look_that_found_it():
    async def story(stage):
        await stage.app.correct_drift()
        looked = stage.clock()
        told = await stage.app.status()
        assert all(alarm["at"] for alarm in told["alarms"])
        await stage.deliver_pending_events(300)
        again = {alarm["what"]: alarm["at"] for alarm in (await stage.app.status())["alarms"]}
        found = [at for what, at in again.items() if "no link" in what]
        assert found
        assert all(at <= iso(looked + 1) for at in found), "it was not looked at again"

    world = fleet()
    world["zones"][0]["links"] = []
    run_scenario(story, world)
