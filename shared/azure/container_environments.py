"""Container Apps environments with an internal address as endpoints; all apps of an environment share this address.

An environment without its own VNet, or with an external one, has a public address and is not published (specification
ManagedEnvironments.json of 2024-03-01). It serves while its provisioning state is Succeeded. The specification does not
say whether an environment serves in the other states: after a failed update it may. Such a state keeps what is known.
"""

from __future__ import annotations

from typing import Any

import msgspec

from shared.azure.answers import Page
from shared.azure.endpoint_kind import ListableKind
from shared.azure.machine import Link, private_address
from shared.azure.tags import claims, drained, names
from shared.config.settings import region_name
from shared.domain.endpoints import Address, Endpoint, State

ENDING = ("scheduledfordelete", "deleting")
"""Provisioning states in lower case; the specification has only the first one."""


class _VnetConfiguration(msgspec.Struct, rename="camel"):
    internal: bool | None = None
    infrastructure_subnet_id: str = ""


class _Properties(msgspec.Struct, rename="camel"):
    provisioning_state: str = ""
    static_ip: str | None = None
    vnet_configuration: _VnetConfiguration | None = None


class _Environment(msgspec.Struct):
    id: str
    name: str
    location: str = ""
    tags: dict[str, Any] | None = None
    properties: _Properties = msgspec.field(default_factory=_Properties)

    @property
    def internal(self) -> bool:
        vnet = self.properties.vnet_configuration
        return vnet is not None and vnet.internal is True

    @property
    def external(self) -> bool:
        return not self.internal and bool(self.properties.static_ip)


class ContainerEnvironments(ListableKind[_Environment]):
    """Container Apps environments; a list has the same fields as a GET."""

    path = "Microsoft.App/managedEnvironments"
    api = "2024-03-01"
    one = msgspec.json.Decoder(_Environment)
    many = msgspec.json.Decoder(Page[_Environment])

    async def to_endpoint(self, found: _Environment, *, from_list: bool) -> Endpoint:
        """Return the environment as an endpoint with its internal address."""
        del from_list
        tagged, own, faults = names(found.tags, found.name)
        address = _address(found)
        state, doubt = _state(found, address)
        if claims(found.tags) and found.external:
            faults += ("it has no private address and is not published: its virtual IP is not internal",)
        return Endpoint(
            id=found.id,
            kind=self.kind,
            region=region_name(found.location),
            tagged=tagged,
            own=own,
            addresses=(address,) if address else (),
            state=state,
            health=False,
            doubt=doubt if claims(found.tags) else "",
            faults=faults,
        )


def _address(found: _Environment) -> Address | None:
    vnet, ip = found.properties.vnet_configuration, found.properties.static_ip
    if not found.internal or vnet is None or not ip:
        return None
    return private_address(ip, Link(vnet.infrastructure_subnet_id) if vnet.infrastructure_subnet_id else None)


def _state(found: _Environment, address: Address | None) -> tuple[State, str]:
    """Return the state of an environment, and why it is in doubt, or ""."""
    state = found.properties.provisioning_state
    if state.lower() in ENDING or found.external:
        return State.STOPPED, ""
    doubt = ""
    if state.lower() == "succeeded":
        doubt = "" if address else "Azure does not report its address"
    elif address or not state:
        doubt = f"its provisioning state is {state or 'missing'}, which does not tell whether it serves"
    if drained(found.tags):
        return State.DRAINING, doubt
    return State.SERVING if state.lower() == "succeeded" and address else State.WARMING, doubt
