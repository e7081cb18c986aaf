"""What the user sees and types: results on standard output, everything else on standard error."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Any

from rich.console import Console, RenderableType
from rich.status import Status
from rich.text import Text

from nearzone_cli.credentials import Secrets
from nearzone_cli.durations import spoken
from nearzone_cli.errors import UsageError
from nearzone_cli.fleet import Result

PIPE_WIDTH = 160
"""Columns where the output is no terminal and COLUMNS does not say how many there are."""
SHOW_AFTER = 1.0
"""Seconds after which a call counts as long."""
LINE_EVERY, RETRY_LINE_EVERY = 15.0, 60.0
"""Seconds between two progress lines where standard error is no terminal: of one call, and of attempts."""


def console(file: IO[str], environ: Mapping[str, str]) -> Console:
    """A console that neither interprets markup nor adds colours of its own to what apps say."""
    width = None if file.isatty() or environ.get("COLUMNS") else PIPE_WIDTH
    return Console(file=file, width=width, markup=False, emoji=False, highlight=False, _environ=environ)


def plain(text: object) -> str:
    """Text of an app without control characters, which could drive the terminal."""
    return "".join(each if each.isprintable() or each == "\n" else "?" for each in str(text))


@dataclass
class Terminal:
    """The consoles, and how to ask. `stdin` is a terminal: questions are possible."""

    out: Console
    err: Console
    stdin: IO[str]
    secrets: Secrets
    _status: Status | None = field(default=None, repr=False)
    _told: float = field(default=0.0, repr=False)
    _missing: int = field(default=0, repr=False)
    _left: float = field(default=0.0, repr=False)

    def show(self, *parts: RenderableType) -> None:
        """Print a result."""
        for part in parts:
            self.out.print(part)

    def show_json(self, content: object) -> None:
        """Print a result as JSON."""
        self.out.print(self.secrets.hide(json.dumps(content, indent=2)), soft_wrap=True)

    def note(self, text: str, style: str = "") -> None:
        """Print a remark, not a result."""
        self.err.print(Text(plain(self.secrets.hide(text)), style=style), soft_wrap=True)

    def problem(self, text: str) -> None:
        """Print an error."""
        self.note(f"nearzone: {text}", "red")

    def confirm(self, question: str) -> bool:
        """Ask; only `y` and `yes` agree. Raises UsageError where no answer is possible."""
        if not self.stdin.isatty():
            raise UsageError("no terminal to ask in: add --yes to agree, or --dry-run to look")
        self.err.print(Text(f"{question} [y/N] "), end="", soft_wrap=True)
        return self.stdin.readline().strip().lower() in ("y", "yes")

    def waiting(self, missing: Sequence[str], total: int, seconds: float) -> None:
        """Show which apps have not answered yet."""
        if seconds >= SHOW_AFTER:
            count, silent = total - len(missing), ", ".join(missing)
            text = f"{count} of {total} apps answered; waiting for {silent} ({round(seconds)} s)"
            self._progress(text, seconds)

    def retrying(self, missing: Sequence[Result[Any]], seconds_left: float) -> None:
        """Show which apps have not got the order."""
        lines = [f"{each.app.region}: {self.secrets.hide(str(each.error))}" for each in missing]
        text = f"not yet at all apps, {spoken(seconds_left)} left: " + "; ".join(lines)
        # Without a terminal: a line when another app has it, and one a minute.
        if self.err.is_terminal or len(missing) != self._missing or self._left - seconds_left >= RETRY_LINE_EVERY:
            self._missing, self._left = len(missing), seconds_left
            self._progress(text, None)

    def arrived(self, regions: Sequence[str]) -> None:
        """Show which apps have got the order, while others are asked again."""
        self.note(f"{', '.join(regions)}: {'have' if len(regions) > 1 else 'has'} the order", "green")

    def done(self) -> None:
        """Remove the progress display."""
        if self._status:
            self._status.stop()
        self._status, self._told = None, 0.0

    def _progress(self, text: str, seconds: float | None) -> None:
        if not self.err.is_terminal:
            if seconds is None or seconds - self._told >= LINE_EVERY:
                self._told = seconds or 0.0
                self.note(text)
            return
        shown = Text(plain(text), style="dim")
        if self._status is None:
            self._status = self.err.status(shown)
            self._status.start()
        self._status.update(shown)
