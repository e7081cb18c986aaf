"""Times of the future, left by a clock that was ahead, hold nothing back; what waits says for what."""

import asyncio
from dataclasses import replace

import pytest
from msgspec import structs

from shared.catalog.future_times import without_future_times, written_at
from shared.decide.rate_limit import LIMITS, WINDOW_SECONDS, RateLimit
from shared.decide.wait_reasons import LATE_SECONDS, WaitReasons
from shared.domain.catalog_rows import LeaseHolder, NameIndexEntry, Versioned
from shared.domain.catalog_state import CatalogState, ReadingProgress, SweepSummary, WriteStamp
from shared.domain.clock import TOLERANCE, Clock
from shared.domain.dirty import LONGEST_WAIT, DirtyName, RecordChange, Urgency
from shared.domain.endpoints import EndpointRow
from shared.domain.overrides import FOREVER, Override
from shared.domain.probes import Better, Distances, Evidence, EvidencePage, VantageRow, Verdict, VerdictKind
from shared.domain.zones import RecordSet
from shared.edge.report import Report
from shared.loop.observer import LIST_COOLDOWN_SECONDS, Observer
from shared.loop.zone.record_cache import RecordSetCache
from shared.loop.zone.record_reads import CachedRecordSet
from tests.support.catalogs import opened
from tests.support.deployment import REGIONS, a_vm, a_world, run_scenario, vm_id
from tests.support.two_instances import KEY, fleet
from tests.support.two_instances import played as with_two
from tests.support.values import vm, zone

EAST, WEST, ASIA = REGIONS
NOW = 1_800_000_000.0
ROW = EndpointRow(vm("a", "10.0.0.1"))
PAST = RecordChange("llama", NOW, "create", (), ("10.0.0.1",), "", "")
ETAG = "W/\"datetime'2027-01-15T07%3A58%3A20.1234567Z'\""


def with_progress(at):
    return CatalogState(progress=ReadingProgress(1, 2, at, at), sweeps=(SweepSummary(at, 1.0, "sweep"),))


def with_verdict(at):
    return VantageRow("eastus", verdicts=(Verdict(VerdictKind.DOWN, "a", "10.0.0.1", "p", "eastus", at),))


def with_distances(**times):
    return VantageRow("eastus", distances=Distances(**times))


def with_evidence(**times):
    return EvidencePage("eastus", 0, (Evidence("a", "10.0.0.1", "p", "eastus", "eastus", **{"since": 0.0} | times),))


TIMES = [
    # a row with one time, how far that may lie in the future
    (lambda at: replace(ROW, seen_at=at), 0.0),
    (lambda at: replace(ROW, missing_at=at), 0.0),
    (lambda at: replace(ROW, since=at), 0.0),
    (lambda at: replace(ROW, look_at=at), LONGEST_WAIT),
    (lambda at: NameIndexEntry("llama", "a", at), 0.0),
    (lambda at: DirtyName("z", "llama", since=at), 0.0),
    (lambda at: DirtyName("z", "llama", not_before=at), LONGEST_WAIT),
    (lambda at: CatalogState(completed_at=at), 0.0),
    (lambda at: CatalogState(attempted_at=at), 0.0),
    (lambda at: CatalogState(checked_at=at), 0.0),
    (lambda at: CatalogState(event_at=at), 0.0),
    (lambda at: CatalogState(deferred_at=at), 0.0),
    (lambda at: CatalogState(covered_at=at), 0.0),
    (with_progress, 0.0),
    (lambda at: (replace(PAST, at=at), replace(PAST, at=0.0)), 0.0),
    (lambda at: Override("eastus", at), FOREVER),
    (lambda at: VantageRow("eastus", at=at), 0.0),
    (lambda at: VantageRow("eastus", blind_since=at), 0.0),
    (with_verdict, 0.0),
    (lambda at: with_distances(changed_at=at), 0.0),
    (lambda at: with_distances(released=(0.0, at)), 0.0),
    (lambda at: with_distances(better=(Better("a", "b", at),)), 0.0),
    (lambda at: with_evidence(since=at), 0.0),
    (lambda at: with_evidence(at=at), 0.0),
    (lambda at: with_evidence(down_since=at), 0.0),
    (lambda at: with_evidence(up_at=at), 0.0),
    (lambda at: with_evidence(sampled_at=at), 0.0),
    (lambda at: with_evidence(withdrawals=(0.0, at)), 0.0),
]


