"""A loopback connection that takes as long as the simulated path: bytes of each direction arrive later, in order."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Coroutine

from simulator.dialing.connections import Session

RETRY = 1.0
"""Seconds between two attempts to send data over a path that lets nothing through."""
_CHUNK = 64 * 1024
_WAITING = 16
"""Chunks of a direction that are on their way at once."""


class Flight:
    """Both directions of a connection. `receive` gives the client's bytes; `send` returns before its bytes arrive."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, session: Session) -> None:
        self._reader, self._writer, self._session = reader, writer, session
        self._there: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_WAITING)
        self._back: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_WAITING)
        self._reading = asyncio.create_task(self._read())
        self._writing = asyncio.create_task(self._write())

    async def until_client_leaves(self, work: Coroutine[None, None, None]) -> None:
        """Do the server's work; when the client closes, it is cancelled. A prober never closes one direction only."""
        task = asyncio.create_task(work)
        try:
            await asyncio.wait({task, self._reading}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    async def receive(self) -> bytes:
        """The client's next bytes."""
        due, data = await self._there.get()
        await self._arrive(due)
        return data

    async def send(self, data: bytes) -> None:
        """Send bytes to the client. Raises ConnectionError if it is gone."""
        if self._writing.done():
            raise ConnectionResetError
        await self._back.put((self._due(), data))

    async def finish(self, *, reset: bool) -> None:
        """Wait until all is sent and the end has arrived; `reset`: the client sees a RST instead of an end."""
        await self.send(b"")
        await self._writing
        if reset:
            break_off(self._writer)

    def stop(self) -> None:
        """Leave nothing running."""
        self._reading.cancel()
        self._writing.cancel()

    def _due(self) -> float:
        return asyncio.get_running_loop().time() + self._session.flight()

    async def _arrive(self, due: float) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(max(0.0, due - loop.time()))
            if self._session.passes():
                return
            due = loop.time() + RETRY

    async def _read(self) -> None:
        with contextlib.suppress(OSError):  # The client has reset the connection.
            while data := await self._reader.read(_CHUNK):
                await self._there.put((self._due(), data))

    async def _write(self) -> None:
        with contextlib.suppress(OSError):  # As above.
            while True:
                due, data = await self._back.get()
                await self._arrive(due)
                if not data:
                    return
                self._writer.write(data)
                await self._writer.drain()


def break_off(writer: asyncio.StreamWriter) -> None:
    """Close with a RST."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
