"""The HTTP functions of `function_app.py`, called as the host calls them, over a simulator behind a real port.

Wants a process of its own: the app reads the environment, and keeps its one loop as long as the process lives.
"""

import importlib
import json
import os
import sys
from contextlib import asynccontextmanager, suppress
from functools import partial

import azure.functions as func

from shared.domain.errors import BadRequest, Transient
from shared.edge import commands
from shared.edge.commands import Drain, Sweep, Undrain
from shared.edge.status_query import parse_status_query
from simulator.cloud import SimulatedAzure
from simulator.front_ends.server import Options, Server
from simulator.functions_host.functions import index
from simulator.world.world import read
from tests.fuzz.targets import LONGEST_ANSWER
from tests.fuzz.world import WORLD, Broken, refusal, shapeless
from tests.support.deployment import environment

MOST = 256 * 1024
"""Characters of an answer about a world as small as this one."""

OTHERS = ("NEARZONE_", "AzureWebJobsStorage", "AZURE_", "WEBSITE_")
"""Settings that somebody's shell may have, and that the app would read."""


class WatchedCloud(SimulatedAzure):
    """A simulated Azure that keeps what it should not have been asked for."""

    def __init__(self, world):
        super().__init__(world)
        self.writes, self.strayed = [], []

    def handle(self, request):
        if request.method != "GET":
            self.writes.append((request.method, request.path))
        if reason := shapeless(request.path):
            self.strayed.append(reason)
        return refusal(request.path, locked=False) or super().handle(request)


class Connections:
    """The hosts that this process connects to. An audit hook cannot be taken away: one for each process."""

    def __init__(self):
        self.foreign = set()
        sys.addaudithook(self._note)

    def _note(self, event, args):
        if event == "socket.connect" and isinstance(args[1], tuple) and args[1][0] not in ("127.0.0.1", "::1"):
            self.foreign.add(args[1][0])


class App:
    """The functions of the app by name, its loop, its cloud, and where the process connects to."""

    def __init__(self, module, cloud):
        self.functions = {each.name: each for each in index(module.app)}
        self.loop, self.cloud, self.connections = module.loop(), cloud, Connections()
        self.known = frozenset()
        """The endpoints of the catalog, which has seen all that there are."""

    async def resync(self, body):
        """POST a body; gives the answer's status."""
        request = func.HttpRequest("POST", "http://localhost/api/resync", body=body)
        answer = await self.functions["resync"].run(request)
        return self._checked(answer, partial(self._wanted, body), self._unsure(body))

    def _wanted(self, body):
        """What a body asks for. Raises BadRequest, also for an override of a region that is not known."""
        command = self._parsed(body)
        regions = self.loop.applier.latency.regions
        if isinstance(command, Drain | Undrain) and "/" not in command.target and command.target not in regions:
            raise BadRequest(command.target)

    def _parsed(self, body):
        known = self.loop.inventory
        return commands.parse(body, self.loop.settings, known.kinds, parents=known.parent_types)

    def _unsure(self, body):
        """Whether only Azure shows that a body asks for what is not there."""
        with suppress(BadRequest):
            command = self._parsed(body)
            endpoint = command.endpoint if isinstance(command, Sweep) else None
            return endpoint is not None and endpoint.lower() not in self.known
        return False

    async def status(self, params):
        """GET with query parameters; gives the answer's status."""
        request = func.HttpRequest("GET", "http://localhost/api/status", params=params, body=b"")
        answer = await self.functions["status"].run(request)
        return self._checked(answer, partial(parse_status_query, params, self.loop.settings), "since" in params)

    async def event(self, text):
        """Deliver an event; its function answers nothing, and fails only where it is to be delivered again."""
        if isinstance(text, bytes):
            text = text.decode(errors="replace")
        with suppress(Transient):
            await self.functions["on_resource_event"].run(text)
        self._check()
        return "event taken"

    def _checked(self, answer, parse, unsure):
        """`unsure`: a request that can be read may be refused all the same."""
        text = answer.get_body().decode()
        expected = (200, 400, 503) if unsure else (200, 503)
        try:
            parse()
        except BadRequest:
            expected = (400,)
        values = text.splitlines() if answer.mimetype == "application/x-ndjson" else [text]
        if answer.status_code not in expected or not all(isinstance(json.loads(each), dict) for each in values):
            raise Broken(f"answered {answer.status_code}: {text[:200]}")
        if len(text) > (MOST if answer.status_code == 200 else 6 * LONGEST_ANSWER):  # \u1234 for one character
            raise Broken(f"an answer {answer.status_code} of {len(text)} characters")
        self._check()
        return f"answered {answer.status_code}"

    def _check(self):
        if self.cloud.writes or self.cloud.strayed or self.connections.foreign:
            raise Broken(f"{self.cloud.writes[:1]} {self.cloud.strayed[:1]} {sorted(self.connections.foreign)}")


@asynccontextmanager
async def served():
    """The app, settled, over a simulator; ended together."""
    cloud = WatchedCloud(read(json.dumps(WORLD)))
    server = Server(cloud, Options(latency=0.0))
    await server.start()
    for name in [each for each in os.environ if each.startswith(OTHERS)]:
        del os.environ[name]
    arm = {"arm": server.url, "audience": "https://management.azure.com"}
    identity = {"IDENTITY_ENDPOINT": f"{server.url}/msi/token", "IDENTITY_HEADER": server.identity.secret}
    os.environ.update(environment(WORLD) | identity | {"NEARZONE_CLOUD": json.dumps(arm)})
    app = App(importlib.import_module("function_app"), cloud)
    try:
        await app.functions["correct_drift"].run(None)
        app.known = frozenset(row.value.endpoint.key for row in await app.loop.catalog.endpoints())
        cloud.writes.clear()
        yield app
    finally:
        await server.stop()
