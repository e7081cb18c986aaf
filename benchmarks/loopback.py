"""The simulated Azure on loopback ports, for an app in its own process that is wired as in Azure.

The simulator's own server provides ARM and the managed identity's token endpoint; the storage account's tables have
their own. Responses come without latency and, on loopback, without TLS.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from aiohttp import web

from shared.catalog.storage_account import CONNECTION
from simulator.arm.front_door import Request
from simulator.cloud import SimulatedAzure
from simulator.demo.processes import AUDIENCE
from simulator.front_ends.server import Options, Server
from simulator.tables import Tables

_KEY = base64.b64encode(b"any key").decode()


@asynccontextmanager
async def serving(cloud: SimulatedAzure, tables: Tables, settings: Mapping[str, Any]) -> AsyncIterator[dict[str, str]]:
    """Serve until the block ends; yields the whole environment of an app's process."""
    async with AsyncExitStack() as stack:
        server = Server(cloud, Options(latency=0.0))
        stack.push_async_callback(server.stop)
        await server.start()
        storage = await _serve_tables(tables, stack)
        yield {
            "PATH": os.environ["PATH"],
            "WEBSITE_SKU": "FlexConsumption",
            "IDENTITY_ENDPOINT": f"{server.url}/msi/token",
            "IDENTITY_HEADER": server.identity.secret,
            CONNECTION: f"AccountName=benchmark;AccountKey={_KEY};TableEndpoint={storage}/benchmark",
            **{name: json.dumps(value) for name, value in settings.items()},
            "NEARZONE_CLOUD": json.dumps({"arm": server.url, "audience": AUDIENCE}),
        }


async def _serve_tables(tables: Tables, stack: AsyncExitStack) -> str:
    """Serve them on a free port until the stack closes; return the base address."""

    async def answer(request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        body = await request.read()
        response = tables.handle(Request(request.method, request.path, dict(request.query), headers, body))
        return web.Response(status=response.status, body=response.body, headers=dict(response.headers))

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    return f"http://{host}:{port}"
