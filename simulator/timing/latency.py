"""How long Azure takes: recorded distributions of request latencies, drawn from a given source of randomness.

Pure: it never waits; the front ends do.

Sources: request durations, client to answer, in Azure Service Operator's public recordings 2024-2026
(Azure/azure-service-operator, v2/internal, commit 4c8c8b4b, read 2026-11-23). `LIST`, `OTHER` and the medians of
`RECORD_DELETE`, `LB_GET`, `PE_GET` and `CONTAINER_GROUP_GET` are assumptions.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from simulator.arm.front_door import ArmError, Call, Request, parse


@dataclass(frozen=True, slots=True)
class Spread:
    """A recorded range in seconds: smallest, median and largest value."""

    low: float
    median: float
    high: float

    def draw(self, rng: Random) -> float:
        """A value between `low` and `high`, half of them below the median; large ones are rare."""
        chance = rng.random()
        if chance < 0.5:
            return self.low + (self.median - self.low) * chance * 2
        return self.median + (self.high - self.median) * (chance * 2 - 1) ** 3


RECORD_GET = Spread(0.140, 0.170, 0.270)
RECORD_PUT = Spread(0.560, 0.660, 0.930)
RECORD_DELETE = Spread(0.620, 0.660, 0.700)
VM_GET = Spread(0.280, 0.420, 0.870)
NIC_GET = Spread(0.090, 0.200, 0.650)
LB_GET = Spread(0.047, 0.200, 0.414)
PE_GET = Spread(0.044, 0.070, 0.095)
CONTAINER_GROUP_GET = Spread(0.260, 0.400, 0.530)
LIST = Spread(0.200, 0.300, 0.600)
OTHER = Spread(0.100, 0.200, 0.600)

_RECORD_TYPES = frozenset(
    f"privatednszones/{kind}" for kind in ("a", "aaaa", "cname", "mx", "ptr", "soa", "srv", "txt")
)


_GETS = {
    "virtualmachines": VM_GET,
    "networkinterfaces": NIC_GET,
    "loadbalancers": LB_GET,
    "privateendpoints": PE_GET,
    "containergroups": CONTAINER_GROUP_GET,
    "applicationgateways": LB_GET,
}


class Latency:
    """Draws the latency of requests; `scale` multiplies it, 0 switches it off."""

    def __init__(self, rng: Random, scale: float = 1.0) -> None:
        self._rng = rng
        self.scale = scale

    def of(self, request: Request) -> float:
        """Seconds from sending this request to receiving its answer."""
        return spread_of(request).draw(self._rng) * self.scale if self.scale else 0.0


def spread_of(request: Request) -> Spread:
    """The recorded distribution for a kind of request."""
    try:
        call = parse(request)
    except ArmError:
        return OTHER
    if call.method == "GET" and len(call.types) > len(call.names):
        return LIST
    return _single(call)


def _single(call: Call) -> Spread:
    if call.kind in _RECORD_TYPES:
        return {"GET": RECORD_GET, "DELETE": RECORD_DELETE}.get(call.method, RECORD_PUT)
    if call.method == "GET":
        return _GETS.get(call.kind, OTHER)
    return OTHER
