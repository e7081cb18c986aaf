"""Stores the results: results.json, the machine they were measured on, a table on the screen, and the one in the docs.

results.json has `{scenario: {figure: {"value", "goal", "unit", "holds"}}}` and nothing else; machines.json has the time
and the machine of the last run of each scenario. All figures in the docs come from there.
"""

from __future__ import annotations

import importlib
import json
import os
import platform
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

from rich.console import Console
from rich.table import Table

from benchmarks import plot
from benchmarks.harness import NAMES, Scenario

Json: TypeAlias = Any

HERE = Path(__file__).parent
BEGIN, END = "<!-- figures: begin (written by make bench) -->", "<!-- figures: end -->"


def keep(name: str, figures: Json, folder: Path = HERE) -> None:
    """Replace a scenario's figures; the others stay."""
    _put(folder / "results.json", name, figures)
    _put(folder / "machines.json", name, machine())


def _put(path: Path, name: str, content: Json) -> None:
    whole = {**(json.loads(path.read_text()) if path.exists() else {}), name: content}
    ordered = {each: whole[each] for each in NAMES if each in whole}
    path.write_text(json.dumps(ordered, indent=2, ensure_ascii=False) + "\n")


def machine() -> dict[str, str]:
    """Return a description of this machine, and today's date."""
    models = [line.split(":", 1)[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    memory = [int(line.split()[1]) / 2**20 for line in _lines("/proc/meminfo") if line.startswith("MemTotal")]
    parts = [f"{os.cpu_count()} x {models[0] if models else platform.processor() or platform.machine()}"]
    parts += [f"{memory[0]:.0f} GB" for _ in memory[:1]]
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "machine": ", ".join([*parts, platform.system()]),
    }


def _lines(path: str) -> list[str]:
    file = Path(path)
    return file.read_text().splitlines() if file.exists() else []


def show(found: Mapping[str, Json]) -> None:
    """Print a table of figures."""
    table = Table("scenario", "figure", "value", "goal", "", "time")
    for name, figure, entry, spec in _rows(found):
        mark = "" if entry["goal"] is None else "holds" if entry["holds"] else "[red]MISSED[/red]"
        table.add_row(name, figure, shown(entry), entry["goal"] or "", mark, spec.time)
    Console().print(table)


def document(folder: Path = HERE, page: Path = HERE.parent / "docs" / "performance.md") -> None:
    """Write the table between the page's markers, and the plot, from results.json.

    Raises ValueError if the markers are missing.
    """
    found = json.loads((folder / "results.json").read_text())
    machines = json.loads((folder / "machines.json").read_text())
    before, begin, rest = page.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page} has no markers for the table")
    if "growth" in found:
        (page.parent / "growth.svg").write_text(plot.growth(found["growth"]))
    page.write_text(f"{before}{BEGIN}\n\n{_markdown(found, machines)}\n{END}{after}")


def _markdown(found: Mapping[str, Json], machines: Mapping[str, Json]) -> str:
    lines = ["| scenario | figure | value | goal | | time | meaning |", "| --- | --- | ---: | --- | --- | --- | --- |"]
    for name, figure, entry, spec in _rows(found):
        mark = "" if entry["goal"] is None else "holds" if entry["holds"] else "**missed**"
        columns = (name, f"`{figure}`", shown(entry), entry["goal"] or "", mark, spec.time, spec.meaning)
        lines.append(f"| {' | '.join(columns)} |")
    lines += ["", "| scenario | measured | with | on |", "| --- | --- | --- | --- |"]
    lines += [f"| {each} | {on['date']} | {on['python']} | {on['machine']} |" for each, on in machines.items()]
    return "\n".join(lines) + "\n"


def _rows(found: Mapping[str, Json]) -> Iterator[tuple[str, str, Json, Any]]:
    for name, figures in found.items():
        scenario: Scenario = importlib.import_module(f"benchmarks.{name}").SCENARIO
        for figure, entry in figures.items():
            yield name, figure, entry, scenario.figures[figure]


def shown(entry: Json) -> str:
    """Format a value with its unit, to three digits if it has a fraction."""
    value = entry["value"]
    number = f"{value:,.0f}" if value == int(value) or abs(value) >= 1000 else f"{value:.3g}"
    return f"{number} {entry['unit']}".strip()
