"""Management groups: the subscriptions below one, at any depth.

Source: OpenAPI of Microsoft.Management 2020-05-01, ManagementGroups_GetDescendants: groups and subscriptions in one
list, in pages; it needs `Microsoft.Management/managementGroups/descendants/read`, which Reader has at the group. Unlike
Resource Graph, the list does not leave out subscriptions that the caller may not read.
"""

from __future__ import annotations

import re

import msgspec

from shared.azure.answers import Page
from shared.azure.client import Arm

API = "2020-05-01"
_SUBSCRIPTION = re.compile(r"/subscriptions/([^/]+)", re.IGNORECASE)


class _Descendant(msgspec.Struct, gc=False):
    id: str


_descendants = msgspec.json.Decoder(Page[_Descendant])


async def subscriptions_of(arm: Arm, group: str) -> frozenset[str]:
    """Return the ids of the subscriptions below a group, in lower case. Raises Transient, Forbidden, Terminal."""
    path = f"/providers/Microsoft.Management/managementGroups/{group}/descendants"
    found = [each.id async for page in arm.pages(path, _descendants, {"api-version": API}) for each in page]
    return frozenset(match[1].lower() for each in found if (match := _SUBSCRIPTION.fullmatch(each)))
