"""The reconciler: one method per trigger. Events, timers and HTTP requests differ only in what they look at.

    scope    which endpoints or names to look at      event_handler.py, sweep_runner.py, resync.py
    observe  read the truth from ARM                  recorder.py, observer.py
    record   write it to the catalog                  recorder.py
    decide   claims x overrides x actual record sets  decide/ (pure)
    apply    conditional writes within rate limits    zone/
    report   seen, decided, written, skipped, failed  edge/report.py

`bootstrap.py` builds it, and shows which collaborator needs what.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shared.config.settings import Settings
from shared.domain.clock import Clock
from shared.domain.counters import Gauge, ProcessCounters
from shared.domain.zones import Zone
from shared.edge import pages
from shared.edge.commands import Command, Drain, Freeze, Preflight, ProbeName, Sweep, Undrain, Unfreeze
from shared.edge.report import Report
from shared.edge.status_query import StatusQuery
from shared.loop import metrics as gauges
from shared.loop.apply_recorded import apply_recorded
from shared.loop.deadlines import (
    DRAIN_SECONDS,
    PROBE_APPLY_SECONDS,
    PROBE_SECONDS,
    RESYNC_SECONDS,
    SHUTDOWN_GRACE_SECONDS,
    SWEEP_SECONDS,
    time_limit,
)
from shared.loop.event_handler import EventHandler
from shared.loop.instance import Instance
from shared.loop.override_commands import OverrideCommands
from shared.loop.overrides import Overrides
from shared.loop.preflight_check import PreflightCheck
from shared.loop.probing.interface import Probing
from shared.loop.recorder import Recorder
from shared.loop.reobserve import reobserve_pending
from shared.loop.resync import Resyncs
from shared.loop.startup import Startup
from shared.loop.status_sources import StatusSources
from shared.loop.sweep_runner import SweepRunner
from shared.loop.unknown_resources import sweep_is_due
from shared.loop.zone.apply import ZoneApplier
from shared.ports import Catalog, Inventory, Metrics

if TYPE_CHECKING:
    from shared.loop.status_queries import StatusQueries


@dataclass(frozen=True)
class Reconciler:
    """Hands each trigger's input to the collaborator that does the work.

    `status_queries`: gives the one of this process; it is imported at the first call.
    """

    settings: Settings
    catalog: Catalog
    inventory: Inventory
    instance: Instance
    metrics: Metrics
    metrics_writer: gauges.MetricsWriter
    startup: Startup
    recorder: Recorder
    applier: ZoneApplier
    event_handler: EventHandler
    sweeps: SweepRunner
    preflight: PreflightCheck
    probing: Probing
    resyncs: Resyncs
    overrides: Overrides
    override_commands: OverrideCommands
    status_sources: StatusSources
    status_queries: Callable[[], StatusQueries]

    @property
    def clock(self) -> Clock:
        """The clock of this process, as the catalog corrects it."""
        return self.instance.clock

    @property
    def events(self) -> Counter[str]:
        """The events of this process by what became of them."""
        return self.event_handler.counts

    async def current(self, *, sweeps: bool = False) -> Reconciler:
        """Return this reconciler; see `GroupReconciler.current`."""
        del sweeps
        return self

    async def on_event(self, text: str | bytes) -> Report:
        """Follow an event. Raises Transient only where its observation could not be made durable."""
        with self.metrics_writer.write_after():
            return await self.event_handler.handle(text)

    async def drain(self) -> Report:
        """Apply what is dirty, observe warming endpoints again, end expired overrides and verdicts; or sweep if needed.

        Raises Transient, Terminal. The gauges that alerts look at are recorded also where a drain fails.
        """
        with self.metrics_writer.write_after():
            report, deadline = Report("drain"), await self.startup.begin() + DRAIN_SECONDS
            needs_sweep = await self.sweeps.is_needed()
            try:
                if needs_sweep:
                    await self.sweeps.sweep_all(SWEEP_SECONDS, report)
                else:
                    await self._apply_dirty(deadline, report)
            finally:
                await gauges.record_gauges(self.status_sources, self.metrics)
            return report

    async def _apply_dirty(self, deadline: float, report: Report) -> None:
        """What a drain does, and then a sweep if events were left to one."""
        async with time_limit(DRAIN_SECONDS + SHUTDOWN_GRACE_SECONDS):
            await self.overrides.expire(report)
            await self.probing.end_what_is_over()
            await reobserve_pending(self.catalog, self.recorder, self.clock, deadline - DRAIN_SECONDS / 2, report)
            await self.applier.apply(self.settings.zones, deadline, report, keep_waiting=True, count_remaining=True)
        if sweep_is_due(await self.catalog.state(), self.clock()):
            await self.sweeps.sweep_all(SWEEP_SECONDS - DRAIN_SECONDS, report)

    async def correct_drift(self) -> Report:
        """Sweep: compare everything with the truth. Every hour, and while it finds something, with a preflight."""
        with self.metrics_writer.write_after():
            report = Report("sweep")
            await self.startup.begin()
            seen = await self.sweeps.sweep_all(SWEEP_SECONDS, report)
            if seen:
                await self.preflight.run_if_due(seen)
            return report

    async def probe(self) -> Report:
        """Run a round of probes, and apply what it changes. Without NEARZONE_PROBES there is no I/O at all.

        Raises Transient, Terminal.
        """
        report = Report("probe")
        if not self.settings.probes:
            return report
        with self.metrics_writer.write_after():
            begun = await self.startup.begin(fills=False)
            async with time_limit(PROBE_SECONDS + SHUTDOWN_GRACE_SECONDS):
                marked = await self.probing.run_round(report)
            if marked:
                await apply_recorded(self.applier, begun + PROBE_APPLY_SECONDS, report)
            return report

    async def resync(self, command: Command) -> Report:
        """Carry out an operator's command. Raises BadRequest where it names what neither catalog nor Azure knows."""
        with self.metrics_writer.write_after():
            match command:
                case Preflight():
                    return await self.resyncs.check()
                case ProbeName():
                    await self.startup.begin(fills=False)
                    return await self.probing.probe_name(command)
                case Sweep():
                    return await self.resyncs.sweep(command, await self.startup.begin() + RESYNC_SECONDS)
                case Drain() | Undrain() | Freeze() | Unfreeze():
                    return await self.override_commands.run(command)

    async def handle_status(self, query: StatusQuery) -> dict[str, Any] | str:
        """Answer a status request; see `StatusQueries.handle`."""
        return await self.status_queries().handle(query)

    async def status(self, *, full: bool = False) -> dict[str, Any]:
        """How things stand, in short; `full`: with names and endpoints. Raises Transient, Terminal."""
        return await self.status_queries().summary(full=full)

    async def page(self, name: str, after: str = "", limit: int = pages.FULL) -> dict[str, Any]:
        """A page of one of the long lists of the status. Raises Transient, Terminal."""
        return await self.status_queries().page(name, after, limit)

    async def explain(self, zone: Zone, name: str) -> dict[str, Any]:
        """Why a zone answers a name as it does. Raises Transient, Terminal."""
        return await self.status_queries().explain(zone, name)

    async def metrics_page(self) -> tuple[Sequence[Gauge], Sequence[ProcessCounters]]:
        """How things stand now, and the counters of every process. Raises Transient, Terminal."""
        await self.startup.begin(fills=False)
        current = await gauges.current_gauges(self.status_sources)
        blocked = await gauges.blocked_gauges(self.catalog, self.settings.zones)
        return [*current, *blocked], await self.metrics_writer.all_instances()
