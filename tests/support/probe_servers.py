"""What a probe meets: scripted connections in virtual time, and real servers on loopback that misbehave."""

import asyncio
import datetime as dt
import socket
import ssl
import struct
from contextlib import asynccontextmanager

import trustme

from shared.domain.errors import DialError
from shared.domain.probes import ProbeWord

FOREVER = 1e9
"""Seconds that no test waits."""


class FakeConnection:
    """A connection whose server follows a script: bytes to send, seconds to wait, or a word with which it breaks.

    After the script it has closed. `taken`: bytes that were read; `written`: bytes that were sent to it.
    """

    def __init__(self, *script, rtt_ms=1.5, hangs=False):
        self.script = [*script, FOREVER] if hangs else list(script)
        self.rtt_ms = rtt_ms
        self.taken, self.written, self.closed = 0, b"", False

    async def read(self, limit):
        assert limit > 0
        while self.script:
            step = self.script.pop(0)
            if isinstance(step, ProbeWord):
                raise DialError(step)
            if not isinstance(step, bytes):
                await asyncio.sleep(step)
                continue
            if step[limit:]:
                self.script.insert(0, step[limit:])
            if step:
                self.taken += len(step[:limit])
                return step[:limit]
        return b""

    async def write(self, data):
        self.written += data

    def close(self, last=b""):
        self.written += last
        self.closed = True


class Endless:
    """An endless script of the same step; a step may be bytes or seconds."""

    def __init__(self, *steps):
        self.steps, self.at = steps, 0

    def pop(self, _):
        self.at += 1
        return self.steps[(self.at - 1) % len(self.steps)]

    def insert(self, *_):
        """What was not read of a step is sent again in the next."""


class FakeDialer:
    """Gives scripted connections by address; a word in place of one is how connecting fails, a number a delay."""

    def __init__(self, **connections):
        self.connections = {ip.replace("_", "."): found for ip, found in connections.items()}
        self.dialed = []

    async def connect(self, ip, probe, connect_seconds):
        self.dialed.append((ip, probe, connect_seconds))
        found = self.connections[ip]
        if isinstance(found, ProbeWord):
            raise DialError(found)
        return found


class TlsPeer:
    """A connection to a TLS server in memory. After the handshake the server sends `answer`, one piece a record.

    `spoil(bytes)`: what becomes of the server's bytes on their way. `got`: what it has received in all.
    """

    rtt_ms = 1.5

    def __init__(self, context, answer=(), spoil=bytes):
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._answer, self._spoil, self._ready = answer, spoil, False
        self._pending = b""
        self.taken, self.got, self.ended, self.closed = 0, b"", False, False

    async def write(self, data):
        self._incoming.write(data)
        try:
            if not self._ready:
                self._tls.do_handshake()
                self._ready = True
                for piece in self._answer:
                    self._tls.write(piece)
            self.got += self._tls.read()
        except ssl.SSLError as error:
            self.ended |= isinstance(error, ssl.SSLZeroReturnError)
        self._pending += self._spoil(self._outgoing.read())

    async def read(self, limit):
        found, self._pending = self._pending[:limit], self._pending[limit:]
        self.taken += len(found)
        return found

    def close(self, last=b""):
        """Take the last bytes; `ended`: with the alert that TLS prescribes."""
        self.closed = True
        self._incoming.write(last)
        try:
            while data := self._tls.read():
                self.got += data
            self.ended = True
        except ssl.SSLError:
            self.ended = False


def accepting(ip="127.0.0.1", backlog=64):
    """A listening socket on a free port whose connections the kernel accepts, and nothing else happens."""
    sock = socket.socket()
    sock.bind((ip, 0))
    sock.listen(backlog)
    return sock


def refused_port():
    """A port of loopback on which nothing listens. It stays bound, so that no other process takes it."""
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    return sock


def full():
    """A listening socket that accepts nothing, and whose queue is full: the kernel drops every further SYN."""
    server = accepting(backlog=0)
    fillers = []
    for _ in range(4):
        filler = socket.socket()
        filler.setblocking(False)
        filler.connect_ex(server.getsockname())
        fillers.append(filler)
    return server, fillers


def reset(writer):
    """End a server's connection with RST."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@asynccontextmanager
async def serving(handle, context=None):
    """Serve `handle(reader, writer)` on a free port of loopback; yields the port."""
    running = set()

    async def one(reader, writer):
        running.add(asyncio.current_task())
        try:
            await handle(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(one, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def answers(text):
    """A server that reads a request and gives this answer."""

    async def handle(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(text)
        await writer.drain()

    return handle


class Certificates:
    """A certificate authority, and TLS contexts that know it."""

    def __init__(self):
        self.ca = trustme.CA()

    def server(self, *names, expired=False, valid_in=None):
        """The context of a server with a certificate for these names. `valid_in`: how long until it is valid."""
        day = dt.timedelta(days=1)
        end = dt.datetime.now(dt.UTC) - day if expired else None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        begin = dt.datetime.now(dt.UTC) + valid_in if valid_in else None
        self.ca.issue_cert(*names, not_before=begin, not_after=end).configure_cert(context)
        return context

    def clients(self, *, verify):
        """What `client_context` gives, trusting this authority alone."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.ca.configure_trust(context)
        context.check_hostname = verify
        context.verify_mode = ssl.CERT_REQUIRED if verify else ssl.CERT_NONE
        return context
