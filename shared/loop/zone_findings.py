"""What an operator should know of each zone, kept where every instance sees it; and which record sets are ours.

A sweep keeps what it has found of its zones and leaves other zones as they are. A zone worker adds a name that it may
not write. That a record set is ours is kept beside its history: so a lost owner tag differs from one that never was.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from shared.config.settings import Settings
from shared.decide import alarms
from shared.decide.findings import findings_of
from shared.decide.plan import has_no_owner_tag, has_our_owner_tag
from shared.domain.alarms import Alarm
from shared.domain.catalog_rows import Versioned
from shared.domain.errors import Conflict
from shared.domain.zone_findings import BlockedName, ZoneFindings
from shared.domain.zones import RecordSet, Zone
from shared.ports import Catalog, Metrics, no_metrics

MAX_NEW_OWNED = 1_000
"""Record sets with our owner tag that one sweep of a zone newly notes as ours; the next sweep goes on."""


@dataclass(frozen=True)
class Findings:
    """Keeps what is found. Every call may raise Transient."""

    catalog: Catalog
    measure: Metrics = no_metrics

    async def keep(self, zone: Zone, found: ZoneFindings, *, whole: bool) -> None:
        """Keep what a sweep has found. `whole`: it planned every name of the zone, so that its refusals are all."""
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
        """Keep why nothing is written to a zone; the next sweep that plans the zone replaces it."""
        while True:
            stored = await self.catalog.findings(zone.key)
            known = stored.value if stored else ZoneFindings(zone.key)
            if await self._put(zone, stored, replace(known, refusals=(why,))):
                return

    async def note(self, zone: Zone, name: BlockedName) -> Sequence[Alarm]:
        """Add a name that a zone worker may not write; gives the alarms about it if it is new.

        Where not all blocked names are kept, it may be known already: then the next sweep counts it.
        """
        while True:
            stored = await self.catalog.findings(zone.key)
            known = stored.value if stored else ZoneFindings(zone.key)
            if known.count > len(known.blocked) or any(each == name for each in known.blocked):
                return ()
            names = sorted((*(each for each in known.blocked if each.name != name.name), name), key=lambda x: x.name)
            fresh = findings_of(zone, names, at=name.at)
            wanted = replace(known, alarms=fresh.alarms, blocked=fresh.blocked, count=fresh.count)
            if await self._put(zone, stored, wanted):
                return alarms.blocked(zone, (name,))

    async def _put(self, zone: Zone, stored: Versioned[ZoneFindings] | None, found: ZoneFindings) -> bool:
        """Write; False if another instance has written meanwhile."""
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
        """Note which record sets have our owner tag, and forget those that are gone or another's.

        `known`: read before the record sets were. A record set that has lost its owner tag stays known as ours.
        """
        there = {each.name: each for each in record_sets}
        ours = sorted(
            name for name, each in there.items() if has_our_owner_tag(each, settings.owner) and name not in known
        )
        if ours:
            await self.catalog.record_owned(zone.key, ours[:MAX_NEW_OWNED])
        stay = {
            name for name, each in there.items() if has_our_owner_tag(each, settings.owner) or has_no_owner_tag(each)
        }
        gone = {name: etag for name, etag in known.items() if name not in stay}
        if gone:
            await self.catalog.remove_owned(zone.key, gone)
