"""One app over HTTP: sends a request, and translates everything that can go wrong into an AppError, once."""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import httpx

from nearzone_cli.contexts import App, is_loopback
from nearzone_cli.credentials import Secrets
from nearzone_cli.errors import AppError, Failed, Refused, Unreached

CONNECT_SECONDS = 10.0
RESYNC_SECONDS = 240.0
"""A resync ends within 200 s (docs/http-api.md), and Azure's load balancer cuts after 230 s."""
STATUS_SECONDS = 60.0
PAGE = 1000

Json = dict[str, Any]
SUMMARY = ("now", "mode", "zones", "endpoints", "last_sweep", "drains", "drains_count", "alarms", "alarms_count")
EXPLANATION = ("zone", "name", "answer", "record", "claims", "history")
LISTING = ("items", "count", "next")
REPORT = ("changes", "skips", "failures", "refusals", "notes", "covers", "alarms", "left")
"""Keys that the answers have at least (docs/http-api.md)."""


@dataclass(frozen=True)
class Timeouts:
    """Seconds until a request is given up."""

    connect: float = CONNECT_SECONDS
    status: float = STATUS_SECONDS
    resync: float = RESYNC_SECONDS


@dataclass(frozen=True)
class AppClient:
    """Calls one app."""

    app: App
    secrets: Secrets
    timeouts: Timeouts = Timeouts()

    def summary(self) -> Json:
        """`GET /api/status` without parameters. Raises AppError."""
        return _with(SUMMARY, self._status({}))

    def explanation(self, zone: str, name: str) -> Json:
        """`GET /api/status` of one answer. Raises AppError."""
        return _with(EXPLANATION, self._status({"zone": zone, "name": name}))

    def page(self, name: str, limit: int = PAGE, after: str = "") -> Json:
        """`GET /api/status` of a page of a list. Raises AppError."""
        params = {"list": name, "limit": str(limit), **({"after": after} if after else {})}
        return _with(LISTING, self._status(params))

    def export(self, since: str, until: str) -> list[Json]:
        """Every change and override of a span of time, oldest first. Raises AppError."""
        found: list[Json] = []
        while since:
            text, since = self._send("status", {"since": since, "until": until}, None).text, ""
            for line in filter(None, text.splitlines()):
                entry = _decoded(line)
                if "next" in entry:
                    since = str(entry["next"])
                else:
                    found.append(entry)
        return found

    def items(self, name: str) -> Iterator[Json]:
        """All items of a list of the status, page by page. Raises AppError."""
        after: str | None = ""
        while after is not None:
            page = self.page(name, after=after)
            yield from page["items"]
            after = page["next"]

    def resync(self, body: Mapping[str, Any]) -> Json:
        """`POST /api/resync`. Raises AppError."""
        return _with(REPORT, _decoded(self._send("resync", {}, body).text))

    def _status(self, params: Mapping[str, str]) -> Json:
        return _decoded(self._send("status", params, None).text)

    def _send(self, function: str, params: Mapping[str, str], body: Mapping[str, Any] | None) -> httpx.Response:
        reads = body is None
        headers = {**self.secrets.headers(self.app, reads=reads), "user-agent": "nearzone-cli"}
        limits = self.timeouts
        timeout = httpx.Timeout(limits.status if reads else limits.resync, connect=limits.connect)
        url = f"{self.app.url}/api/{function}"
        try:
            # Proxies and certificates come from the environment, except on this machine. Redirects are not followed,
            # because they would carry the key to another address.
            with httpx.Client(timeout=timeout, verify=_tls(), trust_env=not is_loopback(self.app.url)) as client:
                found = (
                    client.get(url, params=params, headers=headers)
                    if reads
                    else client.post(url, json=body, headers=headers)
                )
        except httpx.HTTPError as error:
            raise _no_answer(error, timeout) from error
        if found.status_code != httpx.codes.OK:
            raise _refusal(found, self.app, function)
        return found


@cache
def _tls() -> ssl.SSLContext:
    """The certificates that are trusted; reading them takes a tenth of a second."""
    return httpx.create_ssl_context()


def _with(keys: Iterable[str], found: Json) -> Json:
    """An answer that has these keys. Raises Failed, which names the key that is missing."""
    missing = [key for key in keys if key not in found]
    if missing:
        raise unexpected(f"{missing[0]} is missing")
    return found


def unexpected(what: str) -> Failed:
    """The error for an answer of another form. Another attempt changes nothing."""
    error = Failed(f"the answer is not as expected ({what}): is the app of another release?")
    error.retry = False
    return error


def _decoded(text: str) -> Json:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unreached("the answer is not JSON: another program answers at this URL") from error
    if not isinstance(found, dict):
        raise Unreached("the answer is not an object: another program answers at this URL")
    return found


def _no_answer(error: httpx.HTTPError, timeout: httpx.Timeout) -> Unreached:
    """The error for a request without an answer. httpx's texts hold no headers."""
    match error:
        case httpx.ConnectTimeout():
            return Unreached(f"no connection within {timeout.connect:g} s: check network, VPN and firewall")
        case httpx.TimeoutException():
            late = f"no answer within {timeout.read:g} s"
            return Unreached(f"{late}; the app may still carry the request out: look with `nearzone status`")
        case httpx.ConnectError():
            text = f"no connection ({_short(error)}): is the app running, and its URL right?"
            return Unreached(f"{text} See: nearzone context show")
    return Unreached(f"the connection broke ({_short(error)}); the app may have got the request")


def _short(error: Exception) -> str:
    """An error's text without the number of the operating system's error."""
    return re.sub(r"^\[Errno -?\d+\] ", "", str(error) or type(error).__name__)[:200]


def _refusal(found: httpx.Response, app: App, function: str) -> AppError:
    """The error for an answer other than 200. Only 400 and 503 with `error` are the app's own (docs/http-api.md)."""
    status, own = found.status_code, _own_error(found)
    if status == httpx.codes.BAD_REQUEST:
        return Refused(own or "HTTP 400 without an explanation", status)
    if own and status == httpx.codes.SERVICE_UNAVAILABLE:
        return Failed(own, status)
    if status == httpx.codes.UNAUTHORIZED:
        source = "the token or the key" if app.entra_scope else "the key"
        text = f"HTTP 401: {source} is wrong for the function {function}; each function has a key of its own"
        return Refused(f"{text}, the host key opens all: check this app in `nearzone context show`", status)
    hints = {
        403: "the app is stopped, or network rules or Entra ID do not admit you",
        404: "no such function: the URL is wrong, or the app is being deployed",
    }
    hint = hints.get(status, "the platform answers in place of the app: it is stopped, starting or overloaded")
    if found.is_redirect:
        hint = "a redirect, which is not followed: correct the URL"
    return Unreached(f"HTTP {status}: {hint}", status)


def _own_error(found: httpx.Response) -> str:
    try:
        content = found.json()
    except (ValueError, RecursionError):
        return ""
    text = content.get("error") if isinstance(content, dict) else None
    return text if isinstance(text, str) else ""
