"""What a scenario is, its goals, and how a run is compared with them. This module measures nothing.

A scenario is a module of this package with a `SCENARIO`. Its figures and their goals are defined there; the result of a
run is compared with them, and a missed goal is recorded as missed.
"""

from __future__ import annotations

import operator
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

NAMES = (
    *("event", "same", "strangers", "storm", "stop", "bootstrap", "inventory", "sweep", "drift", "growth", "cold"),
    *("probe_round", "probes", "distances"),
)
"""All scenarios, in the order in which they run and are shown: module names of this package."""

Say: TypeAlias = Callable[[str], None]
"""Reports progress."""

_COMPARE = {"<=": operator.le, ">=": operator.ge, "<": operator.lt, "=": operator.eq}


@dataclass(frozen=True, slots=True)
class Figure:
    """One number that a scenario gives.

    `meaning`: a few words for the table. `goal`: e.g. `<= 2.0`, `>= 5`, `< 250`, `= 0`, or None. `time`: whether the
    clock was the machine's, or virtual and stopped while the processor worked.
    """

    unit: str
    meaning: str
    goal: str | None = None
    time: Literal["real", "virtual"] = "virtual"

    def holds(self, value: float) -> bool:
        """Return whether a value reaches the goal; without a goal, every value does."""
        if self.goal is None:
            return True
        sign, limit = self.goal.split()
        return bool(_COMPARE[sign](value, float(limit)))


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scenario. `about`: one sentence. `run(quick, say)` returns a value for each figure; quick: at a small size."""

    about: str
    figures: Mapping[str, Figure]
    run: Callable[[bool, Say], Mapping[str, float]]


def judge(scenario: Scenario, values: Mapping[str, float]) -> dict[str, dict[str, Any]]:
    """Compare values with goals, in the format of results.json. Raises KeyError for missing or unknown figures."""
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


def progress_logger(name: str) -> Say:
    """Return a function that writes progress to standard error, with the seconds since the scenario began."""
    begun = time.monotonic()

    def say(text: str) -> None:
        sys.stderr.write(f"{name:>7} {time.monotonic() - begun:6.1f} s  {text}\n")
        sys.stderr.flush()

    return say
