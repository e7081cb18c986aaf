"""Access to ARM for the whole process: typed reads, and the pipeline of every SDK client.

Reads use the pipeline of an SDK client, and msgspec decodes only the fields that are needed: the SDK's paged models
cost about ten times as much per record set.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import msgspec
from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import AsyncHTTPPolicy, SansIOHTTPPolicy
from azure.core.rest import HttpRequest

from shared.azure import answers
from shared.azure.answers import Page, Unreadable
from shared.azure.arm_errors import error_code, error_of, translate_errors
from shared.azure.throttle import Throttle
from shared.config.settings import Cloud
from shared.domain.errors import Terminal

MAX_PAGES = 5000

T = TypeVar("T")


class ProviderNotRegistered(Terminal):
    """The subscription has not registered the resource provider, so it has no resources of its types."""


class ProviderRegistrationPolicy(AsyncHTTPPolicy[Any, Any]):
    """Raises an error before the SDK's pipeline registers a missing resource provider, which no operator requested.

    Source of the codes: Azure/azure-sdk-for-node#2305, Azure/go-autorest#401. It is unknown what a list of such a type
    returns: an empty page, or one of these codes.
    """

    async def send(self, request: PipelineRequest[Any]) -> PipelineResponse[Any, Any]:
        """Pass a request on. Raises ProviderNotRegistered."""
        response = await self.next.send(request)
        if response.http_response.status_code in (404, 409):
            await response.http_response.read()
            code, message = error_code(response.http_response.content)
            if code.replace(" ", "") in ("MissingSubscriptionRegistration", "SubscriptionNotRegistered"):
                raise ProviderNotRegistered(message[:500])
        return response


class AllowPlainHttpOnLoopback(SansIOHTTPPolicy[Any, Any]):
    """Permits tokens over HTTP, for the simulator only: the settings accept HTTP on loopback addresses only."""

    def on_request(self, request: PipelineRequest[Any]) -> None:
        """Disable the HTTPS check for this request."""
        request.context.options["enforce_https"] = False


def client_options(
    cloud: Cloud,
    throttle: Throttle,
    transport: Any,  # noqa: ANN401 - any azure-core transport
    *,
    proxied: bool,
) -> dict[str, Any]:
    """Return the keyword arguments for every SDK client of this process.

    `proxied`: the environment may have a proxy. Otherwise aiohttp does not search for one, or for a netrc file, before
    every request.
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
        """Return one resource, or None if ARM returns 404. Raises Transient, Forbidden, Unreadable, Terminal."""
        content = await self._read(self._cloud.arm + quote(path), query)
        return None if content is None else answers.resource(content, decoder)

    async def pages(
        self,
        path: str,
        decoder: msgspec.json.Decoder[Page[T]],
        query: Mapping[str, str],
        before_page: Callable[[], Awaitable[None]] | None = None,
        unreadable: list[Unreadable] | None = None,
    ) -> AsyncIterator[list[T]]:
        """Yield the pages of a list. Raises Transient, Forbidden, Terminal, also between pages.

        `before_page` is awaited before each request. `unreadable` collects the resources that cannot be read; without
        it, the first of them is raised.
        """
        url, arguments = self._cloud.arm + quote(path), dict(query)
        for _ in range(MAX_PAGES):
            if before_page:
                await before_page()
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
                raise Terminal(
                    f"the list of {path} continues at another host"
                )  # The request would send our token there.
            url, arguments = page.next_link, {}
        raise Terminal(f"the list of {path} does not end within {MAX_PAGES} pages")

    async def post(self, path: str, body: object, decoder: msgspec.json.Decoder[T], **query: str) -> T:
        """Ask a question whose answer takes a request body. Raises Transient, Forbidden, Unreadable, Terminal."""
        content = await self._read(self._cloud.arm + quote(path), query, msgspec.json.encode(body))
        if content is None:
            raise Terminal(f"there is no {path}")
        return answers.resource(content, decoder)

    async def _read(self, url: str, query: dict[str, str], body: bytes | None = None) -> bytes | None:
        request = HttpRequest("GET", url, params=query or None)
        if body is not None:
            json = {"Content-Type": "application/json"}
            request = HttpRequest("POST", url, params=query or None, headers=json, content=body)
        async with translate_errors():
            # As a stream: otherwise the SDK's pipeline decodes every body as JSON a second time.
            response = await self._send(request, stream=True)
            content: bytes = await response.read()
            if response.status_code == 404:
                return None
            if response.status_code != 200:
                raise error_of(response.status_code, content, response.headers.get("Retry-After"))
            return content


def same_service(link: str, arm: str) -> bool:
    """Return whether a link leads to the same ARM: the same host, with or without its port, or a subdomain of it."""
    there, here = urlsplit(link), urlsplit(arm)
    default = {"https": 443, "http": 80}.get(here.scheme)
    host, own = there.hostname or "", here.hostname or ""
    ports = (there.port or default) == (here.port or default)
    return there.scheme == here.scheme and ports and (host == own or host.endswith(f".{own}"))
