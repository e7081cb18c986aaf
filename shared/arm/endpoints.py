"""The registry of endpoint kinds: a new kind is one file and one entry in `KINDS`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from shared.arm.client import Arm
from shared.arm.virtual_machines import VirtualMachines
from shared.model import Endpoint, resource_id
from shared.ports import Listing

KINDS = (VirtualMachines,)


class Kind(Protocol):
    """What a kind of endpoint has to know. `kind`, `depends_on`: ARM types in lower case."""

    kind: str
    depends_on: frozenset[str]

    async def owners(self, resource_id: str) -> Sequence[str]:
        """The endpoints that a resource of a type in `depends_on` belongs to."""

    async def observe(self, endpoint_id: str, known: Endpoint | None) -> Endpoint:
        """Read one."""

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
        return await self._by_type[found.type if found else ""].observe(endpoint_id, known)

    async def listings(self, subscription: str, known: Sequence[Endpoint]) -> Sequence[Listing]:
        """Every kind of a subscription."""
        return await asyncio.gather(
            *(kind.listing(subscription, [e for e in known if e.kind == kind.kind]) for kind in self._kinds)
        )
