"""The provider of `Microsoft.Network/applicationGateways`: writes, deletions, start and stop.

Statuses, headers and states as recorded (`application_gateway.py` names the recordings): a write is `Updating` until it
ends; a gateway is Stopped until its first write ends, and stays Running during later ones. The answer to a write has an
etag of its own, and a GET right after it another one. Inferred: PATCH, errors, the states during start and stop, and
the state during a deletion.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from simulator.arm.collection import Collection, decode, rejected
from simulator.arm.front_door import ArmError, ArmFrontDoor, Call, Family, Response
from simulator.arm.operations import Work
from simulator.gateways.application_gateway import (
    AG_TYPE,
    FRONTENDS,
    POOLS,
    SECTIONS,
    ApplicationGateway,
    Frontend,
    OperationalState,
    Part,
)
from simulator.network.addresses import Reference, Wanted, WantedProperties
from simulator.network.changes import assign, region, release, reserve
from simulator.network.provider import PAGE_SIZE, Network
from simulator.timing.latency import Spread

CREATE_SECONDS = Spread(300.0, 330.0, 1120.0)
"""From the first write to Running: 330 s for a Standard_v2 and 1,120 s for a gateway of the first generation, recorded
once each. Also used for start and stop, of which there is no recording."""
UPDATE_SECONDS = Spread(20.0, 60.0, 330.0)
"""Assumed: recorded updates still ran after some seconds, and no recording has the end of one."""
DELETE_SECONDS = Spread(60.0, 300.0, 583.0)
"""583 s recorded once; the rest is assumed."""


class _FrontendProperties(msgspec.Struct, rename="camel"):
    subnet: Reference | None = None
    private_ip_address: str | None = msgspec.field(default=None, name="privateIPAddress")
    private_ip_allocation_method: str = msgspec.field(default="Dynamic", name="privateIPAllocationMethod")
    public_ip_address: Reference | None = msgspec.field(default=None, name="publicIPAddress")


class _Frontend(msgspec.Struct):
    name: str
    properties: _FrontendProperties


class _Properties(msgspec.Struct, rename="camel"):
    frontend_ip_configurations: list[_Frontend] = msgspec.field(default=[], name="frontendIPConfigurations")


class _Body(msgspec.Struct):
    location: str
    properties: _Properties = msgspec.field(default_factory=_Properties)
    tags: dict[str, str] | None = None


class _Tags(msgspec.Struct):
    tags: dict[str, str] = {}


_READ_ONLY = {"provisioningState", "operationalState", "resourceGuid"}


class ApplicationGateways:
    """Answers for `Microsoft.Network/applicationGateways`."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self.all: Collection[ApplicationGateway] = Collection(AG_TYPE)
        self._routes: dict[tuple[str, int, str], Callable[[Call], Response]] = {
            ("applicationgateways", 0, "GET"): lambda call: self.all.page(call, PAGE_SIZE, ApplicationGateway.body),
            ("applicationgateways", 1, "GET"): self._get,
            ("applicationgateways", 1, "PUT"): self._put,
            ("applicationgateways", 1, "PATCH"): self._patch,
            ("applicationgateways", 1, "DELETE"): self._delete,
            ("applicationgateways/start", 1, "POST"): lambda call: self._power(call, "Starting", "Running"),
            ("applicationgateways/stop", 1, "POST"): lambda call: self._power(call, "Stopping", "Stopped"),
        }

    def handle(self, call: Call) -> Response:
        """Answer a call on Application Gateways."""
        self._network.limits.charge(call)
        answer = self._routes.get((call.kind, len(call.names), call.method))
        if answer is None:
            raise ArmError(405, "MethodNotAllowed", f"{call.method} on {'/'.join(call.types)} is not simulated.")
        return answer(call)

    def load(self, gateway: ApplicationGateway) -> None:
        """Add a gateway to the world as it is, without an event; its addresses count as assigned."""
        self.all.add(gateway)
        gateway.joined = self._network.backends
        assign(self._network, gateway.id, gateway.addresses)

    def _get(self, call: Call) -> Response:
        gateway = self.all.get_or_404(call)
        return Response(200, gateway.body(), {"etag": gateway.etag})

    def _put(self, call: Call) -> Response:
        body = decode(call, _Body)
        own = self.all.id_of(call)
        old = self.all.find(own)
        written = call.json()["properties"]
        gateway = ApplicationGateway(
            id=own,
            location=region(body.location),
            tags=body.tags,
            etag="",
            guid=old.guid if old else self._network.azure.new_guid(),
            frontends=self._frontends(own, old, body.properties.frontend_ip_configurations),
            sections={name: written.get(name, []) for name in SECTIONS if name != FRONTENDS},
            settings={key: each for key, each in written.items() if key not in {*SECTIONS, *_READ_ONLY}},
            operational=old.operational if old else "Stopped",
            joined=self._network.backends,
        )
        gateway.sections[POOLS] = [_as_written(each) for each in gateway.sections[POOLS]]
        first = old is None or (old.operational == "Stopped" and old.provisioning == "Updating")
        self.all.add(gateway)
        return self._written(call, gateway, first=first, status=200 if old else 201)

    def _written(self, call: Call, gateway: ApplicationGateway, *, first: bool, status: int) -> Response:
        gateway.provisioning, gateway.etag = "Updating", self._network.new_etag()
        body = gateway.body()
        gateway.etag = self._network.new_etag()

        def end() -> None:
            if first:
                gateway.operational = "Running"
            self._settle(gateway, "Succeeded")

        spread = CREATE_SECONDS if first else UPDATE_SECONDS
        headers = self._begin(call, gateway, ("write", "Write", spread), end)
        headers.pop("location")
        return Response(status, body, headers)

    def _settle(self, gateway: ApplicationGateway, provisioning: str) -> None:
        gateway.provisioning, gateway.etag = provisioning, self._network.new_etag()

    def _begin(
        self, call: Call, gateway: ApplicationGateway, what: tuple[str, Family, Spread], end: Callable[[], object]
    ) -> dict[str, str]:
        """Start an operation; `what`: its name, kind and duration. Returns the answer's headers."""
        name, family, spread = what

        def undone() -> None:
            self._settle(gateway, "Failed")

        def done() -> None:
            end()

        work = Work(gateway, f"{AG_TYPE}/{name}", family, done, undone, 204 if family == "Delete" else 200)
        seconds = spread.draw(self._network.azure.rng)
        return self._network.operations.run(call, gateway.location, seconds, work, patient=True)

    def _frontends(self, own: str, old: ApplicationGateway | None, wanted: list[_Frontend]) -> list[Frontend]:
        private = []
        for each in wanted:
            stated = each.properties
            if (stated.subnet is None) == (stated.public_ip_address is None):
                raise rejected(
                    400,
                    "ApplicationGatewayFrontendIpCannotHavePublicIpAndSubnet",
                    f"Frontend {each.name} of {own} needs either a subnet or a public IP address.",
                )
            if stated.subnet is not None:
                place = (stated.subnet, stated.private_ip_address, stated.private_ip_allocation_method)
                private.append(Wanted(each.name, WantedProperties(*place)))
        held = old.addresses if old else []
        if private:
            chosen = {each.name: each for each in reserve(self._network, own, held, private)}
        else:
            release(self._network, own, held)
            chosen = {}
        public = {each.name: ref.id for each in wanted if (ref := each.properties.public_ip_address)}
        return [Frontend(each.name, chosen.get(each.name), public.get(each.name)) for each in wanted]

    def _patch(self, call: Call) -> Response:
        gateway = self.all.get_or_404(call)
        gateway.tags, gateway.etag = dict(decode(call, _Tags).tags), self._network.new_etag()
        self._network.azure.emit(gateway.id, f"{AG_TYPE}/write", "Write")
        return Response(200, gateway.body())

    def _delete(self, call: Call) -> Response:
        gateway = self.all.find(self.all.id_of(call))
        if gateway is None:
            return Response(204)
        gateway.provisioning = "Deleting"

        def end() -> None:
            if self.all.find(gateway.id) is gateway:
                release(self._network, gateway.id, gateway.addresses)
                self.all.remove(gateway)

        return Response(202, None, self._begin(call, gateway, ("delete", "Delete", DELETE_SECONDS), end))

    def _power(self, call: Call, during: OperationalState, after: OperationalState) -> Response:
        gateway = self.all.get_or_404(call)
        gateway.operational, gateway.provisioning = during, "Updating"
        gateway.etag = self._network.new_etag()
        action = call.types[-1].lower()

        def end() -> None:
            gateway.operational = after
            self._settle(gateway, "Succeeded")

        what: tuple[str, Family, Spread] = (f"{action}/action", "Action", CREATE_SECONDS)
        return Response(202, None, self._begin(call, gateway, what, end))


