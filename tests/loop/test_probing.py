"""Rounds of probes: what does not answer is withdrawn, and nothing that a prober does or suffers can empty a name."""

import asyncio
import dataclasses
import json
from collections import Counter
from contextlib import suppress

import pytest
from msgspec.structs import replace

from shared.catalog.memory import MemoryCatalog
from shared.decide.region_latency import Latency
from shared.domain.dirty import Cause
from shared.domain.endpoints import State
from shared.domain.errors import BadRequest, Transient
from shared.domain.probes import Evidence, EvidencePage, ProbeResult, ProbeWord, VantageRow, Verdict, VerdictKind
from shared.edge.commands import parse
from shared.edge.report import Report
from shared.loop.operator_log import OperatorLog
from shared.loop.probing.evidence_pages import merge_pages, split_pages
from shared.loop.probing.prober_app import ProberApp
from shared.loop.probing.round import ANOTHER_PROBER
from shared.loop.probing.vantage import Vantage
from shared.loop.probing.verdict_log import ENTRIES_PER_HOUR, VerdictLog
from shared.ports import no_metrics
from simulator.model_servers.entry import ServerEntry
from simulator.paths.entry import PathEntry
from tests.support.deployment import REGIONS, a_vm, a_world, run_scenario, vm_id, zone_id

EAST, WEST, ASIA = REGIONS
PROBES = {"llama": {"kind": "http", "port": 8000, "path": "/health"}}
E1, E2, W1 = "10.1.0.4", "10.1.0.5", "10.2.0.4"
MACHINES = (("e-1", EAST, 0), ("e-2", EAST, 1), ("w-1", WEST, 0))
INTERVAL, STALE = 15.0, 60.0


def fleet(*more, mode="enforce", **settings):
    """Two machines in the region of the vantage, one in another region."""
    probed = {"PROBES": PROBES, "PROBING": {"mode": mode, "vantage": EAST}}
    machines = (a_vm("e-1", EAST, 4), a_vm("e-2", EAST, 5), a_vm("w-1", WEST, 4), *more)
    return a_world(*machines, **probed | settings)


def behave(stage, name, behaviour):
    stage.cloud.servers.set(vm_id(name), ServerEntry(behaviour=behaviour), stage.clock())


async def rounds(stage, count, *, app=None):
    """Run the timer of the rounds so often, and the drain timer every other time; gives the reports of the rounds."""
    reports, app = [], app or stage.app
    for number in range(count):
        begun = stage.clock()
        reports.append(await app.probe())
        if number % 2:
            await app.drain()
        await asyncio.sleep(max(0.0, begun + INTERVAL - stage.clock()))
    return reports


async def ready(stage):
    """Every machine is published and has answered its probe."""
    await stage.app.correct_drift()
    await rounds(stage, 2)
    assert stage.record(EAST, "llama") == [E1, E2]


async def row(stage):
    stored = await stage.app.catalog.vantage(EAST)
    return stored and stored.value


def test_a_server_that_hangs_is_withdrawn_within_four_rounds_and_comes_back_when_it_works():
    async def story(stage):
        await ready(stage)
        behave(stage, "e-1", "hangs")
        begun = stage.clock()
        while stage.record(EAST, "llama") != [E2]:
            await rounds(stage, 1)
        assert stage.clock() - begun <= 55.0 + INTERVAL, "the answer was right before the last pause"
        behave(stage, "e-1", "healthy")
        await rounds(stage, 1)
        assert stage.record(EAST, "llama") == [E2], "one success is not enough"
        await rounds(stage, 4)
        assert stage.record(EAST, "llama") == [E1, E2]
        assert (await row(stage)).todo == frozenset()

    run_scenario(story, fleet())


def test_a_name_without_a_healthy_address_nearby_is_answered_from_the_next_region_and_says_why():
    async def story(stage):
        await ready(stage)
        for name in ("e-1", "e-2"):
            behave(stage, name, "refuses")
        await rounds(stage, 5)
        assert stage.record(EAST, "llama") == [W1]
        (change, *_) = await stage.app.catalog.history(zone_id(EAST).lower(), "llama")
        assert change.reason.startswith(f"failover: held back by probes in {EAST}")
        assert change.cause.startswith("probe ")
        assert "refused" in change.cause

    run_scenario(story, fleet())


