"""Three fake apps, a context file for them, and the tool with a virtual clock."""

import io
import json
from dataclasses import dataclass, field

import pytest

from fake_app import REGIONS, FakeApp
from nearzone_cli.__main__ import run
from nearzone_cli.client import Timeouts
from nearzone_cli.session import Surroundings

BEGIN = 1795949100.0  # 2026-11-29T10:45:00Z
TOKEN = "token-of-entra-5ec4e7"


class Typed(io.StringIO):
    """A terminal on which a line was typed."""

    def isatty(self):
        return True


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
    """Runs commands against the apps. `at_sleep`: called with the number of each pause between two attempts."""

    apps: dict
    config: object
    environ: dict
    now: float = BEGIN
    sleeps: int = 0
    at_sleep: object = lambda _: None
    timeouts: Timeouts = field(default_factory=lambda: Timeouts(1.0, 5.0, 5.0))
    token: object = lambda _: TOKEN

    def __call__(self, *arguments, typed=None):
        out, err = io.StringIO(), io.StringIO()
        stdin = io.StringIO() if typed is None else Typed(typed)
        clock, timeouts = (lambda: self.now), self.timeouts
        outside = Surroundings(self.environ, stdin, out, err, clock, clock, self.sleep, self.token, timeouts)
        return Said(run(arguments, outside), out.getvalue(), err.getvalue())

    def sleep(self, seconds):
        self.now += seconds
        self.sleeps += 1
        self.at_sleep(self.sleeps)


@pytest.fixture
def tool(tmp_path):
    found = Tool({}, tmp_path / "config.toml", {"COLUMNS": "150", "XDG_CACHE_HOME": str(tmp_path / "cache")})
    found.apps = {region: FakeApp(region, lambda: found.now) for region in REGIONS}
    found.environ |= {f"KEY_{region.upper()}": app.key for region, app in found.apps.items()}
    found.environ["NEARZONE_CONFIG"] = str(found.config)
    tables = [
        f'[contexts.test.apps.{region}]\nurl = "{app.url}"\nkey_env = "KEY_{region.upper()}"\n'
        for region, app in found.apps.items()
    ]
    found.config.write_text("\n".join(['current = "test"\n', *tables]))
    yield found
    for app in found.apps.values():
        app.stop()


@pytest.fixture
def apps(tool):
    return tool.apps
