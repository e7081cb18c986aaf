r"""An answer and the record set that is there -> the change that is needed, or the reason to skip the name.

"Ours": the record set has our owner tag. "Tag lost": it had one, as the catalog knows.

actual \ answer       addresses            none             keep
nothing              create               -                -
ours, equal          -                    delete           -
ours, different      update               delete           - (TTL as it is)
tag lost             skip (adopt: update) skip (delete)    skip (update: the tag alone)
foreign              skip (adopt: update) skip             skip
auto-registered      skip                 skip             skip
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from shared.domain.dirty import Urgency
from shared.domain.endpoints import STATIC, Endpoint, State
from shared.domain.overrides import Override
from shared.domain.zone_findings import BlockedName, Obstacle
from shared.domain.zones import Answer, RecordSet, Zone

OWNER_KEY = "nearzone-owner"
"""The metadata key of the owner tag; its value is the owner."""

Kind = Literal["create", "update", "delete"]


@dataclass(frozen=True, slots=True)
class Change:
    """One write: from `before` (None: nothing there) to `after` (None: removed).

    `removal_explained`: an observed change of an endpoint explains every address that goes away: it stopped, was
    drained or deleted, or left the name. Otherwise the removal rests on absence, on changed settings or on an orphaned
    record. `is_host_name`: no endpoint claims the name by tag. `removes_dead_address`: no claimant serves an address
    that goes away.
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
        """Whether it takes over a record set without our owner tag."""
        return bool(self.before and self.after and self.before.tag(OWNER_KEY) != self.after.tag(OWNER_KEY))

    @property
    def word(self) -> str:
        """What the report calls it: its kind, or adopt."""
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
        """Whether the name had addresses and has none after it."""
        return bool(self.old and not self.new)

    @property
    def needs_approval(self) -> bool:
        """Whether it may be written only if the guard approved it: it empties a name, and nothing explains that."""
        return self.empties and not self.removal_explained

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
    """A name that is not changed, and why. `blocked`: set if the record set is not ours to write."""

    zone: str
    name: str
    reason: str
    blocked: BlockedName | None = None


def has_no_owner_tag(record: RecordSet | None) -> bool:
    """Whether a record set has no owner tag, and Azure's auto-registration did not make it."""
    return record is not None and not record.auto_registered and not record.tag(OWNER_KEY)


def has_our_owner_tag(record: RecordSet | None, owner: str) -> bool:
    """Whether a record set is ours to write."""
    return record is not None and not record.auto_registered and record.tag(OWNER_KEY) == owner


def obstacle(name: str, record: RecordSet | None, owner: str, *, was_ours: bool) -> BlockedName | None:
    """What forbids us to write a record set; None: nothing. `was_ours`: the catalog knows that it had our owner tag."""
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
    """The change that makes a record set equal to its answer, or the reason to skip it; None: they are equal.

    `was_ours`: the catalog knows that the record set had our owner tag; `adopt` then treats it as if it still had it.
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
    """The record set of an answer, with our owner tag and the metadata that was there."""
    metadata = dict(actual.metadata if actual else ()) | {OWNER_KEY: owner}
    return RecordSet(answer.name, answer.ttl, answer.addresses or (), tuple(sorted(metadata.items())))


def _reason(blocked: BlockedName) -> str:
    if blocked.why == Obstacle.AUTO:
        return "auto-registered by Azure"
    if blocked.why == Obstacle.LOST:
        return "the record set has lost our owner tag; adopt takes it back"
    whose = f"belongs to owner {blocked.owner!r}" if blocked.owner else "is not ours"
    return f"the record set {whose}; adopt takes it over"


def classify_removal(
    change: Change,
    endpoints: Collection[Endpoint],
    overrides: Sequence[Override] = (),
    failing: Collection[str] = (),
) -> Change:
    """The same change, judged by the name's endpoints: whether a removal is explained, and an address dead.

    `failing`: addresses that probes have found down.
    """
    host = not any(change.name in endpoint.tagged for endpoint in endpoints)
    explained, served = set(), set()
    for endpoint in endpoints:
        drained = any(override.applies_to(endpoint) for override in overrides)
        claims = change.name in endpoint.names and not drained
        addresses = {address.ip for address in endpoint.addresses}
        published = {address.ip for address in endpoint.narrowed(change.name).addresses}
        if endpoint.kind == STATIC and not drained and not (claims and endpoint.state == State.SERVING):
            continue  # It left the settings: that is no observation of Azure, so it explains nothing.
        if not claims or endpoint.state not in (State.SERVING, State.UNKNOWN):
            explained |= addresses
        elif endpoint.state == State.SERVING:
            served |= published
            explained |= addresses - published  # Its tag names other parts, or this part does not serve.
    served -= set(failing)
    before, after = set(change.old), set(change.new)
    seen = not change.empties or before <= explained
    return replace(change, is_host_name=host, removal_explained=seen, removes_dead_address=not before - after <= served)