def test_a_path_that_may_be_at_fault_concerns_only_the_zones_of_the_vantage():
    async def story(stage):
        await ready(stage)
        behave(stage, "w-1", "refuses")
        stage.request_log.requests.clear()
        await rounds(stage, 6)
        assert [(each.ip, each.everywhere) for each in (await row(stage)).verdicts] == [(W1, False)]
        read = {path.lower() for _, path in stage.request_log.requests if "privatednszones" in path.lower()}
        assert read
        assert all(zone_id(EAST).lower() in path for path in read)
        assert stage.record(WEST, "llama") == [W1]

    run_scenario(story, fleet())


def test_what_has_never_answered_is_never_withdrawn_and_an_alarm_says_so():
    async def story(stage):
        behave(stage, "e-1", "refuses")
        await stage.app.correct_drift()
        await rounds(stage, 60)
        assert stage.record(EAST, "llama") == [E1, E2]
        assert any("never answered a probe" in alarm.what for alarm in (await row(stage)).alarms)

    run_scenario(story, fleet())


def test_a_vantage_that_reaches_nothing_changes_no_answer():
    async def story(stage):
        await ready(stage)
        stage.cloud.paths.change(PathEntry(EAST, "*", partition="all"))
        await rounds(stage, 40)
        assert stage.record(EAST, "llama") == [E1, E2]
        assert (await row(stage)).blind_since > 0
        assert (await row(stage)).verdicts == ()

    run_scenario(story, fleet())


def test_where_the_probes_of_all_addresses_fail_the_answer_stays_as_azure_says():
    async def story(stage):
        await ready(stage)
        behave(stage, "e-1", "refuses")
        behave(stage, "e-2", "refuses")
        await rounds(stage, 6)
        assert stage.record(EAST, "solo") == [E1]
        assert "solo.ai.internal" in " ".join((await row(stage)).kept)

    solo = a_vm("e-1", EAST, 4, "llama,solo")
    probes = PROBES | {"solo": PROBES["llama"]}
    world = fleet(PROBES=probes)
    world["vms"][0] = solo
    run_scenario(story, world)


def test_in_observe_mode_rows_are_written_and_no_answer_changes():
    async def story(stage):
        await ready(stage)
        behave(stage, "e-1", "hangs")
        requests = len(stage.request_log.requests)
        for _ in range(8):
            assert (await stage.app.probe()).idle
            await asyncio.sleep(INTERVAL)
        assert stage.record(EAST, "llama") == [E1, E2]
        assert len(stage.request_log.requests) == requests, "no name is even looked at"
        assert [verdict.ip for verdict in (await row(stage)).verdicts] == [E1]
        assert (await row(stage)).todo == frozenset()
        (entry, *_) = await stage.app.catalog.history(zone_id(EAST).lower())
        assert (entry.kind, entry.name) == ("probe", "*")
        assert f"would withdraw {E1}" in entry.reason

    run_scenario(story, fleet(mode="observe"))


def test_without_probes_no_round_reads_or_writes_anything():
    async def story(stage):
        class Untouched:
            def __getattr__(self, name):
                raise AssertionError(name)

        app = stage.another_process(Untouched(), "idle")
        report = await app.probe()
        assert report.idle
        assert stage.request_log.requests == []
        assert len(stage.network.log) == 0

    run_scenario(story, a_world(a_vm("e-1", EAST, 4)))


def test_in_shadow_mode_nothing_is_written_to_a_zone_and_the_history_says_would():
    async def story(stage):
        await stage.app.correct_drift()
        await rounds(stage, 2)
        behave(stage, "e-1", "hangs")
        await rounds(stage, 8)
        assert stage.request_log.writes == []
        (entry, *_) = await stage.app.catalog.history(zone_id(EAST).lower())
        assert f"would withdraw {E1}" in entry.reason

    run_scenario(story, fleet(MODE="shadow"))


