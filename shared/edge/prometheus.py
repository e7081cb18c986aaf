"""Figures as text for Prometheus (text exposition format 0.0.4), by the names and meanings of `metrics.METRICS`.

Source of the format: prometheus.io, "Exposition formats". `prometheus_client` is not used: it takes time to import,
and its values are those of its own process, while these come from rows.
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
"""The label that tells the processes apart whose counters and distributions these are."""


def prometheus_text(gauges: Iterable[Gauge], tallies: Iterable[ProcessCounters]) -> str:
    """Every metric with its meaning, its type and its samples; one without samples has the first two."""
    samples: defaultdict[str, list[str]] = defaultdict(list)
    for gauge in gauges:
        samples[gauge.name].append(_sample(format_metric(gauge.name), gauge.labels, gauge.value))
    for tally in tallies:
        for name, labels, value in _known(tally.counts, tally.instance):
            samples[name].append(_sample(format_metric(name), labels, value))
        for name, labels, spread in _known(tally.spreads, tally.instance):
            samples[name] += _distribution(format_metric(name), labels, spread)
    return "".join(line + "\n" for name, metric in METRICS.items() for line in (*_head(name, metric), *samples[name]))


def format_metric(name: str) -> str:
    """The name that Prometheus has a metric under: with its base unit, and `_total` where it is a counter."""
    metric = METRICS[name]
    unit = "_seconds" if metric.unit == "s" else ""
    return f"{PREFIX}{name.replace('.', '_')}{unit}{'_total' if metric.kind == COUNTER else ''}"


def _head(name: str, metric: Metric) -> tuple[str, str]:
    meaning = metric.description.replace("\\", r"\\").replace("\n", r"\n")
    return f"# HELP {format_metric(name)} {meaning}", f"# TYPE {format_metric(name)} {metric.kind}"


def _known(series: Iterable[tuple[str, tuple[str, ...], T]], instance: str) -> Iterator[tuple[str, dict[str, str], T]]:
    """The series of metrics that this release knows: another release may have written the row."""
    for name, values, value in series:
        metric = METRICS.get(name)
        if metric and len(metric.dimensions) == len(values):
            yield name, {INSTANCE: instance, **dict(zip(metric.dimensions, values, strict=True))}, value


def _distribution(name: str, labels: Mapping[str, str], spread: Histogram) -> Iterator[str]:
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
