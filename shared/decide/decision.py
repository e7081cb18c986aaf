"""The one decision about a name of a zone. Zone worker, sweep and status all decide here, so they cannot differ.

`route` (routing.py) says what the zone should answer, `diff` (plan.py) what it takes to get there. `decide` also says
whether an observed change of an endpoint explains a removal. If nothing does, the removal needs the guard's approval
(`Change.needs_approval`): `plan_zone` asks the guard, and the zone worker (`next_step`) requires that it has approved.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from shared.decide.claims import claimants_of, is_claimed
from shared.decide.plan import Change, Skip, classify_removal, diff
from shared.decide.routing import keep_open, route
from shared.decide.rules import Rules
from shared.domain.endpoints import Endpoint, EndpointRow
from shared.domain.probes import VerdictKind
from shared.domain.zones import Answer, RecordSet, Zone

CATALOG_INCOMPLETE_SECONDS = 10.0
"""Seconds after which a name is tried again whose removal waits for a complete catalog."""
CLAIMANTS_UNREAD_SECONDS = 2.0
"""Seconds after which a name is tried again while its claimants are being read."""
ADDITIONS_HELD_SECONDS = 30.0
"""Seconds for which no address is added to a name while its claimants are being read; removals are not held back."""


@dataclass(frozen=True, slots=True)
class NameInputs:
    """What is known of one name. `actual`: the record set that is there, None: there is none.

    `was_ours`: the catalog knows that the record set had our owner tag. `adopt`: take the record set over even if it
    has no owner tag of ours. `only_remove`: claimants are being read, so no address is added yet.
    """

    name: str
    claimants: Collection[Endpoint]
    actual: RecordSet | None
    was_ours: bool = False
    adopt: bool = False
    only_remove: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do about a name. `outcome`: a change, a skip with its reason, or None where nothing has to be done.

    `answer`: what the zone should hold. `kept`: the addresses of it that stay although a claimant is not readable;
    None where all claimants are.
    """

    answer: Answer
    outcome: Change | Skip | None
    kept: tuple[str, ...] | None = None

    @property
    def narrows(self) -> bool:
        """Whether addresses go away."""
        return isinstance(self.outcome, Change) and self.outcome.narrows


@dataclass(frozen=True, slots=True)
class HoldBack:
    """The catalog does not know enough of the claims yet: the name stays dirty until the next try in `seconds`."""

    reason: str
    seconds: float


def decide(zone: Zone, inputs: NameInputs, rules: Rules) -> Decision:
    """Decide what a zone should hold for a name, and what it takes to get there. Callers check the approvals."""
    answer, kept = decide_answer(zone, inputs, rules)
    owner = rules.settings.owner
    found = diff(zone, answer, inputs.actual, owner, adopt=inputs.adopt, was_ours=inputs.was_ours)
    if isinstance(found, Change):
        found = classify_removal(found, inputs.claimants, rules.overrides, _failing(zone, inputs, rules))
    elif isinstance(found, Skip) and found.blocked:
        claimed = is_claimed(inputs.name, inputs.claimants, rules.settings)
        found = replace(found, blocked=replace(found.blocked, claimed=claimed))
    return Decision(answer, found, kept)


def decide_answer(zone: Zone, inputs: NameInputs, rules: Rules) -> tuple[Answer, tuple[str, ...] | None]:
    """The first half of `decide`, for the status: what a zone should hold for a name, and `Decision.kept`."""
    routed = route(zone, inputs.name, inputs.claimants, rules)
    answer = keep_open(routed, inputs.actual, inputs.claimants, rules, only_remove=inputs.only_remove)
    return answer, (answer.addresses or ()) if answer != routed else None


def _failing(zone: Zone, inputs: NameInputs, rules: Rules) -> frozenset[str]:
    """The addresses of the claimants that probes have found down, as far as this name and zone are concerned."""
    probe = rules.settings.probe(inputs.name) if rules.measured else None
    if probe is None:
        return frozenset()
    return frozenset(
        address.ip
        for endpoint in claimants_of(inputs.name, inputs.claimants)
        for address in endpoint.addresses
        if (found := rules.measured.verdict(zone.region, endpoint.key, address.ip, probe.digest))
        and found.kind == VerdictKind.DOWN
    )


def unread_claimants(claimants: Collection[EndpointRow], now: float) -> int:
    """How many claimants are being read: listed in the last `ADDITIONS_HELD_SECONDS` and not read yet."""
    return sum(row.endpoint.unread and row.seen_at > now - ADDITIONS_HELD_SECONDS for row in claimants)


def next_step(
    zone: Zone, decision: Decision, *, unread: int, guard_approved: bool, catalog_complete: bool
) -> Change | Skip | HoldBack | None:
    """What the zone worker does about a dirty name: write, skip, hold back; None: the record set is right.

    `unread`: see `unread_claimants`. `guard_approved`: the guard of a sweep let this removal pass. `catalog_complete`:
    the catalog knows every claim; it is looked at only where the decision `narrows`.
    """
    change = decision.outcome
    if isinstance(change, Skip):
        return change
    if change is None:
        return HoldBack(f"{unread} of its claimants are being read", CLAIMANTS_UNREAD_SECONDS) if unread else None
    if change.narrows and not catalog_complete:
        return HoldBack("not narrowed before a complete sweep", CATALOG_INCOMPLETE_SECONDS)
    if change.needs_approval and not guard_approved:
        return Skip(zone.id, change.name, "no endpoint accounts for its addresses: a sweep decides, under guard")
    return change
