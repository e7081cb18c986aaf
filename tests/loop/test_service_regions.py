"""Where the service behind a private endpoint is: distances count from there."""

import pytest

from simulator.arm.front_door import Response
from simulator.arm.permissions import EVERYTHING, Role
from tests.support.deployment import REGIONS, a_vm, run_scenario, vnet
from tests.support.endpoint_kinds import FAR, LLAMA, SERVICE, llama, private_endpoint, swept, tagged, world

EAST, WEST, ASIA = REGIONS
PE = private_endpoint()["id"]
LISTS = "Microsoft.Resources/subscriptions/resourceGroups/resources/read"
READS = "Microsoft.CognitiveServices/accounts/read"
WEST_PE = private_endpoint("pe-2")["id"]
NOT_SHOWN = "the list of its resource group does not show it: it is deleted, or the app may not read it)"
WHY = {LISTS: "HTTP 403 AuthorizationFailed", READS: NOT_SHOWN}
NEAR, AWAY = ["10.1.0.30"], ["10.3.0.4"]
ALIAS = f"models.2fce16ed-fbc5-4609-9c26-b8d5c3aefb9c.{ASIA}.azure.privatelinkservice"


def lists_of(stage):
    """The reads of a resource group's list, from now on."""
    asked = []

    def note(request):
        if request.path.lower().endswith("/resources"):
            asked.append((request.path, request.query["$filter"]))

    stage.faults = note
    return asked


def refuse(stage, *actions):
    stage.cloud.permissions.roles = (Role("", ["*"], list(actions)),)


async def known(stage, endpoint=PE):
    """What the status says of the private endpoint."""
    (found,) = [each for each in (await stage.app.status(full=True))["known"] if each["id"] == endpoint]
    return found


def in_west(**more):
    """Another private endpoint of the service, in a VNet in West Europe."""
    return private_endpoint("pe-2", location=WEST, vnet=vnet(WEST), addresses=["10.2.0.30"], **more)


def test_a_private_endpoint_to_a_service_far_away_is_far():
    async def story(stage):
        await swept(stage)
        assert (llama(stage), llama(stage, ASIA)) == (["10.1.0.4"], [*NEAR, *AWAY])
        assert ((await known(stage))["region"], (await known(stage))["faults"]) == (ASIA, [])

    there = private_endpoint(service_location=ASIA)
    run_scenario(story, world(FAR, a_vm("near", EAST, 4), private_endpoints=[there]))


def test_the_region_is_read_once_and_kept_by_the_catalog():
    async def story(stage):
        asked = lists_of(stage)
        await swept(stage)
        assert asked == [(f"{SERVICE.partition('/providers/')[0]}/resources", "name eq 'openai'")]
        stage.restart(stage.app.catalog)
        again = lists_of(stage)
        await swept(stage)
        stage.restart(stage.app.catalog)
        stage.faults = None
        more = lists_of(stage)
        tagged(stage, PE, **LLAMA, team="ml")
        await stage.deliver_pending_events()
        assert (again, more) == ([], [])
        assert (await known(stage))["region"] == ASIA

    run_scenario(story, world(FAR, private_endpoints=[private_endpoint(service_location=ASIA)]))


@pytest.mark.parametrize("refused", [LISTS, READS], ids=["no lists", "not this service"])
def test_a_service_that_cannot_be_read_is_a_fault_that_says_what_counts_until_it_can_be(refused):
    async def story(stage):
        refuse(stage, refused)
        await stage.app.correct_drift()
        assert llama(stage) == NEAR, "its own region counts"
        (fault,) = (await known(stage))["faults"]
        assert f"the region of its service '{SERVICE}' cannot be read ({WHY[refused]}" in fault
        assert f"counts from the private endpoint's own region, '{EAST}'" in fault
        assert "add the tag nearzone-region" in fault
        stage.cloud.permissions.roles = (EVERYTHING,)
        await swept(stage)
        assert ((await known(stage))["region"], (await known(stage))["faults"]) == (ASIA, [])

    run_scenario(story, world(FAR, private_endpoints=[private_endpoint(service_location=ASIA)]))


