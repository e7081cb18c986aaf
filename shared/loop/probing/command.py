"""A probe by hand: probe the addresses of a name now, and say what to do about each. It touches no evidence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.config.region_names import suggestion
from shared.decide.probes.advice import advice_for
from shared.decide.probes.targets import unprobed
from shared.decide.routing import reaches
from shared.domain.endpoints import Address, State
from shared.domain.errors import BadRequest
from shared.domain.probes import ProbeResult, Target
from shared.domain.zones import Zone
from shared.edge.commands import ProbeName
from shared.edge.report import Report
from shared.loop.probing.vantage import Vantage
from shared.ports import Prober

MOST_LISTED = 10
"""Addresses that a note lists for each reason."""


@dataclass(frozen=True)
class ProbeCommand:
    """Probes a name for an operator."""

    vantage: Vantage
    probe: Prober

    async def run(self, command: ProbeName) -> Report:
        """Probe every address that the zones of the command may answer with, whatever the verdicts say.

        Raises BadRequest where no endpoint claims the name; Transient, Terminal.
        """
        endpoints = [row.endpoint for row in await self.vantage.catalog.claimants(command.name)]
        if not any(command.name in each.names and each.state != State.GONE for each in endpoints):
            raise BadRequest(f"probe.name: no endpoint claims {command.name!r}{await self._meant(command.name)}")
        wanted = _within(command.zones, self.vantage.targets(endpoints), command.name)
        keys = {(each.ip, each.probe.digest) for each in wanted}
        results = await self.probe([(each.ip, each.probe) for each in wanted], first=keys)
        report, ids = Report("probe"), {each.key: each.id for each in endpoints}
        report.probed = [_told(ids[each.endpoint], each, results.get((each.ip, each.probe.digest))) for each in wanted]
        reasons = unprobed(command.name, endpoints, self.vantage.settings)
        report.notes += [f"name {command.name}: not probed: {text}" for text in _listed(reasons)]
        if not wanted and not reasons:
            report.notes.append(f"name {command.name}: no endpoint that serves has an address that these zones reach")
        return report

    async def _meant(self, name: str) -> str:
        """Suggest the most similar name that an endpoint claims."""
        rows = await self.vantage.catalog.endpoints()
        known = (row.value.endpoint for row in rows if row.value.endpoint.state != State.GONE)
        return suggestion(name, {each for endpoint in known for each in endpoint.names})


def _within(zones: Iterable[Zone], targets: Iterable[Target], name: str) -> Sequence[Target]:
    """Return the targets of the name whose address one of the zones reaches."""
    named = (each for each in targets if name in each.names)
    return [each for each in named if any(reaches(zone, Address(each.ip)) for zone in zones)]


def _listed(reasons: Mapping[tuple[str, str], str]) -> Iterable[str]:
    """Return a text for each reason, with the addresses that have it."""
    for reason in sorted(set(reasons.values())):
        ips = sorted({ip for (_, ip), each in reasons.items() if each == reason})
        yield f"{', '.join(ips[:MOST_LISTED])}{', ...' if len(ips) > MOST_LISTED else ''} ({reason})"


def _told(endpoint_id: str, target: Target, result: ProbeResult | None) -> dict[str, Any]:
    """Return what an address has said as JSON-ready values."""
    head = {"endpoint": endpoint_id, "ip": target.ip, "port": target.probe.port, "region": target.region}
    if result is None:
        return head | {
            "word": "not probed",
            "status": None,
            "rtt_ms": None,
            "seconds": None,
            "advice": "the round ended before its turn: send the request again",
        }
    return head | {
        "word": result.word.value,
        "status": result.status or None,
        "rtt_ms": None if result.rtt_ms is None else round(result.rtt_ms, 3),
        "seconds": round(result.seconds, 3),
        "advice": advice_for(result, target.probe),
    }
