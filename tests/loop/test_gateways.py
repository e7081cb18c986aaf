"""Application Gateways, API Management and Container Apps environments, from their events to the zones."""

import pytest

from shared.domain.errors import BadRequest
from tests.support.deployment import REGIONS, SUB, a_vm, run_scenario, vnet
from tests.support.endpoint_kinds import (
    FAR,
    LLAMA,
    api_management,
    application_gateway,
    container_environment,
    llama,
    path,
    swept,
    tagged,
    world,
)

EAST, WEST, ASIA = REGIONS
OUTSIDE = {"name": "outside", "public_ip": path("Microsoft.Network/publicIPAddresses", "ip")}
INSIDE = {"name": "inside", "vnet": vnet(EAST), "address": "10.1.0.60"}
ELSEWHERE = ["10.3.0.4"]
"""What `llama` answers where nothing of East US serves."""


async def alarms(stage):
    return [alarm["what"] for alarm in (await stage.app.status())["alarms"]]


async def alarmed(stage, words):
    return any(words in each for each in await alarms(stage))


async def told(stage):
    """What has happened has reached the zones by events alone."""
    await stage.deliver_pending_events()
    assert stage.wrong_answers() == {}


def test_an_application_gateway_answers_with_its_private_frontends_and_names_the_public_one():
    async def story(stage):
        await swept(stage)
        assert llama(stage) == stage.record(EAST, "agw") == ["10.1.0.60"]
        assert await alarmed(stage, "frontend 'outside' has no private address and is not published")
        assert not await alarmed(stage, "no private frontend")
        stage.arm("DELETE", entry["id"])
        await told(stage)
        assert llama(stage) == ELSEWHERE

    entry = application_gateway("agw", LLAMA, INSIDE, OUTSIDE)
    run_scenario(story, world(FAR, application_gateways=[entry]))


def test_stopping_and_starting_a_gateway_is_followed_by_its_action_events():
    async def story(stage):
        await swept(stage)
        stage.arm("POST", f"{entry['id']}/stop")
        await told(stage)
        assert llama(stage) == ELSEWHERE
        stage.arm("POST", f"{entry['id']}/start")
        await told(stage)
        assert llama(stage) == ["10.1.0.60"]

    entry = application_gateway()
    run_scenario(story, world(FAR, application_gateways=[entry]))


@pytest.mark.parametrize("state", ["Stopped", "Stopping", "Starting"])
def test_a_gateway_that_does_not_run_is_not_published(state):
    async def story(stage):
        await swept(stage)
        assert llama(stage) == ELSEWHERE
        assert not await alarmed(stage, "agw")

    run_scenario(story, world(FAR, application_gateways=[application_gateway(operational=state)]))


def test_a_gateway_keeps_its_answer_while_it_is_updated_and_a_new_one_answers_when_its_first_write_ends():
    async def story(stage):
        await swept(stage)
        stage.arm("PUT", entry["id"], body(entry["id"], "10.1.0.61"))
        assert stage.arm("GET", entry["id"]).content["properties"]["provisioningState"] == "Updating"
        new = path("Microsoft.Network/applicationGateways", "new")
        stage.arm("PUT", new, body(new, "10.1.0.62"))
        await swept(stage)
        assert llama(stage) == ["10.1.0.61"], "the update of the one does not interrupt it, the other one does not run"
        await told(stage)
        assert llama(stage) == ["10.1.0.61", "10.1.0.62"]
        tagged(stage, new, **LLAMA, **{"nearzone-drain": "true"})
        await told(stage)
        assert llama(stage) == ["10.1.0.61"]

    def body(gateway, address):
        subnet = {"id": f"{vnet(EAST)}/subnets/default"}
        fixed = {"privateIPAddress": address, "privateIPAllocationMethod": "Static", "subnet": subnet}
        frontend = {"id": f"{gateway}/frontendIPConfigurations/f"}
        listener = {"name": "l", "properties": {"frontendIPConfiguration": frontend}}
        properties = {"frontendIPConfigurations": [{"name": "f", "properties": fixed}], "httpListeners": [listener]}
        properties["sku"] = {"name": "Standard_v2", "tier": "Standard_v2"}
        return {"location": EAST, "tags": LLAMA, "properties": properties}

    entry = application_gateway()
    run_scenario(story, world(FAR, application_gateways=[entry]))


def test_a_gateway_that_was_seen_during_its_first_write_is_read_again_by_the_drain_timer():
    async def story(stage):
        stage.event_grid.subscriptions.clear()
        gateway = stage.cloud.application_gateways.all.find(entry["id"])
        gateway.provisioning = "Updating"
        await swept(stage)
        assert llama(stage) == ELSEWHERE
        gateway.provisioning, gateway.operational = "Succeeded", "Running"
        await stage.app.drain()
        assert llama(stage) == ["10.1.0.60"]

    entry = application_gateway(operational="Stopped")
    run_scenario(story, world(FAR, application_gateways=[entry]))


