"""How a route below `/_simulator` reads its body and answers: JSON, and 400 with `error`, which names the field."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec
from aiohttp import web

from simulator.event_grid.delivery import RefusedError

T = TypeVar("T")


class BadRequestError(Exception):
    """A body asks for something impossible; the message names the field."""


def route(body: type[T], act: Callable[[T], Awaitable[object]]) -> Callable[[web.Request], Awaitable[web.Response]]:
    """A route that reads a body, acts, and answers with the result."""

    async def answer(request: web.Request) -> web.Response:
        try:
            return web.json_response(await act(await _read(request, body)))
        except (BadRequestError, RefusedError) as error:
            return bad_request(str(error))

    return answer


async def _read(request: web.Request, body: type[T]) -> T:
    try:
        return msgspec.json.decode(await request.read(), type=body)
    except msgspec.DecodeError as error:
        raise BadRequestError(str(error)) from error


def bad_request(message: str) -> web.Response:
    """Answer 400 with an error."""
    return web.json_response({"error": message}, status=400)
