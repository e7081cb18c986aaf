"""A sweep in a world where everything is right already: created, swept once, and recorded for fresh processes."""

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
class SweepMeasurement:
    """One sweep: the app's requests and catalog calls, and its seconds (virtual if the loop is)."""

    stage: Stage
    app: Reconciler
    sent: Sequence[Sent]
    asked: Counter[str]
    seconds: float

    @property
    def writes(self) -> int:
        """The number of requests other than reads."""
        return sum(each.method != "GET" for each in self.sent)


def a_stage(hosts: int, services: int, *, latency: float = 1.0) -> Stage:
    """Return a world of these VMs and service names in which nothing has to change.

    With latency, Azure's limits are on.
    """
    world = worlds.world(worlds.fleet(hosts, services), [CLIENTS])
    return Stage(world, latency=latency, limits=latency > 0)


async def keep_sweep(folder: Path, stage: Stage) -> SweepMeasurement:
    """Sweep a world that the app knows, and record what a repetition needs in which nothing has to change.

    If this sweep changed something, a second one is recorded. Raises RuntimeError if a sweep was incomplete.
    """
    app = stage.app()
    await stage.fill_catalog(app)
    found = await _sweep(stage, app)
    if found.writes:
        await _sweep(stage, app)
    recorded.keep(folder, stage.wire.answers or [])
    (folder / "environment.json").write_text(json.dumps(stage.environment))
    await worker.keep_catalog(folder, app)
    return found


async def _sweep(stage: Stage, app: Reconciler) -> SweepMeasurement:
    stage.sent.clear()
    stage.remote.asked.clear()
    stage.wire.answers = []
    begun = stage.clock()
    report = await app.correct_drift()
    seconds, asked = stage.clock() - begun, Counter(stage.remote.asked)
    if report.failures or report.skips or report.refusals or report.names_remaining:
        raise RuntimeError(f"the world could not be swept to its end: {report.as_json()}")
    return SweepMeasurement(stage, app, tuple(stage.sent), asked, seconds)
