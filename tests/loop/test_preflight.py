"""The preflight: what stands in the way is found in a simulated Azure, explained, and does not stop the rest."""

import asyncio
import json
import re

import pytest

from shared.catalog.storage_account import overridden
from shared.decide import zone_regions
from shared.domain.zones import Zone
from simulator.arm.front_door import Response
from simulator.arm.permissions import Role
from tests.support.deployment import GROUP, REGIONS, SUB, a_vm, a_world, run_scenario, vnet, zone_id

EAST, WEST, ASIA = REGIONS_LIST = tuple(REGIONS)


def meshed(*vms, **settings):
    """A world without a fault: every VNet is peered with every other."""
    world = a_world(*vms, **settings)
    for each in world["vnets"]:
        each["peerings"] = [other["id"] for other in world["vnets"] if other is not each]
    return world


def fleet(**settings):
    return meshed(a_vm("near", EAST, 4), **settings)


async def found(stage):
    """What a preflight by hand finds."""
    report = await stage.resync(check=True)
    assert (report.changes, report.failures) == ([], [])
    assert all(alarm.what and alarm.means and alarm.do for alarm in report.alarms)
    return [alarm.what for alarm in report.alarms]


def finds(*words):
    """A story that expects one alarm, with these words in it."""

    async def story(stage):
        (what,) = await found(stage)
        assert all(word in what for word in words), what

    return story


def test_a_world_without_a_fault_raises_no_alarm():
    async def story(stage):
        assert await found(stage) == []
        assert not stage.request_log.writes

    run_scenario(story, fleet())


def test_a_zone_that_nobody_can_ask():
    world = fleet()
    world["zones"][0]["links"] = []
    run_scenario(finds("eastus", "no link"), world)


def test_a_zone_that_is_not_there():
    async def story(stage):
        assert any("(eastus) does not exist" in what for what in await found(stage))

    world = fleet(ZONES=[{"id": zone_id(EAST, "other.internal"), "region": EAST}])
    run_scenario(story, world)


def test_clients_whose_vnet_is_not_peered_with_where_endpoints_serve():
    world = fleet()
    world["vnets"][1]["peerings"] = [vnet(ASIA)]
    run_scenario(finds("westeurope", "VNet vnet-westeurope is not peered with vnet-eastus"), world)


def test_a_link_that_asks_public_dns_for_what_is_not_in_the_zone():
    world = fleet()
    world["zones"][2]["links"][0]["resolution_policy"] = "NxDomainRedirect"
    run_scenario(finds("southeastasia", "redirects unknown names"), world)


def test_negative_answers_that_are_cached_for_long():
    async def story(stage):
        soa = stage.arm("GET", f"{zone_id(EAST)}/SOA/@").content
        soa["properties"]["soaRecord"]["minimumTtl"] = 300
        stage.arm("PUT", f"{zone_id(EAST)}/SOA/@", {"properties": soa["properties"]})
        await finds("eastus", "cached for 300 s")(stage)

    run_scenario(story, fleet())


WILDCARDS = [
    ("A", {"aRecords": [{"ipv4Address": "10.9.9.9"}, {"ipv4Address": "10.9.9.8"}]}, "10.9.9.8, 10.9.9.9"),
    ("AAAA", {"aaaaRecords": [{"ipv6Address": "fd00::9"}]}, "fd00::9"),
    ("CNAME", {"cnameRecord": {"cname": "proxy.example.org"}}, "proxy.example.org"),
]


@pytest.mark.parametrize(("kind", "properties", "shown"), WILDCARDS, ids=[row[0] for row in WILDCARDS])
def test_a_wildcard_that_answers_for_what_nearzone_removes(kind, properties, shown):
    async def story(stage):
        stage.arm("PUT", f"{zone_id(EAST)}/{kind}/*", {"properties": {"ttl": 60, **properties}})
        stage.arm("PUT", f"{zone_id(WEST)}/{kind}/*.x", {"properties": {"ttl": 60, **properties}})
        words = f"the record set * ({kind}) answers every name that the zone lacks: {shown}"
        await finds("eastus", words)(stage)
        report = await stage.app.correct_drift()
        assert (report.failures, report.refusals) == ([], [])
        assert any(words in what for what in await found(stage)), "a sweep leaves it alone"

    run_scenario(story, fleet())


