"""Verdicts in the history of the zones and in the log: which addresses are withdrawn, which return, and why.

A fleet that flaps does not flood the history: a round makes at most two entries, and an hour a bounded number. The log
has them all.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from shared.domain.dirty import Cause
from shared.domain.probes import TargetKey, VantageRow, Verdict, VerdictKind
from shared.edge.report import Report
from shared.loop.operator_log import OperatorLog
from shared.loop.probing.vantage import Vantage

KIND = "probe"
"""Of the entries in the history."""
ENTRIES_PER_HOUR = 20
"""Entries of this process in the history, at the most."""
EXAMPLES = 5
"""Addresses that an entry names."""

_log = logging.getLogger("nearzone")


def down(row: VantageRow) -> dict[TargetKey, Verdict]:
    """Return what is down by a row."""
    return {verdict.key: verdict for verdict in row.verdicts if verdict.kind == VerdictKind.DOWN}


@dataclass(frozen=True)
class VerdictLog:
    """Enters what has changed between two rows. Raises nothing."""

    vantage: Vantage
    log: OperatorLog
    _entered: deque[float] = field(default_factory=lambda: deque(maxlen=ENTRIES_PER_HOUR))

    async def enter(self, old: VantageRow, new: VantageRow, cause: Cause, report: Report) -> None:
        """Enter the addresses that went down, and those that came back."""
        before, after = down(old), down(new)
        gone = [after[key] for key in sorted(after.keys() - before.keys())]
        back = [before[key] for key in sorted(before.keys() - after.keys())]
        withdrawn, returned = ("withdrawn", "returned") if self._changes_answers else ("would withdraw", "would return")
        for everywhere, found in _by_scope(gone):
            why = [f"{_address(each)}, because {each.why}" for each in found]
            await self._entry(f"{withdrawn} {_some(why)}", cause, report, everywhere=everywhere)
        for everywhere, found in _by_scope(back):
            await self._entry(f"{returned} {_some([*map(_address, found)])}", cause, report, everywhere=everywhere)

    @property
    def _changes_answers(self) -> bool:
        return self.vantage.enforces and self.vantage.settings.apply

    async def _entry(self, text: str, cause: Cause, report: Report, *, everywhere: bool) -> None:
        name = self.vantage.name
        zones = [zone for zone in self.vantage.settings.zones if everywhere or zone.region == name]
        full = len(self._entered) == ENTRIES_PER_HOUR
        if full and cause.at - self._entered[0] < 3600.0:
            _log.info("probe from %s: %s", name, text)
            return
        self._entered.append(cause.at)
        await self.log.enter(zones, KIND, f"probed from {name}: {text}", cause, report)


def _by_scope(found: Sequence[Verdict]) -> Iterable[tuple[bool, list[Verdict]]]:
    """Return verdicts that hold everywhere, and those that hold in the zones of the vantage's region alone."""
    ranked = sorted(found, key=lambda each: each.everywhere)
    return [(everywhere, [*some]) for everywhere, some in groupby(ranked, key=lambda each: each.everywhere)]


def _address(verdict: Verdict) -> str:
    return f"{verdict.ip} ({verdict.endpoint.rsplit('/', 1)[-1]}, {verdict.region})"


def _some(texts: Sequence[str]) -> str:
    more = len(texts) - EXAMPLES
    return "; ".join(texts[:EXAMPLES]) + (f"; and {more} more" if more > 0 else "")
