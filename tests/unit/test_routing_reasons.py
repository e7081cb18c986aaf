"""Routing tells a person why: for every claim, in or out, and for the answer."""

from dataclasses import replace

import pytest

from shared.decide.routing import explain_claims, route
from shared.decide.rules import Rules
from shared.domain.endpoints import State
from shared.domain.overrides import HASHED, Override
from shared.domain.resource_ids import digest
from tests.support.values import EAST, LATENCY, NORTH, OTHER_SUB, SUB, WEST, parsed, vm, zone


def decided(endpoints, drains=(), **changed):
    """The decisions on an answer, by endpoint."""
    return {
        d.endpoint: d for d in explain_claims(zone(), "llama", endpoints, Rules(parsed(**changed), LATENCY, drains))
    }


def policy(**fields):
    return {"POLICIES": {"llama": fields}}


# The zone's clients are in westeurope: northeurope is 20 ms away, eastus 85 ms, mars nobody knows.
ONLY_GPU = {"CLAIMS": {"*": [f"/subscriptions/{SUB}/resourceGroups/gpu"]}}
BOTH_SUBS = {"CLAIMS": {"*": [SUB, OTHER_SUB]}}
HOST = vm("llama", "10.0.0.9", tagged=(), own="llama")
ROGUE = vm("x", "10.0.0.9", group="rogue")
NOT_THE_POLICYS = "its region is not in the policy's regions"
AMBIGUOUS = "ambiguous: the same address is claimed from another VNet"
POOL = "/x/microsoft.compute/virtualmachinescalesets/pool"
REASONS = [
    # a claim beside one of 10.0.0.1 that serves in the own region, settings, drain overrides, why it is out
    (vm("x", "10.0.0.9", region=EAST), {}, (), "farther: eastus 85 ms"),
    (vm("x", "10.0.0.9", region="mars"), {}, (), "farther: mars (no published round-trip time)"),
    (vm("x", "10.0.0.9", state=State.WARMING), {}, (), "warming"),
    (vm("x", "10.0.0.9", state=State.STOPPED, doubt="HTTP 403"), {}, (), "stopped (HTTP 403)"),
    (vm("x", "10.0.0.9", state=State.GONE), {}, (), "deleted"),
    (vm("x", "192.168.0.9"), {}, (), "clients of this zone cannot reach its address"),
    (vm("x"), {}, (), "has no private IPv4 address"),
    (ROGUE, ONLY_GPU, (), "NEARZONE_CLAIMS does not let it claim this name"),
    (vm("x", "10.0.0.9", subscription=OTHER_SUB), BOTH_SUBS, (), "its subscription is not in NEARZONE_SUBSCRIPTIONS"),
    (HOST, {}, (), "claims it only by its own name, and others claim it by tag"),
    (HOST, {"HOST_NAMES": "false"}, (), "claims it only by its own name, and NEARZONE_HOST_NAMES is false"),
    (vm("x", "10.0.0.9"), {}, (Override(vm("x").key, 9.0),), "drained by an override"),
    (vm("x", "10.0.0.9", region=EAST), {}, (Override(EAST, 9.0),), "drained by an override"),
    (
        replace(vm("x", "10.0.0.9"), parent=POOL),
        {},
        (Override(HASHED + digest(POOL), 9.0),),
        "drained by an override of its scale set",
    ),
    (
        replace(vm("x", "10.0.0.9"), parent="/x/microsoft.apimanagement/service/apim"),
        {},
        (Override("/x/microsoft.apimanagement/service/apim", 9.0),),
        "drained by an override of its service",
    ),
    (vm("x", ("10.0.0.9", "v"), ("10.0.0.9", "w")), {}, (), AMBIGUOUS),
    (vm("x", "10.0.0.9", region=EAST), policy(regions=[WEST]), (), NOT_THE_POLICYS),
    # Of two reasons the one that a person would have to mend first.
    (vm("x", "192.168.0.9", region=EAST), policy(regions=[WEST]), (), NOT_THE_POLICYS),
    (vm("x", ("10.0.0.9", "v"), ("10.0.0.9", "w"), region=EAST), policy(regions=[WEST]), (), AMBIGUOUS),
    (
        vm("x", "10.0.0.9", state=State.STOPPED),
        {},
        (Override(EAST, 9.0), Override(vm("x").key, 9.0)),
        "drained by an override",
    ),
]


