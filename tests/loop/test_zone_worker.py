"""What zone workers guarantee: no wait in vain, no lost mark, no write under the lease of another instance."""

import asyncio
import itertools
from dataclasses import replace

import pytest

from shared.catalog.memory import MemoryCatalog
from shared.decide.rate_limit import LIMITS, WINDOW_SECONDS
from shared.domain.dirty import Urgency
from shared.domain.endpoints import EndpointRow, State
from shared.domain.errors import Conflict, Transient
from shared.domain.zones import RecordSet
from shared.loop.zone.lease import LEASE_SECONDS
from shared.loop.zone.record_reads import CachedRecordSet
from tests.support.values import vm
from tests.support.zone_bench import READ, WRITE, ZONE, played


def right(number):
    """The record set that host number so-and-so should have."""
    address = f"10.0.{number // 250}.{1 + number % 250}"
    return RecordSet(f"vm-{number}", 300, (address,), (("nearzone-owner", "nearzone"),), f"e{number}")


@pytest.mark.parametrize("first_run", [20, 2], ids=["a list that gave up", "a list that was cut short"])
def test_names_are_written_and_not_waited_for_when_there_is_no_list_to_wait_for(first_run):
    async def story(bench):
        applier = bench.applier()
        await bench.mark(*bench.hosts[:12])
        await bench.drain(applier, first_run)
        await bench.mark(*bench.hosts[12:27])
        begun, draining = bench.at, asyncio.ensure_future(bench.drain(applier, 20))
        await asyncio.sleep(0.1)
        while not draining.done():
            rival = await bench.whole.acquire(ZONE.key, "rival", bench.clock(), 60)
            assert rival is None or set(bench.hosts[12:27]) <= set(bench.written()), "it keeps its lease meanwhile"
            await asyncio.sleep(0.005)
        assert set(bench.hosts[12:27]) <= set(bench.written())
        assert bench.at - begun < 12

    played(story, hosts=30, pages=40)


def test_an_instance_that_takes_over_from_a_dead_holder_waits_one_minute():
    async def story(bench):
        await bench.whole.acquire(ZONE.key, "dead", bench.clock() - 61, 60)
        await bench.mark(*bench.hosts)
        report = await bench.drain(bench.applier(), 240, wait=True)
        assert (report.names_remaining, len(report.changes)) == (0, 3)
        assert WINDOW_SECONDS <= bench.at < WINDOW_SECONDS + 3

    played(story, hosts=3)


def test_a_holder_that_waits_for_its_budget_keeps_its_lease():
    async def story(bench):
        one, other = bench.applier("one"), bench.applier("other")
        await bench.mark(*bench.hosts)
        draining = asyncio.ensure_future(bench.drain(one, 240, wait=True))
        while not draining.done():
            await asyncio.sleep(0.2)
            await bench.drain(other, 20)
        assert (await draining).failures == []
        assert len(bench.written(before=WINDOW_SECONDS + 20)) == 2 * LIMITS["create"]
        assert set(bench.written(before=2 * WINDOW_SECONDS + 20)) == set(bench.hosts)

    played(story, hosts=150)


def test_a_run_whose_zone_was_taken_over_leaves_the_rows_to_the_new_holder():
    async def story(bench):
        await bench.mark(*bench.hosts)
        draining = asyncio.ensure_future(bench.drain(bench.applier(), 100))
        await asyncio.sleep(20)
        bench.whole._leases.clear()
        await bench.whole.acquire(ZONE.key, "other", bench.clock(), 100)
        report = await draining
        assert bench.at < LEASE_SECONDS / 2
        rows = [row.value for row in await bench.whole.dirty(ZONE.key)]
        assert rows
        assert {(row.attempts, row.last_error) for row in rows} == {(0, "")}
        assert report.failures == []

    played(story, hosts=150)


def test_a_mark_that_comes_while_the_rows_are_read_is_settled_by_the_call_that_reads_them():
    async def story(bench):
        applier = bench.applier()
        applier.catalog.back["dirty"] = 0.03
        timer = asyncio.ensure_future(bench.drain(applier, 25, wait=True))
        await asyncio.sleep(0.03)
        await bench.mark("vm-0")
        event = await bench.drain(applier, 20)
        assert (await timer).names_remaining == 0
        assert bench.written() == ["vm-0"]
        assert event.names_remaining == 0

    played(story, hosts=1)


