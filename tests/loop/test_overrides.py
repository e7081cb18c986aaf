"""Overrides that hit nothing are refused or said; a dry run shows what one would do; each has its author."""

import json
import logging

import pytest

from shared.domain.errors import BadRequest
from simulator.arm.front_door import Response
from tests.support.deployment import REGIONS, a_vm, a_world, answers, run_scenario, vm_id, zone_id

EAST, WEST, ASIA = REGIONS


def fleet(*more, **settings):
    return a_world(a_vm("e-1", EAST, 4), a_vm("e-2", EAST, 5), a_vm("w-1", WEST, 4), *more, **settings)


BEFORE = [["10.1.0.4", "10.1.0.5"], ["10.2.0.4"], ["10.2.0.4"]]

REFUSED = [
    ({"drain": {"region": "eastuss", "minutes": 9}}, "endpoints are known in: eastus, westeurope.*did you mean eastus"),
    ({"drain": {"endpoint": vm_id("nobody"), "minutes": 9}}, "drain.endpoint: no such endpoint known"),
    ({"drain": {"endpoint": vm_id("e-9"), "minutes": 9}, "dry_run": True}, "drain.endpoint: no such endpoint known"),
    ({"undrain": {"endpoint": vm_id("e-1")}}, "is not drained by an override; drain overrides: none"),
    ({"undrain": {"endpoint": vm_id("nobody")}}, "is not drained by an override"),
    ({"undrain": {"region": EAST}}, "undrain: eastus is not drained by an override"),
    ({"undrain": {"region": EAST}, "dry_run": True}, "undrain: eastus is not drained by an override"),
    ({"unfreeze": {"zone": EAST}}, r"unfreeze.zone: zone ai.internal \(eastus\) is not frozen"),
    ({"endpoint": vm_id("nobody")}, "endpoint: no such endpoint known"),
]


@pytest.mark.parametrize(("body", "said"), REFUSED, ids=lambda v: str(v)[:60])
def test_an_order_about_nothing_is_refused_and_nothing_is_done(body, said):
    async def story(stage):
        await stage.app.correct_drift()
        history = (await stage.app.status())["changes"]
        with pytest.raises(BadRequest, match=said):
            await stage.resync(**body)
        told = await stage.app.status()
        assert (told["drains"], told["changes"], answers(stage)) == ([], history, BEFORE)
        assert len(told["sweeps"]) == 1

    run_scenario(story, fleet())


def test_an_order_that_replaces_another_one_says_which_and_whose():
    async def story(stage):
        await stage.app.correct_drift()
        report = await stage.resync(freeze={"zone": EAST}, reason="INC-1")
        assert report.notes == []
        report = await stage.resync(freeze={"zone": EAST, "minutes": 5}, reason="INC-2")
        assert report.notes == ["replaces the freeze without end by function key, INC-1"]
        report = await stage.resync(freeze={"zone": WEST, "minutes": 5})
        assert report.notes == []
        await stage.resync(drain={"region": EAST, "minutes": 9}, reason="INC-3")
        until = (await stage.app.status())["drains"][0]["until"]
        report = await stage.resync(drain={"region": EAST, "minutes": 5})
        assert report.notes[-1] == f"replaces the drain of {EAST} until {until} by function key, INC-3"

    run_scenario(story, fleet())


@pytest.mark.parametrize("first", ["region", "endpoint"])
def test_taking_an_order_back_says_what_stays_drained_by_another_one(first):
    async def story(stage):
        await stage.app.correct_drift()
        orders = {"region": EAST, "endpoint": vm_id("e-1")}
        for what, target in orders.items():
            await stage.resync(drain={what: target, "minutes": 9}, reason=f"the {what}")
        (second,) = orders.keys() - {first}
        report = await stage.resync(undrain={first: orders[first]})
        (note,) = [each for each in report.notes if "stays drained" in each]
        assert note.startswith(f"{vm_id('e-1')} stays drained: the drain of {orders[second].lower()} until ")
        assert note.endswith(f" by function key, the {second}, which this does not end")
        report = await stage.resync(undrain={second: orders[second]})
        assert not any("stays drained" in each for each in report.notes)

    run_scenario(story, fleet())


def test_a_region_that_is_known_can_be_drained_in_advance_and_the_answer_says_that_it_covers_nothing():
    async def story(stage):
        await stage.app.correct_drift()
        report = await stage.resync(drain={"region": "eastus2", "minutes": 9})
        assert report.as_json()["covers"] == {"endpoints": 0, "names": 0}
        assert "covers no endpoint that is known (endpoints are known in: eastus, westeurope)" in report.notes[0]
        report = await stage.resync(drain={"region": EAST, "minutes": 9})
        assert report.as_json()["covers"] == {"endpoints": 2, "names": 3}
        assert report.notes == ["the override covers 2 endpoint(s) and 3 name(s)"]

    run_scenario(story, fleet())


