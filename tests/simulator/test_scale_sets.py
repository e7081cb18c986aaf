"""Scale sets answer, scale and complete as recorded; each test that follows a recording names it."""

import json

import pytest

from simulator.oracle.answers import expected
from simulator.private_dns.rules import AssumedBehaviour
from simulator.world.world import WorldError, read
from tests.support.small_world import A_SERVER, GROUP, VNET, Scene, a_vm, vm_id

SET = f"{GROUP}/Microsoft.Compute/virtualMachineScaleSets/pool"
TYPE = "Microsoft.Compute/virtualMachineScaleSets"


def an_instance(number, address, power="running", health=None):
    return {"id": str(number), "power": power, "address": address, "health": health}


def a_set(*instances, mode="Uniform", **more):
    entry = {"id": SET, "location": "eastus", "mode": mode, "vnet": VNET, "instances": list(instances)}
    return {**entry, **more}


def two(**more):
    return Scene(scale_sets=[a_set(an_instance(0, "10.1.0.10"), an_instance(1, "10.1.0.11"), **more)])


def a_body(capacity, mode="Uniform", tags=None):
    ip = {"name": "ip", "properties": {"subnet": {"id": f"{VNET}/subnets/small"}}}
    nic = {"name": "nic", "properties": {"primary": True, "deleteOption": "Delete", "ipConfigurations": [ip]}}
    profile = {"networkProfile": {"networkInterfaceConfigurations": [nic]}}
    properties = {"orchestrationMode": mode, "virtualMachineProfile": profile}
    return {
        "location": "eastus",
        "tags": tags or {},
        "sku": {"name": "A", "capacity": capacity},
        "properties": properties,
    }


def instances(scene, **query):
    return scene.ask("GET", f"{SET}/virtualMachines", **query).content["value"]


def numbers(scene):
    return [each["instanceId"] for each in instances(scene)]


def power(scene, number):
    view = scene.ask("GET", f"{SET}/virtualMachines/{number}/instanceView").content
    return view["statuses"][1]["code"].removeprefix("PowerState/")


def addresses(scene):
    nics = scene.ask("GET", f"{SET}/networkInterfaces").content["value"]
    return [each["properties"]["ipConfigurations"][0]["properties"]["privateIPAddress"] for each in nics]


def test_a_scale_set_of_the_world_is_served_by_itself_and_in_both_lists():
    scene = two(tags={"nearzone": "llama"})
    found = scene.ask("GET", SET).content
    assert (found["type"], found["sku"]["capacity"], found["tags"]) == (TYPE, 2, {"nearzone": "llama"})
    assert found["properties"]["orchestrationMode"] == "Uniform"
    for scope in (GROUP, "/subscriptions/S/providers"):
        assert scene.ask("GET", f"{scope}/{TYPE}").content["value"] == [found]


def test_the_nics_of_a_new_scale_set_have_what_azure_adds_and_what_the_client_wrote():
    """Azure Service Operator, Test_Compute_VMSS_20220301_CRUD, 19."""
    scene = Scene()
    created = scene.ask("PUT", SET, a_body(1))
    assert created.status == 201
    for properties in (created.content["properties"], scene.ask("GET", SET).content["properties"]):
        [nic] = properties["virtualMachineProfile"]["networkProfile"]["networkInterfaceConfigurations"]
        added = {"disableTcpStateTracking": False, "dnsSettings": {"dnsServers": []}, "enableIPForwarding": False}
        assert added.items() <= nic["properties"].items()
        assert (nic["properties"]["primary"], nic["properties"]["deleteOption"]) == (True, "Delete")
        [ip] = nic["properties"]["ipConfigurations"]
        assert ip["properties"] == {"privateIPAddressVersion": "IPv4", "subnet": {"id": f"{VNET}/subnets/small"}}


