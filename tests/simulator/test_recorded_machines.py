"""VMs, extensions and scale sets as azure-cli recorded them in 2023; each test names its recording."""

import pytest

from simulator.private_dns.rules import AssumedBehaviour
from tests.support.small_world import GROUP, VNET, Scene, a_vm, nic_id, vm_id

SET = f"{GROUP}/Microsoft.Compute/virtualMachineScaleSets/pool"
SET_TYPE = "Microsoft.Compute/virtualMachineScaleSets"
VM = vm_id("gpu")
LLAMA = {"nearzone": "llama"}


def of_vms(**tags):
    return Scene(a_vm("gpu", "10.1.0.4", tags=tags))


def of_a_set():
    instances = [{"id": str(number), "power": "running", "address": f"10.1.0.1{number}"} for number in (0, 1)]
    entry = {"id": SET, "location": "eastus", "mode": "Uniform", "vnet": VNET, "instances": instances}
    return Scene(scale_sets=[entry])


def settled(scene, method, path, body=None):
    response = scene.ask(method, path, body)
    scene.wait_for_all()
    return response


def vm_body(**more):
    return {
        "location": "eastus",
        "properties": {"networkProfile": {"networkInterfaces": [{"id": nic_id("gpu-nic")}]}},
        **more,
    }


def power(scene, number):
    view = scene.ask("GET", f"{SET}/virtualMachines/{number}/instanceView").content
    return view["statuses"][1]["code"].removeprefix("PowerState/")


def test_tags_are_served_once_they_were_written():
    scene = of_vms()
    assert "tags" not in scene.ask("GET", VM).content
    settled(scene, "PUT", VM, vm_body(tags={}))
    assert scene.ask("GET", VM).content["tags"] == {}, "written, and empty: test_vm_generic_update.yaml, call 16"
    scene = of_a_set()
    assert "tags" not in scene.ask("GET", SET).content
    assert "tags" not in scene.ask("GET", f"{SET}/virtualMachines/0").content
    settled(scene, "PATCH", SET, {"tags": LLAMA})
    assert scene.ask("GET", f"{SET}/virtualMachines/0").content["tags"] == LLAMA


@pytest.mark.parametrize(("keeps", "after"), [(True, LLAMA), (False, None)])
def test_a_put_without_tags_keeps_the_old_ones_unless_the_switch_says_otherwise(keeps, after):
    """azure-cli's `vmss scale` sends no tags: test_vmss_create_and_modify.yaml, call 38."""
    unknowns = AssumedBehaviour(put_keeps_tags=keeps)
    pool = {"id": SET, "location": "eastus", "mode": "Uniform", "vnet": VNET, "instances": [], "tags": LLAMA}
    scene = Scene(a_vm("gpu", "10.1.0.4", tags=LLAMA), scale_sets=[pool], unknowns=unknowns)
    scaled = settled(scene, "PUT", SET, {"location": "eastus", "sku": {"name": "A", "capacity": 0}})
    updated = settled(scene, "PUT", VM, vm_body())
    assert [each.content.get("tags") for each in (scaled, updated)] == [after, after]
    assert [scene.ask("GET", each).content.get("tags") for each in (SET, VM)] == [after, after]


def test_a_put_of_tags_alone_is_over_at_once_and_a_put_of_an_identity_is_not():
    """test_vm_create_no_wait.yaml, call 12; test_vm_generic_update.yaml, call 16."""
    scene = of_vms()
    scene.ask("PUT", VM, vm_body())
    scene.wait_for_all()
    scene.told.clear()
    response = scene.ask("PUT", VM, vm_body(tags={"mytag": "tagvalue1"}))
    assert "azure-asyncoperation" not in response.headers
    assert (response.content["tags"], response.content["properties"]["provisioningState"]) == (
        {"mytag": "tagvalue1"},
        "Updating",
    )
    assert scene.ask("GET", VM).content["properties"]["provisioningState"] == "Succeeded"
    assert [each[1:] for each in scene.operations] == [("Microsoft.Compute/virtualMachines/write", "Success")]
    identified = scene.ask("PUT", VM, vm_body(identity={"type": "SystemAssigned"}))
    assert "azure-asyncoperation" in identified.headers
    assert set(scene.ask("GET", VM).content["identity"]) == {"type", "principalId", "tenantId"}


@pytest.mark.parametrize(
    ("written", "served"),
    [
        ({"protectedSettings": {"username": "u"}}, None),
        ({}, {}),
        ({"settings": {"a": 1}, "protectedSettings": {"b": 2}}, {"a": 1}),
    ],
)
def test_settings_of_an_extension_are_served_as_recorded(written, served):
    """test_vm_extension_list.yaml, call 15; Test_Compute_VM_20201201_CRUD.yaml, call 26."""
    body = {"properties": {"publisher": "P", "type": "T", "typeHandlerVersion": "1.2", **written}}
    assert of_vms().ask("PUT", f"{VM}/extensions/e", body).content["properties"].get("settings") == served


def test_a_vm_is_updating_while_an_extension_is_written():
    """test_vm_extension_list.yaml, call 16."""
    scene = of_vms()
    scene.ask("PUT", f"{VM}/extensions/e", {"properties": {"publisher": "P", "type": "T"}})
    found = scene.ask("GET", VM).content
    assert found["properties"]["provisioningState"] == "Updating"
    assert found["resources"][0]["properties"]["provisioningState"] == "Creating"
    scene.wait_for_all()
    assert scene.ask("GET", VM).content["properties"]["provisioningState"] == "Succeeded"


