"""What the tags of a resource say: whether it has opted in, which names it claims, and whether it is drained."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from shared.config.settings import LABEL, lower_ascii
from shared.domain.endpoints import own_name_fault

TAG = "nearzone"
ALL_PARTS = "*"
"""`chat@*`: all parts of an endpoint."""
DRAIN_TAG = "nearzone-drain"
DRAINED = ("true", "yes", "on", "1")
NOT_DRAINED = ("false", "no", "off", "0", "")
"""Accepted values of the drain tag, in any case."""

Tags = Mapping[str, Any] | None
"""Tag names to values: text by ARM's specification, but a malformed response may have any value."""

_PART = re.compile(r"[^\s@]+")
_WHOLE = frozenset(("", ALL_PARTS))
"""What follows the `@` of a claim that names no part."""


class Names(NamedTuple):
    """Names claimed by tag, the resource's own name if it opted in, and the unusable parts of its tags, as text."""

    tagged: tuple[str, ...] = ()
    own: str | None = None
    faults: tuple[str, ...] = ()


Wanted = tuple[tuple[str, tuple[str, ...]], ...]
"""Names that the tag claims with a part, and the parts in lower case: "" for the name without a part."""


def tag(tags: Tags, name: str) -> str | None:
    """Return a tag's value as text, None if there is none; tag names are not case-sensitive in Azure.

    A tag with the value null counts as absent.
    """
    for key, value in (tags or {}).items():
        if key.lower() == name and value is not None:
            return value if isinstance(value, str) else str(value)
    return None


def claims(tags: Tags) -> bool:
    """Return whether a resource has opted in."""
    return tag(tags, TAG) is not None


def drained(tags: Tags) -> bool:
    """Return whether a resource's tag drains it.

    If the value means neither yes nor no, it is not drained and has a fault.
    """
    return _drain_value(tags) in DRAINED


def names(tags: Tags, own: str) -> Names:
    """Return the names that a resource of a kind without parts claims; `own`: its own name.

    A claim that names a part is refused: the tag restricts what is published, and this endpoint cannot comply. This
    also holds for its own name.
    """
    found, wanted = names_and_parts(tags, own)
    faults = [
        f"tag {TAG}: {f'{name}@{part}'[:80]!r}: an endpoint of this kind has no parts to choose from: write {name!r}"
        for name, parts in wanted
        for part in parts
        if part not in _WHOLE
    ]
    if not faults:
        return found
    refused = {name for name, parts in wanted if _WHOLE.isdisjoint(parts)}
    tagged = tuple(name for name in found.tagged if name not in refused)
    own_name = None if found.own in refused else found.own
    return found._replace(tagged=tagged, own=own_name, faults=(*found.faults, *faults))


def names_and_parts(tags: Tags, own: str) -> tuple[Names, Wanted]:
    """Return the names that a resource claims, and those with a part (`parts.py` finds the addresses)."""
    text = tag(tags, TAG)
    if text is None:
        return Names(), ()
    (found, wanted), faults = _parse_names(text, lower_ascii(own)), drain_faults(tags)
    return (found._replace(faults=(*found.faults, *faults)) if faults else found), wanted


def drain_faults(tags: Tags) -> tuple[str, ...]:
    """Return what is wrong with the value of the drain tag, as text; at most one fault."""
    drain = _drain_value(tags)
    if drain in DRAINED or drain in NOT_DRAINED:
        return ()
    words = ", ".join(DRAINED), ", ".join(filter(None, NOT_DRAINED))
    return (f"tag {DRAIN_TAG}: {drain[:80]!r} says neither yes ({words[0]}) nor no ({words[1]}), so it is not drained",)


def _drain_value(tags: Tags) -> str:
    return (tag(tags, DRAIN_TAG) or "").strip().lower()


@lru_cache(50_000)
def _parse_names(text: str, own: str) -> tuple[Names, Wanted]:
    parts: dict[str, set[str]] = {}
    faults, refused = [], set()
    for item in filter(None, map(str.strip, text.split(","))):
        shown = lower_ascii(item)
        name, at, part = shown.partition("@")
        if item.isascii() and LABEL.fullmatch(name) and (_PART.fullmatch(part) if at else True):
            parts.setdefault(name, set()).add(part)
        else:
            faults.append(f"tag {TAG}: {shown[:80]!r} {_problem(shown)}")
            refused.add(name.strip() if at else "")
    wanted = tuple((name, tuple(sorted(chosen))) for name, chosen in sorted(parts.items()) if chosen != {""})
    if not LABEL.fullmatch(own):
        faults.append(own_name_fault(own))
    # A faulty claim restricts the own name in a way that is not known, so without another claim it is not published.
    is_claimed = LABEL.fullmatch(own) and (own in parts or own not in refused)
    return Names(tuple(sorted(parts)), own if is_claimed else None, tuple(faults)), wanted


def _problem(item: str) -> str:
    """Return why an item is no claim, and how to correct it. `item`: in lower case if it is ASCII."""
    if strange := next((each for each in item if not each.isascii()), ""):
        return f"is not a DNS label: its character 'U+{ord(strange):04X}' is not ASCII"
    name, at, after = item.partition("@")
    if at and (problem := _problem_of_part(name, after)):
        return problem
    return f"is not a DNS label{_suggestion(item)}"


def _problem_of_part(name: str, after: str) -> str:
    """Return what is wrong with the part that an item names, "" if it is something else. `after`: what follows `@`."""
    bare = name.strip()
    chosen = list(dict.fromkeys(each for each in map(str.strip, after.split("@")) if each))
    if not bare:
        return f"has no name before the @: write 'NAME@{chosen[0] if chosen else 'PART'}'"
    if not LABEL.fullmatch(bare) or any(re.search(r"\s", each) for each in chosen):
        return ""
    if not chosen:
        return f"does not say which part: write '{bare}', '{bare}@PART' or '{bare}@*'"
    if len(chosen) > 1:
        return f"names more than one part: write '{bare}@{chosen[0]}, {bare}@{chosen[1]}'"
    return f"has a space or an @ too many: write '{bare}@{chosen[0]}'"


def _suggestion(item: str) -> str:
    """Return how to correct an item that is not a DNS label."""
    if re.search(r"[\s;|/&+]", item):
        return ": separate names by commas"
    first, dot, _ = item.partition(".")
    return ": write the name without the zone's name" if dot and LABEL.fullmatch(first) else ""
