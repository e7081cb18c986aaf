"""An open TCP connection on a non-blocking socket of the running event loop."""

from __future__ import annotations

import asyncio
import contextlib
import socket

from shared.domain.errors import DialError
from shared.probing.os_errors import connection_word


class SocketConnection:
    """A `Connection` without TLS. `rtt_ms`: see `ports.Connection`."""

    def __init__(self, sock: socket.socket, rtt_ms: float | None = None) -> None:
        self._sock = sock
        self.rtt_ms = rtt_ms

    async def read(self, limit: int) -> bytes:
        """At most so many bytes; none at the end. Raises DialError."""
        try:
            return await asyncio.get_running_loop().sock_recv(self._sock, limit)
        except OSError as error:
            raise DialError(connection_word(error.errno)) from error

    async def write(self, data: bytes) -> None:
        """Send all of it. Raises DialError."""
        try:
            await asyncio.get_running_loop().sock_sendall(self._sock, data)
        except OSError as error:
            raise DialError(connection_word(error.errno)) from error

    def close(self, last: bytes = b"") -> None:
        """Send a few last bytes if the socket takes them, and close it without waiting.

        An ordinary close, so that a server sees an end and logs no error. Where the server has sent more than was
        read, the kernel sends RST by itself, which stops an endless answer.
        """
        with contextlib.suppress(OSError):
            if last:
                self._sock.send(last)
        self._sock.close()
