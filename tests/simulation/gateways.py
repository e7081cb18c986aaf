"""Application Gateways, API Management and Container Apps environments: drawn into some worlds, and what happens there.

An operation takes effect and is reported at once here: how long it runs is the simulator's own matter.
"""

from random import Random

import msgspec

from simulator.oracle.claims import endpoints
from simulator.world import gateways

CHANCE = 0.4
WATCHED = ("Microsoft.Network/applicationGateways/", "Microsoft.ApiManagement/service/", "Microsoft.App/")
TAGS = ("llama", "mistral", "phi,llama", "embed", "")
KINDS = ("application_gateways", "api_managements", "container_environments")


def chance_of(seed):
    """The source of chance for the gateways of a seed, or None if it has none."""
    rng = Random(f"gateways {seed}")
    return rng if rng.random() < CHANCE else None


def add(world, rng, regions, group, vnet_id):
    """Put a gateway of each kind into a world, at addresses that no VM gets. `vnet_id`: the VNet of a region."""

    def _id(kind, name):
        return f"{group}/providers/{kind}/{name}"

    place = {region: {"location": region, "vnet": vnet_id(region)} for region in regions}
    base = [{"tags": {"nearzone": rng.choice(TAGS)}} for _ in KINDS]
    one, other = regions[:2]
    numbers = {region: number for number, region in enumerate(regions, 1)}

    def at(region, last):
        return place[region] | {"address": f"10.{numbers[region]}.2.{last}"}

    frontend = {"name": "in", "vnet": vnet_id(one), "address": f"10.{numbers[one]}.2.60"}
    world["application_gateways"] = [base[0] | {"id": _id("Microsoft.Network/applicationGateways", "agw")}]
    world["application_gateways"][0] |= {"location": one, "frontends": [frontend]}
    service = {"id": _id("Microsoft.ApiManagement/service", "apim"), "additional_locations": [at(other, 70)]}
    world["api_managements"] = [base[1] | at(one, 70) | service]
    world["container_environments"] = [
        base[2] | at(other, 80) | {"id": _id("Microsoft.App/managedEnvironments", "env")}
    ]
    world["application_gateways"][0]["backends"] = rng.choice((0, 1, 1))


def entries(cloud):
    """Every gateway, or location of one, as the oracle sees it, by id in lower case."""
    world = {kind: [msgspec.to_builtins(each) for each in getattr(gateways, kind)(cloud)] for kind in KINDS}
    return {each["id"].lower(): each for each in endpoints(world, {})}


class GatewayWorkload:
    """Acts on the gateways of a cloud. `rng`: as `chance_of` gives it."""

    def __init__(self, cloud, rng, trace):
        self.cloud, self.rng, self.trace = cloud, rng, trace
        self.actions = (self.power, self.power, self.pool, self.location, self.update, self.tag, self.tag)

    def act(self):
        act = self.rng.choice(self.actions)
        self.trace("people", act.__name__, "gateway")
        act()

    def power(self):
        """An Application Gateway is stopped or started."""
        (gateway,) = self.cloud.application_gateways.all
        gateway.operational = "Stopped" if gateway.operational == "Running" else "Running"
        action = "start" if gateway.operational == "Running" else "stop"
        self.cloud.azure.emit(gateway.id, f"Microsoft.Network/applicationGateways/{action}/action", "Action")

    def pool(self):
        """The pool of an Application Gateway is emptied or filled by a write."""
        (gateway,) = self.cloud.application_gateways.all
        members = [] if gateway.backends else [{"ipAddress": "10.1.2.61"}]
        gateway.sections["backendAddressPools"] = [{"name": "backends", "properties": {"backendAddresses": members}}]
        self.cloud.azure.emit(gateway.id, "Microsoft.Network/applicationGateways/write", "Write")

    def location(self):
        """The gateway of a location is disabled or enabled."""
        (service,) = self.cloud.api_managements.all
        place = self.rng.choice(service.places)
        place.disabled = not place.disabled
        self._written(service)

    def update(self):
        """An update of the service begins or ends, which does not interrupt it."""
        (service,) = self.cloud.api_managements.all
        service.provisioning = "Updating" if service.provisioning == "Succeeded" else "Succeeded"
        self._written(service)

    def _written(self, service):
        self.cloud.azure.emit(service.id, "Microsoft.ApiManagement/service/write", "Write")

    def tag(self):
        """Another name, or a drain tag, for any of them."""
        some = self.rng.choice(
            (self.cloud.application_gateways, self.cloud.api_managements, self.cloud.container_environments)
        )
        (resource,) = some.all
        drained = {"nearzone-drain": self.rng.choice(("true", "false"))} if self.rng.random() < 0.3 else {}
        resource.tags = {"nearzone": self.rng.choice(TAGS)} | drained if self.rng.random() < 0.9 else {}
        tags = f"{resource.id}/providers/Microsoft.Resources/tags/default"
        self.cloud.azure.emit(tags, "Microsoft.Resources/tags/write", "Write")
