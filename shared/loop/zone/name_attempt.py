"""One attempt to settle a dirty name: gather what is known, decide, act.

The steps, in this order: read the dirty row, read the record set, read the claims, write on condition, remove the dirty
row on condition. A failed condition leaves the name dirty. The order is model-checked (tests/protocol).
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass, replace

from shared.decide.decision import HoldBack, NameInputs, decide, next_step, unread_claimants
from shared.decide.plan import Change, Skip, has_no_owner_tag
from shared.decide.rules import Rules
from shared.domain.catalog_rows import Versioned
from shared.domain.dirty import DirtyName, RecordChange
from shared.domain.errors import Conflict, Terminal, Transient
from shared.domain.overrides import active_freeze
from shared.domain.zones import RecordSet, Zone
from shared.edge.report import decision_log_line
from shared.loop.zone.history_writer import HistoryWriter
from shared.loop.zone.outcomes import Done, Failure, Outcome, PastDeadline, ZoneFrozen
from shared.loop.zone.record_cache import RecordSetCache
from shared.loop.zone.record_reads import CachedRecordSet
from shared.loop.zone.record_writer import RecordWriter
from shared.loop.zone.services import ApplyRequest, LoopServices

_log = logging.getLogger("nearzone")


@dataclass
class NameAttempts:
    """The attempts of one run in one zone."""

    services: LoopServices
    zone: Zone
    request: ApplyRequest
    cache: RecordSetCache
    writer: RecordWriter
    history: HistoryWriter

    async def attempt(self, row: Versioned[DirtyName]) -> Outcome | Failure:
        """Settle one name. `row` was read before anything else of the name is."""
        self.request.report.tried.add((self.zone.key, row.value.name))
        try:
            return await self._settle(row)
        except (Conflict, Transient, Terminal) as error:
            return error

    async def _settle(self, row: Versioned[DirtyName]) -> Outcome:
        dirty, generation = row.value, self.writer.lease.generation
        cached = await self.cache.cached_or_fetch(row, self.request.deadline)
        if isinstance(cached, PastDeadline):
            return cached
        step = await self._decide(dirty, cached.record_set)
        # To do nothing is right only on a read that began after the dirty row was read.
        if (step is None or isinstance(step, Skip)) and cached.dirty_etag != row.etag:
            cached = await self.cache.reads.fetch(dirty.name, row.etag, self.request.deadline)
            if isinstance(cached, PastDeadline):
                return cached
            step = await self._decide(dirty, cached.record_set)
        if isinstance(step, HoldBack | ZoneFrozen):
            return step
        if isinstance(step, Skip):
            await self._report_skip(step, dirty, cached.at)
        if isinstance(step, Change):
            outcome = await self._change(step, dirty, cached, generation)
            if not isinstance(outcome, Done):
                return outcome
        with suppress(Conflict):  # Marked again meanwhile: the row stays.
            await self.services.catalog.remove_dirty(self.zone.key, dirty.name, row.etag)
        return Done()

    async def _decide(self, dirty: DirtyName, actual: RecordSet | None) -> Change | Skip | HoldBack | ZoneFrozen | None:
        """Decide from claims and overrides that are read after the record set, and from verdicts that are read last.

        An endpoint that must answer a probe first gets its verdict before its claim: see `probing/first_probe.py`.
        """
        services = self.services
        claimants, overrides = await asyncio.gather(services.catalog.claimants(dirty.name), services.active_overrides())
        if active_freeze(self.zone, overrides):
            return ZoneFrozen()
        rules = Rules(services.settings, services.latency, overrides, await services.measured())
        unread = unread_claimants(claimants, services.clock())
        was_ours = has_no_owner_tag(actual) and await services.catalog.is_owned(self.zone.key, dirty.name)
        inputs = NameInputs(
            dirty.name,
            [row.endpoint for row in claimants],
            actual,
            was_ours=was_ours,
            adopt=dirty.adopt or (dirty.regain and was_ours),
            only_remove=unread > 0,
        )
        decision = decide(self.zone, inputs, rules)
        # Asked after the claims were read: a catalog that was lost before that would have shown none.
        complete = not decision.narrows or await self._is_complete()
        approved = dirty.cleared
        return next_step(self.zone, decision, unread=unread, guard_approved=approved, catalog_complete=complete)

    async def _is_complete(self) -> bool:
        """Whether the catalog still is the one that knew every claim when the call began."""
        epoch = self.request.epoch
        return epoch is not None and await self.services.complete_epoch() == epoch

    async def _report_skip(self, skip: Skip, dirty: DirtyName, read_at: float) -> None:
        self.request.report.skips.append(skip)
        _log.info("%s", decision_log_line("skip", self.zone, dirty, reason=skip.reason))
        if skip.blocked and skip.blocked.concerns:
            blocked = replace(skip.blocked, at=read_at)
            self.request.report.alarms += await self.services.zone_findings.note(self.zone, blocked)

    async def _change(self, change: Change, dirty: DirtyName, cached: CachedRecordSet, generation: int) -> Outcome:
        """Write, unless the app only reports (shadow mode)."""
        applies = self.services.settings.apply
        if applies:
            self.cache.put(change.name, cached)
            outcome = await self.writer.write(change, generation)
            if not isinstance(outcome, Done):
                return outcome
            self._record_write(change, dirty)
        self.request.report.changes.append(change)
        what = change.word if applies else f"would {change.word}"
        _log.info("%s", decision_log_line(what, self.zone, dirty, change.old, change.new, change.reason))
        return Done()

    def _record_write(self, change: Change, dirty: DirtyName) -> None:
        """Measure a write, and have it kept in the history."""
        now, region = self.services.clock(), self.zone.region
        self.services.metrics("writes", 1, zone=region, kind=change.kind)
        if dirty.cause.startswith("event "):
            self.services.metrics("delivery_to_dns", max(0.0, now - dirty.since), zone=region)
        past = RecordChange(
            change.name,
            now,
            change.word,
            change.old,
            change.new,
            change.reason,
            dirty.cause,
            dirty.by,
            dirty.reason_given,
        )
        self.history.add(past)
