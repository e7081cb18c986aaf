"""ARM's answers as values: strictly where that works, and otherwise resource by resource.

A list holds resources of other people, and what one of them looks like must not decide whether the others are read. So
where an answer is not what its specification says, each resource in it is read on its own: null is taken for absence,
and what is still of a wrong type is `Unreadable`, with what can be told of it.
"""

from __future__ import annotations

from typing import Generic, TypeVar, get_args

import msgspec

from shared.azure.tags import Tags
from shared.domain.errors import Terminal

T = TypeVar("T")


class Page(msgspec.Struct, Generic[T], rename="camel"):
    """One page of a list."""

    value: list[T] = []
    next_link: str | None = None


class Unreadable(Terminal):
    """A resource, or a whole answer, is not what ARM's specification says.

    `id`: the resource's, or "". `tags`: its tags, empty where it has none, None where they cannot be told.
    """

    def __init__(self, why: str, found: object = None) -> None:
        super().__init__(f"ARM's answer is not what its specification says: {why[:200]}")
        self.id, self.tags = "", self._told(found)
        if isinstance(found, dict) and isinstance(found.get("id"), str):
            self.id = found["id"]

    @staticmethod
    def _told(found: object) -> Tags:
        tags = found.get("tags", {}) if isinstance(found, dict) else ()
        return {} if tags is None else tags if isinstance(tags, dict) else None


_raw = msgspec.json.Decoder(Page[msgspec.Raw])


def resource(content: bytes | msgspec.Raw, decoder: msgspec.json.Decoder[T]) -> T:
    """One resource. Raises Unreadable."""
    try:
        return decoder.decode(content)
    except (msgspec.DecodeError, RecursionError):
        return _without_nulls(content, decoder.type)


def page(content: bytes, decoder: msgspec.json.Decoder[Page[T]]) -> tuple[Page[T], list[Unreadable]]:
    """What can be read of a page, and what cannot. Raises Unreadable where it is no page."""
    try:
        return decoder.decode(content), []
    except (msgspec.DecodeError, RecursionError):
        return _one_by_one(content, msgspec.json.Decoder(get_args(decoder.type)[0]))


def _one_by_one(content: bytes, decoder: msgspec.json.Decoder[T]) -> tuple[Page[T], list[Unreadable]]:
    try:
        found = _raw.decode(content)
    except (msgspec.DecodeError, RecursionError) as error:
        raise Unreadable(str(error)) from error
    items: list[T] = []
    unreadable: list[Unreadable] = []
    for each in found.value:
        try:
            items.append(resource(each, decoder))
        except Unreadable as error:
            unreadable.append(error)
    return Page(items, found.next_link), unreadable


def _without_nulls(content: bytes | msgspec.Raw, wanted: type[T]) -> T:
    found: object = None
    try:
        found = msgspec.json.decode(content)
        return msgspec.convert(_stripped(found), wanted)
    except (msgspec.DecodeError, RecursionError) as error:
        raise Unreadable(str(error), found) from error


def _stripped(value: object) -> object:
    """The same without members that are null; an item of a list that is null is no absence of anything."""
    if isinstance(value, dict):
        return {name: _stripped(each) for name, each in value.items() if each is not None}
    if isinstance(value, list):
        return [_stripped(each) for each in value]
    return value
