"""What can become of an attempt to settle a name, where that is no error. Values: `dirty_rows.py` handles each of them.

Errors of Azure and of the catalog (`Conflict`, `Transient`, `Terminal`) stay exceptions until an attempt ends with one.
"""

from __future__ import annotations

from dataclasses import dataclass

from shared.decide.decision import HoldBack
from shared.decide.plan import Change
from shared.domain.errors import Conflict, Terminal, Transient
from shared.edge.report import NOT_TRIED


@dataclass(frozen=True, slots=True)
class Done:
    """The write succeeded; for a whole attempt: the dirty row is removed as well, unless it was marked again."""


@dataclass(frozen=True, slots=True)
class WaitForBudget:
    """The zone's budget lets this change go later."""

    change: Change


@dataclass(frozen=True, slots=True)
class NotTried:
    """The zone has refused writes of this kind for a cause of the zone. `answer`: the error of the last one."""

    answer: Terminal

    def __str__(self) -> str:
        """The failure in words."""
        return f"{NOT_TRIED}{self.answer}"


@dataclass(frozen=True, slots=True)
class PastDeadline:
    """The budget lets the read go only after the deadline."""


@dataclass(frozen=True, slots=True)
class LeaseChanged:
    """The lease has lapsed since the claims were read: another instance may have settled the name meanwhile."""


@dataclass(frozen=True, slots=True)
class LeaseTaken:
    """Another instance has, or had meanwhile, the lease: this run writes nothing any more."""


@dataclass(frozen=True, slots=True)
class ZoneFrozen:
    """An operator has frozen the zone: nothing is written to it, and its names stay dirty."""


Outcome = Done | WaitForBudget | NotTried | HoldBack | PastDeadline | LeaseChanged | LeaseTaken | ZoneFrozen
Failure = Conflict | Transient | Terminal
