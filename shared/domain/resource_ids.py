"""Azure resource ids: how they are parsed and compared."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection
from dataclasses import dataclass

_SEGMENT = r"(?!\.{1,2}(?:/|$))(?:[\w.()-](?<![\u0130\u03f4\u2126\u212a\u212b])){1,260}"
"""Names of resource groups may have letters of any alphabet. Letters that `lower()` maps to another letter are left
out, such as the Kelvin sign, which becomes a k. An id with one would match the id of another resource, and its 404
would count as the deletion of that resource."""
_RESOURCE_ID = re.compile(
    rf"(?P<id>(?ai:/subscriptions)/(?P<subscription>(?a:[\w-]{{1,64}}))(?ai:/resourceGroups)/{_SEGMENT}"
    rf"(?ai:/providers)/(?P<type>(?a:[\w.-]{{1,260}}/\w{{1,260}}))/{_SEGMENT})(?P<rest>/.*)?",
    re.DOTALL,
)
_CHILD = re.compile(rf"/(?P<type>(?a:\w{{1,260}}))/{_SEGMENT}(?=/|$)")


@dataclass(frozen=True, slots=True)
class ResourceId:
    """The id of an ARM resource. `subscription`, `type`: in lower case. `whole`: the text had nothing after the id."""

    id: str
    subscription: str
    type: str
    whole: bool


def resource_id(text: str, types: Collection[str] = ()) -> ResourceId | None:
    """Parse the id of a top-level resource, or the top-level part of a longer id; None if the text is not an id.

    `types` (in lower case): the longest prefix whose type is one of these is returned, so that an id may name a
    sub-resource. Segments accept only the characters that Azure allows in names, so that an id from an event is safe in
    a URL.
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
    """Return the SHA-256 of an id in hex, as a key of the catalog."""
    return hashlib.sha256(text.encode()).hexdigest()
