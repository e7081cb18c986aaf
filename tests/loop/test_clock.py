"""Instances whose clocks differ by minutes work together as if they did not: all keep the catalog's time."""

import asyncio
from collections import Counter
from functools import cache

import pytest

from shared.decide.dirty_queue import DirtyQueue
from shared.decide.rate_limit import LIMITS, LONGEST_WAIT, WINDOW_SECONDS, RateLimit, back_off
from shared.domain.catalog_rows import Versioned
from shared.domain.catalog_state import CatalogState, WriteStamp
from shared.domain.clock import TOLERANCE, Clock
from shared.domain.dirty import DirtyName, Urgency
from shared.domain.overrides import Override
from shared.loop.observer import LIST_THRESHOLD, Observer
from shared.loop.sweep_runner import FIRST_SWEEP_RETRY_SECONDS
from tests.support.catalogs import on_catalog
from tests.support.deployment import REGIONS, event, vm_id
from tests.support.small_world import in_virtual_time
from tests.support.two_instances import KEY, fleet, played
from tests.support.values import vm

EAST, WEST, ASIA = REGIONS
SKEWS = [(300.0, 0.0), (-300.0, 0.0), (600.0, -600.0), (0.0, 600.0)]


# --- the clock


class Pair:
    """A local clock that is off by `skew`, corrected by answers that tell `true` time."""

    def __init__(self, skew=0.0, true=1_800_000_000.25):
        self.true, self.skew = true, skew
        self.clock = Clock(lambda: self.true + self.skew)

    def ask(self, there=0.01, back=0.01):
        asked = self.clock.local()
        self.true += there
        date = float(int(self.true))
        self.true += back
        self.clock.learn(date, asked)

    @property
    def error(self):
        return self.clock() - self.true


@pytest.mark.parametrize("skew", [300.0, -300.0, 11.0, -3.0, 1e7])
def test_one_answer_corrects_a_clock_to_within_a_second(skew):
    pair = Pair(skew)
    pair.ask()
    assert abs(pair.error) <= 0.6


@pytest.mark.parametrize("skew", [0.0, 0.1, -0.1])
def test_a_clock_that_is_nearly_right_is_used_as_it_is(skew):
    pair = Pair(skew)
    for _ in range(500):
        pair.ask()
        pair.true += 0.137
        assert pair.clock.offset == 0.0


@pytest.mark.parametrize("skew", [-300.0, -1.7, 0.9, 3.3, 300.0])
def test_many_answers_correct_a_clock_to_within_a_fraction_of_a_second(skew):
    pair = Pair(skew)
    for _ in range(60):
        pair.ask()
        pair.true += 0.137
    assert abs(pair.error) <= 0.25


def test_a_slow_answer_moves_a_corrected_clock_no_further_than_it_allows():
    pair = Pair(300.0)
    pair.ask()
    offset = pair.clock.offset
    for there, back in ((9.0, 0.0), (0.0, 9.0), (60.0, 60.0)):
        pair.ask(there, back)
        assert pair.clock.offset == offset


@pytest.mark.parametrize("step", [45.0, -45.0, 4000.0])
def test_a_local_clock_that_is_set_anew_is_corrected_by_the_next_answer(step):
    pair = Pair()
    pair.ask()
    pair.skew += step
    pair.ask()
    assert abs(pair.error) <= 0.6
    pair.skew = 0.0
    pair.ask()
    assert pair.clock.offset == 0.0, "a clock that is right again is used as it is"


def test_a_local_clock_that_is_set_back_during_a_call_teaches_nothing():
    clock = Clock(lambda: 100.0)
    clock.learn(5000.0, 400.0)
    assert clock.offset == 0.0


def test_clocks_that_answers_correct_differ_by_less_than_the_tolerance():
    for skew in (-0.9, -0.5, 0.5, 1.1, 1.4, 2.0, 300.0):
        for fraction in range(10):
            pair = Pair(skew, 1_800_000_000.0 + fraction / 10)
            pair.ask()
            assert abs(pair.error) <= TOLERANCE / 2 + 0.02


# --- two instances on one table


async def seconds_to_withdraw(stage, two):
    """One instance has written a full minute; how long does the other one take to withdraw a dead address?"""
    one, other = two.apps
    await one.correct_drift()
    await other.status()
    budget = one.applier.record_cache.budgets[KEY]
    await two.lost("POST", f"{vm_id('e-2')}/deallocate")
    for number in range(LIMITS["update"]):
        budget.record("update", f"n{number}", one.clock())
    await one.applier.worker(one.settings.zones[0]).lease.acquire()
    await one.catalog.release(KEY, one.instance.holder, budget.recent_writes(one.clock()))
    begun = stage.clock()
    await other.on_event(event(vm_id("e-2")))
    while stage.record(EAST, "llama") != ["10.1.0.4"]:
        await other.drain()
        await asyncio.sleep(2)
        assert stage.clock() - begun < 600
    return stage.clock() - begun


