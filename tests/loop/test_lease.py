"""The lease of a zone: one instance has it, a change of hands is noticed, and the next holder learns of the writes."""

from collections import Counter

import pytest

from shared.catalog.memory import MemoryCatalog
from shared.decide.rate_limit import LIMITS, WRITES
from shared.domain.clock import TOLERANCE
from shared.loop.zone.lease import LEASE_SECONDS, ZoneLease
from shared.loop.zone.outcomes import LeaseTaken
from shared.loop.zone.record_cache import RecordSetCache
from shared.loop.zone.services import LoopServices
from tests.support.values import LATENCY, parsed

SETTINGS = parsed()
(ZONE,) = SETTINGS.zones


class Bench:
    """One catalog, and instances with their leases. `now`: the time of all, in seconds."""

    def __init__(self):
        self.catalog, self.now = MemoryCatalog(), 1000.0

    def lease(self, holder):
        services = LoopServices(self.catalog, None, SETTINGS, LATENCY, lambda: self.now, holder)
        return ZoneLease(services, ZONE, RecordSetCache(None, ZONE, services.clock))


@pytest.fixture
def bench():
    return Bench()


async def test_one_instance_has_the_zone_until_it_gives_it_back(bench):
    one, other = bench.lease("one"), bench.lease("other")
    assert await one.take()
    assert not await other.take()
    await one.release()
    assert await other.take()


async def test_a_lease_is_renewed_when_half_of_it_is_over_and_the_work_goes_on(bench):
    one = bench.lease("one")
    await one.take()
    first = one.expires
    bench.now += 10
    assert await one.renew() is None
    assert one.expires == first
    bench.now += LEASE_SECONDS / 2
    assert await one.renew() is None
    assert (one.expires, one.generation) == (bench.now + LEASE_SECONDS, 0)
    assert one.seconds_left() == LEASE_SECONDS - TOLERANCE


async def test_a_run_ends_where_another_instance_has_the_zone_or_had_it_and_died(bench):
    one, other = bench.lease("one"), bench.lease("other")
    await one.take()
    bench.now += LEASE_SECONDS + 1
    assert await other.take()
    assert await one.renew() == LeaseTaken()
    bench.now += LEASE_SECONDS + 1
    assert await one.renew() == LeaseTaken()


async def test_after_a_dead_holder_the_budget_is_assumed_to_be_used_up_once(bench):
    one, other = bench.lease("one"), bench.lease("other")
    await one.take()
    bench.now += LEASE_SECONDS + 1
    assert await other.take()
    assert Counter(write.kind for write in other.cache.budget.recent_writes(bench.now)) == {
        k: LIMITS[k] for k in WRITES
    }
    bench.now += LEASE_SECONDS / 2 + 1
    assert await other.renew() is None
    assert {write.at for write in other.cache.budget.recent_writes(bench.now)} == {1000.0 + LEASE_SECONDS + 1}


async def test_the_next_holder_counts_what_was_written(bench):
    one, other = bench.lease("one"), bench.lease("other")
    await one.take()
    one.cache.budget.record("create", "llama", bench.now)
    await one.release()
    bench.now += 5
    await other.take()
    assert [(write.kind, write.name) for write in other.cache.budget.recent_writes(bench.now)] == [("create", "llama")]
