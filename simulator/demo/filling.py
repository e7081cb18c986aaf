"""How long zones need for their waiting names, from Azure's budgets and not from the app.

The demo waits that long before it judges, and `up` reports the progress of the first fill.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any

from simulator.demo.client import Client
from simulator.demo.screen import Screen

WRITES = 57
"""Creates, updates or deletes that the app makes of the 60 that Azure allows per zone and minute (docs/architecture.md,
"Limits that shape it")."""
WINDOW = 61.0
"""Seconds for which a write counts."""
BREATH = 2.0
"""Seconds after the last write until clients see it."""


def bound(names: int) -> float:
    """Seconds within which a zone has written this many names, even if its budget is used up at the start."""
    return WINDOW * ceil(names / WRITES)


def pending(status: Mapping[str, Any]) -> int:
    """Names that wait to be written, in the zone with most of them."""
    return max((int(zone["dirty"]) for zone in status["zones"]), default=0)


def reason(names: int) -> str:
    """Why names wait, and how long they may."""
    several = "name waits" if names == 1 else "names wait"
    return f"{names:,} {several} in one zone, which takes {WRITES} creates a minute: at most {told(bound(names))} more"


def told(seconds: float) -> str:
    """A duration as text."""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} minutes"


@dataclass
class Patience:
    """How long a step's answers may take: `limit` seconds, and the time that budgets need for names that wait then."""

    outside: Client
    screen: Screen
    limit: float
    waits: bool = False
    """Whether it is waiting for budgets."""

    def __post_init__(self) -> None:
        self._until = asyncio.get_running_loop().time() + self.limit

    async def over(self) -> bool:
        """Whether answers that are not right now are wrong."""
        clock = asyncio.get_running_loop().time
        if not self.waits and clock() < self._until:
            return False
        names, now = pending(await self.outside.status()), clock()
        if not self.waits and names:
            self.waits = True
            self._until = now + bound(names) + self.limit
            self.screen.say(f"Not all answers are right yet: {reason(names)}.", "yellow")
        if not names:
            self._until = min(self._until, now + BREATH) if self.waits else now
        return now >= self._until
