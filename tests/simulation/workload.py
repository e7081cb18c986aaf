"""What people do to VMs, network interfaces, record sets and orders, and what happens to VMs by itself."""

import asyncio
import itertools

import msgspec

from simulator.arm.front_door import Request
from tests.simulation.balancers import Balancers
from tests.simulation.gateways import GatewayWorkload, chance_of
from tests.simulation.scenario import MANY, TAGS, zone_id

VERSIONS = {
    "virtualmachines": "2024-07-01",
    "virtualmachinescalesets": "2024-07-01",
    "networkinterfaces": "2024-01-01",
    "privatednszones": "2024-06-01",
}


class Workload:
    """Acts on a cloud by one source of chance. `story`: where orders and wiped catalogs go."""

    def __init__(self, story, rng):
        self.story, self.rng, self.cloud = story, rng, story.cloud
        self.vms = {vm["id"]: vm for vm in story.drawn.world["vms"]}
        self.alive, self.dead = list(self.vms), []
        self.fresh = itertools.count(100)
        drawn = "application_gateways" in story.drawn.world
        self.gateway_chance = chance_of(story.drawn.seed) if drawn else None
        self.gateways = GatewayWorkload(self.cloud, self.gateway_chance, story.trace) if drawn else None
        self.often = (self.start, self.stop, self.start, self.stop, self.start, self.stop)
        self.others = (
            *(self.tag, self.address, self.edit, self.heal, self.shutdown, self.delete, self.create, self.flip),
            *(self.outage, self.order, self.foreign),
        )
        self.balancers = Balancers(self.cloud, rng)
        if story.drawn.world.get("load_balancers"):
            self.others += (self.balance,) * 3
        self.sets = [each["id"] for each in story.drawn.world.get("scale_sets", ())]
        if self.sets:
            self.others += (self.tag_set, self.order_for_set)

    def act(self):
        act = self.rng.choice((*self.often, *self.others))
        vm = self.rng.choice(self.alive)
        self.story.trace("people", act.__name__, vm.rsplit("/", 1)[-1])
        act(vm)
        if self.gateways and self.gateway_chance.random() < 0.4:
            self.gateways.act()
        self.story.history.look()

    def arm(self, method, path, body=None):
        """A request to ARM, without latency; refusals are part of life."""
        kind = next(kind for kind in VERSIONS if f"/{kind}/" in path.lower())
        content = b"" if body is None else msgspec.json.encode(body)
        return self.cloud.handle(Request(method, path, {"api-version": VERSIONS[kind]}, {}, content))

    def start(self, vm):
        self.arm("POST", f"{vm}/start")

    def stop(self, vm):
        self.arm("POST", f"{vm}/{self.rng.choice(('deallocate', 'powerOff'))}")

    def flip(self, vm):
        """Off and on again, before the first is done."""
        self.stop(vm)
        self.start(vm)

    def outage(self, vm):
        """Everything in one region stops."""
        region = self.vms[vm]["location"]
        for each in self.alive:
            if self.vms[each]["location"] == region:
                self.arm("POST", f"{each}/deallocate")

    def delete(self, vm):
        if len(self.alive) > 8 and self.arm("DELETE", vm).status < 300:
            self.alive.remove(vm)
            self.dead.append(vm)

    def create(self, _):
        """A deleted VM comes again, under its old name and with its old network interface."""
        vm = next((each for each in self.dead if self.cloud.compute.vms.find(each) is None), None)
        if vm is None:
            return
        nic = self.vms[vm]["nics"][0]["id"]
        tags = {"nearzone": self.rng.choice(TAGS)}
        profile = {"networkProfile": {"networkInterfaces": [{"id": nic}]}}
        if named := self.vms[vm].get("scale_set"):
            profile["virtualMachineScaleSet"] = {"id": named}
        self.arm("PUT", vm, {"location": self.vms[vm]["location"], "tags": tags, "properties": profile})
        self.dead.remove(vm)
        self.alive.append(vm)

    def tag(self, vm):
        many = MANY in self.vms[vm]["tags"].get("nearzone", "") and self.rng.random() < 0.5
        tags = {"nearzone": MANY if many else self.rng.choice(TAGS)}
        if self.rng.random() < 0.3:
            tags["nearzone-drain"] = self.rng.choice(("true", "false"))
        if self.rng.random() < 0.5:
            self.arm("PATCH", vm, {"tags": tags if self.rng.random() < 0.9 else {}})
        else:
            change = {"operation": "Merge", "properties": {"tags": tags}}
            self.tags(vm, change)

    def tags(self, vm, change):
        """Through the tags resource, whose event has another subject."""
        path, query = f"{vm}/providers/Microsoft.Resources/tags/default", {"api-version": "2021-04-01"}
        self.cloud.handle(Request("PATCH", path, query, {}, msgspec.json.encode(change)))

    def tag_set(self, _):
        """The drain tag of a flexible scale set, through the set or through its tags resource."""
        found, tags = self.rng.choice(self.sets), {"nearzone-drain": self.rng.choice(("true", "true", "false"))}
        if self.rng.random() < 0.5:
            self.arm("PATCH", found, {"tags": tags if self.rng.random() < 0.8 else {}})
        else:
            self.tags(found, {"operation": "Merge", "properties": {"tags": tags}})

    def address(self, vm):
        path = self.vms[vm]["nics"][0]["id"]
        nic = self.arm("GET", path).content
        ip = nic["properties"]["ipConfigurations"][0]["properties"]
        ip["privateIPAddress"] = f"10.{ip['privateIPAddress'].split('.')[1]}.1.{next(self.fresh)}"
        self.arm("PUT", path, {key: nic[key] for key in ("location", "properties")})

    def balance(self, _):
        self.balancers.act()

    def heal(self, vm):
        if self.cloud.compute.vms.find(vm):
            self.cloud.compute.set_health(vm, self.rng.choice(("healthy", "unhealthy", None)))

    def shutdown(self, vm):
        if self.cloud.compute.vms.find(vm):
            self.cloud.compute.guest_shutdown(vm)

    def edit(self, vm):
        """Somebody changes a record set by hand: other addresses, no owner tag any more, or gone."""
        name = self.rng.choice((vm.rsplit("/", 1)[-1], "llama", "mistral", "phi"))
        path = f"{zone_id(self.rng.choice(self.story.drawn.regions))}/A/{name}"
        held = self.arm("GET", path)
        if held.status != 200 or held.content["properties"].get("isAutoRegistered"):
            return
        properties, chance = held.content["properties"], self.rng.random()
        if chance < 0.4:
            self.arm("DELETE", path)
        elif chance < 0.9 or "metadata" not in properties:
            properties["aRecords"] = [{"ipv4Address": f"10.7.7.{self.rng.randrange(250)}"}]
            self.arm("PUT", path, {"properties": properties})
        else:
            self.arm("PATCH", path, {"properties": {"metadata": {"team": "ours now"}}})
        self.story.edited(path)

    def foreign(self, _):
        """Somebody uses a name for themselves, unless it is taken."""
        path = f"{zone_id(self.rng.choice(self.story.drawn.regions))}/A/{self.rng.choice(('phi', 'db2', 'vm-3'))}"
        if self.arm("GET", path).status == 404:
            self.arm("PUT", path, {"properties": {"ttl": 60, "aRecords": [{"ipv4Address": "10.9.9.7"}]}})
            self.story.edited(path)

    def order(self, vm):
        """An order to withdraw an endpoint or a region, or the end of one."""
        self.drain({"endpoint": vm} if self.rng.random() < 0.6 else {"region": self.vms[vm]["location"]})

    def order_for_set(self, _):
        """The same for a scale set."""
        self.drain({"endpoint": self.rng.choice(self.sets)})

    def drain(self, target):
        if self.rng.random() < 0.6:
            self.story.cluster.by_hand(drain={**target, "minutes": self.rng.choice((1, 3, 60))})
        else:
            self.story.cluster.by_hand(undrain=target)


