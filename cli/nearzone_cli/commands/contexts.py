"""`nearzone context`: which deployments the file has, and which one is used."""

from __future__ import annotations

from typing import Annotated

import typer

from nearzone_cli import contexts
from nearzone_cli.completion import context_names
from nearzone_cli.contexts import App, KeySource
from nearzone_cli.options import command
from nearzone_cli.screens.said import cell, table
from nearzone_cli.session import FORMAT, Session

app = typer.Typer(help="List, show and choose contexts: sets of apps in the context file.", no_args_is_help=True)


@command(app, "list", "nearzone context list")
def listing(session: Session) -> int:
    """The contexts of the file; the one in use is marked."""
    file = session.file
    used = session.context_name or file.current
    if session.as_json:
        found = {name: [app.region for app in context.apps] for name, context in file.contexts.items()}
        session.terminal.show_json({"format": FORMAT, "file": str(file.path), "current": used, "contexts": found})
        return 0
    shown = table("", "context", "apps")
    for name, context in file.contexts.items():
        shown.add_row("*" if name == used else "", name, ", ".join(app.region for app in context.apps))
    session.terminal.show(shown, cell(str(file.path), "dim"))
    return 0


@command(app, "show", "nearzone context show\nnearzone context show --context test")
def show(session: Session) -> int:
    """The apps of a context, and how the tool authenticates. No key is shown."""
    context = session.context
    if session.as_json:
        apps = {app.region: {"url": app.url, "authentication": _ways(app)} for app in context.apps}
        session.terminal.show_json(
            {"format": FORMAT, "file": str(session.file.path), "context": context.name, "apps": apps}
        )
        return 0
    shown = table("app", "URL", "authentication", title=f"context {context.name}")
    for each in context.apps:
        shown.add_row(each.region, cell(each.url), cell("; ".join(_ways(each))))
    session.terminal.show(shown, cell(str(session.file.path), "dim"))
    return 0


@command(app, "use", "nearzone context use prod")
def use(
    session: Session,
    name: Annotated[str, typer.Argument(metavar="NAME", autocompletion=context_names, help="A context of the file.")],
) -> int:
    """Use this context from now on: writes `current` into the file."""
    contexts.use(session.file.path, name)
    session.terminal.note(f"{session.file.path}: the current context is {name}")
    return 0


def _ways(app: App) -> list[str]:
    found = [*_way("", app.key), *_way(" for status", app.status_key)]
    return [*found, f"Entra token for {app.entra_scope}"] if app.entra_scope else found


def _way(which: str, source: KeySource | None) -> list[str]:
    """How a key is found. Of a command only the program, because an argument may be a secret."""
    if source is None:
        return []
    if isinstance(source.value, tuple):
        return [f"key{which} from the command {source.value[0]}"]
    return [f"key{which} from ${source.value}" if source.kind == "env" else f"key{which} in the file"]
