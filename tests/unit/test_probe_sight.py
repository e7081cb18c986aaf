"""When a vantage is presumed blind, and that a blind vantage changes nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.probing import DEAD, OK, REFUSED, Vantage, target, word_of
from tests.support.values import EAST, NORTH, WEST


def fleet(**counts):
    regions = {"w": WEST, "e": EAST, "n": NORTH}
    return [target(f"{word}{i}", regions[word]) for word, count in counts.items() for i in range(1, count + 1)]


def cut_off(targets):
    return {word_of(each.ip): DEAD for each in targets}


# The fleet, the addresses that fail from one round on, whether the vantage is blind, and what is down in the end.
TRUTH = [
    ("one region, its one server dies: no other is preferred to it", fleet(w=1), "w1", True, ""),
    ("one region, one of two dies", fleet(w=2), "w1", False, "w1"),
    ("one region, all but one die", fleet(w=4), "w1 w2 w3", False, "w1 w2 w3"),
    ("one region, all fail", fleet(w=4), "w1 w2 w3 w4", True, ""),
    ("two regions of one server, one dies", fleet(w=1, e=1), "w1", False, "w1"),
    ("two regions of one server, both fail", fleet(w=1, e=1), "w1 e1", True, ""),
    ("a whole region fails", fleet(w=2, e=2, n=2), "w1 w2", False, "w1 w2"),
    ("all but one region fail", fleet(w=2, e=2, n=2), "w1 w2 e1 e2", False, "w1 w2 e1 e2"),
    ("half in every region", fleet(w=2, e=2), "w1 e1", True, ""),
    ("less than half in one region", fleet(w=3, e=2), "w1 e1 e2", False, "w1 e1 e2"),
]


@pytest.mark.parametrize(("targets", "failing", "blind", "down"), [c[1:] for c in TRUTH], ids=[c[0] for c in TRUTH])
def test_blindness(targets, failing, blind, down):
    seen = Vantage(targets).round().rounds(5, **dict.fromkeys(failing.split(), DEAD))
    assert (bool(seen.row.blind_since), seen.down) == (blind, set(down.split()))
    assert any("in every region" in alarm.what for alarm in seen.row.alarms) == blind


def test_addresses_that_have_never_answered_do_not_count():
    seen = Vantage(fleet(w=2, e=2)).rounds(2, w1=DEAD, w2=DEAD).rounds(5, w1=DEAD, w2=DEAD, e1=DEAD)
    assert seen.down == {"e1"}


def test_failures_one_after_the_other_are_followed_until_nothing_is_left_to_compare_with():
    seen = Vantage(fleet(w=2, e=1)).round().rounds(3, w1=DEAD)
    assert seen.rounds(3, w1=DEAD, e1=DEAD).down == {"w1", "e1"}
    assert not seen.row.blind_since
    assert seen.rounds(2, w1=DEAD, e1=DEAD, w2=DEAD).down == {"w1", "e1"}, "a blip publishes nothing that is dead"
    assert seen.round(w1=DEAD, e1=DEAD, w2=DEAD).down == set()
    assert seen.row.blind_since == seen.row.suspected_since == seen.now - 30


def test_a_suspected_vantage_adds_no_verdict_and_keeps_what_it_has():
    seen = Vantage(fleet(w=3, e=3)).round().rounds(3, w1=DEAD)
    assert seen.down == {"w1"}
    every = cut_off(seen.targets)
    assert seen.rounds(2, **every).down == {"w1"}
    assert seen.round(**every).row.verdicts == ()
    assert seen.changed.keys() == {"llama"}


def test_failures_of_a_blind_time_do_not_count_afterwards():
    seen = Vantage(fleet(w=3, e=3)).round()
    seen.rounds(240, **cut_off(seen.targets))
    assert seen.round(w1=DEAD, e1=DEAD).down == set(), "the first round after may still have lost some"
    assert seen.round(w1=DEAD, e1=DEAD).down == set()
    assert seen.round(w1=DEAD).down == {"w1"}


@given(
    st.integers(1, 4),
    st.integers(0, 4),
    st.integers(0, 4),
    st.sets(st.sampled_from(["w1", "w2", "w3", "e1", "e2", "n1"])),
    st.integers(0, 20),
)
def test_a_vantage_that_is_cut_off_changes_no_answer_but_gives_back_what_was_out(w, e, n, late, rounds):
    """`late`: the addresses whose probes came before the cut in its first round, and after its end in the last."""
    targets = fleet(w=w, e=e, n=n)
    every = cut_off(targets)
    seen = Vantage(targets).rounds(9)
    seen.round(**{word: found for word, found in every.items() if word not in late})
    assert not seen.row.verdicts
    for _ in range(rounds + 2):
        assert not seen.round(**every).row.verdicts
        assert not seen.changed
    assert not seen.round(**{word: found for word, found in every.items() if word not in late}).row.verdicts
    assert not seen.rounds(3).changed


def test_a_round_without_results_keeps_what_is_presumed():
    seen = Vantage(fleet(w=2, e=2)).round()
    every = cut_off(seen.targets)
    seen.rounds(5, **every).round(**dict.fromkeys(every))
    assert seen.row.blind_since
    assert not seen.round().row.blind_since


def test_what_answers_again_ends_blindness_even_while_it_was_down():
    seen = Vantage(fleet(w=2)).round().rounds(3, w1=REFUSED).rounds(5, w1=REFUSED, w2=REFUSED)
    assert seen.row.blind_since
    assert seen.round(w1=OK, w2=REFUSED).row.blind_since == 0
    assert seen.rounds(2, w2=REFUSED).down == {"w2"}