@pytest.mark.parametrize(
    ("tag", "region", "fault"),
    [
        ("South East Asia", ASIA, None),
        (
            "southeastasi",
            EAST,
            "tag nearzone-region: 'southeastasi' is not a known region; did you mean southeastasia?",
        ),
        ("", EAST, None),
    ],
)
def test_a_tag_says_the_region_where_it_cannot_be_read(tag, region, fault):
    async def story(stage):
        refuse(stage, LISTS)
        await stage.app.correct_drift()
        found = await known(stage)
        assert (found["region"], [each for each in found["faults"] if "tag" in each.split(":")[0]]) == (
            region,
            [fault] if fault else [],
        )
        assert bool(found["faults"]) is (region == EAST)

    tags = LLAMA | {"nearzone-region": tag}
    run_scenario(story, world(FAR, private_endpoints=[private_endpoint(tags=tags, service_location=ASIA)]))


def test_what_is_read_counts_more_than_the_tag():
    async def story(stage):
        await swept(stage)
        assert (await known(stage))["region"] == ASIA

    tags = LLAMA | {"nearzone-region": WEST}
    run_scenario(story, world(FAR, private_endpoints=[private_endpoint(tags=tags, service_location=ASIA)]))


def test_the_alias_of_a_private_link_service_says_its_region_without_a_read():
    async def story(stage):
        asked = lists_of(stage)
        await swept(stage)
        assert ((await known(stage))["region"], asked) == (ASIA, [])

    run_scenario(story, world(FAR, private_endpoints=[private_endpoint(service=ALIAS, service_location=ASIA)]))


@pytest.mark.parametrize("location", ["global", ""])
def test_a_service_without_a_region_counts_as_not_readable(location):
    async def story(stage):
        stage.cloud.private_endpoints.service_locations[SERVICE.lower()] = location
        await stage.app.correct_drift()
        assert (await known(stage))["region"] == EAST
        (fault,) = (await known(stage))["faults"]
        assert f"cannot be read (Azure reports the location '{location}', which is no region)" in fault

    run_scenario(story, world(FAR, private_endpoints=[private_endpoint()]))


def test_a_private_endpoint_that_was_deleted_and_made_again_is_where_its_service_is_now():
    async def story(stage):
        await swept(stage)
        stage.arm("DELETE", PE)
        await stage.deliver_pending_events()
        stage.cloud.private_endpoints.service_locations[SERVICE.lower()] = WEST
        connection = {"name": "c", "properties": {"privateLinkServiceId": SERVICE, "groupIds": ["account"]}}
        properties = {"subnet": {"id": f"{vnet(EAST)}/subnets/default"}, "privateLinkServiceConnections": [connection]}
        stage.arm("PUT", PE, {"location": EAST, "tags": LLAMA, "properties": properties})
        await stage.deliver_pending_events()
        await swept(stage)
        assert (await known(stage))["region"] == WEST

    run_scenario(story, world(FAR, private_endpoints=[private_endpoint(service_location=ASIA)]))


def test_a_service_in_an_unknown_subscription_is_told_apart_from_one_that_may_not_be_read():
    async def story(stage):
        stage.faults = lambda request: (
            Response(404, {"error": {"code": "SubscriptionNotFound"}}) if request.path.endswith("/resources") else None
        )
        await stage.app.correct_drift()
        (fault,) = (await known(stage))["faults"]
        assert "cannot be read (Azure does not find its subscription or resource group (HTTP 404))" in fault

    run_scenario(story, world(FAR, private_endpoints=[private_endpoint()]))


def test_services_that_cannot_be_read_for_one_reason_are_one_alarm():
    async def story(stage):
        refuse(stage, LISTS)
        await stage.app.correct_drift()
        (alarm,) = [each for each in (await stage.app.status())["alarms"] if "region of its service" in each["what"]]
        assert (alarm["count"], "HTTP 403" in alarm["what"]) == (5, True)

    entries = [
        private_endpoint(name=f"pe-{number}", addresses=[f"10.1.0.{30 + number}"], service=f"{SERVICE}-{number}")
        for number in range(5)
    ]
    run_scenario(story, world(FAR, private_endpoints=entries))


