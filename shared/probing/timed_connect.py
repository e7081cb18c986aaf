"""A round-trip time for platforms whose kernel does not tell one: the time of a blocking connect in a thread.

It is a second connection to an address that has just accepted one. At most four are made at once, because threads that
wait for the interpreter would measure each other.
"""

from __future__ import annotations

import asyncio
import socket
import time
from concurrent.futures import ThreadPoolExecutor

AT_ONCE = 4
LOST_SYN_SECONDS = 0.9
"""A connect that took so long has lost a SYN, which is sent again after 1 s (RFC 6298): its time is no sample."""


class TimedConnect:
    """Measures with a few threads of its own, which start with the first use."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="probe")

    async def rtt_ms(self, ip: str, port: int) -> float | None:
        """Return milliseconds; None if the address does not accept the connection in time."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, _measure, ip, port)


def _measure(ip: str, port: int) -> float | None:
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
            sock.settimeout(LOST_SYN_SECONDS)
            begun = time.perf_counter()
            sock.connect((ip, port))
            return (time.perf_counter() - begun) * 1000
    except OSError:  # No sample. What the address does is the word of the connection before.
        return None
