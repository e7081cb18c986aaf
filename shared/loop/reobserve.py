"""Observing endpoints again that are expected to change without an event."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from shared.decide.confirmation import NO_EVENT
from shared.domain.concurrency import gather_bounded
from shared.domain.endpoints import EndpointRow, State
from shared.domain.errors import NearzoneError
from shared.edge.report import Report
from shared.loop.recorder import Recorder
from shared.loop.times import cause_now
from shared.ports import Catalog

MAX_CONCURRENT_REOBSERVATIONS = 8


async def reobserve_pending(
    catalog: Catalog, recorder: Recorder, clock: Callable[[], float], deadline: float, report: Report
) -> None:
    """Observe what was warming, in doubt, or left half recorded by a crash; the endpoint seen longest ago comes first.

    After these, endpoints that only lists have shown: how they report their health is learned now, and not when they
    start. What a sweep has listed and not read yet is left to the sweeps. Nothing begins after the deadline.
    """
    rows = sorted((stored.value for stored in await catalog.endpoints()), key=lambda row: row.seen_at)
    now = clock()
    pending = [row.endpoint.id for row in rows if _is_pending(row, now)]
    listed_only = [row.endpoint.id for row in rows if not _is_pending(row, now) and _is_listed_only(row)]
    queue, cause = deque(pending + listed_only), cause_now("drain", now)

    async def work() -> None:
        while queue and clock() < deadline:
            endpoint_id = queue.popleft()
            try:
                await recorder.observe_and_record(endpoint_id, cause, NO_EVENT)
                report.observed += 1
            except NearzoneError as error:
                report.fail(endpoint_id, error)

    await gather_bounded(work() for _ in range(MAX_CONCURRENT_REOBSERVATIONS))


def _is_pending(row: EndpointRow, now: float) -> bool:
    return row.endpoint.state == State.WARMING or bool(row.todo) or 0.0 < row.look_at <= now


def _is_listed_only(row: EndpointRow) -> bool:
    endpoint = row.endpoint
    claims = bool(endpoint.names) and endpoint.state != State.GONE
    return endpoint.health is None and claims and not endpoint.doubt and not endpoint.unread
