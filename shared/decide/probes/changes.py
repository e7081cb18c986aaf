"""Which names a new row of a vantage concerns, and what is left of a row that has ended."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from shared.config.settings import Settings
from shared.domain.dirty import Urgency
from shared.domain.probes import Target, VantageRow


@dataclass(frozen=True, slots=True)
class NameChange:
    """Why a name must be marked dirty. `everywhere`: in all zones; otherwise in those of the vantage's region.

    `cause`: text for the operator, made of fixed words, names and numbers.
    """

    urgency: Urgency
    everywhere: bool
    cause: str


def changed_names(
    old: VantageRow,
    new: VantageRow,
    targets: Iterable[Target],
    settings: Settings,
    published: Callable[[str], float | None],
) -> Mapping[str, NameChange]:
    """Return the names whose answers can differ between two rows, by name. Times are taken from the rows.

    `targets`: those of the present endpoints. A verdict against an endpoint that does not serve any more concerns no
    name. `published`: as in `judge`.
    """
    raise NotImplementedError


def ended(row: VantageRow, now: float) -> VantageRow:
    """Return the row without verdicts and distances that have ended at `now`; the same row if none has.

    The caller adds the names of `changed_names(row, ended(row, now), ...)` to `todo`.
    """
    raise NotImplementedError