@pytest.mark.parametrize(("made", "ahead"), TIMES)
def test_a_time_of_the_future_counts_as_when_the_row_was_written_and_where_that_is_not_known_as_now(made, ahead):
    for fine in (0.0, NOW - 1e6, NOW, NOW + ahead, NOW + ahead + TOLERANCE):
        stored = Versioned(made(fine), ETAG)
        assert without_future_times(stored, NOW) is stored
    if ahead < FOREVER:
        for wrong in (NOW + ahead + 60, NOW + 3600, 9e9):
            assert without_future_times(Versioned(made(wrong), "7"), NOW) == Versioned(made(NOW), "7")
            right = without_future_times(Versioned(made(wrong), ETAG), NOW)
            assert right == Versioned(made(written_at(ETAG)), ETAG)


def test_what_a_vantage_has_found_ends_earlier_by_as_much_as_its_clock_was_ahead():
    stored = VantageRow("eastus", at=9e9, until=9e9 + 60.0, distances=Distances(until=9e9 + 600.0))
    right = without_future_times(Versioned(stored, ETAG), NOW).value
    assert (right.until, right.distances.until) == (written_at(ETAG) + 60.0, written_at(ETAG) + 600.0)
    fine = Versioned(structs.replace(stored, at=NOW + TOLERANCE, until=NOW + TOLERANCE + 60.0), ETAG)
    assert without_future_times(fine, NOW).value.until == NOW + TOLERANCE + 60.0


def test_the_newest_change_of_a_history_stays_the_first_one_where_only_its_time_is_wrong():
    kept = (replace(PAST, at=NOW + 60, kind="update"), replace(PAST, at=NOW + 2), replace(PAST, at=NOW - 500))
    right = without_future_times(Versioned(kept, ETAG), NOW).value
    assert [past.kind for past in right] == ["update", "create", "create"]
    assert [past.at for past in right] == [written_at(ETAG), written_at(ETAG), NOW - 500]


@pytest.mark.parametrize(
    ("etag", "at"), [(ETAG, NOW), ('W/"0x5B168C7B6E589D2"', None), ("W/\"datetime'soon'\"", None), ("", None)]
)
def test_an_etag_says_when_a_row_was_written_or_nothing(etag, at):
    assert (written_at(etag) is None) == (at is None)


@pytest.fixture(params=["memory", "simulated", "azurite"])
async def shared(request):
    async for each in opened(request):
        yield each


async def test_every_catalog_judges_the_times_that_it_reads(shared):
    catalog, late = await shared.open(), 9e9
    await catalog.open(Clock(lambda: NOW))
    wrong = replace(ROW, seen_at=late, missing_at=late, since=late, look_at=late)
    await catalog.put_endpoint(wrong, None)
    await catalog.index("llama", ROW.endpoint.key, late)
    await catalog.mark_dirty(DirtyName("z", "llama", since=late))
    (dirty,) = await catalog.dirty("z")
    await catalog.put_dirty(replace(dirty.value, since=late, not_before=late), dirty.etag)
    await catalog.put_state(CatalogState("d", late, late, (), "e", late, (), late), None)
    await catalog.add_history("z", [replace(PAST, at=late)])
    limit = 4e9  # Azurite has a time of its own.
    rows = [(await catalog.endpoint(ROW.endpoint.key)).value, (await catalog.endpoints())[0].value]
    rows += await catalog.claimants("llama")
    assert max(max(row.seen_at, row.missing_at, row.since, row.look_at) for row in rows) < limit
    dirty = [(await catalog.dirty("z"))[0].value, (await catalog.dirty_name("z", "llama")).value]
    assert max(max(each.since, each.not_before) for each in dirty) < limit
    marker = (await catalog.state()).value
    assert max(marker.completed_at, marker.attempted_at, marker.checked_at, marker.event_at) < limit
    assert (await catalog.indexed())[0].value.at < limit
    assert (await catalog.history("z", "llama"))[0].at < limit


