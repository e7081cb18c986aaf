"""The clock of a process, corrected by the catalog's: instances whose own clocks differ share the times in the catalog.

Every answer of the storage account tells the account's time (the HTTP header `Date`, in whole seconds). The local clock
is an argument.
"""

from __future__ import annotations

from collections.abc import Callable

RESOLUTION = 1.0
"""Seconds: `Date` has no fractions (RFC 9110, section 5.6.7)."""
SLACK = 0.1
"""Seconds by which the clock may miss what an answer allows: a clock that is right is used as it is."""
TOLERANCE = 3.0
"""Seconds by which the corrected clocks of two instances may differ: twice what one answer leaves open, and a delay."""


class Clock:
    """Seconds since the epoch by the catalog's time; local time until an answer has told that.

    `local`: this process's own clock, in seconds since the epoch. `offset`: seconds that are added to it.
    """

    def __init__(self, local: Callable[[], float]) -> None:
        self.local = local
        self.offset = 0.0

    def __call__(self) -> float:
        """The time now."""
        return self.local() + self.offset

    def at(self, local: float) -> float:
        """The time when the local clock showed `local`."""
        return local + self.offset

    def learn(self, date: float, asked: float) -> None:
        """Correct the clock by an answer that has just come.

        `date`: the time that it tells, in whole seconds. `asked`: the local time when the request was sent. The answer
        was made between the two, so that a slow one says little: what it leaves open is not corrected.
        """
        least, most = date - self.local(), date + RESOLUTION - asked
        if least > most or least - SLACK <= self.offset <= most + SLACK:
            return
        allowed = min(max(self.offset, least), most)
        if least - SLACK <= 0.0 <= most + SLACK:
            self.offset = 0.0
        elif abs(allowed - self.offset) <= RESOLUTION:
            self.offset = allowed  # As little as may be: then every answer leaves less open than the one before.
        else:
            self.offset = (least + most) / 2
