"""What probes have measured takes away from an answer or reorders it; without probes nothing differs."""

import hashlib
import random

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from msgspec.structs import replace

from shared.decide.distance import exchanged
from shared.decide.routing import explain_claims, route
from shared.decide.rules import Rules
from shared.domain.endpoints import State
from shared.domain.probes import Distances, Measured, Verdict, VerdictKind
from tests.support.probing import PROBE, probed
from tests.support.values import EAST, LATENCY, NORTH, WEST, parsed, vm, zone

DOWN, WAITING, RETURNING = VerdictKind
A, B = vm("a", "10.0.0.1"), vm("b", "10.0.0.2")
FAR = vm("far", "10.0.0.3", region=EAST)
SERVICE_FAR = {"region": EAST, "service": "account"}
NEAR_WAY, FAR_WAY = vm("w", "10.0.0.4", location=WEST, **SERVICE_FAR), vm("e", "10.0.0.5", **SERVICE_FAR)
WAYS = [NEAR_WAY, FAR_WAY]


def verdict(kind, endpoint, *, everywhere=True, ip=None):
    address = ip or endpoint.addresses[0].ip
    return Verdict(kind, endpoint.key, address, PROBE.digest, endpoint.region, 0, "why", everywhere)


def answer(endpoints, verdicts=(), where=None, distances=None, **policy):
    rules = Rules(probed({"llama": policy}), LATENCY, (), Measured(WEST, verdicts, distances))
    return route(where or zone(), "llama", endpoints, rules)


TRUTH = [
    # promise, endpoints, verdicts, policy, zone's region, addresses, fail open
    ("one down is out", [A, B], [verdict(DOWN, A)], {}, WEST, ["10.0.0.2"], False),
    ("the next region where the nearest is down", [A, FAR], [verdict(DOWN, A)], {}, WEST, ["10.0.0.3"], False),
    ("all down are kept", [A, B], [verdict(DOWN, A), verdict(DOWN, B)], {}, WEST, ["10.0.0.1", "10.0.0.2"], True),
    ("all down: the nearest is kept", [A, FAR], [verdict(DOWN, A), verdict(DOWN, FAR)], {}, WEST, ["10.0.0.1"], True),
    (
        "another private endpoint where the nearest is down",
        WAYS,
        [verdict(DOWN, NEAR_WAY)],
        {},
        WEST,
        ["10.0.0.5"],
        False,
    ),
    (
        "the nearest private endpoint where all are down",
        WAYS,
        [verdict(DOWN, e) for e in WAYS],
        {},
        WEST,
        ["10.0.0.4"],
        True,
    ),
    ("a new one waits", [A, B], [verdict(WAITING, A)], {"wait_minutes": 5}, WEST, ["10.0.0.2"], False),
    ("a name that does not wait ignores it", [A, B], [verdict(WAITING, A)], {}, WEST, ["10.0.0.1", "10.0.0.2"], False),
    ("a new one alone does not wait", [A], [verdict(WAITING, A)], {"wait_minutes": 5}, WEST, ["10.0.0.1"], False),
    (
        "a waiting one is better than one that is down",
        [A, B],
        [verdict(WAITING, A), verdict(DOWN, B)],
        {"wait_minutes": 5},
        WEST,
        ["10.0.0.1"],
        False,
    ),
    (
        "a down one does not count because another waits that the name ignores",
        [A, B],
        [verdict(WAITING, A), verdict(DOWN, B)],
        {},
        WEST,
        ["10.0.0.1"],
        False,
    ),
    (
        "a returning one is in its region's zone at once",
        [A, B],
        [verdict(RETURNING, A)],
        {},
        WEST,
        ["10.0.0.1", "10.0.0.2"],
        False,
    ),
    ("a returning one elsewhere is late", [A, FAR], [verdict(RETURNING, A)], {}, NORTH, ["10.0.0.3"], False),
    ("own zones only: holds there", [A, FAR], [verdict(DOWN, A, everywhere=False)], {}, WEST, ["10.0.0.3"], False),
    ("own zones only: not elsewhere", [A], [verdict(DOWN, A, everywhere=False)], {}, EAST, ["10.0.0.1"], False),
    ("one of two addresses", [vm("a", "10.0.0.1", "10.0.0.9")], [verdict(DOWN, A)], {}, WEST, ["10.0.0.9"], False),
]


@pytest.mark.parametrize(
    ("endpoints", "verdicts", "policy", "region", "addresses", "fail_open"),
    [c[1:] for c in TRUTH],
    ids=[c[0] for c in TRUTH],
)
def test_healthy_candidates(endpoints, verdicts, policy, region, addresses, fail_open):
    found = answer(endpoints, verdicts, zone(region), **policy)
    assert (list(found.addresses), found.fail_open) == (addresses, fail_open)


def test_a_verdict_about_another_probe_says_nothing():
    other = replace(verdict(DOWN, A), probe="other")
    assert answer([A, B], [other]).addresses == ("10.0.0.1", "10.0.0.2")


def test_an_address_that_is_out_for_its_probes_names_them_as_the_evidence():
    rules = Rules(probed(), LATENCY, (), Measured(WEST, [verdict(DOWN, A)], None))
    found = {each.endpoint: each.reason for each in explain_claims(zone(), "llama", [A, B], rules)}
    assert found[A.id] == "down: why (probes of this app)"


