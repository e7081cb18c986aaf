"""Translates the errors of Resource Manager and the exceptions of the Azure SDK into our exception types."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError

from shared.domain.errors import Conflict, Forbidden, Terminal, Transient, ZoneCause

REQUEST_SECONDS = 10.0


class _Error(msgspec.Struct):
    code: str | None = ""
    message: str | None = ""


class _Body(msgspec.Struct):
    """ARM wraps code and message of an error in `error`, the DNS provider does not (recorded)."""

    error: _Error | None = None
    code: str | None = ""
    message: str | None = ""


@asynccontextmanager
async def translate_errors() -> AsyncIterator[None]:
    """Translate every exception of the Azure SDK, and limit the duration of a request to `REQUEST_SECONDS`."""
    try:
        async with asyncio.timeout(REQUEST_SECONDS):
            yield
    except ClientAuthenticationError as error:
        raise Transient(f"no token: {error.message}") from error
    except HttpResponseError as error:
        raise error_of(error.status_code or 0, *_error_body(error.response)) from error
    except AzureError as error:
        raise Transient(f"ARM cannot be reached: {error.message}") from error
    except TimeoutError as error:
        raise Transient(f"ARM has not responded within {REQUEST_SECONDS:g} s") from error


MAX_ERROR_CHARACTERS = 400
"""Characters of an error that are kept."""


def _shorten(message: str) -> str:
    """Remove from Azure's message what an operator does not need. A lock or a role concerns the zone, not the name.

    Source of the texts: openshift/installer#2300 for a lock; AuthorizationFailed from many public logs.
    """
    message = re.sub(
        r"^The scope .* because following scope\(s\) are locked: (.*?)\. Please remove .*", r"locked: \1", message
    )
    message = re.sub(r" or the scope is invalid\. If access was recently granted.*", "", message)
    return re.sub(r"(over scope '[^']*/privateDnsZones/[^/']+/A)/[^/']+'", r"\1/*'", message)


_ZONE_GONE = ("ParentResourceNotFound", "ResourceGroupNotFound", "SubscriptionNotFound")


def error_of(status: int, content: bytes, retry_after: str | None) -> Exception:
    """Return our exception for an error response.

    Source of the codes: recordings of Azure CLI and PowerShell, 2019 to 2023.
    """
    code, message = error_code(content)
    text = f"HTTP {status} {code}: {_shorten(message)}"[:MAX_ERROR_CHARACTERS]
    if status == 412 or (status == 404 and code == "NotFound"):  # The record set to change no longer exists.
        return Conflict(text)
    if status == 409:
        return _conflict(code, message, text)
    if status in (401, 403):
        return Forbidden(text, ZoneCause.ROLE)
    if status == 404 and code in _ZONE_GONE:
        return Terminal(text, ZoneCause.GONE)
    if status in (408, 429) or status >= 500 or not status:
        return Transient(text, retry_seconds(retry_after))
    return Terminal(text)


def _conflict(code: str, message: str, text: str) -> Exception:
    """Return our exception for HTTP 409, which has several meanings: the code and the message distinguish them."""
    if code == "ScopeLocked":
        own = re.search(r"locked:.*/A/", message, re.IGNORECASE)  # The lock of one record set.
        return Terminal(f"a management lock forbids it: {text}", None if own else ZoneCause.LOCK)
    if "maximum number of record resources" in message:
        return Terminal(text, ZoneCause.FULL)
    if re.search(r"exists already|already exists", message, re.IGNORECASE) and not re.search("CNAME", message):
        return Conflict(text)
    if re.search(r"another operation|pending|in progress|queued", message, re.IGNORECASE):
        return Transient(text)
    return Terminal(text)


def error_code(content: bytes) -> tuple[str, str]:
    """Return code and message of an error response; "" as code if the response is not JSON."""
    try:
        body = msgspec.json.decode(content, type=_Body)
    except msgspec.DecodeError:
        return "", content[:200].decode(errors="replace")
    error = body.error or body
    return error.code or "", error.message or ""


def _error_body(response: Any) -> tuple[bytes, str | None]:  # noqa: ANN401 - the SDK's errors hold two kinds of responses
    return (bytes(response.content), response.headers.get("Retry-After")) if response is not None else (b"", None)


def retry_seconds(retry_after: str | None) -> float | None:
    """Return the seconds of a `Retry-After` header, None if it has none."""
    try:
        return max(0.0, float(retry_after)) if retry_after else None
    except ValueError:
        return None
