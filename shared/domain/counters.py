"""The counters and distributions of a process since its start, for every reader of the catalog.

Functions run on instances that share no memory, so each process keeps its own figures and writes them to the catalog as
one row. Gauges are not kept here: the status reads current values from the catalog.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

BUCKETS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0)
"""Upper bounds of a distribution's buckets, in seconds. The last bucket has no bound and counts the rest."""

Series: TypeAlias = tuple[str, tuple[str, ...]]
"""A metric's name, and the values of its dimensions in their order."""


@dataclass(frozen=True, slots=True)
class Histogram:
    """A distribution. `counts`: measurements in each bucket, one more than `BUCKETS`. `total`: their sum, seconds."""

    counts: tuple[int, ...] = (0,) * (len(BUCKETS) + 1)
    total: float = 0.0

    def __add__(self, value: float) -> Histogram:
        """Return the distribution with one more measurement (seconds)."""
        at = next((number for number, bound in enumerate(BUCKETS) if value <= bound), len(BUCKETS))
        counts = (*self.counts[:at], self.counts[at] + 1, *self.counts[at + 1 :])
        return Histogram(counts, self.total + value)


@dataclass(frozen=True, slots=True)
class Gauge:
    """The current value of a metric; `labels`: the values of its dimensions."""

    name: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ProcessCounters:
    """The figures of one process, by metric and dimensions. `at`: when it wrote them, in seconds since the epoch."""

    instance: str
    at: float
    counts: tuple[tuple[str, tuple[str, ...], float], ...] = ()
    spreads: tuple[tuple[str, tuple[str, ...], Histogram], ...] = ()


@dataclass
class Counters:
    """Adds up measurements. `counters`, `histograms`: the dimensions of each counter and each distribution."""

    counters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    histograms: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    changed: bool = False
    """Whether a measurement was added since this was set to False."""
    _counts: dict[Series, float] = field(default_factory=dict)
    _histograms: dict[Series, Histogram] = field(default_factory=dict)

    def record(self, name: str, value: float, /, **dimensions: str) -> None:
        """Add one measurement; implements `ports.Metrics`. Ignores gauges."""
        if name in self.counters:
            series = (name, _values(self.counters[name], dimensions))
            self._counts[series] = self._counts.get(series, 0.0) + value
        elif name in self.histograms:
            series = (name, _values(self.histograms[name], dimensions))
            self._histograms[series] = self._histograms.get(series, Histogram()) + value
        else:
            return
        self.changed = True

    def snapshot(self, instance: str, at: float) -> ProcessCounters:
        """Return all figures up to now."""
        return ProcessCounters(
            instance,
            at,
            tuple((*series, value) for series, value in sorted(self._counts.items())),
            tuple((*series, value) for series, value in sorted(self._histograms.items(), key=lambda each: each[0])),
        )


def _values(order: tuple[str, ...], dimensions: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(dimensions.get(each, "") for each in order)
