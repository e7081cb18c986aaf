"""Override commands from the check of the target to the report: stored and carried out, or shown as a dry run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from shared.domain.dirty import Cause
from shared.domain.endpoints import Endpoint
from shared.domain.overrides import FOREVER, Override
from shared.domain.sweep_scope import SweepScope
from shared.domain.zones import Zone
from shared.edge.commands import Drain, Freeze, OverrideCommand, Sweep, Undrain, Unfreeze
from shared.edge.override_errors import NOT_STORED, NOT_TAKEN_BACK, override_not_kept
from shared.edge.report import Report
from shared.loop.apply_recorded import apply_recorded
from shared.loop.deadlines import RESYNC_SECONDS
from shared.loop.incomplete import note_held_back
from shared.loop.override_targets import OverrideTargets
from shared.loop.overrides import Overrides
from shared.loop.resync import Resyncs
from shared.loop.startup import Startup
from shared.loop.sweep_runner import SweepRunner
from shared.loop.times import cause_now
from shared.loop.zone.apply import ZoneApplier


@dataclass(frozen=True)
class OverrideCommands:
    """Carries out override commands."""

    startup: Startup
    targets: OverrideTargets
    overrides: Overrides
    resyncs: Resyncs
    sweeps: SweepRunner
    applier: ZoneApplier

    async def run(self, command: OverrideCommand) -> Report:
        """Carry out a command, or show what it would do.

        Raises BadRequest where its target is not known; Transient, which says whether the override was stored.
        """
        report = Report("resync", command.dry_run)
        with override_not_kept(NOT_TAKEN_BACK if isinstance(command, Undrain | Unfreeze) else NOT_STORED):
            deadline = await self.startup.begin() + RESYNC_SECONDS
            covered = await self.targets.check(command, report)
        if command.dry_run:
            now, zones = self.applier.clock(), self.applier.settings.zones
            cause = cause_now("resync", now, command.by, command.reason)
            await self.sweeps.run(_supposed(command, covered, cause, zones), RESYNC_SECONDS, report)
            await note_held_back(self.startup.catalog, self.applier.settings, self.applier.clock, report)
            return report
        match command:
            case Freeze():
                return await self.overrides.freeze(command)
            case Unfreeze():
                await self.overrides.unfreeze(command, report)
                swept = await self.resyncs.sweep(Sweep((command.zone,), by=command.by, reason=command.reason), deadline)
                return replace(swept, failures=[*report.failures, *swept.failures])
            case Drain():
                await self.overrides.drain(command, report)
            case Undrain():
                await self.overrides.undrain(command, report)
        await apply_recorded(self.applier, deadline, report, wait=True)
        await note_held_back(self.startup.catalog, self.applier.settings, self.applier.clock, report)
        return report


def _supposed(
    command: OverrideCommand, covered: Iterable[Endpoint], cause: Cause, zones: tuple[Zone, ...]
) -> SweepScope:
    """What a dry run plans for, to show what a command would do. `covered`: the endpoints that it is about."""
    match command:
        case Freeze():
            frozen = Override(command.zone.key, FOREVER)
            return SweepScope((command.zone,), cause, dry_run=True, supposed=(frozen,))
        case Unfreeze():
            return SweepScope((command.zone,), cause, dry_run=True, lifted=command.zone.key)
    names = frozenset(name for each in covered for name in each.names)
    if isinstance(command, Undrain):
        return SweepScope(zones, cause, names, dry_run=True, lifted=command.target)
    return SweepScope(zones, cause, names, dry_run=True, supposed=(Override(command.target, FOREVER),))
