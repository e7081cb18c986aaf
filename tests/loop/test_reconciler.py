"""The loop's promises, each seen in the zones of a simulated Azure."""

import asyncio
import json
from contextlib import nullcontext
from dataclasses import replace

import pytest

from shared.catalog.memory import MemoryCatalog
from shared.domain.dirty import DirtyName, Urgency
from shared.domain.endpoints import State
from shared.domain.errors import Transient
from shared.loop.reconciler import DRAIN_SECONDS
from simulator.arm.front_door import Response
from simulator.front_ends.transport import Lost, Slow
from tests.support.deployment import (
    OURS,
    REGIONS,
    SUB,
    a_vm,
    a_world,
    answers,
    event,
    nic_id,
    orphans,
    run_scenario,
    vm_id,
    vnet,
    zone_id,
)

EAST, WEST, ASIA = REGIONS


def fleet(**more):
    """Two llama VMs in East US, one in West Europe."""
    return a_world(a_vm("e-1", EAST, 4), a_vm("e-2", EAST, 5), a_vm("w-1", WEST, 4), **more)


async def swept(stage):
    report = await stage.app.correct_drift()
    assert (report.failures, report.refusals, stage.wrong_answers()) == ([], [], {})
    return report


def test_each_region_answers_with_its_nearest_serving_endpoints():
    async def story(stage):
        await swept(stage)
        assert answers(stage) == [["10.1.0.4", "10.1.0.5"], ["10.2.0.4"], ["10.2.0.4"]]

    run_scenario(story, fleet())


@pytest.mark.parametrize("schema", ["EventGridSchema", "CloudEventSchemaV1_0"])
def test_a_stop_a_start_and_a_deletion_reach_the_zones_by_their_events_alone(schema):
    async def story(stage):
        stage.event_grid.subscriptions[0] = type(stage.event_grid.subscriptions[0])("app", schema)
        await swept(stage)
        stage.arm("POST", f"{vm_id('w-1')}/deallocate")
        await stage.deliver_pending_events()
        east = ["10.1.0.4", "10.1.0.5"]
        assert answers(stage) == [east, east, east], "clients fail over to the next nearest region"
        assert answers(stage, "w-1") == [None] * 3
        stage.arm("POST", f"{vm_id('w-1')}/start")
        await stage.deliver_pending_events()
        assert answers(stage) == [east, ["10.2.0.4"], ["10.2.0.4"]]
        stage.arm("DELETE", vm_id("e-1"))
        await stage.deliver_pending_events()
        assert answers(stage) == [["10.1.0.5"], ["10.2.0.4"], ["10.2.0.4"]]
        assert stage.wrong_answers() == {}

    run_scenario(story, fleet())


def test_a_new_address_of_a_nic_is_followed_from_the_nics_own_event():
    async def story(stage):
        await swept(stage)
        nic = stage.arm("GET", nic_id("w-1")).content
        nic["properties"]["ipConfigurations"][0]["properties"]["privateIPAddress"] = "10.2.0.77"
        stage.arm("PUT", nic_id("w-1"), {key: nic[key] for key in ("location", "properties")})
        await stage.deliver_pending_events()
        assert answers(stage, "w-1") == [["10.2.0.77"]] * 3

    run_scenario(story, fleet())


def test_a_tag_event_moves_a_vm_from_one_name_to_another():
    async def story(stage):
        await swept(stage)
        tags = {"properties": {"tags": {"nearzone": "mistral"}}, "operation": "Replace"}
        stage.arm("PATCH", f"{vm_id('w-1')}/providers/Microsoft.Resources/tags/default", tags)
        await stage.deliver_pending_events()
        assert answers(stage, "mistral") == [["10.2.0.4"]] * 3
        assert answers(stage) == [["10.1.0.4", "10.1.0.5"]] * 3

    run_scenario(story, fleet())


