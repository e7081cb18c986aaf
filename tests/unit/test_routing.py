"""Routing: which addresses a zone's clients get for a name, and why."""

from dataclasses import replace

import pytest

from shared.decide.routing import explain_claims, keep_open, route
from shared.decide.rules import Rules
from shared.domain.endpoints import Address, State
from shared.domain.overrides import HASHED, Override
from shared.domain.resource_ids import digest
from tests.support.values import EAST, LATENCY, NORTH, OTHER_SUB, SUB, WEST, ours, parsed, vm, zone


def answer(endpoints, where=None, drains=(), name="llama", **changed):
    return route(where or zone(), name, endpoints, Rules(parsed(**changed), LATENCY, drains))


def decided(endpoints, **changed):
    """The decisions on that answer, by endpoint."""
    return {d.endpoint: d for d in explain_claims(zone(), "llama", endpoints, Rules(parsed(**changed), LATENCY))}


def policy(**fields):
    return {"POLICIES": {"llama": fields}}


ONLY_GPU = {"CLAIMS": {"*": [f"/subscriptions/{SUB}/resourceGroups/gpu"]}}
BOTH_SUBS = {"CLAIMS": {"*": [SUB, OTHER_SUB]}}

# The zone's clients are in westeurope: northeurope is 20 ms away, eastus 85 ms, mars nobody knows.
TRUTH = [
    # promise, endpoints, settings, addresses
    ("nobody claims it", [], {}, ()),
    ("the endpoint of the own region", [vm("a", "10.0.0.1"), vm("b", "10.0.0.2", region=NORTH)], {}, ("10.0.0.1",)),
    ("all of the nearest region", [vm("a", "10.0.0.2"), vm("b", "10.0.0.1")], {}, ("10.0.0.1", "10.0.0.2")),
    (
        "the next nearest when the own has none",
        [vm("a", "10.0.0.1", region=NORTH), vm("b", "10.0.0.2", region=EAST)],
        {},
        ("10.0.0.1",),
    ),
    (
        "an unpublished pair comes last",
        [vm("a", "10.0.0.1", region="mars"), vm("b", "10.0.0.2", region=EAST)],
        {},
        ("10.0.0.2",),
    ),
    ("an unpublished pair is better than none", [vm("a", "10.0.0.1", region="mars")], {}, ("10.0.0.1",)),
    (
        "of two unpublished pairs the first by name",
        [vm("a", "10.0.0.1", region="venus"), vm("b", "10.0.0.2", region="mars")],
        {},
        ("10.0.0.2",),
    ),
    (
        "a stopped one is out",
        [vm("a", "10.0.0.1", state=State.STOPPED), vm("b", "10.0.0.2", region=EAST)],
        {},
        ("10.0.0.2",),
    ),
    ("a warming one is out", [vm("a", "10.0.0.1", state=State.WARMING)], {}, ()),
    ("a draining one is out", [vm("a", "10.0.0.1", state=State.DRAINING)], {}, ()),
    ("a deleted one is out", [vm("a", "10.0.0.1", state=State.GONE)], {}, ()),
    ("one that was never read is out", [vm("a", "10.0.0.1", state=State.UNKNOWN)], {}, ()),
    ("one that cannot be read now keeps what was", [vm("a", "10.0.0.1", doubt="403")], {}, ("10.0.0.1",)),
    ("one without address is out", [vm("a"), vm("b", "10.0.0.2", region=EAST)], {}, ("10.0.0.2",)),
    ("one that claims another name is out", [vm("a", "10.0.0.1", tagged=("gpt",))], {}, ()),
    (
        "one that may not claim it is out",
        [vm("a", "10.0.0.1", group="rogue")],
        ONLY_GPU,
        (),
    ),
    (
        "one of a subscription that is not looked at is out",
        [vm("a", "10.0.0.1", subscription=OTHER_SUB)],
        BOTH_SUBS,
        (),
    ),
    (
        "an own name is none where host names are off",
        [vm("llama", "10.0.0.1", tagged=(), own="llama")],
        {"HOST_NAMES": "false"},
        (),
    ),
    ("an address out of reach is out", [vm("a", "192.168.0.1"), vm("b", "10.0.0.2", region=EAST)], {}, ("10.0.0.2",)),
    ("the reachable address of one that has two", [vm("a", "192.168.0.1", "10.0.0.1")], {}, ("10.0.0.1",)),
    (
        "a region that the policy leaves out",
        [vm("a", "10.0.0.1"), vm("b", "10.0.0.2", region=EAST)],
        policy(regions=["East US"]),
        ("10.0.0.2",),
    ),
    (
        "more regions until there are enough endpoints",
        [vm("a", "10.0.0.1"), vm("b", "10.0.0.2", region=NORTH), vm("c", "10.0.0.3", region=EAST)],
        policy(min_endpoints=2),
        ("10.0.0.1", "10.0.0.2"),
    ),
    (
        "endpoints are counted, not addresses",
        [vm("a", "10.0.0.1", "10.0.0.3"), vm("b", "10.0.0.2", region=NORTH)],
        policy(min_endpoints=2),
        ("10.0.0.1", "10.0.0.2", "10.0.0.3"),
    ),
    (
        "whole regions are taken",
        [vm("a", "10.0.0.1"), vm("b", "10.0.0.2", region=NORTH), vm("c", "10.0.0.3", region=NORTH)],
        policy(min_endpoints=2),
        ("10.0.0.1", "10.0.0.2", "10.0.0.3"),
    ),
    (
        "fewer than wished are better than none",
        [vm("a", "10.0.0.1", region=EAST)],
        policy(min_endpoints=5),
        ("10.0.0.1",),
    ),
    (
        "a region within the tolerance",
        [vm("a", "10.0.0.1"), vm("b", "10.0.0.2", region=NORTH), vm("c", "10.0.0.3", region=EAST)],
        policy(tolerance_ms=20),
        ("10.0.0.1", "10.0.0.2"),
    ),
    (
        "a region just outside the tolerance",
        [vm("a", "10.0.0.1"), vm("b", "10.0.0.2", region=NORTH)],
        policy(tolerance_ms=19.9),
        ("10.0.0.1",),
    ),
    (
        "tolerance is counted from the nearest region that has any",
        [vm("b", "10.0.0.2", region=NORTH), vm("c", "10.0.0.3", region=EAST)],
        policy(tolerance_ms=65),
        ("10.0.0.2", "10.0.0.3"),
    ),
    (
        "no tolerance reaches an unpublished pair",
        [vm("a", "10.0.0.1"), vm("b", "10.0.0.2", region="mars")],
        policy(tolerance_ms=10_000),
        ("10.0.0.1",),
    ),
    (
        "nor two of them",
        [vm("a", "10.0.0.1", region="mars"), vm("b", "10.0.0.2", region="venus")],
        policy(tolerance_ms=10_000),
        ("10.0.0.1",),
    ),
    (
        "the same address from two VNets is refused for both",
        [vm("a", "10.0.0.1", network="x"), vm("b", "10.0.0.1", region=EAST, network="y")],
        {},
        (),
    ),
    (
        "the rest of an ambiguous endpoint stays",
        [vm("a", ("10.0.0.1", "x"), ("10.0.0.2", "x")), vm("b", "10.0.0.1", network="y")],
        {},
        ("10.0.0.2",),
    ),
    (
        "a stopped rival makes nothing ambiguous",
        [vm("a", "10.0.0.1", network="x"), vm("b", "10.0.0.1", network="y", state=State.STOPPED)],
        {},
        ("10.0.0.1",),
    ),
    (
        "a rogue rival makes nothing ambiguous",
        [vm("a", "10.0.0.1", network="x"), vm("b", "10.0.0.1", network="y", group="rogue")],
        ONLY_GPU,
        ("10.0.0.1",),
    ),
    (
        "the same address twice in one VNet is one address",
        [vm("a", "10.0.0.1"), vm("b", "10.0.0.1")],
        {},
        ("10.0.0.1",),
    ),
    (
        "an address whose VNet is not known contradicts nobody's, and is published once",
        [vm("a", "10.0.0.1", network=""), vm("b", "10.0.0.1", network="x")],
        {},
        ("10.0.0.1",),
    ),
    (
        "two known VNets are ambiguous, also beside an unknown one",
        [vm("a", "10.0.0.1", network=""), vm("b", "10.0.0.1", network="x"), vm("c", "10.0.0.1", network="y")],
        {},
        (),
    ),
    (
        "two claims with the same address count as one endpoint",
        [vm("a", "10.0.0.1", network=""), vm("b", "10.0.0.1"), vm("c", "10.0.0.2", region=NORTH)],
        policy(min_endpoints=2),
        ("10.0.0.1", "10.0.0.2"),
    ),
    (
        "more claims than wished at one address are not enough either",
        [vm(name, "10.0.0.1") for name in "abcd"] + [vm("e", "10.0.0.2", region=NORTH)],
        policy(min_endpoints=2),
        ("10.0.0.1", "10.0.0.2"),
    ),
    ("a name claimed by own name", [vm("llama", "10.0.0.1", tagged=(), own="llama")], {}, ("10.0.0.1",)),
    (
        "an own name never joins a tagged name",
        [vm("llama", "10.0.0.1", tagged=(), own="llama"), vm("b", "10.0.0.2", region=EAST)],
        {},
        ("10.0.0.2",),
    ),
    (
        "not even when the tagged one is stopped",
        [vm("llama", "10.0.0.1", tagged=(), own="llama"), vm("b", "10.0.0.2", state=State.STOPPED)],
        {},
        (),
    ),
    (
        "but when it is deleted",
        [vm("llama", "10.0.0.1", tagged=(), own="llama"), vm("b", "10.0.0.2", state=State.GONE)],
        {},
        ("10.0.0.1",),
    ),
    (
        "or may not claim the name",
        [vm("llama", "10.0.0.1", tagged=(), own="llama"), vm("b", "10.0.0.2", group="rogue")],
        ONLY_GPU,
        ("10.0.0.1",),
    ),
    (
        "an own name that is tagged, too, counts as tagged",
        [vm("llama", "10.0.0.1", own="llama"), vm("b", "10.0.0.2")],
        {},
        ("10.0.0.1", "10.0.0.2"),
    ),
    (
        "the fallback when nobody serves",
        [vm("a", "10.0.0.1", state=State.STOPPED)],
        policy(fallback=["10.9.9.9"]),
        ("10.9.9.9",),
    ),
    ("the fallback within reach only", [], policy(fallback=["10.9.9.9", "192.168.0.1"]), ("10.9.9.9",)),
    (
        "no fallback while somebody serves",
        [vm("a", "10.0.0.1", region="mars")],
        policy(fallback=["10.9.9.9"]),
        ("10.0.0.1",),
    ),
    ("what is there, where the policy keeps it", [], policy(when_empty="keep"), None),
    ("the fallback before keeping", [], policy(when_empty="keep", fallback=["10.9.9.9"]), ("10.9.9.9",)),
]


