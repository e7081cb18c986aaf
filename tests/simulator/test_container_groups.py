"""Container groups: states, addresses, what the platform does silently, and limits. Recorded shapes: `fidelity.py`."""

import pytest

from simulator.containers.container_group import Current
from tests.support.small_world import A_SERVER, GROUP, VNET, Scene

CG = f"{GROUP}/Microsoft.ContainerInstance/containerGroups/aci"
TYPE = "Microsoft.ContainerInstance/containerGroups"
COUNTDOWN = "x-ms-ratelimit-remaining-subscription-resource-requests"


def body(**properties):
    container = {"name": "main", "properties": {"image": "nginx", "resources": {"requests": {"cpu": 1.0}}}}
    subnets = {"subnetIds": [{"id": f"{VNET}/subnets/small"}], "ipAddress": {"type": "Private", "ports": []}}
    return {"location": "eastus", "properties": {"containers": [container], "osType": "Linux", **subnets, **properties}}


def running(content=None):
    """A scene with one running group, whose event is forgotten."""
    scene = Scene()
    assert scene.ask("PUT", CG, content or body()).status == 201
    scene.wait_for_all()
    scene.told.clear()
    return scene


def state(scene):
    return scene.ask("GET", CG).content["properties"]["instanceView"]["state"]


def address(scene):
    return scene.ask("GET", CG).content["properties"].get("ipAddress", {}).get("ip")


def test_a_new_group_is_pending_and_without_an_address_until_it_runs():
    scene = Scene()
    begun = scene.ask("PUT", CG, body())
    assert (begun.status, state(scene), address(scene), scene.told) == (201, "Pending", None, [])
    link = begun.headers["azure-asyncoperation"].removeprefix("https://management.azure.com").split("?")[0]
    assert scene.ask("GET", link).content["status"] == "Pending"
    scene.wait_for_all()
    assert (state(scene), address(scene)) == ("Running", "10.1.5.4")
    assert scene.ask("GET", link).content["status"] == "Succeeded"
    assert scene.operations == [("aci", f"{TYPE}/write", "Success")]


def test_a_list_has_the_address_but_no_instance_view():
    (listed,) = running().ask("GET", f"/subscriptions/S/providers/{TYPE}").content["value"]
    assert listed["properties"]["ipAddress"]["ip"] == "10.1.5.4"
    assert "instanceView" not in listed["properties"]
    assert "instanceView" not in listed["properties"]["containers"][0]["properties"]


def test_secrets_are_not_served():
    volume = {"name": "v", "secret": {"key": "c2VjcmV0"}}
    variable = {"name": "K", "secureValue": "hidden"}
    container = {"name": "main", "properties": {"image": "nginx", "environmentVariables": [variable]}}
    scene = running(body(volumes=[volume], containers=[container]))
    found = scene.ask("GET", CG).content["properties"]
    assert found["volumes"] == [{"name": "v", "secret": {}}]
    assert found["containers"][0]["properties"]["environmentVariables"] == [{"name": "K"}]


def test_it_is_stopped_at_once_and_started_and_restarted_after_a_while():
    scene = running()
    assert scene.ask("POST", f"{CG}/stop").status == 204
    assert state(scene) == "Stopped"
    assert scene.ask("POST", f"{CG}/start").status == 202
    assert state(scene) == "Pending"
    scene.wait_for_all()
    assert scene.ask("POST", f"{CG}/start").status == 204
    scene.ask("POST", f"{CG}/restart")
    assert state(scene) == "Pending"
    scene.wait_for_all()
    assert (state(scene), address(scene)) == ("Running", "10.1.5.4")
    assert scene.operations == [("aci", f"{TYPE}/{each}/action", "Success") for each in ("stop", "start", "restart")]


def test_a_group_that_is_stopped_while_it_starts_stays_stopped():
    scene = Scene()
    scene.ask("PUT", CG, body())
    scene.ask("POST", f"{CG}/stop")
    scene.wait_for_all()
    assert state(scene) == "Stopped"


def test_a_start_that_is_made_to_fail_is_told_as_a_failure():
    scene = running()
    scene.ask("POST", f"{CG}/stop")
    scene.told.clear()
    scene.cloud.azure.endings[CG.lower()] = "Failure"
    scene.ask("POST", f"{CG}/start")
    scene.wait_for_all()
    assert (state(scene), scene.operations) == ("Failed", [("aci", f"{TYPE}/start/action", "Failure")])


def test_the_platform_moves_a_group_to_another_address_and_tells_nobody():
    scene = running()
    moved = scene.cloud.container_groups.relocate(CG)
    assert moved != "10.1.5.4"
    assert (address(scene), scene.told) == (moved, [])
    assert list(scene.cloud.network.vnets.find(VNET).taken) == [moved]


@pytest.mark.parametrize("ended", ["Succeeded", "Failed"])
def test_containers_end_by_themselves_and_nobody_is_told(ended):
    scene = running()
    scene.cloud.container_groups.set_state(CG, ended)
    assert (state(scene), scene.told) == (ended, [])


