"""Application Gateways, API Management services and Container Apps environments: states, addresses and events.

Recorded shapes: `fidelity.py`.
"""

import pytest

from simulator.gateways.regions import display_name
from tests.support.small_world import GROUP, VNET, Scene, nic_id

AGW = f"{GROUP}/Microsoft.Network/applicationGateways/agw"
APIM = f"{GROUP}/Microsoft.ApiManagement/service/apim"
ENV = f"{GROUP}/Microsoft.App/managedEnvironments/env"
SUBNET = {"id": f"{VNET}/subnets/small"}
PUBLIC = {"id": f"{GROUP}/Microsoft.Network/publicIPAddresses/ip"}
NETWORK = {"virtualNetworkConfiguration": {"subnetResourceId": SUBNET["id"]}}


def gateway(**more):
    frontends = [
        {"name": "in", "properties": {"subnet": SUBNET}},
        {"name": "out", "properties": {"publicIPAddress": PUBLIC}},
    ]
    listener = {
        "name": "http",
        "properties": {"frontendIPConfiguration": {"id": f"{AGW}/frontendIPConfigurations/in"}},
    }
    secret = {"name": "tls", "properties": {"data": "c2VjcmV0", "password": "hidden"}}
    parts = {"frontendIPConfigurations": frontends, "httpListeners": [listener], "sslCertificates": [secret]}
    sku = {"name": "Standard_v2", "tier": "Standard_v2", "capacity": 2}
    return {"location": "eastus", "tags": {"a": "b"}, "properties": {**parts, "sku": sku, **more}}


def service(mode="Internal", *places, **more):
    properties = {"publisherEmail": "a@b.c", "publisherName": "a", "virtualNetworkType": mode, **NETWORK, **more}
    places = [{"location": each, "sku": {"name": "Premium", "capacity": 1}, **NETWORK} for each in places]
    sku = {"name": "Premium", "capacity": 1}
    return {"location": "eastus", "sku": sku, "properties": {**properties, "additionalLocations": places}}


def environment(*, internal=True):
    network = {"internal": internal, "infrastructureSubnetId": SUBNET["id"]}
    return {"location": "eastus", "properties": {"vnetConfiguration": network}}


def made(path, body):
    """A scene with one resource, whose event is forgotten."""
    scene = Scene()
    assert scene.ask("PUT", path, body).status == 201
    scene.wait_for_all()
    scene.told.clear()
    return scene


def properties(scene, path):
    return scene.ask("GET", path).content["properties"]


def states(scene):
    found = properties(scene, AGW)
    return found["provisioningState"], found["operationalState"]


def taken(scene):
    return scene.cloud.network.vnets.find(VNET).taken


def test_a_new_gateway_is_stopped_until_its_first_write_ends_and_runs_during_the_next_one():
    scene = Scene()
    begun = scene.ask("PUT", AGW, gateway())
    assert (begun.status, states(scene)) == (201, ("Updating", "Stopped"))
    assert "azure-asyncoperation" in begun.headers
    assert "location" not in begun.headers
    assert begun.content["etag"] != scene.ask("GET", AGW).content["etag"]
    scene.wait_for_all()
    assert states(scene) == ("Succeeded", "Running")
    assert scene.ask("PUT", AGW, gateway()).status == 200
    assert states(scene) == ("Updating", "Running")
    scene.wait_for_all()
    assert scene.operations == [("agw", "Microsoft.Network/applicationGateways/write", "Success")] * 2


def test_a_gateway_shows_addresses_listeners_and_no_secrets():
    found = properties(made(AGW, gateway()), AGW)
    inside, outside = (each["properties"] for each in found["frontendIPConfigurations"])
    assert (inside["privateIPAddress"], inside["httpListeners"]) == ("10.1.5.4", [{"id": f"{AGW}/httpListeners/http"}])
    assert "privateIPAddress" not in outside
    assert outside["publicIPAddress"] == PUBLIC
    assert found["sslCertificates"][0]["properties"] == {"provisioningState": "Succeeded"}