@pytest.mark.parametrize(
    ("endpoints", "changed", "addresses"), [row[1:] for row in TRUTH], ids=[row[0] for row in TRUTH]
)
def test_the_answer_is(endpoints, changed, addresses):
    assert answer(endpoints, **changed).addresses == addresses


def test_an_override_makes_another_region_the_nearest():
    overridden = LATENCY.with_pairs({(WEST, EAST): 5.0})
    both = [vm("a", "10.0.0.1", region=NORTH), vm("b", "10.0.0.2", region=EAST)]
    assert route(zone(), "llama", both, Rules(parsed(), overridden)).addresses == ("10.0.0.2",)


def test_each_zone_gets_what_is_nearest_to_its_own_clients():
    both = [vm("a", "10.0.0.1", region=WEST), vm("b", "10.0.0.2", region=EAST)]
    assert answer(both, zone(EAST)).addresses == ("10.0.0.2",)
    assert answer(both, zone(NORTH)).addresses == ("10.0.0.1",)


def test_a_drain_order_on_an_endpoint_or_a_region_withdraws_it():
    east, west = vm("a", "10.0.0.1", region=EAST), vm("b", "10.0.0.2")
    assert answer([east, west], drains=[Override(west.key, 9.0)]).addresses == ("10.0.0.1",)
    assert answer([east, west], drains=[Override(WEST, 9.0)]).addresses == ("10.0.0.1",)
    assert answer([east, west], drains=[Override(WEST, 9.0), Override(EAST, 9.0)]).addresses == ()


