"""Load balancers: what they hold, serve and give back, and what Event Grid is told. Recorded shapes: `fidelity.py`."""

import pytest

from tests.support.small_world import A_SERVER, GROUP, VNET, Scene, a_vm, nic_id

LB = f"{GROUP}/Microsoft.Network/loadBalancers/lb"
PUBLIC = f"{GROUP}/Microsoft.Network/publicIPAddresses/ip"
SUBNET = {"id": f"{VNET}/subnets/small"}


def private(name="inside", **more):
    return {"name": name, "properties": {"subnet": SUBNET, **more}}


def public(name="outside"):
    return {"name": name, "properties": {"publicIPAddress": {"id": PUBLIC}}}


def static(address, name="inside"):
    return private(name, privateIPAddress=address, privateIPAllocationMethod="Static")


def body(*frontends, **more):
    return {"location": "East US", "properties": {"frontendIPConfigurations": list(frontends), **more}}


def addresses(scene, path=LB):
    frontends = scene.ask("GET", path).content["properties"]["frontendIPConfigurations"]
    return [each["properties"].get("privateIPAddress") for each in frontends]


def balanced(*frontends):
    """A scene with one load balancer, whose event is forgotten."""
    scene = Scene()
    assert scene.ask("PUT", LB, body(*frontends)).status == 201
    scene.wait_for_all()
    scene.told.clear()
    return scene


def test_a_basic_ones_write_is_over_with_its_answer_and_told_once():
    scene = Scene()
    answer = scene.ask("PUT", LB, body(private()))
    assert answer.content["properties"]["provisioningState"] == "Succeeded"
    assert "retry-after" not in answer.headers
    assert scene.ask("GET", LB).content == answer.content
    assert scene.operations == [("lb", "Microsoft.Network/loadBalancers/write", "Success")]


STANDARD = {"name": "Standard"}
POOL = {"name": "pool", "properties": {}}


def states(content):
    """The provisioning states of a load balancer, its frontends and its pools."""
    found = content["properties"]
    parts = found["frontendIPConfigurations"] + found["backendAddressPools"]
    return {found["provisioningState"], *(each["properties"]["provisioningState"] for each in parts)}


@pytest.mark.parametrize("sku", ["Standard", "Gateway"])
def test_a_private_ones_write_goes_on_with_its_address_and_ends_with_a_new_etag(sku):
    """azure-cli, test_network_lb_frontend_ip_zone (6 to 8) and test_network_nic_front_ip (23 to 25), 2023."""
    scene = Scene()
    begun = scene.ask("PUT", LB, body(private(), backendAddressPools=[POOL]) | {"sku": {"name": sku}})
    assert states(begun.content) == {"Updating"}
    assert begun.headers["retry-after"] == "3"
    assert addresses(scene) == ["10.1.5.4"]
    assert scene.ask("GET", LB).content == begun.content
    assert scene.operations == []
    scene.wait_for_all()
    ended = scene.ask("GET", LB)
    assert states(ended.content) == {"Succeeded"}
    assert ended.headers["etag"] != begun.content["etag"]
    assert scene.operations == [("lb", "Microsoft.Network/loadBalancers/write", "Success")]


@pytest.mark.parametrize("part", ["", "/inboundNatRules/web"])
@pytest.mark.parametrize("seed", range(4))
def test_of_two_writes_the_later_one_ends_the_update(seed, part):
    scene = Scene(seed=seed)
    content = body(private()) | {"sku": STANDARD}
    scene.ask("PUT", LB, content)
    later = scene.ask("PUT", LB + part, {"properties": {}} if part else content).headers["azure-asyncoperation"]
    path = later.removeprefix("https://management.azure.com").partition("?")[0]
    while (due := scene.cloud.azure.next_due()) is not None:
        scene.wait(due - scene.clock.now)
        runs = scene.ask("GET", path).content["status"] == "InProgress"
        assert states(scene.ask("GET", LB).content) == {"Updating" if runs else "Succeeded"}


