"""Template deployments are carried out resource by resource, and what is not simulated is refused by name."""

import pytest
from recordings import RECORDINGS, Interaction, present, read

from simulator.arm.front_door import Request
from tests.support.small_world import GROUP, VNET, Scene, a_vm, nic_id, vm_id

DEPLOYMENT = f"{GROUP}/Microsoft.Resources/deployments/vm_deploy_1"
TYPE = "Microsoft.Resources/deployments"
VM_TYPE = "Microsoft.Compute/virtualMachines"
RESOURCES = {"api-version": "2022-09-01"}


def a_nic(name="card", **more):
    ip = {"name": "ip", "properties": {"subnet": {"id": f"{VNET}/subnets/small"}}}
    body = {"type": "Microsoft.Network/networkInterfaces", "name": name, "apiVersion": "2022-01-01"}
    return {**body, "location": "eastus", "properties": {"ipConfigurations": [ip]}, **more}


def a_machine(nic="card", **more):
    link = {"id": nic_id(nic), "properties": {"primary": True, "deleteOption": None}}
    body = {"type": VM_TYPE, "name": "new", "apiVersion": "2022-11-01", "location": "eastus", "tags": {}}
    return {**body, "properties": {"networkProfile": {"networkInterfaces": [link]}}, **more}


def a_template(*resources, parameters=None, outputs=None, values=None, mode="incremental"):
    template = {"resources": list(resources), "parameters": parameters or {}, "outputs": outputs or {}}
    return {"properties": {"template": template, "parameters": values or {}, "mode": mode}}


def put(scene, body):
    return scene.ask("PUT", DEPLOYMENT, body)


def properties(scene):
    return scene.ask("GET", DEPLOYMENT).content["properties"]


def test_resources_are_made_in_the_order_of_their_needs_and_event_grid_hears_of_each():
    scene = Scene(a_vm("gpu", "10.1.0.4"))
    needs = ["Microsoft.Network/networkInterfaces/card"]
    made = put(scene, a_template(a_machine(dependsOn=needs), a_nic()))
    assert (made.status, made.content["properties"]["provisioningState"]) == (201, "Accepted")
    [dependency] = made.content["properties"]["dependencies"]
    assert (dependency["id"], dependency["dependsOn"][0]["id"]) == (vm_id("new"), nic_id("card"))
    scene.wait_for_all()
    assert properties(scene)["provisioningState"] == "Succeeded"
    assert [each["id"] for each in properties(scene)["outputResources"]] == [vm_id("new"), nic_id("card")]
    assert scene.power("new") == "PowerState/running"
    made = scene.ask("GET", vm_id("new")).content["properties"]["networkProfile"]["networkInterfaces"]
    assert made == [{"id": nic_id("card"), "properties": {"primary": True}}], "a null states nothing"
    assert [each[1] for each in scene.operations] == [
        "Microsoft.Network/networkInterfaces/write",
        f"{VM_TYPE}/write",
        f"{TYPE}/write",
    ]


def test_it_runs_until_the_last_resource_is_there():
    scene = Scene(a_vm("gpu", "10.1.0.4"))
    scene.ask("DELETE", vm_id("gpu"))
    scene.wait_for_all()
    link = put(scene, a_template(a_machine("gpu-nic"))).headers["azure-asyncoperation"]
    path = link.removeprefix("https://management.azure.com").partition("?")[0]

    def status():
        return scene.ask("GET", path).content

    assert status() == {"status": "Running"}
    assert scene.ask("GET", vm_id("new")).content["properties"]["provisioningState"] == "Creating"
    scene.wait_for_all()
    assert status() == {"status": "Succeeded"}


def test_secure_parameters_reach_the_resource_and_are_not_shown():
    scene = Scene(a_vm("gpu", "10.1.0.4"))
    machine = a_machine()
    machine["properties"]["osProfile"] = {"computerName": "[parameters('host')]", "adminPassword": "[parameters('p')]"}
    declared = {"p": {"type": "securestring"}, "host": {"type": "string", "defaultValue": "poppy"}}
    put(scene, a_template(a_nic(), machine, parameters=declared, values={"p": {"value": "secret"}}))
    scene.wait_for_all()
    assert properties(scene)["parameters"] == {"p": {"type": "Securestring"}}
    assert scene.ask("GET", vm_id("new")).content["properties"]["osProfile"] == {"computerName": "poppy"}