def test_a_subnet_names_the_addresses_of_instances_in_capitals_while_they_are_there():
    """Azure Service Operator, Test_Compute_v20220301_CreationAndDeletion, 39."""
    scene = Scene()
    scene.ask("PUT", SET, a_body(1))
    nic = f"{SET}/VIRTUALMACHINES/0/NETWORKINTERFACES/NIC".partition("/resourceGroups/")[2].upper()
    [used] = scene.ask("GET", f"{VNET}/subnets/small").content["properties"]["ipConfigurations"]
    assert used == {"id": f"/subscriptions/S/resourceGroups/{nic}/ipConfigurations/IP"}
    scene.wait_for_all()
    scene.ask("DELETE", SET)
    scene.wait_for_all()
    assert "ipConfigurations" not in scene.ask("GET", f"{VNET}/subnets/small").content["properties"]


def test_a_scale_set_that_is_not_there_is_404_from_arm_itself():
    """Azure Service Operator, Test_Compute_VMSS_20220301_CRUD, 18."""
    response = Scene().ask("GET", SET)
    assert (response.status, response.headers["x-ms-failure-cause"]) == (404, "gateway")
    assert response.content["error"]["code"] == "ResourceNotFound"


def test_an_instance_shows_power_and_health_only_when_its_view_is_asked_for():
    scene = Scene(scale_sets=[a_set(an_instance(3, "10.1.0.10", health="healthy"))])
    [plain], [full] = instances(scene), instances(scene, **{"$expand": "instanceView"})
    assert "instanceView" not in plain["properties"]
    assert full["properties"]["instanceView"]["vmHealth"]["status"]["code"] == "HealthState/healthy"
    assert (plain["name"], plain["instanceId"], plain["id"]) == ("pool_3", "3", f"{SET}/virtualMachines/3")
    one = scene.ask("GET", f"{SET}/virtualMachines/3", **{"$expand": "instanceView"}).content
    assert one == full


def test_instances_are_listed_by_number_and_in_pages():
    many = [an_instance(n, f"10.1.1.{n + 4}") for n in (200, *range(130))]
    scene = Scene(scale_sets=[a_set(*many)])
    first = scene.ask("GET", f"{SET}/virtualMachines").content
    token = first["nextLink"].partition("skiptoken=")[2].partition("&")[0]
    second = scene.ask("GET", f"{SET}/virtualMachines", **{"$skiptoken": token}).content
    found = [int(each["instanceId"]) for each in first["value"] + second["value"]]
    assert found == [*range(130), 200]


def test_the_nics_of_instances_are_served_below_their_scale_set_alone():
    """azure-cli, test_vmss_nics, 15 to 18."""
    scene = two()
    assert addresses(scene) == ["10.1.0.10", "10.1.0.11"]
    [nic] = scene.ask("GET", f"{SET}/virtualMachines/1/networkInterfaces").content["value"]
    response = scene.ask("GET", nic["id"])
    assert (response.content, response.headers["etag"]) == (nic, nic["etag"])
    assert nic["properties"]["virtualMachine"]["id"] == f"{SET}/virtualMachines/1"
    assert set(nic) == {"name", "id", "etag", "properties", "location"}
    assert scene.ask("GET", f"{GROUP}/Microsoft.Network/networkInterfaces").content["value"] == []


def test_scaling_out_makes_instances_with_new_numbers_and_addresses_and_tells_of_one_write():
    scene = two()
    response = scene.ask("PATCH", SET, {"sku": {"capacity": 4}})
    assert response.status == 200
    assert response.content["properties"]["provisioningState"] == "Updating"
    assert power(scene, 3) == "starting"
    scene.wait_for_all()
    assert (numbers(scene), power(scene, 3)) == (["0", "1", "2", "3"], "running")
    assert len(set(addresses(scene))) == 4
    assert scene.operations == [("pool", f"{TYPE}/write", "Success")]


