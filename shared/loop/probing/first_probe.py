"""Holds back an endpoint that begins to serve until its first successful probe, where a policy waits for that.

The recorder asks for it before it records the endpoint, so that no decision sees the endpoint without the verdict.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from shared.decide.probes.verdicts import waiting
from shared.domain.endpoints import Endpoint, State
from shared.domain.probes import TargetKey, VantageRow, Verdict
from shared.loop.probing.vantage import Vantage


@dataclass(frozen=True)
class FirstProbe:
    """Adds verdicts to the row of the vantage.

    A call writes what all running calls wait for: many endpoints that begin to serve together do not compete.
    """

    vantage: Vantage
    _pending: dict[TargetKey, Verdict] = field(default_factory=dict)

    async def wait_for(self, before: Endpoint | None, after: Endpoint) -> None:
        """Hold back what an endpoint has begun to serve, if a prober is at work. `before`: as it was recorded last.

        Raises Transient and Terminal; Conflict where other writers of the row were always faster.
        """
        settings = self.vantage.settings
        waits = self.vantage.enforces and any(policy.wait_minutes for policy in settings.policies.values())
        if not waits or after.state != State.SERVING:
            return
        known = {target.key for target in self.vantage.targets([before])} if before else set()
        begins = [target for target in self.vantage.targets([after]) if target.key not in known]
        verdicts = waiting(begins, settings, self.vantage.clock())
        if not verdicts:
            return
        self._pending.update((verdict.key, verdict) for verdict in verdicts)
        try:
            await self.vantage.change(lambda row: _with(row, self._pending.values()))
        finally:
            for verdict in verdicts:
                self._pending.pop(verdict.key, None)


def _with(row: VantageRow, wanted: Iterable[Verdict]) -> VantageRow | None:
    """Return the row with these verdicts, which end with it; None where it has them all."""
    known = {verdict.key for verdict in row.verdicts}
    added = tuple(verdict for verdict in wanted if verdict.key not in known)
    return replace(row, verdicts=row.verdicts + added) if added else None