def test_a_frozen_zone_is_not_changed_and_follows_when_the_freeze_ends():
    async def story(stage):
        await ready(stage)
        await stage.resync(freeze={"zone": EAST})
        behave(stage, "e-1", "hangs")
        await rounds(stage, 8)
        assert stage.record(EAST, "llama") == [E1, E2]
        await stage.resync(unfreeze={"zone": EAST})
        assert stage.record(EAST, "llama") == [E2]

    run_scenario(story, fleet())


def test_after_a_prober_dies_the_answer_is_the_one_without_probes_within_two_drains_of_its_end():
    async def story(stage):
        await ready(stage)
        behave(stage, "e-1", "hangs")
        await rounds(stage, 5)
        assert stage.record(EAST, "llama") == [E2]
        await asyncio.sleep((await row(stage)).until - stage.clock())
        for _ in range(2):
            await stage.app.drain()
            await asyncio.sleep(30.0)
        assert stage.record(EAST, "llama") == [E1, E2]
        assert ((await row(stage)).verdicts, (await row(stage)).todo) == ((), frozenset())

    run_scenario(story, fleet())


class KilledError(BaseException):
    """The process ends at this call."""


class Dying:
    """One process's way to a catalog. It is killed before or after the write `at` (0 for the first) that it makes."""

    def __init__(self, whole, writes=("put_vantage", "mark_dirty", "put_evidence", "remove_dirty")):
        self.whole, self.writes, self.armed, self.at, self.after = whole, writes, False, 0, False
        self.made = []

    def __getattr__(self, name):
        async def call(*arguments):
            counted = self.armed and name in self.writes
            if counted:
                self.made.append(name)
                if not self.after and len(self.made) == self.at + 1:
                    raise KilledError(name)
            result = await getattr(self.whole, name)(*arguments)
            if counted and self.after and len(self.made) == self.at + 1:
                raise KilledError(name)
            return result

        return call


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(6))
def test_a_process_that_is_killed_at_any_write_of_a_round_leaves_nothing_that_the_next_one_does_not_finish(at, after):
    async def story(stage):
        whole = MemoryCatalog()
        dying = Dying(whole)
        dying.at, dying.after = at, after
        stage.restart(dying)
        await ready(stage)
        behave(stage, "e-1", "hangs")
        await rounds(stage, 2)
        dying.armed = True
        with suppress(KilledError):
            await stage.app.probe()
        assert len(dying.made) > at, dying.made
        stage.restart(whole)
        await asyncio.sleep(61.0)  # The lease of the dead process ends.
        await rounds(stage, 5)
        assert stage.record(EAST, "llama") == [E2]
        assert (await row(stage)).todo == frozenset()
        assert await whole.dirty(zone_id(EAST).lower()) == ()

    run_scenario(story, fleet())


def test_names_that_a_dead_prober_has_not_marked_are_marked_by_the_drain_timer():
    async def story(stage):
        whole = MemoryCatalog()
        dying = Dying(whole)
        dying.at = 1  # The row is written, no name is marked.
        stage.restart(dying)
        await ready(stage)
        behave(stage, "e-1", "hangs")
        await rounds(stage, 2)
        dying.armed = True
        with pytest.raises(KilledError):
            await stage.app.probe()
        assert (await row(stage)).todo == {vm_id("e-1").lower()}
        stage.restart(whole)
        await stage.app.drain()
        assert (await row(stage)).todo, "its prober may still be marking them"
        await asyncio.sleep(31.0)
        await stage.app.drain()
        assert (await row(stage)).todo == frozenset()
        assert stage.record(EAST, "llama") == [E2]

    run_scenario(story, fleet())


def test_a_name_that_is_claimed_while_a_round_is_under_way_gets_its_verdicts_as_well():
    async def story(stage):
        await ready(stage)
        behave(stage, "e-1", "hangs")
        await rounds(stage, 2)
        third = asyncio.create_task(stage.app.probe())
        await asyncio.sleep(0.5)  # It has read the endpoints, and waits for the answer.
        for name in ("e-1", "e-2"):
            stage.arm("PATCH", vm_id(name), {"tags": {"nearzone": "llama,chat"}})
        await stage.app.correct_drift()
        assert stage.record(EAST, "chat") == [E1, E2], "no verdict yet"
        await third
        await rounds(stage, 1)
        assert stage.record(EAST, "chat") == [E2]

    probes = dict.fromkeys(("llama", "chat"), PROBES["llama"])
    run_scenario(story, fleet(PROBES=probes))


