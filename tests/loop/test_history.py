"""Every change knows what it is due to: in the log, in the history of its name, in the status."""

import json
import logging
from datetime import datetime

import pytest

from shared.domain.errors import BadRequest
from shared.edge.status_query import SummaryQuery, parse_status_query
from tests.support.deployment import REGIONS, a_vm, a_world, nic_id, run_scenario, vm_id, zone_id

EAST, WEST, ASIA = REGIONS
WHO = ("by", "reason_given")


def fleet():
    return a_world(a_vm("e-1", EAST, 4), a_vm("w-1", WEST, 4))


async def ended(stage):
    """Two VMs published by a sweep, then the nearer one stopped, and an override of the other one."""
    await stage.app.correct_drift()
    stage.arm("POST", vm_id("e-1") + "/deallocate")
    await stage.deliver_pending_events(60)
    await stage.resync(drain={"region": WEST, "minutes": 5})


def test_the_history_of_a_name_tells_when_from_what_to_what_why_and_because_of_what():
    async def story(stage):
        began = stage.clock()
        await ended(stage)
        (last, middle, first) = (await stage.app.explain(stage.app.settings.zones[0], "llama"))["history"]
        assert (first["kind"], first["before"], first["after"]) == ("create", [], ["10.1.0.4"])
        assert first["cause"].startswith("sweep 20")
        assert (middle["kind"], middle["before"], middle["after"]) == ("update", ["10.1.0.4"], ["10.2.0.4"])
        assert middle["reason"].startswith("failover: no endpoint serves in eastus")
        causes = {f"event {each.event_id}: {each.operation} e-1" for each in stage.event_grid.deliveries}
        assert middle["cause"] in causes
        assert middle["cause"].endswith(": Microsoft.Compute/virtualMachines/deallocate/action e-1")
        assert (last["kind"], last["after"], last["reason"]) == ("delete", [], "no endpoint serves")
        assert last["cause"].startswith("drain override 20")
        assert began < stage.clock()
        assert first["at"] < middle["at"] < last["at"] <= (await stage.app.status())["now"]

    run_scenario(story, fleet())


def test_the_status_has_the_last_changes_of_all_zones_newest_first_and_the_last_sweeps():
    async def story(stage):
        await ended(stage)
        told = await stage.app.status()
        times = [each["at"] for each in told["changes"]]
        assert times == sorted(times, reverse=True)
        assert {each["zone"] for each in told["changes"]} == {zone_id(region).lower() for region in REGIONS}
        assert told["changes_count"] == 3 * 3 + (1 + 3) + (3 + 3) + 3, (
            "created; failed over, and gone by its own name; withdrawn; the order itself"
        )
        (sweep,) = told["sweeps"]
        assert (sweep["endpoints"], sweep["changes"], sweep["complete"]) == (2, 9, True)
        assert 0 <= sweep["drift"] <= 9, "the names that were not right yet when the sweep made its plan"

    run_scenario(story, fleet())


def test_the_status_has_the_newest_changes_alone_where_there_are_many():
    async def story(stage):
        await stage.app.correct_drift()
        await stage.deliver_pending_events(60)
        for number in range(25):
            stage.arm("POST", vm_id(f"e-{number}") + "/deallocate")
        await stage.deliver_pending_events(120)
        told = await stage.app.status()
        kept = [await stage.app.catalog.history(zone.key) for zone in stage.app.settings.zones]
        newest = sorted((past.at for changes in kept for past in changes), reverse=True)
        assert 20 <= len(told["changes"]) <= told["changes_count"] < len(newest)
        times = [datetime.fromisoformat(each["at"]).timestamp() for each in told["changes"]]
        assert times == pytest.approx(newest[: len(times)], abs=0.001)

    run_scenario(story, a_world(*(a_vm(f"e-{number}", EAST, 10 + number) for number in range(25))))


def test_what_somebody_has_edited_and_a_sweep_put_right_is_due_to_that_sweep():
    async def story(stage):
        await stage.app.correct_drift()
        stage.arm("DELETE", zone_id(ASIA) + "/A/llama")
        await stage.app.correct_drift()
        newest = (await stage.app.status())["changes"][0]
        assert (newest["name"], newest["kind"], newest["cause"][:8]) == ("llama", "create", "sweep 20")

    run_scenario(story, fleet())


def test_an_event_of_what_an_endpoint_depends_on_is_the_cause_as_well():
    async def story(stage):
        await stage.app.correct_drift()
        nic = stage.arm("GET", nic_id("e-1")).content
        nic["properties"]["ipConfigurations"][0]["properties"]["privateIPAddress"] = "10.1.0.77"
        stage.arm("PUT", nic_id("e-1"), nic)
        await stage.deliver_pending_events(5)
        told = await stage.app.explain(stage.app.settings.zones[0], "llama")
        assert told["record"]["addresses"] == ["10.1.0.77"]
        assert told["history"][0]["cause"].endswith("Microsoft.Network/networkInterfaces/write e-1-nic")

    run_scenario(story, fleet())