def test_the_advice_about_a_wildcard_says_what_becomes_of_one_with_our_owner_tag():
    """A sweep removes it, as any name of ours that no endpoint claims."""

    async def story(stage):
        ours = {"ttl": 60, "aRecords": [{"ipv4Address": "10.9.9.9"}], "metadata": {"nearzone-owner": "nearzone"}}
        stage.arm("PUT", f"{zone_id(EAST)}/A/*", {"properties": ours})
        (alarm,) = (each for each in (await stage.resync(check=True)).alarms if "record set *" in each.what)
        assert "unless it has our owner tag" in alarm.do
        await stage.app.correct_drift()
        assert not [what for what in await found(stage) if "record set *" in what]

    run_scenario(story, fleet())


def test_a_wildcard_of_another_type_sends_nobody_anywhere():
    async def story(stage):
        stage.arm("PUT", f"{zone_id(EAST)}/TXT/*", {"properties": {"ttl": 60, "txtRecords": [{"value": ["x"]}]}})
        assert await found(stage) == []

    run_scenario(story, fleet())


@pytest.mark.parametrize("scope", [zone_id(EAST), f"{GROUP}/dns-eastus"])
@pytest.mark.parametrize(
    ("level", "means"), [("ReadOnly", "can be written"), ("CanNotDelete", "no name can be removed")]
)
def test_a_lock_on_a_zone_or_above_it(scope, level, means):
    async def story(stage):
        stage.cloud.private_dns.locks.lock(scope, level)
        (alarm,) = (await stage.resync(check=True)).alarms
        assert "(eastus)" in alarm.what
        assert level.lower() in alarm.what
        assert means in alarm.means

    run_scenario(story, fleet())


def test_a_lock_beside_or_below_a_zone_is_nobodys_business():
    async def story(stage):
        stage.cloud.private_dns.locks.lock(f"{GROUP}/dns", "ReadOnly")
        stage.cloud.private_dns.locks.lock(f"{zone_id(EAST)}/A/db", "ReadOnly")
        assert await found(stage) == []

    run_scenario(story, fleet())


def test_a_zone_that_is_nearly_full():
    async def story(stage):
        stage.faults = full
        await finds("eastus", "22500 of at most 25000")(stage)

    def full(request):
        if request.path != zone_id(EAST):
            return None
        return Response(200, {"properties": {"numberOfRecordSets": 22500, "maxNumberOfRecordSets": 25000}})

    run_scenario(story, fleet())


READS = Role(actions=["*/read"])
RECORDS = ["Microsoft.Network/privateDnsZones/A/*"]


@pytest.mark.parametrize(
    ("roles", "missing"),
    [
        ([READS], ["A/write", "A/delete"]),
        ([READS, Role(actions=RECORDS, not_actions=["*/delete"])], ["A/delete"]),
        ([READS, Role(actions=RECORDS)], []),
    ],
)
def test_roles_that_the_identity_lacks(roles, missing):
    async def story(stage):
        stage.cloud.permissions.roles = tuple(roles)
        alarms = await found(stage)
        assert len(alarms) == (1 if missing else 0), "of all zones together"
        assert all("(3 zones: " in alarm for alarm in alarms)
        for action in ("A/read", "A/write", "A/delete"):
            assert all((action in alarm) == (action in missing) for alarm in alarms)

    run_scenario(story, fleet())


def test_in_shadow_mode_nobody_need_be_allowed_to_write():
    async def story(stage):
        stage.cloud.permissions.roles = (READS,)
        assert await found(stage) == []

    run_scenario(story, fleet(MODE="shadow"))


def test_what_may_not_be_read_is_said_and_the_rest_is_checked():
    async def story(stage):
        stage.faults = lambda request: (
            FORBIDDEN if "/locks" in request.path or "virtualnetworks/" in request.path else None
        )
        alarms = await found(stage)
        assert sum("locks cannot be read" in each and "(3 zones: " in each for each in alarms) == 1
        (alarm,) = [each for each in alarms if "VNet" in each and "cannot be read" in each]
        assert all(vnet(region).rsplit("/", 1)[-1] in alarm for region in REGIONS)
        assert len(alarms) == 2, alarms

    run_scenario(story, fleet())


FORBIDDEN = Response(403, {"error": {"code": "AuthorizationFailed", "message": "no role"}})