def test_where_reads_are_used_up_a_drain_ends_at_its_deadline_and_later_ones_finish():
    async def story(bench):
        applier, runs = bench.applier(), 0
        await bench.mark(*bench.hosts)
        left = len(bench.hosts)
        while left:
            begun = bench.at
            left = (await bench.drain(applier, 25, wait=True)).names_remaining
            assert bench.at - begun < 26
            runs += 1
            await asyncio.sleep(5)
        assert 2 <= runs <= 5
        assert bench.written() == []

    played(story, hosts=240, held=[right(number) for number in range(240)], pages=250)


def test_nothing_is_written_any_more_once_the_lease_is_given_back_whatever_went_wrong():
    async def story(bench):
        bench.sets.fails = {"vm-3": ValueError("a bug")}
        await bench.mark(*bench.hosts)
        with pytest.raises(ValueError, match="a bug"):
            await bench.drain(bench.applier(), 20)
        assert await bench.whole.acquire(ZONE.key, "other", bench.clock(), 60)
        count = len(bench.sets.writes)
        await asyncio.sleep(30)
        assert len(bench.sets.writes) == count

    played(story, hosts=20)


def test_what_was_decided_before_the_lease_lapsed_is_decided_anew():
    """The process is paused between reading the claims and its write; meanwhile another instance finds all right."""

    async def story(bench):
        endpoint = vm("vm-0", "10.0.0.1", tagged=(), own="vm-0", state=State.STOPPED)
        stored = await bench.whole.endpoint(endpoint.key)
        etag = await bench.whole.put_endpoint(EndpointRow(endpoint), stored.etag)
        await bench.mark("vm-0", urgency=Urgency.HOST_WITHDRAW)
        applier = bench.applier()
        applier.catalog.back["claimants"] = 0.5
        draining = asyncio.ensure_future(bench.drain(applier, 300))
        await asyncio.sleep(READ + 0.3)
        applier.catalog.going.clear()
        await asyncio.sleep(70)
        await bench.whole.put_endpoint(EndpointRow(replace(endpoint, state=State.SERVING)), etag)
        await bench.mark("vm-0")
        assert (await bench.drain(bench.applier("other"), 100, wait=True)).names_remaining == 0
        applier.catalog.going.set()
        await draining
        assert "vm-0" in bench.sets.held
        assert bench.sets.writes == []

    played(story, hosts=1, held=[right(0)])


def test_a_catalog_that_is_lost_while_a_name_is_read_takes_no_address_away():
    """The new catalog knows one of the two endpoints only."""

    async def story(bench):
        both = [vm("a", "10.0.0.1"), vm("b", "10.0.0.2")]
        for endpoint in both:
            await bench.whole.put_endpoint(EndpointRow(endpoint), None)
            await bench.whole.index("llama", endpoint.key, 1.0)
        await bench.mark("llama", urgency=Urgency.OTHER)
        applier = bench.applier()
        draining = asyncio.ensure_future(bench.drain(applier, 20))
        await asyncio.sleep(READ / 2)
        applier.catalog.whole = bench.whole = MemoryCatalog()
        await bench.whole.put_endpoint(EndpointRow(both[0]), None)
        await bench.whole.index("llama", both[0].key, 1.0)
        await draining
        assert bench.sets.held["llama"].addresses == ("10.0.0.1", "10.0.0.2")

    llama = RecordSet("llama", 30, ("10.0.0.1", "10.0.0.2"), (("nearzone-owner", "nearzone"),), "e")
    played(story, held=[llama])


def test_a_catalog_that_fails_during_a_run_ends_it_with_its_error_and_no_write_follows():
    async def story(bench):
        applier = bench.applier()
        await bench.mark(*bench.hosts)
        draining = asyncio.ensure_future(bench.drain(applier, 100))
        await asyncio.sleep(3)
        applier.catalog.fails_once["dirty"] = Transient("HTTP 500")
        with pytest.raises(Transient, match="HTTP 500"):
            await draining
        assert await bench.whole.acquire(ZONE.key, "other", bench.clock(), 60), "the lease was given back"
        count = len(bench.sets.writes)
        await asyncio.sleep(30)
        assert count == len(bench.sets.writes) < len(bench.hosts)

    played(story, hosts=50)


