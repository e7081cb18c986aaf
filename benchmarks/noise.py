"""How endpoints and paths misbehave although nothing is broken: pauses, lost packets, round-trip times that wander.

The sizes are estimates, not measurements of a fleet: a server is busy twice an hour, for 4 s on average; a path is
disturbed once in 12 hours, for 20 s on average; 0.5 % of packets are lost. A round-trip time wanders with a standard
deviation of 0.8 ms within an hour; its route changes every 72 hours by 3 to 15 ms, for 8 hours on average. 2 % of the
samples queue (a median of 40 ms), 5 % wait up to 10 ms for a processor, and one in a thousand lost its SYN: 1 s more.
A path begins somewhere in that course: one in ten begins on another route. Times are in seconds, round-trip times in
milliseconds.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, field

HOUR = 3600.0
DAY = 24 * HOUR
ROUND = 15.0
"""Seconds between two probes of an address."""
_LOSS = 0.005
_TRIES = 4  # pairs of packets of one probe that may both be lost
_WANDER_MS = 0.8
_ROUTE_SECONDS, _DETOUR_SECONDS = 72 * HOUR, 8 * HOUR
_DETOUR_MS = (3.0, 15.0)


@dataclass(frozen=True, slots=True)
class Span:
    """A time without answers. `of_path`: the path is disturbed, so that no connection is made; else the server pauses.

    A server that pauses accepts connections: its kernel does.
    """

    begin: float
    end: float
    of_path: bool


@dataclass
class Disturbances:
    """When one endpoint does not answer, in the order of time. Equal seeds and `until` give equal spans."""

    rnd: random.Random
    until: float
    spans: list[Span] = field(default_factory=list)

    def __post_init__(self) -> None:
        busy = [Span(begin, end, False) for begin, end in _spans(self.rnd, 2 / HOUR, 4.0, self.until)]
        path = [Span(begin, end, True) for begin, end in _spans(self.rnd, 1 / (12 * HOUR), 20.0, self.until)]
        self.spans = sorted([*busy, *path], key=lambda each: each.begin)

    def fails(self, at: float, patience: float, connect_patience: float | None = None) -> bool:
        """Return whether a probe that begins at `at` and waits so long gets no answer.

        `connect_patience`: how long it waits for the connection; None: `patience` as well.
        """
        to_connect = patience if connect_patience is None else connect_patience
        for span in self._near(at):
            if span.begin <= at and span.end - at > (to_connect if span.of_path else patience):
                return True
        return self.rnd.random() < _LOSS * _LOSS * _TRIES

    def quiet_until(self, at: float, patience: float) -> float:
        """Return the beginning of the next disturbance that a probe with such patience can notice."""
        return next(
            (each.begin for each in self.spans if each.end > at and each.end - each.begin > patience), self.until
        )

    def _near(self, at: float) -> list[Span]:
        while self.spans and self.spans[0].end < at - 10 * 60:
            self.spans.pop(0)
        return [span for span in self.spans[:8] if span.begin <= at < span.end]


def _spans(rnd: random.Random, rate: float, mean: float, until: float) -> Iterator[tuple[float, float]]:
    at = rnd.expovariate(rate)
    while at < until:
        yield at, at + rnd.expovariate(1 / mean)
        at += rnd.expovariate(rate)


def true_rtt(rnd: random.Random, base: float) -> Iterator[float]:
    """Yield the true round-trip time at each round: wander and changes of the route."""
    keep = math.exp(-ROUND / HOUR)
    spread = _WANDER_MS * math.sqrt(1 - keep * keep)
    wander, detour, back_at, at = rnd.gauss(0, _WANDER_MS), 0.0, 0.0, 0.0
    if rnd.random() < _DETOUR_SECONDS / (_ROUTE_SECONDS + _DETOUR_SECONDS):
        detour, back_at = rnd.uniform(*_DETOUR_MS), rnd.expovariate(1 / _DETOUR_SECONDS)
    while True:
        wander = keep * wander + rnd.gauss(0, spread)
        if not detour and rnd.random() < ROUND / _ROUTE_SECONDS:
            detour, back_at = rnd.uniform(*_DETOUR_MS), at + rnd.expovariate(1 / _DETOUR_SECONDS)
        if detour and at > back_at:
            detour = 0.0
        yield max(1.0, base + wander + detour)
        at += ROUND


def sampled_rtt(rnd: random.Random, true: float) -> float:
    """Return what one connection measures of a true round-trip time."""
    sample = true + rnd.expovariate(1 / 0.3)
    kind = rnd.random()
    if kind < 0.02:
        sample += rnd.lognormvariate(math.log(40), 1)
    elif kind < 0.07:
        sample += rnd.uniform(1, 10)
    return sample + (1000 if rnd.random() < 0.001 else 0)
