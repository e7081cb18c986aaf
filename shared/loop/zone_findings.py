"""What a person should know of each zone, kept where every instance sees it; and which record sets are ours.

A sweep keeps what it has found of its zones and leaves the others as they are. A run adds a name that it may not write.
That a record set is ours is kept beside its history, so that a lost mark is told from one that was never there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import TypeVar

import msgspec

from shared.config.settings import Settings
from shared.decide import alarms
from shared.decide.plan import has_no_owner_tag, has_our_owner_tag, obstacle
from shared.decide.routing import is_claimed
from shared.domain.alarms import Alarm
from shared.domain.catalog_rows import Versioned
from shared.domain.endpoints import Endpoint
from shared.domain.errors import Conflict
from shared.domain.zone_findings import BlockedName, KeptRecord, RefusedPlan, ZoneFindings
from shared.domain.zones import RecordSet, Zone
from shared.ports import Catalog, Metrics, no_metrics

ROOM = 8_000
"""Bytes that the blocked names of a zone may take as JSON, and those that are left as they are: a text column of a
table holds 32 Ki characters."""
NEW = 1_000
"""Record sets with our mark that were not known as ours and are noted by one sweep of a zone; the next one goes on."""


def blocked(
    settings: Settings,
    record_sets: Iterable[RecordSet],
    lost: Collection[str],
    claims: Mapping[str, Sequence[Endpoint]],
) -> list[BlockedName]:
    """The names of a zone that may not be written, by name. `lost`: those whose record sets have lost our mark."""
    found = []
    for each in sorted((r for r in record_sets if not has_our_owner_tag(r, settings.owner)), key=lambda r: r.name):
        what = obstacle(each.name, each, settings.owner, was_ours=each.name in lost)
        what = what and replace(what, claimed=is_claimed(each.name, claims.get(each.name, ()), settings))
        if what and what.concerns:
            found.append(what)
    return found


def about(
    zone: Zone,
    names: Sequence[BlockedName],
    refusals: Iterable[str] = (),
    held: Sequence[KeptRecord] = (),
    refused: Sequence[RefusedPlan] = (),
    at: float = 0.0,
) -> ZoneFindings:
    """What is kept of a zone that was read at `at`: as many names as there is room for, and the number of all."""
    said = tuple(replace(alarm, at=at) for alarm in alarms.blocked(zone, names))
    kept, left = (_first(names), len(names)), (_first(held), len(held))
    return ZoneFindings(zone.key, tuple(refusals), said, *kept, *left, at, tuple(refused))


_Named = TypeVar("_Named", BlockedName, KeptRecord)


def _first(names: Sequence[_Named]) -> tuple[_Named, ...]:
    sizes = accumulate(len(msgspec.json.encode(each)) + 1 for each in names)
    return tuple(each for each, size in zip(names, sizes, strict=True) if size <= ROOM)


@dataclass(frozen=True)
class Findings:
    """Keeps what is found. Every call may raise Transient."""

    catalog: Catalog
    measure: Metrics = no_metrics

    async def keep(self, zone: Zone, found: ZoneFindings, *, whole: bool) -> None:
        """What a sweep has found. `whole`: it has planned every name of the zone, so that its refusals are all."""
        while True:
            stored = await self.catalog.findings(zone.key)
            wanted = found
            if stored and not whole:
                old = stored.value
                wanted = replace(
                    found, refusals=old.refusals, refused=old.refused, held=old.held, held_count=old.held_count
                )
            if await self._put(zone, stored, wanted):
                return

    async def refuse(self, zone: Zone, why: str) -> None:
        """Why nothing is written to a zone; until a sweep has planned it."""
        while True:
            stored = await self.catalog.findings(zone.key)
            known = stored.value if stored else ZoneFindings(zone.key)
            if await self._put(zone, stored, replace(known, refusals=(why,))):
                return

    async def note(self, zone: Zone, name: BlockedName) -> Sequence[Alarm]:
        """A name that a run may not write; gives the alarms about it where it was not known yet.

        Where not all blocked names are kept, it may be known already: then the next sweep counts it.
        """
        while True:
            stored = await self.catalog.findings(zone.key)
            known = stored.value if stored else ZoneFindings(zone.key)
            if known.count > len(known.blocked) or any(each == name for each in known.blocked):
                return ()
            names = sorted((*(each for each in known.blocked if each.name != name.name), name), key=lambda x: x.name)
            fresh = about(zone, names, at=name.at)
            wanted = replace(known, alarms=fresh.alarms, blocked=fresh.blocked, count=fresh.count)
            if await self._put(zone, stored, wanted):
                return alarms.blocked(zone, (name,))

    async def _put(self, zone: Zone, stored: Versioned[ZoneFindings] | None, found: ZoneFindings) -> bool:
        """Whether it is kept; False where somebody else has kept something meanwhile."""
        if (stored.value if stored else None) != found:
            try:
                await self.catalog.put_findings(found, stored.etag if stored else None)
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
        ours = sorted(
            name for name, each in there.items() if has_our_owner_tag(each, settings.owner) and name not in known
        )
        if ours:
            await self.catalog.record_owned(zone.key, ours[:NEW])
        stay = {
            name for name, each in there.items() if has_our_owner_tag(each, settings.owner) or has_no_owner_tag(each)
        }
        gone = {name: etag for name, etag in known.items() if name not in stay}
        if gone:
            await self.catalog.remove_owned(zone.key, gone)
