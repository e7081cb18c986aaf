"""One answer of the status: every claim of a name, in or out, and why, beside what the zone holds now."""

from __future__ import annotations

from typing import Any

from shared.decide.decision import NameInputs, decide_answer
from shared.decide.plan import has_no_owner_tag, has_our_owner_tag, obstacle
from shared.decide.routing import explain_claims
from shared.decide.rules import Rules
from shared.domain.zones import RecordSet, Zone
from shared.loop.probing_status import VantageView, addresses_by_claim, explained, vantage_view
from shared.loop.status import wait_reasons
from shared.loop.status_json import answer_json, change_json, dirty_json, until_json
from shared.loop.status_sources import StatusSources


async def explain(sources: StatusSources, zone: Zone, name: str) -> dict[str, Any]:
    """One answer: every claim, in or out, and why, beside what the zone holds now. Raises Transient, Terminal."""
    catalog = sources.catalog
    record = await sources.record_sets.get(zone, name)
    endpoints = [row.endpoint for row in await catalog.claimants(name)]
    rules = await sources.rules()
    inputs = NameInputs(name, endpoints, record)
    answer, _ = decide_answer(zone, inputs, rules)
    view = await vantage_view(sources)
    dirty, frozen = await catalog.dirty_name(zone.key, name), await sources.active_freeze(zone)
    holds = await wait_reasons(sources, zone, frozen, await sources.complete_epoch()) if dirty else None
    return {
        "zone": zone.id,
        "name": name,
        "answer": answer_json(answer),
        "record": _record(sources, record),
        "blocked": await _why_blocked(sources, zone, name, record),
        "claims": _claims(zone, inputs, rules, view),
        "dirty": dirty_json(dirty.value, holds) if dirty and holds else None,
        "frozen": until_json(frozen),
        "history": [change_json(past, zone) for past in await catalog.history(zone.key, name)],
        **({"probing": explained(view, zone, inputs, rules)} if view else {}),
    }


def _claims(zone: Zone, inputs: NameInputs, rules: Rules, view: VantageView | None) -> list[dict[str, Any]]:
    """Every claim, in or out, and why; where its name is probed, with what the vantage has seen of its addresses."""
    probes = addresses_by_claim(view, inputs, rules) if view else {}
    return [
        {
            "endpoint": decision.endpoint,
            "region": decision.region,
            "state": decision.state.value,
            "addresses": list(decision.addresses),
            "included": decision.included,
            "reason": decision.reason,
            **({"probes": probes[decision.endpoint]} if view else {}),
        }
        for decision in explain_claims(zone, inputs.name, inputs.claimants, rules)
    ]


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
