"""Resyncs that meet failures, and many resyncs at once: each caller is answered soon, with what is true, and once."""

import asyncio
import json
from collections import Counter

import pytest

from shared.domain.errors import Conflict, Terminal, Transient
from shared.domain.overrides import Override
from shared.domain.zones import RecordSet
from shared.edge.commands import parse
from shared.edge.report import WAITS, Report
from tests.support.deployment import REGIONS, a_vm, a_world, run_scenario, vm_id, zone_id
from tests.support.two_instances import Two
from tests.support.zone_bench import ZONE, played

EAST, WEST, ASIA = REGIONS
VMS = "/providers/Microsoft.Compute/virtualMachines"


def fleet(**settings):
    return a_world(a_vm("e-1", EAST, 4), a_vm("e-2", EAST, 5), a_vm("w-1", WEST, 4), **settings)


def sweeps(stage, since):
    """How many sweeps Resource Manager has seen: each lists the VMs twice, with and without their power states."""
    return sum(path.endswith(VMS) for _, path in stage.request_log.requests[since:]) / 2


def many(count):
    """Machines with a name each: more than a minute's budget of one zone."""
    return [a_vm(f"host-{number}", EAST, 4 + number, "") for number in range(count)]


async def lost_stop(stage, name):
    stage.event_grid.disturbance.lose_next = 1
    stage.arm("POST", f"{vm_id(name)}/deallocate")
    await stage.finish_operations()


# --- failures


def test_a_resync_of_a_locked_zone_comes_back_when_nothing_more_can_be_done_and_says_each_failure_once():
    async def story(stage):
        await stage.app.correct_drift()
        stage.cloud.private_dns.lock(zone_id(EAST), "ReadOnly")
        await lost_stop(stage, "e-2")
        for _ in range(3):
            begun = stage.clock()
            report = await stage.resync()
            assert stage.clock() - begun < 10
            assert [what for what, _ in sorted(report.failures)] == [
                "e-2 in ai.internal (eastus)",
                "llama in ai.internal (eastus)",
            ]
            assert report.names_remaining == 2
        stage.cloud.private_dns.unlock(zone_id(EAST))
        report = await stage.resync()
        assert (report.failures, report.names_remaining, stage.wrong_answers()) == ([], 0, {})

    run_scenario(story, fleet())


@pytest.mark.parametrize("trigger", ["sweep", "drain"])
def test_timers_do_not_wait_for_what_is_backed_off_either(trigger):
    async def story(stage):
        await stage.app.correct_drift()
        stage.cloud.private_dns.lock(zone_id(EAST), "ReadOnly")
        await stage.app.on_event("{}")
        await lost_stop(stage, "e-2")
        begun = stage.clock()
        report = await stage.app.correct_drift()
        assert (stage.clock() - begun < 10, len(report.failures)) == (True, 2)
        await asyncio.sleep(35)
        begun = stage.clock()
        report = await (stage.app.correct_drift() if trigger == "sweep" else stage.app.drain())
        assert stage.clock() - begun < 10
        assert report.names_remaining == 2
        if trigger == "sweep":
            assert [error.split(" (")[1] for _, error in report.failures] == [f"{WAITS})"] * 2

    run_scenario(story, fleet())


def test_a_name_that_fails_again_and_again_stands_in_the_report_once_and_not_at_all_when_it_is_settled():
    async def story(bench):
        await bench.mark(*bench.hosts)
        bench.sets.fails = {"vm-0": Transient("HTTP 500"), "vm-1": Transient("HTTP 500"), "vm-2": Terminal("a lock")}

        async def repair():
            await asyncio.sleep(5)
            del bench.sets.fails["vm-1"]

        repairing = asyncio.ensure_future(repair())
        report = await bench.drain(bench.applier(), 240, wait=True)
        await repairing
        tries = Counter(bench.written())
        assert (tries["vm-0"], tries["vm-1"], tries["vm-2"]) == (4, 3, 1)
        assert bench.at < 20
        assert sorted(report.failures) == [
            ("vm-0 in ai.internal (westeurope)", "HTTP 500"),
            ("vm-2 in ai.internal (westeurope)", "a lock"),
        ]
        assert report.names_remaining == 2

    played(story, hosts=4)