@cache
def without_skew():
    return played(seconds_to_withdraw, (0.0, 0.0), fleet())


@pytest.mark.parametrize("skews", SKEWS[:2])
def test_a_write_of_one_instance_holds_no_name_back_in_another_for_longer_than_without_skew(skews):
    assert WINDOW_SECONDS <= without_skew() < WINDOW_SECONDS + 15
    assert abs(played(seconds_to_withdraw, skews, fleet()) - without_skew()) <= TOLERANCE


@pytest.mark.parametrize("skews", [SKEWS[0], SKEWS[2]])
@pytest.mark.parametrize("giver", [0, 1])
def test_a_drain_order_of_three_minutes_ends_after_three_minutes_whoever_looks(skews, giver):
    async def story(stage, two):
        await two.apps[0].correct_drift()
        assert stage.record(EAST, "llama") == ["10.1.0.4", "10.1.0.5"]
        begun = stage.clock()
        await two.ask(two.apps[giver], b'{"drain": {"endpoint": "%s", "minutes": 3}}' % vm_id("e-2").encode())
        assert stage.record(EAST, "llama") == ["10.1.0.4"]
        for until in (60, 120, 170, 177.5):
            await asyncio.sleep(begun + until - stage.clock())
            for app in two.apps:
                await app.drain()
                assert len((await app.status())["drains"]) == 1
        await asyncio.sleep(begun + 179 - stage.clock())
        while stage.record(EAST, "llama") == ["10.1.0.4"]:
            for app in two.apps:
                await app.drain()
            await asyncio.sleep(0.5)
        assert abs(stage.clock() - begun - 180) <= 4.0, "2 s of clocks, and the time of reads and writes"

    played(story, skews, fleet())


@pytest.mark.parametrize("skews", SKEWS[:3])
def test_a_living_lease_is_not_taken_over_and_a_dead_one_is_after_about_a_minute(skews):
    async def story(stage, two):
        one, other = two.apps
        await one.correct_drift()
        await other.status()
        zone = one.settings.zones[0]
        for holder, rival in ((one, other), (other, one)):
            begun = stage.clock()
            assert await holder.applier.worker(zone).lease.acquire()
            while stage.clock() - begun < 150:
                await asyncio.sleep(5)
                if (stage.clock() - begun) % 30 < 5:
                    assert await holder.applier.worker(zone).lease.acquire(), "it prolongs it"
                assert await rival.applier.worker(zone).lease.acquire() is None
            assert await holder.applier.worker(zone).lease.acquire()
            died = stage.clock()
            while not await rival.applier.worker(zone).lease.acquire():  # noqa: ASYNC110 - the lease ends by itself
                await asyncio.sleep(0.25)
            assert 60 - TOLERANCE <= stage.clock() - died <= 60 + TOLERANCE
            await rival.catalog.release(KEY, rival.instance.holder, ())

    played(story, skews, fleet())


@pytest.mark.parametrize("skews", [(661.0, 0.0), (-661.0, 0.0)])
def test_a_clock_that_is_eleven_minutes_off_is_an_alarm_at_every_instance_and_ten_are_none(skews):
    async def story(stage, two):
        one, other = two.apps
        await one.correct_drift()
        side = "ahead of" if skews[0] > 0 else "behind"
        for app in (one, other):  # The sweep has left it in the catalog.
            (alarm,) = [each for each in (await app.status())["alarms"] if "clock" in each["what"]]
            assert alarm["what"] == f"the clock of instance instance is 11 minutes {side} the storage account's"
            assert alarm["means"]
            assert "restart the app" in alarm["do"]
        two.skews[0] *= 598 / 661
        await one.status()
        await one.correct_drift()
        assert not [each for each in (await one.status())["alarms"] if "clock" in each["what"]]
        assert stage.wrong_answers() == {}

    played(story, skews, fleet())


@pytest.mark.parametrize("step", [300.0, -3600.0])
def test_a_clock_that_is_set_anew_in_the_middle_of_work_holds_nothing_back(step):
    """It is wrong until the next answer of the catalog; what was noted by it meanwhile may lie in the future."""

    async def story(stage, two):
        app = two.apps[0]
        await app.correct_drift()
        for number in range(12):
            await two.lost("POST", f"{vm_id('e-2')}/{'start' if number % 2 else 'deallocate'}")
            handling = asyncio.ensure_future(app.on_event(event(vm_id("e-2"))))
            await asyncio.sleep(0.31)
            two.skews[0] += step if number % 4 == 0 else -step if number % 4 == 2 else 0.0
            await handling
            await asyncio.sleep(5)
        begun = stage.clock()
        while stage.wrong_answers() or (await app.status())["dirty"]:
            await app.drain()
            await asyncio.sleep(1)
            assert stage.clock() - begun < 2 * WINDOW_SECONDS
        assert abs(app.clock() - stage.clock()) <= TOLERANCE / 2

    played(story, (0.0,), fleet())


# --- in depth: what a clock that was not corrected has left in the catalog


