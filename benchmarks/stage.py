"""One simulated Azure, one catalog and any number of app instances, wired as a scenario needs them.

The app is the real one, from `shared.bootstrap.build` up. Replaced are the transport (the simulator, with recorded
distributions of latency), the clock (the event loop's) and the catalog (in memory, with the latency of a table).
"""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sized
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from random import Random
from typing import Any, TypeAlias, cast

import msgspec
from azure.core.rest import AsyncHttpResponse, HttpRequest

from benchmarks.recorded import RecordedResponse, Token
from shared.bootstrap import build
from shared.catalog.memory import MemoryCatalog
from shared.domain.catalog_state import CatalogState
from shared.domain.endpoints import EndpointRow
from shared.loop.reconciler import Reconciler
from shared.ports import Catalog
from simulator.arm.front_door import Completed, Request, Response
from simulator.cloud import SimulatedAzure
from simulator.event_grid.events import event_of
from simulator.front_ends.transport import RequestHandler as Answering
from simulator.front_ends.transport import SimulatorTransport
from simulator.timing.latency import Latency
from simulator.world.world import read

Json: TypeAlias = Any

CATALOG_SECONDS = 0.010
ROWS_PER_CALL = 1000
"""Rows in one response of Azure Table Storage (docs, query-timeout-and-pagination): a longer list is several calls."""
_SWEEPING: ContextVar[bool] = ContextVar("sweeping", default=False)


@contextmanager
def sweeping() -> Iterator[None]:
    """Mark the requests in this block, also of tasks that begin in it, as sent by a sweep."""
    before = _SWEEPING.set(True)
    try:
        yield
    finally:
        _SWEEPING.reset(before)


@dataclass(frozen=True, slots=True)
class Sent:
    """One request of an app. Times in seconds by the loop's clock; `status` 0: no response came.

    `of_sweep`: it was sent within `sweeping()`.
    """

    method: str
    url: str
    began: float
    ended: float
    status: int
    of_sweep: bool = False

    @property
    def path(self) -> str:
        """The URL's path."""
        return "/" + self.url.split("?", 1)[0].split("/", 3)[3]


class TimedCloud:
    """A cloud that counts its own CPU seconds."""

    def __init__(self, cloud: Answering) -> None:
        self._cloud = cloud
        self.cpu = 0.0

    def handle(self, request: Request) -> Response:
        """Handle a request."""
        begun = time.process_time()
        try:
            return self._cloud.handle(request)
        finally:
            self.cpu += time.process_time() - begun


class RecordingTransport(SimulatorTransport):
    """The simulator's transport, which also records the requests."""

    def __init__(self, cloud: Answering, latency: Latency | None = None) -> None:
        super().__init__(cloud, latency)
        self.sent: list[Sent] = []
        self.answers: list[RecordedResponse] | None = None
        """The response to every GET, once this is a list: `recorded.keep` takes it."""

    async def send(self, request: HttpRequest, **kwargs: Any) -> AsyncHttpResponse:  # noqa: ANN401 - azure-core's own signature
        """Send a request and return its response."""
        now = asyncio.get_running_loop().time
        began, status = now(), 0
        try:
            response = await super().send(request, **kwargs)
            status = response.status_code
            if self.answers is not None and request.method == "GET":
                self.answers.append(RecordedResponse(request.url, status, response.headers, response.content))
        finally:
            self.sent.append(Sent(request.method, request.url, began, now(), status, _SWEEPING.get()))
        return response


