"""Overrides by the operator: an endpoint or a region is drained, a zone is frozen."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from shared.domain.endpoints import Endpoint
from shared.domain.resource_ids import digest
from shared.domain.zones import Zone

FOREVER = 253_402_300_799.0
"""The `until` of an override without an end, in seconds since the epoch; the last second that a date can express."""


HASHED = "sha256:"
"""The prefix of the target of an override whose target is known only as a hash (see `Override`)."""


@dataclass(frozen=True, slots=True)
class Override:
    """An override by the operator, in force until `until` (seconds since the epoch).

    `target`: the id of an endpoint in lower case, or a region: it is drained. Or the key of a zone: it is frozen. If
    the row of an override cannot be read, its key still identifies the target: `sha256:` and the digest of the target.
    `by`, `reason_given`: as in `Cause`.
    """

    target: str
    until: float
    by: str = ""
    reason_given: str = ""

    def applies_to(self, endpoint: Endpoint) -> bool:
        """Return whether this override drains that endpoint."""
        return self.about(endpoint.key) or self.about(endpoint.region)

    def about(self, target: str) -> bool:
        """Return whether this is the target of the override."""
        if self.target.startswith(HASHED):
            return self.target == HASHED + digest(target)
        return self.target == target

    @property
    def has_no_end(self) -> bool:
        """Whether it stays in force until the operator ends it."""
        return self.until >= FOREVER


def active_freeze(zone: Zone, overrides: Iterable[Override]) -> Override | None:
    """Return the freeze of a zone among the overrides in force, or None."""
    return next((order for order in overrides if order.about(zone.key)), None)
