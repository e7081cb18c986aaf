"""What a seed draws before anything happens: the world, the instances, and how often what goes wrong."""

from dataclasses import dataclass
from functools import partial
from random import Random

from msgspec.structs import replace

from simulator.faults.source import Rates
from simulator.oracle.answers import expected
from tests.simulation import balancers, gateways
from tests.simulation.faults import KINDS, rates
from tests.simulation.graph_scenario import GraphScenario, draw_graph
from tests.simulation.probe_scenario import ProbeScenario, draw_probing

SUBSCRIPTIONS = ("11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222")
REGIONS = ("eastus", "westeurope", "southeastasia", "japaneast", "brazilsouth")
TAGS = ("llama", "llama,mistral", "mistral", "phi", "", "embed", "vm-2,llama", "LLAMA, bad_name", "llama,phi")
FOREIGN = (
    {"name": "db", "type": "A", "ttl": 300, "addresses": ["10.9.9.9"], "metadata": {"team": "data"}},
    {"name": "vm-5", "type": "A", "ttl": 10, "addresses": ["10.1.0.99"], "auto_registered": True},
    {"name": "embed", "type": "A", "ttl": 60, "addresses": ["10.9.9.8"]},
)
ORPHAN = {"name": "old", "type": "A", "ttl": 30, "addresses": ["10.1.7.7"], "metadata": {"nearzone-owner": "nearzone"}}
MANY = ",".join(f"m{number:02}" for number in range(63))
"""As many names as fit into a tag: their changes need more than a minute's budget."""


TABLES = 16
"""Every so many seeds, the catalog is in Azure Table Storage."""


@dataclass(frozen=True)
class Scenario:
    """One seed's story before it begins. Times in seconds, chances between 0 and 1, `every`: mean steps, 0: never.

    `skew`: by how much the clock of an instance may be off, ahead or behind.
    """

    seed: int
    world: dict
    regions: tuple
    instances: int
    operations: int
    tempo: float
    arm_latency: float
    catalog_seconds: float
    sweep_every: float
    loss: float
    duplication: float
    reordering: float
    arm: tuple
    catalog: tuple
    table: bool
    crash_every: float
    pause_every: float
    loss_every: float
    overlap: float
    limits: str
    foreign_writes: float
    freezes: bool
    skew: float
    short_lists: float
    cloud_events: bool
    probing: ProbeScenario | None
    graph: GraphScenario | None

    @property
    def zone_regions(self):
        """The regions of the zones that the app keeps."""
        return [zone["region"] for zone in self.world["settings"]["NEARZONE_ZONES"]]


def draw(seed):
    """Everything about a seed's story that is fixed beforehand."""
    rng = Random(f"story {seed}")
    sometimes = partial(_sometimes, rng)
    regions = tuple(rng.sample(REGIONS, rng.choice((3, 3, 3, 4))))
    operations = rng.randrange(40, 56)
    tempo = rng.choice((2.0, 6.0, 12.0))
    length = operations * tempo / 2
    arm = _with_lag(seed, *(sometimes(0.75, _arm(rng, length)) or (Rates(), Rates(), ())))
    world = a_world(rng, regions, Random(f"sets {seed}"))
    graph = draw_graph(seed, world, SUBSCRIPTIONS)
    probing = draw_probing(seed, world, regions)
    world["load_balancers"] = balancers.drawn(seed, world, regions)
    if probing is None and (chance := gateways.chance_of(seed)):
        group = f"/subscriptions/{SUBSCRIPTIONS[0]}/resourceGroups/gpu-0"
        gateways.add(world, chance, regions, group, vnet_id)
    return Scenario(
        seed=seed,
        world=world,
        regions=regions,
        instances=rng.choice((3, 3, 4)),
        operations=operations,
        tempo=probing.tempo if probing else tempo,
        arm_latency=rng.choice((0.1, 0.5, 1.0)),
        catalog_seconds=rng.choice((0.0, 0.005, 0.03)),
        sweep_every=_seconds_between_sweeps(rng, graph),
        loss=sometimes(0.7, 0.15),
        duplication=sometimes(0.6, 0.2),
        reordering=sometimes(0.6, 0.3),
        arm=arm,
        catalog=sometimes(0.5, _weather(rng, length)) or (0.0, 0.0, ()),
        table=seed % TABLES == TABLES - 1,
        crash_every=sometimes(0.7, rng.choice((1500.0, 4000.0))),
        pause_every=sometimes(0.5, 4000.0),
        loss_every=sometimes(0.3, 4000.0),
        overlap=sometimes(0.7, 0.15),
        limits=rng.choice(("none", "none", "dns", "all")),
        foreign_writes=sometimes(0.25, rng.uniform(10, 45)),
        freezes=Random(f"freezes {seed}").random() < 0.3,
        skew=Random(f"skew {seed}").choice((0.0, 0.0, 2.0, 300.0, 600.0)),
        short_lists=sometimes(0.5, 0.5),
        cloud_events=rng.random() < 0.3,
        probing=probing,
        graph=graph,
    )


def _seconds_between_sweeps(rng, graph):
    """Drawn in any case, so that what is drawn after it stays the same."""
    seconds = rng.uniform(120.0, 600.0)
    return graph.sweep_every if graph else seconds


def _sometimes(rng, chance, value):
    """The value with this chance, otherwise an empty one of its type."""
    return value if rng.random() < chance else type(value)()


def _weather(rng, length):
    """How often calls fail while it is calm, how often in a storm, and when there are storms. `length`: seconds."""
    storms = tuple(sorted((a, a + rng.uniform(5, 60)) for a in (rng.uniform(0, length) for _ in range(2))))
    return rng.choice((0.0, 0.003, 0.02)), rng.choice((0.1, 0.4)), _sometimes(rng, 0.5, storms)


