"""The catalog's rows as a table would return them: stored on disk, and read by the app's own table catalog.

The simulated table is filled row by row, without the SDK, in the format of the app's own code.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

from benchmarks import recorded
from benchmarks.recorded import Recorded, Token
from benchmarks.stage import RecordingTransport
from shared.catalog import codec as rows
from shared.catalog.storage_account import TABLE, Account, connect
from shared.catalog.table import TableCatalog
from shared.domain.resource_ids import digest
from shared.loop.reconciler import Reconciler
from simulator.arm.front_door import Request
from simulator.tables import Tables

ACCOUNT = Account(endpoint="https://nearzone.table.core.windows.net", audience="https://storage.azure.com")


async def keep(folder: Path, app: Reconciler) -> None:
    """Write the responses of a table to a read of all endpoints and the whole index of an app's catalog.

    Raises RuntimeError if the app's catalog writes its rows in another format.
    """
    tables = Tables(app.clock)
    _post(tables, "Tables", {"TableName": TABLE})
    endpoints, indexed = await app.catalog.endpoints(), await app.catalog.indexed()
    for endpoint in endpoints:
        key = digest(endpoint.value.endpoint.key)
        _post(tables, TABLE, rows.encode_row("endpoints", key, endpoint.value, "an endpoint"))
    for row in indexed:
        key = rows.index_key(row.value.name, row.value.key)
        _post(tables, TABLE, rows.encode_row("index", key, row.value, "an index row"))
    wire = RecordingTransport(tables)
    wire.answers = []
    async with connect(ACCOUNT, Token(), wire) as client:
        catalog = TableCatalog(client)
        found = len(await catalog.endpoints()), len(await catalog.indexed())
    if found != (len(endpoints), len(indexed)):
        raise RuntimeError(f"the table does not give back what was put into it: {found}")
    recorded.keep(folder, wire.answers)


def _post(tables: Tables, path: str, row: object) -> None:
    response = tables.handle(Request("POST", f"/{path}", body=msgspec.json.encode(row)))
    if response.status >= 300:
        raise RuntimeError(f"{path}: {response}")


async def cpu(folder: Path, rounds: int) -> dict[str, float]:
    """CPU seconds, the smallest of some rounds, of reading all endpoints, and of reading the whole index."""
    async with connect(ACCOUNT, Token(), Recorded(folder)) as client:
        catalog = TableCatalog(client)
        return {
            "endpoints": min([await _cpu_of(catalog.endpoints) for _ in range(rounds)]),
            "indexed": min([await _cpu_of(catalog.indexed) for _ in range(rounds)]),
        }


async def _cpu_of(work: Callable[[], Awaitable[object]]) -> float:
    begun = time.process_time()
    await work()
    return time.process_time() - begun
