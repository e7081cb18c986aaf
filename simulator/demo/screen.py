"""The demo's output, for a terminal and for a log file, which gets no control codes.

Prints only; it queries and judges nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from simulator.demo.client import Set
from simulator.demo.world_model import Question, WorldModel

WIDTH = 112
_BESIDE = 42
"""Columns that a table needs beside the addresses, with some room for the reason."""


@dataclass(frozen=True, slots=True)
class Row:
    """What one region's clients get for a name, and why. `was`: what they had to get before this step."""

    question: Question
    got: Set
    was: Set
    why: str


class Screen:
    """Prints one step after the other."""

    def __init__(self) -> None:
        console = Console(highlight=False, soft_wrap=False)
        width = min(console.width, WIDTH) if sys.stdout.isatty() else WIDTH
        self.console = Console(highlight=False, width=width)

    def say(self, text: str, style: str = "") -> None:
        """Print a paragraph."""
        self.console.print(text, style=style or None, markup=False)

    def step(self, number: int, title: str, story: str) -> None:
        """Print the beginning of a step."""
        self.console.print()
        self.console.rule(f"[bold]{number}  {_plain(title)}", align="left", characters="─", style="dim")
        self.say(story)

    def skipped(self, title: str, reason: str) -> None:
        """Print a step that the world cannot show."""
        self.console.print()
        self.console.print(f"[yellow]skipped:[/yellow] {_plain(title)} ({_plain(reason)})")

    def answers(self, replica: WorldModel, rows: Iterable[Row]) -> None:
        """Print what clients get, name by name; rows with a changed answer are marked."""
        by_name: dict[str, list[Row]] = {}
        for row in rows:
            by_name.setdefault(row.question.fqdn, []).append(row)
        for number, (fqdn, some) in enumerate(by_name.items()):
            if number:
                self.console.print()
            table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
            table.add_column("", width=1)
            table.add_column("clients in", no_wrap=True)
            fits = max(34, _widest(replica, some)) <= self.console.width - _BESIDE
            table.add_column(f"get for {fqdn}", min_width=34 if fits else None, no_wrap=fits)
            table.add_column("TTL", justify="right")
            table.add_column("why", style="dim", ratio=1)
            for row in some:
                changed = row.got != row.was
                ttl = f"{row.got[0]}" if row.got else ""
                style = "bold" if changed else None
                table.add_row(
                    "→" if changed else "", row.question.region, _set(replica, row.got), ttl, row.why, style=style
                )
            self.console.print(table)

    def verdict(self, checks: int, zones: int, timing: str) -> None:
        """Print that all answers were right."""
        self.console.print(f"[green]✓[/green] {checks} answers of {zones} zones right: {_plain(timing)}")

    def wrong(self, replica: WorldModel, faults: Sequence[tuple[Question, Set, Set]], complaints: str) -> None:
        """Print wrong answers: expected and received."""
        self.console.print(f"[bold red]✗ {len(faults)} wrong answers[/bold red]")
        for question, expected, got in faults[:20]:
            self.say(f"  {question.fqdn}, asked in {question.region} ({question.zone.split('/')[4]}):")
            for what, one in (("expected", expected), ("got", got)):
                ttl = f", TTL {one[0]}" if one else ""
                self.say(f"    {what:8}  {_set(replica, one).replace(chr(10), ', ')}{ttl}")
        self.complain(complaints)

    def complain(self, complaints: str) -> None:
        """Print what the app wrote to its standard error."""
        if complaints:
            self.say("The last lines of the app's standard error:", "dim")
            self.say(complaints)


def _widest(replica: WorldModel, rows: Iterable[Row]) -> int:
    return max(len(line) for row in rows for line in _set(replica, row.got).splitlines())


def _set(replica: WorldModel, found: Set) -> str:
    if found is None:
        return "no such name"
    return "\n".join(f"{ip}  {replica.holders(ip)}" for ip in sorted(found[1]))


def _plain(text: str) -> str:
    return text.replace("[", r"\[")
