"""The real app lives through all that it does, under the rights, settings and filters that the program gives it."""

import json
import re
from fnmatch import fnmatchcase

from infra.tests.stage import EAST, WEST, deployed
from shared.edge import event_hints as events
from simulator.arm.front_door import Response
from simulator.event_grid.delivery import Subscription
from simulator.event_grid.events import event_of, health_event_of
from tests.support.deployment import SUB, a_vm, nic_id, run_scenario, vm_id, vnet, zone_id
from tests.support.endpoint_kinds import (
    HEALTH,
    LLAMA,
    api_management,
    application_gateway,
    container_environment,
    container_group,
    instance,
    load_balancer,
    path,
    private_endpoint,
    scale_set,
    tagged,
    world,
)

FOREIGN = [{"name": "llama", "type": "A", "ttl": 60, "addresses": ["10.1.8.8"], "metadata": {"team": "ml"}}]


def program():
    """Two regions with zones and VNets that the simulated Azure has; all in its one subscription."""
    regions = [{"name": region, "vnets": [vnet(region)], "zone": zone_id(region)} for region in (EAST, WEST)]
    return deployed(subscription=SUB, regions=regions, subscriptions=[{"id": SUB}], claims={"*": [SUB]}, health=True)


def settings_of(made, app):
    pairs = made.one("WebApp", f"{app}-app").inputs["siteConfig"]["appSettings"]
    return {each["name"]: each["value"] for each in pairs if each["name"].startswith("NEARZONE_")}


def grants(made, app):
    """What an app's identity may do: (scope, actions) of every custom role that it is given."""
    definitions = {
        each.inputs["roleDefinitionId"]: each.inputs["permissions"][0]["actions"]
        for each in made.all("RoleDefinition").values()
    }
    found = []
    for each in made.all("RoleAssignment").values():
        subscription, *_, role = each.inputs["roleDefinitionId"].split("/")[2:]
        if each.inputs["principalId"] == f"principal of {app}-identity" and role in definitions:
            assert subscription == each.inputs["scope"].split("/")[2], (
                "a role's id is the one in the scope's subscription"
            )
            found.append((each.inputs["scope"], definitions[role]))
    return found


def action_of(method, url_path):
    """What Azure asks a caller's roles for: the type path behind the last provider, and what is done."""
    if re.fullmatch("/subscriptions/[^/]+/resourceGroups/[^/]+/resources", url_path, re.IGNORECASE):
        url_path = f"/providers/Microsoft.Resources/subscriptions/x/resourceGroups/x/resources/{method}"
    provider = url_path.rsplit("/providers/", 1)[1].split("/")
    verb = {"GET": "read", "PUT": "write", "PATCH": "write", "DELETE": "delete", "POST": "action"}[method]
    return "/".join([provider[0], *provider[1::2], verb])


def allowed(granted, action, scope):
    return [
        (given, pattern)
        for given, actions in granted
        for pattern in actions
        if f"{scope.lower()}/".startswith(f"{given.lower()}/") and fnmatchcase(action.lower(), pattern.lower())
    ]


class Gate:
    """Azure's access control in front of the app: what it lets through, and what not. Others pass it by."""

    def __init__(self, granted):
        self.granted = granted
        self.used = set()
        self.denied = set()

    def __call__(self, request):
        action = action_of(request.method, request.path)
        found = allowed(self.granted, action, request.path)
        self.used |= {pattern for _, pattern in found}
        if found:
            return None
        self.denied.add((action, request.path))
        return Response(403, {"error": {"code": "AuthorizationFailed", "message": action}})


class Ears:
    """Every event that the simulated Azure has raised, as Event Grid would deliver it."""

    def __init__(self, stage):
        self.heard = []
        stage.cloud.azure.completed.append(lambda note: self._hear(event_of(note, "1")))
        stage.cloud.azure.signalled.append(lambda note: self._hear(health_event_of(note, "1", "2")))

    def _hear(self, event):
        self.heard += json.loads(event.body("EventGridSchema"))