def test_of_two_probers_at_work_one_drops_its_round():
    async def story(stage):
        await ready(stage)
        other = stage.another_process(stage.app.catalog, "other")
        before = (await row(stage)).round
        reports = await asyncio.gather(stage.app.probe(), other.probe())
        assert sorted(len(report.notes) for report in reports) == [0, 1]
        assert [note for report in reports for note in report.notes] == [ANOTHER_PROBER]
        assert (await row(stage)).round == before + 1
        (evidence,) = [page.evidence for page in await stage.app.catalog.evidence(EAST)]
        assert {each.successes for each in evidence} == {3}, "no result counts twice"

    run_scenario(story, fleet())


class Interfering:
    """A catalog in which another writer changes the vantage's row just before it is written."""

    def __init__(self, whole):
        self.whole, self.times = whole, 0

    def __getattr__(self, name):
        return getattr(self.whole, name)

    async def put_vantage(self, wanted, etag):
        if self.times:
            self.times -= 1
            stored = await self.whole.vantage(wanted.vantage)
            await self.whole.put_vantage(stored.value, stored.etag)
        return await self.whole.put_vantage(wanted, etag)


@pytest.mark.parametrize("times", [1, 3])
def test_a_round_is_judged_anew_where_another_writer_than_a_prober_has_changed_the_row(times):
    async def story(stage):
        catalog = Interfering(stage.app.catalog)
        stage.restart(catalog)
        await ready(stage)
        behave(stage, "e-1", "hangs")
        await rounds(stage, 2)
        catalog.times = times
        report = await stage.app.probe()
        assert report.notes == []
        assert stage.record(EAST, "llama") == [E2]

    run_scenario(story, fleet())


def test_a_round_that_never_gets_its_write_through_fails_and_the_next_one_works():
    async def story(stage):
        catalog = Interfering(stage.app.catalog)
        stage.restart(catalog)
        await ready(stage)
        catalog.times = 100
        with pytest.raises(Transient, match="the row of vantage eastus changed 5 times"):
            await stage.app.probe()
        catalog.times = 0
        assert (await stage.app.probe()).notes == []

    run_scenario(story, fleet())


def test_what_a_round_had_no_time_for_comes_first_in_the_next_one():
    async def story(stage):
        await stage.app.correct_drift()
        asked, catalog = [], stage.app.catalog

        async def short(dials, *, first=()):
            asked.append({ip for ip, _ in first})
            return {(ip, probe.digest): ProbeResult(ProbeWord.OK) for ip, probe in dials if ip != W1 or len(asked) != 2}

        vantage = Vantage(catalog, stage.app.settings, Latency({}), stage.clock)
        prober = ProberApp(vantage, short, no_metrics)
        for _ in range(4):
            await prober.run_round(Report("probe"))
            await asyncio.sleep(INTERVAL)
        assert asked == [set(), set(), {W1}, set()]

    run_scenario(story, fleet())


@pytest.mark.parametrize("count", [0, 1, 64, 65, 200, 1000])
def test_every_evidence_is_on_one_page_and_pages_stay_small(count):
    found = {}
    for number in range(count):
        each = Evidence(f"/vm/{number}", f"10.0.{number // 250}.{number % 250}", "p", EAST, EAST, 1.0)
        found[each.key] = each
    last = VantageRow(EAST, 7, until=60.0)
    pages = split_pages(last, found)
    assert merge_pages(pages, last, 59.0) == found
    assert len(pages).bit_count() == 1
    assert [page.number for page in pages] == list(range(len(pages)))
    assert max(len(page.evidence) for page in pages) < 100
    assert count / len(pages) > 32 or len(pages) == 1


def test_of_evidence_that_is_on_two_pages_the_newer_counts():
    old = Evidence("/vm/1", "10.0.0.1", "p", EAST, EAST, 1.0, at=5.0)
    new = replace(old, at=6.0)
    for pages in ([old, new], [new, old]):
        stored = [EvidencePage(EAST, n, (each,)) for n, each in enumerate(pages)]
        assert merge_pages(stored, VantageRow(EAST), 0.0) == {new.key: new}


