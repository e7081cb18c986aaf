"""`python -m simulator.up [--world FILE] [--apps regional]`: simulator and function app to try out, until Ctrl-C.

Starts both, subscribes the app to events, lets it sweep once, and prints commands to try, with this run's addresses and
keys. With `--apps regional` it starts one app for each region. It checks nothing; the demo does that.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from simulator.demo.app_settings import load, told
from simulator.demo.client import Client, OutsideError, SettingsError
from simulator.demo.probed import pace
from simulator.demo.processes import DEMO, DRAIN_SECONDS, OPERATIONS, LaunchError, Ports, Processes, Scale, run, started
from simulator.demo.world_model import WorldModel
from simulator.up import regional
from simulator.up.commands import commands
from simulator.up.first_sweep import Progress, fill, first_sweep, reading
from simulator.world.world import WorldError

LARGE = 200
"""From this many VMs on, building the simulated Azure takes noticeable time."""
REGIONAL = DEMO.parent / "regional.json"
"""The world of three regions, for one app in each."""


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m simulator.up", description="nearzone on a simulated Azure.")
    parser.add_argument(
        "--world", type=Path, help=f"world file (default: {DEMO.name}, or {REGIONAL.name} with regional)"
    )
    apps = {"one": "one app for all zones", "regional": "one app for each region"}
    described = "; ".join(f"{name}: {text}" for name, text in apps.items())
    parser.add_argument("--apps", choices=apps, default="one", help=f"{described} (default: one)")
    parser.add_argument("--operations", type=float, default=OPERATIONS, help="factor of the durations of operations")
    parser.add_argument("--latency", type=float, default=1.0, help="factor of the recorded latencies of ARM, 0: none")
    for name, what in (
        ("arm", "ARM"),
        ("https", "ARM over TLS"),
        ("dns", "the DNS servers"),
        ("app", "the function app (regional: of the first one, the others take the next ports)"),
        ("probes", "the probe gateway"),
    ):
        parser.add_argument(f"--{name}", type=int, default=0, metavar="PORT", help=f"port of {what}, 0: any free one")
    arguments = parser.parse_args(argv)
    arguments.world = arguments.world or (REGIONAL if arguments.apps == "regional" else DEMO)
    return arguments


async def _up(world: dict[str, Any], arguments: argparse.Namespace) -> None:
    ports = Ports(arguments.arm, arguments.dns, arguments.app, arguments.https, arguments.probes)
    scale = Scale(arguments.operations, arguments.latency)
    if arguments.apps == "regional":
        await regional.up(world, ports, scale)
        return

    async def building() -> str:
        return f"the simulated Azure is being built: {len(world['vms']):,} VMs, {len(world['zones']):,} zones"

    # A small world takes no time, and for a faulty one only its faults are printed.
    progress = Progress(building if len(world["vms"]) >= LARGE else None)
    telling = asyncio.create_task(progress.tell())
    try:
        async with started(world, ports, scale) as pair, Client(pair) as outside:
            await outside.check_settings()
            await outside.subscribe()
            progress.stage = partial(reading, outside)
            looking = await first_sweep(outside)
            telling.cancel()
            replica = WorldModel(world)
            replica.do(lambda _: None)
            _introduce(pair, replica, looking, scale)
            if not looking.done():
                await fill(outside)
            await asyncio.Event().wait()
    finally:
        telling.cancel()


def _introduce(pair: Processes, replica: WorldModel, looking: asyncio.Task[dict[str, Any]], scale: Scale) -> None:
    vms = f"nearzone is up: {len(replica.vms):,} VMs"
    if looking.done():
        print(f"{vms}, {len(looking.result()['changes']):,} record sets written at the start.")
    else:
        print(f"{vms}. It knows all of them and writes to each zone as fast as Azure allows.")
        print("The commands below already work; a name that is not yet written has no address.")
    print(f"Operations take {scale.operations:g} times as long as recorded, answers of ARM {scale.latency:g} times.")
    print(f"The app observes warming VMs every {DRAIN_SECONDS} s.")
    if paced := pace(replica.settings):
        print(paced)
    for heading, lines in commands(pair, replica):
        print(f"\n# {heading}\n" + "\n".join(lines))
    print(f"\nThe app's standard error: {pair.errors}")
    print("Ctrl-C stops it.", flush=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Run until Ctrl-C or SIGTERM (0); 1 if a process does not start, 2 for an impossible world."""
    arguments = _arguments(argv)
    try:
        run(_up(load(arguments.world), arguments))
    except (WorldError, SettingsError, LaunchError) as error:
        for line in told(arguments.world, error):
            print(f"simulator.up: {line}", file=sys.stderr)
        return 1 if isinstance(error, LaunchError) else 2
    except (OutsideError, OSError) as error:
        print(f"simulator.up: {error}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, asyncio.CancelledError):
        print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
