"""Sweeps find what has opted in by Azure Resource Graph, and believe nothing that it says until they have read it."""

import asyncio
import json
import re
from datetime import datetime

import pytest

from shared.azure.resource_graph import READABLE
from shared.catalog.memory import MemoryCatalog
from shared.decide.sweep_reads import READS_PER_SWEEP, SETTLED_SECONDS
from shared.domain.endpoints import State
from simulator.arm.front_door import Request, Response
from simulator.arm.permissions import EVERYTHING, Role
from tests.support.deployment import REGIONS, SUB, a_vm, a_world, nic_id, run_scenario, vm_id

EAST, WEST, _ = REGIONS
GRAPH = "/providers/Microsoft.ResourceGraph/resources"
FORBIDDEN = Response(403, {"error": {"code": "AccessDenied", "message": "Access is denied."}})
OTHERS = [f"22222222-2222-4222-8222-{number:012}" for number in range(14)]


def fleet(*more, **settings):
    bystanders = [a_vm(f"plain-{number}", EAST, 100 + number, None) for number in range(3)]
    vms = [a_vm("e-1", EAST, 4), a_vm("w-1", WEST, 4), a_vm("cold", EAST, 6, power="deallocated")]
    return a_world(*vms, *bystanders, *more, **{"RESOURCE_GRAPH": "always"} | settings)


def asked(stage):
    """What the app has asked since the last call: queries, lists of VMs or NICs, and single resources."""
    paths = [path.lower() for _, path in stage.request_log.requests if "privatedns" not in path.lower()]
    stage.request_log.requests.clear()
    lists = [path for path in paths if path.endswith(("/virtualmachines", "/networkinterfaces"))]
    return paths.count(GRAPH.lower()), lists, sorted(path.rsplit("/", 1)[-1] for path in paths if "/gpu/" in path)


async def settled(stage):
    """Sweep until the catalog counts as complete."""
    await stage.app.correct_drift()
    await asyncio.sleep(SETTLED_SECONDS)
    return await stage.app.correct_drift()


def lagging(stage, seconds):
    """From now on Resource Graph shows every change so much later."""
    stage.cloud.graph.lag = lambda: seconds
    stage.cloud.graph.observe()


async def row(stage, name):
    stored = await stage.app.catalog.endpoint(vm_id(name).lower())
    return stored.value.endpoint


def said_time(text):
    """A time of a text, in seconds since the epoch."""
    (found,) = re.findall(r"\d{4}-\d\d-\d\dT[\d:.+]+\d", text)
    return datetime.fromisoformat(found).timestamp()


@pytest.mark.parametrize("order", [{"drain": {"region": "eastus", "minutes": 60}}, {}])
def test_a_report_says_from_when_on_a_catalog_that_is_not_complete_lets_addresses_go(order):
    """Resource Graph may be late, so for 5 minutes nothing is withdrawn, by an operator either."""

    async def story(stage):
        first = await stage.app.correct_drift()
        assert not first.complete
        begun = (await stage.app.catalog.state()).value.graph_at
        await stage.resync(drain={"region": "eastus", "minutes": 60})
        report = await stage.resync(**order)
        assert (report.names_remaining > 0, stage.record(EAST, "llama")) == (True, ["10.1.0.4"])
        (note,) = (each for each in report.notes if "no address is removed before the first sweep" in each)
        assert said_time(note) == pytest.approx(begun + SETTLED_SECONDS, abs=0.001)
        await asyncio.sleep(said_time(note) + 1 - stage.clock())
        assert (await stage.app.correct_drift()).complete
        assert stage.record(EAST, "llama") == ["10.2.0.4"]
        assert not [each for each in (await stage.resync(**order)).notes if "no address is removed" in each]

    run_scenario(story, fleet())


def test_a_dry_run_says_that_its_removals_would_be_held_back():
    async def story(stage):
        await stage.app.correct_drift()
        report = await stage.resync(drain={"region": "eastus", "minutes": 60}, dry_run=True)
        assert report.changes
        assert [each for each in report.notes if "no address is removed before" in each]

    run_scenario(story, fleet())


def test_with_lists_a_drain_before_the_first_sweep_waits_for_the_next_sweep():
    async def story(stage):
        await stage.resync(drain={"endpoint": vm_id("e-1"), "minutes": 60})
        await stage.app.correct_drift()
        assert stage.record(EAST, "llama") == ["10.2.0.4"]
        (alarm,) = (await stage.app.status())["alarms"][:1]
        assert "no complete sweep" not in alarm["what"]

    run_scenario(story, fleet(RESOURCE_GRAPH="never"))


