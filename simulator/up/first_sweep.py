"""The first sweep of an app, and the progress of a long start."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

from simulator.demo.client import Client, OutsideError
from simulator.demo.filling import pending, reason
from simulator.demo.filling import told as told_seconds

EVERY = 5.0
"""Seconds between two progress lines of a long start."""
SOON = 10.0
"""Seconds after which the commands are printed even if names still wait for the zones' budgets."""


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


async def reading(outside: Client) -> str:
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


async def first_sweep(outside: Client) -> asyncio.Task[dict[str, Any]]:
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


async def fill(outside: Client) -> None:
    """Report the progress of the zones until all names are written."""
    while text := _filling(await outside.status()):
        print(f"... {text}", flush=True)
        await asyncio.sleep(6 * EVERY)
    print("All zones are filled.", flush=True)
