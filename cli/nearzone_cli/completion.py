"""Completion of the shell: contexts and regions from the file, names from the last listing. Asks no app."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import typer

from nearzone_cli import contexts
from nearzone_cli.errors import UsageError

MOST_NAMES = 5000


def _file() -> contexts.ContextFile | None:
    """The context file; None where it cannot be read, because completion must not print errors."""
    try:
        return contexts.load(contexts.default_path(os.environ))
    except UsageError:
        return None


def context_names(incomplete: str) -> list[str]:
    """Contexts of the file."""
    file = _file()
    return [name for name in (file.contexts if file else ()) if name.startswith(incomplete)]


def region_names(incomplete: str) -> list[str]:
    """Regions of the current context."""
    file = _file()
    try:
        apps = file.chosen(os.environ.get("NEARZONE_CONTEXT")).apps if file else ()
    except UsageError:
        return []
    return [app.region for app in apps if app.region.startswith(incomplete)]


def names(incomplete: str) -> list[str]:
    """Names that `nearzone names` has listed last."""
    try:
        found = json.loads(_cache(os.environ).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return [name for name in found if isinstance(name, str) and name.startswith(incomplete)]


def keep_names(environ: Mapping[str, str], found: Iterable[str]) -> None:
    """Keep names for completion. A folder that cannot be written is no reason to fail."""
    path = _cache(environ)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.write_text(json.dumps(sorted(set(found))[:MOST_NAMES]), encoding="utf-8")
    except OSError:
        return


def _cache(environ: Mapping[str, str]) -> Path:
    folder = environ.get("XDG_CACHE_HOME") or (
        typer.get_app_dir("nearzone") if os.name == "nt" else str(Path.home() / ".cache")
    )
    return Path(folder) / "nearzone" / "names.json"
