"""Many endpoints at once are read by lists, few by GETs, and every observation begins after it was asked for."""

import asyncio

import pytest

from shared.domain.errors import Transient
from shared.loop.observer import (
    LIST_COOLDOWN_SECONDS,
    LIST_THRESHOLD,
    LIST_TIMEOUT_SECONDS,
    MAX_CONCURRENT_GETS,
    Observer,
)
from tests.support.small_world import in_virtual_time
from tests.support.values import vm

GET, LIST = 0.6, 3.0


class World:
    """An inventory in which the truth changes; it notes how it was read."""

    def __init__(self, clock):
        self.clock, self.gets, self.lists, self.state = clock, [], [], {}
        self.most, self.now, self.broken, self.untold, self.list_seconds = 0, 0, False, set(), LIST

    async def observe(self, endpoint_id, known):
        self.gets.append(endpoint_id)
        self.now += 1
        self.most = max(self.most, self.now)
        seen = self.clock()
        await asyncio.sleep(GET)
        self.now -= 1
        return vm(endpoint_id, own=str(seen))

    async def observe_many(self, wanted):
        self.lists.append((self.clock(), frozenset(wanted)))
        seen = self.clock()
        await asyncio.sleep(self.list_seconds)
        if self.broken:
            raise Transient("HTTP 502 in the middle of a list")
        return {each: vm(each, own=str(seen)) for each in wanted if each not in self.untold}


def played(story):
    async def play(loop):
        world = World(loop.time)
        await story(world, Observer(world, loop.time), loop.time)

    in_virtual_time(play)


async def storm(observer, clock, count, seconds, known=None):
    """So many observations, asked for evenly over so many seconds: when asked, when seen, by name."""
    seen = {}

    async def one(number):
        await asyncio.sleep(number * seconds / count)
        asked = clock()
        seen[f"vm-{number}"] = asked, float((await observer.observe(f"vm-{number}", known)).own), clock()

    await asyncio.gather(*(one(number) for number in range(count)))
    return seen


def test_a_few_are_read_by_get_a_few_at_a_time():
    async def story(world, observer, clock):
        begun = clock()
        await storm(observer, clock, LIST_THRESHOLD, 0.0)
        assert (len(world.gets), world.lists, world.most) == (LIST_THRESHOLD, [], MAX_CONCURRENT_GETS)
        assert 1.5 < clock() - begun < 2.0, "about nine a second"

    played(story)


def test_a_storm_is_read_by_lists_and_nobody_gets_an_answer_older_than_the_question():
    async def story(world, observer, clock):
        seen = await storm(observer, clock, 500, 10.0)
        assert all(asked <= at for asked, at, _ in seen.values())
        assert max(answered - asked for asked, _, answered in seen.values()) < 15
        assert len(world.lists) <= 4
        assert len(world.gets) + 20 * len(world.lists) < 150

    played(story)


def test_what_lists_leave_open_is_read_by_get():
    async def story(world, observer, clock):
        world.untold = {"vm-50", "vm-51"}
        await storm(observer, clock, 100, 0.0)
        assert world.lists
        assert {"vm-50", "vm-51"} <= set(world.gets)

    played(story)


@pytest.mark.parametrize("trouble", [{"broken": True}, {"list_seconds": LIST_TIMEOUT_SECONDS + 1}])
def test_lists_that_fail_or_take_too_long_are_given_up_and_everybody_is_read_by_get(trouble):
    async def story(world, observer, clock):
        vars(world).update(trouble)
        seen = await storm(observer, clock, 60, 0.0)
        assert set(world.gets) == set(seen)
        await storm(observer, clock, 60, 0.0)
        assert len(world.lists) == 1, "not again so soon"
        vars(world).update(broken=False, list_seconds=LIST)
        await asyncio.sleep(LIST_COOLDOWN_SECONDS)
        await storm(observer, clock, 60, 0.0)
        assert len(world.lists) == 2

    played(story)


def test_the_first_endpoint_of_a_service_does_not_wait_for_a_list():
    async def story(world, observer, clock):
        everybody = asyncio.ensure_future(storm(observer, clock, 200, 2.0))
        await asyncio.sleep(1.5)
        begun = clock()
        await observer.observe("first", vm("first", tagged=("mistral",)))
        assert clock() - begun < 2 * GET
        await everybody

    played(story)


def test_of_a_service_that_was_just_read_no_other_endpoint_jumps_the_queue():
    async def story(world, observer, clock):
        service = vm("one", tagged=("mistral",))
        await storm(observer, clock, 200, 2.0, service)
        assert world.most <= MAX_CONCURRENT_GETS + 1
        assert world.lists
        await asyncio.sleep(60.0)
        everybody = asyncio.ensure_future(storm(observer, clock, 200, 2.0))
        await asyncio.sleep(1.5)
        begun = clock()
        await observer.observe("another", service)
        assert clock() - begun < 2 * GET, "a minute later the service may have no address again"
        await everybody

    played(story)


def test_one_whose_time_is_up_does_not_keep_the_others_from_their_answers():
    async def story(world, observer, clock):
        tasks = [asyncio.ensure_future(observer.observe(f"vm-{i}", None)) for i in range(100)]
        await asyncio.sleep(1.0)
        for task in tasks[::7]:
            task.cancel()
        done = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(each, asyncio.CancelledError) == (i % 7 == 0) for i, each in enumerate(done) if i > 7)

    played(story)


def test_it_is_calm_only_when_nothing_was_observed_for_a_moment():
    async def story(world, observer, clock):
        assert observer.is_idle
        await observer.observe("vm-1", None)
        assert observer.is_idle
        task = asyncio.ensure_future(observer.observe("vm-2", None))
        await asyncio.sleep(0.1)
        assert not observer.is_idle
        await task

    played(story)
