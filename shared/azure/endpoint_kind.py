"""What a kind of endpoint has to know, and what kinds have in common: how an answer of ARM is taken.

Most kinds are a `Listed`: their file says where ARM has them, which fields are read, and what these amount to.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import msgspec

from shared.azure.answers import Page, Unreadable
from shared.azure.client import Arm, ProviderNotRegistered
from shared.azure.tags import Tags, claims, names
from shared.domain.endpoints import Endpoint, Listing, State
from shared.domain.errors import Forbidden, NearzoneError, Terminal
from shared.domain.resource_ids import resource_id


class Kind(Protocol):
    """A kind of endpoint. `kind`: its ARM type in lower case."""

    kind: str

    async def observe(self, endpoint_id: str, known: Endpoint | None, listed: Endpoint | None = None) -> Endpoint:
        """Read one: 404 gives state gone, 403 what was known with `doubt` set. Raises Transient, Terminal.

        `listed`: what a list has just shown; a kind may use it for what it would have to read besides.
        """

    async def observe_many(self, subscription: str, wanted: Mapping[str, Endpoint | None]) -> Sequence[Endpoint]:
        """Read those of the wanted ones (by id in lower case) of which lists say enough. Raises Transient, Terminal."""

    async def list_in(self, subscription: str, known: Sequence[Endpoint]) -> Listing:
        """Read all of a subscription; an incomplete list says so instead of raising."""


class Dependency(Protocol):
    """A kind of resource that endpoints depend on. `type`: its ARM type in lower case."""

    type: str

    async def endpoints(self, resource_id: str) -> Sequence[str]:
        """The ids of the endpoints that depend on a resource. Raises Transient, Terminal."""


class Parent(Protocol):
    """A kind of resource that endpoints are parts of. `type`: its ARM type in lower case."""

    type: str

    async def members(self, parent_id: str, known: Sequence[Endpoint]) -> ListResult:
        """Its endpoints as lists show them. `known`: those that the catalog has. Raises Transient, Terminal."""


class Resource(Protocol):
    """What every ARM resource has."""

    id: str


class Tagged(Resource, Protocol):
    """What every top-level resource has."""

    tags: dict[str, Any] | None


R = TypeVar("R", bound=Resource)
T = TypeVar("T", bound=Tagged)
P = TypeVar("P")
ListResult = tuple[Sequence[Endpoint], Sequence[Endpoint]]
"""Endpoints of which lists say enough, and those that they leave open, with what they say (see `Listing.unclear`)."""


class Items(dict[str, R]):
    """What a list holds, by id in lower case. `unreadable`: what of it is not as ARM's specification says."""

    def __init__(self) -> None:
        super().__init__()
        self.unreadable: list[Unreadable] = []

    @property
    def doubt(self) -> str:
        """Why these, the parts of an endpoint, do not say everything, or ""."""
        return f"a part of it cannot be read: {self.unreadable[0]}" if self.unreadable else ""

    def unclear(self, kind: str, known: Collection[str]) -> list[Endpoint]:
        """What cannot be read, and claims names or is known (by id in lower case) to have claimed some.

        What has not opted in does not matter, whatever it looks like.
        """
        opted = [each for each in self.unreadable if each.id and (claims(each.tags) or each.id.lower() in known)]
        return [claimed(each.id, kind, each.tags) for each in opted]


def claimed(endpoint_id: str, kind: str, tags: Tags) -> Endpoint:
    """What a list says of a resource that it leaves open: its names."""
    tagged, own, faults = names(tags, endpoint_id.rsplit("/", 1)[-1])
    return Endpoint(endpoint_id, kind, tagged=tagged, own=own, faults=faults)


async def as_observation(
    endpoint_id: str, kind: str, known: Endpoint | None, reading: Awaitable[Endpoint | None]
) -> Endpoint:
    """What reading one endpoint has shown; None: ARM says 404.

    One that may not be read, or whose answer cannot be understood, is what was known of it, in doubt. Raises Transient,
    Terminal.
    """
    try:
        endpoint = await reading
    except Forbidden as error:
        return replace(known or Endpoint(endpoint_id, kind), doubt=f"cannot be read: {error}")
    except Unreadable as error:
        return _doubted(endpoint_id, kind, known, error)
    return endpoint or replace(known or Endpoint(endpoint_id, kind), state=State.GONE, doubt="")


def _doubted(endpoint_id: str, kind: str, known: Endpoint | None, error: Unreadable) -> Endpoint:
    """What an endpoint is that cannot be read, as far as its tags say. Raises Unreadable where these say nothing."""
    alive = known if known and known.state != State.GONE else Endpoint(endpoint_id, kind)
    if error.tags is not None and not claims(error.tags):
        return replace(alive, tagged=(), own=None, doubt="", faults=())
    doubt = f"cannot be read: {error}"
    if alive.is_relevant:
        return replace(alive, doubt=doubt)
    if error.tags is None:
        raise error
    top = resource_id(endpoint_id)  # An instance claims the name of its scale set.
    tagged, own, faults = names(error.tags, (top.id if top else endpoint_id).rsplit("/", 1)[-1])
    return replace(alive, tagged=tagged, own=own, faults=faults, doubt=doubt)


