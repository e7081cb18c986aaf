"""How a new order of places takes effect: name by name, at a limited rate."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from shared.config.settings import Settings
from shared.domain.probes import Distances, Target

NAMES, WINDOW_SECONDS = 10, 60.0
"""So many names get a new order within so long. Each zone of the vantage's region has each name once."""


def places_of_names(targets: Iterable[Target], settings: Settings) -> dict[str, dict[str, str]]:
    """Return the places, each with its region, of the names that use measured distances."""
    found: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for target in targets:
        for name in target.names:
            found[name][target.place] = target.region
    return {name: places for name, places in found.items() if settings.policy(name).distance == "measured"}


def affected(old: Sequence[str], new: Sequence[str], targets: Iterable[Target], settings: Settings) -> frozenset[str]:
    """Return the names that have endpoints in places whose order among themselves differs."""
    if tuple(old) == tuple(new):
        return frozenset()
    return frozenset(
        name
        for name, places in places_of_names(targets, settings).items()
        if [place for place in old if place in places] != [place for place in new if place in places]
    )


def release(distances: Distances, now: float) -> Distances:
    """Take names off `pending` as far as the rate permits: 10 within a minute, in each zone of the vantage's region.

    `judge` does it in each round; `changed_names` reports the names that were released.
    """
    recent = tuple(at for at in distances.released if 0 <= now - at < WINDOW_SECONDS)
    names = sorted(distances.pending)[: max(0, NAMES - len(recent))]
    pending = distances.pending.difference(names)
    return replace(
        distances,
        pending=pending,
        previous=distances.previous if pending else (),
        released=(*recent, *[now] * len(names)),
    )
