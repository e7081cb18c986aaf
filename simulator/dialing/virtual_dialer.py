"""A dialer in virtual time: connections of a prober to the simulated network, without sockets.

It waits only with `asyncio`, so that an event loop with a virtual clock runs it in no time. The prober's own error is
an argument, since app and simulator share no code. TLS is a table here: what a client says of a certificate follows
from the certificate and from what the client checks.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Protocol

from simulator.dialing.connections import Attempt, ProbedNetwork, Session
from simulator.model_servers.events import Event, Pause, Receive, Script, Send
from simulator.model_servers.server import Arrival, Certificate

RETRY = 1.0
"""Seconds between two attempts to send data over a path that lets nothing through."""
_HELLO = b"\x16\x03\x01\x00\x01\x01"
"""Begins a TLS handshake. Scripts that act on TCP read no more of it."""


class DialFault(Enum):
    """How a connection fails. The names are those of a probe's words."""

    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    CONNECT_TIMEOUT = "no answer to the SYN"
    RESET = "reset"
    CLOSED = "closed during the handshake"
    TLS_FAILED = "no TLS handshake"
    CERTIFICATE_EXPIRED = "the certificate has expired"
    CERTIFICATE_NAME = "the certificate is for another name"
    CERTIFICATE_UNTRUSTED = "the certificate is of an unknown authority"


_CERTIFICATES: Mapping[Certificate, DialFault] = {
    "expired": DialFault.CERTIFICATE_EXPIRED,
    "name": DialFault.CERTIFICATE_NAME,
    "untrusted": DialFault.CERTIFICATE_UNTRUSTED,
}


class Asked(Protocol):
    """The part of a probe's setting that a connection needs."""

    @property
    def port(self) -> int:
        """The port."""

    @property
    def tls(self) -> bool:
        """Whether TLS is spoken."""

    @property
    def verify(self) -> bool:
        """Whether the certificate is checked."""


class VirtualDialer:
    """Opens connections from a vantage. `failed` makes the error that is raised for a fault."""

    def __init__(self, network: ProbedNetwork, vantage: str, failed: Callable[[DialFault], Exception]) -> None:
        self._network, self._vantage, self._failed = network, vantage, failed

    async def connect(self, ip: str, probe: Asked, connect_seconds: float) -> VirtualConnection:
        """Connect, with TLS where the probe asks for it. Raises the error of `failed`."""
        attempt = self._network.attempt(self._vantage, ip, probe.port)
        if attempt.arrival == Arrival.SILENT or attempt.seconds >= connect_seconds:
            await asyncio.sleep(connect_seconds)
            raise self._failed(DialFault.CONNECT_TIMEOUT)
        await asyncio.sleep(attempt.seconds)
        return await self._accepted(attempt, probe)

    async def _accepted(self, attempt: Attempt, probe: Asked) -> VirtualConnection:
        if attempt.session is None:
            refused = attempt.arrival == Arrival.REFUSED
            raise self._failed(DialFault.REFUSED if refused else DialFault.UNREACHABLE)
        script, certificate = attempt.session.begins(with_tls=probe.tls)
        connection = VirtualConnection(attempt.session, script, attempt.rtt_ms, self._failed)
        if probe.tls and certificate is None:
            await connection.write(_HELLO)
            answered = await connection.read(1)
            raise self._failed(DialFault.TLS_FAILED if answered else DialFault.CLOSED)
        if certificate is not None:
            await connection.exchange()
            if probe.verify and certificate in _CERTIFICATES:
                raise self._failed(_CERTIFICATES[certificate])
        return connection


class VirtualConnection:
    """An open connection. The server's script is played as far as the client reads."""

    def __init__(
        self, session: Session, script: Script, rtt_ms: float, failed: Callable[[DialFault], Exception]
    ) -> None:
        self._session, self._script, self._failed = session, script, failed
        self.rtt_ms: float | None = rtt_ms
        self._there = asyncio.get_running_loop().time()
        """When the server did what it did last."""
        self._event: Event | None = next(script, None)
        self._received, self._received_at = bytearray(), self._there
        self._more = asyncio.Event()
        self._ready = b""

    async def exchange(self) -> None:
        """Wait for as long as one message and its answer take."""
        await self._pass(self._there)
        self._there = asyncio.get_running_loop().time()
        await self._pass(self._there)

    async def read(self, limit: int) -> bytes:
        """At most so many bytes of the answer; none at its end. Raises the error for a reset."""
        while not self._ready and self._event is not None:
            await self._play(self._event)
        if not self._ready:
            await self._pass(self._there)
        found, self._ready = self._ready[:limit], self._ready[limit:]
        return found

    async def write(self, data: bytes) -> None:
        """Send all of it. It arrives later, and the caller does not wait for that."""
        self._received += data
        self._received_at = asyncio.get_running_loop().time() + self._session.flight()
        self._more.set()

    def close(self) -> None:
        """End the connection."""
        self._script.close()
        self._event = None

    async def _play(self, event: Event) -> None:
        answer = None
        if isinstance(event, Receive):
            answer = await self._request(event)
        elif isinstance(event, Pause):
            await self._pause(event.seconds)
        elif isinstance(event, Send):
            await self._pass(self._there)
            self._ready = event.data
        else:
            await self._pass(self._there)
            raise self._failed(DialFault.RESET)
        self._event = _next(self._script, answer)

    async def _request(self, event: Receive) -> bytes:
        while not event.complete(self._received):
            self._more.clear()
            await self._more.wait()
        self._there = max(self._there, self._received_at)
        return bytes(self._received)

    async def _pause(self, seconds: float) -> None:
        if math.isinf(seconds):
            await asyncio.get_running_loop().create_future()
        self._there += seconds

    async def _pass(self, sent: float) -> None:
        """Wait until data that was sent then is on the other side."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(max(0.0, sent + self._session.flight() - loop.time()))
            if self._session.passes():
                return
            sent = loop.time() + RETRY


def _next(script: Script, answer: bytes | None) -> Event | None:
    try:
        return next(script) if answer is None else script.send(answer)
    except StopIteration:
        return None
