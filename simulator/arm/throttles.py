"""Ways to count calls against a published limit: fixed window, sliding window, token bucket. Pure.

Azure publishes "60 per minute" for record sets and does not say how it counts; a client must work under each of these.
Nothing is refused here: the caller reads the wait, decides, and takes. All times in seconds.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Literal, Protocol

INSTANT = 1e-6
"""Negligible seconds: a client that has waited exactly long enough is not refused because of a rounding error."""

Algorithm = Literal["fixed", "sliding", "bucket"]


class Throttle(Protocol):
    """One counted limit."""

    def wait(self, now: float) -> float:
        """Seconds until a call would be allowed; 0.0: now."""

    def take(self, now: float) -> None:
        """Count a call."""

    def left(self, now: float) -> int:
        """How many calls would be allowed now."""


@dataclass(slots=True)
class FixedWindow:
    """A number of calls in each window; they begin at multiples of their length, so two bursts may meet at an edge."""

    limit: int
    seconds: float
    _window: int = -1
    _used: int = 0

    def _turn(self, now: float) -> None:
        window = int((now + INSTANT) // self.seconds)
        if window != self._window:
            self._window, self._used = window, 0

    def wait(self, now: float) -> float:
        """Seconds until a call would be allowed; 0.0: now."""
        return 0.0 if self.left(now) else (self._window + 1) * self.seconds - now

    def take(self, now: float) -> None:
        """Count a call."""
        self._turn(now)
        self._used += 1

    def left(self, now: float) -> int:
        """How many calls would be allowed now."""
        self._turn(now)
        return max(0, self.limit - self._used)


@dataclass(slots=True)
class SlidingWindow:
    """A number of calls in any span of this length: the strictest of the three."""

    limit: int
    seconds: float
    _taken: deque[float] = field(default_factory=deque)

    def _forget(self, now: float) -> None:
        while self._taken and self._taken[0] <= now - self.seconds + INSTANT:
            self._taken.popleft()

    def wait(self, now: float) -> float:
        """Seconds until a call would be allowed; 0.0: now."""
        return 0.0 if self.left(now) else self._taken[-self.limit] + self.seconds - now

    def take(self, now: float) -> None:
        """Count a call."""
        self._taken.append(now)

    def left(self, now: float) -> int:
        """How many calls would be allowed now."""
        self._forget(now)
        return max(0, self.limit - len(self._taken))


@dataclass(slots=True)
class TokenBucket:
    """A bucket that is full at first and refilled evenly: a burst of `capacity`, then `per_second`."""

    capacity: int
    per_second: float
    _missing: float = 0.0
    _at: float = 0.0

    def _level(self, now: float) -> float:
        self._missing = max(0.0, self._missing - (now - self._at) * self.per_second)
        self._at = now
        return self.capacity - self._missing

    def wait(self, now: float) -> float:
        """Seconds until a call would be allowed; 0.0: now."""
        return 0.0 if self.left(now) else (1 - self._level(now)) / self.per_second

    def take(self, now: float) -> None:
        """Count a call; the level never falls below zero."""
        self._missing = min(self.capacity, self.capacity - self._level(now) + 1)

    def left(self, now: float) -> int:
        """How many calls would be allowed now."""
        return int(self._level(now) + INSTANT * self.per_second)


def throttle(algorithm: Algorithm, limit: int, seconds: float) -> Throttle:
    """`limit` calls per `seconds`, counted in one of the three ways."""
    if algorithm == "fixed":
        return FixedWindow(limit, seconds)
    if algorithm == "sliding":
        return SlidingWindow(limit, seconds)
    return TokenBucket(limit, limit / seconds)
