"""Internal load balancers as endpoints: their private frontend addresses, as long as they are there.

Whether anybody stands behind a frontend is the load balancer's own affair: its probes know better than ARM.
"""

from __future__ import annotations

import msgspec

from shared.arm.client import Page
from shared.arm.kind import Listed
from shared.arm.machines import IpConfiguration
from shared.arm.tags import claims, drained, names
from shared.model import Endpoint, State
from shared.settings import region_name


class _Properties(msgspec.Struct, rename="camel"):
    provisioning_state: str = ""
    frontends: list[IpConfiguration] | None = msgspec.field(name="frontendIPConfigurations", default=None)


class _LoadBalancer(msgspec.Struct):
    id: str
    name: str
    location: str = ""
    tags: dict[str, str] | None = None
    properties: _Properties = msgspec.field(default_factory=_Properties)


class LoadBalancers(Listed[_LoadBalancer]):
    """One kind of endpoint; its lists say as much as a GET."""

    path = "Microsoft.Network/loadBalancers"
    api = "2024-01-01"
    one = msgspec.json.Decoder(_LoadBalancer)
    many = msgspec.json.Decoder(Page[_LoadBalancer])

    async def assess(self, found: _LoadBalancer, *, from_list: bool) -> Endpoint:
        """Its private frontends' addresses."""
        del from_list
        tagged, own, faults = names(found.tags, found.name)
        frontends = found.properties.frontends or []
        addresses = tuple(sorted(address for each in frontends if (address := each.address)))
        if claims(found.tags):
            public = [each.name for each in frontends if not each.properties.address]
            faults += tuple(f"frontend {name!r} has no private address and is not published" for name in public)
        return Endpoint(
            id=found.id,
            kind=self.kind,
            region=region_name(found.location),
            tagged=tagged,
            own=own,
            addresses=addresses,
            state=_state(found, served=bool(addresses)),
            health=False,
            faults=faults,
        )


def _state(found: _LoadBalancer, *, served: bool) -> State:
    if not served or found.properties.provisioning_state.lower() == "deleting":
        return State.STOPPED
    return State.DRAINING if drained(found.tags) else State.SERVING
