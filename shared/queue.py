"""Which dirty name of a zone is settled next, and when: urgent ones first, each inside the zone's budgets.

Pure: the clock is an argument. Which budget a change takes from is known only after its record set was read and its
answer routed. Until then it is guessed from the urgency with which the name was marked; then it is remembered, so that
a name that has to wait costs nothing while it waits.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from shared.budget import RESERVE, Budget
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
        self._busy: set[str] = set()
        self._held: frozenset[str] = frozenset()
        self._decided: dict[str, tuple[str, Change]] = {}
        self._stirred = -NEVER
        self._paused_until = 0.0

    def take(self, rows: Sequence[Stored[Dirty]], now: float) -> None:
        """What is dirty now, instead of what was."""
        present = {row.value.name: row.etag for row in rows}
        self._decided = {name: found for name, found in self._decided.items() if present.get(name) == found[0]}
        self._rows = sorted(rows, key=self._order)
        if any(not self._urgency(row).host and not row.value.attempts for row in rows):
            self._stirred = now

    def next(self, now: float) -> Stored[Dirty] | None:
        """The most urgent name that may go now; it is the caller's until `done`."""
        for row in self._rows:
            if row.value.name not in self._busy and self._when(row, now) <= now:
                self._busy.add(row.value.name)
                return row
        return None

    def done(self, row: Stored[Dirty]) -> None:
        """A name was settled, or put off until it is found dirty again, or waits with a decision."""
        self._busy.discard(row.value.name)
        if row.value.name not in self._decided:
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

    def decided(self, row: Stored[Dirty], change: Change) -> None:
        """It is known now what has to be written for this row."""
        self._decided[row.value.name] = (row.etag, change)
        self._rows.sort(key=self._order)

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
        if not urgency.host:
            wait = max(wait, self._budget.gap(kind, name, now))
        return max(now + wait, self._paused_until)

    def _order(self, row: Stored[Dirty]) -> tuple[Urgency, float, str]:
        return self._urgency(row), row.value.since, row.value.name

    def _urgency(self, row: Stored[Dirty]) -> Urgency:
        found = self._decided.get(row.value.name)
        return found[1].urgency if found and found[0] == row.etag else row.value.urgency
