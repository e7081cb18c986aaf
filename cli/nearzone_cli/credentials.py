"""The headers that authenticate a request. Keys leave this module in headers alone.

Every secret is remembered, so that `Secrets.hide` can remove it from any text that is shown.
"""

from __future__ import annotations

import re
import subprocess
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from math import inf

from nearzone_cli.contexts import App, KeySource
from nearzone_cli.errors import Refused

COMMAND_SECONDS = 60
SHORTEST_SECRET = 4
"""Characters. A shorter word of a failed command's output is no key, and hiding it would spoil the message."""
MOST_SHOWN = 300
"""Characters of a failed command's message that are shown."""
RENEW_SECONDS = 300
"""So long before a token expires it is renewed."""


def entra_token(scope: str) -> tuple[str, float]:
    """A token of the identity that azure-identity finds: environment, managed identity, az login; and when it expires.

    The expiry is in seconds since 1970. Raises Refused.
    """
    try:
        from azure.core.exceptions import ClientAuthenticationError  # noqa: PLC0415 - an optional dependency
        from azure.identity import DefaultAzureCredential  # noqa: PLC0415 - as above
    except ImportError as error:
        raise Refused("entra_scope needs azure-identity: pipx install 'nearzone-cli[entra]'") from error
    try:
        with DefaultAzureCredential() as credential:
            found = credential.get_token(scope)
    except ClientAuthenticationError as error:
        first = str(error).strip().splitlines()[:1]
        raise Refused(f"no Entra token for {scope}: {''.join(first)}; sign in with: az login") from error
    return found.token, float(found.expires_on)


@dataclass
class Secrets:
    """Finds the keys and tokens of apps, each once; a token again before it expires.

    `token`: as `entra_token`; `clock`: seconds since 1970.
    """

    environ: Mapping[str, str]
    token: Callable[[str], tuple[str, float]]
    clock: Callable[[], float]
    _found: dict[object, tuple[str, float]] = field(default_factory=dict, repr=False)
    _all: list[str] = field(default_factory=list, repr=False)
    _locks: dict[object, threading.Lock] = field(default_factory=dict, repr=False)

    def headers(self, app: App, *, reads: bool) -> dict[str, str]:
        """The headers of a request. `reads`: the function `status` is called. Raises Refused, which says what to do."""
        key = (app.status_key if reads else None) or app.key
        if not (key or app.entra_scope):
            raise Refused(f"the context has a key of {app.region} for status only; add key_env or key_command")
        found = {"x-functions-key": self._once(key, lambda: (self._key(key), inf))} if key else {}
        if scope := app.entra_scope:
            found["authorization"] = f"Bearer {self._once(scope, lambda: self.token(scope))}"
        return found

    def know(self, app: App) -> None:
        """Remember the keys of an app that need no command, so that `hide` removes them before they are used."""
        for source in filter(None, (app.key, app.status_key)):
            if isinstance(source.value, str):
                key = self.environ.get(source.value, "") if source.kind == "env" else source.value
                self._all += filter(None, [key.strip()])

    def hide(self, text: str) -> str:
        """The text without any secret that is known so far."""
        return _without(text, self._all)

    def _once(self, source: object, find: Callable[[], tuple[str, float]]) -> str:
        """A secret that was found before, unless it is about to expire. Sources do not wait for each other."""
        with self._locks.setdefault(source, threading.Lock()):
            if source not in self._found or self._found[source][1] - RENEW_SECONDS <= self.clock():
                self._found[source] = find()
                self._all.append(self._found[source][0])
            return self._found[source][0]

    def _key(self, source: KeySource) -> str:
        if isinstance(source.value, tuple):
            return _checked(_output(source.value, self.hide), f"the output of key_command {source.value[0]}")
        if source.kind == "env":
            if not self.environ.get(source.value, "").strip():
                raise Refused(
                    f"the environment variable {source.value} (key_env) is not set: export the function key in it"
                )
            return _checked(self.environ[source.value], f"the environment variable {source.value}")
        return _checked(source.value, "key")


def _checked(text: str, what: str) -> str:
    """A key that a header can hold. The error does not show it."""
    key = text.strip()
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise Refused(f"{what} is not one key: a single word is expected")
    return key


def _without(text: str, secrets: Iterable[str]) -> str:
    """The text with *** in place of each secret; the longest first, because one may contain another."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


def _output(command: tuple[str, ...], hide: Callable[[str], str]) -> str:
    """What a command writes to its standard output, which no error shows. Its standard input is closed.

    `hide`: removes the known secrets from its message.
    """
    try:
        done = subprocess.run(  # noqa: S603 - the user's own command, without a shell
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False
        )
    except FileNotFoundError as error:
        raise Refused(f"key_command: no program {command[0]!r} is found") from error
    except (OSError, UnicodeError) as error:
        raise Refused(f"key_command {command[0]}: {type(error).__name__}") from error
    except subprocess.TimeoutExpired:
        raise Refused(
            f"key_command {command[0]} did not end within {COMMAND_SECONDS} s"
        ) from None  # It has the output.
    if done.returncode:
        # Hidden before it is cut: half a key would not be recognized.
        message = hide(_without(done.stderr, _words(done.stdout))).strip()
        last = message.splitlines()[-1:] or ["without a message"]
        raise Refused(f"key_command {command[0]} failed ({done.returncode}): {last[0][:MOST_SHOWN]}")
    return done.stdout


def _words(text: str) -> set[str]:
    """The words of an output that may be a key, also inside quotation marks or after `key=`."""
    found = {*text.split(), *re.findall(r"[\w+/~.=-]+", text), *re.findall(r"[\w+/~-]+", text)}
    return {word for word in found if len(word) >= SHORTEST_SECRET}
