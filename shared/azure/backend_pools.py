"""Which frontends of a load balancer or an Application Gateway lead to no backend, as Azure Resource Manager shows it.

Load balancers, recorded by azure-cli (test_network_lb.yaml, test_network_lb_sku.yaml, test_vmss_with_ilb.yaml, 2023): a
pool with members has `backendIPConfigurations` and, except in Basic, `loadBalancerBackendAddresses`; an empty one has
an empty list of the latter, and in Basic neither field.

Application Gateways, recorded by azure-cli (test_network_app_gateway_with_private_ip.yaml and
test_network_appgw_creation_with_public_and_private_ip.yaml, 2023): an empty pool has an empty list `backendAddresses`
and no `backendIPConfigurations`. NICs are members by the latter (specification applicationGateway.json of 2024-01-01),
beside an empty list of addresses (reported in Azure/azure-powershell, issue 3598).

A pool without any of these fields is no evidence.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from shared.azure.machine import Link
from shared.azure.parts import SHOWN, Part


class _PoolProperties(msgspec.Struct):
    configurations: list[Any] | None = msgspec.field(name="backendIPConfigurations", default=None)
    of_balancer: list[Any] | None = msgspec.field(name="loadBalancerBackendAddresses", default=None)
    of_gateway: list[Any] | None = msgspec.field(name="backendAddresses", default=None)


class _Pool(msgspec.Struct):
    """A backend pool of a load balancer or an Application Gateway."""

    name: str = ""
    properties: _PoolProperties = msgspec.field(default_factory=_PoolProperties)

    @property
    def is_empty(self) -> bool:
        """Whether it is known to have no member."""
        found = (self.properties.configurations, self.properties.of_balancer, self.properties.of_gateway)
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


class GatewayPools(msgspec.Struct, rename="camel"):
    """The properties of an Application Gateway that say whether its listeners lead to a backend."""

    backend_address_pools: list[_Pool] | None = None
    redirect_configurations: list[Any] | None = None


def unserved_gateway(found: GatewayPools, frontends: Iterable[str]) -> dict[str, str]:
    """Return the frontends of an Application Gateway that are known to lead to no backend, as `unserved_frontends`.

    All of them, if the gateway has pools, all these are empty, and it has no redirect configuration; otherwise none.
    Which rule leads where is not looked at: a gateway has at most one private IPv4 frontend (Microsoft Learn,
    `configuration-frontend-ip`).
    """
    pools = found.backend_address_pools or []
    if not pools or not all(pool.is_empty for pool in pools) or found.redirect_configurations != []:
        return {}
    return dict.fromkeys(frontends, _reason(sorted(pool.name for pool in pools)))


def evidence(unserved: Mapping[str, str], parts: Sequence[Part]) -> str:
    """Return why frontends with an address do not serve, with the source of the evidence, or "".

    `unserved`: as `unserved_frontends` and `unserved_gateway` return it.
    """
    held = [part.name for part in parts if part.withheld]
    if not held:
        return ""
    why = ", ".join(sorted({unserved[name] for name in held}))
    some = f": frontend {', '.join(held)} is not published" if any(part.serves for part in parts) else ""
    return f"{why} (Azure Resource Manager){some}"


def _reason(pools: Sequence[str]) -> str:
    if not pools:
        return "it has no backend pool"
    more = f" and {len(pools) - SHOWN} more" if len(pools) > SHOWN else ""
    names = ", ".join(pools[:SHOWN]) + more
    return f"backend pool {names} is empty" if len(pools) == 1 else f"backend pools {names} are empty"


def _last(link: Link) -> str:
    return link.id.rsplit("/", 1)[-1].lower()
