"""`python -m simulator.up --apps regional`: one app for each region, until Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any

from simulator.demo.client import Client
from simulator.demo.processes import Ports, Scale
from simulator.demo.world_model import WorldModel
from simulator.up.app_control import app_control
from simulator.up.first_sweep import Progress, fill, first_sweep, reading
from simulator.up.regional_apps import RegionalApps, regional_apps
from simulator.up.regional_commands import commands


async def up(world: dict[str, Any], ports: Ports, scale: Scale) -> None:
    """Start everything, print what is where and commands to try, and wait."""
    progress = Progress(None)
    telling = asyncio.create_task(progress.tell())
    try:
        async with contextlib.AsyncExitStack() as stack:
            apps = await stack.enter_async_context(regional_apps(world, ports, scale))
            control = await stack.enter_async_context(app_control(apps))
            clients = [await stack.enter_async_context(Client(app.pair)) for app in apps.apps.values()]
            for each in clients:
                await each.check_settings()
                await each.subscribe()
            progress.stage = lambda: reading(clients[0])
            sweeps = await asyncio.gather(*map(first_sweep, clients))
            telling.cancel()
            replica = WorldModel(world)
            replica.do(lambda _: None)
            _introduce(apps, control, replica, sweeps)
            for outside, sweep in zip(clients, sweeps, strict=True):
                if not sweep.done():
                    await fill(outside)
            await asyncio.Event().wait()
    finally:
        telling.cancel()


def _introduce(
    apps: RegionalApps, control: str, replica: WorldModel, sweeps: Sequence[asyncio.Task[dict[str, Any]]]
) -> None:
    print(f"nearzone is up: {len(apps.apps)} apps, one for each region, and {len(replica.vms):,} VMs.")
    if not all(sweep.done() for sweep in sweeps):
        print("They write to each zone as fast as Azure allows; a name that is not yet written has no address.")
    for region, app in apps.apps.items():
        zones = ", ".join(zone["id"].rsplit("/", 1)[1] for zone in app.settings["NEARZONE_ZONES"])
        print(f"  {region:<16}{app.ready['url']}  writes the zone {zones} of its region, probes from there")
    for heading, lines in commands(apps, control, replica):
        print(f"\n# {heading}\n" + "\n".join(lines))
    print(f"\nThe apps' standard errors: {apps.folder}/REGION.err")
    print("Ctrl-C stops it.", flush=True)