@pytest.mark.parametrize("dry_run", [False, True])
def test_the_end_of_a_drain_that_covers_nothing_is_not_said_to_apply_later(dry_run):
    async def story(stage):
        await stage.app.correct_drift()
        report = await stage.resync(drain={"region": "eastus2", "minutes": 9})
        assert report.notes[0].endswith(": it applies to those that appear later")
        report = await stage.resync(undrain={"region": "eastus2"}, dry_run=dry_run)
        assert report.notes[0].endswith(": ending it changes no answer")

    run_scenario(story, fleet())


def test_an_endpoint_that_only_azure_knows_can_be_drained_and_one_that_azure_cannot_be_asked_about_as_well():
    async def story(stage):
        report = await stage.resync(drain={"endpoint": vm_id("e-1"), "minutes": 9})
        assert report.covered_counts == (1, 2)
        stage.faults = lambda request: Response(503, {"error": {"code": "ServerBusy"}})
        report = await stage.resync(drain={"endpoint": vm_id("w-1"), "minutes": 9})
        assert report.notes[0].startswith("drain.endpoint: the catalog does not know it, and Azure could not be asked")
        assert len((await stage.app.status())["drains"]) == 2
        stage.faults = None
        await stage.app.correct_drift()
        assert answers(stage) == [["10.1.0.5"]] * 3

    run_scenario(story, fleet())


@pytest.mark.parametrize("target", [{"region": EAST}, {"endpoint": vm_id("e-1")}])
def test_a_dry_run_of_a_drain_and_of_its_end_shows_what_the_order_then_does(target):
    async def story(stage):
        await stage.app.correct_drift()
        writes = len(stage.request_log.writes)
        plan = await stage.resync(drain={**target, "minutes": 60}, dry_run=True)
        assert len(stage.request_log.writes) == writes
        assert ((await stage.app.status())["drains"], answers(stage)) == ([], BEFORE)
        done = await stage.resync(drain={**target, "minutes": 60})
        assert plan.as_json()["changes"] == done.as_json()["changes"] != []
        assert plan.covered_counts == done.covered_counts
        plan = await stage.resync(undrain=target, dry_run=True)
        assert len((await stage.app.status())["drains"]) == 1
        done = await stage.resync(undrain=target)
        assert plan.as_json()["changes"] == done.as_json()["changes"] != []
        assert answers(stage) == BEFORE

    run_scenario(story, fleet())


def test_a_dry_run_of_a_freeze_shows_what_it_would_hold_back_and_one_of_its_end_what_waits():
    async def story(stage):
        await stage.app.correct_drift()
        stage.arm("DELETE", f"{zone_id(EAST)}/A/llama")
        plan = await stage.resync(freeze={"zone": EAST}, dry_run=True)
        assert {(each.name, each.reason) for each in plan.skips} == {("llama", "frozen: would create it")}
        assert (await stage.app.status())["zones"][0]["frozen"] is None
        await stage.resync(freeze={"zone": EAST})
        plan = await stage.resync(unfreeze={"zone": EAST}, dry_run=True)
        assert [(each.kind, each.name) for each in plan.changes] == [("create", "llama")]
        assert (await stage.app.status())["zones"][0]["frozen"] is not None
        assert stage.record(EAST, "llama") is None

    run_scenario(story, fleet())


@pytest.mark.parametrize(
    ("body", "note"),
    [
        ({"name": "llamaa"}, "name llamaa: no endpoint claims it"),
        ({"adopt": ["llamaa"]}, "adopt llamaa: no endpoint claims it"),
        ({"adopt": ["llamaa"], "dry_run": True}, "adopt llamaa: no endpoint claims it"),
        ({"adopt": "lost"}, "adopt lost: no record set in scope has lost our owner tag"),
        ({"endpoint": vm_id("silent")}, f"endpoint {vm_id('silent')} claims no name"),
        ({"endpoint": vm_id("e-1"), "name": "w-1"}, "endpoint does not claim name"),
    ],
)
def test_a_scope_that_meets_nothing_says_so(body, note):
    async def story(stage):
        await stage.app.correct_drift()
        assert any(each.startswith(note) for each in (await stage.resync(**body)).notes)
        assert (await stage.resync(name="llama")).notes == []
        assert (await stage.resync(endpoint=vm_id("e-1"))).notes == []

    run_scenario(story, fleet(a_vm("silent", EAST, 9, None)))


WHO = {"by": "function key", "reason_given": "INC-7: cooling"}


def who(entry):
    return {key: entry[key] for key in WHO}


