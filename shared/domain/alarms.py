"""An alarm: one thing that an operator has to know, with its meaning and what to do."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Alarm:
    """What a person should know of: what was found, what that means, and what to do about it.

    `count`: how many endpoints, names or zones have this one cause; `examples`: the first of them. `at`: when the look
    began that found it, in seconds since the epoch, 0 for now; alarms that differ only in this are equal.
    """

    what: str
    means: str = ""
    do: str = ""
    count: int = 1
    examples: tuple[str, ...] = ()
    at: float = field(default=0.0, compare=False)
