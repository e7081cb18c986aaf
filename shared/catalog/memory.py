"""The catalog in the memory of one process: for the demo, a laptop and tests. It ends with the process.

Every call yields to other tasks once, so that all interleavings of a remote store can happen here, too.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from math import inf
from typing import Any

from shared.catalog import future_times as times
from shared.catalog import history
from shared.domain.catalog_rows import WHOLE_ZONE, Lease, LeaseHolder, LogPage, NameIndexEntry, Versioned, tick
from shared.domain.catalog_state import BadRow, CatalogState, WriteStamp
from shared.domain.clock import Clock
from shared.domain.counters import ProcessCounters
from shared.domain.dirty import DirtyName, RecordChange
from shared.domain.endpoints import EndpointRow
from shared.domain.errors import Conflict
from shared.domain.overrides import Override
from shared.domain.probes import EvidencePage, VantageRow
from shared.domain.zone_findings import ZoneFindings


class MemoryCatalog:
    """Implements `ports.Catalog`."""

    def __init__(self) -> None:
        self._etags = (str(number) for number in itertools.count(1))
        self._endpoints: dict[str, Versioned[EndpointRow]] = {}
        self._index: dict[tuple[str, str], Versioned[NameIndexEntry]] = {}
        self._by_name: dict[str, dict[str, None]] = {}
        self._dirty: dict[str, dict[str, Versioned[DirtyName]]] = {}
        self._leases: dict[str, tuple[str, float, tuple[WriteStamp, ...] | None]] = {}
        self._overrides: dict[str, Versioned[Override]] = {}
        self._history: dict[tuple[str, str], Sequence[RecordChange]] = {}
        self._log: dict[str, list[RecordChange]] = {}
        self._owned: dict[str, dict[str, str]] = {}
        self._findings: dict[str, Versioned[ZoneFindings]] = {}
        self._state: Versioned[CatalogState] | None = None
        self._vantages: dict[str, Versioned[VantageRow]] = {}
        self._evidence: dict[tuple[str, int], EvidencePage] = {}
        self._process_counters: dict[str, ProcessCounters] = {}
        self._clock: Clock | None = None
        self._leased_at: dict[str, float] = {}

    async def open(self, clock: Clock) -> None:
        """With one process there is one clock: nothing to correct, but the clock may be set back."""
        self._clock = clock

    def _now(self) -> float:
        return self._clock() if self._clock else inf

    def _without_future_times(self, found: dict[Any, Versioned[Any]]) -> None:
        """Correct, in place, the times of rows that were written before the clock was set back."""
        now = self._now()
        for key, row in found.items():
            if (right := times.without_future_times(row, now)) is not row:
                found[key] = right

    async def location(self) -> Mapping[str, str]:
        return {"kind": "memory", "account": "", "table": ""}

    async def take_over(self) -> None:
        """Nothing to do: no earlier release used this memory."""

    async def purge_others(self, before: float) -> None:
        """Nothing to do: no other deployment uses this memory."""

    async def bad_rows(self) -> Sequence[BadRow]:
        return ()

    async def forget_bad_rows(self, before: float) -> None:
        """Nothing to do: values in memory are always readable."""

    async def endpoint(self, key: str) -> Versioned[EndpointRow] | None:
        await asyncio.sleep(0)
        row = self._endpoints.get(key)
        return row and times.without_future_times(row, self._now())

    async def endpoints(self) -> Sequence[Versioned[EndpointRow]]:
        await asyncio.sleep(0)
        self._without_future_times(self._endpoints)
        return tuple(self._endpoints.values())

    async def claimants(self, name: str) -> Sequence[EndpointRow]:
        await asyncio.sleep(0)
        keys = tuple(self._by_name.get(name, ()))
        await asyncio.sleep(0)
        now = self._now()
        return tuple(times.without_future_times(row, now).value for key in keys if (row := self._endpoints.get(key)))

    async def put_endpoint(self, row: EndpointRow, etag: str | None) -> str:
        await asyncio.sleep(0)
        key = row.endpoint.key
        _require_etag(self._endpoints.get(key), etag, f"endpoint row {key}")
        self._endpoints[key] = Versioned(row, next(self._etags))
        return self._endpoints[key].etag

    async def purge_endpoint(self, key: str, etag: str) -> None:
        await asyncio.sleep(0)
        _require_etag(self._endpoints.get(key), etag, f"endpoint row {key}")
        del self._endpoints[key]

    async def index(self, name: str, key: str, now: float) -> None:
        await asyncio.sleep(0)
        self._index[name, key] = Versioned(NameIndexEntry(name, key, now), next(self._etags))
        self._by_name.setdefault(name, {})[key] = None

    async def indexed(self) -> Sequence[Versioned[NameIndexEntry]]:
        await asyncio.sleep(0)
        self._without_future_times(self._index)
        return tuple(self._index.values())

    async def purge_index(self, row: Versioned[NameIndexEntry]) -> None:
        await asyncio.sleep(0)
        name, key = row.value.name, row.value.key
        _require_etag(self._index.get((name, key)), row.etag, f"index row {name} {key}")
        del self._index[name, key]
        del self._by_name[name][key]
        if not self._by_name[name]:
            del self._by_name[name]

    async def mark_dirty(self, dirty: DirtyName) -> None:
        await asyncio.sleep(0)
        rows = self._dirty.setdefault(dirty.zone, {})
        old = rows[dirty.name].value if dirty.name in rows else None
        if old:
            dirty = replace(
                old,
                urgency=min(old.urgency, dirty.urgency),
                since=min(old.since, dirty.since),
                cleared=old.cleared or dirty.cleared,
                adopt=old.adopt or dirty.adopt,
                regain=old.regain or dirty.regain,
                cause=dirty.cause,
                by=dirty.by,
                reason_given=dirty.reason_given,
            ).with_newer_addresses(dirty)
        rows[dirty.name] = Versioned(dirty, next(self._etags))

    async def dirty(self, zone: str) -> Sequence[Versioned[DirtyName]]:
        await asyncio.sleep(0)
        self._without_future_times(self._dirty.get(zone, {}))
        return tuple(self._dirty.get(zone, {}).values())

    async def dirty_name(self, zone: str, name: str) -> Versioned[DirtyName] | None:
        await asyncio.sleep(0)
        row = self._dirty.get(zone, {}).get(name)
        return row and times.without_future_times(row, self._now())

    async def put_dirty(self, dirty: DirtyName, etag: str) -> None:
        await asyncio.sleep(0)
        rows = self._dirty.get(dirty.zone, {})
        _require_etag(rows.get(dirty.name), etag, f"dirty row {dirty.name}")
        rows[dirty.name] = Versioned(dirty, next(self._etags))

    async def remove_dirty(self, zone: str, name: str, etag: str) -> None:
        await asyncio.sleep(0)
        rows = self._dirty.get(zone, {})
        _require_etag(rows.get(name), etag, f"dirty row {name}")
        del rows[name]

    async def acquire(self, zone: str, holder: str, now: float, seconds: float) -> Lease | None:
        await asyncio.sleep(0)
        other, expires, spent = self._leases.get(zone, ("", 0.0, ()))
        if other not in ("", holder) and expires > now:
            return None
        known = spent if other in ("", holder) else None
        self._leases[zone], self._leased_at[zone] = (holder, now + seconds, known), now
        return Lease(zone, now + seconds, known)

    async def release(self, zone: str, holder: str, spent: Sequence[WriteStamp]) -> None:
        await asyncio.sleep(0)
        if self._leases.get(zone, ("", 0.0, ()))[0] == holder:
            self._leases[zone] = ("", 0.0, tuple(spent))
            self._leased_at[zone] = self._clock() if self._clock else 0.0

    async def lease_holder(self, zone: str, seconds: float) -> LeaseHolder:
        await asyncio.sleep(0)
        holder, expires, spent = self._leases.get(zone, ("", 0.0, ()))
        return LeaseHolder(holder, min(expires, self._now() + seconds), spent, self._leased_at.get(zone, 0.0))

    async def state(self) -> Versioned[CatalogState] | None:
        await asyncio.sleep(0)
        return self._state and times.without_future_times(self._state, self._now())

    async def put_state(self, state: CatalogState, etag: str | None) -> str:
        await asyncio.sleep(0)
        _require_etag(self._state, etag, "the marker")
        self._state = Versioned(state, next(self._etags))
        return self._state.etag

    async def overrides(self) -> Sequence[Versioned[Override]]:
        await asyncio.sleep(0)
        return tuple(self._overrides.values())

    async def put_override(self, override: Override) -> None:
        await asyncio.sleep(0)
        self._overrides[override.target] = Versioned(override, next(self._etags))

    async def purge_override(self, target: str, etag: str | None = None) -> None:
        await asyncio.sleep(0)
        if etag is not None:
            _require_etag(self._overrides.get(target), etag, f"the override of {target}")
        self._overrides.pop(target, None)

    async def findings(self, zone: str) -> Versioned[ZoneFindings] | None:
        await asyncio.sleep(0)
        return self._findings.get(zone)

    async def put_findings(self, found: ZoneFindings, etag: str | None) -> str:
        await asyncio.sleep(0)
        _require_etag(self._findings.get(found.zone), etag, f"the findings of {found.zone}")
        self._findings[found.zone] = Versioned(found, next(self._etags))
        return self._findings[found.zone].etag

    async def add_history(self, zone: str, changes: Sequence[RecordChange]) -> None:
        await asyncio.sleep(0)
        self._log.setdefault(zone, []).extend(changes)
        for name, part in history.split_by_name(changes):
            whole = history.append_bounded(name, part, self._history.get((zone, name), ()))
            self._history[zone, name] = whole
            if history.is_ours(name, whole):
                self._owned.setdefault(zone, {})[name] = next(self._etags)
            else:
                self._owned.get(zone, {}).pop(name, None)

    async def history(self, zone: str, name: str = WHOLE_ZONE) -> Sequence[RecordChange]:
        await asyncio.sleep(0)
        kept = Versioned(self._history.get((zone, name), ()), "")
        return times.without_future_times(kept, self._now()).value

    async def log(self, zone: str, since: float, until: float) -> LogPage:
        await asyncio.sleep(0)
        found = (past for past in self._log.get(zone, ()) if tick(since) <= tick(past.at) < tick(until))
        return LogPage(tuple(sorted(found, key=lambda past: past.at)), until)

    async def purge_history(self, before: float, zones: Collection[str]) -> None:
        await asyncio.sleep(0)
        self._log = {zone: [past for past in log if past.at >= before] for zone, log in self._log.items()}
        self._owned = {zone: names for zone, names in self._owned.items() if zone in zones}
        self._history = {
            (zone, name): changes
            for (zone, name), changes in self._history.items()
            if changes[0].at >= before or name in self._owned.get(zone, ())
        }

    async def owned(self, zone: str) -> Mapping[str, str]:
        await asyncio.sleep(0)
        return dict(self._owned.get(zone, {}))

    async def is_owned(self, zone: str, name: str) -> bool:
        await asyncio.sleep(0)
        return name in self._owned.get(zone, ())

    async def record_owned(self, zone: str, names: Collection[str]) -> None:
        await asyncio.sleep(0)
        for name in names:
            self._owned.setdefault(zone, {})[name] = next(self._etags)

    async def remove_owned(self, zone: str, names: Mapping[str, str]) -> None:
        await asyncio.sleep(0)
        held = self._owned.get(zone, {})
        for name, etag in names.items():
            if held.get(name) == etag:
                del held[name]

    async def vantage(self, vantage: str) -> Versioned[VantageRow] | None:
        await asyncio.sleep(0)
        row = self._vantages.get(vantage)
        return row and times.without_future_times(row, self._now())

    async def put_vantage(self, row: VantageRow, etag: str | None) -> str:
        await asyncio.sleep(0)
        _require_etag(self._vantages.get(row.vantage), etag, f"the row of vantage {row.vantage}")
        self._vantages[row.vantage] = Versioned(row, next(self._etags))
        return self._vantages[row.vantage].etag

    async def evidence(self, vantage: str) -> Sequence[EvidencePage]:
        await asyncio.sleep(0)
        found = (Versioned(page, "") for page in self._evidence.values() if page.vantage == vantage)
        return tuple(times.without_future_times(page, self._now()).value for page in found)

    async def put_evidence(self, page: EvidencePage) -> None:
        await asyncio.sleep(0)
        self._evidence[page.vantage, page.number] = page

    async def purge_evidence(self, vantage: str, number: int) -> None:
        await asyncio.sleep(0)
        self._evidence.pop((vantage, number), None)

    async def purge_vantages(self, but: str, before: float) -> None:
        """A row is as old as its last round, and evidence as old as the row of its vantage."""
        await asyncio.sleep(0)
        old = {key for key, row in self._vantages.items() if key != but and row.value.at < before}
        self._vantages = {key: row for key, row in self._vantages.items() if key not in old}
        self._evidence = {key: page for key, page in self._evidence.items() if key[0] not in old}

    async def process_counters(self) -> Sequence[ProcessCounters]:
        await asyncio.sleep(0)
        return tuple(self._process_counters.values())

    async def put_process_counters(self, counters: ProcessCounters) -> None:
        await asyncio.sleep(0)
        self._process_counters[counters.instance] = counters

    async def purge_process_counters(self, before: float) -> None:
        await asyncio.sleep(0)
        self._process_counters = {key: each for key, each in self._process_counters.items() if each.at >= before}


def _require_etag(row: Versioned[object] | None, etag: str | None, what: str) -> None:
    if (row.etag if row else None) != etag:
        raise Conflict(f"{what} has changed")