def _arm(rng, length):
    """The weather of Azure Resource Manager, as rates of the faults that the story has."""
    calm, stormy, storms = _weather(rng, length)
    kinds = rng.sample(KINDS, rng.choice((2, len(KINDS))))
    return rates(kinds, calm), rates(kinds, stormy), storms


def _with_lag(seed, calm, stormy, storms):
    """The same weather with stale answers, which say of a VM that it is not there."""
    lag = Random(f"lag {seed}").choice((0.0, 0.01, 0.05))
    stale = {"not_found": {"virtualmachines": lag}} if lag else {}
    return replace(calm, **stale), replace(stormy, **stale), storms


def a_world(rng, regions, sets):
    """A world file: zones, VMs and settings. `sets`: the chance of the scale set."""
    subscriptions = SUBSCRIPTIONS[: rng.choice((1, 1, 2))]
    crowded = rng.random() < 0.08
    vms = [
        a_vm(f"vm-{number}", regions[number % len(regions)], regions, 10 + number, rng, subscriptions)
        for number in range(rng.randrange(12, 17))
    ]
    for vm in vms[:2] if crowded else ():
        vm["tags"]["nearzone"] = MANY
    records = [*FOREIGN, *([ORPHAN] if rng.random() < 0.5 else [])]
    zones = [a_zone(region, records) for region in regions]
    world = {
        "vnets": [a_vnet(region, number) for number, region in enumerate(regions, 1)],
        "zones": zones,
        "vms": vms,
        "settings": settings(rng, regions, subscriptions),
    }
    if sets.random() < 0.4:
        world["scale_sets"] = [a_flexible_set(sets, vms)]
    if rng.random() < 0.5:
        fill(world)
    return world


def a_flexible_set(rng, vms):
    """A flexible scale set, of which some of these VMs become members: all of one subscription, whatever the region."""
    scope = rng.choice(vms)["id"].split("/providers/")[0]
    members = [vm for vm in vms if vm["id"].split("/")[2] == scope.split("/")[2]]
    found = {"id": f"{scope}/providers/Microsoft.Compute/virtualMachineScaleSets/flex", "mode": "Flexible", "tags": {}}
    for vm in rng.sample(members, min(len(members), rng.choice((2, 3, 4)))):
        vm["scale_set"] = found["id"]
        found |= {"location": vm["location"], "vnet": vnet_id(vm["location"])}
    return found


def fill(world):
    """Put into the zones what the app would have put there."""
    answers = expected(world)
    for zone in world["zones"]:
        held = {record["name"] for record in zone["records"]}
        zone["records"] = zone["records"] + [
            a_record(name, *answer)
            for (key, name), answer in sorted(answers.items(), key=lambda item: item[0])
            if key == zone["id"].lower() and answer and name not in held
        ]


def a_record(name, ttl, addresses):
    """A record set of the app's."""
    owner = {"nearzone-owner": "nearzone"}
    return {"name": name, "type": "A", "ttl": ttl, "addresses": sorted(addresses), "metadata": owner}


def settings(rng, regions, subscriptions):
    """App settings as JSON."""
    policies = {
        "llama": {"min_endpoints": rng.choice((1, 2, 3))},
        "mistral": {"tolerance_ms": 100, "fallback": ["10.9.0.1"]},
        "phi": rng.choice(({"when_empty": "keep"}, {"regions": list(regions[:2])}, {"ttl": 5})),
    }
    claims = {"*": list(subscriptions)}
    if rng.random() < 0.3:
        claims["mistral"] = [f"/subscriptions/{subscriptions[0]}/resourceGroups/gpu-0"]
    return {
        "NEARZONE_ZONES": [{"id": zone_id(region), "region": region} for region in regions],
        "NEARZONE_SUBSCRIPTIONS": list(subscriptions),
        "NEARZONE_CLAIMS": claims,
        "NEARZONE_POLICIES": {name: policy for name, policy in policies.items() if rng.random() < 0.6},
        "NEARZONE_HOST_NAMES": rng.random() < 0.8,
    }


def vnet_id(region):
    group = f"/subscriptions/{SUBSCRIPTIONS[0]}/resourceGroups/net"
    return f"{group}/providers/Microsoft.Network/virtualNetworks/vnet-{region}"


def zone_id(region):
    group = f"/subscriptions/{SUBSCRIPTIONS[0]}/resourceGroups/dns-{region}"
    return f"{group}/providers/Microsoft.Network/privateDnsZones/ai.internal"


def a_vnet(region, number):
    return {"id": vnet_id(region), "location": region, "prefixes": [f"10.{number}.0.0/16"]}


def a_zone(region, records):
    return {"id": zone_id(region), "links": [{"name": region, "vnet": vnet_id(region)}], "records": list(records)}


def a_vm(name, region, regions, number, rng, subscriptions):
    """A VM of the world file, with its NIC."""
    group = f"/subscriptions/{rng.choice(subscriptions)}/resourceGroups/gpu-{rng.randrange(2)}/providers"
    address = f"10.{regions.index(region) + 1}.0.{number}"
    nic = {
        "id": f"{group}/Microsoft.Network/networkInterfaces/{name}-nic",
        "vnet": vnet_id(region),
        "ip_configurations": [{"name": "ipconfig1", "address": address, "allocation": "Static"}],
    }
    return {
        "id": f"{group}/Microsoft.Compute/virtualMachines/{name}",
        "location": region,
        "tags": {"nearzone": rng.choice(TAGS)} if rng.random() < 0.95 else {},
        "power": rng.choice(("running", "running", "deallocated")),
        "health": rng.choice((None, None, None, "healthy", "unhealthy")),
        "nics": [nic],
    }
