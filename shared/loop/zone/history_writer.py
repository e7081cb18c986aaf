"""The history of a run's writes. It is written asynchronously; a crash can lose the latest entries."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from shared.domain.dirty import RecordChange
from shared.domain.errors import NearzoneError
from shared.domain.zones import Zone
from shared.edge.report import Report
from shared.ports import Catalog

HISTORY_FLUSH_SECONDS = 3.0
"""Seconds for which the end of a run waits for its history."""


@dataclass
class HistoryWriter:
    """Keeps what one run has written to a zone; errors go into the report."""

    catalog: Catalog
    zone: Zone
    report: Report
    _unsaved: list[RecordChange] = field(default_factory=list)
    _task: asyncio.Task[None] | None = None

    def add(self, change: RecordChange) -> None:
        """Have a change kept; the caller does not wait for it."""
        self._unsaved.append(change)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._flush())

    async def _flush(self) -> None:
        while self._unsaved:
            changes, self._unsaved = self._unsaved, []
            try:
                await self.catalog.add_history(self.zone.key, changes)
            except NearzoneError as error:  # The record sets are right, and the log has the same changes.
                self.report.fail(f"history of {self.zone.fqdn} ({self.zone.region})", error)

    async def close(self) -> None:
        """Wait a moment for what is not kept yet. No task is left after that."""
        if self._task:
            try:
                done, _ = await asyncio.wait((self._task,), timeout=HISTORY_FLUSH_SECONDS)
            finally:
                self._task.cancel()
            for task in done:
                task.result()  # `_flush` reports errors; what is raised here is a bug.
