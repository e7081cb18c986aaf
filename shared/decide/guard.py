"""The guard: it refuses a plan that would remove too much of a zone without evidence.

An endpoint that was seen to stop, drain or disappear explains a removal. The guard counts the removals that nothing
explains: they rest on absence, on changed settings or on orphaned record sets.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from shared.decide.plan import Change
from shared.domain.zone_findings import RefusedPlan
from shared.domain.zones import Zone

MAX_SHARE = 0.3
MAX_REMOVALS = 50
HARD_REMOVALS = 200
HARD_SHARE = 0.5
HARD_FROM = 10
"""Above so many removals, or above this share of a zone from `HARD_FROM` removals on, a digest alone is not enough."""
DIGEST_LENGTH = 12


@dataclass(frozen=True, slots=True)
class UnsafePlan:
    """A plan above the guard's limit. `text`: its numbers and the way out. `forced`: the operator let it through."""

    plan: RefusedPlan
    text: str
    forced: bool = False


def guard(
    zone: Zone, changes: Iterable[Change], owned: int, force: Collection[str] = (), *, beyond: bool = False
) -> UnsafePlan | None:
    """Check a zone's changes against the limit: max(1, 30 % of `owned`), and never more than 50. None: within it.

    `owned`: record sets of ours in the zone. `force`: digests of plans that the operator lets through; `beyond`: also a
    plan above the hard limit (see `is_beyond`).
    """
    removals = [change for change in changes if change.needs_approval]
    limit = min(MAX_REMOVALS, max(1, int(owned * MAX_SHARE)))
    if len(removals) <= limit:
        return None
    plan = RefusedPlan(zone.id, digest(removals), len(removals), owned, is_beyond(len(removals), owned))
    second = ', "force_beyond": true' if plan.beyond else ""
    command = f"nearzone sync --force {plan.digest}{' --force-beyond' if plan.beyond else ''}"
    why = f" (more than {HARD_REMOVALS}, or more than half of the zone, needs force_beyond)" if plan.beyond else ""
    text = (
        f"zone {zone.fqdn} ({zone.region}): refused to remove or empty {plan.removals} of {owned} owned record sets "
        f"that no endpoint accounts for; at most {limit} are allowed. To remove exactly these, run a resync with "
        f'"force": "{plan.digest}"{second} (`{command}`){why}.'
    )
    return UnsafePlan(plan, text, forced=plan.digest in force and (beyond or not plan.beyond))


def is_beyond(removals: int, owned: int) -> bool:
    """Whether a digest alone does not let a plan through: more than 200 removals, or 10 or more and above half."""
    return removals > HARD_REMOVALS or (removals >= HARD_FROM and removals > HARD_SHARE * owned)


def digest(removals: Iterable[Change]) -> str:
    """Twelve hexadecimal digits that name these removals: zones, names and addresses, in whatever order."""
    facts = sorted((change.zone.lower(), change.name, sorted(change.old)) for change in removals)
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:DIGEST_LENGTH]
