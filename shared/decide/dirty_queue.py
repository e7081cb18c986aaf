"""Which dirty name of a zone is settled next, and when: urgent ones first, each inside the zone's budgets.

Pure: the clock is an argument. Which budget a change takes from is known only after its record set was read and its
answer routed. Until then the queue assumes it from the urgency with which the name was marked. After that it keeps the
change, so a name that waits for its budget is not read again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from shared.decide.plan import Change
from shared.decide.rate_limit import MAX_COALESCING_SECONDS, MAX_COALESCING_WITHDRAW_SECONDS, SERVICE_RESERVE, RateLimit
from shared.domain.catalog_rows import Versioned
from shared.domain.dirty import LONGEST_WAIT, DirtyName, Urgency

SERVICE_PRIORITY_SECONDS = 20.0
"""Seconds for which host names leave a part of the budget to service names, after one of these was dirty."""
NEVER = float("inf")

_BudgetLane = tuple[Urgency, str]
_ASSUMED_KIND = {Urgency.HOST_FIRST_ADDRESS: "create", Urgency.HOST_WITHDRAW: "delete"}


class DirtyQueue:
    """The dirty names of one zone. Times in seconds since the epoch.

    Service names are scheduled individually. Host names, which may be thousands, are grouped in lanes by the budget for
    which they wait. Names whose changes are not urgent are among these.
    """

    def __init__(self, budget: RateLimit) -> None:
        self._budget = budget
        self._rows: dict[str, Versioned[DirtyName]] = {}
        self._services: list[Versioned[DirtyName]] = []
        self._lanes: dict[_BudgetLane, dict[str, Versioned[DirtyName]]] = {}
        self._busy: dict[str, bool] = {}
        """Names that a worker has; whether it is a host name: one of these at a time while service names change."""
        self._deferred: frozenset[str] = frozenset()
        self._decided: dict[str, tuple[str, Change]] = {}
        self._recently_checked: dict[str, float] = {}
        self._settled: dict[str, tuple[str, float]] = {}
        self._service_active_at = -NEVER
        self._paused_until = 0.0
        self._taken_at = 0.0

    def replace_rows(self, rows: Sequence[Versioned[DirtyName]], read_at: float, now: float) -> None:
        """Replace the dirty rows by those that were read at `read_at`."""
        if now < self._taken_at:  # The clock was set back: these times are in the future now.
            self._recently_checked, self._settled, self._service_active_at, self._paused_until = {}, {}, -NEVER, 0.0
        self._taken_at = now
        found = {row.value.name: row for row in rows}
        # Rows that were read before a name was settled may still contain it.
        late = {name: at for name, at in self._settled.items() if at[1] >= read_at}
        self._settled = {name: at for name, at in late.items() if name in found and found[name].etag == at[0]}
        self._rows = {name: row for name, row in found.items() if name not in self._settled}
        self._decided = {
            name: at for name, at in self._decided.items() if name in self._rows and self._rows[name].etag == at[0]
        }
        self._arrange()
        if any(not row.value.attempts for row in self._services):
            self._service_active_at = now

    def _arrange(self) -> None:
        lanes: defaultdict[_BudgetLane, dict[str, Versioned[DirtyName]]] = defaultdict(dict)
        for row in sorted(self._rows.values(), key=lambda row: (row.value.since, row.value.name)):
            lanes[self._lane(row)][row.value.name] = row
        self._services = [row for lane in sorted(lanes) if not lane[0].is_host_name for row in lanes[lane].values()]
        self._lanes = {lane: lanes[lane] for lane in sorted(lanes) if lane[0].is_host_name}

    def next(self, now: float) -> Versioned[DirtyName] | None:
        """The most urgent name that may go now; no other caller gets it until `finish`."""
        row = next(self._ready(now), None)
        if row:
            self._busy[row.value.name] = self._urgency(row).is_host_name
        return row

    def ready(self, now: float) -> list[Versioned[DirtyName]]:
        """All names that may go now, most urgent first."""
        return list(self._ready(now))

    def _ready(self, now: float) -> Iterator[Versioned[DirtyName]]:
        for row in self._services:
            if self._free(row, now) and self._service_allowed(row, now) <= now:
                yield row
        if now < self._service_active_at + SERVICE_PRIORITY_SECONDS and any(self._busy.values()):
            return
        for (urgency, kind), rows in self._lanes.items():
            if self._allowed(kind, urgency, "", now) <= now:
                yield from (row for row in rows.values() if self._free(row, now))

    def next_ready_at(self, now: float, patience: float = NEVER) -> float:
        """When the next name may go; `NEVER` where there is none.

        A name that is backed off for longer than `patience` seconds is not counted; one that only waits for the zone's
        budget is, however long that takes.
        """
        soonest, latest = NEVER, now + patience
        for row in self._services:
            if self._free(row, latest):
                soonest = min(soonest, max(row.value.not_before, self._service_allowed(row, now)))
        for (urgency, kind), rows in self._lanes.items():
            first = min((row.value.not_before for row in rows.values() if self._free(row, latest)), default=NEVER)
            soonest = min(soonest, max(first, self._allowed(kind, urgency, "", now)))
        return soonest

    def finish(self, row: Versioned[DirtyName], now: float, waits: Change | None = None) -> None:
        """Drop a name that was settled or put off, until it is found dirty again. `waits`: its change is still due."""
        name = row.value.name
        self._busy.pop(name, None)
        before = self._lane(row)
        self._decided.pop(name, None)
        if waits:
            self._decided[name] = (row.etag, waits)
            self._move(row, before, self._lane(row))
        else:
            self._recently_checked = {
                each: at for each, at in self._recently_checked.items() if at > now - MAX_COALESCING_SECONDS
            }
            self._recently_checked[name] = now
            self._settled[name] = row.etag, now
            self._rows.pop(name, None)

    @property
    def size(self) -> int:
        """How many names there are."""
        return len(self._rows)

    @property
    def busy(self) -> bool:
        """Whether a worker has a name."""
        return bool(self._busy)

    def defer(self, names: Iterable[str]) -> None:
        """Hold these names back until the next call; those of the last call are ready again."""
        self._deferred = frozenset(names)

    def pause(self, until: float) -> None:
        """Let no name go before then: Azure has answered with `Retry-After`."""
        self._paused_until = max(self._paused_until, min(until, self._taken_at + LONGEST_WAIT))

    def wait(self, change: Change, now: float) -> float:
        """Seconds until this write may go; 0 when it may go now."""
        return max(0.0, self._allowed(change.kind, change.urgency, change.name, now) - now)

    def _free(self, row: Versioned[DirtyName], now: float) -> bool:
        dirty = row.value
        name = dirty.name
        return name not in self._busy and name not in self._deferred and name in self._rows and dirty.not_before <= now

    def _allowed(self, kind: str, urgency: Urgency, name: str, now: float) -> float:
        wait = self._budget.wait(kind, now)
        if urgency.is_host_name and now < self._service_active_at + SERVICE_PRIORITY_SECONDS:
            priority_left = self._service_active_at + SERVICE_PRIORITY_SECONDS - now
            wait = max(wait, min(self._budget.wait(kind, now, SERVICE_RESERVE), priority_left))
        if kind == "update" and not urgency.is_host_name:
            longest = MAX_COALESCING_WITHDRAW_SECONDS if urgency == Urgency.WITHDRAW else MAX_COALESCING_SECONDS
            wait = max(wait, self._budget.coalescing_delay(name, now, self._recently_checked.get(name, 0.0), longest))
        return max(now + wait, self._paused_until)

    def _service_allowed(self, row: Versioned[DirtyName], now: float) -> float:
        allowed = self._allowed(self._write_kind(row), self._urgency(row), row.value.name, now)
        undecided = row.value.name not in self._decided  # Then it may have to be read.
        return max(allowed, now + self._budget.wait("get", now)) if undecided else allowed

    def _move(self, row: Versioned[DirtyName], before: _BudgetLane, after: _BudgetLane) -> None:
        """Move a name to another lane, without sorting thousands of host names each time."""
        if before in self._lanes and after in self._lanes:
            self._lanes[before].pop(row.value.name, None)
            self._lanes[after][row.value.name] = row
        else:
            self._arrange()

    def _lane(self, row: Versioned[DirtyName]) -> _BudgetLane:
        return self._urgency(row), self._write_kind(row)

    def _urgency(self, row: Versioned[DirtyName]) -> Urgency:
        found = self._decided.get(row.value.name)
        urgency = found[1].urgency if found else row.value.urgency
        # The mark does not know whether the name has an address already; a name that was checked a moment ago has.
        has_address = urgency == Urgency.FIRST_ADDRESS and row.value.name in self._recently_checked
        return Urgency.MORE_ADDRESSES if has_address else urgency

    def _write_kind(self, row: Versioned[DirtyName]) -> str:
        found = self._decided.get(row.value.name)
        return found[1].kind if found else _ASSUMED_KIND.get(row.value.urgency, "update")
