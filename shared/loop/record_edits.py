"""Edits of record sets by other clients, of which Event Grid sends events: the name is processed again.

An event marks its name dirty, and the zone worker reads record set and claims and decides: it repairs the record set,
or notes a name that it may not write as blocked, or finds everything right and writes nothing. So an edit is seen in
seconds instead of at the next sweep. Another tool that wants different addresses would now be answered within seconds,
too, again and again: a name is processed only a few times in ten minutes because of edits, and later edits are left to
the sweep.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace

from shared.config.settings import Settings
from shared.decide.claims import is_claimed
from shared.decide.plan import has_no_owner_tag, obstacle
from shared.domain.concurrency import SharedRuns
from shared.domain.dirty import Cause, DirtyName, Urgency
from shared.domain.endpoints import Endpoint
from shared.domain.errors import Transient
from shared.domain.overrides import active_freeze
from shared.domain.zones import Zone
from shared.edge.event_hints import RecordEdit
from shared.loop.catalog_queries import active_overrides
from shared.loop.zone.outcomes import PastDeadline
from shared.loop.zone.record_caches import RecordCaches
from shared.loop.zone_findings import Findings
from shared.ports import Catalog

DEBOUNCE_SECONDS = 2.0
"""Seconds between two checks of one name; the events in between share the next one."""
MAX_CHECKS = 5
CHECK_WINDOW_SECONDS = 600.0
"""In so many seconds a name is checked `MAX_CHECKS` times at most because of edits."""
READ_SECONDS = 5.0
"""Seconds for which a read of a record set of a frozen zone waits for the zone's rate limit."""
CREATED_SECONDS = 120.0
"""Seconds after our creation of a record set in which an event about a creation counts as ours."""


@dataclass
class RecordEdits:
    """Follows edits. What becomes of one: accepted; own; unclaimed; or repeated, which is left to the sweep.

    Azure does not tell whose request has created a record set. Where the last change of the name was our creation of
    it, a moment ago, it was ours: another client could create it only after a deletion, which sends an event of its
    own.
    """

    catalog: Catalog
    settings: Settings
    record_cache: RecordCaches
    zone_findings: Findings
    clock: Callable[[], float]
    _shared: SharedRuns[str] = field(default_factory=SharedRuns)
    _recent_checks: dict[tuple[str, str], list[float]] = field(default_factory=dict)

    async def follow(self, edit: RecordEdit, cause: Cause) -> tuple[str, bool]:
        """Mark the name dirty. Return the outcome, and whether this call applies it. Raises Transient, Terminal.

        Edits of one name that come together share a run that begins after them.
        """
        zone = next(each for each in self.settings.zones if each.key == edit.zone)
        kind = "created" if edit.created else "edited"
        outcome, first = await self._shared.run(
            f"{edit.zone} {edit.name}", kind, lambda flight: self._mark(zone, edit.name, cause, flight.waiting_callers)
        )
        return outcome, first and outcome == "accepted"

    async def _mark(self, zone: Zone, name: str, cause: Cause, kinds: Collection[str]) -> str:
        catalog, settings = self.catalog, self.settings
        endpoints = [row.endpoint for row in await catalog.claimants(name)]
        if not is_claimed(name, endpoints, settings) and not await catalog.is_owned(zone.key, name):
            return "unclaimed"
        if set(kinds) == {"created"} and await self._have_created(zone, name):
            return "own"
        if not await self._may_check(zone, name):
            return "repeated"
        service = any(name in endpoint.tagged for endpoint in endpoints)
        urgency = Urgency.FIRST_ADDRESS if service else Urgency.HOST_FIRST_ADDRESS
        self.record_cache.invalidate(zone, name)  # The cached record set is out of date.
        mark = DirtyName(zone.key, name, urgency, cause.at, cause=cause.text)
        await catalog.mark_dirty(mark)
        if active_freeze(zone, await active_overrides(catalog, self.clock())):
            await self._note_frozen(zone, mark, endpoints)
        return "accepted"

    async def _note_frozen(self, zone: Zone, mark: DirtyName, endpoints: Sequence[Endpoint]) -> None:
        """Keep what a frozen zone holds, and whether it may be written: no drain reads there.

        Raises Transient, Terminal. Where it cannot be read, the name stays dirty, and another delivery of the event
        looks again.
        """
        name = mark.name
        known = await self.record_cache.fetch(zone, name, until=self.clock() + READ_SECONDS)
        if isinstance(known, PastDeadline):
            raise Transient("no more reads of this zone before the deadline")
        held = known.record_set
        await self.catalog.mark_dirty(replace(mark, holds=held.addresses if held else (), held_at=known.at))
        was_ours = has_no_owner_tag(held) and await self.catalog.is_owned(zone.key, name)
        found = obstacle(name, held, self.settings.owner, was_ours=was_ours)
        found = found and replace(found, claimed=is_claimed(name, endpoints, self.settings), at=known.at)
        if found and found.concerns:
            await self.zone_findings.note(zone, found)

    async def _have_created(self, zone: Zone, name: str) -> bool:
        """Whether our creation of a record set is the last change of it, and not long ago.

        The event may be faster than the answer to our request, after which the history is written: so it waits first.
        """
        await asyncio.sleep(DEBOUNCE_SECONDS)
        last = next(iter(await self.catalog.history(zone.key, name)), None)
        return bool(last and last.kind == "create" and abs(self.clock() - last.at) <= CREATED_SECONDS)

    async def _may_check(self, zone: Zone, name: str) -> bool:
        """Return whether to check the name now; if not, the sweep does. Waits if the last check was a moment ago."""
        now = self.clock()
        lately = {
            key: [at for at in looks if now - CHECK_WINDOW_SECONDS < at <= now + DEBOUNCE_SECONDS]
            for key, looks in self._recent_checks.items()
        }
        self._recent_checks = {key: looks for key, looks in lately.items() if looks}
        looks = self._recent_checks.setdefault((zone.key, name), [])
        if len(looks) >= MAX_CHECKS:
            return False
        wait = max(0.0, looks[-1] + DEBOUNCE_SECONDS - now) if looks else 0.0
        looks.append(now + wait)
        await asyncio.sleep(wait)
        return True
