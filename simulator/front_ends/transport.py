"""The in-process front end: an azure-core transport, so that real SDK clients use a simulated Azure without sockets.

Waits only with `asyncio.sleep`, half of the latency before the request takes effect and half after, so that an event
loop with a virtual clock runs it in no time. The caller decides which faults happen.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from types import TracebackType
from typing import Any, Protocol, Self, cast
from urllib.parse import parse_qsl, unquote, urlsplit

from azure.core.exceptions import ServiceRequestError, ServiceResponseError
from azure.core.pipeline.transport import AsyncHttpTransport
from azure.core.rest import AsyncHttpResponse, HttpRequest
from azure.core.rest._http_response_impl_async import AsyncHttpResponseImpl
from multidict import CIMultiDict

from simulator.arm.front_door import Request, Response
from simulator.faults.source import Fault, Lost, Slow
from simulator.timing.latency import Latency

__all__ = ["Fault", "Lost", "RequestHandler", "SimulatorTransport", "Slow", "understand"]


class RequestHandler(Protocol):
    """Any object that answers ARM requests."""

    def handle(self, request: Request) -> Response:
        """Answer a request."""


class SimulatorTransport(AsyncHttpTransport[HttpRequest, AsyncHttpResponse]):
    """Sends requests to a simulated Azure.

    `latency`: how long answers take (None: no latency). `faults` is called once for each request, before it takes
    effect. A request that takes longer than its `read_timeout` (seconds) raises ServiceResponseError at that time, and
    takes effect if it had arrived by then.
    """

    def __init__(
        self, cloud: RequestHandler, latency: Latency | None = None, faults: Callable[[Request], Fault] | None = None
    ) -> None:
        self._cloud = cloud
        self._latency = latency
        self._faults = faults

    async def open(self) -> None:
        """Nothing to open."""

    async def close(self) -> None:
        """Nothing to close."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        return None

    async def send(self, request: HttpRequest, **kwargs: Any) -> AsyncHttpResponse:  # noqa: ANN401 - azure-core's own signature
        """Send a request and return its answer with the body already read.

        Raises ServiceRequestError if the request did not arrive, ServiceResponseError if the answer was lost or late.
        """
        limit = kwargs.get("read_timeout")
        try:
            async with asyncio.timeout(limit):
                response = await self._exchange(understand(request))
        except TimeoutError as error:
            raise ServiceResponseError(f"no answer within {limit} s") from error
        return cast("AsyncHttpResponse", _Answer(request, response))

    async def _exchange(self, request: Request) -> Response:
        fault = self._faults(request) if self._faults else None
        delay = self._latency.of(request) if self._latency else 0.0
        await asyncio.sleep(delay / 2)
        if isinstance(fault, Lost) and not fault.after:
            raise ServiceRequestError("the connection broke before the request was sent")
        response = fault if isinstance(fault, Response) else self._cloud.handle(request)
        await asyncio.sleep(delay / 2 + (fault.seconds if isinstance(fault, Slow) else 0.0))
        if isinstance(fault, Lost):
            raise ServiceResponseError("the connection broke before the answer came")
        return response


def understand(request: HttpRequest) -> Request:
    """An SDK's request in the simulator's own form."""
    parts = urlsplit(request.url)
    content = request.content if request.content is not None else b""
    return Request(
        method=request.method,
        path=unquote(parts.path),
        query=dict(parse_qsl(parts.query, keep_blank_values=True)),
        headers={name.lower(): value for name, value in request.headers.items()},
        body=content.encode() if isinstance(content, str) else _bytes(content),
        base=f"{parts.scheme}://{parts.netloc}",
    )


def _bytes(content: object) -> bytes:
    if isinstance(content, bytes | bytearray):
        return bytes(content)
    raise TypeError(f"a request body of type {type(content).__name__} is not simulated")


class _Wire:
    """The inner response object of azure-core; it is only closed."""

    async def close(self) -> None:
        """Nothing to close."""


class _Answer(AsyncHttpResponseImpl):
    """A response whose body is complete from the start; `body()` serves azure-core's older policies."""

    def __init__(self, request: HttpRequest, response: Response) -> None:
        headers = CIMultiDict(response.headers)
        body = response.body
        if response.content is not None:
            headers.setdefault("content-type", "application/json; charset=utf-8")
        headers["content-length"] = str(len(body))
        super().__init__(
            request=request,
            internal_response=_Wire(),
            block_size=4096,
            status_code=response.status,
            reason=HTTPStatus(response.status).phrase,
            content_type=headers.get("content-type"),
            headers=headers,
            stream_download_generator=None,
        )
        self._content = body

    def body(self) -> bytes:
        """The whole body."""
        return bytes(self.content)

    async def load_body(self) -> None:
        """The body is already loaded."""
