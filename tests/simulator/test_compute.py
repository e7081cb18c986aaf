"""VMs answer, change and complete as recorded; table at the end, with the source of each row."""

import json

import pytest
from recordings import SAMPLES, present

from simulator.arm.front_door import Request
from simulator.compute.vm_power import DURATIONS
from simulator.private_dns.rules import AssumedBehaviour
from tests.support.small_world import GROUP, Scene, a_vm, nic_id, vm_id


def follow(scene, response, header="azure-asyncoperation"):
    path, _, query = response.headers[header].removeprefix("https://management.azure.com").partition("?")
    return scene.cloud.handle(Request("GET", path, dict(pair.split("=") for pair in query.split("&"))))


def test_a_vm_that_is_not_there_is_404_from_arm_itself():
    response = Scene().ask("GET", vm_id("nope"))
    assert response.status == 404
    assert response.headers["x-ms-failure-cause"] == "gateway"
    assert response.content["error"]["code"] == "ResourceNotFound"


def test_power_state_and_health_are_served_only_when_the_instance_view_is_asked_for():
    scene = Scene(a_vm("gpu", "10.1.0.4", health="healthy"))
    assert "instanceView" not in scene.ask("GET", vm_id("gpu")).content["properties"]
    assert scene.power("gpu") == "PowerState/running"
    assert scene.health("gpu") == "HealthState/healthy"


def test_a_vm_without_the_health_extension_says_nothing_of_its_health():
    assert Scene(a_vm("gpu", "10.1.0.4")).health("gpu") is None


def test_ids_are_found_whatever_their_case():
    assert Scene(a_vm("gpu", "10.1.0.4")).ask("GET", vm_id("GPU").upper()).status == 200


@pytest.mark.parametrize(
    ("power", "action", "during", "after"),
    [
        ("deallocated", "start", "starting", "running"),
        ("running", "powerOff", "stopping", "stopped"),
        ("running", "deallocate", "deallocating", "deallocated"),
        ("stopped", "deallocate", "deallocating", "deallocated"),
        ("running", "restart", "starting", "running"),
        ("running", "redeploy", "starting", "running"),
        ("running", "reapply", "running", "running"),
    ],
)
def test_an_action_takes_its_time_and_event_grid_hears_of_it_only_at_the_end(power, action, during, after):
    scene = Scene(a_vm("gpu", "10.1.0.4", power))
    response = scene.ask("POST", f"{vm_id('gpu')}/{action}")
    assert (response.status, response.content) == (202, None)
    assert scene.power("gpu") == f"PowerState/{during}"
    assert follow(scene, response).content["status"] == "InProgress"
    assert follow(scene, response, "location").status == 202
    assert scene.told == []
    scene.wait(DURATIONS[action.lower()].high)
    assert scene.power("gpu") == f"PowerState/{after}"
    assert follow(scene, response).content["status"] == "Succeeded"
    assert follow(scene, response, "location").status == 200
    assert scene.operations == [("gpu", f"Microsoft.Compute/virtualMachines/{action}/action", "Success")]


def test_an_action_takes_no_less_than_the_shortest_recorded_one():
    scene = Scene(a_vm("gpu", "10.1.0.4"))
    scene.ask("POST", f"{vm_id('gpu')}/deallocate")
    scene.wait(DURATIONS["deallocate"].low - 0.01)
    assert scene.power("gpu") == "PowerState/deallocating"


@pytest.mark.parametrize("scale", [0, 0.5, 3])
def test_the_duration_of_operations_can_be_scaled(scale):
    scene = Scene(a_vm("gpu", "10.1.0.4"), operation_scale=scale)
    began = scene.clock.now
    scene.ask("POST", f"{vm_id('gpu')}/deallocate")
    scene.wait_for_all()
    took = scene.clock.now - began
    assert DURATIONS["deallocate"].low * scale <= round(took, 5) <= DURATIONS["deallocate"].high * scale


def test_a_later_action_takes_over_and_the_earlier_one_fails():
    scene = Scene(a_vm("gpu", "10.1.0.4", "deallocated"))
    first = scene.ask("POST", f"{vm_id('gpu')}/start")
    scene.ask("POST", f"{vm_id('gpu')}/deallocate")
    scene.wait_for_all()
    assert scene.power("gpu") == "PowerState/deallocated"
    assert follow(scene, first).content["error"]["code"] == "OperationPreempted"
    assert [outcome for _, _, outcome in scene.operations] == ["Failure", "Success"]


