"""Which frontends of a load balancer or an Application Gateway are known to lead to no backend."""

import msgspec
import pytest

from shared.azure.backend_pools import Balancing, GatewayPools, unserved_frontends, unserved_gateway

LB = "/subscriptions/S/resourceGroups/G/providers/Microsoft.Network/loadBalancers/lb"
NONE = "it has no backend pool"
NIC = {"id": "/subscriptions/S/resourceGroups/G/providers/Microsoft.Network/networkInterfaces/n/ipConfigurations/i"}
EMPTY = {"loadBalancerBackendAddresses": []}
FULL = {"loadBalancerBackendAddresses": [{"name": "x"}], "backendIPConfigurations": [NIC]}
BY_ADDRESS = {"loadBalancerBackendAddresses": [{"name": "x", "properties": {"ipAddress": "10.0.0.9"}}]}
BASIC_FULL = {"backendIPConfigurations": [NIC]}
P, Q, BOTH = "backend pool P is empty", "backend pool Q is empty", "backend pools P, Q are empty"


def link(section, name):
    return {"id": f"{LB}/{section}/{name}"}


TO_Q = link("backendAddressPools", "Q")


def rule(frontend, *pools):
    one = {"backendAddressPool": link("backendAddressPools", pools[0])} if len(pools) == 1 else {}
    several = {"backendAddressPools": [link("backendAddressPools", pool) for pool in pools]} if len(pools) > 1 else {}
    return {"properties": {"frontendIPConfiguration": link("frontendIPConfigurations", frontend), **one, **several}}


def nat(frontend, **more):
    return {"properties": {"frontendIPConfiguration": link("frontendIPConfigurations", frontend), **more}}


def unserved(pools, rules=(), nats=(), frontends=("a", "b")):
    named = None if pools is None else [{"name": name, "properties": each} for name, each in pools.items()]
    found = {"backendAddressPools": named, "loadBalancingRules": list(rules), "inboundNatRules": list(nats)}
    return unserved_frontends(msgspec.convert(found, Balancing), frontends)


@pytest.mark.parametrize(
    ("pools", "rules", "nats", "expected"),
    [
        ({"P": EMPTY}, [rule("a", "P"), rule("b", "P")], [], {"a": P, "b": P}),
        ({"P": FULL}, [rule("a", "P"), rule("b", "P")], [], {}),
        ({"P": BY_ADDRESS}, [rule("a", "P")], [], {}),
        ({"P": BASIC_FULL}, [rule("a", "P")], [], {}),
        ({"P": {}}, [rule("a", "P")], [], {}),
        ({"P": {"backendIPConfigurations": []}}, [rule("A", "p")], [], {"a": P, "b": P}),
        ({"P": EMPTY, "Q": FULL}, [rule("a", "P"), rule("b", "Q")], [], {"a": P}),
        ({"P": EMPTY, "Q": FULL}, [rule("a", "P"), rule("a", "Q"), rule("b", "P", "Q")], [], {}),
        (
            {"P": EMPTY, "Q": EMPTY},
            [rule("a", "P", "Q"), rule("b", "Q")],
            [],
            {"a": BOTH, "b": Q},
        ),
        ({"P": EMPTY, "Q": FULL}, [], [], {}),
        ({"P": EMPTY}, [rule("a")], [], {"a": P, "b": P}),
        ({"P": EMPTY}, [rule("a", "elsewhere"), rule("b", "P")], [], {"b": P}),
        ({}, [], [], {"a": NONE, "b": NONE}),
        (None, [rule("a", "P")], [], {}),
        ({}, [], [nat("a", backendIPConfiguration=NIC)], {"b": NONE}),
        (
            {"P": EMPTY, "Q": FULL},
            [rule("a", "P"), rule("b", "P")],
            [nat("a", backendAddressPool=TO_Q)],
            {"b": P},
        ),
    ],
)
def test_a_frontend_whose_rules_lead_only_to_empty_pools_leads_to_no_backend(pools, rules, nats, expected):
    assert unserved(pools, rules, nats) == expected


EMPTY_LIST = {"backendAddresses": []}
BY_NAME = {"backendAddresses": [{"fqdn": "backend.example.com"}]}
BY_NIC = {"backendAddresses": [], "backendIPConfigurations": [NIC]}


@pytest.mark.parametrize(
    ("pools", "redirects", "expected"),
    [
        ({"P": EMPTY_LIST}, [], P),
        ({"P": {"backendIPConfigurations": []}}, [], P),
        ({"Q": EMPTY_LIST, "P": EMPTY_LIST}, [], BOTH),
        ({"P": BY_NAME}, [], None),
        ({"P": BY_NIC}, [], None),
        ({"P": {"backendIPConfigurations": [NIC]}}, [], None),
        ({"P": {}}, [], None),
        ({"P": EMPTY_LIST, "Q": BY_NAME}, [], None),
        ({"P": EMPTY_LIST, "Q": {}}, [], None),
        ({"P": EMPTY_LIST}, [{"name": "to-https"}], None),
        ({"P": EMPTY_LIST}, None, None),
        ({}, [], None),
        (None, [], None),
    ],
)
def test_a_gateway_without_redirects_whose_pools_are_all_empty_leads_to_no_backend(pools, redirects, expected):
    named = None if pools is None else [{"name": name, "properties": each} for name, each in pools.items()]
    found = msgspec.convert({"backendAddressPools": named, "redirectConfigurations": redirects}, GatewayPools)
    assert unserved_gateway(found, ["a", "b"]) == ({} if expected is None else {"a": expected, "b": expected})


def test_a_reason_lists_a_few_of_many_empty_pools():
    pools = {f"p{number:02}": EMPTY_LIST for number in range(100)}
    named = [{"name": name, "properties": each} for name, each in pools.items()]
    found = msgspec.convert({"backendAddressPools": named, "redirectConfigurations": []}, GatewayPools)
    (reason,) = unserved_gateway(found, ["a"]).values()
    assert reason == f"backend pools {', '.join(list(pools)[:8])} and 92 more are empty"
