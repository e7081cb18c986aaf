"""Formats metrics as text for Prometheus (text exposition format 0.0.4), with the names of `metrics.METRICS`.

Source of the format: prometheus.io, "Exposition formats". prometheus_client is not used: its import takes time, and
it reports the values of its own process, while these come from rows of the catalog.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate
from typing import TypeVar

from shared.domain.counters import BUCKETS, Gauge, Histogram, ProcessCounters
from shared.domain.metrics import COUNTER, METRICS, Metric

T = TypeVar("T")

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
PREFIX = "nearzone_"
INSTANCE = "instance"
"""The label that distinguishes the processes whose counters and histograms these are."""


def prometheus_text(gauges: Iterable[Gauge], counters: Iterable[ProcessCounters]) -> str:
    """Return every metric with its meaning, its type and its samples, if it has any. One of probing needs a sample."""
    samples: defaultdict[str, list[str]] = defaultdict(list)
    for gauge in gauges:
        samples[gauge.name].append(_sample(format_metric(gauge.name), gauge.labels, gauge.value))
    for tally in counters:
        for name, labels, value in _current_series(tally.counts, tally.instance):
            samples[name].append(_sample(format_metric(name), labels, value))
        for name, labels, spread in _current_series(tally.spreads, tally.instance):
            samples[name] += _histogram(format_metric(name), labels, spread)
    shown = {name: metric for name, metric in METRICS.items() if samples[name] or not metric.of_probing}
    return "".join(line + "\n" for name, metric in shown.items() for line in (*_head(name, metric), *samples[name]))


def format_metric(name: str) -> str:
    """Return the Prometheus name of a metric: with its base unit, and `_total` for a counter."""
    metric = METRICS[name]
    unit = {"s": "_seconds", "ms": "_ms"}.get(metric.unit, "")
    return f"{PREFIX}{name.replace('.', '_')}{unit}{'_total' if metric.kind == COUNTER else ''}"


def _head(name: str, metric: Metric) -> tuple[str, str]:
    meaning = metric.description.replace("\\", r"\\").replace("\n", r"\n")
    return f"# HELP {format_metric(name)} {meaning}", f"# TYPE {format_metric(name)} {metric.kind}"


def _current_series(
    series: Iterable[tuple[str, tuple[str, ...], T]], instance: str
) -> Iterator[tuple[str, dict[str, str], T]]:
    """Return the series whose metrics this release has: another release may have written the row."""
    for name, values, value in series:
        metric = METRICS.get(name)
        if metric and len(metric.dimensions) == len(values):
            yield name, {INSTANCE: instance, **dict(zip(metric.dimensions, values, strict=True))}, value


def _histogram(name: str, labels: Mapping[str, str], spread: Histogram) -> Iterator[str]:
    bounds = (*map(_number, BUCKETS), "+Inf")
    for bound, count in zip(bounds, accumulate(spread.counts), strict=True):
        yield _sample(f"{name}_bucket", {**labels, "le": bound}, count)
    yield _sample(f"{name}_sum", labels, spread.total)
    yield _sample(f"{name}_count", labels, sum(spread.counts))


def _sample(name: str, labels: Mapping[str, str], value: float) -> str:
    said = ",".join(f'{key}="{_escaped(value)}"' for key, value in labels.items())
    return f"{name}{{{said}}} {_number(value)}" if said else f"{name} {_number(value)}"


def _number(value: float) -> str:
    return repr(int(value)) if value == int(value) else repr(float(value))


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