async def test_a_catalog_tells_who_has_a_zone_and_what_the_one_before_has_written(shared):
    catalog = await shared.open()
    assert await catalog.lease_holder("z", 60.0) == LeaseHolder()
    now = 1_800_000_000.0
    wrote = (WriteStamp("update", "llama", now - 5),)
    await catalog.acquire("z", "me", now, 60.0)
    held = await catalog.lease_holder("z", 60.0)
    assert (held.holder, held.recent_writes) == ("me", ())
    assert held.expires > 0.0
    await catalog.release("z", "me", wrote)
    free = await catalog.lease_holder("z", 60.0)
    assert (free.holder, free.expires, free.recent_writes) == ("", 0.0, wrote)


# --- memory of a process


@pytest.mark.parametrize("kind", ["create", "update", "delete"])
def test_what_another_instance_has_written_in_the_future_holds_no_name_back_for_longer_than_a_minute(kind):
    """Whatever kind it was: a create of the future held the updates of that name back until the future had come."""
    budget = RateLimit()
    budget.import_writes([WriteStamp(kind, "llama", NOW + 3600)], NOW)
    assert budget.coalescing_delay("llama", NOW) == 0.0
    assert budget.wait(kind, NOW, LIMITS[kind] - 1) <= WINDOW_SECONDS
    assert budget.used(kind, NOW + WINDOW_SECONDS + 1) == 0


def test_what_was_created_before_the_clock_was_set_back_holds_no_update_of_that_name_back():
    budget = RateLimit()
    budget.record("create", "llama", NOW + 3600)
    assert budget.coalescing_delay("llama", NOW) == 0.0


def test_what_is_remembered_of_record_sets_is_forgotten_when_the_clock_is_set_back():
    now = [NOW]
    reader = RecordSetCache(None, zone(), lambda: now[0])
    reader.put("llama", CachedRecordSet(RecordSet("llama", 30, ("10.0.0.1",), etag="old"), NOW))
    now[0] -= 2.0
    assert reader.cached("llama"), "clocks are corrected by a second or two"
    now[0] -= 3600
    edited = RecordSet("llama", 30, ("10.9.9.9",), etag="new")
    assert reader.merge_newer([edited], now[0] - 1) == [edited]
    assert reader.cached("llama") is None


def test_a_pause_of_lists_ends_when_the_clock_is_set_back():
    now = [NOW]
    observer = Observer(None, lambda: now[0])
    observer._note_time(NOW)
    observer._no_lists_before, observer._next_list = NOW + LIST_COOLDOWN_SECONDS, NOW + 5
    now[0] -= 3600
    observer._note_time(now[0])
    assert (observer._no_lists_before, observer._next_list, now[0] >= observer._last_observed_at) == (0.0, 0.0, True)


