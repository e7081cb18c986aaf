"""Public IP addresses: their calls, which resource has one, and references to missing ones."""

import pytest

from tests.support.small_world import GROUP, VNET, Scene, nic_id

ADDRESS = f"{GROUP}/Microsoft.Network/publicIPAddresses/ip"
LB = f"{GROUP}/Microsoft.Network/loadBalancers/lb"
STATIC = {"location": "East US", "sku": {"name": "Standard"}, "properties": {"publicIPAllocationMethod": "Static"}}


def a_nic(*, public=True):
    named = {"publicIPAddress": {"id": ADDRESS}} if public else {}
    properties = {"subnet": {"id": f"{VNET}/subnets/small"}, **named}
    return {"location": "eastus", "properties": {"ipConfigurations": [{"name": "a", "properties": properties}]}}


def properties(scene):
    return scene.ask("GET", ADDRESS).content["properties"]


def test_a_static_one_has_its_address_from_the_end_of_its_creation_on():
    """Azure Service Operator, Test_Networking_LoadBalancer_20240301_CRUD (2 to 4), 2024."""
    scene = Scene()
    begun = scene.ask("PUT", ADDRESS, STATIC)
    assert (begun.status, begun.headers["retry-after"]) == (201, "1")
    assert begun.content["properties"]["provisioningState"] == "Updating"
    assert "ipAddress" not in begun.content["properties"]
    scene.wait_for_all()
    ended = scene.ask("GET", ADDRESS).content
    assert ended["properties"]["provisioningState"] == "Succeeded"
    assert ended["etag"] != begun.content["etag"]
    assert ended["properties"]["ipAddress"]
    assert scene.operations == [("ip", "Microsoft.Network/publicIPAddresses/write", "Success")]


def test_a_dynamic_one_has_an_address_only_while_a_nic_has_it():
    """azure-cli, test_network_lb (26) and test_vm_create_existing_nic (34), 2023."""
    scene = Scene()
    scene.ask("PUT", ADDRESS, {"location": "eastus"})
    scene.wait_for_all()
    assert "ipAddress" not in properties(scene)
    scene.ask("PUT", nic_id("n"), a_nic())
    assert properties(scene)["ipAddress"]
    assert properties(scene)["ipConfiguration"] == {"id": f"{nic_id('n')}/ipConfigurations/a"}
    scene.ask("PUT", nic_id("n"), a_nic(public=False))
    assert not {"ipAddress", "ipConfiguration"} & properties(scene).keys()


def test_a_nic_with_a_missing_one_is_refused_and_not_created():
    scene = Scene()
    refused = scene.ask("PUT", nic_id("n"), a_nic())
    assert (refused.status, refused.content["error"]["code"]) == (400, "InvalidResourceReference")
    assert scene.ask("GET", nic_id("n")).status == 404
    assert scene.cloud.network.vnets.find(VNET).taken == {}


def test_a_reference_without_an_id_is_refused_by_its_field():
    body = a_nic()
    body["properties"]["ipConfigurations"][0]["properties"]["publicIPAddress"] = {}
    refused = Scene().ask("PUT", nic_id("n"), body)
    assert refused.status == 400
    assert "publicIPAddress" in refused.content["error"]["message"]


@pytest.mark.parametrize("holder", [nic_id("n"), LB])
def test_one_in_use_is_not_deleted_until_its_holder_is(holder):
    scene = Scene()
    scene.ask("PUT", ADDRESS, STATIC)
    frontend = {"name": "f", "properties": {"publicIPAddress": {"id": ADDRESS}}}
    balancer = {"location": "eastus", "properties": {"frontendIPConfigurations": [frontend]}}
    assert scene.ask("PUT", holder, balancer if holder == LB else a_nic()).status == 201
    refused = scene.ask("DELETE", ADDRESS)
    assert (refused.status, refused.content["error"]["code"]) == (400, "PublicIPAddressCannotBeDeleted")
    scene.ask("DELETE", holder)
    scene.wait_for_all()
    assert scene.ask("DELETE", ADDRESS).status == 202
    assert scene.ask("GET", ADDRESS).status == 404
    assert scene.ask("DELETE", ADDRESS).status == 204


def test_they_are_listed_by_subscription_and_group_and_can_be_tagged():
    scene = Scene()
    scene.ask("PUT", ADDRESS, STATIC)
    merge = {"operation": "Merge", "properties": {"tags": {"a": "1"}}}
    assert scene.ask("PATCH", f"{ADDRESS}/providers/Microsoft.Resources/tags/default", merge).status == 200
    for scope in ("/subscriptions/S", "/subscriptions/S/resourceGroups/G"):
        (found,) = scene.ask("GET", f"{scope}/providers/Microsoft.Network/publicIPAddresses").content["value"]
        assert (found["id"], found["location"], found["tags"]) == (ADDRESS, "eastus", {"a": "1"})


def test_it_stays_with_a_nic_that_moves_to_another_group():
    scene = Scene()
    scene.ask("PUT", ADDRESS, STATIC)
    scene.ask("PUT", nic_id("n"), a_nic())
    new = scene.cloud.compute.move_nic(nic_id("n"), "H")
    assert properties(scene)["ipConfiguration"] == {"id": f"{new}/ipConfigurations/a"}


def test_a_resource_group_is_deleted_with_its_public_addresses_and_what_has_them():
    scene = Scene()
    scene.ask("PUT", ADDRESS, STATIC)
    scene.ask("PUT", nic_id("n"), a_nic())
    assert scene.ask("DELETE", "/subscriptions/S/resourcegroups/G").status == 202
    scene.wait_for_all()
    assert ("S".lower(), "G".lower()) not in scene.cloud.azure.groups
    assert list(scene.cloud.network.public_addresses.all) == []
