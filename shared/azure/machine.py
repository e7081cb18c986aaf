"""The common parts of VMs and scale set instances: power state, health, and the addresses of their NICs.

Only the primary IPv4 configurations of the primary NIC are published.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address
from typing import NamedTuple

import msgspec

from shared.azure.tags import Tags, claims, drained
from shared.domain.endpoints import Address, Endpoint, State

NIC_API = "2024-01-01"


class Status(msgspec.Struct, gc=False):
    """One status of an instance view."""

    code: str = ""


class VmHealth(msgspec.Struct, gc=False):
    """What the Application Health extension reports."""

    status: Status | None = None


class InstanceView(msgspec.Struct, rename="camel", gc=False):
    """The instance view of a machine."""

    statuses: list[Status] | None = None
    vm_health: VmHealth | None = None


class _Primary(msgspec.Struct, gc=False):
    primary: bool | None = None


class NicLink(msgspec.Struct, gc=False):
    """A machine's link to one of its NICs."""

    id: str
    properties: _Primary | None = None


class NetworkProfile(msgspec.Struct, rename="camel", gc=False):
    """A machine's NICs."""

    network_interfaces: list[NicLink] | None = None


class Link(msgspec.Struct, gc=False):
    """A link to another resource."""

    id: str = ""


class Member(msgspec.Struct, rename="camel", gc=False):
    """The part of a service that an address of a private endpoint leads to."""

    required_member_name: str = ""


class IpProperties(msgspec.Struct, rename="camel", gc=False):
    """One address, and its subnet."""

    address: str | None = msgspec.field(name="privateIPAddress", default=None)
    version: str | None = msgspec.field(name="privateIPAddressVersion", default=None)
    primary: bool | None = None
    subnet: Link | None = None
    member: Member | None = msgspec.field(name="privateLinkConnectionProperties", default=None)

    @property
    def private(self) -> Address | None:
        """The private IPv4 address with its VNet, if it has one."""
        if not self.address or (self.version or "IPv4") != "IPv4":
            return None
        return private_address(self.address, self.subnet)


class IpConfiguration(msgspec.Struct, gc=False):
    """One address of a NIC."""

    properties: IpProperties = msgspec.field(default_factory=IpProperties)


class _NicProperties(msgspec.Struct, rename="camel", gc=False):
    ip_configurations: list[IpConfiguration] | None = None
    virtual_machine: Link | None = None
    private_endpoint: Link | None = None
    primary: bool | None = None
    """Whether it is the primary NIC of its machine; absent while it is attached to none (recorded)."""


class Nic(msgspec.Struct, gc=False):
    """A network interface."""

    id: str
    properties: _NicProperties = msgspec.field(default_factory=_NicProperties)


def private_address(ip: str, subnet: Link | None) -> Address | None:
    """Return an address in a subnet; None if the text is not an IPv4 address."""
    try:
        IPv4Address(ip)
    except ValueError:
        return None
    return Address(ip, subnet.id.lower().split("/subnets/", 1)[0] if subnet else "")


def primary_nic(profile: NetworkProfile | None) -> str | None:
    """Return the id of the only NIC, or of the NIC that is marked as primary."""
    links = (profile.network_interfaces or []) if profile else []
    if len(links) == 1:
        return links[0].id
    return next((link.id for link in links if link.properties and link.properties.primary), None)


def power_state(view: InstanceView | None) -> str:
    """Return the power state in lower case, e.g. `running`, or "" if the instance view has none."""
    for status in (view.statuses or ()) if view else ():
        kind, _, state = status.code.lower().partition("/")
        if kind == "powerstate":
            return state
    return ""


def health_state(view: InstanceView | None) -> str | None:
    """Return the state that the Application Health extension reports, e.g. `healthy`, or None if none is reported."""
    status = view.vm_health.status if view and view.vm_health else None
    return status.code.lower().removeprefix("healthstate/") if status and status.code else None


class _ExtensionProperties(msgspec.Struct, gc=False):
    type: str = ""


class Extension(msgspec.Struct, gc=False):
    """An extension of a machine, or of the model of a scale set."""

    properties: _ExtensionProperties | None = None


def has_health_extension(extensions: Iterable[Extension] | None) -> bool:
    """Return whether the Application Health extension is installed (type ApplicationHealthLinux or ...Windows)."""
    types = [each.properties.type.lower() for each in extensions or () if each.properties]
    return any(each.startswith("applicationhealth") for each in types)


class MachineState(NamedTuple):
    """The state of a machine, its addresses, and why its state is in doubt, or "".

    `unreported`: it would be serving, but its Application Health extension has not reported yet.
    """

    state: State
    addresses: tuple[Address, ...]
    doubt: str = ""
    unreported: bool = False


class MachineView(NamedTuple):
    """What was read of a machine: itself, its primary NIC, whether the Application Health extension is installed.

    `doubt`: why a part of it could not be read, or "". `set_tags`: the tags of its flexible scale set.
    """

    id: str
    view: InstanceView | None
    nic: Nic | None
    tags: Tags
    has_health_extension: bool = False
    doubt: str = ""
    set_tags: Tags = None

    @property
    def drained(self) -> bool:
        """Whether its own drain tag, or that of its scale set, drains it."""
        return drained(self.tags) or drained(self.set_tags)


def to_state(machine: MachineView, previous: Endpoint | None) -> MachineState:
    """Return the state of a machine from its instance view and its primary NIC.

    If the power state is unknown, or the NIC could not be read, the previous state stays, with `doubt`. A drain tag
    counts in any case.
    """
    running, state, doubt = power_state(machine.view), _state(machine), machine.doubt
    addresses = previous.addresses if previous else ()
    if running == "running" and machine.nic:
        if machine.nic.properties.ip_configurations is None:
            doubt = doubt or "its NIC does not report its addresses"
        else:
            addresses = addresses_of(machine.nic, machine.id)
    if running in ("", "unknown") and previous and previous.state not in (State.GONE, State.UNKNOWN):
        state = State.DRAINING if machine.drained else previous.state
        doubt = doubt or "Azure does not report its power state"
    elif state == State.SERVING and doubt and not (previous and previous.state == State.SERVING):
        state = State.WARMING  # Its previous address may have changed.
    if not claims(machine.tags):
        return MachineState(state, addresses)
    if state == State.SERVING and not addresses:
        state = State.WARMING
    if (
        state == State.SERVING
        and running == "running"
        and machine.has_health_extension
        and health_state(machine.view) is None
    ):
        return MachineState(State.WARMING, addresses, doubt, unreported=True)
    return MachineState(state, addresses, doubt)


def _state(machine: MachineView) -> State:
    running = power_state(machine.view)
    if running in ("starting", "", "unknown"):
        return State.WARMING
    if running != "running":  # A machine that is stopping counts as stopped.
        return State.STOPPED
    if machine.drained:
        return State.DRAINING
    return State.SERVING if health_state(machine.view) in (None, "healthy") else State.WARMING


def addresses_of(nic: Nic, machine: str) -> tuple[Address, ...]:
    """Return the addresses of the primary IPv4 configurations; none if the NIC is attached to another machine."""
    owner = nic.properties.virtual_machine
    if owner is None or owner.id.lower() != machine.lower():
        return ()
    found = [each.properties.private for each in nic.properties.ip_configurations or () if each.properties.primary]
    return tuple(sorted(address for address in found if address))