@pytest.mark.parametrize(("other", "changed", "drains", "reason"), REASONS, ids=[row[3] for row in REASONS])
def test_a_claim_that_is_out_says_why_and_shows_the_addresses_that_it_holds(other, changed, drains, reason):
    found = decided([vm("a", "10.0.0.1"), other], drains, **changed)
    assert (found[other.id].reason, found[other.id].included) == (reason, False)
    assert found[other.id].addresses == tuple(sorted({address.ip for address in other.addresses}))
    assert found[vm("a").id].reason == "nearest: westeurope 0 ms"
    assert found[vm("a").id].included


def test_a_claim_that_is_in_shows_only_the_addresses_that_are_published():
    found = decided([vm("a", "10.0.0.1", "192.168.0.1")])
    assert found[vm("a").id].addresses == ("10.0.0.1",)


def test_two_claims_of_one_address_are_both_in_where_the_vnet_of_one_is_not_known():
    found = decided([vm("a", "10.0.0.1", network=""), vm("b", "10.0.0.1", network="x")])
    assert [(each.included, each.addresses) for each in found.values()] == [(True, ("10.0.0.1",))] * 2


def test_one_address_of_two_claims_is_cut_for_both_or_for_neither():
    shared = [vm("static", "10.0.0.99", network=""), vm("lb", "10.0.0.99", network="x")]
    found = decided([*shared, *(vm(f"v{number}", f"10.0.1.{number}", network="x") for number in range(30))])
    included = [each for each in found.values() if each.included]
    assert len({ip for each in included for ip in each.addresses}) == 20
    assert found[shared[0].id].included == found[shared[1].id].included