def test_results_in_a_row_go_on_only_beside_the_row_of_the_same_round_and_before_its_end():
    seen = Evidence("/vm/1", "10.0.0.1", "p", EAST, EAST, 1.0, armed=True, at=5.0, fails=2, samples=(1.0,))
    page, last = EvidencePage(EAST, 0, (seen,), 7), VantageRow(EAST, 7, until=60.0)
    anew = {seen.key: replace(seen, fails=0)}
    assert merge_pages([page], last, 59.0) == {seen.key: seen}
    assert merge_pages([page], replace(last, round=8), 59.0) == anew, "the page of round 8 was lost"
    assert merge_pages([page], last, 60.0) == anew


def test_when_there_are_fewer_targets_the_surplus_pages_go():
    async def story(stage):
        await ready(stage)
        await stage.app.catalog.put_evidence(EvidencePage(EAST, 7))
        await rounds(stage, 1)
        assert [page.number for page in await stage.app.catalog.evidence(EAST)] == [0]

    run_scenario(story, fleet())


def test_an_address_is_probed_once_a_round_however_many_names_it_has_and_only_while_it_serves():
    async def story(stage):
        await stage.app.correct_drift()
        await rounds(stage, 3)
        assert Counter(contact.ip for contact in stage.network.log) == {E1: 3, E2: 3, W1: 3}
        assert {contact.port for contact in stage.network.log} == {8000}
        stage.arm("POST", vm_id("e-1") + "/deallocate")
        await stage.deliver_pending_events()
        stage.network.log.clear()
        await rounds(stage, 1)
        assert Counter(contact.ip for contact in stage.network.log) == {E2: 1, W1: 1}

    world = fleet(PROBES={"*": PROBES["llama"]})
    world["vms"][0] = a_vm("e-1", EAST, 4, "llama,phi,qwen")
    run_scenario(story, world)


WAITING = {"llama": {"wait_minutes": 10}}


def test_an_endpoint_that_begins_to_serve_is_held_back_until_its_first_success_where_the_policy_waits():
    async def story(stage):
        await ready(stage)
        behave(stage, "e-3", "loading")
        stage.arm("POST", vm_id("e-3") + "/start")
        await stage.deliver_pending_events()
        assert stage.record(EAST, "llama") == [E1, E2]
        await rounds(stage, 4)
        assert stage.record(EAST, "llama") == [E1, E2]
        behave(stage, "e-3", "healthy")
        await rounds(stage, 2)
        assert stage.record(EAST, "llama") == [E1, E2, "10.1.0.6"]

    run_scenario(story, fleet(a_vm("e-3", EAST, 6, power="deallocated"), POLICIES=WAITING))


def test_nothing_can_see_that_an_endpoint_serves_before_it_is_held_back():
    async def story(stage):
        whole = MemoryCatalog()
        dying = Dying(whole, ("put_endpoint",))
        stage.restart(dying)
        await ready(stage)
        dying.armed = True
        stage.arm("POST", vm_id("e-3") + "/start")
        with suppress(KilledError):
            await stage.deliver_pending_events()
        assert dying.made
        assert [each.kind for each in (await row(stage)).verdicts] == [VerdictKind.WAITING]

    run_scenario(story, fleet(a_vm("e-3", EAST, 6, power="deallocated"), POLICIES=WAITING))


def test_a_slow_handler_holds_nothing_back_that_another_one_has_recorded_as_serving_since():
    """Its verdict would be there without a mark of the names that the endpoint answers already."""

    async def story(stage):
        await ready(stage)
        stored = await stage.app.recorder.catalog.endpoint(vm_id("e-1").lower())
        serving = stored.value.endpoint
        stopped = dataclasses.replace(serving, state=State.STOPPED)
        await stage.app.recorder.probing.wait_for_first(stopped, serving)
        assert (await row(stage)).verdicts == ()

    run_scenario(story, fleet(POLICIES=WAITING))


