"""The context file: which apps there are, and how to authenticate. Reads and checks TOML; sends nothing."""

from __future__ import annotations

import ipaddress
import json
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import typer

from nearzone_cli.errors import UsageError

VARIABLE = "NEARZONE_CONFIG"
EXAMPLE = """\
current = "prod"

[contexts.prod.apps.westeurope]
url = "https://nearzone-weu.azurewebsites.net"
key_env = "NEARZONE_KEY_WEU"
"""
_KEYS = ("key_env", "key_command", "key")


@dataclass(frozen=True, slots=True)
class KeySource:
    """Where a function key comes from. `kind`: env (a variable's name), command (its arguments) or key (itself)."""

    kind: str
    value: str | tuple[str, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class App:
    """One app. `region`: its name in the context; `key`: for all calls; `status_key`: for the calls that only read.

    `entra_scope`: also send an Entra token for this scope.
    """

    region: str
    url: str
    key: KeySource | None = None
    status_key: KeySource | None = None
    entra_scope: str | None = None


@dataclass(frozen=True, slots=True)
class Context:
    """The apps of one deployment."""

    name: str
    apps: tuple[App, ...]


@dataclass(frozen=True, slots=True)
class ContextFile:
    """A context file that was read. `current`: None if it names none."""

    path: Path
    current: str | None
    contexts: Mapping[str, Context]

    def chosen(self, name: str | None) -> Context:
        """The named context, or the current one, or the only one. Raises UsageError."""
        wanted = name or self.current or (next(iter(self.contexts)) if len(self.contexts) == 1 else None)
        if wanted is None:
            raise UsageError(
                f"{self.path}: current: missing; name a context with --context, or: nearzone context use NAME"
            )
        if wanted not in self.contexts:
            option = "--context" if name else f"{self.path}: current"
            raise UsageError(f"{option}: no context {wanted!r}; there are: {', '.join(self.contexts)}")
        return self.contexts[wanted]


def default_path(environ: Mapping[str, str]) -> Path:
    """$NEARZONE_CONFIG, or config.toml in the platform's folder for settings."""
    return Path(environ.get(VARIABLE) or Path(typer.get_app_dir("nearzone")) / "config.toml").expanduser()


def load(path: Path) -> ContextFile:
    """Read a context file. Raises UsageError, which names the field."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UsageError(
            f"{path}: no such file. It says where the apps are (${VARIABLE} names another):\n\n{EXAMPLE}"
        ) from error
    except (OSError, UnicodeError, tomllib.TOMLDecodeError) as error:
        # The parser quotes at most one character of the file, and no key.
        raise UsageError(f"{path}: {error}") from error
    return _file(path, content)


def _file(path: Path, content: Mapping[str, Any]) -> ContextFile:
    _known(f"{path}", content, ("current", "contexts"))
    current = content.get("current")
    if current is not None and not isinstance(current, str):
        raise UsageError(f"{path}: current: a text is expected")
    contexts = _table(f"{path}: contexts", content.get("contexts"))
    if not contexts:
        raise UsageError(f"{path}: contexts: missing. For example:\n\n{EXAMPLE}")
    return ContextFile(
        path, current, {name: _context(f"{path}: contexts.{name}", name, each) for name, each in contexts.items()}
    )


def _context(at: str, name: str, content: object) -> Context:
    table = _table(at, content)
    _known(at, table, ("apps",))
    apps = _table(f"{at}.apps", table.get("apps"))
    if not apps:
        raise UsageError(f"{at}.apps: no app")
    return Context(name, tuple(_app(f"{at}.apps.{region}", region, each) for region, each in apps.items()))


def _app(at: str, region: str, content: object) -> App:
    table = _table(at, content)
    _known(at, table, ("url", "status", "entra_scope", *_KEYS))
    url = _url(f"{at}.url", table.get("url"))
    key = _key(at, table, url)
    status = _table(f"{at}.status", table.get("status", {}))
    _known(f"{at}.status", status, _KEYS)
    status_key = _key(f"{at}.status", status, url)
    scope = None if "entra_scope" not in table else _text(f"{at}.entra_scope", table["entra_scope"])
    if not (key or status_key or scope):
        raise UsageError(f"{at}: no way to authenticate; add key_env, key_command or entra_scope")
    return App(region, url, key, status_key, scope)


def _key(at: str, table: Mapping[str, Any], url: str) -> KeySource | None:
    given = [each for each in _KEYS if each in table]
    if len(given) > 1:
        raise UsageError(f"{at}: {' and '.join(given)}: only one of them is expected")
    if not given:
        return None
    (name,) = given
    if name == "key" and not is_loopback(url):
        raise UsageError(
            f"{at}.key: a key in the file is accepted for apps on this machine only; use key_env or key_command"
        )
    if name == "key_command":
        command = table[name]
        if not isinstance(command, list) or not command or not all(isinstance(each, str) and each for each in command):
            raise UsageError(f'{at}.key_command: a list of texts is expected, such as ["az", "keyvault", ...]')
        return KeySource("command", tuple(command))
    return KeySource(name.removeprefix("key_"), _text(f"{at}.{name}", table[name]))


def _url(at: str, value: object) -> str:
    url = _text(at, value).rstrip("/")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port  # The port is read here, because a wrong one raises.
    except ValueError as error:
        raise UsageError(f"{at}: not a URL") from error
    if parts.scheme not in ("http", "https") or not host or port == 0:
        raise UsageError(f"{at}: https://HOST is expected")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise UsageError(f"{at}: only https://HOST[/PATH] is expected; a key does not belong into the URL")
    if parts.path.rstrip("/").endswith("/api"):
        raise UsageError(f"{at}: without /api, which the tool adds")
    if parts.scheme == "http" and not is_loopback(url):
        raise UsageError(f"{at}: https is expected; http would send the key in clear text")
    return url


def is_loopback(url: str) -> bool:
    """Whether a URL leads to this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _text(at: str, value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise UsageError(f"{at}: {'missing' if value is None else 'a text is expected'}")
    return value.strip()


def _table(at: str, value: object) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise UsageError(f"{at}: a table is expected")
    return value


def _known(at: str, table: Mapping[str, Any], known: tuple[str, ...]) -> None:
    """Raise UsageError for a field that is not known. The value, which may be a key, is not shown."""
    unknown = sorted(set(table) - set(known))
    if unknown:
        raise UsageError(f"{at}: {unknown[0]}: unknown field; known fields: {', '.join(known)}")


_TABLE = re.compile(r"^[ \t]*\[", re.MULTILINE)
_CURRENT = re.compile(r"^current[ \t]*=.*$", re.MULTILINE)


def use(path: Path, name: str) -> None:
    """Make a context the current one; the rest of the file stays as it is. Raises UsageError."""
    load(path).chosen(name)
    before = path.read_text(encoding="utf-8")
    first = _TABLE.search(before)
    head, tables = (before[: first.start()], before[first.start() :]) if first else (before, "")
    line = f"current = {json.dumps(name)}"
    head = _CURRENT.sub(lambda _: line, head) if _CURRENT.search(head) else f"{line}\n{head}"
    written = path.with_name(f"{path.name}.new")
    mode = path.stat().st_mode & 0o777
    with os.fdopen(os.open(written, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w", encoding="utf-8") as file:
        file.write(head + tables)
    try:
        if load(written).current != name:
            raise UsageError(f"{path}: current: could not be changed; edit the line by hand")
        written.replace(path)
    finally:
        written.unlink(missing_ok=True)
