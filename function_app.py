"""The triggers. Each one hands its input to the reconciler, and the result back to the host. Nothing is decided here.

The reconciler is built at the first call, not at import: the host indexes the app before it may call anything.
"""

from __future__ import annotations

import functools
import json
import logging
import os
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

import azure.functions as func

from shared import telemetry
from shared.bootstrap import build_app
from shared.config.settings import DRAIN_SCHEDULE, PROBE_SCHEDULE, SWEEP_SCHEDULE
from shared.domain.errors import BadRequest, NearzoneError, Transient
from shared.edge import commands, query
from shared.edge.caller import caller
from shared.edge.dashboard import page
from shared.edge.prometheus import CONTENT_TYPE, prometheus_text
from shared.edge.report import Report
from shared.edge.status_query import parse_status_query
from shared.loop.reconciler import Reconciler

if TYPE_CHECKING:
    from shared.loop.group_reconciler import GroupReconciler

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)

# The Azure SDKs log two lines per request at INFO, which would be most of what is paid for.
logging.getLogger("azure").setLevel(logging.WARNING)
_log = logging.getLogger("nearzone")


@functools.cache
def insights() -> telemetry.Telemetry:
    """Records the metrics and spans of this process."""
    return telemetry.connect(os.environ)


@functools.cache
def loop() -> Reconciler | GroupReconciler:
    """The one reconciler of this process. Raises BadSettings with every fault."""
    return build_app(os.environ, measure=insights().measure)


def schedule(setting: str, default: str) -> str:
    """A timer's schedule: the host reads the setting where there is one."""
    return f"%{setting}%" if os.environ.get(setting) else default


@app.function_name("on_resource_event")
@app.event_grid_trigger(arg_name="event")
async def on_resource_event(event: str, context: func.Context) -> None:
    """Event Grid, both schemas. Fails, to be delivered again, only where the observation could not be kept."""
    with insights().span(context):
        _log_report(await (await loop().current()).on_event(event))


@app.function_name("drain")
@app.timer_trigger(arg_name="timer", schedule=schedule("NEARZONE_DRAIN_SCHEDULE", DRAIN_SCHEDULE))
async def drain(timer: func.TimerRequest, context: func.Context) -> None:  # noqa: ARG001 - the binding's name
    """Applies what was left dirty. Fails where a write failed, so that an alert rule sees it."""
    with insights().span(context) as call:
        report = await (await loop().current()).drain()
        call.idle = report.idle
        _must_succeed(report)


@app.function_name("correct_drift")
@app.timer_trigger(arg_name="timer", schedule=schedule("NEARZONE_SWEEP_SCHEDULE", SWEEP_SCHEDULE))
async def correct_drift(timer: func.TimerRequest, context: func.Context) -> None:  # noqa: ARG001 - as above
    """The full sweep."""
    with insights().span(context):
        _must_succeed(await (await loop().current(sweeps=True)).correct_drift())


@app.function_name("probe")
@app.timer_trigger(arg_name="timer", schedule=schedule("NEARZONE_PROBE_SCHEDULE", PROBE_SCHEDULE))
async def probe(timer: func.TimerRequest, context: func.Context) -> None:  # noqa: ARG001 - as above
    """A round of probes; without NEARZONE_PROBES nothing."""
    with insights().span(context) as call:
        report = await (await loop().current()).probe()
        call.idle = report.idle
        _must_succeed(report)


@app.function_name("resync")
@app.route(route="resync", methods=["POST"])
async def resync(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """A sweep, an override, an adoption or a preflight by hand; answers with the report."""

    async def report() -> dict[str, Any]:
        query.none_expected(query.given(req.url, req.params), "send the request as JSON in the body")
        reconciler = await loop().current()
        inventory, by = reconciler.inventory, caller(req.headers, os.environ)
        command = commands.parse(
            req.get_body(), reconciler.settings, inventory.kinds, by, parents=inventory.parent_types
        )
        return (await reconciler.resync(command)).as_json()

    with insights().span(context):
        return await _answer(report())


@app.function_name("status")
@app.route(route="status", methods=["GET"])
async def status(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """How things stand; with `zone` and `name`, why that zone answers so; with `full`, every name and endpoint.

    With `since`, and `until`, the changes and overrides of that time, as lines of JSON.
    """

    async def body() -> dict[str, Any] | str:
        reconciler = await loop().current()
        params = query.given(req.url, req.params)
        return await reconciler.handle_status(parse_status_query(params, reconciler.settings))

    with insights().span(context):
        return await _answer(body())


@app.function_name("metrics")
@app.route(route="metrics", methods=["GET"])
async def metrics(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    """The metrics of all instances as text for Prometheus. 503 where the catalog or the settings cannot be read."""
    with insights().span(context) as call:
        call.idle = True  # It comes every minute, and the host logs each request anyway.
        try:
            query.none_expected(query.given(req.url, req.params))
            scraped = prometheus_text(*await (await loop().current()).metrics_page())
        except BadRequest as error:
            return _json({"error": str(error)}, 400)
        except NearzoneError as error:
            call.idle = False
            return _refused(error)
        return func.HttpResponse(scraped, headers={"Content-Type": CONTENT_TYPE})


@app.function_name("dashboard")
@app.route(route="dashboard", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
async def dashboard(req: func.HttpRequest) -> func.HttpResponse:  # noqa: ARG001 - the binding's name
    """The status page. It holds no data and no settings, so it needs no key; it gets what it shows from `status`."""
    found = page()
    return func.HttpResponse(found.html, headers=found.headers, mimetype="text/html", charset="utf-8")


async def _answer(content: Awaitable[dict[str, Any] | str]) -> func.HttpResponse:
    """200; 400 where the request is wrong; 503 where Azure, the catalog or the settings do not allow an answer."""
    try:
        found = await content
        if isinstance(found, str):
            return func.HttpResponse(found, mimetype="application/x-ndjson", charset="utf-8")
        return _json(found)
    except BadRequest as error:
        return _json({"error": str(error)}, 400)
    except NearzoneError as error:
        return _refused(error)


def _refused(error: NearzoneError) -> func.HttpResponse:
    _log.error("%s", error)
    return _json({"error": str(error)}, 503)


def _json(content: dict[str, Any], status_code: int = 200) -> func.HttpResponse:
    return func.HttpResponse(json.dumps(content), status_code=status_code, mimetype="application/json")


def _log_report(report: Report) -> None:
    for line in report.failure_lines():
        _log.error("%s", line)
    for text in report.refusals:
        _log.warning("%s", text)
    for alarm in report.alarms:
        _log.warning("%s: %s", alarm.what, alarm.means)


def _must_succeed(report: Report) -> None:
    _log_report(report)
    if report.failures or report.refusals:
        raise Transient("; ".join((*report.failure_lines(), *report.refusals))[:2000])
