"""The routes that do to endpoints what happens behind Azure's back: they change the world and tell nobody."""

from types import SimpleNamespace

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from simulator.front_ends.control import Control
from tests.support.small_world import GROUP, VNET, Scene

PE = f"{GROUP}/Microsoft.Network/privateEndpoints/pe"
CG = f"{GROUP}/Microsoft.ContainerInstance/containerGroups/aci"
LB = f"{GROUP}/Microsoft.Network/loadBalancers/lb"
SERVICE = f"{GROUP}/Microsoft.Storage/storageAccounts/models"


def scene():
    base = {"location": "eastus", "vnet": VNET, "subnet": "small"}
    return Scene(
        private_endpoints=[base | {"id": PE, "addresses": ["10.1.5.4"], "service": SERVICE}],
        container_groups=[
            base | {"id": CG, "state": "Running", "address": "10.1.5.5", "containers": [{"name": "main"}]}
        ],
        load_balancers=[{"id": LB, "location": "eastus", "frontends": [{"name": "out", "public_ip": "ip"}]}],
    )


async def post(there, route, body):
    app = web.Application()
    app.add_routes(Control(SimpleNamespace(cloud=there.cloud, event_grid=None, faults=None)).routes(""))
    async with TestClient(TestServer(app)) as client, client.post(f"/{route}", json=body) as answer:
        return answer.status, await answer.json()


async def test_a_decision_on_a_connection_a_move_and_an_end_are_seen_in_the_world_and_told_to_nobody():
    there = scene()
    assert await post(there, "connection", {"private_endpoint": PE, "status": "Rejected"}) == (200, {})
    status, moved = await post(there, "relocate", {"container_group": CG})
    assert await post(there, "container-state", {"container_group": CG, "state": "Failed"}) == (200, {})
    world = there.cloud.world()
    assert world["private_endpoints"][0]["connection"] == "Rejected"
    assert (status, moved["address"]) == (200, world["container_groups"][0]["address"])
    assert moved["address"] != "10.1.5.5"
    assert (world["container_groups"][0]["state"], there.told) == ("Failed", [])


async def test_a_container_crashes_by_itself():
    there = scene()
    crashed = {"state": "Waiting", "detail": "CrashLoopBackOff: Back-off 10s"}
    assert await post(there, "container", {"container_group": CG, "container": "main", **crashed}) == (200, {})
    assert there.cloud.world()["container_groups"][0]["containers"] == [{"name": "main", "port": 80, **crashed}]
    assert there.told == []


async def test_a_group_that_has_nowhere_to_go_is_not_moved():
    there = scene()
    there.cloud.network.vnets.find(VNET).taken["10.1.5.6"] = "somebody"
    status, answer = await post(there, "relocate", {"container_group": CG})
    assert status == 400
    assert "container_group" in answer["error"]
    assert there.cloud.world()["container_groups"][0]["address"] == "10.1.5.5"


@pytest.mark.parametrize(
    ("route", "body", "named"),
    [
        ("connection", {"private_endpoint": PE + "2", "status": "Approved"}, "private_endpoint"),
        ("connection", {"private_endpoint": PE, "status": "Perhaps"}, "$.status"),
        ("relocate", {"container_group": CG + "2"}, "container_group"),
        ("container-state", {"container_group": CG + "2", "state": "Running"}, "container_group"),
        ("container-state", {"container_group": CG, "state": "Odd"}, "$.state"),
        ("container", {"container_group": CG, "container": "other", "state": "Waiting"}, "'other'"),
        ("ending", {"id": LB + "2", "outcome": "Failure"}, "vm"),
    ],
)
async def test_what_is_not_there_or_not_known_is_400_and_named(route, body, named):
    status, answer = await post(scene(), route, body)
    assert status == 400
    assert named in answer["error"]


@pytest.mark.parametrize("resource", [LB, PE])
async def test_the_next_operation_of_an_endpoint_can_be_made_to_fail(resource):
    there = scene()
    assert (await post(there, "ending", {"id": resource, "outcome": "Cancel"}))[0] == 200
    there.ask("DELETE", resource)
    there.wait_for_all()
    assert [note.outcome for note in there.told] == ["Cancel"]
    assert there.ask("GET", resource).status == 200