def test_endpoints_that_may_not_be_listed():
    async def story(stage):
        stage.faults = lambda request: FORBIDDEN if request.path.endswith("/loadBalancers") else None
        await finds("microsoft.network/loadbalancers cannot be listed", SUB)(stage)

    run_scenario(story, fleet())


def test_nobody_claims_a_name():
    run_scenario(finds("no endpoint claims a name"), meshed(a_vm("laptop", EAST, 4, None)))


def test_a_subscription_that_may_claim_names_and_is_not_watched():
    other = SUB.replace("1", "2")
    claims = {"*": [SUB], "llama": [f"/subscriptions/{other}/resourceGroups/gpu", SUB]}
    run_scenario(finds(f"NEARZONE_CLAIMS names subscription {other}"), fleet(CLAIMS=claims))


def placed(**regions):
    """NEARZONE_ZONES, with other regions for some of the zones."""
    return [{"id": zone_id(region), "region": regions.get(region, region)} for region in REGIONS]


SWAPPED = placed(eastus=WEST, westeurope=EAST)


def spread():
    """One endpoint in East US and one in West Europe, so that a swap changes both answers."""
    return meshed(a_vm("e-1", EAST, 4), a_vm("w-1", WEST, 4))


def held(stage):
    return [stage.record(region, "llama") for region in REGIONS]


def test_zones_whose_regions_are_swapped_are_told_with_the_regions_of_their_vnets():
    async def story(stage):
        alarms = (await stage.resync(check=True)).alarms
        assert [each.what for each in alarms] == [
            f"zone ai.internal ({wrong}): its region is {wrong}, and the VNets that are linked to it lie in {right}"
            for right, wrong in ((EAST, WEST), (WEST, EAST))
        ]
        assert all("swapped with the zone of" in each.do for each in alarms)

    run_scenario(story, fleet(ZONES=SWAPPED))


def test_a_zone_in_whose_region_none_of_its_vnets_lies_is_told_and_nothing_is_refused():
    async def story(stage):
        (alarm,) = (await stage.resync(check=True)).alarms
        assert alarm.what.endswith(f"its region is japaneast, and the VNets that are linked to it lie in {ASIA}")
        assert alarm.do.startswith(f"correct its `region` in NEARZONE_ZONES to {ASIA}; nothing if")
        await stage.app.correct_drift()
        stage.restart(stage.app.catalog, NEARZONE_TTL="31")
        assert (await stage.app.correct_drift()).refusals == []

    run_scenario(story, fleet(ZONES=placed(southeastasia="japaneast")))


def test_a_zone_that_serves_the_vnets_of_several_regions_is_right_where_one_is_in_its_own():
    world = fleet()
    world["vnets"].append({"id": vnet("far"), "location": WEST, "prefixes": ["10.9.0.0/16"], "peerings": []})
    for each in world["vnets"]:
        each["peerings"] = [other["id"] for other in world["vnets"] if other is not each]
    world["zones"][0]["links"].append({"name": "far", "vnet": vnet("far")})
    run_scenario(_nothing, world)


async def _nothing(stage):
    assert await found(stage) == []


def test_settings_that_swap_regions_change_no_answer_before_they_are_corrected():
    async def story(stage):
        await stage.app.correct_drift()
        before = held(stage)
        assert before[:2] == [["10.1.0.4"], ["10.2.0.4"]]
        stage.restart(stage.app.catalog, NEARZONE_ZONES=json.dumps(SWAPPED))
        for run in (stage.app.correct_drift, stage.app.drain, stage.resync):
            report = await run()
            assert [text.split(":")[0] for text in report.refusals] == [f"zone ai.internal ({r})" for r in (WEST, EAST)]
            assert all("swapped in NEARZONE_ZONES" in text and '"force": "' in text for text in report.refusals)
            assert report.changes == []
            await asyncio.sleep(61)
        status = await stage.app.status()
        assert (status["refusals"], status["last_sweep"]["current"]) == (report.refusals, False)
        plan = await stage.resync(dry_run=True)
        assert sorted(change.name for change in plan.changes) == ["llama", "llama"], "what it would do can be looked at"
        assert plan.refusals == report.refusals
        assert held(stage) == before

        stage.restart(stage.app.catalog, NEARZONE_ZONES=json.dumps(placed()))
        assert (await stage.app.correct_drift()).refusals == []
        assert (await stage.app.status())["refusals"] == []
        assert (held(stage), stage.wrong_answers()) == (before, {})

    run_scenario(story, spread())


