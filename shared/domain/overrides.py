"""Overrides by the operator: an endpoint or region drained, a zone frozen."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from shared.domain.endpoints import Endpoint
from shared.domain.resource_ids import digest
from shared.domain.zones import Zone

FOREVER = 253_402_300_799.0
"""Until when an order holds that has no end; the last second that a date can say."""


HASHED = "sha256:"
"""Begins the target of an order of which only the hash is known (see `Order`)."""


@dataclass(frozen=True, slots=True)
class Override:
    """A person's order until `until` (seconds since the epoch), about its `target`.

    An endpoint (its id in lower case) or a whole region is withdrawn; to a zone (its key) nothing is written. Of an
    order whose row cannot be read, the row's key still tells the target: `sha256:` and the digest of it.
    `by`, `reason_given`: as in `Cause`.
    """

    target: str
    until: float
    by: str = ""
    reason_given: str = ""

    def applies_to(self, endpoint: Endpoint) -> bool:
        """Whether this order is about that endpoint."""
        return self.about(endpoint.key) or self.about(endpoint.region)

    def about(self, target: str) -> bool:
        """Whether this is the target."""
        if self.target.startswith(HASHED):
            return self.target == HASHED + digest(target)
        return self.target == target

    @property
    def has_no_end(self) -> bool:
        """Whether it holds until somebody takes it back."""
        return self.until >= FOREVER


def active_freeze(zone: Zone, orders: Iterable[Override]) -> Override | None:
    """The order, of those in force, that nothing is written to a zone."""
    return next((order for order in orders if order.about(zone.key)), None)