def test_a_vm_whose_model_still_loads_is_published_by_the_drain_timer_once_it_is_healthy():
    async def story(stage):
        await swept(stage)
        stage.arm("POST", f"{vm_id('w-2')}/start")
        await stage.deliver_pending_events()
        assert answers(stage, "w-2") == [None] * 3
        stage.cloud.compute.set_health(vm_id("w-2"), "healthy")
        await stage.app.drain()
        assert answers(stage, "w-2") == [["10.2.0.5"]] * 3

    run_scenario(story, a_world(a_vm("w-1", WEST, 4), a_vm("w-2", WEST, 5, power="deallocated", health="unhealthy")))


@pytest.mark.parametrize("shown", [True, False], ids=["lists show health", "lists show none"])
def test_health_that_a_vm_has_come_to_report_unseen_is_found_by_sweeps_within_a_day(shown):
    async def story(stage):
        stage.cloud.compute.status_only_health = shown
        await swept(stage)
        for name in ("w-1", "w-2"):
            stage.cloud.compute.set_health(vm_id(name), "unhealthy")
        reads = []
        for _ in range(25):
            await asyncio.sleep(3600.0)
            stage.request_log.requests.clear()
            await stage.app.correct_drift()
            reads += [path for _, path in stage.request_log.requests if path == vm_id("w-3")]
        assert stage.wrong_answers() == {}
        assert 1 <= len(reads) <= 2, "a VM without health is read again once a day, and not in every sweep"

    run_scenario(story, a_world(*(a_vm(f"w-{n}", WEST, 3 + n) for n in (1, 2, 3))))


def test_only_the_primary_address_of_the_primary_nic_is_published():
    vm = a_vm("w-1", WEST, 4)
    vm["nics"][0]["ip_configurations"] += [{"name": "second", "address": "10.2.0.5", "primary": False}]
    more = {"id": nic_id("more"), "vnet": vnet(WEST), "primary": False}
    vm["nics"].append(more | {"ip_configurations": [{"name": "ipconfig1", "address": "10.2.0.6"}]})

    async def story(stage):
        await swept(stage)
        assert answers(stage) == [["10.2.0.4"]] * 3

    run_scenario(story, a_world(vm))


def test_before_the_first_sweep_an_event_writes_nothing_and_the_drain_timer_sweeps():
    async def story(stage):
        stage.arm("POST", f"{vm_id('w-1')}/restart")
        await stage.deliver_pending_events()
        stage.arm("POST", f"{vm_id('w-1')}/deallocate")
        await stage.deliver_pending_events()
        assert stage.request_log.writes == []
        await stage.app.drain()
        assert stage.wrong_answers() == {}
        assert answers(stage) == [["10.1.0.4", "10.1.0.5"]] * 3

    run_scenario(story, fleet())


def test_a_wiped_catalog_narrows_nothing_until_a_sweep_has_seen_everything():
    async def story(stage):
        await swept(stage)
        before = answers(stage)
        stage.restart()
        stage.arm("POST", f"{vm_id('e-1')}/restart")
        await stage.deliver_pending_events()
        assert answers(stage) == before, "that e-1 serves does not say that nobody else does"
        stage.arm("POST", f"{vm_id('e-1')}/deallocate")
        await stage.deliver_pending_events()
        assert answers(stage) == before
        await swept(stage)
        assert answers(stage)[0] == ["10.1.0.5"]

    run_scenario(story, fleet())


def test_a_hundred_stops_that_were_seen_are_all_withdrawn_whatever_the_guard_allows():
    async def story(stage):
        await swept(stage)
        for i in range(30):
            stage.arm("POST", f"{vm_id(f'w-{i}')}/deallocate")
        stage.event_grid.disturbance.lose_next = 15
        await stage.deliver_pending_events()
        await swept(stage)
        assert [stage.record(EAST, f"w-{i}") for i in range(30)] == [None] * 30

    run_scenario(story, a_world(*(a_vm(f"w-{i}", WEST, 10 + i) for i in range(30))), latency=0.1)