TTLS = [
    # endpoints, settings, TTL
    ([vm("a", "10.0.0.1")], {}, 30),
    ([vm("a", "10.0.0.1")], {"TTL": "17"}, 17),
    ([vm("llama", "10.0.0.1", tagged=(), own="llama")], {}, 300),
    ([vm("llama", "10.0.0.1", tagged=(), own="llama")], {"HOST_TTL": "60"}, 60),
    ([vm("llama", "10.0.0.1", own="llama")], {}, 30),
    ([vm("llama", "10.0.0.1", tagged=(), own="llama"), vm("b", state=State.STOPPED)], {}, 30),
    ([vm("llama", "10.0.0.1", tagged=(), own="llama"), vm("b", state=State.GONE)], {}, 300),
    ([vm("a", "10.0.0.1")], policy(ttl=5), 5),
    ([vm("llama", "10.0.0.1", tagged=(), own="llama")], policy(ttl=5), 5),
    ([], policy(fallback=["10.9.9.9"]), 30),
]


@pytest.mark.parametrize(("endpoints", "changed", "ttl"), TTLS)
def test_the_ttl_is_short_for_services_and_long_for_host_names_unless_the_policy_says_otherwise(
    endpoints, changed, ttl
):
    assert answer(endpoints, **changed).ttl == ttl


