"""Names of Azure regions: which words are taken for one, and which known name was probably meant.

Known are the regions of the table of round-trip times, and those to which NEARZONE_LATENCY gives a distance.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from difflib import get_close_matches

_NAME = re.compile(r"[a-z][a-z0-9]*")
NEAR = 0.75
"""Similarity (`difflib`, 0 to 1) from which on a name is suggested: `eastu` to `eastus` is 0.91."""


def is_name(name: str) -> bool:
    """Whether a region could have this name, known or not; `name` as `settings.region_name` gives it."""
    return bool(_NAME.fullmatch(name))


def suggestion(word: str, known: Iterable[str], near: float = NEAR) -> str:
    """`; did you mean NAME?` with the known name that is most similar, "" where none is `near` enough."""
    found = get_close_matches(word, sorted(known), 1, near)
    return f"; did you mean {found[0]}?" if found else ""


def introduced(pairs: Collection[tuple[str, str]], table: Collection[str]) -> frozenset[str]:
    """The regions that pairs of NEARZONE_LATENCY add to those of the table: all that are no misspelling of a known one.

    A pair of a region with itself says that its name is meant, however near it is to another.
    """
    named = {region for pair in pairs for region in pair} - set(table)
    declared = {client for client, endpoint in pairs if client == endpoint}
    known = {*table, *declared}
    return frozenset(name for name in named if name in declared or not any(_misspelt(name, each) for each in known))


def _misspelt(name: str, known: str) -> bool:
    """Whether one letter was left out, added or mistyped, or two were swapped: most typing errors are of these kinds.

    A difference in the number at the end is none: new regions are called so (`westus2`, `westus3`).
    """
    if abs(len(name) - len(known)) > 1:
        return False
    while name and known and name[0] == known[0]:
        name, known = name[1:], known[1:]
    while name and known and name[-1] == known[-1]:
        name, known = name[:-1], known[:-1]
    swapped = len(name) == 2 and name == known[::-1]
    return (swapped or max(len(name), len(known)) <= 1) and not (name + known).isdigit()
