"""Starts the simulator and the function app as two processes, and ends both in every case.

The app gets its settings from the environment alone and cannot see the world file. The demo and `up` decide what to do
with the two processes.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from simulator.world.world import World

ROOT = Path(__file__).parents[2]
DEMO = Path(__file__).parents[1] / "worlds" / "demo.json"
AUDIENCE = "https://management.azure.com"
DRAIN_SECONDS = 2
OPERATIONS = 0.05
EVENTS = [
    "Microsoft.Compute/virtualMachines",
    "Microsoft.Compute/virtualMachineScaleSets",
    "Microsoft.Network/networkInterfaces",
    "Microsoft.Network/loadBalancers",
    "Microsoft.Network/applicationGateways",
    "Microsoft.Network/privateEndpoints",
    "Microsoft.Network/privateDnsZones/A/",
    "Microsoft.ContainerInstance/containerGroups",
    "Microsoft.ApiManagement/service/",
    "Microsoft.App/managedEnvironments/",
    "Microsoft.Resources/tags",
]
"""Operations to which the app is subscribed; the subscription's own filter, as in a deployment."""
HEALTH_TOPIC = "Microsoft.ResourceNotifications.HealthResources"
"""The other system topic to which the app is subscribed, without a filter."""

_READY = 60.0  # seconds
_END = 8.0  # seconds


class LaunchError(Exception):
    """A process did not start; the message contains its output."""


@dataclass(frozen=True, slots=True)
class Processes:
    """Both processes, running. `simulator` and `app` are the JSON lines that they print when they are ready."""

    simulator: Mapping[str, Any]
    app: Mapping[str, Any]
    errors: Path
    """Where the app's standard error goes."""

    @property
    def stderr_tail(self) -> str:
        """The last lines of the app's standard error."""
        return "\n".join(self.errors.read_text(errors="replace").splitlines()[-15:])


@dataclass(frozen=True, slots=True)
class Scale:
    """Factors of the recorded times: of VM and NIC operations, and of ARM's answers."""

    operations: float = OPERATIONS
    latency: float = 1.0


@dataclass(frozen=True, slots=True)
class Ports:
    """Ports to listen on, 0: any free one. `https`: None for plain HTTP only."""

    arm: int = 0
    dns: int = 0
    app: int = 0
    https: int | None = None
    probes: int = 0


@contextlib.asynccontextmanager
async def started(
    world: Mapping[str, Any], ports: Ports | None = None, scale: Scale | None = None
) -> AsyncIterator[Processes]:
    """Run simulator and app until the block ends. Raises LaunchError."""
    ports, scale = ports or Ports(), scale or Scale()
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="nearzone-")))
        ready = await start_simulator(stack, folder, world, ports, scale)
        app = ChildProcess("simulator.functions_host", folder / "app.err")
        stack.push_async_callback(app.end)
        environment = app_environment(world["settings"], ready)
        yield Processes(ready, await app.start(["--http", str(ports.app)], environment), app.errors)


async def start_simulator(
    stack: contextlib.AsyncExitStack, folder: Path, world: Mapping[str, Any], ports: Ports, scale: Scale
) -> dict[str, Any]:
    """Run the simulator until `stack` is closed; return the JSON line that it prints when it is ready.

    `folder`: for the world file and the simulator's standard error. Raises LaunchError.
    """
    (folder / "world.json").write_bytes(msgspec.json.encode(msgspec.convert(world, World)))
    simulator = ChildProcess("simulator", folder / "simulator.err")
    arguments = ["--world", str(folder / "world.json"), "--operations", str(scale.operations)]
    arguments += ["--latency", str(scale.latency)]
    arguments += ["--http", str(ports.arm), "--dns", str(ports.dns), "--probes", str(ports.probes)]
    if ports.https is not None:
        arguments += ["--https", str(ports.https)]
    stack.push_async_callback(simulator.end)
    return await simulator.start(arguments, dict(os.environ))


def app_environment(settings: Mapping[str, Any], ready: Mapping[str, Any]) -> dict[str, str]:
    """The app's environment: without Azure or nearzone variables of this machine, and without a proxy.

    OpenSSL reads the certificates that it trusts from SSL_CERT_FILE: the app's prober meets those of model servers.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("NEARZONE_", "AZURE_", "AzureWebJobsStorage"))
    }
    given = {name: value if isinstance(value, str) else json.dumps(value) for name, value in settings.items()}
    return {
        **kept,
        "NEARZONE_DRAIN_SCHEDULE": f"*/{DRAIN_SECONDS} * * * * *",
        **given,
        "NEARZONE_CLOUD": json.dumps(
            {"arm": ready["arm"], "audience": AUDIENCE, "probe_gateway": ready["probe_gateway"]}
        ),
        "SSL_CERT_FILE": str(ready["probe_ca"]),
        "IDENTITY_ENDPOINT": str(ready["identity_endpoint"]),
        "IDENTITY_HEADER": str(ready["identity_header"]),
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
    }


@dataclass
class ChildProcess:
    """One Python module as a child process."""

    module: str
    errors: Path
    process: asyncio.subprocess.Process | None = field(default=None)

    async def start(self, arguments: Sequence[str], environment: Mapping[str, str]) -> dict[str, Any]:
        """Start it and return the JSON line that it prints when it is ready."""
        with self.errors.open("wb") as errors:
            self.process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", self.module, *arguments),
                cwd=ROOT,
                env=environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
            )
        line = b""
        if self.process.stdout is not None:
            with contextlib.suppress(TimeoutError):
                line = await asyncio.wait_for(self.process.stdout.readline(), _READY)
        try:
            ready: dict[str, Any] = json.loads(line)
        except ValueError:
            said = self.errors.read_text(errors="replace").strip()
            raise LaunchError(f"python -m {self.module} did not start: {said or 'it printed nothing'}") from None
        return ready

    async def end(self) -> None:
        """Stop it, with force if it does not react. Otherwise an open pipe would be closed after the loop."""
        if self.process is None:
            return
        for ask in (self.process.terminate, self.process.kill):
            with contextlib.suppress(ProcessLookupError):
                ask()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.process.communicate(), _END)
                return


def run(work: Any) -> Any:  # noqa: ANN401 - any coroutine and its result
    """Run a coroutine; Ctrl-C, SIGTERM and a closed terminal end it through its `finally`s, with CancelledError.

    Only the first signal counts: repeated ones, from a shell or from `make`, would abort the shutdown of the children.
    """

    async def guarded() -> Any:  # noqa: ANN401 - as above
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        signals = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]

        def stop() -> None:
            for each in signals:
                loop.add_signal_handler(each, lambda: None)
            if task is not None:
                task.cancel()

        with contextlib.suppress(NotImplementedError):  # Windows: Ctrl-C arrives as KeyboardInterrupt
            for each in signals:
                loop.add_signal_handler(each, stop)
        return await work

    return asyncio.run(guarded())