def test_what_this_run_has_tried_is_not_told_as_a_failure_of_earlier_runs():
    async def story(bench):
        await bench.mark(*bench.hosts)
        bench.sets.fails = {"vm-0": Conflict("HTTP 412"), "vm-1": Terminal("a CNAME")}
        report = await bench.drain(bench.applier(), 240, wait=True)
        report.keep_failing(ZONE, report.waiting)
        assert sorted(error for _, error in report.failures) == ["HTTP 412", "a CNAME"]
        later = await bench.drain(bench.applier(), 1, wait=True)
        later.keep_failing(ZONE, later.waiting)
        assert [error for what, error in later.failures if what.startswith("vm-1")] == [f"a CNAME ({WAITS})"]

    played(story, hosts=2)


def test_what_only_waits_for_the_budget_is_worked_on_to_the_deadline_whatever_else_has_failed():
    async def story(bench):
        bench.sets.fails = {"vm-0": Terminal("a lock")}
        await bench.mark(*bench.hosts)
        report = await bench.drain(bench.applier(), 240, wait=True)
        assert (len(report.changes), report.names_remaining) == (129, 1)
        assert 120 < bench.at < 240

    played(story, hosts=130)


def test_what_must_not_be_narrowed_yet_does_not_keep_a_caller_waiting():
    async def story(bench):
        await bench.mark("nobody")
        report = Report("sweep")
        await bench.applier().apply(
            (ZONE,), bench.clock() + 240, report, keep_waiting=True, count_remaining=True, additions_only=True
        )
        assert bench.at < 5
        told = [(skip.name, skip.reason) for skip in report.skips]
        assert told == [("nobody", "not narrowed before a complete sweep")]

    played(story, held=[RecordSet("nobody", 30, ("10.0.0.1",), (("nearzone-owner", "nearzone"),), "e")])


# --- many at once


@pytest.mark.parametrize("body", [{}, {"zone": EAST}, {"dry_run": True}, {"name": "llama"}, {"adopt": ["llama"]}])
@pytest.mark.parametrize("apart", [0.0, 0.01])
def test_fifty_resyncs_at_once_are_one_sweep_or_two_and_one_report(body, apart):
    """Those that come while the first one reads share the one after it."""

    async def story(stage):
        await stage.app.correct_drift()
        await lost_stop(stage, "e-2")
        begun, since = stage.clock(), len(stage.request_log.requests)

        async def one(number):
            await asyncio.sleep(apart * number)
            return await stage.resync(**body)

        reports = await asyncio.gather(*map(one, range(50)))
        assert sweeps(stage, since) <= (1 if apart == 0.0 else 2)
        assert len({json.dumps(report.as_json()) for report in reports[1:]}) == 1
        assert [report.failures for report in reports] == [[]] * 50
        assert stage.clock() - begun < 10
        if "dry_run" not in body:
            assert stage.record(EAST, "llama") == ["10.1.0.4"]

    run_scenario(story, fleet())


def test_a_resync_that_comes_while_one_reads_sees_what_has_happened_before_it_came():
    async def story(stage):
        await stage.app.correct_drift()
        first = asyncio.ensure_future(stage.resync())
        await asyncio.sleep(0.6)
        await lost_stop(stage, "e-2")
        assert (await stage.resync()).failures == []
        assert stage.record(EAST, "llama") == ["10.1.0.4"]
        await first

    run_scenario(story, fleet(), latency=5.0)


def test_fifty_resyncs_of_different_scopes_read_two_at_a_time_and_none_fails():
    async def story(stage):
        await stage.app.correct_drift()
        begun, since = stage.clock(), len(stage.request_log.requests)
        reports = await asyncio.gather(*(stage.resync(name=f"name-{number}") for number in range(50)))
        assert [report.failures for report in reports] == [[]] * 50
        assert sweeps(stage, since) == 50
        assert stage.clock() - begun < 60

    run_scenario(story, fleet())


