"""The rows of dirty names: whole rows, marks that extend a row without a read, and the rest of an unreadable row."""

from __future__ import annotations

from typing import Any

import msgspec
from azure.data.tables import TableEntity

from shared.catalog.codec import dirty_partition, modified_at, read, row_key
from shared.domain.catalog_rows import Versioned
from shared.domain.dirty import DirtyName, Urgency


class DirtyRow(msgspec.Struct, frozen=True, omit_defaults=True):
    """The JSON in a dirty row: a `DirtyName` without its urgency, whose numbers differ between versions."""

    name: str
    since: float = 0.0
    cleared: bool = False
    adopt: bool = False
    attempts: int = 0
    not_before: float = 0.0
    last_error: str = ""
    cause: str = ""
    regain: bool = False
    holds: tuple[str, ...] | None = None
    held_at: float = 0.0
    by: str = ""
    reason_given: str = ""


DIRTY = msgspec.json.Decoder(DirtyRow)
DIRTY_COLUMNS = (
    "body",
    "mark",
    "cleared",
    "adopt",
    "regain",
    *(f"urgency_{urgency.key}" for urgency in Urgency),
)
"""Columns of the dirty rows. Few are filled: each costs the SDK 5 us, and the zone worker reads all rows repeatedly."""


def encode_dirty(value: DirtyName) -> dict[str, Any]:
    """Return a whole dirty row."""
    facts = DirtyRow(
        value.name,
        value.since,
        value.cleared,
        value.adopt,
        value.attempts,
        value.not_before,
        value.last_error,
        value.cause,
        value.regain,
        value.holds,
        value.held_at,
        value.by,
        value.reason_given,
    )
    return {**_dirty_keys(value), "zone": value.zone, "body": msgspec.json.encode(facts).decode()}


def encode_mark(value: DirtyName) -> dict[str, Any]:
    """Return the columns that a mark merges into a dirty row without a read.

    A mark never removes what the row contains. The time of a mark counts only if the row was removed in between, so
    that it is the only one; its cause always counts.
    """
    facts_said = (("cleared", value.cleared), ("adopt", value.adopt), ("regain", value.regain))
    said = {column: True for column, fact in facts_said if fact}
    facts = DirtyRow(
        value.name,
        value.since,
        cause=value.cause,
        holds=value.holds,
        held_at=value.held_at,
        by=value.by,
        reason_given=value.reason_given,
    )
    return {**_dirty_keys(value), **said, "mark": msgspec.json.encode(facts).decode()}


def read_dirty(zone: str, row: TableEntity) -> Versioned[DirtyName]:
    """Decode a dirty row with all marks merged. Raises UnreadableRow."""
    stored = read(row, DIRTY, "body" if row.get("body") else "mark")
    facts = stored.value
    marked = read(row, DIRTY, "mark").value if row.get("mark") else facts
    said = [urgency for urgency in Urgency if row.get(_urgency(urgency))]
    value = DirtyName(
        zone,
        facts.name,
        min(said, default=Urgency.OTHER),
        facts.since,
        facts.cleared or bool(row.get("cleared")),
        facts.adopt or bool(row.get("adopt")),
        facts.attempts,
        facts.not_before,
        facts.last_error,
        marked.cause,
        facts.regain or bool(row.get("regain")),
        facts.holds,
        facts.held_at,
        marked.by,
        marked.reason_given,
    )
    return Versioned(
        value.with_newer_addresses(DirtyName(zone, facts.name, holds=marked.holds, held_at=marked.held_at)), stored.etag
    )


def unreadable_dirty(zone: str, row: TableEntity) -> Versioned[DirtyName] | None:
    """Return what the key and the plain columns of an unreadable dirty row say; None if the key is not a name.

    The name is ready at once. Approval by the guard, and `adopt` or `regain` of an operator, count if their column says
    so.
    """
    name = str(row["RowKey"])
    if row_key(name) != name:
        return None
    said = [urgency for urgency in Urgency if row.get(_urgency(urgency)) is True]
    cleared, adopt, regain = (row.get(fact) is True for fact in ("cleared", "adopt", "regain"))
    value = DirtyName(zone, name, min(said, default=Urgency.OTHER), modified_at(row), cleared, adopt, regain=regain)
    return Versioned(value, str(row.metadata["etag"]))


def _dirty_keys(value: DirtyName) -> dict[str, Any]:
    """Return the keys of a dirty row, and the column of its urgency."""
    return {"PartitionKey": dirty_partition(value.zone), "RowKey": row_key(value.name), _urgency(value.urgency): True}


def _urgency(urgency: Urgency) -> str:
    return f"urgency_{urgency.key}"
