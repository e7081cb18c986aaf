"""What the rows of the durable catalog look like: from values to rows and back. Nothing is read or written here.

    partition          key                          columns
    endpoints          hash of the endpoint's id    the row as JSON
    index              NAME:hash of the endpoint    name, id and time as JSON
    dirty:HASH         name                         the facts as JSON; what was said by marks since then (see `mark`)
    leases             hash of the zone's id        holder, expiry and what was written as JSON
    orders             hash of the target           the order as JSON
    history:HASH       name, or `*` for the zone    its last changes as JSON, when the newest was; 1: it is ours
    log:HASH           time in ms:hash of the row   what was changed and ordered, some entries of one time (body0, ...)
    found              hash of the zone's id        what a person should know of the zone, as JSON
    marker             marker                       the marker as JSON
    unreadable         PARTITION KEY, hashed        a row that could not be read, as JSON
    tallies            hash of the instance         what one process has counted; its distributions: both as JSON

Keys may not hold a `/`, so ids are hashed, and so is a NAME that is no DNS label; HASH is that of the zone's id. Rows
that are listed together are one partition, because an answer may end where a partition does (docs, "Query timeout and
pagination"), and the index of 25,000 names would be as many calls. Columns that a newer version has added are ignored,
those that an older one has not written have their defaults.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any, TypeVar

import msgspec
from azure.data.tables import TableEntity

from shared.catalog.history import LOG_COLUMNS, LOG_SPAN, ours
from shared.domain.alarms import Alarm
from shared.domain.catalog_rows import WHOLE_ZONE, NameIndexEntry, Versioned, tick
from shared.domain.catalog_state import BadRow, CatalogState
from shared.domain.counters import Histogram, ProcessCounters
from shared.domain.dirty import DirtyName, RecordChange, Urgency
from shared.domain.endpoints import EndpointRow
from shared.domain.errors import Terminal
from shared.domain.overrides import FOREVER, HASHED, Override
from shared.domain.resource_ids import digest
from shared.domain.zone_findings import ZoneFindings

T = TypeVar("T")

MAX_CHARACTERS = 32 * 1024
"""UTF-16 code units that a text column holds. Source: Understanding the Table service data model."""
UNKNOWN_HOLDER = "unreadable"
"""Who holds a lease whose row cannot be read: no process has this name."""
MARKER_BYTES = 8_000
"""Of the alarms and of the findings that the marker keeps."""
SWEEPS_BYTES = 12_000
"""Of the sweeps that the marker keeps."""


@dataclass(frozen=True, slots=True)
class LeaseRow:
    """Who holds a zone, "" for nobody. `spent` as in `Lease`, each write as kind, name and time, to keep it short."""

    zone: str
    holder: str = ""
    expires: float = 0.0
    spent: tuple[tuple[str, str, float], ...] | None = ()


class DirtyRow(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a dirty row holds as JSON: `Dirty` without its urgency, whose numbers are not those of other versions."""

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


ENDPOINT = msgspec.json.Decoder(EndpointRow)
INDEXED = msgspec.json.Decoder(NameIndexEntry)
LEASE = msgspec.json.Decoder(LeaseRow)
FINDINGS = msgspec.json.Decoder(ZoneFindings)
STATE = msgspec.json.Decoder(CatalogState)
OVERRIDE = msgspec.json.Decoder(Override)
BAD_ROW = msgspec.json.Decoder(BadRow)
HISTORY = msgspec.json.Decoder(tuple[RecordChange, ...])
DIRTY = msgspec.json.Decoder(DirtyRow)
TALLY = msgspec.json.Decoder(ProcessCounters)
SPREADS = msgspec.json.Decoder(tuple[tuple[str, tuple[str, ...], Histogram], ...])

LOG_BODIES = tuple(f"body{number}" for number in range(LOG_COLUMNS))
"""Columns of a row of the log."""
BODY = ("body",)
"""Columns of the rows that hold a value as JSON."""
TALLY_COLUMNS = ("body", "spreads")
FACTS = ("body", "mark", "cleared", "adopt", "regain", *(f"urgency_{urgency.name.lower()}" for urgency in Urgency))
"""Columns of the dirty rows. Few are filled: each costs the SDK 5 us, and all rows are read again and again."""


def row_key(name: str) -> str:
    """A name as a key. A DNS label is shorter than a hash, so that no name meets another one's hash."""
    return name if re.fullmatch("[a-z0-9-]{1,63}", name) else digest(name)


def index_key(name: str, key: str) -> str:
    """The key of an index row."""
    return f"{row_key(name)}:{digest(key)}"


def indexed(value: NameIndexEntry) -> dict[str, Any]:
    """An index row."""
    return encode_row("index", index_key(value.name, value.key), value, f"the index of {value.name}")


def indexed_under(name: str) -> str:
    """A filter for the index rows of a name: `;` comes after `:`, and neither is in a label."""
    return f"PartitionKey eq 'index' and RowKey ge '{row_key(name)}:' and RowKey lt '{row_key(name)};'"


def dirty_in(zone: str) -> str:
    """The partition of a zone's dirty rows."""
    return f"dirty:{digest(zone)}"


