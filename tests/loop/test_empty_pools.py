"""Load balancers and gateways without a backend: what Azure Resource Manager shows of their pools, up to the zones."""

import asyncio

import pytest

from tests.support.deployment import REGIONS, SUB, a_vm, nic_id, run_scenario, vnet
from tests.support.endpoint_kinds import FAR, LLAMA, application_gateway, llama, load_balancer, path, swept, world

EAST, _, _ = REGIONS
LB = load_balancer()["id"]
AGW = application_gateway()["id"]
EMPTY = {
    "load_balancers": (load_balancer() | {"backends": 0}, "10.1.0.20", "loadBalancerBackendAddressPools"),
    "application_gateways": (
        application_gateway(backends=0),
        "10.1.0.60",
        "applicationGatewayBackendAddressPools",
    ),
}
"""By kind: an endpoint whose pool is empty, its address, and the field in which NICs name its pools."""
FRONTENDS = [
    {"name": "one", "vnet": vnet(EAST), "address": "10.1.0.20"},
    {"name": "two", "vnet": vnet(EAST), "address": "10.1.0.21"},
]


async def told(stage):
    """What has happened has reached the zones by events alone."""
    await stage.deliver_pending_events()
    assert stage.wrong_answers() == {}


async def reason(stage, name="llama", endpoint=LB):
    """Why an endpoint is in the answer of its own region, or is not."""
    found = await stage.app.explain(stage.app.settings.zones[0], name)
    (claim,) = [each for each in found["claims"] if each["endpoint"] == endpoint]
    return claim["reason"]


def join(stage, vm, field, *pools):
    """Write the NIC of a VM with these pools."""
    nic = stage.cloud.network.nics.find(nic_id(vm)).body("2024-01-01")
    properties = nic["properties"]["ipConfigurations"][0]["properties"]
    properties[field] = [{"id": each} for each in pools]
    stage.arm("PUT", nic_id(vm), nic)


@pytest.mark.parametrize("kind", EMPTY)
def test_an_endpoint_with_an_empty_pool_does_not_serve_and_says_which_pool_and_where_that_was_read(kind):
    async def story(stage):
        await swept(stage)
        assert (llama(stage), stage.record(EAST, entry["id"].rsplit("/", 1)[1])) == (["10.3.0.4"], None)
        empty = "warming (backend pool backends is empty (Azure Resource Manager))"
        assert await reason(stage, endpoint=entry["id"]) == empty
        assert [alarm["what"] for alarm in (await stage.app.status())["alarms"] if entry["id"] in alarm["what"]] == []

    entry, _, _ = EMPTY[kind]
    run_scenario(story, world(FAR, **{kind: [entry]}))


@pytest.mark.parametrize("kind", EMPTY)
def test_a_vm_that_joins_the_pool_brings_the_endpoint_in_by_the_event_of_its_nic(kind):
    async def story(stage):
        await swept(stage)
        join(stage, "backend", field, f"{entry['id']}/backendAddressPools/backends")
        assert await stage.app.inventory.resolve(nic_id("backend")) == [backend["id"], entry["id"]]
        await told(stage)
        assert llama(stage) == [address]
        join(stage, "backend", field)
        await swept(stage)
        assert llama(stage) == ["10.3.0.4"], "the sweep finds that it has left: nothing leads from its NIC to the pool"

    entry, address, field = EMPTY[kind]
    backend = a_vm("backend", EAST, 9, None)
    run_scenario(story, world(FAR, backend, **{kind: [entry]}))


@pytest.mark.parametrize("kind", EMPTY)
def test_a_scale_set_that_joins_the_pool_is_found_by_the_drain_timer(kind):
    async def story(stage):
        await swept(stage)
        ip = {"name": "i", "properties": {"subnet": {"id": f"{vnet(EAST)}/subnets/default"}}}
        ip["properties"][field] = [{"id": f"{entry['id']}/backendAddressPools/backends"}]
        nic = {"name": "n", "properties": {"primary": True, "ipConfigurations": [ip]}}
        profile = {"networkProfile": {"networkInterfaceConfigurations": [nic]}}
        properties = {"orchestrationMode": "Uniform", "virtualMachineProfile": profile}
        body = {"location": EAST, "sku": {"name": "Standard_D2s_v3", "capacity": 1}, "properties": properties}
        stage.arm("PUT", path("Microsoft.Compute/virtualMachineScaleSets", "pool"), body)
        await stage.deliver_pending_events()
        await asyncio.sleep(30)
        await stage.app.drain()
        assert (llama(stage), stage.wrong_answers()) == ([address], {})

    entry, address, field = EMPTY[kind]
    run_scenario(story, world(FAR, **{kind: [entry]}))


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


NOTHING, SOMETHING = {"backendAddresses": []}, {"backendAddresses": [{"ipAddress": "10.1.0.9"}]}
REDIRECT = [{"name": "r", "properties": {"redirectType": "Permanent", "targetUrl": "https://elsewhere.example"}}]


@pytest.mark.parametrize(
    ("pools", "redirects", "served"),
    [
        ([NOTHING], [], False),
        ([NOTHING, NOTHING], [], False),
        ([NOTHING, SOMETHING], [], True),
        ([{}], [], True),
        ([NOTHING], REDIRECT, True),
        ([], [], True),
    ],
    ids=[
        "an empty pool",
        "two empty ones",
        "one with a member",
        "a pool of which nothing is told",
        "a redirect",
        "none",
    ],
)
def test_a_gateway_that_a_client_has_written_serves_unless_all_its_pools_are_known_to_be_empty(
    pools, redirects, served
):
    async def story(stage):
        await swept(stage)
        body = stage.arm("GET", AGW).content
        named = [{"name": f"p{number}", "properties": each} for number, each in enumerate(pools)]
        body["properties"] |= {"backendAddressPools": named, "redirectConfigurations": redirects}
        stage.arm("PUT", AGW, body)
        await told(stage)
        assert llama(stage) == (["10.1.0.60"] if served else ["10.3.0.4"])

    run_scenario(story, world(FAR, application_gateways=[application_gateway(backends=0 if served else 1)]))
