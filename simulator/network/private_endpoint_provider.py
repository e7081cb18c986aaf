"""The provider of `Microsoft.Network/privateEndpoints`, their NICs and the decisions of their services.

Statuses, headers and states as recorded (`private_endpoint.py` names the recordings). Inferred: manual connections, how
many addresses an endpoint has (one for each group, or those that it states), and that a service's decision, the
endpoint's NIC and its zone's records raise no event.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import msgspec

from simulator.arm.collection import Collection, decode
from simulator.arm.front_door import ArmError, ArmFrontDoor, Call, Response
from simulator.network.addresses import Reference, Wanted, WantedProperties
from simulator.network.changes import Change, begin, region, reserve
from simulator.network.nic import NIC_TYPE, IpConfiguration, Nic
from simulator.network.private_endpoint import (
    FIRST_WORDS,
    PE_TYPE,
    Connection,
    PrivateEndpoint,
    StaticAddress,
    Status,
)
from simulator.network.provider import PAGE_SIZE, Network
from simulator.network.zone_groups import ZoneGroups
from simulator.private_dns.provider import PrivateDns
from simulator.timing.latency import Spread

PUT_SECONDS = Spread(12.0, 20.0, 32.0)
DELETE_SECONDS = Spread(1.0, 5.0, 10.0)
"""Durations in seconds: in azure-cli's recordings all 13 writes were running after 10 to 20 s and complete at the next
poll, after 20 to 40 s; deletions were running after 2 s and complete after 10 s. The medians are assumed."""


class _ConnectionProperties(msgspec.Struct, rename="camel"):
    private_link_service_id: str
    group_ids: list[str] = []
    request_message: str | None = None


class _Connection(msgspec.Struct):
    name: str
    properties: _ConnectionProperties


class _StaticProperties(msgspec.Struct, rename="camel"):
    private_ip_address: str = msgspec.field(name="privateIPAddress")
    group_id: str | None = None
    member_name: str | None = None


class _Static(msgspec.Struct):
    name: str
    properties: _StaticProperties


class _Properties(msgspec.Struct, rename="camel"):
    subnet: Reference
    private_link_service_connections: list[_Connection] = []
    manual_private_link_service_connections: list[_Connection] = []
    ip_configurations: list[_Static] = []
    custom_network_interface_name: str = ""
    application_security_groups: list[Reference] = []


class _Body(msgspec.Struct):
    location: str
    properties: _Properties
    tags: dict[str, str] | None = None


class PrivateEndpoints:
    """Answers for `Microsoft.Network/privateEndpoints`."""

    def __init__(self, network: Network, dns: PrivateDns) -> None:
        self._network = network
        self.all: Collection[PrivateEndpoint] = Collection(PE_TYPE)
        self.service_locations: dict[str, str] = {}
        """Where services are, by id in lower case; a service that is not here is where its private endpoint is."""
        self._zone_groups = ZoneGroups(network, dns, self.all)

    def handle(self, call: Call) -> Response:
        """Answer a call on private endpoints and their zone groups."""
        self._network.limits.charge(call)
        version = call.request.query["api-version"]
        if len(call.types) > 1:
            return self._zone_groups.handle(call)
        if call.method == "GET" and not call.names:
            return self.all.page(call, PAGE_SIZE, lambda each: each.body(version))
        if call.method == "GET":
            found = self.all.get_or_404(call)
            return Response(200, found.body(version), {"etag": found.etag})
        if call.method == "PUT":
            return self._put(call)
        if call.method == "DELETE":
            return self._delete(call)
        raise ArmError(405, "MethodNotAllowed", f"{call.method} on {'/'.join(call.types)} is not simulated.")

    def load(self, endpoint: PrivateEndpoint, addresses: list[IpConfiguration]) -> None:
        """Add a private endpoint to the world as it is, without an event; its addresses count as assigned."""
        endpoint.nic.configurations = addresses
        self._network.load_nic(endpoint.nic)
        self.all.add(endpoint)

    def services(self) -> Iterator[tuple[str, str]]:
        """The services that private endpoints lead to, by id, with their locations. No client can write them."""
        for endpoint in self.all:
            for each in endpoint.connections:
                if each.service.startswith("/subscriptions/"):  # Otherwise an alias.
                    yield each.service, self.service_locations.get(each.service.lower(), endpoint.location)

    def decide(self, endpoint_id: str, status: Status, description: str = "", actions: str = "None") -> None:
        """The service decides on an endpoint's connections, without an event. KeyError: no such endpoint."""
        endpoint = self.all.find(endpoint_id)
        if endpoint is None:
            raise KeyError(endpoint_id)
        for each in endpoint.connections:
            each.status, each.description, each.actions = status, description, actions
        endpoint.etag = self._network.new_etag()

    def _put(self, call: Call) -> Response:
        body = decode(call, _Body)
        own = self.all.id_of(call)
        old = self.all.find(own)
        static = [_static(each) for each in body.properties.ip_configurations]
        connections = _connections(body.properties, old)
        name = body.properties.custom_network_interface_name
        nic = old.nic if old else self.new_nic(own, region(body.location), name, bare=body.tags is None)
        self._attach(nic, body.properties.subnet, static, connections)
        endpoint = PrivateEndpoint(
            id=own,
            location=nic.location,
            tags=body.tags,
            subnet=body.properties.subnet.id,
            connections=connections,
            nic=nic,
            etag=self._network.new_etag(),
            guid=old.guid if old else self._network.azure.new_guid(),
            custom_nic=name,
            security_groups=[each.id for each in body.properties.application_security_groups],
            static=static,
            groups=old.groups if old else {},
            named=old is not None and old.named,
            provisioning="Updating",
        )
        self.all.add(endpoint)
        return self._written(call, endpoint, old)

    def _written(self, call: Call, endpoint: PrivateEndpoint, old: PrivateEndpoint | None) -> Response:
        def end() -> None:
            endpoint.provisioning, endpoint.etag, endpoint.named = "Succeeded", self._network.new_etag(), True
            for each in endpoint.connections:
                each.answer()

        # New tags alone take no time: recorded by Azure Service Operator, 2024.
        seconds = PUT_SECONDS.draw(self._network.azure.rng)
        if old is not None and old.provisioning == "Succeeded" and _substance(old) == _substance(endpoint):
            endpoint.connections, endpoint.provisioning, seconds = old.connections, old.provisioning, 0.0
            end = _nothing
        change = Change(endpoint.id, f"{PE_TYPE}/write", end, lambda: _failed(endpoint))
        headers = begin(self._network, call, endpoint.location, seconds, change)
        return Response(200 if old else 201, endpoint.body(call.request.query["api-version"]), headers)

    def new_nic(self, endpoint_id: str, location: str, name: str = "", *, bare: bool = False) -> Nic:
        """A NIC without addresses for a private endpoint, in its group, with Azure's name if none is given."""
        scope, _, path = endpoint_id.rpartition("/providers/")
        guid = self._network.azure.new_guid()
        name = name or f"{path.rsplit('/', 1)[1]}.nic.{guid}"
        etag, number = self._network.new_etag(), self._network.azure.new_guid()
        own = f"{scope}/providers/{NIC_TYPE}/{name}"
        return Nic(own, location, {}, [], etag, number, private_endpoint=endpoint_id, bare=bare)

    def _attach(self, nic: Nic, subnet: Reference, static: list[StaticAddress], connections: list[Connection]) -> None:
        """Assign addresses to a private endpoint's NIC."""
        members = [(each.name, each.group, each.member) for each in static]
        if not static:
            groups: list[str | None] = [group for each in connections for group in each.groups] or [None]
            names = [each.name for each in nic.configurations if each.allocation == "Dynamic"]
            names += [f"privateEndpointIpConfig.{self._network.azure.new_guid()}" for _ in groups[len(names) :]]
            members = [(name, group, group) for name, group in zip(names, groups, strict=False)]
        before = deepcopy(nic.configurations)
        fixed = {each.name: each.address for each in static}
        wanted = [
            Wanted(name, WantedProperties(subnet, fixed.get(name), "Static" if fixed else "Dynamic"))
            for name, _, _ in members
        ]
        nic.configurations = reserve(self._network, nic.id, nic.configurations, wanted)
        for each, (_, group, member) in zip(nic.configurations, members, strict=True):
            each.private_link = _link(connections, group, member)
        if nic.configurations != before:  # new tags of the endpoint do not change its NIC, as recorded
            nic.etag = self._network.new_etag()
        self._network.load_nic(nic)

    def _delete(self, call: Call) -> Response:
        endpoint = self.all.find(self.all.id_of(call))
        if endpoint is None:
            return Response(204)
        endpoint.provisioning = "Deleting"

        def end() -> None:
            if self.all.find(endpoint.id) is endpoint:
                for group in endpoint.groups.values():
                    self._zone_groups.remove_records(endpoint, group)
                self._network.remove_nic(endpoint.nic)
                self.all.remove(endpoint)

        change = Change(endpoint.id, f"{PE_TYPE}/delete", end, lambda: _failed(endpoint))
        seconds = DELETE_SECONDS.draw(self._network.azure.rng)
        return Response(202, None, begin(self._network, call, endpoint.location, seconds, change))