def test_a_started_vm_has_no_health_at_first_and_is_unhealthy_until_it_is_told_to_be_healthy():
    scene = Scene(a_vm("gpu", "10.1.0.4", "deallocated", "healthy"))
    scene.ask("POST", f"{vm_id('gpu')}/start")
    scene.wait(scene.cloud.azure.next_due() - scene.clock.now)
    assert (scene.power("gpu"), scene.health("gpu")) == ("PowerState/running", None)
    resources = scene.ask("GET", vm_id("gpu")).content["resources"]
    assert [each["properties"]["type"] for each in resources] == ["ApplicationHealthLinux"], "it is installed"
    scene.wait_for_all()
    assert scene.health("gpu") == "HealthState/unhealthy"
    scene.cloud.compute.set_health(vm_id("gpu"), "healthy")
    assert scene.health("gpu") == "HealthState/healthy"


def test_an_extension_that_never_reports_is_there_and_says_nothing_whatever_happens():
    scene = Scene(a_vm("gpu", "10.1.0.4", "deallocated", "silent"))
    scene.ask("POST", f"{vm_id('gpu')}/start")
    scene.wait_for_all()
    scene.ask("POST", f"{vm_id('gpu')}/restart")
    scene.wait_for_all()
    assert (scene.power("gpu"), scene.health("gpu")) == ("PowerState/running", None)
    assert scene.ask("GET", vm_id("gpu")).content["resources"]
    assert scene.cloud.world()["vms"][0]["health"] == "silent"


def test_a_report_of_an_earlier_boot_says_nothing_of_a_later_one():
    scene = Scene(a_vm("gpu", "10.1.0.4", health="healthy"))
    for _ in range(2):
        scene.cloud.compute.host_crash(vm_id("gpu"), 6)
        scene.wait(6)
    scene.wait(5)
    assert (scene.power("gpu"), scene.health("gpu")) == ("PowerState/running", None)
    scene.wait(6)
    assert scene.health("gpu") == "HealthState/unhealthy"


def test_a_vm_reports_its_health_once_the_extension_is_written_and_no_more_once_it_is_deleted():
    scene = Scene(a_vm("gpu", "10.1.0.4"))
    extension = f"{vm_id('gpu')}/extensions/health"
    properties = {"publisher": "Microsoft.ManagedServices", "type": "ApplicationHealthLinux"}
    scene.ask("PUT", extension, {"location": "eastus", "properties": properties})
    assert scene.health("gpu") is None
    scene.wait_for_all()
    assert scene.health("gpu") == "HealthState/unhealthy"
    scene.ask("DELETE", extension)
    scene.wait_for_all()
    assert (scene.health("gpu"), scene.cloud.world()["vms"][0]["health"]) == (None, None)


def test_a_guest_that_shuts_down_is_stopped_and_nobody_is_told():
    scene = Scene(a_vm("gpu", "10.1.0.4", health="healthy"))
    scene.cloud.compute.guest_shutdown(vm_id("gpu"))
    assert scene.power("gpu") == "PowerState/stopped"
    assert scene.health("gpu") is None
    assert scene.told == []


def test_a_moved_vm_has_a_new_id_and_its_nic_follows_without_an_event():
    scene = Scene(a_vm("gpu", "10.1.0.4"))
    moved = scene.cloud.compute.move(vm_id("gpu"), "Elsewhere")
    assert moved == vm_id("gpu").replace("/G/", "/Elsewhere/")
    assert scene.ask("GET", vm_id("gpu")).status == 404
    assert scene.ask("GET", moved).content["id"] == moved
    assert scene.ask("GET", nic_id("gpu-nic")).content["properties"]["virtualMachine"]["id"] == moved
    assert scene.told == []


