"""Microsoft's own Functions engine indexes, loads and runs the app: what works here works behind the real host."""

import functools
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import dns.resolver
import pytest

from shared.config.settings import PROBE_SCHEDULE
from tests.support.functions_app import ROOT, VM, WORLD, ZONE, app_settings, simulated_azure

pytestmark = pytest.mark.timeout(120)

ENGINE = Path(__file__).parents[1] / "support" / "functions_engine.py"
REQUIRED = "REQUIRE_FUNCTIONS_RUNTIME"
WATCHED = "Microsoft.Compute/virtualMachines/deallocate/action"


@functools.cache
def engine_python():
    """A Python >= 3.13 that has azure-functions-runtime: this one, or one on PATH or of pyenv. None: there is none."""
    if sys.version_info >= (3, 13) and importlib.util.find_spec("azure_functions_runtime"):
        return sys.executable
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    candidates = [shutil.which("python3.13"), *map(str, sorted(versions.glob("3.1[3-9]*/bin/python")))]
    for python in filter(None, candidates):
        probe = "import sys, azure_functions_runtime; sys.exit(sys.version_info < (3, 13))"
        if subprocess.run([python, "-c", probe], capture_output=True, timeout=60, check=False).returncode == 0:
            return python
    return None


@pytest.fixture(autouse=True)
def engine():
    """Skips where the engine cannot be had, unless the environment says that it must be there."""
    if engine_python() is None:
        message = "no Python >= 3.13 with azure-functions-runtime: neither this one, nor on PATH, nor in pyenv"
        (pytest.fail if os.environ.get(REQUIRED) == "1" else pytest.skip)(message)


