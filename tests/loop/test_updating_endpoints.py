"""Load balancers and private endpoints that Azure is still writing: their addresses are there and stay published."""

from tests.support.deployment import REGIONS, run_scenario, vnet
from tests.support.endpoint_kinds import FAR, LLAMA, llama, load_balancer, path, private_endpoint, swept, world

EAST, _, _ = REGIONS
LONG = 100.0
"""Operations take so many times as long: longer than a sweep."""
SUBNET = {"id": f"{vnet(EAST)}/subnets/default"}


def state(stage, resource):
    return stage.arm("GET", resource).content["properties"]["provisioningState"]


def balancer(address):
    """A load balancer with one backend."""
    properties = {"subnet": SUBNET, "privateIPAddress": address, "privateIPAllocationMethod": "Static"}
    backend = {"name": "b", "properties": {"ipAddress": "10.1.0.60"}}
    pool = {"name": "p", "properties": {"loadBalancerBackendAddresses": [backend]}}
    parts = {"frontendIPConfigurations": [{"name": "inside", "properties": properties}], "backendAddressPools": [pool]}
    return {"location": EAST, "tags": LLAMA, "sku": {"name": "Standard"}, "properties": parts}


def test_a_load_balancer_is_published_while_it_is_updating():
    """azure-cli, test_network_lb_frontend_ip_zone (6), 2023: `Updating` with its address."""

    async def story(stage):
        await swept(stage)
        assert llama(stage) == ["10.3.0.4"]
        stage.cloud.azure.operation_scale = LONG
        new = path("Microsoft.Network/loadBalancers", "new")
        stage.arm("PUT", new, balancer("10.1.0.21"))
        assert state(stage, new) == "Updating"
        await swept(stage)
        assert (state(stage, new), llama(stage)) == ("Updating", ["10.1.0.21"])
        await stage.finish_operations()
        await swept(stage)
        assert (state(stage, new), llama(stage)) == ("Succeeded", ["10.1.0.21"])

    run_scenario(story, world(FAR, load_balancers=[load_balancer("other", {})]))


def test_a_load_balancer_that_is_written_again_stays_published():
    async def story(stage):
        await swept(stage)
        stage.cloud.azure.operation_scale = LONG
        stage.arm("PUT", entry["id"], balancer("10.1.0.20"))
        await swept(stage)
        assert (state(stage, entry["id"]), llama(stage)) == ("Updating", ["10.1.0.20"])

    entry = load_balancer()
    run_scenario(story, world(FAR, load_balancers=[entry]))


def test_a_private_endpoint_that_is_written_again_stays_published():
    """azure-cli, test_network_private_endpoint_asg (24), 2023: `Updating` and `Approved` with new security groups."""

    async def story(stage):
        await swept(stage)
        group = {"id": path("Microsoft.Network/applicationSecurityGroups", "asg1")}
        named = {"name": "default", "properties": {"privateLinkServiceId": entry["service"]}}
        properties = {
            "subnet": SUBNET,
            "applicationSecurityGroups": [group],
            "privateLinkServiceConnections": [named],
            "ipConfigurations": [{"name": "fixed", "properties": {"privateIPAddress": "10.1.0.30"}}],
        }
        answer = stage.arm("PUT", entry["id"], {"location": EAST, "tags": LLAMA, "properties": properties})
        assert answer.status == 200
        await swept(stage)
        assert (state(stage, entry["id"]), llama(stage)) == ("Updating", ["10.1.0.30"])
        await stage.finish_operations()
        await swept(stage)
        assert (state(stage, entry["id"]), llama(stage)) == ("Succeeded", ["10.1.0.30"])

    entry = private_endpoint()
    run_scenario(story, world(FAR, private_endpoints=[entry]))
