"""Long lists of the status: the first of each in the summary, and all of them page by page. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from shared.domain.dirty import Urgency

FIRST = 20
"""Items of each list in the summary."""
FULL = 1000
"""Names and endpoints in the full answer."""

_CUT = ("dirty", "blocked", "changes", "drains", "refusals", "alarms")

Item = Mapping[str, Any]


def _urgent(item: Item, _: int) -> str:
    return f"{Urgency.of_key(item['urgency'])} {item['since'] or ''} {item['name']} {item['zone']}"


def _place(_: Item, place: int) -> str:
    return f"{place:09}"


KEYS: Mapping[str, Callable[[Item, int], str]] = {
    "dirty": _urgent,
    "blocked": lambda item, _: f"{item['name']} {item['zone']}",
    "names": lambda item, _: str(item["name"]),
    "endpoints": lambda item, _: str(item["id"]).lower(),
    "changes": _place,
    "alarms": _place,
}
"""The lists that have pages, with their sort keys: a page begins after the last key of the page before."""


def summary(told: Mapping[str, Any]) -> dict[str, Any]:
    """A status with the first items of each list, and beside each the number of all, e.g. `dirty_count`."""
    counts = {f"{name}_count": len(told[name]) for name in _CUT}
    counts["blocked_count"] = sum(zone["blocked"] for zone in told["zones"])  # Not all of them are kept.
    return {**told, **{name: told[name][:FIRST] for name in _CUT}, **counts}


def page(name: str, items: Sequence[Item], after: str, limit: int) -> dict[str, Any]:
    """One page of a list. `after`: `next` of the page before, or ""; `next` is None on the last page."""
    key = KEYS[name]
    keyed = sorted(((key(item, place), item) for place, item in enumerate(items)), key=lambda each: each[0])
    rest = [each for each in keyed if each[0] > after] if after else keyed
    shown = rest[:limit]
    more = shown[-1][0] if len(rest) > limit else None
    return {"list": name, "items": [item for _, item in shown], "count": len(items), "next": more}