def test_a_lease_ends_a_minute_after_it_was_written_whatever_its_holders_clock_said():
    async def story(bench):
        now = bench.loop.time
        assert await bench.catalog.acquire("z", "fast", now() + 9000, 60.0)
        await asyncio.sleep(50)
        assert await bench.open().acquire("z", "other", now(), 60.0) is None
        await asyncio.sleep(14)
        assert await bench.open().acquire("z", "other", now(), 60.0)

    on_catalog(story)


def test_writes_of_the_future_count_as_written_now_and_once():
    async def story(stage, two):
        one, _ = two.apps
        await one.correct_drift()
        zone = one.settings.zones[0]
        ahead = [WriteStamp("update", f"n{number}", stage.clock() + 4000) for number in range(30)]
        await one.applier.worker(zone).lease.acquire()
        await one.catalog.release(KEY, one.instance.holder, ahead)
        begun, budget = stage.clock(), one.applier.record_cache.budgets[KEY]
        while stage.clock() - begun < WINDOW_SECONDS:
            await one.applier.worker(zone).lease.acquire()
            assert Counter(write.kind for write in budget.recent_writes(one.clock()))["update"] == 30
            await asyncio.sleep(10)
        assert budget.wait("update", one.clock(), 56) == 0.0

    played(story, (0.0, 0.0), fleet())


def test_a_first_sweep_that_began_in_the_future_holds_another_one_back_for_a_minute_at_the_most():
    async def story(stage, two):
        one, _ = two.apps
        await one.catalog.put_state(CatalogState(attempted_at=stage.clock() + 4000), None)
        await one.catalog.put_override(Override("japaneast", stage.clock() + 1e6))
        await one.drain()
        await asyncio.sleep(FIRST_SWEEP_RETRY_SECONDS)  # It counts as begun when its row was written.
        await one.drain()
        assert stage.wrong_answers() == {}
        assert len(await one.applier.active_overrides()) == 1, "an override may end in the future"

    played(story, (0.0, 0.0), fleet())


# --- a clock that is set back in a process that goes on


def test_a_budget_whose_clock_was_set_back_is_free_after_a_minute():
    budget = RateLimit()
    for number in range(LIMITS["update"]):
        budget.record("update", f"n{number}", 1000.0 + number / 100)
    assert budget.wait("update", 700.0) == WINDOW_SECONDS
    assert budget.wait("update", 700.0 + WINDOW_SECONDS) == 0.0
    assert budget.coalescing_delay("n1", 700.0 + WINDOW_SECONDS) == 0.0


def test_a_queue_whose_clock_was_set_back_neither_pauses_nor_holds_host_names_back():
    rows = [
        Versioned(DirtyName("z", "llama", Urgency.FIRST_ADDRESS), "1"),
        Versioned(DirtyName("z", "host", Urgency.HOST_FIRST_ADDRESS), "1"),
    ]
    queue = DirtyQueue(RateLimit())
    queue.replace_rows(rows, 1000.0, 1000.0)
    queue.pause(1060.0)
    queue.replace_rows(rows[1:], 700.0, 700.0)
    assert queue.next(700.0).value.name == "host"


def test_nothing_is_waited_for_longer_than_ten_minutes_whatever_was_asked_for():
    assert back_off(1, 1e6) == LONGEST_WAIT
    queue = DirtyQueue(RateLimit())
    queue.replace_rows([Versioned(DirtyName("z", "llama"), "1")], 1000.0, 1000.0)
    queue.pause(9e9)
    assert queue.next(1000.0) is None
    assert queue.next(1000.0 + LONGEST_WAIT)


def test_a_lease_that_was_taken_by_a_clock_that_is_set_back_since_is_taken_anew_before_anything_is_written():
    async def story(stage, two):
        app = two.apps[0]
        await app.correct_drift()
        lease = app.applier.worker(app.settings.zones[0]).lease
        assert await lease.take()
        taken, generation = lease.expires, lease.generation
        for expires, left in ((taken, 57), (taken + 300, 0), (taken - 58, -1)):
            lease.expires = expires
            assert round(lease.seconds_left()) == left
        lease.expires = taken + 300
        assert await lease.renew() is None
        assert round(lease.seconds_left()) == 57
        assert lease.generation == generation + 1, "what was decided before is decided anew"

    played(story, (0.0,), fleet())


def test_a_list_of_endpoints_waits_for_seconds_after_the_clock_was_set_back():
    class Inventory:
        async def observe(self, endpoint_id, _known):
            await asyncio.sleep(0.5)
            return vm(endpoint_id)

        async def observe_many(self, wanted):
            return {each: vm(each) for each in wanted}

    async def play(loop):
        skew = 3600.0
        observer = Observer(Inventory(), lambda: loop.time() + skew)
        for _ in range(2):
            begun = loop.time()
            await asyncio.gather(*(observer.observe(f"vm-{number}", None) for number in range(3 * LIST_THRESHOLD)))
            assert loop.time() - begun < 20
            skew = 0.0

    in_virtual_time(play)
