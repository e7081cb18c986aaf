"""Virtual networks, subnets and peerings: what they serve, and writes that meet."""

import pytest

from tests.support.small_world import GROUP, VNET, Scene, nic_id

OTHER = VNET.replace("vnet-eastus", "vnet-other")
GATEWAY = f"{GROUP}/Microsoft.Network/virtualNetworkGateways/gateway1"


def a_vnet(*prefixes, subnets=(), **more):
    space = {"addressSpace": {"addressPrefixes": list(prefixes)}}
    return {"location": "eastus", "properties": {**space, "subnets": list(subnets), **more}}


def a_subnet(prefix, name="s", **more):
    return {"name": name, "properties": {"addressPrefix": prefix, **more}}


def with_another(**more):
    """A scene with a second VNet."""
    scene = Scene()
    assert scene.ask("PUT", OTHER, a_vnet("10.2.0.0/16", **more)).status == 201
    scene.wait_for_all()
    return scene


def peered(vnet):
    return f"{vnet}/virtualNetworkPeerings/p"


def peer(scene, vnet, remote, wait=True, query=None, **settings):
    body = {"properties": {"remoteVirtualNetwork": {"id": remote}, **settings}}
    answer = scene.ask("PUT", peered(vnet), body, **(query or {}))
    if wait:
        scene.wait_for_all()
    return answer


def peering(scene, vnet):
    return scene.ask("GET", peered(vnet)).content["properties"]


def level(scene, vnet):
    found = peering(scene, vnet)
    return found["peeringState"], found["peeringSyncLevel"]


def test_a_peering_is_updating_until_its_operation_ends_and_asks_for_ten_seconds_between_polls():
    """azure-cli, test_network_vnet_peering_sync (26 to 28), 2023."""
    scene = with_another()
    begun = peer(scene, VNET, OTHER, wait=False)
    assert (begun.status, begun.headers["retry-after"]) == (201, "10")
    assert begun.content["properties"]["provisioningState"] == "Updating"
    scene.wait_for_all()
    ended = scene.ask("GET", peered(VNET)).content
    assert ended["properties"]["provisioningState"] == "Succeeded"
    assert ended["etag"] != begun.content["etag"]
    assert scene.ask("GET", VNET).content["properties"]["virtualNetworkPeerings"] == [ended]


def test_a_peering_has_the_recorded_fields():
    """azure-cli, test_network_vnet_peering_sync (26), 2023."""
    scene = with_another()
    served = peer(scene, VNET, OTHER).content["properties"]
    remote = {"addressPrefixes": ["10.2.0.0/16"]}
    assert (
        served.items()
        >= {
            "doNotVerifyRemoteGateways": False,
            "peerCompleteVnets": True,
            "routeServiceVips": {},
            "remoteAddressSpace": remote,
            "remoteVirtualNetworkAddressSpace": remote,
        }.items()
    )
    assert not {"remoteGateways", "remoteVirtualNetworkEncryption"} & served.keys()


def test_both_sides_have_one_guid_made_of_those_of_their_vnets():
    """azure-cli, test_network_vnet_peering_sync: 164dd937... and 0524976a... give 13694e5d..., 2023."""
    scene = with_another()
    peer(scene, VNET, OTHER)
    peer(scene, OTHER, VNET)
    for vnet, guid in ((VNET, "164dd937-67f9-4e57-99e0-ace85bdf3352"), (OTHER, "0524976a-4c27-4d6a-8218-0cac86f695e9")):
        scene.cloud.network.vnets.find(vnet).guid = guid
    guids = {peering(scene, vnet)["resourceGuid"] for vnet in (VNET, OTHER)}
    assert guids == {"13694e5d-2bde-033d-1bf8-a044dd29a6bb"}


