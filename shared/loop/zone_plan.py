"""What a sweep plans: for each zone the changes, after the guard, and what a person should know of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from shared.decide.decision import NameInputs, Rules, decide
from shared.decide.plan import Change, Skip, guard, has_no_owner_tag, has_our_owner_tag
from shared.domain.dirty import Cause
from shared.domain.endpoints import Endpoint
from shared.domain.errors import UnsafePlan
from shared.domain.overrides import Override, active_freeze
from shared.domain.zone_findings import KeptRecord, RefusedPlan, ZoneFindings
from shared.domain.zones import RecordSet, Zone
from shared.edge.report import Report
from shared.loop import zone_findings as findings
from shared.loop.zone.apply import ZoneApplier


@dataclass(frozen=True, slots=True)
class SweepScope:
    """What a sweep plans for. `names` None: all. `adopt`: names to take over.

    `force`: digests of plans that pass the guard; `beyond`: also those above its hard bound. `regain`: only names whose
    record sets have lost our mark, to take them back. `supposed`, `lifted`: for a dry run, orders taken to be in force,
    and the target of one taken to be over.
    """

    zones: tuple[Zone, ...]
    cause: Cause
    names: frozenset[str] | None = None
    dry_run: bool = False
    force: frozenset[str] = frozenset()
    beyond: bool = False
    adopt: frozenset[str] = frozenset()
    regain: bool = False
    supposed: tuple[Override, ...] = ()
    lifted: str = ""

    def with_supposed(self, orders: Iterable[Override]) -> tuple[Override, ...]:
        """The orders to plan with: those in force, as far as nothing else is supposed."""
        return (*(order for order in orders if not order.about(self.lifted)), *self.supposed)

    @property
    def whole(self) -> bool:
        """Whether every name of its zones is planned for."""
        return self.names is None and not self.regain


@dataclass
class Plan:
    """The plan of all zones in scope, after the guard."""

    applier: ZoneApplier
    scope: SweepScope
    report: Report
    orders: tuple[Override, ...]
    is_complete: bool
    changes: list[Change] = field(default_factory=list)
    found: dict[str, ZoneFindings] = field(default_factory=dict)
    """What is to be kept of each zone, by its key."""
    refused: dict[str, UnsafePlan] = field(default_factory=dict)
    """The refusal of each zone, by its key."""
    forced: dict[str, RefusedPlan] = field(default_factory=dict)
    """The plan of each zone that `force` has let through, by its key."""
    frozen: list[Change] = field(default_factory=list)
    """What frozen zones need: these names become dirty, and what the guard has to judge is left to a later sweep."""
    _held: defaultdict[str, list[KeptRecord]] = field(default_factory=lambda: defaultdict(list))
    """What is left as it is, by the zone's key."""
    read_at: float = 0.0

    def add(
        self,
        zone: Zone,
        record_sets: Sequence[RecordSet],
        claims: Mapping[str, Sequence[Endpoint]],
        known: Collection[str],
    ) -> None:
        """Plan for one zone. What a frozen one would need is said, and not done. `known`: names known to be ours."""
        settings, actual = self.applier.settings, {each.name: each for each in record_sets}
        ours = {name for name, each in actual.items() if has_our_owner_tag(each, settings.owner)}
        lost = {name for name in known if has_no_owner_tag(actual.get(name))}
        names = lost if self.scope.regain else ours | lost | claims.keys()
        names = names if self.scope.names is None else names & self.scope.names
        self.report.met |= names
        changes = self._changes(zone, sorted(names), claims, actual, lost)
        self.report.skips += [
            Skip(zone.id, name, "not adopted: nobody claims this name")
            for name in sorted(self.scope.adopt - ours - lost - claims.keys())
        ]
        self.report.drift += len(changes)
        self._measure("drift", len(changes), zone)
        if active_freeze(zone, self.orders):
            self.report.skips += [Skip(zone.id, each.name, f"frozen: would {each.kind} it") for each in changes]
            self.frozen += changes
            changes = []
        changes = self._after_guard(zone, changes, len(ours))
        self.changes += changes
        self._add_findings(zone, record_sets, claims, lost, {change.name for change in changes})

    def _changes(
        self,
        zone: Zone,
        names: Iterable[str],
        claims: Mapping[str, Sequence[Endpoint]],
        actual: Mapping[str, RecordSet],
        lost: Collection[str],
    ) -> list[Change]:
        changes: list[Change] = []
        for name in names:
            claimants, was_ours = claims.get(name, ()), name in lost
            adopt = name in self.scope.adopt or (self.scope.regain and was_ours)
            inputs = NameInputs(name, claimants, actual.get(name), was_ours=was_ours, adopt=adopt)
            decision = decide(zone, inputs, Rules(self.applier.settings, self.applier.latency, self.orders))
            if decision.kept is not None:
                self._keep_record(zone, name, decision.kept, "kept")
            if isinstance(decision.outcome, Change):
                changes.append(decision.outcome)
            elif decision.outcome:
                self.report.skips.append(decision.outcome)
        return changes

    def _add_findings(
        self,
        zone: Zone,
        record_sets: Iterable[RecordSet],
        claims: Mapping[str, Sequence[Endpoint]],
        lost: Collection[str],
        taken: Collection[str],
    ) -> None:
        """What a person should know of the zone: every name that may not be written, whatever the scope is."""
        settings = self.applier.settings
        blocked = findings.blocked(settings, record_sets, lost, claims)
        left = [each for each in blocked if each.name not in taken or not settings.apply]
        left = [replace(each, at=self.read_at) for each in left]
        refusal = self.refused.get(zone.key)
        plans, said = ((refusal.plan,), (str(refusal),)) if refusal else ((), ())
        found = findings.about(zone, left, said, self._held[zone.key], plans, self.read_at)
        self.found[zone.key] = found
        self.report.alarms += found.alarms

    def _keep_record(self, zone: Zone, name: str, addresses: tuple[str, ...], why: str) -> None:
        self._held[zone.key].append(KeptRecord(name, addresses, why, self.read_at))

    def unmatched_digests(self) -> list[str]:
        """What `force` has named and no plan of this scope is, in words."""
        met = {plan.digest for plan in (*self.forced.values(), *(each.plan for each in self.refused.values()))}
        return [
            f"force {each}: no plan of this scope has this digest now; it has changed since, or needs no force any more"
            for each in sorted(self.scope.force - met)
        ]

    def _measure(self, name: str, count: int, zone: Zone) -> None:
        """A dry run is a question: what it finds is nobody's alarm."""
        if not self.scope.dry_run:
            self.applier.measure(name, count, zone=zone.region)

    def _after_guard(self, zone: Zone, changes: list[Change], owned: int) -> list[Change]:
        """What was seen is always written; what rests on absence only under the guard, and not from partial reading."""
        unseen = [change for change in changes if change.empties and not change.removal_explained]
        rest = [change for change in changes if change.removal_explained or not change.empties]
        if unseen and not self.is_complete:
            self.report.skips += [Skip(zone.id, change.name, "held back: a list was not complete") for change in unseen]
            for change in unseen:
                self._keep_record(zone, change.name, change.old, "incomplete")
            return rest
        try:
            if forced := guard(zone, changes, owned, self.scope.force, beyond=self.scope.beyond):
                self.forced[zone.key] = forced
        except UnsafePlan as error:
            self.report.refusals.append(str(error))
            self.report.refused.append(error.plan)
            self.refused[zone.key] = error
            self._measure("refused_plans", 1, zone)
            self.report.skips += [Skip(zone.id, change.name, "refused by the guard") for change in unseen]
            for change in unseen:
                self._keep_record(zone, change.name, change.old, "refused")
            return rest
        return rest + unseen
