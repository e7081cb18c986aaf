"""Probes in a fresh process: `python -m benchmarks.probe_worker WHAT TIMES SERVERS`, SERVERS as `probe_servers` prints.

    round    CPU, wall time and memory of a round of HTTP probes
    tls      CPU of a round of HTTPS probes
    rtt      connections at once: the kernel's round-trip time, and the event loop's clock on the same sockets

Prints one line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from benchmarks.probe_servers import NAME
from benchmarks.recorded import memory_mb
from shared.config.settings import Probing
from shared.domain.probes import Probe, ProbeResult, ProbeWord
from shared.probing.rounds import DialKey, probe_all
from shared.probing.socket_dialer import SocketDialer

PROBING = Probing()
AT_ONCE = 100


async def _round(servers: Mapping[str, Any], asked: Probe) -> Mapping[DialKey, ProbeResult]:
    """Probe everything once. Raises RuntimeError if an address is found to be other than it is."""
    dials = [(ip, asked) for ip in (*servers["alive"], *servers["dead"])]
    results = await probe_all(SocketDialer(forbidden=()), dials, PROBING)
    for ip in (*servers["alive"], *servers["dead"]):
        word = ProbeWord.OK if ip in servers["alive"] else ProbeWord.CONNECT_TIMEOUT
        found = results.get((ip, asked.digest))
        if found is None or found.word != word:
            raise RuntimeError(f"{ip}: {found}")
    return results


async def plain(servers: Mapping[str, Any], times: int) -> dict[str, float]:
    """Return the medians of some rounds, and how far the first has raised the memory of the process."""
    before, cpu, wall = memory_mb("VmRSS"), [], []
    peak = 0.0
    for _ in range(times):
        begun, spent = time.perf_counter(), time.process_time()
        await _round(servers, Probe("http", servers["port"], "/health"))
        cpu.append(time.process_time() - spent)
        wall.append(time.perf_counter() - begun)
        peak = peak or memory_mb("VmHWM")
    return {
        "round_cpu_s": statistics.median(cpu),
        "round_wall_s": statistics.median(wall),
        "round_mb": peak - before,
        "process_mb": peak,
    }


async def tls(servers: Mapping[str, Any], times: int) -> dict[str, float]:
    """Return the median CPU of some rounds over TLS; certificates are not verified."""
    cpu = []
    for _ in range(times):
        spent = time.process_time()
        await _round(servers, Probe("https", servers["tls_port"], "/health", tls=True, tls_name=NAME, verify=False))
        cpu.append(time.process_time() - spent)
    return {"tls_round_cpu_s": statistics.median(cpu)}


async def rtt(servers: Mapping[str, Any], times: int) -> dict[str, float]:
    """Return the 95th percentile of both clocks: on loopback, all but some hundredths of a millisecond is error."""
    dialer, asked = SocketDialer(forbidden=()), Probe("tcp", servers["port"])
    kernel: list[float] = []
    loop: list[float] = []

    async def one(ip: str) -> None:
        begun = time.perf_counter()
        connection = await dialer.connect(ip, asked, 30.0)
        loop.append((time.perf_counter() - begun) * 1000)
        if connection.rtt_ms is not None:
            kernel.append(connection.rtt_ms)
        connection.close()

    for _ in range(times):
        await asyncio.gather(*(one(servers["alive"][number % len(servers["alive"])]) for number in range(AT_ONCE)))
    if len(kernel) < 0.9 * len(loop):
        raise RuntimeError(f"the kernel has told {len(kernel)} of {len(loop)} round-trip times")
    return {
        "rtt_error_ms": statistics.quantiles(kernel, n=20)[-1],
        "loop_clock_error_ms": statistics.quantiles(loop, n=20)[-1],
    }


KINDS: dict[str, Callable[[Mapping[str, Any], int], Coroutine[Any, Any, dict[str, float]]]] = {
    "round": plain,
    "tls": tls,
    "rtt": rtt,
}


if __name__ == "__main__":
    what, times, servers = sys.argv[1:]
    sys.stdout.write(json.dumps(asyncio.run(KINDS[what](json.loads(servers), int(times)))) + "\n")