async def resizer(story, rng):
    """A tool changes the size of VMs by PUTs without tags, which Azure keeps or removes (`put_keeps_tags`)."""
    while True:
        await asyncio.sleep(rng.expovariate(1 / 30.0))
        vm = rng.choice(story.people.alive)
        story.trace("people", "resize", vm.rsplit("/", 1)[-1])
        found = story.people.arm("GET", vm).content
        if "properties" in found:
            profile = {
                "hardwareProfile": {"vmSize": rng.choice(("Standard_NC24ads_A100_v4", "Standard_NC48ads_A100_v4"))}
            }
            nics = {"networkProfile": found["properties"]["networkProfile"]}
            story.people.arm("PUT", vm, {"location": found["location"], "properties": {**nics, **profile}})
            story.history.look()


async def freezer(story, rng):
    """Somebody freezes a zone and takes it back, or has the freeze end by itself; now and then it is left frozen."""
    while True:
        await asyncio.sleep(rng.expovariate(1 / 20.0))
        zone = zone_id(rng.choice(story.drawn.zone_regions))
        minutes = rng.choice(({"minutes": 1}, {"minutes": 3}, {}))
        story.trace("people", "freeze", f"{zone.split('/')[4]} {minutes}")
        story.cluster.by_hand(freeze={"zone": zone, **minutes})
        await asyncio.sleep(rng.uniform(0.0, 60.0))
        if rng.random() < 0.7:
            story.trace("people", "unfreeze", zone.split("/")[4])
            story.cluster.by_hand(unfreeze={"zone": zone})


async def foreign_writer(story, rng, per_minute):
    """Somebody else writes into a zone, and spends its budget."""
    zone = zone_id(rng.choice(story.drawn.regions))
    while True:
        await asyncio.sleep(rng.expovariate(per_minute / 60.0))
        story.cloud.private_dns.spend_foreign(zone, rng.choice(("create", "update", "delete")), rng.randrange(1, 8))