def test_the_second_side_connects_both_and_gives_the_first_one_a_new_etag():
    """azure-cli, test_network_vnet_peering (30, 31 and 36), 2023."""
    scene = with_another()
    peer(scene, VNET, OTHER)
    assert level(scene, VNET) == ("Initiated", "RemoteNotInSync")
    before = scene.ask("GET", VNET).headers["etag"]
    peer(scene, OTHER, VNET)
    assert level(scene, OTHER) == level(scene, VNET) == ("Connected", "FullyInSync")
    assert scene.ask("GET", VNET).headers["etag"] != before


def test_a_new_address_range_is_peered_after_the_other_side_is_synchronised():
    """The names of `peeringSyncLevel` and `syncRemoteAddressSpace`: virtualNetwork.json, 2024-01-01."""
    scene = with_another()
    peer(scene, VNET, OTHER)
    peer(scene, OTHER, VNET)
    scene.ask("PUT", OTHER, a_vnet("10.2.0.0/16", "10.3.0.0/16"))
    scene.wait_for_all()
    assert (level(scene, VNET)[1], level(scene, OTHER)[1]) == ("LocalNotInSync", "RemoteNotInSync")
    peer(scene, VNET, OTHER)
    assert peering(scene, VNET)["remoteAddressSpace"] == {"addressPrefixes": ["10.2.0.0/16"]}
    assert peering(scene, VNET)["remoteVirtualNetworkAddressSpace"]["addressPrefixes"][1:] == ["10.3.0.0/16"]
    peer(scene, VNET, OTHER, query={"syncRemoteAddressSpace": "true"})
    assert level(scene, VNET) == level(scene, OTHER) == ("Connected", "FullyInSync")


def test_a_worlds_peerings_are_in_step_until_an_address_range_changes():
    vnets = [
        {"id": one, "location": "eastus", "prefixes": [prefix], "peerings": [other]}
        for one, other, prefix in ((VNET, OTHER, "10.1.0.0/16"), (OTHER, VNET, "10.2.0.0/16"))
    ]
    scene = Scene(vnets=vnets)
    (path,) = (each["id"] for each in scene.ask("GET", VNET).content["properties"]["virtualNetworkPeerings"])
    assert scene.ask("GET", path).content["properties"]["peeringSyncLevel"] == "FullyInSync"
    scene.ask("PUT", OTHER, a_vnet("10.9.0.0/16"))
    served = scene.ask("GET", path).content["properties"]
    assert (served["peeringSyncLevel"], served["remoteAddressSpace"]["addressPrefixes"]) == (
        "LocalNotInSync",
        ["10.2.0.0/16"],
    )


def test_a_peering_shows_the_other_sides_gateways_and_encryption():
    """azure-cli, test_network_vnet_peering (31) and test_network_vnet_with_encryption (43), 2023."""
    encryption = {"enabled": True, "enforcement": "DropUnencrypted"}
    scene = with_another(encryption=encryption, subnets=[a_subnet("10.2.0.0/24", "GatewaySubnet")])
    scene.cloud.network.occupy(f"{OTHER}/subnets/GatewaySubnet", [f"{GATEWAY}/ipConfigurations/c"])
    assert "remoteGateways" not in peer(scene, VNET, OTHER).content["properties"]
    served = peer(scene, VNET, OTHER, useRemoteGateways=True).content["properties"]
    assert served["remoteGateways"] == [{"id": GATEWAY}]
    assert served["remoteVirtualNetworkEncryption"] == encryption


def test_a_deleted_side_disconnects_the_other():
    """azure-cli, test_network_vnet_peering (41 to 44): 202, and 204 from the result link, 2023."""
    scene = with_another()
    peer(scene, VNET, OTHER)
    peer(scene, OTHER, VNET)
    gone = scene.ask("DELETE", peered(VNET))
    assert (gone.status, gone.headers["retry-after"]) == (202, "10")
    scene.wait_for_all()
    assert level(scene, OTHER)[0] == "Disconnected"
    assert scene.ask("GET", f"{VNET}/virtualNetworkPeerings").content["value"] == []
    assert result(scene, gone).status == 204


