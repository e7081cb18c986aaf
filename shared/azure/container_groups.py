"""Container groups (Azure Container Instances) with a private address as endpoints.

One serves while it runs, and a container in it that clients may talk to: a group stays `Running` while the platform
starts its crashed containers again and again (states of containers: recordings of azure-cli, test_container_create_msi,
and docs, container-instances/container-state.md, 2024-07-02). The platform may move a group to another address, and a
container may crash, without an event; the sweep finds that.
"""

from __future__ import annotations

from typing import Any

import msgspec

from shared.azure.answers import Page
from shared.azure.endpoint_kind import ListableKind
from shared.azure.machine import Link, private
from shared.azure.tags import claims, drained, names
from shared.config.settings import region_name
from shared.domain.endpoints import Address, Endpoint, State

COMING = ("pending", "creating", "accepted", "updating")
"""States of a group, or of its provisioning, on the way to running."""
ENDED = ("stopped", "succeeded", "failed", "terminated")
"""States of a group that runs no more."""


class _IpAddress(msgspec.Struct):
    ip: str | None = None
    type: str = ""


class _View(msgspec.Struct):
    state: str = ""


class _Current(msgspec.Struct, rename="camel"):
    state: str = ""
    detail_status: str = ""


class _ContainerView(msgspec.Struct, rename="camel"):
    current_state: _Current = msgspec.field(default_factory=_Current)


class _ContainerProperties(msgspec.Struct, rename="camel"):
    ports: list[Any] | None = None
    instance_view: _ContainerView = msgspec.field(default_factory=_ContainerView)


class _Container(msgspec.Struct):
    properties: _ContainerProperties = msgspec.field(default_factory=_ContainerProperties)


class _Properties(msgspec.Struct, rename="camel"):
    provisioning_state: str = ""
    ip_address: _IpAddress | None = None
    subnet_ids: list[Link] | None = None
    containers: list[_Container] | None = None
    instance_view: _View | None = None


class _ContainerGroup(msgspec.Struct):
    id: str
    name: str
    location: str = ""
    tags: dict[str, Any] | None = None
    properties: _Properties = msgspec.field(default_factory=_Properties)


class ContainerGroups(ListableKind[_ContainerGroup]):
    """One kind of endpoint. Recorded lists have no instance view (azure-cli, 2023), so these leave open what runs."""

    path = "Microsoft.ContainerInstance/containerGroups"
    api = "2023-05-01"
    one = msgspec.json.Decoder(_ContainerGroup)
    many = msgspec.json.Decoder(Page[_ContainerGroup])

    async def to_endpoint(self, found: _ContainerGroup, *, from_list: bool) -> Endpoint | None:
        """Its private address."""
        if from_list and claims(found.tags) and found.properties.instance_view is None:
            return None
        tagged, own, faults = names(found.tags, found.name)
        address, (state, doubt) = _address(found), _state(found)
        if claims(found.tags):
            faults += ("it has no private address and is not published",) if _public(found) else _down(found)
        return Endpoint(
            id=found.id,
            kind=self.kind,
            region=region_name(found.location),
            tagged=tagged,
            own=own,
            addresses=(address,) if address else (),
            state=state,
            health=False,
            doubt=doubt if claims(found.tags) else "",
            faults=faults,
        )


def _address(found: _ContainerGroup) -> Address | None:
    ip, subnets = found.properties.ip_address, found.properties.subnet_ids
    if not ip or _public(found) or not ip.ip:
        return None
    return private(ip.ip, subnets[0] if subnets else None)


def _public(found: _ContainerGroup) -> bool:
    ip = found.properties.ip_address
    return ip is not None and ip.type.lower() == "public"


def _state(found: _ContainerGroup) -> tuple[State, str]:
    """What it does, and why that is in doubt, or "".

    Azure may not tell for a while what a group does, or where it is, such as while it repairs the group.
    """
    properties = found.properties
    provisioning = properties.provisioning_state.lower()
    state = properties.instance_view.state.lower() if properties.instance_view else ""
    private_one = bool(properties.subnet_ids or properties.ip_address) and not _public(found)
    if state in ENDED or provisioning == "deleting" or (state == "running" and not private_one):
        return State.STOPPED, ""
    doubt = ""
    if state not in COMING and provisioning not in COMING:
        doubt = "Azure does not tell whether it runs" if state != "running" else "Azure does not tell its address"
    if state == "running" and (_address(found) or _down(found)):
        doubt = ""
    if drained(found.tags):
        return State.DRAINING, doubt
    serves = state == "running" and _address(found) and not _down(found)
    return State.SERVING if serves else State.WARMING, doubt


def _down(found: _ContainerGroup) -> tuple[str, ...]:
    """Why no container runs in a running group that clients may talk to, in words, or nothing.

    These are the containers that open a port, or all where none does: a sidecar without a port serves no client, and a
    job beside them may have ended. One of which Azure says nothing counts as running, for its group does.
    """
    if not found.properties.instance_view or found.properties.instance_view.state.lower() != "running":
        return ()
    containers = [each.properties for each in found.properties.containers or ()]
    asked = [each for each in containers if each.ports] or containers
    currents = [each.instance_view.current_state for each in asked]
    if not currents or any(each.state.lower() in ("", "running") for each in currents):
        return ()
    return (f"no container of it that could serve runs: {_shown(currents[0])}",)


def _shown(current: _Current) -> str:
    """`Waiting (CrashLoopBackOff)`; what follows in the detail differs from time to time."""
    detail = current.detail_status.split(":", 1)[0].strip()[:40]
    return f"{current.state} ({detail})" if detail else current.state