FLEX = scale_set("flex", {}, mode="Flexible")
WORLD = {
    "load_balancers": [load_balancer()],
    "private_endpoints": [
        private_endpoint(),
        private_endpoint("grouped", zone_group=[zone_id(EAST)], addresses=["10.1.0.31"]),
    ],
    "container_groups": [container_group()],
    "application_gateways": [application_gateway()],
    "api_managements": [api_management()],
    "container_environments": [container_environment()],
    "scale_sets": [scale_set("pool", LLAMA, instance(0, health="healthy"), instance(1)), FLEX],
}
VMS = [
    a_vm("near", EAST, 4),
    a_vm("loading", EAST, 5, health="unhealthy"),
    a_vm("flex-1", EAST, 6) | {"scale_set": FLEX["id"]},
    a_vm("going", EAST, 7),
]


async def everything(stage):
    """All that the app does, and all that happens to every kind of endpoint. Gives the reports."""
    reports = [await stage.app.correct_drift(), await stage.resync(check=True)]
    reports.append(await stage.resync(dry_run=True))
    reports.append(await stage.resync(adopt=["llama"]))
    one = path("Microsoft.Compute/virtualMachineScaleSets", "pool") + "/virtualMachines/0"
    reports += [await stage.resync(endpoint=each) for each in (vm_id("near"), one)]
    stage.arm("POST", f"{vm_id('near')}/deallocate")
    stage.arm("POST", f"{vm_id('near')}/start")
    stage.cloud.compute.set_health(vm_id("loading"), "healthy")
    reports.append(await stage.app.drain())
    tagged(stage, vm_id("flex-1"), nearzone="mistral")
    for each in ("nearzone", "team"):
        stage.arm("PATCH", path("Microsoft.Compute/virtualMachineScaleSets", "pool"), {"tags": {each: "llama"}})
        stage.arm("PATCH", FLEX["id"], {"tags": {"team": each}})
    stage.arm("POST", f"{path('Microsoft.Compute/virtualMachineScaleSets', 'pool')}/virtualMachines/0/restart")
    stage.arm("POST", f"{path('Microsoft.ContainerInstance/containerGroups', 'aci')}/stop")
    stage.arm("POST", f"{path('Microsoft.Network/applicationGateways', 'agw')}/stop")
    stage.arm("PATCH", path("Microsoft.ApiManagement/service", "apim"), {"tags": {"nearzone": "mistral"}})
    stage.arm("PATCH", path("Microsoft.App/managedEnvironments", "env"), {"tags": {"nearzone": "mistral"}})
    stage.arm("DELETE", f"{path('Microsoft.Network/privateEndpoints', 'grouped')}/privateDnsZoneGroups/default")
    await stage.deliver_pending_events()
    stage.cloud.compute.guest_shutdown(vm_id("near"))
    nic = stage.arm("GET", nic_id("loading")).content
    stage.arm("PUT", nic["id"], {"location": EAST, "properties": nic["properties"]})
    await stage.deliver_pending_events()
    stage.arm("DELETE", vm_id("going"))
    stage.arm("DELETE", path("Microsoft.Network/loadBalancers", "lb"))
    stage.arm("DELETE", path("Microsoft.Network/privateEndpoints", "grouped"))
    await stage.deliver_pending_events()
    reports.append(await stage.app.correct_drift())
    return reports


def lived(granted, settings, operations):
    """The story under these rights: what the gate saw, what was heard, the reports, the stage's end."""
    gate = Gate(granted)

    async def story(stage):
        stage.event_grid.subscriptions = [
            Subscription("app", "EventGridSchema", tuple(operations)),
            Subscription("app", "EventGridSchema", (), HEALTH),
        ]
        ears, stage.faults = Ears(stage), gate
        reports = await everything(stage)
        told = [await stage.app.status(), await stage.resync(check=True)]
        return gate, ears.heard, reports, told, stage

    return run_scenario(story, world(*VMS, settings={"records": FOREIGN, "regions": (EAST, WEST)}, **WORLD), **settings)


def accepted(event, app):
    """Whether the app takes an event for a hint."""
    return isinstance(events.hint(json.dumps(event), app.settings.subscriptions, app.inventory.types), events.Hint)
