"""The routes that do to endpoints what happens behind Azure's back: they change the world and tell nobody."""

from types import SimpleNamespace

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from simulator.dialing.connections import ProbedNetwork
from simulator.front_ends.control import Control
from simulator.model_servers.entry import ServerEntry
from simulator.model_servers.server import Arrival
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
    there.network = ProbedNetwork(there.cloud)
    parts = SimpleNamespace(cloud=there.cloud, network=there.network, event_grid=None, faults=None)
    app.add_routes(Control(parts).routes(""))
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
        ("server", {"endpoint": LB + "2", "behaviour": "hangs"}, "endpoint"),
        ("server", {"ip": "10.1.0.99", "behaviour": "hangs"}, "ip"),
        ("server", {"behaviour": "hangs"}, "either endpoint or ip"),
        ("server", {"endpoint": LB, "ip": "10.1.5.4", "behaviour": "hangs"}, "either endpoint or ip"),
        ("server", {"endpoint": LB, "behaviour": "sulks"}, "$.behaviour"),
        ("server", {"endpoint": LB, "behaviour": "loading", "seconds": -1}, "$.seconds"),
        ("path", {"from": "eastsu", "to": "westeurope", "mend": True}, "from: 'eastsu'"),
        ("path", {"from": "eastus", "to": "moon", "mend": True}, "to: 'moon'"),
        ("path", {"from": "eastus", "to": "westeurope"}, "either mend or"),
        ("path", {"from": "eastus", "to": "westeurope", "mend": True, "rtt_ms": 5}, "either mend or"),
        ("path", {"from": "eastus", "to": "westeurope", "rtt_ms": 0}, "$.rtt_ms"),
    ],
)
async def test_what_is_not_there_or_not_known_is_400_and_named(route, body, named):
    status, answer = await post(scene(), route, body)
    assert status == 400
    assert named in answer["error"]


async def test_a_model_server_is_broken_and_mended_by_its_endpoints_id_or_by_its_address():
    there = scene()
    network = ProbedNetwork(there.cloud)
    assert network.attempt("eastus", "10.1.5.4", 80).arrival == Arrival.ACCEPTED
    assert await post(there, "server", {"endpoint": PE, "behaviour": "refuses"}) == (200, {})
    assert network.attempt("eastus", "10.1.5.4", 80).arrival == Arrival.REFUSED
    assert there.cloud.world()["private_endpoints"][0]["server"]["behaviour"] == "refuses"
    assert await post(there, "server", {"ip": "10.1.5.4", "behaviour": "healthy"}) == (200, {})
    assert network.attempt("eastus", "10.1.5.4", 80).arrival == Arrival.ACCEPTED
    assert there.told == []


async def test_a_broken_server_keeps_its_kind_and_its_port():
    there = scene()
    there.cloud.servers.set(PE, ServerEntry("vllm", port=8000), 0)
    await post(there, "server", {"endpoint": PE, "behaviour": "loading", "seconds": 60})
    assert there.cloud.servers.of(PE).entry == ServerEntry("vllm", "loading", 8000, seconds=60)


async def test_a_path_is_cut_slowed_and_mended():
    there, path = scene(), {"from": "westeurope", "to": "eastus"}
    network = ProbedNetwork(there.cloud)
    before = network.attempt("westeurope", "10.1.5.4", 80).rtt_ms
    assert await post(there, "path", path | {"rtt_ms": 300}) == (200, {})
    assert network.attempt("westeurope", "10.1.5.4", 80).rtt_ms == 300
    assert await post(there, "path", path | {"partition": "all", "both": False}) == (200, {})
    assert network.attempt("westeurope", "10.1.5.4", 80).arrival == Arrival.SILENT
    assert await post(there, "path", path | {"mend": True}) == (200, {})
    assert network.attempt("westeurope", "10.1.5.4", 80).rtt_ms == before


async def test_the_connections_of_probers_are_told_from_a_time_on():
    there = scene()
    app = web.Application()
    network = ProbedNetwork(there.cloud)
    app.add_routes(Control(SimpleNamespace(network=network)).routes(""))
    network.attempt("eastus", "10.1.5.4", 80)
    begun = there.clock.now
    there.wait(5)
    network.attempt("westeurope", "10.1.5.9", 443)
    async with TestClient(TestServer(app)) as client:
        async with client.get("/probes") as answer:
            assert len(await answer.json()) == 2
        async with client.get(f"/probes?after={begun}") as answer:
            last = {"at": begun + 5, "vantage": "westeurope", "ip": "10.1.5.9", "port": 443}
            assert await answer.json() == [last]
        async with client.get("/probes?after=soon") as answer:
            assert (answer.status, "after" in (await answer.json())["error"]) == (400, True)


@pytest.mark.parametrize("resource", [LB, PE])
async def test_the_next_operation_of_an_endpoint_can_be_made_to_fail(resource):
    there = scene()
    assert (await post(there, "ending", {"id": resource, "outcome": "Cancel"}))[0] == 200
    there.ask("DELETE", resource)
    there.wait_for_all()
    assert [note.outcome for note in there.told] == ["Cancel"]
    assert there.ask("GET", resource).status == 200
