"""Sweeps and preflights that an operator asks for: equal requests share one run, and a scope may be narrow."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, field
from math import inf

from shared.decide.confirmation import NO_EVENT
from shared.domain.concurrency import SharedRun, SharedRuns
from shared.domain.dirty import Cause
from shared.domain.errors import NearzoneError, Transient
from shared.domain.sweep_scope import SweepScope
from shared.edge.commands import Preflight, Sweep
from shared.edge.report import Report
from shared.loop.deadlines import SHUTDOWN_GRACE_SECONDS, time_limit
from shared.loop.incomplete import note_held_back
from shared.loop.override_targets import OverrideTargets
from shared.loop.overrides import Overrides
from shared.loop.preflight_check import PreflightCheck
from shared.loop.recorder import Recorder
from shared.loop.sweep_runner import SweepRunner
from shared.loop.times import cause_now
from shared.ports import Catalog, Inventory

MIN_RESYNC_SECONDS = 10.0
"""A resync that has waited for others begins only where it has so many seconds left."""
MAX_CONCURRENT_RESYNCS = 2
"""Resyncs of different scopes that read at a time: each lists everything, and Azure limits the lists of a process."""
NO_SUCH_NAME = "no endpoint claims it, and no zone in scope has a record set of it that is ours"


@dataclass(frozen=True)
class Resyncs:
    """Runs resyncs; requests that ask for exactly the same share a run that begins after them."""

    catalog: Catalog
    inventory: Inventory
    recorder: Recorder
    overrides: Overrides
    targets: OverrideTargets
    sweeps: SweepRunner
    preflight: PreflightCheck
    _shared: SharedRuns[Report] = field(
        default_factory=lambda: SharedRuns(gate=asyncio.Semaphore(MAX_CONCURRENT_RESYNCS))
    )

    async def check(self) -> Report:
        """Run a preflight now; see `PreflightCheck.check`."""
        report, _ = await self._shared.run(Preflight(), "", lambda _: self.preflight.check())
        return report

    async def sweep(self, command: Sweep, deadline: float) -> Report:
        """Sweep what the command names, until the deadline (seconds since the epoch).

        Raises BadRequest where only the catalog and Azure show that it names nothing; Transient, Terminal.
        """
        report, _ = await self._shared.run(
            command.shared_key, "", lambda flight: self._sweep(command, deadline, flight)
        )
        return report

    async def _sweep(self, command: Sweep, deadline: float, flight: SharedRun[Report]) -> Report:
        """One run for all callers of the same command. `deadline`: that of the first caller."""
        now = self.recorder.clock()
        report, seconds = Report("resync", command.dry_run), deadline - now
        cause = cause_now("resync", now, command.by, command.reason)
        if seconds < MIN_RESYNC_SECONDS:
            raise Transient("other resyncs used up the time of this one: it did nothing, send it again")
        names = await self._names(command, cause, report)
        if not command.dry_run:
            await self.overrides.clear_backoff(command.zones, names)
        seen = await self.sweeps.run(_scope(command, cause, names), seconds, report, flight.open_gate)
        if seen and not command.dry_run:
            with suppress(NearzoneError):  # The next sweep runs the preflight.
                async with time_limit(max(SHUTDOWN_GRACE_SECONDS, deadline - self.recorder.clock())):
                    await self.preflight.run_if_due(seen, 0.0, inf)
        report.notes += _unmatched(command, names, report)
        await note_held_back(self.catalog, self.sweeps.settings, self.recorder.clock, report)
        return report

    async def _names(self, command: Sweep, cause: Cause, report: Report) -> frozenset[str] | None:
        """The names that a command is about; None: all."""
        names = None if command.name is None else frozenset((command.name,))
        if command.endpoint is None:
            return command.adopt if command.adopt and names is None else names
        if await self.catalog.endpoint(command.endpoint.lower()) is None:
            await self.targets.find_in_azure("endpoint", command.endpoint, report)
        claimed = await self._names_of_endpoint(command.endpoint, None if command.dry_run else cause)
        return claimed if names is None else names & claimed

    async def _names_of_endpoint(self, endpoint_id: str, cause: Cause | None) -> frozenset[str]:
        """The names that an endpoint claims now, and those that it claimed before. Not recorded without a cause."""
        before = await self.catalog.endpoint(endpoint_id.lower())
        previous = before.value.endpoint if before else None
        if cause is None:
            now = await self.inventory.observe(endpoint_id, previous)
        else:
            now = await self.recorder.observe_and_record(endpoint_id, cause, NO_EVENT)
        return frozenset(name for endpoint in (previous, now) if endpoint for name in endpoint.names)


def _scope(command: Sweep, cause: Cause, names: frozenset[str] | None) -> SweepScope:
    return SweepScope(
        command.zones,
        cause,
        names,
        dry_run=command.dry_run,
        force=command.force,
        beyond=command.force_beyond,
        adopt=command.adopt,
        regain=command.adopt_lost,
    )


def _unmatched(command: Sweep, names: Collection[str] | None, report: Report) -> list[str]:
    """What a command names that no zone of its scope and no endpoint has, so that a misspelt name is noticed."""
    met = report.met
    if report.failures or not report.complete:  # What could not be read may have it.
        return []
    notes = [f"name {each}: {NO_SUCH_NAME}" for each in sorted({command.name or ""} - {"", *met})]
    notes += [f"adopt {each}: {NO_SUCH_NAME}" for each in sorted(command.adopt - met)]
    if command.adopt_lost and not met:
        notes.append("adopt lost: no record set in scope has lost our owner tag")
    if command.endpoint is not None and not names:
        all_names = f"endpoint {command.endpoint} claims no name"
        notes.append(all_names if command.name is None else "endpoint does not claim name")
    return notes
