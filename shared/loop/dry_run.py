"""A dry run reads and plans like a sweep, and writes nothing: neither to Azure nor to the catalog."""

from __future__ import annotations

from dataclasses import dataclass, field

from shared.decide.inventory_diff import InventoryDiff, Row, diff_inventory
from shared.domain.endpoints import Endpoint
from shared.domain.errors import NearzoneError
from shared.domain.sweep_scope import SweepScope
from shared.edge.report import Report
from shared.loop.catch_up import (
    MAX_CONCURRENT_READS,
    MAX_CONCURRENT_RECORDINGS,
    read_throttled,
    report_late,
    run_until,
)
from shared.loop.recorder import Recorder
from shared.loop.sweep_plan import SweepPlan, plan_sweep
from shared.loop.sweep_reader import Fleet, SweepReader


async def dry_run(reader: SweepReader, scope: SweepScope, deadline: float, report: Report) -> tuple[Fleet, SweepPlan]:
    """What a sweep would do. Its changes go into the report; no metric counts them. Raises Transient."""
    zones = await reader.read_zones(scope.zones, await reader.read_owned(scope.zones), report)
    inventory = await reader.read_inventory(None, report)
    diff, work = diff_inventory(inventory.rows, inventory.listings), DryRunObservations(reader.recorder, report)
    report.observed = diff.listed
    report.complete = await work.run(diff, deadline) and inventory.is_complete
    known = {key: stored.value.endpoint for key, stored in inventory.rows.items()}
    fleet = Fleet(inventory.rows, inventory.listings, known | work.seen, report.complete)
    plan = await plan_sweep(reader.applier, scope, zones, fleet, report)
    report.changes += [change for each in plan.zones for change in each.changes]
    return fleet, plan


@dataclass
class DryRunObservations:
    """Takes the place of `ObservationCatchUp`. `seen`: the endpoints as the catalog would know them, by their keys."""

    recorder: Recorder
    report: Report
    seen: dict[str, Endpoint] = field(default_factory=dict)
    _complete: bool = True

    async def run(self, diff: InventoryDiff, deadline: float) -> bool:
        """Observe; whether all of it was done before the deadline, and nothing is left open."""
        clock = self.recorder.clock
        self.seen |= {endpoint.key: endpoint for endpoint, _ in diff.differing}
        reads = (self._read(*pair, deadline) for pair in (*diff.unknown, *diff.needs_get))
        late = await run_until(reads, MAX_CONCURRENT_READS, clock, deadline)
        missing = (self._check_missing(endpoint) for endpoint in diff.missing)
        late += await run_until(missing, MAX_CONCURRENT_RECORDINGS, clock, deadline)
        report_late(late, self.report)
        return not late and self._complete

    async def _read(self, listed: Endpoint, stored: Row, deadline: float) -> None:
        previous, recorder = stored.value.endpoint if stored else None, self.recorder
        try:
            found, _ = await read_throttled(recorder.observer, recorder.clock, listed, previous, deadline)
        except NearzoneError as error:
            self._complete &= previous is not None  # Of a known endpoint the names are known.
            self.report.fail(listed.id, error)
        else:
            self.seen[listed.key] = found

    async def _check_missing(self, endpoint: Endpoint) -> None:
        try:
            self.seen[endpoint.key] = await self.recorder.observer.inventory.observe(endpoint.id, endpoint)
        except NearzoneError as error:
            self.report.fail(endpoint.id, error)
