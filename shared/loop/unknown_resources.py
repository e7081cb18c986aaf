"""Events about resources that claim nothing: while very many come, they are dropped or left to one sweep.

A power event changes no claim. Where the complete catalog knows no claim of the machine, no answer depends on the
event, and a change that makes the machine claim a name sends an event of its own. What the handler of that event
records is observed once more (`decide/confirmation.py`), so that a dropped power event is not missed (model-checked,
`stranger:` in tests/protocol). While few events are under way each one is followed, because the catalog may have missed
a claim.

Any other event may lead to a claim. Where events come about more unknown resources than can be read before Event Grid's
deadline, they are left to a sweep: the state row notes that a sweep is due, one note for all events of a moment, and
the event is acknowledged. The next drain sweeps (`sweep_is_due`). The note holds until a sweep that began after it has
seen everything (model-checked, `deferred:`). So a storm costs the lists of one sweep, whatever the operation was and
whether the resource exists.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from shared.config.settings import Settings
from shared.domain.catalog_rows import Versioned
from shared.domain.catalog_state import CatalogState
from shared.domain.concurrency import SharedRuns
from shared.edge.event_hints import Hint
from shared.loop.catalog_queries import complete_epoch
from shared.loop.catalog_state import update_state
from shared.ports import Catalog

MIN_CONCURRENT_EVENTS = 8
"""Events under way in this process; more than these are a storm."""
CATALOG_READ_INTERVAL_SECONDS = 0.5
"""Seconds between two readings of the catalog; events in between share the second one."""
MAX_UNKNOWN_IDS = 64
"""Unknown resources that this process observes together: by GETs, `observer.GETS_PER_SECOND`, in 8 s."""
OVERLOAD_SECONDS = 10.0
"""Seconds after an overload for which events about unknown resources are left to a sweep."""
SWEEP_INTERVAL_SECONDS = 60.0
"""At least so many seconds pass between the beginnings of two sweeps that such events cause."""


@dataclass
class UnknownResources:
    """Decides which events need not be followed at once. `clock`: seconds since the epoch.

    It keeps in memory only the ids of resources that claim something.
    """

    catalog: Catalog
    settings: Settings
    clock: Callable[[], float]
    _under_way: int = 0
    _recent_ids: Counter[str] = field(default_factory=Counter)
    _unknown: int = 0
    _overloaded_at: float = -OVERLOAD_SECONDS
    _known: frozenset[str] = frozenset()
    _read_at: float = 0.0
    _catalog_reads: SharedRuns[bool] = field(default_factory=SharedRuns)
    _notes: SharedRuns[bool] = field(default_factory=lambda: SharedRuns(CATALOG_READ_INTERVAL_SECONDS))

    @contextmanager
    def under_way(self, hint: Hint) -> Iterator[None]:
        """While an event is handled."""
        key = hint.resource_id.lower()
        self._under_way += 1
        self._recent_ids[key] += 1
        self._unknown += self._recent_ids[key] == 1 and key not in self._known
        try:
            yield
        finally:
            self._under_way -= 1
            self._recent_ids[key] -= 1
            if not self._recent_ids[key]:
                del self._recent_ids[key]
                self._unknown -= key not in self._known

    async def may_drop(self, hint: Hint) -> bool:
        """Return whether no answer can depend on an event, by rows read after it came. Raises Transient.

        An event about what was known lately does not wait for that.
        """
        key = hint.resource_id.lower()
        if not hint.power or self._under_way <= MIN_CONCURRENT_EVENTS or key in self._known:
            return False
        complete, _ = await self._catalog_reads.run("", "", lambda _: self._read())
        return complete and key not in self._known

    async def may_defer(self, hint: Hint, begun: float) -> bool:
        """Whether an event that came at `begun` is left to a sweep, which is durable then. Raises Transient, Terminal.

        An event about what was known lately does not wait for that.
        """
        key = hint.resource_id.lower()
        if key in self._known or not self._overloaded(begun):
            return False
        complete, _ = await self._catalog_reads.run("", "", lambda _: self._read())
        if self._unknown > MAX_UNKNOWN_IDS:
            self._overloaded_at = self.clock()
        if not complete or key in self._known or not self._overloaded(begun):
            return False
        noted, _ = await self._notes.run("", "", lambda _: self._note_sweep_due())
        return noted

    def _overloaded(self, begun: float) -> bool:
        now = self.clock()
        return self._unknown > MAX_UNKNOWN_IDS or min(begun, now - OVERLOAD_SECONDS) <= self._overloaded_at <= now

    async def _note_sweep_due(self) -> bool:
        """Note that a sweep is due; False where there is no state row, for the catalog was lost."""

        def note(state: CatalogState | None) -> CatalogState | None:
            return state and replace(state, deferred_at=self.clock(), event_at=self.clock())

        return await update_state(self.catalog, note) is not None

    async def _read(self) -> bool:
        """Read which resources claim something; gives whether these are all of them."""
        await asyncio.sleep(
            min(CATALOG_READ_INTERVAL_SECONDS, max(0.0, self._read_at + CATALOG_READ_INTERVAL_SECONDS - self.clock()))
        )  # The clock may be set back.
        self._read_at = self.clock()
        complete = await complete_epoch(
            self.catalog, self.settings, self.clock
        )  # First: what is lost after that is filled by what a sweep sees later.
        rows = [stored.value for stored in await self.catalog.endpoints()]
        known = [row.endpoint for row in rows if row.endpoint.names or row.todo or row.missing_at or row.endpoint.doubt]
        self._known = frozenset(key for each in known for key in (each.key, each.parent) if key)
        self._unknown = sum(key not in self._known for key in self._recent_ids)
        return bool(complete)


def is_sweep_noted(state: CatalogState) -> bool:
    """Whether events that were left to a sweep still wait for one."""
    return state.deferred_at > state.covered_at


def sweep_is_due(stored: Versioned[CatalogState] | None, now: float) -> bool:
    """Whether a drain has to sweep for such events. Where sweeps fail, the pauses grow. `now`: seconds."""
    if not stored or not is_sweep_noted(stored.value):
        return False
    pause = max(SWEEP_INTERVAL_SECONDS, (now - stored.value.deferred_at) / 2)
    return abs(now - stored.value.attempted_at) >= pause
