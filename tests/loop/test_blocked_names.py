"""A name that nearzone may not write is never silent: alarm, status and metric say which, why, and the way out."""

import asyncio

import pytest

from simulator.arm.front_door import Response
from simulator.private_dns.operations import DURATIONS
from tests.support.deployment import GROUP, REGIONS, SUB, a_vm, a_world, run_scenario, strip, vm_id, zone_id

EAST, WEST, ASIA = REGIONS
OURS = {"nearzone-owner": "nearzone"}


def fleet(**settings):
    return a_world(a_vm("e-1", EAST, 4), a_vm("e-2", EAST, 5), a_vm("w-1", WEST, 4), **settings)


def put(stage, region, name, *addresses, metadata=None, ttl=30):
    """What another tool does: a PUT of the whole record set."""
    properties = {"ttl": ttl, "aRecords": [{"ipv4Address": each} for each in addresses]}
    stage.arm("PUT", f"{zone_id(region)}/A/{name}", {"properties": properties | ({"metadata": metadata or {}})})


def mark(stage, region, name):
    return stage.arm("GET", f"{zone_id(region)}/A/{name}").content["properties"].get("metadata") or {}


async def blocked(stage):
    """Region, name and reason of what status says is blocked; its counts have to agree."""
    told = await stage.app.status()
    regions = {zone_id(region): region for region in REGIONS}
    found = [(regions[each["zone"]], each["name"], each["why"]) for each in told["blocked"]]
    for zone in told["zones"]:
        assert zone["blocked"] == sum(region == zone["region"] for region, _, _ in found)
    return found


async def alarms(stage):
    return (await stage.app.status())["alarms"]


async def swept(stage):
    report = await stage.app.correct_drift()
    assert (report.failures, report.refusals) == ([], [])
    return report


def owner_renamed(stage):
    stage.restart(stage.app.catalog, NEARZONE_OWNER="nearzone-2")


CASES = [
    # what happens, why, what the alarm says, what its way out says
    (
        lambda s: strip(s, EAST, "llama"),
        "lost",
        "has lost our owner tag; it holds 10.1.0.4, 10.1.0.5",
        '{"adopt": "lost"}',
    ),
    (
        lambda s: put(s, EAST, "llama", "10.9.9.9"),
        "lost",
        "has lost our owner tag; it holds 10.9.9.9",
        '{"adopt": "lost"}',
    ),
    (lambda s: put(s, EAST, "llama"), "lost", "it holds no address", '{"adopt": "lost"}'),
    (
        lambda s: put(s, EAST, "llama", "10.9.9.9", metadata={"nearzone-owner": "x"}),
        "other owner",
        "belongs to owner 'x'; it holds 10.9.9.9",
        "NEARZONE_OWNER",
    ),
]


@pytest.mark.parametrize(("happens", "why", "says", "do"), CASES)
def test_a_name_that_cannot_be_written_any_more_is_told_within_one_sweep_and_no_longer_when_it_is_resolved(
    happens, why, says, do
):
    async def story(stage):
        await swept(stage)
        assert await blocked(stage) == []
        assert not any("record set" in each["what"] for each in await alarms(stage))
        happens(stage)
        report = await swept(stage)
        assert await blocked(stage) == [(EAST, "llama", why)]
        (alarm,) = [each for each in await alarms(stage) if "llama" in each["what"]]
        assert alarm["what"].startswith("llama in zone ai.internal (eastus): the record set ")
        assert says in alarm["what"]
        assert do in alarm["do"]
        assert alarm["means"].startswith("nearzone may not write it")
        for other in (report, await stage.resync(check=True)):
            assert alarm["what"] in {each.what for each in other.alarms}, "the log has it as well, and the check"
        stage.arm("DELETE", f"{zone_id(EAST)}/A/llama")
        await swept(stage)
        assert await blocked(stage) == []
        assert stage.wrong_answers() == {}

    run_scenario(story, fleet())


@pytest.mark.parametrize(
    ("record", "why", "do"),
    [
        ({"addresses": ["10.1.8.8"]}, "foreign", '{"adopt": ["NAME"]}'),
        ({"addresses": []}, "foreign", '{"adopt": ["NAME"]}'),
        ({"addresses": ["10.1.8.8"], "metadata": {"nearzone-owner": "old"}}, "other owner", "NEARZONE_OWNER"),
        ({"addresses": ["10.1.0.4"], "auto_registered": True}, "auto-registered", "auto-registration off"),
    ],
)
def test_what_was_never_ours_is_told_as_such(record, why, do):
    async def story(stage):
        await swept(stage)
        assert await blocked(stage) == [(region, "llama", why) for region in REGIONS]
        found = [each for each in await alarms(stage) if "llama" in each["what"]]
        assert len(found) == 3, "one for each zone"
        assert all(do in each["do"] for each in found)

    run_scenario(story, fleet(records=[{"name": "llama", "type": "A", "ttl": 60} | record]))


