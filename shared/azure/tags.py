"""What a resource's tags say: whether it has opted in, which names it claims, and whether it is drained."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from shared.config.settings import LABEL

TAG = "nearzone"
DRAIN_TAG = "nearzone-drain"
DRAINED = ("true", "yes", "on", "1")
NOT_DRAINED = ("false", "no", "off", "0", "")
"""What the drain tag may say, in whatever case."""

Tags = Mapping[str, Any] | None
"""Names to values: text, as ARM's specification says, but a tag of somebody else may hold anything."""


class Names(NamedTuple):
    """Names claimed by tag, the resource's own where it has opted in, and what in its tags cannot be used, in words."""

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
    """Whether a resource is tagged to be withdrawn; one whose tag says neither yes nor no is not, and has a fault."""
    return _drain(tags) in DRAINED


def names(tags: Tags, own: str) -> Names:
    """What a resource of this name claims."""
    text = tag(tags, TAG)
    if text is None:
        return Names()
    found, drain = _claimed(text, own.lower()), _drain(tags)
    if drain in DRAINED or drain in NOT_DRAINED:
        return found
    words = ", ".join(DRAINED), ", ".join(filter(None, NOT_DRAINED))
    fault = f"tag {DRAIN_TAG}: {drain[:80]!r} says neither yes ({words[0]}) nor no ({words[1]}), so it is not drained"
    return found._replace(faults=(*found.faults, fault))


def _drain(tags: Tags) -> str:
    return (tag(tags, DRAIN_TAG) or "").strip().lower()


@lru_cache(50_000)
def _claimed(text: str, own: str) -> Names:
    wanted = [item.strip().lower() for item in text.split(",") if item.strip()]
    labels = {item for item in wanted if LABEL.fullmatch(item)}
    faults = [f"tag {TAG}: {item[:80]!r} is no DNS label{_advice(item)}" for item in wanted if item not in labels]
    if LABEL.fullmatch(own):
        return Names(tuple(sorted(labels)), own, tuple(faults))
    return Names(tuple(sorted(labels)), None, (*faults, f"its own name {own!r} is no DNS label and is not claimed"))


def _advice(item: str) -> str:
    """What a person may have meant by something that is no DNS label."""
    if re.search(r"[\s;|/&+]", item):
        return ": separate names by commas"
    first, dot, _ = item.partition(".")
    return ": write the name without the zone's name" if dot and LABEL.fullmatch(first) else ""