CLAIMS = st.lists(
    st.builds(
        lambda i, nets, region, state: vm(f"v{i}", *[f"{n}.{i}" for n in nets], region=region, state=state),
        st.integers(1, 30),
        st.lists(st.sampled_from(["10.0.0", "10.0.1", "192.168.0"]), max_size=3, unique=True),
        st.sampled_from([WEST, NORTH, EAST, "mars"]),
        st.sampled_from([State.SERVING] * 6 + list(State)),
    ),
    max_size=20,
    unique_by=lambda e: e.id,
)
POLICIES = st.fixed_dictionaries({}, optional={"min_endpoints": st.integers(1, 5), "wait_minutes": st.integers(0, 1)})
ORDERS = st.permutations([WEST, NORTH, EAST, "mars"])


@given(CLAIMS, POLICIES, st.sampled_from([WEST, EAST]), st.data())
@examples(max_examples=300)
def test_verdicts_only_take_away_candidates_and_never_all(endpoints, policy, region, data):
    """The candidates are those that a policy which asks for all endpoints would publish."""
    pairs = [(e, a.ip) for e in endpoints for a in e.addresses]
    kinds = data.draw(st.lists(st.sampled_from([None, *VerdictKind]), min_size=len(pairs), max_size=len(pairs)))
    wide = data.draw(st.lists(st.booleans(), min_size=len(pairs), max_size=len(pairs)))
    against = [
        verdict(k, e, ip=ip, everywhere=w) for (e, ip), k, w in zip(pairs, kinds, wide, strict=True) if k is not None
    ]
    where = zone(region)
    rules = Rules(probed({"llama": policy}), LATENCY, (), Measured(WEST, against))
    found = route(where, "llama", endpoints, rules)
    every = {
        a.ip
        for e in endpoints
        for a in e.addresses
        if route(where, "llama", [e], Rules(probed(), LATENCY)).addresses and a.ip.startswith("10.")
    }
    assert set(found.addresses) <= every
    assert bool(found.addresses) == bool(every)
    down = {v.ip for v in against if v.kind == DOWN and v.holds_in(region, WEST)}
    assert found.fail_open == (bool(every) and every <= down)
    assert found.fail_open or not set(found.addresses) & down
    told = explain_claims(where, "llama", endpoints, rules)
    assert sorted({ip for each in told if each.included for ip in each.addresses}) == sorted(found.addresses)


@given(CLAIMS, ORDERS, st.sets(st.sampled_from([WEST, NORTH, EAST, "mars"])))
def test_distances_reorder_and_never_take_away(endpoints, order, known):
    distances = Distances(1, dict.fromkeys(known, 1.0), tuple(order))
    found = answer(endpoints, distances=distances)
    assert bool(found.addresses) == bool(answer(endpoints).addresses)
    everything = answer(endpoints, distances=distances, min_endpoints=20)
    assert everything.addresses == answer(endpoints, min_endpoints=20).addresses
    assert answer(endpoints, where=zone(EAST), distances=distances) == answer(endpoints, where=zone(EAST))
    assert answer(endpoints, distances=distances, distance="published") == answer(endpoints)


@given(st.permutations(list("abcdef")), st.permutations(list("abcdef")), st.sets(st.sampled_from("abcdef")))
def test_only_measured_places_exchange_their_positions(ranked, order, ms):
    found = exchanged(ranked, order, ms)
    assert sorted(found) == sorted(ranked)
    assert all(now == before for now, before in zip(found, ranked, strict=True) if before not in ms)
    assert [place for place in found if place in ms] == [place for place in order if place in ms]


def random_world(chance):
    endpoints = [
        vm(
            f"v{i}",
            *[f"{chance.choice(['10.0.0', '10.0.1', '192.168.0'])}.{i}" for _ in range(chance.choice([0, 1, 1, 1, 2]))],
            region=chance.choice([WEST, NORTH, EAST, "mars", "venus"]),
            state=chance.choice([State.SERVING] * 5 + list(State)),
            tagged=("llama",) if chance.random() < 0.8 else (),
            own="llama" if chance.random() < 0.3 else None,
            network=chance.choice("xxxxxxxy"),
        )
        for i in range(chance.randrange(12))
    ]
    policy = {"min_endpoints": chance.choice([1, 1, 2, 5]), "tolerance_ms": chance.choice([0, 0, 20, 90])}
    if chance.random() < 0.3:
        policy["regions"] = [chance.choice([WEST, NORTH, EAST])]
    return zone(chance.choice([WEST, EAST, NORTH])), endpoints, parsed(POLICIES={"llama": policy})


BEFORE_PROBES = "4eedd15186fbbcbe50bb13f83ef1268b19327e33c4e1bd585f5940db25e614b3"
"""The answers and explanations of `routing.py` before it knew probes, for the worlds of seed 1."""


@pytest.mark.timeout(120)
def test_without_probes_answers_and_reasons_are_those_of_the_release_that_did_not_probe():
    chance, told = random.Random(1), hashlib.sha256()
    for _ in range(10_000):
        where, endpoints, settings = random_world(chance)
        found = route(where, "llama", endpoints, Rules(settings, LATENCY))
        why = explain_claims(where, "llama", endpoints, Rules(settings, LATENCY))
        told.update(repr((found.name, found.addresses, found.ttl, found.reason, why)).encode())
    assert told.hexdigest() == BEFORE_PROBES
