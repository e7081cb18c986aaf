"""Every procedure of docs/runbooks.md and docs/status.md, followed word by word on a simulated Azure."""

import asyncio
import json
import re
from random import Random
from urllib.parse import quote

import pytest

from shared.bootstrap import build
from shared.config.settings import DRAIN_SCHEDULE
from shared.domain.dirty import DirtyName
from shared.domain.resource_ids import digest
from shared.edge.status_query import SummaryQuery
from shared.loop.times import format_time
from simulator.arm.front_door import Request, Response
from simulator.event_grid.delivery import Subscription
from simulator.faults.source import Faults
from simulator.private_dns.record_sets import SETS_PER_ZONE
from simulator.private_dns.rules import zone_full
from tests.support.catalogs import CatalogFixture, error
from tests.support.deployment import (
    GROUP,
    REGIONS,
    SUB,
    SimulatedDeployment,
    Token,
    a_vm,
    a_world,
    run_scenario,
    vm_id,
    vnet,
    zone_id,
)
from tests.support.probed import probed_settings
from tests.support.runbook_reader import STATUS, RunbookReader, procedures

EAST, WEST, _ = REGIONS
OURS = {"nearzone-owner": "nearzone"}
NAME = "llama-70b"
NEAR, FAR = ["10.1.0.4", "10.1.0.5"], ["10.2.0.4"]
TIMER = 30
assert DRAIN_SCHEDULE.startswith(f"*/{TIMER} ")


def fleet(*more, **settings):
    """Two endpoints of one name in East US, one in West Europe, a zone in each."""
    vms = (a_vm("gpu-eus-1", EAST, 4, NAME), a_vm("gpu-eus-2", EAST, 5, NAME), a_vm("gpu-weu-1", WEST, 4, NAME))
    world = a_world(*vms, *more, regions=(EAST, WEST), **settings)
    for each in world["vnets"]:
        each["peerings"] = [other["id"] for other in world["vnets"] if other is not each]
    return world


def orphans(count, start=0):
    return [
        {"name": f"old-{i}", "type": "A", "ttl": 30, "addresses": [f"10.1.9.{i}"], "metadata": OURS}
        for i in range(start, start + count)
    ]


def orphan(record):
    """The same as a body."""
    addresses = [{"ipv4Address": each} for each in record["addresses"]]
    return {"ttl": record["ttl"], "aRecords": addresses, "metadata": record["metadata"]}


def answers(stage, name=NAME):
    return [stage.record(region, name) for region in (EAST, WEST)]


@pytest.fixture
def guide(request):
    """The steps of the procedure after which a test is named; they have to be used up in the end."""
    followed = RunbookReader(procedures()[request.node.originalname])
    yield followed
    assert not followed.left, "the guide goes on"


async def swept(stage):
    """A healthy start."""
    report = await stage.app.correct_drift()
    assert (report.failures, report.refusals, stage.wrong_answers()) == ([], [], {})