def test_the_guard_refuses_to_remove_many_records_that_nobody_accounts_for_and_force_removes_them():
    async def story(stage):
        report = await stage.app.correct_drift()
        assert len(report.refusals) == 3
        assert any(f"9 of {owned} owned" in report.refusals[0] for owned in range(9, 14)), (
            "of the four new ones, those count that were written before the plan was made"
        )
        digest = report.refused[0].digest
        assert f'"force": "{digest}" (`nearzone sync --force {digest}`).' in report.refusals[0]
        assert stage.record(EAST, "old-3") == ["10.1.9.3"]
        assert answers(stage)[1] == ["10.2.0.4"], "the rest goes on"
        assert (await stage.app.status())["refusals"] == report.refusals
        assert (await stage.resync(force=[plan.digest for plan in report.refused])).refusals == []
        assert stage.record(EAST, "old-3") is None

    run_scenario(story, fleet(records=orphans(9)))


def test_changed_settings_that_would_empty_many_names_are_refused_and_events_do_not_do_it_either():
    vms = [a_vm(f"w-{i}", WEST, 10 + i, "") for i in range(10)]

    async def story(stage):
        await swept(stage)
        stage.restart(NEARZONE_CLAIMS=json.dumps({"other": [SUB]}))
        report = await stage.app.correct_drift()
        assert len(report.refusals) == 3
        stage.arm("POST", f"{vm_id('w-3')}/restart")
        await stage.deliver_pending_events()
        assert [stage.record(EAST, f"w-{i}") for i in range(10)] == [[f"10.2.0.{10 + i}"] for i in range(10)]

    run_scenario(story, a_world(*vms))


def listing_fails(status):
    def fault(request):
        if request.method == "GET" and request.path.endswith("/Microsoft.Compute/virtualMachines"):
            return Response(status, {"error": {"code": "ProviderError", "message": "on purpose"}})
        return None

    return fault


def test_a_list_that_breaks_removes_nothing_and_is_reported():
    async def story(stage):
        await swept(stage)
        before = answers(stage)
        stage.arm("PUT", f"{zone_id(EAST)}/A/orphan", orphan)
        stage.faults = listing_fails(502)
        stage.request_log.requests.clear()
        report = await stage.app.correct_drift()
        assert "ProviderError" in report.failures[0][1]
        assert answers(stage) == before
        assert stage.record(EAST, "orphan") == ["10.1.9.9"], "somebody in the broken list may have claimed it"
        assert not [path for _, path in stage.request_log.requests if "/virtualMachines/" in path], (
            "nobody is a suspect"
        )
        stage.faults = None
        await swept(stage)
        assert stage.record(EAST, "orphan") is None

    orphan = {"properties": {"ttl": 30, "aRecords": [{"ipv4Address": "10.1.9.9"}], "metadata": OURS}}
    run_scenario(story, fleet())


def test_one_endpoint_that_cannot_be_read_does_not_stop_the_correction_of_everything_else():
    def trouble(request):
        broken = request.method == "GET" and request.path.lower() == vm_id("w-1").lower()
        return Response(500, {"error": {"code": "InternalError", "message": "no"}}) if broken else None

    async def story(stage):
        await swept(stage)
        stage.cloud.compute.status_only_health = False
        stage.cloud.compute.set_health(vm_id("w-1"), "healthy")
        stage.arm("POST", f"{vm_id('w-1')}/restart")
        await stage.deliver_pending_events()
        stage.arm("DELETE", f"{zone_id(EAST)}/A/e-1")
        stage.faults = trouble
        report = await stage.app.correct_drift()
        assert [what for what, _ in report.failures] == [vm_id("w-1")]
        assert stage.wrong_answers() == {}

    run_scenario(story, fleet())


def test_an_endpoint_that_may_not_be_read_any_more_keeps_its_addresses_and_raises_an_alarm():
    def forbidden(request):
        if request.method == "GET" and "/virtualMachines" in request.path:
            if request.path.endswith("/virtualMachines"):
                return Response(200, {"value": []})
            return Response(403, {"error": {"code": "AuthorizationFailed", "message": "no role"}})
        return None

    async def story(stage):
        await swept(stage)
        before = answers(stage)
        stage.faults = forbidden
        await stage.app.correct_drift()
        await stage.app.drain()
        assert answers(stage) == before
        assert any("no role" in alarm["what"] for alarm in (await stage.app.status())["alarms"])

    run_scenario(story, fleet())