def test_the_first_alarm_is_about_the_catalog_and_its_advice_helps():
    async def story(stage):
        await stage.app.correct_drift()
        state = (await stage.app.catalog.state()).value
        first = (await stage.app.status())["alarms"][0]
        assert first["what"] == "no complete sweep yet under these settings: Resource Graph may be 5 minutes late"
        assert said_time(first["do"]) == pytest.approx(state.graph_at + SETTLED_SECONDS, abs=0.001)
        assert "a resync before it does not help" in first["do"]
        await asyncio.sleep(SETTLED_SECONDS)
        assert "or resync" in (await stage.app.status())["alarms"][0]["do"]
        assert (await stage.resync()).complete
        assert not [each for each in (await stage.app.status())["alarms"] if "no complete sweep" in each["what"]]

    run_scenario(story, fleet(vm_tagged_wrongly()))


def test_the_summary_of_a_sweep_says_why_it_is_not_complete():
    async def story(stage):
        await stage.app.correct_drift()
        (sweep,) = (await stage.app.status())["sweeps"]
        assert (sweep["complete"], sweep["failures"]) == (False, 0)
        assert sweep["error"].startswith("Resource Graph may be late")
        await asyncio.sleep(SETTLED_SECONDS)
        await stage.app.correct_drift()
        last = (await stage.app.status())["sweeps"][0]
        assert (last["complete"], last["error"]) == (True, "")

    run_scenario(story, fleet())


def vm_tagged_wrongly():
    return a_vm("wrong", EAST, 9, "a_b")


def test_a_sweep_reads_what_resource_graph_shows_and_lists_no_virtual_machine():
    async def story(stage):
        report = await stage.app.correct_drift()
        assert (report.inventory, report.failures, report.observed) == ("resource graph", [], 3)
        queries, lists, read = asked(stage)
        assert queries == 2
        assert [path for path in lists if "virtualmachines" in path] == []
        assert [each for each in read if each.startswith("plain")] == []
        assert not stage.wrong_answers()

    run_scenario(story, fleet())


@pytest.mark.parametrize(("setting", "subscriptions", "way"), [
    ("auto", 10, "lists"), ("auto", 11, "resource graph"), ("always", 1, "resource graph"), ("never", 11, "lists"),
])  # fmt: skip
def test_few_subscriptions_are_listed_unless_the_setting_says_otherwise(setting, subscriptions, way):
    watched = [SUB, *OTHERS[: subscriptions - 1]]

    async def story(stage):
        for each in OTHERS:
            stage.cloud.azure.ensure_group(each, "any")
        assert (await stage.app.correct_drift()).inventory == way
        assert not stage.wrong_answers()

    run_scenario(story, fleet(RESOURCE_GRAPH=setting, SUBSCRIPTIONS=watched))


def test_until_it_shows_what_came_before_the_first_event_the_catalog_is_not_complete():
    """Without this, a claimant that it does not show yet would lose its address in the zones after a lost catalog."""
    shared = a_vm("e-2", EAST, 7)

    async def story(stage):
        await settled(stage)
        lagging(stage, SETTLED_SECONDS - 60)
        stage.arm("PATCH", vm_id("e-2"), {"tags": {"nearzone": "llama"}})
        await stage.deliver_pending_events()
        assert stage.record(EAST, "llama") == ["10.1.0.4", "10.1.0.7"]
        stage.restart(MemoryCatalog())
        assert not (await stage.app.correct_drift()).complete
        stage.arm("POST", f"{vm_id('e-1')}/deallocate")
        await stage.deliver_pending_events()
        assert stage.record(EAST, "llama") == ["10.1.0.4", "10.1.0.7"], "e-1 is gone, but e-2 must not go with it"
        await asyncio.sleep(SETTLED_SECONDS)
        assert (await stage.app.correct_drift()).complete
        assert stage.record(EAST, "llama") == ["10.1.0.7"]

    run_scenario(story, fleet(shared | {"tags": {}}))


def test_other_settings_do_not_make_a_complete_catalog_wait_again_and_other_subscriptions_do():
    catalog = MemoryCatalog()

    async def story(stage):
        await settled(stage)
        stage.restart(catalog, NEARZONE_TTL="31")
        assert (await stage.app.correct_drift()).complete
        stage.cloud.azure.ensure_group(OTHERS[0], "any")
        stage.restart(catalog, NEARZONE_SUBSCRIPTIONS=json.dumps([SUB, OTHERS[0]]))
        assert not (await stage.app.correct_drift()).complete

    run_scenario(story, fleet(), catalog=catalog)


def test_what_it_does_not_show_is_read_and_stays_while_it_serves():
    async def story(stage):
        await settled(stage)
        shown = stage.cloud.graph._resources
        stage.cloud.graph._resources = lambda: [each for each in shown() if not each["id"].endswith("/e-1")]
        report = await stage.app.correct_drift()
        assert report.complete
        assert not report.changes
        stage.event_grid.disturbance.loss = 1.0
        stage.arm("DELETE", vm_id("e-1"))
        await stage.finish_operations()
        await stage.app.correct_drift()
        assert (await row(stage, "e-1")).state == State.GONE
        assert not stage.wrong_answers()

    run_scenario(story, fleet())


