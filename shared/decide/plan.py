r"""Answers x actual record sets -> changes and skips, and the guard that may refuse.

actual \ answer       addresses            none             keep
nothing              create               -                -
ours, equal          -                    delete           -
ours, different      update               delete           - (TTL as it is)
mark lost            skip (adopt: update) skip (delete)    skip (update: the mark alone)
foreign              skip (adopt: update) skip             skip
auto-registered      skip                 skip             skip
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from shared.domain.dirty import Urgency
from shared.domain.endpoints import STATIC, Endpoint, State
from shared.domain.errors import UnsafePlan
from shared.domain.overrides import Override
from shared.domain.zone_findings import BlockedName, Obstacle, RefusedPlan
from shared.domain.zones import Answer, RecordSet, Zone

OWNER_KEY = "nearzone-owner"
"""The metadata key that marks a record set as ours; its value is the owner."""

MAX_SHARE = 0.3
MAX_REMOVALS = 50
HARD_REMOVALS = 200
HARD_SHARE = 0.5
HARD_FROM = 10
"""Above so many removals, or above this share of a zone from `HARD_FROM` removals on, a digest alone is not enough."""
DIGEST_LENGTH = 12

Kind = Literal["create", "update", "delete"]


@dataclass(frozen=True, slots=True)
class Change:
    """One write: from `before` (None: nothing there) to `after` (None: removed).

    `seen`: the addresses that go away go for a reason that was seen in ARM (stopped, drained, deleted, moved away from
    the name). Otherwise they rest on absence, changed settings or an orphaned record, and the guard counts them.
    `host`: nobody claims the name by tag. `dead`: an address that goes away is not served by any claimant.
    """

    zone: str
    name: str
    before: RecordSet | None
    after: RecordSet | None
    reason: str
    removal_explained: bool = True
    is_host_name: bool = False
    removes_dead_address: bool = True

    @property
    def kind(self) -> Kind:
        """Which of the zone's three write budgets it takes from."""
        if self.before is None:
            return "create"
        return "delete" if self.after is None else "update"

    @property
    def adopts(self) -> bool:
        """Whether it takes a record set over that does not have our mark."""
        return bool(self.before and self.after and self.before.tag(OWNER_KEY) != self.after.tag(OWNER_KEY))

    @property
    def word(self) -> str:
        """What it is called for people: its kind, or adopt."""
        return "adopt" if self.adopts else self.kind

    @property
    def old(self) -> tuple[str, ...]:
        """The addresses before it."""
        return self.before.addresses if self.before else ()

    @property
    def new(self) -> tuple[str, ...]:
        """The addresses after it."""
        return self.after.addresses if self.after else ()

    @property
    def empties(self) -> bool:
        """Whether no address is left for clients who had one."""
        return bool(self.old and not self.new)

    @property
    def narrows(self) -> bool:
        """Whether addresses go away."""
        return self.after is None or not set(self.old) <= set(self.new)

    @property
    def urgency(self) -> Urgency:
        """Withdraw a dead address first, then the first address of a name, then more, then everything else."""
        before, after = set(self.old), set(self.new)
        if before - after and self.removes_dead_address:
            return Urgency.HOST_WITHDRAW if self.is_host_name else Urgency.WITHDRAW
        if self.is_host_name:
            return Urgency.HOST_FIRST_ADDRESS if after - before else Urgency.OTHER
        if after and not before:
            return Urgency.FIRST_ADDRESS
        return Urgency.MORE_ADDRESSES if after - before else Urgency.OTHER


@dataclass(frozen=True, slots=True)
class Skip:
    """What is left alone, and why. `blocked`: because the record set is not ours to write."""

    zone: str
    name: str
    reason: str
    blocked: BlockedName | None = None


def has_no_owner_tag(record: RecordSet | None) -> bool:
    """Whether a record set has no owner's mark, and was not made by Azure's auto-registration."""
    return record is not None and not record.auto_registered and not record.tag(OWNER_KEY)


def has_our_owner_tag(record: RecordSet | None, owner: str) -> bool:
    """Whether a record set is ours to write."""
    return record is not None and not record.auto_registered and record.tag(OWNER_KEY) == owner


def obstacle(name: str, record: RecordSet | None, owner: str, *, was_ours: bool) -> BlockedName | None:
    """What forbids us to write what stands there; None: nothing. `was_ours`: the catalog knows that it had our mark."""
    if record is None or has_our_owner_tag(record, owner):
        return None
    whose = "" if record.auto_registered else (record.tag(OWNER_KEY) or "")[:80]
    if record.auto_registered:
        why = Obstacle.AUTO
    elif whose:
        why = Obstacle.OTHER
    else:
        why = Obstacle.LOST if was_ours else Obstacle.FOREIGN
    return BlockedName(name, why, whose, record.addresses)


