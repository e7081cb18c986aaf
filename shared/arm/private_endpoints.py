"""Private endpoints as endpoints: Azure OpenAI, Azure Machine Learning and whatever else answers inference behind one.

They serve while the service has approved the connection, with the addresses of their NIC. One with a DNS zone group of
its own is left alone: Azure writes its records.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import chain

import msgspec

from shared.arm.client import Arm, Page
from shared.arm.kind import Listed, everything
from shared.arm.machines import NIC_API, Link, Nic
from shared.arm.tags import claims, drained, names
from shared.model import Address, Endpoint, State
from shared.settings import region_name

AT_ONCE = 8
"""Private endpoints that are read beside each other."""
PREFERRED = "inference"
"""The member whose address answers inference, where a service has several (Azure Machine Learning: public templates of
its private endpoints name the members default, notebook, inference and others)."""


class _Status(msgspec.Struct):
    status: str = ""


class _ConnectionProperties(msgspec.Struct, rename="camel"):
    state: _Status | None = msgspec.field(name="privateLinkServiceConnectionState", default=None)


class _Connection(msgspec.Struct):
    properties: _ConnectionProperties = msgspec.field(default_factory=_ConnectionProperties)


class _Properties(msgspec.Struct, rename="camel"):
    provisioning_state: str = ""
    network_interfaces: list[Link] | None = None
    private_link_service_connections: list[_Connection] | None = None
    manual_private_link_service_connections: list[_Connection] | None = None


class _PrivateEndpoint(msgspec.Struct):
    id: str
    name: str
    location: str = ""
    tags: dict[str, str] | None = None
    properties: _Properties = msgspec.field(default_factory=_Properties)


_nic = msgspec.json.Decoder(Nic)
_groups = msgspec.json.Decoder(Page[Link])


class PrivateEndpoints(Listed[_PrivateEndpoint]):
    """One kind of endpoint. Its NIC and its zone groups are read besides."""

    path = "Microsoft.Network/privateEndpoints"
    api = "2024-01-01"
    one = msgspec.json.Decoder(_PrivateEndpoint)
    many = msgspec.json.Decoder(Page[_PrivateEndpoint])

    def __init__(self, arm: Arm) -> None:
        super().__init__(arm)
        self._gate = asyncio.Semaphore(AT_ONCE)

    async def assess(self, found: _PrivateEndpoint, *, from_list: bool) -> Endpoint:
        """The addresses of its NIC, unless Azure writes its records."""
        del from_list
        nics, grouped = await self._besides(found) if claims(found.tags) else ([], False)
        addresses, members = _addresses(nics)
        tagged, own, faults = names(found.tags, found.name)
        if grouped:
            tagged, own = (), None
            faults = ("it has a DNS zone group: Azure writes its records, so it claims no name here",)
        elif members:
            faults += (f"its addresses lead to different parts of the service ({members}): all are published",)
        return Endpoint(
            id=found.id,
            kind=self.kind,
            region=region_name(found.location),
            tagged=tagged,
            own=own,
            addresses=addresses,
            state=_state(found, served=bool(addresses)),
            health=False,
            faults=faults,
        )

    async def _besides(self, found: _PrivateEndpoint) -> tuple[list[Nic], bool]:
        """Its NICs, and whether it has a zone group."""
        groups = everything(self.arm, f"{found.id}/privateDnsZoneGroups", _groups, {"api-version": self.api})
        async with self._gate:
            nics, grouped = await asyncio.gather(self._nics(found), groups)
        return nics, bool(grouped)

    async def _nics(self, found: _PrivateEndpoint) -> list[Nic]:
        links = found.properties.network_interfaces or []
        nics = await asyncio.gather(*(self._nic(link.id) for link in links))
        return [nic for nic in nics if nic]

    async def _nic(self, nic_id: str) -> Nic | None:
        return await self.arm.get(nic_id, _nic, **{"api-version": NIC_API})


def _state(found: _PrivateEndpoint, *, served: bool) -> State:
    connections = chain(
        found.properties.private_link_service_connections or (),
        found.properties.manual_private_link_service_connections or (),
    )
    states = {each.properties.state.status.lower() for each in connections if each.properties.state}
    if found.properties.provisioning_state.lower() == "deleting" or not states & {"approved", "pending"}:
        return State.STOPPED  # Rejected by the service, or disconnected from it.
    if drained(found.tags):
        return State.DRAINING
    return State.SERVING if "approved" in states and served else State.WARMING


def _addresses(nics: Sequence[Nic]) -> tuple[tuple[Address, ...], str]:
    """Those of the member that is preferred, otherwise all, then with the members' names where there are several."""
    members: dict[str, set[Address]] = {}
    for configuration in chain.from_iterable(nic.properties.ip_configurations or () for nic in nics):
        member = configuration.properties.member
        if address := configuration.address:
            members.setdefault(member.required_member_name if member else "", set()).add(address)
    if PREFERRED in members:
        return tuple(sorted(members[PREFERRED])), ""
    found = tuple(sorted(set().union(*members.values())))
    return found, ", ".join(sorted(members)) if len(members) > 1 and len(found) > 1 else ""
