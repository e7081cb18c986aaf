"""Application Gateways as endpoints: the private addresses of their frontends, while they run and backends are there.

The operational state is one of Running, Starting, Stopping and Stopped (specification applicationGateway.json of
2024-01-01). A write does not interrupt a gateway: it stays Running while its provisioning state is Updating. A new one
is Stopped and Updating until its first write ends (both recorded by azure-cli,
test_network_app_gateway_with_private_ip, 2023). A gateway is not published while Azure Resource Manager shows that all
its pools are empty: see `backend_pools.py`. Whether a backend answers is left to the gateway, or to probes of this app.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from shared.azure.answers import Page
from shared.azure.backend_pools import GatewayPools, evidence, unserved_gateway
from shared.azure.endpoint_kind import ListableKind
from shared.azure.machine import IpProperties, Link
from shared.azure.parts import Part, select
from shared.azure.tags import claims, drained, names_and_parts
from shared.config.settings import region_name
from shared.domain.endpoints import Endpoint, State


class _FrontendProperties(IpProperties, rename="camel"):
    public: Any = msgspec.field(name="publicIPAddress", default=None)


class _Frontend(msgspec.Struct):
    id: str = ""
    name: str = ""
    properties: _FrontendProperties = msgspec.field(default_factory=_FrontendProperties)


class _ListenerProperties(msgspec.Struct):
    frontend: Link | None = msgspec.field(name="frontendIPConfiguration", default=None)


class _Listener(msgspec.Struct):
    properties: _ListenerProperties = msgspec.field(default_factory=_ListenerProperties)


class _Properties(GatewayPools, rename="camel"):
    provisioning_state: str = ""
    operational_state: str = ""
    frontends: list[_Frontend] | None = msgspec.field(name="frontendIPConfigurations", default=None)
    http_listeners: list[_Listener] | None = None
    listeners: list[_Listener] | None = None
    """Listeners for TCP and TLS; an older API version, or a gateway of the first generation, has none."""


class _ApplicationGateway(msgspec.Struct):
    id: str
    name: str
    location: str = ""
    tags: dict[str, Any] | None = None
    properties: _Properties = msgspec.field(default_factory=_Properties)


class ApplicationGateways(ListableKind[_ApplicationGateway]):
    """Application Gateways; a list has the same fields as a GET."""

    path = "Microsoft.Network/applicationGateways"
    api = "2024-01-01"
    one = msgspec.json.Decoder(_ApplicationGateway)
    many = msgspec.json.Decoder(Page[_ApplicationGateway])

    async def to_endpoint(self, found: _ApplicationGateway, *, from_list: bool) -> Endpoint:
        """Return the gateway as an endpoint with the addresses of its private frontends that have a listener."""
        del from_list
        (tagged, own, faults), _ = claimed = names_and_parts(found.tags, found.name)
        frontends = found.properties.frontends or []
        private = [each for each in frontends if each.properties.private]
        unserved = unserved_gateway(found.properties, [each.name for each in frontends])
        parts = [_part(found, each, withheld=each.name in unserved) for each in frontends]
        addresses, selected, unclear = select(*claimed, parts, "frontend")
        faults += unclear
        state, doubt = _state(found, parts)
        if claims(found.tags):
            faults += _frontend_faults(found, private)
        return Endpoint(
            id=found.id,
            kind=self.kind,
            region=region_name(found.location),
            tagged=tagged,
            own=own,
            addresses=addresses,
            state=state,
            health=False,
            doubt=doubt if claims(found.tags) else "",
            faults=faults,
            selected=selected,
            not_serving=evidence(unserved, parts),
        )


def _part(found: _ApplicationGateway, frontend: _Frontend, *, withheld: bool) -> Part:
    """Return a frontend with its private address, if a listener uses it."""
    address = None if _is_deaf(found, frontend) else frontend.properties.private
    return Part(frontend.name, (address,) if address else (), withheld and address is not None)


def _is_deaf(found: _ApplicationGateway, frontend: _Frontend) -> bool:
    """Return whether no listener uses a frontend: then nothing answers at its address.

    A response without the list of HTTP listeners, or with a listener without a frontend, does not say so.
    """
    http, others = found.properties.http_listeners, found.properties.listeners or []
    used = {(each.properties.frontend or Link()).id.lower() for each in (*(http or []), *others)}
    return http is not None and "" not in (*used, frontend.id) and frontend.id.lower() not in used


def _frontend_faults(found: _ApplicationGateway, private: Sequence[_Frontend]) -> tuple[str, ...]:
    """Return what of its frontends is not published, as text."""
    public = [each.name for each in found.properties.frontends or () if each.properties.public]
    deaf = [each.name for each in private if _is_deaf(found, each)]
    faults = [f"frontend {name!r} has no private address and is not published" for name in public]
    faults += [f"frontend {name!r} has no listener and is not published" for name in deaf]
    if not private and not _missing_address(found):
        faults.append("it has no private frontend, so it has no address to publish")
    return tuple(faults)


def _state(found: _ApplicationGateway, parts: Sequence[Part]) -> tuple[State, str]:
    """Return the state of a gateway, and why it is in doubt, or ""."""
    operational = found.properties.operational_state.lower()
    provisioning = found.properties.provisioning_state.lower()
    begins = operational == "stopped" and provisioning == "updating"
    if provisioning == "deleting" or (operational in ("stopped", "stopping") and not begins):
        return State.STOPPED, ""
    doubt = _missing_address(found)
    if operational not in ("running", "starting", "stopped"):
        doubt = "Azure does not report whether it runs"
    if drained(found.tags):
        return State.DRAINING, doubt
    if not doubt and not any(part.addresses for part in parts):
        return State.STOPPED, ""
    # The drain timer reads a warming endpoint again: what joins an empty pool may raise no event of the gateway.
    served = operational == "running" and any(part.serves for part in parts)
    return State.SERVING if served else State.WARMING, doubt


def _missing_address(found: _ApplicationGateway) -> str:
    """Return why its addresses are unknown, or "": a frontend without a private and without a public address."""
    frontends = found.properties.frontends
    silent = frontends is None or any(not (each.properties.address or each.properties.public) for each in frontends)
    return "Azure does not report its address" if silent else ""
