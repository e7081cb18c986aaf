"""The calls that real clients make are answered, without these clients.

The calls of azure-cli 2.91.0 are as its `--debug` shows them for the commands of simulator/README.md, with their
api-versions; octodns-azure 1.2.0 makes the same private DNS calls.
"""

from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest

from simulator.arm.front_door import Request
from tests.support.small_world import ZONE, Scene, a_vm, nic_id, vm_id

VM = vm_id("gpu")
BY_HAND = f"{ZONE}/A/by-hand"
DNS = "2018-09-01"
ZONES = "Microsoft.Network/privateDnsZones"
TYPE = "Microsoft.Compute/virtualMachines"


@pytest.fixture
def scene():
    return Scene(a_vm("gpu", "10.1.0.4", tags={"nearzone": "llama"}))


def ask(scene, method, path, version, body=None, **query):
    content = b"" if body is None else msgspec.json.encode(body)
    return scene.cloud.handle(Request(method, path, {"api-version": version, **query}, {}, content))


def ended(scene, response):
    """What the operation says of itself in the end, and at its result, as the CLI asks for them."""
    scene.wait_for_all()
    answers = []
    for link in (response.headers["azure-asyncoperation"], response.headers.get("location")):
        parts = urlsplit(link or "")
        query = dict(parse_qsl(parts.query))
        answers.append(scene.cloud.handle(Request("GET", parts.path, query)) if link else None)
    status, result = answers
    assert result is None or result.status == 200
    return status.content["status"]


def test_login_finds_the_subscription_and_its_tenant(scene):
    [found] = ask(scene, "GET", "/subscriptions", "2022-12-01").content["value"]
    assert (found["id"], found["subscriptionId"], found["state"]) == ("/subscriptions/s", "s", "Enabled")
    [tenant] = ask(scene, "GET", "/tenants", "2022-12-01").content["value"]
    assert found["tenantId"] == tenant["tenantId"]
    assert {"displayName", "managedByTenants"} <= found.keys()


def test_a_resource_of_any_type_is_found_with_an_api_version_that_its_provider_names(scene):
    """`az resource tag` asks the provider before the resource."""
    provider = ask(scene, "GET", "/subscriptions/S/providers/Microsoft.Compute", "2024-11-01").content
    [machines] = [each for each in provider["resourceTypes"] if each["resourceType"] == "virtualMachines"]
    assert provider["registrationState"] == "Registered"
    assert ask(scene, "GET", VM, machines["apiVersions"][0]).content["id"] == VM
    listed = ask(scene, "GET", "/subscriptions/S/providers", "2024-11-01").content["value"]
    assert {"Microsoft.Compute", "Microsoft.ContainerInstance", "Microsoft.Network"} <= {
        each["namespace"] for each in listed
    }


def test_a_record_set_is_made_shortened_and_deleted_by_hand(scene):
    zones = ask(scene, "GET", f"/subscriptions/S/providers/{ZONES}", DNS)
    assert [each["name"] for each in zones.content["value"]] == ["ai.internal"]
    assert ask(scene, "GET", BY_HAND, DNS).status == 404
    made = ask(scene, "PUT", BY_HAND, DNS, a_set("10.9.9.9", "10.9.9.10"))
    assert made.status == 201
    shortened = {**made.content, "properties": {**made.content["properties"], **a_set("10.9.9.9")["properties"]}}
    assert ask(scene, "PUT", BY_HAND, DNS, shortened).status == 200
    assert ask(scene, "GET", BY_HAND, DNS).content["properties"]["aRecords"] == [{"ipv4Address": "10.9.9.9"}]
    assert BY_HAND in [each["id"] for each in ask(scene, "GET", f"{ZONE}/ALL", DNS).content["value"]]
    assert ask(scene, "DELETE", BY_HAND, DNS).status == 200
    assert ask(scene, "GET", BY_HAND, DNS).status == 404
    assert told(scene) == [f"{ZONES}/A/{each}" for each in ("write", "write", "delete")]


def a_set(*addresses):
    return {"properties": {"ttl": 3600, "aRecords": [{"ipv4Address": each} for each in addresses]}}


