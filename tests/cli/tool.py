"""The tool with a virtual clock, and three fake apps that it asks."""

import io
import json
from dataclasses import dataclass, field

from nearzone_cli.__main__ import run
from nearzone_cli.client import Timeouts
from nearzone_cli.session import Surroundings
from tests.cli.fake_app import REGIONS, FakeApp

BEGIN = 1795949100.0  # 2026-11-29T10:45:00Z
TOKEN = "token-of-entra-5ec4e7"


class Typed(io.StringIO):
    """A terminal on which a line was typed. `screen`: where it is seen."""

    def __init__(self, text, screen=None):
        super().__init__(text)
        self.screen = screen

    def isatty(self):
        return True

    def readline(self, *size):
        line = super().readline(*size)
        if self.screen:
            self.screen.write(line)
        return line


class Interrupting(io.StringIO):
    """Standard error of a user who presses Ctrl-C once, when a text is printed."""

    def __init__(self, text):
        super().__init__()
        self.text = text

    def write(self, text):
        count = super().write(text)
        if self.text and self.text in text:
            self.text = ""
            raise KeyboardInterrupt
        return count


@dataclass
class Said:
    """What a run has printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


@dataclass
class Tool:
    """Runs commands against the apps. `at_sleep`: called with the number of each pause between two attempts.

    `look_seconds`: how far each look at the monotonic clock moves it.
    """

    apps: dict
    config: object
    environ: dict
    now: float = BEGIN
    sleeps: int = 0
    look_seconds: float = 0.0
    at_sleep: object = lambda _: None
    timeouts: Timeouts = field(default_factory=lambda: Timeouts(1.0, 5.0, 5.0))
    token: object = lambda _: (TOKEN, float("inf"))

    def __call__(self, *arguments, typed=None, interrupted_at=""):
        out, err = io.StringIO(), Interrupting(interrupted_at)
        stdin = io.StringIO() if typed is None else Typed(typed)
        return Said(self.run(arguments, stdin, out, err), out.getvalue(), err.getvalue())

    def screen(self, arguments):
        """All that a user sees who answers `y`."""
        seen = io.StringIO()
        self.run(arguments, Typed("y\n", seen), seen, seen)
        return seen.getvalue()

    def run(self, arguments, stdin, out, err):
        """Run a command with these streams; return its exit code."""
        clock, timeouts = (lambda: self.now), self.timeouts
        outside = Surroundings(self.environ, stdin, out, err, clock, self.monotonic, self.sleep, self.token, timeouts)
        return run(arguments, outside)

    def monotonic(self):
        self.now += self.look_seconds
        return self.now

    def sleep(self, seconds):
        self.now += seconds
        self.sleeps += 1
        self.at_sleep(self.sleeps)


def started(folder):
    """The tool with three running apps, and a context file for them in a folder."""
    found = Tool({}, folder / "config.toml", {"COLUMNS": "170", "XDG_CACHE_HOME": str(folder / "cache")})
    found.apps = {region: FakeApp(region, lambda: found.now) for region in REGIONS}
    found.environ |= {f"KEY_{region.upper()}": app.key for region, app in found.apps.items()}
    found.environ["NEARZONE_CONFIG"] = str(found.config)
    tables = [
        f'[contexts.test.apps.{region}]\nurl = "{app.url}"\nkey_env = "KEY_{region.upper()}"\n'
        for region, app in found.apps.items()
    ]
    found.config.write_text("\n".join(['current = "test"\n', *tables]))
    return found


def stopped(tool):
    """Stop all apps."""
    for app in tool.apps.values():
        app.stop()