@pytest.mark.parametrize(
    ("mode", "policies", "probed"), [("observe", WAITING, 2), ("enforce", {}, 2), ("enforce", WAITING, 0)]
)
def test_no_endpoint_is_held_back_in_observe_mode_nor_without_the_policy_nor_before_the_first_round(
    mode, policies, probed
):
    async def story(stage):
        await stage.app.correct_drift()
        await rounds(stage, probed)
        behave(stage, "e-3", "loading")
        stage.arm("POST", vm_id("e-3") + "/start")
        await stage.deliver_pending_events()
        assert stage.record(EAST, "llama") == [E1, E2, "10.1.0.6"]
        assert not probed or (await row(stage)).verdicts == ()

    run_scenario(story, fleet(a_vm("e-3", EAST, 6, power="deallocated"), mode=mode, POLICIES=policies))


@pytest.mark.parametrize("drains", [False, True])
def test_nothing_is_held_back_once_the_prober_has_stopped_and_its_other_verdicts_do_not_come_back(drains):
    async def story(stage):
        await ready(stage)
        behave(stage, "e-1", "hangs")
        await rounds(stage, 5)
        await asyncio.sleep(STALE)
        if drains:
            await stage.app.drain()
        before = stage.record(EAST, "llama")
        stage.arm("POST", vm_id("e-3") + "/start")
        await stage.deliver_pending_events()
        assert stage.record(EAST, "llama") == [*before, "10.1.0.6"]
        await stage.app.drain()
        assert stage.record(EAST, "llama") == [E1, E2, "10.1.0.6"]

    run_scenario(story, fleet(a_vm("e-3", EAST, 6, power="deallocated"), POLICIES=WAITING))


def test_many_endpoints_that_begin_to_serve_during_a_round_are_all_held_back():
    async def story(stage):
        await ready(stage)
        round_under_way = asyncio.ensure_future(stage.app.probe())
        for number in range(40):
            behave(stage, f"n-{number}", "loading")
            stage.arm("POST", vm_id(f"n-{number}") + "/start")
        await stage.deliver_pending_events()
        await round_under_way
        assert len((await row(stage)).verdicts) == 40
        assert stage.record(EAST, "llama") == [E1, E2]

    more = [a_vm(f"n-{number}", EAST, 20 + number, power="deallocated") for number in range(40)]
    run_scenario(story, fleet(*more, POLICIES=WAITING))


def test_the_metrics_count_rounds_probes_and_changes_of_verdicts():
    async def story(stage):
        await ready(stage)
        behave(stage, "e-1", "refuses")
        await rounds(stage, 4)
        counts = Counter()
        for name, value, dimensions in measured:
            counts[name, *dimensions.values()] += value
        assert counts["probes.rounds", "done"] == 6
        assert (counts["probes", "ok"], counts["probes", "refused"]) == (14, 4)
        assert counts["probes.verdict_changes", "down", "given"] == 1
        assert sum(name == "probes.round_duration" for name, _, _ in measured) == 6

    measured = []
    run_scenario(story, fleet(), measure=lambda name, value, **more: measured.append((name, value, more)))


def test_a_fleet_that_flaps_does_not_flood_the_history():
    async def story(stage):
        catalog, settings = stage.app.catalog, stage.app.settings
        vantage = Vantage(catalog, settings, Latency({}), stage.clock)
        log, report, now = VerdictLog(vantage, OperatorLog(catalog)), Report("probe"), 1e9
        found = [Verdict(VerdictKind.DOWN, f"/vm/{n}", f"10.1.1.{n}", "p", EAST, now, "refused") for n in range(40)]
        quiet = VantageRow(EAST, until=9e9)
        for number in range(60):
            at = now + number * 60.0
            some = VantageRow(EAST, at=at, until=9e9, verdicts=tuple(found[number % 2 :: 2]))
            await log.enter(quiet, some, Cause("probe", at), report)
            await log.enter(some, replace(quiet, at=at), Cause("probe", at), report)
        entries = (await catalog.log(zone_id(EAST).lower(), now, now + 3600.0)).entries
        assert len(entries) == ENTRIES_PER_HOUR
        assert all(len(each.reason) < 500 for each in entries)
        assert "; and 15 more" in entries[0].reason
        await log.enter(quiet, replace(some, at=now + 7300.0), Cause("probe", now + 7300.0), report)
        assert len((await catalog.log(zone_id(EAST).lower(), now + 7300.0, now + 7400.0)).entries) == 1
        assert not (await catalog.log(zone_id(WEST).lower(), 0.0, 9e9)).entries, "the path there may be fine"

    run_scenario(story, fleet())


