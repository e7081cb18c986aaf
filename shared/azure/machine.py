"""What VMs and the instances of scale sets have in common: power state, health, and the addresses of their NICs.

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
    """What a machine is doing."""

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
    """Which part of a service an address of a private endpoint leads to."""

    required_member_name: str = ""


class IpProperties(msgspec.Struct, rename="camel", gc=False):
    """One address, and where it is."""

    address: str | None = msgspec.field(name="privateIPAddress", default=None)
    version: str | None = msgspec.field(name="privateIPAddressVersion", default=None)
    primary: bool | None = None
    subnet: Link | None = None
    member: Member | None = msgspec.field(name="privateLinkConnectionProperties", default=None)

    @property
    def private(self) -> Address | None:
        """The private IPv4 address with its VNet, where it has one."""
        if not self.address or (self.version or "IPv4") != "IPv4":
            return None
        return private(self.address, self.subnet)


class IpConfiguration(msgspec.Struct, gc=False):
    """One address of a NIC."""

    properties: IpProperties = msgspec.field(default_factory=IpProperties)


class _NicProperties(msgspec.Struct, rename="camel", gc=False):
    ip_configurations: list[IpConfiguration] | None = None
    virtual_machine: Link | None = None
    private_endpoint: Link | None = None


class Nic(msgspec.Struct, gc=False):
    """A network interface."""

    id: str
    properties: _NicProperties = msgspec.field(default_factory=_NicProperties)


def private(ip: str, subnet: Link | None) -> Address | None:
    """An address in a subnet; None where the text is no IPv4 address."""
    try:
        IPv4Address(ip)
    except ValueError:
        return None
    return Address(ip, subnet.id.lower().split("/subnets/", 1)[0] if subnet else "")


def primary_nic(profile: NetworkProfile | None) -> str | None:
    """The id of the only NIC, or of the one that is marked primary."""
    links = (profile.network_interfaces or []) if profile else []
    if len(links) == 1:
        return links[0].id
    return next((link.id for link in links if link.properties and link.properties.primary), None)


def power(view: InstanceView | None) -> str:
    """The power state in lower case, e.g. `running`, or "" where the instance view tells none."""
    for status in (view.statuses or ()) if view else ():
        kind, _, state = status.code.lower().partition("/")
        if kind == "powerstate":
            return state
    return ""


def health(view: InstanceView | None) -> str | None:
    """The state that the Application Health extension reports, e.g. `healthy`, or None where none does."""
    status = view.vm_health.status if view and view.vm_health else None
    return status.code.lower().removeprefix("healthstate/") if status and status.code else None


class _ExtensionProperties(msgspec.Struct, gc=False):
    type: str = ""


class Extension(msgspec.Struct, gc=False):
    """An extension of a machine, or of the model of a scale set."""

    properties: _ExtensionProperties | None = None


def has_health(extensions: Iterable[Extension] | None) -> bool:
    """Whether the Application Health extension is among them (`ApplicationHealthLinux`, `ApplicationHealthWindows`)."""
    types = [each.properties.type.lower() for each in extensions or () if each.properties]
    return any(each.startswith("applicationhealth") for each in types)


class MachineState(NamedTuple):
    """What a machine does, where it answers, and why its state is in doubt, or "".

    `unreported`: it would serve, but the Application Health extension, which it has, has not reported anything yet.
    """

    state: State
    addresses: tuple[Address, ...]
    doubt: str = ""
    unreported: bool = False


class MachineView(NamedTuple):
    """What was read of a machine: itself, its primary NIC, whether the Application Health extension is installed.

    `doubt`: why a part of it could not be read, or "".
    """

    id: str
    view: InstanceView | None
    nic: Nic | None
    tags: Tags
    reports: bool = False
    doubt: str = ""


def assess(seen: MachineView, known: Endpoint | None) -> MachineState:
    """What a machine's instance view and its primary NIC amount to.

    An unknown power state leaves what was known, in doubt, and so does a NIC that could not be read. But that the
    machine is to be drained is known from its tags.
    """
    running, state, doubt = power(seen.view), _state(seen), seen.doubt
    addresses = known.addresses if known else ()
    if running == "running" and seen.nic:
        if seen.nic.properties.ip_configurations is None:
            doubt = doubt or "its NIC does not tell its addresses"
        else:
            addresses = addresses_of(seen.nic, seen.id)
    if running in ("", "unknown") and known and known.state not in (State.GONE, State.UNKNOWN):
        state = State.DRAINING if drained(seen.tags) else known.state
        doubt = doubt or "Azure does not tell its power state"
    elif state == State.SERVING and doubt and not (known and known.state == State.SERVING):
        state = State.WARMING  # Where it was may not be where it is.
    if not claims(seen.tags):
        return MachineState(state, addresses)
    if state == State.SERVING and not addresses:
        state = State.WARMING
    if state == State.SERVING and running == "running" and seen.reports and health(seen.view) is None:
        return MachineState(State.WARMING, addresses, doubt, unreported=True)
    return MachineState(state, addresses, doubt)


def _state(seen: MachineView) -> State:
    running = power(seen.view)
    if running in ("starting", "", "unknown"):
        return State.WARMING
    if running != "running":  # One that is on its way to a halt has stopped.
        return State.STOPPED
    if drained(seen.tags):
        return State.DRAINING
    return State.SERVING if health(seen.view) in (None, "healthy") else State.WARMING


def addresses_of(nic: Nic, machine: str) -> tuple[Address, ...]:
    """The primary IPv4 configurations' addresses; none while the NIC is attached to something else."""
    owner = nic.properties.virtual_machine
    if owner is None or owner.id.lower() != machine.lower():
        return ()
    found = [each.properties.private for each in nic.properties.ip_configurations or () if each.properties.primary]
    return tuple(sorted(address for address in found if address))
