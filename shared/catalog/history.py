"""How much of the past is kept: the last changes of each name, and of each zone. Both catalogs use the same limits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from shared.domain.catalog_rows import WHOLE_ZONE
from shared.domain.dirty import RecordChange

MAX_NAME_CHANGES = 10
MAX_ZONE_CHANGES = 50
"""Changes of a name, and of a zone as a whole."""
MAX_HISTORY_BYTES = 30_000
"""Bytes of JSON for one history: a text column of a table holds 32 Ki characters."""
LOG_COLUMNS = 12
"""Columns of that size in a log row, at most: an entity holds 1 MiB, in UTF-16."""
LOG_SPAN = 60.0
"""Seconds from the first to the last entry of a log row, at most: a reader begins this much earlier."""


def split_by_name(changes: Sequence[RecordChange]) -> Iterator[tuple[str, list[RecordChange]]]:
    """Assign changes to histories: one for each name, and one for the zone."""
    for name in {change.name: None for change in changes if change.name != WHOLE_ZONE}:
        yield name, [change for change in changes if change.name == name]
    yield WHOLE_ZONE, list(changes)


def is_ours(name: str, changes: Sequence[RecordChange]) -> bool:
    """Return whether the record set is ours by its history: the last change has not removed it."""
    return name != WHOLE_ZONE and bool(changes) and changes[0].kind != "delete"


def append_bounded(name: str, changes: Sequence[RecordChange], old: Sequence[RecordChange]) -> tuple[RecordChange, ...]:
    """Return a history with these changes added, newest first, within the limits."""
    most, room, kept = MAX_ZONE_CHANGES if name == WHOLE_ZONE else MAX_NAME_CHANGES, MAX_HISTORY_BYTES, []
    for change in sorted((*changes, *old), key=lambda change: -change.at)[:most]:
        room -= len(msgspec.json.encode(change)) + 1
        if room < 0:
            break
        kept.append(change)
    return tuple(kept)


def log_batches(changes: Sequence[RecordChange]) -> Iterator[list[list[RecordChange]]]:
    """Split changes, oldest first, into log rows: each is a list of columns within the size limit."""
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