def test_an_output_is_the_resource_that_it_refers_to():
    """As azure-cli's `network lb create` asks for it: test_network_lb_sku.yaml, call 2."""
    scene = Scene()
    put(scene, a_template(a_nic(), outputs={"nic": {"type": "object", "value": "[reference('card')]"}}))
    scene.wait_for_all()
    assert properties(scene)["outputs"]["nic"]["value"] == scene.ask("GET", nic_id("card")).content["properties"]


def test_a_resource_that_is_refused_or_fails_fails_the_deployment():
    scene = Scene()
    put(scene, a_template(a_machine()))
    scene.wait_for_all()
    found = properties(scene)
    assert (found["provisioningState"], found["error"]["code"]) == ("Failed", "DeploymentFailed")
    [detail] = found["error"]["details"]
    assert (detail["target"], detail["code"]) == (vm_id("new"), "NotFound")
    assert scene.operations == [("vm_deploy_1", f"{TYPE}/write", "Failure")]
    scene.cloud.azure.endings[vm_id("new").lower()] = "Failure"
    put(scene, a_template(a_nic(), a_machine(dependsOn=["card"])))
    scene.wait_for_all()
    assert properties(scene)["error"]["details"][0]["target"] == vm_id("new")


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (a_template(a_nic(type="Microsoft.Storage/storageAccounts")), "Microsoft.Storage/storageAccounts"),
        (a_template(a_nic(copy={"name": "c", "count": 2})), "'copy'"),
        (a_template(a_nic(location="[resourceGroup().location]")), "[resourceGroup().location]"),
        (a_template(a_nic("[concat('a', 'b')]")), "concat"),
        (a_template(a_nic(dependsOn=["elsewhere"])), "'elsewhere'"),
        (a_template(a_nic(dependsOn=["card"])), "circle"),
        (a_template(a_nic(), outputs={"x": {"type": "string", "value": "text"}}), "'x'"),
        (a_template(a_nic(), mode="Complete"), "Complete"),
        ({"properties": {"templateLink": {"uri": "https://x"}}}, "template"),
    ],
)
def test_what_is_not_simulated_is_refused_by_name_and_nothing_is_made(body, named):
    scene = Scene()
    refused = put(scene, body)
    assert (refused.status, named in refused.content["error"]["message"]) == (400, True), refused.content
    scene.wait_for_all()
    assert (scene.told, scene.ask("GET", DEPLOYMENT).status) == ([], 404)


def test_a_template_is_validated_without_being_carried_out():
    scene = Scene()
    assert scene.ask("POST", f"{DEPLOYMENT}/validate", a_template(a_nic())).status == 200
    assert scene.ask("POST", f"{DEPLOYMENT}/validate", a_template(a_nic(copy={}))).status == 400
    scene.wait_for_all()
    assert (scene.ask("GET", nic_id("card")).status, scene.ask("GET", DEPLOYMENT).status) == (404, 404)


def test_a_caller_without_the_role_is_refused():
    scene = Scene()
    scene.cloud.permissions.roles = ()
    assert put(scene, a_template(a_nic())).status == 403


def sent(scene, recorded: Interaction):
    parts = recorded.url.removeprefix("https://management.azure.com").partition("?")
    return scene.cloud.handle(Request(recorded.method, parts[0], RESOURCES, {}, recorded.body.encode()))


@present
def test_the_recorded_deployment_of_a_vm_on_an_existing_nic_answers_as_recorded():
    """azure-cli, test_vm_create_existing_nic.yaml, calls 27 to 31: `az vm create --image ... --nics my-nic`."""
    [path] = RECORDINGS.rglob("test_vm_create_existing_nic.yaml")
    recorded = read(path)
    scene = Scene()
    subscription, group = recorded[27].path.split("/")[2], recorded[27].path.split("/")[4]
    scene.cloud.azure.ensure_group(subscription, group)
    nic = f"/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Network/networkInterfaces/my-nic"
    assert scene.ask("PUT", nic, {key: a_nic()[key] for key in ("location", "properties")}).status == 201
    made, asked = sent(scene, recorded[27]), recorded[27].content
    assert (made.status, made.content.keys()) == (201, asked.keys())
    assert made.content["properties"].keys() == asked["properties"].keys()
    same = ("parameters", "mode", "provisioningState", "providers", "dependencies")
    assert {key: made.content["properties"][key] for key in same} == {key: asked["properties"][key] for key in same}
    scene.wait_for_all()
    done = sent(scene, recorded[31]).content["properties"]
    assert done.keys() == recorded[31].content["properties"].keys()
    assert [done[key] for key in ("provisioningState", "outputs", "outputResources")] == [
        recorded[31].content["properties"][key] for key in ("provisioningState", "outputs", "outputResources")
    ]
