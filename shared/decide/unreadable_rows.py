"""Alarms about rows of the catalog that could not be read: one for each kind of row and of fault. Pure.

`catalog/row_repair.py` handles such a row; this module explains what that means for the answers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from shared.decide.alarms import Trouble, grouped
from shared.domain.alarms import Alarm
from shared.domain.catalog_state import BadRow

_MEANS = {
    "endpoints": "it was dropped: until the next complete sweep has read every claim again, no address is taken away",
    "index": "it was made anew from its key and the endpoint's row",
    "dirty": "the name is looked at now, as if it had just been marked; how often it had failed is forgotten",
    "leases": "the zone counts as held by another instance until the lease is over, at most a minute after its row was "
    "written; then as many writes count as spent as there may have been",
    "orders": "the order stays in force, without an end, for the target whose hash is the row's key",
    "history": "the changes that it held are lost; whether the record set is ours is still known",
    "found": "it was dropped: what the last sweep has found of the zone is missing until the next one",
    "marker": "it was dropped: the catalog counts as incomplete until the next sweep, and no address is taken away",
}
_DO = "nothing, unless it comes again: then look for what else writes to the table"
_DO_ORDER = "give the order again, or take it back (undrain, unfreeze): that replaces or removes the row"


def alarms(rows: Iterable[BadRow]) -> Sequence[Alarm]:
    """Return the alarms about these rows."""
    return grouped(_trouble(row) for row in sorted(rows, key=lambda row: (row.partition, row.key)))


def _trouble(row: BadRow) -> Trouble:
    kind = row.partition.split(":", 1)[0]
    text = f"a row of partition {row.partition} of the catalog could not be read: {row.why}"
    alone = f"row {row.key} of partition {row.partition} of the catalog could not be read: {row.why}"
    means = _MEANS.get(kind, "it was left alone")
    return Trouble(row.key, text, means, _DO_ORDER if kind == "orders" else _DO, "rows", alone)
