"""What a kind of endpoint has to know, and what kinds have in common: how an answer of ARM is taken.

Most kinds are a `Listed`: their file says where ARM has them, which fields are read, and what these amount to.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import replace
from typing import ClassVar, Generic, Protocol, TypeVar

import msgspec

from shared.arm.client import Arm, NotRegistered, Page
from shared.arm.tags import claims, names
from shared.errors import Forbidden, NearzoneError
from shared.model import Endpoint, State
from shared.ports import Listing


class Kind(Protocol):
    """A kind of endpoint. `kind`: its ARM type in lower case."""

    kind: str

    async def observe(self, endpoint_id: str, known: Endpoint | None, listed: Endpoint | None = None) -> Endpoint:
        """Read one: 404 gives state gone, 403 what was known with `doubt` set. Raises Transient, Terminal.

        `listed`: what a list has just shown; a kind may use it for what it would have to read besides.
        """

    async def several(self, subscription: str, wanted: Mapping[str, Endpoint | None]) -> Sequence[Endpoint]:
        """Read those of the wanted ones (by id in lower case) of which lists say enough. Raises Transient, Terminal."""

    async def listing(self, subscription: str, known: Sequence[Endpoint]) -> Listing:
        """Read all of a subscription; an incomplete list says so instead of raising."""


class Dependency(Protocol):
    """A kind of resource that endpoints depend on. `type`: its ARM type in lower case."""

    type: str

    async def endpoints(self, resource_id: str) -> Sequence[str]:
        """The ids of the endpoints that depend on a resource. Raises Transient, Terminal."""


class Parent(Protocol):
    """A kind of resource that endpoints are parts of. `type`: its ARM type in lower case."""

    type: str

    async def members(self, parent_id: str, known: Sequence[Endpoint]) -> Found:
        """Its endpoints as lists show them. `known`: those that the catalog has. Raises Transient, Terminal."""


class Resource(Protocol):
    """What every ARM resource has."""

    id: str


class Tagged(Resource, Protocol):
    """What every top-level resource has."""

    tags: dict[str, str] | None


R = TypeVar("R", bound=Resource)
T = TypeVar("T", bound=Tagged)
Found = tuple[Sequence[Endpoint], Sequence[Endpoint]]
"""Endpoints of which lists say enough, and those that they leave open, with what they say (see `Listing.unclear`)."""


async def observed(
    endpoint_id: str, kind: str, known: Endpoint | None, reading: Awaitable[Endpoint | None]
) -> Endpoint:
    """What reading one endpoint has shown; None: ARM says 404."""
    try:
        endpoint = await reading
    except Forbidden as error:
        return replace(known or Endpoint(endpoint_id, kind), doubt=f"cannot be read: {error}")
    return endpoint or replace(known or Endpoint(endpoint_id, kind), state=State.GONE, doubt="")


async def listed(subscription: str, kind: str, reading: Awaitable[Found]) -> Listing:
    """What listing a kind has shown."""
    try:
        endpoints, unclear = await reading
    except NearzoneError as error:
        return Listing(subscription, kind, error=f"{type(error).__name__}: {error}")
    return Listing(subscription, kind, tuple(endpoints), tuple(unclear))


async def everything(
    arm: Arm, path: str, decoder: msgspec.json.Decoder[Page[R]], query: Mapping[str, str]
) -> dict[str, R]:
    """All that a list holds, by id in lower case; nothing where the subscription does not use the resource provider.

    Raises Transient, Forbidden, Terminal.
    """
    try:
        return {each.id.lower(): each async for page in arm.pages(path, decoder, query) for each in page}
    except NotRegistered:
        return {}


class Listed(ABC, Generic[T]):
    """A kind of which a subscription is listed in one go. `path`: its ARM type as ARM spells it; `api`: api-version."""

    path: ClassVar[str]
    api: ClassVar[str]
    one: msgspec.json.Decoder[T]
    many: msgspec.json.Decoder[Page[T]]

    def __init__(self, arm: Arm) -> None:
        self.arm = arm
        self.kind = self.path.lower()

    @abstractmethod
    async def assess(self, found: T, *, from_list: bool) -> Endpoint | None:
        """What a resource amounts to; None where a list says too little. Raises Transient, Forbidden, Terminal."""

    async def observe(self, endpoint_id: str, known: Endpoint | None, listed: Endpoint | None = None) -> Endpoint:
        """Read one."""
        del listed
        return await observed(endpoint_id, self.kind, known, self._read(endpoint_id))

    async def _read(self, endpoint_id: str) -> Endpoint | None:
        found = await self.arm.get(endpoint_id, self.one, **{"api-version": self.api})
        return await self.assess(found, from_list=False) if found else None

    async def listing(self, subscription: str, known: Sequence[Endpoint]) -> Listing:
        """All of a subscription that claim names, or did."""
        return await listed(
            subscription, self.kind, self._list(subscription, {each.key for each in known if each.names})
        )

    async def _list(self, subscription: str, known: set[str]) -> Found:
        wanted = [each for key, each in (await self._all(subscription)).items() if claims(each.tags) or key in known]
        endpoints = await asyncio.gather(*(self.assess(each, from_list=True) for each in wanted))
        unclear = [self._claimed(each) for each, endpoint in zip(wanted, endpoints, strict=True) if endpoint is None]
        return [endpoint for endpoint in endpoints if endpoint], unclear

    def _claimed(self, found: T) -> Endpoint:
        """What a list says of every resource: its names."""
        tagged, own, faults = names(found.tags, found.id.rsplit("/", 1)[-1])
        return Endpoint(found.id, self.kind, tagged=tagged, own=own, faults=faults)

    async def several(self, subscription: str, wanted: Mapping[str, Endpoint | None]) -> Sequence[Endpoint]:
        """Those of the wanted ones (by id in lower case) of which a list says enough. Raises Transient, Terminal."""
        found = [each for key, each in (await self._all(subscription)).items() if key in wanted]
        endpoints = await asyncio.gather(*(self.assess(each, from_list=True) for each in found))
        return [endpoint for endpoint in endpoints if endpoint]

    async def _all(self, subscription: str) -> dict[str, T]:
        path = f"/subscriptions/{subscription}/providers/{self.path}"
        return await everything(self.arm, path, self.many, {"api-version": self.api})