def test_overrides_and_what_they_change_say_who_has_given_them_and_why(caplog):
    caplog.set_level(logging.INFO, "nearzone")

    async def story(stage):
        await stage.app.correct_drift()
        await stage.resync(drain={"region": EAST, "minutes": 5}, reason="INC-7: cooling")
        told = await stage.app.status()
        assert who(told["drains"][0]) == WHO
        new = [each for each in told["changes"] if each["cause"].startswith("drain override")]
        assert {each["kind"] for each in new} == {"drain", "update", "delete"}
        assert [who(each) for each in new] == [WHO] * len(new)
        orders = [each for each in new if each["kind"] == "drain"]
        assert {each["zone"] for each in orders} == {zone_id(region).lower() for region in REGIONS}
        assert {each["name"] for each in orders} == {"*"}
        assert orders[0]["reason"].startswith("drain of eastus until 20")
        history = (await stage.app.explain(stage.app.settings.zones[0], "llama"))["history"]
        assert who(history[0]) == WHO
        assert who(history[-1]) == {"by": None, "reason_given": None}, "a sweep of the timer is by no one"
        await stage.deliver_pending_events(301)
        await stage.app.drain()
        ended = [each for each in (await stage.app.status())["changes"] if each["kind"] == "end"]
        assert [(each["reason"], who(each)) for each in ended] == [("drain of eastus expired", WHO)] * 3

    run_scenario(story, fleet())
    lines = [json.loads(record.getMessage()) for record in caplog.records if record.getMessage().startswith("{")]
    assert {line["decision"] for line in lines if line["by"]} >= {"drain", "update", "delete", "end"}


def test_a_freeze_its_end_and_a_sweep_by_hand_say_who_has_asked():
    async def story(stage):
        await stage.app.correct_drift()
        await stage.resync(freeze={"zone": EAST}, reason="INC-7: cooling")
        assert who((await stage.app.status())["zones"][0]["frozen"]) == WHO
        await stage.resync(unfreeze={"zone": EAST}, reason="INC-7: cooling")
        told = await stage.app.status()
        assert [(each["kind"], who(each)) for each in told["changes"][:2]] == [("unfreeze", WHO), ("freeze", WHO)]
        assert who(told["sweeps"][0]) == WHO
        await stage.resync(freeze={"zone": WEST, "minutes": 1})
        await stage.deliver_pending_events(61)
        await stage.app.drain()
        newest = (await stage.app.status())["changes"][0]
        assert (newest["kind"], newest["zone"]) == ("end", zone_id(WEST).lower())
        assert newest["reason"] == "freeze expired"

    run_scenario(story, fleet())


def test_an_adoption_is_called_an_adoption_by_the_report_and_the_history():
    async def story(stage):
        await stage.app.correct_drift()
        body = {"adopt": ["llama"], "reason": "INC-7: cooling"}
        assert {each["kind"] for each in (await stage.resync(**body, dry_run=True)).as_json()["changes"]} == {"adopt"}
        assert {each["kind"] for each in (await stage.resync(**body)).as_json()["changes"]} == {"adopt"}
        newest = (await stage.app.explain(stage.app.settings.zones[0], "llama"))["history"][0]
        assert (newest["kind"], newest["before"], newest["after"]) == ("adopt", ["10.1.8.8"], BEFORE[0])
        assert who(newest) == WHO
        assert "llama" in await stage.app.catalog.owned(zone_id(EAST).lower())

    records = [{"name": "llama", "type": "A", "ttl": 60, "addresses": ["10.1.8.8"]}]
    run_scenario(story, fleet(records=records))


def test_a_forced_plan_is_an_entry_of_its_zones_history():
    async def story(stage):
        report = await stage.app.correct_drift()
        plan = next(each for each in report.refused if each.zone == zone_id(EAST))
        await stage.resync(force=plan.digest, reason="INC-7: cooling")
        forced = [each for each in (await stage.app.status())["changes"] if each["kind"] == "force"]
        assert [(each["zone"], each["name"], who(each)) for each in forced] == [(zone_id(EAST).lower(), "*", WHO)]
        assert forced[0]["reason"] == f"plan {plan.digest}: 4 of 8 owned record sets removed or emptied"
        removed = [each for each in (await stage.app.status())["changes"] if each["kind"] == "delete"]
        assert [who(each) for each in removed] == [WHO] * 4

    records = [
        {
            "name": f"old-{i}",
            "type": "A",
            "ttl": 30,
            "addresses": [f"10.1.9.{i}"],
            "metadata": {"nearzone-owner": "nearzone"},
        }
        for i in range(4)
    ]
    run_scenario(story, fleet(records=records))


def test_an_order_in_shadow_is_an_entry_too():
    async def story(stage):
        await stage.app.correct_drift()
        await stage.resync(freeze={"zone": EAST})
        assert [each["kind"] for each in (await stage.app.status())["changes"]] == ["freeze"]

    run_scenario(story, fleet(), NEARZONE_MODE="shadow")
