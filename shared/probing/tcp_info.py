"""The kernel's own round-trip time of a connection.

Read right after the connection is made it is the time from SYN to SYN-ACK. The event loop's clock cannot replace it:
with 100 connections at once it shows how long the process was busy.
"""

from __future__ import annotations

import socket
import struct
import sys
from dataclasses import dataclass

_RETRANSMITS, _RTT, _TOTAL_RETRANS = 2, 68, 100
"""Offsets in `struct tcp_info` (Linux, include/uapi/linux/tcp.h): a byte, and two numbers of 32 bits. The struct only
ever grows at its end."""
_SIZE = 104


@dataclass(frozen=True, slots=True)
class TcpInfo:
    """What the kernel knows of a connection. `retransmitted`: a lost SYN costs a second, so its time is no sample."""

    rtt_ms: float
    retransmitted: bool

    @property
    def sample_ms(self) -> float | None:
        """The round-trip time in milliseconds; None if segments were sent twice."""
        return None if self.retransmitted else self.rtt_ms


def tcp_info(sock: socket.socket) -> TcpInfo | None:
    """Ask the kernel; None where the platform does not know, or a sandbox does not tell."""
    option = getattr(socket, "TCP_INFO", None)
    if not sys.platform.startswith("linux") or option is None:
        return None
    try:
        return parse(sock.getsockopt(socket.IPPROTO_TCP, option, 256))
    except OSError:
        return None


def parse(info: bytes) -> TcpInfo | None:
    """Read a `struct tcp_info`; None if it is too short or has no round-trip time."""
    if len(info) < _SIZE:
        return None
    (rtt_us,) = struct.unpack_from("=I", info, _RTT)
    (total,) = struct.unpack_from("=I", info, _TOTAL_RETRANS)
    if not rtt_us:
        return None
    return TcpInfo(rtt_us / 1000, bool(total or info[_RETRANSMITS]))
