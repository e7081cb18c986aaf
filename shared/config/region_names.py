"""Names of Azure regions: which words are accepted, and which known name was probably meant.

Known regions are those of the table of round-trip times, and those with a distance in NEARZONE_LATENCY.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from difflib import get_close_matches

_NAME = re.compile(r"[a-z][a-z0-9]*")
MIN_SIMILARITY = 0.75
"""Similarity (`difflib`, 0 to 1) at which a name is suggested: "eastu" to "eastus" is 0.91."""


def is_name(name: str) -> bool:
    """Return whether a region could have this name; `name` as `settings.region_name` returns it."""
    return bool(_NAME.fullmatch(name))


def suggestion(word: str, known: Iterable[str], near: float = MIN_SIMILARITY) -> str:
    """Return `; did you mean NAME?` with the most similar known name, "" if none is similar enough (`near`)."""
    found = get_close_matches(word, sorted(known), 1, near)
    return f"; did you mean {found[0]}?" if found else ""


def added_regions(pairs: Collection[tuple[str, str]], table: Collection[str]) -> frozenset[str]:
    """Return the regions that pairs of NEARZONE_LATENCY add to the table: all except misspellings of known ones.

    A pair of a region with itself declares that its name is intended, even if it is similar to another one.
    """
    named = {region for pair in pairs for region in pair} - set(table)
    declared = {client for client, endpoint in pairs if client == endpoint}
    known = {*table, *declared}
    return frozenset(
        name for name in named if name in declared or not any(_is_misspelling(name, each) for each in known)
    )


def _is_misspelling(name: str, known: str) -> bool:
    """Return whether one letter was omitted, added or mistyped, or two were swapped: the most frequent typing errors.

    A difference in the number at the end does not count: new regions have such names ("westus2", "westus3").
    """
    if abs(len(name) - len(known)) > 1:
        return False
    while name and known and name[0] == known[0]:
        name, known = name[1:], known[1:]
    while name and known and name[-1] == known[-1]:
        name, known = name[:-1], known[:-1]
    swapped = len(name) == 2 and name == known[::-1]
    return (swapped or max(len(name), len(known)) <= 1) and not (name + known).isdigit()
