"""The long lists of the status: what each zone should answer and what it is known to hold, and every endpoint."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from shared.config.settings import Settings
from shared.decide import unpublished
from shared.decide.decision import NameInputs, decide_answer
from shared.decide.known_records import KnownRecords, Mismatch, known_records
from shared.decide.routing import explain_claims
from shared.decide.rules import Rules
from shared.domain.concurrency import gather_bounded
from shared.domain.dirty import RecordChange
from shared.domain.endpoints import Endpoint, State
from shared.domain.overrides import Override, active_freeze
from shared.domain.zone_findings import ZoneFindings
from shared.domain.zones import Zone
from shared.loop import probing_status
from shared.loop.status_json import answer_json
from shared.loop.status_sources import StatusSources
from shared.loop.times import format_time

MAX_HISTORY_LOOKUPS = 200
"""Histories of single names that are read for one status, where nothing else tells what a zone holds."""


async def names(sources: StatusSources) -> list[dict[str, Any]]:
    """For every name what each zone should answer, decided now, and what it holds where that may differ.

    Decided from the catalog alone. Raises Transient.
    """
    rules = await sources.rules()
    by_name: defaultdict[str, list[Endpoint]] = defaultdict(list)
    endpoints = [row.value.endpoint for row in await sources.catalog.endpoints()]
    for endpoint in endpoints:
        for name in endpoint.names:
            by_name[name].append(endpoint)
    effects = await probing_status.effects(sources, endpoints, rules)
    known = await _known_records(sources, rules.overrides)
    marked = frozenset(name for each in known.values() for name in each.names)
    there = [name for name, claimants in by_name.items() if any(each.state != State.GONE for each in claimants)]
    return [
        {
            "name": name,
            "host": name in by_name and not any(name in endpoint.tagged for endpoint in by_name[name]),
            "answers": [
                {
                    **_answer(zone, name, by_name.get(name, ()), known[zone.key], rules),
                    **({"probes": effects.get((zone.key, name))} if sources.settings.probes else {}),
                }
                for zone in sources.settings.zones
            ],
        }
        for name in sorted({*there, *marked})
    ]


async def _known_records(sources: StatusSources, overrides: Sequence[Override]) -> dict[str, KnownRecords]:
    """What is known of each zone, by its key."""
    catalog, found = sources.catalog, {}
    for zone in sources.settings.zones:
        rows, stored = await catalog.dirty(zone.key), await catalog.findings(zone.key)
        kept, frozen = stored.value if stored else ZoneFindings(zone.key), active_freeze(zone, overrides) is not None
        dirty, past = [row.value for row in rows], list(await catalog.history(zone.key))
        found[zone.key] = known_records(dirty, kept, past, frozen=frozen)
        if missing := found[zone.key].unread_names:
            past += await _last_changes(sources, zone, sorted(missing))
            found[zone.key] = known_records(dirty, kept, past, frozen=frozen)
    return found


async def _last_changes(sources: StatusSources, zone: Zone, names: Sequence[str]) -> list[RecordChange]:
    histories = (sources.catalog.history(zone.key, name) for name in islice(names, MAX_HISTORY_LOOKUPS))
    return [past for history in await gather_bounded(histories, 16) for past in history[:1]]


def _answer(zone: Zone, name: str, claimants: Sequence[Endpoint], known: KnownRecords, rules: Rules) -> dict[str, Any]:
    answer, kept = decide_answer(zone, NameInputs(name, claimants, known.record_set(name)), rules)
    claims = explain_claims(zone, name, claimants, rules)
    unsure = kept is not None or (known.latest(name) is None and any(each.open for each in claimants))
    mismatch = known.mismatch(name, answer, kept=unsure)
    return {
        "zone": zone.id,
        **answer_json(answer),
        "endpoints": [each.endpoint for each in claims if each.included],
        "held": _held(mismatch) if mismatch else None,
    }


def _held(found: Mismatch) -> Mapping[str, Any]:
    """What a zone holds instead of its answer, as far as that is known, since when, and why."""
    return {
        "addresses": None if found.addresses is None else list(found.addresses),
        "at": format_time(found.at),
        "why": found.reason.value,
        "error": found.error,
    }


async def endpoints(sources: StatusSources) -> list[dict[str, Any]]:
    """Every endpoint that claims a name, or should be looked at."""
    found = [row.value.endpoint for row in await sources.catalog.endpoints()]
    return [
        _endpoint(each, sources.settings)
        for each in sorted(found, key=lambda each: each.key)
        if each.is_relevant or each.doubt
    ]


def _endpoint(endpoint: Endpoint, settings: Settings) -> dict[str, Any]:
    return {
        "id": endpoint.id,
        "kind": endpoint.kind,
        "region": endpoint.region,
        "location": endpoint.location,
        "state": endpoint.state.value,
        "addresses": sorted({address.ip for address in endpoint.addresses}),
        "names": sorted(endpoint.names),
        "selected": {name: [address.ip for address in found] for name, found in endpoint.selected},
        "not_serving": endpoint.not_serving,
        "doubt": endpoint.doubt,
        "faults": list(unpublished.faults(endpoint, settings)),
    }
