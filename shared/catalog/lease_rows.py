"""The rows of the leases: the holder of a zone, the expiry, and the recent writes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import msgspec
from azure.data.tables import TableEntity

from shared.catalog.codec import UnreadableRow, modified_at, read
from shared.domain.catalog_rows import Versioned

UNKNOWN_HOLDER = "unreadable"
"""The holder of a lease whose row cannot be read: no process has this name."""


@dataclass(frozen=True, slots=True)
class LeaseRow:
    """A lease row; the holder is "" for a free zone.

    `spent`: the recent writes as in `Lease`, each as kind, name and time, so that the row stays short.
    """

    zone: str
    holder: str = ""
    expires: float = 0.0
    spent: tuple[tuple[str, str, float], ...] | None = ()


LEASE = msgspec.json.Decoder(LeaseRow)


def read_lease(row: TableEntity, longest: float) -> Versioned[LeaseRow]:
    """Decode a lease. It expires at most `longest` seconds after its row was written, by the account's clock.

    Raises UnreadableRow.
    """
    stored = read(row, LEASE)
    if strange := {kind for kind, _, _ in stored.value.spent or ()} - {"create", "update", "delete"}:
        raise UnreadableRow(row, f"writes of an unknown kind: {sorted(strange)}")
    ends = modified_at(row) + longest
    return replace(stored, value=replace(stored.value, expires=min(stored.value.expires, ends)))


def unreadable_lease(zone: str, row: TableEntity, longest: float) -> Versioned[LeaseRow]:
    """Return a lease for an unreadable row: held by another holder until the latest possible expiry.

    Its writes are unknown.
    """
    return Versioned(LeaseRow(zone, UNKNOWN_HOLDER, modified_at(row) + longest, None), str(row.metadata["etag"]))