def test_settings_that_swap_regions_on_purpose_are_taken_by_force_and_kept():
    async def story(stage):
        await stage.app.correct_drift()
        stage.restart(stage.app.catalog, NEARZONE_ZONES=json.dumps(SWAPPED))
        refused = (await stage.resync(force="0" * 12)).refusals
        digest = re.findall('"force": "(.*?)"', refused[0])[0]
        forced = await stage.resync(force=digest)
        assert (forced.refusals, forced.notes) == ([], [])
        assert held(stage)[:2] == [["10.2.0.4"], ["10.1.0.4"]]
        assert (await stage.app.correct_drift()).refusals == []
        assert (await stage.app.status())["refusals"] == []

    run_scenario(story, spread())


@pytest.mark.parametrize("unread", ["virtualnetworks/", "virtualnetworklinks"])
def test_where_vnets_cannot_be_read_nothing_is_said_of_regions_and_nothing_is_refused(unread):
    async def story(stage):
        await stage.app.correct_drift()
        stage.faults = lambda request: FORBIDDEN if unread in request.path.lower() else None
        stage.restart(stage.app.catalog, NEARZONE_ZONES=json.dumps(SWAPPED))
        assert (await stage.app.correct_drift()).refusals == []
        assert not any("its region is" in what for what in await found(stage))

    run_scenario(story, spread())


def test_three_zones_each_at_the_place_of_the_next_are_swapped_and_a_chain_that_ends_is_not():
    zones = tuple(Zone(zone_id(region), region, ()) for region in REGIONS)
    turned = {zone.key: frozenset({REGIONS_LIST[(i + 1) % 3]}) for i, zone in enumerate(zones)}
    assert set(zone_regions.swapped(zones, turned)) == {zone.key for zone in zones}
    ended = turned | {zones[2].key: frozenset({ASIA})}
    assert zone_regions.swapped(zones, ended) == {}
    assert set(zone_regions.misplaced(zones, ended)) == {zone.key for zone in zones[:2]}


OTHER_SUB = SUB.replace("1", "2")


def answered(response):
    """A story in which Azure answers so whatever is asked of the other subscription, with what is then found."""

    def story(*words):
        async def play(stage):
            stage.faults = lambda request: response(request) if OTHER_SUB in request.path else None
            await finds(f"subscription {OTHER_SUB}", *words)(stage)
            (alarm,) = (await stage.resync(check=True)).alarms
            assert "assign Reader, or the role of infra/" in alarm.do

        run_scenario(play, fleet(SUBSCRIPTIONS=[SUB, OTHER_SUB]))

    return story


def test_a_watched_subscription_that_is_not_there():
    """Whether Azure answers a list of it with 404 or with nothing."""
    words = f"subscription {OTHER_SUB} of NEARZONE_SUBSCRIPTIONS shows no endpoint", "it may not exist"
    run_scenario(finds(*words), fleet(SUBSCRIPTIONS=[SUB, OTHER_SUB]))
    error = {"code": "SubscriptionNotFound", "message": f"The subscription '{OTHER_SUB}' could not be found."}
    answered(lambda _: Response(404, {"error": error}))("does not exist, or the identity may not read it")


def test_a_watched_subscription_that_may_not_be_read():
    answered(lambda _: FORBIDDEN)("cannot be listed", "AuthorizationFailed")


def test_a_watched_subscription_in_which_nothing_is_shown_for_want_of_a_role():
    lacking = {"value": [{"actions": ["Microsoft.Network/*"], "notActions": []}]}
    answered(lambda r: Response(200, lacking if r.path.endswith("/permissions") else {"value": []}))(
        "shows no endpoint", "lacks Microsoft.Compute/virtualMachines/read"
    )
    answered(lambda r: FORBIDDEN if r.path.endswith("/permissions") else Response(200, {"value": []}))(
        "shows no endpoint", "cannot be read"
    )


def test_a_watched_subscription_that_is_empty_and_may_be_read_is_no_finding():
    reader = {"value": [{"actions": ["*/read"], "notActions": []}]}

    async def story(stage):
        stage.faults = lambda request: (
            Response(200, reader if request.path.endswith("/permissions") else {"value": []})
            if OTHER_SUB in request.path
            else None
        )
        assert await found(stage) == []

    run_scenario(story, fleet(SUBSCRIPTIONS=[SUB, OTHER_SUB]))