def test_every_claim_gets_a_decision_that_agrees_with_the_answer():
    for promise, endpoints, changed, _ in TRUTH:
        given_answer = answer(endpoints, **changed)
        found = decided(endpoints, **changed)
        assert set(found) == {e.id for e in endpoints if "llama" in e.names}, promise
        included = {ip for d in found.values() if d.included for ip in d.addresses}
        if included:
            assert included == set(given_answer.addresses), promise
        else:
            assert given_answer.addresses in (None, (), ("10.9.9.9",)), promise
        assert all(d.reason for d in found.values()), promise


def test_of_more_than_20_addresses_20_are_published_and_the_others_are_shown_as_cut():
    many = [vm(f"v{i}", f"10.0.0.{i}") for i in range(1, 31)]
    assert len(answer(many).addresses) == 20
    cut = [d for d in decided(many).values() if not d.included]
    assert len(cut) == 10
    assert {d.reason for d in cut} == {"cut: a record set holds 20 addresses (put an internal load balancer in front)"}
    assert not {ip for d in cut for ip in d.addresses} & set(answer(many).addresses)
    assert all(d.addresses for d in cut), "what it holds"


def test_two_zones_cut_differently_so_that_no_endpoint_is_left_out_everywhere():
    many = [vm(f"v{i}", f"10.0.0.{i}") for i in range(1, 41)]
    assert set(answer(many).addresses) != set(answer(many, zone(WEST, group="other")).addresses)


A, B = Address("10.0.0.1", "vnet"), Address("10.0.0.2", "vnet")


def parted(*chosen, **more):
    """An endpoint with two addresses, of which `llama` has the chosen ones."""
    return vm("a", "10.0.0.1", "10.0.0.2", tagged=("chat", "llama"), selected=(("llama", chosen),), **more)


def test_a_name_gets_the_addresses_that_its_claim_selects():
    assert answer([parted(B)]).addresses == ("10.0.0.2",)
    assert answer([parted(B)], name="chat").addresses == ("10.0.0.1", "10.0.0.2")
    (claim,) = decided([parted(B)]).values()
    assert (claim.addresses, claim.included) == (("10.0.0.2",), True)


def test_a_claim_that_selects_no_address_is_out_and_says_why():
    near, far = parted(), vm("b", "10.0.0.3", region=EAST)
    assert answer([near, far]).addresses == ("10.0.0.3",)
    claim = decided([near, far])[near.id]
    assert (claim.included, claim.reason) == (False, "no part that its tag names has a private IPv4 address")
    empty = parted(not_serving="backend pool p is empty")
    assert decided([empty, far])[empty.id].reason == "backend pool p is empty"
    stopped = parted(state=State.STOPPED, not_serving="backend pool p is empty")
    assert decided([stopped, far])[stopped.id].reason == "stopped (backend pool p is empty)"


