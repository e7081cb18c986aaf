"""NICs have the addresses that Azure would give them; tags can be written on their own."""

import json

import pytest
from recordings import SAMPLES, present

from tests.support.small_world import GROUP, VNET, Scene, a_vm, nic_id, vm_id


def a_body(address=None, subnet="small", name="ipconfig1", **more):
    properties = {"subnet": {"id": f"{VNET}/subnets/{subnet}"}, **more}
    if address:
        properties |= {"privateIPAllocationMethod": "Static", "privateIPAddress": address}
    return {"location": "eastus", "properties": {"ipConfigurations": [{"name": name, "properties": properties}]}}


def address(scene, name):
    [only] = scene.ask("GET", nic_id(name)).content["properties"]["ipConfigurations"]
    return only["properties"]["privateIPAddress"]


def test_an_unattached_dynamic_nic_has_the_first_free_address_of_its_subnet():
    scene = Scene()
    response = scene.ask("PUT", nic_id("one"), a_body())
    assert response.status == 201
    assert address(scene, "one") == "10.1.5.4"
    scene.ask("PUT", nic_id("two"), a_body())
    assert address(scene, "two") == "10.1.5.5"


def test_a_static_nic_has_the_address_that_it_asks_for():
    scene = Scene()
    scene.ask("PUT", nic_id("one"), a_body("10.1.5.6"))
    assert address(scene, "one") == "10.1.5.6"


def test_a_deleted_nic_gives_its_address_back():
    scene = Scene()
    scene.ask("PUT", nic_id("one"), a_body())
    assert scene.ask("DELETE", nic_id("one")).status == 200
    scene.ask("PUT", nic_id("two"), a_body())
    assert address(scene, "two") == "10.1.5.4"
    assert scene.ask("DELETE", nic_id("one")).status == 204


def test_a_dynamic_nic_keeps_its_address_when_it_is_written_again():
    scene = Scene()
    scene.ask("PUT", nic_id("one"), a_body())
    scene.ask("PUT", nic_id("two"), a_body())
    scene.ask("DELETE", nic_id("one"))
    assert scene.ask("PUT", nic_id("two"), a_body()).status == 200
    assert address(scene, "two") == "10.1.5.5"


def test_a_subnet_without_a_free_address_refuses_a_dynamic_nic():
    scene = Scene()
    statuses = [scene.ask("PUT", nic_id(f"nic-{n}"), a_body()).status for n in range(4)]
    assert statuses == [201, 201, 201, 400]  # a /29 has 8 addresses, of which Azure keeps 5


@pytest.mark.parametrize("wanted", ["10.1.0.4", "10.1.5.4", "nonsense"])
def test_a_static_address_that_is_foreign_or_taken_or_none_is_refused_and_changes_nothing(wanted):
    scene = Scene()
    scene.ask("PUT", nic_id("first"), a_body())
    scene.ask("PUT", nic_id("one"), a_body("10.1.5.6"))
    assert scene.ask("PUT", nic_id("one"), a_body(wanted)).status == 400
    assert address(scene, "one") == "10.1.5.6"


def test_a_nic_in_an_unknown_subnet_is_refused():
    response = Scene().ask("PUT", nic_id("one"), a_body(subnet="nope"))
    assert response.status == 400
    assert response.content["error"]["code"] == "InvalidResourceReference"


def test_a_changed_address_is_served_at_once_and_told_when_the_operation_ends():
    scene = Scene()
    scene.ask("PUT", nic_id("one"), a_body("10.1.5.4"))
    scene.wait_for_all()
    scene.told.clear()
    before = scene.ask("GET", nic_id("one")).content["etag"]
    response = scene.ask("PUT", nic_id("one"), a_body("10.1.5.6"))
    assert address(scene, "one") == "10.1.5.6"
    assert response.content["etag"] != before
    assert scene.told == []
    scene.wait_for_all()
    assert scene.operations == [("one", "Microsoft.Network/networkInterfaces/write", "Success")]


def test_a_deallocated_vm_keeps_its_nic_and_its_address():
    scene = Scene(a_vm("gpu", "10.1.0.4"))
    scene.ask("POST", f"{vm_id('gpu')}/deallocate")
    scene.wait_for_all()
    assert address(scene, "gpu-nic") == "10.1.0.4"
    assert scene.ask("GET", nic_id("gpu-nic")).content["properties"]["virtualMachine"]["id"] == vm_id("gpu")


