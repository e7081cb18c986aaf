"""Which names become dirty after a round, how urgent they are and where; and what is left of an ended row."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from shared.decide.probes.changes import changed_names, ended, names_to_mark
from shared.decide.routing import route
from shared.decide.rules import Rules
from shared.domain.dirty import Urgency
from shared.domain.probes import Distances, VantageRow, Verdict, VerdictKind, measured
from tests.support.probing import DEAD, Vantage, probed, published, target
from tests.support.values import EAST, LATENCY, NORTH, WEST, vm, zone

DOWN, WAITING, RETURNING = VerdictKind
ONE = target("w1")


def verdict(kind, target=ONE, *, everywhere=True):
    return Verdict(kind, *target.key, target.region, 0, "why", everywhere)


def row(*verdicts, at=100.0, until=160.0, distances=None):
    return VantageRow(WEST, at=at, until=until, verdicts=verdicts, distances=distances or Distances())


def changed(old, new, targets=(ONE,), settings=None):
    return changed_names(old, new, targets, settings or probed(), published)


OUT, BACK = Urgency.WITHDRAW, Urgency.FIRST_ADDRESS
NARROW = verdict(DOWN, everywhere=False)
TRUTH = [
    ("nothing said", None, None, None),
    ("down", None, verdict(DOWN), (OUT, True)),
    ("down for own zones only", None, NARROW, (OUT, False)),
    ("still down", verdict(DOWN), verdict(DOWN), None),
    ("down in more zones", NARROW, verdict(DOWN), (OUT, True)),
    ("down in fewer zones", verdict(DOWN), NARROW, (BACK, True)),
    ("up", verdict(DOWN), None, (BACK, True)),
    ("up, first in its own region", verdict(DOWN), verdict(RETURNING), (BACK, True)),
    ("up everywhere", verdict(RETURNING), None, (BACK, True)),
    ("down again", verdict(RETURNING), verdict(DOWN), (OUT, True)),
    ("another reason", verdict(DOWN), replace(verdict(DOWN), why="other", since=9), None),
    ("it waits, and the name does not care", None, verdict(WAITING), None),
]


@pytest.mark.parametrize(("was", "now", "expected"), [c[1:] for c in TRUTH], ids=[c[0] for c in TRUTH])
def test_verdicts(was, now, expected):
    found = changed(row(*filter(None, [was])), row(*filter(None, [now])))
    assert {(each.urgency, each.everywhere) for each in found.values()} == ({expected} if expected else set())


def test_a_host_name_is_less_urgent_than_a_service_name():
    host = replace(ONE, names=frozenset({"llama", "w1"}), tagged=frozenset({"llama"}))
    found = changed(row(), row(verdict(DOWN)), [host])
    assert {name: each.urgency for name, each in found.items()} == {"llama": OUT, "w1": Urgency.HOST_WITHDRAW}
    found = changed(row(verdict(DOWN)), row(), [host])
    assert {name: each.urgency for name, each in found.items()} == {"llama": BACK, "w1": Urgency.HOST_FIRST_ADDRESS}


def test_of_two_changes_of_a_name_the_more_urgent_counts_and_the_wider_scope():
    other = target("w2")
    found = changed(row(verdict(DOWN)), row(verdict(DOWN, other, everywhere=False)), [ONE, other])
    assert [(each.urgency, each.everywhere) for each in found.values()] == [(OUT, True)]


def test_a_name_that_waits_is_marked_when_the_wait_ends():
    settings = probed({"llama": {"wait_minutes": 5}})
    assert changed(row(verdict(WAITING)), row(), settings=settings)["llama"].urgency == BACK


def test_an_endpoint_that_no_longer_serves_concerns_no_name():
    assert changed(row(verdict(DOWN)), row(), []) == {}


def test_the_cause_is_told():
    assert changed(row(), row(verdict(DOWN)))["llama"].cause == "probes from westeurope: 10.119.0.1 is down: why"
    assert changed(row(verdict(DOWN)), row())["llama"].cause == "probes from westeurope: 10.119.0.1 is no longer down"


DISTANCES = Distances(200, {WEST: 1.0, EAST: 70.0}, (EAST, WEST))


def test_what_has_ended_goes_and_what_has_not_stays():
    whole = replace(row(verdict(DOWN), distances=DISTANCES), kept=("x",))
    assert ended(whole, 159) is whole
    over = replace(whole, verdicts=(), kept=(), todo=frozenset({verdict(DOWN).endpoint}))
    assert ended(whole, 160) == over
    assert ended(whole, 200) == replace(over, distances=Distances(), reordered=True)
    assert ended(row(), 999) == row()


def test_the_names_of_what_has_ended_are_marked():
    near, far = ONE, target("e1", EAST, "llama", "gpt")
    whole = row(verdict(DOWN), distances=DISTANCES)
    assert set(changed(whole, ended(whole, 160), [near, far])) == {"llama"}
    assert set(changed(replace(whole, verdicts=()), ended(whole, 200), [near, far])) == {"llama"}


def left(old, new, targets=(ONE,)):
    """What must be marked for two rows, as (urgency, everywhere) by name."""
    found = names_to_mark(old, new, targets, probed(), published)
    return {name: (each.urgency, each.everywhere) for name, each in found.items()}


def test_what_a_crash_left_unmarked_is_marked_in_all_zones_also_if_the_next_round_concerns_fewer():
    unmarked = replace(row(), todo=frozenset({ONE.endpoint}))
    assert left(unmarked, unmarked) == {"llama": (OUT, True)}
    assert left(unmarked, row(NARROW)) == {"llama": (OUT, True)}
    assert left(replace(row(verdict(DOWN)), todo=frozenset({ONE.endpoint})), row()) == {"llama": (OUT, True)}


def test_an_order_that_a_crash_left_unmarked_concerns_names_that_are_not_pending():
    targets = [ONE, target("e1", EAST, "llama"), target("w2", WEST, "gpt"), target("e2", EAST, "gpt")]
    unmarked = replace(row(distances=replace(DISTANCES, pending=frozenset({"gpt"}))), reordered=True)
    assert left(unmarked, unmarked, targets) == {"llama": (Urgency.OTHER, False)}


def test_a_measured_value_that_leaves_its_band_concerns_names_with_a_tolerance():
    settings = probed({"llama": {"tolerance_ms": 20}})
    targets = [ONE, target("e1", EAST, "llama", "gpt")]
    moved = replace(DISTANCES, ms={WEST: 1.0, EAST: 60.0})
    assert set(changed(row(distances=DISTANCES), row(distances=moved), targets, settings)) == {"llama"}
    assert not changed(row(distances=DISTANCES), row(distances=moved), targets)


def test_names_of_which_every_address_is_down_are_told_by_zone():
    targets = [target("w1", WEST, "llama"), target("w2", WEST, "gpt"), target("e1", EAST), target("e2", EAST, "gpt")]
    seen = Vantage(targets).round().rounds(3, e1=DEAD).rounds(3, w1=DEAD, e1=DEAD)
    assert seen.row.kept == ("llama.ai.internal (westeurope)",)
    assert any("fail at all addresses of 1 names" in alarm.what for alarm in seen.row.alarms)


KINDS = st.sampled_from([None, *VerdictKind])
PLACES = [(WEST, "w1"), (WEST, "w2"), (NORTH, "n1"), (EAST, "e1")]
WORLD = {
    name: [
        (vm(f"v{name}{word}", f"10.{ord(word[0])}.{len(name)}.{word[1]}", region=region, tagged=(name,)))
        for region, word in PLACES
    ]
    for name in ("llama", "gpt")
}
ROWS = st.builds(
    lambda kinds, wide, order, ms, pending: (kinds, wide, order, ms, pending),
    st.lists(KINDS, min_size=8, max_size=8),
    st.lists(st.booleans(), min_size=8, max_size=8),
    st.permutations([WEST, NORTH, EAST]),
    st.dictionaries(st.sampled_from([WEST, NORTH, EAST]), st.sampled_from([1.0, 20.0, 40.0]), min_size=1),
    st.sets(st.sampled_from(["llama", "gpt"])),
)


def as_row(drawn, known):
    kinds, wide, order, ms, pending = drawn
    against = [verdict(k, t, everywhere=w) for k, w, t in zip(kinds, wide, known, strict=True) if k]
    distances = Distances(999, ms, tuple(order), (WEST, EAST, NORTH), frozenset(pending))
    return row(*against, distances=distances)


@given(ROWS, ROWS, st.sampled_from([{}, {"tolerance_ms": 25}, {"wait_minutes": 5}]), st.sampled_from([WEST, EAST]))
def test_every_name_whose_answer_differs_is_marked_where_it_differs(one, other, policy, region):
    """Routing itself says which answers differ."""
    settings = probed({"*": policy})
    known = [
        replace(
            target("x1"), endpoint=e.key, ip=e.addresses[0].ip, region=e.region, place=e.region, names=frozenset({n})
        )
        for n, endpoints in WORLD.items()
        for e in endpoints
    ]
    old, new = as_row(one, known), as_row(other, known)
    found = changed_names(old, new, known, settings, published)
    for name, endpoints in WORLD.items():
        answers = [
            route(zone(region), name, endpoints, Rules(settings, LATENCY, (), measured(each))).addresses
            for each in (old, new)
        ]
        if answers[0] != answers[1]:
            assert name in found
            assert found[name].everywhere or region == WEST