def history_of(zone: str) -> str:
    """The partition of a zone's history."""
    return f"history:{digest(zone)}"


def history_key(name: str) -> str:
    """The key of a name's history, and of the zone's."""
    return name if name == WHOLE_ZONE else row_key(name)


def history(zone: str, name: str, changes: Sequence[RecordChange]) -> dict[str, Any]:
    """A row of history; `at` and `ours` are columns of their own, so that what is old, or ours, can be found."""
    row = encode_row(history_of(zone), history_key(name), changes, f"the history of {name}")
    return {**row, "at": max(change.at for change in changes), "ours": int(ours(name, changes))}


def log(zone: str, batch: Sequence[Sequence[RecordChange]]) -> dict[str, Any]:
    """A row of the log, under the time of its first entry. Written again, the same entries make the same row."""
    bodies = {
        column: encode_row("", "", entries, "an entry of the log")["body"]
        for column, entries in zip(LOG_BODIES, batch, strict=False)
    }
    key = f"{_log_time(batch[0][0].at)}:{digest(''.join(bodies.values()))[:16]}"
    return {"PartitionKey": f"log:{digest(zone)}", "RowKey": key, **bodies}


def logged(zone: str, since: float, until: float) -> str:
    """A filter for the rows of the log that may hold entries of a span."""
    span = f"RowKey ge '{_log_time(since - LOG_SPAN)}' and RowKey lt '{_log_time(until)}'"
    return f"PartitionKey eq 'log:{digest(zone)}' and {span}"


def old_log(before: float) -> str:
    """A filter for the rows of the log of all zones whose first entry is older."""
    return f"PartitionKey ge 'log:' and PartitionKey lt 'log;' and RowKey lt '{_log_time(before)}'"


def read_log(row: TableEntity) -> list[RecordChange]:
    """The entries of a row of the log. Raises Terminal."""
    return [past for column in LOG_BODIES if row.get(column) for past in read(row, HISTORY, column).value]


def log_begun(row: TableEntity) -> float:
    """When the first entry of a row of the log was, in seconds since the epoch."""
    return int(row["RowKey"].split(":")[0]) / 1000


def _log_time(at: float) -> str:
    return f"{max(0, tick(at)):015d}"


def known(zone: str, name: str, *, as_ours: bool) -> dict[str, Any]:
    """The part of a row of history that says whether the record set is ours; 1 or 0, for filters compare numbers."""
    return {"PartitionKey": history_of(zone), "RowKey": history_key(name), "ours": int(as_ours)}


def owned(zone: str) -> str:
    """A filter for the names of a zone whose record sets are ours."""
    return f"PartitionKey eq '{history_of(zone)}' and ours eq 1"


def old_history(before: float) -> str:
    """A filter for the history rows of all zones that have not changed since: `;` comes after `:`."""
    return f"PartitionKey ge 'history:' and PartitionKey lt 'history;' and at lt {before!r}"


def encode_row(partition: str, key: str, value: object, what: str) -> dict[str, Any]:
    """A row that holds a value as JSON. Raises Terminal where that is too long."""
    body = msgspec.json.encode(value).decode()
    if len(body.encode("utf-16-le")) > 2 * MAX_CHARACTERS:
        raise Terminal(f"{what} does not fit into the catalog: {len(body)} characters, at most {MAX_CHARACTERS} do")
    return {"PartitionKey": partition, "RowKey": key, "body": body}


class UnreadableRow(Terminal):
    """A row that this version cannot read. `why`: what is wrong with it; `etag` and time as read.

    `partition`, `key` and `written` (seconds since the epoch) are empty where these columns were not asked for.
    """

    def __init__(self, row: TableEntity, why: object) -> None:
        self.partition, self.key = str(row.get("PartitionKey", "")), str(row.get("RowKey", ""))
        self.why, self.etag = str(why)[:300] or type(why).__name__, str(row.metadata["etag"])
        self.written = written(row) if row.metadata.get("timestamp") else 0.0
        super().__init__(f"row {self.key} of partition {self.partition} of the catalog cannot be read: {self.why}")


def read(row: TableEntity, decoder: msgspec.json.Decoder[T], column: str = "body") -> Versioned[T]:
    """The value that a row holds as JSON. Raises UnreadableRow."""
    try:
        return Versioned(decoder.decode(row[column]), str(row.metadata["etag"]))
    except KeyError as error:
        raise UnreadableRow(row, f"column {column} is missing") from error
    except (TypeError, ValueError, RecursionError, msgspec.DecodeError) as error:
        raise UnreadableRow(row, error) from error


def read_endpoint(row: TableEntity) -> Versioned[EndpointRow]:
    """An endpoint's row, whose addresses are addresses. Raises UnreadableRow."""
    stored = read(row, ENDPOINT)
    try:
        for address in stored.value.endpoint.addresses:
            _ = address.number
    except ValueError as error:
        raise UnreadableRow(row, error) from error
    return stored


def read_indexed(row: TableEntity) -> Versioned[NameIndexEntry]:
    """An index row. Raises UnreadableRow."""
    return read(row, INDEXED)


