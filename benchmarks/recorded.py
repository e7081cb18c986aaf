"""Recorded responses of the simulated Azure, replayed from disk, so that its own work is not measured as the app's.

The module is small: a measured fresh process imports it, and no part of the simulator.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast
from urllib.parse import parse_qsl, urlsplit

from azure.core.credentials import AccessToken
from azure.core.pipeline.transport import AsyncHttpTransport
from azure.core.rest import AsyncHttpResponse, HttpRequest
from azure.core.rest._http_response_impl_async import AsyncHttpResponseImpl
from multidict import CIMultiDict

INDEX = "index.json"


class Token:
    """A credential with a constant token."""

    async def get_token(self, *_scopes: str, **_options: object) -> AccessToken:
        """Return a token that is valid for every run."""
        return AccessToken("token", 4_000_000_000)

    async def close(self) -> None:
        """Nothing to close."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None


def normalized_url(url: str) -> str:
    """Return a URL with its query sorted and unquoted."""
    parts = urlsplit(url)
    return f"{parts.path}?{sorted(parse_qsl(parts.query))}"


@dataclass(frozen=True, slots=True)
class RecordedResponse:
    """The response to a GET."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes


def keep(folder: Path, answers: Iterable[RecordedResponse]) -> None:
    """Write responses into a folder, in their order."""
    index = {}
    for number, each in enumerate(answers):
        (folder / f"{number}.json").write_bytes(each.body)
        index[normalized_url(each.url)] = (each.url, each.status, dict(each.headers), f"{number}.json")
    (folder / INDEX).write_text(json.dumps(index))


class Recorded(AsyncHttpTransport[HttpRequest, AsyncHttpResponse]):
    """Returns the responses of a folder immediately. Raises KeyError for any other request."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._index: dict[str, tuple[str, int, dict[str, str], str]] = json.loads((folder / INDEX).read_text())

    @property
    def urls(self) -> list[str]:
        """The URLs of the responses, in the order in which they were recorded."""
        return [url for url, *_ in self._index.values()]

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

    async def send(self, request: HttpRequest, **_: Any) -> AsyncHttpResponse:  # noqa: ANN401 - azure-core's own signature
        """Return the recorded response to this request."""
        if request.method != "GET":
            raise KeyError(f"{request.method} {request.url} was not kept")
        url, status, headers, file = self._index[normalized_url(request.url)]
        kept = RecordedResponse(url, status, headers, (self._folder / file).read_bytes())
        return cast("AsyncHttpResponse", _Answer(request, kept))


class _Wire:
    """The inner response object of azure-core, which is only closed."""

    async def close(self) -> None:
        """Nothing to close."""


class _Answer(AsyncHttpResponseImpl):
    """A response whose body is present from the start."""

    def __init__(self, request: HttpRequest, kept: RecordedResponse) -> None:
        super().__init__(
            request=request,
            internal_response=_Wire(),
            block_size=4096,
            status_code=kept.status,
            reason="",
            content_type=kept.headers.get("content-type", ""),
            headers=CIMultiDict(kept.headers),
            stream_download_generator=None,
        )
        self._content = kept.body


def memory_mb(field: str) -> float:
    """Return the memory of this process now (`VmRSS`) or at most so far (`VmHWM`), in MB of 2**20 bytes. Linux only.

    ru_maxrss is not used: its initial value is the size of the parent process.
    """
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{field}:"))
