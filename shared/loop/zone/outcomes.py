"""What can become of an attempt to settle a name, where that is no error. Values: `dirty_rows.py` handles each of them.

Errors of Azure and of the catalog (`Conflict`, `Transient`, `Terminal`) stay exceptions until an attempt ends with one.
"""

from __future__ import annotations

import msgspec

from shared.decide.decision import HoldBack
from shared.decide.plan import Change
from shared.domain.errors import Conflict, Terminal, Transient
from shared.edge.report import NOT_TRIED


class Done(msgspec.Struct, frozen=True):
    """The write succeeded; for a whole attempt: the dirty row is removed as well, unless it was marked again."""


class WaitForBudget(msgspec.Struct, frozen=True):
    """The zone's budget lets this change go later."""

    change: Change


class NotTried(msgspec.Struct, frozen=True):
    """The zone has refused writes of this kind for a cause of the zone. `answer`: the error of the last one."""

    answer: Terminal

    def __str__(self) -> str:
        """The failure in words."""
        return f"{NOT_TRIED}{self.answer}"


class PastDeadline(msgspec.Struct, frozen=True):
    """The budget lets the read go only after the deadline."""


class LeaseChanged(msgspec.Struct, frozen=True):
    """The lease has lapsed since the claims were read: another instance may have settled the name meanwhile."""


class LeaseTaken(msgspec.Struct, frozen=True):
    """Another instance has, or had meanwhile, the lease: this run writes nothing any more."""


class ZoneFrozen(msgspec.Struct, frozen=True):
    """An operator has frozen the zone: nothing is written to it, and its names stay dirty."""


Outcome = Done | WaitForBudget | NotTried | HoldBack | PastDeadline | LeaseChanged | LeaseTaken | ZoneFrozen
Failure = Conflict | Transient | Terminal