def test_scaling_in_takes_the_newest_and_gives_its_address_back():
    """azure-cli, test_vmss_create_and_modify, 38 to 43: of 1, 2, 4, 5 and 6, the last one goes."""
    scene = two()
    scene.ask("PUT", SET, {"location": "eastus", "sku": {"name": "A", "capacity": 1}})
    scene.wait_for_all()
    assert (numbers(scene), addresses(scene)) == (["0"], ["10.1.0.10"])
    assert "10.1.0.11" not in scene.cloud.network.vnets.find(VNET).taken
    assert scene.operations == [("pool", f"{TYPE}/write", "Success")]
    scene.ask("PATCH", SET, {"sku": {"capacity": 2}})
    scene.wait_for_all()
    assert numbers(scene) == ["0", "2"]


def test_a_subnet_that_is_full_stops_a_scale_out_and_leaves_everything_as_it_was():
    scene = Scene()
    response = scene.ask("PUT", SET, a_body(9))
    assert (response.status, response.content["error"]["code"]) == (400, "SubnetIsFull")
    assert scene.ask("GET", SET).status == 404
    assert scene.cloud.network.vnets.find(VNET).taken == {}
    assert scene.ask("PUT", SET, a_body(3)).status == 201


def test_a_new_scale_set_has_no_location_header_and_answers_as_recorded():
    """Azure Service Operator, Test_Compute_VMSS_20220301_CRUD, 19 to 26."""
    scene = Scene()
    response = scene.ask("PUT", SET, a_body(1))
    assert (response.status, response.headers["retry-after"]) == (201, "10")
    assert ("azure-asyncoperation" in response.headers, "location" in response.headers) == (True, False)
    assert response.content["sku"]["tier"] == "Standard"
    assert response.content["properties"]["provisioningState"] == "Creating"
    scene.wait_for_all()
    view = scene.ask("GET", f"{SET}/instanceView").content
    assert view["virtualMachine"]["statusesSummary"] == [{"code": "ProvisioningState/succeeded", "count": 1}]


@pytest.mark.parametrize(
    ("action", "name", "after"),
    [
        ("poweroff", "powerOff", "stopped"),
        ("deallocate", "deallocate", "deallocated"),
        ("restart", "restart", "running"),
    ],
)
def test_an_action_on_the_set_is_for_those_named_and_tells_of_the_set(action, name, after):
    scene = two()
    response = scene.ask("POST", f"{SET}/{action}", {"instanceIds": ["1"]})
    assert (response.status, response.content) == (202, None)
    scene.wait_for_all()
    assert (power(scene, 0), power(scene, 1)) == ("running", after)
    assert scene.operations == [("pool", f"{TYPE}/{name}/action", "Success")]


@pytest.mark.parametrize("body", [{}, {"instanceIds": ["*"]}])
def test_an_action_that_names_nobody_is_for_all(body):
    """azure-cli, test_vmss_create_and_modify, 27 and 49."""
    scene = two()
    scene.ask("POST", f"{SET}/deallocate", body)
    scene.wait_for_all()
    assert [power(scene, number) for number in (0, 1)] == ["deallocated"] * 2


def test_an_action_that_names_a_stranger_is_400_and_does_nothing():
    scene = two()
    assert scene.ask("POST", f"{SET}/deallocate", {"instanceIds": ["0", "7"]}).status == 400
    assert power(scene, 0) == "running"


def test_deleting_some_makes_the_scale_set_smaller():
    """azure-cli, test_vmss_create_and_modify, 44 to 48."""
    scene = two()
    scene.ask("POST", f"{SET}/delete", {"instanceIds": ["0"]})
    scene.wait_for_all()
    assert (numbers(scene), scene.ask("GET", SET).content["sku"]["capacity"]) == (["1"], 1)
    assert scene.operations == [("pool", f"{TYPE}/delete/action", "Success")]


def test_what_is_done_to_one_instance_has_it_as_its_subject():
    scene = two()
    scene.ask("POST", f"{SET}/virtualMachines/0/deallocate")
    scene.ask("DELETE", f"{SET}/virtualMachines/1")
    scene.wait_for_all()
    assert (numbers(scene), power(scene, 0)) == (["0"], "deallocated")
    assert {(note.resource_id, note.operation, note.family) for note in scene.told} == {
        (f"{SET}/virtualMachines/0", f"{TYPE}/virtualMachines/deallocate/action", "Action"),
        (f"{SET}/virtualMachines/1", f"{TYPE}/virtualMachines/delete", "Delete"),
    }


