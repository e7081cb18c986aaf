"""docs/from-records-to-nearzone.md, step by step: from records made by hand to nearzone, on a simulated Azure."""

import asyncio
import json

import pytest

from tests.support.deployment import GROUP, REGIONS, a_vm, a_world, run_scenario, vm_id, vnet, zone_id

EAST, WEST, _ = REGIONS
ZONE = "aiworkloads.local"
OLD, NEW = zone_id(EAST, ZONE), zone_id(WEST, ZONE)
OURS = {"nearzone-owner": "nearzone"}
ONE_ZONE = [{"id": OLD, "region": EAST}]
BOTH = [*ONE_ZONE, {"id": NEW, "region": WEST}]
RECORDS = [
    {"name": "server1", "type": "A", "ttl": 300, "addresses": ["10.1.0.4"], "metadata": {"region": "East US"}},
    {"name": "server2", "type": "A", "ttl": 300, "addresses": ["10.2.0.4"], "metadata": {"region": "Europe West"}},
]
SERVERS = [a_vm("server1", EAST, 4, ""), a_vm("server2", WEST, 4, "")]
BALANCER = {
    "id": f"{GROUP}/gpu/providers/Microsoft.Network/loadBalancers/chat-lb",
    "location": EAST,
    "tags": {"nearzone": "chat"},
    "frontends": [{"name": "inside", "vnet": vnet(EAST), "address": "10.1.0.20"}],
}
CNAME = {"name": "chat", "type": "CNAME", "ttl": 300, "records": {"cname": "chat.trafficmanager.net"}}


def by_hand(*vms, records=RECORDS, zones=ONE_ZONE, mode="shadow", **lists):
    """The minimal example's zone, with both servers tagged; a second zone, still empty, for West Europe."""
    world = a_world(*SERVERS, *vms, regions=(EAST, WEST), zone=ZONE, ZONES=zones, MODE=mode)
    world["zones"][0]["records"] = list(records)
    return world | lists


def held(stage, name, zone=OLD):
    """TTL, addresses and metadata of an A record set; None where there is none."""
    answer = stage.arm("GET", f"{zone}/A/{name}")
    if answer.status == 404:
        return None
    found = answer.content["properties"]
    return found["ttl"], [each["ipv4Address"] for each in found["aRecords"]], found.get("metadata", {})


def planned(report):
    return sorted(
        (each.kind, each.name, each.before.addresses if each.before else (), each.after.addresses if each.after else ())
        for each in report.changes
    )


def skipped(report):
    return {(each.name, each.reason) for each in report.skips}


BEFORE = [(300, ["10.1.0.4"], {"region": "East US"}), (300, ["10.2.0.4"], {"region": "Europe West"})]
AFTER = [(ttl, addresses, metadata | OURS) for ttl, addresses, metadata in BEFORE]
SAME = [("update", "server1", ("10.1.0.4",), ("10.1.0.4",)), ("update", "server2", ("10.2.0.4",), ("10.2.0.4",))]


def records(stage):
    return [held(stage, "server1"), held(stage, "server2")]


def test_shadow_names_what_is_not_ours_and_writes_nothing():
    async def story(stage):
        report = await stage.resync()
        assert skipped(report) == {
            ("server1", "the record set is not ours; adopt takes it over"),
            ("server2", "the record set is not ours; adopt takes it over"),
        }
        assert (report.changes, report.failures, stage.request_log.writes) == ([], [], [])

    run_scenario(story, by_hand())


def test_in_shadow_an_adoption_is_only_told_and_has_to_be_asked_for_again_later():
    async def story(stage):
        await stage.resync()
        assert planned(await stage.resync(adopt=["server1", "server2"], dry_run=True)) == SAME
        assert planned(await stage.resync(adopt=["server1", "server2"])) == SAME
        assert (records(stage), stage.request_log.writes) == (BEFORE, [])
        stage.restart(stage.app.catalog, NEARZONE_MODE="apply")
        await stage.app.correct_drift()
        await stage.app.drain()
        assert records(stage) == BEFORE

    run_scenario(story, by_hand())


def test_an_adopted_record_set_keeps_its_address_ttl_and_metadata_and_gets_the_mark():
    async def story(stage):
        await stage.resync()
        assert records(stage) == BEFORE, "in apply mode, too, nothing is touched before"
        report = await stage.resync(adopt=["server1", "server2"])
        assert (planned(report), report.failures, report.skips) == (SAME, [], [])
        assert records(stage) == AFTER
        assert (await stage.resync()).changes == []

    run_scenario(story, by_hand(mode="apply"))