def test_a_gateway_without_a_private_frontend_has_a_fault_that_says_so():
    async def story(stage):
        await swept(stage)
        assert llama(stage) == ELSEWHERE
        assert await alarmed(stage, "it has no private frontend, so it has no address to publish")
        (known,) = [each for each in (await stage.app.status(full=True))["known"] if each["id"] == entry["id"]]
        assert known["not_serving"] == "", "its empty pool is not what keeps it out"

    entry = application_gateway("agw", LLAMA, OUTSIDE, backends=0)
    run_scenario(story, world(FAR, application_gateways=[entry]))


def test_a_private_frontend_that_no_listener_uses_answers_nothing_and_is_named():
    async def story(stage):
        await swept(stage)
        assert llama(stage) == ["10.1.0.60"]
        assert await alarmed(stage, "frontend 'deaf' has no listener and is not published")

    deaf = {"name": "deaf", "vnet": vnet(EAST), "address": "10.1.0.61", "listener": False}
    run_scenario(story, world(FAR, application_gateways=[application_gateway("agw", LLAMA, INSIDE, deaf)]))


def test_each_location_of_an_api_management_service_answers_its_own_region():
    async def story(stage):
        await swept(stage)
        assert (llama(stage), llama(stage, WEST), llama(stage, ASIA)) == (["10.1.0.70"], ["10.2.0.70"], ELSEWHERE)
        assert (stage.record(EAST, "apim"), stage.record(WEST, "apim")) == (["10.1.0.70"], ["10.2.0.70"])
        stage.arm("DELETE", entry["id"])
        await told(stage)
        assert llama(stage) == llama(stage, WEST) == ELSEWHERE

    entry = api_management()
    run_scenario(story, world(FAR, api_managements=[entry]))


def test_a_drain_of_a_location_that_the_service_lacks_is_refused_with_the_locations_that_it_has():
    async def story(stage):
        await swept(stage)
        with pytest.raises(BadRequest, match="the service has locations in: eastus, westeurope"):
            await stage.resync(drain={"endpoint": f"{entry['id']}/locations/northeurope", "minutes": 60})

    entry = api_management()
    run_scenario(story, world(FAR, api_managements=[entry]))


def test_an_event_about_a_service_reads_all_its_locations():
    async def story(stage):
        await swept(stage)
        tagged(stage, entry["id"], nearzone="mistral")
        await told(stage)
        assert (stage.record(EAST, "mistral"), stage.record(WEST, "mistral")) == (["10.1.0.70"], ["10.2.0.70"])
        assert llama(stage, WEST) == ELSEWHERE
        tagged(stage, entry["id"], nearzone="mistral", **{"nearzone-drain": "on"})
        await told(stage)
        assert stage.record(WEST, "mistral") is None

    entry = api_management()
    run_scenario(story, world(FAR, api_managements=[entry]))


def test_a_location_that_is_added_or_disabled_or_removed_is_followed_by_the_service_s_event():
    async def story(stage):
        await swept(stage)
        assert llama(stage, WEST) == ["10.1.0.70"]
        stage.arm("PUT", entry["id"], body(place(WEST), virtualNetworkType="Internal"))
        await swept(stage)
        assert llama(stage) == ["10.1.0.70"], "an update interrupts nothing"
        await told(stage)
        (added,) = llama(stage, WEST)
        assert added.startswith("10.2.")
        stage.arm("PUT", entry["id"], body(place(WEST), virtualNetworkType="Internal", disableGateway=True))
        await told(stage)
        assert llama(stage) == llama(stage, WEST) == [added], "the primary gateway is disabled"
        stage.arm("PUT", entry["id"], body(virtualNetworkType="Internal"))
        await told(stage)
        assert llama(stage) == llama(stage, WEST) == ["10.1.0.70"]

    def place(region):
        return {"location": region, "sku": {"name": "Premium", "capacity": 1}} | network(region)

    def network(region):
        return {"virtualNetworkConfiguration": {"subnetResourceId": f"{vnet(region)}/subnets/default"}}

    def body(*places, **properties):
        properties |= network(EAST) | {"additionalLocations": list(places), "publisherName": "a"}
        return {"location": "East US", "tags": LLAMA, "sku": {"name": "Premium"}, "properties": properties}

    entry = api_management(additional_locations=[])
    run_scenario(story, world(FAR, a_vm("other", WEST, 4, "other"), api_managements=[entry]))


@pytest.mark.parametrize(("state", "serves"), [("Updating", True), ("Activating", False), ("Stopped", False)])
def test_a_service_serves_while_it_is_updated_and_not_before_it_is_there(state, serves):
    async def story(stage):
        await swept(stage)
        assert llama(stage) == (["10.1.0.70"] if serves else ELSEWHERE)

    run_scenario(story, world(FAR, api_managements=[api_management(state=state)]))