def test_an_instance_that_is_not_there_is_the_providers_404():
    response = two().ask("GET", f"{SET}/virtualMachines/9")
    assert (response.status, response.content["error"]["code"]) == (404, "NotFound")
    assert "x-ms-failure-cause" not in response.headers


def test_a_deleted_scale_set_takes_its_instances_and_their_addresses_with_it():
    scene = two()
    assert scene.ask("DELETE", SET).status == 202
    scene.wait_for_all()
    assert scene.ask("GET", SET).status == 404
    assert scene.cloud.network.vnets.find(VNET).taken == {}
    assert scene.operations == [("pool", f"{TYPE}/delete", "Success")]
    assert scene.ask("DELETE", SET).status == 204


def test_a_scale_out_that_fails_leaves_only_what_was_there():
    scene = two()
    scene.cloud.azure.endings[SET.lower()] = "Failure"
    scene.ask("PATCH", SET, {"sku": {"capacity": 3}})
    scene.wait_for_all()
    found = scene.ask("GET", SET).content
    assert (numbers(scene), found["sku"]["capacity"]) == (["0", "1"], 2)
    assert found["properties"]["provisioningState"] == "Failed"
    assert scene.operations == [("pool", f"{TYPE}/write", "Failure")]


@pytest.mark.parametrize("told", [False, True])
def test_a_flexible_scale_set_scales_by_ordinary_vms(told):
    """azure-cli, test_vm_list_filter, 9 to 12: names and the link to the scale set."""
    scene = Scene(unknowns=AssumedBehaviour(flexible_vm_events=told))
    scene.ask("PUT", SET, a_body(2, mode="Flexible", tags={"nearzone": "llama"}))
    scene.wait_for_all()
    wanted = {"$filter": f"'virtualMachineScaleSet/id' eq '{SET}'"}
    found = scene.ask("GET", f"{GROUP}/Microsoft.Compute/virtualMachines", **wanted).content["value"]
    assert len(found) == 2
    assert {each["properties"]["virtualMachineScaleSet"]["id"] for each in found} == {SET}
    assert all(each["name"].startswith("pool_") and len(each["name"]) == 13 for each in found)
    writes = ["Microsoft.Compute/virtualMachines/write"] * 2 * told
    assert [operation for _, operation, _ in scene.operations] == [*writes, f"{TYPE}/write"]
    scene.ask("PATCH", SET, {"sku": {"capacity": 0}})
    scene.wait_for_all()
    assert len(scene.cloud.compute.vms) == len(scene.cloud.network.nics) == 0


def test_a_list_by_scale_set_holds_only_its_vms_with_their_views_where_asked_for():
    flexible = a_set(mode="Flexible")
    scene = Scene(a_vm("in", "10.1.0.4", scale_set=SET), a_vm("out", "10.1.0.5"), scale_sets=[flexible])
    query = {"$filter": f"'virtualMachineScaleSet/id' eq '{SET.upper()}'", "$expand": "instanceView"}
    [found] = scene.ask("GET", "/subscriptions/S/providers/Microsoft.Compute/virtualMachines", **query).content["value"]
    assert found["id"] == vm_id("in")
    assert found["properties"]["instanceView"]["statuses"][1]["code"] == "PowerState/running"


def test_each_kind_of_call_has_its_own_budget():
    """Names as recorded: azure-cli, test_vmss_create_and_modify; ASO, Test_Compute_VMSS_20220301_CRUD."""
    scene = two()
    calls = [
        ("GET", "", "GetVMScaleSet"),
        ("GET", "/instanceView", "HighCostGetVMScaleSet"),
        ("GET", "/virtualMachines", "HighCostGetVMScaleSet"),
        ("POST", "/start", "VMScaleSetActions"),
        ("POST", "/deallocate", "DeleteVMScaleSet"),
        ("DELETE", "", "DeleteVMScaleSet"),
    ]
    for method, tail, policy in calls:
        header = scene.ask(method, SET + tail).headers["x-ms-ratelimit-remaining-resource"]
        assert f"Microsoft.Compute/{policy}Resource;" in header
        assert f"Microsoft.Compute/{policy}SubscriptionMaximum;" in header


