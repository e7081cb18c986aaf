"""The plan of a sweep: gathers what decisions need besides the fleet, and has each zone planned.

A plan changes nothing but the report. A dry run ends here; a sweep then applies the plan.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from shared.decide.findings import ambiguous_address_alarms
from shared.decide.zone_plan import ZoneInputs, ZonePlan, claims_by_name, plan_zone, unmatched_digests
from shared.domain.alarms import Alarm
from shared.domain.catalog_rows import NameIndexEntry, Versioned
from shared.domain.overrides import Override
from shared.domain.sweep_scope import SweepScope
from shared.domain.zones import RecordSet
from shared.edge.report import Report
from shared.loop.sweep_reader import Fleet, ZoneReadings
from shared.loop.zone.apply import ZoneApplier


@dataclass(frozen=True, slots=True)
class SweepPlan:
    """The plans of the zones that could be read, and what they rest on.

    `record_sets`: of each zone, by its key, with the writes since they were listed. `index`, `overrides`: as read from
    the catalog. `ambiguous`: alarms about addresses that are claimed from two VNets.
    """

    zones: tuple[ZonePlan, ...]
    record_sets: Mapping[str, Sequence[RecordSet]]
    index: Sequence[Versioned[NameIndexEntry]]
    overrides: tuple[Override, ...]
    ambiguous: tuple[Alarm, ...]


async def plan_sweep(
    applier: ZoneApplier, scope: SweepScope, readings: ZoneReadings, fleet: Fleet, report: Report
) -> SweepPlan:
    """Plan every zone that could be read, and say in the report what was found. Raises Transient."""
    index = await applier.catalog.indexed()
    in_force = await applier.services.rules()
    rules = replace(in_force, overrides=scope.with_supposed(in_force.overrides))
    claims = claims_by_name(fleet.endpoints, [row.value for row in index])
    record_sets = {
        zone.key: applier.record_cache.merge_newer(zone, readings.record_sets[zone.key], readings.read_at)
        for zone in scope.zones
        if zone.key in readings.record_sets
    }
    plans = []
    for zone in scope.zones:
        if zone.key in record_sets:
            owned = readings.owned[zone.key]
            inputs = ZoneInputs(record_sets[zone.key], owned, claims, fleet.is_complete, readings.read_at)
            plans.append(plan_zone(zone, inputs, rules, scope))
    ambiguous = ambiguous_address_alarms(fleet.endpoints.values())
    _add_to_report(plans, scope, report)
    report.alarms += ambiguous
    return SweepPlan(tuple(plans), record_sets, index, rules.overrides, tuple(ambiguous))


def _add_to_report(plans: Sequence[ZonePlan], scope: SweepScope, report: Report) -> None:
    for plan in plans:
        report.met |= plan.names
        report.drift += plan.drift
        report.skips += plan.skips
        report.alarms += plan.findings.alarms
        if plan.refused:
            report.refusals.append(plan.refused.text)
            report.refused.append(plan.refused.plan)
    report.notes += unmatched_digests(plans, scope.force)
