"""The promises about measured distances: when their order may change, and which values they may have."""

import itertools
from statistics import median

from tests.simulation.history import START

ROUND = 15.0
DWELL = 600.0
SAMPLES = 21
MINORITY = 0.55
"""A part of the samples that no window's median follows, with a margin."""


class DistanceInvariants:
    """Judges the distances of each row of the vantage. `changes`: how often their order has changed."""

    def __init__(self, world, trace, clock, off):
        self.world, self.trace, self.clock, self.off = world, trace, clock, off
        self.changes, self.reordered = 0, START

    def wipe(self):
        """The catalog is lost: measuring begins anew."""
        self.reordered = START

    def check(self, old, row, chains, errand):
        """Judge a row that replaces an old one. `chains`: the contacts that it comes from."""
        self._check_order(old, row, chains, errand)
        self._check_values(old, row, chains, errand)

    def _check_order(self, old, row, chains, errand):
        """At most one change of the order per dwell, and none for what was not truly nearer all that time."""
        before, after = old.distances, row.distances
        if not before.order or before.until <= row.at:
            self.reordered = START
            return
        both = set(before.order) & set(after.order)
        was, order = ([p for p in each.order if p in both] for each in (before, after))
        if was == order:
            return
        self.changes += 1
        if row.at - self.reordered < DWELL - self.off:
            self.trace.violation("one change of order per dwell", f"{errand}: {before.order} to {after.order}")
        self.reordered = row.at
        for first, second in itertools.combinations(order, 2):
            if was.index(second) < was.index(first) and (at := self._farther(first, second, chains)):
                detail = f"{errand}: {first} before {second}, which was nearer at {at - self.trace.began:.1f}"
                self.trace.violation("a place comes first only after a dwell in which it mostly was nearer", detail)

    def _farther(self, first, second, chains):
        """When, in the last dwell, the first place began to be farther than the second; None: mostly it was nearer.

        A median does not notice what less than half of its samples say.
        """
        if self.world.terminated & {first, second}:
            return None
        since = self.clock() - DWELL + 2 * ROUND
        times = [
            [each for chain in chains.values() for each in chain if each.region == place and each.at > since]
            for place in (first, second)
        ]
        pairs = [(a, b) for a in times[0] for b in times[1] if abs(a.at - b.at) < ROUND / 2]
        farther = [a.at for a, b in pairs if a.true_ms > b.true_ms + self._noise_ms()]
        return farther[0] if len(farther) > MINORITY * len(pairs) else None

    def _noise_ms(self):
        """By how much a median may differ from the truth."""
        noise = self.world.drawn.network
        return 1.0 + 3 * noise["jitter_ms"] + 3 * noise["wander_ms"]

    def _check_values(self, old, row, chains, errand):
        """A value that is new in force lies where the path's round-trip time lay while it was sampled."""
        slack = self._noise_ms()
        for place, value in row.distances.ms.items():
            if old.distances.ms.get(place) == value:
                continue
            true = [each.true_ms for chain in chains.values() for each in chain[-2 * SAMPLES :] if each.region == place]
            terminated = place in self.world.terminated  # Its values may be of what answers on the way.
            if true and not terminated and not min(true) - slack <= value <= max(true) + slack:
                detail = f"{errand}: {place} {value}, truly {min(true):.1f} to {max(true):.1f}, {median(true):.1f}"
                self.trace.violation("a distance is the median of what was sampled", detail)
