"""The durable catalog as in Azure, on simulated tables with the latency of a storage account in the same region.

Each instance of the app has its own client, as each process has.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from benchmarks.recorded import Token
from benchmarks.stage import CATALOG_SECONDS
from shared.catalog.storage_account import TABLE, Account, connect
from shared.catalog.table import TableCatalog
from simulator.arm.front_door import Request
from simulator.front_ends.transport import SimulatorTransport
from simulator.tables import Tables
from simulator.timing.latency import Latency

ACCOUNT = Account(endpoint="https://benchmark.table.core.windows.net", audience="https://storage.azure.com")


class LowLatency(Latency):
    """Every request takes the same time."""

    def of(self, request: Request) -> float:  # noqa: ARG002 - the same for every request
        """Return seconds from sending a request to its response."""
        return self.scale


class SharedTable:
    """A storage account with the catalog's table. `seconds`: how long a request takes."""

    def __init__(self, clock: Callable[[], float], seconds: float = CATALOG_SECONDS, table: str = TABLE) -> None:
        self.tables = Tables(clock)
        self._seconds = seconds
        self._table = table

    def open(self) -> TableCatalog:
        """Return the catalog of one instance."""
        transport = SimulatorTransport(self.tables, LowLatency(Random(), self._seconds))
        return TableCatalog(connect(ACCOUNT, Token(), transport, self._table))