def told(scene):
    return [note.operation for note in scene.told]


def power(scene):
    """`az vm show --show-details`: the power state and the address of its NIC."""
    vm = ask(scene, "GET", VM, "2026-04-01", **{"$expand": "instanceView"}).content["properties"]
    nic = ask(scene, "GET", vm["networkProfile"]["networkInterfaces"][0]["id"], "2022-01-01").content["properties"]
    assert nic["ipConfigurations"][0]["properties"]["privateIPAddress"] == "10.1.0.4"
    return [each["displayStatus"] for each in vm["instanceView"]["statuses"] if each["code"].startswith("PowerState/")]


def test_a_vm_is_deallocated_and_started_and_shows_its_power_state(scene):
    assert power(scene) == ["VM running"]
    for action, version, state in (
        ("deallocate", "2025-11-01", "VM deallocated"),
        ("start", "2022-11-01", "VM running"),
    ):
        response = ask(scene, "POST", f"{VM}/{action}", version)
        assert response.status == 202
        assert ended(scene, response) == "Succeeded"
        assert power(scene) == [state]
    assert told(scene) == [f"{TYPE}/deallocate/action", f"{TYPE}/start/action"]


def test_tags_are_written_with_the_whole_vm_or_alone(scene):
    """`az vm update --set tags.x=y` and `az resource tag`: the VM as it was read, with other tags; `az tag update`."""
    whole = ask(scene, "GET", VM, "2026-04-01").content
    response = ask(scene, "PUT", VM, "2026-04-01", {**whole, "tags": {**whole["tags"], "by": "hand"}})
    assert response.status == 200
    scene.wait_for_all()
    alone = {"operation": "Merge", "properties": {"tags": {"more": "tags"}}}
    path = f"{VM}/providers/Microsoft.Resources/tags/default"
    assert ask(scene, "PATCH", path, "2024-11-01", alone).status == 200
    found = ask(scene, "GET", VM, "2026-04-01").content
    assert found["tags"] == {"nearzone": "llama", "by": "hand", "more": "tags"}
    assert told(scene) == [f"{TYPE}/write", "Microsoft.Resources/tags/write"]


def test_a_vm_is_deleted_and_leaves_its_nic(scene):
    response = ask(scene, "DELETE", VM, "2024-11-01")
    assert response.status == 202
    assert ended(scene, response) == "Succeeded"
    assert ask(scene, "GET", VM, "2024-11-01").status == 404
    assert "virtualMachine" not in ask(scene, "GET", nic_id("gpu-nic"), "2022-01-01").content["properties"]
    assert told(scene) == [f"{TYPE}/delete"]


IMAGE = "publishers/Debian/artifacttypes/vmimage/offers/debian-10/skus/10/versions"


def test_a_vm_is_created_from_an_image_on_an_existing_nic(scene):
    """`az vm create --image Debian:debian-10:10:latest --nics gpu-nic`: the calls of azure-cli's recording
    test_vm_create_existing_nic.yaml (2023)."""
    assert ended(scene, ask(scene, "DELETE", VM, "2024-11-01")) == "Succeeded"
    group = "/subscriptions/S/resourcegroups/G"
    assert ask(scene, "GET", group, "2022-09-01").content["location"] == "eastus"
    images = f"/subscriptions/S/providers/Microsoft.Compute/locations/eastus/{IMAGE}"
    [newest] = ask(scene, "GET", images, "2022-11-01", **{"$top": "1", "$orderby": "name desc"}).content
    assert (newest["name"], newest["location"]) == ("0.20230222.1299", "eastus")
    image = ask(scene, "GET", f"{images}/{newest['name']}", "2022-11-01").content
    assert (image["id"], image["properties"]["osDiskImage"]["operatingSystem"]) == (newest["id"], "Linux")
    links = [{"id": nic_id("gpu-nic"), "properties": {"primary": True}}]
    machine = {"apiVersion": "2022-11-01", "type": TYPE, "name": "new", "location": "eastus", "tags": {}}
    machine |= {"dependsOn": [], "properties": {"networkProfile": {"networkInterfaces": links}}}
    template = {"parameters": {}, "variables": {}, "resources": [machine], "outputs": {}}
    body = {"properties": {"template": template, "parameters": {}, "mode": "incremental"}}
    deployment = f"{group}/providers/Microsoft.Resources/deployments/vm_deploy_1"
    made = ask(scene, "PUT", deployment, "2022-09-01", body)
    assert made.status == 201
    assert ended(scene, made) == "Succeeded"
    assert ask(scene, "GET", deployment, "2022-09-01").content["properties"]["provisioningState"] == "Succeeded"
    created = ask(scene, "GET", vm_id("new"), "2022-11-01", **{"$expand": "instanceView"}).content
    assert created["properties"]["networkProfile"]["networkInterfaces"] == links
    assert scene.power("new") == "PowerState/running"
    nic = ask(scene, "GET", nic_id("gpu-nic"), "2022-01-01").content["properties"]
    assert nic["virtualMachine"]["id"] == vm_id("new")