def test_what_it_still_shows_is_not_believed():
    """Old tags, an old power state, and a VM that is gone: what a GET says counts, in every sweep until it follows."""

    async def story(stage):
        await settled(stage)
        lagging(stage, 240.0)
        stage.event_grid.disturbance.loss = 1.0
        stage.arm("PATCH", vm_id("e-1"), {"tags": {"nearzone": "phi"}})
        stage.arm("POST", f"{vm_id('cold')}/start")
        stage.arm("DELETE", vm_id("w-1"))
        await stage.finish_operations()
        for _ in range(3):
            await stage.app.correct_drift()
            assert not stage.wrong_answers()
        assert stage.record(EAST, "phi") == ["10.1.0.4"]
        assert (await row(stage, "w-1")).state == State.GONE

    run_scenario(story, fleet())


MANY = READS_PER_SWEEP + 40


def large_fleet():
    """More endpoints than a sweep reads without a reason, few in each subscription, so that none is listed."""
    vms = []
    for number in range(MANY):
        vm = a_vm(f"x-{number:03}", EAST, 4, "embed")
        vm["nics"][0]["ip_configurations"][0]["address"] = f"10.1.{1 + number // 200}.{number % 200 + 10}"
        text = json.dumps(vm).replace(f"{SUB}/resourceGroups/gpu", f"{OTHERS[number // 10]}/resourceGroups/gpu")
        vms.append(json.loads(text))
    watched = [SUB, *OTHERS]
    return fleet(*vms, SUBSCRIPTIONS=watched, CLAIMS={"*": watched})


def test_what_it_cannot_show_is_corrected_within_the_stated_number_of_sweeps():
    """An address that changed without an event: each sweep reads those that were not read for the longest time."""
    sweeps = -(-(MANY + 3) // READS_PER_SWEEP)

    async def story(stage):
        await settled(stage)
        stage.event_grid.disturbance.loss = 1.0
        nic = stage.arm("GET", nic_id("e-1")).content
        nic["properties"]["ipConfigurations"][0]["properties"]["privateIPAddress"] = "10.1.0.250"
        stage.arm("PUT", nic_id("e-1"), nic)
        await stage.finish_operations()
        asked(stage)
        for _ in range(sweeps):
            report = await stage.app.correct_drift()
            assert report.observed == MANY + 3
            _, lists, read = asked(stage)
            assert [path for path in lists if path.endswith("/virtualmachines")] == []
            assert len(read) <= READS_PER_SWEEP + len(OTHERS)
        assert not stage.wrong_answers()

    run_scenario(story, large_fleet())


@pytest.mark.parametrize("answer", [FORBIDDEN, Response(500, None), Response(429, None)])
def test_where_it_cannot_be_read_everything_is_listed_and_the_report_says_why(answer):
    async def story(stage):
        stage.cloud.graph.fault = lambda: answer
        report = await stage.app.correct_drift()
        assert report.complete
        assert report.inventory.startswith("lists, Resource Graph cannot be read: ")
        assert not stage.wrong_answers()
        alarms = [each for each in (await stage.app.status())["alarms"] if "Resource Graph" in each["what"]]
        assert len(alarms) == (answer is FORBIDDEN)
        assert (await stage.app.status())["sweeps"][0]["inventory"] == report.inventory

    run_scenario(story, fleet())


def test_a_query_without_quota_waits_for_it():
    async def story(stage):
        stage.cloud.enforce_limits()
        begun = stage.clock()
        while stage.cloud.graph.handle(a_query()).headers["x-ms-user-quota-remaining"] != "0":
            pass
        assert (await stage.app.correct_drift()).inventory == "resource graph"
        assert 5.0 <= stage.clock() - begun < 30.0

    run_scenario(story, fleet())


def a_query():
    body = {"subscriptions": [SUB], "query": READABLE, "options": {}}
    headers = {"authorization": "Bearer token"}
    return Request("POST", GRAPH, {"api-version": "2022-10-01"}, headers, json.dumps(body).encode())


def test_a_subscription_that_it_does_not_show_is_listed_so_that_a_missing_role_is_seen():
    async def story(stage):
        stage.cloud.azure.ensure_group(OTHERS[0], "any")
        stage.cloud.permissions.roles = (Role(f"/subscriptions/{SUB}", ["*"]),)
        report = await stage.app.correct_drift()
        assert report.inventory == "resource graph"
        assert not report.complete
        assert {OTHERS[0] in what for what, _ in report.failures} == {True}
        stage.cloud.permissions.roles = (EVERYTHING,)
        assert (await settled(stage)).complete

    run_scenario(story, fleet(SUBSCRIPTIONS=[SUB, OTHERS[0]]))


def test_a_dry_run_finds_what_a_sweep_finds():
    async def story(stage):
        plan = (await stage.resync(dry_run=True)).as_json()
        assert plan["inventory"] == "resource graph"
        assert (await stage.resync()).as_json()["changes"] == plan["changes"]

    run_scenario(story, fleet())
