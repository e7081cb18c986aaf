"""How a new order of places takes effect: name by name, at a limited rate."""

from __future__ import annotations

from collections.abc import Iterable

from shared.domain.probes import Distances, Target


def affected(old: tuple[str, ...], new: tuple[str, ...], targets: Iterable[Target]) -> frozenset[str]:
    """Return the names that have endpoints in places whose order among themselves differs."""
    raise NotImplementedError


def release(distances: Distances, now: float) -> Distances:
    """Take names off `pending` as far as the rate permits: 10 within a minute, in each zone of the vantage's region.

    `judge` does it in each round; `changed_names` reports the names that were released.
    """
    raise NotImplementedError
