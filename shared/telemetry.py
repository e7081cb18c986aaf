"""What the app sends to Application Insights: OpenTelemetry metrics, and one span for each call of a function.

A call that found nothing to do sends no span: a timer that runs every 30 s would cause most of the cost.

Without a connection string the app sends nothing and does not import OpenTelemetry, which takes 0.3 s of a cold start.
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
    """The part of a function's context that says which trace the call belongs to (W3C trace context)."""

    @property
    def function_name(self) -> str:
        """The function."""

    @property
    def trace_context(self) -> object:
        """Has `trace_parent` and `trace_state`."""


@dataclass(slots=True)
class Call:
    """A function's call, while it runs. `idle`: it found nothing to do, so that no span of it is sent."""

    idle: bool = False


@dataclass(frozen=True, slots=True)
class Telemetry:
    """Where figures and spans go; nowhere, as it stands here."""

    measure: Metrics = no_metrics
    tracer: Tracer | None = None

    @contextmanager
    def span(self, context: FunctionContext) -> Iterator[Call]:
        """A function's call as one span below the host's own, with its exception; none where the call is idle."""
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
    """Connect to Application Insights where a connection string is set; DNS goes on where that fails.

    With `APPLICATIONINSIGHTS_AUTHENTICATION_STRING` the exporter signs in as the app's identity (exporter 1.0.0b58).
    """
    connection = environment.get(CONNECTION)
    if not connection:
        return Telemetry()
    # The host sends the logs. The distribution reads this from the environment only (1.8.11): its argument is ignored.
    os.environ.setdefault("OTEL_LOGS_EXPORTER", "none")
    # Otherwise every export of spans has a metric with the process's attributes beside it, as large as a span.
    os.environ.setdefault("APPLICATIONINSIGHTS_OPENTELEMETRY_RESOURCE_METRIC_DISABLED", "true")
    try:
        from azure.monitor.opentelemetry import configure_azure_monitor  # noqa: PLC0415 - see above
        from opentelemetry import metrics, trace  # noqa: PLC0415

        # No span for each call of an SDK: a sweep makes hundreds. AZURE_SDK_TRACING_IMPLEMENTATION=opentelemetry, which
        # azure-core reads (1.41), brings them back for as long as it is set.
        others = ("azure_sdk", "django", "fastapi", "flask", "httpx", "psycopg2", "requests", "urllib", "urllib3")
        configure_azure_monitor(
            connection_string=connection,
            enable_live_metrics=False,
            enable_performance_counters=False,
            instrumentation_options={each: {"enabled": False} for each in others},
        )
    except Exception:  # noqa: BLE001 - whatever it is: names matter more than figures about them
        _log.exception("%s: no telemetry is sent", CONNECTION)
        return Telemetry()
    return Telemetry(otel_metrics(metrics.get_meter("nearzone")), trace.get_tracer("nearzone"))


def otel_metrics(meter: Meter) -> Metrics:
    """The metrics as instruments of this meter."""
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
    """A gauge that tells what was measured since it told last, and nothing where nothing was.

    OpenTelemetry's own gauge (SDK 1.45) tells its last value again and again: it would say "a sweep ended a minute ago"
    for as long as a process lives in which no function runs any more.
    """
    from opentelemetry.metrics import Observation  # noqa: PLC0415 - not imported without a connection string

    measured_since: dict[tuple[tuple[str, str], ...], float] = {}

    def take(value: float, dimensions: Mapping[str, str]) -> None:
        measured_since[tuple(dimensions.items())] = value

    def tell(_: CallbackOptions) -> list[Observation]:
        # Item by item: another thread may measure at the same time.
        return [Observation(measured_since.pop(key), dict(key)) for key in list(measured_since)]

    meter.create_observable_gauge(name, [tell], metric.unit, metric.description)
    return take