def read_order(row: TableEntity) -> Versioned[Override]:
    """An order. Raises UnreadableRow."""
    return read(row, OVERRIDE)


def hidden_order(bad: UnreadableRow) -> Versioned[Override]:
    """What an order that cannot be read still says: its target by the hash, and no end."""
    return Versioned(Override(HASHED + bad.key, FOREVER), bad.etag)


def bad_row(bad: UnreadableRow) -> dict[str, Any]:
    """A note of a row that could not be read."""
    told = BadRow(bad.partition, bad.key, bad.why, 0.0)
    return encode_row("unreadable", digest(f"{bad.partition} {bad.key}"), told, "a note of an unreadable row")


def read_bad_row(row: TableEntity) -> BadRow | None:
    """A note of a row that could not be read, with the account's time of it; None for one that is unreadable itself."""
    try:
        return replace(read(row, BAD_ROW).value, at=written(row))
    except UnreadableRow:
        return None


def written(row: TableEntity) -> float:
    """When a row was written, by the account's own clock, in seconds since the epoch."""
    stamp: Any = row.metadata["timestamp"]
    return float(stamp.timestamp())


def read_lease(row: TableEntity, longest: float) -> Versioned[LeaseRow]:
    """A lease, which ends at the latest `longest` seconds after its row was written, by the account's own clock.

    Raises UnreadableRow.
    """
    stored = read(row, LEASE)
    if strange := {kind for kind, _, _ in stored.value.spent or ()} - {"create", "update", "delete"}:
        raise UnreadableRow(row, f"writes of an unknown kind: {sorted(strange)}")
    ends = written(row) + longest
    return replace(stored, value=replace(stored.value, expires=min(stored.value.expires, ends)))


def hidden_lease(zone: str, row: TableEntity, longest: float) -> Versioned[LeaseRow]:
    """A lease that cannot be read: another holder's, who may have written anything, until it is over at the latest."""
    return Versioned(LeaseRow(zone, UNKNOWN_HOLDER, written(row) + longest, None), str(row.metadata["etag"]))


def dirty(value: DirtyName) -> dict[str, Any]:
    """A whole dirty row."""
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
    """What a mark adds to a dirty row, blindly: it can take back nothing of what the row holds or another mark says.

    Its time counts only where the row was cleared meanwhile, so that there is no other one; its cause counts always.
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
    """A dirty row with all that marks have said. Raises UnreadableRow."""
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
    return Versioned(value.told(DirtyName(zone, facts.name, holds=marked.holds, held_at=marked.held_at)), stored.etag)


def hidden_dirty(zone: str, row: TableEntity) -> Versioned[DirtyName] | None:
    """What a dirty row that cannot be read still says by its key and its plain columns; None where that is no name.

    It is due at once. That the guard has looked at it, or that a person asked for it, counts where a column says so.
    """
    name = str(row["RowKey"])
    if row_key(name) != name:
        return None
    said = [urgency for urgency in Urgency if row.get(_urgency(urgency)) is True]
    cleared, adopt, regain = (row.get(fact) is True for fact in ("cleared", "adopt", "regain"))
    value = DirtyName(zone, name, min(said, default=Urgency.OTHER), written(row), cleared, adopt, regain=regain)
    return Versioned(value, str(row.metadata["etag"]))


def tally(value: ProcessCounters) -> dict[str, Any]:
    """A row of what a process has counted. In two columns, for one has not room for 70 regions."""
    what = f"what instance {value.instance} has counted"
    row = encode_row("tallies", digest(value.instance), replace(value, spreads=()), what)
    return {**row, "spreads": encode_row("", "", value.spreads, what)["body"]}


def read_tally(row: TableEntity) -> Versioned[ProcessCounters]:
    """What a process has counted. Raises Terminal."""
    stored = read(row, TALLY)
    return replace(stored, value=replace(stored.value, spreads=read(row, SPREADS, "spreads").value))


def truncate_state(marker: CatalogState) -> CatalogState:
    """The marker with as many sweeps, alarms and findings as its row has room for, and how many alarms are left out."""
    sizes = accumulate(len(msgspec.json.encode(each)) + 1 for each in marker.sweeps)
    sweeps = tuple(each for each, size in zip(marker.sweeps, sizes, strict=True) if size <= SWEEPS_BYTES)
    return replace(marker, sweeps=sweeps, alarms=_first(marker.alarms), findings=_first(marker.findings))


def _first(said: Sequence[Alarm]) -> tuple[Alarm, ...]:
    room = MARKER_BYTES
    for count, each in enumerate(said):
        room -= len(msgspec.json.encode(each)) + 1
        if room < 0:
            return (*said[:count], Alarm(f"... and {len(said) - count} more"))
    return tuple(said)


def _dirty_keys(value: DirtyName) -> dict[str, Any]:
    """The keys of a dirty row, and its urgency in words."""
    return {"PartitionKey": dirty_in(value.zone), "RowKey": row_key(value.name), _urgency(value.urgency): True}


def _urgency(urgency: Urgency) -> str:
    return f"urgency_{urgency.name.lower()}"
