"""Which dirty name of a zone is settled next, and when: urgent ones first, each inside the zone's budgets.

Pure: the clock is an argument. Which budget a change takes from is known only after its record set was read and its
answer routed. Until then it is guessed from the urgency with which the name was marked; then it is remembered, so that
a name that has to wait costs nothing while it waits.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from shared.budget import LONGEST_GAP, RESERVE, Budget
from shared.model import Dirty, Urgency
from shared.plan import Change
from shared.ports import Stored

STIR = 20.0
"""Seconds after a service name was dirty for which host names leave a part of the budget to service names."""
NEVER = float("inf")

_GUESS = {Urgency.HOST_FIRST: "create", Urgency.HOST_WITHDRAW: "delete"}


class Queue:
    """The dirty names of one zone. Times in seconds since the epoch."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._rows: list[Stored[Dirty]] = []
        self._busy: dict[str, bool] = {}
        """Names in work, and whether they are host names: while service names change, only one of these at a time."""
        self._held: frozenset[str] = frozenset()
        self._decided: dict[str, tuple[str, Change]] = {}
        self._looked: dict[str, float] = {}
        self._settled: dict[str, tuple[str, float]] = {}
        self._stirred = -NEVER
        self._paused_until = 0.0

    def take(self, rows: Sequence[Stored[Dirty]], read_at: float, now: float) -> None:
        """What is dirty, instead of what was, as read at `read_at`."""
        present = {row.value.name: row.etag for row in rows}
        self._decided = {name: found for name, found in self._decided.items() if present.get(name) == found[0]}
        late = {name for name, (etag, at) in self._settled.items() if at >= read_at and present.get(name) == etag}
        self._settled = {name: found for name, found in self._settled.items() if name in late}
        self._rows = sorted((row for row in rows if row.value.name not in late), key=self._order)
        if any(not self._urgency(row).host and not row.value.attempts for row in rows):
            self._stirred = now

    def next(self, now: float) -> Stored[Dirty] | None:
        """The most urgent name that may go now; it is the caller's until `done`."""
        full = now < self._stirred + STIR and any(self._busy.values())
        for row in self._rows:
            host = self._urgency(row).host
            if host and full:  # All rows behind it are less urgent.
                return None
            if row.value.name not in self._busy and self._when(row, now) <= now:
                self._busy[row.value.name] = host
                return row
        return None

    def done(self, row: Stored[Dirty], now: float, waits: Change | None = None) -> None:
        """A name was settled or put off, until it is found dirty again; or `waits`: this has to be written for it."""
        self._looked = {name: at for name, at in self._looked.items() if at > now - LONGEST_GAP}
        self._looked[row.value.name] = now
        self._busy.pop(row.value.name, None)
        self._decided.pop(row.value.name, None)
        if waits:
            self._decided[row.value.name] = (row.etag, waits)
            self._rows.sort(key=self._order)
        else:
            self._settled[row.value.name] = row.etag, now  # Rows that were read before may still hold this one.
            self._rows = [each for each in self._rows if each is not row]

    def due(self, now: float) -> list[Stored[Dirty]]:
        """All that may go now."""
        return [row for row in self._rows if row.value.name not in self._busy and self._when(row, now) <= now]

    def soonest(self, now: float) -> float:
        """When the next name may go; `NEVER` where there is none."""
        return min((self._when(row, now) for row in self._rows if row.value.name not in self._busy), default=NEVER)

    @property
    def busy(self) -> bool:
        """Whether somebody has a name in work."""
        return bool(self._busy)

    def hold(self, names: Iterable[str]) -> None:
        """These names wait, until they are no longer held; instead of those held before."""
        self._held = frozenset(names)

    def pause(self, until: float) -> None:
        """Azure has asked to be left alone."""
        self._paused_until = max(self._paused_until, until)

    def wait(self, change: Change, now: float) -> float:
        """Seconds until this write may go; 0 when it may go now."""
        return max(0.0, self._allowed(change.kind, change.urgency, change.name, now) - now)

    def _when(self, row: Stored[Dirty], now: float) -> float:
        dirty = row.value
        if dirty.name in self._held:
            return NEVER
        urgency, found = self._urgency(row), self._decided.get(dirty.name)
        kind = found[1].kind if found else _GUESS.get(urgency, "update")
        return max(dirty.not_before, self._allowed(kind, urgency, dirty.name, now))

    def _allowed(self, kind: str, urgency: Urgency, name: str, now: float) -> float:
        wait = self._budget.wait(kind, now)
        if urgency.host and now < self._stirred + STIR:
            wait = max(wait, min(self._budget.wait(kind, now, RESERVE), self._stirred + STIR - now))
        if kind == "update" and not urgency.host:
            wait = max(wait, self._budget.gap(name, now, self._looked.get(name, 0.0)))
        return max(now + wait, self._paused_until)

    def _order(self, row: Stored[Dirty]) -> tuple[Urgency, float, str]:
        return self._urgency(row), row.value.since, row.value.name

    def _urgency(self, row: Stored[Dirty]) -> Urgency:
        found = self._decided.get(row.value.name)
        return found[1].urgency if found and found[0] == row.etag else row.value.urgency
