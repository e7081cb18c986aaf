"""The status for operators: how things stand. Reads, never writes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain, islice
from typing import Any, NamedTuple

from cronsim import CronSim

from shared.config.settings import Settings
from shared.decide import unpublished
from shared.decide import unreadable_rows as bad_rows
from shared.decide import wait_reasons as waiting
from shared.decide.alarms import Trouble, grouped, zone_label
from shared.decide.rules import Rules
from shared.domain.alarms import Alarm
from shared.domain.catalog_rows import Versioned
from shared.domain.catalog_state import CatalogState
from shared.domain.dirty import DirtyName
from shared.domain.endpoints import EndpointRow, State
from shared.domain.overrides import Override, active_freeze
from shared.domain.zone_findings import BlockedName, ZoneFindings
from shared.domain.zones import Zone
from shared.edge.report import alarm_json, refused_plan_json
from shared.loop import probing_status
from shared.loop.incomplete import incomplete_alarm
from shared.loop.overdue import overdue_alarms
from shared.loop.status_json import caller_json, change_json, dirty_json, progress_json, sweep_json, until_json
from shared.loop.status_sources import StatusSources
from shared.loop.times import format_time
from shared.loop.unknown_resources import is_sweep_noted
from shared.loop.zone.lease import LEASE_SECONDS

CHANGES = 50
"""So many of the last changes of all zones are in the status."""
_FAULT_MEANS = "in this respect the endpoint may not be published as intended; nothing else about it is affected"
_FAULT_DO = (
    "correct what the text names, such as a tag, the resource, a setting or a role; if it is as intended, ignore it"
)
"""True of every fault of an endpoint: a refused claim, an unknown region, a word that does not drain."""


class _Current(NamedTuple):
    """What the catalog holds now. Mappings: by the zone's key. `stored`: the state row, None where there is none."""

    now: float
    stored: Versioned[CatalogState] | None
    overrides: Sequence[Override]
    dirty: Mapping[str, Sequence[DirtyName]]
    rows: Sequence[EndpointRow]
    found: Mapping[str, ZoneFindings]
    complete: str | None
    frozen: Mapping[str, Override | None]
    holds: Mapping[str, waiting.WaitReasons]


async def status(sources: StatusSources, own: Sequence[Alarm] = ()) -> dict[str, Any]:
    """Zones, dirty and blocked names, endpoints by state, the last sweeps and changes, overrides, refusals and alarms.

    `own`: alarms of this instance, which its last sweep may have left in the state row as well.
    """
    current, settings = await _current(sources), sources.settings
    state = current.stored.value if current.stored else CatalogState()
    unreadable = bad_rows.alarms(await sources.catalog.bad_rows())
    view = await probing_status.vantage_view(sources)
    incomplete = () if current.complete else (incomplete_alarm(state, settings, current.now),)
    alarms = [*incomplete, *own, *_alarms(current, settings, unreadable)]
    if view:
        known = [row.endpoint for row in current.rows]
        alarms += probing_status.alarms(view, settings, known, swept=state.completed_at > 0)
    found = current.found.values()
    return {
        "now": format_time(current.now),
        "catalog": dict(await sources.catalog.location()),
        "mode": "apply" if settings.apply else "shadow",
        "owner": settings.owner,
        "zones": [_zone(zone, current) for zone in settings.zones],
        "dirty": [
            dirty_json(each, current.holds[each.zone])
            for each in sorted(chain(*current.dirty.values()), key=lambda each: (each.urgency, each.since, each.name))
        ],
        "blocked": [_blocked(zone, each) for zone in settings.zones for each in current.found[zone.key].blocked],
        "endpoints": _endpoint_counts(current.rows),
        "last_sweep": _last_sweep(state, is_current=bool(current.complete)),
        "sweeps": [sweep_json(sweep) for sweep in state.sweeps],
        "changes": await _changes(sources),
        "drains": [
            {"target": override.target, "until": format_time(override.until), **caller_json(override)}
            for override in current.overrides
            if not any(override.about(zone) for zone in current.frozen)
        ],
        "refusals": [text for each in found for text in each.refusals],
        "refused": [refused_plan_json(plan) for each in found for plan in each.refused],
        "alarms": [{**alarm_json(alarm), "at": format_time(alarm.at or current.now)} for alarm in _each_once(alarms)],
        **(_probing(sources, current, view) if view else {}),
    }


async def _current(sources: StatusSources) -> _Current:
    catalog, zones, overrides = sources.catalog, sources.settings.zones, await sources.active_overrides()
    stored = await catalog.state()
    dirty = {zone.key: [row.value for row in await catalog.dirty(zone.key)] for zone in zones}
    rows = [row.value for row in await catalog.endpoints()]
    found = {zone.key: await _found(sources, zone) for zone in zones}
    now, complete = sources.clock(), await sources.complete_epoch()
    frozen = {zone.key: active_freeze(zone, overrides) for zone in zones}
    holds = {zone.key: await wait_reasons(sources, zone, frozen[zone.key], complete) for zone in zones}
    return _Current(now, stored, overrides, dirty, rows, found, complete, frozen, holds)


def _probing(sources: StatusSources, current: _Current, view: probing_status.VantageView) -> dict[str, Any]:
    rules = Rules(sources.settings, sources.latency, tuple(current.overrides))
    return {"probing": probing_status.section(view, [row.endpoint for row in current.rows], rules)}


