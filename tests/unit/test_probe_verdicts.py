"""Which verdicts follow from rounds of probes: armed, down, up, everywhere, slow start, waiting."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from shared.config.settings import Probing
from shared.decide.probes.verdicts import waiting
from shared.domain.probes import ProbeResult, ProbeWord, VerdictKind
from tests.support.probing import DEAD, LOCAL, OK, REFUSED, Vantage, probed, target, word_of
from tests.support.values import EAST, NORTH, WEST

FLEET = [target("w1"), target("w2"), target("w3"), target("e1", EAST), target("e2", EAST), target("n1", NORTH)]


def vantage(targets=FLEET, **more):
    return Vantage(list(targets), **more).round()


def test_an_address_that_has_never_answered_gets_no_verdict():
    seen = Vantage(FLEET).rounds(20, w1=REFUSED)
    assert seen.row.verdicts == ()
    assert "never answered a probe" in seen.row.alarms[0].what


@pytest.mark.parametrize(("failures", "down"), [(1, set()), (2, set()), (3, {"w1"}), (4, {"w1"})])
def test_an_armed_address_is_down_after_three_failures_in_a_row(failures, down):
    assert vantage().rounds(failures, w1=REFUSED).down == down


def test_a_success_between_failures_begins_the_count_anew():
    assert vantage().rounds(2, w1=DEAD).round().rounds(2, w1=DEAD).down == set()


@pytest.mark.parametrize("word", [w for w in ProbeWord if w not in {ProbeWord.OK, ProbeWord.LOCAL_FAULT}])
def test_every_failure_counts(word):
    assert vantage().rounds(3, w1=ProbeResult(word)).down == {"w1"}


def test_a_fault_of_the_vantage_is_no_evidence_and_does_not_interrupt_the_count():
    assert vantage().rounds(2, w1=LOCAL).down == set()
    assert vantage().rounds(30, w1=LOCAL).down == set()
    assert vantage().rounds(2, w1=DEAD).round(w1=LOCAL).round(w1=DEAD).down == {"w1"}


def test_failures_before_a_long_gap_do_not_count():
    assert vantage().rounds(2, w1=DEAD).round(61, w1=DEAD).rounds(1, w1=DEAD).down == set()
    assert vantage().rounds(2, w1=DEAD).round(59, w1=DEAD).down == {"w1"}


def test_a_clock_that_was_set_back_counts_anew():
    seen = vantage().rounds(2, w1=DEAD)
    seen.now -= 3600
    assert seen.round(w1=DEAD).down == set()


def test_a_verdict_without_fresh_results_ends():
    seen = vantage().rounds(3, w1=DEAD)
    assert seen.rounds(4, w1=LOCAL).down == {"w1"}
    assert seen.round(w1=LOCAL).down == set()


def test_up_after_two_successes_and_the_hold_of_one_withdrawal():
    seen = vantage().rounds(3, w1=DEAD)
    assert seen.round().down == {"w1"}
    assert seen.round().down == set()
    slow = vantage().rounds(3, w1=DEAD).rounds(20, w1=DEAD)
    assert slow.round().down == {"w1"}, "one success is not enough, however long ago the hold ended"
    assert slow.round().down == set()


@pytest.mark.parametrize(("withdrawals", "held"), [(1, 30), (2, 60), (3, 90), (10, 300), (12, 300)])
def test_the_hold_is_thirty_seconds_for_each_withdrawal_of_the_last_hour_and_at_most_five_minutes(withdrawals, held):
    seen = vantage()
    for _ in range(withdrawals - 1):
        seen.rounds(3, 1, w1=DEAD)
        while seen.down:
            seen.round(1)
    seen.rounds(3, 1, w1=DEAD)
    since = seen.now
    while seen.down:
        seen.round(1)
    assert seen.now - since == held


def test_a_withdrawal_is_forgotten_after_an_hour():
    seen = vantage().rounds(3, w1=DEAD).rounds(3)
    for _ in range(240):
        seen.round()
    since = seen.rounds(3, w1=DEAD).now
    while seen.down:
        seen.round()
    assert seen.now - since == 30


def test_a_failure_holds_in_other_regions_zones_only_while_another_address_there_answers():
    assert vantage().rounds(3, e1=DEAD).said("e1") == ("down", True)
    assert vantage().rounds(3, n1=DEAD).said("n1") == ("down", False)
    path = vantage().rounds(3, e1=DEAD, e2=DEAD)
    assert (path.said("e1"), path.said("e2")) == (("down", False), ("down", False))


def test_an_address_that_was_never_reached_proves_no_path():
    seen = Vantage(FLEET).round(e2=DEAD).rounds(3, e1=DEAD, e2=DEAD)
    assert seen.said("e1") == ("down", False)


def test_another_probe_of_the_same_address_proves_no_path_to_another_address():
    other = replace(target("e1", EAST, "gpt", endpoint="other"), probe=replace(target("x").probe, port=1))
    seen = vantage([*FLEET[:4], other])
    key = FLEET[3].key
    seen.rounds(0)
    for _ in range(3):
        seen.round(e1=DEAD)
    assert {v.everywhere for v in seen.row.verdicts if v.key == key} == {False}


def test_a_blip_of_the_other_address_does_not_publish_a_dead_one_elsewhere():
    seen = vantage().rounds(3, e1=DEAD)
    assert seen.rounds(2, e1=DEAD, e2=DEAD).said("e1") == ("down", True)
    assert seen.round(e1=DEAD, e2=DEAD).said("e1") == ("down", False)
    assert seen.round(e1=DEAD).said("e1") == ("down", True)


def test_a_path_to_a_static_endpoint_is_its_own():
    static = target("s1", EAST, place="static/onprem", endpoint="static/onprem")
    assert vantage([*FLEET, static]).rounds(3, s1=DEAD).said("s1") == ("down", False)


def test_what_comes_back_is_returning_for_a_minute_elsewhere_and_at_once_in_its_region():
    seen = vantage().rounds(3, e1=DEAD).round()
    assert seen.round().said("e1") == ("returning", True)
    found = seen.row.verdicts[0]
    assert (found.holds_in(WEST, WEST), found.holds_in(EAST, WEST), found.holds_in(NORTH, WEST)) == (True, False, True)
    assert seen.rounds(3).said("e1") == ("returning", True)
    assert seen.round().said("e1") is None


def test_the_settings_say_how_long_it_is_returning():
    settings = probed(probing=Probing(enforce=True, vantage=WEST, slow_start=15))
    seen = Vantage(FLEET, settings).round().rounds(3, e1=DEAD).round()
    assert seen.round().said("e1") == ("returning", True)
    assert seen.round().said("e1") is None


def test_what_was_down_for_own_zones_only_returns_for_these_only():
    assert vantage().rounds(3, n1=DEAD).rounds(2).said("n1") == ("returning", False)
    assert (
        vantage([target("w1"), target("n1", NORTH), target("n2", NORTH)]).rounds(3, w1=DEAD).rounds(2).said("w1")
        is None
    )


def test_what_is_down_again_while_it_returns_is_down():
    assert vantage().rounds(3, e1=DEAD).rounds(2).rounds(3, e1=DEAD).said("e1") == ("down", True)


def test_an_address_whose_verdict_has_ended_is_not_withdrawn_again_to_return():
    seen = vantage().rounds(3, e1=DEAD).round()
    assert seen.round(61).said("e1") is None


def test_an_endpoint_that_stops_and_starts_stays_armed_and_begins_anew():
    seen = vantage().rounds(3, w1=DEAD)
    seen.targets = FLEET[1:]
    assert seen.rounds(10).row.verdicts == ()
    seen.targets = FLEET
    assert seen.rounds(2, w1=DEAD).down == set()
    assert seen.round(w1=DEAD).down == {"w1"}


def test_an_endpoint_that_was_restarted_within_a_round_is_not_down_before_it_fails_anew():
    seen = vantage().rounds(3, w1=DEAD)
    seen.targets = FLEET[1:]
    seen.round()
    seen.targets = FLEET
    assert seen.rounds(2, w1=DEAD).down == set()


def test_a_wait_whose_row_has_ended_does_not_begin_again():
    assert begun().round(61, w1=DEAD).said("w1") is None


def test_evidence_of_an_endpoint_that_is_gone_is_dropped_after_a_week():
    seen = vantage()
    seen.targets = FLEET[1:]
    assert FLEET[0].key in seen.round(7 * 86_400).evidence
    assert FLEET[0].key not in seen.round(1).evidence


def test_another_probe_starts_unarmed():
    seen = vantage()
    seen.targets = [replace(each, probe=replace(each.probe, port=1)) for each in FLEET]
    assert seen.rounds(5, w1=DEAD).row.verdicts == ()


def begun(minutes=5, **policies):
    """A vantage at which w1 has just begun to serve, as the recorder leaves it."""
    settings = probed({"llama": {"wait_minutes": minutes}, **policies})
    seen = Vantage(FLEET[1:], settings).round()
    held = waiting([FLEET[0]], settings, seen.now)
    seen.row = replace(seen.row, verdicts=held)
    seen.targets = list(FLEET)
    return seen


def test_a_new_endpoint_waits_for_its_first_success():
    seen = begun()
    assert seen.rounds(2, w1=DEAD).said("w1") == ("waiting", True)
    assert seen.round().said("w1") is None
    assert seen.rounds(2, w1=DEAD).said("w1") is None


def test_a_new_endpoint_waits_no_longer_than_its_policy_says():
    seen = begun()
    assert seen.rounds(19, w1=DEAD).said("w1") == ("waiting", True)
    assert seen.round(w1=DEAD).said("w1") is None


def test_of_two_names_that_wait_the_shorter_time_is_the_limit():
    settings = probed({"llama": {"wait_minutes": 5}, "gpt": {"wait_minutes": 2}, "bert": {}})
    seen = Vantage([target("w1", WEST, "llama", "gpt", "bert")], settings)
    seen.row = replace(seen.row, until=seen.now + 60, verdicts=waiting(seen.targets, settings, seen.now))
    assert seen.rounds(7, w1=DEAD).said("w1") == ("waiting", True)
    assert seen.round(w1=DEAD).said("w1") is None


def test_an_endpoint_waits_again_after_a_restart_and_a_failing_armed_one_is_down():
    seen = begun().round()
    seen.row = replace(seen.row, verdicts=waiting([FLEET[0]], seen.settings, seen.now + 1))
    assert seen.rounds(2, w1=DEAD).said("w1") == ("waiting", True)
    assert seen.round(w1=DEAD).said("w1") == ("down", True)


def test_nothing_waits_that_served_before_probing_began_or_whose_policy_does_not_wait():
    assert Vantage(FLEET, probed({"llama": {"wait_minutes": 5}})).round(w1=DEAD).row.verdicts == ()
    assert waiting(FLEET, probed(), 0) == ()


def test_a_round_that_does_not_know_the_new_endpoint_yet_keeps_its_verdict_for_a_minute():
    seen = begun()
    seen.targets = FLEET[1:]
    assert seen.rounds(3).said("w1") == ("waiting", True)
    assert seen.round().said("w1") is None


SCRIPTS = st.lists(
    st.fixed_dictionaries(
        {word_of(each.ip): st.sampled_from([OK, OK, OK, DEAD, REFUSED, LOCAL, None]) for each in FLEET}
    ),
    max_size=25,
)


@given(SCRIPTS, st.integers(1, 4), st.integers(1, 3), st.lists(st.sampled_from([5.0, 15.0, 59.0, 61.0]), min_size=25))
def test_no_verdict_without_enough_fresh_failures_of_an_armed_address(script, down_after, up_after, waits):
    """Counted from the script alone: results of an address since its last success, none older than `stale_after`."""
    probing = Probing(vantage=WEST, down_after=down_after, up_after=up_after)
    seen = Vantage(FLEET, probed(probing=probing))
    armed, runs, at, was_down = set(), {}, {}, set()
    for results, wait in zip(script, waits, strict=False):
        seen.round(wait, **results)
        for ip, result in results.items():
            if result in (None, LOCAL):
                continue
            run = runs.get(ip, 0) if seen.now - at.get(ip, 0) <= 60 else 0
            runs[ip], at[ip] = (0 if result is OK else run + 1), seen.now
            armed |= {ip} if result is OK else set()
        for ip in seen.down - was_down:
            assert ip in armed
            assert runs[ip] >= down_after
            assert seen.now - at[ip] <= 60
        assert all(seen.now - at[ip] <= 60 for ip in seen.down)
        assert seen.row.verdicts == tuple(sorted(seen.row.verdicts, key=lambda v: v.key))
        assert not (seen.row.blind_since and seen.row.verdicts)
        was_down = seen.down


@given(SCRIPTS)
def test_the_order_of_targets_and_evidence_changes_nothing(script):
    one, other = Vantage(FLEET), Vantage(FLEET[::-1])
    for results in script:
        one.round(**results)
        other.evidence = dict(reversed(other.evidence.items()))
        other.round(**results)
        assert one.row == other.row
        assert one.evidence == other.evidence


def test_a_verdict_tells_why_in_fixed_words():
    found = vantage().rounds(3, w1=ProbeResult(ProbeWord.STATUS, 503)).row.verdicts[0]
    assert (found.kind, found.words) == (VerdictKind.DOWN, "down: unexpected status 503, 3 times in a row")
