"""Events: what one hints at is observed and recorded, and the names that this changes are applied.

An event fails, so that Event Grid delivers it again, only where its observation could not be made durable. What fails
after that stays dirty and is left to the drain timer.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from shared.config.settings import Settings
from shared.decide.confirmation import CONFIRM_SECONDS, NO_EVENT, TO_CONFIRM
from shared.decide.own_writes import request_id_prefix
from shared.domain.clock import Clock
from shared.domain.concurrency import gather_bounded
from shared.domain.dirty import Cause
from shared.domain.endpoints import Endpoint
from shared.domain.errors import NearzoneError, Terminal, Transient
from shared.edge.event_hints import Hint, Ignored, RecordEdit, hint
from shared.edge.report import Report
from shared.loop.apply_recorded import apply_recorded
from shared.loop.catalog_state import update_state
from shared.loop.deadlines import EVENT_SECONDS, SHUTDOWN_GRACE_SECONDS, time_limit
from shared.loop.record_edits import RecordEdits
from shared.loop.recorder import MAX_CONCURRENT_OBSERVATIONS, Recorder
from shared.loop.startup import Startup
from shared.loop.unknown_resources import UnknownResources
from shared.loop.zone.apply import ZoneApplier
from shared.ports import Catalog, Inventory, Metrics

LAST_EVENT_WRITE_SECONDS = 600.0
"""Seconds after which this process notes again in the catalog that events come."""

_log = logging.getLogger("nearzone")


@dataclass
class EventHandler:
    """Handles one event at a time or many at once. `counts`: the events of this process by what became of them."""

    settings: Settings
    inventory: Inventory
    catalog: Catalog
    clock: Clock
    startup: Startup
    recorder: Recorder
    unknown_resources: UnknownResources
    record_edits: RecordEdits
    applier: ZoneApplier
    metrics: Metrics
    counts: Counter[str] = field(default_factory=Counter)
    _last_event_written_at: float = 0.0

    def __post_init__(self) -> None:
        self._zone_keys = frozenset(zone.key for zone in self.settings.zones)
        self._own_requests = request_id_prefix(self.settings)

    async def handle(self, text: str | bytes) -> Report:
        """Handle one event. Raises Transient only where the observation could not be made durable.

        An event that is about nothing of ours is counted, logged with its reason, and changes nothing.
        """
        report = Report("event")
        found = hint(text, self.settings.subscriptions, self.inventory.types, self._zone_keys, self._own_requests)
        match found:
            case Ignored():
                self._count(found.outcome)
                _log.info("event ignored, %s: %s", found.outcome, found.reason)
            case RecordEdit():
                await self._follow_edit(found, report)
            case Hint():
                with self.unknown_resources.under_way(found):
                    await self._follow_hint(found, report)
        return report

    async def _follow_hint(self, found: Hint, report: Report) -> None:
        begun = self.clock()
        try:
            now = await self.startup.begin(fills=False)
            deadline = now + EVENT_SECONDS
            async with time_limit(deadline - self.clock()):
                if await self.unknown_resources.may_drop(found):
                    return self._count("stranger")
                if await self.unknown_resources.may_defer(found, begun):
                    return self._count("deferred")
                seen, first = await self.recorder.follow_hint(found, Cause(found.description, now))
        except Terminal as error:  # Another delivery would fail as well; the next sweep reports the same error.
            self._count("unreadable")
            return report.fail(found.resource_id, error)
        except Transient:
            async with time_limit(SHUTDOWN_GRACE_SECONDS):
                if await self.unknown_resources.may_defer(found, begun):
                    return self._count("deferred")
            raise
        self._count("accepted")
        report.observed = len(seen)
        if first:  # The other events that shared this observation leave its dirty names to this one.
            await apply_recorded(self.applier, deadline, report)
            await self._confirm(seen, found, deadline, report)
        await self._note_event()
        return None

    async def _follow_edit(self, edit: RecordEdit, report: Report) -> None:
        """Check a record set that another client has edited. Raises only where the name could not be marked dirty."""
        now = await self.startup.begin(fills=False)
        deadline = now + EVENT_SECONDS
        async with time_limit(deadline - self.clock()):
            outcome, first = await self.record_edits.follow(edit, Cause(edit.description, now))
        self._count(outcome)
        if first:
            await apply_recorded(self.applier, deadline, report)
        await self._note_event()

    async def _confirm(self, seen: Sequence[Endpoint], found: Hint, deadline: float, report: Report) -> None:
        """Observe once more, some seconds later, what one answer of Azure has put in doubt; the drain does the rest.

        The event is recorded already, so that a failure here does not fail its delivery.
        """
        doubtful = [each.id for each in seen if each.doubt in TO_CONFIRM and each.names]
        if not doubtful or self.clock() + CONFIRM_SECONDS >= deadline:
            return
        await asyncio.sleep(CONFIRM_SECONDS)
        try:
            async with time_limit(max(0.0, deadline - self.clock())):
                cause = Cause(found.description, self.clock())
                await gather_bounded(
                    (self.recorder.observe_and_record(endpoint_id, cause, NO_EVENT) for endpoint_id in doubtful),
                    MAX_CONCURRENT_OBSERVATIONS,
                )
        except NearzoneError as error:
            report.fail(found.resource_id, error)
        await apply_recorded(self.applier, deadline, report)

    async def _note_event(self) -> None:
        """Note in the catalog, every few minutes, that events come."""
        now = self.clock()
        if abs(now - self._last_event_written_at) >= LAST_EVENT_WRITE_SECONDS:
            self._last_event_written_at = now
            await update_state(self.catalog, lambda state: state and replace(state, event_at=now))

    def _count(self, outcome: str) -> None:
        self.counts[outcome] += 1
        self.metrics("events", 1, outcome=outcome)
