"""nearzone beside what private DNS does with lists and slow operations, as it was recorded."""

import asyncio

from simulator.private_dns.operations import DURATIONS
from tests.support.deployment import REGIONS, a_vm, a_world, run_scenario, vnet, zone_id

EAST, WEST, ASIA = REGIONS


def fleet(**settings):
    return a_world(a_vm("e-1", EAST, 4), a_vm("w-1", WEST, 4), **settings)


def records(count):
    """So many record sets of another tool."""
    return [{"name": f"host-{n:03}", "type": "A", "ttl": 60, "addresses": ["10.9.9.9"]} for n in range(count)]


def lists(stage, path):
    """How many pages of this list the app has asked for."""
    return sum(asked.lower() == path.lower() for method, asked in stage.request_log.requests if method == "GET")


async def swept(stage):
    """A sweep, and how many pages of the zone's record sets it has read."""
    before = lists(stage, f"{zone_id(EAST)}/A")
    report = await stage.app.correct_drift()
    assert (report.failures, report.refusals) == ([], [])
    return lists(stage, f"{zone_id(EAST)}/A") - before


def test_a_sweep_reads_a_zone_to_its_end_when_the_last_page_is_full():
    """azure-sdk-for-net ListRecordSetsByType_ListNextPageWithoutSuffix: a next link to an empty page."""

    async def story(stage):
        assert await swept(stage) == 2, "100 record sets: a full page, and the empty one that it names"
        assert stage.wrong_answers() == {}
        assert stage.record(EAST, "llama") == ["10.1.0.4"]
        assert await swept(stage) == 2, "103 record sets"
        assert not stage.request_log.unfounded

    run_scenario(story, fleet(records=records(100)))


def test_the_links_of_a_zone_are_read_over_the_next_links_of_their_pages():
    """azure-sdk-for-net ListLinks_ListNextPage: the token has signs that have to be escaped once and not twice."""
    world = fleet()
    names = [f"vnet-{n:03}" for n in range(120)]
    more = [
        {"id": vnet(EAST).rpartition("/")[0] + f"/{name}", "location": EAST, "prefixes": ["10.200.0.0/16"]}
        for name in names
    ]
    world["vnets"] += more
    world["zones"][0]["links"] += [{"name": each["id"].rpartition("/")[2], "vnet": each["id"]} for each in more]
    world["zones"][0]["links"][-1]["resolution_policy"] = "NxDomainRedirect"

    async def story(stage):
        report = await stage.resync(check=True)
        assert lists(stage, f"{zone_id(EAST)}/virtualNetworkLinks") == 2
        assert any("link vnet-119 redirects unknown names" in alarm.what for alarm in report.alarms)

    run_scenario(story, world)


def test_a_zone_that_is_made_anew_is_filled_when_its_operation_has_ended():
    """An operation on a zone takes up to 122 s; until it ends, the zone is not there."""

    async def story(stage):
        await swept(stage)
        for path in (f"{zone_id(EAST)}/virtualNetworkLinks/{EAST}", zone_id(EAST)):
            stage.arm("DELETE", path)
            await asyncio.sleep(max(DURATIONS))
        assert (await stage.app.correct_drift()).failures != []
        stage.arm("PUT", zone_id(EAST), {"location": "global"})
        await asyncio.sleep(min(DURATIONS) - 5)
        assert (await stage.app.correct_drift()).failures != []
        await asyncio.sleep(max(DURATIONS))
        for _ in range(3):
            await stage.app.correct_drift()
            await asyncio.sleep(60)
        assert stage.wrong_answers() == {}
        assert stage.record(EAST, "llama") == ["10.1.0.4"]

    run_scenario(story, fleet())