@pytest.mark.parametrize("state", ["Failed", "TerminationFailed"])
def test_a_state_that_does_not_tell_whether_a_service_serves_changes_nothing(state):
    async def story(stage):
        await swept(stage)
        stage.cloud.api_managements.set_state(entry["id"], state)
        assert (await stage.app.correct_drift()).failures == []
        assert (llama(stage), llama(stage, WEST)) == (["10.1.0.70"], ["10.2.0.70"])
        assert await alarmed(stage, f"its provisioning state is {state}, which does not tell whether it serves")

    entry = api_management()
    run_scenario(story, world(FAR, api_managements=[entry]))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (
            {"mode": "External"},
            "its virtual network mode is External (tier Premium), in which its gateway has no private",
        ),
        ({"mode": "None", "tier": "StandardV2"}, "its virtual network mode is None (tier StandardV2)"),
        ({"tier": "PremiumV2", "vnet": None, "address": None}, "the private address of tier PremiumV2"),
    ],
)
def test_a_service_without_a_private_address_has_a_fault_that_names_what_is_wrong(fields, words):
    async def story(stage):
        await swept(stage)
        assert llama(stage) == ELSEWHERE
        assert await alarmed(stage, words)

    run_scenario(story, world(FAR, api_managements=[api_management(additional_locations=[], **fields)]))


def test_a_service_that_shows_its_address_is_published_whatever_its_tier():
    async def story(stage):
        await swept(stage)
        assert llama(stage) == ["10.1.0.70"]

    run_scenario(story, world(FAR, api_managements=[api_management(tier="PremiumV2")]))


def test_an_internal_service_of_which_azure_shows_no_address_is_in_doubt():
    async def story(stage):
        await swept(stage)
        assert llama(stage) == ELSEWHERE
        assert await alarmed(stage, "Azure does not report its address")

    entry = api_management(vnet=None, address=None, additional_locations=[])
    run_scenario(story, world(FAR, api_managements=[entry]))


def test_an_order_drains_one_location():
    async def story(stage):
        await swept(stage)
        await stage.resync(drain={"endpoint": f"{entry['id']}/locations/{EAST}", "minutes": 10})
        assert (llama(stage), llama(stage, WEST)) == (["10.2.0.70"], ["10.2.0.70"])

    entry = api_management()
    run_scenario(story, world(FAR, api_managements=[entry]))


def test_a_container_environment_answers_with_its_internal_address_until_it_is_deleted():
    async def story(stage):
        await swept(stage)
        assert llama(stage) == stage.record(EAST, "env") == ["10.1.0.80"]
        new = path("Microsoft.App/managedEnvironments", "new")
        network = {"internal": True, "infrastructureSubnetId": f"{vnet(EAST)}/subnets/default"}
        stage.arm("PUT", new, {"location": "East US", "tags": LLAMA, "properties": {"vnetConfiguration": network}})
        await told(stage)
        assert len(llama(stage)) == 2
        for each in (new, entry["id"]):
            stage.arm("DELETE", each)
        await told(stage)
        assert llama(stage) == ELSEWHERE

    entry = container_environment()
    run_scenario(story, world(FAR, container_environments=[entry]))


def test_an_external_environment_is_named_and_left_out():
    async def story(stage):
        await swept(stage)
        assert llama(stage) == ELSEWHERE
        assert await alarmed(stage, "it has no private address and is not published: its virtual IP is not internal")

    run_scenario(story, world(FAR, container_environments=[container_environment(vnet=None, address=None)]))


@pytest.mark.parametrize("state", ["Failed", "InfrastructureSetupInProgress", "UpgradeRequested", "UpgradeFailed"])
def test_a_state_that_does_not_tell_whether_an_environment_serves_changes_nothing(state):
    async def story(stage):
        await swept(stage)
        stage.cloud.container_environments.set_state(entry["id"], state)
        assert (await stage.app.correct_drift()).failures == []
        assert llama(stage) == ["10.1.0.80"]
        assert await alarmed(stage, f"its provisioning state is {state}, which does not tell whether it serves")
        tagged(stage, entry["id"], **LLAMA, **{"nearzone-drain": "true"})
        await told(stage)
        assert llama(stage) == ELSEWHERE, "its tags are read, and nothing is in doubt about them"

    entry = container_environment()
    run_scenario(story, world(FAR, container_environments=[entry]))


def test_the_zones_of_a_world_with_every_gateway_converge_after_a_sweep_alone():
    async def story(stage):
        stage.event_grid.subscriptions.clear()
        await swept(stage)
        assert (await stage.app.correct_drift()).changes == []
        assert llama(stage) == ["10.1.0.60", "10.1.0.70", "10.1.0.80"]
        assert SUB in entries[0]["id"]

    entries = [application_gateway(), api_management(), container_environment()]
    kinds = ("application_gateways", "api_managements", "container_environments")
    run_scenario(story, world(FAR, **{kind: [each] for kind, each in zip(kinds, entries, strict=True)}))
