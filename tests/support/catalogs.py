"""The catalogs that the tests run on: each is opened as often as there are processes that share it."""

import hashlib
import json
from contextlib import AsyncExitStack

from shared.catalog.memory import MemoryCatalog
from shared.catalog.storage_account import Account, connect
from shared.catalog.table import TableCatalog
from simulator.arm.front_door import Request, Response
from simulator.front_ends.transport import SimulatorTransport
from simulator.tables import Tables
from tests.support.azurite import connection
from tests.support.deployment import Token
from tests.support.small_world import in_virtual_time

SIMULATED = Account(connection=connection(1))


def client(tables, latency=None, faults=None):
    """A client of simulated tables, made as the app makes its own."""
    return connect(SIMULATED, Token(), SimulatorTransport(tables, latency, faults))


class Memory:
    """Handles on the memory of one process."""

    def __init__(self):
        self._catalog = MemoryCatalog()

    async def open(self):
        return self._catalog


class Table:
    """Clients of one table, simulated or of Azurite."""

    def __init__(self, make, stack):
        self._make = make
        self._stack = stack

    async def open(self):
        return TableCatalog(await self._stack.enter_async_context(self._make()))


async def opened(request):
    """For a fixture with the parameters memory, simulated and azurite: what hands out catalogs, empty at first."""
    async with AsyncExitStack() as stack:
        if request.param == "memory":
            yield Memory()
        elif request.param == "simulated":
            tables = Tables(lambda: 1_800_000_000.0)
            yield Table(lambda: client(tables), stack)
        else:
            account = Account(connection=request.getfixturevalue("azurite"))
            name = f"t{hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:60]}"
            yield Table(lambda: connect(account, Token(), table=name), stack)


class CatalogFixture:
    """A catalog on simulated tables, with every request that reaches them counted, in virtual time."""

    def __init__(self, loop, **options):
        self.loop = loop
        self.tables = Tables(loop.time, **options)
        self.requests = []
        self.faults = lambda request: None
        self.catalog = self.open()

    def open(self, latency=None):
        return TableCatalog(client(self, latency, self._fault))

    def _fault(self, request):
        return self.faults(request)

    def handle(self, request):
        self.requests.append(request)
        return self.tables.handle(request)

    async def cost(self, call):
        """How many requests a call makes; its result is kept."""
        before = len(self.requests)
        self.result = await call
        return len(self.requests) - before

    def raw(self, method, path, **columns):
        """What somebody else does to the table."""
        body = json.dumps(columns).encode() if columns else b""
        return self.tables.handle(
            Request(method, f"/nearzone{path}", {}, {"if-match": "*"} if body == b"" else {}, body)
        )


def on_catalog(story, **options):
    async def play(loop):
        return await story(CatalogFixture(loop, **options))

    return in_virtual_time(play)


def error(status, code, **headers):
    content = {"odata.error": {"code": code, "message": {"lang": "en-US", "value": f"{code} it is."}}}
    return Response(status, content, headers)
