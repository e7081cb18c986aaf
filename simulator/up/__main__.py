"""`python -m simulator.up [--world FILE]`: simulator and function app to try out, until Ctrl-C.

Starts both, subscribes the app to events, lets it sweep once, and prints commands to try, with this run's addresses and
keys. It checks nothing; the demo does that.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from simulator.demo.app_settings import load, told
from simulator.demo.client import Client, OutsideError, SettingsError
from simulator.demo.filling import pending, reason
from simulator.demo.filling import told as told_seconds
from simulator.demo.probed import pace
from simulator.demo.processes import DEMO, DRAIN_SECONDS, OPERATIONS, LaunchError, Ports, Processes, Scale, run, started
from simulator.demo.world_model import WorldModel
from simulator.up.commands import commands
from simulator.world.world import WorldError

EVERY = 5.0
"""Seconds between two progress lines of a long start."""
LARGE = 200
"""From this many VMs on, building the simulated Azure takes noticeable time."""
SOON = 10.0
"""Seconds after which the commands are printed even if names still wait for the zones' budgets."""


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m simulator.up", description="nearzone on a simulated Azure.")
    parser.add_argument("--world", type=Path, default=DEMO, help="world file (default: the demo's)")
    parser.add_argument("--operations", type=float, default=OPERATIONS, help="factor of the durations of VM operations")
    for name, what in (
        ("arm", "ARM"),
        ("https", "ARM over TLS"),
        ("dns", "the DNS servers"),
        ("app", "the function app"),
        ("probes", "the probe gateway"),
    ):
        parser.add_argument(f"--{name}", type=int, default=0, metavar="PORT", help=f"port of {what}, 0: any free one")
    return parser.parse_args(argv)


class Progress:
    """Reports the progress of a long start. `stage` returns the text; None: no text."""

    def __init__(self, stage: Callable[[], Awaitable[str]] | None) -> None:
        self.stage = stage

    async def tell(self) -> None:
        """Print a line every `EVERY` seconds, until cancelled."""
        while True:
            await asyncio.sleep(EVERY)
            if self.stage is None:
                continue
            with suppress(OutsideError):  # The app is too busy to report its progress.
                print(f"... {await self.stage()}", flush=True)


async def _reading(outside: Client) -> str:
    """The progress of the first sweep."""
    status = await outside.status()
    progress = status["last_sweep"]["progress"]
    if progress and progress["read"] < progress["of"]:
        left = progress["seconds_left"]
        more = "" if left is None else f", about {told_seconds(left)} more"
        return f"nearzone reads VMs: {progress['read']:,} of {progress['of']:,}{more}"
    return _filling(status) or "nearzone runs its first sweep"


def _filling(status: Mapping[str, Any]) -> str:
    names = pending(status)
    return f"the zones are being filled: {reason(names)}" if names else ""


async def _look_around(outside: Client) -> asyncio.Task[dict[str, Any]]:
    """Let the app sweep once; returns the call when it has ended, or when only writes of known names are left."""
    begun = time.monotonic()
    looking = asyncio.create_task(outside.resync({}))
    try:
        while not (await asyncio.wait((looking,), timeout=1.0))[0]:
            if time.monotonic() < begun + SOON:
                continue
            last = (await outside.status())["last_sweep"]
            if last["current"] and not (last["progress"] and last["progress"]["read"] < last["progress"]["of"]):
                break
    except BaseException:
        looking.cancel()
        raise
    looking.add_done_callback(lambda call: call.cancelled() or call.exception())  # The drain continues in any case.
    return looking


async def _fill(outside: Client) -> None:
    """Report the progress of the zones until all names are written."""
    while text := _filling(await outside.status()):
        print(f"... {text}", flush=True)
        await asyncio.sleep(6 * EVERY)
    print("All zones are filled.", flush=True)


async def _up(world: dict[str, Any], arguments: argparse.Namespace) -> None:
    ports = Ports(arguments.arm, arguments.dns, arguments.app, arguments.https, arguments.probes)

    async def building() -> str:
        return f"the simulated Azure is being built: {len(world['vms']):,} VMs, {len(world['zones']):,} zones"

    # A small world takes no time, and for a faulty one only its faults are printed.
    progress = Progress(building if len(world["vms"]) >= LARGE else None)
    telling = asyncio.create_task(progress.tell())
    try:
        async with started(world, ports, Scale(arguments.operations)) as pair, Client(pair) as outside:
            await outside.check_settings()
            await outside.subscribe()
            progress.stage = partial(_reading, outside)
            looking = await _look_around(outside)
            telling.cancel()
            replica = WorldModel(world)
            replica.do(lambda _: None)
            _introduce(pair, replica, looking, arguments.operations)
            if not looking.done():
                await _fill(outside)
            await asyncio.Event().wait()
    finally:
        telling.cancel()


def _introduce(pair: Processes, replica: WorldModel, looking: asyncio.Task[dict[str, Any]], operations: float) -> None:
    vms = f"nearzone is up: {len(replica.vms):,} VMs"
    if looking.done():
        print(f"{vms}, {len(looking.result()['changes']):,} record sets written at the start.")
    else:
        print(f"{vms}. It knows all of them and writes to each zone as fast as Azure allows.")
        print("The commands below already work; a name that is not yet written has no address.")
    print(f"VM operations take {operations:g} times as long as recorded; ARM answers as fast as recorded.")
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
