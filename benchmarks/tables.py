"""The durable catalog as it runs in Azure, on simulated tables that are as far away as a storage account of the region.

Each instance of the app has a client of its own, as each process has.
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


class Near(Latency):
    """Every request takes the same time."""

    def of(self, request: Request) -> float:  # noqa: ARG002 - whatever it is
        """Seconds from sending a request to having its answer."""
        return self.scale


class Shared:
    """A storage account with the catalog's table. `seconds`: how long a request takes."""

    def __init__(self, clock: Callable[[], float], seconds: float = CATALOG_SECONDS, table: str = TABLE) -> None:
        self.tables = Tables(clock)
        self._seconds = seconds
        self._table = table

    def open(self) -> TableCatalog:
        """The catalog as one instance has it."""
        transport = SimulatorTransport(self.tables, Near(Random(), self._seconds))
        return TableCatalog(connect(ACCOUNT, Token(), transport, self._table))
