"""Static endpoints: the settings define them, and they always serve unless an override drains them.

Examples: an appliance, a frontend on premises, the private side of another team's service. ARM does not know them. They
use the catalog as all endpoints do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from shared.domain.endpoints import STATIC, Endpoint, Listing, State


class StaticEndpoints:
    """The static endpoints, in a subscription named `static`."""

    kind = STATIC

    def __init__(self, endpoints: Sequence[Endpoint]) -> None:
        self._endpoints = {endpoint.key: endpoint for endpoint in endpoints}

    async def observe(self, endpoint_id: str, previous: Endpoint | None, listed: Endpoint | None = None) -> Endpoint:
        """Return an endpoint from the settings; state gone if they have none of this id."""
        del listed
        gone = replace(previous or Endpoint(endpoint_id, STATIC, health=False), state=State.GONE)
        return self._endpoints.get(endpoint_id.lower(), gone)

    async def observe_many(self, subscription: str, wanted: Mapping[str, Endpoint | None]) -> Sequence[Endpoint]:
        """Return the wanted endpoints that the settings have."""
        del subscription
        return [self._endpoints[key] for key in wanted if key in self._endpoints]

    async def list_in(self, subscription: str, previous: Sequence[Endpoint]) -> Listing:
        """Return all static endpoints."""
        del previous
        return Listing(subscription, STATIC, tuple(self._endpoints.values()))
