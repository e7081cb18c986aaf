"""What VMs and the instances of scale sets have in common: power state, health, and the addresses of their NICs.

Only the primary IPv4 configurations of the primary NIC are published.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from shared.arm.tags import Tags, claims, drained
from shared.model import Address, Endpoint, State

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


class _IpProperties(msgspec.Struct, rename="camel", gc=False):
    address: str | None = msgspec.field(name="privateIPAddress", default=None)
    version: str | None = msgspec.field(name="privateIPAddressVersion", default=None)
    primary: bool | None = None
    subnet: Link | None = None
    member: Member | None = msgspec.field(name="privateLinkConnectionProperties", default=None)


class IpConfiguration(msgspec.Struct, gc=False):
    """One address of a NIC, or of a load balancer's frontend."""

    name: str = ""
    properties: _IpProperties = msgspec.field(default_factory=_IpProperties)

    @property
    def address(self) -> Address | None:
        """The private IPv4 address with its VNet, where it has one."""
        ip = self.properties
        if not ip.address or (ip.version or "IPv4") != "IPv4":
            return None
        return Address(ip.address, network_of(ip.subnet.id if ip.subnet else ""))


class _NicProperties(msgspec.Struct, rename="camel", gc=False):
    ip_configurations: list[IpConfiguration] | None = None
    virtual_machine: Link | None = None
    private_endpoint: Link | None = None


class Nic(msgspec.Struct, gc=False):
    """A network interface."""

    id: str
    properties: _NicProperties = msgspec.field(default_factory=_NicProperties)


def network_of(subnet: str) -> str:
    """The id of a subnet's VNet, in lower case."""
    return subnet.lower().split("/subnets/", 1)[0]


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
    if view is None or view.vm_health is None:
        return None
    status = view.vm_health.status
    return (status.code if status else "").lower().removeprefix("healthstate/")


class Machine(NamedTuple):
    """What a machine does, where it answers, and why its state is in doubt, or ""."""

    state: State
    addresses: tuple[Address, ...]
    doubt: str = ""


def assess(machine: str, view: InstanceView | None, nic: Nic | None, tags: Tags, known: Endpoint | None) -> Machine:
    """What a machine's instance view and its primary NIC amount to.

    An unknown power state leaves what was known, in doubt.
    """
    running, state = power(view), _state(view, tags)
    addresses = known.addresses if known else ()
    if running == "running" and nic:
        addresses = addresses_of(nic, machine)
    if state == State.SERVING and not addresses and claims(tags):
        state = State.WARMING
    if running in ("", "unknown") and known and known.state != State.GONE:
        return Machine(known.state, addresses, "Azure does not tell its power state")
    return Machine(state, addresses)


def _state(view: InstanceView | None, tags: Tags) -> State:
    running = power(view)
    if running in ("starting", "", "unknown"):
        return State.WARMING
    if running != "running":  # One that is on its way to a halt has stopped.
        return State.STOPPED
    if drained(tags):
        return State.DRAINING
    return State.SERVING if health(view) in (None, "healthy") else State.WARMING


def addresses_of(nic: Nic, machine: str) -> tuple[Address, ...]:
    """The primary IPv4 configurations' addresses; none while the NIC is attached to something else."""
    owner = nic.properties.virtual_machine
    if owner is None or owner.id.lower() != machine.lower():
        return ()
    found = [each.address for each in nic.properties.ip_configurations or () if each.properties.primary]
    return tuple(sorted(address for address in found if address))
