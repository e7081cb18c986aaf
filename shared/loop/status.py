"""The status for operators: how things stand, and why a zone answers a name as it does. Reads, never writes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain, islice
from typing import Any, NamedTuple

from cronsim import CronSim

from shared.config.settings import Settings
from shared.decide import preflight, unpublished
from shared.decide import unreadable_rows as bad_rows
from shared.decide import wait_reasons as waiting
from shared.decide.alarms import Trouble, grouped, zone_label
from shared.decide.decision import NameInputs, decide_answer
from shared.decide.plan import has_no_owner_tag, has_our_owner_tag, obstacle
from shared.decide.routing import explain_claims
from shared.domain.alarms import Alarm
from shared.domain.catalog_rows import Versioned
from shared.domain.catalog_state import CatalogState, ReadingProgress, SweepSummary
from shared.domain.dirty import DirtyName, RecordChange
from shared.domain.endpoints import EndpointRow, State
from shared.domain.overrides import Override, active_freeze
from shared.domain.zone_findings import BlockedName, ZoneFindings
from shared.domain.zones import RecordSet, Zone
from shared.edge.report import alarm_json, refused_plan_json
from shared.loop.status_sources import StatusSources
from shared.loop.times import format_time
from shared.loop.unknown_resources import is_sweep_noted
from shared.loop.zone.apply import INCOMPLETE
from shared.loop.zone.lease import LEASE_SECONDS

CHANGES = 50
"""So many of the last changes of all zones are in the status."""


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
    alarms = [*own, *_alarms(current, settings, unreadable)]
    found = current.found.values()
    return {
        "now": format_time(current.now),
        "catalog": dict(await sources.catalog.location()),
        "mode": "apply" if settings.apply else "shadow",
        "owner": settings.owner,
        "zones": [_zone(zone, current) for zone in settings.zones],
        "dirty": [
            _dirty(each, current.holds[each.zone])
            for each in sorted(chain(*current.dirty.values()), key=lambda each: (each.urgency, each.since, each.name))
        ],
        "blocked": [_blocked(zone, each) for zone in settings.zones for each in current.found[zone.key].blocked],
        "endpoints": _endpoint_counts(current.rows),
        "last_sweep": _last_sweep(state, is_current=bool(current.complete)),
        "sweeps": [_swept(sweep) for sweep in state.sweeps],
        "changes": await _changes(sources),
        "drains": [
            {"target": override.target, "until": format_time(override.until), **_caller(override)}
            for override in current.overrides
            if not any(override.about(zone) for zone in current.frozen)
        ],
        "refusals": [text for each in found for text in each.refusals],
        "refused": [refused_plan_json(plan) for each in found for plan in each.refused],
        "alarms": [{**alarm_json(alarm), "at": format_time(alarm.at or current.now)} for alarm in _each_once(alarms)],
    }


async def _current(sources: StatusSources) -> _Current:
    catalog, zones, overrides = sources.catalog, sources.settings.zones, await sources.active_overrides()
    stored = await catalog.state()
    dirty = {zone.key: [row.value for row in await catalog.dirty(zone.key)] for zone in zones}
    rows = [row.value for row in await catalog.endpoints()]
    found = {zone.key: await _found(sources, zone) for zone in zones}
    now, complete = sources.clock(), await sources.complete_epoch()
    frozen = {zone.key: active_freeze(zone, overrides) for zone in zones}
    holds = {zone.key: await _holds(sources, zone, frozen[zone.key], complete) for zone in zones}
    return _Current(now, stored, overrides, dirty, rows, found, complete, frozen, holds)


def _alarms(current: _Current, settings: Settings, unreadable: Iterable[Alarm]) -> Iterator[Alarm]:
    zones, dirty = settings.zones, current.dirty
    if current.stored:
        yield from (*current.stored.value.alarms, *current.stored.value.findings)
    yield from overdue_alarms(current.stored, settings, current.now)
    yield from (alarm for each in current.found.values() for alarm in each.alarms)
    yield from grouped((*_endpoint_troubles(current.rows, settings), *_failing_names(zones, dirty)))
    yield from unreadable
    if not current.complete:
        yield INCOMPLETE
    yield from grouped(each for zone in zones for each in current.holds[zone.key].late_names(dirty[zone.key]))
    yield from (_frozen(zone, freeze) for zone in zones if (freeze := current.frozen[zone.key]))


def _zone(zone: Zone, current: _Current) -> dict[str, Any]:
    return {
        "id": zone.id,
        "region": zone.region,
        "dirty": len(current.dirty[zone.key]),
        "blocked": current.found[zone.key].count,
        "frozen": _until(current.frozen[zone.key]),
    }


def _endpoint_counts(rows: Sequence[EndpointRow]) -> dict[str, int]:
    """How many endpoints with names are in each state."""
    return dict(sorted(Counter(row.endpoint.state.value for row in rows if row.endpoint.names).items()))


def _last_sweep(state: CatalogState, *, is_current: bool) -> dict[str, Any]:
    return {
        "completed_at": format_time(state.completed_at),
        "current": is_current,
        "progress": _progress(state.progress),
        "deferred": format_time(state.deferred_at) if is_sweep_noted(state) else None,
    }


def _each_once(alarms: Iterable[Alarm]) -> Iterable[Alarm]:
    """Return each alarm once, with the time of its latest observation."""
    found: dict[Alarm, Alarm] = {}
    for alarm in alarms:
        found[alarm] = max(found.get(alarm, alarm), alarm, key=lambda each: each.at)
    return found.values()


def overdue_alarms(stored: Versioned[CatalogState] | None, settings: Settings, now: float) -> list[Alarm]:
    """Whether sweeps or events have stopped coming; nothing before the first sweep was complete."""
    if not stored or not stored.value.completed_at:
        return []
    due = CronSim(settings.sweep_schedule, datetime.fromtimestamp(now, UTC), reverse=True)
    third_last = next(islice(due, 2, None)).timestamp()
    state = stored.value
    return preflight.overdue_sweep_alarm(state.completed_at, third_last) + preflight.missing_events_alarm(
        state.event_at, state.began_at, now
    )


def _endpoint_troubles(rows: Iterable[EndpointRow], settings: Settings) -> Iterator[Trouble]:
    """Endpoints that cannot be read, or whose claims are not what they should be."""
    for row in sorted(rows, key=lambda row: row.endpoint.key):
        each, at = row.endpoint, row.seen_at
        if each.doubt:
            do = "if access is denied, assign Reader, or the role of infra/, at its subscription"
            yield Trouble(each.id, each.doubt, "what the zones hold of it stays as it is", do, "endpoints", at=at)
        for fault in unpublished.faults(each, settings):
            do = "correct it, or ignore it"
            yield Trouble(each.id, fault, "this part of it is not published", do, "endpoints", at=at)
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
        f'resync with {{"unfreeze": {{"zone": "{zone.region}"}}}} once the reason is gone',
    )


async def _changes(sources: StatusSources) -> list[dict[str, Any]]:
    """The last changes of all zones, newest first."""
    zones = sources.settings.zones
    found = [(past, zone) for zone in zones for past in await sources.catalog.history(zone.key)]
    return [change_json(past, zone) for past, zone in sorted(found, key=lambda each: -each[0].at)[:CHANGES]]


async def explain(sources: StatusSources, zone: Zone, name: str) -> dict[str, Any]:
    """One answer: every claim, in or out, and why, beside what the zone holds now. Raises Transient, Terminal."""
    catalog = sources.catalog
    record = await sources.record_sets.get(zone, name)
    endpoints = [row.endpoint for row in await catalog.claimants(name)]
    rules = await sources.rules()
    answer, _ = decide_answer(zone, NameInputs(name, endpoints, record), rules)
    dirty, frozen = await catalog.dirty_name(zone.key, name), await sources.active_freeze(zone)
    holds = await _holds(sources, zone, frozen, await sources.complete_epoch()) if dirty else None
    return {
        "zone": zone.id,
        "name": name,
        "answer": {
            "addresses": None if answer.addresses is None else list(answer.addresses),
            "ttl": answer.ttl,
            "reason": answer.reason,
        },
        "record": _record(sources, record),
        "blocked": await _why_blocked(sources, zone, name, record),
        "claims": [
            {
                "endpoint": decision.endpoint,
                "region": decision.region,
                "state": decision.state.value,
                "addresses": list(decision.addresses),
                "included": decision.included,
                "reason": decision.reason,
            }
            for decision in explain_claims(zone, name, endpoints, rules)
        ],
        "dirty": _dirty(dirty.value, holds) if dirty and holds else None,
        "frozen": _until(frozen),
        "history": [change_json(past, zone) for past in await catalog.history(zone.key, name)],
    }


async def record(sources: StatusSources, zone: Zone, name: str) -> dict[str, Any]:
    """What a zone holds now, as in `explain`; needs no catalog. Raises Transient, Terminal."""
    return {"record": _record(sources, await sources.record_sets.get(zone, name))}


def _record(sources: StatusSources, record: RecordSet | None) -> dict[str, Any] | None:
    if record is None:
        return None
    mine = has_our_owner_tag(record, sources.settings.owner)
    return {"addresses": list(record.addresses), "ttl": record.ttl, "owned": mine}


async def _why_blocked(
    sources: StatusSources, zone: Zone, name: str, record: RecordSet | None
) -> dict[str, Any] | None:
    was_ours = has_no_owner_tag(record) and await sources.catalog.is_owned(zone.key, name)
    found = obstacle(name, record, sources.settings.owner, was_ours=was_ours)
    return {"why": found.why.value, "owner": found.owner or None} if found else None


async def _holds(
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


def _dirty(dirty: DirtyName, holds: waiting.WaitReasons) -> dict[str, Any]:
    return {
        "zone": dirty.zone,
        "name": dirty.name,
        "urgency": dirty.urgency.key,
        "since": format_time(dirty.since),
        "attempts": dirty.attempts,
        "not_before": format_time(dirty.not_before),
        "last_error": dirty.last_error,
        "cause": dirty.cause,
        **_caller(dirty),
        "waits_for": holds.reason(dirty),
    }


def _caller(said: DirtyName | Override | RecordChange | SweepSummary) -> dict[str, str | None]:
    """The caller, and the reason that they gave; None where there is none."""
    return {"by": said.by or None, "reason_given": said.reason_given or None}


def change_json(past: RecordChange, zone: Zone) -> dict[str, Any]:
    """One entry of a history as JSON."""
    return {
        "at": format_time(past.at),
        "zone": zone.key,
        "name": past.name,
        "kind": past.kind,
        "before": list(past.before),
        "after": list(past.after),
        "reason": past.reason,
        "cause": past.cause,
        **_caller(past),
    }


def _swept(sweep: SweepSummary) -> dict[str, Any]:
    return {
        "at": format_time(sweep.at),
        "seconds": round(sweep.seconds, 3),
        "cause": sweep.cause,
        "endpoints": sweep.endpoints,
        "drift": sweep.drift,
        "changes": sweep.changes,
        "failures": sweep.failures,
        "refused": sweep.refused,
        "complete": sweep.complete,
        "failing": sweep.failing,
        "examples": list(sweep.examples),
        "error": sweep.error,
        **_caller(sweep),
    }


def _progress(progress: ReadingProgress | None) -> dict[str, int | None] | None:
    """How far a sweep has read what lists leave open, and about how many seconds it needs for the rest."""
    if progress is None:
        return None
    took, left = progress.at - progress.begun, progress.of - progress.read
    seconds = None if not progress.read or progress.ended else round(left * took / progress.read)
    return {"read": progress.read, "of": progress.of, "seconds_left": seconds}


def _until(override: Override | None) -> dict[str, str | None] | None:
    if override is None:
        return None
    return {"until": None if override.has_no_end else format_time(override.until), **_caller(override)}
