"""A cold start: from a fresh process to the first event acknowledged, over a bare import of the SDKs that the app uses.

Both are whole processes, from their start to a line on standard output, in turns, on one interpreter; the median of
several counts. Ours imports `function_app`, builds the loop and handles one event, whose VM and NIC it reads from kept
answers, through all of its own code but for the sockets. The bare process imports those of the SDKs that
`function_app` brings with it, no more.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import recorded, worlds
from benchmarks.harness import Figure, Say, Scenario
from benchmarks.stage import Stage
from simulator.core import Completed
from simulator.virtual_time import in_virtual_time

RUNS = 11
SDKS = (
    "azure.functions",
    "azure.identity.aio",
    "azure.mgmt.compute.aio",
    "azure.mgmt.privatedns.aio",
    "azure.data.tables.aio",
    "aiohttp",
    "msgspec",
)
"""Those of them that the app imports are the bare process's imports."""
_ROOT = Path(__file__).parent.parent

FIGURES = {
    "import_ratio": Figure("x", "first event acknowledged over a bare import of the SDKs", "<= 1.3", "real"),
    "first_event_s": Figure("s", "fresh process to first event acknowledged, median", None, "real"),
    "bare_import_s": Figure("s", "fresh process to the SDKs imported, median", None, "real"),
    "rest_mb": Figure("MB", "memory of that process after its first event", None, "real"),
}


def measure(runs: int, say: Say) -> dict[str, float]:
    """All figures, as medians of so many runs of each process."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        in_virtual_time(lambda: _keep(folder))
        ours = [sys.executable, "-m", "benchmarks.first_event", name]
        imports = _used()
        say(f"importing {', '.join(imports)}: the bare process, {runs} times in turn with ours")
        bare = [sys.executable, "-c", f"import {', '.join(imports)}; print(0)"]
        pairs = [(_timed(ours), _timed(bare)) for _ in range(runs)]
    first, floor = (statistics.median(seconds for (seconds, _) in column) for column in zip(*pairs, strict=True))
    return {
        "import_ratio": first / floor,
        "first_event_s": first,
        "bare_import_s": floor,
        "rest_mb": statistics.median(memory for (_, memory), _ in pairs),
    }


async def _keep(folder: Path) -> None:
    """What Azure answers to the first event of a small world, for an app that knows nothing yet."""
    stage = Stage(worlds.world(worlds.fleet(1, 1, names_each=1), ["eastus"]), latency=0, catalog_seconds=0)
    app = stage.app()
    stage.wire.answers = []
    operation = "Microsoft.Compute/virtualMachines/start/action"
    note = Completed(worlds.vm_id("vm-00000"), operation, "Action", "Success", stage.clock(), "note")
    event = stage.event(note)
    report = await app.on_event(event)
    if report.observed != 1 or report.failures:
        raise RuntimeError(f"the event was not handled: {report.as_json()}")
    recorded.keep(folder, stage.wire.answers)
    (folder / "event.json").write_text(event)
    (folder / "environment.json").write_text(json.dumps(stage.environment))


def _used() -> list[str]:
    """The SDKs that the app imports."""
    program = f"import function_app, json, sys; print(json.dumps([s for s in {SDKS!r} if s in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", program], cwd=_ROOT, check=True, capture_output=True)  # noqa: S603 - our own
    found: list[str] = json.loads(done.stdout)
    return found


def _timed(command: list[str]) -> tuple[float, float]:
    """Seconds until a process has printed its one line, and the number in it. Raises RuntimeError where it failed."""
    begun = time.perf_counter()
    with subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own
        line = process.stdout.readline() if process.stdout else ""
        seconds = time.perf_counter() - begun
    if process.returncode or not line:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}")
    return seconds, float(line)


def _run(quick: bool, say: Say) -> dict[str, float]:
    return measure(3 if quick else RUNS, say)


SCENARIO = Scenario("A fresh process, to the first event acknowledged.", FIGURES, _run)
