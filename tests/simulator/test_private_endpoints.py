"""Private endpoints, their NICs, decisions and zone groups, and what Event Grid is told. Shapes: `fidelity.py`."""

import json

import pytest

from simulator.arm.permissions import Role
from simulator.cloud import SimulatedAzure
from simulator.world.world import WorldError, read
from tests.support.small_world import A_SERVER, GROUP, VNET, Scene, small

PE = f"{GROUP}/Microsoft.Network/privateEndpoints/pe"
STORAGE = f"{GROUP}/Microsoft.Storage/storageAccounts/models"
PLS = f"{GROUP}/Microsoft.Network/privateLinkServices/pls"
ZONES = f"{GROUP}/Microsoft.Network/privateDnsZones"
BLOB = "privatelink.blob.core.windows.net"
WRITE, DELETE = (f"Microsoft.Network/privateEndpoints/{each}" for each in ("write", "delete"))


def connection(service=STORAGE, groups=("blob",)):
    return {"name": "c", "properties": {"privateLinkServiceId": service, "groupIds": list(groups)}}


def body(*connections, tags=None, **properties):
    kind = {"privateLinkServiceConnections": list(connections or [connection()])}
    found = {"location": "eastus", "properties": {"subnet": {"id": f"{VNET}/subnets/small"}, **kind, **properties}}
    return found if tags is None else found | {"tags": tags}


def manual(service=PLS):
    return body(privateLinkServiceConnections=[], manualPrivateLinkServiceConnections=[connection(service, [])])


def made(content=None):
    """A scene with one private endpoint, whose event is forgotten."""
    scene = Scene()
    assert scene.ask("PUT", PE, content or body()).status == 201
    scene.wait_for_all()
    scene.told.clear()
    return scene


def properties(scene):
    return scene.ask("GET", PE).content["properties"]


def nic(scene):
    return scene.ask("GET", properties(scene)["networkInterfaces"][0]["id"]).content


def state(scene):
    found = properties(scene)
    (each,) = found["privateLinkServiceConnections"] + found["manualPrivateLinkServiceConnections"]
    return each["properties"]["privateLinkServiceConnectionState"]["status"]


def test_new_tags_leave_its_nic_as_it_is():
    """Azure Service Operator, Test_Networking_PrivateEndpoint_20240301_CRUD, 20 to 23."""
    scene = made()
    before = nic(scene)
    assert scene.ask("PUT", PE, body(tags={"more": "tags"})).status == 200
    assert nic(scene)["etag"] == before["etag"]


def test_its_nic_is_named_by_azure_or_by_the_caller_and_says_whose_it_is():
    scene = made()
    found = nic(scene)
    assert found["name"].startswith("pe.nic.")
    assert found["properties"]["privateEndpoint"] == {"id": PE}
    (each,) = found["properties"]["ipConfigurations"]
    assert each["properties"]["privateIPAddress"] == "10.1.5.4"
    assert each["properties"]["privateLinkConnectionProperties"] == {
        "groupId": "blob",
        "requiredMemberName": "blob",
        "fqdns": ["models.blob.core.windows.net"],
    }
    assert nic(made(body(customNetworkInterfaceName="mine")))["name"] == "mine"


def test_a_creation_takes_its_time_and_is_told_at_its_end():
    scene = Scene()
    begun = scene.ask("PUT", PE, body())
    assert begun.content["properties"]["provisioningState"] == "Updating"
    assert begun.content["properties"]["customDnsConfigs"] == []
    assert scene.told == []
    scene.wait_for_all()
    assert scene.operations == [("pe", WRITE, "Success")]
    names = [{"fqdn": "models.blob.core.windows.net", "ipAddresses": ["10.1.5.4"]}]
    assert (properties(scene)["provisioningState"], properties(scene)["customDnsConfigs"]) == ("Succeeded", names)


def described(content):
    found = content["properties"]
    (each,) = found["privateLinkServiceConnections"] + found["manualPrivateLinkServiceConnections"]
    return each["properties"]["privateLinkServiceConnectionState"]["description"]


