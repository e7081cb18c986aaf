"""The Table service of one storage account in memory: the part of its REST API that azure-data-tables uses.

One state machine, `handle(request) -> response`, like `cloud.py`: the SDK runs on it through
`front_ends/transport.py`, without sockets and in virtual time. Tables are created, listed and deleted; rows are
inserted, read, replaced, merged, deleted under the condition of their etag, and queried by keys and numbers, page by
page.

As recorded from the service (azure-sdk-for-python, sdk/tables/azure-data-tables/tests/recordings, commits 086275c6 and
256d6af5, 2020 and 2021): statuses, codes and bodies of answers, etags, continuation tokens, and which types are named.
A selected column that a row lacks is null (Azure/Azurite#2535). As documented ("Query timeout and pagination"): a page
has at most 1,000 rows and may end with its partition (`split`). The tests compare it with Azurite, Microsoft's own
emulator.

Not simulated: filters on anything but keys and numbers, filters and pages of lists of tables, batches, XML, signatures,
the limit of 1 MiB for a row, and the time for which the name of a deleted table stays reserved.
"""

from __future__ import annotations

import base64
import bisect
import json
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import formatdate
from typing import Any
from urllib.parse import quote

from simulator.arm.front_door import Request, Response

PAGE = 1000
TEXT = 32 * 1024
"""UTF-16 code units that fit into a text column."""

_JSON = {"content-type": "application/json;odata=minimalmetadata;streaming=true;charset=utf-8"}
_ACCOUNT = r"(?:/[a-z0-9]+)?"  # If the host does not name it: Azurite's form.
_KEY = r"'((?:[^']|'')*)'"
_ROW = re.compile(rf"{_ACCOUNT}/(\w+)\(PartitionKey={_KEY},RowKey={_KEY}\)")
_ROWS = re.compile(rf"{_ACCOUNT}/(\w+)(?:\(\))?")
_TABLE = re.compile(rf"{_ACCOUNT}/Tables\('(\w+)'\)")
_COMPARISON = re.compile(rf"(PartitionKey|RowKey) (eq|gt|ge|lt|le) {_KEY}")
_NUMBER = re.compile(r"(\w+) (eq|gt|ge|lt|le) (\d+(?:\.\d+)?)")
_FORBIDDEN = re.compile(r"[/\\#?\x00-\x1f\x7f-\x9f]")
_TOLD = ("Edm.Int64", "Edm.DateTime", "Edm.Guid", "Edm.Binary")
"""Types that an answer names; the others follow from the value."""

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}


@dataclass(frozen=True, slots=True)
class _Row:
    partition: str
    key: str
    columns: Mapping[str, Any]
    types: Mapping[str, str]
    stamp: str

    @property
    def etag(self) -> str:
        return f"W/\"datetime'{quote(self.stamp, safe='')}'\""

    def shown(self, select: str | None) -> dict[str, Any]:
        """The row in an answer: everything, or the selected columns."""
        own = {"PartitionKey": self.partition, "RowKey": self.key, "Timestamp": self.stamp, **self.columns}
        columns = own if select is None else {name.strip(): own.get(name.strip()) for name in select.split(",")}
        content: dict[str, Any] = {"odata.etag": self.etag}
        for name, value in columns.items():
            if value is not None and name in self.types:
                content[f"{name}@odata.type"] = self.types[name]
            content[name] = value
        return content


class _TableError(Exception):
    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(code)
        error = {"code": code, "message": {"lang": "en-US", "value": message}}
        self.response = Response(status, {"odata.error": error}, _JSON)


