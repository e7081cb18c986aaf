"""Decodes the responses of ARM: strictly if possible, otherwise resource by resource.

A list contains resources of other owners, and the form of one resource must not prevent the others from being read. If
a response does not match its specification, each resource in it is decoded separately: null counts as absent, and a
value that still has the wrong type makes the resource `Unreadable`, with its id and tags as far as they are readable.
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
    """A resource, or a whole response, does not match ARM's specification.

    `id`: the id of the resource, or "". `tags`: its tags, empty if it has none, None if they cannot be read.
    """

    def __init__(self, why: str, found: object = None) -> None:
        super().__init__(f"ARM's answer does not match its specification: {why[:200]}")
        self.id, self.tags = "", self._tags_of(found)
        if isinstance(found, dict) and isinstance(found.get("id"), str):
            self.id = found["id"]

    @staticmethod
    def _tags_of(found: object) -> Tags:
        tags = found.get("tags", {}) if isinstance(found, dict) else ()
        return {} if tags is None else tags if isinstance(tags, dict) else None


_raw = msgspec.json.Decoder(Page[msgspec.Raw])


def resource(content: bytes | msgspec.Raw, decoder: msgspec.json.Decoder[T]) -> T:
    """Decode one resource. Raises Unreadable."""
    try:
        return decoder.decode(content)
    except (msgspec.DecodeError, RecursionError):
        return _without_nulls(content, decoder.type)


def page(content: bytes, decoder: msgspec.json.Decoder[Page[T]]) -> tuple[Page[T], list[Unreadable]]:
    """Decode a page: the readable resources, and the unreadable ones.

    Raises Unreadable if the response is not a page.
    """
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
    """Return the value without members that are null. Items of a list that are null stay."""
    if isinstance(value, dict):
        return {name: _stripped(each) for name, each in value.items() if each is not None}
    if isinstance(value, list):
        return [_stripped(each) for each in value]
    return value
