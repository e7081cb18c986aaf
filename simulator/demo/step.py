"""What a step of the demo is, and what the steps share. The steps are in `steps.py` and `steps_*.py`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from simulator.demo import world_model as happen
from simulator.demo.client import Client
from simulator.demo.world_model import Change, Vm, WorldModel


class Skip(Exception):
    """The world cannot show this step; the message says why."""


@dataclass(frozen=True, slots=True)
class Step:
    """One change.

    `act` makes it and returns None, or the time (seconds since the epoch) from which to count; `since` describes that
    time. `expected_events`: subjects of the events (lower case) and the names of the VM that each is about. `names`:
    what to show. `rejected`: an endpoint whose claim to the first name is shown as the app explains it. `seconds`: how
    long the app may take beyond the limit of every step.
    """

    title: str
    story: str
    act: Callable[[], Awaitable[float | None]]
    change: Change = happen.nothing
    names: list[str] = field(default_factory=list)
    expected_events: Mapping[str, frozenset[str]] = field(default_factory=dict)
    since: str = ""
    rejected: str = ""
    seconds: float = 0.0


@dataclass
class StepContext:
    """What the steps share.

    `away`: VMs that stopped with their region. `ordered`: the drained endpoint. `hanging`: the VM whose model server
    hangs. `cut`: the region to which the path is dead.
    """

    replica: WorldModel
    outside: Client
    show: Callable[[str, Iterable[str]], Awaitable[None]]
    """Prints what clients currently get for some names, below a heading."""
    say: Callable[[str], None]
    """Prints a line."""
    started: str = ""
    away: list[str] = field(default_factory=list)
    ordered: str = ""
    hanging: str = ""
    cut: str = ""

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
    """The short name of a VM."""
    return f"{vm['id'].rsplit('/', 1)[1]} ({vm['location']})"
