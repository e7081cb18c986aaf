"""A sweep in a world where everything is right already: made, swept once, and kept in a folder for fresh processes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import recorded, worker, worlds
from benchmarks.stage import Sent, Stage
from shared.loop.reconciler import Reconciler

CLIENTS = "eastus"
"""The region of the one zone's clients."""


@dataclass(frozen=True, slots=True)
class Swept:
    """One sweep: what the app sent and asked its catalog, and how many seconds passed (virtual where the loop is)."""

    stage: Stage
    app: Reconciler
    sent: Sequence[Sent]
    asked: Counter[str]
    seconds: float

    @property
    def writes(self) -> int:
        """How many requests were not for reading."""
        return sum(each.method != "GET" for each in self.sent)


def a_stage(hosts: int, services: int, *, latency: float = 1.0) -> Stage:
    """A world of these VMs and service names in which nothing has to change. With latency, Azure's limits are on."""
    world = worlds.world(worlds.fleet(hosts, services), [CLIENTS])
    return Stage(world, latency=latency, limits=latency > 0)


async def swept(folder: Path, stage: Stage) -> Swept:
    """Sweep a world that the app knows, and keep what it takes to do so again, with nothing to do.

    Where this sweep did have something to do, a second one is kept. Raises RuntimeError where a sweep was not whole.
    """
    app = stage.app()
    await stage.know(app)
    found = await _sweep(stage, app)
    if found.writes:
        await _sweep(stage, app)
    recorded.keep(folder, stage.wire.answers or [])
    (folder / "environment.json").write_text(json.dumps(stage.environment))
    await worker.keep_catalog(folder, app)
    return found


async def _sweep(stage: Stage, app: Reconciler) -> Swept:
    stage.sent.clear()
    stage.remote.asked.clear()
    stage.wire.answers = []
    begun = stage.clock()
    report = await app.correct_drift()
    seconds, asked = stage.clock() - begun, Counter(stage.remote.asked)
    if report.failures or report.skips or report.refusals or report.names_remaining:
        raise RuntimeError(f"the world could not be swept to its end: {report.as_json()}")
    return Swept(stage, app, tuple(stage.sent), asked, seconds)
