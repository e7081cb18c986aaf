"""Load balancers without a backend: what Azure Resource Manager shows of their pools, up to the zones."""

import asyncio

import pytest

from tests.support.deployment import REGIONS, SUB, a_vm, nic_id, run_scenario, vnet
from tests.support.endpoint_kinds import FAR, LLAMA, llama, load_balancer, path, swept, world

EAST, _, _ = REGIONS
LB = load_balancer()["id"]
POOL = f"{LB}/backendAddressPools/backends"
FRONTENDS = [
    {"name": "one", "vnet": vnet(EAST), "address": "10.1.0.20"},
    {"name": "two", "vnet": vnet(EAST), "address": "10.1.0.21"},
]


async def told(stage):
    """What has happened has reached the zones by events alone."""
    await stage.deliver_pending_events()
    assert stage.wrong_answers() == {}


async def reason(stage, name="llama"):
    """Why the load balancer is in the answer of its own region, or is not."""
    found = await stage.app.explain(stage.app.settings.zones[0], name)
    (claim,) = [each for each in found["claims"] if each["endpoint"] == LB]
    return claim["reason"]


def join(stage, vm, *pools):
    """Write the NIC of a VM with these pools."""
    nic = stage.cloud.network.nics.find(nic_id(vm)).body("2024-01-01")
    properties = nic["properties"]["ipConfigurations"][0]["properties"]
    properties["loadBalancerBackendAddressPools"] = [{"id": each} for each in pools]
    stage.arm("PUT", nic_id(vm), nic)


def test_a_load_balancer_with_an_empty_pool_does_not_serve_and_says_which_pool_and_where_that_was_read():
    async def story(stage):
        await swept(stage)
        assert (llama(stage), stage.record(EAST, "lb")) == (["10.3.0.4"], None)
        assert await reason(stage) == "warming (backend pool backends is empty (Azure Resource Manager))"
        assert [alarm["what"] for alarm in (await stage.app.status())["alarms"] if LB in alarm["what"]] == []

    run_scenario(story, world(FAR, load_balancers=[load_balancer() | {"backends": 0}]))


def test_a_vm_that_joins_the_pool_brings_the_load_balancer_in_by_the_event_of_its_nic():
    async def story(stage):
        await swept(stage)
        join(stage, "backend", POOL)
        assert await stage.app.inventory.resolve(nic_id("backend")) == [backend["id"], LB]
        await told(stage)
        assert llama(stage) == ["10.1.0.20"]
        join(stage, "backend")
        await swept(stage)
        assert llama(stage) == ["10.3.0.4"], "the sweep finds that it has left: nothing leads from its NIC to the pool"

    backend = a_vm("backend", EAST, 9, None)
    run_scenario(story, world(FAR, backend, load_balancers=[load_balancer() | {"backends": 0}]))


def test_a_scale_set_that_joins_the_pool_is_found_by_the_drain_timer():
    async def story(stage):
        await swept(stage)
        ip = {"name": "i", "properties": {"subnet": {"id": f"{vnet(EAST)}/subnets/default"}}}
        ip["properties"]["loadBalancerBackendAddressPools"] = [{"id": POOL}]
        nic = {"name": "n", "properties": {"primary": True, "ipConfigurations": [ip]}}
        profile = {"networkProfile": {"networkInterfaceConfigurations": [nic]}}
        properties = {"orchestrationMode": "Uniform", "virtualMachineProfile": profile}
        body = {"location": EAST, "sku": {"name": "Standard_D2s_v3", "capacity": 1}, "properties": properties}
        stage.arm("PUT", path("Microsoft.Compute/virtualMachineScaleSets", "pool"), body)
        await stage.deliver_pending_events()
        await asyncio.sleep(30)
        await stage.app.drain()
        assert (llama(stage), stage.wrong_answers()) == (["10.1.0.20"], {})

    run_scenario(story, world(FAR, load_balancers=[load_balancer() | {"backends": 0}]))


def test_a_frontend_with_an_empty_pool_is_left_out_while_another_one_serves():
    async def story(stage):
        await swept(stage)
        assert (llama(stage), stage.record(EAST, "lb")) == (["10.1.0.20"], ["10.1.0.20"])
        assert stage.record(EAST, "chat") is None
        empty = "backend pool two is empty (Azure Resource Manager): frontend two is not published"
        assert await reason(stage, "chat") == empty
        (known,) = [each for each in (await stage.app.status(full=True))["known"] if each["id"] == LB]
        assert (known["state"], known["not_serving"]) == ("serving", empty)

    frontends = [FRONTENDS[0], FRONTENDS[1] | {"backends": 0}]
    entry = load_balancer("lb", {"nearzone": "llama@*, chat@two"}, *frontends)
    run_scenario(story, world(load_balancers=[entry]))


def test_a_name_whose_only_frontend_has_lost_its_backends_is_emptied_without_the_guard():
    async def story(stage):
        await swept(stage)
        assert stage.record(EAST, "chat") == ["10.1.0.21"]
        stage.cloud.load_balancers.all.find(LB).sections["backendAddressPools"]["two"].clear()
        report = await swept(stage)
        assert (stage.record(EAST, "chat"), report.refusals) == (None, [])

    entry = load_balancer("lb", {"nearzone": "llama@*, chat@two"}, FRONTENDS[0], FRONTENDS[1] | {"backends": 1})
    run_scenario(story, world(load_balancers=[entry]))


@pytest.mark.parametrize(
    ("sku", "parts", "served"),
    [
        ("Standard", {}, False),
        ("Standard", {"backendAddressPools": [{"name": "p", "properties": {}}]}, False),
        ("Basic", {"backendAddressPools": [{"name": "p", "properties": {}}]}, True),
        ("Basic", {}, False),
    ],
    ids=["no pool", "an empty pool", "a pool of Basic, of which nothing is told", "no pool in Basic"],
)
def test_a_load_balancer_that_a_client_has_written_serves_unless_its_pools_are_known_to_be_empty(sku, parts, served):
    async def story(stage):
        await swept(stage)
        stage.cloud.azure.ensure_group(SUB, "ai")
        frontend = {"name": "f", "properties": {"subnet": {"id": f"{vnet(EAST)}/subnets/default"}}}
        body = {"location": EAST, "tags": LLAMA, "sku": {"name": sku}}
        stage.arm("PUT", LB, body | {"properties": {"frontendIPConfigurations": [frontend], **parts}})
        await told(stage)
        assert llama(stage) == (["10.1.0.4"] if served else ["10.3.0.4"])

    run_scenario(story, world(FAR, a_vm("beside", EAST, 9, None)))
