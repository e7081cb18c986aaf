"""Event Grid's delayed delivery: an endpoint that keeps failing gets nothing for a while, new events included. Pure.

Documented (event-grid/delivery-and-retry.md, 2026-02-09): when the first ten events fail, all retries and new
deliveries are delayed for some time, up to several hours. Assumed: that any ten failures in a row count, how long the
delays are, and that one success ends them, except for events that already wait.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

FAILURES = 10
"""Failed attempts in a row that begin a delay."""
DELAYS: Sequence[float] = (60, 300, 900, 3600, 10800)
"""Seconds of successive delays; the last one repeats."""


@dataclass(slots=True)
class DeliveryBackoff:
    """The delivery state of one endpoint. Times in seconds."""

    _failures: int = 0
    _delays: int = 0
    _until: float = 0.0

    def delay(self, now: float) -> float:
        """How long the endpoint gets nothing; 0.0: sending is allowed now."""
        return max(0.0, self._until - now)

    def note(self, now: float, *, delivered: bool) -> None:
        """Record the end of an attempt. A failure during a delay was in flight before and does not prolong it."""
        if delivered:
            self._failures = self._delays = 0
            return
        self._failures += 1
        if self._failures >= FAILURES and now >= self._until:
            self._until = now + DELAYS[min(self._delays, len(DELAYS) - 1)]
            self._delays += 1
