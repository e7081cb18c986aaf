"""What holds for every answer, whatever the claims: order, limit, reach, and little movement under churn."""

import random
from ipaddress import IPv4Address

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.decide.routing import route
from shared.decide.rules import Rules
from shared.domain.endpoints import State
from tests.support.values import EAST, LATENCY, NORTH, WEST, parsed, vm, zone


def answer(endpoints, where=None, **fields):
    return route(where or zone(), "llama", endpoints, Rules(parsed(POLICIES={"llama": fields}), LATENCY))


NUMBERS = st.integers(min_value=1, max_value=60)
ENDPOINTS = st.lists(
    st.builds(
        lambda i, nets, region, state, tagged, networks: vm(
            f"v{i}",
            *[f"{net}.{i}" for net in nets],
            region=region,
            state=state,
            tagged=("llama",) if tagged else (),
            own=None if tagged else "llama",
            network=networks,
        ),
        NUMBERS,
        st.lists(st.sampled_from(["10.0.0", "10.0.1", "10.1.0", "192.168.0"]), max_size=3, unique=True),
        st.sampled_from([WEST, NORTH, EAST, "mars"]),
        st.sampled_from([State.SERVING] * 6 + list(State)),
        st.sampled_from([True] * 9 + [False]),
        st.sampled_from(["x"] * 15 + ["y"]),
    ),
    max_size=50,
    unique_by=lambda e: e.id,
)
POLICIES = st.fixed_dictionaries(
    {},
    optional={
        "min_endpoints": st.integers(1, 20),
        "tolerance_ms": st.sampled_from([0, 20, 90]),
        "regions": st.lists(st.sampled_from([WEST, NORTH, EAST]), min_size=1, max_size=2),
    },
)
REACH = st.sampled_from([("10.0.0.0/8",), ("10.0.0.0/24",), ("10.0.0.0/8", "192.168.0.0/16")])


@given(ENDPOINTS, POLICIES, REACH, st.randoms(use_true_random=False))
def test_the_order_of_the_claims_changes_nothing(endpoints, rules, reach, chance):
    shuffled = list(endpoints)
    chance.shuffle(shuffled)
    where = zone(WEST, *reach)
    assert answer(shuffled, where, **rules) == answer(endpoints, where, **rules)


@given(ENDPOINTS, POLICIES, REACH)
@settings(max_examples=200)
def test_never_more_than_20_addresses_never_out_of_reach_never_of_one_that_does_not_serve(endpoints, rules, reach):
    where = zone(WEST, *reach)
    addresses = answer(endpoints, where, **rules).addresses
    assert len(addresses) == len(set(addresses)) <= 20
    serving = {a.ip for e in endpoints if e.state == State.SERVING for a in e.addresses}
    assert set(addresses) <= serving
    assert all(any(IPv4Address(ip) in network for network in where.reach) for ip in addresses)


@given(ENDPOINTS, POLICIES, REACH)
@settings(max_examples=200)
def test_somebody_is_published_whenever_somebody_unambiguous_serves_in_reach(endpoints, rules, reach):
    where = zone(WEST, *reach)
    networks = {a.ip: set() for e in endpoints for a in e.addresses}
    tagged = any(e.tagged and e.state != State.GONE for e in endpoints)
    running = [e for e in endpoints if e.state == State.SERVING and (e.tagged or not tagged)]
    for each in running:
        for a in each.addresses:
            networks[a.ip].add(a.network)
    wanted = rules.get("regions")
    could = any(
        len(networks[a.ip]) == 1 and any(IPv4Address(a.ip) in n for n in where.reach)
        for e in running
        if not wanted or e.region in wanted
        for a in e.addresses
    )
    assert bool(answer(endpoints, where, **rules).addresses) == could


@given(ENDPOINTS, POLICIES)
@settings(max_examples=200)
def test_removing_an_endpoint_that_is_not_in_the_answer_changes_nothing(endpoints, rules):
    whole = answer(endpoints, **rules)
    published = set(whole.addresses)
    for i, each in enumerate(endpoints):
        # Who does not serve may be what keeps a host's own name out, and a rival what makes an address ambiguous.
        bystander = each.state == State.SERVING and each.addresses and not {a.ip for a in each.addresses} & published
        rivals = {a.ip for e in endpoints if e is not each for a in e.addresses}
        if bystander and not {a.ip for a in each.addresses} & rivals and not _last_tagged(each, endpoints):
            assert answer(endpoints[:i] + endpoints[i + 1 :], **rules).addresses == whole.addresses


def _last_tagged(each, endpoints):
    return not any(e.tagged for e in endpoints if e is not each)


@given(st.integers(min_value=2, max_value=60), st.integers(min_value=0, max_value=2**32))
def test_removing_an_endpoint_that_is_in_the_answer_changes_only_its_own_place(count, seed):
    many = [vm(f"v{i}", f"10.0.0.{i}") for i in range(1, count + 1)]
    before = set(answer(many).addresses)
    lost = random.Random(seed).choice(sorted(before))
    after = set(answer([e for e in many if e.addresses[0].ip != lost]).addresses)
    assert before - after == {lost}
    assert len(after - before) == (1 if count > 20 else 0)


@given(st.integers(min_value=1, max_value=60))
def test_adding_an_endpoint_displaces_one_at_most(count):
    many = [vm(f"v{i}", f"10.0.0.{i}") for i in range(1, count + 1)]
    before = set(answer(many).addresses)
    after = set(answer([*many, vm("new", "10.0.0.200")]).addresses)
    assert after - before <= {"10.0.0.200"}
    assert len(before - after) <= 1
