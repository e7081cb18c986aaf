"""Measured distances: medians, when they count, and when the order of places changes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from shared.config.settings import Probing
from shared.decide.probes.reorder import release
from shared.domain.probes import Distances, ProbeResult, ProbeWord
from tests.support.probing import DEAD, Vantage, probed, target
from tests.support.values import EAST, NORTH, WEST

FLEET = [target("w1"), target("n1", NORTH), target("n2", NORTH), target("n3", NORTH), target("e1", EAST)]


def ms(**values):
    return {word: ProbeResult(ProbeWord.OK, 200, float(value)) for word, value in values.items()}


TRUE = ms(w1=1, n1=20, n2=20, n3=20, e1=85)
SWAPPED = ms(w1=1, n1=95, n2=95, n3=95, e1=70)


def measured(rounds=7, **results):
    return Vantage(FLEET).rounds(rounds, **(results or TRUE))


def test_seven_samples_are_needed():
    assert measured(6).row.distances.ms == {}
    assert measured(7).row.distances.ms == {WEST: 1.0, NORTH: 20.0, EAST: 85.0}


def test_a_region_is_the_median_over_its_addresses_and_an_address_the_median_of_its_samples():
    seen = measured(7, **{**TRUE, **ms(n1=18, n2=22, n3=500)})
    assert seen.row.distances.ms[NORTH] == 22
    seen = measured(4).rounds(3, **ms(n1=1000, n2=1000, n3=1000))
    assert seen.row.distances.ms[NORTH] == 20


def test_an_address_that_has_never_answered_is_no_distance():
    assert NORTH not in measured(9, n1=ProbeResult(ProbeWord.STATUS, 500, 20.0)).row.distances.ms


def test_results_without_a_round_trip_time_are_no_samples():
    bad = [ProbeResult(ProbeWord.OK, 200, each) for each in (None, float("nan"), float("inf"), -1.0)]
    seen = Vantage([FLEET[0]])
    for _ in range(9):
        for each in bad:
            seen.round(w1=each)
    assert seen.row.distances == Distances()


@pytest.mark.parametrize(("value", "used"), [(48.9, False), (49.1, True)])  # 0.6 x 85 - 2 = 49.
def test_an_implausible_distance_is_not_used(value, used):
    seen = measured(8, **{**TRUE, **ms(e1=value)})
    assert (EAST in seen.row.distances.ms) == used
    assert seen.row.distances.implausible == (() if used else (EAST,))
    assert any("too short to be true" in alarm.what for alarm in seen.row.alarms) != used


def test_a_distance_that_becomes_implausible_is_no_longer_used():
    seen = measured().rounds(21, **{**TRUE, **ms(e1=1)})
    assert EAST not in seen.row.distances.ms


def test_a_static_endpoint_is_a_place_of_its_own_and_may_be_nearer_than_its_region():
    static = target("s1", EAST, place="static/onprem", endpoint="static/onprem")
    seen = Vantage([*FLEET, static]).rounds(7, **TRUE, **ms(s1=2))
    assert seen.row.distances.ms["static/onprem"] == 2
    assert seen.row.distances.order == (WEST, NORTH, EAST, "static/onprem")
    assert not seen.row.distances.implausible


def test_the_first_order_is_the_published_one_and_a_place_without_comes_last():
    seen = Vantage([target("m1", "mars"), *FLEET]).rounds(7, **SWAPPED, **ms(m1=1))
    assert seen.row.distances.order == (WEST, NORTH, EAST, "mars")


def test_a_new_place_enters_at_its_published_position():
    seen = Vantage([FLEET[0], FLEET[4]]).rounds(7, **TRUE)
    seen.targets = FLEET
    assert seen.rounds(8, **TRUE).row.distances.order == (WEST, NORTH, EAST)


def orders(seen, rounds, **results):
    found = []
    for _ in range(rounds):
        order = seen.round(**results).row.distances.order
        if not found or found[-1][0] != order:
            found.append((order, seen.now))
    return found


def test_the_order_changes_after_two_minutes_and_no_sooner():
    seen = Vantage(FLEET)
    found = orders(seen, 40, **SWAPPED)
    assert [order for order, _ in found] == [(), (WEST, NORTH, EAST), (WEST, EAST, NORTH)]
    assert found[2][1] - found[1][1] == 120
    assert seen.row.distances.previous == ()


def test_the_settings_say_how_long_a_place_must_be_nearer_and_how_far_apart_changes_are():
    seen = Vantage(FLEET, probed(probing=Probing(enforce=True, vantage=WEST, dwell=(30, 450))))
    found = orders(seen, 12, **SWAPPED)
    assert found[2][1] - found[1][1] == 30
    assert orders(seen, 40, **TRUE)[-1][1] - found[2][1] == 450


@pytest.mark.parametrize(
    ("near", "far", "turns"), [(20, 17.1, False), (20, 16.9, True), (100, 95.1, False), (100, 94, True)]
)
def test_a_difference_within_the_band_turns_nothing(near, far, turns):
    seen = measured(40, **ms(w1=1, n1=near, n2=near, n3=near, e1=far))
    if far < 49:
        seen = Vantage([replace(each, region="mars", place="mars") if each.region == EAST else each for each in FLEET])
        seen.rounds(40, **ms(w1=1, n1=near, n2=near, n3=near, e1=far))
    assert (seen.row.distances.order[1] != NORTH) == turns


def test_the_next_change_comes_ten_minutes_later():
    seen = measured(7, **TRUE)
    first = orders(seen, 24, **SWAPPED)[-1][1]
    second = orders(seen, 60, **TRUE)
    assert len(second) == 2
    assert seen.row.distances.changed_at - first >= 600


def test_a_short_time_of_being_nearer_turns_nothing():
    seen = measured(21)
    for _ in range(20):
        seen.rounds(12, **SWAPPED).rounds(21, **TRUE)
    assert seen.row.distances.order == (WEST, NORTH, EAST)


def test_the_value_in_force_moves_only_out_of_its_band():
    seen = measured(21)
    assert seen.rounds(21, **{**TRUE, **ms(e1=89)}).row.distances.ms[EAST] == 85
    assert seen.rounds(21, **{**TRUE, **ms(e1=90)}).row.distances.ms[EAST] == 90


def test_a_blind_vantage_keeps_its_distances_and_they_end_ten_minutes_after_the_last_round():
    seen = measured(40, **SWAPPED)
    before = seen.row.distances
    seen.rounds(240, **dict.fromkeys(("w1", "n1", "n2", "n3", "e1"), DEAD))
    assert (seen.row.distances.order, seen.row.distances.ms) == (before.order, before.ms)
    assert seen.row.distances.until == seen.now + 600
    seen.rounds(2, **SWAPPED)
    assert (seen.row.distances.order, seen.row.distances.ms) == (before.order, before.ms)
    assert not seen.changed
    assert seen.round(601, **SWAPPED).row.distances == Distances()


def test_a_region_that_stops_for_hours_keeps_its_place_and_its_value():
    seen = measured(40, **SWAPPED)
    before = seen.row.distances
    seen.targets = [each for each in FLEET if each.region != NORTH]
    seen.rounds(1000, **SWAPPED)
    assert seen.row.distances.order == before.order
    seen.targets = FLEET
    assert seen.round(**SWAPPED).row.distances.ms == before.ms


def test_a_value_without_samples_for_a_day_is_forgotten():
    seen = measured(40, **SWAPPED)
    seen.targets = [each for each in FLEET if each.region != NORTH]
    seen.rounds(86_400 // 60 + 40, 60, **SWAPPED)
    assert NORTH not in seen.row.distances.ms


def many(count):
    names = [f"n{i:03d}" for i in range(count)]
    return [target("w1"), *(replace(each, names=frozenset(names)) for each in FLEET[1:])], set(names)


def test_a_new_order_reaches_ten_names_a_minute_and_does_not_change_meanwhile():
    targets, names = many(95)
    seen = Vantage(targets).rounds(7, **SWAPPED)
    at, told = [], set()
    for _ in range(60):
        seen.round(**SWAPPED)
        at += [seen.now] * len(seen.changed)
        assert not told & seen.changed.keys()
        assert all(not change.everywhere for change in seen.changed.values())
        told |= seen.changed.keys()
        for name in names:
            new = name in told
            assert seen.row.distances.order_for(name) == ((WEST, EAST, NORTH) if new else (WEST, NORTH, EAST))
    assert told == names
    assert all(sum(t < each <= t + 59 for each in at) <= 10 for t in range(int(at[0]) - 60, int(at[-1])))
    assert at[-1] - at[0] == 9 * 60


def test_the_order_does_not_change_while_names_are_pending():
    targets, _ = many(200)
    seen = Vantage(targets).rounds(30, **SWAPPED)
    changed = seen.row.distances.changed_at
    while seen.row.distances.pending:
        seen.round(**TRUE)
        assert seen.row.distances.changed_at == changed
    assert seen.rounds(20, **TRUE).row.distances.order == (WEST, NORTH, EAST)


def test_names_in_one_region_or_with_published_distances_are_not_concerned():
    settings = probed({"gpt": {"distance": "published"}})
    targets = [target("w1"), target("n1", NORTH, "gpt", "bert"), target("e1", EAST, "gpt")]
    seen = Vantage(targets, settings)
    for _ in range(30):
        assert not seen.round(**SWAPPED).changed
    assert seen.row.distances.order == (WEST, EAST, NORTH)


@given(st.sets(st.sampled_from([f"n{i}" for i in range(40)])), st.lists(st.floats(0, 40), max_size=30))
def test_release_lets_every_name_go_and_never_more_than_ten_within_a_minute(names, waits):
    found, now, gone = Distances(order=("a", "b"), previous=("b", "a"), pending=frozenset(names)), 0.0, []
    for wait in [*waits, *[60.0] * 5]:
        now += wait
        after = release(found, now)
        assert after.pending <= found.pending
        gone += [now] * len(found.pending - after.pending)
        found = after
    assert not found.pending
    assert all(sum(t <= each < t + 60 for each in gone) <= 10 for t in gone)