def test_a_deletion_is_at_once_answers_with_the_group_and_frees_the_address():
    scene = running()
    answer = scene.ask("DELETE", CG)
    assert (answer.status, answer.content["name"]) == (200, "aci")
    assert scene.ask("GET", CG).status == 404
    assert scene.cloud.network.vnets.find(VNET).taken == {}
    assert scene.operations == [("aci", f"{TYPE}/delete", "Success")]
    assert scene.ask("DELETE", CG).status == 204


def test_a_public_group_takes_no_address_in_a_network():
    scene = running(body(ipAddress={"type": "Public", "ports": [], "dnsNameLabel": "me"}, subnetIds=[]))
    found = scene.ask("GET", CG).content["properties"]["ipAddress"]
    assert (found["fqdn"], found["type"]) == ("me.eastus.azurecontainer.io", "Public")
    assert scene.cloud.network.vnets.find(VNET).taken == {}
    assert scene.cloud.world()["container_groups"][0]["address"] is None


def test_tags_are_replaced_by_a_patch():
    scene = running()
    assert scene.ask("PATCH", CG, {"tags": {"a": "1"}}).content["tags"] == {"a": "1"}
    assert scene.operations == [("aci", f"{TYPE}/write", "Success")]


def test_creations_and_deletions_count_down_apart_and_reads_count_nothing():
    scene = Scene()
    first, second = (scene.ask("PUT", CG, body()).headers for _ in range(2))
    assert (first[f"{COUNTDOWN}-pt5m"], first[f"{COUNTDOWN}-pt1h"]) == ("99", "299")
    assert (second[f"{COUNTDOWN}-pt5m"], second[f"{COUNTDOWN}-pt1h"]) == ("98", "298")
    assert f"{COUNTDOWN}-pt5m" not in scene.ask("GET", CG).headers
    assert scene.ask("DELETE", CG).headers[f"{COUNTDOWN}-pt5m"] == "99"


def test_the_101st_creation_within_five_minutes_is_refused_only_where_limits_are_enforced():
    for enforced, status in ((False, 200), (True, 429)):
        scene = Scene()
        scene.cloud.enforce_limits(enforced=enforced)
        scene.cloud.arm_limits.enforce = False
        answers = [scene.ask("PUT", CG, body()) for _ in range(101)]
        assert [each.status for each in answers] == [201, *[200] * 99, status]
        assert scene.cloud.throttled == ({("containers", "s", "PUT"): 1} if enforced else {})
    scene.wait(300)
    assert scene.ask("PUT", CG, body()).status == 200


@pytest.mark.parametrize("of", ["Running", "Pending", "Stopped", "Succeeded", "Failed"])
def test_a_world_is_written_as_it_was_read(of):
    private = {"id": CG, "location": "eastus", "state": of, "vnet": VNET, "subnet": "small", "address": "10.1.5.4"}
    public = {"id": CG + "2", "location": "eastus", "state": of, "vnet": None, "subnet": "default", "address": None}
    crashed = {"name": "main", "state": "Waiting", "detail": "CrashLoopBackOff: x", "port": 80}
    containers = [crashed, {"name": "job", "state": "Running", "detail": "", "port": None}]
    entries = [
        private | {"containers": containers, "tags": {"nearzone": "x"}, "server": A_SERVER},
        public | {"containers": [], "tags": {}, "server": None},
    ]
    scene = Scene(container_groups=entries)
    assert (scene.cloud.world()["container_groups"], scene.told) == (entries, [])
    assert (state(scene), address(scene)) == (of, "10.1.5.4" if of in {"Running", "Pending"} else None)


def test_a_container_that_crashes_looks_as_recorded_while_its_group_runs_on():
    """As in azure-cli's recording test_container_create_msi.yaml: no start time, and the group is Running."""
    scene = running()
    scene.cloud.container_groups.set_container(CG, "main", Current("Waiting", "CrashLoopBackOff: Back-off 10s"))
    (container,) = scene.ask("GET", CG).content["properties"]["containers"]
    now = {"state": "Waiting", "detailStatus": "CrashLoopBackOff: Back-off 10s"}
    assert container["properties"]["instanceView"] == {"restartCount": 1, "currentState": now}
    assert (state(scene), scene.told) == ("Running", [])
    scene.ask("POST", f"{CG}/restart")
    scene.wait_for_all()
    (container,) = scene.ask("GET", CG).content["properties"]["containers"]
    assert container["properties"]["instanceView"]["currentState"]["state"] == "Running"


def view(scene):
    (container,) = scene.ask("GET", CG).content["properties"]["containers"]
    return container["properties"]["instanceView"]


