"""Internal load balancers as endpoints: the private addresses of their frontends, while backends are there.

A frontend is not published if its rules lead only to pools that Azure Resource Manager shows to be empty: see
`backend_pools.py`. Whether a backend answers is left to the load balancer's probes, or to probes of this app.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from shared.azure.answers import Page
from shared.azure.backend_pools import Balancing, evidence, unserved_frontends
from shared.azure.endpoint_kind import ListableKind
from shared.azure.machine import IpProperties
from shared.azure.parts import Part, select
from shared.azure.tags import claims, drained, names_and_parts
from shared.config.settings import region_name
from shared.domain.endpoints import Endpoint, State


class _FrontendProperties(IpProperties, rename="camel"):
    public: Any = msgspec.field(name="publicIPAddress", default=None)
    prefix: Any = msgspec.field(name="publicIPPrefix", default=None)


class _Frontend(msgspec.Struct):
    name: str = ""
    properties: _FrontendProperties = msgspec.field(default_factory=_FrontendProperties)


class _Properties(Balancing, rename="camel"):
    provisioning_state: str = ""
    frontends: list[_Frontend] | None = msgspec.field(name="frontendIPConfigurations", default=None)


class _LoadBalancer(msgspec.Struct):
    id: str
    name: str
    location: str = ""
    tags: dict[str, Any] | None = None
    properties: _Properties = msgspec.field(default_factory=_Properties)


class LoadBalancers(ListableKind[_LoadBalancer]):
    """Internal load balancers; a list has the same fields as a GET."""

    path = "Microsoft.Network/loadBalancers"
    api = "2024-01-01"
    one = msgspec.json.Decoder(_LoadBalancer)
    many = msgspec.json.Decoder(Page[_LoadBalancer])

    async def to_endpoint(self, found: _LoadBalancer, *, from_list: bool) -> Endpoint:
        """Return the load balancer as an endpoint with the addresses of its private frontends."""
        del from_list
        (tagged, own, faults), _ = claimed = names_and_parts(found.tags, found.name)
        frontends = found.properties.frontends or []
        unserved = unserved_frontends(found.properties, [each.name for each in frontends])
        parts = [_part(each, withheld=each.name in unserved) for each in frontends]
        addresses, selected, unclear = select(*claimed, parts, "frontend")
        faults += unclear
        if claims(found.tags):
            public = [each.name for each in frontends if each.properties.public or each.properties.prefix]
            faults += tuple(f"frontend {name!r} has no private address and is not published" for name in public)
        return Endpoint(
            id=found.id,
            kind=self.kind,
            region=region_name(found.location),
            tagged=tagged,
            own=own,
            addresses=addresses,
            state=_state(found, parts),
            health=False,
            doubt=_missing_address(found) if claims(found.tags) else "",
            faults=faults,
            selected=selected,
            not_serving=evidence(unserved, parts),
        )


def _part(frontend: _Frontend, *, withheld: bool) -> Part:
    address = frontend.properties.private
    return Part(frontend.name, (address,) if address else (), withheld and address is not None)


def _state(found: _LoadBalancer, parts: Sequence[Part]) -> State:
    if found.properties.provisioning_state.lower() == "deleting":
        return State.STOPPED
    if drained(found.tags):
        return State.DRAINING
    if any(part.serves for part in parts):
        return State.SERVING
    # The drain timer reads a warming endpoint again: what joins an empty pool may raise no event of the load balancer.
    return State.WARMING if _missing_address(found) or any(part.withheld for part in parts) else State.STOPPED


def _missing_address(found: _LoadBalancer) -> str:
    """Return why its addresses are unknown, or "": a frontend without a private and without a public address."""
    frontends = found.properties.frontends
    silent = frontends is None or any(
        not (each.properties.address or each.properties.public or each.properties.prefix) for each in frontends
    )
    return "Azure does not report its address" if silent else ""
