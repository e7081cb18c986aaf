"""The metrics of the app: names, kinds, units, meanings and dimensions. A name here is part of the contract."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

COUNTER, GAUGE, HISTOGRAM = "counter", "gauge", "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. `kind`: a counter adds up, a gauge has a current value, a histogram records a distribution.

    `dimensions`: the labels that split it into series. `of_probing`: only an app that probes has it.
    """

    kind: str
    unit: str
    description: str
    dimensions: tuple[str, ...] = ()
    of_probing: bool = False


def _probing_gauge(unit: str, description: str, *more: str) -> Metric:
    return Metric(GAUGE, unit, description, ("vantage", *more), of_probing=True)


METRICS: Mapping[str, Metric] = {
    "events": Metric(COUNTER, "{event}", "events by outcome", ("outcome",)),
    "writes": Metric(COUNTER, "{write}", "writes to record sets", ("zone", "kind")),
    "delivery_to_dns": Metric(HISTOGRAM, "s", "from an event's delivery to the write that it caused", ("zone",)),
    "conflicts": Metric(COUNTER, "{write}", "writes refused because the record set had changed", ("zone",)),
    "failures": Metric(COUNTER, "{write}", "names whose write failed and is retried", ("zone",)),
    "throttled": Metric(COUNTER, "{call}", "calls that ARM answered with HTTP 429", ("type",)),
    "dirty": Metric(GAUGE, "{name}", "names that wait for their write", ("zone",)),
    "dirty.oldest": Metric(GAUGE, "s", "how long the oldest dirty name has waited", ("zone",)),
    "drift": Metric(COUNTER, "{name}", "record sets that a sweep found to be wrong", ("zone",)),
    "refused_plans": Metric(COUNTER, "{plan}", "plans that the guard refused", ("zone",)),
    "blocked": Metric(GAUGE, "{name}", "names whose record sets nearzone may not write", ("zone",)),
    "frozen": Metric(GAUGE, "{zone}", "1 while the zone is frozen, else 0", ("zone",)),
    "sweep.duration": Metric(HISTOGRAM, "s", "how long sweeps take"),
    "sweep.age": Metric(GAUGE, "s", "how long ago the last complete sweep ended"),
    "probes": Metric(COUNTER, "{probe}", "probes by what they found", ("result",), of_probing=True),
    "probes.rounds": Metric(COUNTER, "{round}", "rounds of probes by outcome", ("outcome",), of_probing=True),
    "probes.round_duration": Metric(HISTOGRAM, "s", "how long rounds of probes take", of_probing=True),
    "probes.verdict_changes": Metric(
        COUNTER, "{verdict}", "verdicts given and ended", ("kind", "change"), of_probing=True
    ),
    "probes.all_down": _probing_gauge(
        "{name}", "names whose answers are kept although the probes of all addresses fail"
    ),
    "probes.blind": _probing_gauge("{vantage}", "1 while the vantage is presumed blind, else 0"),
    "probes.round_age": _probing_gauge("s", "how long ago the last probe round was"),
    "probes.failing": _probing_gauge("{address}", "addresses whose probe failed in the last round"),
    "probes.verdicts": _probing_gauge("{address}", "verdicts in force against addresses", "kind"),
    "probes.would_change": _probing_gauge("{name}", "in observe mode, answers that probes would change"),
    "probes.rtt": _probing_gauge("ms", "measured round-trip time to a region", "place"),
}
"""By the names that the loop uses; Application Insights has them with the prefix "nearzone."."""
