"""Container groups (Azure Container Instances) with a private address as endpoints.

A group serves while it runs and a container that serves clients runs: a group stays Running while the platform
restarts its crashed containers again and again (states of containers: recordings of azure-cli,
test_container_create_msi, and docs, container-instances/container-state.md, 2024-07-02). The platform may move a group
to another address, and a container may crash, without an event; the sweep finds these changes.
"""

from __future__ import annotations

from typing import Any

import msgspec

from shared.azure.answers import Page
from shared.azure.endpoint_kind import ListableKind
from shared.azure.machine import Link, private_address
from shared.azure.tags import claims, drained, names
from shared.config.settings import region_name
from shared.domain.endpoints import Address, Endpoint, State

STARTING = ("pending", "creating", "accepted", "updating")
"""States of a group, or of its provisioning, before it runs."""
ENDED = ("stopped", "succeeded", "failed", "terminated")
"""States of a group that has ended."""


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
    """Container groups.

    Recorded lists have no instance view (azure-cli, 2023), so lists do not show which groups run.
    """

    path = "Microsoft.ContainerInstance/containerGroups"
    api = "2023-05-01"
    one = msgspec.json.Decoder(_ContainerGroup)
    many = msgspec.json.Decoder(Page[_ContainerGroup])

    async def to_endpoint(self, found: _ContainerGroup, *, from_list: bool) -> Endpoint | None:
        """Return the group as an endpoint with its private address."""
        if from_list and claims(found.tags) and found.properties.instance_view is None:
            return None
        tagged, own, faults = names(found.tags, found.name)
        address, (state, doubt) = _address(found), _state(found)
        if claims(found.tags):
            faults += ("it has no private address and is not published",) if _public(found) else _serving_problem(found)
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
    return private_address(ip.ip, subnets[0] if subnets else None)


def _public(found: _ContainerGroup) -> bool:
    ip = found.properties.ip_address
    return ip is not None and ip.type.lower() == "public"


def _state(found: _ContainerGroup) -> tuple[State, str]:
    """Return the state of a group, and why it is in doubt, or "".

    Azure may omit the state or the address of a group for a while, for example during a repair.
    """
    properties = found.properties
    provisioning = properties.provisioning_state.lower()
    state = properties.instance_view.state.lower() if properties.instance_view else ""
    private_one = bool(properties.subnet_ids or properties.ip_address) and not _public(found)
    if state in ENDED or provisioning == "deleting" or (state == "running" and not private_one):
        return State.STOPPED, ""
    doubt = ""
    if state not in STARTING and provisioning not in STARTING:
        doubt = "Azure does not report whether it runs" if state != "running" else "Azure does not report its address"
    if state == "running" and (_address(found) or _serving_problem(found)):
        doubt = ""
    if drained(found.tags):
        return State.DRAINING, doubt
    serves = state == "running" and _address(found) and not _serving_problem(found)
    return State.SERVING if serves else State.WARMING, doubt


def _serving_problem(found: _ContainerGroup) -> tuple[str, ...]:
    """Return why no container that serves clients runs in a running group, as text, or nothing.

    Containers with a port serve clients, or all containers if none has a port: a sidecar without a port serves no
    client, and a job in the group may have ended. A container without a reported state counts as running, because its
    group runs.
    """
    if not found.properties.instance_view or found.properties.instance_view.state.lower() != "running":
        return ()
    containers = [each.properties for each in found.properties.containers or ()]
    asked = [each for each in containers if each.ports] or containers
    currents = [each.instance_view.current_state for each in asked]
    if not currents or any(each.state.lower() in ("", "running") for each in currents):
        return ()
    return (f"none of its containers that could serve is running: {_format_state(currents[0])}",)


def _format_state(current: _Current) -> str:
    """Format a state as `Waiting (CrashLoopBackOff)`; the rest of the detail varies."""
    detail = current.detail_status.split(":", 1)[0].strip()[:40]
    return f"{current.state} ({detail})" if detail else current.state
