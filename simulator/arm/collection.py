"""The resources of one type: found by id in any case, listed by scope in pages.

Knows nothing about the content of a resource; bodies belong to the providers.
"""

from __future__ import annotations

import base64
import binascii
import bisect
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, Generic, Protocol, TypeVar
from urllib.parse import quote

import msgspec

from simulator.arm.front_door import ArmError, Call, Response


class Resource(Protocol):
    """The attributes of a resource that a collection uses."""

    id: str
    location: str


R = TypeVar("R", bound=Resource)
B = TypeVar("B")


class Collection(Generic[R]):
    """Resources of one type, e.g. `Microsoft.Compute/virtualMachines`."""

    def __init__(self, resource_type: str) -> None:
        self.type = resource_type
        self._by_id: dict[str, R] = {}
        self._keys: dict[str, str] = {}
        self._order: list[str] = []
        """The keys, sorted by location and id, so that a list contains one region after the other."""

    def __iter__(self) -> Iterator[R]:
        return iter(list(self._by_id.values()))

    def __len__(self) -> int:
        return len(self._by_id)

    def add(self, resource: R) -> None:
        """Store a resource under its id, replacing one with the same id."""
        name = resource.id.lower()
        key = f"{resource.location.lower()} {name}"
        if self._keys.get(name) != key:
            self._forget(name)
            self._keys[name] = key
            bisect.insort(self._order, key)
        self._by_id[name] = resource

    def remove(self, resource: R) -> None:
        """Remove a resource; does nothing if it does not exist."""
        self._forget(resource.id.lower())

    def _forget(self, name: str) -> None:
        key = self._keys.pop(name, None)
        if key is not None:
            del self._order[bisect.bisect_left(self._order, key)]
            del self._by_id[name]

    def find(self, resource_id: str) -> R | None:
        """The resource with this id, or None."""
        return self._by_id.get(resource_id.rstrip("/").lower())

    def get_or_404(self, call: Call) -> R:
        """The resource that a call names. Raises ArmError 404 as recorded, in ARM's own form."""
        found = self.find(self.id_of(call))
        if found is None:
            raise ArmError(
                404,
                "ResourceNotFound",
                f"The Resource '{self.type}/{call.names[0]}' under resource group '{call.group}' was not found. "
                "For more details please go to https://aka.ms/ARMResourceNotFoundFix",
            )
        return found

    def id_of(self, call: Call) -> str:
        """The canonical id of the top-level resource that a call names."""
        return f"/subscriptions/{call.subscription}/resourceGroups/{call.group}/providers/{self.type}/{call.names[0]}"

    def page(
        self, call: Call, size: int, body: Callable[[R], dict[str, Any]], wanted: Callable[[R], bool] | None = None
    ) -> Response:
        """One page of a listing; the continuation token names the last returned resource, so deletions shift nothing.

        `wanted`: only the resources for which this is true.
        """
        after = _decode(call.request.query.get("$skiptoken"))
        scope = call.id[: call.id.lower().rindex("/providers/")].lower() + "/"
        below = self._below(scope, after)
        if wanted is not None:
            below = (key for key in below if wanted(self._by_id[_name(key)]))
        found = list(islice(below, size + 1))
        content: dict[str, Any] = {"value": [body(self._by_id[_name(key)]) for key in found[:size]]}
        if len(found) > size:
            content["nextLink"] = _next_link(call, found[size - 1])
        return Response(200, content)

    def _below(self, scope: str, after: str) -> Iterator[str]:
        """The keys after `after` below a scope, in listing order."""
        for at in range(bisect.bisect_right(self._order, after), len(self._order)):
            key = self._order[at]
            if _name(key).startswith(scope):
                yield key


def continued(call: Call, size: int, items: Sequence[tuple[str, Callable[[], dict[str, Any]]]]) -> Response:
    """One page of items that are in no collection, each with its sort key."""
    after = _decode(call.request.query.get("$skiptoken"))
    left = [(key, body) for key, body in items if key > after]
    content: dict[str, Any] = {"value": [body() for _, body in left[:size]]}
    if len(left) > size:
        content["nextLink"] = _next_link(call, left[size - 1][0])
    return Response(200, content)


def _name(key: str) -> str:
    """The id in lower case; a location contains no slash."""
    return key[key.index("/") :]


def _next_link(call: Call, after: str) -> str:
    kept = {name: value for name, value in call.request.query.items() if name.lower() != "$skiptoken"}
    kept["$skiptoken"] = base64.urlsafe_b64encode(after.encode()).decode().rstrip("=")
    query = "&".join(f"{quote(name, safe='$')}={quote(value, safe='')}" for name, value in kept.items())
    return f"{call.request.base}{call.id}?{query}"


def _decode(token: str | None) -> str:
    if token is None:
        return ""
    try:
        return base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise ArmError(400, "InvalidParameter", "The $skiptoken parameter is invalid.") from error


def decode(call: Call, body: type[B]) -> B:
    """The request's body with its known fields checked. Raises ArmError 400 that names the field (wording inferred)."""
    try:
        return msgspec.convert(call.json(), body)
    except msgspec.ValidationError as error:
        raise rejected(400, "InvalidRequestFormat", f"Cannot parse the request: {error}.") from error


def rejected(status: int, code: str, message: str) -> ArmError:
    """An error of the compute or network provider: wrapped, with details, and not from ARM's gateway."""
    error = ArmError(status, code, message)
    error.response = Response(status, {"error": {"details": [], "code": code, "message": message}})
    return error
