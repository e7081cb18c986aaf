"""The dialer of an app that runs against the simulator: connections go through the simulated network's gateway.

One loopback connection stands for one probed connection. The client sends `CONNECT IP:PORT VANTAGE`; after the
simulated time the gateway answers `OK RTT_MS`, `REFUSED` or `UNREACHABLE`, or nothing. After OK, bytes flow both ways.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network

from shared.domain.addresses import NEVER
from shared.domain.errors import DialError
from shared.domain.probes import Probe, ProbeWord
from shared.ports import Connection
from shared.probing.forbidden_addresses import permitted_address
from shared.probing.socket_connection import SocketConnection
from shared.probing.socket_dialer import TlsContexts, secured, tcp_connect
from shared.probing.tls import client_context

LONGEST_LINE = 64
"""Bytes of the gateway's answer."""
_REFUSALS = {"REFUSED": ProbeWord.REFUSED, "UNREACHABLE": ProbeWord.UNREACHABLE}


class GatewayDialer:
    """Implements `ports.Dialer`. `gateway`: `127.0.0.1:PORT`; raises ValueError for any other host.

    A gateway that cannot be reached, or that answers something else, is a fault of this machine.
    """

    def __init__(
        self,
        gateway: str,
        vantage: str,
        never: Iterable[IPv4Network] = (),
        *,
        tls_contexts: TlsContexts = client_context,
    ) -> None:
        host, _, port = gateway.rpartition(":")
        if not IPv4Address(host).is_loopback:
            raise ValueError(f"probe_gateway: {gateway!r} is not on loopback")
        self._host, self._port, self._vantage = host, int(port), vantage
        self._forbidden = (*NEVER, *never)
        self._tls_contexts = tls_contexts

    async def connect(self, ip: str, probe: Probe, connect_seconds: float) -> Connection:
        """Connect to the probe's port in the simulated network. Raises DialError."""
        address = permitted_address(ip, self._forbidden)
        try:
            sock = await tcp_connect(self._host, self._port, connect_seconds)
        except DialError as error:
            raise DialError(ProbeWord.LOCAL_FAULT) from error
        connection = SocketConnection(sock)
        try:
            async with asyncio.timeout(connect_seconds):
                await connection.write(f"CONNECT {address}:{probe.port} {self._vantage}\n".encode())
                connection.rtt_ms = _rtt_ms(await _line(connection))
        except TimeoutError as error:
            connection.close()
            raise DialError(ProbeWord.CONNECT_TIMEOUT) from error
        except BaseException:
            connection.close()
            raise
        return await secured(connection, address, probe, self._tls_contexts)


async def _line(connection: SocketConnection) -> str:
    """Read a line byte by byte: what follows it belongs to the probed connection."""
    line = bytearray()
    while len(line) < LONGEST_LINE:
        byte = await connection.read(1)
        if byte in (b"", b"\n"):
            break
        line += byte
    return line.decode(errors="replace")


def _rtt_ms(line: str) -> float:
    """Return the round-trip time that the gateway tells. Raises DialError for any other answer."""
    if line in _REFUSALS:
        raise DialError(_REFUSALS[line])
    word, _, number = line.partition(" ")
    try:
        rtt_ms = float(number)
    except ValueError as error:
        raise DialError(ProbeWord.LOCAL_FAULT) from error
    if word != "OK" or not math.isfinite(rtt_ms):
        raise DialError(ProbeWord.LOCAL_FAULT)
    return rtt_ms