async def part(reading: Awaitable[P]) -> tuple[P | None, str]:
    """A part of an endpoint, such as its NIC, and why it cannot be read, or "". Raises Transient, Terminal."""
    try:
        return await reading, ""
    except (Forbidden, Unreadable) as error:
        return None, f"a part of it cannot be read: {error}"


def kept(found: Endpoint, known: Endpoint | None) -> Endpoint:
    """A doubtful observation beside what was known: that stays as far as nothing was seen against it.

    Warming means here that nothing was seen. What was seen, such as a drain tag or a rejection, counts.
    """
    if not found.doubt or known is None or known.state in (State.GONE, State.UNKNOWN) or not known.is_relevant:
        return found
    state = known.state if found.state == State.WARMING else found.state
    return replace(known, state=state, addresses=found.addresses or known.addresses, doubt=found.doubt)


async def as_listing(subscription: str, kind: str, reading: Awaitable[ListResult]) -> Listing:
    """What listing a kind has shown."""
    try:
        endpoints, unclear = await reading
    except NearzoneError as error:
        return Listing(subscription, kind, error=f"{type(error).__name__}: {error}")
    return Listing(subscription, kind, tuple(endpoints), tuple(unclear))


async def list_all(arm: Arm, path: str, decoder: msgspec.json.Decoder[Page[R]], query: Mapping[str, str]) -> Items[R]:
    """All that a list holds, by id in lower case; nothing where the subscription does not use the resource provider.

    Raises Transient, Forbidden, Terminal.
    """
    found: Items[R] = Items()
    try:
        async for page in arm.pages(path, decoder, query, unreadable=found.unreadable):
            found.update((each.id.lower(), each) for each in page)
    except ProviderNotRegistered:
        pass
    return found


class ListableKind(ABC, Generic[T]):
    """A kind of which a subscription is listed in one go. `path`: its ARM type as ARM spells it; `api`: api-version."""

    path: ClassVar[str]
    api: ClassVar[str]
    one: msgspec.json.Decoder[T]
    many: msgspec.json.Decoder[Page[T]]

    def __init__(self, arm: Arm) -> None:
        self.arm = arm
        self.kind = self.path.lower()

    @abstractmethod
    async def to_endpoint(self, found: T, *, from_list: bool) -> Endpoint | None:
        """What a resource amounts to; None where a list says too little. Raises Transient, Forbidden, Terminal.

        One of which ARM says too little, so that what was known of it stays, has `doubt` set.
        """

    async def observe(self, endpoint_id: str, known: Endpoint | None, listed: Endpoint | None = None) -> Endpoint:
        """Read one."""
        del listed
        return await as_observation(endpoint_id, self.kind, known, self._read(endpoint_id, known))

    async def _read(self, endpoint_id: str, known: Endpoint | None) -> Endpoint | None:
        found = await self.arm.get(endpoint_id, self.one, **{"api-version": self.api})
        endpoint = await self.to_endpoint(found, from_list=False) if found else None
        return kept(endpoint, known) if endpoint else None

    async def list_in(self, subscription: str, known: Sequence[Endpoint]) -> Listing:
        """All of a subscription that claim names, or did."""
        return await as_listing(
            subscription, self.kind, self._list(subscription, {each.key: each for each in known if each.names})
        )

    async def _list(self, subscription: str, known: Mapping[str, Endpoint]) -> ListResult:
        there = await self._all(subscription)
        wanted = {key: each for key, each in there.items() if claims(each.tags) or key in known}
        endpoints = await self._several(wanted.values(), known)
        clear = {endpoint.key for endpoint in endpoints}
        left = [claimed(each.id, self.kind, each.tags) for key, each in wanted.items() if key not in clear]
        return endpoints, [*there.unclear(self.kind, known), *left]

    async def observe_many(self, subscription: str, wanted: Mapping[str, Endpoint | None]) -> Sequence[Endpoint]:
        """Those of the wanted ones (by id in lower case) of which a list says enough. Raises Transient, Terminal."""
        found = [each for key, each in (await self._all(subscription)).items() if key in wanted]
        return await self._several(found, wanted)

    async def _several(self, found: Collection[T], known: Mapping[str, Endpoint | None]) -> list[Endpoint]:
        """Those of which a list, and what has to be read besides, say enough."""

        async def one(each: T) -> Endpoint | None:
            try:
                endpoint = await self.to_endpoint(each, from_list=True)
            except Terminal:  # Its own GET says what is wrong, or that it is gone, and the others go on.
                return None
            return kept(endpoint, known.get(each.id.lower())) if endpoint else None

        return [endpoint for endpoint in await asyncio.gather(*map(one, found)) if endpoint]

    async def _all(self, subscription: str) -> Items[T]:
        path = f"/subscriptions/{subscription}/providers/{self.path}"
        return await list_all(self.arm, path, self.many, {"api-version": self.api})
