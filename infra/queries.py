"""The queries, each in one file of `queries/`: alerts, workbook and operators use the same ones.

They run in a Log Analytics workspace: the app's metrics are in its table AppMetrics, where a histogram is stored as
sum, count and maximum, a counter as its increase, a gauge as one value (Azure Monitor, reference of the tables).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "queries"


@dataclass(frozen=True, slots=True)
class Query:
    """A query and its title: the comment in its first line."""

    name: str
    title: str
    text: str


def read(name: str) -> Query:
    """Return one query by the name of its file."""
    text = (FOLDER / f"{name}.kql").read_text(encoding="utf-8")
    return Query(name, text.splitlines()[0].removeprefix("// "), text)
