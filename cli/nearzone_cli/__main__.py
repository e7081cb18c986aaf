"""The entry: `nearzone`. Builds the surroundings, runs the command, and turns every error into a line and a code."""

from __future__ import annotations

import os
import re
import sys
import time
import traceback
from collections.abc import Sequence

import typer
from typer._click.exceptions import ClickException  # Typer has no public name for it.

from nearzone_cli import contexts
from nearzone_cli.commands import contexts as context_commands
from nearzone_cli.commands import orders, reads
from nearzone_cli.credentials import entra_token
from nearzone_cli.errors import FAILED, INTERRUPTED, USAGE, CliError, UsageError
from nearzone_cli.options import DEFAULT_PATIENCE
from nearzone_cli.session import FORMAT, Surroundings

HELP = """
One command for all regions of nearzone: each command asks all apps of a context at the same time.

\b
Examples:
  nearzone status
  nearzone explain llama-70b --from eastus
  nearzone plan
  nearzone drain eastus --for 4h --reason INC-4711 --until-all
  nearzone history llama-70b --since 10:00

\b
Exit codes:
  0   done
  1   an app refused or failed; check: something is wrong
  2   plan: there is something to change
  3   an app could not be reached; the others did it
  64  the command line or the context file is wrong; nothing was sent
  130 interrupted

The context file is $NEARZONE_CONFIG or, on this machine, {path}.
"""


def program() -> typer.Typer:
    """All commands."""
    found = typer.Typer(
        name="nearzone",
        help=HELP.format(path=contexts.default_path({})),
        no_args_is_help=True,
        pretty_exceptions_enable=False,  # They show local variables.
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    for part in (reads, orders):
        found.add_typer(part.app)
    found.add_typer(context_commands.app, name="context")
    return found


def run(arguments: Sequence[str], surroundings: Surroundings) -> int:
    """Run a command; return its exit code. Every error becomes a line on standard error, with -o json an object too."""
    terminal = surroundings.terminal
    try:
        return int(
            program()(with_values(arguments), prog_name="nearzone", standalone_mode=False, obj=surroundings) or 0
        )
    except (KeyboardInterrupt, typer.Abort):
        terminal.done()
        text, code = "interrupted; an app that has not answered may still carry the request out", INTERRUPTED
        trace = ""
    except Exception as error:  # noqa: BLE001 - the last resort: a line instead of a stack trace
        text, code = _told(error)
        trace = "".join(traceback.format_exception(error)) if "--debug" in arguments else ""
    terminal.problem(text)
    if trace:
        terminal.note(trace)
    if wants_json(arguments):
        terminal.show_json({"format": FORMAT, "exit_code": code, "error": text})
    return code


def wants_json(arguments: Sequence[str]) -> bool:
    """Whether the last --output is json; read here, because a wrong command line gives no parsed options."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    line = " ".join(arguments[:end])
    found = re.findall(r"(?:^| )(?:--output[ =]|-[a-z]*o[ =]?)(table|json)(?= |$)", line)
    return found[-1:] == ["json"]


def _told(error: Exception) -> tuple[str, int]:
    """The line and the exit code of an error."""
    match error:
        case ClickException():
            return f"{error.format_message()}\nSee: nearzone --help", USAGE
        case UsageError():
            return str(error), USAGE
        case CliError():
            return str(error), FAILED
    return f"a fault of this tool: {type(error).__name__}: {error}\nRun it again with --debug, and report it", FAILED


def with_values(arguments: Sequence[str]) -> list[str]:
    """The arguments with the value of a bare --until-all, for which Typer has no notion."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    bare = f"--until-all={DEFAULT_PATIENCE}"
    return [bare if each == "--until-all" and place < end else each for place, each in enumerate(arguments)]


def main() -> None:
    """The script `nearzone`."""
    surroundings = Surroundings(
        os.environ, sys.stdin, sys.stdout, sys.stderr, time.time, time.monotonic, time.sleep, entra_token
    )
    sys.exit(run(sys.argv[1:], surroundings))


if __name__ == "__main__":
    main()
