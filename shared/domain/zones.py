"""Zones, the answers that they should contain, and the record sets that they do contain."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Network

from shared.domain.addresses import publishable_ranges
from shared.domain.endpoints import State

MAX_ADDRESSES = 20
"""Records in one Azure Private DNS record set. Source: Azure DNS limits, 2024-10-08."""


@dataclass(frozen=True)
class Zone:
    """A private DNS zone, the region of its clients, and the networks that those clients can reach.

    `public`: public addresses within `reach` may be published.
    """

    id: str
    region: str
    reach: tuple[IPv4Network, ...]
    public: bool = False

    @cached_property
    def key(self) -> str:
        """The id for comparison."""
        return self.id.lower()

    @cached_property
    def ranges(self) -> tuple[tuple[int, int], ...]:
        """The addresses that its clients can reach and that may be published, as first and last address of ranges."""
        return publishable_ranges(self.reach, with_public=self.public)

    @property
    def fqdn(self) -> str:
        """The zone's DNS name, e.g. `ai.internal`."""
        return self.id.rsplit("/", 1)[-1].lower()


@dataclass(frozen=True, slots=True)
class Policy:
    """How a name is answered. `regions`: only these, or any if empty. `ttl`: seconds, None for the default.

    `distance`: which round-trip times decide, `measured` where there are any, or `published`. `wait_minutes`: how long
    at the most an endpoint that begins to serve is held back until its first successful probe.
    """

    min_endpoints: int = 1
    tolerance_ms: float = 0.0
    regions: frozenset[str] = frozenset()
    fallback: tuple[str, ...] = ()
    when_empty: str = "remove"
    ttl: int | None = None
    distance: str = "measured"
    wait_minutes: int = 0


@dataclass(frozen=True, slots=True)
class ClaimVerdict:
    """Whether one endpoint is in an answer, and why."""

    endpoint: str
    region: str
    state: State
    addresses: tuple[str, ...]
    included: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Answer:
    """The A record set that a zone should contain for a name. `addresses`: None to keep the record set as it is.

    `fail_open`: probes fail at every address, so that all of them count.
    """

    name: str
    addresses: tuple[str, ...] | None
    ttl: int
    reason: str
    fail_open: bool = False


@dataclass(frozen=True, slots=True)
class RecordSet:
    """An A record set as it is in Azure. `etag` is returned unchanged as the condition of a write."""

    name: str
    ttl: int
    addresses: tuple[str, ...]
    metadata: tuple[tuple[str, str], ...] = ()
    etag: str = ""
    auto_registered: bool = False

    def tag(self, key: str) -> str | None:
        """Return a metadata value, None if it is absent."""
        return dict(self.metadata).get(key)
