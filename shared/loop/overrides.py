"""Overrides by operators: stored in the catalog, so that every instance obeys them and they outlive it.

An override is stored, or removed, before its names are marked dirty: whatever processes them reads it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace

from shared.decide.plan import Skip
from shared.domain.catalog_rows import WHOLE_ZONE
from shared.domain.dirty import Cause, Urgency
from shared.domain.endpoints import State
from shared.domain.errors import Conflict
from shared.domain.overrides import FOREVER, Override
from shared.domain.zones import Zone
from shared.edge.commands import Drain, Freeze, Undrain, Unfreeze
from shared.edge.override_errors import NOT_TAKEN_BACK, override_kept, override_not_kept
from shared.edge.report import Report
from shared.loop.catalog_queries import active_overrides
from shared.loop.operator_log import OperatorLog
from shared.loop.recorder import Recorder
from shared.loop.times import cause_now, format_time
from shared.ports import Catalog


@dataclass(frozen=True)
class Overrides:
    """Stores and ends overrides. `clock`: seconds since the epoch. Raises Transient."""

    catalog: Catalog
    recorder: Recorder
    log: OperatorLog
    zones: tuple[Zone, ...]
    clock: Callable[[], float]

    async def drain(self, command: Drain, report: Report) -> None:
        """Store a drain override, then mark its names dirty."""
        cause = cause_now("drain override", self.clock(), command.by, command.reason)
        until = self.clock() + 60.0 * command.minutes
        override = Override(command.target, until, command.by, command.reason)
        with override_not_kept():
            report.notes += await self._replaced(override.target)
        with override_not_kept():
            await self.catalog.put_override(override)
        with override_kept():
            await self._mark_dirty(override, cause)
        said = f"drain of {override.target} until {format_time(until)}"
        await self.log.enter(self.zones, "drain", said, cause, report)

    async def undrain(self, command: Undrain, report: Report) -> None:
        """Remove a drain override, then mark its names dirty."""
        cause = cause_now("undrain", self.clock(), command.by, command.reason)
        with override_not_kept(NOT_TAKEN_BACK):
            report.notes += await self._still_drained(command.target)
        with override_not_kept(NOT_TAKEN_BACK):
            await self.catalog.purge_override(command.target)
        with override_kept("The override was ended"):
            await self._mark_dirty(Override(command.target, 0.0), cause)
        await self.log.enter(self.zones, "undrain", f"drain of {command.target} ended", cause, report)

    async def freeze(self, command: Freeze) -> Report:
        """From now on nothing is written to a zone, but for a write that is under way (10 s at the most).

        Changes that the guard approved before are judged anew by the sweep that ends the freeze.
        """
        zone, minutes = command.zone, command.minutes
        until = self.clock() + 60.0 * minutes if minutes else FOREVER
        with override_not_kept():
            notes = await self._replaced(zone.key)
            await self.catalog.put_override(Override(zone.key, until, command.by, command.reason))
        with override_kept():
            remaining = await self._take_back_approvals(zone)
        end = f"until {format_time(until)}" if minutes else "until it is unfrozen"
        skips = [Skip(zone.id, WHOLE_ZONE, f"frozen {end}")]
        report = Report("resync", skips=skips, names_remaining=remaining, notes=notes)
        cause = cause_now("freeze", self.clock(), command.by, command.reason)
        await self.log.enter((zone,), "freeze", f"frozen {end}", cause, report)
        return report

    async def _take_back_approvals(self, zone: Zone) -> int:
        """Take back the guard's approval of what is dirty in a zone; gives how many names are dirty."""
        rows = await self.catalog.dirty(zone.key)
        for row in rows:
            if row.value.cleared:
                with suppress(Conflict):  # Settled, or marked dirty again, just now.
                    await self.catalog.put_dirty(replace(row.value, cleared=False), row.etag)
        return len(rows)

    async def unfreeze(self, command: Unfreeze, report: Report) -> None:
        """From now on the zone may be written again, and names that failed are tried again."""
        cause = cause_now("unfreeze", self.clock(), command.by, command.reason)
        with override_not_kept(NOT_TAKEN_BACK):
            await self.catalog.purge_override(command.zone.key)
        await self.log.enter((command.zone,), "unfreeze", "unfrozen", cause, report)
        await self.clear_backoff((command.zone,), None)

    async def clear_backoff(self, zones: Iterable[Zone], names: Collection[str] | None) -> None:
        """Try again now what has failed (these names, None: all): the operator has removed what stood in the way."""
        for zone in zones:
            for row in await self.catalog.dirty(zone.key):
                waits = row.value.not_before > self.clock()
                if waits and (names is None or row.value.name in names):
                    with suppress(Conflict):  # Settled, or marked dirty again, just now.
                        await self.catalog.put_dirty(replace(row.value, not_before=0.0), row.etag)

    async def expire(self, report: Report) -> None:
        """End the overrides whose time is over, and mark what they have withdrawn. The history says so."""
        for stored in await self.catalog.overrides():
            override = stored.value
            if override.until <= self.clock():
                cause = cause_now("end of an override", self.clock(), override.by, override.reason_given)
                await self._mark_dirty(override, cause)
                with suppress(Conflict):  # Another instance has ended it, or an operator has just renewed it.
                    await self.catalog.purge_override(override.target, stored.etag)
                    frozen = [zone for zone in self.zones if override.about(zone.key)]
                    said = f"{'freeze' if frozen else f'drain of {override.target}'} expired"
                    await self.log.enter(frozen or self.zones, "end", said, cause, report)

    async def _replaced(self, target: str) -> list[str]:
        """Which override in force a new one about the same target replaces, for the report.

        One about a region leaves those about its endpoints as they are, and the other way round.
        """
        overrides = await active_overrides(self.catalog, self.clock())
        return [f"replaces {_in_words(override)}" for override in overrides if override.about(target)]

    async def _still_drained(self, target: str) -> list[str]:
        """Which endpoints another override keeps drained after the one about `target` is ended."""
        others = [each for each in await active_overrides(self.catalog, self.clock()) if not each.about(target)]
        rows = [stored.value.endpoint for stored in await self.catalog.endpoints()]
        ended = Override(target, 0.0)
        covered = [each for each in rows if ended.applies_to(each) and each.state != State.GONE]
        left = [(each, other) for each in covered for other in others if other.applies_to(each)]
        return [f"{each.id} stays drained: {_in_words(other)}, which this does not end" for each, other in left]

    async def _mark_dirty(self, override: Override, cause: Cause) -> None:
        """Mark the names of all endpoints that an override covers dirty, as urgent as after a stop."""
        urgencies: dict[str, Urgency] = {}
        for stored in await self.catalog.endpoints():
            endpoint = stored.value.endpoint
            if override.applies_to(endpoint):
                urgencies |= dict.fromkeys(endpoint.names - urgencies.keys(), Urgency.HOST_WITHDRAW)
                urgencies |= dict.fromkeys(endpoint.tagged, Urgency.WITHDRAW)
        await self.recorder.mark_dirty(urgencies, cause)


def _in_words(override: Override) -> str:
    """An override in force: until when, by whom, and why."""
    what = "freeze" if override.is_freeze else f"drain of {override.target}"
    end = "without end" if override.has_no_end else f"until {format_time(override.until)}"
    by = ", ".join(each for each in (override.by, override.reason_given) if each)
    return f"the {what} {end}{f' by {by}' if by else ''}"
