"""Holds back an endpoint that begins to serve until its first successful probe, where a policy waits for that.

The recorder asks for it before it records the endpoint, so that no decision sees the endpoint without the verdict.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from shared.decide.probes.verdicts import waiting
from shared.domain.endpoints import Endpoint, State
from shared.domain.probes import Target, TargetKey, VantageRow, Verdict
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
        # After a pause, another handler may have recorded long ago that it serves: its names have it already.
        if not verdicts or await self._serves_already(begins, after.key):
            return
        self._pending.update((verdict.key, verdict) for verdict in verdicts)
        try:
            await self.vantage.change(self._with_pending)
        finally:
            for verdict in verdicts:
                self._pending.pop(verdict.key, None)

    async def _serves_already(self, begins: Sequence[Target], key: str) -> bool:
        """Return whether the catalog's row of the endpoint has one of these targets by now. Raises Transient."""
        stored = await self.vantage.catalog.endpoint(key)
        now = {target.key for target in self.vantage.targets([stored.value.endpoint])} if stored else set()
        return any(target.key in now for target in begins)

    def _with_pending(self, row: VantageRow) -> VantageRow | None:
        """Return the row with the verdicts that calls wait for; None where it has them all, or has ended.

        A row that has ended belongs to a prober that has stopped: it would hold the endpoint back for no probe.
        """
        known = {verdict.key for verdict in row.verdicts}
        added = tuple(verdict for verdict in self._pending.values() if verdict.key not in known)
        return replace(row, verdicts=row.verdicts + added) if added and self.vantage.clock() < row.until else None
