"""Overrides by the operator: an endpoint, a scale set or a region is drained, a zone is frozen."""

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
    """An operator's drain or freeze of a `target` until `until` (seconds since the epoch).

    The target says what is meant: an endpoint or a scale set (its id in lower case) or a region is drained, that is
    withdrawn from all answers; a zone (its key) is frozen, that is not written. These are not two types, because an
    override may stay in force of which nothing but the hash of the target is known, since its row cannot be read:
    `sha256:` and the digest. Whether that is a drain or a freeze shows only when it is compared with a target. `by`,
    `reason_given`: as in `Cause`.
    """

    target: str
    until: float
    by: str = ""
    reason_given: str = ""

    def applies_to(self, endpoint: Endpoint) -> bool:
        """Return whether this override drains that endpoint.

        A private endpoint needs its service's region and its own.
        """
        return (
            self.about(endpoint.key)
            or self.about(endpoint.region)
            or self.about(endpoint.network_region)
            or self.about_parent_of(endpoint)
        )

    def about_parent_of(self, endpoint: Endpoint) -> bool:
        """Return whether this override drains what contains the endpoint, such as its scale set."""
        return bool(endpoint.parent) and self.about(endpoint.parent)

    def about(self, target: str) -> bool:
        """Return whether this is the target of the override."""
        if self.target.startswith(HASHED):
            return self.target == HASHED + digest(target)
        return self.target == target

    @property
    def is_freeze(self) -> bool:
        """Whether the target is a zone; False where only its hash is known."""
        return "/privatednszones/" in self.target

    @property
    def has_no_end(self) -> bool:
        """Whether it stays in force until the operator ends it."""
        return self.until >= FOREVER


def parent_word(parent: str) -> str:
    """Return in a word what contains endpoints: a scale set, or a service with several locations."""
    return "scale set" if "/virtualmachinescalesets/" in parent.lower() else "service"


def active_freeze(zone: Zone, overrides: Iterable[Override]) -> Override | None:
    """Return the freeze of a zone among the overrides in force, or None."""
    return next((override for override in overrides if override.about(zone.key)), None)
