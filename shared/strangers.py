"""Events about machines that claim nothing: in a storm of them they are dropped before anything is read for each.

A power event changes no claim. Where the complete catalog knows no claim of its machine, the answer of no name depends
on it, and what makes the machine claim a name is an event of its own. What that one's handler records is looked at once
more (`doubt.py`), so that the power event that was dropped here is not missed (model-checked, `stranger:` in
tests/protocol). While few events are under way each is looked at, for the catalog may have missed a claim.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from shared.events import Hint
from shared.ports import Catalog
from shared.together import Shared

CROWD = 8
"""So many events under way in this process are a storm."""
PAUSE = 0.5
"""Seconds between two readings of the catalog; events in between share the second one."""


@dataclass
class Strangers:
    """Tells strangers. `complete`: the catalog's epoch where it knows every claim, otherwise "".

    `clock`: seconds since the epoch. Of the catalog only the ids of those are remembered that claim something.
    """

    catalog: Catalog
    complete: Callable[[], Awaitable[str]]
    clock: Callable[[], float]
    _under_way: int = 0
    _known: frozenset[str] = frozenset()
    _read_at: float = 0.0
    _readings: Shared[bool] = field(default_factory=Shared)

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """While an event is handled."""
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1

    async def may_be_dropped(self, hint: Hint) -> bool:
        """Whether an event tells nothing that an answer could depend on, by rows read after it came. Raises Transient.

        An event about what was known lately does not wait for that.
        """
        key = hint.resource_id.lower()
        if not hint.power or self._under_way <= CROWD or key in self._known:
            return False
        complete, _ = await self._readings.run("", "", lambda _: self._read())
        return complete and key not in self._known

    async def _read(self) -> bool:
        """Read who claims something; gives whether that is everybody who does."""
        await asyncio.sleep(min(PAUSE, max(0.0, self._read_at + PAUSE - self.clock())))  # The clock may be set back.
        self._read_at = self.clock()
        complete = await self.complete()  # First: what is lost after that is filled by what a sweep sees later.
        rows = [stored.value for stored in await self.catalog.endpoints()]
        known = (row for row in rows if row.endpoint.names or row.todo or row.missing_at or row.endpoint.doubt)
        self._known = frozenset(row.endpoint.key for row in known)
        return bool(complete)