def test_a_vm_that_was_moved_to_another_resource_group_is_put_right_by_the_sweep():
    async def story(stage):
        await swept(stage)
        moved = stage.cloud.compute.move(vm_id("w-1"), "other")
        await swept(stage)
        assert answers(stage)[1] == ["10.2.0.4"]
        claims = (await stage.app.explain(stage.app.settings.zones[1], "llama"))["claims"]
        assert [c["endpoint"].lower() for c in claims if c["included"]] == [moved.lower()]

    run_scenario(story, fleet())


FOREIGN = [{"name": "llama", "type": "A", "ttl": 60, "addresses": ["10.1.8.8"], "metadata": {"team": "ml"}}]


def test_a_foreign_record_set_is_left_alone_until_somebody_adopts_it():
    async def story(stage):
        report = await swept(stage)
        assert answers(stage) == [["10.1.8.8"]] * 3
        assert {skip.name for skip in report.skips} == {"llama"}
        await stage.resync(adopt=["llama"])
        assert answers(stage) == [["10.1.0.4", "10.1.0.5"], ["10.2.0.4"], ["10.2.0.4"]]
        held = stage.arm("GET", f"{zone_id(EAST)}/A/llama").content["properties"]["metadata"]
        assert held == {"team": "ml", **OURS}, "what others noted on it stays"

    run_scenario(story, fleet(records=FOREIGN))


def test_a_drained_region_is_left_until_the_order_ends():
    async def story(stage):
        await swept(stage)
        await stage.resync(drain={"region": "East US", "minutes": 30})
        assert answers(stage) == [["10.2.0.4"]] * 3
        assert stage.wrong_answers({EAST}) == {}
        await asyncio.sleep(31 * 60)
        await stage.app.drain()
        assert stage.wrong_answers() == {}
        assert (await stage.app.status())["drains"] == []

    run_scenario(story, fleet())


def test_a_drained_endpoint_comes_back_when_the_order_is_taken_back():
    async def story(stage):
        await swept(stage)
        await stage.resync(drain={"endpoint": vm_id("E-1"), "minutes": 60})
        assert answers(stage)[0] == ["10.1.0.5"]
        await stage.app.correct_drift()
        assert answers(stage)[0] == ["10.1.0.5"], "a sweep knows of the override"
        await stage.resync(undrain={"endpoint": vm_id("e-1")})
        assert stage.wrong_answers() == {}

    run_scenario(story, fleet())


def test_a_dry_run_tells_the_plan_and_writes_nothing():
    async def story(stage):
        report = await stage.resync(dry_run=True)
        assert {(change.kind, change.name) for change in report.changes} >= {("create", "llama"), ("create", "e-1")}
        assert stage.request_log.writes == []
        assert await stage.app.catalog.endpoints() == ()
        await swept(stage)
        stage.arm("DELETE", f"{zone_id(EAST)}/A/llama")
        report = await stage.resync(dry_run=True)
        assert [(change.kind, change.name) for change in report.changes] == [("create", "llama")]
        assert answers(stage)[0] is None

    run_scenario(story, fleet())


def test_shadow_mode_decides_and_writes_nothing():
    async def story(stage):
        report = await stage.app.correct_drift()
        assert len(report.changes) == 12
        assert stage.request_log.writes == []
        assert (await stage.app.status())["mode"] == "shadow"

    run_scenario(story, fleet(MODE="shadow"))


def test_a_resync_of_one_zone_leaves_the_others():
    async def story(stage):
        await swept(stage)
        for region in REGIONS:
            stage.arm("DELETE", f"{zone_id(region)}/A/llama")
        await stage.resync(zone="westeurope", name="llama")
        assert answers(stage) == [None, ["10.2.0.4"], None]

    run_scenario(story, fleet())


def test_a_resync_of_one_endpoint_puts_its_names_right():
    async def story(stage):
        await swept(stage)
        stage.event_grid.disturbance.lose_next = 1
        stage.arm("POST", f"{vm_id('w-1')}/deallocate")
        await stage.deliver_pending_events()
        await stage.resync(endpoint=vm_id("w-1"))
        assert stage.wrong_answers() == {}

    run_scenario(story, fleet())


