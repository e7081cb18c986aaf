"""How much of the past is kept: the last changes of each name, and of each zone. Both catalogs keep the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from shared.model import Past
from shared.ports import EVERY_NAME

NAME_KEEPS = 10
ZONE_KEEPS = 50
"""Changes of a name, and of a zone as a whole."""
ROOM = 30_000
"""Bytes that they may take as JSON: a text column of a table holds 32 Ki characters."""


def parts(changes: Sequence[Past]) -> Iterator[tuple[str, list[Past]]]:
    """The histories that changes belong to: that of each name, and that of the zone."""
    for name in {change.name: None for change in changes}:
        yield name, [change for change in changes if change.name == name]
    yield EVERY_NAME, list(changes)


def ours(name: str, changes: Sequence[Past]) -> bool:
    """Whether a history says that its record set is ours: the last change, of those kept, has not removed it."""
    return name != EVERY_NAME and bool(changes) and changes[0].kind != "delete"


def added(name: str, changes: Sequence[Past], old: Sequence[Past]) -> tuple[Past, ...]:
    """A history, newest first, with these changes."""
    most, room, kept = ZONE_KEEPS if name == EVERY_NAME else NAME_KEEPS, ROOM, []
    for change in sorted((*changes, *old), key=lambda change: -change.at)[:most]:
        room -= len(msgspec.json.encode(change)) + 1
        if room < 0:
            break
        kept.append(change)
    return tuple(kept)