@dataclass
class Tables:
    """A storage account's tables. `clock`: seconds since the epoch, for timestamps.

    `page`: most rows in an answer. `split`: every page ends with its partition.
    """

    clock: Callable[[], float]
    page: int = PAGE
    split: bool = False
    _tables: dict[str, dict[str, dict[str, _Row]]] = field(default_factory=dict)
    _ticks: int = 0

    def handle(self, request: Request) -> Response:
        """Answer one request; every answer contains the time."""
        try:
            response = self._answer(request)
        except _TableError as error:
            response = error.response
        return replace(response, headers={**response.headers, "date": formatdate(int(self.clock()), usegmt=True)})

    def wipe(self) -> None:
        """Empty every table; the tables stay."""
        for table in self._tables.values():
            table.clear()

    def _answer(self, request: Request) -> Response:
        if found := _ROW.fullmatch(request.path):
            table = self._table(found[1])
            partition, key = (text.replace("''", "'") for text in found.group(2, 3))
            return self._row(request, table, partition, key)
        whole, rows = _TABLE.fullmatch(request.path), _ROWS.fullmatch(request.path)
        if whole and request.method == "DELETE":
            self._table(whole[1])
            del self._tables[whole[1]]
            return Response(204)
        if rows and request.method == "POST":
            return self._create(request) if rows[1] == "Tables" else self._insert(request, self._table(rows[1]))
        if rows and request.method == "GET" and rows[1] == "Tables":
            return self._list(request)
        if rows and request.method == "GET":
            return self._query(request, self._table(rows[1]))
        raise NotImplementedError(f"{request.method} {request.path} is not simulated")

    def _table(self, name: str) -> dict[str, dict[str, _Row]]:
        if name not in self._tables:
            raise _TableError(404, "TableNotFound", "The table specified does not exist.")
        return self._tables[name]

    def _create(self, request: Request) -> Response:
        name = _body(request)["TableName"]
        if name in self._tables:
            raise _TableError(409, "TableAlreadyExists", "The table specified already exists.")
        self._tables[name] = {}
        content = {"odata.metadata": f"{request.base}/$metadata#Tables/@Element", "TableName": name}
        return Response(201, content, _JSON)

    def _list(self, request: Request) -> Response:
        """All tables on one page, as recorded (`test_list_tables` of azure-data-tables)."""
        found = [{"TableName": name} for name in sorted(self._tables)]
        return Response(200, {"odata.metadata": f"{request.base}/$metadata#Tables", "value": found}, _JSON)

    def _insert(self, request: Request, table: dict[str, dict[str, _Row]]) -> Response:
        body = _body(request)
        partition, key = body["PartitionKey"], body["RowKey"]
        if key in table.get(partition, {}):
            raise _TableError(409, "EntityAlreadyExists", "The specified entity already exists.")
        row = self._write(table, partition, key, body, None)
        preference = request.headers.get("prefer", "return-content")
        headers = {"etag": row.etag, "preference-applied": preference}
        if preference == "return-no-content":
            return Response(204, None, headers)
        return Response(201, row.shown(None), {**_JSON, **headers})

    def _row(self, request: Request, table: dict[str, dict[str, _Row]], partition: str, key: str) -> Response:
        row, condition = table.get(partition, {}).get(key), request.headers.get("if-match")
        if row is None and (condition or request.method == "GET"):
            raise _TableError(404, "ResourceNotFound", "The specified resource does not exist.")
        if condition and not re.fullmatch(r'\*|[wW]/".*"', condition):
            raise _TableError(
                400, "InvalidInput", "The etag value specified in one of the request headers is not valid."
            )
        if row and condition not in (None, "*", row.etag):
            message = "The update condition specified in the request was not satisfied."
            raise _TableError(412, "UpdateConditionNotSatisfied", message)
        if request.method == "GET" and row:
            return Response(200, row.shown(request.query.get("$select")), {**_JSON, "etag": row.etag})
        if request.method == "DELETE":
            return self._delete(table, partition, key, condition)
        merged = row if request.method in ("PATCH", "MERGE") else None
        return Response(204, None, {"etag": self._write(table, partition, key, _body(request), merged).etag})

    def _delete(self, table: dict[str, dict[str, _Row]], partition: str, key: str, condition: str | None) -> Response:
        if condition is None:
            message = "A required header (If-Match) was not specified."
            raise _TableError(400, "MissingRequiredHeader", message)
        del table[partition][key]
        if not table[partition]:
            del table[partition]
        return Response(204)

    def _write(
        self, table: dict[str, dict[str, _Row]], partition: str, key: str, body: Mapping[str, Any], merged: _Row | None
    ) -> _Row:
        """Store a row; its columns are those of the body and of the row that it is merged into."""
        if _FORBIDDEN.search(partition + key):
            raise _TableError(400, "InvalidInput", "A key holds a character that is not allowed.")
        columns, types = _columns(body)
        if merged:
            old = {name: kind for name, kind in merged.types.items() if name not in columns}
            columns, types = {**merged.columns, **columns}, {**old, **types}
        row = _Row(partition, key, columns, types, self._stamp())
        table.setdefault(partition, {})[key] = row
        return row

    def _stamp(self) -> str:
        """The time of a write, in ticks of 100 ns; always unique. Trailing zeros are left out, as recorded."""
        self._ticks = max(int(self.clock() * 10_000_000), self._ticks + 1)
        seconds, ticks = divmod(self._ticks, 10_000_000)
        fraction = f".{ticks:07}".rstrip("0").rstrip(".")
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}{fraction}Z"

    def _query(self, request: Request, table: dict[str, dict[str, _Row]]) -> Response:
        size = min(self.page, int(request.query.get("$top", PAGE)))
        start = _decoded(request.query.get("NextPartitionKey")), _decoded(request.query.get("NextRowKey"))
        shown: list[dict[str, Any]] = []
        first: _Row | None = None
        for row in _matching(table, request.query.get("$filter", ""), start):
            first = first or row
            if len(shown) == size or (self.split and row.partition != first.partition):
                headers = {
                    "x-ms-continuation-nextpartitionkey": _encoded(row.partition),
                    "x-ms-continuation-nextrowkey": _encoded(row.key),
                }
                return Response(200, {"value": shown}, {**_JSON, **headers})
            shown.append(row.shown(request.query.get("$select")))
        return Response(200, {"value": shown}, _JSON)