async def ask(stage, **probe):
    body = json.dumps({"probe": probe}).encode()
    return await stage.app.resync(parse(body, stage.app.settings, stage.app.inventory.kinds))


def test_a_probe_by_hand_tells_what_each_address_says_and_what_to_do_and_touches_no_evidence():
    async def story(stage):
        await ready(stage)
        behave(stage, "e-1", "refuses")
        before = await row(stage), await stage.app.catalog.evidence(EAST)
        report = (await ask(stage, name="llama", zone=EAST)).as_json()
        assert {each["ip"]: (each["word"], each["region"], each["port"]) for each in report["probed"]} == {
            E1: ("refused", EAST, 8000),
            E2: ("ok", EAST, 8000),
            W1: ("ok", WEST, 8000),
        }
        (refused,) = [each for each in report["probed"] if each["ip"] == E1]
        assert refused["endpoint"] == vm_id("e-1")
        assert refused["advice"].startswith("nothing listens there")
        (fine,) = [each for each in report["probed"] if each["ip"] == E2]
        assert fine["status"] == 200
        assert fine["rtt_ms"] > 0
        assert report["trigger"] == "probe"
        assert (await row(stage), await stage.app.catalog.evidence(EAST)) == before

    run_scenario(story, fleet())


def test_a_probe_by_hand_asks_only_addresses_with_which_the_zone_may_answer_the_name_and_only_as_its_setting_says():
    async def story(stage):
        await stage.app.correct_drift()
        assert [each["ip"] for each in (await ask(stage, name="llama", zone=EAST)).probed] == [E1]
        assert [each["ip"] for each in (await ask(stage, name="llama")).probed] == [E1, E2]
        assert {(contact.ip, contact.port) for contact in stage.network.log} == {(E1, 8000), (E2, 8000)}
        assert [each["ip"] for each in (await ask(stage, name="phi")).probed] == [E1, E2, W1]

    probes = {"llama": PROBES["llama"], "phi": PROBES["llama"], "qwen": {"kind": "tcp", "port": 9}}
    world = fleet(PROBES=probes, POLICIES={"llama": {"regions": [EAST]}})
    world["vms"] = [a_vm(name, region, 4 + at, "llama,phi,qwen") for name, region, at in MACHINES]
    world["settings"]["NEARZONE_ZONES"][0]["reach"] = [f"{E1}/32"]
    run_scenario(story, world)


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("phi", "probe.name: no endpoint claims 'phi'$"),
        ("llamas", "probe.name: no endpoint claims 'llamas'; did you mean llama"),
        ("qwen", "probe.name: no entry of NEARZONE_PROBES says how"),
    ],
)
def test_a_probe_by_hand_of_a_name_that_is_not_known_or_not_probed_is_refused(name, error):
    async def story(stage):
        await ready(stage)
        with pytest.raises(BadRequest, match=error):
            await ask(stage, name=name)

    run_scenario(story, fleet(PROBES=PROBES | {"phi": PROBES["llama"], "llamas": PROBES["llama"]}))


def test_a_probe_by_hand_says_where_no_address_can_answer():
    async def story(stage):
        await ready(stage)
        for name in ("e-1", "e-2", "w-1"):
            stage.arm("POST", vm_id(name) + "/deallocate")
        await stage.deliver_pending_events()
        report = await ask(stage, name="llama")
        assert report.probed == []
        assert "no endpoint that serves" in report.notes[0]

    run_scenario(story, fleet())


def test_a_probe_by_hand_needs_no_round_before_it():
    async def story(stage):
        await stage.app.correct_drift()
        assert [each["word"] for each in (await ask(stage, name="llama")).probed] == ["ok"] * 3
        assert await row(stage) is None

    run_scenario(story, fleet(mode="observe"))