def test_a_deleted_vm_is_there_until_the_end_and_leaves_its_nic_behind():
    scene = Scene(a_vm("gpu", "10.1.0.4"))
    assert scene.ask("DELETE", vm_id("gpu")).status == 202
    assert scene.ask("GET", vm_id("gpu")).content["properties"]["provisioningState"] == "Deleting"
    assert scene.ask("POST", f"{vm_id('gpu')}/start").status == 409
    scene.wait_for_all()
    assert scene.ask("GET", vm_id("gpu")).status == 404
    assert "virtualMachine" not in scene.ask("GET", nic_id("gpu-nic")).content["properties"]
    assert scene.operations == [("gpu", "Microsoft.Compute/virtualMachines/delete", "Success")]
    assert scene.ask("DELETE", vm_id("gpu")).status == 204


def test_an_eviction_is_taken_at_once_and_deallocates_a_spot_vm_later_without_an_event_of_its_own():
    scene = Scene(a_vm("gpu", "10.1.0.4", spot="Deallocate"))
    assert scene.ask("POST", f"{vm_id('gpu')}/simulateEviction").status == 204
    assert scene.power("gpu") == "PowerState/running"
    scene.wait(180)
    assert scene.power("gpu") == "PowerState/deallocated"
    assert scene.operations == [("gpu", "Microsoft.Compute/virtualMachines/simulateEviction/action", "Success")]


def test_an_eviction_deletes_a_vm_whose_policy_says_so_and_arm_goes_on_believing_in_it():
    scene = Scene(a_vm("gpu", "10.1.0.4", spot="Delete"))
    scene.cloud.compute.preempt(vm_id("gpu"))
    response = scene.ask("GET", vm_id("gpu"))
    assert (response.status, response.content["error"]["code"]) == (404, "NotFound")
    assert "x-ms-failure-cause" not in response.headers
    assert scene.ask("GET", f"{GROUP}/Microsoft.Compute/virtualMachines").content["value"] == []
    assert scene.told == []


def test_only_spot_vms_are_evicted():
    scene = Scene(a_vm("gpu", "10.1.0.4"))
    response = scene.ask("POST", f"{vm_id('gpu')}/simulateEviction")
    assert (response.status, set(response.content["error"])) == (409, {"code", "message"})
    scene.wait_for_all()
    assert scene.power("gpu") == "PowerState/running"


def test_a_vm_whose_host_crashes_is_down_for_a_while_and_comes_back_unhealthy():
    scene = Scene(a_vm("gpu", "10.1.0.4", health="healthy"))
    scene.cloud.compute.host_crash(vm_id("gpu"), 90)
    scene.wait(89)
    assert scene.power("gpu") == "PowerState/stopped"
    scene.wait(2)
    assert (scene.power("gpu"), scene.health("gpu")) == ("PowerState/running", None)
    scene.wait(10)
    assert (scene.health("gpu"), scene.told) == ("HealthState/unhealthy", [])


def test_a_vm_that_was_deallocated_after_its_host_crashed_stays_so():
    scene = Scene(a_vm("gpu", "10.1.0.4"))
    scene.cloud.compute.host_crash(vm_id("gpu"), 90)
    scene.ask("POST", f"{vm_id('gpu')}/deallocate")
    scene.wait_for_all()
    assert scene.power("gpu") == "PowerState/deallocated"


@pytest.mark.parametrize(("outcome", "status"), [("Failure", "Failed"), ("Cancel", "Canceled")])
def test_an_action_that_is_made_to_end_badly_changes_nothing_and_says_so(outcome, status):
    scene = Scene(a_vm("gpu", "10.1.0.4", "deallocated"))
    scene.cloud.azure.endings[vm_id("gpu").lower()] = outcome
    response = scene.ask("POST", f"{vm_id('gpu')}/start")
    scene.wait_for_all()
    assert follow(scene, response).content["status"] == status
    assert scene.power("gpu") == "PowerState/deallocated"
    assert scene.operations == [("gpu", "Microsoft.Compute/virtualMachines/start/action", outcome)]
    scene.ask("POST", f"{vm_id('gpu')}/start")
    scene.wait_for_all()
    assert scene.power("gpu") == "PowerState/running"


def test_a_deletion_that_fails_leaves_the_vm():
    scene = Scene(a_vm("gpu", "10.1.0.4"))
    scene.cloud.azure.endings[vm_id("gpu").lower()] = "Failure"
    scene.ask("DELETE", vm_id("gpu"))
    scene.wait_for_all()
    assert scene.ask("GET", vm_id("gpu")).content["properties"]["provisioningState"] == "Failed"
    assert scene.operations == [("gpu", "Microsoft.Compute/virtualMachines/delete", "Failure")]


