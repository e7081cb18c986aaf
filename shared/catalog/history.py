"""How much of the past is kept: the last changes of each name, and of each zone. Both catalogs keep the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from shared.domain.catalog_rows import WHOLE_ZONE
from shared.domain.dirty import RecordChange

NAME_KEEPS = 10
ZONE_KEEPS = 50
"""Changes of a name, and of a zone as a whole."""
MAX_HISTORY_BYTES = 30_000
"""Bytes that they may take as JSON: a text column of a table holds 32 Ki characters."""
LOG_COLUMNS = 12
"""Columns of so many bytes that a row of the log has at most: an entity holds 1 MiB, in UTF-16."""
LOG_SPAN = 60.0
"""Seconds from the first to the last entry of such a row, so that who reads knows how far back to begin."""


def split_by_name(changes: Sequence[RecordChange]) -> Iterator[tuple[str, list[RecordChange]]]:
    """The histories that changes belong to: that of each name, and that of the zone."""
    for name in {change.name: None for change in changes if change.name != WHOLE_ZONE}:
        yield name, [change for change in changes if change.name == name]
    yield WHOLE_ZONE, list(changes)


def ours(name: str, changes: Sequence[RecordChange]) -> bool:
    """Whether a history says that its record set is ours: the last change, of those kept, has not removed it."""
    return name != WHOLE_ZONE and bool(changes) and changes[0].kind != "delete"


def append_bounded(name: str, changes: Sequence[RecordChange], old: Sequence[RecordChange]) -> tuple[RecordChange, ...]:
    """A history, newest first, with these changes."""
    most, room, kept = ZONE_KEEPS if name == WHOLE_ZONE else NAME_KEEPS, MAX_HISTORY_BYTES, []
    for change in sorted((*changes, *old), key=lambda change: -change.at)[:most]:
        room -= len(msgspec.json.encode(change)) + 1
        if room < 0:
            break
        kept.append(change)
    return tuple(kept)


def batches(changes: Sequence[RecordChange]) -> Iterator[list[list[RecordChange]]]:
    """Changes, oldest first, as rows of the log: each a list of columns that have room for their entries."""
    row: list[list[RecordChange]] = []
    room, begun = 0, 0.0
    for change in sorted(changes, key=lambda change: change.at):
        size = len(msgspec.json.encode(change)) + 1
        full = size > room and len(row) == LOG_COLUMNS
        if row and (full or change.at - begun > LOG_SPAN):
            yield row
            row = []
        if not row:
            room, begun = 0, change.at
        if size > room:
            row.append([])
            room = MAX_HISTORY_BYTES
        row[-1].append(change)
        room -= size
    if row:
        yield row
