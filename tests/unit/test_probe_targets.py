"""Which addresses are probed, and which targets share a connection."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.config.settings import Probing
from shared.decide.probes.setting_alarms import setting_alarms
from shared.decide.probes.targets import (
    AMBIGUOUS,
    NEVER,
    OTHER_REGION,
    OUT_OF_REACH,
    by_dial,
    results_by_target,
    targets,
)
from shared.decide.probes.targets import unprobed as reasons_not_probed
from shared.domain.endpoints import STATIC, Address, Endpoint, State
from shared.domain.probes import Probe
from tests.support.probing import OK, PROBE, probed
from tests.support.values import EAST, OTHER_SUB, WEST, vm, zone, zone_id

A = vm("a", "10.0.0.1")


def ips(endpoints, settings=None):
    return [each.ip for each in targets(settings or probed(), endpoints)]


TRUTH = [
    ("a serving endpoint", A, ["10.0.0.1"]),
    *((f"one that is {state.value}", replace(A, state=state), []) for state in State if state != State.SERVING),
    ("one that may not claim the name", vm("a", "10.0.0.1", subscription=OTHER_SUB), []),
    ("an address out of every zone's reach", vm("a", "8.8.8.8", "10.0.0.1"), ["10.0.0.1"]),
    ("no address", vm("a"), []),
    (
        "an address that no claim selects",
        vm("a", "10.0.0.1", "10.0.0.2", selected=(("llama", (Address("10.0.0.2", "vnet"),)),)),
        ["10.0.0.2"],
    ),
    ("a public address", vm("a", "8.8.8.8"), []),
]


@pytest.mark.parametrize(("endpoint", "expected"), [c[1:] for c in TRUTH], ids=[c[0] for c in TRUTH])
def test_what_is_probed(endpoint, expected):
    assert ips([endpoint]) == expected


FORBIDDEN = ["0.0.0.1", "127.0.0.1", "169.254.169.254", "168.63.129.16", "224.0.0.1", "239.1.1.1", "255.255.255.255"]


@pytest.mark.parametrize("ip", FORBIDDEN)
def test_never_connects_to_what_no_endpoint_has_whatever_the_reach(ip):
    everything = replace(zone(WEST, "0.0.0.0/0"), public=True)
    settings = replace(probed(), zones=(everything,))
    assert ips([vm("a", ip, "8.8.8.8")], settings) == ["8.8.8.8"]


def test_never_connects_to_the_networks_of_the_app():
    settings = probed(probing=Probing(never=(IPv4Network("10.0.0.0/26"), IPv4Network("10.0.1.0/24"))))
    assert ips([vm("a", "10.0.0.1", "10.0.0.63", "10.0.0.64", "10.0.1.1")], settings) == ["10.0.0.64"]


OWN = IPv4Network("10.0.0.0/26")
REASONS = [
    # an address that is not probed, changed settings, why
    ("10.0.0.1", {"probing": Probing(never=(OWN,))}, NEVER),
    ("11.0.0.1", {}, OUT_OF_REACH),
    ("127.0.0.1", {}, "a loopback address (127.0.0.0/8)"),
    ("10.0.0.1", {"policies": {"llama": {"regions": frozenset({EAST})}}}, OTHER_REGION),
]


@pytest.mark.parametrize(("ip", "changed", "why"), REASONS)
def test_an_address_that_is_not_probed_has_a_reason(ip, changed, why):
    settings, endpoint = probed(**changed), vm("a", ip)
    assert ips([endpoint], settings) == []
    assert reasons_not_probed("llama", [endpoint], settings) == {(endpoint.key, ip): why}


def test_an_address_of_two_vnets_has_a_reason_and_one_that_is_probed_or_does_not_serve_has_none():
    two = [replace(vm(name), addresses=(Address("10.0.0.9", network=name),)) for name in "ab"]
    found = reasons_not_probed("llama", [*two, A, replace(vm("c", "11.0.0.1"), state=State.STOPPED)], probed())
    assert found == {(each.key, "10.0.0.9"): AMBIGUOUS for each in two}


def test_an_alarm_says_that_never_has_addresses_which_would_be_probed():
    settings = probed(probing=Probing(vantage=WEST, never=(OWN,)))
    many = [vm(f"a{i}", f"10.0.0.{i}") for i in range(1, 6)]
    (alarm,) = setting_alarms(settings, [*many, vm("b", "10.0.1.1")])
    shown = "10.0.0.1, 10.0.0.2, 10.0.0.3, ..."
    assert alarm.what == f"5 serving addresses are not probed, because NEARZONE_PROBING.never has them ({shown})"
    assert alarm.count == 5
    assert setting_alarms(settings, [vm("b", "10.0.1.1"), replace(A, state=State.STOPPED)]) == ()
    assert setting_alarms(replace(settings, probes={"phi": PROBE}), many) == ()


def test_an_alarm_says_that_no_zone_is_in_the_region_of_the_vantage():
    assert setting_alarms(probed(probing=Probing(vantage=WEST)), [A]) == ()
    (alarm,) = setting_alarms(probed(probing=Probing(vantage=EAST)), [A])
    assert alarm.what == f"no zone of this app is in the region that probes come from, {EAST}"
    assert "distances and paths change no answer" in alarm.means


def test_the_reach_of_one_zone_is_enough():
    zones = [
        {"id": zone_id(), "region": WEST, "reach": ["10.1.0.0/16"]},
        {"id": zone_id("other"), "region": EAST, "reach": ["10.2.0.0/16"]},
    ]
    assert ips([vm("a", "10.1.0.1"), vm("b", "10.2.0.1"), vm("c", "10.3.0.1")], probed(ZONES=zones)) == [
        "10.1.0.1",
        "10.2.0.1",
    ]


def test_only_claims_that_count_are_probed():
    own = vm("llama", "10.0.0.2", tagged=(), own="llama")
    assert ips([A, own]) == ["10.0.0.1"]
    assert ips([own]) == ["10.0.0.2"]


def test_an_ambiguous_address_and_a_region_outside_the_policy_are_not_probed():
    rival = vm("b", "10.0.0.1", "10.0.0.2", network="other")
    assert ips([A, rival]) == ["10.0.0.2"]
    assert ips([A, vm("e", "10.0.0.3", region=EAST)], probed({"llama": {"regions": frozenset({EAST})}})) == ["10.0.0.3"]


def test_names_with_one_probe_share_a_target_and_other_probes_have_their_own():
    settings = replace(
        probed(), probes={"llama": PROBE, "gpt": Probe("other kind", 8000, "/health"), "bert": Probe("tcp", 1)}
    )
    both = vm("a", "10.0.0.1", tagged=("llama", "bert", "unprobed"), own="gpt")
    found = targets(settings, [both])
    assert {(each.probe.port, each.names, each.tagged) for each in found} == {
        (8000, frozenset({"llama", "gpt"}), frozenset({"llama"})),
        (1, frozenset({"bert"}), frozenset({"bert"})),
    }


def test_a_place_is_a_region_or_a_static_endpoint():
    static = Endpoint("static/OnPrem", STATIC, EAST, ("llama",), None, (Address("10.0.0.9"),), State.SERVING)
    assert [(each.place, each.region) for each in targets(probed(), [A, static])] == [
        (WEST, WEST),
        ("static/onprem", EAST),
    ]


def test_one_connection_for_all_targets_with_the_same_address_and_probe():
    found = targets(probed(), [A, vm("b", "10.0.0.1", "10.0.0.2")])
    groups = by_dial(found)
    assert {(dial[0], len(group)) for dial, group in groups.items()} == {("10.0.0.1", 2), ("10.0.0.2", 1)}
    results = results_by_target({("10.0.0.1", PROBE.digest): OK}, found)
    assert sorted(key[1] for key in results) == ["10.0.0.1", "10.0.0.1"]


OCTETS = st.tuples(st.sampled_from([0, 10, 100, 127, 168, 169, 172, 192, 224, 255]), *[st.integers(0, 255)] * 3)


@given(st.lists(st.builds(lambda o, s: (".".join(map(str, o)), s), OCTETS, st.sampled_from(list(State))), max_size=20))
def test_every_target_is_within_reach_serves_and_is_sorted(found):
    endpoints = [vm(f"v{i}", ip, state=state, network="") for i, (ip, state) in enumerate(found)]
    probed_ = targets(probed(), endpoints)
    assert list(probed_) == sorted(probed_, key=lambda each: each.key)
    assert probed_ == targets(probed(), endpoints[::-1])
    allowed = [
        IPv4Network("10.0.0.0/8"),
        IPv4Network("172.16.0.0/12"),
        IPv4Network("192.168.0.0/16"),
        IPv4Network("100.64.0.0/10"),
    ]
    serving = {e.key for e in endpoints if e.state == State.SERVING}
    assert all(each.endpoint in serving for each in probed_)
    assert all(any(IPv4Address(each.ip) in network for network in allowed) for each in probed_)
