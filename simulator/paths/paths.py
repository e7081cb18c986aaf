"""True round-trip times between regions, and what a connection meets on its way.

The noise is the model with which the thresholds of probing were chosen: exponential jitter, lognormal spikes, a drift
of the true value that returns to its mean (Ornstein-Uhlenbeck, one hour), and 1,000 ms for a lost SYN (RFC 6298's
first retransmission). A kernel leaves a retransmitted SYN out of its round-trip time; here it counts, which is the
worse case for a client. Every pair of regions has random numbers of its own, so that equal seeds and equal
connections give equal times.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

from simulator.paths.entry import EVERYWHERE, NetworkEntry, Partition, PathEntry

SAME_REGION_MS = 1.0
"""Between two hosts of one region, if the world does not say otherwise. An assumption."""
UNKNOWN_MS = 200.0
"""Between two regions without a published value, if the world does not say otherwise. An assumption."""
SPIKE_MS = 40.0
"""Median of a spike."""
WANDER_SECONDS = 3600.0
"""Time constant of the drift."""
LEAST_MS = 0.05
FIRST_RETRY = 1.0
"""Seconds until a lost SYN is sent again; doubled each time (RFC 6298)."""
_MOST_RETRIES = 6
DATA_RETRY = 0.3
"""Seconds that a lost packet of an open connection costs."""


@dataclass(frozen=True, slots=True)
class PathState:
    """What a path differs in from the published table; see `PathEntry`."""

    rtt_ms: float | None = None
    terminated_ms: float | None = None
    partition: Partition | None = None


@dataclass(frozen=True, slots=True)
class Opening:
    """What opening a connection takes. `seconds`: until the answer to the SYN. `rtt_ms`: what the kernel measures."""

    seconds: float
    rtt_ms: float


class Paths:
    """The paths between all regions. `clock`: seconds since the epoch. `published`: milliseconds by pair of regions."""

    def __init__(self, clock: Callable[[], float], seed: int, published: Mapping[tuple[str, str], float]) -> None:
        self._clock, self._seed, self._published = clock, seed, published
        self.noise = NetworkEntry()
        self._states: dict[tuple[str, str], PathState] = {}
        self._draws: dict[tuple[str, str], Random] = {}
        self._drifts: dict[tuple[str, str], tuple[float, float]] = {}

    def load(self, entry: NetworkEntry) -> None:
        """Replace everything by what a world file says."""
        self.noise = entry
        self._states = {}
        for each in entry.paths:
            self.change(each)

    def entry(self) -> NetworkEntry:
        """The current network, in the format of a world file."""
        paths = [
            PathEntry(origin, to, both=False, rtt_ms=it.rtt_ms, terminated_ms=it.terminated_ms, partition=it.partition)
            for (origin, to), it in self._states.items()
        ]
        noise = self.noise
        return NetworkEntry(noise.loss, noise.jitter_ms, noise.spikes, noise.wander_ms, paths)

    def change(self, entry: PathEntry) -> None:
        """Change a path by what an entry states; what it leaves out stays."""
        for pair in _pairs(entry):
            old = self._states.get(pair, PathState())
            self._states[pair] = PathState(
                old.rtt_ms if entry.rtt_ms is None else entry.rtt_ms,
                old.terminated_ms if entry.terminated_ms is None else entry.terminated_ms,
                old.partition if entry.partition is None else entry.partition,
            )

    def mend(self, entry: PathEntry) -> None:
        """Give a path the published round-trip time again, without a partition."""
        for pair in _pairs(entry):
            self._states.pop(pair, None)

    def partition(self, origin: str, to: str) -> Partition | None:
        """Whose connections on a path get no answer; None: all get one."""
        found = {self._states.get(pair, PathState()).partition for pair in _named(origin, to)}
        return "all" if "all" in found else "prober" if "prober" in found else None

    def terminated_ms(self, origin: str, to: str) -> float | None:
        """After how many milliseconds something on the way accepts a connection; None: nothing does."""
        found = (self._states.get(pair, PathState()).terminated_ms for pair in _named(origin, to))
        return next((each for each in found if each is not None), None)

    def true_ms(self, origin: str, to: str) -> float:
        """The true round-trip time now, in milliseconds, without the noise of a single connection."""
        return max(LEAST_MS, self._base(origin, to) + self._drift(origin, to))

    def opening(self, origin: str, to: str) -> Opening:
        """Draw what opening one connection takes."""
        draws, noise, rtt = self._of(origin, to), self.noise, self.true_ms(origin, to)
        rtt += draws.expovariate(1 / noise.jitter_ms) if noise.jitter_ms else 0.0
        rtt += draws.lognormvariate(math.log(SPIKE_MS), 1.0) if draws.random() < noise.spikes else 0.0
        lost, retry = 0.0, FIRST_RETRY
        while draws.random() < noise.loss and retry < FIRST_RETRY * 2**_MOST_RETRIES:
            lost, retry = lost + retry, retry * 2
        return Opening(rtt / 1000 + lost, rtt + lost * 1000)

    def flight(self, origin: str, to: str) -> float:
        """Draw how many seconds data of an open connection takes in one direction."""
        lost = DATA_RETRY if self._of(origin, to).random() < self.noise.loss else 0.0
        return self.true_ms(origin, to) / 2000 + lost

    def _base(self, origin: str, to: str) -> float:
        for pair in _named(origin, to):
            stated = self._states.get(pair, PathState()).rtt_ms
            if stated is not None:
                return stated
        if origin == to:
            return SAME_REGION_MS
        return self._published.get((origin, to), UNKNOWN_MS)

    def _drift(self, origin: str, to: str) -> float:
        """The drift of a pair of regions now: equal in both directions."""
        if not self.noise.wander_ms:
            return 0.0
        pair, now = (min(origin, to), max(origin, to)), self._clock()
        draws = self._of("drift", " ".join(pair))
        at, value = self._drifts.get(pair) or (now, draws.gauss(0, self.noise.wander_ms))
        kept = math.exp(-max(now - at, 0.0) / WANDER_SECONDS)
        value = kept * value + self.noise.wander_ms * math.sqrt(1 - kept * kept) * draws.gauss(0, 1)
        self._drifts[pair] = now, value
        return value

    def _of(self, origin: str, to: str) -> Random:
        """The random numbers of a pair."""
        if (origin, to) not in self._draws:
            self._draws[origin, to] = Random(f"{self._seed} path {origin} {to}")
        return self._draws[origin, to]


def region(text: str) -> str:
    """A region's name in the form of the published table."""
    return text.replace(" ", "").lower()


def _pairs(entry: PathEntry) -> list[tuple[str, str]]:
    """The directed pairs of an entry. All regions have no way back: each would be an entry of its own."""
    origin, to = region(entry.origin), region(entry.to)
    return [(origin, to), (to, origin)] if entry.both and origin != to else [(origin, to)]


def _named(origin: str, to: str) -> tuple[tuple[str, str], ...]:
    """The pairs under which a path may be described, the most specific one first."""
    return (origin, to), (origin, EVERYWHERE), (EVERYWHERE, to)
