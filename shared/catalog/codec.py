"""The rows of the durable catalog, from values to rows and back. This module does no I/O.

    partition          key                          columns
    endpoints          hash of the endpoint's id    the row as JSON
    index              NAME:hash of the endpoint    name, id and time as JSON
    dirty:HASH         name                         the fields as JSON; what later marks added (`dirty_rows.py`)
    leases             hash of the zone's id        holder, expiry and recent writes as JSON (`lease_rows.py`)
    orders             hash of the target           an override as JSON
    history:HASH       name, or `*` for the zone    its last changes as JSON, time of the newest; 1: it is ours
    log:HASH           time in ms:hash of the row   changes and overrides, several entries a column (body0, ...)
    found              hash of the zone's id        the findings of the last sweep in the zone, as JSON
    marker             marker                       the state row as JSON
    unreadable         PARTITION KEY, hashed        a row that could not be read, as JSON
    tallies            hash of the instance         the counters of one process and its histograms, both as JSON
    vantages           hash of the vantage          the last round of a vantage (`vantage_rows.py`)
    evidence:HASH      number of the page           what the vantage with that hash has seen (`vantage_rows.py`)

Keys may not contain a `/`, so ids are hashed, and so is a NAME that is not a DNS label; HASH is the hash of the zone's
id. Rows that are listed together share one partition, because a response may end at a partition boundary (Table service
documentation, "Query timeout and pagination"): an index of 25,000 names in as many partitions would need as many calls.
Readers ignore columns that a newer version added, and use defaults for columns that an older version did not write.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Any, TypeVar

import msgspec
from azure.data.tables import TableEntity

from shared.domain.alarms import Alarm
from shared.domain.catalog_rows import NameIndexEntry, Versioned
from shared.domain.catalog_state import BadRow, CatalogState
from shared.domain.counters import Histogram, ProcessCounters
from shared.domain.endpoints import EndpointRow
from shared.domain.errors import Terminal
from shared.domain.overrides import FOREVER, HASHED, Override
from shared.domain.resource_ids import digest
from shared.domain.zone_findings import ZoneFindings

T = TypeVar("T")

MAX_CHARACTERS = 32 * 1024
"""UTF-16 code units that fit into a text column. Source: Understanding the Table service data model."""
STATE_ALARMS_BYTES = 8_000
"""Bytes of JSON for the alarms in the state row, and as many for the preflight's."""
STATE_SWEEPS_BYTES = 12_000
"""Bytes of JSON for the sweeps in the state row."""


ENDPOINT = msgspec.json.Decoder(EndpointRow)
INDEX_ENTRY = msgspec.json.Decoder(NameIndexEntry)
FINDINGS = msgspec.json.Decoder(ZoneFindings)
STATE = msgspec.json.Decoder(CatalogState)
OVERRIDE = msgspec.json.Decoder(Override)
BAD_ROW = msgspec.json.Decoder(BadRow)
COUNTERS = msgspec.json.Decoder(ProcessCounters)
HISTOGRAMS = msgspec.json.Decoder(tuple[tuple[str, tuple[str, ...], Histogram], ...])

BODY = ("body",)
"""Columns of the rows that contain one value as JSON."""
COUNTERS_COLUMNS = ("body", "spreads")


def row_key(name: str) -> str:
    """Return the key for a name.

    A DNS label is shorter than a hash, so a label never equals the hash of another name.
    """
    return name if re.fullmatch("[a-z0-9-]{1,63}", name) else digest(name)


def index_key(name: str, key: str) -> str:
    """Return the key of an index row."""
    return f"{row_key(name)}:{digest(key)}"


def encode_index_entry(value: NameIndexEntry) -> dict[str, Any]:
    """Return an index row."""
    return encode_row("index", index_key(value.name, value.key), value, f"the index of {value.name}")


def index_filter(name: str) -> str:
    """Return a filter for the index rows of a name: `;` sorts after `:`, and a label contains neither."""
    return f"PartitionKey eq 'index' and RowKey ge '{row_key(name)}:' and RowKey lt '{row_key(name)};'"


def dirty_partition(zone: str) -> str:
    """Return the partition of a zone's dirty rows."""
    return f"dirty:{digest(zone)}"


def history_partition(zone: str) -> str:
    """Return the partition of a zone's history."""
    return f"history:{digest(zone)}"


def encode_row(partition: str, key: str, value: object, what: str) -> dict[str, Any]:
    """Return a row with a value as JSON. Raises Terminal if the value is too long."""
    body = msgspec.json.encode(value).decode()
    if len(body.encode("utf-16-le")) > 2 * MAX_CHARACTERS:
        raise Terminal(f"{what} does not fit into the catalog: {len(body)} characters, at most {MAX_CHARACTERS} do")
    return {"PartitionKey": partition, "RowKey": key, "body": body}


