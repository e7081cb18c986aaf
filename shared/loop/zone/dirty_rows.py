"""The one place that turns the outcome of an attempt into what happens to the name's dirty row."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import assert_never

from shared.decide.decision import HoldBack
from shared.decide.dirty_queue import DirtyQueue
from shared.decide.plan import Change
from shared.decide.rate_limit import back_off
from shared.domain.catalog_rows import Versioned
from shared.domain.dirty import DirtyName
from shared.domain.errors import Conflict, NearzoneError, Terminal, Transient
from shared.domain.zones import Zone
from shared.edge.report import Report, decision_log_line
from shared.loop.zone.outcomes import (
    Done,
    Failure,
    LeaseChanged,
    LeaseTaken,
    NotTried,
    Outcome,
    PastDeadline,
    WaitForBudget,
    ZoneFrozen,
)
from shared.loop.zone.record_cache import RecordSetCache
from shared.loop.zone.services import LoopServices

CONFLICTS_BEFORE_BACKOFF = 5
"""Failed conditions of a name after which it is backed off."""
MAX_ERROR_CHARACTERS = 400
"""So many characters of an error are kept with a name."""

_log = logging.getLogger("nearzone")


@dataclass
class DirtyRows:
    """The dirty rows of one zone during one run."""

    services: LoopServices
    zone: Zone
    cache: RecordSetCache
    queue: DirtyQueue
    report: Report

    async def settle(self, row: Versioned[DirtyName], outcome: Outcome | Failure) -> Change | None:
        """Report the outcome and back the row off, if it did not succeed; gives the change that waits for the budget.

        A row that stays as it is was marked again meanwhile, or is due as before.
        """
        dirty = row.value
        match outcome:
            case Done():
                self.report.settle_name(self.zone, dirty.name)
                return None
            case WaitForBudget(change):
                return change
            case HoldBack(reason, seconds):
                self.report.put_off_name(self.zone, dirty.name, reason)
                await self._back_off(row, seconds, reason, failed=False)
            case Conflict():
                self.services.metrics("conflicts", 1, zone=self.zone.region)
                attempts = dirty.attempts - CONFLICTS_BEFORE_BACKOFF + 1
                await self._back_off(row, back_off(attempts, None) if attempts > 0 else 0.0, str(outcome))
            case Transient():
                self._report_failure(dirty, outcome)
                if outcome.retry_after:
                    self.queue.pause(self.services.clock() + outcome.retry_after)
                await self._back_off(row, back_off(dirty.attempts + 1, outcome.retry_after), str(outcome))
            case Terminal() | NotTried():
                self._report_failure(dirty, outcome)
                error = outcome.answer if isinstance(outcome, NotTried) else outcome
                await self._back_off(row, back_off(dirty.attempts + 6, None), str(error))
            case PastDeadline() | LeaseChanged() | LeaseTaken() | ZoneFrozen():  # Dirty and due as before.
                return None
            case _:
                assert_never(outcome)
        self.cache.invalidate(dirty.name)
        return None

    def _report_failure(self, dirty: DirtyName, failure: Transient | Terminal | NotTried) -> None:
        self.services.metrics("failures", 1, zone=self.zone.region)
        self.report.fail_name(self.zone, dirty.name, str(failure))
        level = (
            logging.INFO if isinstance(failure, NotTried) else logging.ERROR
        )  # The attempts that were made have logged the error.
        reason = f"{type(failure).__name__}: {failure}"
        _log.log(level, "%s", decision_log_line("failed", self.zone, dirty, reason=reason))

    async def _back_off(self, row: Versioned[DirtyName], delay: float, error: str, *, failed: bool = True) -> None:
        later = replace(
            row.value,
            attempts=row.value.attempts + failed,
            not_before=self.services.clock() + delay,
            last_error=error[:MAX_ERROR_CHARACTERS],
        )
        if cached := self.cache.cached(row.value.name):
            held = cached.record_set.addresses if cached.record_set else ()
            later = replace(later, holds=held, held_at=cached.at)
        try:
            await self.services.catalog.put_dirty(later, row.etag)
        except Conflict:
            pass  # Marked again meanwhile: it will be looked at in any case.
        except NearzoneError as worse:  # The row stays as it was: dirty, and due.
            self.report.fail_name(self.zone, row.value.name, worse)
