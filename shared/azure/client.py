"""One way to ARM for the whole process: credential, pipeline, throttling, and the translation of its errors.

Reads go through an SDK client's own pipeline and are decoded by msgspec into just the fields that are used: the SDK's
paged models cost about ten times as much per record set. Foreign errors become ours here and nowhere else.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import msgspec
from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError
from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import AsyncHTTPPolicy, SansIOHTTPPolicy
from azure.core.rest import HttpRequest

from shared.azure import answers
from shared.azure.answers import Page, Unreadable
from shared.config.settings import Cloud
from shared.domain.errors import Conflict, Forbidden, Terminal, Transient, ZoneCause
from shared.ports import Metrics, no_metrics

REQUEST_SECONDS = 10.0
MAX_PAGES = 5000
BUCKETS = {"reads": (250.0, 25.0), "writes": (200.0, 10.0), "deletes": (200.0, 10.0)}
"""Tokens of ARM's buckets and their refill per second; see `Throttle`."""
RESERVE = 10.0
"""Tokens that are left to other processes of the same identity."""
MAX_TOKEN_WAIT_SECONDS = 3.0
"""Seconds for which a request waits for a token; longer, and its caller has something better to do."""

T = TypeVar("T")


class _Error(msgspec.Struct):
    code: str | None = ""
    message: str | None = ""


class _Body(msgspec.Struct):
    """Errors of ARM have an `error` around code and message, those of the DNS provider have not (recorded)."""

    error: _Error | None = None
    code: str | None = ""
    message: str | None = ""


class Throttle(AsyncHTTPPolicy[Any, Any]):
    """Keeps the whole process within what ARM allows it. `clock`: seconds.

    Nothing is sent to where a 429 has told this process to wait, reads and writes apart: everywhere when ARM's buckets
    are empty, to the provider when ARM's limit for that is reached (`ResourceRequestsThrottled`), otherwise to the zone
    or the resource that was asked. And ARM's token buckets are not emptied: their headers
    say how much is left, and refill rates are published (250 reads, refilled with 25 per second; 200 writes and 200
    deletes, 10 per second; request-limits-and-throttling, 2026).
    """

    def __init__(self, clock: Callable[[], float], measure: Metrics = no_metrics) -> None:
        super().__init__()
        self._clock = clock
        self._measure = measure
        self._until: dict[str, float] = {}
        self._buckets: dict[tuple[str, str], tuple[float, float]] = {}
        self._unanswered: Counter[tuple[str, str]] = Counter()

    async def send(self, request: PipelineRequest[Any]) -> PipelineResponse[Any, Any]:
        """Pass a request on when it may go. Raises Transient where it would have to wait for long."""
        method, url = request.http_request.method, request.http_request.url
        wait = max(self._until.get(each, 0.0) for each in _scopes(method, url)) - self._clock()
        if wait > 0:
            raise Transient(f"throttled: Azure has asked to wait for another {wait:.0f} s", wait)
        bucket = _bucket(method, url)
        self._unanswered[bucket] += 1
        try:
            await self._take(bucket)
            response = await self.next.send(request)
        finally:
            self._unanswered[bucket] -= 1
        headers = response.http_response.headers
        self._note(bucket, headers.get(f"x-ms-ratelimit-remaining-subscription-{bucket[1]}"))
        if response.http_response.status_code == 429:
            self._measure("throttled", 1, type=_type(url))
            asked = _seconds(headers.get("Retry-After"))
            await response.http_response.read()  # The connection is free only then.
            if asked:
                scope = _throttled(method, url, response.http_response)
                now = self._clock()
                self._until = {each: until for each, until in self._until.items() if until > now}  # It would grow.
                self._until[scope] = max(self._until.get(scope, 0.0), now + asked)
            raise Transient("throttled (HTTP 429)", asked)
        return response

    async def _take(self, bucket: tuple[str, str]) -> None:
        """Wait for a token where the bucket is known to be nearly empty."""
        if bucket not in self._buckets:
            return
        level, at = self._buckets[bucket]
        size, refill = BUCKETS[bucket[1]]
        level = min(size, level + (self._clock() - at) * refill) - 1
        self._buckets[bucket] = (level, self._clock())
        if level < RESERVE:
            wait = (RESERVE - level) / refill
            if wait > MAX_TOKEN_WAIT_SECONDS:
                self._buckets[bucket] = (level + 1, self._clock())
                raise Transient(f"ARM has hardly any {bucket[1]} left for this process", wait)
            await asyncio.sleep(wait)

    def _note(self, bucket: tuple[str, str], remaining: str | None) -> None:
        if remaining and remaining.isdigit():
            size, _ = BUCKETS[bucket[1]]
            if int(remaining) <= size:  # Larger numbers come from subscriptions with raised limits, or older models.
                # What waits for its token or its answer may not be counted in this answer yet.
                self._buckets[bucket] = (float(remaining) - self._unanswered[bucket], self._clock())
            else:
                self._buckets.pop(bucket, None)


