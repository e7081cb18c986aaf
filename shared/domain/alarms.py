"""An alarm: one problem that the operator has to know, what it means and what to do."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Alarm:
    """A problem for the operator: what was found, what it means, and what to do about it.

    `count`: how many endpoints, names or zones have this cause; `examples`: the first of them. `at`: when the check
    that found it began, in seconds since the epoch, 0 for now. Alarms that differ only in `at` are equal.
    """

    what: str
    means: str = ""
    do: str = ""
    count: int = 1
    examples: tuple[str, ...] = ()
    at: float = field(default=0.0, compare=False)
