"""The real dialer: a socket for each connection, the kernel's round-trip time, TLS where the probe asks for it.

It opens connections to IPv4 addresses and nothing else: no DNS, no proxy, no setting of the environment that could lead
elsewhere.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections.abc import Callable, Iterable
from ipaddress import IPv4Network
from typing import Protocol

from shared.domain.addresses import NEVER
from shared.domain.errors import DialError
from shared.domain.probes import Probe, ProbeWord
from shared.ports import Connection
from shared.probing.forbidden_addresses import permitted_address
from shared.probing.os_errors import connect_word
from shared.probing.socket_connection import SocketConnection
from shared.probing.tcp_info import TcpInfo, tcp_info
from shared.probing.timed_connect import TimedConnect
from shared.probing.tls import TlsConnection, Transport, client_context


class TlsContexts(Protocol):
    """Gives the process's TLS context of a kind."""

    def __call__(self, *, verify: bool) -> ssl.SSLContext:
        """One that checks certificates, or one that does not."""


class SocketDialer:
    """Implements `ports.Dialer`.

    `never`: networks of the settings that it never connects to; `forbidden`: those that no app connects to.
    `ask_kernel`: what the kernel knows of a connection; where that is nothing, the round-trip time is measured by a
    second connection.
    """

    def __init__(
        self,
        never: Iterable[IPv4Network] = (),
        *,
        forbidden: Iterable[IPv4Network] = tuple(NEVER),
        tls_contexts: TlsContexts = client_context,
        ask_kernel: Callable[[socket.socket], TcpInfo | None] = tcp_info,
    ) -> None:
        self._forbidden = (*forbidden, *never)
        self._tls_contexts = tls_contexts
        self._ask_kernel = ask_kernel
        self._timed = TimedConnect()

    async def connect(self, ip: str, probe: Probe, connect_seconds: float) -> Connection:
        """Connect to the probe's port, with TLS where it asks for that. Raises DialError."""
        address = permitted_address(ip, self._forbidden)
        sock = await tcp_connect(address, probe.port, connect_seconds)
        connection = SocketConnection(sock)
        try:
            known = self._ask_kernel(sock)
            connection.rtt_ms = known.sample_ms if known else await self._timed.rtt_ms(address, probe.port)
        except BaseException:
            connection.close()
            raise
        return await secured(connection, address, probe, self._tls_contexts)


async def tcp_connect(ip: str, port: int, seconds: float) -> socket.socket:
    """Return a connected, non-blocking socket. Raises DialError.

    A time out of less than 3 s would take one lost SYN for a dead address.
    """
    try:
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    except OSError as error:
        raise DialError(connect_word(error.errno, at_once=True)) from error
    sock.setblocking(False)
    try:
        async with asyncio.timeout(seconds):
            await _connect(sock, ip, port)
    except TimeoutError as error:
        sock.close()
        raise DialError(ProbeWord.CONNECT_TIMEOUT) from error
    except BaseException:
        sock.close()
        raise
    return sock


async def _connect(sock: socket.socket, ip: str, port: int) -> None:
    code = sock.connect_ex((ip, port))
    if waits := code == errno.EINPROGRESS:
        await _writable(sock)
        code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if code:
        raise DialError(connect_word(code, at_once=not waits))


async def _writable(sock: socket.socket) -> None:
    """Wait until the attempt to connect has ended."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_writer(sock, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_writer(sock)


async def secured(transport: Transport, ip: str, probe: Probe, contexts: TlsContexts) -> Connection:
    """Return the connection itself, or one with TLS over it. Closes it and raises DialError if there is no TLS."""
    if not probe.tls:
        return transport
    try:
        connection = TlsConnection(transport, contexts(verify=probe.verify), probe.tls_name or ip)
    except DialError:
        transport.close()
        raise
    try:
        await connection.handshake()
    except BaseException:
        connection.close()
        raise
    return connection