def _bucket(method: str, url: str) -> tuple[str, str]:
    """Subscription and operation class, as ARM counts them."""
    parts = url.split("/subscriptions/", 1)[-1].lower()
    return re.split(r"[/?]", parts, maxsplit=1)[0], {"GET": "reads", "DELETE": "deletes"}.get(method, "writes")


def _scopes(method: str, url: str) -> tuple[str, str, str]:
    """What may be throttled of a call: all of its kind, its provider in its subscription, and its zone or resource."""
    path = urlsplit(url).path.lower()
    action = "read" if method == "GET" else "write"
    zone = re.match(r".*/privatednszones/[^/]+", path)
    within = f"{action} {_bucket(method, url)[0]} {_type(url)}"
    return action, within, f"{action} {zone[0] if zone else path}"


def _type(url: str) -> str:
    """The resource provider and the first type below it, in lower case; empty where the path has none."""
    found = re.match(r".*/providers/([^/]+/[^/]+)", urlsplit(url).path.lower())
    return found[1] if found else ""


def _throttled(method: str, url: str, response: Any) -> str:  # noqa: ANN401 - the SDK's two kinds of responses
    """Which of a call's scopes an HTTP 429 is about."""
    everything, provider, resource = _scopes(method, url)
    if response.headers.get("x-ms-failure-cause") != "gateway":
        return resource
    code, _ = _code(response.content)
    return provider if code.startswith("Resource") else everything


class ProviderNotRegistered(Terminal):
    """The subscription does not use the resource provider: it can have nothing of its types."""


class ProviderRegistrationPolicy(AsyncHTTPPolicy[Any, Any]):
    """Says so, before the SDK's pipeline goes and registers the provider: nobody has asked us for that.

    Source of the codes: Azure/azure-sdk-for-node#2305, Azure/go-autorest#401. What a list of such a type answers is not
    known: an empty page, or one of these.
    """

    async def send(self, request: PipelineRequest[Any]) -> PipelineResponse[Any, Any]:
        """Pass a request on. Raises NotRegistered."""
        response = await self.next.send(request)
        if response.http_response.status_code in (404, 409):
            await response.http_response.read()
            code, message = _code(response.http_response.content)
            if code.replace(" ", "") in ("MissingSubscriptionRegistration", "SubscriptionNotRegistered"):
                raise ProviderNotRegistered(message[:500])
        return response


class AllowPlainHttpOnLoopback(SansIOHTTPPolicy[Any, Any]):
    """Lets the token go over http: only to the simulator on loopback, as the settings have made sure."""

    def on_request(self, request: PipelineRequest[Any]) -> None:
        """Switch the check off for this request."""
        request.context.options["enforce_https"] = False


def client_options(
    cloud: Cloud,
    throttle: Throttle,
    transport: Any,  # noqa: ANN401 - any azure-core transport
    *,
    proxied: bool,
) -> dict[str, Any]:
    """Keyword arguments that every SDK client of this process is made with.

    `proxied`: the environment may have a proxy on the way. Where it has none, aiohttp need not look for one, and for a
    netrc file, before every request.
    """
    options: dict[str, Any] = {
        "base_url": cloud.arm,
        "credential_scopes": [f"{cloud.audience}/.default"],
        "per_retry_policies": [throttle, ProviderRegistrationPolicy()],
        "retry_total": 2,
        "retry_backoff_factor": 0.5,
        "retry_backoff_max": 2,
        "logging_enable": False,
    }
    if cloud.arm.startswith("http://"):
        options["per_call_policies"] = [AllowPlainHttpOnLoopback()]
    return options | ({"use_env_settings": proxied} if transport is None else {"transport": transport})


