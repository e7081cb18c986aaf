"""A cold start: from a fresh process to the first event acknowledged, compared with a bare import of the SDKs it uses.

Both are whole processes, from their start to a line on standard output, alternating, on one interpreter; the median of
several runs counts. The app's process imports `function_app` and handles one event with the deployed components: a
token from `DefaultAzureCredential`, which finds a managed identity; ARM through the SDK clients and aiohttp; the
catalog in a table. It reads the VM and its NIC, records the observation, routes, and writes the VM's two names: the VM
alternately stops and starts. Only the addresses differ from Azure: all three services are simulated, on loopback ports
of the measuring process (`loopback.py`). Their CPU time counts for the app; TLS and network latencies are missing.

The bare process imports the SDK modules that the app has imported by the time its event is acknowledged, no more.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeAlias

from benchmarks import worlds
from benchmarks.harness import Figure, Say, Scenario
from benchmarks.loopback import serving
from benchmarks.recorded import Token
from benchmarks.stage import event_text, fill_catalog
from benchmarks.tables import SharedTable
from shared.bootstrap import build
from shared.catalog.storage_account import table_of
from shared.config import parser as settings_parser
from simulator.arm.front_door import Completed
from simulator.cloud import SimulatedAzure
from simulator.compute.vm import VM_TYPE
from simulator.front_ends.transport import SimulatorTransport
from simulator.world.world import read

Json: TypeAlias = Any

RUNS = 11
SDKS = (
    "azure.functions",
    "azure.identity.aio",
    "azure.mgmt.compute.aio",
    "azure.mgmt.privatedns.aio",
    "azure.data.tables.aio",
    "aiohttp",
)
"""The bare process imports those of them that the app imports."""
ZONE, VM = "eastus", "vm-00000"
INSIGHTS = {
    "APPLICATIONINSIGHTS_CONNECTION_STRING": f"InstrumentationKey={uuid.UUID(int=0)};IngestionEndpoint=http://127.0.0.1:9/",
    "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL": "true",
    "APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED": "true",
}
"""Settings that enable telemetry; no server receives it, and the process ends before it would be sent."""
_ROOT = Path(__file__).parent.parent

FIGURES = {
    "import_ratio": Figure(
        "x",
        "fresh process to first acknowledged event, wired as deployed, relative to a bare import of its SDKs",
        "<= 1.3",
        "real",
    ),
    "first_event_s": Figure("s", "fresh process to first acknowledged event, median", None, "real"),
    "bare_import_s": Figure("s", "fresh process to imported SDKs, median", None, "real"),
    "telemetry_s": Figure("s", "time that Application Insights adds to the first event, median", None, "real"),
    "rest_mb": Figure("MB", "memory of the app's process after its first event, median", None, "real"),
}


def measure(runs: int, say: Say) -> dict[str, float]:
    """Return all figures, as medians of `runs` runs of each process."""
    return asyncio.run(_measure(runs, say))


@asynccontextmanager
async def deployed() -> AsyncIterator[tuple[SimulatedAzure, SharedTable, Mapping[str, str]]]:
    """Yield one VM in the app's catalog, in one zone with right answers, and the environment of the app's process."""
    world = worlds.world(worlds.fleet(1, 1, names_each=1), [ZONE])
    settings = {name: json.dumps(value) for name, value in world["settings"].items()}
    table = table_of(settings_parser.parse(settings, frozenset(worlds.REGIONS)))
    cloud, account = SimulatedAzure(read(json.dumps(world))), SharedTable(time.time, seconds=0.0, table=table)
    cloud.enforce_limits(enforced=False)
    transport = SimulatorTransport(cloud)
    await fill_catalog(build(settings, credential=Token(), transport=transport, catalog=account.open()), time.time())
    async with serving(cloud, account.tables, world["settings"]) as environment:
        yield cloud, account, environment


async def _measure(runs: int, say: Say) -> dict[str, float]:
    async with deployed() as (cloud, _, environment):
        _, found = await first_event(cloud, environment)  # The first run also compiles modules.
        bare = (sys.executable, "-c", f"import {', '.join(found['sdks'])}; print(0)")
        say(f"importing {', '.join(found['sdks'])}: the bare process, {runs} times in turn with ours")
        await first_event(cloud, {**environment, **INSIGHTS})
        turns = [
            (
                await first_event(cloud, environment),
                await _timed(bare, environment),
                await first_event(cloud, {**environment, **INSIGHTS}),
            )
            for _ in range(runs)
        ]
    first, floor, told = (statistics.median(seconds for seconds, _ in column) for column in zip(*turns, strict=True))
    return {
        "import_ratio": first / floor,
        "first_event_s": first,
        "bare_import_s": floor,
        "telemetry_s": told - first,
        "rest_mb": statistics.median(found["rest_mb"] for (_, found), _, _ in turns),
    }


async def first_event(cloud: SimulatedAzure, environment: Mapping[str, str]) -> tuple[float, Json]:
    """Start or stop the VM, and let a fresh process of the app handle the event; returns as `_timed`."""
    vm = cloud.compute.vms.find(worlds.vm_id(VM))
    if vm is None:
        raise KeyError(VM)
    vm.power, action = ("deallocated", "deallocate") if vm.power == "running" else ("running", "start")
    note = Completed(vm.id, f"{VM_TYPE}/{action}/action", "Action", "Success", time.time(), cloud.azure.new_guid())
    return await _timed((sys.executable, "-m", "benchmarks.first_event", event_text(cloud, note), *SDKS), environment)


async def _timed(command: tuple[str, ...], environment: Mapping[str, str]) -> tuple[float, Json]:
    """Return the seconds until a process has printed its line, and the JSON in it. Raises RuntimeError if it failed."""
    begun = time.perf_counter()
    process = await asyncio.create_subprocess_exec(*command, cwd=_ROOT, env=environment, stdout=asyncio.subprocess.PIPE)
    line = await process.stdout.readline() if process.stdout else b""
    seconds = time.perf_counter() - begun
    if await process.wait() or not line:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}")
    return seconds, json.loads(line)


def _run(quick: bool, say: Say) -> dict[str, float]:
    return measure(3 if quick else RUNS, say)


SCENARIO = Scenario("A fresh process, to the first event acknowledged.", FIGURES, _run)
