"""What becomes of a dirty row: each outcome of an attempt leaves it, or backs it off with the reason."""

import pytest

from shared.catalog.memory import MemoryCatalog
from shared.decide.decision import HoldBack
from shared.decide.dirty_queue import NEVER, DirtyQueue
from shared.decide.plan import Change
from shared.domain.dirty import DirtyName, Urgency
from shared.domain.errors import Conflict, Terminal, Transient
from shared.domain.zones import RecordSet
from shared.edge.report import Report
from shared.loop.zone.dirty_rows import CONFLICTS_BEFORE_BACKOFF, MAX_ERROR_CHARACTERS, DirtyRows
from shared.loop.zone.outcomes import (
    Done,
    LeaseChanged,
    LeaseTaken,
    NotTried,
    PastDeadline,
    WaitForBudget,
    ZoneFrozen,
)
from shared.loop.zone.record_cache import RecordSetCache
from shared.loop.zone.record_reads import CachedRecordSet
from shared.loop.zone.services import LoopServices
from tests.support.values import LATENCY, parsed

SETTINGS = parsed()
(ZONE,) = SETTINGS.zones
NOW = 1000.0
RECORD = RecordSet("llama", 30, ("10.0.0.1",))
CHANGE = Change(ZONE.id, "llama", None, RECORD, "")


class Bench:
    """One dirty row, a cache that holds its record set, and what settles it."""

    async def open(self, attempts):
        self.catalog, self.report = MemoryCatalog(), Report("drain")
        services = LoopServices(self.catalog, None, SETTINGS, LATENCY, lambda: NOW, "one")
        self.cache = RecordSetCache(None, ZONE, services.clock)
        self.queue = DirtyQueue(self.cache.budget)
        self.cache.put("llama", CachedRecordSet(RECORD, NOW - 5))
        await self.catalog.mark_dirty(DirtyName(ZONE.key, "llama", Urgency.FIRST_ADDRESS, NOW, attempts=attempts))
        self.rows = DirtyRows(services, ZONE, self.cache, self.queue, self.report)
        return await self.row()

    async def row(self):
        return await self.catalog.dirty_name(ZONE.key, "llama")


@pytest.mark.parametrize("outcome", [PastDeadline(), LeaseChanged(), LeaseTaken(), ZoneFrozen(), WaitForBudget(CHANGE)])
async def test_a_name_that_was_not_tried_to_the_end_stays_dirty_and_due_as_before(outcome):
    bench = Bench()
    before = await bench.open(attempts=1)
    waits = await bench.rows.settle(before, outcome)
    assert await bench.row() == before
    assert waits == (CHANGE if isinstance(outcome, WaitForBudget) else None)
    assert bench.report.idle
    assert bench.cache.cached("llama"), "what was read is still true"


@pytest.mark.parametrize(
    ("outcome", "attempts", "after", "delay", "error"),
    [
        (HoldBack("too early", 10.0), 1, 1, 10.0, "too early"),
        (Conflict("HTTP 412"), 0, 1, 0.0, "HTTP 412"),
        (Conflict("HTTP 412"), CONFLICTS_BEFORE_BACKOFF, CONFLICTS_BEFORE_BACKOFF + 1, 2.0, "HTTP 412"),
        (Transient("HTTP 500"), 0, 1, 2.0, "HTTP 500"),
        (Transient("HTTP 429", 60.0), 1, 2, 60.0, "HTTP 429"),
        (Terminal("locked"), 0, 1, 64.0, "locked"),
        (NotTried(Terminal("locked")), 0, 1, 64.0, "locked"),
        (Terminal("x" * 1000), 0, 1, 64.0, "x" * MAX_ERROR_CHARACTERS),
    ],
)
async def test_a_name_that_did_not_succeed_is_backed_off_with_the_reason_and_what_the_zone_holds(
    outcome, attempts, after, delay, error
):
    bench = Bench()
    before = await bench.open(attempts)
    assert await bench.rows.settle(before, outcome) is None
    row = (await bench.row()).value
    assert (row.attempts, row.not_before - NOW, row.last_error) == (after, delay, error)
    assert (row.holds, row.held_at) == (("10.0.0.1",), NOW - 5)
    assert bench.cache.cached("llama") is None, "it may be wrong: the next attempt reads it"


async def test_a_row_that_was_marked_again_meanwhile_is_not_backed_off():
    bench = Bench()
    old = await bench.open(attempts=0)
    await bench.catalog.mark_dirty(DirtyName(ZONE.key, "llama", Urgency.WITHDRAW, NOW))
    marked = await bench.row()
    await bench.rows.settle(old, Transient("HTTP 500"))
    assert await bench.row() == marked


async def test_a_failure_is_reported_once_and_taken_back_when_the_name_succeeds():
    bench = Bench()
    row = await bench.open(attempts=0)
    await bench.rows.settle(row, NotTried(Terminal("locked")))
    assert [error for _, error in bench.report.failures] == ["not tried: Azure refuses writes to the zone: locked"]
    await bench.rows.settle(row, HoldBack("too early", 10.0))
    assert (bench.report.failures, [skip.reason for skip in bench.report.skips]) == ([], ["too early"])
    await bench.rows.settle(row, Done())
    assert bench.report.idle


async def test_the_whole_zone_pauses_for_as_long_as_azure_asks():
    bench = Bench()
    row = await bench.open(attempts=0)
    bench.queue.replace_rows([row], NOW, NOW)
    await bench.rows.settle(row, Transient("HTTP 429", 60.0))
    assert bench.queue.next(NOW + 59) is None
    assert bench.queue.next_ready_at(NOW) not in (NOW, NEVER)