@pytest.mark.parametrize(
    ("sku", "generation", "publisher", "system"),
    [("22_04-lts-gen2", "V2", "Canonical", "Linux"), ("2022-datacenter", "V1", "MicrosoftWindowsServer", "Windows")],
)
def test_any_image_exists_in_one_version(scene, sku, generation, publisher, system):
    """Assumed, for what the recordings do not show: nothing runs the image."""
    path = f"/subscriptions/S/providers/Microsoft.Compute/locations/eastus/publishers/{publisher}/artifacttypes/vmimage"
    path += f"/offers/o/skus/{sku}/versions"
    [version] = ask(scene, "GET", path, "2022-11-01").content
    image = ask(scene, "GET", f"{path}/{version['name']}", "2022-11-01").content["properties"]
    assert (image["hyperVGeneration"], image["osDiskImage"]["operatingSystem"]) == (generation, system)
    assert ask(scene, "GET", f"{path}/0.0.1", "2022-11-01").status == 404


def test_sizes_are_listed_for_a_region(scene):
    """`az vm list-skus --location eastus` and `az vm list-sizes`."""
    path = "/subscriptions/S/providers/Microsoft.Compute"
    wanted = {"$filter": "location eq 'East US'"}
    found = ask(scene, "GET", f"{path}/skus", "2021-07-01", **wanted).content["value"]
    assert {place for each in found for place in each["locations"]} == {"eastus"}
    assert {each["resourceType"] for each in found} == {"virtualMachines"}
    sizes = ask(scene, "GET", f"{path}/locations/eastus/vmSizes", "2022-11-01").content["value"]
    assert [each["name"] for each in sizes] == [each["name"] for each in found]
    assert ask(scene, "GET", f"{path}/skus", "2021-07-01").content["value"] == found, "the only region with a VNet"
    assert ask(scene, "GET", f"{path}/skus", "2021-07-01", **{"$filter": "name eq 'x'"}).status == 400


def test_locations_are_listed_with_their_names(scene):
    """`az account list-locations --output table` shows these three names."""
    found = ask(scene, "GET", "/subscriptions/S/locations", "2022-12-01").content["value"]
    [eastus] = [each for each in found if each["name"] == "eastus"]
    assert (eastus["displayName"], eastus["regionalDisplayName"]) == ("East US", "(US) East US")
    assert eastus["metadata"]["pairedRegion"] == [{"name": "westus", "id": "/subscriptions/S/locations/westus"}]
    assert all({"id", "name", "displayName", "regionalDisplayName", "metadata"} <= each.keys() for each in found)
    assert ask(scene, "GET", "/subscriptions/T/locations", "2022-12-01").status == 404


def test_a_record_set_has_every_field_of_the_clis_table(scene):
    """`az network private-dns record-set a show --output table`. Azure leaves out the metadata of a set without any."""
    body = {"properties": {"ttl": 30, "aRecords": [], "metadata": {"nearzone-owner": "nearzone"}}}
    ask(scene, "PUT", BY_HAND, DNS, body)
    found = ask(scene, "GET", BY_HAND, DNS).content
    assert {"id", "name", "type", "etag"} <= found.keys()
    assert {"ttl", "isAutoRegistered", "metadata", "fqdn", "aRecords"} <= found["properties"].keys()