class Arm:
    """Typed reads through an SDK client's `send_request`."""

    def __init__(self, cloud: Cloud, send: Callable[..., Awaitable[Any]]) -> None:
        self._cloud = cloud
        self._send = send

    async def get(self, path: str, decoder: msgspec.json.Decoder[T], **query: str) -> T | None:
        """One resource, or None where ARM says 404. Raises Transient, Forbidden, Unreadable, Terminal."""
        content = await self._read(self._cloud.arm + quote(path), query)
        return None if content is None else answers.resource(content, decoder)

    async def pages(
        self,
        path: str,
        decoder: msgspec.json.Decoder[Page[T]],
        query: Mapping[str, str],
        turn: Callable[[], Awaitable[None]] | None = None,
        unreadable: list[Unreadable] | None = None,
    ) -> AsyncIterator[list[T]]:
        """The pages of a list. Raises Transient, Forbidden, Terminal, also in the middle of it.

        `turn` is waited for before each request. `unreadable` takes what is there and cannot be read; without it, that
        is raised.
        """
        url, arguments = self._cloud.arm + quote(path), dict(query)
        for _ in range(MAX_PAGES):
            if turn:
                await turn()
            content = await self._read(url, arguments)
            if content is None:
                raise Terminal(f"there is no {path}")
            page, failed = answers.page(content, decoder)
            if failed and unreadable is None:
                raise failed[0]
            if unreadable is not None:
                unreadable += failed
            yield page.value
            if not page.next_link:
                return
            if not same_service(page.next_link, self._cloud.arm):
                raise Terminal(f"the list of {path} goes on at a foreign host")  # It would be sent our token.
            url, arguments = page.next_link, {}
        raise Terminal(f"the list of {path} does not end within {MAX_PAGES} pages")

    async def _read(self, url: str, query: dict[str, str]) -> bytes | None:
        async with translate_errors():
            # As a stream, or the SDK's pipeline decodes every body as JSON once more.
            response = await self._send(HttpRequest("GET", url, params=query or None), stream=True)
            content: bytes = await response.read()
            if response.status_code == 404:
                return None
            if response.status_code != 200:
                raise error_of(response.status_code, content, response.headers.get("Retry-After"))
            return content


@asynccontextmanager
async def translate_errors() -> AsyncIterator[None]:
    """Every error of the Azure SDK inside becomes one of ours, and no request takes longer than `REQUEST_SECONDS`."""
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
        raise Transient(f"ARM has not answered within {REQUEST_SECONDS:g} s") from error


MESSAGE = 400
"""So many characters of an error are kept."""


def _needed(message: str) -> str:
    """Azure's message without what no operator needs. A lock and a role concern the zone, not the name.

    The words: openshift/installer#2300 for a lock; those of AuthorizationFailed are in many public logs.
    """
    message = re.sub(
        r"^The scope .* because following scope\(s\) are locked: (.*?)\. Please remove .*", r"locked: \1", message
    )
    message = re.sub(r" or the scope is invalid\. If access was recently granted.*", "", message)
    return re.sub(r"(over scope '[^']*/privateDnsZones/[^/']+/A)/[^/']+'", r"\1/*'", message)


_GONE = ("ParentResourceNotFound", "ResourceGroupNotFound", "SubscriptionNotFound")


def error_of(status: int, content: bytes, retry_after: str | None) -> Exception:
    """What an error answer means. Source of the codes: recordings of Azure CLI and Azure PowerShell, 2019 to 2023."""
    code, message = _code(content)
    text = f"HTTP {status} {code}: {_needed(message)}"[:MESSAGE]
    if status == 412 or (status == 404 and code == "NotFound"):  # The record set that was to be changed is gone.
        return Conflict(text)
    if status == 409:
        return _conflict(code, message, text)
    if status in (401, 403):
        return Forbidden(text, ZoneCause.ROLE)
    if status == 404 and code in _GONE:
        return Terminal(text, ZoneCause.GONE)
    if status in (408, 429) or status >= 500 or not status:
        return Transient(text, _seconds(retry_after))
    return Terminal(text)


def _conflict(code: str, message: str, text: str) -> Exception:
    """HTTP 409 has several meanings here, told apart by its code and words."""
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


def _code(content: bytes) -> tuple[str, str]:
    try:
        body = msgspec.json.decode(content, type=_Body)
    except msgspec.DecodeError:
        return "", content[:200].decode(errors="replace")
    error = body.error or body
    return error.code or "", error.message or ""


def same_service(link: str, arm: str) -> bool:
    """Whether a link leads to the ARM that was asked: the same host, with or without its port, or one below it."""
    there, here = urlsplit(link), urlsplit(arm)
    default = {"https": 443, "http": 80}.get(here.scheme)
    host, own = there.hostname or "", here.hostname or ""
    ports = (there.port or default) == (here.port or default)
    return there.scheme == here.scheme and ports and (host == own or host.endswith(f".{own}"))


def _error_body(response: Any) -> tuple[bytes, str | None]:  # noqa: ANN401 - the SDK's errors hold two kinds of responses
    return (bytes(response.content), response.headers.get("Retry-After")) if response is not None else (b"", None)


def _seconds(retry_after: str | None) -> float | None:
    try:
        return max(0.0, float(retry_after)) if retry_after else None
    except ValueError:
        return None