def test_a_zone_with_registration_blocks_the_computer_names_of_its_vms_and_not_their_own_names():
    """Azure registers `osProfile.computerName`; a VM whose own name is another one can still claim it."""
    world = a_world(a_vm("e-1", EAST, 4) | {"computer_name": "Poppy"}, a_vm("e-2", EAST, 5), a_vm("w-1", WEST, 4))
    world["zones"][0]["links"][0]["registration"] = True

    def addresses(stage, name):
        found = stage.cloud.private_dns.zone(zone_id(EAST)).get("A", name)
        return found and (found.addresses, found.auto_registered)

    async def story(stage):
        await swept(stage)
        assert await blocked(stage) == [(EAST, "e-2", "auto-registered")]
        assert addresses(stage, "poppy") == (("10.1.0.4",), True)
        assert addresses(stage, "e-1") == (("10.1.0.4",), False)
        assert addresses(stage, "e-2") == (("10.1.0.5",), True)
        stage.arm("DELETE", f"{zone_id(EAST)}/virtualNetworkLinks/{EAST}")
        await asyncio.sleep(max(DURATIONS))
        await swept(stage)
        assert await blocked(stage) == []
        assert addresses(stage, "poppy") is None
        assert addresses(stage, "e-2") == (("10.1.0.5",), False)
        assert stage.wrong_answers() == {}

    run_scenario(story, world)


def test_another_name_for_the_deployment_is_told_for_every_name_by_one_alarm_a_zone():
    async def story(stage):
        await swept(stage)
        owner_renamed(stage)
        await swept(stage)
        assert len(await blocked(stage)) == 12
        found = [each for each in await alarms(stage) if "belongs to owner 'nearzone'" in each["what"]]
        assert [each["count"] for each in found] == [4, 4, 4]
        stage.restart(stage.app.catalog, NEARZONE_OWNER="nearzone")
        await swept(stage)
        assert await blocked(stage) == []

    run_scenario(story, fleet())


def test_a_name_that_nobody_claims_or_may_claim_is_not_told():
    async def story(stage):
        for name in ("printer", "w-1", "other"):
            put(stage, EAST, name, "10.1.7.7")
        await swept(stage)
        assert await blocked(stage) == [(EAST, "w-1", "foreign")]

    claims = {"other": [f"{GROUP}/nobody"], "*": [SUB]}
    world = a_world(a_vm("e-1", EAST, 4, "llama,other"), a_vm("w-1", WEST, 4), CLAIMS=claims)
    run_scenario(story, world)


def test_a_lost_record_set_is_told_as_long_as_it_stands_even_when_nobody_claims_it_any_more():
    """Its address is dead, and clients still get it: it is removed by an adoption, or by hand."""

    async def story(stage):
        await swept(stage)
        strip(stage, EAST, "e-1")
        stage.arm("DELETE", vm_id("e-1"))
        await stage.deliver_pending_events(60)
        for _ in range(14):
            await stage.deliver_pending_events(600)
            await swept(stage)
        assert await blocked(stage) == [(EAST, "e-1", "lost")]
        (told,) = (await stage.app.status())["blocked"]
        assert told["claimed"] is False
        (alarm,) = [each for each in await alarms(stage) if "e-1" in each["what"]]
        assert alarm["means"].startswith("no endpoint claims it any more")
        await stage.resync(adopt="lost")
        assert (stage.record(EAST, "e-1"), await blocked(stage)) == (None, [])

    run_scenario(story, fleet())


def test_a_record_set_that_is_given_to_another_owner_is_not_told_once_nobody_claims_it():
    async def story(stage):
        await swept(stage)
        put(stage, EAST, "e-1", "10.1.0.4", metadata={"nearzone-owner": "released"})
        stage.arm("PATCH", vm_id("e-1"), {"tags": {}})
        await stage.deliver_pending_events(60)
        await stage.deliver_pending_events(4000)
        await swept(stage)
        await swept(stage)
        assert await blocked(stage) == []
        strip(stage, EAST, "e-1")
        await swept(stage)
        assert await blocked(stage) == [], "it is not known as ours any more"

    run_scenario(story, fleet())


