"""The probe gateway: connections of the app's prober to the simulated network, over loopback.

One TCP connection on loopback stands for one probed connection. The client sends `CONNECT IP:PORT VANTAGE` and a line
feed. After the simulated time the gateway answers `OK RTT_MS`, `REFUSED` or `UNREACHABLE` and a line feed, or nothing
at all. After OK it plays the model server: bytes flow both ways, delayed by the path, and TLS is real.
"""

from __future__ import annotations

import asyncio
import math
import ssl
from collections.abc import Callable
from typing import TypeAlias

from simulator.dialing.connections import ProbedNetwork, Session
from simulator.front_ends.flight import Flight
from simulator.model_servers.events import Pause, Receive, Reset, Script, Send
from simulator.model_servers.server import Arrival, Certificate

LONGEST_LINE = 256
_HANDSHAKE = 0x16
"""The first byte of a client that speaks TLS."""

Contexts: TypeAlias = Callable[[Certificate, str], ssl.SSLContext]
"""The TLS context of a model server: with this certificate, at this address."""


class ProbeGateway:
    """Listens on loopback once `start` has returned; `address` is HOST:PORT then."""

    def __init__(self, network: ProbedNetwork, contexts: Contexts) -> None:
        self._network, self._contexts = network, contexts
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()
        self.address = ""

    async def start(self, port: int) -> None:
        """Listen; port 0: any free one. Raises OSError for a port in use."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", port, limit=LONGEST_LINE)
        host, found = self._server.sockets[0].getsockname()[:2]
        self.address = f"{host}:{found}"

    async def stop(self) -> None:
        """Stop listening and break off everything."""
        if self._server is not None:
            self._server.close()
        for each in self._open:
            each.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._open.add(task)
            task.add_done_callback(self._open.discard)
        try:
            await self._serve(reader, writer)
        except (OSError, ValueError, asyncio.LimitOverrunError):  # The client is gone, or speaks something else.
            pass
        finally:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        word, target, vantage = (await reader.readline()).decode("ascii").split()
        ip, _, port = target.rpartition(":")
        if word != "CONNECT":
            return
        attempt = self._network.attempt(vantage, ip, int(port))
        if attempt.arrival == Arrival.SILENT:
            await reader.read()
            return
        await asyncio.sleep(attempt.seconds)
        if attempt.session is None:
            writer.write(f"{attempt.arrival.name}\n".encode())
            return
        writer.write(f"OK {attempt.rtt_ms:.4f}\n".encode())
        flight = Flight(reader, writer, attempt.session)
        talk = _Conversation(flight, attempt.session, lambda shown: self._contexts(shown, ip))
        try:
            await flight.until_client_leaves(talk.hold())
        finally:
            flight.stop()


class _Conversation:
    """A model server's script, played on a connection; inside TLS if the client begins with it."""

    def __init__(self, flight: Flight, session: Session, context: Callable[[Certificate], ssl.SSLContext]) -> None:
        self._flight, self._session, self._context = flight, session, context
        self._tls: ServerTls | None = None
        self._received = bytearray()

    async def hold(self) -> None:
        """Play it to its end. Raises OSError if the client has broken off."""
        script = self._session.talk.script
        if not self._session.talk.raw:
            script = await self._begin()
        await self._play(script)

    async def _begin(self) -> Script:
        """Find out from the first bytes what the client speaks."""
        first = await self._flight.receive()
        script, certificate = self._session.begins(with_tls=first[0] == _HANDSHAKE)
        if certificate is not None:
            self._tls = ServerTls(self._context(certificate))
        await self._take(first)
        return script

    async def _play(self, script: Script) -> None:
        answer: bytes | None = None
        while True:
            try:
                event = next(script) if answer is None else script.send(answer)
            except StopIteration:
                break
            answer = None
            match event:
                case Receive():
                    answer = await self._request(event)
                case Pause(seconds):
                    await _pause(seconds)
                case Send(data):
                    await self._flight.send(data if self._tls is None else self._tls.wrapped(data))
                case Reset():
                    await self._flight.finish(reset=True)
                    return
        await self._flight.finish(reset=False)

    async def _request(self, event: Receive) -> bytes:
        while not event.complete(self._received):
            await self._take(await self._flight.receive())
        return bytes(self._received)

    async def _take(self, data: bytes) -> None:
        if self._tls is None:
            self._received += data
            return
        self._received += self._tls.unwrapped(data)
        if reply := self._tls.pending():
            await self._flight.send(reply)


class ServerTls:
    """The server's end of TLS, apart from any socket. Calls raise ConnectionError if the client breaks it off."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)

    def unwrapped(self, data: bytes) -> bytes:
        """Take bytes of the client; gives what they contain, nothing during the handshake."""
        self._incoming.write(data)
        found = b""
        try:
            self._tls.do_handshake()
            while more := self._tls.read(64 * 1024):
                found += more
        except ssl.SSLWantReadError:
            return found
        except ssl.SSLError as error:
            raise ConnectionResetError from error
        return found

    def pending(self) -> bytes:
        """What must be sent to the client."""
        return self._outgoing.read()

    def wrapped(self, data: bytes) -> bytes:
        """Bytes for the client, encrypted."""
        self._tls.write(data)
        return self.pending()


async def _pause(seconds: float) -> None:
    if math.isinf(seconds):
        await asyncio.get_running_loop().create_future()
    await asyncio.sleep(seconds)
