"""What a zone is known to hold for a name, how old that knowledge is, and why it is not the answer.

The knowledge comes from the catalog. Rows of dirty names and the findings of the last sweep have what was last read,
the history has what was last written. A name that none of them mentions holds its answer, as far as is known.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

from shared.domain.dirty import DirtyName, RecordChange
from shared.domain.zone_findings import BlockedName, KeptRecord, ZoneFindings
from shared.domain.zones import Answer, RecordSet


class MismatchReason(StrEnum):
    """Why a zone does not hold the answer, or may not."""

    UNWRITTEN = "unwritten"
    FAILING = "failing"
    WAITING = "waiting"
    FROZEN = "frozen"
    BLOCKED = "blocked"
    REFUSED = "refused"
    INCOMPLETE = "incomplete"
    KEPT = "kept"


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One name of one zone. `addresses`: what the zone holds, None if that is not known.

    `at`: when that was read or written, in seconds since the epoch, 0 if not known. `error`: the last error; of a
    blocked name, the obstacle.
    """

    addresses: tuple[str, ...] | None
    at: float
    reason: MismatchReason
    error: str = ""


@dataclass(frozen=True)
class KnownRecords:
    """What the catalog knows of one zone's record sets, by name. `last_changes`: as far as the history was read."""

    dirty: Mapping[str, DirtyName]
    blocked: Mapping[str, BlockedName]
    kept_records: Mapping[str, KeptRecord]
    last_changes: Mapping[str, RecordChange]
    frozen: bool

    @property
    def names(self) -> frozenset[str]:
        """The names that may not hold their answers."""
        return frozenset((*self.dirty, *self.blocked, *self.kept_records))

    @property
    def unread_names(self) -> frozenset[str]:
        """Dirty names for which the zone's addresses are not known."""
        return frozenset(name for name in self.dirty if self.latest(name) is None)

    def latest(self, name: str) -> tuple[tuple[str, ...], float] | None:
        """The addresses that were last read or written, and when; None if neither is known."""
        found: list[tuple[float, tuple[str, ...]]] = []
        row, past = self.dirty.get(name), self.last_changes.get(name)
        if row and row.holds is not None:
            found.append((row.held_at, row.holds))
        found += [(each.at, each.addresses) for each in (self.blocked.get(name), self.kept_records.get(name)) if each]
        if past:
            found.append((past.at, past.after))
        if not found:
            return None
        at, addresses = max(found)
        return addresses, at

    def record_set(self, name: str) -> RecordSet | None:
        """What is known, as a record set; only its addresses count."""
        known = self.latest(name)
        return RecordSet(name, 0, known[0]) if known and known[0] else None

    def mismatch(self, name: str, answer: Answer, *, kept: bool) -> Mismatch | None:
        """What the zone holds, if that is not the answer, or may not be; otherwise None.

        `kept`: a claimant of the name cannot be read, and the zone keeps its addresses.
        """
        why, error = self._reason(name, kept=kept)
        if why is None:
            return None
        addresses, at = self.latest(name) or (None, 0.0)
        right = answer.addresses is None or (addresses is not None and set(addresses) == set(answer.addresses))
        if right and why not in (MismatchReason.BLOCKED, MismatchReason.KEPT):
            return None
        return Mismatch(addresses, at, why, error)

    def _reason(self, name: str, *, kept: bool) -> tuple[MismatchReason | None, str]:
        written = self.last_changes[name].at if name in self.last_changes else 0.0
        blocked, held, row = self.blocked.get(name), self.kept_records.get(name), self.dirty.get(name)
        if blocked and blocked.at >= written:
            return MismatchReason.BLOCKED, blocked.why.value
        if row and self.frozen:
            return MismatchReason.FROZEN, row.last_error
        if row and row.attempts:
            return MismatchReason.FAILING, row.last_error
        if row:
            return (MismatchReason.WAITING, row.last_error) if row.last_error else (MismatchReason.UNWRITTEN, "")
        if held and held.at >= written:
            return MismatchReason(held.why), ""
        return (MismatchReason.KEPT, "") if kept else (None, "")


def known_records(
    rows: Collection[DirtyName], found: ZoneFindings, past: Collection[RecordChange], *, frozen: bool
) -> KnownRecords:
    """What is known of a zone. `past`: changes, the newest of a name first."""
    newest: dict[str, RecordChange] = {}
    for change in past:
        newest.setdefault(change.name, change)
    return KnownRecords(
        {row.name: row for row in rows},
        {each.name: each for each in found.blocked},
        {each.name: each for each in found.held},
        newest,
        frozen,
    )