FAR = vm("b", "10.0.0.2", region=EAST)
TWICE = (vm("x", "10.0.0.9", network="v"), vm("y", "10.0.0.9", network="w"))
STOPPED = vm("a", "10.0.0.1", state=State.STOPPED)
STOPPED_NORTH = vm("n", "10.0.0.3", region=NORTH, state=State.STOPPED)
OUT_OF_REACH = vm("a", "192.168.0.1")
UNUSABLE = "no endpoint that serves may be used here"
NORTH_SILENT = "failover: no endpoint serves in northeurope; nearest is eastus 85 ms"
OWN_UNUSABLE = "failover: no usable address in westeurope; nearest is eastus 85 ms"
OWN_SILENT = "failover: no endpoint serves in westeurope; nearest is eastus 85 ms"
ANSWERS = [
    # promise, endpoints, settings, drain overrides, why the answer is what it is
    ("the own region", [vm("a", "10.0.0.1")], {}, (), "nearest: westeurope 0 ms"),
    ("another one, when nobody claims it nearer", [FAR], {}, (), "nearest: eastus 85 ms"),
    (
        "one that nobody has measured",
        [vm("a", "10.0.0.1", region="mars")],
        {},
        (),
        "nearest: mars (no published round-trip time)",
    ),
    (
        "several regions",
        [vm("a", "10.0.0.1"), vm("b", "10.0.0.2", region=NORTH)],
        policy(tolerance_ms=20),
        (),
        "nearest: westeurope 0 ms, northeurope 20 ms (mixed: clients spread evenly over 2 regions)",
    ),
    ("a stopped one in the own region", [STOPPED, FAR], {}, (), OWN_SILENT),
    ("a drained one in the own region", [vm("a", "10.0.0.1"), FAR], {}, (Override(WEST, 9.0),), OWN_SILENT),
    (
        "two regions where nobody serves, the nearer one first",
        [STOPPED_NORTH, STOPPED, FAR],
        {},
        (),
        "failover: no endpoint serves in westeurope, northeurope; nearest is eastus 85 ms",
    ),
    ("somebody beside the stopped one serves", [STOPPED, vm("c", "10.0.0.3"), FAR], {}, (), "nearest: westeurope 0 ms"),
    (
        "a stopped one farther away is no failover",
        [vm("a", "10.0.0.1"), vm("b", "10.0.0.2", region=EAST, state=State.STOPPED)],
        {},
        (),
        "nearest: westeurope 0 ms",
    ),
    (
        "nor is one between two regions that are taken",
        [vm("a", "10.0.0.1"), STOPPED_NORTH, FAR],
        policy(min_endpoints=2),
        (),
        "nearest: westeurope 0 ms, eastus 85 ms (mixed: clients spread evenly over 2 regions)",
    ),
    ("one that serves out of reach", [OUT_OF_REACH, FAR], {}, (), OWN_UNUSABLE),
    ("one that serves without address", [vm("a"), FAR], {}, (), OWN_UNUSABLE),
    ("two with the same address", [*TWICE, FAR], {}, (), OWN_UNUSABLE),
    (
        "both at once",
        [STOPPED, vm("n", "192.168.0.1", region=NORTH), FAR],
        {},
        (),
        "failover: no endpoint serves in westeurope; no usable address in northeurope; nearest is eastus 85 ms",
    ),
    (
        "a region that the policy leaves out is not missed",
        [vm("a", "10.0.0.1"), FAR],
        policy(regions=[EAST]),
        (),
        "nearest: eastus 85 ms",
    ),
    ("nor if all are stopped there", [STOPPED, FAR], policy(regions=[EAST]), (), "nearest: eastus 85 ms"),
    ("nor if ambiguous", [*TWICE, FAR], policy(regions=[EAST]), (), "nearest: eastus 85 ms"),
    (
        "nor is a subscription that is not ours",
        [vm("a", "10.0.0.1", subscription=OTHER_SUB), STOPPED_NORTH, FAR],
        BOTH_SUBS,
        (),
        NORTH_SILENT,
    ),
    ("nor a claim that is refused", [ROGUE, STOPPED_NORTH, FAR], ONLY_GPU, (), NORTH_SILENT),
    ("nor an own name beside tags", [HOST, STOPPED_NORTH, FAR], {}, (), NORTH_SILENT),
    ("nor an own name that is off", [HOST, STOPPED_NORTH, FAR], {"HOST_NAMES": "false"}, (), NORTH_SILENT),
    ("no claims", [], {}, (), "no endpoint claims this name"),
    ("nobody serves", [STOPPED], {}, (), "no endpoint serves"),
    ("somebody serves out of reach", [OUT_OF_REACH], {}, (), UNUSABLE),
    ("somebody serves where the policy is not", [vm("a", "10.0.0.1")], policy(regions=[EAST]), (), UNUSABLE),
    ("fallback", [STOPPED], policy(fallback=["10.9.9.9"]), (), "fallback: no endpoint serves"),
    ("fallback for one out of reach", [OUT_OF_REACH], policy(fallback=["10.9.9.9"]), (), f"fallback: {UNUSABLE}"),
    ("kept", [STOPPED], policy(when_empty="keep"), (), "kept: no endpoint serves, and the policy keeps the record set"),
    (
        "kept for one out of reach",
        [OUT_OF_REACH],
        policy(when_empty="keep"),
        (),
        f"kept: {UNUSABLE}, and the policy keeps the record set",
    ),
]


@pytest.mark.parametrize(
    ("endpoints", "changed", "drains", "reason"), [row[1:] for row in ANSWERS], ids=[row[0] for row in ANSWERS]
)
def test_the_answer_says_where_it_comes_from(endpoints, changed, drains, reason):
    assert route(zone(), "llama", endpoints, Rules(parsed(**changed), LATENCY, drains)).reason == reason


def test_a_private_endpoint_says_that_another_one_of_its_service_is_nearer():
    there = vm("there", "10.0.0.2", region=EAST, service="s")
    found = decided([vm("here", "10.0.0.1", region=EAST, service="s", location=WEST), there])
    assert found[there.id].reason == "farther: another private endpoint of its service is nearer"
    assert (found[there.id].addresses, found[there.id].included) == (("10.0.0.2",), False)
    assert found[vm("here").id].reason == "nearest: eastus 85 ms"
