"""Azure resource ids: how they are parsed and compared."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection
from dataclasses import dataclass

_SEGMENT = r"(?!\.{1,2}(?:/|$))(?:[\w.()-](?<![\u0130\u03f4\u2126\u212a\u212b])){1,260}"
"""Groups may have letters of any alphabet. Left out are those that `lower()` makes equal to another letter, such as the
Kelvin sign to a k: an id with one would be taken for the id of another resource, and that one's 404 for its end."""
_RESOURCE_ID = re.compile(
    rf"(?P<id>(?ai:/subscriptions)/(?P<subscription>(?a:[\w-]{{1,64}}))(?ai:/resourceGroups)/{_SEGMENT}"
    rf"(?ai:/providers)/(?P<type>(?a:[\w.-]{{1,260}}/\w{{1,260}}))/{_SEGMENT})(?P<rest>/.*)?",
    re.DOTALL,
)
_CHILD = re.compile(rf"/(?P<type>(?a:\w{{1,260}}))/{_SEGMENT}(?=/|$)")


@dataclass(frozen=True, slots=True)
class ResourceId:
    """The id of an ARM resource. `subscription` and `type` in lower case; `whole`: nothing came behind it."""

    id: str
    subscription: str
    type: str
    whole: bool


def resource_id(text: str, types: Collection[str] = ()) -> ResourceId | None:
    """Read the id of a top-level resource, or the top-level part of a longer one; None where the text is none.

    `types` (in lower case): the longest part counts that is of one of these types, so that a sub-resource may be meant.
    Segments hold only what Azure allows in names, so that an id from an event is safe in a URL.
    """
    match = _RESOURCE_ID.fullmatch(text)
    if not match:
        return None
    kind, end = match["type"].lower(), match.end("id")
    found = (kind, end)
    while (child := _CHILD.match(text, end)) and child["type"].lower() != "providers":
        kind, end = f"{kind}/{child['type'].lower()}", child.end()
        if kind in types:
            found = (kind, end)
    return ResourceId(text[: found[1]], match["subscription"].lower(), found[0], found[1] == len(text))


def digest(text: str) -> str:
    """An id as a key of the catalog."""
    return hashlib.sha256(text.encode()).hexdigest()