def diff(
    zone: Zone, answer: Answer, actual: RecordSet | None, owner: str, *, adopt: bool = False, was_ours: bool = False
) -> Change | Skip | None:
    """What it takes to make a zone's record set equal to its answer; None: nothing.

    `was_ours`: the catalog knows that the record set had our mark; adopted, it is treated like one that has it.
    """
    blocked = obstacle(answer.name, actual, owner, was_ours=was_ours)
    if blocked and (not adopt or blocked.why == Obstacle.AUTO):
        return Skip(zone.id, answer.name, _reason(blocked), blocked)
    if blocked and not answer.addresses and blocked.why != Obstacle.LOST:
        return Skip(zone.id, answer.name, "not taken over: no endpoint serves this name now", blocked)
    if actual is None:
        return Change(zone.id, answer.name, None, _wanted(answer, owner), answer.reason) if answer.addresses else None
    if answer.addresses is None:
        kept = replace(answer, addresses=actual.addresses, ttl=actual.ttl)
        return Change(zone.id, answer.name, actual, _wanted(kept, owner, actual), answer.reason) if blocked else None
    if not answer.addresses:
        return Change(zone.id, answer.name, actual, None, answer.reason)
    if not blocked and actual.ttl == answer.ttl and sorted(actual.addresses) == sorted(answer.addresses):
        return None
    return Change(zone.id, answer.name, actual, _wanted(answer, owner, actual), answer.reason)


def _wanted(answer: Answer, owner: str, actual: RecordSet | None = None) -> RecordSet:
    """The record set of an answer, with our mark and the metadata that was there."""
    metadata = dict(actual.metadata if actual else ()) | {OWNER_KEY: owner}
    return RecordSet(answer.name, answer.ttl, answer.addresses or (), tuple(sorted(metadata.items())))


def _reason(blocked: BlockedName) -> str:
    if blocked.why == Obstacle.AUTO:
        return "auto-registered by Azure"
    if blocked.why == Obstacle.LOST:
        return "the record set has lost our mark; adopt takes it back"
    whose = f"belongs to owner {blocked.owner!r}" if blocked.owner else "is not ours"
    return f"the record set {whose}; adopt takes it over"


def classify_removal(change: Change, endpoints: Collection[Endpoint], orders: Sequence[Override] = ()) -> Change:
    """The same change, with `seen`, `host` and `dead` set by what is known of the name's endpoints."""
    host = not any(change.name in endpoint.tagged for endpoint in endpoints)
    explained, served = set(), set()
    for endpoint in endpoints:
        drained = any(order.applies_to(endpoint) for order in orders)
        claims = change.name in endpoint.names and not drained
        addresses = {address.ip for address in endpoint.addresses}
        if endpoint.kind == STATIC and not drained and not (claims and endpoint.state == State.SERVING):
            continue  # The settings do not say so any more: nobody has seen it go.
        if not claims or endpoint.state not in (State.SERVING, State.UNKNOWN):
            explained |= addresses
        elif endpoint.state == State.SERVING:
            served |= addresses
    before, after = set(change.old), set(change.new)
    seen = not change.empties or before <= explained
    return replace(change, is_host_name=host, removal_explained=seen, removes_dead_address=not before - after <= served)


def guard(
    zone: Zone, changes: Iterable[Change], owned: int, force: Collection[str] = (), *, beyond: bool = False
) -> RefusedPlan | None:
    """Raise UnsafePlan where too much would be removed or emptied on grounds that nobody has seen.

    `owned`: record sets of ours in the zone. The limit is max(1, 30 % of them), and never more than 50.
    `force`: digests of plans that a person lets through; `beyond`: also one above the hard bound (see `is_beyond`).
    Gives the plan that was let through by its digest.
    """
    removals = [change for change in changes if change.empties and not change.removal_explained]
    limit = min(MAX_REMOVALS, max(1, int(owned * MAX_SHARE)))
    if len(removals) <= limit:
        return None
    plan = RefusedPlan(zone.id, digest(removals), len(removals), owned, is_beyond(len(removals), owned))
    if plan.digest in force and (beyond or not plan.beyond):
        return plan
    second = ', "force_beyond": true' if plan.beyond else ""
    why = f" (more than {HARD_REMOVALS}, or more than half of the zone, needs the second word)" if plan.beyond else ""
    raise UnsafePlan(
        f"zone {zone.fqdn} ({zone.region}): refused to remove or empty {plan.removals} of {owned} owned record sets "
        f"that no endpoint accounts for; at most {limit} are allowed. If exactly these are to go, run a resync with "
        f'"force": "{plan.digest}"{second}{why}.',
        plan,
    )


def is_beyond(removals: int, owned: int) -> bool:
    """Whether a digest alone does not let a plan through: more than 200 removals, or 10 or more and above half."""
    return removals > HARD_REMOVALS or (removals >= HARD_FROM and removals > HARD_SHARE * owned)


def digest(removals: Iterable[Change]) -> str:
    """Twelve hexadecimal digits that name these removals: zones, names and addresses, in whatever order."""
    facts = sorted((change.zone.lower(), change.name, sorted(change.old)) for change in removals)
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:DIGEST_LENGTH]