@pytest.mark.parametrize(
    ("action", "during", "after"), [("stop", "Stopping", "Stopped"), ("start", "Starting", "Running")]
)
def test_a_gateway_stops_and_starts_in_a_while_and_event_grid_is_told_at_the_end(action, during, after):
    scene = made(AGW, gateway())
    assert scene.ask("POST", f"{AGW}/{action}").status == 202
    assert (states(scene), scene.told) == (("Updating", during), [])
    scene.wait_for_all()
    assert states(scene) == ("Succeeded", after)
    assert scene.operations == [("agw", f"Microsoft.Network/applicationGateways/{action}/action", "Success")]
    assert scene.told[0].family == "Action"


def test_a_deleted_gateway_gives_its_address_back():
    scene = made(AGW, gateway())
    assert taken(scene) == {"10.1.5.4": AGW}
    assert scene.ask("DELETE", AGW).status == 202
    assert states(scene)[0] == "Deleting"
    scene.wait_for_all()
    assert (scene.ask("GET", AGW).status, taken(scene)) == (404, {})
    assert scene.operations == [("agw", "Microsoft.Network/applicationGateways/delete", "Success")]


def test_a_frontend_has_either_a_subnet_or_a_public_address():
    both = [{"name": "f", "properties": {"subnet": SUBNET, "publicIPAddress": PUBLIC}}]
    assert Scene().ask("PUT", AGW, gateway(frontendIPConfigurations=both)).status == 400


def joined(*pools):
    """A NIC that is in these pools of the gateway."""
    named = {"applicationGatewayBackendAddressPools": [{"id": f"{AGW}/backendAddressPools/{each}"} for each in pools]}
    ip = {"name": "i", "properties": {"subnet": SUBNET, **named}}
    return {"location": "eastus", "properties": {"ipConfigurations": [ip]}}


def pool(scene):
    """The first pool of the gateway as served, without its state, and how many backends the world has then."""
    found = properties(scene, AGW)["backendAddressPools"][0]["properties"]
    (entry,) = scene.cloud.world()["application_gateways"]
    return {key: value for key, value in found.items() if key != "provisioningState"}, entry["backends"]


def test_a_nic_is_in_a_pool_of_a_gateway_that_it_names_and_leaves_it_with_a_write_without_it_or_its_deletion():
    scene = made(AGW, gateway(backendAddressPools=[{"name": "p", "properties": {"backendAddresses": []}}]))
    empty = {"backendAddresses": []}, 0
    full = {"backendAddresses": [], "backendIPConfigurations": [{"id": f"{nic_id('n')}/ipConfigurations/i"}]}, 1
    assert pool(scene) == empty
    scene.ask("PUT", nic_id("n"), joined("P"))
    assert pool(scene) == full
    scene.ask("PUT", AGW, scene.ask("GET", AGW).content)
    assert pool(scene) == full, "a client that writes back what it has read changes nothing"
    scene.ask("PUT", nic_id("n"), joined())
    assert pool(scene) == empty, "nor does the gateway keep what it only showed"
    scene.ask("PUT", nic_id("n"), joined("p"))
    scene.ask("DELETE", nic_id("n"))
    assert pool(scene) == empty


def test_the_instances_of_a_scale_set_are_in_the_pool_of_a_gateway_that_its_model_names_and_their_nics_say_so():
    scene = made(AGW, gateway(backendAddressPools=[{"name": "p", "properties": {"backendAddresses": []}}]))
    configuration = joined("p")["properties"] | {"primary": True}
    profile = {"networkProfile": {"networkInterfaceConfigurations": [{"name": "n", "properties": configuration}]}}
    model = {"orchestrationMode": "Uniform", "virtualMachineProfile": profile}
    scale_set = f"{GROUP}/Microsoft.Compute/virtualMachineScaleSets/pool"
    size = {"sku": {"name": "Standard_D2s_v3", "capacity": 2}}
    scene.ask("PUT", scale_set, {"location": "eastus", "properties": model} | size)
    scene.wait_for_all()
    nics = scene.ask("GET", f"{scale_set}/networkInterfaces").content["value"]
    ips = [ip for nic in nics for ip in nic["properties"]["ipConfigurations"]]
    named = [{"id": f"{AGW}/backendAddressPools/p"}]
    assert [ip["properties"]["applicationGatewayBackendAddressPools"] for ip in ips] == [named, named]
    assert pool(scene)[0]["backendIPConfigurations"] == [{"id": ip["id"]} for ip in ips]


