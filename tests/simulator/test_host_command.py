"""`python -m simulator.functions_host` prints one line when ready, stops cleanly, and says why it cannot start."""

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import pytest

ROOT = Path(__file__).parents[2]
APP = """
import azure.functions as func
app = func.FunctionApp()
@app.route(route="open", auth_level=func.AuthLevel.ANONYMOUS)
def hello(req: func.HttpRequest) -> str:
    import os
    return os.getcwd()
@app.event_grid_trigger(arg_name="event")
async def take(event: str): ...
"""


@contextmanager
def launch(folder, source, *arguments):
    (folder / "function_app.py").write_text(source)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "SIMULATOR_SYSTEM_KEY": "from-environment"}
    command = [sys.executable, "-m", "simulator.functions_host", "--app", str(folder), *arguments]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
async def test_the_command_prints_one_line_serves_and_stops_cleanly(tmp_path, end):
    with launch(tmp_path, APP, "--function-key", "given") as process:
        ready = json.loads(process.stdout.readline())
        async with aiohttp.ClientSession() as http, http.get(f"{ready['url']}/api/open") as answer:
            assert await answer.text() == str(tmp_path.resolve())
        process.send_signal(end)
        rest, errors = process.communicate(timeout=10)
    assert (process.returncode, rest, errors) == (0, "", "")
    assert (ready["function_key"], ready["system_key"]) == ("given", "from-environment")
    assert len(ready["master_key"]) > 20
    assert ready["functions"] == ["hello", "take"]
    endpoint = "/runtime/webhooks/EventGrid?functionName=take&code=from-environment"
    assert ready["event_endpoint"] == ready["url"] + endpoint


@pytest.mark.parametrize(
    ("source", "word"),
    [
        ("import no_such_module_anywhere", "no_such_module_anywhere"),
        ("", "exactly one function app"),
        (APP + "\n@app.timer_trigger(arg_name='t', schedule='%GONE%')\ndef t(t): ...", "setting GONE is missing"),
    ],
)
def test_an_app_that_cannot_start_is_named_on_stderr_with_exit_code_1(tmp_path, source, word):
    with launch(tmp_path, source) as process:
        output, errors = process.communicate(timeout=10)
    assert (process.returncode, output) == (1, "")
    assert word in errors
    assert "Traceback" not in errors
