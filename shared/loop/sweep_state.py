"""What a sweep writes to the catalog's state row: that it began, how far it is, and that the catalog is complete."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from shared.decide.confirmation import CONFIRM_SECONDS
from shared.domain.alarms import Alarm
from shared.domain.catalog_state import CatalogState, ReadingProgress
from shared.loop.catalog_state import update_state
from shared.ports import Catalog


@dataclass(frozen=True)
class SweepState:
    """The state row, as sweeps write it. Every call may raise Transient.

    `holder` names this process, `digest` the settings. `clock`: seconds since the epoch.
    """

    catalog: Catalog
    holder: str
    digest: str
    clock: Callable[[], float]

    async def start(self) -> CatalogState:
        """Note that a sweep has begun. A catalog that is new, or was lost, gets an epoch."""
        now = self.clock()
        new = CatalogState(epoch=f"{self.holder} {now}", began_at=now)

        def start(state: CatalogState | None) -> CatalogState:
            begun = state or new
            if not begun.epoch:
                begun = replace(begun, epoch=new.epoch, completed_at=0.0, began_at=now, graph_scope="")
            return replace(begun, attempted_at=now)

        return await update_state(self.catalog, start)

    async def progress(self, begun: CatalogState, progress: ReadingProgress) -> None:
        """Note how far reading is."""
        await self._note(begun, {"progress": progress})

    async def complete(self, begun: CatalogState) -> None:
        """Note that the catalog knows every claim."""
        await self._note(begun, self._completed())

    async def ask_graph(self, begun: CatalogState, scope: str) -> None:
        """Note that a sweep asks Resource Graph about these subscriptions, if it is the first one of the catalog."""
        if begun.graph_scope != scope:
            await self._note(begun, {"graph_scope": scope, "graph_at": begun.attempted_at})

    async def finish(
        self, begun: CatalogState, alarms: Sequence[Alarm], *, is_complete: bool, late: float = 0.0
    ) -> bool:
        """Note the sweep's alarms, and whether it could read everything; False if its catalog was lost meanwhile.

        `late`: by how many seconds what the sweep has read may be behind.
        """
        said: dict[str, Any] = {"alarms": tuple(alarms)}
        if is_complete:
            said |= self._completed() | {"covered_at": begun.attempted_at - CONFIRM_SECONDS - late}
        return await self._note(begun, said)

    def _completed(self) -> dict[str, Any]:
        return {"digest": self.digest, "completed_at": self.clock()}

    async def _note(self, begun: CatalogState, said: Mapping[str, Any]) -> bool:
        """Write fields of the state row; False if the catalog in which the sweep began was lost."""

        def change(state: CatalogState | None) -> CatalogState | None:
            return replace(state, **said) if state and state.epoch == begun.epoch else None

        return await update_state(self.catalog, change) is not None