def move(scene, *ids, target="Elsewhere"):
    scene.cloud.azure.ensure_group("S", "Elsewhere")
    body = {"resources": list(ids), "targetResourceGroup": f"/subscriptions/S/resourceGroups/{target}"}
    return scene.ask("POST", "/subscriptions/S/resourceGroups/G/moveResources", body)


@pytest.mark.parametrize("told", [False, True])
def test_a_move_changes_ids_at_its_end_and_tells_of_them_only_where_azure_does(told):
    scene = Scene(a_vm("gpu", "10.1.0.4"), unknowns=AssumedBehaviour(move_events=told))
    response = move(scene, vm_id("gpu"), nic_id("gpu-nic"))
    assert (response.status, follow(scene, response, "location").status) == (202, 202)
    assert scene.ask("GET", vm_id("gpu")).status == 200
    scene.wait_for_all()
    assert follow(scene, response, "location").status == 204
    assert scene.ask("GET", vm_id("gpu")).status == 404
    moved = scene.ask("GET", vm_id("gpu").replace("/G/", "/Elsewhere/")).content
    assert moved["properties"]["networkProfile"]["networkInterfaces"][0]["id"].startswith(
        "/subscriptions/S/resourceGroups/Else"
    )
    kinds = ("Microsoft.Compute/virtualMachines", "Microsoft.Network/networkInterfaces")
    own = [f"{kind}/{verb}" for kind in kinds for verb in ("write", "delete")]
    assert [operation for _, operation, _ in scene.operations if "Resources/" not in operation] == (own if told else [])


def test_what_is_not_there_or_has_nowhere_to_go_is_not_moved():
    scene = Scene(a_vm("gpu", "10.1.0.4"))
    assert move(scene, vm_id("nope")).status == 404
    assert move(scene, vm_id("gpu"), target="nowhere").status == 404
    assert move(scene, vm_id("gpu").replace("/G/", "/H/")).status in {400, 404}


def test_a_put_that_changes_nothing_is_over_at_once():
    scene = Scene(a_vm("gpu", "10.1.0.4"))
    scene.ask("PUT", vm_id("gpu"), a_body("gpu-nic"))
    scene.wait_for_all()
    response = scene.ask("PUT", vm_id("gpu"), a_body("gpu-nic"))
    assert (response.status, "azure-asyncoperation" in response.headers) == (200, False)
    assert scene.ask("GET", vm_id("gpu")).content["properties"]["provisioningState"] == "Succeeded"


def test_what_a_put_leaves_out_stays_and_secrets_are_never_served():
    scene = Scene(a_vm("gpu", "10.1.0.4"))
    body = a_body("gpu-nic")
    body["properties"]["osProfile"] = {"computerName": "poppy", "adminPassword": "secret"}
    scene.ask("PUT", vm_id("gpu"), body)
    body["properties"]["osProfile"] = {"adminUsername": "bloom"}
    scene.ask("PUT", vm_id("gpu"), body)
    served = scene.ask("GET", vm_id("gpu")).content["properties"]["osProfile"]
    assert served == {"computerName": "poppy", "adminUsername": "bloom"}


def test_a_managed_disk_has_neither_size_nor_kind_while_its_vm_is_deallocated():
    scene = Scene(a_vm("gpu", "10.1.0.4"))
    body = a_body("gpu-nic")
    disk = {"name": "d", "diskSizeGB": 30, "managedDisk": {"id": "x", "storageAccountType": "Premium_LRS"}}
    body["properties"]["storageProfile"] = {"osDisk": disk}
    scene.ask("PUT", vm_id("gpu"), body)
    scene.wait_for_all()
    assert scene.ask("GET", vm_id("gpu")).content["properties"]["storageProfile"]["osDisk"] == disk
    scene.ask("POST", f"{vm_id('gpu')}/deallocate")
    scene.wait_for_all()
    bare = {"name": "d", "managedDisk": {"id": "x"}}
    assert scene.ask("GET", vm_id("gpu")).content["properties"]["storageProfile"]["osDisk"] == bare


