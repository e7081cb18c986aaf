"""Overrides by operators: an endpoint or region drained, a zone frozen."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from shared.domain.endpoints import Endpoint
from shared.domain.resource_ids import digest
from shared.domain.zones import Zone

FOREVER = 253_402_300_799.0
"""Until when an override holds that has no end: the last second that a date can say."""
HASHED = "sha256:"
"""Begins the target of an override of which only the hash is known (see `Override`)."""


@dataclass(frozen=True, slots=True)
class Override:
    """What an operator has ordered until `until` (seconds since the epoch), about its `target`.

    The target says what is meant: an endpoint (its id in lower case) or a region is drained, that is withdrawn from all
    answers; a zone (its key) is frozen, that is not written. These are not two types, because an override may stay in
    force of which nothing but the hash of the target is known, since its row cannot be read: `sha256:` and the digest.
    Whether that is a drain or a freeze shows only when it is compared with a target. `by`, `reason_given`: as in
    `Cause`.
    """

    target: str
    until: float
    by: str = ""
    reason_given: str = ""

    def applies_to(self, endpoint: Endpoint) -> bool:
        """Whether this override drains that endpoint."""
        return self.about(endpoint.key) or self.about(endpoint.region)

    def about(self, target: str) -> bool:
        """Whether this is the target."""
        if self.target.startswith(HASHED):
            return self.target == HASHED + digest(target)
        return self.target == target

    @property
    def is_freeze(self) -> bool:
        """Whether the target is a zone; False where only its hash is known."""
        return "/privatednszones/" in self.target

    @property
    def has_no_end(self) -> bool:
        """Whether it holds until an operator takes it back."""
        return self.until >= FOREVER


def active_freeze(zone: Zone, overrides: Iterable[Override]) -> Override | None:
    """The override, of those in force, that freezes a zone."""
    return next((override for override in overrides if override.about(zone.key)), None)
