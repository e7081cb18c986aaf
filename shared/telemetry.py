"""Sends metrics and spans to Application Insights through OpenTelemetry: one span for each function call.

A call that found nothing to do sends no span: the spans of a timer that runs every 30 s would be most of the cost.

Without a connection string the app sends nothing and does not import OpenTelemetry, which adds 0.3 s to a cold start.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from shared.domain.metrics import COUNTER, GAUGE, METRICS, Metric
from shared.ports import Metrics, no_metrics

if TYPE_CHECKING:
    from opentelemetry.metrics import CallbackOptions, Meter
    from opentelemetry.trace import Tracer

CONNECTION = "APPLICATIONINSIGHTS_CONNECTION_STRING"
PREFIX = "nearzone."

_log = logging.getLogger("nearzone")


class FunctionContext(Protocol):
    """The part of a function's context that identifies the trace of the call (W3C trace context)."""

    @property
    def function_name(self) -> str:
        """The name of the function."""

    @property
    def trace_context(self) -> object:
        """Has `trace_parent` and `trace_state`."""


@dataclass(slots=True)
class Call:
    """A running function call. `idle`: it found nothing to do, so its span is not sent."""

    idle: bool = False


@dataclass(frozen=True, slots=True)
class Telemetry:
    """The destination of metrics and spans; the default discards them."""

    measure: Metrics = no_metrics
    tracer: Tracer | None = None

    @contextmanager
    def span(self, context: FunctionContext) -> Iterator[Call]:
        """Record a function call as one span below the host's span, with its exception; none if the call is idle."""
        call = Call()
        if self.tracer is None:
            yield call
            return
        from opentelemetry.trace import use_span  # noqa: PLC0415 - not imported without a connection string
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415

        called = context.trace_context
        carrier = {"traceparent": getattr(called, "trace_parent", ""), "tracestate": getattr(called, "trace_state", "")}
        parent = TraceContextTextMapPropagator().extract({key: value for key, value in carrier.items() if value})
        span = self.tracer.start_span(context.function_name, context=parent)
        try:
            with use_span(span):
                yield call
        finally:
            if not call.idle:  # A span is sent when it ends.
                span.end()


def connect(environment: Mapping[str, str]) -> Telemetry:
    """Connect to Application Insights if a connection string is set. If that fails, the app runs without telemetry.

    With APPLICATIONINSIGHTS_AUTHENTICATION_STRING the exporter signs in as the app's identity (exporter 1.0.0b58).
    """
    connection = environment.get(CONNECTION)
    if not connection:
        return Telemetry()
    # The host sends the logs. The distribution reads this from the environment only (1.8.11): its argument is ignored.
    os.environ.setdefault("OTEL_LOGS_EXPORTER", "none")
    # Otherwise every export of spans includes a metric with the process's attributes, as large as a span.
    os.environ.setdefault("APPLICATIONINSIGHTS_OPENTELEMETRY_RESOURCE_METRIC_DISABLED", "true")
    try:
        from azure.monitor.opentelemetry import configure_azure_monitor  # noqa: PLC0415 - see above
        from opentelemetry import metrics, trace  # noqa: PLC0415

        # No spans for SDK calls: a sweep makes hundreds. AZURE_SDK_TRACING_IMPLEMENTATION=opentelemetry, which
        # azure-core reads (1.41), enables them while it is set.
        others = ("azure_sdk", "django", "fastapi", "flask", "httpx", "psycopg2", "requests", "urllib", "urllib3")
        configure_azure_monitor(
            connection_string=connection,
            enable_live_metrics=False,
            enable_performance_counters=False,
            instrumentation_options={each: {"enabled": False} for each in others},
        )
    except Exception:  # noqa: BLE001 - DNS matters more than telemetry
        _log.exception("%s: no telemetry is sent", CONNECTION)
        return Telemetry()
    return Telemetry(otel_metrics(metrics.get_meter("nearzone")), trace.get_tracer("nearzone"))


def otel_metrics(meter: Meter) -> Metrics:
    """Return the metrics as instruments of this meter."""
    record = {name: _instrument(meter, PREFIX + name, metric) for name, metric in METRICS.items()}

    def measure(name: str, value: float, /, **dimensions: str) -> None:
        record[name](value, dimensions)

    return measure


def _instrument(meter: Meter, name: str, metric: Metric) -> Callable[[float, Mapping[str, str]], None]:
    if metric.kind == COUNTER:
        return meter.create_counter(name, metric.unit, metric.description).add
    if metric.kind == GAUGE:
        return _gauge(meter, name, metric)
    return meter.create_histogram(name, metric.unit, metric.description).record


def _gauge(meter: Meter, name: str, metric: Metric) -> Callable[[float, Mapping[str, str]], None]:
    """Create a gauge that reports only values measured since its last report.

    OpenTelemetry's own gauge (SDK 1.45) reports its last value repeatedly: it would report the same age of the last
    sweep for as long as the process lives, even if no function runs any more.
    """
    from opentelemetry.metrics import Observation  # noqa: PLC0415 - not imported without a connection string

    measured_since: dict[tuple[tuple[str, str], ...], float] = {}

    def take(value: float, dimensions: Mapping[str, str]) -> None:
        measured_since[tuple(dimensions.items())] = value

    def tell(_: CallbackOptions) -> list[Observation]:
        # One item at a time: another thread may measure at the same time.
        return [Observation(measured_since.pop(key), dict(key)) for key in list(measured_since)]

    meter.create_observable_gauge(name, [tell], metric.unit, metric.description)
    return take