def test_an_extension_is_served_as_it_was_written_and_with_its_vm():
    scene = Scene(a_vm("gpu", "10.1.0.4"))
    path = f"{vm_id('gpu')}/extensions/probe"
    body = {"properties": {"publisher": "P", "type": "T", "typeHandlerVersion": "1.0", "protectedSettings": {"a": "b"}}}
    response = scene.ask("PUT", path, body)
    assert (response.status, "location" in response.headers) == (201, False)
    scene.wait_for_all()
    assert scene.ask("GET", path).content["properties"]["provisioningState"] == "Succeeded"
    assert "protectedSettings" not in scene.ask("GET", path).content["properties"]
    assert [each["name"] for each in scene.ask("GET", vm_id("gpu")).content["resources"]] == ["probe"]
    assert scene.ask("DELETE", path).status == 202
    scene.wait_for_all()
    assert scene.ask("GET", path).status == 404
    assert "resources" not in scene.ask("GET", vm_id("gpu")).content


def a_body(*nics, tags=None):
    links = [{"id": nic_id(nic)} for nic in nics]
    return {"location": "East US", "tags": tags or {}, "properties": {"networkProfile": {"networkInterfaces": links}}}


def test_a_put_makes_a_vm_with_the_nics_that_it_names():
    scene = Scene(a_vm("gpu", "10.1.0.4"))
    assert scene.ask("DELETE", vm_id("gpu")).status == 202
    scene.wait_for_all()
    scene.told.clear()
    response = scene.ask("PUT", vm_id("new"), a_body("gpu-nic", tags={"nearzone": "llama"}))
    assert (response.status, response.headers["retry-after"]) == (201, "10")
    assert response.content["properties"]["provisioningState"] == "Creating"
    assert scene.ask("GET", nic_id("gpu-nic")).content["properties"]["virtualMachine"]["id"] == vm_id("new")
    scene.wait_for_all()
    assert scene.power("new") == "PowerState/running"
    assert scene.ask("GET", vm_id("new")).content["tags"] == {"nearzone": "llama"}
    assert scene.operations == [("new", "Microsoft.Compute/virtualMachines/write", "Success")]


def test_a_put_that_names_an_unknown_nic_is_404_and_makes_nothing():
    scene = Scene()
    response = scene.ask("PUT", vm_id("new"), a_body("nope"))
    assert response.status == 404
    assert response.content["error"]["code"] == "NotFound"
    assert scene.ask("GET", vm_id("new")).status == 404


def test_a_put_on_an_existing_vm_is_an_update_and_keeps_its_power_state():
    scene = Scene(a_vm("gpu", "10.1.0.4", "stopped", tags={"old": "1"}))
    response = scene.ask("PUT", vm_id("gpu"), a_body("gpu-nic", tags={"new": "2"}))
    assert response.status == 200
    assert response.content["properties"]["provisioningState"] == "Updating"
    scene.wait_for_all()
    assert scene.power("gpu") == "PowerState/stopped"
    assert scene.ask("GET", vm_id("gpu")).content["tags"] == {"new": "2"}


def test_a_patch_changes_tags_and_tells_event_grid():
    scene = Scene(a_vm("gpu", "10.1.0.4"))
    assert scene.ask("PATCH", vm_id("gpu"), {"tags": {"nearzone-drain": "true"}}).status == 200
    scene.wait_for_all()
    assert scene.ask("GET", vm_id("gpu")).content["tags"] == {"nearzone-drain": "true"}
    assert scene.operations == [("gpu", "Microsoft.Compute/virtualMachines/write", "Success")]


def test_a_body_of_the_wrong_shape_is_400_and_names_the_field():
    response = Scene().ask("PUT", vm_id("new"), {"location": "eastus", "properties": {"networkProfile": {}}})
    assert response.status == 400
    assert "networkInterfaces" in response.content["error"]["message"]


def pages(scene, path, **query):
    found, sizes = [], []
    response = scene.ask("GET", path, **query)
    while True:
        found += response.content["value"]
        sizes.append(len(response.content["value"]))
        if "nextLink" not in response.content:
            return found, sizes
        target, _, raw = response.content["nextLink"].removeprefix("https://management.azure.com").partition("?")
        response = scene.cloud.handle(Request("GET", target, dict(each.split("=", 1) for each in raw.split("&"))))


