"""Flexible scale sets: the drain tag of a set counts for its VMs, which are ordinary VMs with tags of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from shared.azure.answers import Page, Unreadable
from shared.azure.client import Arm
from shared.azure.endpoint_kind import list_all, read_part
from shared.azure.tags import Tags
from shared.domain.errors import Forbidden

SET_API = "2024-07-01"


class _SetTags(msgspec.Struct, gc=False):
    id: str
    tags: dict[str, Any] | None = None


_one = msgspec.json.Decoder(_SetTags)
_many = msgspec.json.Decoder(Page[_SetTags])


async def read_set_tags(arm: Arm, set_id: str) -> tuple[Tags, str]:
    """Return the tags of a scale set, and why they are not known, or "". Raises Transient, Terminal.

    A 404 counts as not known: the VM that names the set is there, and Resource Manager is replicated.
    """
    try:
        found = await arm.get(set_id, _one, **{"api-version": SET_API})
    except Unreadable as error:
        return error.tags, "" if error.tags is not None else f"its scale set cannot be read: {error}"
    except Forbidden as error:
        return None, f"its scale set cannot be read: {error}"
    return (found.tags, "") if found else (None, "Azure reports that its scale set does not exist")


async def list_set_tags(arm: Arm, subscription: str) -> Mapping[str, Tags]:
    """Return the tags of all scale sets of a subscription, by id in lower case. Raises Transient, Terminal.

    What cannot be read is left out; nothing is returned if access is denied.
    """
    path = f"/subscriptions/{subscription}/providers/Microsoft.Compute/virtualMachineScaleSets"
    sets, _ = await read_part(list_all(arm, path, _many, {"api-version": SET_API}))
    if sets is None:
        return {}
    known: dict[str, Tags] = {each.id.lower(): each.tags for each in sets.unreadable if each.tags is not None}
    return known | {key: each.tags for key, each in sets.items()}
