"""The protocol of an endpoint kind, and the common parts: how responses of ARM become observations and lists.

Most kinds are a `ListableKind`: their module states the ARM type, the fields to read, and how they make an endpoint.
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
from shared.azure.tags import Tags, claims, names_and_parts
from shared.domain.endpoints import Address, Endpoint, Listing, State
from shared.domain.errors import Forbidden, NearzoneError, Terminal
from shared.domain.resource_ids import resource_id


class Kind(Protocol):
    """A kind of endpoint. `kind`: its ARM type in lower case."""

    kind: str

    async def observe(self, endpoint_id: str, previous: Endpoint | None, listed: Endpoint | None = None) -> Endpoint:
        """Read one endpoint: 404 gives state gone, 403 the previous values with `doubt`. Raises Transient, Terminal.

        `listed`: what a list has just shown; a kind may use it instead of further reads.
        """

    async def observe_many(self, subscription: str, wanted: Mapping[str, Endpoint | None]) -> Sequence[Endpoint]:
        """Read the wanted endpoints (by id in lower case) for which lists are sufficient.

        Raises Transient, Terminal.
        """

    async def list_in(self, subscription: str, previous: Sequence[Endpoint]) -> Listing:
        """List all endpoints of a subscription; an incomplete list has `error` set instead of raising."""


class Dependency(Protocol):
    """A kind of resource that endpoints depend on. `type`: its ARM type in lower case."""

    type: str

    async def endpoints(self, resource_id: str) -> Sequence[str]:
        """Return the ids of the endpoints that depend on a resource. Raises Transient, Terminal."""


class Parent(Protocol):
    """A kind of resource that contains endpoints. `type`: its ARM type in lower case."""

    type: str

    async def members(self, parent_id: str, previous: Sequence[Endpoint]) -> ListResult | None:
        """Return its endpoints as lists show them; None if it does not exist. Raises Transient, Terminal.

        `previous`: those in the catalog.
        """


class Resource(Protocol):
    """The fields of every ARM resource."""

    id: str


class Tagged(Resource, Protocol):
    """The fields of every top-level resource."""

    tags: dict[str, Any] | None


R = TypeVar("R", bound=Resource)
T = TypeVar("T", bound=Tagged)
P = TypeVar("P")
ListResult = tuple[Sequence[Endpoint], Sequence[Endpoint]]
"""Endpoints for which lists are sufficient, and the others with what lists say of them (see `Listing.needs_get`)."""


class Items(dict[str, R]):
    """The resources of a list, by id in lower case. `unreadable`: those that do not match ARM's specification."""

    def __init__(self) -> None:
        super().__init__()
        self.unreadable: list[Unreadable] = []

    @property
    def doubt(self) -> str:
        """Why the parts of an endpoint in this list are incomplete, or ""."""
        return f"a part of it cannot be read: {self.unreadable[0]}" if self.unreadable else ""

    def needs_get(self, kind: str, previous: Collection[str]) -> list[Endpoint]:
        """Return unreadable resources that claim names, or that claimed names before (`previous`: ids in lower case).

        Resources that have not opted in are ignored.
        """
        opted = [each for each in self.unreadable if each.id and (claims(each.tags) or each.id.lower() in previous)]
        return [from_tags(each.id, kind, each.tags) for each in opted]


def from_tags(endpoint_id: str, kind: str, tags: Tags) -> Endpoint:
    """Return an endpoint with the names that its tags claim, and no state."""
    tagged, own, faults = names_and_parts(tags, endpoint_id.rsplit("/", 1)[-1])[0]
    return Endpoint(endpoint_id, kind, tagged=tagged, own=own, faults=faults)


async def as_observation(
    endpoint_id: str, kind: str, previous: Endpoint | None, reading: Awaitable[Endpoint | None]
) -> Endpoint:
    """Return the observation of one endpoint; `reading` gives None for a 404.

    If access is denied, or the response cannot be decoded, the result has the previous values and `doubt`. Raises
    Transient, Terminal.
    """
    try:
        endpoint = await reading
    except Forbidden as error:
        return replace(previous or Endpoint(endpoint_id, kind), doubt=f"cannot be read: {error}")
    except Unreadable as error:
        return _unreadable_endpoint(endpoint_id, kind, previous, error)
    return endpoint or replace(previous or Endpoint(endpoint_id, kind), state=State.GONE, doubt="")


def _unreadable_endpoint(endpoint_id: str, kind: str, previous: Endpoint | None, error: Unreadable) -> Endpoint:
    """Return an endpoint that cannot be read, as far as its tags say.

    Raises Unreadable if its tags cannot be read either.
    """
    alive = previous if previous and previous.state != State.GONE else Endpoint(endpoint_id, kind)
    if error.tags is not None and not claims(error.tags):
        return replace(alive, tagged=(), own=None, doubt="", faults=())
    doubt = f"cannot be read: {error}"
    if alive.is_relevant:
        return replace(alive, doubt=doubt)
    if error.tags is None:
        raise error
    top = resource_id(endpoint_id)  # An instance claims its scale set's name.
    tagged, own, faults = names_and_parts(error.tags, (top.id if top else endpoint_id).rsplit("/", 1)[-1])[0]
    return replace(alive, tagged=tagged, own=own, faults=faults, doubt=doubt)


async def read_part(reading: Awaitable[P]) -> tuple[P | None, str]:
    """Return a part of an endpoint, such as its NIC, and why it cannot be read, or "". Raises Transient, Terminal."""
    try:
        return await reading, ""
    except (Forbidden, Unreadable) as error:
        return None, f"a part of it cannot be read: {error}"


