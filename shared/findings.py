"""What a person should know of each zone, kept where every instance sees it; and which record sets are ours.

A sweep keeps what it has found of its zones and leaves the others as they are. A run adds a name that it may not write.
That a record set is ours is kept beside its history, so that a lost mark is told from one that was never there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec

from shared import alarms
from shared.errors import Conflict
from shared.model import Alarm, Blocked, Endpoint, Found, RecordSet, Refused, Zone
from shared.plan import obstacle, owned, unmarked
from shared.ports import Catalog, Measure, Stored, unmeasured
from shared.routing import claimed
from shared.settings import Settings

ROOM = 8_000
"""Bytes that the blocked names of a zone may take as JSON: a text column of a table holds 32 Ki characters."""
NEW = 1_000
"""Record sets with our mark that were not known as ours and are noted by one sweep of a zone; the next one goes on."""


def blocked(
    settings: Settings,
    record_sets: Iterable[RecordSet],
    lost: Collection[str],
    claims: Mapping[str, Sequence[Endpoint]],
) -> list[Blocked]:
    """The names of a zone that may not be written, by name. `lost`: those whose record sets have lost our mark."""
    found = []
    for each in sorted((r for r in record_sets if not owned(r, settings.owner)), key=lambda r: r.name):
        what = obstacle(each.name, each, settings.owner, was_ours=each.name in lost)
        what = what and replace(what, claimed=claimed(each.name, claims.get(each.name, ()), settings))
        if what and what.concerns:
            found.append(what)
    return found


def about(zone: Zone, names: Sequence[Blocked], refusals: Iterable[str] = (), refused: Iterable[Refused] = ()) -> Found:
    """What is kept of a zone: as many blocked names as there is room for, and the number of all."""
    room, kept = ROOM, []
    for each in names:
        room -= len(msgspec.json.encode(each)) + 1
        if room < 0:
            break
        kept.append(each)
    said = tuple(alarms.blocked(zone, names))
    return Found(zone.key, tuple(refusals), said, tuple(kept), len(names), tuple(refused))


@dataclass(frozen=True)
class Findings:
    """Keeps what is found. Every call may raise Transient."""

    catalog: Catalog
    measure: Measure = unmeasured

    async def keep(self, zone: Zone, found: Found, *, whole: bool) -> None:
        """What a sweep has found. `whole`: it has planned every name of the zone, so that its refusals are all."""
        while True:
            stored = await self.catalog.found(zone.key)
            wanted = found
            if stored and not whole:
                wanted = replace(found, refusals=stored.value.refusals, refused=stored.value.refused)
            if await self._put(zone, stored, wanted):
                return

    async def note(self, zone: Zone, name: Blocked) -> Sequence[Alarm]:
        """A name that a run may not write; gives the alarms about it where it was not known yet.

        Where not all blocked names are kept, it may be known already: then the next sweep counts it.
        """
        while True:
            stored = await self.catalog.found(zone.key)
            known = stored.value if stored else Found(zone.key)
            if known.count > len(known.blocked) or any(each == name for each in known.blocked):
                return ()
            names = sorted((*(each for each in known.blocked if each.name != name.name), name), key=lambda x: x.name)
            if await self._put(zone, stored, about(zone, names, known.refusals, known.refused)):
                return alarms.blocked(zone, (name,))

    async def _put(self, zone: Zone, stored: Stored[Found] | None, found: Found) -> bool:
        """Whether it is kept; False where somebody else has kept something meanwhile."""
        if (stored.value if stored else None) != found:
            try:
                await self.catalog.put_found(found, stored.etag if stored else None)
            except Conflict:
                return False
        self.measure("blocked", found.count, zone=zone.region)
        return True

    async def follow(
        self, zone: Zone, record_sets: Iterable[RecordSet], known: Mapping[str, str], settings: Settings
    ) -> None:
        """Note which record sets have our mark, and forget those that are gone or another's.

        `known`: read before the record sets were. A record set that has lost its mark is still known as ours.
        """
        there = {each.name: each for each in record_sets}
        ours = sorted(name for name, each in there.items() if owned(each, settings.owner) and name not in known)
        if ours:
            await self.catalog.own(zone.key, ours[:NEW])
        stay = {name for name, each in there.items() if owned(each, settings.owner) or unmarked(each)}
        gone = {name: etag for name, etag in known.items() if name not in stay}
        if gone:
            await self.catalog.disown(zone.key, gone)