def test_a_write_that_lost_a_race_is_decided_anew_from_what_is_there():
    raced = []

    async def story(stage):
        await swept(stage)

        def race(request):
            if request.method == "PUT" and request.path.endswith("/A/llama") and not raced:
                raced.append(request.path)
                held = stage.arm("GET", request.path).content
                stage.arm("PUT", request.path, {"properties": held["properties"]})

        stage.faults = race
        stage.arm("POST", f"{vm_id('e-1')}/deallocate")
        await stage.deliver_pending_events()
        assert raced
        assert 412 in {status for _, _, status in stage.request_log.writes}
        assert stage.wrong_answers() == {}

    run_scenario(story, fleet())


def test_a_write_whose_answer_was_lost_is_found_to_have_taken_effect():
    lost = []

    def fault(request):
        if request.method == "PUT" and request.path.endswith("/A/llama") and not lost:
            lost.append(request.path)
            return Lost(after=True)
        return None

    async def story(stage):
        await swept(stage)
        stage.faults = fault
        stage.arm("POST", f"{vm_id('e-1')}/deallocate")
        await stage.deliver_pending_events()
        await asyncio.sleep(30)
        await stage.app.drain()
        assert lost
        assert stage.wrong_answers() == {}

    run_scenario(story, fleet())


def test_a_locked_zone_fails_loudly_and_does_not_stop_the_others():
    async def story(stage):
        await swept(stage)
        stage.cloud.private_dns.lock(zone_id(EAST), "ReadOnly")
        stage.arm("POST", f"{vm_id('w-1')}/deallocate")
        await stage.deliver_pending_events()
        assert answers(stage)[1:] == [["10.1.0.4", "10.1.0.5"]] * 2
        assert {each.status for each in stage.event_grid.deliveries} == {202}, "no delivery fails for it"
        status = await stage.app.status()
        assert any("a management lock forbids it" in row["last_error"] for row in status["dirty"])
        stage.cloud.private_dns.unlock(zone_id(EAST))
        await asyncio.sleep(600)
        await stage.app.drain()
        assert stage.wrong_answers() == {}

    run_scenario(story, fleet())


def test_an_event_that_could_not_be_observed_is_delivered_again():
    async def story(stage):
        await swept(stage)
        stage.faults = lambda request: Response(500) if "/virtualMachines/" in request.path else None
        stage.arm("POST", f"{vm_id('w-1')}/deallocate")
        await stage.finish_operations()
        with pytest.raises(Transient):
            await stage.app.on_event(event(vm_id("w-1")))
        while 500 not in {each.status for each in stage.event_grid.deliveries}:  # noqa: ASYNC110 - in virtual time
            await asyncio.sleep(1)
        stage.faults = None
        await stage.deliver_pending_events()
        assert stage.wrong_answers() == {}

    run_scenario(story, fleet())


def test_an_event_of_a_nic_that_may_not_be_read_is_acknowledged_and_changes_nothing():
    forbidden = Response(403, {"error": {"code": "AuthorizationFailed", "message": "no role"}})

    async def story(stage):
        await swept(stage)
        before = answers(stage)
        stage.faults = lambda request: forbidden if "/networkInterfaces/" in request.path else None
        report = await stage.app.on_event(event(nic_id("w-1"), "Microsoft.Resources.ResourceWriteSuccess"))
        assert "no role" in report.failures[0][1]
        assert answers(stage) == before

    run_scenario(story, fleet())


def test_an_event_is_answered_before_event_grid_gives_up_on_it_however_slow_azure_is():
    async def story(stage):
        await swept(stage)
        stage.faults = lambda request: Slow(9.3)
        stage.event_grid.disturbance.lose_next = 1
        stage.arm("POST", f"{vm_id('e-1')}/powerOff")
        await stage.finish_operations()
        begun = stage.clock()
        await stage.app.on_event(event(vm_id("e-1")))
        assert stage.clock() - begun < 27.5, "Event Grid waits 30 s"
        stage.faults = None
        await stage.deliver_pending_events()
        await asyncio.sleep(300)
        await stage.app.drain()
        assert stage.wrong_answers() == {}

    run_scenario(story, fleet())


