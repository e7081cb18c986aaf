"""One run per zone in a process: who can stay longest works, or waits to take over; nobody else waits."""

import asyncio

from shared.loop.zone.slot import ZoneSlot
from tests.support.small_world import in_virtual_time


def played(story):
    async def play(loop):
        return await story(ZoneSlot(), loop.time)

    return in_virtual_time(play)


def test_who_comes_first_works():
    async def story(turn, now):
        assert await turn.acquire(now(), now() + 20, keep_waiting=False)

    played(story)


def test_who_cannot_stay_longer_leaves_at_once():
    async def story(turn, now):
        await turn.acquire(now(), now() + 20, keep_waiting=False)
        begun = now()
        assert not await turn.acquire(now(), now() + 20, keep_waiting=False)
        assert now() == begun

    played(story)


def test_who_can_stay_longest_takes_over_and_the_others_leave():
    async def story(turn, now):
        await turn.acquire(now(), now() + 5, keep_waiting=False)
        waiting = [asyncio.ensure_future(turn.acquire(now(), now() + s, keep_waiting=False)) for s in (10, 30, 20)]
        await asyncio.sleep(1)
        assert [task.done() for task in waiting] == [True, False, True]
        turn.release()
        assert [await task for task in waiting] == [False, True, False]

    played(story)


def test_a_waiting_one_that_runs_out_of_time_leaves_and_the_turn_is_not_lost():
    async def story(turn, now):
        await turn.acquire(now(), now() + 5, keep_waiting=False)
        assert not await turn.acquire(now(), now() + 6, keep_waiting=False)
        turn.release()
        assert await turn.acquire(now(), now() + 1, keep_waiting=False)

    played(story)


def test_a_turn_given_to_somebody_who_is_just_cancelled_goes_to_the_next():
    async def story(turn, now):
        await turn.acquire(now(), now() + 5, keep_waiting=False)
        first = asyncio.ensure_future(turn.acquire(now(), now() + 50, keep_waiting=True))
        second = asyncio.ensure_future(turn.acquire(now(), now() + 50, keep_waiting=True))
        await asyncio.sleep(1)
        turn.release()
        first.cancel()
        assert await second

    played(story)


def test_who_stays_is_not_sent_away():
    async def story(turn, now):
        await turn.acquire(now(), now() + 100, keep_waiting=False)
        person = asyncio.ensure_future(turn.acquire(now(), now() + 50, keep_waiting=True))
        event = asyncio.ensure_future(turn.acquire(now(), now() + 200, keep_waiting=False))
        await asyncio.sleep(1)
        assert not person.done()
        turn.release()
        assert await person
        turn.release()
        assert await event

    played(story)