def test_a_write_that_is_made_to_fail_leaves_it_failed_with_its_address():
    scene = Scene()
    scene.cloud.azure.endings[LB.lower()] = "Failure"
    scene.ask("PUT", LB, body(private()) | {"sku": STANDARD})
    scene.wait_for_all()
    assert scene.ask("GET", LB).content["properties"]["provisioningState"] == "Failed"
    assert addresses(scene) == ["10.1.5.4"]


def test_a_public_one_of_one_region_is_over_with_its_answer_and_a_global_one_goes_on():
    """azure-cli, test_network_lb_sku (7) and test_network_cross_region_load_balancer_ip_config (19), 2023."""
    for tier, state in (("Regional", "Succeeded"), ("Global", "Updating")):
        scene = Scene()
        scene.ask("PUT", PUBLIC, {"location": "eastus"})
        answer = scene.ask("PUT", LB, body(public()) | {"sku": {**STANDARD, "tier": tier}})
        assert states(answer.content) == {state}


def test_frontends_have_the_zones_that_were_written():
    """azure-cli, test_network_lb_frontend_ip_zone (6), 2023."""
    scene = balanced(private() | {"zones": ["1", "2", "3"]}, private("anywhere"))
    zones = [each.get("zones") for each in scene.ask("GET", LB).content["properties"]["frontendIPConfigurations"]]
    assert zones == [["1", "2", "3"], None]


def test_a_missing_public_address_is_refused_and_changes_nothing():
    """Code and words: F5Networks/f5-azure-arm-templates issue 152."""
    scene = balanced(private())
    refused = scene.ask("PUT", LB, body(public()))
    assert (refused.status, refused.content["error"]["code"]) == (400, "InvalidResourceReference")
    assert PUBLIC in refused.content["error"]["message"]
    assert addresses(scene) == ["10.1.5.4"]


def test_a_rule_that_names_a_missing_frontend_is_refused_and_changes_nothing():
    """Code and words: Azure/sap-hana issue 581."""
    scene = balanced(private())
    rule = {"name": "web", "properties": {"frontendIPConfiguration": {"id": f"{LB}/frontendIPConfigurations/gone"}}}
    refused = scene.ask("PUT", LB, body(private("new"), loadBalancingRules=[rule]))
    assert (refused.status, refused.content["error"]["code"]) == (400, "InvalidResourceReference")
    assert f"{LB}/loadBalancingRules/web" in refused.content["error"]["message"]
    assert addresses(scene) == ["10.1.5.4"]


def part(scene, path):
    return scene.ask("GET", f"{LB}/{path}").content["properties"]


def test_rules_have_azures_defaults_and_what_they_name_lists_them():
    """azure-cli, test_network_lb_nat_rules_v3 (7), 2023; rules: the OpenAPI example LoadBalancerCreate.json."""
    pool, probe = {"id": f"{LB}/backendAddressPools/pool"}, {"id": f"{LB}/probes/alive"}
    frontend = {"frontendIPConfiguration": {"id": f"{LB}/frontendIPConfigurations/inside"}}
    nat = {**frontend, "backendAddressPool": pool, "backendPort": 30, "frontendPortRangeStart": 0, "protocol": "Tcp"}
    rule = {**frontend, "backendAddressPools": [pool], "probe": probe, "frontendPort": 80, "protocol": "Tcp"}
    content = body(
        private(),
        backendAddressPools=[POOL],
        probes=[{"name": "alive", "properties": {"protocol": "Tcp", "port": 80}}],
        inboundNatRules=[{"name": "nat", "properties": nat}],
        loadBalancingRules=[{"name": "web", "properties": rule}],
    )
    scene = Scene()
    assert scene.ask("PUT", LB, content | {"sku": STANDARD}).status == 201
    assert part(scene, "inboundNatRules/nat")["frontendPort"] == 0
    assert part(scene, "loadBalancingRules/web").items() >= {"loadDistribution": "Default"}.items()
    assert part(scene, "probes/alive").items() >= {"intervalInSeconds": 15, "probeThreshold": 1}.items()
    nats, rules = [{"id": f"{LB}/inboundNatRules/nat"}], [{"id": f"{LB}/loadBalancingRules/web"}]
    served = part(scene, "backendAddressPools/pool")
    assert (served["inboundNatRules"], served["loadBalancingRules"]) == (nats, rules)
    assert served["loadBalancerBackendAddresses"] == []
    assert part(scene, "frontendIPConfigurations/inside")["loadBalancingRules"] == rules
    assert part(scene, "probes/alive")["loadBalancingRules"] == rules