@pytest.mark.parametrize(("code", "of", "detail"), [(2, "Failed", "Error"), (0, "Succeeded", "Completed")])
def test_a_group_whose_containers_have_ended_has_ended_and_loses_its_address_later(code, of, detail):
    """azure-cli, test_container_exec.yaml, calls 4 and 5: the address was still there 12 s after the end."""
    scene = running(body(restartPolicy="Never"))
    scene.wait(5)
    scene.cloud.container_groups.finish(CG, "main", code)
    scene.wait(12)
    now = view(scene)["currentState"]
    assert {"state": "Terminated", "exitCode": code, "detailStatus": detail}.items() <= now.items()
    assert now["startTime"] < now["finishTime"]
    assert (view(scene)["restartCount"], state(scene), address(scene)) == (0, of, "10.1.5.4")
    scene.wait(60)
    assert (state(scene), address(scene), scene.told) == (of, None, [])
    scene.ask("POST", f"{CG}/stop")
    assert state(scene) == of, "documented: a stop does nothing to a group that has ended"
    scene.ask("POST", f"{CG}/start")
    scene.wait_for_all()
    assert (state(scene), address(scene)) == ("Running", "10.1.5.4")


def test_a_container_that_is_restarted_shows_how_it_ended():
    """azure-cli, test_container_create_msi.yaml, call 4."""
    scene = running()
    scene.cloud.container_groups.finish(CG, "main", 0)
    with pytest.raises(KeyError):
        scene.cloud.container_groups.finish(CG, "other", 0)
    now = view(scene)
    assert now["restartCount"] == 1
    assert now["currentState"] == {
        "state": "Waiting",
        "detailStatus": "CrashLoopBackOff: Back-off 10s restarting failed",
    }
    assert {"state": "Terminated", "exitCode": 0, "detailStatus": "Completed"}.items() <= now["previousState"].items()
    assert (state(scene), address(scene)) == ("Running", "10.1.5.4")
    scene.cloud.container_groups.set_state(CG, "Failed")
    assert view(scene)["currentState"]["state"] == "Terminated"


@pytest.mark.parametrize("kind", ["Private", "Public"])
def test_a_stopped_group_loses_its_address_at_once_and_has_it_again_when_it_runs(kind):
    public = {"ipAddress": {"type": "Public", "ports": []}, "subnetIds": []}
    scene = running(body(**(public if kind == "Public" else {})))
    before = address(scene)
    scene.ask("POST", f"{CG}/stop")
    assert scene.ask("GET", CG).content["properties"]["ipAddress"] == {"ports": [], "type": kind}
    scene.ask("POST", f"{CG}/start")
    assert (state(scene), address(scene)) == ("Pending", None)
    scene.wait_for_all()
    assert address(scene) == before


def test_registry_credentials_are_served_without_the_password():
    """azure-cli, test_container_create_with_acr.yaml, call 1."""
    credentials = {"server": "clitestregistry1.azurecr.io", "username": "clitestregistry1"}
    scene = running(body(imageRegistryCredentials=[{**credentials, "password": "secret"}]))
    assert scene.ask("GET", CG).content["properties"]["imageRegistryCredentials"] == [credentials]


@pytest.mark.parametrize("label", [None, "me"])
def test_the_scope_of_a_name_label_is_served_with_a_label_only(label):
    """azure-cli, test_container_exec.yaml, call 1, and test_container_create.yaml, call 1."""
    stated = {"dnsNameLabel": label} if label else {}
    public = {"type": "Public", "ports": [], "autoGeneratedDomainNameLabelScope": "Unsecure", **stated}
    found = running(body(ipAddress=public, subnetIds=[])).ask("GET", CG).content["properties"]["ipAddress"]
    assert ("autoGeneratedDomainNameLabelScope" in found) is bool(label)


def test_an_identity_is_served_and_stays_the_same():
    """azure-cli, test_container_create_msi.yaml, call 12."""
    user = "/subscriptions/S/resourceGroups/G/providers/Microsoft.ManagedIdentity/userAssignedIdentities/u"
    wanted = {"type": "SystemAssigned, UserAssigned", "userAssignedIdentities": {user: {}}}
    scene = running(body() | {"identity": wanted})
    first = scene.ask("GET", CG).content["identity"]
    assert set(first) == {"type", "principalId", "tenantId", "userAssignedIdentities"}
    assert set(first["userAssignedIdentities"][user]) == {"principalId", "clientId"}
    scene.ask("PUT", CG, body() | {"identity": wanted})
    assert scene.ask("GET", CG).content["identity"] == first


def test_logs_and_terminals_of_a_container_are_answered_and_empty():
    """azure-cli, test_container_create.yaml, call 8, and test_container_exec.yaml, call 6."""
    scene = running()
    assert scene.ask("GET", f"{CG}/containers/main/logs").content == {"content": ""}
    terminal = scene.ask("POST", f"{CG}/containers/main/exec", {"command": "ls", "terminalSize": {"rows": 24}})
    assert set(terminal.content) == {"webSocketUri", "password"}
    assert scene.ask("GET", f"{CG}/containers/other/logs").status == 404


@pytest.mark.parametrize("of", ["Repairing", "Unknown"])
def test_a_group_in_repair_shows_no_address(of):
    scene = running()
    assert address(scene)
    scene.cloud.container_groups.set_state(CG, of)
    assert (state(scene), address(scene)) == (of, None)