def _body(request: Request) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(request.body)
    return content


def _columns(body: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """The columns of a body and the types that answers name; null is not a value."""
    columns: dict[str, Any] = {}
    types: dict[str, str] = {}
    for name, value in body.items():
        if value is None or "odata." in name or name in ("PartitionKey", "RowKey", "Timestamp"):
            continue
        kind = body.get(f"{name}@odata.type")
        if kind in _TOLD:
            types[name] = kind
        elif isinstance(value, str) and len(value.encode("utf-16-le")) > 2 * TEXT:
            raise _TableError(
                400, "PropertyValueTooLarge", "The property value exceeds the maximum allowed size (64KB)."
            )
        columns[name] = float(value) if kind == "Edm.Double" else value
    return columns, types


def _matching(table: Mapping[str, Mapping[str, _Row]], where: str, start: tuple[str, str]) -> Iterator[_Row]:
    """The rows that match a filter, ordered by key, from a pair of keys on."""
    terms = where.split(" and ") if where else []
    conditions = [_match(_COMPARISON, text) for text in terms if not _NUMBER.fullmatch(text)]
    numbers = [_match(_NUMBER, text) for text in terms if _NUMBER.fullmatch(text)]

    def fits(column: str, value: str) -> bool:
        return all(_COMPARE[how](value, wanted) for name, how, wanted in conditions if name == column)

    def counts(row: _Row) -> bool:
        return all(name in row.columns and _COMPARE[how](row.columns[name], float(n)) for name, how, n in numbers)

    wanted = [text for name, how, text in conditions if (name, how) == ("PartitionKey", "eq")]
    partitions = sorted(name for name in (wanted[:1] or table) if name in table and fits("PartitionKey", name))
    for partition in partitions[bisect.bisect_left(partitions, start[0]) :]:
        keys = sorted(key for key in table[partition] if fits("RowKey", key))
        begin = bisect.bisect_left(keys, start[1]) if partition == start[0] else 0
        yield from (row for key in keys[begin:] if counts(row := table[partition][key]))


def _match(pattern: re.Pattern[str], text: str) -> tuple[str, str, str]:
    found = pattern.fullmatch(text)
    if not found:
        raise NotImplementedError(f"the filter {text} is not simulated")
    return found[1], found[2], found[3].replace("''", "'")


def _encoded(key: str) -> str:
    """A key in a continuation token, as recorded: `1!16!cGs4MDEwMTZlOA--`."""
    text = base64.b64encode(key.encode()).decode().replace("=", "-")
    return f"1!{len(text)}!{text}"


def _decoded(token: str | None) -> str:
    return base64.b64decode(token.split("!", 2)[2].replace("-", "=")).decode() if token else ""
