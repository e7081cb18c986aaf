"""Pacing: never more writes of a kind in a sliding minute than Azure's limit leaves to us, and no slower."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.decide.rate_limit import LIMITS, MAX_BACK_OFF_SECONDS, WINDOW_SECONDS, RateLimit, back_off

KINDS = ("create", "update", "delete")
LIMIT = LIMITS["create"]


def written(wishes):
    """When each wished write goes: (kind, seconds since the wish before) in, (kind, time) out."""
    budget, now, log = RateLimit(), 0.0, []
    for kind, gap in wishes:
        now += gap
        now += budget.wait(kind, now)
        assert budget.wait(kind, now) == 0, "after the wait it may go"
        budget.record(kind, f"n{len(log)}", now)
        log.append((kind, now))
    return log


AZURE = [("create", 60), ("update", 60), ("delete", 60), ("get", 200), ("list", 100)]
"""Calls of a private zone's record sets in a minute. Source: Azure DNS limits, 2024-10-08."""


@pytest.mark.parametrize(("kind", "azure"), AZURE)
def test_a_budget_is_less_than_azures_limit_but_most_of_it(kind, azure):
    assert 0.7 * azure <= LIMITS[kind] < azure


def test_a_call_counts_for_a_minute_and_little_longer():
    assert 60 <= WINDOW_SECONDS < 62


# Quarters of a second are exact in binary, so the border of the window is met exactly.
GAPS = st.sampled_from([0.0, 0.25, 0.5, 1.0, 30.0, 59.75, 60.0, 200.0])


@given(st.lists(st.tuples(st.sampled_from(KINDS), GAPS), min_size=60, max_size=300))
def test_never_more_than_57_of_a_kind_in_any_sliding_minute(wishes):
    log = written(wishes)
    for start in {time for _, time in log}:
        window = Counter(kind for kind, time in log if start <= time < start + 60)
        assert max(window.values()) <= 57


@given(st.integers(min_value=1, max_value=300))
def test_a_storm_of_one_kind_goes_as_fast_as_the_limit_lets_it(count):
    last = written([("update", 0.0)] * count)[-1][1]
    assert last == (count - 1) // LIMIT * WINDOW_SECONDS


def test_each_kind_has_its_own_budget():
    budget = RateLimit()
    for number in range(LIMIT):
        budget.record("create", f"n{number}", 0.0)
    assert budget.wait("create", 1.0) == WINDOW_SECONDS - 1
    assert budget.wait("update", 1.0) == budget.wait("delete", 1.0) == 0


def test_a_write_is_forgotten_when_it_is_a_minute_old():
    budget = RateLimit()
    budget.record("delete", "first", 0.0)
    for number in range(LIMIT - 1):
        budget.record("delete", f"n{number}", 30.0)
    assert budget.wait("delete", WINDOW_SECONDS - 1) == 1
    assert budget.wait("delete", WINDOW_SECONDS) == 0


def test_a_holder_that_does_not_know_the_writes_of_the_last_minute_waits_a_minute():
    budget = RateLimit()
    budget.import_writes(None, 100.0)
    next_one = RateLimit()
    next_one.import_writes(budget.recent_writes(120.0), 120.0)
    assert [next_one.wait(kind, 120.0) for kind in KINDS] == [WINDOW_SECONDS - 20] * 3, (
        "and the next holder waits no longer"
    )
    assert [budget.wait(kind, 100.0) for kind in KINDS] == [WINDOW_SECONDS] * 3
    assert [budget.wait(kind, 100.0 + WINDOW_SECONDS) for kind in KINDS] == [0, 0, 0]


def test_what_one_holder_has_spent_the_next_one_does_not_spend_again():
    mine, yours = RateLimit(), RateLimit()
    for number in range(LIMIT):
        mine.record("create", f"n{number}", float(number) / 4)
    yours.import_writes(mine.recent_writes(20.0), 20.0)
    assert yours.wait("create", 20.0) == WINDOW_SECONDS - 20
    assert yours.wait("update", 20.0) == 0.0
    assert mine.recent_writes(61.0) == yours.recent_writes(61.0), "older ones are forgotten"


def test_a_name_that_keeps_failing_is_tried_ever_more_rarely_up_to_a_limit():
    waits = [back_off(attempts, None) for attempts in range(1, 30)]
    assert waits == sorted(waits)
    assert waits[0] < 5
    assert waits[-1] == MAX_BACK_OFF_SECONDS


@pytest.mark.parametrize(("attempts", "asked"), [(1, 60.0), (1, 500.0), (12, 301.0)])
def test_what_the_other_side_asks_for_is_not_undercut_up_to_ten_minutes(attempts, asked):
    assert back_off(attempts, asked) == asked
