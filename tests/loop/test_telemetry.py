"""What the app measures arrives as OpenTelemetry metrics, and where nobody listens OpenTelemetry is not even loaded."""

import json
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from shared.domain.metrics import METRICS
from shared.edge.report import Report
from shared.telemetry import PREFIX
from tests.support.deployment import REGIONS, orphans, vm_id
from tests.support.ingestion import Ingestion, connected_app
from tests.support.measured_app import eventful, eventful_fleet, fleet, measured_story

ROOT = Path(__file__).parents[2]
EAST, WEST, ASIA = REGIONS


@pytest.fixture(scope="module")
def figures():
    return measured_story(eventful, eventful_fleet())


def test_everything_that_is_promised_is_measured_and_nothing_else(figures):
    assert set(figures.values) == {PREFIX + name for name in METRICS}


def test_each_metric_has_its_unit_its_meaning_and_its_dimensions(figures):
    for name, metric in METRICS.items():
        assert figures.instruments[PREFIX + name] == (metric.unit, metric.description)
        for dimensions in figures.values[PREFIX + name]:
            assert tuple(key for key, _ in dimensions) == tuple(sorted(metric.dimensions)), name


def test_the_figures_say_what_happened(figures):
    of = figures.of
    assert of("nearzone.events", outcome="malformed") == 1
    assert of("nearzone.events", outcome="accepted") >= 1
    assert [of("nearzone.refused_plans", zone=zone) for zone in REGIONS] == [2, 2, 2]
    assert of("nearzone.drift", zone=EAST) - of("nearzone.drift", zone=ASIA) == 1
    assert of("nearzone.writes", zone=EAST, kind="create") == 4 + 1, "three VMs' names and llama, which was lost once"
    assert of("nearzone.writes", zone=ASIA, kind="update") == 1
    assert (of("nearzone.throttled", type="microsoft.network/privatednszones"), of("nearzone.failures", zone=ASIA)) == (
        *(1, 1),
    )
    assert of("nearzone.conflicts", zone=ASIA) == 1
    assert [of("nearzone.frozen", zone=zone) for zone in REGIONS] == [0, 1, 0]
    assert [of("nearzone.dirty", zone=zone) for zone in REGIONS] == [0, 2, 0]
    assert 1 < of("nearzone.dirty.oldest", zone=WEST) < 60
    assert of("nearzone.dirty.oldest", zone=ASIA) == 0
    assert of("nearzone.sweep.duration")[0] == 2
    count, seconds = of("nearzone.delivery_to_dns", zone=ASIA)
    assert count == 2
    assert 1 < seconds < 60, "the throttled write came a second later"


def test_a_delivery_is_measured_to_the_write_that_it_caused_and_drift_is_not():
    async def story(stage, figures):
        await stage.app.correct_drift()
        figures.collect()
        assert not figures.values["nearzone.delivery_to_dns"]
        stage.arm("POST", vm_id("e-1") + "/deallocate")
        await stage.deliver_pending_events(5)

    count, seconds = measured_story(story, fleet()).of("nearzone.delivery_to_dns", zone=EAST)
    assert count == 2, "llama and e-1"
    assert seconds < 5


def test_a_dry_run_raises_nobodys_alarm():
    async def story(stage, _):
        await stage.resync(dry_run=True)

    found = measured_story(story, fleet(records=orphans(10))).values
    assert not found["nearzone.refused_plans"]
    assert not found["nearzone.drift"]


SCRIPT = """
import json, logging, os, sys
from types import SimpleNamespace
sys.path.insert(0, os.getcwd())
import function_app
heavy = sorted(name for name in sys.modules if name.startswith(("opentelemetry", "azure.monitor")))
trace = SimpleNamespace(trace_parent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00", trace_state="")
insights = function_app.insights()
with insights.span(SimpleNamespace(function_name="drain", trace_context=trace)):
    insights.measure("writes", 1, zone="eastus", kind="update")
    logging.getLogger("nearzone").error("a line for the host")
loaded = sorted(name for name in sys.modules if name.startswith(("opentelemetry.sdk", "azure.monitor")))
if insights.tracer:
    from opentelemetry import metrics, trace
    metrics.get_meter_provider().force_flush()
    trace.get_tracer_provider().force_flush()
    from opentelemetry._logs import get_logger_provider
    getattr(get_logger_provider(), "force_flush", lambda: None)()
print(json.dumps([heavy, bool(loaded)]))
"""


def ran(**environment):
    """A fresh process; no test may send anything to Microsoft."""
    quiet = {"APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL": "true", "APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED": "true"}
    known = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"} | quiet | environment
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=known, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1]), done.stderr


