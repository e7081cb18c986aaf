"""The members of a load balancer's backend pools, as the network provider shows them.

Shapes as recorded by azure-cli (test_network_lb.yaml, test_vmss_with_ilb.yaml, test_network_lb_sku.yaml, 2023).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any
from uuid import NAMESPACE_URL, uuid5

_LB_TYPE = "Microsoft.Network/loadBalancers"


def with_members(
    pool: str, etag: str, written: Mapping[str, Any], joined: Iterable[str], *, basic: bool
) -> dict[str, Any]:
    """A pool, given by its id, with the NIC configurations that have `joined` it, beside the members as written.

    A member is named once in Basic, and twice in all others. An empty pool has an empty list of addresses, in Basic
    nothing.
    """
    there = {each["id"].lower() for each in written.get("backendIPConfigurations", ())}
    joined = [each for each in joined if each.lower() not in there]  # A client may write a NIC before it exists.
    members = [*written.get("backendIPConfigurations", ()), *({"id": each} for each in joined)]
    found = {**written, **({"backendIPConfigurations": members} if members else {})}
    if basic:
        return found
    addresses = [*written.get("loadBalancerBackendAddresses", ()), *(_backend(pool, etag, each) for each in joined)]
    return {**found, "loadBalancerBackendAddresses": addresses}


def reached(frontend: str, parts: Mapping[str, Iterable[Mapping[str, Any]]], *, basic: bool) -> int:
    """How many backends a frontend, given by its id, leads to, as far as Azure Resource Manager shows it.

    `parts`: the served parts of its load balancer, by section. Rules lead to pools, or without rules all pools count;
    inbound NAT rules lead to one backend each. Of a pool of Basic it does not show that it is empty: it counts as one.
    """
    rules = [each["properties"] for each in parts["loadBalancingRules"] if _starts_at(each["properties"], frontend)]
    ids = [
        pool["id"]
        for each in rules
        for pool in (each.get("backendAddressPool"), *each.get("backendAddressPools", ()))
        if pool
    ]
    led = {each.rsplit("/", 1)[1].lower() for each in ids}
    pools = [each["properties"] for each in parts["backendAddressPools"] if not rules or each["name"].lower() in led]
    sizes = [
        max(len(pool.get(field, ())) for field in ("backendIPConfigurations", "loadBalancerBackendAddresses"))
        for pool in pools
    ]
    single = [each["properties"] for each in parts["inboundNatRules"] if _starts_at(each["properties"], frontend)]
    return sum(max(1, size) if basic else size for size in sizes) + sum(
        "backendIPConfiguration" in each for each in single
    )


def _starts_at(rule: Mapping[str, Any], frontend: str) -> bool:
    return str((rule.get("frontendIPConfiguration") or {}).get("id", "")).lower() == frontend.lower()


def _backend(pool: str, etag: str, configuration: str) -> dict[str, Any]:
    """The entry of a NIC's configuration among a pool's addresses."""
    name = str(uuid5(NAMESPACE_URL, f"{pool}{configuration}".lower()))
    return {
        "name": name,
        "id": f"{pool}/loadBalancerBackendAddresses/{name}",
        "etag": etag,
        "properties": {"provisioningState": "Succeeded", "networkInterfaceIPConfiguration": {"id": configuration}},
        "type": f"{_LB_TYPE}/backendAddressPools/loadBalancerBackendAddresses",
    }


def strangers(pool: Mapping[str, Any], known: Callable[[str], bool]) -> dict[str, Any]:
    """A pool as written, without the members that `known` NICs are: those say themselves which pools they are in."""

    def stays(configuration: str) -> bool:
        return not known(configuration.partition("/ipConfigurations/")[0])

    kept: dict[str, Any] = dict(pool)
    if "backendIPConfigurations" in kept:
        kept["backendIPConfigurations"] = [each for each in kept["backendIPConfigurations"] if stays(each["id"])]
    if "loadBalancerBackendAddresses" in kept:
        kept["loadBalancerBackendAddresses"] = [
            each
            for each in kept["loadBalancerBackendAddresses"]
            if stays(each.get("properties", {}).get("networkInterfaceIPConfiguration", {}).get("id", ""))
        ]
    return {name: value for name, value in kept.items() if name != "backendIPConfigurations" or value}


def pool_of(balancer_id: str, name: str, size: int) -> dict[str, Any]:
    """A pool with so many members, of NICs that are not simulated."""
    group, pool = balancer_id.partition("/providers/")[0], f"{balancer_id}/backendAddressPools/{name}"
    nics = (f"{group}/providers/Microsoft.Network/networkInterfaces/{name}-{number}" for number in range(size))
    members = [f"{nic}/ipConfigurations/ipconfig1" for nic in nics]
    addresses = {"loadBalancerBackendAddresses": [_backend(pool, "", each) for each in members]}
    return {"backendIPConfigurations": [{"id": each} for each in members], **addresses} if members else addresses
