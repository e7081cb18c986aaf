"""What a resource's tags say: whether it has opted in, which names it claims, and whether it is drained."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from shared.settings import LABEL

TAG = "nearzone"
DRAIN_TAG = "nearzone-drain"

Tags = Mapping[str, Any] | None
"""Names to values: text, as ARM's specification says, but a tag of somebody else may hold anything."""


class Names(NamedTuple):
    """Names claimed by tag, the resource's own where it has opted in, and what is no DNS label among them, in words."""

    tagged: tuple[str, ...] = ()
    own: str | None = None
    faults: tuple[str, ...] = ()


def tag(tags: Tags, name: str) -> str | None:
    """A tag's value as text, None where there is none; tag names are not case-sensitive in Azure.

    null is no value, here as everywhere: such a tag is as good as not there.
    """
    for key, value in (tags or {}).items():
        if key.lower() == name and value is not None:
            return value if isinstance(value, str) else str(value)
    return None


def claims(tags: Tags) -> bool:
    """Whether a resource has opted in."""
    return tag(tags, TAG) is not None


def drained(tags: Tags) -> bool:
    """Whether somebody has tagged it to be withdrawn."""
    return (tag(tags, DRAIN_TAG) or "").strip().lower() == "true"


def names(tags: Tags, own: str) -> Names:
    """What a resource of this name claims."""
    text = tag(tags, TAG)
    return Names() if text is None else _claimed(text, own.lower())


@lru_cache(50_000)
def _claimed(text: str, own: str) -> Names:
    wanted = [item.strip().lower() for item in text.split(",") if item.strip()]
    labels = {item for item in wanted if LABEL.fullmatch(item)}
    faults = [f"tag {TAG}: {item[:80]!r} is no DNS label" for item in wanted if item not in labels]
    if LABEL.fullmatch(own):
        return Names(tuple(sorted(labels)), own, tuple(faults))
    return Names(tuple(sorted(labels)), None, (*faults, f"its own name {own!r} is no DNS label and is not claimed"))
