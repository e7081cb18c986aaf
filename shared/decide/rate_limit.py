"""The rate limits of a zone's reads and writes: a little less than Azure allows in any sliding minute.

Azure's published limits per private zone and minute are 60 creates, 60 updates and 60 deletes, 200 gets and 100 lists
of record sets (Azure DNS limits, 2024-10-08). The rest of each limit is for requests that Azure counts later than this
process, and for reads of other instances. The clock is an argument. A call with a time in the future counts as made
now: the clock may have been set back, and the clock of another instance may be ahead.
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
"""Seconds for which a call counts: a minute, the time by which it may reach Azure later than a subsequent call, and the
possible difference of another instance's clock."""
LIMITS: Mapping[str, int] = {"create": 57, "update": 57, "delete": 57, "get": 150, "list": 95}
WRITES = ("create", "update", "delete")
SERVICE_RESERVE = 20
"""Writes of each kind that host names leave to service names while service names change."""
COALESCING_THRESHOLD = 0.15
"""Up to this share of a minute's limit a name is written as often as it changes."""
MAX_COALESCING_SECONDS = 15.0
MAX_COALESCING_WITHDRAW_SECONDS = 7.5
"""The same for a name with an address of a gone endpoint."""


class RateLimit:
    """The calls of the last minute in one zone."""

    def __init__(self) -> None:
        self._spent: dict[str, deque[WriteStamp]] = {kind: deque() for kind in LIMITS}
        self._written: dict[str, float] = {}
        self._learned: frozenset[WriteStamp] = frozenset()
        self._now = 0.0
        """The time of the last call of a method: no recorded call is later."""

    def wait(self, kind: str, now: float, reserve: int = 0) -> float:
        """Return seconds until the next call of this kind may go, with `reserve` calls left; 0 if it may go now."""
        spent, limit = self._recent(kind, now), LIMITS[kind] - reserve
        freed = spent[-limit].at + WINDOW_SECONDS if len(spent) >= limit else 0.0
        return max(0.0, freed - now)

    def coalescing_delay(
        self, name: str, now: float, looked: float = 0.0, longest: float = MAX_COALESCING_SECONDS
    ) -> float:
        """Return seconds for which a name that was just written or read is not updated, so that changes are coalesced.

        It is 0 while the limit is far. The more of a minute's updates or reads is used, the longer the delay: in a
        storm every event may change the answers of the same few names, and each name needs a share of the limit.
        """
        share = max(self.used(kind, now) / LIMITS[kind] for kind in ("update", "get"))
        gap = longest * max(0.0, share - COALESCING_THRESHOLD) / (1 - COALESCING_THRESHOLD)
        return max(0.0, max(looked, self._written.get(name, 0.0)) + gap - now)

    def used(self, kind: str, now: float) -> int:
        """Return the number of calls of this kind in the last minute."""
        return len(self._recent(kind, now))

    def record(self, kind: str, name: str, now: float) -> None:
        """Record a call that goes now."""
        self._recent(kind, now).append(WriteStamp(kind, name, now))
        if kind in WRITES:
            self._written[name] = now

    def recent_writes(self, now: float) -> tuple[WriteStamp, ...]:
        """Return the writes of the last minute, including assumed ones."""
        return tuple(write for kind in WRITES for write in self._recent(kind, now))

    def import_writes(self, spent: Iterable[WriteStamp] | None, now: float) -> frozenset[WriteStamp]:
        """Add the writes of the previous holder, and return the new ones. None: unknown, so assume the maximum."""
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
        """If the clock was set back, all calls that would now lie in the future count as made now."""
        before, self._now = self._now, now
        if now >= before:
            return
        for kind, spent in self._spent.items():
            self._spent[kind] = deque(replace(each, at=min(each.at, now)) for each in spent)
        self._written = {name: min(at, now) for name, at in self._written.items()}


BACK_OFF = 2.0
MAX_BACK_OFF = 300.0


def back_off(attempts: int, retry_after: float | None) -> float:
    """Return seconds before the next attempt after `attempts` failures; at least what the service asked for."""
    wait = max(retry_after or 0.0, min(MAX_BACK_OFF, BACK_OFF * 2.0 ** min(attempts - 1, 10)))
    return min(wait, LONGEST_WAIT)
