"""How long zones need for the names that wait in them: Azure's budgets say it, and not the app.

The demo waits as long as that before it judges, and `up` tells how far the first fill is.
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
"""Creates, updates or deletes that the app spends of the 60 that Azure allows per zone and minute
(docs/architecture.md, "Limits that shape it")."""
WINDOW = 61.0
"""Seconds for which a write counts."""
BREATH = 2.0
"""Seconds after the last write in which clients see it."""


def bound(names: int) -> float:
    """Seconds within which a zone has written so many names, although its budget is used up when they are counted."""
    return WINDOW * ceil(names / WRITES)


def pending(status: Mapping[str, Any]) -> int:
    """Names that wait to be written, in the zone that has most of them."""
    return max((int(zone["dirty"]) for zone in status["zones"]), default=0)


def reason(names: int) -> str:
    """Why names wait, and how long they may."""
    several = "name waits" if names == 1 else "names wait"
    return f"{names:,} {several} in one zone, which takes {WRITES} creates a minute: at most {told(bound(names))} more"


def told(seconds: float) -> str:
    """A time for people."""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} minutes"


@dataclass
class Patience:
    """How long a step's answers may take: `limit` seconds, and as long as budgets need for names that wait then."""

    outside: Client
    screen: Screen
    limit: float
    waits: bool = False
    """Whether it waits for budgets."""

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