def _as_written(pool: Part) -> Part:
    """A pool without its NICs, which say themselves in which pools they are; clients write back what they have read."""
    kept = {key: value for key, value in pool.get("properties", {}).items() if key != "backendIPConfigurations"}
    return {**pool, "properties": kept}


def parts_of(frontends: list[Frontend], own: str, backends: int) -> dict[str, list[Part]]:
    """The sections of a gateway with an HTTP listener on port 80 for each of these frontends.

    All listeners lead to one pool, which has so many members that are not simulated.
    """
    sections: dict[str, list[Part]] = {name: [] for name in SECTIONS if name != FRONTENDS}
    sections["frontendPorts"] = [{"name": "http", "properties": {"port": 80}}]
    members = [{"fqdn": f"backend-{number}.example.com"} for number in range(backends)]
    sections[POOLS] = [{"name": "backends", "properties": {"backendAddresses": members}}]
    sections["backendHttpSettingsCollection"] = [{"name": "http", "properties": {"port": 80, "protocol": "Http"}}]
    sections["httpListeners"] = [
        {
            "name": f"http-{each.name}",
            "properties": {
                "frontendIPConfiguration": {"id": f"{own}/{FRONTENDS}/{each.name}"},
                "frontendPort": {"id": f"{own}/frontendPorts/http"},
                "protocol": "Http",
                "hostNames": [],
                "requireServerNameIndication": False,
            },
        }
        for each in frontends
    ]
    sections["requestRoutingRules"] = [
        {
            "name": f"http-{each.name}",
            "properties": {
                "ruleType": "Basic",
                "priority": number,
                "httpListener": {"id": f"{own}/httpListeners/http-{each.name}"},
                "backendAddressPool": {"id": f"{own}/{POOLS}/backends"},
                "backendHttpSettings": {"id": f"{own}/backendHttpSettingsCollection/http"},
            },
        }
        for number, each in enumerate(frontends, 1)
    ]
    return sections


def register(azure: ArmFrontDoor, network: Network) -> ApplicationGateways:
    """Create the provider of Application Gateways and register it."""
    gateways = ApplicationGateways(network)
    azure.register("Microsoft.Network", "applicationGateways", gateways)
    return gateways