def test_a_zone_that_another_instance_writes_is_left_to_it_and_taken_over_when_its_lease_ends():
    async def story(stage):
        await swept(stage)
        await stage.app.catalog.acquire(zone_id(EAST).lower(), "another instance", stage.clock(), 60)
        stage.arm("POST", f"{vm_id('e-1')}/powerOff")
        await stage.deliver_pending_events()
        assert answers(stage)[0] == ["10.1.0.4", "10.1.0.5"]
        assert {row["urgency"] for row in (await stage.app.status())["dirty"]} == {"withdraw", "host_withdraw"}
        await asyncio.sleep(120)
        report = await stage.app.drain()
        assert (report.names_remaining, report.changes) == (2, []), (
            "what the other one wrote in the last minute is not known"
        )
        while report.names_remaining:
            await asyncio.sleep(30)
            report = await stage.app.drain()
        assert stage.wrong_answers() == {}

    run_scenario(story, fleet())


def test_the_drain_timer_waits_for_a_zone_that_another_instance_is_about_to_give_back():
    async def story(stage):
        await swept(stage)
        zone, catalog = zone_id(EAST).lower(), stage.app.catalog
        await catalog.acquire(zone, "another instance", stage.clock(), 60)
        stage.arm("POST", f"{vm_id('e-1')}/powerOff")
        await stage.deliver_pending_events()
        drain = asyncio.ensure_future(stage.app.drain())
        await asyncio.sleep(15)
        assert not drain.done()
        await catalog.release(zone, "another instance", ())
        assert (await drain).names_remaining == 0
        assert stage.wrong_answers() == {}

    run_scenario(story, fleet())


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("no json", "malformed"),
        ("[]", "malformed"),
        (event(vm_id("w-1").replace(SUB, SUB[::-1])), "foreign"),
        (event(zone_id(EAST) + "/A/llama", "Microsoft.Resources.ResourceWriteSuccess"), "unclaimed"),
        (event(zone_id(EAST) + "/A/@", "Microsoft.Resources.ResourceWriteSuccess"), "irrelevant"),
        (event(vm_id("w-1"), "Microsoft.Storage.BlobCreated"), "irrelevant"),
        (event(vm_id("w-1") + "?x=y"), "irrelevant"),
        (event(vm_id("..")), "irrelevant"),
        (" " * (1024 * 1024 + 1), "oversized"),
    ],
)
def test_an_event_that_is_none_of_ours_is_counted_and_asks_azure_nothing(text, outcome):
    async def story(stage):
        await stage.app.on_event(text)
        assert stage.request_log.requests == []
        assert (await stage.app.status())["events"] == {outcome: 1}

    run_scenario(story, fleet())


def test_an_explanation_names_every_claim_with_its_reason():
    async def story(stage):
        await swept(stage)
        told = await stage.app.explain(stage.app.settings.zones[0], "llama")
        assert told["answer"] == {"addresses": ["10.1.0.4", "10.1.0.5"], "ttl": 30, "reason": "nearest: eastus 0 ms"}
        assert told["record"] == {"addresses": ["10.1.0.4", "10.1.0.5"], "ttl": 30, "owned": True}
        reasons = {
            claim["endpoint"].rsplit("/", 1)[-1]: (claim["included"], claim["reason"]) for claim in told["claims"]
        }
        assert reasons["e-1"] == (True, "nearest: eastus 0 ms")
        assert reasons["w-1"][0] is False
        assert reasons["w-1"][1].startswith("farther: westeurope")
        assert told["dirty"] is None

    run_scenario(story, fleet())


class Leasing(MemoryCatalog):
    """Keeps when each zone's lease ends, as its holder was told."""

    def __init__(self):
        super().__init__()
        self.ends = {}

    async def acquire(self, zone, holder, now, seconds):
        lease = await super().acquire(zone, holder, now, seconds)
        if lease:
            self.ends[zone] = lease.expires
        return lease

    async def release(self, zone, holder, spent):
        self.ends.pop(zone, None)
        await super().release(zone, holder, spent)


