"""The HTTP front end: ARM, the identity endpoint and the simulator's own routes on one loopback port.

Here time passes without requests: scheduled actions run when they are due. Decides nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import aiohttp
from aiohttp import web

from simulator.arm.front_door import ArmError, Request, Response
from simulator.arm.resource_manager import METADATA
from simulator.cloud import SimulatedAzure
from simulator.dialing.connections import ProbedNetwork
from simulator.event_grid.delivery import ANSWER_TIMEOUT, LATE_ANSWER, EventGrid
from simulator.faults.source import Faults, Lost, Slow
from simulator.front_ends.control import Control
from simulator.front_ends.identity import Identity
from simulator.front_ends.probe_gateway import ProbeGateway
from simulator.front_ends.storage import STORAGE, StorageAccounts
from simulator.timing.latency import Latency

LARGEST_BODY = 4 * 1024 * 1024
"""Largest request body in bytes; the limit and the error code of the 413 are unverified."""


@dataclass(frozen=True, slots=True)
class Options:
    """Options of the server.

    `port` 0: any free one. `latency` multiplies the recorded latencies, 0: none. `https`: port for the same over TLS,
    0: any free one, None: plain HTTP only. `probes`: port of the probe gateway, likewise; None: there is none.
    """

    port: int = 0
    latency: float = 1.0
    seed: int = 0
    https: int | None = None
    probes: int | None = None


class Server:
    """A running simulator. `url` is its base address once `start` has returned.

    With HTTPS, `secure_url` is the second address, and clients must trust the certificate in the file `ca`. So must
    clients of the model servers behind the probe gateway, which listens at `probe_gateway`.
    """

    def __init__(self, cloud: SimulatedAzure, options: Options) -> None:
        self.cloud = cloud
        self.identity = Identity(Random(f"{options.seed} identity").randbytes(16).hex())
        self.url = ""
        self.secure_url = ""
        self.probe_gateway = ""
        self.ca = Path()
        self.network = ProbedNetwork(cloud)
        self._options = options
        self._latency = Latency(Random(f"{options.seed} latency"), options.latency)
        self.faults = Faults(cloud, Random(f"{options.seed} faults"))
        self.event_grid = EventGrid(cloud.azure, self._post, Random(f"{options.seed} events"))
        self._storage = StorageAccounts(cloud.azure.clock)
        self._changed = asyncio.Event()
        self._open = contextlib.AsyncExitStack()
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        """Listen on 127.0.0.1. Raises OSError for a port in use."""
        timeout = aiohttp.ClientTimeout(total=ANSWER_TIMEOUT + LATE_ANSWER)
        self._session = await self._open.enter_async_context(aiohttp.ClientSession(timeout=timeout))
        self._open.push_async_callback(self.event_grid.close)
        app = web.Application(client_max_size=LARGEST_BODY, middlewares=[_errors_as_arm])
        app.add_routes([*Control(self).routes("/_simulator"), web.get("/msi/token", self._token)])
        app.add_routes([web.get(METADATA, self._metadata)])
        app.router.add_route("*", STORAGE + "/{account:[a-z0-9]+}/{path:.*}", self._account)
        app.router.add_route("*", "/{path:.*}", self._arm)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        self._open.push_async_callback(runner.cleanup)
        site = web.TCPSite(runner, "127.0.0.1", self._options.port)
        await site.start()
        host, port = runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        if self._options.https is not None or self._options.probes is not None:
            await self._start_tls(runner)
        passing = asyncio.create_task(self._let_time_pass())
        self._open.push_async_callback(_end, passing)

    async def _start_tls(self, runner: web.AppRunner) -> None:
        from simulator.front_ends import tls  # noqa: PLC0415 - trustme need not be there for plain HTTP

        authority = tls.Authority()
        folder = self._open.enter_context(TemporaryDirectory(prefix="nearzone-ca-"))
        self.ca = Path(folder) / "ca.pem"
        self.ca.write_bytes(authority.trusted)
        if self._options.https is not None:
            await web.TCPSite(runner, "127.0.0.1", self._options.https, ssl_context=authority.localhost()).start()
            self.secure_url = f"https://localhost:{runner.addresses[1][1]}"
        if self._options.probes is not None:
            gateway = ProbeGateway(self.network, authority.of_server)
            await gateway.start(self._options.probes)
            self._open.push_async_callback(gateway.stop)
            self.probe_gateway = gateway.address

    async def stop(self) -> None:
        """Stop listening and abandon everything in flight."""
        await self._open.aclose()

    async def _let_time_pass(self) -> None:
        azure = self.cloud.azure
        while True:
            azure.advance()
            due = azure.next_due()
            self._changed.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(None if due is None else max(due - azure.clock(), 0.0)):
                    await self._changed.wait()

    async def _arm(self, request: web.Request) -> web.Response:
        if not request.headers.get("authorization", "").startswith("Bearer "):
            return _web(UNAUTHENTICATED)
        understood = await _understood(request)
        fault = self.faults(understood)
        delay = self._latency.of(understood)
        await asyncio.sleep(delay / 2)
        if isinstance(fault, Lost) and not fault.after:
            return _broken(request)
        response = fault if isinstance(fault, Response) else self.cloud.handle(understood)
        self._changed.set()
        await asyncio.sleep(delay / 2 + (fault.seconds if isinstance(fault, Slow) else 0.0))
        return _broken(request) if isinstance(fault, Lost) else _web(response)

    async def _metadata(self, request: web.Request) -> web.Response:
        """The addresses of all services; served without a token."""
        return _web(self.cloud.handle(await _understood(request)))

    async def _account(self, request: web.Request) -> web.Response:
        return _web(self._storage.handle(await _understood(request)))

    async def _token(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        return _web(self.identity.token(request.query, headers, self.cloud.azure.clock()))

    async def _post(self, url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        if self._session is None:
            raise ConnectionError("the server has not started")
        try:
            async with self._session.post(url, headers=headers, data=body) as answer:
                return answer.status, await answer.read()
        except aiohttp.ClientError as error:
            raise ConnectionError(str(error)) from error


async def _understood(request: web.Request) -> Request:
    return Request(
        method=request.method,
        path=request.path,
        query=dict(request.query),
        headers={name.lower(): value for name, value in request.headers.items()},
        body=await request.read(),
        base=f"{request.scheme}://{request.host}",
    )


def _broken(request: web.Request) -> web.Response:
    """Break the connection; the returned answer is not sent."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


UNAUTHENTICATED = ArmError(
    401, "AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing."
).response
TOO_LARGE = ArmError(
    413, "RequestContentTooLarge", f"The request content is larger than {LARGEST_BODY} bytes."
).response


@web.middleware
async def _errors_as_arm(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPRequestEntityTooLarge:
        return _web(TOO_LARGE)


def _web(response: Response) -> web.Response:
    headers = dict(response.headers)
    if response.content is not None:
        headers.setdefault("content-type", "application/json; charset=utf-8")
    return web.Response(status=response.status, body=response.body, headers=headers)


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
