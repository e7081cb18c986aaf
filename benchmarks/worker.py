"""Measurements in a fresh process: sweeps of an app whose Azure is a folder of responses, and the floor below them.

    python -m benchmarks.worker FOLDER cpu ROUNDS     CPU seconds of a warm sweep, and of fetching what it fetches
    python -m benchmarks.worker FOLDER memory         memory of a process that sweeps once
    python -m benchmarks.worker FOLDER table ROUNDS   CPU seconds of reading the catalog's rows from a table

Prints one line of JSON. The clock is virtual, so that no call waits for Azure's limits; CPU time is not.
"""

from __future__ import annotations

import asyncio
import json
import pickle
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

import msgspec
from azure.core import AsyncPipelineClient
from azure.core.pipeline import policies
from azure.core.rest import HttpRequest

from benchmarks.recorded import Recorded, Token, memory_mb
from shared.bootstrap import build
from shared.catalog.memory import MemoryCatalog
from shared.loop.reconciler import Reconciler
from simulator.timing.virtual_time import in_virtual_time

ARM = "https://management.azure.com"


async def keep_catalog(folder: Path, app: Reconciler) -> None:
    """Write an app's catalog and settings into the folder of responses."""
    rows = [row.value for row in await app.catalog.endpoints()]
    index = [row.value for row in await app.catalog.indexed()]
    with (folder / "catalog.pickle").open("wb") as file:
        marker = await app.catalog.state()
        for part in (marker and marker.value, rows, index):
            pickle.dump(part, file)


async def ready(folder: Path) -> tuple[Reconciler, Recorded]:
    """Return an app with the stored catalog, and the transport with the responses."""
    transport, catalog = Recorded(folder), MemoryCatalog()
    with (folder / "catalog.pickle").open("rb") as file:
        await catalog.put_state(pickle.load(file), None)  # noqa: S301 - our own file, written a moment ago
        for row in pickle.load(file):  # noqa: S301 - as above
            await catalog.put_endpoint(row, None)
        for row in pickle.load(file):  # noqa: S301 - as above
            await catalog.index(row.name, row.key, row.at)
    environment = json.loads((folder / "environment.json").read_text())
    clock = asyncio.get_running_loop().time
    app = build(environment, credential=Token(), transport=transport, catalog=catalog, clock=clock)
    return app, transport


async def cpu(folder: Path, rounds: int) -> dict[str, float]:
    """CPU seconds, the smallest of some rounds: a warm sweep, and the floors under it.

    `fetch` keeps all pages in hand, `discard` throws each one away, `msgspec` is `fetch` with another decoder.
    """
    app, transport = await ready(folder)
    arm: AsyncPipelineClient[Any, Any] = AsyncPipelineClient(
        ARM,
        policies=[
            policies.RequestIdPolicy(),
            policies.HeadersPolicy(),
            policies.UserAgentPolicy(),
            policies.AsyncRedirectPolicy(),
            policies.AsyncRetryPolicy(),
            policies.AsyncBearerTokenCredentialPolicy(Token(), f"{ARM}/.default"),
        ],
        transport=transport,
    )

    async def page(url: str, decode: Callable[[bytes], Any] = json.loads) -> Any:  # noqa: ANN401 - a page as JSON
        return decode((await arm.send_request(HttpRequest("GET", url))).content)

    async def sweep() -> None:
        report = await app.correct_drift()
        if report.failures or report.changes or report.skips or report.refusals or report.names_remaining:
            raise RuntimeError(f"the world is not settled: {report.as_json()}")

    async def fetch() -> None:
        pages = [await page(url) for url in transport.urls]
        del pages

    async def fetch_with_msgspec() -> None:
        pages = [await page(url, msgspec.json.decode) for url in transport.urls]
        del pages

    async def discard() -> None:
        for url in transport.urls:
            await page(url)

    await sweep()
    kinds = {"sweep": sweep, "fetch": fetch, "discard": discard, "msgspec": fetch_with_msgspec}
    spent: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(rounds):  # Alternating, so that other load on the machine affects all of them.
        for name, work in kinds.items():
            spent[name].append(await _cpu_of(work))
    return {name: min(each) for name, each in spent.items()}


async def _cpu_of(work: Callable[[], Awaitable[None]]) -> float:
    begun = time.process_time()
    await work()
    return time.process_time() - begun


async def memory(folder: Path) -> dict[str, float]:
    """Return MB before a sweep (interpreter, SDKs, app, the catalog's rows) and the peak at its end."""
    app, _ = await ready(folder)
    before = memory_mb("VmRSS")
    await app.correct_drift()
    return {"before": before, "peak": memory_mb("VmHWM")}


async def table(folder: Path, rounds: int) -> dict[str, float]:
    """As `table_rows.cpu`."""
    from benchmarks import table_rows  # noqa: PLC0415 - it imports the simulator, which the other two must not

    return await table_rows.cpu(folder, rounds)


def measure(folder: Path, *arguments: str) -> dict[str, float]:
    """Return the output of a fresh process. Raises RuntimeError with its error."""
    return run([sys.executable, "-m", "benchmarks.worker", str(folder), *arguments])


def run(command: list[str]) -> dict[str, float]:
    """Return the JSON that a command prints. Raises RuntimeError with its standard error."""
    root = Path(__file__).parent.parent
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)  # noqa: S603 - our own commands
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr[-2000:]}")
    found: dict[str, float] = json.loads(done.stdout)
    return found


KINDS: dict[str, Callable[..., Coroutine[Any, Any, dict[str, float]]]] = {"cpu": cpu, "memory": memory, "table": table}


def main() -> None:
    """Measure, and print the result."""
    folder, what, *rounds = sys.argv[1:]
    found = in_virtual_time(lambda: KINDS[what](Path(folder), *map(int, rounds)))
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