def test_a_zone_is_never_written_faster_than_its_budget_nor_without_a_lease_that_outlasts_the_write():
    vms = [a_vm(f"w-{i}", WEST, 10 + i, "") for i in range(80)]
    left, catalog = [], Leasing()

    async def story(stage):
        def of_the_lease(request):
            if request.method != "GET":
                left.append(catalog.ends[zone_id(WEST).lower()] - stage.clock())

        stage.faults = of_the_lease
        stage.cloud.private_dns.limits = True
        report = await stage.app.correct_drift()
        while report.names_remaining:
            await asyncio.sleep(30)
            report = await stage.app.drain()
        assert {status for method, _, status in stage.request_log.writes if method == "PUT"} == {201}
        assert min(left) >= 10
        assert stage.wrong_answers() == {}

    run_scenario(story, a_world(*vms, regions=(WEST,)), catalog=catalog)


def test_an_event_does_not_wait_for_a_long_sweep_that_will_serve_it():
    vms = [a_vm(f"w-{i}", WEST, 10 + i, "") for i in range(150)]

    async def story(stage):
        sweep = asyncio.create_task(stage.app.correct_drift())
        await asyncio.sleep(40)
        stage.arm("POST", f"{vm_id('w-3')}/powerOff")
        await stage.finish_operations()
        begun = stage.clock()
        await stage.app.on_event(event(vm_id("w-3")))
        assert stage.clock() - begun < 5
        await sweep
        assert stage.record(WEST, "w-3") is None

    run_scenario(story, a_world(*vms, regions=(WEST,)))


def test_a_deleted_vm_is_remembered_for_longer_than_any_look_at_it_may_last_and_then_forgotten():
    """A look that began before the deletion must find a row that is newer than what it has seen."""

    async def story(stage):
        await swept(stage)
        stage.arm("DELETE", vm_id("e-1"))
        await stage.deliver_pending_events()
        deleted, longest = stage.clock(), 600.0  # The host ends every function after ten minutes.

        async def remembered():
            await stage.app.drain()
            await swept(stage)
            catalog = stage.app.catalog
            rows = {row.value.endpoint.key for row in await catalog.endpoints()}
            return vm_id("e-1").lower() in rows, "e-1" in {row.value.name for row in await catalog.indexed()}

        while stage.clock() < deleted + 2 * longest:
            assert await remembered() == (True, True)
            await asyncio.sleep(200)
        await asyncio.sleep(3600)
        assert await remembered() == (False, False)

    run_scenario(story, fleet())


class Delaying(MemoryCatalog):
    """Tells the claimants of a name late, once."""

    seconds = 0.0

    async def claimants(self, name):
        seconds, self.seconds = self.seconds, 0.0
        await asyncio.sleep(seconds)
        return await super().claimants(name)


@pytest.mark.parametrize(("write_seconds", "is_settled"), [(1.0, True), (60.0, False)])
def test_a_write_that_was_begun_before_a_drains_deadline_has_a_few_seconds_to_end(write_seconds, is_settled):
    catalog = Delaying()

    async def story(stage):
        await swept(stage)
        stage.event_grid.disturbance.lose_next = 1
        stage.arm("POST", f"{vm_id('w-1')}/deallocate")
        await stage.finish_operations()
        await catalog.mark_dirty(DirtyName(zone_id(WEST).lower(), "w-1", Urgency.HOST_WITHDRAW, stage.clock()))
        row = await catalog.endpoint(vm_id("w-1").lower())
        stopped = replace(row.value.endpoint, state=State.STOPPED)
        await catalog.put_endpoint(replace(row.value, endpoint=stopped), row.etag)
        catalog.seconds = DRAIN_SECONDS - 1.0
        stage.faults = lambda request: Slow(write_seconds) if request.method == "DELETE" else None
        begun = stage.clock()
        with nullcontext() if is_settled else pytest.raises(Transient):
            await stage.app.drain()
        assert stage.clock() - begun < 30.0, "the next drain is due"
        assert (await catalog.dirty_name(zone_id(WEST).lower(), "w-1") is None) is is_settled

    run_scenario(story, fleet(), catalog=catalog)
