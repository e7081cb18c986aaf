"""The way to the table for the whole process: conditions, paging, the time that a call may take, and its errors.

Knows rows, partitions, keys and etags, and nothing of what the rows mean. The SDK's errors become ours here and nowhere
else. The table is made when a write finds it missing: at the first use, and after somebody has deleted it.
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
"""How long a call may take, the SDK's own retries included; of a listing, each page."""

_CODE = re.compile(rb'"code":\s*"(\w+)"')

_AGAIN = {"retry_on_methods": frozenset({"POST", "PUT", "PATCH"})}
"""Lets the SDK send a write again whose answer was lost. A second insert is a conflict, the others change nothing."""

Row = Mapping[str, Any]


class TableRows:
    """Rows of one table. Every call may raise Transient, Forbidden and Terminal.

    `clock`: learns from every answer what time it is at the storage account.
    """

    def __init__(self, client: TableClient, clock: Clock | None = None) -> None:
        self._client = client
        self.clock = clock

    async def get(self, partition: str, key: str) -> TableEntity | None:
        """One row; None where there is none, or no table."""
        async with translate_errors():
            try:
                return await self._client.get_entity(partition, key, **self._heard())
            except ResourceNotFoundError:
                return None

    async def query(self, where: str, columns: Sequence[str] | None, enough: float = inf) -> list[TableEntity]:
        """These columns (None: all) of all rows that a filter finds; none where there is no table.

        `enough`: after so many rows no further page is asked for.

        A row comes with its etag whatever is selected, and a selected column that it lacks is None or not there.
        Sources: recording `test_query_entities_with_select` of azure-data-tables, Azure/Azurite#2535.
        """
        pages = self._client.query_entities(where, select=list(columns) if columns else None, **self._heard()).by_page()
        rows: list[TableEntity] = []
        while True:
            async with translate_errors():
                try:
                    page = await anext(pages, None)
                    if page is None:
                        return rows
                    rows += [row async for row in page]
                    if len(rows) >= enough:
                        return rows
                except ResourceNotFoundError:  # Also where the table goes in the middle of it.
                    return []

    async def insert(self, row: Row) -> str:
        """Write a row that is not there yet; gives its etag. Raises Conflict."""
        options = {"response_preference": "return-no-content", **_AGAIN, **self._heard()}
        return await self._write(lambda: self._client.create_entity(row, **options))

    async def replace(self, row: Row, etag: str, *, merge: bool = False) -> str:
        """Write a row anew if it still has this etag; gives the new one. `merge` as in `upsert`. Raises Conflict."""
        options, mode = {**_condition(etag), **self._heard()}, UpdateMode.MERGE if merge else UpdateMode.REPLACE
        return await self._write(lambda: self._client.update_entity(row, mode, **options))

    async def upsert(self, row: Row, *, merge: bool = False) -> str:
        """Write a row whatever was there; `merge`: keep the columns that are not given. Gives its etag."""
        mode = UpdateMode.MERGE if merge else UpdateMode.REPLACE
        return await self._write(lambda: self._client.upsert_entity(row, mode, **_AGAIN, **self._heard()))

    async def delete(self, partition: str, key: str, etag: str | None) -> None:
        """Remove a row if it still has this etag (None: whatever it has). Raises Conflict, also where it is gone."""
        statuses: list[int] = []  # The SDK says nothing when a row is not there.
        async with translate_errors():
            await self._client.delete_entity(partition, key, **_condition(etag), **self._heard(statuses))
        if etag and statuses[-1] == 404:
            raise Conflict(f"the row {key} of {partition} is gone")

    async def _write(self, call: Callable[[], Awaitable[Mapping[str, Any]]]) -> str:
        async with translate_errors():
            try:
                written = await call()
            except HttpResponseError as error:
                if _code(error) != "TableNotFound":
                    raise
                with suppress(ResourceExistsError):  # Somebody was faster.
                    await self._client.create_table()
                written = await call()
        return str(written["etag"])

    def _heard(self, statuses: list[int] | None = None) -> dict[str, Any]:
        """The option of a call that lets the clock learn from its answers, and notes their statuses.

        The answer to a second try is taken for one to the first: it allows more, and so corrects less.
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
    """Every error of the SDK inside becomes one of ours, and no call takes longer than `CALL_SECONDS`."""
    try:
        async with asyncio.timeout(CALL_SECONDS):
            yield
    except HttpResponseError as error:
        raise error_of(error) from error
    except AzureError as error:
        raise Transient(f"the catalog's storage account cannot be reached: {error.message}") from error
    except TimeoutError as error:
        raise Transient(f"the catalog's storage account has not answered within {CALL_SECONDS:g} s") from error


def error_of(error: HttpResponseError) -> Exception:
    """What an error of the SDK means, by its HTTP status: not all of its errors carry a code."""
    response: Any = error.response
    status, code = error.status_code, _code(error)
    words = error.message.splitlines()[0] if error.message else ""
    if response is None or status is None:
        return Transient(f"no token for the catalog's storage account: {words}")
    text = f"the catalog's storage account answers HTTP {status} {code}: {words}"[:500]
    if status in (401, 403):  # Not for good: what could not be kept has to come again.
        return Transient(
            f"{text} (the identity needs the role Storage Table Data Contributor on it, a connection string a key "
            "that is valid, and its network rules have to let the app in)"
        )
    if status in (408, 429) or status >= 500 or status < 400 or code in ("TableNotFound", "TableBeingDeleted"):
        return Transient(text, _seconds(response.headers.get("Retry-After")))
    return Conflict(text) if status in (404, 409, 412) else Terminal(text)


def _code(error: HttpResponseError) -> str:
    response: Any = error.response  # Of the SDK's own class, or of azure-core's older one.
    found = _CODE.search(bytes(response.content)) if response is not None else None
    return found[1].decode() if found else ""


def _seconds_of(date: str | None) -> float | None:
    """A header `Date` in seconds since the epoch."""
    try:
        return parsedate_to_datetime(date).timestamp() if date else None
    except ValueError:
        return None


def _seconds(retry_after: str | None) -> float | None:
    try:
        return max(0.0, float(retry_after)) if retry_after else None
    except ValueError:
        return None
