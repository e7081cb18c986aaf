"""Which dirty name goes next: urgent ones first, inside the budgets, host names never in the way of service names."""

import pytest

from shared.decide.dirty_queue import NEVER, SERVICE_PRIORITY_SECONDS, DirtyQueue
from shared.decide.plan import Change
from shared.decide.rate_limit import LIMITS, SERVICE_RESERVE, WINDOW_SECONDS, RateLimit
from shared.domain.catalog_rows import Versioned
from shared.domain.dirty import DirtyName, Urgency
from shared.domain.zones import RecordSet


def row(name, urgency=Urgency.OTHER, since=0.0, etag="1", **more):
    return Versioned(DirtyName("z", name, urgency, since, **more), etag)


def queue_of(*rows, budget=None, now=100.0):
    queue = DirtyQueue(budget or RateLimit())
    queue.replace_rows(rows, now, now)
    return queue


def order(queue, now=100.0):
    """The names in the order in which one worker gets them."""
    names = []
    while found := queue.next(now):
        names.append(found.value.name)
        queue.finish(found, now)
    return names


def creation(name, host=True):
    return Change("z", name, None, RecordSet(name, 30, ("10.0.0.1",)), "", is_host_name=host)


def test_urgent_names_go_first_and_older_ones_among_equals():
    rows = [
        row("other"),
        row("host", Urgency.HOST_FIRST_ADDRESS),
        row("dead-host", Urgency.HOST_WITHDRAW),
        row("more", Urgency.MORE_ADDRESSES),
        row("late", Urgency.FIRST_ADDRESS, since=2.0),
        row("early", Urgency.FIRST_ADDRESS, since=1.0),
        row("dead", Urgency.WITHDRAW),
    ]
    assert order(queue_of(*rows)) == ["dead", "early", "late", "more", "dead-host", "host", "other"]


def test_a_name_that_was_just_settled_has_its_first_address_and_comes_behind_those_that_have_none():
    queue = queue_of(row("again", Urgency.FIRST_ADDRESS, since=0.0))
    queue.finish(queue.next(100.0), 100.0)
    queue.replace_rows(
        [row("again", Urgency.FIRST_ADDRESS, since=1.0, etag="2"), row("new", Urgency.FIRST_ADDRESS, since=2.0)],
        101.0,
        101.0,
    )
    assert order(queue, 101.0) == ["new", "again"]


def test_a_name_that_is_backed_off_waits():
    queue = queue_of(row("failed", Urgency.WITHDRAW, not_before=130.0, attempts=3))
    assert queue.next(129.0) is None
    assert queue.next_ready_at(129.0) == 130.0
    assert queue.next(130.0).value.name == "failed"


def test_a_name_that_one_worker_has_goes_to_no_other():
    queue = queue_of(row("one", Urgency.FIRST_ADDRESS))
    assert queue.next(100.0)
    assert queue.next(100.0) is None
    assert (queue.busy, queue.next_ready_at(100.0)) == (True, NEVER)


def test_rows_that_were_read_before_a_name_was_settled_do_not_bring_it_back():
    queue = queue_of(row("one", Urgency.FIRST_ADDRESS))
    queue.finish(queue.next(101.0), 101.0)
    queue.replace_rows([row("one", Urgency.FIRST_ADDRESS)], 100.5, 101.5)
    assert queue.next(102.0) is None
    queue.replace_rows([row("one", Urgency.FIRST_ADDRESS)], 102.0, 102.0)
    assert queue.next(102.0), "it could not be removed: it is still dirty"


def test_a_name_marked_again_meanwhile_comes_again():
    queue = queue_of(row("one", Urgency.FIRST_ADDRESS))
    queue.finish(queue.next(101.0), 101.0)
    queue.replace_rows([row("one", Urgency.FIRST_ADDRESS, etag="2")], 100.5, 101.5)
    assert queue.next(102.0)


def full(kind, count=None, now=100.0):
    budget = RateLimit()
    for number in range(LIMITS[kind] if count is None else count):
        budget.record(kind, f"n{number}", now)
    return budget


def test_a_withdrawal_does_not_wait_behind_creates_that_have_no_budget():
    queue = queue_of(row("host", Urgency.HOST_FIRST_ADDRESS), row("dead", Urgency.HOST_WITHDRAW), budget=full("create"))
    assert order(queue) == ["dead"]
    assert queue.next_ready_at(100.0) == 100.0 + WINDOW_SECONDS
    assert order(queue, 100.0 + WINDOW_SECONDS) == ["host"]