def test_resyncs_do_not_wait_for_a_zones_budget_one_after_the_other():
    """The first fill takes longer than an HTTP answer may: all are answered before, and none fails."""

    async def story(stage):
        begun = stage.clock()

        async def one(number):
            await asyncio.sleep(0.1 * number)
            return await stage.resync(zone=EAST)

        reports = await asyncio.gather(*map(one, range(50)))
        assert [report.failures for report in reports] == [[]] * 50
        assert stage.clock() - begun < 220
        assert reports[0].names_remaining > 0

    run_scenario(story, a_world(*many(240), regions=(EAST,)))


def test_a_drain_order_goes_ahead_of_all_resyncs_that_run_or_wait():
    async def story(stage):
        await stage.app.correct_drift()
        resyncs = [asyncio.ensure_future(stage.resync()) for _ in range(25)]
        resyncs += [asyncio.ensure_future(stage.resync(zone=region)) for region in REGIONS for _ in range(5)]
        await asyncio.sleep(0.05)
        begun = stage.clock()
        orders = await asyncio.gather(
            stage.resync(drain={"endpoint": vm_id("e-2"), "minutes": 60}),
            stage.resync(drain={"endpoint": vm_id("w-1"), "minutes": 60}),
        )
        assert stage.clock() - begun < 5
        assert [order.failures for order in orders] == [[], []]
        held = {stored.value.target for stored in await stage.app.catalog.overrides()}
        assert held == {vm_id("e-2").lower(), vm_id("w-1").lower()}
        assert stage.record(EAST, "llama") == stage.record(WEST, "llama") == ["10.1.0.4"]
        for report in await asyncio.gather(*resyncs):
            assert report.failures == []
        assert stage.record(WEST, "llama") == ["10.1.0.4"]

    run_scenario(story, fleet())


def test_a_drain_order_is_carried_out_at_once_while_a_resync_waits_for_the_budget():
    async def story(stage):
        resync = asyncio.ensure_future(stage.resync())
        await asyncio.sleep(90)
        assert not resync.done()
        order = asyncio.ensure_future(stage.resync(drain={"endpoint": vm_id("e-2"), "minutes": 60}))
        await asyncio.sleep(3)
        assert stage.record(EAST, "llama") == ["10.1.0.254"]
        await asyncio.gather(resync, order)

    spare = [a_vm("e-1", EAST, 254), a_vm("e-2", EAST, 253)]
    run_scenario(story, a_world(*spare, *many(240), regions=(EAST,)))


def test_unfreezes_at_once_take_the_freeze_back_before_anything_else_and_share_the_sweep():
    async def story(stage):
        await stage.app.correct_drift()
        await stage.app.catalog.put_override(Override(zone_id(EAST).lower(), 9e9))
        await lost_stop(stage, "e-2")
        since = len(stage.request_log.requests)
        await asyncio.gather(*(stage.resync(unfreeze={"zone": EAST}) for _ in range(20)))
        assert (sweeps(stage, since), stage.record(EAST, "llama")) == (1, ["10.1.0.4"])

    run_scenario(story, fleet())


def test_fifty_resyncs_over_two_instances_are_a_few_sweeps_and_none_fails():
    async def story(stage):
        two = Two(stage, (0.0, 0.0))
        await two.apps[0].correct_drift()
        await lost_stop(stage, "e-2")
        since = len(stage.request_log.requests)

        async def one(number):
            await asyncio.sleep(0.01 * number)
            return await two.ask(two.apps[number % 2], b"{}")

        reports = await asyncio.gather(*map(one, range(50)))
        assert [report.failures for report in reports] == [[]] * 50
        assert sweeps(stage, since) <= 4
        assert stage.record(EAST, "llama") == ["10.1.0.4"]

    run_scenario(story, fleet())


def test_a_resync_without_time_left_says_so_instead_of_beginning():
    async def story(stage):
        wanted = parse(b"{}", stage.app.settings, stage.app.inventory.kinds)
        with pytest.raises(Transient, match="it did nothing, send it again"):
            await stage.app.resyncs.sweep(wanted, stage.clock() + 9)
        assert stage.request_log.requests == []

    run_scenario(story, fleet())
