"""What a dirty name waits for, in words, and which names wait although nothing holds them. Pure.

What other instances have written of late is known from the lease row; what they have read, and how long Azure has asked
them to wait, is not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from shared.decide.alarms import Trouble, shown
from shared.decide.rate_limit import LIMITS, SERVICE_RESERVE, WRITES, RateLimit
from shared.domain.catalog_rows import LeaseHolder
from shared.domain.dirty import DirtyName, Urgency
from shared.domain.zones import Zone

LATE_SECONDS = 300.0
"""Seconds for which a name may be due without an attempt before that is an alarm; drains that come more seldom than
every 100 s get three of their intervals."""
NEXT_DRAIN = "the next drain"

_KINDS = {
    Urgency.WITHDRAW: ("update", "delete"),
    Urgency.FIRST_ADDRESS: ("create", "update"),
    Urgency.MORE_ADDRESSES: ("update",),
    Urgency.HOST_WITHDRAW: ("delete",),
    Urgency.HOST_FIRST_ADDRESS: ("create",),
    Urgency.OTHER: WRITES,
}
"""Which writes a name probably needs: what marks it does not know whether it has a record set."""


@dataclass(frozen=True)
class WaitReasons:
    """What can hold back the names of one zone. Times in seconds since the epoch.

    `frozen`: until when, in words, or "". `complete`: the catalog knows every claim. `due_before`: a name that was due
    before this time has been left out by several drains. `own`: this process's budget of the zone.
    """

    zone: Zone
    now: float
    frozen: str
    complete: bool
    tenancy: LeaseHolder
    due_before: float
    own: RateLimit = field(default_factory=RateLimit)

    @cached_property
    def _budgets(self) -> Sequence[RateLimit]:
        """That of this process, and what the lease row tells of the others."""
        left = RateLimit()
        left.import_writes(self.tenancy.recent_writes or (), self.now)
        return self.own, left

    def reason(self, dirty: DirtyName) -> str:
        """What a name waits for."""
        if self.frozen:
            return f"frozen {self.frozen}"
        if not self.complete:
            return "no complete sweep yet"
        if dirty.not_before > self.now:
            return _attempt(dirty, dirty.not_before - self.now)
        if self._blocking_reason:
            return f"lease of {self.tenancy.holder} until {_time(self.tenancy.expires)}"
        wait = max(self._wait(kind, dirty) for kind in _KINDS[dirty.urgency])
        if wait > 0:
            return f"budget of the zone: {wait:.0f} s"
        if self.tenancy.holder:
            ended = _time(self.tenancy.expires)
            return f"{NEXT_DRAIN}: the lease of {self.tenancy.holder} has ended at {ended} without being given back"
        return NEXT_DRAIN

    def late_names(self, names: Iterable[DirtyName]) -> Iterator[Trouble]:
        """Names that have been due for minutes, and nobody has tried them although nothing holds them."""
        if self.frozen or not self.complete or self._blocking_reason:
            return
        for dirty in names:
            due = max(dirty.since, dirty.not_before)
            if due < self.due_before and not any(self._busy(kind) for kind in _KINDS[dirty.urgency]):
                minutes = f"{(self.now - self.due_before) / 60:.0f} minutes"
                text = f"{shown(self.zone)}: due for more than {minutes}, and was not tried"
                means = "its answer is old, and nothing is known that holds it back"
                do = "look whether the function `drain` runs and how it ends; restart the app where it leaves names out"
                yield Trouble(dirty.name, text, means, do, "names")

    @property
    def _blocking_reason(self) -> bool:
        return bool(self.tenancy.holder) and self.tenancy.expires > self.now

    def _wait(self, kind: str, dirty: DirtyName) -> float:
        reserve = SERVICE_RESERVE if dirty.urgency.is_host_name else 0
        return max(budget.wait(kind, self.now, reserve) for budget in self._budgets)

    def _busy(self, kind: str) -> bool:
        """Whether so much is written that a name of little urgency may have to wait for long."""
        return any(budget.used(kind, self.now) > LIMITS[kind] / 2 for budget in self._budgets)


def _attempt(dirty: DirtyName, seconds: float) -> str:
    if not dirty.attempts:
        return f"{dirty.last_error or 'an attempt'}: next look in {seconds:.0f} s"
    times = "1 failure" if dirty.attempts == 1 else f"{dirty.attempts} failures"
    return f"next attempt in {seconds:.0f} s after {times}: {dirty.last_error}"


def _time(seconds: float) -> str:
    """A time of day, in UTC."""
    left = int(seconds) % 86_400
    return f"{left // 3600:02}:{left // 60 % 60:02}:{left % 60:02}"