def test_the_change_of_a_name_is_kept_while_it_waits():
    queue = queue_of(row("a"), budget=full("create"))
    found = queue.next(100.0)
    queue.finish(found, 100.0, creation("a"))
    assert queue.next(101.0) is None
    assert queue.wait(creation("a"), 101.0) == queue.next_ready_at(101.0) - 101.0 == WINDOW_SECONDS - 1
    queue.replace_rows([row("a", etag="2")], 102.0, 102.0)
    assert queue.next(102.0), "it was marked again: what it needs may be something else now"


def test_host_names_leave_room_while_service_names_change_and_use_it_all_afterwards():
    budget = full("create", LIMITS["create"] - SERVICE_RESERVE)
    queue = queue_of(row("llama", Urgency.FIRST_ADDRESS), row("host", Urgency.HOST_FIRST_ADDRESS), budget=budget)
    assert order(queue) == ["llama"]
    later = 100.0 + SERVICE_PRIORITY_SECONDS
    queue.replace_rows([row("host", Urgency.HOST_FIRST_ADDRESS)], later, later)
    assert order(queue, later) == ["host"]


def test_a_service_name_that_keeps_failing_does_not_hold_host_names_back():
    budget = full("create", LIMITS["create"] - SERVICE_RESERVE)
    stuck = row("llama", Urgency.FIRST_ADDRESS, attempts=2, not_before=1000.0)
    assert order(queue_of(stuck, row("host", Urgency.HOST_FIRST_ADDRESS), budget=budget)) == ["host"]


def test_one_host_name_at_a_time_while_service_names_change():
    queue = queue_of(
        row("llama", Urgency.FIRST_ADDRESS), row("a", Urgency.HOST_FIRST_ADDRESS), row("b", Urgency.HOST_FIRST_ADDRESS)
    )
    queue.finish(queue.next(100.0), 100.0)
    assert queue.next(100.0).value.name == "a"
    assert queue.next(100.0) is None
    assert queue.next(100.0 + SERVICE_PRIORITY_SECONDS).value.name == "b"


def test_in_a_busy_minute_a_name_waits_for_more_changes_to_come_together():
    calm, busy = (
        queue_of(row("llama", Urgency.MORE_ADDRESSES)),
        queue_of(row("llama", Urgency.MORE_ADDRESSES), budget=full("update", 40)),
    )
    for queue in (calm, busy):
        queue.finish(queue.next(100.0), 100.0)
        queue.replace_rows([row("llama", Urgency.MORE_ADDRESSES, etag="2")], 101.0, 101.0)
    assert calm.next(101.0)
    assert busy.next(101.0) is None
    assert 105.0 < busy.next_ready_at(101.0) < 115.0


def test_a_name_that_waits_for_its_budget_is_not_put_off_for_having_been_checked():
    queue = queue_of(row("llama", Urgency.MORE_ADDRESSES), budget=full("update", 40))
    before, after = (RecordSet("llama", 30, addresses) for addresses in (("10.0.0.1",), ("10.0.0.1", "10.0.0.2")))
    wider = Change("z", "llama", before, after, "")
    queue.finish(queue.next(100.0), 100.0, wider)
    assert queue.wait(wider, 100.0) == 0.0
    assert queue.next(100.0)


def test_a_name_that_loses_its_last_address_is_removed_at_once_in_a_busy_minute():
    queue = queue_of(row("llama", Urgency.WITHDRAW), budget=full("update", 40))
    found = queue.next(100.0)
    removal = Change("z", "llama", RecordSet("llama", 30, ("10.0.0.1",)), None, "")
    queue.finish(found, 100.0, removal)
    assert queue.wait(removal, 100.0) == 0.0
    assert queue.next(100.0)


@pytest.mark.parametrize("urgency", [Urgency.WITHDRAW, Urgency.HOST_FIRST_ADDRESS])
def test_nothing_goes_while_azure_has_asked_to_wait(urgency):
    queue = queue_of(row("a", urgency))
    queue.pause(110.0)
    assert queue.next(109.0) is None
    assert queue.next_ready_at(109.0) == 110.0
    assert queue.next(110.0)


def test_deferred_names_wait_until_the_next_call():
    queue = queue_of(row("a", Urgency.HOST_FIRST_ADDRESS), row("b", Urgency.HOST_FIRST_ADDRESS))
    queue.defer(["a"])
    assert [each.value.name for each in queue.ready(100.0)] == ["b"]
    queue.defer([])
    assert order(queue) == ["a", "b"]
