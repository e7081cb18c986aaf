"""What a sweep may change in one zone: one decision for each name, then the guard over all of them.

Pure, and a plan is a value: equal inputs give equal plans, in whatever order they come. A dry run is a plan that is not
applied.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from shared.decide.decision import Decision, NameInputs, decide
from shared.decide.findings import blocked_names, findings_of
from shared.decide.guard import UnsafePlan, guard
from shared.decide.plan import Change, Skip, has_no_owner_tag, has_our_owner_tag
from shared.decide.rules import Rules
from shared.domain.catalog_rows import NameIndexEntry
from shared.domain.dirty import DirtyName
from shared.domain.endpoints import Endpoint
from shared.domain.overrides import active_freeze
from shared.domain.sweep_scope import SweepScope
from shared.domain.zone_findings import KeptRecord, RefusedPlan, ZoneFindings
from shared.domain.zones import RecordSet, Zone


@dataclass(frozen=True, slots=True)
class ZoneInputs:
    """What a sweep has read of one zone, and the claims of all names.

    `record_sets`: those of the zone at `read_at` (seconds since the epoch). `known_as_ours`: names whose record sets
    had our owner tag, as the catalog knows. `is_complete`: every list and every endpoint could be read.
    """

    record_sets: Collection[RecordSet]
    known_as_ours: Collection[str]
    claims: Mapping[str, Sequence[Endpoint]]
    is_complete: bool
    read_at: float = 0.0


@dataclass(frozen=True, slots=True)
class ZonePlan:
    """What to do in a zone. All tuples are sorted by name.

    `names`: the names that were planned. `drift`: how many of them differ from their answers. `changes`: what may be
    written. `frozen_changes`: what the zone needs and does not get, because it is frozen. `kept`: records that stay as
    they are although they are not the answer. `unsafe`: the plan that the guard refused, or that the operator forced.
    """

    zone: Zone
    names: frozenset[str]
    drift: int
    changes: tuple[Change, ...]
    frozen_changes: tuple[Change, ...]
    skips: tuple[Skip, ...]
    kept: tuple[KeptRecord, ...]
    unsafe: UnsafePlan | None
    findings: ZoneFindings

    @property
    def refused(self) -> UnsafePlan | None:
        """The refusal; None: the guard refused nothing."""
        return self.unsafe if self.unsafe and not self.unsafe.forced else None

    @property
    def forced(self) -> RefusedPlan | None:
        """The plan that the operator let through by its digest."""
        return self.unsafe.plan if self.unsafe and self.unsafe.forced else None


@dataclass(frozen=True, slots=True)
class Permit:
    """Which changes of a zone may be written, and what becomes of the rest.

    `withheld`: the changes that may not, because of `why` (`incomplete` or `refused`, as in `KeptRecord`).
    """

    changes: Sequence[Change]
    withheld: Sequence[Change] = ()
    why: str = ""
    unsafe: UnsafePlan | None = None


_WITHHELD = {"incomplete": "held back: a list was not complete", "refused": "refused by the guard"}
"""What a skip says of a withheld change."""


def plan_zone(zone: Zone, inputs: ZoneInputs, rules: Rules, scope: SweepScope) -> ZonePlan:
    """Plan one zone of a sweep. `scope` says which names it covers, and what the operator forces."""
    owner, unclaimed = rules.settings.owner, scope.adopt - inputs.claims.keys()
    ours = {each.name for each in inputs.record_sets if has_our_owner_tag(each, owner)}
    lost = {each.name for each in inputs.record_sets if has_no_owner_tag(each)} & set(inputs.known_as_ours)
    names = lost if scope.regain else ours | lost | inputs.claims.keys()
    names = names if scope.names is None else names & scope.names
    decisions = _decide_names(zone, names, lost, inputs, rules, scope)
    needed = [each.outcome for each in decisions.values() if isinstance(each.outcome, Change)]
    frozen = needed if active_freeze(zone, rules.overrides) else []
    permit = permit_changes(zone, [] if frozen else needed, len(ours), scope, is_complete=inputs.is_complete)
    kept = _kept(decisions, permit, inputs.read_at)
    skips = [
        *(each.outcome for each in decisions.values() if isinstance(each.outcome, Skip)),
        *(Skip(zone.id, name, "not adopted: no endpoint claims this name") for name in unclaimed - ours - lost),
        *(Skip(zone.id, change.name, f"frozen: would {change.kind} it") for change in frozen),
        *(Skip(zone.id, change.name, _WITHHELD[permit.why]) for change in permit.withheld),
    ]
    return ZonePlan(
        zone,
        frozenset(names),
        drift=len(needed),
        changes=tuple(permit.changes),
        frozen_changes=tuple(frozen),
        skips=tuple(sorted(skips, key=lambda skip: (skip.name, skip.reason))),
        kept=kept,
        unsafe=permit.unsafe,
        findings=_findings(zone, inputs, rules, lost, permit, kept),
    )


def _decide_names(
    zone: Zone, names: Iterable[str], lost: Collection[str], inputs: ZoneInputs, rules: Rules, scope: SweepScope
) -> dict[str, Decision]:
    actual, found = {each.name: each for each in inputs.record_sets}, {}
    for name in sorted(names):
        was_ours = name in lost
        adopt = name in scope.adopt or (scope.regain and was_ours)
        known = NameInputs(name, inputs.claims.get(name, ()), actual.get(name), was_ours=was_ours, adopt=adopt)
        found[name] = decide(zone, known, rules)
    return found


def permit_changes(
    zone: Zone, changes: Sequence[Change], owned: int, scope: SweepScope, *, is_complete: bool
) -> Permit:
    """What was seen may always be written; what rests on absence only after a complete reading and past the guard.

    `owned`: record sets of ours in the zone.
    """
    explained = [change for change in changes if not change.needs_approval]
    unexplained = [change for change in changes if change.needs_approval]
    if unexplained and not is_complete:
        return Permit(explained, unexplained, "incomplete")
    unsafe = guard(zone, unexplained, owned, scope.force, beyond=scope.beyond)
    if unsafe and not unsafe.forced:
        return Permit(explained, unexplained, "refused", unsafe)
    return Permit(changes, unsafe=unsafe)


def _kept(decisions: Mapping[str, Decision], permit: Permit, read_at: float) -> tuple[KeptRecord, ...]:
    """Records that stay although they are not the answer; where a name has two reasons, the guard's comes last."""
    unread = [KeptRecord(name, each.kept, "kept", read_at) for name, each in decisions.items() if each.kept is not None]
    withheld = [KeptRecord(each.name, each.old, permit.why, read_at) for each in permit.withheld]
    return tuple(sorted([*unread, *withheld], key=lambda record: record.name))


