"""Access to the table for the whole process: conditions, paging, the time limit of a call, and its errors.

This module knows rows, partitions, keys and etags, and not what the rows mean. It translates the exceptions of the SDK.
A write that finds no table creates it: at the first use, and after a deletion of the table.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from email.utils import parsedate_to_datetime
from math import inf
from typing import Any

from azure.core import MatchConditions
from azure.core.exceptions import AzureError, HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.core.pipeline import PipelineResponse
from azure.data.tables import TableEntity, UpdateMode
from azure.data.tables.aio import TableClient

from shared.domain.clock import Clock
from shared.domain.errors import Conflict, Terminal, Transient

CALL_SECONDS = 10.0
"""Seconds that a call may take, with the SDK's own retries; in a listing, each page."""

_CODE = re.compile(rb'"code":\s*"(\w+)"')

_RETRY_WRITES = {"retry_on_methods": frozenset({"POST", "PUT", "PATCH"})}
"""Lets the SDK repeat a write whose response was lost. A repeated insert is a conflict, the others change nothing."""

Row = Mapping[str, Any]
KEY = ("PartitionKey", "RowKey")


class TableRows:
    """The rows of one table. Every call may raise Transient and Terminal.

    `clock`: corrected by the account's time in every response.
    """

    def __init__(self, client: TableClient, clock: Clock | None = None) -> None:
        self._client = client
        self.clock = clock

    def now(self) -> float:
        """Return the account's time, as far as it is known, in seconds since the epoch; infinity before the start."""
        return self.clock() if self.clock else inf

    async def get(self, partition: str, key: str) -> TableEntity | None:
        """Return one row; None if there is no such row, or no table."""
        async with translate_errors():
            try:
                return await self._client.get_entity(partition, key, **self._response_hook())
            except ResourceNotFoundError:
                return None

    async def query(self, where: str, columns: Sequence[str] | None, max_rows: float = inf) -> list[TableEntity]:
        """Return these columns (None: all) of all rows that match a filter; none if there is no table.

        `max_rows`: after so many rows no further page is read.

        A row has its etag whatever is selected, and a selected column that it lacks is None or absent. Sources:
        recording test_query_entities_with_select of azure-data-tables, Azure/Azurite#2535.
        """
        pages = self._client.query_entities(
            where, select=list(columns) if columns else None, **self._response_hook()
        ).by_page()
        rows: list[TableEntity] = []
        while True:
            async with translate_errors():
                try:
                    page = await anext(pages, None)
                    if page is None:
                        return rows
                    rows += [row async for row in page]
                    if len(rows) >= max_rows:
                        return rows
                except ResourceNotFoundError:  # Also if the table is deleted during the listing.
                    return []

    async def insert(self, row: Row) -> str:
        """Write a new row and return its etag. Raises Conflict if the row exists."""
        options = {"response_preference": "return-no-content", **_RETRY_WRITES, **self._response_hook()}
        return await self._write(lambda: self._client.create_entity(row, **options))

    async def replace(self, row: Row, etag: str, *, merge: bool = False) -> str:
        """Write a row if it still has this etag; return the new etag. `merge` as in `upsert`. Raises Conflict."""
        options, mode = {**_condition(etag), **self._response_hook()}, UpdateMode.MERGE if merge else UpdateMode.REPLACE
        return await self._write(lambda: self._client.update_entity(row, mode, **options))

    async def upsert(self, row: Row, *, merge: bool = False) -> str:
        """Write a row unconditionally; `merge`: keep the columns that are not given. Returns its etag."""
        mode = UpdateMode.MERGE if merge else UpdateMode.REPLACE
        return await self._write(
            lambda: self._client.upsert_entity(row, mode, **_RETRY_WRITES, **self._response_hook())
        )

    async def delete(self, partition: str, key: str, etag: str | None) -> None:
        """Delete a row if it still has this etag (None: any). Raises Conflict, also if the row does not exist."""
        statuses: list[int] = []  # The SDK does not report a missing row.
        async with translate_errors():
            await self._client.delete_entity(partition, key, **_condition(etag), **self._response_hook(statuses))
        if etag and statuses[-1] == 404:
            raise Conflict(f"the row {key} of {partition} is gone")

    async def _write(self, call: Callable[[], Awaitable[Mapping[str, Any]]]) -> str:
        async with translate_errors():
            try:
                written = await call()
            except HttpResponseError as error:
                if _code(error) != "TableNotFound":
                    raise
                with suppress(ResourceExistsError):  # Another process has just created it.
                    await self._client.create_table()
                written = await call()
        return str(written["etag"])

    def _response_hook(self, statuses: list[int] | None = None) -> dict[str, Any]:
        """Return the option of a call that corrects the clock by its responses, and records their statuses.

        If the SDK retries, the response counts as one to the first attempt: its bounds are wider, so it corrects less.
        """
        asked = self.clock.local() if self.clock else 0.0

        def hear(answer: PipelineResponse[Any, Any]) -> None:
            if statuses is not None:
                statuses.append(answer.http_response.status_code)
            date = _seconds_of(answer.http_response.headers.get("Date"))
            if self.clock and date is not None:
                self.clock.learn(date, asked)

        return {"raw_response_hook": hear}


def _condition(etag: str | None) -> dict[str, Any]:
    return {"etag": etag, "match_condition": MatchConditions.IfNotModified} if etag else {}


@asynccontextmanager
async def translate_errors() -> AsyncIterator[None]:
    """Translate every exception of the SDK, and limit the duration of a call to `CALL_SECONDS`."""
    try:
        async with asyncio.timeout(CALL_SECONDS):
            yield
    except HttpResponseError as error:
        raise error_of(error) from error
    except AzureError as error:
        raise Transient(f"the catalog's storage account cannot be reached: {error.message}") from error
    except TimeoutError as error:
        raise Transient(f"the catalog's storage account has not responded within {CALL_SECONDS:g} s") from error


def error_of(error: HttpResponseError) -> Exception:
    """Return our exception for an SDK exception, by its HTTP status: not all of them have a code."""
    response: Any = error.response
    status, code = error.status_code, _code(error)
    words = error.message.splitlines()[0] if error.message else ""
    if response is None or status is None:
        return Transient(f"no token for the catalog's storage account: {words}")
    text = f"the catalog's storage account answers HTTP {status} {code}: {words}"[:500]
    if status in (401, 403):  # Not Terminal: the write has to be retried once the role is assigned.
        return Transient(
            f"{text} (the identity needs the role Storage Table Data Contributor on it, a connection string a key "
            "that is valid, and its network rules have to let the app in)"
        )
    if status in (408, 429) or status >= 500 or status < 400 or code in ("TableNotFound", "TableBeingDeleted"):
        return Transient(text, _seconds(response.headers.get("Retry-After")))
    return Conflict(text) if status in (404, 409, 412) else Terminal(text)


def _code(error: HttpResponseError) -> str:
    response: Any = error.response  # Either the SDK's own class, or azure-core's older one.
    found = _CODE.search(bytes(response.content)) if response is not None else None
    return found[1].decode() if found else ""


def _seconds_of(date: str | None) -> float | None:
    """Return a header `Date` in seconds since the epoch."""
    try:
        return parsedate_to_datetime(date).timestamp() if date else None
    except ValueError:
        return None


def _seconds(retry_after: str | None) -> float | None:
    try:
        return max(0.0, float(retry_after)) if retry_after else None
    except ValueError:
        return None
