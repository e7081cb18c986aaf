"""Microsoft.App/managedEnvironments: Container Apps environments, their bodies and the calls on them.

No recording has them: fields, states and statuses follow the specification ManagedEnvironments.json of 2024-03-01 and
its examples. Assumed: durations, the form of links to operations, the state during an update, and that an internal
environment gets a free address of its subnet. Apps in an environment are not simulated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from simulator.arm.collection import Collection, decode
from simulator.arm.front_door import ArmError, ArmFrontDoor, Call, Family, Response
from simulator.arm.operations import Operations, Work
from simulator.network.addresses import Reference, Wanted, WantedProperties
from simulator.network.changes import assign, name_of, region, release, reserve
from simulator.network.nic import IpConfiguration
from simulator.network.provider import PAGE_SIZE, Network
from simulator.timing.latency import Spread

ENV_TYPE = "Microsoft.App/managedEnvironments"
WRITE_SECONDS = Spread(60.0, 180.0, 600.0)
DELETE_SECONDS = Spread(60.0, 180.0, 600.0)

EnvironmentState = Literal[
    "Succeeded",
    "Failed",
    "Canceled",
    "Waiting",
    "InitializationInProgress",
    "InfrastructureSetupInProgress",
    "InfrastructureSetupComplete",
    "ScheduledForDelete",
    "UpgradeRequested",
    "UpgradeFailed",
]


class _Vnet(msgspec.Struct, rename="camel"):
    internal: bool | None = None
    infrastructure_subnet_id: str | None = None


class _Properties(msgspec.Struct, rename="camel"):
    vnet_configuration: _Vnet | None = None


class _Body(msgspec.Struct):
    location: str
    properties: _Properties = msgspec.field(default_factory=_Properties)
    tags: dict[str, str] | None = None


class _Tags(msgspec.Struct):
    tags: dict[str, str] = {}


@dataclass(slots=True)
class Environment:
    """An environment. `written`: its properties as written. `address`: its internal address; else it has a public one.

    `created`: whether its infrastructure was completed once; before that it shows no address.
    """

    id: str
    location: str
    tags: dict[str, str]
    written: dict[str, Any]
    public_ip: str
    address: IpConfiguration | None = None
    state: EnvironmentState = "Succeeded"
    created: bool = True
    guid: str = ""

    @property
    def serves(self) -> bool:
        """Whether its ingress answers: from its creation until its deletion; whatever its last update came to."""
        return self.created and self.state != "ScheduledForDelete"

    @property
    def addresses(self) -> list[IpConfiguration]:
        """Its private address, as a list."""
        return [self.address] if self.address else []

    def body(self) -> dict[str, Any]:
        """The environment as served."""
        ip = self.address.address if self.address else self.public_ip
        domain = f"{name_of(self)}-{self.guid[:8]}.{self.location}.azurecontainerapps.io"
        return {
            "id": self.id,
            "name": name_of(self),
            "type": ENV_TYPE,
            "location": self.location,
            "tags": dict(self.tags),
            "properties": {
                "deploymentErrors": None,
                "zoneRedundant": False,
                "vnetConfiguration": None,
                **self.written,
                "provisioningState": self.state,
                "defaultDomain": domain,
                "staticIp": ip if self.created else None,
            },
        }


class ContainerEnvironments:
    """Answers for `Microsoft.App/managedEnvironments` and `.../locations`."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._azure = network.azure
        self.all: Collection[Environment] = Collection(ENV_TYPE)
        self._operations = Operations(network.azure, "Microsoft.App", detailed=False)
        self._routes: dict[tuple[str, int, str], Callable[[Call], Response]] = {
            ("managedenvironments", 0, "GET"): lambda call: self.all.page(call, PAGE_SIZE, Environment.body),
            ("managedenvironments", 1, "GET"): lambda call: Response(200, self.all.get_or_404(call).body()),
            ("managedenvironments", 1, "PUT"): self._put,
            ("managedenvironments", 1, "PATCH"): self._patch,
            ("managedenvironments", 1, "DELETE"): self._delete,
            ("locations/operations", 2, "GET"): self._operations.poll,
            ("locations/operationresults", 2, "GET"): self._operations.poll,
        }

    def handle(self, call: Call) -> Response:
        """Answer a call on environments or on one of their operations."""
        answer = self._routes.get((call.kind, len(call.names), call.method))
        if answer is None:
            raise ArmError(405, "MethodNotAllowed", f"{call.method} on {'/'.join(call.types)} is not simulated.")
        return answer(call)

    def load(self, environment: Environment) -> None:
        """Add an environment to the world as it is, without an event; its address counts as assigned."""
        environment.guid = self._azure.new_guid()
        self.all.add(environment)
        assign(self._network, environment.id, environment.addresses)

    def set_state(self, environment_id: str, state: EnvironmentState) -> None:
        """An environment changes its state, without an event. Raises KeyError for an unknown environment."""
        environment = self.all.find(environment_id)
        if environment is None:
            raise KeyError(environment_id)
        environment.state = state

    def _put(self, call: Call) -> Response:
        body, own = decode(call, _Body), self.all.id_of(call)
        old, vnet = self.all.find(own), body.properties.vnet_configuration
        held = old.addresses if old else []
        address = None
        if vnet and vnet.internal:
            wanted = Wanted("internal", WantedProperties(Reference(vnet.infrastructure_subnet_id or "")))
            address = reserve(self._network, own, held, [wanted])[0]
        else:
            release(self._network, own, held)
        number = self._azure.rng.randrange(1 << 16)
        environment = Environment(
            id=own,
            location=region(body.location),
            tags=dict(body.tags or {}),
            written=call.json().get("properties", {}),
            public_ip=old.public_ip if old else f"203.0.{number >> 8}.{number & 255}",
            address=address,
            state="Waiting" if old is None else "InfrastructureSetupInProgress",
            created=old is not None and old.created,
            guid=old.guid if old else self._azure.new_guid(),
        )
        self.all.add(environment)

        def end() -> None:
            environment.state, environment.created = "Succeeded", True

        headers = self._begin(call, environment, ("write", "Write", WRITE_SECONDS), end)
        headers.pop("location")
        return Response(200 if old else 201, environment.body(), headers)

    def _patch(self, call: Call) -> Response:
        environment = self.all.get_or_404(call)
        environment.tags = dict(decode(call, _Tags).tags)
        self._azure.emit(environment.id, f"{ENV_TYPE}/write", "Write")
        return Response(200, environment.body())

    def _delete(self, call: Call) -> Response:
        environment = self.all.find(self.all.id_of(call))
        if environment is None:
            return Response(204)
        environment.state = "ScheduledForDelete"

        def end() -> None:
            if self.all.find(environment.id) is environment:
                release(self._network, environment.id, environment.addresses)
                self.all.remove(environment)

        return Response(202, None, self._begin(call, environment, ("delete", "Delete", DELETE_SECONDS), end))

    def _begin(
        self, call: Call, environment: Environment, what: tuple[str, Family, Spread], end: Callable[[], None]
    ) -> dict[str, str]:
        """Start an operation; `what`: its name, kind and duration. Returns the answer's headers."""
        name, family, spread = what

        def undone() -> None:
            environment.state = "Failed"

        work = Work(environment, f"{ENV_TYPE}/{name}", family, end, undone, 204 if family == "Delete" else 200)
        return self._operations.run(call, environment.location, spread.draw(self._azure.rng), work, patient=True)


def register(azure: ArmFrontDoor, network: Network) -> ContainerEnvironments:
    """Create the provider of Container Apps environments and register it."""
    environments = ContainerEnvironments(network)
    for resource_type in ("managedEnvironments", "locations"):
        azure.register("Microsoft.App", resource_type, environments)
    return environments
