"""Static endpoints: they stand in the settings, and always serve unless they are drained by order.

An appliance, a frontend on premises, the private side of something that another team runs: ARM knows nothing of them.
They go through the catalog as all endpoints do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from shared.domain.endpoints import STATIC, Endpoint, Listing, State


class StaticEndpoints:
    """One kind of endpoint, in a subscription of that name."""

    kind = STATIC

    def __init__(self, endpoints: Sequence[Endpoint]) -> None:
        self._endpoints = {endpoint.key: endpoint for endpoint in endpoints}

    async def observe(self, endpoint_id: str, known: Endpoint | None, listed: Endpoint | None = None) -> Endpoint:
        """What the settings say of one."""
        del listed
        gone = replace(known or Endpoint(endpoint_id, STATIC, health=False), state=State.GONE)
        return self._endpoints.get(endpoint_id.lower(), gone)

    async def observe_many(self, subscription: str, wanted: Mapping[str, Endpoint | None]) -> Sequence[Endpoint]:
        """Those of the wanted ones that the settings have."""
        del subscription
        return [self._endpoints[key] for key in wanted if key in self._endpoints]

    async def list_in(self, subscription: str, known: Sequence[Endpoint]) -> Listing:
        """All of them."""
        del known
        return Listing(subscription, STATIC, tuple(self._endpoints.values()))
