"""Writes the screens of cli/README.md: `PYTHONPATH=cli .venv/bin/python -m tests.cli.screens`.

Each block ```console of the page begins with `$ nearzone ...`, and what follows is what the command prints against the
fake apps, in the order of the page. A line such as `# eastus is stopped` stops an app, `# eastus is started` starts it.
"""

import re
import shlex
import tempfile
from pathlib import Path

from tests.cli.tool import started, stopped

README = Path(__file__).parents[2] / "cli" / "README.md"
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
STATE = re.compile(r"# (\w+) is (stopped|started)")
COLUMNS = "120"
CONTEXTS = """\
current = "prod"

[contexts.prod.apps.westeurope]
url = "https://nearzone-weu.azurewebsites.net"
key_env = "NEARZONE_KEY_WEU"

[contexts.prod.apps.eastus]
url = "https://nearzone-eus.azurewebsites.net"
key_command = ["az", "keyvault", "secret", "show", "--vault-name", "ops", "--name", "nearzone-eus"]
"""


def page(text):
    """The page with the screens as they are now."""
    with tempfile.TemporaryDirectory() as folder:
        tool = started(Path(folder))
        tool.environ["COLUMNS"] = COLUMNS
        try:
            return BLOCK.sub(lambda found: f"```console\n{_block(tool, found[1])}```", text)
        finally:
            stopped(tool)


def _block(tool, before):
    lines = []
    for line in before.splitlines():
        if found := STATE.fullmatch(line):
            app = tool.apps[found[1]]
            app.stop() if found[2] == "stopped" else app.start()
            lines.append(line)
        elif line.startswith("$ nearzone "):
            lines += [line, *_screen(tool, shlex.split(line)[2:])]
    return "\n".join(lines) + "\n"


def _screen(tool, arguments):
    if arguments[0] == "context":
        real, tool.config = tool.config, tool.config.with_name("shown.toml")
        tool.config.write_text(CONTEXTS)
        tool.environ["NEARZONE_CONFIG"] = str(tool.config)
        text = tool.screen(arguments).replace(str(tool.config), "~/.config/nearzone/config.toml")
        tool.config, tool.environ["NEARZONE_CONFIG"] = real, str(real)
    else:
        text = tool.screen(arguments)
    lines = [line.rstrip() for line in text.splitlines()]
    return [line for place, line in enumerate(lines) if line or (place and lines[place - 1])]


if __name__ == "__main__":
    README.write_text(page(README.read_text(encoding="utf-8")), encoding="utf-8")