def merge_previous(found: Endpoint, previous: Endpoint | None) -> Endpoint:
    """Combine an observation with the previous one.

    An endpoint that does not serve and shows no address keeps its last ones: they explain why a record set loses them.
    Azure takes away the address of a container group that has ended. In doubt, all previous values stay unless the
    observation contradicts them. The state `WARMING` counts as no information here. Information such as a drain tag or
    a rejection counts.
    """
    if previous is None or previous.state in (State.GONE, State.UNKNOWN) or not previous.is_relevant:
        return found
    if not found.doubt:
        lost = found.state != State.SERVING and not found.addresses
        return replace(found, addresses=previous.addresses, selected=previous.selected) if lost else found
    if found.state == State.WARMING:
        found = replace(found, state=previous.state, not_serving=previous.not_serving)
    merged = replace(previous, state=found.state, not_serving=found.not_serving, doubt=found.doubt)
    if not found.addresses:
        return merged
    return replace(merged, addresses=found.addresses, selected=_merged_selection(found, previous))


def _merged_selection(found: Endpoint, previous: Endpoint) -> tuple[tuple[str, tuple[Address, ...]], ...]:
    """Return what is selected for the previous names: as found, unless a read without doubt has to say it first.

    That is so for a name that the observation does not claim any more, and for parts that it does not show.
    """
    new, old = dict(found.selected), dict(previous.selected)
    lacking = {name for name in previous.names if name not in found.names or (name in new and not new[name])}
    chosen = {name: (old if name in lacking else new).get(name) for name in sorted(previous.names)}
    return tuple((name, addresses) for name, addresses in chosen.items() if addresses is not None)


async def as_listing(subscription: str, kind: str, reading: Awaitable[ListResult]) -> Listing:
    """Return the result of listing a kind; an error makes the list incomplete."""
    try:
        endpoints, needs_get = await reading
    except NearzoneError as error:
        return Listing(subscription, kind, error=f"{type(error).__name__}: {error}")
    return Listing(subscription, kind, tuple(endpoints), tuple(needs_get))


async def list_all(arm: Arm, path: str, decoder: msgspec.json.Decoder[Page[R]], query: Mapping[str, str]) -> Items[R]:
    """Return all resources of a list, by id in lower case; none if the subscription has not registered the provider.

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
    """A kind that one request lists for a subscription.

    `path`: its ARM type as ARM spells it; `api`: the API version.
    """

    path: ClassVar[str]
    api: ClassVar[str]
    one: msgspec.json.Decoder[T]
    many: msgspec.json.Decoder[Page[T]]

    def __init__(self, arm: Arm) -> None:
        self.arm = arm
        self.kind = self.path.lower()

    @abstractmethod
    async def to_endpoint(self, found: T, *, from_list: bool) -> Endpoint | None:
        """Return a resource as an endpoint; None if a list is not sufficient. Raises Transient, Forbidden, Terminal.

        An endpoint with incomplete information, which keeps its previous values, has `doubt` set.
        """

    async def observe(self, endpoint_id: str, previous: Endpoint | None, listed: Endpoint | None = None) -> Endpoint:
        """Read one endpoint."""
        del listed
        return await as_observation(endpoint_id, self.kind, previous, self._read(endpoint_id, previous))

    async def _read(self, endpoint_id: str, previous: Endpoint | None) -> Endpoint | None:
        found = await self.arm.get(endpoint_id, self.one, **{"api-version": self.api})
        endpoint = await self.to_endpoint(found, from_list=False) if found else None
        return merge_previous(endpoint, previous) if endpoint else None

    async def list_in(self, subscription: str, previous: Sequence[Endpoint]) -> Listing:
        """List all endpoints of a subscription that claim names, or claimed names before."""
        return await as_listing(
            subscription, self.kind, self._list(subscription, {each.key: each for each in previous if each.names})
        )

    async def _list(self, subscription: str, previous: Mapping[str, Endpoint]) -> ListResult:
        there = await self._all(subscription)
        wanted = {key: each for key, each in there.items() if claims(each.tags) or key in previous}
        endpoints = await self._to_endpoints(wanted.values(), previous)
        clear = {endpoint.key for endpoint in endpoints}
        left = [from_tags(each.id, self.kind, each.tags) for key, each in wanted.items() if key not in clear]
        return endpoints, [*there.needs_get(self.kind, previous), *left]

    async def observe_many(self, subscription: str, wanted: Mapping[str, Endpoint | None]) -> Sequence[Endpoint]:
        """Read the wanted endpoints (by id in lower case) for which a list is sufficient.

        Raises Transient, Terminal.
        """
        found = [each for key, each in (await self._all(subscription)).items() if key in wanted]
        return await self._to_endpoints(found, wanted)

    async def _to_endpoints(self, found: Collection[T], previous: Mapping[str, Endpoint | None]) -> list[Endpoint]:
        """Return the endpoints for which a list, and the further reads of the kind, are sufficient."""

        async def one(each: T) -> Endpoint | None:
            try:
                endpoint = await self.to_endpoint(each, from_list=True)
            except Terminal:  # Its own GET reports the problem; the other endpoints continue.
                return None
            return merge_previous(endpoint, previous.get(each.id.lower())) if endpoint else None

        return [endpoint for endpoint in await asyncio.gather(*map(one, found)) if endpoint]

    async def _all(self, subscription: str) -> Items[T]:
        path = f"/subscriptions/{subscription}/providers/{self.path}"
        return await list_all(self.arm, path, self.many, {"api-version": self.api})
