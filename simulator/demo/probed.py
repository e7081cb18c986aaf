"""What the app's probes have to find in the demo's copy of the world, and how long they may take.

Pure, and derived from the world and its settings alone, as the oracle is.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

from simulator.functions_host.functions import next_run
from simulator.oracle.answers import MATRIX, NOTHING, Findings
from simulator.oracle.claims import claims, endpoints, most_specific, permitted, region, serving

SCHEDULE = "*/15 * * * * *"
DEFAULTS: dict[str, Any] = {
    "timeout": 5,
    "connect_timeout": 3,
    "down_after": 3,
    "up_after": 2,
    "hold": [30, 300],
    "slow_start": 60,
    "dwell": [120, 600],
}
"""The app's defaults of NEARZONE_PROBE_SCHEDULE and of the fields of NEARZONE_PROBING that take time."""
ADDRESSES, SPREAD = 10, 0.5
"""A round of at most so many addresses begins its probes within so many seconds."""
SAMPLES = 21
"""Round-trip times of which the app takes the median: a new one counts when more than half of them are new."""
_SAME_REGION_MS, _UNKNOWN_MS = 1.0, 200.0
"""Round-trip times of the simulated network where the table has none."""


@dataclass
class Faults:
    """What only probes notice.

    `hanging`: ids of endpoints. `cut`: regions that the vantage does not reach. `rtt_ms`: round-trip times from the
    vantage to regions, where they differ from the published table.
    """

    hanging: set[str] = field(default_factory=set)
    cut: set[str] = field(default_factory=set)
    rtt_ms: dict[str, float] = field(default_factory=dict)


class Probed(NamedTuple):
    """An address that is probed for a name. `place`: its region; of a static endpoint, its id."""

    endpoint: str
    ip: str
    region: str
    place: str


class Probing:
    """The settings of probing. Without probes that take effect, `enforced` is false and nothing is found."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.probes: dict[str, Any] = settings.get("NEARZONE_PROBES", {})
        self.stated: dict[str, Any] = settings.get("NEARZONE_PROBING", {})
        self.vantage = region(self.stated.get("vantage", ""))
        self.enforced = bool(self.probes and self.vantage) and self.stated.get("mode") == "enforce"
        self.interval = _interval(settings.get("NEARZONE_PROBE_SCHEDULE", SCHEDULE))

    def of(self, name: str) -> Any:  # noqa: ANN401 - JSON
        """The value of a field, its default if it is not stated."""
        return self.stated.get(name, DEFAULTS[name])

    @property
    def round_seconds(self) -> float:
        """Seconds between two rounds while an address does not answer."""
        longest: float = SPREAD + self.of("timeout")
        return self.interval * math.ceil(longest / self.interval)

    @property
    def down_seconds(self) -> float:
        """Seconds after which an address that has failed is out of the answers, at most."""
        return float((self.of("down_after") + 1) * self.round_seconds)

    @property
    def back_seconds(self) -> float:
        """Seconds after which an address that works again is back, at most."""
        each, most = self.of("hold")
        hold = min(2 * each, most)  # It may have gone out once before.
        return float((self.of("up_after") + 1) * self.round_seconds + hold + self.of("slow_start"))

    @property
    def order_seconds(self) -> float:
        """Seconds after which a new round-trip time has changed the order of regions, at most."""
        return float((SAMPLES // 2 + 3) * self.round_seconds + self.of("dwell")[0])


def pace(settings: dict[str, Any]) -> str:
    """How fast probing goes, where that differs from the app's defaults; "" where it does not, or without probes."""
    probing = Probing(settings)
    values = [("a round every", probing.interval, _interval(SCHEDULE))]
    values += [(name, probing.of(name), default) for name, default in DEFAULTS.items()]
    told = [f"{name} {_told(value)} ({_told(default)})" for name, value, default in values if value != default]
    if not told or not probing.probes:
        return ""
    return f"Its probes from {probing.vantage} (seconds; default in brackets): {', '.join(told)}."


def _told(value: float | list[float]) -> str:
    return " to ".join(f"{each:g}" for each in value) if isinstance(value, list) else f"{value:g}"


def _interval(schedule: str) -> float:
    first = next_run(schedule, datetime(2026, 1, 1, tzinfo=UTC))
    return (next_run(schedule, first) - first).total_seconds()


class Finder:
    """What probes find in a world in the end, once all their times have passed."""

    def __init__(self, world: dict[str, Any], faults: Faults) -> None:
        self._world, self._faults = world, faults
        self._settings: dict[str, Any] = world["settings"]
        self.probing = Probing(self._settings)
        self._probed = list(self._all()) if self.probing.enforced else []
        self._answering = {(each.place, each.ip) for each in self._probed if not self.fails(each)}

    def fails(self, probed: Probed) -> bool:
        """Whether an address does not answer the vantage."""
        return probed.endpoint in self._faults.hanging or probed.region in self._faults.cut

    def findings(self, zone: dict[str, Any], name: str) -> Findings:
        """What the oracle has to know of a name in a zone (its entry in the settings)."""
        if not self.probing.enforced or not most_specific(name, self.probing.probes, None):
            return NOTHING
        own = region(zone["region"]) == self.probing.vantage
        down = {(p.endpoint, p.ip) for p in self._probed if self.fails(p) and (own or self._proves_path(p))}
        policy = most_specific(name, self._settings.get("NEARZONE_POLICIES", {}), {})
        if not own or not self._faults.rtt_ms or policy.get("distance") == "published":
            return Findings(frozenset(down))
        ms = {at: self.rtt_ms(at) for at in {each.region for each in self._probed}}
        return Findings(frozenset(down), order=tuple(sorted(ms, key=lambda at: (ms[at], at))), ms=tuple(ms.items()))

    def rtt_ms(self, at: str) -> float:
        """The true round-trip time from the vantage to a region."""
        local = _SAME_REGION_MS if at == self.probing.vantage else _UNKNOWN_MS
        return self._faults.rtt_ms.get(at, MATRIX.get((self.probing.vantage, at), local))

    def regions(self) -> Collection[str]:
        """The regions with probed addresses."""
        return sorted({each.region for each in self._probed})

    def probes(self, endpoint: dict[str, Any]) -> bool:
        """Whether an endpoint is probed."""
        return any(each.endpoint == endpoint["id"].lower() for each in self._probed)

    def _proves_path(self, failing: Probed) -> bool:
        """Whether another address of the same place answers: only then it is no fault of the path to it."""
        return any(place == failing.place and ip != failing.ip for place, ip in self._answering)

    def _all(self) -> Iterator[Probed]:
        for each in endpoints(self._world, self._settings):
            names = [name for name in claims(each, self._settings) if permitted(each, name, self._settings)]
            if any(most_specific(name, self.probing.probes, None) for name in names):
                at = region(each["location"])
                for ip in serving(each):
                    yield Probed(each["id"].lower(), ip, at, each["id"].lower() if "claims" in each else at)
