"""What the app tells Application Insights: figures (OpenTelemetry metrics), and a span for each call of a function.

Without a connection string nothing is told, and OpenTelemetry is not imported: 0.3 s of a cold start.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from shared.ports import Measure, unmeasured

if TYPE_CHECKING:
    from opentelemetry.metrics import Meter
    from opentelemetry.trace import Tracer

CONNECTION = "APPLICATIONINSIGHTS_CONNECTION_STRING"
PREFIX = "nearzone."
COUNTER, GAUGE, HISTOGRAM = "counter", "gauge", "histogram"

_log = logging.getLogger("nearzone")


@dataclass(frozen=True, slots=True)
class Metric:
    """`kind`: counts add up, a gauge tells how things stand, a histogram spreads. `dimensions`: what it is split by."""

    kind: str
    unit: str
    says: str
    dimensions: tuple[str, ...] = ()


METRICS: Mapping[str, Metric] = {
    "events": Metric(COUNTER, "{event}", "events by what became of them", ("outcome",)),
    "writes": Metric(COUNTER, "{write}", "writes to record sets", ("zone", "kind")),
    "delivery_to_dns": Metric(HISTOGRAM, "s", "from an event's delivery to the write that it caused", ("zone",)),
    "conflicts": Metric(COUNTER, "{write}", "writes refused because the record set had changed", ("zone",)),
    "failures": Metric(COUNTER, "{write}", "names that could not be settled and are tried again", ("zone",)),
    "throttled": Metric(COUNTER, "{call}", "calls that ARM answered with HTTP 429", ("type",)),
    "dirty": Metric(GAUGE, "{name}", "names that wait to be settled", ("zone",)),
    "dirty.oldest": Metric(GAUGE, "s", "for how long the oldest of them has waited", ("zone",)),
    "drift": Metric(COUNTER, "{name}", "record sets that a sweep found not to be as they should", ("zone",)),
    "refused_plans": Metric(COUNTER, "{plan}", "plans held back because they would remove too much", ("zone",)),
    "blocked": Metric(GAUGE, "{name}", "names whose record sets nearzone may not write", ("zone",)),
    "frozen": Metric(GAUGE, "{zone}", "1 while nothing may be written to the zone, else 0", ("zone",)),
    "sweep.duration": Metric(HISTOGRAM, "s", "how long sweeps take"),
    "sweep.age": Metric(GAUGE, "s", "how long ago the last complete sweep ended"),
}
"""By the names that the loop uses; Application Insights has them with `nearzone.` before."""


class Caller(Protocol):
    """The part of a function's context that says which trace the call belongs to (W3C trace context)."""

    @property
    def function_name(self) -> str:
        """The function."""

    @property
    def trace_context(self) -> object:
        """Has `trace_parent` and `trace_state`."""


@dataclass(frozen=True, slots=True)
class Telemetry:
    """Where figures and spans go; nowhere, as it stands here."""

    measure: Measure = unmeasured
    tracer: Tracer | None = None

    @contextmanager
    def span(self, context: Caller) -> Iterator[None]:
        """A function's call as a span below the host's own, so that ARM calls are found from the event on."""
        if self.tracer is None:
            yield
            return
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415

        called = context.trace_context
        carrier = {"traceparent": getattr(called, "trace_parent", ""), "tracestate": getattr(called, "trace_state", "")}
        parent = TraceContextTextMapPropagator().extract({key: value for key, value in carrier.items() if value})
        with self.tracer.start_as_current_span(context.function_name, context=parent):
            yield


def connect(environment: Mapping[str, str]) -> Telemetry:
    """Connect to Application Insights where a connection string is set; DNS goes on where that fails.

    With `APPLICATIONINSIGHTS_AUTHENTICATION_STRING` the exporter signs in as the app's identity (exporter 1.0.0b58).
    """
    connection = environment.get(CONNECTION)
    if not connection:
        return Telemetry()
    # The host sends the logs. The distribution reads this from the environment only (1.8.11): its argument is ignored.
    os.environ.setdefault("OTEL_LOGS_EXPORTER", "none")
    try:
        from azure.monitor.opentelemetry import configure_azure_monitor  # noqa: PLC0415 - see above
        from opentelemetry import metrics, trace  # noqa: PLC0415

        # The SDKs' calls are spans; what instruments web frameworks and other clients has nothing to do here.
        others = ("django", "fastapi", "flask", "httpx", "psycopg2", "requests", "urllib", "urllib3")
        configure_azure_monitor(
            connection_string=connection,
            enable_live_metrics=False,
            enable_performance_counters=False,
            instrumentation_options={each: {"enabled": False} for each in others},
        )
    except Exception:  # noqa: BLE001 - whatever it is: names matter more than figures about them
        _log.exception("%s: no telemetry is sent", CONNECTION)
        return Telemetry()
    return Telemetry(measured(metrics.get_meter("nearzone")), trace.get_tracer("nearzone"))


def measured(meter: Meter) -> Measure:
    """The metrics as instruments of this meter."""
    record = {name: _instrument(meter, PREFIX + name, metric) for name, metric in METRICS.items()}

    def measure(name: str, value: float, /, **dimensions: str) -> None:
        record[name](value, dimensions)

    return measure


def _instrument(meter: Meter, name: str, metric: Metric) -> Callable[[float, Mapping[str, str]], None]:
    if metric.kind == COUNTER:
        return meter.create_counter(name, metric.unit, metric.says).add
    if metric.kind == GAUGE:
        return meter.create_gauge(name, metric.unit, metric.says).set
    return meter.create_histogram(name, metric.unit, metric.says).record
