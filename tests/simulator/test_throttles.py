"""Each way of counting lets through what it says, no more, and tells the truth about the wait."""

from random import Random

import pytest

from simulator.arm.throttles import FixedWindow, SlidingWindow, TokenBucket, throttle

ALGORITHMS = ("fixed", "sliding", "bucket")
NOON = 1_800_000_000.0
"""A multiple of 60."""


def let_through(counter, instants):
    """Ask at each instant; gives the instants at which a call was let through."""
    taken = []
    for now in instants:
        if counter.wait(now) == 0.0:
            counter.take(now)
            taken.append(now)
    return taken


def most_within(taken, span):
    """The most calls in any span of this many seconds."""
    return max(sum(begin <= each < begin + span for each in taken) for begin in taken)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_burst_of_exactly_the_limit_is_let_through(algorithm):
    assert len(let_through(throttle(algorithm, 60, 60.0), [NOON] * 100)) == 60


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("seed", range(5))
def test_a_wait_is_exactly_as_long_as_it_says(algorithm, seed):
    rng, counter, now = Random(seed), throttle(algorithm, 6, 60.0), NOON + 7
    for _ in range(200):
        now += rng.expovariate(1 / 5)
        wait = counter.wait(now)
        assert wait >= 0
        assert (wait == 0.0) == (counter.left(now) > 0)
        if wait:
            assert counter.wait(now + wait - 0.01) > 0, "not before"
            now += wait
            assert counter.wait(now) == 0.0, "and not after"
        counter.take(now)


@pytest.mark.parametrize(("algorithm", "most"), [("fixed", 120), ("sliding", 60), ("bucket", 120)])
def test_the_algorithms_differ_in_what_they_let_through_around_the_edge_of_a_minute(algorithm, most):
    """Sixty just before the minute and sixty just after: a sliding window refuses the second burst."""
    instants = [NOON + 59.9] * 60 + [NOON + 60.1] * 60 + [NOON + 60.2 + n for n in range(60)]
    taken = let_through(throttle(algorithm, 60, 60.0), instants)
    assert most_within(taken, 60.0) == pytest.approx(most, abs=2)


def test_a_fixed_window_begins_anew_at_each_full_minute():
    counter = FixedWindow(2, 60.0)
    assert let_through(counter, [NOON + 1, NOON + 2, NOON + 59.9, NOON + 60, NOON + 61, NOON + 62]) == [
        NOON + 1,
        NOON + 2,
        NOON + 60,
        NOON + 61,
    ]


def test_a_sliding_window_gives_back_each_call_a_minute_after_it():
    counter = SlidingWindow(2, 60.0)
    assert let_through(counter, [NOON + 1, NOON + 20, NOON + 60.9, NOON + 61, NOON + 62, NOON + 80]) == [
        NOON + 1,
        NOON + 20,
        NOON + 61,
        NOON + 80,
    ]


def test_a_bucket_is_refilled_evenly_and_never_beyond_its_size():
    counter = TokenBucket(3, 0.5)
    assert let_through(counter, [NOON] * 5) == [NOON] * 3
    assert [counter.left(NOON + seconds) for seconds in (1, 2, 3, 4, 6, 600)] == [0, 1, 1, 2, 3, 3]


def test_a_bucket_from_which_more_is_taken_than_it_has_owes_nothing():
    counter = TokenBucket(2, 1.0)
    for _ in range(10):
        counter.take(NOON)
    assert counter.left(NOON + 1) == 1