def test_without_a_connection_string_nothing_of_opentelemetry_is_loaded():
    (heavy, loaded), _ = ran()
    assert (heavy, loaded) == ([], False)


def test_a_connection_string_that_is_none_is_said_and_stops_nothing():
    _, said = ran(APPLICATIONINSIGHTS_CONNECTION_STRING="InstrumentationKey=none")
    assert "APPLICATIONINSIGHTS_CONNECTION_STRING: no telemetry is sent" in said


def test_figures_and_spans_go_to_application_insights_below_the_hosts_own_trace_and_logs_do_not():
    with Ingestion.open() as ingestion:
        ran(APPLICATIONINSIGHTS_CONNECTION_STRING=ingestion.connection, OTEL_TRACES_SAMPLER="always_on")
    by_type = defaultdict(list)
    for item in ingestion.came:
        by_type[item["data"]["baseType"]].append(item)
    metrics = [item["data"]["baseData"] for item in by_type["MetricData"]]  # The exporter counts its own, too.
    (ours,) = [each for each in metrics if each["metrics"][0]["name"].startswith(PREFIX)]
    assert ours["metrics"][0].items() >= {("name", "nearzone.writes"), ("value", 1)}
    assert ours["properties"].items() >= {("zone", "eastus"), ("kind", "update")}
    (span,) = by_type["RemoteDependencyData"]
    assert span["data"]["baseData"]["name"] == "drain"
    assert span["tags"]["ai.operation.id"] == "0af7651916cd43dd8448eb211c80319c"
    assert span["tags"]["ai.operation.parentId"] == "b7ad6b7169203331"
    assert set(by_type) == {"MetricData", "RemoteDependencyData"}


def spans(items):
    return [each["data"]["baseData"]["name"] for each in items if each["data"]["baseType"] == "RemoteDependencyData"]


def figures_in(items):
    metrics = (each["data"]["baseData"]["metrics"][0] for each in items if each["data"]["baseType"] == "MetricData")
    return {each["name"]: each["value"] for each in metrics}


STANDING = {"nearzone.dirty", "nearzone.dirty.oldest", "nearzone.frozen", "nearzone.sweep.age"}


@pytest.fixture(scope="module")
def app():
    """The app after its first sweep, beside the simulated Azure: everything in the zone is right."""
    with connected_app() as running:
        running.calls("correct_drift")
        yield running


def test_ten_drains_that_find_nothing_to_do_send_no_span_and_each_figure_once(app):
    sent = app.calls(*["drain"] * 10)
    assert spans(sent) == []
    assert set(figures_in(sent)) == STANDING
    assert len(sent) == len(STANDING)


@pytest.mark.parametrize("function", ["correct_drift", "on_resource_event", "status"])
def test_any_other_call_sends_one_span_however_often_it_asks_azure(app, function):
    assert spans(app.calls(function)) == [function]


def test_a_drain_that_leaves_something_undone_sends_one_span():
    with connected_app() as running:
        running.calls("correct_drift", "freeze", "order")  # What the order withdraws stays dirty in the frozen zone.
        assert spans(running.calls("drain")) == ["drain"]


def test_a_run_is_idle_only_where_it_found_nothing_at_all_to_do():
    assert Report("drain").idle
    found = {"observed": 1, "complete": True, "changes": ["c"], "skips": ["s"], "failures": ["f"], "refusals": ["r"]}
    for name, value in (found | {"names_remaining": 1}).items():
        assert not Report("drain", **{name: value}).idle, name


def test_a_figure_is_told_when_it_was_measured_and_not_again(app):
    """An old age of the sweep, told again with a new time, would hide that no sweep runs."""
    app.calls("drain")
    assert app.calls() == []


def test_one_setting_brings_the_spans_of_azures_sdks_back():
    with connected_app(AZURE_SDK_TRACING_IMPLEMENTATION="opentelemetry") as running:
        assert len(spans(running.calls("correct_drift"))) > 3


def test_the_host_sends_the_apps_own_lines_of_every_function_and_not_its_own():
    """A category's level is that of the longest beginning of it that is set; `.User` is what the app itself logs."""
    levels = json.loads((ROOT / "host.json").read_text(encoding="utf-8"))["logging"]["logLevel"]
    app_functions = set(re.findall(r'function_name\("(\w+)"\)', (ROOT / "function_app.py").read_text(encoding="utf-8")))
    silent = {"dashboard"}
    assert {name for name, level in levels.items() if name.endswith(".User") and level == "Information"} == {
        f"Function.{name}.User" for name in app_functions - silent
    }
    assert (levels["Function"], levels["Host.Aggregator"]) == ("Warning", "None")
    assert levels["Host.Results"] == "Information", "a failed run is a failed request"
