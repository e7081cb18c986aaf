"""How fast a zone may be read and written: a little less than Azure allows in any sliding minute. Pure.

Azure's published limits per private zone and minute are 60 creates, 60 updates and 60 deletes, 200 gets and 100 lists
of record sets (Azure DNS limits, 2024-10-08). The rest of each is for requests that Azure counts later than we do, and
for reads of other instances. The clock is an argument. A call in the future counts as made now: the clock may have been
set back, and the clock of another instance may be ahead.
"""

from __future__ import annotations

from bisect import insort
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import replace
from operator import attrgetter

from shared.domain.catalog_state import WriteStamp
from shared.domain.dirty import LONGEST_WAIT

WINDOW_SECONDS = 61.0
"""Seconds for which a call counts: a minute, the time by which it may reach Azure later than one sent after it, and the
time by which the clock of another instance may differ."""
LIMITS: Mapping[str, int] = {"create": 57, "update": 57, "delete": 57, "get": 150, "list": 95}
WRITES = ("create", "update", "delete")
SERVICE_RESERVE = 20
"""Writes of each kind that host names leave to service names while these change."""
COALESCING_THRESHOLD = 0.15
"""Share of a minute's budget up to which a name is written as often as it changes."""
MAX_COALESCING_SECONDS = 15.0
"""Longest delay of an update in a full minute, so that it includes later changes of the name."""
MAX_COALESCING_WITHDRAW_SECONDS = 7.5
"""The same for a name that holds a dead address."""


class RateLimit:
    """The calls to one zone in the last minute. Times in seconds since the epoch."""

    def __init__(self) -> None:
        self._spent: dict[str, deque[WriteStamp]] = {kind: deque() for kind in LIMITS}
        self._written: dict[str, float] = {}
        self._learned: frozenset[WriteStamp] = frozenset()
        self._now = 0.0
        """The last time that was given: no call is kept with a later one."""

    def wait(self, kind: str, now: float, reserve: int = 0) -> float:
        """Seconds until the next call of this kind may go and leave `reserve` others; 0 when it may go now."""
        spent, limit = self._recent(kind, now), LIMITS[kind] - reserve
        freed = spent[-limit].at + WINDOW_SECONDS if len(spent) >= limit else 0.0
        return max(0.0, freed - now)

    def coalescing_delay(
        self, name: str, now: float, checked_at: float = 0.0, longest: float = MAX_COALESCING_SECONDS
    ) -> float:
        """Seconds for which a name that was just written, or checked, is not updated, so that changes come together.

        0 while the budget is plentiful. The fuller the minute, of updates or of reads, the longer: in a storm every
        event may change the answers of the same few names, and each of them needs a share of the budget.
        """
        share = max(self.used(kind, now) / LIMITS[kind] for kind in ("update", "get"))
        gap = longest * max(0.0, share - COALESCING_THRESHOLD) / (1 - COALESCING_THRESHOLD)
        return max(0.0, max(checked_at, self._written.get(name, 0.0)) + gap - now)

    def used(self, kind: str, now: float) -> int:
        """How many calls of this kind were made in the last minute."""
        return len(self._recent(kind, now))

    def record(self, kind: str, name: str, now: float) -> None:
        """Count a call that is made now."""
        self._recent(kind, now).append(WriteStamp(kind, name, now))
        if kind in WRITES:
            self._written[name] = now

    def recent_writes(self, now: float) -> tuple[WriteStamp, ...]:
        """The writes of the last minute, including those that have to be assumed."""
        return tuple(write for kind in WRITES for write in self._recent(kind, now))

    def import_writes(self, spent: Iterable[WriteStamp] | None, now: float) -> frozenset[WriteStamp]:
        """Count the writes of an earlier holder, and give those that are new.

        None: its writes are not known, so it is assumed to have used up the budget.
        """
        if spent is None:
            spent = [WriteStamp(kind, f"unknown {number}", now) for kind in WRITES for number in range(LIMITS[kind])]
        told = frozenset(spent)
        new = told.difference(self._learned, *self._spent.values())
        self._learned = told
        self._see(now)
        for write in new:
            counted = replace(write, at=min(write.at, now))
            insort(self._spent[write.kind], counted, key=attrgetter("at"))
            self._written[write.name] = max(counted.at, self._written.get(write.name, 0.0))
        return new

    def _recent(self, kind: str, now: float) -> deque[WriteStamp]:
        self._see(now)
        spent = self._spent[kind]
        while spent and spent[0].at <= now - WINDOW_SECONDS:
            old = spent.popleft()
            if self._written.get(old.name, now) <= old.at:
                del self._written[old.name]
        return spent

    def _see(self, now: float) -> None:
        """Count the calls of every kind that are in the future as made now, if the clock was set back."""
        before, self._now = self._now, now
        if now >= before:
            return
        for kind, spent in self._spent.items():
            self._spent[kind] = deque(replace(each, at=min(each.at, now)) for each in spent)
        self._written = {name: min(at, now) for name, at in self._written.items()}


FIRST_BACK_OFF_SECONDS = 2.0
MAX_BACK_OFF_SECONDS = 300.0


def back_off(attempts: int, retry_after: float | None) -> float:
    """Seconds before a name that failed `attempts` times is retried: at least `retry_after`, at most `LONGEST_WAIT`."""
    wait = max(retry_after or 0.0, min(MAX_BACK_OFF_SECONDS, FIRST_BACK_OFF_SECONDS * 2.0 ** min(attempts - 1, 10)))
    return min(wait, LONGEST_WAIT)
