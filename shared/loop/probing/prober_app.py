"""The probing of an app with NEARZONE_PROBES, put together from its parts."""

from __future__ import annotations

from shared.domain.endpoints import Endpoint
from shared.edge.commands import ProbeName
from shared.edge.report import Report
from shared.loop.operator_log import OperatorLog
from shared.loop.probing.command import ProbeCommand
from shared.loop.probing.ended import end_what_is_over
from shared.loop.probing.first_probe import FirstProbe
from shared.loop.probing.round import ProbeRounds
from shared.loop.probing.vantage import Vantage
from shared.loop.probing.verdict_log import VerdictLog
from shared.ports import Metrics, Prober


class ProberApp:
    """Implements `interface.Probing`."""

    def __init__(self, vantage: Vantage, prober: Prober, metrics: Metrics) -> None:
        self._vantage = vantage
        self._rounds = ProbeRounds(vantage, prober, VerdictLog(vantage, OperatorLog(vantage.catalog)), metrics)
        self._command = ProbeCommand(vantage, prober)
        self._first_probe = FirstProbe(vantage)

    async def run_round(self, report: Report) -> bool:
        """As `Probing.run_round`."""
        return await self._rounds.run(report)

    async def end_what_is_over(self) -> int:
        """As `Probing.end_what_is_over`."""
        return await end_what_is_over(self._vantage)

    async def probe_name(self, command: ProbeName) -> Report:
        """As `Probing.probe_name`."""
        return await self._command.run(command)

    async def wait_for_first(self, before: Endpoint | None, after: Endpoint) -> None:
        """As `Probing.wait_for_first`."""
        await self._first_probe.wait_for(before, after)