def test_an_adopted_name_follows_its_machine():
    async def story(stage):
        await stage.resync(adopt=["server1", "server2"])
        await stage.resync()
        stage.arm("POST", f"{vm_id('server2')}/deallocate")
        await stage.deliver_pending_events()
        assert records(stage) == [AFTER[0], None]
        stage.arm("POST", f"{vm_id('server2')}/start")
        await stage.deliver_pending_events()
        assert records(stage) == [AFTER[0], (300, ["10.2.0.4"], OURS)], "what was noted on it went with it"

    run_scenario(story, by_hand(mode="apply"))


def test_a_dry_run_shows_that_an_address_made_by_hand_is_not_the_machines():
    async def story(stage):
        await stage.resync()
        report = await stage.resync(adopt=["server1"], dry_run=True)
        assert planned(report) == [("update", "server1", ("10.9.9.9",), ("10.1.0.4",))]
        assert held(stage, "server1")[1] == ["10.9.9.9"]
        await stage.resync(adopt=["server1"])
        assert held(stage, "server1")[1] == ["10.1.0.4"]

    wrong = [RECORDS[0] | {"addresses": ["10.9.9.9"]}, RECORDS[1]]
    run_scenario(story, by_hand(records=wrong, mode="apply"))


def test_a_name_without_a_machine_or_with_a_stopped_one_is_not_taken_over():
    async def story(stage):
        await stage.resync()
        report = await stage.resync(adopt=["printer", "stopped"])
        assert skipped(report) == {
            ("printer", "not adopted: no endpoint claims this name"),
            ("stopped", "not taken over: no endpoint serves this name now"),
        }
        assert [held(stage, name)[2] for name in ("printer", "stopped")] == [{}, {}]

    others = [{"name": name, "type": "A", "ttl": 60, "addresses": ["10.1.7.7"]} for name in ("printer", "stopped")]
    stopped = a_vm("stopped", EAST, 7, "", power="deallocated")
    run_scenario(story, by_hand(stopped, records=[*RECORDS, *others], mode="apply"))


def test_a_program_that_still_writes_the_records_takes_them_back_and_nearzone_says_so():
    """The old stack run once more: its body has no owner tag. So is the way back."""

    async def story(stage):
        await stage.resync(adopt=["server1", "server2"])
        await stage.resync()
        properties = {"ttl": 300, "aRecords": [{"ipv4Address": "10.1.0.4"}], "metadata": {"region": "East US"}}
        stage.arm("PUT", f"{OLD}/A/server1", {"properties": properties})
        report = await stage.app.correct_drift()
        assert {name for name, _ in skipped(report)} == {"server1"}
        assert records(stage) == [BEFORE[0], AFTER[1]]
        stage.arm("POST", f"{vm_id('server1')}/deallocate")
        await stage.deliver_pending_events()
        assert records(stage) == [BEFORE[0], AFTER[1]], "it is its owner's again, dead address and all"

    run_scenario(story, by_hand(mode="apply"))


def test_a_new_regions_zone_is_full_before_any_vnet_is_linked_to_it():
    async def story(stage):
        await stage.resync(adopt=["server1", "server2"])
        await stage.resync()
        stage.restart(NEARZONE_ZONES=json.dumps(BOTH))
        await stage.app.correct_drift()
        assert [held(stage, name, NEW) for name in ("server1", "server2")] == [
            (300, ["10.1.0.4"], OURS),
            (300, ["10.2.0.4"], OURS),
        ]
        assert records(stage) == AFTER

    run_scenario(story, by_hand(mode="apply"))


def test_a_record_of_a_load_balancer_is_adopted_and_follows_the_frontend():
    async def story(stage):
        await stage.resync()
        report = await stage.resync(adopt=["chat"], dry_run=True)
        assert planned(report) == [("update", "chat", ("10.1.0.20",), ("10.1.0.20",))]
        await stage.resync(adopt=["chat"])
        assert held(stage, "chat") == (30, ["10.1.0.20"], OURS), "the TTL of names claimed by tag"
        stage.arm("POST", f"{vm_id('behind')}/deallocate")
        await stage.deliver_pending_events()
        assert held(stage, "chat") == (30, ["10.1.0.20"], OURS), "machines behind it are its own affair"

    record = {"name": "chat", "type": "A", "ttl": 300, "addresses": ["10.1.0.20"]}
    world = by_hand(a_vm("behind", EAST, 8, None), records=[record], mode="apply", load_balancers=[BALANCER])
    run_scenario(story, world)