def _nothing() -> None:
    pass


def _failed(endpoint: PrivateEndpoint) -> None:
    endpoint.provisioning = "Failed"


def _substance(endpoint: PrivateEndpoint) -> tuple[object, ...]:
    services = [(each.name, each.service, each.groups) for each in endpoint.connections]
    return endpoint.subnet, endpoint.static, endpoint.security_groups, services


def _static(each: _Static) -> StaticAddress:
    properties = each.properties
    return StaticAddress(each.name, properties.private_ip_address, properties.group_id, properties.member_name)


def _connections(wanted: _Properties, old: PrivateEndpoint | None) -> list[Connection]:
    """The connections after a write: one with a decision keeps it, a new one is approved or pending."""
    decided = {each.name: each for each in (old.connections if old else []) if each.manual or each.status != "Approved"}
    chosen = []
    for manual, several in (
        (False, wanted.private_link_service_connections),
        (True, wanted.manual_private_link_service_connections),
    ):
        for each in several:
            asked = each.properties
            before = decided.get(each.name)
            if before and (before.service, before.manual) == (asked.private_link_service_id, manual):
                chosen.append(before)
                continue
            status: Status = "Pending" if manual else "Approved"
            service, message = asked.private_link_service_id, asked.request_message
            words = FIRST_WORDS[status]
            chosen.append(Connection(each.name, service, asked.group_ids, manual, status, words, message=message))
    return chosen


def _link(connections: list[Connection], group: str | None, member: str | None) -> dict[str, Any] | None:
    """The target of an address, as the NIC's body has it."""
    if group is None or member is None:
        return None
    names = [name for each in connections if (name := each.fqdn(group, member))]
    return {"groupId": group, "requiredMemberName": member, "fqdns": names}


def register(azure: ArmFrontDoor, network: Network, dns: PrivateDns) -> PrivateEndpoints:
    """Create the provider of private endpoints and register it."""
    endpoints = PrivateEndpoints(network, dns)
    azure.register("Microsoft.Network", "privateEndpoints", endpoints)
    return endpoints
