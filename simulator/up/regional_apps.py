"""One app for each region, as in the default deployment: each in a process of its own, on one simulated Azure.

Each app writes the zones of its region, probes from there, and has its own keys and its own storage account in the
simulator. So an app can be stopped and started again while the others run: address, keys and catalog stay.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import tempfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from simulator.demo.client import SettingsError
from simulator.demo.processes import (
    ChildProcess,
    LaunchError,
    Ports,
    Processes,
    Scale,
    app_environment,
    start_simulator,
)

_KEYS = ("function", "system", "master")
_ACCOUNT_KEY = "bm90IHZlcmlmaWVk"
"""A storage account's key has to be base64; the simulator does not verify it."""


class RegionalApp:
    """The app of one region. `ready`: the JSON line of its last start. `settings`: its NEARZONE_ settings."""

    def __init__(self, region: str, settings: Mapping[str, Any], simulator: Mapping[str, Any], errors: Path) -> None:
        self.region = region
        self.settings = settings
        self.ready: Mapping[str, Any] = {}
        self._simulator = simulator
        self._process = ChildProcess("simulator.functions_host", errors)
        keys = {f"SIMULATOR_{name.upper()}_KEY": secrets.token_urlsafe(24) for name in _KEYS}
        stored = {"AzureWebJobsStorage": _connection(str(simulator["storage"]), region)}
        self._environment = app_environment({**settings, **stored}, simulator) | keys
        self._changing = asyncio.Lock()

    @property
    def running(self) -> bool:
        """Whether its process runs."""
        return self._process.process is not None and self._process.process.returncode is None

    @property
    def pair(self) -> Processes:
        """The simulator and this app, for a `Client`."""
        return Processes(self._simulator, self.ready, self._process.errors)

    async def start(self, port: int = 0) -> None:
        """Start its process if it does not run: on `port` (0: any free one), later on the same one.

        Raises LaunchError.
        """
        async with self._changing:
            if not self.running:
                port = urlsplit(self.ready["url"]).port or 0 if self.ready else port
                try:
                    self.ready = await self._process.start(["--http", str(port)], self._environment)
                except LaunchError:
                    await self._process.end()
                    raise

    async def stop(self) -> None:
        """Stop its process if it runs."""
        async with self._changing:
            await self._process.end()


@dataclass(frozen=True, slots=True)
class RegionalApps:
    """The running simulator and its apps, by region. `folder`: for files of this run; deleted at its end."""

    simulator: Mapping[str, Any]
    apps: Mapping[str, RegionalApp]
    folder: Path


@contextlib.asynccontextmanager
async def regional_apps(world: Mapping[str, Any], ports: Ports, scale: Scale) -> AsyncIterator[RegionalApps]:
    """Run the simulator and one app for each region of the zones, until the block ends.

    `ports.app`: of the first app; the others take the next ones. Raises LaunchError, and SettingsError if a zone has no
    region.
    """
    settings = settings_by_region(world["settings"])
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="nearzone-")))
        simulator = await start_simulator(stack, folder, world, ports, scale)
        apps = {each: RegionalApp(each, settings[each], simulator, folder / f"{each}.err") for each in settings}
        starts = []
        for number, app in enumerate(apps.values()):
            stack.push_async_callback(app.stop)
            starts.append(app.start(ports.app + number if ports.app else 0))
        for outcome in await asyncio.gather(*starts, return_exceptions=True):
            if outcome is not None:
                raise outcome
        yield RegionalApps(simulator, apps, folder)


def settings_by_region(settings: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The settings of each region's app: its own zones, and its region as the vantage, as `infra/` writes them.

    Raises SettingsError if NEARZONE_ZONES does not name regions.
    """
    zones = settings["NEARZONE_ZONES"]
    if not isinstance(zones, list):
        raise SettingsError([f"NEARZONE_ZONES: found {json.dumps(zones)}, expected a list of zones"])
    named = [zone.get("region") if isinstance(zone, dict) else None for zone in zones]
    if faults := [
        f"NEARZONE_ZONES[{i}].region: found {json.dumps(each)}, expected an Azure region"
        for i, each in enumerate(named)
        if not isinstance(each, str) or not each
    ]:
        raise SettingsError(faults)
    regions = [str(each).lower().replace(" ", "") for each in named]  # As in a resource.
    own = {name: [zone for zone, of in zip(zones, regions, strict=True) if of == name] for name in regions}
    return {name: {**settings, "NEARZONE_ZONES": own[name], **_probing(settings, name)} for name in own}


def _probing(settings: Mapping[str, Any], region: str) -> dict[str, Any]:
    given = settings.get("NEARZONE_PROBING", {})
    if not settings.get("NEARZONE_PROBES") or not isinstance(given, dict):
        return {}
    return {"NEARZONE_PROBING": {**given, "vantage": region}}


def _connection(storage: str, region: str) -> str:
    account = f"nz{region}"[:24]
    endpoint = f"TableEndpoint={storage}/{account}"
    return f"DefaultEndpointsProtocol=http;AccountName={account};AccountKey={_ACCOUNT_KEY};{endpoint}"