async def timers(stage, seconds):
    """Time passes, and the drain timer fires."""
    for _ in range(int(seconds // TIMER)):
        await asyncio.sleep(TIMER)
        await stage.app.drain()


def test_every_procedure_has_its_test():
    assert set(procedures()) <= set(globals()), "a heading has no test of its name"


def test_install(guide):
    """In shadow nothing is written; then everything is, and the alarm about events ends with the first one."""

    async def story(stage):
        stage.restart(**guide.setting())
        await guide.ask(stage.app)
        plan = await guide.ask(stage.app)
        guide.see(plan)
        assert (answers(stage), stage.request_log.writes) == ([None, None], [])
        stage.restart(stage.app.catalog, **guide.setting())
        assert (await guide.ask(stage.app))["changes"] == plan["changes"]
        assert stage.wrong_answers() == {}
        guide.see(await guide.ask(stage.app))
        stage.arm("POST", f"{vm_id('gpu-eus-1')}/restart")
        await stage.deliver_pending_events()
        assert (await stage.app.status())["alarms"] == []

    run_scenario(story, fleet())


class Killed:
    """A catalog as a process sees it that is killed at a certain call: neither this one nor any later ever returns."""

    def __init__(self, catalog, at):
        self._catalog, self._at = catalog, at
        self.dead = asyncio.Event()

    def __getattr__(self, name):
        call = getattr(self._catalog, name)

        async def answer(*args, **kwargs):
            if name == self._at:
                self.dead.set()
            if self.dead.is_set():
                await asyncio.Event().wait()
            return await call(*args, **kwargs)

        return answer


def process(stage, catalog, holder):
    """One more process of the app."""
    return build(
        stage.environment,
        credential=Token(),
        transport=stage.transport,
        catalog=catalog,
        clock=stage.clock,
        holder=holder,
    )


@pytest.mark.parametrize("at", ["acquire", "claimants", "remove_dirty", "release"])
def test_upgrade(guide, at):
    """Whenever the old process ends, the new one finds what it left, and every zone is right within three minutes."""

    async def story(stage):
        await swept(stage)
        catalog = stage.app.catalog
        stage.app = process(stage, Killed(catalog, at), "old")
        stage.arm("POST", f"{vm_id('gpu-eus-1')}/deallocate")
        await stage.finish_operations()
        await asyncio.wait_for(stage.app.catalog.dead.wait(), 300)
        stage.app = process(stage, catalog, "new")
        shown = await guide.ask(stage.app)
        assert all(not row["last_error"] for row in shown["dirty"])
        assert shown["dirty"] or at == "release"
        await timers(stage, 180)
        assert (await guide.ask(stage.app))["dirty"] == []
        assert (answers(stage), stage.wrong_answers()) == ([["10.1.0.5"], FAR], {})

    run_scenario(story, fleet())


def test_roll_back(guide):
    """Shadow leaves the zones as they are, and what was missed is written when it ends."""

    async def story(stage):
        await swept(stage)
        stage.restart(stage.app.catalog, **guide.setting())
        stage.arm("POST", f"{vm_id('gpu-eus-1')}/deallocate")
        await stage.deliver_pending_events()
        await timers(stage, 60)
        await stage.app.correct_drift()
        assert answers(stage) == [NEAR, FAR]
        stage.restart(stage.app.catalog, **guide.setting())
        await timers(stage, 60)
        assert answers(stage) == [NEAR, FAR], "what was decided in shadow is forgotten"
        await guide.ask(stage.app)
        assert (answers(stage), stage.wrong_answers()) == ([["10.1.0.5"], FAR], {})

    run_scenario(story, fleet())


@pytest.mark.parametrize("by", ["order", "end"])
def test_drain_an_endpoint(guide, by):
    """It is withdrawn until the override expires, or is ended."""
    endpoint = vm_id("gpu-eus-1")

    async def story(stage):
        await swept(stage)
        plan = await guide.ask(stage.app, ID=endpoint)
        assert (answers(stage), (await stage.app.status())["drains"]) == ([NEAR, FAR], [])
        report = await guide.ask(stage.app, ID=endpoint)
        assert {(each["name"], *each["after"]) for each in report["changes"]} == {(NAME, "10.1.0.5"), ("gpu-eus-1",)}
        assert plan["changes"] == report["changes"]
        guide.see(report)
        guide.see(await guide.ask(stage.app))
        assert (answers(stage), stage.wrong_answers({endpoint.lower()})) == ([["10.1.0.5"], FAR], {})
        if by == "end":
            await timers(stage, 60 * 60 + TIMER)
            assert stage.wrong_answers() == {}
        await guide.ask(stage.app, ID=endpoint)
        assert (answers(stage), stage.wrong_answers()) == ([NEAR, FAR], {})

    run_scenario(story, fleet())


@pytest.mark.parametrize("arm_is_out", [False, True])
def test_a_region_is_out(guide, arm_is_out):
    """Nobody withdraws machines that Azure calls running; the override does, and where a zone itself is out, later."""

    async def story(stage):
        await swept(stage)
        outage = stage.faults = Faults(stage.cloud, Random(1))
        if arm_is_out:
            outage.fail_region(EAST, 7200)
        report = await stage.app.correct_drift()
        assert bool(report.failures) == arm_is_out
        assert answers(stage) == [NEAR, FAR]
        await guide.ask(stage.app)
        guide.see(await guide.ask(stage.app))
        await stage.app.correct_drift()
        assert answers(stage) == [NEAR if arm_is_out else FAR, FAR]
        assert answers(stage, "gpu-eus-1") == [NEAR[:1] if arm_is_out else None, None]
        outage.stop()
        if arm_is_out:
            await timers(stage, 330)
        assert (answers(stage), stage.wrong_answers({EAST})) == ([FAR, FAR], {})
        await guide.ask(stage.app)
        assert (answers(stage), stage.wrong_answers()) == ([NEAR, FAR], {})

    run_scenario(story, fleet())


def test_an_order_of_one_app_is_not_known_to_another():
    """What the guide says of every app being asked by itself."""

    async def story(stage):
        zones = json.loads(stage.environment["NEARZONE_ZONES"])
        apps = []
        for zone in zones:
            stage.restart(NEARZONE_ZONES=json.dumps([zone]))
            await stage.app.correct_drift()
            apps.append(stage.app)
        stage.app = apps[1]
        await stage.resync(drain={"region": WEST, "minutes": 60})
        assert answers(stage, "gpu-weu-1") == [FAR, None]
        stage.app = apps[0]
        await stage.resync(drain={"region": WEST, "minutes": 60})
        assert answers(stage, "gpu-weu-1") == [None, None]

    run_scenario(story, fleet())


@pytest.mark.parametrize("by", ["order", "end"])
def test_freeze_a_zone(guide, by):
    """Nothing is written to it, others go on, and what has waited is written when the freeze ends."""

    async def story(stage):
        await swept(stage)
        guide.see(await guide.ask(stage.app))
        await asyncio.sleep(10)
        stage.arm("POST", f"{vm_id('gpu-eus-1')}/deallocate")
        stage.arm("POST", f"{vm_id('gpu-weu-1')}/deallocate")
        await stage.deliver_pending_events()
        await timers(stage, 120)
        await stage.app.correct_drift()
        await stage.resync(force="0123456789ab")
        assert answers(stage) == [NEAR, ["10.1.0.5"]]
        shown = await guide.ask(stage.app)
        guide.see(shown)
        guide.see(shown)
        if by == "end":
            await timers(stage, 60 * 60)
            assert (answers(stage), stage.wrong_answers()) == ([["10.1.0.5"]] * 2, {})
        await guide.ask(stage.app)
        assert (answers(stage), stage.wrong_answers()) == ([["10.1.0.5"]] * 2, {})
        assert (await stage.app.status())["zones"][0]["frozen"] is None

    run_scenario(story, fleet())


@pytest.mark.parametrize("mistake", [False, True])
def test_a_plan_is_refused(guide, mistake):
    """It is looked at without writing; a mistake that is corrected leaves nothing to refuse, force carries it out."""
    names = ["web-0", "web-1", "web-2", "web-3"] if mistake else ["old-0", "old-1", "old-2", "old-3"]
    others = [a_vm(f"web-{i}", WEST, 20 + i, "") for i in range(4 if mistake else 0)]
    others += [a_vm(f"db-{i}", WEST, 30 + i, "") for i in range(2)]

    async def story(stage):
        await swept(stage)
        if mistake:
            stage.restart(stage.app.catalog, NEARZONE_CLAIMS=json.dumps({"web-*": [f"{GROUP}/wbe"], "*": [SUB]}))
        else:
            for each in orphans(4):
                stage.arm("PUT", f"{zone_id(EAST)}/A/{each['name']}", {"properties": orphan(each)})
        assert (await stage.app.correct_drift()).refusals
        guide.see(await guide.ask(stage.app))
        plan = await guide.ask(stage.app)
        guide.see(plan)
        named = {"DIGEST": next(each["digest"] for each in plan["refused"] if each["zone"] == zone_id(EAST))}
        assert {each["name"] for each in plan["skips"] if each["zone"] == zone_id(EAST)} == set(names)
        assert all(stage.record(EAST, name) for name in names)
        if mistake:
            stage.restart(stage.app.catalog, NEARZONE_CLAIMS=json.dumps({"*": [SUB]}))
            assert (await stage.app.correct_drift()).refusals == []
        plan = await guide.ask(stage.app, **named)
        assert [each["name"] for each in plan["changes"]] == ([] if mistake else names)
        assert len(plan["notes"]) == mistake, "there is no such plan any more"
        report = await guide.ask(stage.app, **named)
        assert report["changes"] == plan["changes"]
        assert [bool(stage.record(EAST, name)) for name in names] == [mistake] * 4
        assert (stage.wrong_answers(), (await stage.app.status())["refusals"]) == ({}, [])

    run_scenario(story, fleet(*others))


def test_regions_of_zones_are_swapped(guide):
    """Nothing is rewritten before the setting is corrected, and a person who means it has the last word."""
    wrong = json.dumps([{"id": zone_id(EAST), "region": WEST}, {"id": zone_id(WEST), "region": EAST}])

    async def story(stage):
        await swept(stage)
        stage.restart(stage.app.catalog, NEARZONE_ZONES=wrong)
        assert (await stage.app.correct_drift()).refusals
        guide.see(await guide.ask(stage.app))
        plan = await guide.ask(stage.app)
        guide.see(plan)
        assert plan["changes"]
        assert answers(stage) == [NEAR, FAR]
        stage.restart(stage.app.catalog, **guide.setting(EAST=zone_id(EAST), WEST=zone_id(WEST)))
        await asyncio.sleep(60)
        assert (await stage.app.drain()).refusals == []
        assert (await stage.app.status())["last_sweep"]["current"]
        assert (stage.wrong_answers(), answers(stage)) == ({}, [NEAR, FAR])
        stage.restart(stage.app.catalog, NEARZONE_ZONES=wrong)
        refused = (await stage.app.correct_drift()).refusals
        digest = re.findall('"force": "(.*?)"', refused[0])[0]
        assert (await guide.ask(stage.app, DIGEST=digest))["refusals"] == []
        assert answers(stage) == [FAR, NEAR]

    run_scenario(story, fleet())


def test_who_changed_this_and_why(guide):
    """The history of a name and the export of all zones say which override it was, who has given it, and the reason."""

    async def story(stage):
        await swept(stage)
        since = format_time(stage.clock())
        await stage.resync(drain={"region": EAST, "minutes": 60}, reason="INC-4711 cooling")
        why = await guide.ask(stage.app)
        guide.see(why)
        assert (why["history"][0]["by"], why["history"][0]["reason_given"]) == ("function key", "INC-4711 cooling")
        lines = await guide.ask(stage.app, SINCE=quote(since), UNTIL=quote(format_time(stage.clock() + 60)))
        guide.see(lines)
        guide.see(lines)

    run_scenario(story, fleet())


def filled(stage, room):
    """Faults of a zone that is full of other people's record sets, but for so many."""
    held = stage.cloud.private_dns.zone(zone_id(EAST)).record_sets
    limit = len(held) + room

    def fault(request):
        count = SETS_PER_ZONE - limit + len(stage.cloud.private_dns.zone(zone_id(EAST)).record_sets)
        if request.path == zone_id(EAST):
            return Response(200, {"properties": {"numberOfRecordSets": count, "maxNumberOfRecordSets": SETS_PER_ZONE}})
        creates = request.method == "PUT" and request.headers.get("if-none-match") == "*"
        if creates and request.path.startswith(zone_id(EAST)) and count >= SETS_PER_ZONE:
            return zone_full("ai.internal", count, SETS_PER_ZONE).response
        return None

    return fault


def test_a_zone_is_full(guide):
    """New names fail and wait, old ones go on; without the names of machines there is room again."""

    async def story(stage):
        await swept(stage)
        stage.faults = filled(stage, 1)
        guide.see(await guide.ask(stage.app))
        for name in ("gpu-eus-3", "gpu-eus-4"):
            stage.arm("POST", f"{vm_id(name)}/start")
        await stage.deliver_pending_events()
        guide.see(await guide.ask(stage.app))
        stage.arm("POST", f"{vm_id('gpu-eus-1')}/deallocate")
        await stage.deliver_pending_events()
        assert answers(stage, "gpu-eus-1") == [None, None], "what is there is removed"
        assert answers(stage)[0] == ["10.1.0.5", "10.1.0.6", "10.1.0.7"], "and changed"
        stage.restart(stage.app.catalog, **guide.setting())
        assert (await stage.app.correct_drift()).refusals
        plan = await guide.ask(stage.app)
        assert len(plan["refused"]) == 2
        await guide.ask(stage.app, DIGEST=",".join(each["digest"] for each in plan["refused"]))
        await timers(stage, 330)
        assert (stage.record(EAST, "gpu-eus-2"), (await stage.app.status())["dirty"]) == (None, [])
        assert answers(stage) == [["10.1.0.5", "10.1.0.6", "10.1.0.7"], FAR]

    more = [a_vm(f"gpu-eus-{i}", EAST, 3 + i, NAME, power="deallocated") for i in (3, 4)]
    run_scenario(story, fleet(*more))


def test_a_name_has_more_than_20_addresses(guide):
    """20 are published and the rest is shown as cut; a load balancer that takes the name over is the way out."""
    balancer = {
        "id": f"{GROUP}/gpu/providers/Microsoft.Network/loadBalancers/lb",
        "location": EAST,
        "tags": {"nearzone": NAME},
        "frontends": [{"name": "inside", "vnet": vnet(EAST), "address": "10.1.0.200"}],
    }

    async def story(stage):
        await swept(stage)
        guide.see(await guide.ask(stage.app))
        assert len(stage.record(EAST, NAME)) == 20
        for i in range(22):
            tags = {"operation": "Merge", "properties": {"tags": {"nearzone": ""}}}
            stage.arm("PATCH", f"{vm_id(f'many-{i}')}/providers/Microsoft.Resources/tags/default", tags)
        await stage.deliver_pending_events()
        await timers(stage, 60)
        assert (answers(stage), stage.wrong_answers()) == ([["10.1.0.200"]] * 2, {})

    many = [a_vm(f"many-{i}", EAST, 10 + i, NAME) for i in range(22)]
    run_scenario(story, a_world(*many, regions=(EAST, WEST)) | {"load_balancers": [balancer]})


@pytest.mark.parametrize("by", ["itself", "hand"])
@pytest.mark.parametrize("level", ["ReadOnly", "CanNotDelete"])
def test_a_zone_is_locked(guide, level, by):
    """Its changes fail loudly, others go on, and once the lock is gone all is right by itself soon, by hand at once."""

    async def story(stage):
        await swept(stage)
        stage.cloud.private_dns.lock(zone_id(EAST), level)
        stage.arm("POST", f"{vm_id('gpu-eus-1')}/deallocate")
        await stage.deliver_pending_events()
        assert answers(stage) == [NEAR if level == "ReadOnly" else ["10.1.0.5"], FAR]
        assert answers(stage, "gpu-eus-1") == [["10.1.0.4"], None]
        guide.see(await guide.ask(stage.app))
        found = await guide.ask(stage.app)
        if level == "ReadOnly":
            guide.see(found)
        else:
            guide.left.popleft()
            assert "is a lock (cannotdelete)" in json.dumps(found)
        await timers(stage, 3600)
        stage.cloud.private_dns.unlock(zone_id(EAST))
        if by == "hand":
            assert (await guide.ask(stage.app))["left"] == 0
        else:
            guide.left.popleft()
            await timers(stage, 330)
        assert stage.wrong_answers() == {}

    run_scenario(story, fleet())


def test_azure_throttles(guide):
    """Somebody else spends the zone's budget: what was refused waits, and nothing is lost."""

    async def story(stage):
        stage.cloud.enforce_limits()
        await swept(stage)
        stage.arm("POST", f"{vm_id('gpu-eus-1')}/deallocate")
        await stage.finish_operations()
        for kind in ("update", "delete"):
            stage.cloud.private_dns.spend_foreign(zone_id(EAST), kind, 60)
        await stage.deliver_pending_events()
        shown = await guide.ask(stage.app)
        guide.see([row["last_error"] for row in shown["dirty"]])
        assert stage.cloud.throttled
        await timers(stage, 120)
        assert (stage.wrong_answers(), (await stage.app.status())["dirty"]) == ({}, [])

    run_scenario(story, fleet())


def test_the_catalog_is_lost(guide):
    """Nothing goes away before a sweep has seen everything; overrides are gone with it."""

    async def story(stage):
        bench = CatalogFixture(asyncio.get_running_loop())
        stage.restart(bench.catalog)
        await swept(stage)
        await stage.resync(drain={"region": WEST, "minutes": 600})
        assert answers(stage) == [NEAR, NEAR]
        assert bench.tables.handle(Request("DELETE", "/Tables('nearzone')", {}, {}, b"")).status == 204
        stage.restart(bench.open())
        guide.see(await guide.ask(stage.app))
        for happens in ("restart", "deallocate"):
            stage.arm("POST", f"{vm_id('gpu-eus-1')}/{happens}")
            await stage.deliver_pending_events()
            assert answers(stage) == [NEAR, NEAR], "that one is known does not say that nobody else serves"
        assert (await stage.app.status())["drains"] == []
        await guide.ask(stage.app)
        assert (answers(stage), stage.wrong_answers()) == ([["10.1.0.5"], FAR], {})

    run_scenario(story, fleet())


def test_a_row_of_the_catalog_cannot_be_read(guide):
    """Nothing stops, and nothing goes away before a sweep has seen everything."""

    async def story(stage):
        bench = CatalogFixture(asyncio.get_running_loop())
        stage.restart(bench.catalog)
        await swept(stage)
        where = f"(PartitionKey='endpoints',RowKey='{digest(vm_id('gpu-eus-2').lower())}')"
        assert bench.raw("DELETE", where).status == 204
        row = {"PartitionKey": "endpoints", "RowKey": digest(vm_id("gpu-eus-2").lower()), "body": "{"}
        assert bench.raw("POST", "", **row).status < 300
        told = await guide.ask(stage.app)
        guide.see(told)
        stage.arm("POST", f"{vm_id('gpu-eus-1')}/deallocate")
        await stage.deliver_pending_events()
        assert answers(stage) == [NEAR, FAR]
        await timers(stage, 90)
        assert (answers(stage), stage.wrong_answers()) == ([["10.1.0.5"], FAR], {})

    run_scenario(story, fleet())


def test_the_storage_account_cannot_be_reached(guide):
    """What was known is told with its age; an address that is taken out by hand stays out, and the name stays ours."""

    async def story(stage):
        bench = CatalogFixture(asyncio.get_running_loop())
        stage.restart(bench.catalog)
        await swept(stage)
        before = await stage.app.handle_status(SummaryQuery())
        bench.faults = lambda request: error(403, "AuthorizationFailure")
        stage.arm("PATCH", f"{vm_id('gpu-eus-1')}", {"tags": {"nearzone": NAME, "nearzone-drain": "true"}})
        await stage.finish_operations()
        await asyncio.sleep(60)
        told = await guide.ask(stage.app)
        guide.see(told)
        assert told["stale"]["age_s"] >= 60
        assert told["zones"] == before["zones"]
        one = await guide.ask(stage.app)
        assert one["record"]["addresses"] == NEAR
        guide.see(await guide.ask(stage.app))
        guide.see(await guide.ask(stage.app, ID=vm_id("gpu-eus-2")))
        held = stage.arm("GET", f"{zone_id(EAST)}/A/{NAME}").content["properties"]
        left = held | {"aRecords": [{"ipv4Address": "10.1.0.5"}]}  # What the CLI writes.
        stage.arm("PUT", f"{zone_id(EAST)}/A/{NAME}", {"properties": left})
        bench.faults = lambda request: None
        assert (await stage.app.status())["drains"] == [], "the override was not stored"
        await guide.ask(stage.app, ID=vm_id("gpu-eus-2"))
        report = await guide.ask(stage.app)
        assert report["failures"] == []
        assert answers(stage)[0] == ["10.2.0.4"], "one is tagged, the other one drained by an override"
        assert (await stage.app.status())["blocked"] == []

    run_scenario(story, fleet())


def test_a_record_set_was_edited_by_another():
    async def story(stage):
        stage.event_grid.subscriptions = [Subscription("app", "EventGridSchema", ("Microsoft.",))]
        await swept(stage)
        await stage.deliver_pending_events(60.0)
        stage.arm("DELETE", f"{zone_id(EAST)}/A/llama-70b")
        await stage.deliver_pending_events(5.0)
        assert (answers(stage), stage.wrong_answers()) == ([NEAR, FAR], {})

    run_scenario(story, fleet())


def test_a_name_waits(guide):
    async def story(stage):
        await swept(stage)
        await stage.app.catalog.mark_dirty(DirtyName(zone_id(EAST).lower(), NAME, since=stage.clock()))
        guide.see((await guide.ask(stage.app))["dirty"])
        await asyncio.sleep(400)
        guide.see(await guide.ask(stage.app))
        await stage.app.drain()
        assert (await stage.app.status())["dirty"] == []

    run_scenario(story, fleet())


def test_a_lost_catalog_is_filled_by_the_drain_timer_within_a_minute_and_a_half():
    async def story(stage):
        await swept(stage)
        stage.restart()
        await timers(stage, 90)
        assert (await stage.app.status())["last_sweep"]["current"]

    run_scenario(story, fleet())


def owned(stage, zone):
    """Names and addresses of our record sets in a zone."""
    sets = stage.cloud.private_dns.zone(zone).record_sets
    return {each.name: sorted(each.addresses) for each in sets if "nearzone-owner" in (each.metadata or {})}


OLD, NEW = zone_id(EAST), f"{GROUP}/dns-new/providers/Microsoft.Network/privateDnsZones/ai.internal"


def moved():
    """A world with one zone, and an empty one of the same name in another resource group."""
    world = fleet(records=[{"name": "db", "type": "A", "ttl": 60, "addresses": ["10.1.7.7"]}])
    world["zones"] = [world["zones"][0], {"id": NEW, "links": [], "records": []}]
    world["settings"]["NEARZONE_ZONES"] = [{"id": OLD, "region": EAST}]
    return world


def test_move_a_zone(guide):
    """The new zone is full before any client sees it, and the old one goes on."""

    async def story(stage):
        await stage.app.correct_drift()
        before = owned(stage, OLD)
        stage.restart(stage.app.catalog, **guide.setting(OLD=OLD, NEW=NEW))
        await guide.ask(stage.app)
        guide.see(await guide.ask(stage.app, NEW=NEW))
        assert owned(stage, NEW) == owned(stage, OLD) == before
        assert before[NAME] == NEAR
        stage.arm("POST", f"{vm_id('gpu-eus-1')}/deallocate")
        await stage.deliver_pending_events()
        assert owned(stage, NEW)[NAME] == owned(stage, OLD)[NAME] == NEAR[1:]

    run_scenario(story, moved())


def test_a_zone_that_azure_has_moved_is_owned_under_its_new_id():
    """The owner tags have moved along: nothing is written, nothing has to be adopted."""

    async def story(before):
        await swept(before)
        world = json.loads(json.dumps(before.cloud.world()).replace("/dns-eastus/", "/moved/"))
        stage = SimulatedDeployment(world, catalog=before.app.catalog)
        assert (await stage.resync()).changes == []
        stage.arm("POST", f"{vm_id('gpu-eus-1')}/deallocate")
        await stage.deliver_pending_events()
        assert stage.wrong_answers() == {}

    run_scenario(story, fleet())


def test_retire_a_zone(guide):
    """What is ours goes, and nothing else; the other zone is not touched."""

    async def story(stage):
        stage.restart(NEARZONE_ZONES=json.dumps([{"id": OLD, "region": EAST}, {"id": NEW, "region": EAST}]))
        await stage.app.correct_drift()
        kept = owned(stage, NEW)
        stage.restart(stage.app.catalog, **guide.setting(OLD=OLD, NEW=NEW))
        assert (await stage.app.correct_drift()).refusals
        assert owned(stage, OLD) == kept
        plan = await guide.ask(stage.app, OLD=OLD)
        assert {each["name"] for each in plan["skips"] if "guard" in each["reason"]} == kept.keys()
        await guide.ask(stage.app, OLD=OLD, DIGEST=plan["refused"][0]["digest"])
        stage.restart(stage.app.catalog, **guide.setting(NEW=NEW))
        report = await stage.app.correct_drift()
        assert (report.changes, report.refusals) == ([], [])
        assert (owned(stage, OLD), owned(stage, NEW)) == ({}, kept)
        assert stage.arm("GET", f"{OLD}/A/db").status == 200

    run_scenario(story, moved())


def test_a_zone_that_is_taken_out_of_the_settings_is_not_looked_at_any_more():
    async def story(stage):
        stage.restart(NEARZONE_ZONES=json.dumps([{"id": OLD, "region": EAST}, {"id": NEW, "region": EAST}]))
        await stage.app.correct_drift()
        stage.restart(stage.app.catalog, NEARZONE_ZONES=json.dumps([{"id": NEW, "region": EAST}]))
        await stage.app.correct_drift()
        stage.arm("POST", f"{vm_id('gpu-eus-1')}/deallocate")
        await stage.deliver_pending_events()
        assert (owned(stage, OLD)[NAME], owned(stage, NEW)[NAME]) == (NEAR, NEAR[1:])

    run_scenario(story, moved())


def test_two_deployments_in_one_zone(guide):
    """Each keeps its hands off the other's record sets, until a person adopts one."""

    async def story(stage):
        await swept(stage)
        first = stage.app
        stage.restart(**guide.setting())
        second = stage.app
        report = await guide.ask(second)
        guide.see(report)
        assert report["changes"] == []
        await guide.ask(second)
        stage.arm("POST", f"{vm_id('gpu-eus-1')}/deallocate")
        await stage.deliver_pending_events()
        assert (await first.correct_drift()).refusals == []
        marks = [stage.arm("GET", f"{zone_id(r)}/A/{NAME}").content["properties"]["metadata"] for r in (EAST, WEST)]
        assert marks == [{"nearzone-owner": "second"}] * 2
        assert answers(stage) == [NEAR[1:], FAR]
        assert answers(stage, "gpu-eus-1") == [None, None], "the first one's own"

    run_scenario(story, fleet())


def test_two_apps_with_one_owner_and_separate_catalogs_undo_each_others_orders():
    """What the runbook warns of: the second app takes the record sets for its own, and knows none of the overrides."""

    async def story(stage):
        await swept(stage)
        first = stage.app
        stage.restart()
        second, stage.app = stage.app, first
        await stage.resync(drain={"region": EAST, "minutes": 60})
        assert answers(stage) == [FAR, FAR]
        assert (await second.correct_drift()).skips == []
        assert answers(stage) == [NEAR, FAR]

    run_scenario(story, fleet())


def test_a_name_may_not_be_written(guide):
    """A lost owner tag is told, and taken back; what was never ours stays."""

    async def story(stage):
        await swept(stage)
        taken = {"ttl": 30, "aRecords": [{"ipv4Address": "10.9.9.9"}]}
        for region in (EAST, WEST):
            stage.arm("PUT", f"{zone_id(region)}/A/{NAME}", {"properties": taken})
        await stage.app.correct_drift()
        guide.see(await guide.ask(stage.app))
        plan = await guide.ask(stage.app)
        assert [(each["name"], each["after"]) for each in plan["changes"]] == [(NAME, NEAR)]
        assert (await guide.ask(stage.app))["changes"] == plan["changes"]
        assert answers(stage) == [NEAR, ["10.9.9.9"]], "only the zone that was asked for"

    run_scenario(story, fleet())


@pytest.mark.parametrize("cause", ["edited", "lost event", "tag lost"])
def test_a_name_has_a_wrong_answer(guide, cause):
    """The explanation shows both sides and whose the record set is; the way that belongs to it puts it right."""
    wrong = {"ttl": 30, "aRecords": [{"ipv4Address": "10.9.9.9"}], "metadata": OURS if cause == "edited" else {}}

    async def story(stage):
        await swept(stage)
        if cause == "lost event":
            stage.event_grid.subscriptions.clear()
            stage.arm("POST", f"{vm_id('gpu-eus-1')}/deallocate")
            await stage.deliver_pending_events()
        else:
            stage.arm("PUT", f"{zone_id(EAST)}/A/{NAME}", {"properties": wrong})
        told = await guide.ask(stage.app)
        assert told["record"]["addresses"] == (NEAR if cause == "lost event" else ["10.9.9.9"])
        assert told["record"]["owned"] is (cause != "tag lost")
        assert told["answer"]["addresses"] == NEAR, "from what is known"
        assert {claim["endpoint"].rsplit("/", 1)[-1] for claim in told["claims"]} == {
            "gpu-eus-1",
            "gpu-eus-2",
            "gpu-weu-1",
        }
        assert told["history"][0]["cause"].startswith("sweep")
        looks = [await guide.ask(stage.app, ID=vm_id("gpu-eus-1")), await guide.ask(stage.app)]
        lost = [(NAME, "the record set has lost our owner tag; adopt takes it back")] if cause == "tag lost" else []
        assert [
            [(each["name"], each["reason"]) for each in look["skips"] if each["name"] == NAME] for look in looks
        ] == [lost] * 2
        assert (answers(stage)[0] == ["10.9.9.9"]) is (cause == "tag lost"), "a resync is the way out, or none"
        plan, adopted = await guide.ask(stage.app), await guide.ask(stage.app)
        assert [each["after"] for each in plan["changes"]] == [NEAR for _ in lost]
        assert len(adopted["changes"]) == len(lost)
        assert stage.wrong_answers() == {}

    run_scenario(story, fleet())


def test_a_request_is_refused(guide):
    """It names the field, and does nothing."""

    async def story(stage):
        await swept(stage)
        writes = len(stage.request_log.writes)
        for _ in range(11):
            answer = await guide.ask(stage.app)
            assert answer.keys() == {"error"}
            guide.see(answer)
        assert len(stage.request_log.writes) == writes
        assert (await stage.app.status())["drains"] == []

    run_scenario(story, fleet())


def test_read_the_status(guide):
    """Every field that the table explains is there, and none is left out; a healthy app looks as it says."""
    rows = STATUS.read_text(encoding="utf-8").split("## Read the status")[1].split("hold the first 20, ")[0]
    fields = {
        field
        for row in rows.splitlines()
        if row.startswith("| `")
        for field in re.findall(r"`([\w\[\].]+)`", row.split("|")[1])
    }

    async def story(stage):
        await swept(stage)
        stage.arm("POST", f"{vm_id('gpu-eus-1')}/restart")
        await stage.deliver_pending_events()
        shown = await guide.ask(stage.app)
        told = {field.split(".")[0].removesuffix("[]") for field in fields}
        assert told == shown.keys() - {"now", "owner", "zones", "changes"} | {"zones"}
        assert (shown["mode"], shown["dirty"], shown["drains"], shown["refusals"], shown["alarms"]) == (
            "apply",
            *[[]] * 4,
        )
        assert {(zone["dirty"], zone["frozen"]) for zone in shown["zones"]} == {(0, None)}
        assert shown["endpoints"] == {"serving": 3}
        assert shown["last_sweep"]["current"]
        assert [(each["complete"], each["failures"], each["refused"]) for each in shown["sweeps"]] == [(True, 0, 0)]
        assert shown["events"]["accepted"] == 1
        page = await guide.ask(stage.app)
        assert (page["items"], page["next"]) == ([], None)
        full = await guide.ask(stage.app)
        assert {each["name"] for each in full["names"]} == {NAME, "gpu-eus-1", "gpu-eus-2", "gpu-weu-1"}

    run_scenario(story, fleet())


def test_the_table_of_probing_has_every_field_of_the_section():
    rows = STATUS.read_text(encoding="utf-8").split("## Probing")[1].split("\n## ")[0].splitlines()
    first = {field for row in rows if row.startswith("| `") for field in re.findall(r"`(\w+)`", row.split("|")[1])}

    async def story(stage):
        await stage.app.correct_drift()
        shown = (await stage.app.status())["probing"]
        assert first == shown.keys() - {"vantage"}

    run_scenario(story, a_world(a_vm("e-1", EAST, 4), **probed_settings()))
