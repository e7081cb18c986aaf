"""The clock of a process, corrected by the catalog's clock, so that all instances agree on the times in the catalog.

Every response of the storage account has the account's time (the HTTP header `Date`, in whole seconds). The local clock
is an argument.
"""

from __future__ import annotations

from collections.abc import Callable

RESOLUTION = 1.0
"""Seconds: `Date` has no fractions (RFC 9110, section 5.6.7)."""
SLACK = 0.1
"""Seconds by which the clock may lie outside the bounds of a response and still count as correct."""
TOLERANCE = 3.0
"""Seconds by which the corrected clocks of two instances may differ: twice the uncertainty of one response, and a
delay."""


class Clock:
    """Seconds since the epoch by the catalog's clock; by the local clock until the first response.

    `local`: this process's clock, in seconds since the epoch. `offset`: seconds to add to it.
    """

    def __init__(self, local: Callable[[], float]) -> None:
        self.local = local
        self.offset = 0.0

    def __call__(self) -> float:
        """Return the current time."""
        return self.local() + self.offset

    def at(self, local: float) -> float:
        """Return the time at which the local clock showed `local`."""
        return local + self.offset

    def learn(self, date: float, asked: float) -> None:
        """Correct the clock by a response that has just arrived.

        `date`: the time in the response, in whole seconds. `asked`: the local time when the request was sent. The
        server made the response between then and now. A slow response therefore bounds the time loosely, and corrects
        the clock less.
        """
        least, most = date - self.local(), date + RESOLUTION - asked
        if least > most or least - SLACK <= self.offset <= most + SLACK:
            return
        allowed = min(max(self.offset, least), most)
        if least - SLACK <= 0.0 <= most + SLACK:
            self.offset = 0.0
        elif abs(allowed - self.offset) <= RESOLUTION:
            self.offset = allowed  # The smallest correction: every further response then narrows the bounds.
        else:
            self.offset = (least + most) / 2