@pytest.mark.parametrize("ahead", [3600.0, 45.0, 1e9])
def test_what_an_instance_with_a_clock_ahead_has_left_when_it_was_killed_holds_no_name_back(ahead):
    """Lease, writes, dirty rows and rows of endpoints say the future; the other instance needs no restart."""

    async def story(stage, two):
        one, other = two.apps
        await one.correct_drift()
        await other.drain()
        zone_of = one.settings.zones[0]
        wrong = stage.clock() + ahead
        await two.lost("POST", f"{vm_id('e-2')}/deallocate")
        for kind in ("create", "update", "delete"):
            spent = [WriteStamp(kind, "llama", wrong), WriteStamp(kind, "e-2", wrong)]
            await one.applier.worker(zone_of).lease.acquire()
            await one.catalog.release(KEY, one.instance.holder, spent)
            await other.drain()
        await one.catalog.mark_dirty(DirtyName(KEY, "llama", Urgency.WITHDRAW, wrong))
        row = await one.catalog.dirty_name(KEY, "llama")
        await one.catalog.put_dirty(replace(row.value, not_before=wrong, attempts=1), row.etag)
        stored = await one.catalog.endpoint(vm_id("e-2").lower())
        await one.catalog.put_endpoint(
            replace(stored.value, seen_at=wrong, since=wrong, missing_at=wrong, look_at=wrong), stored.etag
        )
        await one.catalog.acquire(KEY, "killed", wrong, 60.0)
        begun = stage.clock()
        while stage.record(EAST, "llama") != ["10.1.0.4"]:
            await other.drain()
            told = (await other.status())["dirty"]
            assert all(each["waits_for"] for each in told)
            await asyncio.sleep(5)
            assert stage.clock() - begun < 60 + 2 * WINDOW_SECONDS + 60

    with_two(story, (0.0, 0.0), fleet())


# --- what a name waits for


def holds(*, frozen="", complete=True, tenancy=None, own=None, due_before=NOW - LATE_SECONDS):
    return WaitReasons(zone(), NOW, frozen, complete, tenancy or LeaseHolder(), due_before, own or RateLimit())


def full(kind, at=NOW - 21):
    return tuple(WriteStamp(kind, f"n{number}", at) for number in range(LIMITS[kind]))


ANOTHER = LeaseHolder("instance 7", NOW + 5)
DEAD = LeaseHolder("instance 7", NOW - 5)
SPENT = LeaseHolder(recent_writes=full("create"))
WAITS = [
    ({"frozen": "until it is unfrozen"}, {}, "frozen until it is unfrozen"),
    ({"complete": False}, {"not_before": NOW + 9}, "no complete sweep yet"),
    ({}, {"not_before": NOW + 20, "attempts": 3, "last_error": "a"}, "next attempt in 20 s after 3 failures: a"),
    ({}, {"not_before": NOW + 20, "attempts": 1, "last_error": "a"}, "next attempt in 20 s after 1 failure: a"),
    ({}, {"not_before": NOW + 2, "last_error": "2 of its claimants are being read"},
     "2 of its claimants are being read: next read in 2 s"),
    ({"tenancy": ANOTHER}, {}, "lease of instance 7 until 08:00:05"),
    ({"tenancy": SPENT}, {"urgency": Urgency.HOST_FIRST_ADDRESS}, "budget of the zone: 40 s"),
    ({"tenancy": SPENT}, {"urgency": Urgency.WITHDRAW}, "the next drain"),
    ({"tenancy": DEAD}, {},
     "the next drain: the lease of instance 7 expired at 07:59:55 without a release"),
    ({}, {}, "the next drain"),
]  # fmt: skip


@pytest.mark.parametrize(("zone_has", "name_has", "waits_for"), WAITS)
def test_a_name_says_what_it_waits_for(zone_has, name_has, waits_for):
    assert holds(**zone_has).reason(DirtyName("z", "llama", since=NOW - 10, **name_has)) == waits_for


def test_what_this_process_has_spent_counts_as_well():
    own = RateLimit()
    own.import_writes(full("create"), NOW)
    assert holds(own=own).reason(DirtyName("z", "vm-1", Urgency.HOST_FIRST_ADDRESS)) == "budget of the zone: 40 s"


QUIET = [
    ({"frozen": "until it is unfrozen"}, {}),
    ({"complete": False}, {}),
    ({"tenancy": ANOTHER}, {}),
    ({"tenancy": SPENT}, {"urgency": Urgency.HOST_FIRST_ADDRESS}),
    ({}, {"not_before": NOW + 20, "attempts": 3}),
    ({}, {"not_before": NOW - 20, "attempts": 3}),
    ({}, {"since": NOW - LATE_SECONDS + 1}),
    ({"due_before": NOW - 3600}, {}),
]


