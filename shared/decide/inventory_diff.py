"""What a sweep has to record or to read, by the catalog's rows and the lists of Azure. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from shared.domain.catalog_rows import Versioned
from shared.domain.endpoints import Endpoint, EndpointRow, Listing, State

Row = Versioned[EndpointRow] | None
Rows = Mapping[str, Versioned[EndpointRow]]
"""Rows of endpoints by the endpoint's key."""


@dataclass(frozen=True, slots=True)
class InventoryDiff:
    """How lists and rows differ. `listed`: how many endpoints the lists have.

    `differing`: what a list says of an endpoint, to be recorded. `missing`: endpoints that the catalog knows and a
    complete list lacks. `needs_get`: a list does not say enough of them. `unknown`: the same of endpoints of which the
    catalog does not know yet whether they serve.
    """

    listed: int
    differing: tuple[tuple[Endpoint, Row], ...]
    missing: tuple[Endpoint, ...]
    needs_get: tuple[tuple[Endpoint, Row], ...]
    unknown: tuple[tuple[Endpoint, Row], ...]


def diff_inventory(rows: Rows, listings: Sequence[Listing], *, rewrites: bool = False) -> InventoryDiff:
    """Compare rows with lists. `rewrites`: record also what the rows say already."""
    listed = {endpoint.key: endpoint for listing in listings for endpoint in listing.endpoints}
    unclear = {endpoint.key: endpoint for listing in listings for endpoint in listing.needs_get}
    hinted = {endpoint.key for listing in listings if listing.hinted for endpoint in listing.needs_get}
    complete = {(listing.subscription, listing.kind) for listing in listings if not (listing.error or listing.hinted)}
    open_pairs = [(endpoint, rows.get(key)) for key, endpoint in unclear.items()]
    unknown = [pair for pair in open_pairs if _is_unknown(*pair, hinted=pair[0].key in hinted)]
    entered = {endpoint.key for endpoint, _ in unknown}
    return InventoryDiff(
        len(listed) + len(unclear) + sum(listing.known for listing in listings),
        tuple(_differing(rows, listed.values(), rewrites=rewrites)),
        tuple(
            stored.value.endpoint
            for key, stored in rows.items()
            if key not in listed and key not in unclear and _is_missing(stored.value, complete)
        ),
        tuple(pair for pair in open_pairs if pair[0].key not in entered),
        tuple(sorted(unknown, key=_services_first)),
    )


def _differing(rows: Rows, listed: Iterable[Endpoint], *, rewrites: bool) -> Iterable[tuple[Endpoint, Row]]:
    for endpoint in listed:
        stored = rows.get(endpoint.key)
        if stored is None:
            if endpoint.is_relevant:
                yield endpoint, None
        elif rewrites or stored.value.todo or not endpoint.equals_ignoring_id_case(stored.value.endpoint):
            yield endpoint, stored


def _is_missing(row: EndpointRow, complete: Iterable[tuple[str, str]]) -> bool:
    """Whether to look for an endpoint that no list has.

    Lists tell of every endpoint whether it claims names, so the row of one that claims none may grow old.
    """
    if row.todo:
        return True
    if row.endpoint.state == State.GONE or not row.endpoint.is_relevant:
        return False
    return (row.endpoint.subscription, row.endpoint.kind) in complete


def _is_unknown(listed: Endpoint, stored: Row, *, hinted: bool) -> bool:
    """Whether the catalog gets the names of an endpoint before it is read.

    Not if a hint shows one that was read as gone: the row would claim its names again until the next GET.
    """
    known = stored and (hinted or stored.value.endpoint.state != State.GONE) and not stored.value.endpoint.unread
    return bool(listed.names) and not known


def _services_first(pair: tuple[Endpoint, Row]) -> tuple[bool, tuple[str, ...]]:
    """Service by service, then host names."""
    tagged = pair[0].tagged
    return not tagged, tagged