SQL, SEARCH = (f"{GROUP}/Microsoft.{each}" for each in ("Sql/servers/db", "Search/searchServices/find"))


@pytest.mark.parametrize(
    ("content", "first", "last"),
    [
        (body(), "Auto Approved", "Auto-Approved"),  # azure-cli, test_network_private_endpoint_asg, 18 and 22
        (body(connection(SQL, ["sqlServer"])), "Auto Approved", "Auto-approved"),  # ..._connection_sql_server, 22, 26
        (body(connection(PLS, [])), "Auto Approved", "Auto Approved"),  # test_network_private_endpoints, 23 to 25
        (manual(SEARCH), "Awaiting Approval", ""),  # test_private_endpoint_connection_search, 31 and 34
        (manual(), "Awaiting Approval", "Awaiting Approval"),  # inferred
    ],
)
def test_the_service_describes_a_connection_in_its_own_words_at_the_end(content, first, last):
    scene = Scene()
    assert described(scene.ask("PUT", PE, content).content) == first
    scene.wait_for_all()
    assert described(scene.ask("GET", PE).content) == last


def test_a_decision_keeps_its_words_when_the_creation_ends():
    scene = Scene()
    scene.ask("PUT", PE, manual(SEARCH))
    scene.cloud.private_endpoints.decide(PE, "Approved", "by hand")
    scene.wait_for_all()
    assert (state(scene), described(scene.ask("GET", PE).content)) == ("Approved", "by hand")


def test_one_of_a_sql_server_shows_the_servers_name_at_the_end():
    """azure-cli, test_private_endpoint_connection_sql_server (26), 2023."""
    scene = made(body(connection(SQL, ["sqlServer"])))
    assert properties(scene)["customDnsConfigs"] == [{"fqdn": "db.database.windows.net", "ipAddresses": ["10.1.5.4"]}]


def test_new_security_groups_are_a_new_write_with_the_names_kept():
    """azure-cli, test_network_private_endpoint_asg (22 to 28), 2023."""
    group = {"id": f"{GROUP}/Microsoft.Network/applicationSecurityGroups/asg1"}
    scene = made()
    before = scene.ask("GET", PE).content
    assert "applicationSecurityGroups" not in before["properties"]
    begun = scene.ask("PUT", PE, body(applicationSecurityGroups=[group])).content
    assert begun["properties"]["applicationSecurityGroups"] == [group]
    assert (begun["properties"]["provisioningState"], described(begun)) == ("Updating", "Auto Approved")
    assert begun["properties"]["customDnsConfigs"] == before["properties"]["customDnsConfigs"]
    scene.wait_for_all()
    ended = scene.ask("GET", PE).content
    assert (ended["properties"]["provisioningState"], described(ended)) == ("Succeeded", "Auto-Approved")
    assert len({before["etag"], begun["etag"], ended["etag"]}) == 3


def test_it_has_an_address_for_each_group_or_those_that_it_states():
    scene = made(body(connection(groups=["blob", "file"])))
    addresses = [each["properties"]["privateIPAddress"] for each in nic(scene)["properties"]["ipConfigurations"]]
    assert addresses == ["10.1.5.4", "10.1.5.5"]
    one = {"groupId": "blob", "memberName": "blob", "privateIPAddress": "10.1.5.6"}
    scene.ask("PUT", PE, body(ipConfigurations=[{"name": "fixed", "properties": one}]))
    scene.wait_for_all()
    (only,) = nic(scene)["properties"]["ipConfigurations"]
    assert (only["name"], only["properties"]["privateIPAddress"]) == ("fixed", "10.1.5.6")
    assert list(scene.cloud.network.vnets.find(VNET).taken) == ["10.1.5.6"]


def test_new_tags_alone_change_nothing_else_and_take_no_time():
    scene = made()
    before = nic(scene)
    answer = scene.ask("PUT", PE, body(tags={"nearzone": "llm"}))
    assert (answer.status, answer.content["properties"]["provisioningState"]) == (200, "Succeeded")
    assert scene.ask("GET", PE).content["tags"] == {"nearzone": "llm"}
    assert (
        nic(scene)["properties"]["ipConfigurations"][0]["name"] == before["properties"]["ipConfigurations"][0]["name"]
    )
    assert scene.operations == [("pe", WRITE, "Success")]


