"""Once events stop, one sweep makes every zone right, whatever happened before."""

import asyncio
import itertools
from random import Random

import pytest

from shared.catalog.memory import MemoryCatalog
from tests.simulator.small_world import in_virtual_time
from tests.stage import REGIONS, Stage, a_vm, a_world, nic_id, vm_id, zone_id

SEEDS = range(40)
STEPS = 40
TAGS = ("llama", "llama,mistral", "mistral", "", "embed", "vm-2,llama", "LLAMA, bad_name")
FOREIGN = (
    {"name": "db", "type": "A", "ttl": 300, "addresses": ["10.9.9.9"], "metadata": {"team": "data"}},
    {"name": "vm-5", "type": "A", "ttl": 10, "addresses": ["10.1.0.99"], "auto_registered": True},
    {"name": "embed", "type": "A", "ttl": 60, "addresses": ["10.9.9.8"]},
)
POLICIES = {"llama": {"min_endpoints": 2}, "mistral": {"tolerance_ms": 100, "fallback": ["10.9.0.1"]}}


class Fleet:
    """What people do to VMs, zones and events, by one seed."""

    def __init__(self, stage, rng):
        self.stage, self.rng = stage, rng
        self.alive = [f"vm-{i}" for i in range(9)]
        self.fresh = itertools.count(100)

    def act(self):
        often = (self.start, self.stop, self.start, self.stop)
        others = (self.tag, self.address, self.edit, self.heal, self.shutdown, self.delete, self.wipe)
        act = self.rng.choice((*often, *others))
        act(self.rng.choice(self.alive))

    def start(self, name):
        self.stage.arm("POST", f"{vm_id(name)}/start")

    def stop(self, name):
        self.stage.arm("POST", f"{vm_id(name)}/{self.rng.choice(('deallocate', 'powerOff'))}")

    def delete(self, name):
        if len(self.alive) > 6:
            self.stage.arm("DELETE", vm_id(name))
            self.alive.remove(name)

    def tag(self, name):
        tags = {"nearzone": self.rng.choice(TAGS), "nearzone-drain": self.rng.choice(("false", "false", "true"))}
        self.stage.arm("PATCH", vm_id(name), {"tags": tags})

    def address(self, name):
        nic = self.stage.arm("GET", nic_id(name)).content
        ip = nic["properties"]["ipConfigurations"][0]["properties"]
        ip["privateIPAddress"] = f"10.{ip['privateIPAddress'].split('.')[1]}.1.{next(self.fresh)}"
        self.stage.arm("PUT", nic_id(name), {key: nic[key] for key in ("location", "properties")})

    def edit(self, name):
        zone, label = zone_id(self.rng.choice(list(REGIONS))), self.rng.choice((name, "llama", "mistral"))
        held = self.stage.arm("GET", f"{zone}/A/{label}")
        if held.status != 200 or held.content["properties"].get("isAutoRegistered"):
            return
        if self.rng.random() < 0.5:
            self.stage.arm("DELETE", f"{zone}/A/{label}")
            return
        held.content["properties"]["aRecords"] = [{"ipv4Address": f"10.7.7.{self.rng.randrange(250)}"}]
        self.stage.arm("PUT", f"{zone}/A/{label}", {"properties": held.content["properties"]})

    def heal(self, name):
        self.stage.cloud.compute.set_health(vm_id(name), self.rng.choice(("healthy", "unhealthy", None)))

    def shutdown(self, name):
        self.stage.cloud.compute.guest_shutdown(vm_id(name))

    def wipe(self, _):
        if self.rng.random() < 0.15:  # Often enough, and seldom enough for a lost event to matter.
            self.stage.restart(MemoryCatalog())


def untouchable(stage):
    """Foreign and auto-registered record sets with their etags."""
    world = stage.cloud.private_dns.zones()
    return sorted(
        (zone.id, each.name, each.etag, tuple(each.addresses))
        for zone in world
        for each in zone.record_sets
        if each.name in ("db", "vm-5", "embed") and each.type == "A"
    )


async def shake(seed):
    rng = Random(seed)
    vms = [
        a_vm(f"vm-{i}", list(REGIONS)[i % 3], 10 + i, rng.choice(TAGS), power=rng.choice(("running", "deallocated")))
        for i in range(9)
    ]
    stage = Stage(a_world(*vms, records=FOREIGN, POLICIES=POLICIES), seed=seed)
    trouble = stage.event_grid.disturbance
    trouble.loss, trouble.duplication, trouble.reordering = 0.15, 0.2, 0.3
    before, fleet = untouchable(stage), Fleet(stage, rng)

    async def timers():
        for tick in itertools.count(1):
            await asyncio.sleep(30)
            await (stage.app.correct_drift() if tick % 20 == 0 else stage.app.drain())

    ticking = asyncio.create_task(timers())
    for _ in range(STEPS):
        fleet.act()
        await asyncio.sleep(rng.uniform(0, 20))
        stage.cloud.azure.advance()
    await stage.quiet(60)
    ticking.cancel()
    await asyncio.gather(ticking, return_exceptions=True)
    report = await stage.app.correct_drift()
    if report.refusals:  # The catalog was wiped, and more was deleted than the guard lets a sweep take for granted.
        report = await stage.resync(force=True)
    return stage, report, before


@pytest.mark.parametrize("seed", SEEDS)
def test_one_sweep_after_the_last_event_makes_every_zone_right(seed):
    async def story(_):
        stage, report, before = await shake(seed)
        assert stage.wrong() == {}
        assert (report.failures, report.left) == ([], 0)
        assert untouchable(stage) == before, "foreign and auto-registered record sets never change"
        assert stage.witness.unfounded == [], "every write carries the etag that was read"
        again = await stage.resync(dry_run=True)
        assert again.changes == [], "a right world needs no plan"

    in_virtual_time(story)