def run_engine(folder, invocations, **settings):
    """The engine's report on an app and on these invocations of it."""
    done = subprocess.run(
        [engine_python(), str(ENGINE), str(folder)],
        input=json.dumps(invocations),
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def event(resource_id, *, cloud):
    """The JSON text of one event about a resource, in the Event Grid schema or as a CloudEvent."""
    subscription = "/".join(resource_id.split("/")[:3])
    data = {"operationName": WATCHED, "resourceUri": resource_id, "status": "Succeeded"}
    kind, time = "Microsoft.Resources.ResourceActionSuccess", "2026-01-01T00:00:00.1234567Z"
    if cloud:
        head = {"specversion": "1.0", "source": subscription, "type": kind, "time": time}
    else:
        head = {"topic": subscription, "eventType": kind, "eventTime": time, "dataVersion": "2", "metadataVersion": "1"}
    return json.dumps({"id": "1", "subject": resource_id, "data": data, **head})


TIMER = json.dumps({"Schedule": {"AdjustForDST": True}, "ScheduleStatus": None, "IsPastDue": False})

SMALL_APP = """
import azure.functions as func

app = func.FunctionApp()

@app.event_grid_trigger(arg_name="event")
async def text(event: str) -> None:
    assert event.startswith("{")

@app.event_grid_trigger(arg_name="event")
async def typed(event: func.EventGridEvent) -> None:
    assert event.subject == "/subscriptions/s", event

@app.timer_trigger(arg_name="timer", schedule="%ANY%")
def tick(timer: func.TimerRequest) -> None:
    print("printing does not disturb the report")
    assert timer.past_due is False

@app.route(route="echo", methods=["POST"])
async def echo(req: func.HttpRequest) -> func.HttpResponse:
    text = f"{req.method} {req.get_body().decode()} {req.params['a']} {req.headers['X-B']}"
    return func.HttpResponse(text, status_code=202, headers={"x-c": "d"})

@app.route(route="fail")
async def fail(req: func.HttpRequest) -> func.HttpResponse:
    raise RuntimeError("on purpose")

@app.timer_trigger(arg_name="timer", schedule="%ANY%")
async def answers(timer: func.TimerRequest):
    return 1
"""


@pytest.fixture
def small(tmp_path):
    (tmp_path / "function_app.py").write_text(SMALL_APP)
    return tmp_path


def test_the_engine_reports_what_an_app_consists_of(small):
    report = run_engine(small, [])
    assert report["indexing"] == {"status": "Success", "error": None}
    assert {f["name"]: f["bindings"] for f in report["functions"]} == {
        "text": {"event": ["eventGridTrigger", "IN"]},
        "typed": {"event": ["eventGridTrigger", "IN"]},
        "tick": {"timer": ["timerTrigger", "IN"]},
        "echo": {"req": ["httpTrigger", "IN"], "$return": ["http", "OUT"]},
        "fail": {"req": ["httpTrigger", "IN"], "$return": ["http", "OUT"]},
        "answers": {"timer": ["timerTrigger", "IN"]},
    }
    assert {f["loading"] for f in report["functions"]} == {"Success"}


def test_the_engine_runs_functions_and_reports_those_that_fail(small):
    http = {"method": "POST", "query": {"a": "1"}, "headers": {"x-b": "2"}, "body": "hi"}
    calls = [
        {"function": "text", "json": event("/subscriptions/s", cloud=False)},
        {"function": "typed", "json": event("/subscriptions/s", cloud=True)},
        {"function": "typed", "json": event("/subscriptions/t", cloud=False)},
        {"function": "tick", "json": TIMER},
        {"function": "echo", "http": http},
        {"function": "fail", "http": {}},
        {"function": "answers", "json": TIMER},
    ]
    done = run_engine(small, calls)["invocations"]
    statuses = [(each["function"], each["status"]) for each in done]
    assert statuses == [
        ("text", "Success"),
        ("typed", "Success"),
        ("typed", "Failure"),
        ("tick", "Success"),
        ("echo", "Success"),
        ("fail", "Failure"),
        ("answers", "Failure"),
    ]
    assert (done[4]["returned"]["status"], done[4]["returned"]["body"]) == (202, "POST hi 1 2")
    assert done[4]["returned"]["headers"]["x-c"] == "d"
    assert done[5]["error"] == "RuntimeError: on purpose"
    assert "without a $return binding" in done[6]["error"]


def test_an_app_that_cannot_be_imported_fails_its_indexing(tmp_path):
    (tmp_path / "function_app.py").write_text("import no_such_module_anywhere")
    report = run_engine(tmp_path, [])
    assert report["indexing"]["status"] == "Failure"
    assert "no_such_module_anywhere" in report["indexing"]["error"]
    assert report["functions"] == []


# The app itself, against the simulator.


def resolved(server, name):
    """The addresses that a client of a virtual network gets for a name."""
    host, port = server.split(":")
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers, resolver.port = [host], int(port)
    return sorted(map(str, resolver.resolve(name, "A")))


@pytest.fixture
def azure(tmp_path, engine):
    if not (ROOT / "function_app.py").exists():
        pytest.fail("there is no function_app.py in the project root")
    (tmp_path / "world.json").write_text(json.dumps(WORLD))
    with simulated_azure(tmp_path / "world.json") as ready:
        yield ready


def test_the_engine_indexes_the_eight_functions_of_the_app_with_these_bindings(azure):
    report = run_engine(ROOT, [], **app_settings(azure))
    assert report["indexing"] == {"status": "Success", "error": None}
    bindings = {f["name"]: sorted(map(tuple, f["bindings"].values())) for f in report["functions"]}
    http = [("http", "OUT"), ("httpTrigger", "IN")]
    assert bindings == {
        "on_resource_event": [("eventGridTrigger", "IN")],
        "drain": [("timerTrigger", "IN")],
        "correct_drift": [("timerTrigger", "IN")],
        "probe": [("timerTrigger", "IN")],
        "resync": http,
        "status": http,
        "metrics": http,
        "dashboard": http,
    }
    raw = {f["name"]: next(b for b in f["raw"] if b["type"].endswith("Trigger")) for f in report["functions"]}
    assert raw["drain"]["schedule"] == "%NEARZONE_DRAIN_SCHEDULE%"
    assert raw["correct_drift"]["schedule"] == "%NEARZONE_SWEEP_SCHEDULE%"
    assert raw["probe"]["schedule"] == PROBE_SCHEDULE, "the setting is not there"
    assert ([m.upper() for m in raw["resync"]["methods"]], raw["resync"]["route"]) == (["POST"], "resync")
    assert ([m.upper() for m in raw["status"]["methods"]], raw["status"]["route"]) == (["GET"], "status")
    assert ([m.upper() for m in raw["metrics"]["methods"]], raw["metrics"]["route"]) == (["GET"], "metrics")
    assert {raw[name]["authLevel"].lower() for name in ("resync", "status", "metrics")} == {"function"}
    assert ([m.upper() for m in raw["dashboard"]["methods"]], raw["dashboard"]["route"]) == (["GET"], "dashboard")
    assert raw["dashboard"]["authLevel"].lower() == "anonymous"
    assert {f["loading"] for f in report["functions"]} == {"Success"}


FORGED = {"x-ms-client-principal-name": "ceo@example.com", "x-ms-client-principal-id": "1"}


def test_the_engine_runs_every_function_of_the_app(azure):
    keys = {"content-type": "application/json"}
    resync = {"method": "POST", "url": "http://localhost/api/resync", "headers": keys, "body": "{}"}
    status = {"method": "GET", "url": "http://localhost/api/status", "query": {"zone": ZONE, "name": "llama-70b"}}
    drain = {"drain": {"region": "eastus", "minutes": 5}, "dry_run": False, "reason": "INC-7"}
    calls = [
        {"function": "correct_drift", "json": TIMER},
        {"function": "on_resource_event", "json": event(VM, cloud=False)},
        {"function": "on_resource_event", "json": event(VM, cloud=True)},
        {"function": "drain", "json": TIMER},
        {"function": "resync", "http": resync},
        {"function": "status", "http": {"method": "GET", "url": "http://localhost/api/status"}},
        {"function": "status", "http": status},
        {"function": "dashboard", "http": {"method": "GET", "url": "http://localhost/api/dashboard"}},
        {"function": "resync", "http": {**resync, "headers": keys | FORGED, "body": json.dumps(drain)}},
        {"function": "status", "http": {**status, "query": {"since": "2020-01-01T00:00:00Z"}}},
        {"function": "metrics", "http": {"method": "GET", "url": "http://localhost/api/metrics"}},
        {"function": "probe", "json": TIMER},
    ]
    refused = [  # What a person thinks to have said is never left out.
        {"function": "resync", "http": {**resync, "query": {"dry_run": "true"}}},
        {"function": "resync", "http": {**resync, "url": resync["url"] + "?dry_run="}},
        {"function": "metrics", "http": {"method": "GET", "url": "http://localhost/api/metrics", "query": {"x": "1"}}},
        {"function": "status", "http": {"method": "GET", "url": "http://localhost/api/status?since="}},
    ]
    done = run_engine(ROOT, calls + refused, **app_settings(azure))["invocations"]
    assert [each["returned"]["status"] for each in done[len(calls) :]] == [400] * 4
    assert [json.loads(each["returned"]["body"])["error"].partition(":")[0] for each in done[len(calls) :]] == [
        "dry_run",
        "dry_run",
        "x",
        "since",
    ]
    del done[len(calls) :]
    assert [(each["function"], each["status"], each["error"]) for each in done] == [
        (call["function"], "Success", None) for call in calls
    ]
    assert [each["returned"]["status"] for each in done[4:11]] == [200] * 7
    assert "10.1.0.4" in done[6]["returned"]["body"]
    assert done[7]["returned"]["body"] == (ROOT / "shared" / "edge" / "dashboard.html").read_text(encoding="utf-8")
    assert "sha256-" in done[7]["returned"]["headers"]["Content-Security-Policy"]
    lines = [json.loads(line) for line in done[9]["returned"]["body"].splitlines()]
    assert [each["by"] for each in lines if each["kind"] == "drain"] == ["function key"], "headers are not believed"
    assert "x-ndjson" in done[9]["returned"]["headers"].get("Content-Type", "application/x-ndjson")
    headers = {name.lower(): value for name, value in done[10]["returned"]["headers"].items()}
    assert headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert "\n# TYPE nearzone_writes_total counter\nnearzone_writes_total{instance=" in done[10]["returned"]["body"]