def test_a_reach_that_holds_no_endpoint():
    zones = placed()
    zones[0]["reach"] = ["10.77.0.0/16"]
    run_scenario(finds("(eastus)", "its reach (10.77.0.0/16) contains no address"), fleet(ZONES=zones))


@pytest.mark.parametrize(
    ("name", "schedule", "words"),
    [
        ("DRAIN_SCHEDULE", "0 0 */2 * * *", "2 hours pass between two drains"),
        ("SWEEP_SCHEDULE", "0 0 3 * * MON", "168 hours pass between two sweeps"),
        ("SWEEP_SCHEDULE", "*/20 * * * * *", "20 seconds pass between two sweeps"),
    ],
)
def test_a_timer_that_runs_too_seldom_or_too_often(name, schedule, words):
    run_scenario(finds(f"NEARZONE_{name}", words), fleet(**{name: schedule}))


def test_a_storage_setting_that_has_no_effect_is_told_by_check_and_status():
    async def story(stage):
        stage.app.instance.notes = overridden({"AzureWebJobsStorage": "x", "AzureWebJobsStorage__clientId": "y"})
        await finds("AzureWebJobsStorage__clientId has no effect", "AzureWebJobsStorage is set")(stage)
        assert "AzureWebJobsStorage__clientId" in str((await stage.app.status())["alarms"])

    run_scenario(story, fleet())


def test_a_zone_below_local_is_asked_by_multicast():
    world = a_world(a_vm("near", EAST, 4), regions=(EAST,), zone="aiworkloads.local")
    run_scenario(finds("aiworkloads.local", "ends in .local"), world)


def test_events_that_have_stopped_coming_and_sweeps_that_are_not_complete_are_told_by_status():
    async def story(stage):
        await stage.app.correct_drift()
        assert await told(stage) == ["no event arrived since this catalog began, 0 minutes ago"]
        stage.cloud.compute.vms.find(a_vm("near", EAST, 4)["id"]).tags["team"] = "ml"
        stage.arm("POST", f"{a_vm('near', EAST, 4)['id']}/restart")
        await stage.deliver_pending_events()
        assert await told(stage) == []
        for _ in range(25):
            await asyncio.sleep(3600)
            await stage.app.correct_drift()
        assert await told(stage) == ["no event arrived for 25 hours"]
        await asyncio.sleep(1900)
        assert "no sweep was complete for three intervals" in await told(stage)

    run_scenario(story, fleet())


async def told(stage):
    status = await stage.app.status()
    assert json.dumps(status)
    return [alarm["what"] for alarm in status["alarms"]]


@pytest.mark.parametrize("cause", ["sweep", "resync"])
def test_the_alarm_about_a_lock_ends_with_the_first_sweep_after_the_lock(cause):
    async def story(stage):
        stage.cloud.private_dns.locks.lock(zone_id(EAST), "ReadOnly")
        await stage.app.correct_drift()
        assert any("is a lock" in what for what in await told(stage))
        stage.cloud.private_dns.locks.unlock(zone_id(EAST))
        await asyncio.sleep(600 if cause == "sweep" else 5)
        report = await (stage.app.correct_drift() if cause == "sweep" else stage.resync(zone=EAST))
        assert not any("is a lock" in what for what in await told(stage))
        assert (report.failures, stage.wrong_answers()) == ([], {})

    run_scenario(story, fleet())


def test_a_sweep_keeps_what_an_hourly_preflight_finds_for_the_status():
    async def story(stage):
        await stage.app.correct_drift()
        assert not any("is a lock" in what for what in await told(stage))
        stage.cloud.private_dns.locks.lock(zone_id(EAST), "ReadOnly")
        await stage.app.correct_drift()
        assert not any("is a lock" in what for what in await told(stage)), "not at every sweep"
        await asyncio.sleep(3600)
        await stage.app.correct_drift()
        assert any("is a lock" in what for what in await told(stage))
        stage.cloud.private_dns.locks.unlock(zone_id(EAST))
        await stage.resync(check=True)
        assert not any("is a lock" in what for what in await told(stage)), "a preflight by hand counts as well"

    run_scenario(story, fleet())