def result(scene, answer):
    """What the result link of an answer leads to."""
    return scene.ask("GET", answer.headers["location"].removeprefix("https://management.azure.com").partition("?")[0])


def test_the_result_of_a_vnets_deletion_is_204():
    """azure-cli, test_network_subnet_set (20 to 22), 2023."""
    scene = with_another()
    gone = scene.ask("DELETE", OTHER)
    assert (gone.status, gone.headers["retry-after"]) == (202, "10")
    assert result(scene, gone).status == 202
    scene.wait_for_all()
    assert result(scene, gone).status == 204


def test_a_poll_of_a_running_write_asks_for_ten_seconds():
    """azure-sdk-for-net, PatchLink_LinkExistsAddTags (7), 2019."""
    scene = Scene()
    link = scene.ask("PUT", OTHER, a_vnet("10.2.0.0/16")).headers["azure-asyncoperation"]
    poll = scene.ask("GET", link.removeprefix("https://management.azure.com").partition("?")[0])
    assert (poll.content, poll.headers["retry-after"]) == ({"status": "InProgress"}, "10")


def test_a_subnet_shows_the_configurations_of_other_types_and_is_in_use_by_them():
    """azure-cli, test_network_vnet_peering (27), 2023."""
    scene = Scene()
    before = scene.ask("GET", VNET).headers["etag"]
    scene.cloud.network.occupy(f"{VNET}/subnets/small", [f"{GATEWAY}/ipConfigurations/c"])
    served = scene.ask("GET", f"{VNET}/subnets/small")
    assert served.content["properties"]["ipConfigurations"] == [{"id": f"{GATEWAY}/ipConfigurations/c"}]
    assert served.headers["etag"] != before
    assert scene.ask("DELETE", f"{VNET}/subnets/small").status == 400
    assert scene.ask("DELETE", VNET).status == 400
    scene.cloud.network.occupy(f"{VNET}/subnets/small", [])
    assert "ipConfigurations" not in scene.ask("GET", f"{VNET}/subnets/small").content["properties"]
    assert scene.ask("DELETE", VNET).status == 202


def test_service_endpoints_are_for_all_locations_and_updating_with_their_subnet():
    """azure-cli, test_network_service_endpoints (39 to 41), 2023."""
    scene = Scene()
    body = a_subnet("10.1.6.0/24", serviceEndpoints=[{"service": "Microsoft.Storage"}])
    begun = scene.ask("PUT", f"{VNET}/subnets/s", body).content["properties"]["serviceEndpoints"]
    assert begun == [{"service": "Microsoft.Storage", "locations": ["*"], "provisioningState": "Updating"}]
    scene.wait_for_all()
    (ended,) = scene.ask("GET", f"{VNET}/subnets/s").content["properties"]["serviceEndpoints"]
    assert ended["provisioningState"] == "Succeeded"


@pytest.mark.parametrize(
    ("service", "actions"),
    [
        ("Microsoft.Web/serverFarms", ["action"]),
        ("Microsoft.Sql/managedInstances", ["join/action", "prepareNetworkPolicies/action"]),
    ],
)
def test_a_delegation_has_the_actions_of_its_service(service, actions):
    """azure-cli, test_network_subnet_delegation (8 and 10), 2023."""
    scene = Scene()
    delegation = {"name": "0", "properties": {"serviceName": service}}
    answer = scene.ask("PUT", f"{VNET}/subnets/s", a_subnet("10.1.6.0/24", delegations=[delegation]))
    (served,) = answer.content["properties"]["delegations"]
    assert served["properties"]["actions"][: len(actions)] == [
        f"Microsoft.Network/virtualNetworks/subnets/{each}" for each in actions
    ]