def test_a_service_that_was_replaced_in_another_region_is_read_again_when_it_lets_the_endpoint_in():
    async def story(stage):
        await swept(stage)
        stage.cloud.private_endpoints.decide(PE, "Disconnected")
        await swept(stage)
        stage.cloud.private_endpoints.service_locations[SERVICE.lower()] = WEST
        stage.cloud.private_endpoints.decide(PE, "Approved")
        await swept(stage)
        assert (await known(stage))["region"] == WEST

    run_scenario(story, world(FAR, private_endpoints=[private_endpoint(service_location=ASIA)]))


def test_each_zone_gets_the_private_endpoint_of_a_service_that_is_nearest_to_its_clients_and_else_another_one():
    async def story(stage):
        await swept(stage)
        assert (llama(stage), llama(stage, WEST)) == (["10.1.0.30"], ["10.2.0.30"])
        assert ((await known(stage))["location"], (await known(stage, WEST_PE))["location"]) == (EAST, "")
        stage.cloud.private_endpoints.decide(PE, "Rejected")
        await swept(stage)
        assert (llama(stage), llama(stage, WEST)) == (["10.2.0.30"], ["10.2.0.30"])

    there = {"service_location": WEST}
    run_scenario(story, world(private_endpoints=[private_endpoint(**there), in_west(**there)]))


def test_a_region_that_only_a_tag_states_does_not_hide_that_the_service_is_the_same():
    async def story(stage):
        refuse(stage, LISTS)
        await stage.app.correct_drift()
        assert (llama(stage), llama(stage, WEST)) == (["10.1.0.30"], ["10.2.0.30"])
        stage.cloud.permissions.roles = (EVERYTHING,)
        asked = lists_of(stage)
        await swept(stage)
        assert len(asked) > 0, "a region that a tag states is not taken for one that was read"
        assert ((await known(stage))["region"], (await known(stage))["location"]) == (ASIA, EAST)

    more = {"tags": LLAMA | {"nearzone-region": WEST}, "service_location": ASIA}
    run_scenario(story, world(private_endpoints=[private_endpoint(**more), in_west(**more)]))


def test_a_read_in_doubt_keeps_where_a_private_endpoint_itself_is():
    async def story(stage):
        await swept(stage)
        refuse(stage, "Microsoft.Network/networkInterfaces/read")
        await stage.app.correct_drift()
        found = await known(stage)
        assert "cannot be read" in found["doubt"]
        assert (found["region"], found["location"]) == (ASIA, EAST)

    run_scenario(story, world(private_endpoints=[private_endpoint(service_location=ASIA)]))


def test_a_drain_of_a_region_covers_the_private_endpoints_in_it_and_those_whose_service_is_in_it():
    async def story(stage):
        await swept(stage)
        report = await stage.resync(drain={"region": EAST, "minutes": 9})
        assert (report.covered_counts, llama(stage)) == ((1, 2), ["10.2.0.30"])
        assert stage.wrong_answers({EAST}) == {}
        await stage.resync(undrain={"region": EAST})
        assert llama(stage) == ["10.1.0.30"]
        report = await stage.resync(drain={"region": WEST, "minutes": 9})
        assert (report.covered_counts, llama(stage)) == ((2, 3), None)
        assert stage.wrong_answers({WEST}) == {}

    there = {"service_location": WEST}
    run_scenario(story, world(private_endpoints=[private_endpoint(**there), in_west(**there)]))


def test_a_region_in_which_only_a_private_endpoint_is_can_be_drained_though_no_table_has_it():
    async def story(stage):
        await swept(stage)
        report = await stage.resync(drain={"region": "atlantis", "minutes": 9})
        assert report.covered_counts == (1, 2)
        report = await stage.resync(drain={"region": "eastus2", "minutes": 9})
        assert f"(endpoints are known in: atlantis, {ASIA})" in report.notes[0]

    where = {"location": "atlantis", "vnet": vnet("atlantis"), "addresses": ["10.9.0.30"]}
    given = world(private_endpoints=[private_endpoint(service_location=ASIA, **where)])
    given["vnets"].append({"id": vnet("atlantis"), "location": "atlantis", "prefixes": ["10.9.0.0/16"]})
    run_scenario(story, given)
