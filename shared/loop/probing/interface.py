"""What the other parts of the loop ask of probing, and the answers of an app that does not probe.

An app without NEARZONE_PROBES imports nothing else of this package: that would only lengthen its cold start.
"""

from __future__ import annotations

from typing import Protocol

from shared.domain.endpoints import Endpoint
from shared.domain.errors import BadRequest
from shared.edge.commands import ProbeName
from shared.edge.report import Report


class Probing(Protocol):
    """Probing as the triggers and the recorder use it. Calls raise Transient and Terminal."""

    async def run_round(self, report: Report) -> bool:
        """Run a round of probes; gives whether names were marked dirty."""

    async def end_what_is_over(self) -> int:
        """End what a prober has not renewed; gives how many names were marked dirty."""

    async def probe_name(self, command: ProbeName) -> Report:
        """Probe the addresses of a name for an operator. Raises BadRequest where no endpoint claims it."""

    async def wait_for_first(self, before: Endpoint | None, after: Endpoint) -> None:
        """Hold back what an endpoint begins to serve until its first success, where a policy waits for that.

        `before`: the endpoint as recorded last.
        """


class NoProbing:
    """Implements `Probing` for an app that does not probe: no call reads or writes anything."""

    async def run_round(self, report: Report) -> bool:  # noqa: ARG002 - as the protocol
        """Do nothing."""
        return False

    async def end_what_is_over(self) -> int:
        """Do nothing."""
        return 0

    async def probe_name(self, command: ProbeName) -> Report:
        """Raise BadRequest."""
        raise BadRequest(f"probe.name: NEARZONE_PROBES is not set, so {command.name!r} cannot be probed")

    async def wait_for_first(self, before: Endpoint | None, after: Endpoint) -> None:
        """Do nothing."""
