"""The provider of `Microsoft.Network/loadBalancers`, their frontends and their other parts.

A write is complete with its answer, or goes on (`LoadBalancer.takes_time`): then the load balancer is `Updating`, with
its address, and has a new etag at the end, as recorded (`load_balancer.py` names the recordings). No traffic is
balanced. PATCH, the answer to a GET during a deletion, and errors without a source are inferred.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from simulator.arm.collection import Collection, decode, rejected
from simulator.arm.front_door import ArmError, ArmFrontDoor, Call, Response
from simulator.network.addresses import Reference, Wanted, WantedProperties, dangling
from simulator.network.backend_pools import strangers
from simulator.network.changes import Change, assign, begin, not_found, region, release, reserve
from simulator.network.load_balancer import LB_TYPE, Frontend, LoadBalancer
from simulator.network.nic import Allocation, Version
from simulator.network.provider import PAGE_SIZE, WRITE_SECONDS, Network

RETRY_AFTER = 3
"""Seconds between polls of a write: the recorder strips the header, and azure-cli polled all 7 after 3 or 4 s. It waits
30 s where no header asks for less, as after the writes that are complete with their answer."""


class _FrontendProperties(msgspec.Struct, rename="camel"):
    subnet: Reference | None = None
    private_ip_address: str | None = msgspec.field(default=None, name="privateIPAddress")
    private_ip_allocation_method: Allocation = msgspec.field(default="Dynamic", name="privateIPAllocationMethod")
    private_ip_address_version: Version = msgspec.field(default="IPv4", name="privateIPAddressVersion")
    public_ip_address: Reference | None = msgspec.field(default=None, name="publicIPAddress")


class _Frontend(msgspec.Struct):
    name: str
    properties: _FrontendProperties
    zones: list[str] | None = None


class _Part(msgspec.Struct):
    name: str
    properties: dict[str, Any] = {}


class _Properties(msgspec.Struct, rename="camel"):
    frontend_ip_configurations: list[_Frontend] = msgspec.field(default=[], name="frontendIPConfigurations")
    backend_address_pools: list[_Part] = []
    load_balancing_rules: list[_Part] = []
    probes: list[_Part] = []
    inbound_nat_rules: list[_Part] = []
    outbound_rules: list[_Part] = []
    inbound_nat_pools: list[_Part] = []


class _Body(msgspec.Struct):
    location: str
    properties: _Properties = msgspec.field(default_factory=_Properties)
    sku: dict[str, str] = {}
    tags: dict[str, str] | None = None


class _Tags(msgspec.Struct):
    tags: dict[str, str] = {}


class LoadBalancers:
    """Answers for `Microsoft.Network/loadBalancers`."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self.all: Collection[LoadBalancer] = Collection(LB_TYPE)
        self._routes: dict[tuple[int, int, str], Callable[[Call], Response]] = {
            (1, 0, "GET"): lambda call: self.all.page(call, PAGE_SIZE, LoadBalancer.body),
            (1, 1, "GET"): lambda call: _answer(200, self.all.get_or_404(call)),
            (1, 1, "PUT"): self._put,
            (1, 1, "PATCH"): self._patch,
            (1, 1, "DELETE"): self._delete,
            (2, 1, "GET"): self._list_parts,
            (2, 2, "GET"): self._get_part,
            (2, 2, "PUT"): self._put_rule,
            (2, 2, "DELETE"): self._delete_rule,
        }

    def handle(self, call: Call) -> Response:
        """Answer a call on load balancers."""
        self._network.limits.charge(call)
        answer = self._routes.get((len(call.types), len(call.names), call.method))
        if answer is None:
            raise ArmError(405, "MethodNotAllowed", f"{call.method} on {'/'.join(call.types)} is not simulated.")
        return answer(call)

    def load(self, balancer: LoadBalancer) -> None:
        """Add a load balancer to the world as it is, without an event; its addresses exist and count as assigned."""
        self.all.add(balancer)
        balancer.backends = self._network.backends
        public = {f"{balancer.id}/frontendIPConfigurations/{each.name}": each.public_ip for each in balancer.frontends}
        self._network.public_addresses.load(balancer.location, {user: ip for user, ip in public.items() if ip})
        assign(self._network, balancer.id, balancer.addresses)

    def _put(self, call: Call) -> Response:
        body = decode(call, _Body)
        own = self.all.id_of(call)
        old = self.all.find(own)
        wanted = body.properties.frontend_ip_configurations
        fields = {name: value for name, value in msgspec.to_builtins(body.properties).items() if "frontend" not in name}
        balancer = LoadBalancer(
            id=own,
            location=region(body.location),
            tags=body.tags,
            etag="",
            guid=old.guid if old else self._network.azure.new_guid(),
            frontends=[Frontend(each.name, zones=each.zones) for each in wanted],
            sections={field: {part["name"]: part["properties"] for part in parts} for field, parts in fields.items()},
            sku=body.sku,
            backends=self._network.backends,
        )
        pools = balancer.sections["backendAddressPools"]
        pools.update({name: strangers(pool, self._network.has_nic) for name, pool in pools.items()})
        for target, user in balancer.missing():
            raise dangling(target, user)
        self._place(balancer, old, wanted)
        self.all.add(balancer)
        return self._written(call, balancer, 200 if old else 201)

    def _place(self, balancer: LoadBalancer, old: LoadBalancer | None, wanted: list[_Frontend]) -> None:
        """Give the frontends their addresses. Raises ArmError 400 where Azure refuses; then nothing has changed."""
        own, private = balancer.id, []
        for each in wanted:
            stated = each.properties
            if (stated.subnet is None) == (stated.public_ip_address is None):
                raise rejected(
                    400,
                    "LoadBalancerFrontendIPConfigMustHaveSubnetOrPublicIP",
                    f"Frontend {each.name} of {own} needs either a subnet or a public IP address.",
                )
            if stated.subnet is not None:
                properties = WantedProperties(
                    stated.subnet,
                    stated.private_ip_address,
                    stated.private_ip_allocation_method,
                    stated.private_ip_address_version,
                )
                private.append(Wanted(each.name, properties))
        public = {each.name: ref.id for each in wanted if (ref := each.properties.public_ip_address)}
        targets = {f"{own}/frontendIPConfigurations/{name}": target for name, target in public.items()}
        self._network.public_addresses.check(targets)
        held = old.addresses if old else []
        if private:
            chosen = {each.name: each for each in reserve(self._network, own, held, private)}
        else:
            release(self._network, own, held)
            chosen = {}
        self._network.public_addresses.hold(own, targets)
        for frontend in balancer.frontends:
            frontend.address, frontend.public_ip = chosen.get(frontend.name), public.get(frontend.name)

    def _patch(self, call: Call) -> Response:
        balancer = self.all.get_or_404(call)
        balancer.tags = dict(decode(call, _Tags).tags)
        return self._written(call, balancer, 200)

    def _delete(self, call: Call) -> Response:
        balancer = self.all.find(self.all.id_of(call))
        if balancer is None:
            return Response(204)
        balancer.provisioning = "Deleting"

        def end() -> None:
            if self.all.find(balancer.id) is balancer:
                release(self._network, balancer.id, balancer.addresses)
                self._network.public_addresses.hold(balancer.id, {})
                self.all.remove(balancer)

        change = Change(balancer.id, f"{LB_TYPE}/delete", end, lambda: _failed(balancer))
        seconds = WRITE_SECONDS.draw(self._network.azure.rng)
        return Response(202, None, begin(self._network, call, balancer.location, seconds, change))

    def _list_parts(self, call: Call) -> Response:
        balancer, section = self._section(call)
        return Response(200, {"value": list(balancer.parts(section))})

    def _get_part(self, call: Call) -> Response:
        balancer, section = self._section(call)
        return Response(200, _part_called(call, balancer, section), {"etag": balancer.etag})

    def _section(self, call: Call) -> tuple[LoadBalancer, str]:
        balancer = self.all.get_or_404(call)
        section = next((each for each in balancer.fields() if each.lower() == call.types[1].lower()), None)
        if section is None:
            raise ArmError(405, "MethodNotAllowed", f"{call.method} on {'/'.join(call.types)} is not simulated.")
        return balancer, section

    def _put_rule(self, call: Call) -> Response:
        balancer, rules = self._rules(call)
        status = 200 if call.names[1] in rules else 201
        rules[call.names[1]] = decode(call, _Rule).properties
        return self._written(call, balancer, status)

    def _delete_rule(self, call: Call) -> Response:
        balancer, rules = self._rules(call)
        if rules.pop(call.names[1], None) is None:
            return Response(204)
        balancer.etag = self._network.new_etag()
        rule, operation = f"{balancer.id}/inboundNatRules/{call.names[1]}", f"{LB_TYPE}/inboundNatRules/delete"
        change = Change(rule, operation, lambda: None, lambda: _failed(balancer))
        seconds = WRITE_SECONDS.draw(self._network.azure.rng)
        return Response(202, None, begin(self._network, call, balancer.location, seconds, change))

    def _rules(self, call: Call) -> tuple[LoadBalancer, dict[str, dict[str, Any]]]:
        balancer, section = self._section(call)
        if section != "inboundNatRules":
            raise ArmError(405, "MethodNotAllowed", f"{call.method} on {section} is not simulated.")
        return balancer, balancer.sections[section]

    def _written(self, call: Call, balancer: LoadBalancer, status: int) -> Response:
        """The answer to a write of a load balancer or of a part of it, and its event."""
        balancer.etag, balancer.provisioning = self._network.new_etag(), "Succeeded"
        part = f"/{call.types[1]}" if len(call.types) > 1 else ""
        written = balancer.id + (f"{part}/{call.names[1]}" if part else "")
        seconds, end = 0.0, _nothing
        if balancer.takes_time and call.method == "PUT":
            seconds = WRITE_SECONDS.draw(self._network.azure.rng)
            balancer.provisioning, end = "Updating", self._end_of(balancer, balancer.etag)
        change = Change(written, f"{LB_TYPE}{part}/write", end, lambda: _failed(balancer), RETRY_AFTER)
        headers = begin(self._network, call, balancer.location, seconds, change)
        body = _part_called(call, balancer, call.types[1]) if part else balancer.body()
        return Response(status, body, headers)

    def _end_of(self, balancer: LoadBalancer, etag: str) -> Callable[[], None]:
        """What happens at the end of the write that gave it this etag: nothing if a later one goes on."""

        def end() -> None:
            if balancer.etag == etag and balancer.provisioning == "Updating":
                balancer.provisioning, balancer.etag = "Succeeded", self._network.new_etag()

        return end


def _nothing() -> None:
    pass


def _failed(balancer: LoadBalancer) -> None:
    balancer.provisioning = "Failed"


class _Rule(msgspec.Struct):
    properties: dict[str, Any]


def _answer(status: int, balancer: LoadBalancer) -> Response:
    return Response(status, balancer.body(), {"etag": balancer.etag})


def _part_called(call: Call, balancer: LoadBalancer, section: str) -> dict[str, Any]:
    for each in balancer.parts(section):
        if each["name"].lower() == call.names[1].lower():
            return each
    raise not_found(call)


def register(azure: ArmFrontDoor, network: Network) -> LoadBalancers:
    """Create the provider of load balancers and register it."""
    balancers = LoadBalancers(network)
    azure.register("Microsoft.Network", "loadBalancers", balancers)
    return balancers