class UnreadableRow(Terminal):
    """A row that this version cannot read. `why`: the error; `etag` and `modified_at` as read.

    `partition`, `key` and `modified_at` (seconds since the epoch) are empty if the query did not select these columns.
    """

    def __init__(self, row: TableEntity, why: object) -> None:
        self.partition, self.key = str(row.get("PartitionKey", "")), str(row.get("RowKey", ""))
        self.why, self.etag = str(why)[:300] or type(why).__name__, str(row.metadata["etag"])
        self.modified_at = modified_at(row) if row.metadata.get("timestamp") else 0.0
        super().__init__(f"row {self.key} of partition {self.partition} of the catalog cannot be read: {self.why}")


def read(row: TableEntity, decoder: msgspec.json.Decoder[T], column: str = "body") -> Versioned[T]:
    """Decode the JSON value of a row. Raises UnreadableRow."""
    try:
        return Versioned(decoder.decode(row[column]), str(row.metadata["etag"]))
    except KeyError as error:
        raise UnreadableRow(row, f"column {column} is missing") from error
    except (TypeError, ValueError, RecursionError, msgspec.DecodeError) as error:
        raise UnreadableRow(row, error) from error


def read_endpoint(row: TableEntity) -> Versioned[EndpointRow]:
    """Decode an endpoint's row and check its addresses. Raises UnreadableRow."""
    stored = read(row, ENDPOINT)
    try:
        endpoint = stored.value.endpoint
        for address in endpoint.addresses:
            _ = address.number
        for _, addresses in endpoint.selected:
            for address in addresses:
                _ = address.number
    except ValueError as error:
        raise UnreadableRow(row, error) from error
    return stored


def read_index_entry(row: TableEntity) -> Versioned[NameIndexEntry]:
    """Decode an index row. Raises UnreadableRow."""
    return read(row, INDEX_ENTRY)


def read_override(row: TableEntity) -> Versioned[Override]:
    """Decode an override. Raises UnreadableRow."""
    return read(row, OVERRIDE)


def unreadable_override(bad: UnreadableRow) -> Versioned[Override]:
    """Return what the key of an unreadable override says: the hash of its target. It counts as without an end."""
    return Versioned(Override(HASHED + bad.key, FOREVER), bad.etag)


def encode_bad_row(bad: UnreadableRow) -> dict[str, Any]:
    """Return a row that records an unreadable row."""
    told = BadRow(bad.partition, bad.key, bad.why, 0.0)
    return encode_row("unreadable", digest(f"{bad.partition} {bad.key}"), told, "a note of an unreadable row")


def read_bad_row(row: TableEntity) -> BadRow | None:
    """Decode the record of an unreadable row, with the account's time of it; None if it is unreadable itself."""
    try:
        return replace(read(row, BAD_ROW).value, at=modified_at(row))
    except UnreadableRow:
        return None


def modified_at(row: TableEntity) -> float:
    """Return when a row was last written, by the account's clock, in seconds since the epoch."""
    stamp: Any = row.metadata["timestamp"]
    return float(stamp.timestamp())


def encode_counters(value: ProcessCounters) -> dict[str, Any]:
    """Return the row of a process's counters.

    The histograms have their own column: one column is too small for 70 regions.
    """
    what = f"the counters of instance {value.instance}"
    row = encode_row("tallies", digest(value.instance), replace(value, spreads=()), what)
    return {**row, "spreads": encode_row("", "", value.spreads, what)["body"]}


def read_counters(row: TableEntity) -> Versioned[ProcessCounters]:
    """Decode the counters of a process. Raises UnreadableRow."""
    stored = read(row, COUNTERS)
    return replace(stored, value=replace(stored.value, spreads=read(row, HISTOGRAMS, "spreads").value))


def truncate_state(state: CatalogState) -> CatalogState:
    """Limit a state row to the size of a row: its sweeps, alarms and preflight findings.

    An alarm says how many are omitted.
    """
    sizes = accumulate(len(msgspec.json.encode(each)) + 1 for each in state.sweeps)
    sweeps = tuple(each for each, size in zip(state.sweeps, sizes, strict=True) if size <= STATE_SWEEPS_BYTES)
    return replace(state, sweeps=sweeps, alarms=limit_alarms(state.alarms), findings=limit_alarms(state.findings))


def limit_alarms(alarms: Sequence[Alarm]) -> tuple[Alarm, ...]:
    """Return as many alarms as a row has room for, and how many are omitted."""
    room = STATE_ALARMS_BYTES
    for count, each in enumerate(alarms):
        room -= len(msgspec.json.encode(each)) + 1
        if room < 0:
            return (*alarms[:count], Alarm(f"... and {len(alarms) - count} more"))
    return tuple(alarms)