def _findings(
    zone: Zone, inputs: ZoneInputs, rules: Rules, lost: Collection[str], permit: Permit, kept: Sequence[KeptRecord]
) -> ZoneFindings:
    """What an operator should know of the zone: every name that may not be written, whatever the scope is."""
    blocked = blocked_names(rules.settings, inputs.record_sets, lost, inputs.claims)
    taken = {change.name for change in permit.changes} if rules.settings.apply else set()
    left = [replace(each, at=inputs.read_at) for each in blocked if each.name not in taken]
    return findings_of(zone, left, kept, permit.unsafe if permit.why == "refused" else None, inputs.read_at)


def dirty_names(plan: ZonePlan, scope: SweepScope, read_at: float) -> list[DirtyName]:
    """The marks of everything that the zone needs, with what it held at `read_at`.

    The guard's approval goes with a change that empties a name; what a frozen zone needs gets none.
    """
    cause = scope.cause
    return [
        DirtyName(
            plan.zone.key,
            change.name,
            change.urgency,
            cause.at,
            cleared=change.empties and not plan.frozen_changes,
            adopt=change.name in scope.adopt,
            cause=cause.text,
            regain=scope.regain,
            holds=change.old,
            held_at=read_at,
            by=cause.by,
            reason_given=cause.reason_given,
        )
        for change in (*plan.changes, *plan.frozen_changes)
    ]


def claims_by_name(endpoints: Mapping[str, Endpoint], index: Iterable[NameIndexEntry]) -> dict[str, list[Endpoint]]:
    """Endpoints by name: those that claim it, and those that claimed it lately, as the index still tells."""
    claims: defaultdict[str, list[Endpoint]] = defaultdict(list)
    for endpoint in endpoints.values():
        for name in endpoint.names:
            claims[name].append(endpoint)
    for row in index:
        past = endpoints.get(row.key)
        if past and row.name not in past.names:
            claims[row.name].append(past)
    return claims


def unmatched_digests(plans: Iterable[ZonePlan], force: Collection[str]) -> list[str]:
    """What `force` names although no plan has this digest, in words."""
    met = {each.unsafe.plan.digest for each in plans if each.unsafe}
    return [
        f"force {each}: no plan of this scope has this digest now; the plan has changed, or is not refused any more"
        for each in sorted(set(force) - met)
    ]
