"""Round-trip times between regions: published where the world says nothing, noisy, equal for equal seeds."""

import statistics
from itertools import pairwise

import pytest

from simulator.paths.entry import NetworkEntry, PathEntry
from simulator.paths.paths import SAME_REGION_MS, UNKNOWN_MS, Paths
from tests.support.small_world import Clock

PUBLISHED = {("eastus", "westeurope"): 84.0, ("westeurope", "eastus"): 86.0}
TWO = ("eastus", "westeurope")


def paths(clock=None, seed=7, **entry):
    found = Paths(clock or Clock(), seed, PUBLISHED)
    found.load(NetworkEntry(**entry))
    return found


@pytest.mark.parametrize(
    ("pair", "ms"),
    [
        (TWO, 84.0),
        (("westeurope", "eastus"), 86.0),
        (("eastus", "eastus"), SAME_REGION_MS),
        (("eastus", "moonbase"), UNKNOWN_MS),
    ],
)
def test_a_world_without_a_network_has_the_published_round_trip_times(pair, ms):
    opening = paths().opening(*pair)
    assert (opening.seconds, opening.rtt_ms) == (pytest.approx(ms / 1000), pytest.approx(ms))
    assert paths().flight(*pair) == pytest.approx(ms / 2000)


def test_a_path_of_the_file_replaces_the_published_value_in_both_directions_or_in_one():
    both = paths(paths=[PathEntry("East US", "westeurope", rtt_ms=140)])
    assert both.true_ms(*TWO) == both.true_ms(*reversed(TWO)) == 140
    one = paths(paths=[PathEntry(*TWO, both=False, rtt_ms=140)])
    assert (one.true_ms(*TWO), one.true_ms(*reversed(TWO))) == (140, 86)


def test_a_path_to_all_regions_has_the_own_one_among_them_and_a_pair_of_its_own_comes_first():
    found = paths(paths=[PathEntry("eastus", "*", rtt_ms=300), PathEntry(*TWO, rtt_ms=20)])
    assert [found.true_ms("eastus", to) for to in ("eastus", "southeastasia", "westeurope")] == [300, 300, 20]


def test_a_partition_of_one_direction_leaves_the_other_one():
    found = paths(paths=[PathEntry(*TWO, both=False, partition="all")])
    assert (found.partition(*TWO), found.partition(*reversed(TWO))) == ("all", None)


def test_a_change_keeps_what_it_leaves_out_and_mending_takes_back_everything():
    found = paths()
    found.change(PathEntry(*TWO, rtt_ms=140))
    found.change(PathEntry(*TWO, partition="prober"))
    assert (found.true_ms(*TWO), found.partition(*TWO)) == (140, "prober")
    found.mend(PathEntry(*TWO))
    assert (found.true_ms(*TWO), found.partition(*TWO)) == (84, None)


def test_the_noise_has_the_shape_that_it_is_given():
    found = paths(jitter_ms=0.3, spikes=0.02)
    drawn = sorted(found.opening(*TWO).rtt_ms for _ in range(5000))
    assert drawn[0] >= 84
    assert statistics.median(drawn) == pytest.approx(84.2, abs=0.1)
    assert sum(each > 90 for each in drawn) / 5000 == pytest.approx(0.02, abs=0.01)


def test_a_lost_syn_costs_a_second_and_the_next_one_two():
    assert round(paths(loss=1.0).opening(*TWO).seconds) == 63
    seconds = {round(paths(loss=0.5, seed=seed).opening(*TWO).seconds) for seed in range(50)}
    assert {0, 1, 3} <= seconds
    lost = next(each for seed in range(50) if (each := paths(loss=0.5, seed=seed).opening(*TWO)).seconds > 1)
    assert lost.rtt_ms == pytest.approx(lost.seconds * 1000)


def test_the_true_value_drifts_slowly_and_alike_in_both_directions():
    clock = Clock()
    found = paths(clock, wander_ms=0.8)
    values = []
    for _ in range(2000):
        assert found.true_ms(*TWO) + 2 == pytest.approx(found.true_ms(*reversed(TWO)))
        values.append(found.true_ms(*TWO) - 84)
        clock.now += 600
    assert statistics.pstdev(values) == pytest.approx(0.8, rel=0.25)
    assert statistics.mean(values) == pytest.approx(0, abs=0.25)
    assert max(abs(a - b) for a, b in pairwise(values)) < 3


def test_equal_seeds_give_equal_times_and_other_regions_do_not_matter():
    one, two, other = paths(jitter_ms=1.0), paths(jitter_ms=1.0), paths(jitter_ms=1.0, seed=8)
    two.opening("eastus", "southeastasia")
    drawn = [[found.opening(*TWO) for _ in range(5)] for found in (one, two, other)]
    assert drawn[0] == drawn[1] != drawn[2]
