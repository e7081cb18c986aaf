"""Container groups (Azure Container Instances) with a private address as endpoints: they serve while they run.

The platform may move a group to another address without an event; the sweep finds that.
"""

from __future__ import annotations

import msgspec

from shared.arm.client import Page
from shared.arm.kind import Listed
from shared.arm.machines import Link, network_of
from shared.arm.tags import claims, drained, names
from shared.model import Address, Endpoint, State
from shared.settings import region_name


class _IpAddress(msgspec.Struct):
    ip: str | None = None
    type: str = ""


class _View(msgspec.Struct):
    state: str = ""


class _Properties(msgspec.Struct, rename="camel"):
    provisioning_state: str = ""
    ip_address: _IpAddress | None = None
    subnet_ids: list[Link] | None = None
    instance_view: _View | None = None


class _ContainerGroup(msgspec.Struct):
    id: str
    name: str
    location: str = ""
    tags: dict[str, str] | None = None
    properties: _Properties = msgspec.field(default_factory=_Properties)


class ContainerGroups(Listed[_ContainerGroup]):
    """One kind of endpoint. Recorded lists have no instance view (azure-cli, 2023), so these leave open what runs."""

    path = "Microsoft.ContainerInstance/containerGroups"
    api = "2023-05-01"
    one = msgspec.json.Decoder(_ContainerGroup)
    many = msgspec.json.Decoder(Page[_ContainerGroup])

    async def assess(self, found: _ContainerGroup, *, from_list: bool) -> Endpoint | None:
        """Its private address."""
        if from_list and claims(found.tags) and found.properties.instance_view is None:
            return None
        tagged, own, faults = names(found.tags, found.name)
        ip, subnets = found.properties.ip_address, found.properties.subnet_ids or []
        addresses: tuple[Address, ...] = ()
        if ip and ip.type.lower() == "private" and ip.ip:
            addresses = (Address(ip.ip, network_of(subnets[0].id if subnets else "")),)
        elif ip and claims(found.tags):
            faults += ("it has no private address and is not published",)
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


def _state(found: _ContainerGroup, *, served: bool) -> State:
    view = found.properties.instance_view
    running = view.state.lower() if view else ""
    if running in ("", "pending", "creating", "repairing"):
        return State.WARMING
    if running != "running" or not served:  # Stopped, Succeeded, Failed, ...
        return State.STOPPED
    return State.DRAINING if drained(found.tags) else State.SERVING