def _alarms(current: _Current, settings: Settings, unreadable: Iterable[Alarm]) -> Iterator[Alarm]:
    zones, dirty = settings.zones, current.dirty
    if current.stored:
        yield from (*current.stored.value.alarms, *current.stored.value.findings)
    yield from overdue_alarms(current.stored, settings, current.now)
    yield from (alarm for each in current.found.values() for alarm in each.alarms)
    own_names = unpublished.generated_names(current.rows)
    yield from grouped((*_endpoint_troubles(current.rows, settings), *own_names, *_failing_names(zones, dirty)))
    yield from unreadable
    yield from grouped(each for zone in zones for each in current.holds[zone.key].late_names(dirty[zone.key]))
    yield from (_frozen(zone, freeze) for zone in zones if (freeze := current.frozen[zone.key]))


def _zone(zone: Zone, current: _Current) -> dict[str, Any]:
    return {
        "id": zone.id,
        "region": zone.region,
        "dirty": len(current.dirty[zone.key]),
        "blocked": current.found[zone.key].count,
        "frozen": until_json(current.frozen[zone.key]),
    }


def _endpoint_counts(rows: Sequence[EndpointRow]) -> dict[str, int]:
    """How many endpoints with names are in each state."""
    return dict(sorted(Counter(row.endpoint.state.value for row in rows if row.endpoint.names).items()))


def _last_sweep(state: CatalogState, *, is_current: bool) -> dict[str, Any]:
    return {
        "completed_at": format_time(state.completed_at),
        "current": is_current,
        "progress": progress_json(state.progress),
        "deferred": format_time(state.deferred_at) if is_sweep_noted(state) else None,
    }


def _each_once(alarms: Iterable[Alarm]) -> Iterable[Alarm]:
    """Return each alarm once, with the time of its latest observation."""
    found: dict[Alarm, Alarm] = {}
    for alarm in alarms:
        found[alarm] = max(found.get(alarm, alarm), alarm, key=lambda each: each.at)
    return found.values()


def _endpoint_troubles(rows: Iterable[EndpointRow], settings: Settings) -> Iterator[Trouble]:
    """Endpoints that cannot be read, or whose claims are not what they should be."""
    for row in sorted(rows, key=lambda row: row.endpoint.key):
        each, at = row.endpoint, row.seen_at
        if each.doubt:
            do = "if access is denied, assign Reader, or the role of infra/, at its subscription"
            yield Trouble(each.id, each.doubt, "what the zones hold of it stays as it is", do, "endpoints", at=at)
        for fault in unpublished.faults(each, settings):
            yield Trouble(each.id, fault, _FAULT_MEANS, _FAULT_DO, "endpoints", at=at)
        if each.unreported and each.state == State.SERVING:
            yield Trouble(
                each.id,
                "its Application Health extension has not reported in time",
                "it is published although its model may not be loaded",
                "check the extension in the machine, or remove it; NEARZONE_HEALTH_WAIT_MINUTES sets the time",
                "endpoints",
                at=at,
            )


def _failing_names(zones: Iterable[Zone], dirty: Mapping[str, Iterable[DirtyName]]) -> Iterator[Trouble]:
    """Names that fail."""
    do = "it is retried automatically; the error says what prevents it"
    for zone in zones:
        for row in dirty[zone.key]:
            if row.attempts:
                alone = f"{row.name} in {row.zone} failed {row.attempts} times: {row.last_error}"
                text = f"{zone_label(zone)}: writing fails: {row.last_error}"
                yield Trouble(row.name, text, "its answer is old", do, "names", alone, row.held_at or row.since)


async def _found(sources: StatusSources, zone: Zone) -> ZoneFindings:
    stored = await sources.catalog.findings(zone.key)
    return stored.value if stored else ZoneFindings(zone.key)


def _blocked(zone: Zone, each: BlockedName) -> dict[str, Any]:
    return {
        "zone": zone.id,
        "name": each.name,
        "why": each.why.value,
        "owner": each.owner or None,
        "addresses": list(each.addresses),
        "claimed": each.claimed,
    }


def _frozen(zone: Zone, freeze: Override) -> Alarm:
    until = "until it is unfrozen" if freeze.has_no_end else f"until {format_time(freeze.until)}"
    return Alarm(
        f"zone {zone.fqdn} ({zone.region}) is frozen {until}",
        "nothing is written to it: its answers grow old, and dead addresses stay",
        f'resync with {{"unfreeze": {{"zone": "{zone.region}"}}}} (`nearzone unfreeze {zone.region}`) '
        "once the reason is gone",
    )


async def _changes(sources: StatusSources) -> list[dict[str, Any]]:
    """The last changes of all zones, newest first."""
    zones = sources.settings.zones
    found = [(past, zone) for zone in zones for past in await sources.catalog.history(zone.key)]
    return [change_json(past, zone) for past, zone in sorted(found, key=lambda each: -each[0].at)[:CHANGES]]


async def wait_reasons(
    sources: StatusSources, zone: Zone, frozen: Override | None, complete: str | None
) -> waiting.WaitReasons:
    """What can hold back the names of a zone now."""
    tenancy, now = await sources.catalog.lease_holder(zone.key, LEASE_SECONDS), sources.clock()
    drains = CronSim(sources.settings.drain_schedule, datetime.fromtimestamp(now, UTC), reverse=True)
    due_before = min(next(islice(drains, 2, None)).timestamp(), now - waiting.LATE_SECONDS)
    until = (
        "" if frozen is None else "until it is unfrozen" if frozen.has_no_end else f"until {format_time(frozen.until)}"
    )
    own = sources.budgets[zone.key]
    return waiting.WaitReasons(zone, now, until, bool(complete), tenancy, due_before, own)
