"""What a scenario is, what it promises, and how a run of it is judged. Nothing is measured here.

A scenario is a module of this package with a `SCENARIO`. Its figures and their goals stand there, in one place; what a
run gives is held against them, and a missed goal is written down as missed.
"""

from __future__ import annotations

import operator
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

NAMES = ("event", "same", "strangers", "storm", "stop", "bootstrap", "sweep", "drift", "growth", "cold")
"""All scenarios, in the order in which they run and are shown: module names of this package."""

Say: TypeAlias = Callable[[str], None]
"""Tells a person what goes on."""

_COMPARE = {"<=": operator.le, ">=": operator.ge, "<": operator.lt, "=": operator.eq}


@dataclass(frozen=True, slots=True)
class Figure:
    """One number that a scenario gives.

    `meaning`: a few words for the table. `goal`: e.g. `<= 2.0`, `>= 5`, `< 250`, `= 0`, or None where there is none.
    `time`: whether the clock was the machine's, or stood still while the processor worked (virtual).
    """

    unit: str
    meaning: str
    goal: str | None = None
    time: Literal["real", "virtual"] = "virtual"

    def holds(self, value: float) -> bool:
        """Whether a value reaches the goal; without a goal, every value does."""
        if self.goal is None:
            return True
        sign, limit = self.goal.split()
        return bool(_COMPARE[sign](value, float(limit)))


@dataclass(frozen=True, slots=True)
class Scenario:
    """`about`: one sentence for a person. `run(quick, say)` gives a value for each figure; quick: a small size."""

    about: str
    figures: Mapping[str, Figure]
    run: Callable[[bool, Say], Mapping[str, float]]


def judged(scenario: Scenario, values: Mapping[str, float]) -> dict[str, dict[str, Any]]:
    """Values against goals, as results.json holds them. Raises KeyError where figures are missing or unknown."""
    if values.keys() != scenario.figures.keys():
        raise KeyError(f"given and promised figures differ: {sorted(values.keys() ^ scenario.figures.keys())}")
    return {
        name: {
            "value": round(values[name], 4),
            "goal": figure.goal,
            "unit": figure.unit,
            "holds": figure.holds(values[name]),
        }
        for name, figure in scenario.figures.items()
    }


def speaker(name: str) -> Say:
    """Progress on standard error, with the seconds since the scenario began."""
    begun = time.monotonic()

    def say(text: str) -> None:
        sys.stderr.write(f"{name:>7} {time.monotonic() - begun:6.1f} s  {text}\n")
        sys.stderr.flush()

    return say
