"""Which frontends of a load balancer lead to no backend, by what Azure Resource Manager shows of its pools.

Recorded by azure-cli (test_network_lb.yaml, test_network_lb_sku.yaml, test_vmss_with_ilb.yaml, 2023): a pool with
members has `backendIPConfigurations` and, except in Basic, `loadBalancerBackendAddresses`; an empty one has an empty
list of the latter, and in Basic neither field. So a pool without both fields is no evidence.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from shared.azure.machine import Link


class _PoolProperties(msgspec.Struct):
    configurations: list[Any] | None = msgspec.field(name="backendIPConfigurations", default=None)
    addresses: list[Any] | None = msgspec.field(name="loadBalancerBackendAddresses", default=None)


class _Pool(msgspec.Struct):
    name: str = ""
    properties: _PoolProperties = msgspec.field(default_factory=_PoolProperties)

    @property
    def is_empty(self) -> bool:
        """Whether it is known to have no member."""
        found = (self.properties.configurations, self.properties.addresses)
        return any(each is not None for each in found) and not any(found)


class _RuleProperties(msgspec.Struct, rename="camel"):
    frontend: Link | None = msgspec.field(name="frontendIPConfiguration", default=None)
    backend: Link | None = msgspec.field(name="backendIPConfiguration", default=None)
    backend_address_pool: Link | None = None
    backend_address_pools: list[Link] | None = None


class _Rule(msgspec.Struct):
    properties: _RuleProperties = msgspec.field(default_factory=_RuleProperties)

    def starts_at(self, frontend: str) -> bool:
        """Return whether it is a rule of this frontend."""
        link = self.properties.frontend
        return link is not None and _last(link) == frontend.lower()

    @property
    def pools(self) -> set[str]:
        """The names of the pools that it leads to, in lower case."""
        links = (self.properties.backend_address_pool, *(self.properties.backend_address_pools or ()))
        return {_last(link) for link in links if link and link.id}


class Balancing(msgspec.Struct, rename="camel"):
    """The properties of a load balancer that say where its frontends lead."""

    backend_address_pools: list[_Pool] | None = None
    load_balancing_rules: list[_Rule] | None = None
    inbound_nat_rules: list[_Rule] | None = None


def unserved_frontends(found: Balancing, frontends: Iterable[str]) -> dict[str, str]:
    """Return the frontends that are known to lead to no backend, each with the reason, as text.

    A frontend leads to the pools of its load balancing rules, to all pools if it has no such rule, and to the backends
    of its inbound NAT rules.
    """
    pools = found.backend_address_pools
    if pools is None:
        return {}
    empty = {pool.name.lower(): pool.name for pool in pools if pool.is_empty}
    every = {pool.name.lower() for pool in pools}
    unserved = {}
    for name in frontends:
        nat = [rule for rule in found.inbound_nat_rules or () if rule.starts_at(name)]
        rules = [rule for rule in found.load_balancing_rules or () if rule.starts_at(name)]
        led = set().union(*(rule.pools for rule in (*rules, *nat)))
        if not any(rule.pools for rule in rules):
            led |= every
        if led <= empty.keys() and not any(rule.properties.backend for rule in nat):
            unserved[name] = _reason([empty[each] for each in sorted(led)])
    return unserved


def _reason(pools: list[str]) -> str:
    if not pools:
        return "it has no backend pool"
    return f"backend pool {pools[0]} is empty" if len(pools) == 1 else f"backend pools {', '.join(pools)} are empty"


def _last(link: Link) -> str:
    return link.id.rsplit("/", 1)[-1].lower()
