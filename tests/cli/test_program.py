"""The program as it is installed: its help, its parts, its dependencies, and the live view in a terminal."""

import ast
import json
import os
import pty
import re
import subprocess
import sys
import termios
import time
import tomllib
from pathlib import Path

import pytest
from typer.main import get_command

from nearzone_cli.__main__ import program
from nearzone_cli.client import Timeouts
from tests.cli.tool import BEGIN, Typed

CLI = Path(__file__).parents[2] / "cli"
SOURCES = sorted((CLI / "nearzone_cli").rglob("*.py"))
ALLOWED = {"azure", "httpx", "nearzone_cli", "rich", "typer"}


def test_the_tool_imports_nothing_of_the_app():
    found = set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                found.add(node.module.split(".")[0])
    assert found - set(sys.stdlib_module_names) == ALLOWED


def test_what_is_installed_is_what_is_tested():
    project = tomllib.loads((CLI / "pyproject.toml").read_text())["project"]
    pinned = {line for line in (CLI / "requirements.in").read_text().splitlines() if line and line[0] != "#"}
    assert {*project["dependencies"], *project["optional-dependencies"]["entra"]} == pinned
    packages = tomllib.loads((CLI / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    assert {path.parent.relative_to(CLI).as_posix().replace("/", ".") for path in SOURCES} == set(packages)


COMMANDS = [
    *(
        ["status"],
        ["watch"],
        ["names"],
        ["explain"],
        ["plan"],
        ["check"],
        ["probe"],
        ["history"],
        ["drain"],
        ["undrain"],
    ),
    *(["freeze"], ["unfreeze"], ["adopt"], ["sync"], ["context", "list"], ["context", "show"], ["context", "use"]),
]


def test_every_command_is_tested_here():
    root = get_command(program())
    found = [[name] for name in root.commands if name != "context"]
    found += [["context", name] for name in root.commands["context"].commands]
    assert sorted(found) == sorted(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help_with_examples_that_are_accepted(tool, command, capsys):
    assert tool(*command, "--help").code == 0
    shown = capsys.readouterr().out
    examples = re.findall(rf"^    (nearzone {' '.join(command)}.*)$", shown, re.MULTILINE)
    assert examples
    for example in examples:
        arguments = re.split(r";", example)[0]
        said = tool(*re.findall(r"'[^']*'|\S+", arguments)[1:])
        assert "No such" not in said.err
        assert "Missing" not in said.err
        assert "is expected" not in said.err


def test_the_help_lists_the_exit_codes(tool, capsys):
    assert tool("--help").code == 0
    shown = capsys.readouterr().out
    for code in ("0 ", "1 ", "2 ", "3 ", "64 "):
        assert re.search(rf"^    {code}", shown, re.MULTILINE)


def environment(tool):
    path = os.pathsep.join(filter(None, (str(CLI), os.environ.get("PYTHONPATH"))))
    return {**os.environ, **tool.environ, "PYTHONPATH": path, "TERM": "xterm", "LINES": "60"}


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("nearzone drain we", {"westeurope"}),
        ("nearzone explain llama-7", {"llama-70b"}),
        ("nearzone status --context te", {"test"}),
        ("nearzone status --region ", {"westeurope", "eastus", "southeastasia"}),
        ("nearzone undr", {"undrain"}),
    ],
)
def test_the_shell_completes_regions_names_contexts_and_commands(tool, typed, found):
    tool("names")
    environ = environment(tool) | {"_NEARZONE_COMPLETE": "complete_bash", "COMP_WORDS": typed}
    environ["COMP_CWORD"] = str(typed.count(" "))
    command = [sys.executable, "-c", "from nearzone_cli.__main__ import main; main()"]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert set(done.stdout.split()) == found, done.stderr
    tool.config.write_text("broken")
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert done.stderr == "", "completion prints no errors"


def test_the_key_is_in_no_argument_and_the_program_runs_by_itself(tool):
    command = [sys.executable, "-m", "nearzone_cli", "status", "-o", "json"]
    done = subprocess.run(command, env=environment(tool), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["exit_code"] == 0


@pytest.mark.parametrize("key", ["q", "ctrl-c"])
def test_watch_is_renewed_and_ends_cleanly(tool, key):
    """The terminal's time is virtual: no view comes too late for the test."""
    screen = Typed("")
    keyboard, stdin = pty.openpty()
    before = termios.tcgetattr(stdin)

    def press(_):
        time.sleep(0.001)  # Leaves the processor to the threads that ask; nothing is expected of its length.
        if screen.getvalue().count("q ends") < 2:
            return
        if key == "ctrl-c":
            raise KeyboardInterrupt
        os.write(keyboard, b"q")

    tool.at_sleep, tool.timeouts = press, Timeouts(300.0, 300.0, 300.0)
    with os.fdopen(stdin, encoding="utf-8") as typed:
        assert tool.run(["watch", "--interval", "1"], typed, screen, screen) == 0
        assert termios.tcgetattr(stdin) == before, "the keyboard is as before"
    os.close(keyboard)
    shown = screen.getvalue()
    assert tool.now >= BEGIN + 1, "the second view came too early"
    assert "southeastasia" in shown
    assert "Traceback" not in shown
    assert shown.endswith("\x1b[?25h\x1b[?1049l"), "the cursor and the screen are as before"