def test_encryption_needs_its_enforcement_and_an_unused_one_allows_everything():
    """azure-cli, test_network_vnet_with_encryption (11 and 15), 2023."""
    scene = Scene()
    refused = scene.ask("PUT", OTHER, a_vnet("10.2.0.0/16", encryption={"enabled": True}))
    code = "MustSpecifyBothEncryptionIntentAndEnforcementPolicy"
    assert (refused.status, refused.content["error"]["code"]) == (400, code)
    assert scene.ask("GET", OTHER).status == 404
    made = scene.ask("PUT", OTHER, a_vnet("10.2.0.0/16", encryption={"enabled": False}))
    assert made.content["properties"]["encryption"] == {"enabled": False, "enforcement": "AllowUnencrypted"}


BUSY = [
    # first and second write; statuses that Azure gives - source
    (f"{VNET}/subnets/a", f"{VNET}/subnets/b", {409, 429}),  # terraform-provider-azapi 503, azure-rest-api-specs 14202
    (f"{VNET}/subnets/a", VNET, {429}),  # cluster-api-provider-azure 4385
    (VNET, f"{VNET}/subnets/b", {409, 429}),
]
CODES = {409: "AnotherOperationInProgress", 429: "RetryableErrorDueToAnotherOperation"}


def write(scene, path):
    whole = a_vnet("10.1.0.0/16", subnets=[a_subnet("10.1.5.0/29", "small")])
    return scene.ask("PUT", path, a_subnet(f"10.1.{8 + (path[-1] == 'b')}.0/24") if "/subnets/" in path else whole)


@pytest.mark.parametrize(("first", "second", "statuses"), BUSY)
def test_of_two_writes_in_one_vnet_at_once_the_second_is_refused_and_changes_nothing(first, second, statuses):
    seen = set()
    for seed in range(12):
        scene = Scene(seed=seed)
        begun = write(scene, first)
        assert begun.status in {200, 201}
        before = scene.ask("GET", VNET).content
        refused = write(scene, second)
        error = refused.content["error"]
        code = error["details"][0]["code"] if error["details"] else error["code"]
        assert code == CODES[refused.status]
        if refused.status == 409:
            assert begun.headers["azure-asyncoperation"] in error["message"]
        else:
            assert f"in {refused.headers['retry-after']} seconds" in error["details"][0]["message"]
        assert scene.ask("GET", VNET).content == before
        scene.wait_for_all()
        assert write(scene, second).status in {200, 201}
        seen.add(refused.status)
    assert seen == statuses


@pytest.mark.parametrize("path", [f"{VNET}/subnets/small", VNET])
def test_a_deletion_during_another_write_is_refused_too(path):
    scene = Scene()
    write(scene, f"{VNET}/subnets/a")
    assert scene.ask("DELETE", path).status in {409, 429}
    assert scene.ask("GET", path).status == 200
    scene.wait_for_all()
    assert scene.ask("DELETE", path).status == 202


def test_a_subnet_written_as_it_was_keeps_no_other_waiting():
    """azure-cli, test_private_endpoint_connection_search (27): such a write has succeeded with its answer, 2023."""
    scene = Scene()
    assert scene.ask("PUT", f"{VNET}/subnets/small", a_subnet("10.1.5.0/29")).status == 200
    assert write(scene, f"{VNET}/subnets/b").status == 201


def test_writes_in_two_vnets_do_not_meet():
    scene = with_another()
    assert write(scene, f"{VNET}/subnets/a").status == 201
    assert scene.ask("PUT", f"{OTHER}/subnets/a", a_subnet("10.2.0.0/24")).status == 201


def test_a_nic_does_not_lock_the_vnet_of_its_subnet():
    scene = Scene()
    subnet = {"subnet": {"id": f"{VNET}/subnets/small"}}
    nic = {"location": "eastus", "properties": {"ipConfigurations": [{"name": "a", "properties": subnet}]}}
    assert scene.ask("PUT", nic_id("n"), nic).status == 201
    assert write(scene, f"{VNET}/subnets/b").status == 201
