"""A round of probes: every distinct one once, spread, bounded in number and in time."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from shared.config.settings import Probing
from shared.domain.probes import Probe, ProbeResult
from shared.ports import Dialer
from shared.probing.prober import probe

DialKey: TypeAlias = tuple[str, str]
"""An address, and the digest of the probe."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How a round goes. Probes begin spread over `each` seconds for each of them, and `spread` seconds at the most.

    A round is billed by its duration, so that of a few probes is short. `deadline`: seconds until it ends, finished or
    not. `at_once`: open connections, at the most.
    """

    each: float = 0.05
    spread: float = 3.0
    deadline: float = 12.0
    at_once: int = 64


PACE = Pace()


async def probe_all(
    dialer: Dialer,
    dials: Iterable[tuple[str, Probe]],
    probing: Probing,
    pace: Pace = PACE,
    first: Collection[DialKey] = (),
) -> Mapping[DialKey, ProbeResult]:
    """Probe every distinct (address, probe) once; return what was found by the deadline.

    What was not finished by then is missing: it is no evidence. `first`: what begins at once, without a place in the
    spread. Seconds are the event loop's. Raises nothing but what is a defect of the app, after all probes have ended.
    """
    distinct = {(ip, asked.digest): asked for ip, asked in dials}
    gate = asyncio.Semaphore(pace.at_once)
    spread = min(pace.spread, pace.each * len(distinct))

    async def one(key: DialKey, asked: Probe) -> ProbeResult:
        await asyncio.sleep(0.0 if key in first else spread * share_of_spread(key))
        async with gate:
            return await probe(dialer, key[0], asked, probing)

    tasks = {key: asyncio.create_task(one(key, asked)) for key, asked in distinct.items()}
    try:
        if tasks:
            await asyncio.wait(tasks.values(), timeout=pace.deadline)
        done = {key: task for key, task in tasks.items() if task.done()}
    finally:
        await _end(tasks.values())
    return {key: task.result() for key, task in done.items()}


async def _end(tasks: Iterable[asyncio.Task[ProbeResult]]) -> None:
    """Cancel what still runs, and wait until it has closed its connection."""
    running = [task for task in tasks if task.cancel()]
    await asyncio.gather(*running, return_exceptions=True)


def share_of_spread(key: DialKey) -> float:
    """Return when in the spread a probe begins, from 0 to 1: the same in every round and every process."""
    digest = hashlib.sha256("|".join(key).encode()).digest()
    return int.from_bytes(digest[:4]) / 2**32