def test_tags_of_a_scale_set_can_be_written_by_themselves():
    scene = two()
    path = f"{SET}/providers/Microsoft.Resources/tags/default"
    assert scene.ask("PATCH", path, {"operation": "Merge", "properties": {"tags": {"a": "b"}}}).status == 200
    assert scene.ask("GET", SET).content["tags"] == {"a": "b"}


def test_a_world_is_written_as_it_was_read():
    flexible = a_set(mode="Flexible", id=SET + "2", instances=[])
    instance = an_instance(0, "10.1.5.4", "deallocated", "healthy") | {"server": A_SERVER}
    uniform = a_set(instance, tags={"nearzone": "x"}, subnet="small")
    vm = a_vm("in", "10.1.0.4", scale_set=SET + "2", spot="Delete")
    scene = Scene(vm, scale_sets=[uniform, flexible])
    written = scene.cloud.world()
    assert written["scale_sets"][0]["instances"] == [instance]
    assert written["scale_sets"][0]["tags"] == {"nearzone": "x"}
    assert written["scale_sets"][1]["mode"] == "Flexible"
    assert (written["vms"][0]["scale_set"], written["vms"][0]["spot"]) == (SET + "2", "Delete")
    again = Scene(*written["vms"], scale_sets=written["scale_sets"])
    assert again.cloud.world() == written


@pytest.mark.parametrize(
    ("scale_sets", "vms", "words"),
    [
        (
            [a_set(an_instance(0, "10.1.0.4"))],
            [a_vm("gpu", "10.1.0.4")],
            "instances[0].address: 10.1.0.4 is used twice",
        ),
        ([a_set(an_instance(0, "10.9.0.4"))], [], "not in the prefixes"),
        ([a_set(an_instance(0, "10.1.0.4"), mode="Flexible")], [], "flexible scale set has VMs"),
        ([a_set(an_instance(0, "10.1.0.4"), an_instance(0, "10.1.0.5"))], [], "instances[1].id: found '0' twice"),
        ([a_set()], [a_vm("gpu", "10.1.0.4", scale_set=SET)], "vms[0].scale_set"),
        ([a_set(vnet=VNET + "x")], [], "scale_sets[0].vnet"),
    ],
)
def test_a_world_that_cannot_be_names_the_field(scale_sets, vms, words):
    vnet = {"id": VNET, "location": "eastus", "prefixes": ["10.1.0.0/16"]}
    with pytest.raises(WorldError) as caught:
        read(json.dumps({"vnets": [vnet], "vms": vms, "scale_sets": scale_sets}))
    assert words in str(caught.value)


def test_instances_claim_what_their_scale_set_claims_and_its_own_name():
    running, stopped = an_instance(0, "10.1.0.10"), an_instance(1, "10.1.0.11", "stopped")
    scene = Scene(scale_sets=[a_set(running, stopped, an_instance(2, "10.1.0.12"), tags={"nearzone": "llama"})])
    zone = f"{GROUP}/Microsoft.Network/privateDnsZones/ai.internal"
    world = scene.cloud.world()
    world["settings"] = {
        "NEARZONE_ZONES": [{"id": zone, "region": "eastus"}],
        "NEARZONE_SUBSCRIPTIONS": ["s"],
        "NEARZONE_CLAIMS": {"*": ["s"]},
        "NEARZONE_POLICIES": {"*": {"min_endpoints": 1}},
    }
    answers = expected(world)
    assert answers[zone.lower(), "llama"][1] == {"10.1.0.10", "10.1.0.12"}
    assert answers[zone.lower(), "pool"][1] == {"10.1.0.10", "10.1.0.12"}
    drained = expected(world, frozenset({f"{SET}/virtualMachines/0"}))
    assert drained[zone.lower(), "llama"][1] == {"10.1.0.12"}
