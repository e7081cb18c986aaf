"""The table service of Azurite, Microsoft's emulator, for tests: in memory, on a free port, once per test process."""

import contextlib
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
INSTALLED = ROOT / ".azurite" / "node_modules" / ".bin" / "azurite-table"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""The key of the emulator's account, the same everywhere."""
READY = 60.0  # seconds


def connection(port):
    """A connection string; by address, because azure-data-tables takes `localhost` for Cosmos DB."""
    endpoint = f"http://127.0.0.1:{port}/devstoreaccount1"
    return f"DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey={KEY};TableEndpoint={endpoint}"


@pytest.fixture(scope="session")
def azurite(tmp_path_factory):
    """The connection string of a running Azurite."""
    command = shutil.which("azurite-table") or (INSTALLED if INSTALLED.exists() and shutil.which("node") else None)
    if command is None:
        missing = "Azurite is not installed: `make azurite` installs it into .azurite (needs Node.js)"
        pytest.fail(missing) if os.environ.get("REQUIRE_AZURITE") else pytest.skip(missing)
    folder = tmp_path_factory.mktemp("azurite")
    with contextlib.ExitStack() as stack:
        port = _start(command, folder, stack)
        yield connection(port)


def _start(command, folder, stack):
    """Start it on a port that is free, or on another one where somebody was faster; gives the port."""
    said = folder / "said"
    for _ in range(3):
        port = _free_port()
        arguments = ["--tableHost", "127.0.0.1", "--tablePort", str(port), "--inMemoryPersistence", "--silent"]
        arguments += ["--skipApiVersionCheck", "--disableTelemetry"]  # Whatever version the SDK speaks.
        with said.open("wb") as output:
            process = subprocess.Popen([command, *arguments], stdout=output, stderr=subprocess.STDOUT, cwd=folder)
        stack.callback(_end, process)
        if _answers(process, port):
            return port
    pytest.fail(f"Azurite has not started: {said.read_text(errors='replace')}")


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _answers(process, port):
    deadline = time.monotonic() + READY
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
        time.sleep(0.05)
    return False


def _end(process):
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