def domain(scene, name):
    settings = scene.ask("GET", nic_id(name)).content["properties"]["dnsSettings"]
    return {"internalDomainNameSuffix", "internalFqdn"} & settings.keys()


def test_the_nic_of_a_deallocated_vm_has_no_domain_name_until_the_vm_runs_again():
    """azure-cli, test_vm_show_list_sizes_list_ip_addresses (1), 2023."""
    scene = Scene(a_vm("gpu", "10.1.0.4"))
    assert domain(scene, "gpu-nic") == {"internalDomainNameSuffix"}
    for action, served in (
        ("powerOff", {"internalDomainNameSuffix"}),
        ("deallocate", set()),
        ("start", {"internalDomainNameSuffix"}),
    ):
        scene.ask("POST", f"{vm_id('gpu')}/{action}")
        scene.wait_for_all()
        assert domain(scene, "gpu-nic") == served, action
    scene.ask("PUT", nic_id("free"), a_body())
    assert domain(scene, "free") == {"internalDomainNameSuffix"}


def test_a_nic_that_a_vm_had_is_deleted_with_202_and_a_result_of_204():
    """networkInterface.json, 2024-01-01, has 200, 202 and 204; the only recorded deletion is of an unused NIC."""
    scene = Scene(a_vm("gpu", "10.1.0.4"))
    scene.ask("DELETE", vm_id("gpu"))
    scene.wait_for_all()
    scene.told.clear()
    gone = scene.ask("DELETE", nic_id("gpu-nic"))
    assert gone.status == 202
    path = gone.headers["location"].removeprefix("https://management.azure.com").partition("?")[0]
    assert scene.ask("GET", path).status == 202
    scene.wait_for_all()
    assert scene.ask("GET", path).status == 204
    assert scene.operations == [("gpu-nic", "Microsoft.Network/networkInterfaces/delete", "Success")]


def test_a_nic_keeps_the_gateway_load_balancer_of_its_addresses():
    """azure-cli, test_network_nic_front_ip (31), 2023."""
    gateway = {"id": f"{GROUP}/Microsoft.Network/loadBalancers/lb/frontendIPConfigurations/f"}
    (served,) = (
        Scene().ask("PUT", nic_id("n"), a_body(gatewayLoadBalancer=gateway)).content["properties"]["ipConfigurations"]
    )
    assert served["properties"]["gatewayLoadBalancer"] == gateway


def test_a_nic_that_a_vm_has_cannot_be_deleted():
    scene = Scene(a_vm("gpu", "10.1.0.4"))
    response = scene.ask("DELETE", nic_id("gpu-nic"))
    assert (response.status, response.content["error"]["code"]) == (400, "NicInUse")
    assert address(scene, "gpu-nic") == "10.1.0.4"


def test_nics_are_listed_by_group_and_by_subscription():
    scene = Scene(a_vm("gpu", "10.1.0.4"))
    other = nic_id("far").replace("/G/", "/G2/")
    scene.cloud.azure.ensure_group("S", "G2")
    scene.ask("PUT", other, a_body())
    by_group = scene.ask("GET", f"{GROUP}/Microsoft.Network/networkInterfaces").content["value"]
    everywhere = scene.ask("GET", "/subscriptions/S/providers/Microsoft.Network/networkInterfaces").content["value"]
    assert [nic["name"] for nic in by_group] == ["gpu-nic"]
    assert [nic["name"] for nic in everywhere] == ["far", "gpu-nic"] or len(everywhere) == 2


def test_a_virtual_network_can_be_made_filled_and_is_not_deleted_while_in_use():
    scene = Scene()
    new = VNET.replace("vnet-eastus", "vnet-new")
    subnets = [{"name": "default", "properties": {"addressPrefix": "10.7.0.0/24"}}]
    properties = {"addressSpace": {"addressPrefixes": ["10.7.0.0/16"]}, "subnets": subnets}
    response = scene.ask("PUT", new, {"location": "westeurope", "properties": properties})
    assert (response.status, response.content["properties"]["provisioningState"]) == (201, "Updating")
    scene.wait_for_all()
    assert scene.ask("GET", new).content["properties"]["provisioningState"] == "Succeeded"
    body = a_body(subnet="default")
    body["properties"]["ipConfigurations"][0]["properties"]["subnet"]["id"] = f"{new}/subnets/default"
    scene.ask("PUT", nic_id("one"), body)
    assert address(scene, "one") == "10.7.0.4"
    assert scene.ask("DELETE", new).status == 400
    scene.ask("DELETE", nic_id("one"))
    assert scene.ask("DELETE", new).status == 202
    assert scene.ask("GET", new).status == 404


