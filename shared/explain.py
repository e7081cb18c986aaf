"""What a person asks in an incident: how do things stand, and why does this zone answer that? Reads, never writes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from cronsim import CronSim

from shared import preflight
from shared.drain import INCOMPLETE, Drainer
from shared.model import Alarm, Dirty, Endpoint, Marker, Zone
from shared.plan import OWNER_KEY
from shared.ports import Stored
from shared.report import told
from shared.routing import decisions, route
from shared.settings import Settings


async def status(drainer: Drainer) -> dict[str, Any]:
    """Zones, dirty names, endpoints by state, the last sweep, drain orders, refusals and alarms."""
    catalog, settings = drainer.catalog, drainer.settings
    stored = await catalog.marker()
    marker = stored.value if stored else Marker()
    dirty = {zone.key: [row.value for row in await catalog.dirty(zone.key)] for zone in settings.zones}
    endpoints = [row.value.endpoint for row in await catalog.endpoints()]
    alarms = [*marker.alarms, *marker.findings, *overdue(stored, settings, drainer.clock())]
    alarms += _trouble(endpoints, [d for rows in dirty.values() for d in rows])
    complete = await drainer.complete()
    if not complete:
        alarms.append(INCOMPLETE)
    return {
        "mode": "apply" if settings.apply else "shadow",
        "owner": settings.owner,
        "zones": [{"id": zone.id, "region": zone.region, "dirty": len(dirty[zone.key])} for zone in settings.zones],
        "dirty": [_dirty(d) for rows in dirty.values() for d in sorted(rows, key=lambda d: (d.urgency, d.since))],
        "endpoints": dict(sorted(Counter(e.state.value for e in endpoints).items())),
        "last_sweep": {"completed_at": _time(marker.completed_at), "current": bool(complete)},
        "drains": [{"target": order.target, "until": _time(order.until)} for order in await drainer.orders()],
        "refusals": list(marker.refusals),
        "alarms": [told(alarm) for alarm in alarms],
    }


def overdue(stored: Stored[Marker] | None, settings: Settings, now: float) -> list[Alarm]:
    """Whether sweeps or events have stopped coming; nothing before the first sweep was complete."""
    if not stored or not stored.value.completed_at:
        return []
    due = CronSim(settings.sweep_schedule, datetime.fromtimestamp(now, UTC), reverse=True)
    third_last = next(islice(due, 2, None)).timestamp()
    return preflight.overdue(stored.value.completed_at, third_last) + preflight.silence(stored.value.event_at, now)


def _trouble(endpoints: Iterable[Endpoint], dirty: Iterable[Dirty]) -> Iterator[Alarm]:
    """Endpoints that cannot be read, or whose claims are not what they should be, and names that fail."""
    for endpoint in endpoints:
        if endpoint.doubt:
            do = "where it is forbidden, assign Reader at its subscription"
            yield Alarm(f"{endpoint.id}: {endpoint.doubt}", "what was known of it stays published", do)
        for fault in endpoint.faults:
            yield Alarm(f"{endpoint.id}: {fault}", "this part of it is not published", "correct it, or leave it so")
    for row in dirty:
        if row.attempts:
            what = f"{row.name} in {row.zone} failed {row.attempts} times: {row.last_error}"
            yield Alarm(what, "its answer is old", "it is tried again by itself; the error says what stands in the way")


async def explain(drainer: Drainer, zone: Zone, name: str) -> dict[str, Any]:
    """One answer: every claim, in or out, and why, beside what the zone holds now. Raises Transient, Terminal."""
    catalog = drainer.catalog
    record = await drainer.record_sets.get(zone, name)
    endpoints = [row.endpoint for row in await catalog.claimants(name)]
    known = (zone, name, endpoints, await drainer.orders(), drainer.settings, drainer.latency)
    answer = route(*known)
    dirty = await catalog.dirty_name(zone.key, name)
    return {
        "zone": zone.id,
        "name": name,
        "answer": {
            "addresses": None if answer.addresses is None else list(answer.addresses),
            "ttl": answer.ttl,
            "reason": answer.reason,
        },
        "record": {
            "addresses": list(record.addresses),
            "ttl": record.ttl,
            "owned": record.tag(OWNER_KEY) == drainer.settings.owner,
        }
        if record
        else None,
        "claims": [
            {
                "endpoint": decision.endpoint,
                "region": decision.region,
                "state": decision.state.value,
                "addresses": list(decision.addresses),
                "included": decision.included,
                "reason": decision.reason,
            }
            for decision in decisions(*known)
        ],
        "dirty": _dirty(dirty.value) if dirty else None,
    }


def _dirty(dirty: Dirty) -> dict[str, Any]:
    return {
        "zone": dirty.zone,
        "name": dirty.name,
        "urgency": dirty.urgency.name.lower(),
        "since": _time(dirty.since),
        "attempts": dirty.attempts,
        "not_before": _time(dirty.not_before),
        "last_error": dirty.last_error,
    }


def _time(seconds: float) -> str | None:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds") if seconds else None