def test_a_frontend_takes_the_next_free_address_and_keeps_it_over_writes():
    scene = balanced(private())
    assert addresses(scene) == ["10.1.5.4"]
    assert scene.ask("PUT", LB, body(private("new"), private())).status == 200
    assert addresses(scene) == ["10.1.5.5", "10.1.5.4"]


def test_no_nic_gets_an_address_that_a_load_balancer_has():
    scene = balanced(private())
    nic = {"location": "eastus", "properties": {"ipConfigurations": [private("a", primary=True)]}}
    scene.ask("PUT", nic_id("n"), nic)
    assert scene.cloud.network.nics.find(nic_id("n")).configurations[0].address == "10.1.5.5"
    taken = scene.ask("PUT", LB + "2", body(static("10.1.5.5")))
    assert (taken.status, taken.content["error"]["code"]) == (400, "PrivateIPAddressIsAllocated")
    assert scene.ask("GET", LB + "2").status == 404


def test_a_static_frontend_that_moves_frees_its_old_address():
    scene = balanced(static("10.1.5.6"))
    scene.ask("PUT", LB, body(static("10.1.5.5")))
    assert scene.ask("PUT", LB + "2", body(static("10.1.5.6"))).status == 201
    assert (addresses(scene), addresses(scene, LB + "2")) == (["10.1.5.5"], ["10.1.5.6"])


def test_a_public_frontend_has_no_private_address_and_replaces_one_that_had():
    scene = balanced(private())
    scene.ask("PUT", PUBLIC, {"location": "eastus"})
    scene.ask("PUT", LB, body(public()))
    assert addresses(scene) == [None]
    assert scene.cloud.network.vnets.find(VNET).taken == {}


@pytest.mark.parametrize("properties", [{}, {"subnet": SUBNET, "publicIPAddress": {"id": PUBLIC}}])
def test_a_frontend_has_either_a_subnet_or_a_public_address(properties):
    assert Scene().ask("PUT", LB, body({"name": "f", "properties": properties})).status == 400


def test_it_is_deleting_until_it_is_gone_with_its_addresses():
    scene = balanced(private())
    assert scene.ask("DELETE", LB).status == 202
    assert scene.ask("GET", LB).content["properties"]["provisioningState"] == "Deleting"
    assert (scene.operations, scene.cloud.world()["load_balancers"]) == ([], [])
    scene.wait_for_all()
    assert scene.operations == [("lb", "Microsoft.Network/loadBalancers/delete", "Success")]
    assert scene.ask("GET", LB).status == 404
    assert scene.cloud.network.vnets.find(VNET).taken == {}
    assert scene.ask("DELETE", LB).status == 204


def test_a_deletion_that_is_made_to_fail_leaves_it_in_place_and_is_told_as_a_failure():
    scene = balanced(private())
    scene.cloud.azure.endings[LB.lower()] = "Failure"
    scene.ask("DELETE", LB)
    scene.wait_for_all()
    assert scene.operations == [("lb", "Microsoft.Network/loadBalancers/delete", "Failure")]
    assert addresses(scene) == ["10.1.5.4"]