def test_an_address_that_is_not_selected_is_ambiguous_with_none():
    other = vm("b", ("10.0.0.1", "other vnet"))
    assert answer([parted(B), other]).addresses == ("10.0.0.1", "10.0.0.2")
    assert answer([parted(A), other]).addresses == ()


def test_of_a_claimant_that_was_never_read_only_the_selected_addresses_stay():
    unread = parted(B, state=State.UNKNOWN)
    rules = Rules(parsed(), LATENCY)
    routed = route(zone(), "llama", [unread], rules)
    there = ours("llama", "10.0.0.1", "10.0.0.2")
    assert keep_open(routed, there, [unread], rules).addresses == ("10.0.0.2",)


SERVICE = "/subscriptions/s/resourcegroups/ai/providers/microsoft.cognitiveservices/accounts/openai"


def leads_to(name, address, location, service=SERVICE, region=WEST):
    """A private endpoint in `location` to a service in `region`."""
    return vm(name, address, region=region, service=service, location=location if location != region else "")


IN_EAST, IN_WEST = leads_to("e", "10.0.0.1", EAST), leads_to("w", "10.0.0.2", WEST)
BOTH_WAYS = [IN_EAST, IN_WEST]


@pytest.mark.parametrize(
    ("endpoints", "where", "changed", "addresses"),
    [
        (BOTH_WAYS, EAST, {}, ("10.0.0.1",)),
        (BOTH_WAYS, WEST, {}, ("10.0.0.2",)),
        (BOTH_WAYS, NORTH, {}, ("10.0.0.2",)),
        # Equally near, or both at an unknown distance.
        ([IN_EAST, leads_to("e2", "10.0.0.3", EAST), IN_WEST], EAST, {}, ("10.0.0.1", "10.0.0.3")),
        (BOTH_WAYS, "mars", {}, ("10.0.0.1", "10.0.0.2")),
        # Not the same service, or not in the same region: each counts by its service's distance alone.
        ([IN_EAST, leads_to("w", "10.0.0.2", WEST, service="other")], EAST, {}, ("10.0.0.1", "10.0.0.2")),
        ([IN_EAST, vm("a", "10.0.0.3", region=WEST)], EAST, {}, ("10.0.0.1", "10.0.0.3")),
        ([vm("a", "10.0.0.3", region=WEST), leads_to("n", "10.0.0.4", NORTH)], EAST, {}, ("10.0.0.3", "10.0.0.4")),
        # The region of one is assumed, and differs: then both are compared by region.
        ([leads_to("n", "10.0.0.1", NORTH, region=NORTH), leads_to("w", "10.0.0.2", EAST)], WEST, {}, ("10.0.0.2",)),
        # A policy does not bring the farther one back.
        (BOTH_WAYS, EAST, policy(min_endpoints=2), ("10.0.0.1",)),
        (BOTH_WAYS, EAST, policy(tolerance_ms=900), ("10.0.0.1",)),
        # The nearer one is out.
        ([replace(IN_EAST, state=State.STOPPED), IN_WEST], EAST, {}, ("10.0.0.2",)),
        ([vm("e", location=EAST, service=SERVICE), IN_WEST], EAST, {}, ("10.0.0.2",)),
    ],
)
def test_of_the_private_endpoints_of_one_service_those_nearest_to_the_clients_answer(
    endpoints, where, changed, addresses
):
    assert answer(endpoints, zone(where), **changed).addresses == addresses


def test_a_private_endpoint_is_as_far_as_its_service_however_near_it_is_itself():
    near, far = vm("n", "10.0.0.9", region=NORTH), leads_to("here", "10.0.0.1", WEST, region=EAST)
    assert answer([near, far]).addresses == ("10.0.0.9",)


@pytest.mark.parametrize("out", [EAST, WEST])
def test_a_drained_region_takes_away_private_endpoints_in_it_and_those_whose_service_is_in_it(out):
    drained = Override(out, 9.0)
    assert answer(BOTH_WAYS, zone(EAST), [drained]).addresses == (("10.0.0.2",) if out == EAST else ())
    assert answer([IN_EAST], zone(EAST), [Override(HASHED + digest(out), 9.0)]).addresses == ()
    assert answer([IN_EAST], zone(EAST), [Override(NORTH, 9.0)]).addresses == ("10.0.0.1",)