def test_each_decision_is_one_line_of_json_with_zone_name_before_after_reason_and_cause(caplog):
    caplog.set_level(logging.INFO, "nearzone")

    async def story(stage):
        await stage.app.correct_drift()
        caplog.clear()
        stage.arm("POST", vm_id("e-1") + "/deallocate")
        await stage.deliver_pending_events(5)

    run_scenario(story, fleet())
    lines = [json.loads(record.getMessage()) for record in caplog.records if record.getMessage().startswith("{")]
    (line,) = [
        each for each in lines if each["zone"] == EAST and each["name"] == "llama" and each["decision"] == "update"
    ]
    assert list(line) == ["decision", "zone", "fqdn", "name", "before", "after", "reason", "cause", *WHO]
    assert (line["fqdn"], line["before"], line["after"]) == ("ai.internal", ["10.1.0.4"], ["10.2.0.4"])
    assert line["reason"].startswith("failover")
    assert line["cause"].startswith("event ")
    assert all("\n" not in record.getMessage() for record in caplog.records)


def test_shadow_mode_logs_what_it_would_do_and_keeps_no_history(caplog):
    caplog.set_level(logging.INFO, "nearzone")

    async def story(stage):
        await stage.app.correct_drift()
        assert (await stage.app.status())["changes"] == []

    run_scenario(story, fleet(), NEARZONE_MODE="shadow")
    decisions = {json.loads(r.getMessage())["decision"] for r in caplog.records if r.getMessage().startswith("{")}
    assert decisions == {"would create"}


def test_the_full_status_has_every_names_answer_in_every_zone_and_every_endpoint():
    async def story(stage):
        await ended(stage)
        told = await stage.app.status(full=True)
        assert [(each["name"], each["host"]) for each in told["names"]] == [
            ("e-1", True),
            ("llama", False),
            ("w-1", True),
        ]
        (llama,) = [each for each in told["names"] if each["name"] == "llama"]
        assert [(each["zone"], each["addresses"], each["endpoints"]) for each in llama["answers"]] == [
            (zone_id(region), [], []) for region in REGIONS
        ]
        await stage.resync(undrain={"region": WEST})
        answers = (await stage.app.status(full=True))["names"][1]["answers"]
        assert [(each["addresses"], each["endpoints"]) for each in answers] == [(["10.2.0.4"], [vm_id("w-1")])] * 3
        assert [(each["id"], each["state"], each["addresses"]) for each in told["known"]] == [
            (vm_id("e-1"), "stopped", ["10.1.0.4"]),
            (vm_id("w-1"), "serving", ["10.2.0.4"]),
        ]

    run_scenario(story, fleet())


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"full": "yes"}, "full: 'yes' is neither true nor false"),
        ({"full": "true", "zone": EAST, "name": "llama"}, "full: not together with zone and name"),
        ({"fulll": "true"}, "fulll: unknown parameter"),
        ({"zone": EAST}, "name: missing"),
    ],
)
def test_a_question_that_is_none_is_refused_with_its_parameter(params, said):
    async def story(stage):
        assert parse_status_query({"full": "True", "code": "k"}, stage.app.settings) == SummaryQuery(full=True)
        with pytest.raises(BadRequest, match=said):
            parse_status_query(params, stage.app.settings)

    run_scenario(story, fleet())


def test_what_is_gone_or_claims_nothing_is_no_endpoint_in_the_status():
    """Events about strangers leave rows behind; `gone` are only those that had claimed a name."""

    async def story(stage):
        await stage.app.correct_drift()
        for name in ("stranger-1", "stranger-2"):
            stage.arm("POST", vm_id(name) + "/restart")
        await stage.deliver_pending_events(60)
        stage.arm("DELETE", vm_id("stranger-2"))
        stage.arm("DELETE", vm_id("e-1"))
        await stage.deliver_pending_events(60)
        assert len(await stage.app.catalog.endpoints()) == 4, "their rows are there"
        told = await stage.app.status(full=True)
        assert told["endpoints"] == {"gone": 1, "serving": 1}
        assert [each["id"] for each in told["known"]] == [vm_id("e-1"), vm_id("w-1")]

    strangers = (a_vm(f"stranger-{i}", EAST, 20 + i, None) for i in (1, 2))
    run_scenario(story, a_world(a_vm("e-1", EAST, 4), a_vm("w-1", WEST, 4), *strangers))