def with_cname(tags):
    return by_hand(records=[*RECORDS, CNAME], mode="apply", load_balancers=[BALANCER | {"tags": tags}])


def tag(stage, names):
    body = {"operation": "Merge", "properties": {"tags": {"nearzone": names}}}
    stage.arm("PATCH", f"{BALANCER['id']}/providers/Microsoft.Resources/tags/default", body)


def test_beside_a_cname_no_a_record_set_can_be_made_and_everything_else_goes_on():
    async def story(stage):
        report = await stage.resync()
        ((what, error),) = set(report.failures)
        assert what.startswith(f"chat in {ZONE}")
        assert "HTTP 409" in error
        assert "CNAME" in error
        assert held(stage, "chat") is None
        assert stage.arm("GET", f"{OLD}/CNAME/chat").status == 200, "the CNAME stands"
        assert held(stage, "chat-lb") == (300, ["10.1.0.20"], OURS)
        alarms = [alarm["what"] for alarm in (await stage.app.status())["alarms"]]
        assert any(each.startswith("chat in") for each in alarms)

    run_scenario(story, with_cname({"nearzone": "chat"}))


@pytest.mark.parametrize("by_event", [True, False])
def test_a_name_that_is_claimed_just_after_its_cname_went_is_answered_within_seconds(by_event):
    async def story(stage):
        await stage.resync()
        assert held(stage, "chat-lb")[1] == ["10.1.0.20"], "the load balancer is known already, by its own name"
        if not by_event:
            stage.event_grid.subscriptions.clear()
        stage.arm("DELETE", f"{OLD}/CNAME/chat")
        tag(stage, "chat")
        gone_at = stage.clock()
        await (stage.deliver_pending_events() if by_event else stage.resync(endpoint=BALANCER["id"]))
        assert held(stage, "chat") == (30, ["10.1.0.20"], OURS)
        assert stage.clock() - gone_at < 10

    run_scenario(story, with_cname({"nearzone": ""}))


@pytest.mark.parametrize("by_hand_", [False, True])
def test_a_name_that_was_claimed_before_its_cname_went_is_answered_with_its_next_try_or_by_hand_at_once(by_hand_):
    async def story(stage):
        await stage.resync()
        await asyncio.sleep(3600)
        await stage.app.drain()
        stage.arm("DELETE", f"{OLD}/CNAME/chat")
        if by_hand_:
            assert (await stage.resync(name="chat")).names_remaining == 0
        for _ in range(0 if by_hand_ else 11):
            await asyncio.sleep(30)
            await stage.app.drain()
        assert held(stage, "chat") == (30, ["10.1.0.20"], OURS)

    run_scenario(story, with_cname({"nearzone": "chat"}))


def test_the_way_back_to_a_cname_is_to_take_the_name_out_of_the_tag():
    async def story(stage):
        await stage.resync()
        assert held(stage, "chat")[1] == ["10.1.0.20"]
        tag(stage, "")
        await stage.deliver_pending_events()
        assert held(stage, "chat") is None
        properties = {"ttl": 30, "cnameRecord": {"cname": "chat.trafficmanager.net"}}
        assert stage.arm("PUT", f"{OLD}/CNAME/chat", {"properties": properties}).status == 201
        assert (await stage.resync()).failures == []

    run_scenario(story, by_hand(mode="apply", load_balancers=[BALANCER]))


def test_a_new_regions_zone_answers_where_the_old_one_still_has_the_cname():
    async def story(stage):
        await stage.resync()
        assert held(stage, "chat", NEW) == (30, ["10.1.0.20"], OURS)
        assert stage.arm("GET", f"{OLD}/CNAME/chat").status == 200

    run_scenario(story, by_hand(records=[CNAME], zones=BOTH, mode="apply", load_balancers=[BALANCER]))


def test_the_preflight_warns_of_local():
    async def story(stage):
        alarms = (await stage.resync(check=True)).alarms
        assert any("ends in .local" in alarm.what for alarm in alarms)

    run_scenario(story, by_hand())
