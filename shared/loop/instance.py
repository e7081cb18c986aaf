"""One instance of the app, which is this process: its name, its clock, and its own alarms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shared.decide import preflight
from shared.domain.alarms import Alarm
from shared.domain.clock import Clock


@dataclass
class Instance:
    """`holder` names this process in leases. `clock`: as the catalog corrects it.

    `notes`: what an operator should know of how this process was set up. `private_ip`: its address in a VNet, "" if
    the platform tells none.
    """

    holder: str
    clock: Clock
    notes: Sequence[Alarm] = ()
    private_ip: str = ""

    def alarms(self) -> Sequence[Alarm]:
        """Alarms about this process alone."""
        return (*self.notes, *preflight.skew(self.clock.offset, self.holder))
