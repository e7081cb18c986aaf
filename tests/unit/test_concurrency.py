"""Shared work: every caller gets a run that begins after its call, and no more runs than that takes."""

import asyncio

import pytest

from shared.domain.concurrency import SharedRuns
from tests.support.small_world import in_virtual_time


class Work:
    """Takes a second; keeps when each run began and what it was asked for."""

    def __init__(self, fails=False):
        self.began, self.asks, self.ended, self.fails = [], [], 0, fails

    async def __call__(self, flight):
        self.began.append(asyncio.get_running_loop().time())
        self.asks.append(set(flight.waiting_callers))
        await asyncio.sleep(1.0)
        self.ended += 1
        if self.fails:
            raise ValueError("on purpose")
        return len(self.began)


def played(story):
    in_virtual_time(lambda _: story())


async def calls(shared, work, *instants, key="a"):
    async def call(instant):
        await asyncio.sleep(instant)
        return await shared.run(key, f"at {instant}", work)

    return await asyncio.gather(*map(call, instants))


def test_callers_at_once_share_one_run_and_one_of_them_is_the_first():
    async def story():
        work = Work()
        found = await calls(SharedRuns(), work, 0.0, 0.0, 0.0)
        assert sorted(found) == [(1, False), (1, False), (1, True)]

    played(story)


def test_who_calls_while_a_run_is_in_flight_gets_the_next_one_together_with_all_others():
    async def story():
        work = Work()
        found = await calls(SharedRuns(), work, 0.0, 0.1, 0.5, 0.9)
        assert [run for run, _ in found] == [1, 2, 2, 2]
        assert [first for _, first in found] == [True, True, False, False]
        assert work.began[1] - work.began[0] == pytest.approx(1.0)
        assert work.asks[1] == {"at 0.1", "at 0.5", "at 0.9"}

    played(story)


def test_the_next_run_keeps_its_distance_and_takes_along_who_calls_until_then():
    async def story():
        work = Work()
        found = await calls(SharedRuns(pause=3.0), work, 0.0, 0.1, 2.9, 3.1)
        assert [run for run, _ in found] == [1, 2, 2, 3]
        assert work.began[1] - work.began[0] == pytest.approx(3.0)

    played(story)


def test_another_key_waits_for_nothing():
    async def story():
        shared, work = SharedRuns(), Work()
        await asyncio.gather(calls(shared, work, 0.0), calls(shared, work, 0.0, key="b"))
        assert work.began[0] == work.began[1]

    played(story)


def test_an_error_is_everyones_who_shared_the_run_and_nobody_elses():
    async def story():
        shared, work = SharedRuns(), Work(fails=True)
        found = await asyncio.gather(
            *(shared.run("a", "x", work) for _ in range(3)),
            calls(shared, Work(), 0.5),
            return_exceptions=True,
        )
        assert [type(each) for each in found] == [ValueError] * 3 + [list]

    played(story)


@pytest.mark.parametrize("gives_up", [0.2, 1.2])
def test_a_run_goes_on_for_those_who_wait_when_its_first_caller_gives_up(gives_up):
    """A delivery has a deadline of its own; the look that it began is not its own any more."""

    async def story():
        shared, work = SharedRuns(), Work()
        await asyncio.sleep(0)
        first = asyncio.ensure_future(calls(shared, work, 0.0, 0.1))
        leader = asyncio.ensure_future(shared.run("b", "x", work))
        other = asyncio.ensure_future(shared.run("b", "x", work))
        await asyncio.sleep(min(gives_up, 0.5))
        leader.cancel()
        assert (await other)[1] is False
        await first

    played(story)


def test_a_run_for_which_nobody_waits_any_more_ends_and_leaves_nothing_behind():
    async def story():
        shared, work = SharedRuns(), Work()
        callers = [asyncio.ensure_future(shared.run("a", "x", work)) for _ in range(2)]
        await asyncio.sleep(0.5)
        waiting = asyncio.ensure_future(shared.run("a", "x", work))
        await asyncio.sleep(0.1)
        for each in (*callers, waiting):
            each.cancel()
        await asyncio.sleep(5.0)
        assert (len(work.began), work.ended) == (1, 0)
        assert (shared._running, shared._waiting) == ({}, {})
        at_once = asyncio.ensure_future(shared.run("a", "x", work))
        at_once.cancel()
        assert (await shared.run("a", "x", work))[1] is True

    played(story)
