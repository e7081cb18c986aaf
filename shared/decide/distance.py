"""How far places are from a zone's clients: by the published round-trip times, or as the vantage has measured them.

A place is a region, or a static endpoint that has a measured distance of its own.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import NamedTuple

from shared.decide.rules import Rules
from shared.domain.endpoints import STATIC, Endpoint
from shared.domain.probes import Distances
from shared.domain.zones import Zone

FAR = float("inf")


class Distance(NamedTuple):
    """A place and its published distance in milliseconds, `FAR` if there is none; `measured`: what counts instead."""

    ms: float
    place: str
    measured: float | None = None

    def __str__(self) -> str:
        if self.measured is not None:
            published = "" if self.ms == FAR else f", {self.ms:g} published"
            return f"{self.place} {self.measured:g} ms (measured{published})"
        return f"{self.place} (no published round-trip time)" if self.ms == FAR else f"{self.place} {self.ms:g} ms"

    def within(self, nearest: Distance, tolerance_ms: float) -> bool:
        """Return whether it is at most so much farther. Measured values are compared with measured values only."""
        if self.measured is not None and nearest.measured is not None:
            return tolerance_ms > 0 and self.measured <= nearest.measured + tolerance_ms
        return self.ms <= nearest.ms + tolerance_ms < FAR


def distances_in_force(zone: Zone, name: str, rules: Rules) -> Distances | None:
    """Return the measured distances that decide in a zone for a name; None: the published ones decide.

    They decide for names that are probed: no other name is marked dirty when a distance changes or ends.
    """
    measured, settings = rules.measured, rules.settings
    if measured.distances is None or zone.region != measured.vantage or settings.probe(name) is None:
        return None
    return measured.distances if settings.policy(name).distance == "measured" else None


def place_of(endpoint: Endpoint, distances: Distances | None) -> str:
    """Return what the distance of an endpoint is looked up by."""
    if distances and endpoint.kind == STATIC and endpoint.key in distances.ms:
        return endpoint.key
    return endpoint.region


def rank(zone: Zone, name: str, places: Mapping[str, str], rules: Rules, distances: Distances | None) -> list[Distance]:
    """Return the distances of places (each with its region), nearest first.

    Places sort by published distance: one without comes last, and ties go by name. Places that have been measured then
    exchange their positions among themselves, in the measured order; the others keep theirs. So a measured value is
    never compared with a published one, and the order is total.
    """
    ranked = sorted([published(zone, place, region, rules) for place, region in places.items()])
    if not distances:
        return ranked
    order = distances.order_for(name)
    by_place = {each.place: each for each in ranked}
    return [
        by_place[place]._replace(measured=distances.ms.get(place) if place in order else None)
        for place in exchanged(list(by_place), order, distances.ms)
    ]


def exchanged(ranked: Sequence[str], order: Sequence[str], ms: Container[str]) -> list[str]:
    """Return places in the order that decides. `ranked`: by published distance; `order`: by measured distance.

    `ms`: the places that have been measured. Only these, if they are in `order` as well, exchange their positions.
    """
    position = {place: at for at, place in enumerate(order) if place in ms}
    moved = iter(sorted((place for place in ranked if place in position), key=position.__getitem__))
    return [next(moved) if place in position else place for place in ranked]


def published(zone: Zone, place: str, region: str, rules: Rules) -> Distance:
    """Return the published distance of a place in a region."""
    ms = rules.latency.ms(zone.region, region)
    return Distance(FAR if ms is None else ms, place)
