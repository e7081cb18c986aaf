"""The simulator's own routes for the probed network: break and mend servers and paths, and list the connections."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

import msgspec
from aiohttp import web

from simulator.cloud import SimulatedAzure
from simulator.dialing.connections import ProbedNetwork
from simulator.dialing.hosts import host_at
from simulator.faults.fault_domains import all_regions
from simulator.front_ends.control_routes import BadRequestError, bad_request, route
from simulator.model_servers.entry import Behaviour, ServerEntry
from simulator.oracle.answers import MATRIX
from simulator.paths.entry import EVERYWHERE, PathEntry
from simulator.paths.paths import region


class _Server(msgspec.Struct, forbid_unknown_fields=True):
    behaviour: Behaviour
    endpoint: str = ""
    ip: str = ""
    seconds: float | None = None


class _Path(PathEntry):
    mend: bool = False


class NetworkControl:
    """The routes. `network` is called for each request."""

    def __init__(self, network: Callable[[], ProbedNetwork]) -> None:
        self._network = network

    def routes(self, prefix: str) -> list[web.RouteDef]:
        """The routes below a prefix."""
        return [
            web.get(f"{prefix}/probes", self._probes),
            web.post(f"{prefix}/server", route(_Server, self._server)),
            web.post(f"{prefix}/path", route(_Path, self._path)),
        ]

    async def _probes(self, request: web.Request) -> web.Response:
        """The connections that probers have tried to open."""
        try:
            after = float(request.query.get("after", "0"))
        except ValueError:
            return bad_request("after: seconds since the epoch are expected")
        return web.json_response([asdict(each) for each in self._network().log if each.at > after])

    async def _server(self, wanted: _Server) -> object:
        cloud = self._network().cloud
        key = _key(cloud, wanted)
        try:
            entry = msgspec.convert({"behaviour": wanted.behaviour, "seconds": wanted.seconds}, ServerEntry)
        except msgspec.ValidationError as error:
            raise BadRequestError(str(error)) from error
        old = cloud.servers.of(key).entry
        entry = ServerEntry(old.kind, entry.behaviour, old.port, old.tls, entry.seconds)
        cloud.servers.set(key, entry, cloud.azure.clock())
        return {}

    async def _path(self, wanted: _Path) -> object:
        paths, known = self._network().cloud.paths, _regions(self._network().cloud)
        for field, name in (("from", wanted.origin), ("to", wanted.to)):
            if region(name) not in known and (field, name) != ("to", EVERYWHERE):
                raise BadRequestError(f"{field}: {name!r} is not an Azure region")
        stated = (wanted.rtt_ms, wanted.terminated_ms, wanted.partition)
        if wanted.mend != all(each is None for each in stated):
            raise BadRequestError("either mend or one of rtt_ms, terminated_ms and partition is expected")
        if wanted.mend:
            paths.mend(wanted)
        else:
            paths.change(wanted)
        return {}


def _key(cloud: SimulatedAzure, wanted: _Server) -> str:
    """The key of the model server that a body means."""
    if bool(wanted.endpoint) == bool(wanted.ip):
        raise BadRequestError("either endpoint or ip is expected")
    if wanted.ip:
        host = host_at(cloud, wanted.ip, "")
        if host is None:
            raise BadRequestError(f"ip: nothing has the address {wanted.ip!r}")
        return host.key
    found = any(each.find(wanted.endpoint) for each in cloud.endpoints if each is not cloud.api_managements.all)
    if not found and cloud.api_managements.place(wanted.endpoint) is None:
        try:
            cloud.compute.machine(wanted.endpoint)
        except KeyError as error:
            raise BadRequestError(f"endpoint: none has the id {wanted.endpoint!r}") from error
    return wanted.endpoint


def _regions(cloud: SimulatedAzure) -> set[str]:
    """The regions with published round-trip times, and those of the world."""
    there = {*all_regions(cloud), *(host.location for host in cloud.hosts.values())}
    return {origin for origin, _ in MATRIX} | {region(each) for each in there}
