"""A round of probes of 200 addresses, 10 of them dead: what it costs, and how exact its round-trip times are.

Real sockets on loopback. The servers have a process of their own, and each measurement has a fresh one. The living
addresses answer `GET /health` at once; the dead ones drop every SYN. Every address must get its right word. Wall time
has two parts that do not depend on the machine: probes begin spread over 3 s, and a dead address takes 3 s.

**Round-trip times**: 100 connections at once. On loopback a round trip takes some hundredths of a millisecond, so the
95th percentile of what is measured is error. `loop_clock_error_ms` is the event loop's time for the same connections.

**Memory** is how far a process grows that has imported everything and makes its first round.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import worker
from benchmarks.harness import Figure, Say, Scenario

ALIVE, DEAD = 190, 10
ROUNDS, BURSTS = 5, 20
_ROOT = Path(__file__).parent.parent

FIGURES = {
    "rtt_error_ms": Figure("ms", "error of the round-trip time, 100 connections at once, p95", "<= 0.5", "real"),
    "loop_clock_error_ms": Figure("ms", "the same by the event loop's clock", None, "real"),
    "round_cpu_s": Figure("s", "CPU of a round of HTTP probes, 200 addresses, 10 of them dead", "<= 0.4", "real"),
    "tls_round_cpu_s": Figure("s", "the same with TLS", None, "real"),
    "round_wall_s": Figure("s", "duration of the round", "<= 6", "real"),
    "round_mb": Figure("MB", "memory that the first round adds", "<= 30", "real"),
    "process_mb": Figure("MB", "peak memory of a process that does nothing but probe", None, "real"),
}


@contextmanager
def servers(alive: int, dead: int) -> Iterator[str]:
    """Run the servers until the block ends; yields what they print."""
    command = [sys.executable, "-m", "benchmarks.probe_servers", str(alive), str(dead)]
    with subprocess.Popen(command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own command
        assert process.stdout  # noqa: S101 - for the type checker: it is a pipe
        yield json.dumps(json.loads(process.stdout.readline()))
        process.communicate()


def measure(alive: int, dead: int, rounds: int, bursts: int, say: Say) -> dict[str, float]:
    """Return all figures."""
    found: dict[str, float] = {}
    with servers(alive, dead) as addresses:
        for what, times in (("rtt", bursts), ("round", rounds), ("tls", rounds)):
            say(f"{what}, {times} times")
            command = [sys.executable, "-m", "benchmarks.probe_worker", what, str(times), addresses]
            found |= worker.run(command)
    return found


def _run(quick: bool, say: Say) -> dict[str, float]:
    return measure(19, 1, 1, 3, say) if quick else measure(ALIVE, DEAD, ROUNDS, BURSTS, say)


SCENARIO = Scenario("A round of probes: CPU, duration, memory, and the error of round-trip times.", FIGURES, _run)
