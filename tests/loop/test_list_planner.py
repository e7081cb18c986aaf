"""A zone is listed where that saves reads: for many names, not too often, and not again where the list was too long."""

import asyncio

import pytest

from shared.decide.dirty_queue import DirtyQueue
from shared.domain.catalog_rows import Versioned
from shared.domain.dirty import DirtyName, Urgency
from shared.domain.errors import Transient
from shared.loop.zone.list_planner import LIST_INTERVAL_SECONDS, LIST_THRESHOLD, ListPlanner
from shared.loop.zone.record_cache import RecordSetCache
from tests.support.small_world import in_virtual_time
from tests.support.values import zone

ZONE = zone()


class Sets:
    """A zone whose list has some pages, or fails. `lists`: how many were begun."""

    def __init__(self, pages=1, error=None):
        self.pages, self.error, self.lists = pages, error, 0

    async def get(self, zone, name):
        return None

    async def list(self, zone, before_page):
        self.lists += 1
        for _ in range(self.pages):
            await before_page()
            await asyncio.sleep(0.1)
        if self.error:
            raise self.error
        return []


class Bench:
    def __init__(self, clock, sets):
        self.clock, self.sets, self.marked, self.new_work = clock, sets, 0, asyncio.Event()
        self.cache = RecordSetCache(sets, ZONE, clock)
        self.queue = DirtyQueue(self.cache.budget)
        self.planner = ListPlanner(self.cache, self.queue, self.new_work, clock)

    def plan(self, names, urgency=Urgency.HOST_FIRST_ADDRESS):
        """So many names that were never read are dirty now; gives how many of them may go."""
        rows = [Versioned(DirtyName(ZONE.key, f"n{self.marked + n}", urgency), "1") for n in range(names)]
        self.marked += names
        self.queue.replace_rows(rows, self.clock(), self.clock())
        self.planner.plan()
        return len(self.queue.ready(self.clock()))


def played(story, sets):
    async def play(loop):
        await story(Bench(loop.time, sets), sets)

    in_virtual_time(play)


def test_host_names_wait_for_the_list_that_reads_them_and_service_names_do_not():
    async def story(bench, sets):
        assert bench.plan(LIST_THRESHOLD - 1) == LIST_THRESHOLD - 1
        assert bench.plan(LIST_THRESHOLD) == 0
        assert bench.planner.is_listing
        assert bench.plan(2, Urgency.FIRST_ADDRESS) == 2
        await bench.new_work.wait()
        assert bench.plan(0) == 0
        assert (sets.lists, bench.planner.is_listing) == (1, False)

    played(story, Sets())


def test_after_a_list_that_was_too_long_the_next_one_needs_twice_as_many_names():
    async def story(bench, sets):
        bench.plan(LIST_THRESHOLD)
        await asyncio.sleep(LIST_INTERVAL_SECONDS)
        assert bench.plan(2 * LIST_THRESHOLD - 1) == 2 * LIST_THRESHOLD - 1
        assert bench.plan(2 * LIST_THRESHOLD) == 0
        await asyncio.sleep(1)
        assert sets.lists == 2

    played(story, Sets(pages=40))


@pytest.mark.parametrize(("error", "pause"), [(None, 1), (Transient("HTTP 500"), 10)])
def test_two_lists_begin_some_seconds_apart_and_more_after_a_failure(error, pause):
    async def story(bench, sets):
        bench.plan(LIST_THRESHOLD)
        await asyncio.sleep(1)
        bench.cache.apply_foreign_writes(None)  # What the list has shown is not known any more.
        bench.plan(LIST_THRESHOLD)
        await asyncio.sleep(pause * LIST_INTERVAL_SECONDS - 2)
        bench.plan(LIST_THRESHOLD)
        assert not bench.planner.is_listing
        await asyncio.sleep(1.5)
        bench.plan(LIST_THRESHOLD)
        assert bench.planner.is_listing

    played(story, Sets(error=error))


def test_a_list_that_is_stopped_holds_no_name_back():
    async def story(bench, sets):
        bench.plan(LIST_THRESHOLD)
        bench.planner.stop()
        assert len(bench.queue.ready(bench.clock())) == LIST_THRESHOLD
        await asyncio.sleep(5)
        assert not bench.new_work.is_set()

    played(story, Sets(pages=2))
