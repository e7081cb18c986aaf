"""What a step of the demo is, and what the steps share. The steps are in `demo_steps.py` and `demo_trouble.py`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from simulator.demo import world_model as happen
from simulator.demo.client import Client
from simulator.demo.world_model import Change, Vm, WorldModel


class Skip(Exception):
    """A step that a world cannot show; the message says why."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happens.

    `act` does it and gives None, or the time (seconds since the epoch) from which to count; `since` says what that was.
    `heralds`: subjects of the events (lower case) and the names of the VM that each is about. `names`: what to show.
    `rejected`: an endpoint whose claims must be left out.
    """

    title: str
    story: str
    act: Callable[[], Awaitable[float | None]]
    change: Change = happen.nothing
    names: list[str] = field(default_factory=list)
    expected_events: Mapping[str, frozenset[str]] = field(default_factory=dict)
    since: str = ""
    rejected: str = ""


@dataclass
class StepContext:
    """What the steps share. `away`: VMs that went with their region; `ordered`: who is drained."""

    replica: WorldModel
    outside: Client
    show: Callable[[str, Iterable[str]], Awaitable[None]]
    """Shows what clients get for some names at this moment, below a heading."""
    started: str = ""
    away: list[str] = field(default_factory=list)
    ordered: str = ""

    def expected_events(
        self, vms: Iterable[Vm], subject: Callable[[Vm], str] = lambda vm: str(vm["id"])
    ) -> dict[str, Any]:
        """The events to wait for: one for each VM."""
        return {subject(vm).lower(): frozenset(self.replica.names(vm)) for vm in vms}

    def all_of(self, method: str, vms: Iterable[Vm], action: str) -> Callable[[], Awaitable[None]]:
        """The same ARM call on several VMs at once."""
        targets = [vm["id"] + action for vm in vms]

        async def act() -> None:
            await asyncio.gather(*(self.outside.arm(method, target) for target in targets))

        return act


def name_of(vm: Vm) -> str:
    """What people call a VM."""
    return f"{vm['id'].rsplit('/', 1)[1]} ({vm['location']})"
