"""The catalogs that instances share, and how the ledger learns of every call that takes effect, died or not.

In memory: one catalog, reached call by call. In Azure Table Storage: each instance has a catalog of its own on one
simulated table, and each request to that is a step; so the ledger reads the rows that are written, as they are written.
"""

import json

from azure.data.tables import TableEntity

from shared.catalog import codec as rows
from shared.catalog import lease_rows, vantage_rows
from shared.catalog.memory import MemoryCatalog
from shared.catalog.storage_account import Account, connect
from shared.catalog.table import TableCatalog
from shared.domain.catalog_rows import Lease
from shared.domain.dirty import DirtyName
from simulator.front_ends.transport import SimulatorTransport
from simulator.tables import _ROW, Tables
from tests.simulation.catalog_faults import FaultyCatalog, FrailTransport, Uniform, table_faults
from tests.support.azurite import connection
from tests.support.deployment import Token

READS = ("endpoint", "endpoints", "claimants", "overrides", "vantage", "evidence")


class Noted:
    """A catalog, and the ledger that is told of calls that took effect. `only`: of these calls, None: of all."""

    def __init__(self, catalog, ledger, only=None):
        self.catalog, self.ledger, self.only = catalog, ledger, only

    def __getattr__(self, name):
        call = getattr(self.catalog, name)
        if self.only is None or name in self.only:
            call = self._noted(name, call)
        setattr(self, name, call)
        return call

    def _noted(self, name, call):
        before = getattr(self.ledger, f"before_{name}", None)
        after = getattr(self.ledger, f"after_{name}", None)

        async def noted(*args, **kwargs):
            began = self.ledger.clock()
            if before:
                before(*args, **kwargs)
            result = await call(*args, **kwargs)
            if after:
                after(result, began, *args, **kwargs)
            return result

        return noted


class InMemory:
    """One catalog in memory for all."""

    def __init__(self, ledger, weather, seconds, trace):
        self.whole = MemoryCatalog()
        self._noted = Noted(self.whole, ledger)
        self._weather, self._seconds, self._trace = weather, seconds, trace

    def open(self, life):
        """One instance's way to it."""
        return FaultyCatalog(self._noted, life, self._weather, self._seconds, self._trace)

    def wipe(self):
        """Every row is gone; etags go on, for no service gives one twice."""
        held = self.whole
        rows = (held._endpoints, held._index, held._by_name, held._dirty, held._leases, held._overrides)
        for found in (*rows, held._history, held._log, held._owned, held._findings, held._process_counters):
            found.clear()
        held._vantages.clear()
        held._evidence.clear()
        held._state = None


class InTable:
    """One table for all, and a catalog on it for each. It is the witness of its own requests."""

    WEIGHT = 4

    def __init__(self, ledger, weather, seconds, trace):
        self.ledger, self.trace = ledger, trace
        self._tables = Tables(ledger.clock)
        self._latency, self._faults = Uniform(weather.rng, seconds), table_faults(weather)
        self._zones = {rows.dirty_partition(zone): zone for zone in ledger.history.zones}
        self._targets = {}
        self.whole = self._catalog(SimulatorTransport(self._tables))

    def _catalog(self, transport):
        return TableCatalog(connect(Account(connection=connection(1)), Token(), transport))

    def open(self, life):
        """One instance's way to it."""
        catalog = self._catalog(FrailTransport(self, life, self._latency, self._faults))
        return Noted(catalog, self.ledger, READS)

    def wipe(self):
        """Every row is gone."""
        self._tables.wipe()

    def sending(self, life, request):
        """An instance is about to write; nothing of a row is judged before it is written."""

    def handle(self, life, request):
        """The table's answer; whatever was written is noted."""
        response = self._tables.handle(request)
        if self.trace.on:
            self.trace(life.name, f"table {request.method}", f"{request.path[-90:]} -> {response.status}")
        if request.method != "GET" and response.status < 300 and not request.path.endswith("/Tables"):
            body = json.loads(request.body or b"{}")
            found = _ROW.fullmatch(request.path)
            partition, key = found.group(2, 3) if found else (body["PartitionKey"], body["RowKey"])
            note = getattr(self, f"_{partition.split(':')[0]}")
            note(request, body, partition, key, response.headers.get("etag"))
        return response

    def _endpoints(self, request, body, _partition, _key, etag):
        if request.method != "DELETE":
            row = rows.ENDPOINT.decode(body["body"])
            self.ledger.after_put_endpoint(etag, self.ledger.clock(), row, request.headers.get("if-match"))

    def _index(self, request, body, _partition, _key, _etag):
        if request.method != "DELETE":
            value = rows.INDEX_ENTRY.decode(body["body"])
            self.ledger.after_index(None, self.ledger.clock(), value.name, value.key, value.at)

    def _dirty(self, request, body, partition, key, etag):
        now, zone = self.ledger.clock(), self._zones[partition]
        if request.method == "DELETE":
            self.ledger.after_remove_dirty(None, now, zone, key, etag)
        elif request.method == "POST" or "mark" in body:
            self.ledger.after_mark_dirty(None, now, DirtyName(zone, key))

    def _leases(self, _request, body, _partition, _key, _etag):
        row = lease_rows.LEASE.decode(body["body"])
        if row.holder:
            lease = Lease(row.zone, row.expires, row.spent)
            self.ledger.after_acquire(lease, self.ledger.clock(), row.zone, row.holder, None, None)
        else:
            self.ledger.leases.pop(row.zone, None)

    def _marker(self, _request, body, _partition, _key, _etag):
        self.ledger.after_put_state(None, self.ledger.clock(), rows.STATE.decode(body["body"]))

    def _vantages(self, _request, body, _partition, _key, etag):
        row = vantage_rows.read_vantage(_entity(body, etag)).value
        self.ledger.after_put_vantage(etag, None, row, None)

    def _evidence(self, request, body, _partition, _key, etag):
        if request.method != "DELETE":
            self.ledger.after_put_evidence(None, None, vantage_rows.read_evidence(_entity(body, etag)).value)

    def _history(self, _request, _body, _partition, _key, _etag):
        """For people; no write is decided by it but those that people order."""

    def _log(self, _request, _body, _partition, _key, _etag):
        """For people."""

    def _found(self, _request, _body, _partition, _key, _etag):
        """For people."""

    def _tallies(self, _request, _body, _partition, _key, _etag):
        """For people."""

    def _unreadable(self, _request, _body, _partition, _key, _etag):
        """For people."""

    def _orders(self, request, body, _partition, key, _etag):
        now = self.ledger.clock()
        if request.method == "DELETE":
            self.ledger.after_purge_override(None, now, self._targets.get(key, ""))
        else:
            order = rows.OVERRIDE.decode(body["body"])
            self._targets[key] = order.target
            self.ledger.after_put_override(None, now, order)


def _entity(body, etag):
    """A row as the service gives it."""
    found = TableEntity(body)
    found._metadata = {"etag": etag}
    return found