def test_tags_that_are_written_during_the_creation_do_not_stop_it():
    scene = Scene()
    scene.ask("PUT", PE, body())
    scene.ask("PUT", PE, body(tags={"a": "b"}))
    scene.wait_for_all()
    assert properties(scene)["provisioningState"] == "Succeeded"


def test_a_connection_is_approved_at_once_and_a_manual_one_by_the_services_side_without_an_event():
    assert state(made()) == "Approved"
    scene = made(manual())
    etag = scene.ask("GET", PE).content["etag"]
    assert state(scene) == "Pending"
    for status in ("Approved", "Rejected"):
        scene.cloud.private_endpoints.decide(PE, status)
        assert state(scene) == status
    assert scene.told == []
    assert scene.ask("GET", PE).content["etag"] != etag


def test_what_the_service_decided_outlives_a_write():
    scene = made(manual())
    scene.cloud.private_endpoints.decide(PE, "Approved")
    scene.ask("PUT", PE, manual() | {"tags": {"a": "b"}})
    scene.wait_for_all()
    assert state(scene) == "Approved"


def test_a_deletion_takes_the_nic_and_its_addresses_along_at_its_end():
    scene = made()
    held = nic(scene)["id"]
    assert scene.ask("DELETE", held).status == 400
    assert scene.ask("DELETE", PE).status == 202
    assert (properties(scene)["provisioningState"], scene.cloud.world()["private_endpoints"]) == ("Deleting", [])
    scene.wait_for_all()
    assert [scene.ask("GET", each).status for each in (PE, held)] == [404, 404]
    assert scene.cloud.network.vnets.find(VNET).taken == {}
    assert scene.operations == [("pe", DELETE, "Success")]


def zone_group(zone):
    configs = [{"name": "config", "properties": {"privateDnsZoneId": f"{ZONES}/{zone}"}}]
    return {"properties": {"privateDnsZoneConfigs": configs}}


def with_zone(zone):
    scene = made()
    scene.cloud.private_dns.load_zone(f"{ZONES}/{zone}")
    assert scene.ask("PUT", f"{PE}/privateDnsZoneGroups/default", zone_group(zone)).status == 201
    scene.wait_for_all()
    return scene


def test_azure_writes_the_records_of_a_zone_group_and_takes_them_away_without_events_of_their_own():
    scene = with_zone(BLOB)
    record = scene.ask("GET", f"{ZONES}/{BLOB}/A/models").content["properties"]
    assert (record["aRecords"], record["ttl"]) == ([{"ipv4Address": "10.1.5.4"}], 10)
    (listed,) = scene.ask("GET", f"{PE}/privateDnsZoneGroups").content["value"]
    (config,) = listed["properties"]["privateDnsZoneConfigs"]
    assert config["properties"]["recordSets"][0]["fqdn"] == f"models.{BLOB}"
    assert properties(scene)["customDnsConfigs"] == []
    scene.ask("DELETE", f"{PE}/privateDnsZoneGroups/default")
    scene.wait_for_all()
    assert scene.ask("GET", f"{ZONES}/{BLOB}/A/models").status == 404
    assert [each.operation.removeprefix("Microsoft.Network/") for each in scene.told] == [
        f"privateEndpoints/privateDnsZoneGroups/{each}" for each in ("write", "delete")
    ]


def test_a_zone_of_another_name_gets_no_record():
    scene = with_zone("example.com")
    assert [each.type for each in scene.cloud.private_dns.zone(f"{ZONES}/example.com").record_sets] == ["SOA"]
    (listed,) = scene.ask("GET", f"{PE}/privateDnsZoneGroups").content["value"]
    assert listed["properties"]["privateDnsZoneConfigs"][0]["properties"]["recordSets"] == []