@pytest.mark.parametrize(("zone_has", "name_has"), QUIET)
def test_a_name_that_something_holds_back_or_that_is_due_for_a_moment_is_no_alarm(zone_has, name_has):
    assert not list(
        holds(**zone_has).late_names([DirtyName("z", "llama", **{"since": NOW - LATE_SECONDS - 1} | name_has)])
    )


def test_a_name_that_is_due_for_minutes_and_was_not_tried_is_an_alarm():
    (trouble,) = holds(tenancy=DEAD).late_names([DirtyName("z", "llama", since=NOW - LATE_SECONDS - 1)])
    assert (trouble.subject, "due for more than 5 minutes without an attempt" in trouble.text) == ("llama", True)


def test_names_that_no_drain_takes_up_say_so_in_status_and_explain_and_are_an_alarm_after_some_minutes():
    async def story(stage):
        await stage.app.correct_drift()
        await stage.app.catalog.mark_dirty(DirtyName(KEY, "llama", Urgency.WITHDRAW, stage.clock()))
        told = await stage.app.status()
        assert [each["waits_for"] for each in told["dirty"]] == ["the next drain"]
        assert not [alarm for alarm in told["alarms"] if "without an attempt" in alarm["what"]]
        await asyncio.sleep(LATE_SECONDS + 31)
        told = await stage.app.status()
        assert [alarm["count"] for alarm in told["alarms"] if "without an attempt" in alarm["what"]] == [1]
        assert (await stage.app.explain(stage.app.settings.zones[0], "llama"))["dirty"]["waits_for"] == "the next drain"
        await stage.app.drain()
        told = await stage.app.status()
        assert not [alarm for alarm in told["alarms"] if "without an attempt" in alarm["what"]]

    run_scenario(story, fleet(), NEARZONE_DRAIN_SCHEDULE="*/30 * * * * *")


def test_a_drain_timer_that_runs_every_ten_minutes_is_given_half_an_hour():
    async def story(stage):
        await stage.app.correct_drift()
        await stage.app.catalog.mark_dirty(DirtyName(KEY, "llama", Urgency.WITHDRAW, stage.clock()))
        for seconds, alarms in ((1200, 0), (700, 1)):
            await asyncio.sleep(seconds)
            told = (await stage.app.status())["alarms"]
            assert sum("without an attempt" in alarm["what"] for alarm in told) == alarms

    run_scenario(story, fleet(), NEARZONE_DRAIN_SCHEDULE="0 */10 * * * *")


def test_a_first_fill_says_that_names_wait_for_the_budget_and_is_no_alarm():
    async def story(stage):
        filling = asyncio.ensure_future(stage.app.correct_drift())
        seen = set()
        while not filling.done():
            await asyncio.sleep(10)
            told = await stage.app.status()
            seen |= {each["waits_for"].split(":")[0].split(" until ")[0] for each in told["dirty"]}
            assert not [alarm for alarm in told["alarms"] if "without an attempt" in alarm["what"]]
        await stage.app.drain()
        assert "lease of app" in seen

    vms = [a_vm(f"host-{number}", EAST, 4 + number, "") for number in range(200)]
    run_scenario(story, a_world(*vms, regions=(EAST,)))


def test_a_report_holds_the_last_state_of_a_name_that_was_put_off_or_failed():
    report, where = Report("sweep"), zone()
    report.put_off_name(where, "llama", "2 of its claimants are being read")
    report.put_off_name(where, "llama", "1 of its claimants are being read")
    assert [skip.reason for skip in report.skips] == ["1 of its claimants are being read"]
    report.fail_name(where, "llama", ValueError("no"))
    assert (report.skips, len(report.failures)) == ([], 1)
    report.settle_name(where, "llama")
    assert (report.skips, report.failures) == ([], [])
