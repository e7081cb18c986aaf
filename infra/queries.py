"""The queries, written once in `queries/`: alerts and workbook use the same ones, and people read them.

They run in a Log Analytics workspace: the app's metrics are in its table `AppMetrics`, where a histogram is kept as
sum, count and maximum, a counter as what was added, a gauge as one value (Azure Monitor, reference of the tables).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "queries"


@dataclass(frozen=True, slots=True)
class Query:
    """A query and what it shows: the comment in its first line."""

    name: str
    title: str
    text: str


def read(name: str) -> Query:
    """One query by the name of its file."""
    text = (FOLDER / f"{name}.kql").read_text(encoding="utf-8")
    return Query(name, text.splitlines()[0].removeprefix("// "), text)