def test_a_listing_comes_in_pages_of_irregular_size_and_holds_every_vm_once():
    scene = Scene(*[a_vm(f"gpu-{n}", f"10.1.{1 + n // 200}.{n % 200 + 4}") for n in range(900)])
    found, sizes = pages(scene, "/subscriptions/S/providers/Microsoft.Compute/virtualMachines")
    assert len(found) == len({vm["id"] for vm in found}) == 900
    assert len(set(sizes[:-1])) > 1


def test_a_vm_deleted_between_two_pages_hides_no_other():
    scene = Scene(*[a_vm(f"gpu-{n}", f"10.1.1.{n + 4}") for n in range(9)])
    scene.cloud.compute.page_sizes = (3,)
    first = scene.ask("GET", f"{GROUP}/Microsoft.Compute/virtualMachines").content
    for gone in ("gpu-0", "gpu-4"):
        scene.cloud.compute.vms.remove(scene.cloud.compute.vms.find(vm_id(gone)))
    target, _, raw = first["nextLink"].removeprefix("https://management.azure.com").partition("?")
    second = scene.cloud.handle(Request("GET", target, dict(each.split("=", 1) for each in raw.split("&"))))
    assert [vm["name"] for vm in second.content["value"]] == ["gpu-3", "gpu-5", "gpu-6"]


def test_a_listing_of_a_group_holds_only_that_group():
    scene = Scene(a_vm("a", "10.1.0.4"), a_vm("b", "10.1.0.5"))
    scene.cloud.compute.move(vm_id("b"), "G2")
    found, _ = pages(scene, f"{GROUP}/Microsoft.Compute/virtualMachines")
    assert [vm["name"] for vm in found] == ["a"]


@pytest.mark.parametrize("with_health", [True, False])
def test_a_status_listing_has_power_states_but_neither_tags_nor_nics(with_health):
    scene = Scene(a_vm("gpu", "10.1.0.4", health="healthy", tags={"nearzone": "llama"}))
    scene.cloud.compute.status_only_health = with_health
    found, _ = pages(scene, "/subscriptions/S/providers/Microsoft.Compute/virtualMachines", statusOnly="true")
    [vm] = found
    assert set(vm) == {"id", "name", "type", "location", "properties"}
    assert set(vm["properties"]) == {"provisioningState", "instanceView"}
    assert ("vmHealth" in vm["properties"]["instanceView"]) is with_health
    assert vm["properties"]["instanceView"]["statuses"][1]["code"] == "PowerState/running"


def test_the_remaining_budget_of_a_vm_falls_with_each_get_and_fills_up_again():
    scene = Scene(a_vm("gpu", "10.1.0.4"))
    header = "x-ms-ratelimit-remaining-resource"
    first, second = (scene.ask("GET", vm_id("gpu")).headers[header] for _ in range(2))
    assert first == "Microsoft.Compute/LowCostGetSubscriptionMaximum;23999,Microsoft.Compute/LowCostGetResource;35"
    assert second.endswith("LowCostGetResource;34")
    scene.wait(60)
    assert scene.ask("GET", vm_id("gpu")).headers[header] == first


def test_a_vm_asked_too_often_is_refused_only_where_limits_are_enforced():
    scene = Scene(a_vm("gpu", "10.1.0.4"))
    assert {scene.ask("GET", vm_id("gpu")).status for _ in range(50)} == {200}
    scene.cloud.compute.limits.enforce = True
    response = scene.ask("GET", vm_id("gpu"))
    assert response.status == 429
    assert response.headers["retry-after"] == "5"
    scene.wait(5)
    assert scene.ask("GET", vm_id("gpu")).status == 200


EXPECTED = [
    # method, path below the VM, status, headers that must be there - source
    ("GET", "", 200, {"x-ms-ratelimit-remaining-resource"}),  # azure-cli, test_vm_create_state_modifications 24
    ("POST", "/start", 202, {"azure-asyncoperation", "location"}),  # the same, 42
    ("POST", "/powerOff", 202, {"azure-asyncoperation", "location"}),  # the same, 38
    ("POST", "/restart", 202, {"azure-asyncoperation", "location"}),  # the same, 46
    ("POST", "/deallocate", 202, {"azure-asyncoperation", "location"}),  # the same, 61
    ("DELETE", "", 202, {"azure-asyncoperation", "location", "retry-after"}),  # ASO, Test_Compute_VM_20201201 39
    ("GET", "/instanceView", 200, {"x-ms-ratelimit-remaining-resource"}),  # OpenAPI 2024-03-01
    ("POST", "/redeploy", 202, {"azure-asyncoperation", "location"}),  # azure-cli, test_vm_redeploy 19
    ("POST", "/reapply", 202, {"azure-asyncoperation", "location"}),  # the same, 16
    ("POST", "/generalize", 200, {"x-ms-ratelimit-remaining-resource"}),  # azure-cli, test_vm_generalize 20
    (
        "POST",
        "/simulateEviction",
        409,
        {"x-ms-ratelimit-remaining-resource"},
    ),  # azure-cli, test_vm_simulate_eviction 15
    ("POST", "/capture", 405, set()),  # not simulated, and says so
]


