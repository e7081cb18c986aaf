"""The rows of a vantage: its last round, and the pages of its evidence. This module does no I/O.

partition          key                          columns
vantages           hash of the vantage          the row as JSON, in as many columns as it needs (body, body1, ...)
evidence:HASH      number of the page           the evidence of some targets, likewise; HASH is that of the vantage

Both may hold many values of one type. The names of the fields, and the part of an endpoint's id that many share, are
therefore stored once and not with each value. Readers ignore fields that a newer version added.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate, takewhile
from typing import Any, TypeVar

import msgspec
from azure.data.tables import TableEntity

from shared.catalog.codec import MAX_CHARACTERS, UnreadableRow, limit_alarms
from shared.domain.catalog_rows import Versioned
from shared.domain.errors import Terminal
from shared.domain.probes import EvidencePage, VantageRow
from shared.domain.resource_ids import digest

T = TypeVar("T")

PARTITION = "vantages"
MAX_COLUMNS = 12
"""Columns of a row, at most: an entity holds 1 MiB, in UTF-16."""
BODIES = ("body", *(f"body{number}" for number in range(1, MAX_COLUMNS)))
"""Columns of the rows of a vantage."""
ALL_VANTAGES_FILTER = f"PartitionKey eq '{PARTITION}'"
ALL_EVIDENCE_FILTER = "PartitionKey ge 'evidence:' and PartitionKey lt 'evidence;'"
"""Finds the pages of all vantages: `;` sorts after `:`."""
KEPT_BYTES = 8_000
"""Bytes for the names of which all addresses count although they have verdicts."""

_CONTENT = msgspec.json.Decoder(dict[str, Any])
_UNREADABLE = (AttributeError, KeyError, IndexError, TypeError, ValueError, RecursionError, msgspec.DecodeError)


def evidence_partition(vantage: str) -> str:
    """Return the partition of a vantage's evidence."""
    return f"evidence:{digest(vantage)}"


def evidence_filter(vantage: str) -> str:
    """Return a filter for the pages of a vantage."""
    return f"PartitionKey eq '{evidence_partition(vantage)}'"


def evidence_key(number: int) -> str:
    """Return the key of a page."""
    return f"{number:04d}"


def encode_vantage(row: VantageRow) -> dict[str, Any]:
    """Return the row of a vantage. Raises Terminal if it is too long: no verdict is left out.

    What is only shown, alarms and kept names, is cut to a limit, and the rest is counted.
    """
    content = msgspec.to_builtins(row)
    content["alarms"] = msgspec.to_builtins(limit_alarms(row.alarms))
    content["kept"] = _limit_names(row.kept)
    content["verdicts"] = _pack(content["verdicts"])
    return _encode(PARTITION, digest(row.vantage), content, f"the row of vantage {row.vantage}")


def read_vantage(row: TableEntity) -> Versioned[VantageRow]:
    """Return the row of a vantage. Raises UnreadableRow."""
    return _read(row, "verdicts", VantageRow)


def encode_evidence(page: EvidencePage) -> dict[str, Any]:
    """Return the row of a page. Raises Terminal if it is too long."""
    content = msgspec.to_builtins(page)
    content["evidence"] = _pack(content["evidence"])
    what = f"page {page.number} of the evidence"
    return _encode(evidence_partition(page.vantage), evidence_key(page.number), content, what)


def read_evidence(row: TableEntity) -> Versioned[EvidencePage]:
    """Return a page. Raises UnreadableRow."""
    return _read(row, "evidence", EvidencePage)


def _encode(partition: str, key: str, content: Mapping[str, Any], what: str) -> dict[str, Any]:
    text = msgspec.json.encode(content).decode()
    step = MAX_CHARACTERS if text.isascii() else MAX_CHARACTERS // 2  # A character takes one code unit, or two.
    pieces = [text[begin : begin + step] for begin in range(0, len(text), step)]
    if len(pieces) > MAX_COLUMNS:
        most = step * MAX_COLUMNS
        raise Terminal(f"{what} does not fit into the catalog: {len(text)} characters, at most {most} do")
    return {"PartitionKey": partition, "RowKey": key, **dict(zip(BODIES, pieces, strict=False))}


def _read(row: TableEntity, packed: str, kind: type[T]) -> Versioned[T]:
    """Return the value in a row; the field `packed` of it holds many values. Raises UnreadableRow."""
    if row.get(BODIES[0]) is None:
        raise UnreadableRow(row, f"column {BODIES[0]} is missing")
    try:
        pieces: Any = takewhile(lambda piece: piece is not None, (row.get(column) for column in BODIES))
        content = _CONTENT.decode("".join(pieces))
        content[packed] = _unpack(content[packed])
        return Versioned(msgspec.convert(content, kind), str(row.metadata["etag"]))
    except _UNREADABLE as error:
        raise UnreadableRow(row, error) from error


def _pack(values: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return values with the names of their fields, and the parents of their endpoints, stored once."""
    fields = list(values[0]) if values else []
    parents: dict[str, int] = {}
    rows = []
    for value in values:
        parent, _, own = value["endpoint"].rpartition("/")
        short = f"{parents.setdefault(parent, len(parents))}/{own}"
        rows.append([short if field == "endpoint" else value[field] for field in fields])
    return {"fields": fields, "parents": list(parents), "rows": rows}


def _unpack(packed: Mapping[str, Any]) -> list[dict[str, Any]]:
    values = [dict(zip(packed["fields"], row, strict=True)) for row in packed["rows"]]
    for value in values:
        index, _, own = value["endpoint"].partition("/")
        parent = packed["parents"][int(index)]
        value["endpoint"] = f"{parent}/{own}" if parent else own
    return values


def _limit_names(names: Sequence[str]) -> list[str]:
    sizes = accumulate(len(name) + 3 for name in names)
    room = sum(size <= KEPT_BYTES for size in sizes)
    return [*names[:room], *([f"... and {len(names) - room} more"] if room < len(names) else [])]