def test_the_records_of_a_zone_group_go_with_their_private_endpoint():
    scene = with_zone(BLOB)
    scene.ask("DELETE", PE)
    scene.wait_for_all()
    assert scene.ask("GET", f"{ZONES}/{BLOB}/A/models").status == 404


def entry(**more):
    found = {"id": PE, "location": "eastus", "vnet": VNET, "addresses": ["10.1.5.4", "10.1.5.5"], "service": STORAGE}
    return (
        found
        | {"subnet": "small", "connection": "Approved", "zone_group": False, "tags": {"nearzone": "x"}}
        | {"members": {}, "service_location": None}
        | ({"server": A_SERVER} | more)
    )


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"connection": "Disconnected"},
        {"zone_group": True},
        {"zone_group": [f"{ZONES}/{BLOB}"]},
        {"members": {"10.1.5.5": "inference"}, "service_location": "westeurope"},
    ],
)
def test_a_world_is_written_as_it_was_read(more):
    scene = Scene(private_endpoints=[entry(**more)])
    assert (scene.cloud.world()["private_endpoints"], scene.told) == ([entry(**more)], [])
    assert state(scene) == entry(**more)["connection"]
    assert len(nic(scene)["properties"]["ipConfigurations"]) == 2
    groups = scene.ask("GET", f"{PE}/privateDnsZoneGroups").content["value"]
    named = [
        config["properties"]["privateDnsZoneId"]
        for each in groups
        for config in each["properties"]["privateDnsZoneConfigs"]
    ]
    assert (named or bool(groups)) == entry(**more)["zone_group"]


@pytest.mark.parametrize(
    ("kind", "wrong", "named"),
    [
        ("private_endpoints", entry(connection="Maybe"), "private_endpoints[0].connection"),
        ("private_endpoints", entry(addresses=["10.9.0.4"]), "private_endpoints[0].addresses[0]"),
        ("private_endpoints", entry(vnet=VNET + "-nope"), "private_endpoints[0].vnet"),
        ("private_endpoints", entry(addresses=["10.1.5.4", "10.1.5.4"]), "private_endpoints[0].addresses[1]"),
        (
            "load_balancers",
            {"id": f"{GROUP}/Microsoft.Network/loadBalancers/lb", "location": "eastus", "frontends": [{"name": "f"}]},
            "load_balancers[0].frontends[0]",
        ),
        (
            "container_groups",
            {
                "id": f"{GROUP}/Microsoft.ContainerInstance/containerGroups/g",
                "location": "eastus",
                "state": "Running",
                "vnet": VNET,
            },
            "container_groups[0]",
        ),
    ],
)
def test_a_faulty_endpoint_in_a_world_is_refused_with_the_name_of_the_field(kind, wrong, named):
    with pytest.raises(WorldError) as caught:
        SimulatedAzure(read(json.dumps(small() | {kind: [wrong]})))
    assert named in str(caught.value)


def listed(scene, name="models"):
    """The resources of this name in the list of the group, each with its place."""
    path = f"{GROUP.partition('/providers')[0]}/resources"
    answer = scene.ask("GET", path, **{"$filter": f"name eq '{name}'"})
    return answer.status, [(each["id"], each["location"]) for each in (answer.content.get("value") or ())]


def test_the_service_is_in_the_list_of_its_group_and_where_the_world_or_else_the_endpoint_is():
    assert listed(Scene(private_endpoints=[entry()])) == (200, [(STORAGE, "eastus")])
    assert listed(Scene(private_endpoints=[entry(service_location="westeurope")])) == (200, [(STORAGE, "westeurope")])
    assert listed(made()) == (200, [(STORAGE, "eastus")])


@pytest.mark.parametrize(
    ("refused", "status"),
    [
        ("Microsoft.Storage/storageAccounts/read", 200),
        ("Microsoft.Resources/subscriptions/resourceGroups/resources/read", 403),
    ],
)
def test_who_may_not_read_the_service_does_not_see_it_in_the_list(refused, status):
    scene = Scene(private_endpoints=[entry()])
    scene.cloud.permissions.roles = (Role("", ["*"], [refused]),)
    assert listed(scene) == (status, [])
