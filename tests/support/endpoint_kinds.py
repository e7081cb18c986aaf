"""One resource of each kind of endpoint, as a world file has it."""

from tests.support.deployment import GROUP, REGIONS, a_vm, a_world, vnet

EAST, WEST, ASIA = REGIONS


SERVICE = f"{GROUP}/ai/providers/Microsoft.CognitiveServices/accounts/openai"


LLAMA = {"nearzone": "llama"}


FAR = a_vm("far", ASIA, 4)
"""Answers for `llama` where nothing nearer does."""


def load_balancer(name="lb", tags=LLAMA, *frontends):
    frontends = frontends or ({"name": "inside", "vnet": vnet(EAST), "address": "10.1.0.20"},)
    return {"id": path("Microsoft.Network/loadBalancers", name), "location": EAST, "tags": tags} | {
        "frontends": list(frontends)
    }


def private_endpoint(name="pe", tags=LLAMA, **more):
    base = {"id": path("Microsoft.Network/privateEndpoints", name), "location": EAST, "tags": tags, "vnet": vnet(EAST)}
    return base | {"addresses": ["10.1.0.30"], "service": SERVICE} | more


def container_group(name="aci", tags=LLAMA, **more):
    base = {"id": path("Microsoft.ContainerInstance/containerGroups", name), "location": EAST, "tags": tags}
    return base | {"vnet": vnet(EAST), "address": "10.1.0.40", "state": "Running"} | more


def application_gateway(name="agw", tags=LLAMA, *frontends, **more):
    frontends = frontends or ({"name": "inside", "vnet": vnet(EAST), "address": "10.1.0.60"},)
    base = {"id": path("Microsoft.Network/applicationGateways", name), "location": EAST, "tags": tags}
    return base | {"frontends": list(frontends)} | more


def api_management(name="apim", tags=LLAMA, **more):
    """A service in East US and in West Europe."""
    base = {"id": path("Microsoft.ApiManagement/service", name), "location": EAST, "tags": tags}
    far = {"location": WEST, "vnet": vnet(WEST), "address": "10.2.0.70"}
    return base | {"vnet": vnet(EAST), "address": "10.1.0.70", "additional_locations": [far]} | more


def container_environment(name="env", tags=LLAMA, **more):
    base = {"id": path("Microsoft.App/managedEnvironments", name), "location": EAST, "tags": tags}
    return base | {"vnet": vnet(EAST), "address": "10.1.0.80"} | more


def scale_set(name="pool", tags=LLAMA, *instances, mode="Uniform"):
    base = {"id": path("Microsoft.Compute/virtualMachineScaleSets", name), "location": EAST, "mode": mode, "tags": tags}
    return base | {"vnet": vnet(EAST), "instances": list(instances)}


def instance(number, power="running", **more):
    return {"id": str(number), "power": power, "address": f"10.1.0.{50 + number}"} | more


def path(kind, name):
    return f"{GROUP}/ai/providers/{kind}/{name}"


def world(*vms, settings=None, **lists):
    return a_world(*vms, **(settings or {})) | {kind: list(entries) for kind, entries in lists.items()}


def llama(stage, region=EAST):
    return stage.record(region, "llama")


async def swept(stage):
    """A complete sweep, after which every zone is as the oracle wants it."""
    report = await stage.app.correct_drift()
    assert (report.failures, report.refusals, stage.wrong_answers()) == ([], [], {})
    return report


def tagged(stage, resource, **tags):
    body = {"operation": "Replace", "properties": {"tags": tags}}
    stage.arm("PATCH", f"{resource}/providers/Microsoft.Resources/tags/default", body)


HEALTH = "Microsoft.ResourceNotifications.HealthResources"
