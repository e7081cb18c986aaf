"""One run of a command: its apps, its terminal, and how a result ends in a screen and an exit code."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import IO, Any, TypeVar

from rich.console import RenderableType

from nearzone_cli import contexts
from nearzone_cli.client import AppClient, Timeouts, unexpected
from nearzone_cli.credentials import Secrets
from nearzone_cli.errors import FAILED, INTERRUPTED, OK, UsageError
from nearzone_cli.fleet import Fleet, Result, exit_code
from nearzone_cli.screens.said import problems
from nearzone_cli.terminal import Terminal, console

T = TypeVar("T")
FORMAT = 1
"""The version of the JSON output. It grows when a key changes its meaning or goes; new keys may come at any time."""


@dataclass(frozen=True)
class Surroundings:
    """What a run takes from outside. `clock`: seconds since 1970; `monotonic`, `sleep`: seconds."""

    environ: Mapping[str, str]
    stdin: IO[str]
    stdout: IO[str]
    stderr: IO[str]
    clock: Callable[[], float]
    monotonic: Callable[[], float]
    sleep: Callable[[float], None]
    token: Callable[[str], tuple[str, float]]
    timeouts: Timeouts = field(default_factory=Timeouts)

    @cached_property
    def secrets(self) -> Secrets:
        """The keys and tokens of this run."""
        return Secrets(self.environ, self.token, self.clock)

    @cached_property
    def terminal(self) -> Terminal:
        """Where results and questions go."""
        out, err = console(self.stdout, self.environ), console(self.stderr, self.environ)
        return Terminal(out, err, self.stdin, self.secrets)


@dataclass(frozen=True)
class Session:
    """A command's surroundings and the options that all commands have. `regions`: empty for all apps."""

    surroundings: Surroundings
    context_name: str | None
    regions: tuple[str, ...]
    as_json: bool

    @property
    def terminal(self) -> Terminal:
        """Where results and questions go."""
        return self.surroundings.terminal

    def now(self) -> float:
        """Seconds since 1970."""
        return self.surroundings.clock()

    @cached_property
    def file(self) -> contexts.ContextFile:
        """The context file. Raises UsageError."""
        return contexts.load(contexts.default_path(self.surroundings.environ))

    @cached_property
    def context(self) -> contexts.Context:
        """The chosen context. Raises UsageError."""
        return self.file.chosen(self.context_name)

    @cached_property
    def fleet(self) -> Fleet:
        """The apps that the command asks. Raises UsageError for a region that the context does not have."""
        here = self.surroundings
        known = {app.region: app for app in self.context.apps}
        for region in self.regions:
            if region not in known:
                raise UsageError(
                    f"--region: the context {self.context.name!r} has no {region!r}; it has: {', '.join(known)}"
                )
        chosen = [app for region, app in known.items() if not self.regions or region in self.regions]
        for app in (each for context in self.file.contexts.values() for each in context.apps):
            here.secrets.know(app)
        clients = [AppClient(app, here.secrets, here.timeouts) for app in chosen]
        return Fleet(clients, self.terminal, here.monotonic, here.sleep)

    def unknown(self, name: str, results: Sequence[Result[Any]]) -> int:
        """Say that no app knows a name; return the exit code: FAILED, unless an app that did not answer may know it."""
        if exit_code(results):
            return OK
        count = len(results)
        self.terminal.problem(f"{name}: unknown at {'all ' if count > 1 else ''}{count} app{'s' if count > 1 else ''}")
        return FAILED

    def finish(
        self,
        command: str,
        results: Sequence[Result[T]],
        screen: Callable[[Sequence[Result[T]]], Sequence[RenderableType]],
        code: int = 0,
        **more: object,
    ) -> int:
        """Show the results; return the exit code. `code`: where all apps answered. `more`: further keys of the JSON."""
        results = results if self.as_json else [_readable(each, screen) for each in results]
        found = exit_code(results)
        code = next((each for each in (INTERRUPTED, FAILED) if each in (found, code)), found or code)
        if self.as_json:
            self.terminal.show_json(
                {
                    "format": FORMAT,
                    "command": command,
                    "context": self.context.name,
                    "exit_code": code,
                    **more,
                    "apps": {each.app.region: app_json(each) for each in results},
                }
            )
        else:
            self.terminal.show(*screen(results), *problems(results, self.terminal.secrets.hide))
        return code


def _readable(result: Result[T], screen: Callable[[Sequence[Result[T]]], object]) -> Result[T]:
    """The result, or an error if its screen cannot read it: what the other apps have said must not be lost."""
    try:
        screen([result])
    except (KeyError, TypeError, AttributeError, ValueError, IndexError) as error:
        return replace(result, value=None, error=unexpected(f"{type(error).__name__}: {error}"))
    return result


def app_json(result: Result[Any]) -> dict[str, Any]:
    """What one app said, as JSON; `answer` as the API has it."""
    return {
        "url": result.app.url,
        "outcome": result.outcome,
        "status": result.error.status if result.error else 200,
        "error": str(result.error) if result.error else None,
        "attempts": result.attempts,
        "answer": result.value,
    }
