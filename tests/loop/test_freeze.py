"""A frozen zone is not written, whatever happens and whoever asks, and nothing that happened meanwhile is lost."""

import asyncio

from tests.support.deployment import REGIONS, a_vm, a_world, answers, run_scenario, vm_id, zone_id

EAST, WEST, ASIA = REGIONS
OURS = {"nearzone-owner": "nearzone"}


def fleet():
    return a_world(a_vm("e-1", EAST, 4), a_vm("e-2", EAST, 5), a_vm("w-1", WEST, 4))


async def frozen(stage, **wanted):
    await stage.app.correct_drift()
    assert answers(stage) == [["10.1.0.4", "10.1.0.5"], ["10.2.0.4"], ["10.2.0.4"]]
    return await stage.resync(freeze={"zone": EAST, **wanted})


def writes(stage):
    """Requests that would change East US's zone."""
    return [each for each in stage.request_log.requests if each[0] != "GET" and zone_id(EAST) in each[1]]


async def stopped(stage, name):
    stage.arm("POST", vm_id(name) + "/deallocate")
    await stage.deliver_pending_events()


def test_events_timers_and_people_write_nothing_to_a_frozen_zone_and_the_others_go_on():
    async def story(stage):
        await frozen(stage)
        before = writes(stage)
        await stopped(stage, "e-1")
        await stopped(stage, "w-1")
        await stage.app.drain()
        await asyncio.sleep(600)
        await stage.app.correct_drift()
        report = await stage.resync(force="0123456789ab", zone=EAST)
        assert [(each.name, each.reason) for each in report.skips if each.name == "llama"] == [
            ("llama", "frozen: would update it")
        ]
        assert answers(stage) == [["10.1.0.4", "10.1.0.5"], ["10.1.0.5"], ["10.1.0.5"]]
        assert writes(stage) == before

    run_scenario(story, fleet())


def test_what_a_freeze_held_back_is_put_right_when_it_is_taken_back():
    async def story(stage):
        await frozen(stage)
        await stopped(stage, "e-1")
        report = await stage.resync(unfreeze={"zone": EAST})
        assert (report.failures, report.refusals) == ([], [])
        assert answers(stage)[0] == ["10.1.0.5"]
        assert stage.wrong_answers() == {}

    run_scenario(story, fleet())


def test_a_freeze_with_an_end_ends_by_itself():
    async def story(stage):
        await frozen(stage, minutes=60)
        await stopped(stage, "e-1")
        await asyncio.sleep(3500)
        await stage.app.drain()
        assert answers(stage)[0] == ["10.1.0.4", "10.1.0.5"]
        await asyncio.sleep(101)
        await stage.app.drain()
        assert stage.wrong_answers() == {}

    run_scenario(story, fleet())


def test_a_freeze_outlives_the_process_and_binds_every_other_one():
    async def story(stage):
        await frozen(stage)
        stage.restart(stage.app.catalog)
        await stopped(stage, "e-1")
        await stage.app.drain()
        assert answers(stage)[0] == ["10.1.0.4", "10.1.0.5"]

    run_scenario(story, fleet())


def test_a_frozen_zone_is_told_by_its_status_its_alarm_and_its_explanations():
    async def story(stage):
        report = await frozen(stage, minutes=60)
        assert [(each.zone, each.reason[:13]) for each in report.skips] == [(zone_id(EAST), "frozen until ")]
        await stopped(stage, "e-1")
        told = await stage.app.status()
        until = {zone["region"]: zone["frozen"] for zone in told["zones"]}
        assert list(until[EAST]) == ["until", "by", "reason_given"]
        assert (until[WEST], until[ASIA]) == (None, None)
        (alarm,) = [each for each in told["alarms"] if "frozen" in each["what"]]
        assert alarm["what"] == f"zone ai.internal (eastus) is frozen until {until[EAST]['until']}"
        assert '{"unfreeze": {"zone": "eastus"}}' in alarm["do"]
        assert [row["name"] for row in told["dirty"] if "eastus" in row["zone"]] == ["llama", "e-1"]
        why = await stage.app.explain(stage.app.settings.zones[0], "llama")
        assert (why["answer"]["addresses"], why["record"]["addresses"]) == (["10.1.0.5"], ["10.1.0.4", "10.1.0.5"])
        assert why["frozen"] == until[EAST]
        assert why["dirty"]["cause"].startswith("event ")

    run_scenario(story, fleet())


def test_a_removal_that_the_guard_approved_before_a_freeze_waits_after_it_for_a_sweep_to_approve_it_anew():
    async def story(stage):
        stage.cloud.private_dns.lock(zone_id(EAST), "ReadOnly")
        await stage.app.correct_drift()  # Its guard approves that `old` goes, and the lock refuses the write.
        await stage.resync(freeze={"zone": EAST, "minutes": 60})
        stage.cloud.private_dns.unlock(zone_id(EAST))
        await asyncio.sleep(3601)
        await stage.app.drain()
        assert (stage.record(EAST, "old"), stage.record(WEST, "old")) == (["10.1.9.9"], None)
        assert (await stage.app.status())["zones"][0]["frozen"] is None
        await stage.app.correct_drift()
        assert stage.record(EAST, "old") is None

    old = {"name": "old", "type": "A", "ttl": 30, "addresses": ["10.1.9.9"], "metadata": OURS}
    run_scenario(story, a_world(a_vm("e-1", EAST, 4), records=[old]))