def test_an_event_that_meets_a_lost_mark_tells_of_it_before_any_sweep():
    async def story(stage):
        await swept(stage)
        strip(stage, EAST, "llama")
        stage.arm("POST", f"{vm_id('e-1')}/deallocate")
        await stage.deliver_pending_events(30)
        assert await blocked(stage) == [(EAST, "llama", "lost")]
        assert any("llama in zone ai.internal (eastus)" in each["what"] for each in await alarms(stage))
        assert stage.record(EAST, "llama") == ["10.1.0.4", "10.1.0.5"], "it is not ours to write"

    run_scenario(story, fleet())


def test_a_mark_that_is_lost_between_two_sweeps_is_known_as_lost_although_no_sweep_has_seen_it():
    async def story(stage):
        await swept(stage)
        stage.arm("PATCH", vm_id("w-1"), {"tags": {"nearzone": "llama,fresh"}})
        await stage.deliver_pending_events(30)
        assert stage.record(EAST, "fresh")
        strip(stage, EAST, "fresh")
        await swept(stage)
        assert await blocked(stage) == [(EAST, "fresh", "lost")]

    run_scenario(story, fleet())


def test_that_a_record_set_is_ours_is_known_for_longer_than_its_history_and_after_the_catalog_was_lost():
    async def story(stage):
        await swept(stage)
        stage.restart()
        await swept(stage)
        for _ in range(40):
            await stage.deliver_pending_events(86_400)
            await swept(stage)
        strip(stage, EAST, "llama")
        await swept(stage)
        assert await blocked(stage) == [(EAST, "llama", "lost")]

    run_scenario(story, fleet())


def test_adopt_lost_takes_back_every_lost_record_set_of_the_zones_asked_for_and_nothing_else():
    async def story(stage):
        await swept(stage)
        for region in (EAST, WEST):
            put(stage, region, "llama", "10.9.9.9", metadata={"team": "ml"})
            strip(stage, region, "e-2")
        put(stage, EAST, "e-1", "10.9.9.8", metadata={"nearzone-owner": "x"})
        stage.arm("DELETE", f"{zone_id(EAST)}/A/w-1")
        await swept(stage)
        put(stage, ASIA, "llama", "10.9.9.9", metadata={"nearzone-owner": "x"})
        plan = (await stage.resync(adopt="lost", dry_run=True, zone=EAST)).as_json()
        assert [(each["name"], each["before"], each["after"]) for each in plan["changes"]] == [
            ("e-2", ["10.1.0.5"], ["10.1.0.5"]),
            ("llama", ["10.9.9.9"], ["10.1.0.4", "10.1.0.5"]),
        ]
        assert mark(stage, EAST, "llama") == {"team": "ml"}
        report = (await stage.resync(adopt="lost", zone=EAST)).as_json()
        assert report["changes"] == plan["changes"]
        assert mark(stage, EAST, "llama") == {"team": "ml", **OURS}, "what others noted on it stays"
        assert [mark(stage, WEST, name) for name in ("llama", "e-2")] == [{"team": "ml"}, {}]
        await stage.resync(adopt="lost")
        assert [mark(stage, WEST, name) for name in ("llama", "e-2")] == [{"team": "ml", **OURS}, OURS]
        assert mark(stage, EAST, "e-1") == mark(stage, ASIA, "llama") == {"nearzone-owner": "x"}
        assert set(await blocked(stage)) == {(EAST, "e-1", "other owner"), (ASIA, "llama", "other owner")}

    run_scenario(story, fleet())


def test_in_shadow_nothing_is_taken_back_and_the_name_stays_told():
    async def story(stage):
        await swept(stage)
        strip(stage, EAST, "llama")
        stage.restart(stage.app.catalog, NEARZONE_MODE="shadow")
        assert len((await stage.resync(adopt="lost")).changes) == 1
        assert (mark(stage, EAST, "llama"), await blocked(stage)) == ({}, [(EAST, "llama", "lost")])

    run_scenario(story, fleet())


def test_adopt_lost_leaves_what_was_never_ours_and_what_azure_registers():
    records = [
        {"name": "llama", "type": "A", "ttl": 60, "addresses": ["10.1.8.8"]},
        {"name": "e-1", "type": "A", "ttl": 10, "addresses": ["10.1.0.4"], "auto_registered": True},
    ]

    async def story(stage):
        await swept(stage)
        report = await stage.resync(adopt="lost")
        assert report.changes == []
        assert stage.record(EAST, "llama") == ["10.1.8.8"]

    run_scenario(story, fleet(records=records))


