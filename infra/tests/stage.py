"""The whole program against Pulumi's mocks: no cloud, no CLI. What it makes is kept as plain values."""

import asyncio
import gc
import json
import runpy
from dataclasses import dataclass
from pathlib import Path

import pulumi
from pulumi.runtime import settings as runtime_settings
from pulumi.runtime.mocks import MockMonitor, Mocks

from shared.decide import region_latency as latency

INFRA = Path(__file__).parents[1]
HOME = "aaaaaaaa-0000-4000-8000-00000000000a"
LAB = "bbbbbbbb-0000-4000-8000-00000000000b"
HUB = "cccccccc-0000-4000-8000-00000000000c"
EAST, WEST = "eastus", "westeurope"
ON_CALL = f"/subscriptions/{HOME}/resourceGroups/ops/providers/Microsoft.Insights/actionGroups/on-call"
SOMEBODY = "dddddddd-0000-4000-8000-00000000000d"
ENTRA = {"tenant": HOME, "client_id": LAB, "groups": [SOMEBODY], "identities": [SOMEBODY]}
REGIONS = latency.parse((INFRA.parent / "shared" / "data" / "region_latency.csv").read_text(encoding="utf-8")).regions
CLAIMS = {"llama-70b": [f"/subscriptions/{LAB}/resourceGroups/serving"], "*": [HOME]}


def vnet(name, subscription=HUB):
    return f"/subscriptions/{subscription}/resourceGroups/net/providers/Microsoft.Network/virtualNetworks/{name}"


def subnet(name, *, vnet_name="hub-east", prefix="10.9.0.0/26", delegations=("Microsoft.App/environments",)):
    """A subnet as Azure shows it with its VNet."""
    return {
        "id": f"{vnet(vnet_name)}/subnets/{name}",
        "name": name,
        "addressPrefix": prefix,
        "delegations": [{"name": "0", "serviceName": each} for each in delegations],
    }


def configured(**changed):
    """The value of `nearzone:deployment`: two regions, two watched subscriptions; None takes a key out."""
    values = {
        "subscription": HOME,
        "zone": "ai.internal",
        "regions": [{"name": EAST, "vnets": [vnet("hub-east")]}, {"name": WEST, "vnets": [vnet("hub-west")]}],
        "subscriptions": [{"id": HOME}, {"id": LAB}],
        "claims": CLAIMS,
        "subscribed": True,
    }
    return {name: value for name, value in (values | changed).items() if value is not None}


@dataclass(frozen=True)
class Made:
    """A resource that the program asked for. `subscription`: its provider's."""

    type: str
    name: str
    inputs: dict
    subscription: str | None
    id: str


class Cloud(Mocks):
    """Gives every resource an id and what Azure would add. `identity`: that of an existing system topic.

    `vnets`: existing VNets by name, each with its location and its subnets.
    """

    def __init__(self, identity="existing-topic-principal", vnets=()):
        self.made = []
        self.asked = []
        self._identity = identity
        self._vnets = dict(vnets)

    def new_resource(self, args):
        inputs = args.inputs
        provider = (args.provider or "").split("::")[-2] if args.provider else None
        resource_id = f"/id/{args.name}"
        if args.typ.endswith(":RoleDefinition"):
            resource_id = (
                f"{inputs['scope']}/providers/Microsoft.Authorization/roleDefinitions/{inputs['roleDefinitionId']}"
            )
        self.made.append(Made(args.typ, args.name, inputs, provider, resource_id))
        return resource_id, inputs | _added(args.typ, args.name, inputs)

    def call(self, args):
        self.asked.append((args.token, args.args))
        if args.token.endswith(":getVirtualNetwork"):
            location, subnets = self._vnets[args.args["virtualNetworkName"]]
            name = args.args["virtualNetworkName"].title()  # As Azure spells it.
            return {"location": location, "subnets": subnets, "name": name, "id": "existing"}
        principal = {"type": "SystemAssigned", "principalId": self._identity} if self._identity else {"type": "None"}
        return {"identity": principal, "id": "existing"}


