"""Answers of the simulated Azure kept on disk and given again, so that its own work is not measured as the app's.

Small on purpose: a fresh process that is measured imports this, and no part of the simulator.
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
    """A credential that needs nobody."""

    async def get_token(self, *_scopes: str, **_options: object) -> AccessToken:
        """A token that outlives every run."""
        return AccessToken("token", 4_000_000_000)

    async def close(self) -> None:
        """Nothing to close."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None


def same(url: str) -> str:
    """A URL, however its query is ordered and quoted."""
    parts = urlsplit(url)
    return f"{parts.path}?{sorted(parse_qsl(parts.query))}"


@dataclass(frozen=True, slots=True)
class Kept:
    """The answer to a GET."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes


def keep(folder: Path, answers: Iterable[Kept]) -> None:
    """Write answers into a folder, in their order."""
    index = {}
    for number, each in enumerate(answers):
        (folder / f"{number}.json").write_bytes(each.body)
        index[same(each.url)] = (each.url, each.status, dict(each.headers), f"{number}.json")
    (folder / INDEX).write_text(json.dumps(index))


class Recorded(AsyncHttpTransport[HttpRequest, AsyncHttpResponse]):
    """Gives the answers of a folder, at once. Raises KeyError for anything else that is asked or written."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._index: dict[str, tuple[str, int, dict[str, str], str]] = json.loads((folder / INDEX).read_text())

    @property
    def urls(self) -> list[str]:
        """What can be asked, in the order in which it was kept."""
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
        """Give what was answered to this request."""
        if request.method != "GET":
            raise KeyError(f"{request.method} {request.url} was not kept")
        url, status, headers, file = self._index[same(request.url)]
        kept = Kept(url, status, headers, (self._folder / file).read_bytes())
        return cast("AsyncHttpResponse", _Answer(request, kept))


class _Wire:
    """What azure-core keeps as a response's inner self: only asked to close."""

    async def close(self) -> None:
        """Nothing to close."""


class _Answer(AsyncHttpResponseImpl):
    """An answer whose body is there from the start."""

    def __init__(self, request: HttpRequest, kept: Kept) -> None:
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
    """Memory of this process now (`VmRSS`) or at most so far (`VmHWM`), in MB of 2**20 bytes. Linux alone tells both.

    Not `ru_maxrss`: that begins with the size of the process that started this one.
    """
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{field}:"))