def test_tags_are_replaced_by_a_patch_and_changed_as_a_resource_of_their_own():
    scene = balanced(private())
    assert scene.ask("PATCH", LB, {"tags": {"a": "1"}}).content["tags"] == {"a": "1"}
    merge = {"operation": "Merge", "properties": {"tags": {"b": "2"}}}
    scene.ask("PATCH", f"{LB}/providers/Microsoft.Resources/tags/default", merge)
    assert scene.ask("GET", LB).content["tags"] == {"a": "1", "b": "2"}
    assert [note.operation for note in scene.told] == [
        "Microsoft.Network/loadBalancers/write",
        "Microsoft.Resources/tags/write",
    ]


def test_its_parts_can_be_read_one_by_one_and_point_at_each_other():
    frontend = {"id": f"{LB}/frontendIPConfigurations/inside"}
    scene = balanced(private())
    rule = {"properties": {"frontendPort": 80, "backendPort": 8080, "frontendIPConfiguration": frontend}}
    assert scene.ask("PUT", f"{LB}/inboundNatRules/web", rule).status == 201
    assert scene.ask("PUT", f"{LB}/inboundNatRules/web", rule).status == 200
    found = scene.ask("GET", f"{LB}/frontendIPConfigurations/inside").content["properties"]
    assert found["inboundNatRules"] == [{"id": f"{LB}/inboundNatRules/web"}]
    assert [each["name"] for each in scene.ask("GET", f"{LB}/inboundNatRules").content["value"]] == ["web"]
    scene.ask("DELETE", f"{LB}/inboundNatRules/web")
    assert scene.ask("GET", f"{LB}/inboundNatRules/web").status == 404
    scene.wait_for_all()
    assert [(note.resource_id, note.operation.rsplit("/", 1)[1]) for note in scene.told] == [
        (f"{LB}/inboundNatRules/web", each) for each in ("write", "write", "delete")
    ]


def test_lists_are_of_a_subscription_or_a_group():
    scene = balanced(private())
    elsewhere = LB.replace("/G/", "/H/")
    scene.cloud.azure.ensure_group("S", "H")
    scene.ask("PUT", elsewhere, body(private()))
    for scope, found in (("/subscriptions/S", {LB, elsewhere}), ("/subscriptions/S/resourceGroups/G", {LB})):
        listed = scene.ask("GET", f"{scope}/providers/Microsoft.Network/loadBalancers").content["value"]
        assert {each["id"] for each in listed} == found


def test_a_world_has_its_frontends_and_their_addresses_are_taken():
    entry = {"id": LB, "location": "eastus", "tags": {"nearzone": "llm"}, "server": A_SERVER, "backends": 2}
    entry["frontends"] = [
        {"name": "in", "vnet": VNET, "subnet": "small", "address": "10.1.5.4", "public_ip": None, "backends": 0},
        {"name": "out", "vnet": None, "subnet": "default", "address": None, "public_ip": PUBLIC, "backends": None},
    ]
    scene = Scene(a_vm("gpu", "10.1.0.4"), load_balancers=[entry])
    assert (scene.cloud.world()["load_balancers"], scene.told) == ([entry], [])
    assert addresses(scene) == ["10.1.5.4", None]
    assert scene.ask("PUT", LB + "2", body(static("10.1.5.4"))).status == 400
    assert scene.ask("GET", PUBLIC).content["properties"]["ipConfiguration"] == {
        "id": f"{LB}/frontendIPConfigurations/out"
    }


def pool(scene, name="p"):
    """The properties of a pool as served."""
    return scene.ask("GET", f"{LB}/backendAddressPools/{name}").content["properties"]


def members(scene):
    """The configurations in the pool, as each of its two lists names them."""
    found = pool(scene)
    by_address = [
        each["properties"]["networkInterfaceIPConfiguration"] for each in found["loadBalancerBackendAddresses"]
    ]
    return [each["id"] for each in found.get("backendIPConfigurations", [])], [each["id"] for each in by_address]


