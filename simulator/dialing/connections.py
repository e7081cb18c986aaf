"""What a connection to an address meets: the path, the host and its model server. Each one is logged.

It draws and decides, and never waits: the front ends play the result in their own time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from simulator.cloud import SimulatedAzure
from simulator.dialing.hosts import Host, host_at
from simulator.model_servers import behaviours
from simulator.model_servers.events import Script
from simulator.model_servers.server import Arrival, Certificate, Talk
from simulator.paths.paths import region

LOGGED = 200_000
"""Connections that the log keeps; older ones are forgotten."""


@dataclass(frozen=True, slots=True)
class Contact:
    """A connection that a prober tried to open. `at`: seconds since the epoch."""

    at: float
    vantage: str
    ip: str
    port: int


@dataclass(frozen=True, slots=True)
class Session:
    """An open connection as its server sees it. `passes`: whether the path lets data through now.

    `flight`: draws the seconds that data takes in one direction.
    """

    talk: Talk
    flight: Callable[[], float]
    passes: Callable[[], bool]

    def begins(self, *, with_tls: bool) -> tuple[Script, Certificate | None]:
        """The server's script for a client that begins with TLS or without, and its certificate if both speak TLS."""
        talk = self.talk
        if talk.raw:
            return talk.script, None
        if talk.other is not None and talk.tls != with_tls:
            return talk.other, None
        return talk.script, talk.certificate if with_tls else None


@dataclass(frozen=True, slots=True)
class Attempt:
    """What becomes of a SYN: `seconds` until its answer, unless there is none.

    `rtt_ms`, `session`: of an accepted connection; the round-trip time is what the client's kernel measures.
    """

    arrival: Arrival
    seconds: float = 0.0
    rtt_ms: float = 0.0
    session: Session | None = None


class ProbedNetwork:
    """The network as probers see it. `log`: the connections that they tried to open, oldest first."""

    def __init__(self, cloud: SimulatedAzure) -> None:
        self.cloud = cloud
        self.log: deque[Contact] = deque(maxlen=LOGGED)

    def attempt(self, vantage: str, ip: str, port: int) -> Attempt:
        """Send a SYN from a vantage, now."""
        cloud, origin = self.cloud, region(vantage)
        cloud.azure.advance()
        now = cloud.azure.clock()
        self.log.append(Contact(now, origin, ip, port))
        host = host_at(cloud, ip, origin)
        if host is None or cloud.paths.partition(origin, host.region):
            return Attempt(Arrival.SILENT)
        opening, there = cloud.paths.opening(origin, host.region), self._arrival(host, port, now)
        between = cloud.paths.terminated_ms(origin, host.region)
        if between is not None:
            return Attempt(Arrival.ACCEPTED, between / 1000, between, self._relayed(origin, host, there))
        if there != Arrival.ACCEPTED:
            return Attempt(there, opening.seconds)
        return Attempt(there, opening.seconds, opening.rtt_ms, self._session(origin, host, self._talk(host)))

    def _arrival(self, host: Host, port: int, now: float) -> Arrival:
        if not host.runs:
            return Arrival.SILENT
        return self.cloud.servers.of(host.key).arrival(port, now, host.started)

    def _talk(self, host: Host) -> Talk:
        return self.cloud.servers.of(host.key).talk(self.cloud.azure.clock(), host.started)

    def _relayed(self, origin: str, host: Host, there: Arrival) -> Session:
        """A connection that something on the way has accepted before it knows whether the server does."""
        if there == Arrival.ACCEPTED:
            return self._session(origin, host, self._talk(host))
        script = behaviours.hangs() if there == Arrival.SILENT else behaviours.closes()
        return self._session(origin, host, Talk(script, raw=True))

    def _session(self, origin: str, host: Host, talk: Talk) -> Session:
        paths = self.cloud.paths
        return Session(
            talk,
            flight=lambda: paths.flight(origin, host.region),
            passes=lambda: paths.partition(origin, host.region) is None,
        )