class DelayedCatalog:
    """A catalog whose every call takes `seconds`: half of them before it takes effect, half after.

    A list takes as many calls as a table needs for its rows. `asked` counts by the names of the protocol.
    """

    def __init__(self, catalog: Catalog, seconds: float) -> None:
        self._catalog = catalog
        self._seconds = seconds
        self.asked: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        call = getattr(self._catalog, name)

        async def later(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - any call of the protocol
            self.asked[name] += 1
            await asyncio.sleep(self._seconds / 2)
            found = await call(*args, **kwargs)
            rows = len(found) if isinstance(found, Sized) and not isinstance(found, str) else 1
            needed = max(1, math.ceil(rows / ROWS_PER_CALL))
            await asyncio.sleep(self._seconds * (needed - 0.5))
            return found

        return later


class Stage:
    """A simulated deployment, created inside a running loop, virtual or real; all parts share the loop's clock.

    `latency` multiplies the recorded latencies (0: none). `limits`: whether Azure enforces its published limits.
    `front`: what answers requests in front of the cloud.
    """

    def __init__(
        self,
        world: Json,
        *,
        seed: int = 0,
        latency: float = 1.0,
        limits: bool = True,
        catalog_seconds: float = CATALOG_SECONDS,
        front: Callable[[SimulatedAzure], Answering] = lambda cloud: cloud,
    ) -> None:
        self.clock = asyncio.get_running_loop().time
        self.cloud = SimulatedAzure(read(json.dumps(world)), clock=self.clock, seed=seed)
        self.cloud.enforce_limits(enforced=limits)
        self.timed = TimedCloud(front(self.cloud))
        self.wire = RecordingTransport(self.timed, Latency(Random(seed), latency))
        self.remote = DelayedCatalog(MemoryCatalog(), catalog_seconds)
        self.catalog = cast("Catalog", self.remote)
        self.environment = {key: json.dumps(value) for key, value in world["settings"].items()}
        self.notifications: list[Completed] = []
        """The notifications to Event Grid, in order: `event(note)` makes a delivery of one."""
        self.cloud.azure.completed.append(self.notifications.append)

    @property
    def sent(self) -> list[Sent]:
        """Every request of every app so far, by the time of its response; clear it before a measurement."""
        return self.wire.sent

    def app(self, holder: str = "app", catalog: Catalog | None = None) -> Reconciler:
        """Return an instance of the app on the stage's catalog, or on another one."""
        return build(
            self.environment,
            credential=Token(),
            transport=self.wire,
            catalog=catalog or self.catalog,
            clock=self.clock,
            holder=holder,
        )

    async def fill_catalog(self, app: Reconciler) -> None:
        """Fill the app's catalog as a sweep would: every endpoint, the index, and the state row."""
        await fill_catalog(app, self.clock())

    def arm(self, method: str, path: str, body: Json = None, **query: str) -> Json:
        """Send a request to Azure as another client, without delay. Returns the content of the response."""
        version = "2024-06-01" if "privatednszones" in path.lower() else "2024-01-01"
        version = "2024-07-01" if "microsoft.compute" in path.lower() else version
        content = b"" if body is None else msgspec.json.encode(body)
        response = self.cloud.handle(Request(method, path, {"api-version": version, **query}, {}, content))
        if response.status >= 300:
            raise RuntimeError(f"{method} {path}: {response.status} {response.content}")
        return response.content

    def event(self, note: Completed) -> str:
        """Return one event in the function's format."""
        return event_text(self.cloud, note)

    def record_sets(self, zone_id: str) -> dict[str, tuple[int, tuple[str, ...]]]:
        """Return the current A record sets of a zone: TTL and sorted addresses by name."""
        zone = self.cloud.private_dns.zone(zone_id)
        if zone is None:
            raise KeyError(zone_id)
        return {each.name: (each.ttl, tuple(sorted(each.addresses))) for each in zone.record_sets if each.type == "A"}


def event_text(cloud: SimulatedAzure, note: Completed) -> str:
    """Return one event in the function's format."""
    (body,) = json.loads(event_of(note, cloud.azure.new_guid()).body("EventGridSchema"))
    return json.dumps(body)


async def fill_catalog(app: Reconciler, now: float) -> None:
    """Fill an app's catalog as a sweep and the following applies would.

    They read every VM by GET once, which shows that it has no Application Health extension; this is omitted here.
    """
    subscriptions = app.settings.subscriptions
    learned = [
        replace(each, health=False)
        for first in await app.inventory.list_all(subscriptions, ())
        for each in (*first.needs_get, *first.endpoints)
    ]
    for listing in await app.inventory.list_all(subscriptions, learned):
        if listing.error or listing.needs_get:
            raise RuntimeError(f"the world could not be read: {listing.error or listing.needs_get[:3]}")
        for endpoint in listing.endpoints:
            await app.catalog.put_endpoint(EndpointRow(endpoint, frozenset(), now), None)
            for name in sorted(endpoint.names):
                await app.catalog.index(name, endpoint.key, now)
    await app.catalog.put_state(
        CatalogState(digest=app.settings.digest, completed_at=now, attempted_at=now, epoch="known", checked_at=now),
        None,
    )