def nic(*pools):
    named = {"loadBalancerBackendAddressPools": [{"id": f"{LB}/backendAddressPools/{each}"} for each in pools]}
    ip = {"name": "i", "properties": {"subnet": SUBNET, **(named if pools else {})}}
    return {"location": "eastus", "properties": {"ipConfigurations": [ip]}}


@pytest.mark.parametrize(("sku", "empty"), [("Basic", {}), ("Standard", {"loadBalancerBackendAddresses": []})])
def test_an_empty_pool_has_an_empty_list_of_addresses_but_for_basic(sku, empty):
    scene = Scene()
    scene.ask("PUT", LB, body(private(), backendAddressPools=[{"name": "p"}]) | {"sku": {"name": sku}})
    scene.wait_for_all()
    assert {name: value for name, value in pool(scene).items() if name != "provisioningState"} == empty


def test_a_nic_joins_a_pool_by_naming_it_and_leaves_it_with_a_write_without_it_or_its_deletion():
    scene = Scene()
    wanted = body(private(), backendAddressPools=[{"name": "p"}]) | {"sku": {"name": "Standard"}}
    scene.ask("PUT", LB, wanted)
    scene.ask("PUT", nic_id("n"), nic("P"))
    joined = f"{nic_id('n')}/ipConfigurations/i"
    assert members(scene) == ([joined], [joined])
    scene.ask("PUT", LB, scene.ask("GET", LB).content)
    assert members(scene) == ([joined], [joined]), "a client that writes back what it has read doubles nothing"
    scene.ask("PUT", nic_id("n"), nic())
    assert members(scene) == ([], [])
    scene.ask("PUT", nic_id("n"), nic("p"))
    scene.ask("DELETE", nic_id("n"))
    assert members(scene) == ([], [])


def test_the_instances_of_a_scale_set_are_in_the_pool_that_its_model_names():
    scene = Scene()
    scene.ask("PUT", LB, body(private(), backendAddressPools=[{"name": "p"}]) | {"sku": {"name": "Standard"}})
    configuration = nic("p")["properties"] | {"primary": True}
    profile = {"networkProfile": {"networkInterfaceConfigurations": [{"name": "n", "properties": configuration}]}}
    model = {"orchestrationMode": "Uniform", "virtualMachineProfile": profile}
    scale_set = f"{GROUP}/Microsoft.Compute/virtualMachineScaleSets/pool"
    for capacity in (2, 0):
        size = {"sku": {"name": "Standard_D2s_v3", "capacity": capacity}}
        scene.ask("PUT", scale_set, {"location": "eastus", "properties": model} | size)
        scene.wait_for_all()
        assert [len(each) for each in members(scene)] == [capacity, capacity]


def test_a_world_tells_what_the_rules_of_each_frontend_lead_to():
    scene = Scene()
    rule = {"frontendIPConfiguration": {"id": f"{LB}/frontendIPConfigurations/a"}}
    rule["backendAddressPool"] = {"id": f"{LB}/backendAddressPools/full"}
    full = {"name": "full", "properties": {"loadBalancerBackendAddresses": [{"name": "x", "properties": {}}]}}
    rules = [{"name": "r", "properties": rule}]
    given = body(private("a"), private("b"), backendAddressPools=[full, {"name": "empty"}], loadBalancingRules=rules)
    scene.ask("PUT", LB, given | {"sku": {"name": "Standard"}})
    (entry,) = scene.cloud.world()["load_balancers"]
    assert (entry["backends"], [each["backends"] for each in entry["frontends"]]) == (1, [None, None])
    rule["backendAddressPool"]["id"] = f"{LB}/backendAddressPools/empty"
    scene.ask("PUT", LB, given | {"sku": {"name": "Standard"}})
    (entry,) = scene.cloud.world()["load_balancers"]
    assert (entry["backends"], [each["backends"] for each in entry["frontends"]]) == (0, [None, 1])