def test_an_extension_that_never_was_is_the_providers_404_and_a_deleted_one_arms():
    """The second: Test_Compute_VM_20201201_CRUD.yaml, call 37."""
    scene = of_vms()
    missing = scene.ask("GET", f"{VM}/extensions/e")
    assert (missing.status, missing.content["error"]) == (
        404,
        {"code": "NotFound", "message": "The entity was not found in this Azure location."},
    )
    assert "x-ms-failure-cause" not in missing.headers
    settled(scene, "PUT", f"{VM}/extensions/e", {"properties": {"publisher": "P", "type": "T"}})
    settled(scene, "DELETE", f"{VM}/extensions/e")
    assert scene.ask("GET", f"{VM}/extensions/e").content["error"]["code"] == "ResourceNotFound"


def test_policies_of_a_scale_set_are_replaced_as_a_whole():
    """test_vmss_scale_in_policy.yaml, call 19; test_vmss_update_automatic_repairs_with_health_extension.yaml, 22."""
    scene = of_a_set()
    settled(scene, "PATCH", SET, {"properties": {"scaleInPolicy": {"rules": ["OldestVM"]}}})
    repairs = {"enabled": True, "gracePeriod": "PT30M"}
    change = {"scaleInPolicy": {"forceDeletion": True}, "automaticRepairsPolicy": repairs}
    settled(scene, "PATCH", SET, {"properties": change})
    found = scene.ask("GET", SET).content["properties"]
    assert found["scaleInPolicy"] == {"forceDeletion": True}
    assert found["automaticRepairsPolicy"] == {**repairs, "repairAction": "Replace"}


@pytest.mark.parametrize(("action", "name"), [("reimageall", "reimageAll"), ("reimage", "reimage")])
def test_reimaged_instances_are_down_for_a_while_and_one_that_is_off_stays_off(action, name):
    """test_vmss_reimage.yaml, calls 15 and 25: 202 with both links; the shortest took 66.9 s."""
    scene = of_a_set()
    settled(scene, "POST", f"{SET}/virtualMachines/1/deallocate")
    scene.told.clear()
    response = scene.ask("POST", f"{SET}/{action}")
    assert response.status == 202
    assert {"azure-asyncoperation", "location"} <= response.headers.keys()
    assert (power(scene, 0), power(scene, 1)) == ("starting", "deallocated")
    scene.wait(66)
    assert scene.told == []
    scene.wait(60)
    assert (power(scene, 0), power(scene, 1)) == ("running", "deallocated")
    assert scene.operations == [("pool", f"{SET_TYPE}/{name}/action", "Success")]


def test_a_put_of_an_instance_changes_its_disks():
    """test_vmss_update_instance_disks.yaml, calls 17 to 20."""
    scene = of_a_set()
    path = f"{SET}/virtualMachines/0"
    disks = [{"lun": 0, "createOption": "Attach"}]
    response = scene.ask("PUT", path, {"location": "eastus", "properties": {"storageProfile": {"dataDisks": disks}}})
    assert (response.status, response.content["properties"]["provisioningState"]) == (200, "Updating")
    assert ("azure-asyncoperation" in response.headers, "location" in response.headers) == (True, False)
    scene.wait_for_all()
    found = scene.ask("GET", path).content["properties"]
    assert (found["provisioningState"], found["storageProfile"]["dataDisks"]) == ("Succeeded", disks)
    assert scene.operations == [("0", f"{SET_TYPE}/virtualMachines/write", "Success")]


def test_an_action_on_the_instance_that_is_called_a_star_is_for_all():
    """azure-cli's `vmss deallocate --instance-ids "*"` (custom.py): one id is a call on that instance."""
    scene = of_a_set()
    assert scene.ask("POST", f"{SET}/virtualMachines/*/deallocate").status == 202
    scene.wait_for_all()
    assert [power(scene, number) for number in (0, 1)] == ["deallocated", "deallocated"]
    assert scene.operations == [("*", f"{SET_TYPE}/virtualMachines/deallocate/action", "Success")]


def test_an_instance_has_the_fields_of_its_sets_model_that_an_instance_can_have():
    """OpenAPI 2024-03-01, VirtualMachineScaleSetVMProperties."""
    scene = of_a_set()
    model = {"securityProfile": {"securityType": "TrustedLaunch"}, "licenseType": "None", "priority": "Regular"}
    settled(scene, "PATCH", SET, {"properties": {"virtualMachineProfile": model}})
    found = scene.ask("GET", f"{SET}/virtualMachines/0").content["properties"]
    assert {key: found.get(key) for key in model} == {**model, "priority": None}


def test_an_instance_shows_the_extensions_of_the_model_that_it_has():
    """OpenAPI 2024-03-01, example VirtualMachineScaleSetVM_Get_WithUserData."""
    scene = of_a_set()
    assert "resources" not in scene.ask("GET", f"{SET}/virtualMachines/0").content
    script = {"name": "script", "properties": {"publisher": "P", "type": "T", "typeHandlerVersion": "2.0"}}
    change = {"virtualMachineProfile": {"extensionProfile": {"extensions": [script]}}}
    settled(scene, "PATCH", SET, {"properties": change})
    [found] = scene.ask("GET", f"{SET}/virtualMachines/0").content["resources"]
    assert (found["name"], found["id"]) == ("script", f"{SET}/virtualMachines/0/extensions/script")
    assert found["properties"] == {**script["properties"], "provisioningState": "Succeeded"}
