"""The rows of the past: the last changes of each name, which names are ours, and the log of a zone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from azure.data.tables import TableEntity

from shared.catalog.codec import encode_row, history_partition, read, row_key
from shared.catalog.history import LOG_COLUMNS, LOG_SPAN, is_ours
from shared.domain.catalog_rows import WHOLE_ZONE, tick
from shared.domain.dirty import RecordChange
from shared.domain.resource_ids import digest

HISTORY = msgspec.json.Decoder(tuple[RecordChange, ...])
LOG_BODIES = tuple(f"body{number}" for number in range(LOG_COLUMNS))
"""Columns of a log row."""


def history_key(name: str) -> str:
    """Return the key of the history of a name, or of the zone (`WHOLE_ZONE`)."""
    return name if name == WHOLE_ZONE else row_key(name)


def encode_history(zone: str, name: str, changes: Sequence[RecordChange]) -> dict[str, Any]:
    """Return a history row.

    `at` and `ours` have their own columns, so that filters can find old rows and owned names.
    """
    row = encode_row(history_partition(zone), history_key(name), changes, f"the history of {name}")
    return {**row, "at": max(change.at for change in changes), "ours": int(is_ours(name, changes))}


def encode_log(zone: str, batch: Sequence[Sequence[RecordChange]]) -> dict[str, Any]:
    """Return a log row with the time of its first entry as key. The same entries always give the same row."""
    bodies = {
        column: encode_row("", "", entries, "an entry of the log")["body"]
        for column, entries in zip(LOG_BODIES, batch, strict=False)
    }
    key = f"{_log_time(batch[0][0].at)}:{digest(''.join(bodies.values()))[:16]}"
    return {"PartitionKey": f"log:{digest(zone)}", "RowKey": key, **bodies}


def log_filter(zone: str, since: float, until: float) -> str:
    """Return a filter for the log rows that may contain entries of a span (seconds since the epoch)."""
    span = f"RowKey ge '{_log_time(since - LOG_SPAN)}' and RowKey lt '{_log_time(until)}'"
    return f"PartitionKey eq 'log:{digest(zone)}' and {span}"


def old_log_filter(before: float) -> str:
    """Return a filter for the log rows of all zones whose first entry is older than `before`."""
    return f"PartitionKey ge 'log:' and PartitionKey lt 'log;' and RowKey lt '{_log_time(before)}'"


def read_log(row: TableEntity) -> list[RecordChange]:
    """Decode the entries of a log row. Raises UnreadableRow."""
    return [past for column in LOG_BODIES if row.get(column) for past in read(row, HISTORY, column).value]


def log_row_start(row: TableEntity) -> float:
    """Return the time of the first entry of a log row, in seconds since the epoch."""
    return int(row["RowKey"].split(":")[0]) / 1000


def _log_time(at: float) -> str:
    return f"{max(0, tick(at)):015d}"


def encode_ownership(zone: str, name: str, *, as_ours: bool) -> dict[str, Any]:
    """Return the columns of a history row that say whether the record set is ours.

    It is 1 or 0, because filters compare numbers.
    """
    return {"PartitionKey": history_partition(zone), "RowKey": history_key(name), "ours": int(as_ours)}


def owned_filter(zone: str) -> str:
    """Return a filter for the names of a zone whose record sets are ours."""
    return f"PartitionKey eq '{history_partition(zone)}' and ours eq 1"


def old_history_filter(before: float) -> str:
    """Return a filter for the history rows of all zones without a change since `before`: `;` sorts after `:`."""
    return f"PartitionKey ge 'history:' and PartitionKey lt 'history;' and at lt {before!r}"