def test_nothing_is_taken_for_right_on_a_reading_that_is_older_than_the_mark():
    async def story(bench):
        applier = bench.applier()
        applier.record_cache.put(ZONE, "vm-0", CachedRecordSet(right(0), bench.clock()))
        bench.sets.held["vm-0"] = replace(right(0), addresses=("10.9.9.9",), etag="edited")
        await bench.mark("vm-0")
        assert (await bench.drain(applier, 20, wait=True)).names_remaining == 0
        assert bench.sets.held["vm-0"].addresses == right(0).addresses

    played(story, hosts=1)


def test_a_run_that_waits_for_names_to_fall_due_leaves_the_processor_alone():
    """Measured in steps of the event loop, of which each read and each write takes a few."""

    async def story(bench):
        await bench.mark("nobody", urgency=Urgency.FIRST_ADDRESS)
        await bench.mark(*bench.hosts)
        before = asyncio.get_running_loop().steps
        await bench.drain(bench.applier(), 15)
        assert len(bench.written()) >= 15
        assert asyncio.get_running_loop().steps - before < 100 * len(bench.written())

    played(story, hosts=60)


def test_a_name_whose_condition_failed_five_times_in_a_row_is_backed_off():
    """Until then it is tried again at once: as a rule the next read shows what has changed."""

    async def story(bench):
        bench.sets.fails = {"vm-0": Conflict("HTTP 412")}
        await bench.mark(*bench.hosts)
        await bench.drain(bench.applier(), 25)
        gaps = [later - earlier for (earlier, _), (later, _) in itertools.pairwise(bench.sets.writes)]
        assert max(gaps[:5]) < 2 * (READ + WRITE)
        assert [round(gap) for gap in gaps[5:8]] == [3, 5, 9], "2, 4 and 8 s after the failure"

    played(story, hosts=1)


def test_a_name_that_waits_for_a_complete_sweep_is_looked_at_every_few_seconds_and_has_not_failed():
    async def story(bench):
        both = [vm("a", "10.0.0.1"), vm("b", "10.0.0.2", state=State.STOPPED)]
        for endpoint in both:
            await bench.whole.put_endpoint(EndpointRow(endpoint), None)
            await bench.whole.index("llama", endpoint.key, 1.0)
        await bench.mark("llama", urgency=Urgency.OTHER)
        applier, complete = bench.applier(), await bench.whole.state()
        applier.catalog.back["claimants"] = 0.5
        draining = asyncio.ensure_future(bench.drain(applier, 2))
        await asyncio.sleep(READ + 0.3)
        lost = await bench.whole.put_state(replace(complete.value, completed_at=0.0, epoch="new"), complete.etag)
        await draining
        (row,) = await bench.whole.dirty(ZONE.key)
        assert (row.value.attempts, row.value.last_error) == (0, "not narrowed before a complete sweep")
        await asyncio.sleep(5)
        await bench.whole.put_state(replace(complete.value, epoch="new"), lost)
        swept = bench.at
        await bench.drain(applier, 2)
        assert bench.sets.writes == [], "it is not looked at all the time"
        while not bench.sets.writes:
            await asyncio.sleep(1)
            await bench.drain(applier, 2)
        assert bench.sets.held["llama"].addresses == ("10.0.0.1",)
        assert bench.at - swept < 15

    llama = RecordSet("llama", 30, ("10.0.0.1", "10.0.0.2"), (("nearzone-owner", "nearzone"),), "e")
    played(story, held=[llama])


def test_a_zone_whose_list_was_longer_than_its_names_is_listed_again_only_for_many_more_names():
    async def story(bench):
        applier = bench.applier()
        await bench.mark(*bench.hosts[:12])
        await bench.drain(applier, 20)
        pages = bench.sets.asked["list"]
        assert 0 < pages <= 12
        for first, last, is_listed in ((12, 27, False), (27, 55, True)):
            await asyncio.sleep(WINDOW_SECONDS)
            await bench.mark(*bench.hosts[first:last])
            await bench.drain(applier, 20)
            assert (bench.sets.asked["list"] > pages) is is_listed

    played(story, hosts=55, pages=40)
