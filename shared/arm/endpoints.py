"""The registry of endpoint kinds: a new kind is one file and one entry in `KINDS`."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Protocol

from shared.arm.client import Arm
from shared.arm.virtual_machines import VirtualMachines
from shared.errors import Terminal
from shared.model import Endpoint, resource_id
from shared.ports import Listing

KINDS = (VirtualMachines,)


class Kind(Protocol):
    """What a kind of endpoint has to know. `kind`, `depends_on`: ARM types in lower case."""

    kind: str
    depends_on: frozenset[str]

    async def owners(self, dependency: str) -> Sequence[str]:
        """The endpoints that a resource of a type in `depends_on` belongs to."""

    async def observe(self, endpoint_id: str, known: Endpoint | None) -> Endpoint:
        """Read one."""

    async def several(self, subscription: str, wanted: Mapping[str, Endpoint | None]) -> Sequence[Endpoint]:
        """Read those of the wanted ones (by id in lower case) of which lists say enough."""

    async def listing(self, subscription: str, known: Sequence[Endpoint]) -> Listing:
        """Read all of a subscription."""


class Endpoints:
    """Fulfils `ports.Inventory` with all kinds."""

    def __init__(self, arm: Arm) -> None:
        self._kinds: list[Kind] = [make(arm) for make in KINDS]
        self._by_type = {kind.kind: kind for kind in self._kinds}

    @property
    def kinds(self) -> frozenset[str]:
        """ARM types of endpoints."""
        return frozenset(self._by_type)

    @property
    def types(self) -> frozenset[str]:
        """ARM types of endpoints and of what they depend on."""
        return self.kinds.union(*(kind.depends_on for kind in self._kinds))

    async def resolve(self, resource: str) -> Sequence[str]:
        """The endpoints that a resource is or belongs to."""
        found = resource_id(resource)
        if found is None or found.type in self._by_type:
            return [resource] if found else []
        groups = [await kind.owners(resource) for kind in self._kinds if found.type in kind.depends_on]
        return [owner for group in groups for owner in group]

    async def observe(self, endpoint_id: str, known: Endpoint | None) -> Endpoint:
        """Read one endpoint of whatever kind."""
        found = resource_id(endpoint_id)
        if found is None or found.type not in self._by_type:
            raise Terminal(f"{endpoint_id} is no endpoint of a known kind")
        return await self._by_type[found.type].observe(endpoint_id, known)

    async def several(self, wanted: Mapping[str, Endpoint | None]) -> Mapping[str, Endpoint]:
        """Many endpoints by lists, of each kind and subscription among them."""
        groups: defaultdict[tuple[str, str], dict[str, Endpoint | None]] = defaultdict(dict)
        for endpoint_id, known in wanted.items():
            found = resource_id(endpoint_id)
            if found and found.type in self._by_type:
                groups[found.type, found.subscription][endpoint_id.lower()] = known
        read = [self._by_type[kind].several(subscription, group) for (kind, subscription), group in groups.items()]
        seen = {endpoint.key: endpoint for endpoints in await asyncio.gather(*read) for endpoint in endpoints}
        return {endpoint_id: seen[endpoint_id.lower()] for endpoint_id in wanted if endpoint_id.lower() in seen}

    async def listings(self, subscription: str, known: Sequence[Endpoint]) -> Sequence[Listing]:
        """Every kind of a subscription."""
        return await asyncio.gather(
            *(kind.listing(subscription, [e for e in known if e.kind == kind.kind]) for kind in self._kinds)
        )
