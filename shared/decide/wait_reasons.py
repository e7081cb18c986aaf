"""What a dirty name waits for, as text, and which names wait although nothing prevents their write. Pure.

The recent writes of other instances are known from the lease row; their reads, and how long Azure has told them to
wait, are not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from shared.decide.alarms import Trouble, zone_label
from shared.decide.rate_limit import LIMITS, SERVICE_RESERVE, WRITES, RateLimit
from shared.domain.catalog_rows import LeaseHolder
from shared.domain.dirty import DirtyName, Urgency
from shared.domain.zones import Zone

LATE_SECONDS = 300.0
"""Seconds for which a name may be due without an attempt before an alarm; if the timer runs less often than every 100
s, three of its intervals."""
NEXT_DRAIN = "the next drain"

_WRITE_KINDS = {
    Urgency.WITHDRAW: ("update", "delete"),
    Urgency.FIRST_ADDRESS: ("create", "update"),
    Urgency.MORE_ADDRESSES: ("update",),
    Urgency.HOST_WITHDRAW: ("delete",),
    Urgency.HOST_FIRST_ADDRESS: ("create",),
    Urgency.OTHER: WRITES,
}
"""The writes that a name may need: a process that marks it does not know whether it has a record set."""


@dataclass(frozen=True)
class WaitReasons:
    """What can delay the names of one zone. Times in seconds since the epoch.

    `frozen`: until when, as text, or "". `complete`: the catalog has every claim. `due_before`: several runs of the
    timer have left out a name that was due before this time. `own`: this process's rate limit of the zone.
    """

    zone: Zone
    now: float
    frozen: str
    complete: bool
    lease: LeaseHolder
    due_before: float
    own: RateLimit = field(default_factory=RateLimit)

    @cached_property
    def _budgets(self) -> Sequence[RateLimit]:
        """The rate limit of this process, and of the others as far as the lease row has it."""
        left = RateLimit()
        left.import_writes(self.lease.recent_writes or (), self.now)
        return self.own, left

    def reason(self, dirty: DirtyName) -> str:
        """Return what a name waits for."""
        if self.frozen:
            return f"frozen {self.frozen}"
        if not self.complete:
            return "no complete sweep yet"
        if dirty.not_before > self.now:
            return _attempt_text(dirty, dirty.not_before - self.now)
        if self._is_leased:
            return f"lease of {self.lease.holder} until {_time(self.lease.expires)}"
        wait = max(self._wait(kind, dirty) for kind in _WRITE_KINDS[dirty.urgency])
        if wait > 0:
            return f"budget of the zone: {wait:.0f} s"
        if self.lease.holder:
            ended = _time(self.lease.expires)
            return f"{NEXT_DRAIN}: the lease of {self.lease.holder} expired at {ended} without a release"
        return NEXT_DRAIN

    def late_names(self, names: Iterable[DirtyName]) -> Iterator[Trouble]:
        """Report names that have been due for minutes without an attempt, although nothing prevents it."""
        if self.frozen or not self.complete or self._is_leased:
            return
        for dirty in names:
            due = max(dirty.since, dirty.not_before)
            if due < self.due_before and not any(self._busy(kind) for kind in _WRITE_KINDS[dirty.urgency]):
                minutes = f"{(self.now - self.due_before) / 60:.0f} minutes"
                text = f"{zone_label(self.zone)}: due for more than {minutes} without an attempt"
                means = "its answer is old, and nothing known prevents its write"
                do = "check whether the function `drain` runs and how it ends; restart the app if it leaves names out"
                yield Trouble(dirty.name, text, means, do, "names")

    @property
    def _is_leased(self) -> bool:
        return bool(self.lease.holder) and self.lease.expires > self.now

    def _wait(self, kind: str, dirty: DirtyName) -> float:
        reserve = SERVICE_RESERVE if dirty.urgency.is_host_name else 0
        return max(budget.wait(kind, self.now, reserve) for budget in self._budgets)

    def _busy(self, kind: str) -> bool:
        """Return whether there are so many writes that a name of low urgency may have to wait long."""
        return any(budget.used(kind, self.now) > LIMITS[kind] / 2 for budget in self._budgets)


def _attempt_text(dirty: DirtyName, seconds: float) -> str:
    if not dirty.attempts:
        return f"{dirty.last_error or 'an attempt'}: next read in {seconds:.0f} s"
    times = "1 failure" if dirty.attempts == 1 else f"{dirty.attempts} failures"
    return f"next attempt in {seconds:.0f} s after {times}: {dirty.last_error}"


def _time(seconds: float) -> str:
    """Return a time of day, in UTC."""
    left = int(seconds) % 86_400
    return f"{left // 3600:02}:{left // 60 % 60:02}:{left % 60:02}"