def test_a_record_set_that_another_owner_has_marked_since_adopt_lost_was_planned_is_left_to_it():
    async def story(stage):
        await swept(stage)
        strip(stage, EAST, "llama")
        taken = []

        def takes(request):
            if request.method == "PUT" and request.path.endswith("/A/llama") and not taken:
                taken.append(request)
                put(stage, EAST, "llama", "10.9.9.9", metadata={"nearzone-owner": "x"})

        stage.faults = takes
        await stage.resync(adopt="lost")
        assert taken
        assert (stage.record(EAST, "llama"), mark(stage, EAST, "llama")) == (["10.9.9.9"], {"nearzone-owner": "x"})

    run_scenario(story, fleet())


@pytest.mark.parametrize("body", [{"zone": "westeurope"}, {"name": "w-1"}, {"adopt": ["w-1"]}, {"adopt": "lost"}])
def test_a_look_at_a_part_drops_nothing_that_a_whole_sweep_has_found_elsewhere(body):
    orphans = [
        {"name": f"old-{i}", "type": "A", "ttl": 30, "addresses": [f"10.1.9.{i}"], "metadata": OURS} for i in range(4)
    ]

    async def story(stage):
        put(stage, EAST, "llama", "10.9.9.9")
        await stage.app.correct_drift()
        refusals = (await stage.app.correct_drift()).refusals
        assert len(refusals) == 3
        before = await blocked(stage), (await stage.app.status())["refusals"]
        assert before == ([(EAST, "llama", "foreign")], refusals)
        await stage.resync(**body)
        assert (await blocked(stage), (await stage.app.status())["refusals"]) == before

    run_scenario(story, fleet(records=orphans))


def test_a_zone_that_cannot_be_read_keeps_what_was_found_of_it():
    async def story(stage):
        put(stage, EAST, "llama", "10.9.9.9")
        await swept(stage)
        stage.faults = lambda request: Response(500, {}) if request.path.lower().endswith("/a") else None
        assert (await stage.app.correct_drift()).failures
        stage.faults = None
        assert await blocked(stage) == [(EAST, "llama", "foreign")]

    run_scenario(story, fleet())


def test_the_explanation_of_an_answer_says_why_its_record_set_is_not_written():
    async def story(stage):
        await swept(stage)
        zone = stage.app.settings.zones[0]
        assert (await stage.app.explain(zone, "llama"))["blocked"] is None
        strip(stage, EAST, "llama")
        assert (await stage.app.explain(zone, "llama"))["blocked"] == {"why": "lost", "owner": None}
        put(stage, EAST, "llama", metadata={"nearzone-owner": "x"})
        assert (await stage.app.explain(zone, "llama"))["blocked"] == {"why": "other owner", "owner": "x"}

    run_scenario(story, fleet())


def test_the_metric_counts_them_in_each_zone():
    figures = []

    def measure(name, value, **dimensions):
        if name == "blocked":
            figures.append((dimensions["zone"], value))

    async def story(stage):
        await swept(stage)
        strip(stage, EAST, "llama")
        strip(stage, EAST, "e-1")
        await swept(stage)
        await stage.resync(adopt="lost", dry_run=True)
        await stage.resync(adopt="lost")

    run_scenario(story, fleet(), measure=measure)
    assert [value for zone, value in figures if zone == EAST] == [0, 2, 0]
    assert {value for zone, value in figures if zone != EAST} == {0}


def test_many_blocked_names_are_one_alarm_with_their_number_and_three_examples():
    vms = [a_vm(f"w-{i:03}", WEST, 10 + i, "") for i in range(200)]

    async def story(stage):
        await swept(stage)
        for i in range(200):
            strip(stage, WEST, f"w-{i:03}")
        report = await swept(stage)
        (alarm,) = [each for each in await alarms(stage) if "lost our owner tag" in each["what"]]
        assert alarm["what"].endswith("(200 names: w-000 (10.2.0.10), w-001 (10.2.0.11), w-002 (10.2.0.12), ...)")
        assert (alarm["count"], len(alarm["examples"])) == (200, 3)
        told = await stage.app.status()
        assert [zone["blocked"] for zone in told["zones"]] == [0, 200, 0]
        assert 10 < len(told["blocked"]) < 200
        assert len([each for each in report.alarms if "lost" in each.what]) == 1
        await stage.resync(adopt="lost")
        assert [zone["blocked"] for zone in (await stage.app.status())["zones"]] == [0, 0, 0]

    run_scenario(story, a_world(*vms))
