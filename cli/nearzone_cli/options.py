"""The options that commands share, and `command`, which adds them to a command's signature."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import typer

from nearzone_cli.completion import context_names, region_names
from nearzone_cli.session import Session

CONTEXT = Annotated[
    str | None,
    typer.Option(
        "--context",
        envvar="NEARZONE_CONTEXT",
        metavar="NAME",
        autocompletion=context_names,
        help="Use this context of the file.",
    ),
]
REGION = Annotated[
    list[str] | None,
    typer.Option(
        "--region", "-r", metavar="REGION", autocompletion=region_names, help="Only the app of this region; repeatable."
    ),
]
OUTPUT = Annotated[Literal["table", "json"], typer.Option("--output", "-o", help="Tables, or one JSON object.")]
DEBUG = Annotated[bool, typer.Option("--debug", help="Show the stack trace of an error; keys are removed.")]
YES = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
DRY_RUN = Annotated[bool, typer.Option("--dry-run", help="Show what would change; change nothing.")]
REASON = Annotated[
    str, typer.Option("--reason", metavar="TEXT", help="Kept in the history, e.g. a ticket. At most 200 characters.")
]
UNTIL_ALL = Annotated[
    str | None,
    typer.Option(
        "--until-all",
        metavar="[=15m]",
        help="Ask again, for so long, the apps that have not got the order. 15m if left out.",
    ),
]
DEFAULT_PATIENCE = "15m"


@dataclass(frozen=True)
class Order:
    """The options of commands that change something. `patience`: a duration, None without --until-all."""

    yes: bool
    dry_run: bool
    reason: str
    patience: str | None


def _parameter(name: str, annotation: object, default: object) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default)


_COMMON = (
    _parameter("context", CONTEXT, None),
    _parameter("region", REGION, None),
    _parameter("output", OUTPUT, "table"),
    _parameter("debug", DEBUG, False),
)
_ORDER = (
    _parameter("yes", YES, False),
    _parameter("dry_run", DRY_RUN, False),
    _parameter("reason", REASON, ""),
    _parameter("until_all", UNTIL_ALL, None),
)


def command(app: typer.Typer, name: str, examples: str = "") -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Register a function `(session, [order: Order,] own parameters) -> exit code` as a command."""

    def register(function: Callable[..., int]) -> Callable[..., int]:
        own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
        ordered = bool(own) and own[0].name == "order"
        own, shared = (own[1:], (*_ORDER, *_COMMON)) if ordered else (own, _COMMON)

        def run(ctx: typer.Context, **given: Any) -> None:  # noqa: ANN401 - the command's own options
            session = _session(ctx, given)
            if ordered:
                order = Order(given.pop("yes"), given.pop("dry_run"), given.pop("reason"), given.pop("until_all"))
                given["order"] = order
            try:
                code = function(session, **given)
            except KeyboardInterrupt as error:
                raise typer.Abort from error  # Typer itself would end without a word.
            raise typer.Exit(code)

        own = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in own]
        first = inspect.Parameter("ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
        run.__signature__ = inspect.Signature([first, *own, *shared])  # type: ignore[attr-defined]
        run.__annotations__ = {}
        app.command(name, help=f"{inspect.getdoc(function)}{_examples(examples)}")(run)
        return function

    return register


def _session(ctx: typer.Context, given: dict[str, Any]) -> Session:
    """The session of a run; takes the common options out of what was given."""
    given.pop("debug")
    regions = tuple(given.pop("region") or ())
    return Session(ctx.obj, given.pop("context"), regions, given.pop("output") == "json")


def _examples(text: str) -> str:
    r"""Examples below a command's help. The `\b` keeps the lines as they are."""
    return "\n\n\b\nExamples:\n" + "\n".join(f"  {line.strip()}" for line in text.strip().splitlines()) if text else ""
