"""A sweep in a world where everything is right already: made, swept once, and kept in a folder for fresh processes."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from benchmarks import recorded, worker, worlds
from benchmarks.stage import Sent, Stage
from shared.reconcile import Reconciler

CLIENTS = "eastus"
"""The region of the one zone's clients."""


@dataclass(frozen=True, slots=True)
class Swept:
    """One sweep: what the app sent and asked its catalog, and how many seconds passed (virtual where the loop is)."""

    stage: Stage
    app: Reconciler
    sent: list[Sent]
    asked: Counter[str]
    seconds: float


async def swept(folder: Path, hosts: int, services: int, *, latency: float = 1.0) -> Swept:
    """Sweep a settled world of these VMs and service names, and keep what it takes to do so again.

    With latency, Azure's limits are on as well. Raises RuntimeError where the app finds anything to do.
    """
    world = worlds.world(worlds.fleet(hosts, services), [CLIENTS])
    stage = Stage(world, latency=latency, limits=latency > 0)
    app = stage.app()
    await stage.know(app)
    stage.sent.clear()
    stage.remote.asked.clear()
    stage.wire.answers = []
    begun = stage.clock()
    report = await app.correct_drift()
    seconds, asked = stage.clock() - begun, Counter(stage.remote.asked)
    if report.failures or report.changes or report.skips or report.refusals or report.left:
        raise RuntimeError(f"the world is not settled, or could not be swept: {report.as_json()}")
    recorded.keep(folder, stage.wire.answers)
    (folder / "environment.json").write_text(json.dumps(stage.environment))
    await worker.keep_catalog(folder, app)
    return Swept(stage, app, list(stage.sent), asked, seconds)