@pytest.mark.parametrize(("method", "tail", "status", "headers"), EXPECTED)
def test_calls_on_a_vm_answer_as_recorded(method, tail, status, headers):
    response = Scene(a_vm("gpu", "10.1.0.4")).ask(method, vm_id("gpu") + tail)
    assert response.status == status
    assert headers <= set(response.headers)


def sample(name):
    return json.loads((SAMPLES / f"{name}.json").read_text())["response"]


@present
@pytest.mark.parametrize("power", ["running", "stopped", "deallocated"])
def test_a_vm_has_no_field_that_the_recorded_one_of_the_same_power_state_lacks(power):
    recorded = sample(f"vm_get_instanceView_{power}")["body"]["properties"]
    found = Scene(a_vm("gpu", "10.1.0.4", power)).ask("GET", vm_id("gpu"), **{"$expand": "instanceView"})
    served = found.content["properties"]
    assert set(served) <= set(recorded)
    assert set(served["instanceView"]) <= set(recorded["instanceView"])
    assert [set(each) for each in served["instanceView"]["statuses"]] == [
        set(each) for each in recorded["instanceView"]["statuses"]
    ]
    assert served["instanceView"]["statuses"][1] == recorded["instanceView"]["statuses"][1]


@present
@pytest.mark.parametrize(
    ("name", "method", "tail"), [("vm_deallocate_202", "POST", "/deallocate"), ("vm_delete_202", "DELETE", "")]
)
def test_a_long_running_call_carries_the_recorded_headers(name, method, tail):
    recorded = sample(name)
    response = Scene(a_vm("gpu", "10.1.0.4")).ask(method, vm_id("gpu") + tail)
    ours = {"azure-asyncoperation", "location", "x-ms-ratelimit-remaining-resource"}
    assert response.status == recorded["status"]
    assert ours <= set(recorded["headers"]) & set(response.headers)
    for header in ("azure-asyncoperation", "location"):
        old, new = (
            each.headers[header] if each is response else each["headers"][header] for each in (recorded, response)
        )
        assert [part.split("=")[0] for part in old.split("?")[1].split("&")] == [
            part.split("=")[0] for part in new.split("?")[1].split("&")
        ]


@present
@pytest.mark.parametrize(
    ("name", "seconds"), [("compute_operation_inprogress", 0), ("compute_operation_succeeded", 60)]
)
def test_an_operation_has_the_recorded_fields(name, seconds):
    scene = Scene(a_vm("gpu", "10.1.0.4"))
    response = scene.ask("POST", f"{vm_id('gpu')}/deallocate")
    scene.wait(seconds)
    recorded, served = sample(name)["body"], follow(scene, response).content
    assert set(served) == set(recorded)
    assert served["status"] == recorded["status"]
    assert len(served["startTime"]) in {len(recorded["startTime"]), len("2023-05-25T10:34:37.0887450+00:00")}


@present
def test_an_update_answers_as_recorded():
    recorded = sample("vm_put_200_update")
    response = Scene(a_vm("gpu", "10.1.0.4")).ask("PUT", vm_id("gpu"), a_body("gpu-nic"))
    assert response.status == recorded["status"]
    assert response.content["properties"]["provisioningState"] == recorded["body"]["properties"]["provisioningState"]
    assert set(response.content) <= set(recorded["body"])
    assert set(response.content["properties"]) <= set(recorded["body"]["properties"])


def test_a_call_without_an_api_version_is_400():
    assert Scene(a_vm("gpu", "10.1.0.4")).cloud.handle(Request("GET", vm_id("gpu"), {})).status == 400