@pytest.mark.parametrize(
    ("more", "backends"),
    [
        ({}, 1),
        ({"backendAddressPools": [{"name": "p"}]}, 1),
        ({"backendAddressPools": [{"name": "p", "properties": {"backendAddresses": []}}]}, 0),
        ({"backendAddressPools": [{"name": "p", "properties": {"backendAddresses": [{"fqdn": "b.example"}] * 3}}]}, 3),
        (
            {"backendAddressPools": [{"name": "p", "properties": {"backendAddresses": []}}]}
            | {"redirectConfigurations": [{"name": "r", "properties": {"targetUrl": "https://b.example"}}]},
            1,
        ),
    ],
    ids=["no pool", "a pool that tells nothing", "an empty pool", "a pool", "a redirect"],
)
def test_a_world_tells_how_many_backends_a_written_gateway_shows(more, backends):
    (entry,) = made(AGW, gateway(**more)).cloud.world()["application_gateways"]
    assert entry["backends"] == backends


def test_the_gateway_of_a_world_has_as_many_backends_as_its_file_says_in_the_pool_of_its_rules():
    frontend = {"name": "in", "vnet": VNET, "subnet": "small", "address": "10.1.5.4"}
    entry = {"id": AGW, "location": "eastus", "frontends": [frontend], "backends": 2}
    found = properties(Scene(application_gateways=[entry]), AGW)
    (only,), (rule,) = found["backendAddressPools"], found["requestRoutingRules"]
    assert len(only["properties"]["backendAddresses"]) == 2
    assert rule["properties"]["backendAddressPool"] == {"id": only["id"]}
    assert rule["properties"]["httpListener"] == {"id": found["httpListeners"][0]["id"]}


def test_a_service_has_no_address_until_it_is_there_and_then_one_for_each_location():
    scene = Scene()
    begun = scene.ask("PUT", APIM, service("Internal", "westeurope"))
    assert (begun.status, begun.content["properties"]["provisioningState"]) == (201, "Activating")
    assert begun.content["properties"]["privateIPAddresses"] is None
    scene.wait_for_all()
    found = properties(scene, APIM)
    (other,) = found["additionalLocations"]
    assert (found["privateIPAddresses"], other["privateIPAddresses"]) == (["10.1.5.4"], ["10.1.5.5"])
    assert (found["provisioningState"], other["location"]) == ("Succeeded", "West Europe")
    assert taken(scene) == {"10.1.5.4": f"{APIM}/locations/eastus", "10.1.5.5": f"{APIM}/locations/westeurope"}
    assert scene.operations == [("apim", "Microsoft.ApiManagement/service/write", "Success")]


def test_an_update_takes_effect_at_its_end_and_its_polls_say_how_far_it_is():
    scene = made(APIM, service("Internal", "westeurope"))
    begun = scene.ask("PUT", APIM, service("External", disableGateway=True))
    assert (begun.status, begun.content["properties"]["provisioningState"]) == (200, "Updating")
    assert begun.content["properties"]["virtualNetworkType"] == "Internal"
    link = begun.headers["azure-asyncoperation"].removeprefix("https://management.azure.com").split("?")[0]
    assert scene.ask("GET", link).content == {"status": "InProgress"}
    scene.wait_for_all()
    assert scene.ask("GET", link).content == {"status": "Succeeded"}
    found = properties(scene, APIM)
    assert (found["virtualNetworkType"], found["additionalLocations"], found["disableGateway"]) == (
        "External",
        None,
        True,
    )
    assert (found["privateIPAddresses"], taken(scene)) == (None, {})


