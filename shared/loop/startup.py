"""What a process does before its first work: it opens the catalog, and takes over what an earlier release has kept."""

from __future__ import annotations

from dataclasses import dataclass

from shared.domain.clock import Clock
from shared.ports import Catalog


@dataclass
class Startup:
    """Prepares the catalog once, at the first call that needs it; a call that failed is repeated by the next one."""

    catalog: Catalog
    clock: Clock
    _opened: bool = False
    _taken_over: bool = False

    async def begin(self, *, fills: bool = True) -> float:
        """The time at which this call began, in seconds since the epoch. Raises Transient, Terminal.

        The first call opens the catalog, which corrects the clock. The first call that `fills` the catalog, or gives an
        override, also takes over what was kept in another table.
        """
        begun = self.clock.local()
        if not self._opened:
            await self.catalog.open(self.clock)
            self._opened = True
        if fills and not self._taken_over:
            await self.catalog.take_over()
            self._taken_over = True
        return self.clock.at(begun)
