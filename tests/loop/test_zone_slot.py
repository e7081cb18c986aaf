"""One active caller per zone; of the others the one with the latest deadline waits to take over, the rest return."""

import asyncio

from shared.loop.zone.slot import ZoneSlot
from tests.support.small_world import in_virtual_time


def played(story):
    async def play(loop):
        return await story(ZoneSlot(), loop.time)

    return in_virtual_time(play)


def test_the_first_caller_gets_the_slot():
    async def story(slot, now):
        assert await slot.acquire(now(), now() + 20, keep_waiting=False)

    played(story)


def test_a_caller_without_a_later_deadline_returns_at_once():
    async def story(slot, now):
        await slot.acquire(now(), now() + 20, keep_waiting=False)
        begun = now()
        assert not await slot.acquire(now(), now() + 20, keep_waiting=False)
        assert now() == begun

    played(story)


def test_the_caller_with_the_latest_deadline_takes_over_and_the_others_return():
    async def story(slot, now):
        await slot.acquire(now(), now() + 5, keep_waiting=False)
        waiting = [asyncio.ensure_future(slot.acquire(now(), now() + s, keep_waiting=False)) for s in (10, 30, 20)]
        await asyncio.sleep(1)
        assert [task.done() for task in waiting] == [True, False, True]
        slot.release()
        assert [await task for task in waiting] == [False, True, False]

    played(story)


def test_a_waiting_caller_returns_at_its_deadline_and_the_slot_is_not_lost():
    async def story(slot, now):
        await slot.acquire(now(), now() + 5, keep_waiting=False)
        assert not await slot.acquire(now(), now() + 6, keep_waiting=False)
        slot.release()
        assert await slot.acquire(now(), now() + 1, keep_waiting=False)

    played(story)


def test_a_slot_given_to_a_caller_that_is_just_cancelled_goes_to_the_next_one():
    async def story(slot, now):
        await slot.acquire(now(), now() + 5, keep_waiting=False)
        first = asyncio.ensure_future(slot.acquire(now(), now() + 50, keep_waiting=True))
        second = asyncio.ensure_future(slot.acquire(now(), now() + 50, keep_waiting=True))
        await asyncio.sleep(1)
        slot.release()
        first.cancel()
        assert await second

    played(story)


def test_a_caller_that_keeps_waiting_is_not_replaced_by_one_with_a_later_deadline():
    async def story(slot, now):
        await slot.acquire(now(), now() + 100, keep_waiting=False)
        person = asyncio.ensure_future(slot.acquire(now(), now() + 50, keep_waiting=True))
        event = asyncio.ensure_future(slot.acquire(now(), now() + 200, keep_waiting=False))
        await asyncio.sleep(1)
        assert not person.done()
        slot.release()
        assert await person
        slot.release()
        assert await event

    played(story)
