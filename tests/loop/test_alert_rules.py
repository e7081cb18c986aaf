"""What keeps a zone from being right wakes an operator: the figures that the alert rules look at, and the sweeps."""

import asyncio
from collections import defaultdict

import pytest

from shared.catalog.memory import MemoryCatalog
from shared.domain.errors import Transient
from simulator.arm.front_door import Response
from simulator.arm.permissions import Role
from simulator.private_dns.rules import zone_full
from tests.support.deployment import REGIONS, a_vm, a_world, run_scenario, vm_id, zone_id

EAST, WEST, ASIA = REGIONS
RECORDS = "Microsoft.Network/privateDnsZones/A/"
EAST_FAILS = {"llama in ai.internal (eastus)", "e-1 in ai.internal (eastus)"}


class Figures:
    """What was measured in one zone, as the alerts' queries see it (infra/queries, infra/alerts.py)."""

    def __init__(self):
        self.of, self.now = defaultdict(list), lambda: 0.0

    def measure(self, name, value, /, **dimensions):
        if dimensions.get("zone") == EAST:
            self.of[name].append((self.now(), value))

    def dirty_oldest(self):
        """Above 60 minutes in each report of the last 15."""
        return min(value for at, value in self.of["dirty.oldest"] if at > self.now() - 900) > 3600

    def failing(self):
        """In more than three spans of 5 minutes of the last 30 minutes."""
        return len({at // 300 for at, _ in self.of["failures"] if at > self.now() - 1800}) > 3

    def frozen_for(self):
        """For more than 4 hours."""
        free = [at for at, value in self.of["frozen"] if not value]
        since = max(free, default=self.of["frozen"][0][0])
        return self.of["frozen"][-1][0] - since > 4 * 3600


def fleet():
    return a_world(a_vm("e-1", EAST, 4), a_vm("e-2", EAST, 5), a_vm("e-3", EAST, 6, "new", power="deallocated"))


async def timers(stage, seconds):
    """The timers of so many seconds; a run that fails is a failed run."""
    for number in range(round(seconds / 30)):
        run = stage.app.correct_drift if number % 20 == 0 else stage.app.drain
        await run()
        await asyncio.sleep(30)


async def lock(stage):
    stage.cloud.private_dns.lock(zone_id(EAST), "ReadOnly")
    stage.arm("POST", vm_id("e-1") + "/deallocate")


async def role_lost(stage):
    stage.cloud.permissions.roles = (Role("", ["*"], [RECORDS + "write", RECORDS + "delete"]),)
    stage.arm("POST", vm_id("e-1") + "/deallocate")


async def full(stage):
    def fault(request):
        creates = request.method == "PUT" and request.headers.get("if-none-match") == "*"
        return zone_full("ai.internal", 25_000, 25_000).response if creates and zone_id(EAST) in request.path else None

    stage.faults = fault
    stage.arm("POST", vm_id("e-3") + "/start")


async def endless_freeze(stage):
    await stage.resync(freeze={"zone": EAST})
    stage.arm("POST", vm_id("e-1") + "/deallocate")


async def long_freeze(stage):
    await stage.resync(freeze={"zone": EAST, "minutes": 600})


async def nothing(stage):
    stage.arm("POST", vm_id("e-1") + "/deallocate")


async def a_burst(stage):
    """Every write fails for two minutes."""
    until = stage.clock() + 120
    failed = Response(500, {"error": {"code": "InternalServerError", "message": "no"}})
    stage.faults = lambda request: failed if request.method in ("PUT", "DELETE") and stage.clock() < until else None
    stage.arm("POST", vm_id("e-1") + "/deallocate")


@pytest.mark.parametrize(
    ("cause", "hours", "raised"),
    [
        (lock, 0.5, {"failing"}),
        (lock, 1.5, {"failing", "dirty_oldest"}),
        (role_lost, 1.5, {"failing", "dirty_oldest"}),
        (full, 1.5, {"failing", "dirty_oldest"}),
        (endless_freeze, 4.5, {"frozen_for", "dirty_oldest"}),
        (long_freeze, 3.5, set()),
        (long_freeze, 4.5, {"frozen_for"}),
        (nothing, 1.5, set()),
        (a_burst, 0.4, set()),
    ],
)
def test_each_cause_leads_to_figures_that_an_alert_rule_sees(cause, hours, raised):
    figures = Figures()

    async def story(stage):
        figures.now = stage.clock
        await timers(stage, 600)
        await cause(stage)
        await stage.deliver_pending_events()
        await timers(stage, hours * 3600)
        rules = (figures.dirty_oldest, figures.failing, figures.frozen_for)
        assert {rule.__name__ for rule in rules if rule()} == raised

    run_scenario(story, fleet(), measure=figures.measure)


async def dirty(stage):
    return await stage.app.catalog.dirty(zone_id(EAST).lower())


def test_a_sweep_tells_what_stays_dirty_because_it_fails_also_where_it_was_not_due():
    async def story(stage):
        await stage.app.correct_drift()
        await lock(stage)
        await stage.deliver_pending_events()
        while min(row.value.not_before for row in await dirty(stage)) < stage.clock() + 250:
            await asyncio.sleep(30)  # Until the next attempts lie beyond a sweep's end.
            await stage.app.drain()
        stage.request_log.writes.clear()
        report = await stage.app.correct_drift()
        assert stage.request_log.writes == [], "both are in back-off"
        assert {what for what, _ in report.failures} == EAST_FAILS, "so the timer's run fails"
        assert all("a management lock" in why for _, why in report.failures)
        swept = (await stage.app.status())["sweeps"][0]
        assert (swept["failures"], swept["failing"], set(swept["examples"])) == (2, 2, EAST_FAILS)
        assert "a management lock" in swept["error"]
        stage.cloud.private_dns.unlock(zone_id(EAST))
        await timers(stage, 660)
        swept = (await stage.app.status())["sweeps"][0]
        assert (swept["failures"], swept["failing"], swept["examples"], swept["error"]) == (0, 0, [], "")

    run_scenario(story, fleet())


@pytest.mark.parametrize("what", ["inventory", "catalog", "deadline"])
def test_a_sweep_that_was_broken_off_stands_among_the_sweeps_with_its_error(what):
    async def story(stage):
        await stage.app.correct_drift()
        if what == "catalog":
            catalog.call = "indexed"
        else:
            broken = Broken(stage.app.inventory, "list_all", hangs=what == "deadline")
            stage.app.inventory.list_all = broken.list_all
        with pytest.raises(Transient):
            await stage.app.correct_drift()
        swept, before = (await stage.app.status())["sweeps"]
        assert (swept["complete"], swept["failures"], before["failures"]) == (False, 1, 0)
        assert swept["error"] == ("not done within 244 s" if what == "deadline" else "it is away")

    catalog = Broken(MemoryCatalog())
    run_scenario(story, fleet(), catalog=catalog)


class Broken:
    """A port of which one call fails, or does not come to an end."""

    def __init__(self, whole, call="", *, hangs=False):
        self._whole, self.call, self._hangs = whole, call, hangs

    def __getattr__(self, name):
        return self._fails if name == self.call else getattr(self._whole, name)

    async def _fails(self, *_):
        if self._hangs:
            await asyncio.sleep(3600)
        raise Transient("it is away")
