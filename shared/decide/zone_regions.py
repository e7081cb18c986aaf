"""Whether a zone's region in the settings is a region of its clients' VNets.

A zone may intentionally serve the VNets of several regions: one VNet in the zone's region is enough.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence

from shared.decide.alarms import Trouble, zone_label
from shared.decide.guard import DIGEST_LENGTH
from shared.domain.zones import Zone


def misplaced(zones: Sequence[Zone], regions: Mapping[str, frozenset[str]]) -> dict[str, frozenset[str]]:
    """Return, by zone, the regions of its linked VNets if none of them is the zone's own.

    `regions`: those of the VNets, by zone; a zone without a VNet, or with a VNet of unknown region, has none.
    """
    found = {zone.key: regions.get(zone.key, frozenset()) for zone in zones}
    return {zone.key: found[zone.key] for zone in zones if found[zone.key] and zone.region not in found[zone.key]}


def swapped(zones: Sequence[Zone], regions: Mapping[str, frozenset[str]]) -> dict[str, str]:
    """Return the zones whose regions are exchanged in the settings, each with the region of all its VNets."""
    own = {zone.key: zone.region for zone in zones}
    wrong = {key: min(found) for key, found in misplaced(zones, regions).items() if len(found) == 1}
    while True:  # Ends when each zone left has its VNets in the region of another zone left, and vice versa.
        named, there = {own[key] for key in wrong}, set(wrong.values())
        kept = {key: at for key, at in wrong.items() if at in named and own[key] in there}
        if kept == wrong:
            return kept
        wrong = kept


def digest(zones: Sequence[Zone], found: Mapping[str, str]) -> str:
    """Identify these zones with their regions in the settings and those of their VNets, as `force` requires."""
    facts = sorted((zone.key, zone.region, found[zone.key]) for zone in zones if zone.key in found)
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:DIGEST_LENGTH]


def refusals(zones: Sequence[Zone], found: Mapping[str, str]) -> dict[str, str]:
    """Return, by zone, why no sweep runs under changed settings. `found`: the swapped zones."""
    word = digest(zones, found)
    return {
        zone.key: (
            f"{zone_label(zone)}: every VNet that is linked to it lies in {found[zone.key]}, and those of the zone of "
            f"{found[zone.key]} do not: are regions swapped in NEARZONE_ZONES? Nothing is written before they are "
            f'corrected. If this is right, run a resync with "force": "{word}" (`nearzone sync --force {word}`).'
        )
        for zone in zones
        if zone.key in found
    }


def troubles(zones: Sequence[Zone], regions: Mapping[str, frozenset[str]]) -> Iterator[Trouble]:
    """Report zones without a VNet in the zone's region."""
    others = {zone.region for zone in zones}
    for zone in zones:
        found = sorted(misplaced(zones, regions).get(zone.key, ()))
        if not found:
            continue
        there = ", ".join(found)
        do = f"correct its `region` in NEARZONE_ZONES to {there}; nothing if its clients are elsewhere, on premises"
        if taken := others.intersection(found):
            do = f"is it swapped with the zone of {', '.join(sorted(taken))} in NEARZONE_ZONES? Otherwise {do}"
        text = f"its region is {zone.region}, and the VNets that are linked to it lie in {there}"
        means = "its clients get endpoints near its region, and not endpoints near them"
        yield Trouble(zone_label(zone), text, means, do, "zones")