def test_a_patch_of_the_tags_keeps_the_addresses():
    scene = made(APIM, service("Internal", "westeurope"))
    before = properties(scene, APIM)
    scene.ask("PATCH", APIM, {"tags": {"nearzone": "chat"}})
    scene.wait_for_all()
    assert scene.ask("GET", APIM).content["tags"] == {"nearzone": "chat"}
    assert properties(scene, APIM) == before


def test_a_deleted_service_gives_its_addresses_back():
    scene = made(APIM, service("Internal", "westeurope"))
    assert scene.ask("DELETE", APIM).content["properties"]["provisioningState"] == "Deleting"
    scene.wait_for_all()
    assert (scene.ask("GET", APIM).status, taken(scene)) == (404, {})
    assert scene.ask("DELETE", APIM).status == 204


def test_an_operation_that_is_forced_to_fail_changes_nothing_but_the_state():
    scene = made(APIM, service())
    scene.cloud.azure.endings[APIM.lower()] = "Failure"
    scene.ask("PUT", APIM, service("External"))
    scene.wait_for_all()
    found = properties(scene, APIM)
    assert (found["provisioningState"], found["virtualNetworkType"]) == ("Failed", "Internal")
    assert scene.told[-1].outcome == "Failure"


def test_an_internal_environment_shows_its_address_once_it_is_there_and_an_external_one_a_public_address():
    scene = Scene()
    assert scene.ask("PUT", ENV, environment()).status == 201
    assert (properties(scene, ENV)["provisioningState"], properties(scene, ENV)["staticIp"]) == ("Waiting", None)
    scene.wait_for_all()
    assert (properties(scene, ENV)["provisioningState"], properties(scene, ENV)["staticIp"]) == (
        "Succeeded",
        "10.1.5.4",
    )
    scene.ask("PUT", ENV + "2", environment(internal=False))
    scene.wait_for_all()
    assert properties(scene, ENV + "2")["staticIp"].startswith("203.0.")
    assert len(scene.ask("GET", "/subscriptions/S/providers/Microsoft.App/managedEnvironments").content["value"]) == 2
    scene.ask("DELETE", ENV)
    assert properties(scene, ENV)["provisioningState"] == "ScheduledForDelete"
    scene.wait_for_all()
    assert (scene.ask("GET", ENV).status, taken(scene)) == (404, {})


@pytest.mark.parametrize(
    ("name", "words"), [("westus2", "West US 2"), ("southeastasia", "Southeast Asia"), ("uksouth", "UK South")]
)
def test_a_region_is_written_in_words(name, words):
    assert display_name(name) == display_name(words) == words


def test_what_the_world_file_says_of_gateways_comes_back_in_the_dump():
    server = {"kind": "vllm", "behaviour": "hangs", "port": 8000, "tls": None, "seconds": 60.0}
    place = {"vnet": VNET, "subnet": "small", "disabled": False}
    entries = {
        "application_gateways": [
            {
                "id": AGW,
                "location": "eastus",
                "operational": "Stopped",
                "tags": {"a": "b"},
                "server": None,
                "backends": 2,
                "frontends": [
                    {"name": "in", "vnet": VNET, "subnet": "small", "address": "10.1.5.4", "listener": False}
                    | {"public_ip": None},
                    {"name": "out", "vnet": None, "subnet": "default", "address": None, "listener": True}
                    | {"public_ip": PUBLIC["id"]},
                ],
            }
        ],
        "api_managements": [
            {"id": APIM, "location": "eastus", "mode": "Internal", "tier": "Developer", "state": "Updating", "tags": {}}
            | place
            | {"address": "10.1.5.5", "server": server}
            | {
                "additional_locations": [
                    {"location": "eastus2"} | place | {"vnet": None, "address": None, "server": None}
                ]
            }
        ],
        "container_environments": [
            {"id": ENV, "location": "eastus", "state": "Failed", "vnet": VNET, "subnet": "default", "tags": {}}
            | {"address": "10.1.0.9", "server": None}
        ],
    }
    entries["api_managements"][0]["additional_locations"][0]["subnet"] = "default"
    dump = Scene(**entries).cloud.world()
    assert {kind: dump[kind] for kind in entries} == entries