class Engine(MockMonitor):
    """Keeps what each resource waits for, named and by what it takes from others, as the real engine is told it."""

    def __init__(self, cloud):
        super().__init__(cloud)
        self.awaited = {}

    def RegisterResource(self, request):  # noqa: N802 - its name in Pulumi's protocol
        made = super().RegisterResource(request)
        self.awaited[made.urn] = set(request.dependencies)
        return made


def _added(kind, name, inputs):
    """What only Azure knows."""
    if kind.endswith(":UserAssignedIdentity"):
        return {"principalId": f"principal of {name}", "clientId": f"client-of-{name}"}
    if kind.endswith(":StorageAccount"):
        endpoints = {
            each: f"https://{inputs['accountName']}.{each}.core.windows.net/" for each in ("blob", "queue", "table")
        }
        return {"primaryEndpoints": endpoints, "name": inputs["accountName"]}
    if kind.endswith(":SystemTopic"):
        identity = {"type": "SystemAssigned", "principalId": f"principal of {name}", "tenantId": "t"}
        return {"identity": identity, "name": inputs["systemTopicName"]}
    if kind.endswith(":ResourceGroup"):
        return {"name": inputs["resourceGroupName"]}
    if kind.endswith(":PrivateZone"):
        return {"name": inputs["privateZoneName"]}
    if kind.endswith(":Component"):
        return {"connectionString": f"InstrumentationKey=of-{name}"}
    if kind.endswith(":WebApp"):
        identities = {each: {} for each in inputs["identity"]["userAssignedIdentities"]}
        identity = inputs["identity"] | {"userAssignedIdentities": identities}
        return {"defaultHostName": f"{inputs['name']}.azurewebsites.net", "identity": identity}
    return {}


def _loops():
    return {each for each in gc.get_objects() if isinstance(each, asyncio.AbstractEventLoop)}


class Program:
    """What one run of a program has made, and what it exports."""

    def __init__(self, folder, config, cloud):
        self.cloud = cloud
        self.engine = Engine(cloud)
        self.outputs = {}
        self.protected = set()
        before = _loops()
        asyncio.set_event_loop(asyncio.new_event_loop())
        try:
            self._run(folder, config)
        finally:
            asyncio.set_event_loop(None)
            for loop in _loops() - before:  # Pulumi leaves its own ones open.
                loop.close()

    def _run(self, folder, config):
        pulumi.runtime.set_mocks(self.cloud, project="nearzone", stack="test", preview=False, monitor=self.engine)
        pulumi.runtime.set_all_config({name: json.dumps(value) for name, value in config.items()})

        def run():
            pulumi.runtime.register_stack_transformation(self._note)
            exported = runtime_settings.get_root_resource().outputs
            exported.clear()  # All stacks of a process have one.
            runpy.run_path(str(folder / "__main__.py"))
            return pulumi.Output.from_input(exported).apply(self.outputs.update)

        pulumi.runtime.test(run)()

    def _note(self, args):
        if args.opts.protect:
            self.protected.add(args.name)

    def all(self, kind):
        """Every resource of a type (its last part), by name."""
        return {each.name: each for each in self.cloud.made if each.type.rsplit(":", 1)[-1] == kind}

    def one(self, kind, name):
        return self.all(kind)[name]

    def before(self, kind, name):
        """The names of everything that is there before this resource is made."""
        found = set()
        open_ends = {urn for urn in self.engine.awaited if urn.endswith(f":{kind}::{name}")}
        while open_ends:
            new = self.engine.awaited.get(open_ends.pop(), set()) - found
            found |= new
            open_ends |= new
        return {urn.rsplit("::", 1)[-1] for urn in found}


def deployed(cloud=None, **changed):
    """The program of infra/ with this configuration."""
    return Program(INFRA, {"nearzone:deployment": configured(**changed)}, cloud or Cloud())
