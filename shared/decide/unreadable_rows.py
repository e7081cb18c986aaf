"""Alarms about rows of the catalog that could not be read: one for each kind of row and of fault. Pure.

`catalog/row_repair.py` handles such a row; this module explains what that means for the answers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from shared.decide.alarms import Trouble, grouped
from shared.domain.alarms import Alarm
from shared.domain.catalog_state import BadRow

_MEANS = {
    "endpoints": "it was dropped: no address is removed until the next complete sweep has read every claim again",
    "index": "it was rebuilt from its key and the endpoint's row",
    "dirty": "the name is processed now, as if it had just been marked dirty; its count of failures starts again",
    "leases": "the zone counts as held by another instance until the lease ends, at most a minute after its row was "
    "written; then the greatest possible number of writes counts as spent",
    "orders": "the override stays in force, without an end, for the target whose hash is the row's key",
    "history": "its changes are lost; the column that says whether the record set is ours is intact",
    "found": "it was dropped: the findings of the last sweep for the zone are missing until the next sweep",
    "marker": "it was dropped: the catalog counts as incomplete until the next sweep, and no address is removed",
}
_DO = "nothing; if it happens again, find what else writes to the table"
_DO_ORDER = "give the override again, or end it (undrain, unfreeze): that replaces or removes the row"


def alarms(rows: Iterable[BadRow]) -> Sequence[Alarm]:
    """Return the alarms about these rows."""
    return grouped(_trouble(row) for row in sorted(rows, key=lambda row: (row.partition, row.key)))


def _trouble(row: BadRow) -> Trouble:
    kind = row.partition.split(":", 1)[0]
    text = f"a row of partition {row.partition} of the catalog could not be read: {row.why}"
    alone = f"row {row.key} of partition {row.partition} of the catalog could not be read: {row.why}"
    means = _MEANS.get(kind, "it stays as it is")
    return Trouble(row.key, text, means, _DO_ORDER if kind == "orders" else _DO, "rows", alone)
