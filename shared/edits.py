"""Edits of record sets by others, as Event Grid tells them: the name is looked at anew, on the drain's path.

An event marks its name dirty, and the drain reads record set and claims and decides: it repairs, or keeps what it may
not write as a blocked name, or finds everything right and writes nothing. So an edit is seen in seconds, and not at the
next sweep. Two tools that want different things of one name would now answer each other within seconds, too: a name is
looked at so few times in ten minutes, and what goes beyond is left to the sweep.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

from shared.drain import Drainer
from shared.errors import Transient
from shared.events import Edit
from shared.model import Cause, Dirty, Endpoint, Urgency, Zone
from shared.plan import obstacle, unmarked
from shared.reader import TooLateError
from shared.routing import claimed
from shared.together import Shared

PAUSE = 2.0
"""Seconds between two looks at one name; the events in between share the next ones."""
LOOKS = 5
SPAN = 600.0
"""In so many seconds a name is looked at `LOOKS` times because of edits."""
READ_SECONDS = 5.0
"""Seconds for which a look at a record set of a frozen zone waits for its turn among the zone's reads."""
CREATED_SECONDS = 120.0
"""For so long after we have created a record set, an event that tells of a creation is taken for ours."""


@dataclass
class Edits:
    """Follows edits. What becomes of one: accepted; own; unclaimed; or repeated, which is left to the sweep.

    Azure does not tell whose request has created a record set. Where the last change of the name was our creation of
    it, a moment ago, it was ours: another one could create it only after it was deleted, which is an event of its own.
    """

    drainer: Drainer
    _shared: Shared[str] = field(default_factory=Shared)
    _looked: dict[tuple[str, str], list[float]] = field(default_factory=dict)

    async def follow(self, edit: Edit, cause: Cause) -> tuple[str, bool]:
        """Mark the name; gives what became of the edit, and whether this call settles it. Raises Transient, Terminal.

        Edits of one name that come together share a run that begins after them.
        """
        zone = next(each for each in self.drainer.settings.zones if each.key == edit.zone)
        kind = "created" if edit.created else "edited"
        outcome, first = await self._shared.run(
            f"{edit.zone} {edit.name}", kind, lambda flight: self._mark(zone, edit.name, cause, flight.asks)
        )
        return outcome, first and outcome == "accepted"

    async def _mark(self, zone: Zone, name: str, cause: Cause, kinds: Collection[str]) -> str:
        catalog, settings = self.drainer.catalog, self.drainer.settings
        endpoints = [row.endpoint for row in await catalog.claimants(name)]
        if not claimed(name, endpoints, settings) and not await catalog.owns(zone.key, name):
            return "unclaimed"
        if set(kinds) == {"created"} and await self._have_created(zone, name):
            return "own"
        if not await self._may_look(zone, name):
            return "repeated"
        service = any(name in endpoint.tagged for endpoint in endpoints)
        urgency = Urgency.FIRST if service else Urgency.HOST_FIRST
        self.drainer.reader.forget(zone, name)  # What this process remembers of it is not true any more.
        mark = Dirty(zone.key, name, urgency, cause.at, cause=cause.said)
        await catalog.mark(mark)
        if await self.drainer.frozen(zone):
            await self._look(zone, mark, endpoints)
        return "accepted"

    async def _look(self, zone: Zone, mark: Dirty, endpoints: Sequence[Endpoint]) -> None:
        """Keep what a frozen zone holds, and whether it may be written: no drain reads there.

        Raises Transient, Terminal. Where it cannot be read, the name stays dirty, and another delivery of the event
        looks again.
        """
        drainer, name = self.drainer, mark.name
        try:
            known = await drainer.reader.get(zone, name, until=drainer.clock() + READ_SECONDS)
        except TooLateError as error:
            raise Transient(str(error)) from error
        held = known.record_set
        await drainer.catalog.mark(replace(mark, holds=held.addresses if held else (), held_at=known.at))
        was_ours = unmarked(held) and await drainer.catalog.owns(zone.key, name)
        found = obstacle(name, held, drainer.settings.owner, was_ours=was_ours)
        found = found and replace(found, claimed=claimed(name, endpoints, drainer.settings), at=known.at)
        if found and found.concerns:
            await drainer.findings.note(zone, found)

    async def _have_created(self, zone: Zone, name: str) -> bool:
        """Whether our creation of a record set is the last change of it, and not long ago.

        The event may be faster than the answer to our request, after which the history is written: so it waits first.
        """
        await asyncio.sleep(PAUSE)
        last = next(iter(await self.drainer.catalog.history(zone.key, name)), None)
        return bool(last and last.kind == "create" and abs(self.drainer.clock() - last.at) <= CREATED_SECONDS)

    async def _may_look(self, zone: Zone, name: str) -> bool:
        """Whether the sweep is not soon enough; waits where the last look was a moment ago."""
        now = self.drainer.clock()
        lately = {key: [at for at in looks if now - SPAN < at <= now + PAUSE] for key, looks in self._looked.items()}
        self._looked = {key: looks for key, looks in lately.items() if looks}
        looks = self._looked.setdefault((zone.key, name), [])
        if len(looks) >= LOOKS:
            return False
        wait = max(0.0, looks[-1] + PAUSE - now) if looks else 0.0
        looks.append(now + wait)
        await asyncio.sleep(wait)
        return True