TAGS = "/providers/Microsoft.Resources/tags/default"


@pytest.mark.parametrize(
    ("method", "body", "after"),
    [
        ("PUT", {"properties": {"tags": {"b": "2"}}}, {"b": "2"}),
        ("PATCH", {"operation": "Merge", "properties": {"tags": {"b": "2"}}}, {"a": "1", "b": "2"}),
        ("PATCH", {"operation": "Replace", "properties": {"tags": {"b": "2"}}}, {"b": "2"}),
        ("PATCH", {"operation": "Delete", "properties": {"tags": {"a": "1"}}}, {}),
        ("DELETE", None, {}),
    ],
)
def test_tags_written_on_their_own_change_the_vm_and_are_told_under_their_own_id(method, body, after):
    scene = Scene(a_vm("gpu", "10.1.0.4", tags={"a": "1"}))
    assert scene.ask(method, vm_id("gpu") + TAGS, body).status == 200
    assert scene.ask("GET", vm_id("gpu")).content["tags"] == after
    assert scene.ask("GET", vm_id("gpu") + TAGS).content["properties"]["tags"] == after
    [note] = scene.told
    assert note.resource_id == vm_id("gpu") + TAGS
    assert note.operation == f"Microsoft.Resources/tags/{'delete' if method == 'DELETE' else 'write'}"


def test_tags_of_a_nic_can_be_written_and_those_of_nothing_cannot():
    scene = Scene(a_vm("gpu", "10.1.0.4"))
    assert scene.ask("PUT", nic_id("gpu-nic") + TAGS, {"properties": {"tags": {"b": "2"}}}).status == 200
    assert scene.ask("GET", nic_id("gpu-nic")).content["tags"] == {"b": "2"}
    assert scene.ask("PUT", nic_id("nope") + TAGS, {"properties": {"tags": {"b": "2"}}}).status == 404


EXPECTED = [
    # method, NIC, status, headers that must be there - source
    ("GET", "gpu-nic", 200, {"etag"}),  # azure-cli, test_vm_create_state_modifications 21
    ("GET", "nope", 404, {"x-ms-failure-cause"}),  # the same form as recorded for a missing VNet, 14
    ("PUT", "new", 201, {"azure-asyncoperation"}),  # azure-cli, test_vm_create_existing_nic 13
    ("PUT", "gpu-nic", 200, {"azure-asyncoperation"}),  # the same, 17
    ("DELETE", "free", 200, {"azure-asyncoperation", "location"}),  # azure-cli, test_network_nic 76
]


@pytest.mark.parametrize(("method", "name", "status", "headers"), EXPECTED)
def test_calls_on_a_nic_answer_as_recorded(method, name, status, headers):
    scene = Scene(a_vm("gpu", "10.1.0.4"))
    scene.ask("PUT", nic_id("free"), a_body())
    response = scene.ask(method, nic_id(name), a_body() if method == "PUT" else None)
    assert response.status == status
    assert headers <= set(response.headers)


def sample(name):
    return json.loads((SAMPLES / f"{name}.json").read_text())["response"]


@present
@pytest.mark.parametrize(("recording", "name"), [("nic_get_attached_vm", "gpu-nic"), ("nic_get_dynamic", "free")])
def test_a_nic_has_the_recorded_fields(recording, name):
    scene = Scene(a_vm("gpu", "10.1.0.4"))
    scene.ask("PUT", nic_id("free"), a_body())
    recorded = sample(recording)["body"]
    served = scene.ask("GET", nic_id(name)).content
    left_out = {"networkSecurityGroup"}
    assert set(served) | {"tags"} == set(recorded) | {"tags"}  # served when a client has written some
    assert set(served["properties"]) == set(recorded["properties"]) - left_out
    [ours], [theirs] = (each["properties"]["ipConfigurations"] for each in (served, recorded))
    assert set(ours) == set(theirs)
    assert set(ours["properties"]) == set(theirs["properties"]) - {"publicIPAddress"}
    assert ours["etag"] == served["etag"]
