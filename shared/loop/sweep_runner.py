"""A sweep as the triggers run it: under a time limit, after the check of regions, and remembered in the state row."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from shared.config.settings import Settings
from shared.domain.catalog_state import CatalogState, SweepSummary
from shared.domain.dirty import Cause
from shared.domain.errors import NearzoneError
from shared.domain.sweep_scope import SweepScope
from shared.edge.report import Report, error_text
from shared.loop.catalog_queries import complete_epoch
from shared.loop.catalog_state import update_state
from shared.loop.catch_up import PROGRESS_SECONDS
from shared.loop.deadlines import SHUTDOWN_GRACE_SECONDS, time_limit
from shared.loop.instance import Instance
from shared.loop.region_check import RegionCheck
from shared.loop.sweep import Sweeper, SweepObservations
from shared.loop.times import cause_now
from shared.ports import Catalog, Metrics

FIRST_SWEEP_RETRY_SECONDS = 60.0
"""Seconds between attempts at the first complete sweep."""
NO_PROGRESS_SECONDS = 4 * PROGRESS_SECONDS
"""Seconds after which a sweep that notes no progress in reading is taken to have ended."""
SWEEPS_KEPT = 20
"""Sweeps that the state row remembers."""
MAX_FAILING_EXAMPLES, MAX_ERROR_CHARACTERS = 3, 300
"""Names that fail, and characters of an error, that the summary of a sweep keeps."""


@dataclass(frozen=True)
class SweepRunner:
    """Runs sweeps for the triggers."""

    settings: Settings
    catalog: Catalog
    sweeper: Sweeper
    region_check: RegionCheck
    instance: Instance
    metrics: Metrics

    async def is_needed(self) -> bool:
        """Whether a drain has to sweep: no sweep is complete, or one that has ended left endpoints unread.

        Raises Transient, Terminal.
        """
        stored, clock = await self.catalog.state(), self.instance.clock
        now = clock()
        if not await complete_epoch(self.catalog, self.settings, clock):
            return abs(now - (stored.value.attempted_at if stored else 0.0)) >= FIRST_SWEEP_RETRY_SECONDS
        progress = stored.value.progress if stored else None
        if progress is None or progress.read >= progress.of:
            return False
        return progress.ended or now - progress.at >= NO_PROGRESS_SECONDS

    async def sweep_all(self, seconds: float, report: Report) -> SweepObservations | None:
        """Sweep every name of every zone; see `run`."""
        return await self.run(
            SweepScope(self.settings.zones, cause_now("sweep", self.instance.clock())), seconds, report
        )

    async def run(
        self, scope: SweepScope, seconds: float, report: Report, on_marked: Callable[[], None] = lambda: None
    ) -> SweepObservations | None:
        """Sweep; gives None where the sweep is refused, because the settings seem to swap regions.

        `on_marked`: as in `Sweeper.sweep`. A sweep that is not a dry run is remembered, also where it fails.
        Raises Transient, Terminal.
        """
        clock = self.instance.clock
        report.alarms += self.instance.alarms()
        try:
            async with time_limit(seconds + SHUTDOWN_GRACE_SECONDS):
                refused = await self.region_check.refuses(scope, report)
                if refused and refused not in scope.force and not scope.dry_run:
                    await self._remember(scope.cause, report, attempted_at=clock())
                    return None
                scope = replace(scope, force=scope.force - {refused})
                seen = await self.sweeper.sweep(scope, clock() + seconds, report, on_marked)
        except Exception as error:  # Also a bug: a sweep that was broken off is remembered as well.
            if not scope.dry_run:
                report.complete = False
                with suppress(NearzoneError):  # Where the catalog cannot be reached, the failed function reports it.
                    await self._remember(scope.cause, report, error_text(error))
            raise
        if not scope.dry_run:
            self.metrics("sweep.duration", clock() - scope.cause.at)
            await self._remember(scope.cause, report)
        return seen

    async def _remember(
        self, cause: Cause, report: Report, error: str = "", *, attempted_at: float | None = None
    ) -> None:
        """Keep the summary of a sweep in the state row, where there is one."""
        summary = _summary(cause, self.instance.clock() - cause.at, report, error)

        def remember(state: CatalogState | None) -> CatalogState | None:
            if state is None:
                return None
            began_at = state.attempted_at if attempted_at is None else attempted_at
            return replace(state, attempted_at=began_at, sweeps=(summary, *state.sweeps)[:SWEEPS_KEPT])

        await update_state(self.catalog, remember)


def _summary(cause: Cause, seconds: float, report: Report, error: str) -> SweepSummary:
    """What is remembered of a sweep that is over. `error`: what broke it off, which is one failure more, or ""."""
    first = error or next((f"{what}: {why}" for what, why in report.failures), "") or _why_incomplete(report)
    return SweepSummary(
        at=cause.at,
        seconds=seconds,
        cause=cause.text,
        endpoints=report.observed,
        drift=report.drift,
        changes=len(report.changes),
        failures=len(report.failures) + bool(error),
        refused=len(report.refusals),
        complete=report.complete,
        failing=len(report.failing),
        examples=tuple(report.failing[:MAX_FAILING_EXAMPLES]),
        error=first[:MAX_ERROR_CHARACTERS],
        by=cause.by,
        reason_given=cause.reason_given,
        inventory=report.inventory,
    )


def _why_incomplete(report: Report) -> str:
    """Why a sweep without failures is not complete, or ""."""
    if report.complete or report.refusals:
        return ""
    if report.endpoints_unread:
        return f"deadline: {report.endpoints_unread} endpoints are not read yet"
    return report.not_settled
