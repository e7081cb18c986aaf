"""The real SDK clients work on a simulated Azure in one process, and waiting costs no time."""

import asyncio
import json
import time
from random import Random

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ResourceNotFoundError, ServiceRequestError, ServiceResponseError
from azure.core.rest import HttpRequest
from azure.mgmt.compute.aio import ComputeManagementClient
from azure.mgmt.privatedns.aio import PrivateDnsManagementClient

from simulator.arm.front_door import Request, Response
from simulator.front_ends.transport import Lost, SimulatorTransport, Slow
from simulator.timing import latency as recorded
from simulator.timing.latency import Latency, Spread, spread_of
from tests.support.small_world import GROUP, ZONE, Scene, a_vm, in_virtual_time, nic_id, vm_id

ARM = "https://management.azure.com"


class Credential:
    async def get_token(self, *_, **__):
        return AccessToken("token", int(time.time()) + 3600)

    async def close(self):
        pass

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        pass


def compute(scene, **options):
    options.setdefault("retry_total", 0)
    transport = SimulatorTransport(scene.cloud, options.pop("latency", None), options.pop("faults", None))
    return ComputeManagementClient(Credential(), "S", transport=transport, **options)


def private_dns(scene):
    return PrivateDnsManagementClient(Credential(), "S", transport=SimulatorTransport(scene.cloud))


def get_nic():
    return HttpRequest("GET", f"{ARM}{nic_id('gpu-nic')}", params={"api-version": "2024-01-01"})


def test_the_compute_client_reads_lists_starts_and_waits_for_the_end():
    async def story(loop):
        scene = Scene(a_vm("gpu", "10.1.0.4", "deallocated", "healthy"), clock=loop.time)
        async with compute(scene) as client:
            before = await client.virtual_machines.get("G", "gpu", expand="instanceView")
            began = loop.time()
            await (await client.virtual_machines.begin_start("G", "gpu")).result()
            took = loop.time() - began
            await asyncio.sleep(10)  # The extension reports a while after the boot.
            after = await client.virtual_machines.get("G", "gpu", expand="instanceView")
            names = [vm.name async for vm in client.virtual_machines.list_all()]
        return before, after, names, took, scene.operations

    before, after, names, took, operations = in_virtual_time(story)
    assert before.instance_view.statuses[1].code == "PowerState/deallocated"
    assert after.instance_view.statuses[1].code == "PowerState/running"
    assert after.instance_view.vm_health.status.code == "HealthState/unhealthy"
    assert names == ["gpu"]
    assert 5 <= took <= 40
    assert operations == [("gpu", "Microsoft.Compute/virtualMachines/start/action", "Success")]


def test_the_compute_client_follows_all_pages():
    async def story(loop):
        scene = Scene(*[a_vm(f"gpu-{n}", f"10.1.1.{n + 4}") for n in range(40)], clock=loop.time)
        scene.cloud.compute.page_sizes = (3, 7)
        async with compute(scene) as client:
            return [vm.name async for vm in client.virtual_machines.list_all()]

    assert sorted(in_virtual_time(story)) == sorted(f"gpu-{n}" for n in range(40))


def test_the_private_dns_client_writes_reads_lists_and_deletes_record_sets():
    async def story(loop):
        scene = Scene(clock=loop.time)
        body = {"properties": {"ttl": 30, "aRecords": [{"ipv4Address": "10.1.0.4"}], "metadata": {"k": "v"}}}
        async with private_dns(scene) as client:
            written = await client.record_sets.create_or_update("G", "ai.internal", "A", "llama", body)
            read = await client.record_sets.get("G", "ai.internal", "A", "llama")
            names = [each.name async for each in client.record_sets.list("G", "ai.internal")]
            await client.record_sets.delete("G", "ai.internal", "A", "llama")
            with pytest.raises(ResourceNotFoundError):
                await client.record_sets.get("G", "ai.internal", "A", "llama")
        return written, read, names

    written, read, names = in_virtual_time(story)
    assert written.properties.a_records[0].ipv4_address == "10.1.0.4"
    assert read.etag == written.etag
    assert read.properties.metadata == {"k": "v"}
    assert sorted(names) == ["@", "llama"]


def test_a_plain_request_through_a_clients_pipeline_has_a_body_and_headers():
    async def story(loop):
        async with compute(Scene(a_vm("gpu", "10.1.0.4"), clock=loop.time)) as client:
            response = await client._client.send_request(get_nic())
            return response, response.json(), await response.read(), response.content, response.text(), response.body()

    response, content, *bodies = in_virtual_time(story)
    assert response.status_code == 200
    assert response.headers["ETag"] == content["etag"]
    assert content["id"] == nic_id("gpu-nic")
    assert {json.dumps(json.loads(body)) for body in bodies} == {json.dumps(content)}


def test_a_request_without_an_answer_body_can_be_read_too():
    async def story(loop):
        request = HttpRequest("POST", f"{ARM}{vm_id('gpu')}/start", params={"api-version": "2024-03-01"})
        async with compute(Scene(a_vm("gpu", "10.1.0.4"), clock=loop.time)) as client:
            response = await client._client.send_request(request)
            return response.status_code, await response.read()

    assert in_virtual_time(story) == (202, b"")


def test_what_is_sent_to_the_simulator_is_what_the_client_meant():
    seen = []

    async def story(loop):
        body = {"properties": {"ttl": 30, "aRecords": []}}
        request = HttpRequest(
            "PUT", f"{ARM}{ZONE}/A/x", params={"api-version": "2024-06-01"}, json=body, headers={"If-None-Match": "*"}
        )
        async with compute(Scene(clock=loop.time), faults=seen.append) as client:
            return (await client._client.send_request(request)).status_code

    assert in_virtual_time(story) == 201
    [request] = seen
    assert (request.method, request.path, request.base) == ("PUT", f"{ZONE}/A/x", ARM)
    assert json.loads(request.body) == {"properties": {"ttl": 30, "aRecords": []}}
    assert request.headers["if-none-match"] == "*"
    assert request.headers["authorization"] == "Bearer token"


def exchange(latency=None, faults=None, request=None, **options):
    """Send one request; gives the outcome (status or exception type), the seconds and the scene."""

    async def story(loop):
        scene = Scene(a_vm("gpu", "10.1.0.4"), clock=loop.time)
        async with compute(scene, latency=latency, faults=faults) as client:
            began = loop.time()
            try:
                outcome = (await client._client.send_request(request or get_nic(), **options)).status_code
            except (ServiceRequestError, ServiceResponseError) as error:
                outcome = type(error)
            return outcome, loop.time() - began, scene

    return in_virtual_time(story)


def put(name):
    body = {"properties": {"ttl": 30, "aRecords": []}}
    return HttpRequest("PUT", f"{ARM}{ZONE}/A/{name}", params={"api-version": "2024-06-01"}, json=body)


def test_a_request_takes_the_recorded_time():
    for seed in range(20):
        outcome, took, _ = exchange(Latency(Random(seed)))
        assert outcome == 200
        assert recorded.NIC_GET.low <= round(took, 6) <= recorded.NIC_GET.high


def test_latency_can_be_switched_off():
    assert exchange(Latency(Random(1), 0))[1] == 0


@pytest.mark.parametrize(
    ("fault", "outcome", "written"),
    [
        (None, 201, True),
        (Response(500, {"error": {"code": "InternalServerError", "message": "oops"}}), 500, False),
        (Lost(after=False), ServiceRequestError, False),
        (Lost(after=True), ServiceResponseError, True),
    ],
)
def test_a_fault_happens_before_or_after_the_request_takes_effect(fault, outcome, written):
    found, _, scene = exchange(faults=lambda _: fault, request=put("x"))
    assert found == outcome
    assert (scene.ask("GET", f"{ZONE}/A/x").status == 200) is written


def test_a_slow_answer_comes_late_or_not_within_the_timeout():
    slow = {"faults": lambda _: Slow(8.0), "request": put("x")}
    assert exchange(**slow)[:2] == (201, 8.0)
    outcome, took, scene = exchange(**slow, read_timeout=5.0)
    assert (outcome, took) == (ServiceResponseError, 5.0)
    assert scene.ask("GET", f"{ZONE}/A/x").status == 200


def test_two_requests_wait_side_by_side():
    async def story(loop):
        scene = Scene(a_vm("gpu", "10.1.0.4"), clock=loop.time)
        async with compute(scene, faults=lambda _: Slow(1.0)) as client:
            began = loop.time()
            await asyncio.gather(*(client._client.send_request(get_nic()) for _ in range(10)))
            return loop.time() - began

    assert in_virtual_time(story) == 1.0


@pytest.mark.parametrize(
    ("method", "path", "spread"),
    [
        ("GET", f"{ZONE}/A/x", recorded.RECORD_GET),
        ("PUT", f"{ZONE}/a/x", recorded.RECORD_PUT),
        ("PATCH", f"{ZONE}/A/x", recorded.RECORD_PUT),
        ("DELETE", f"{ZONE}/A/x", recorded.RECORD_DELETE),
        ("GET", f"{ZONE}/ALL", recorded.LIST),
        ("GET", f"{GROUP}/Microsoft.Compute/virtualMachines", recorded.LIST),
        ("GET", vm_id("gpu"), recorded.VM_GET),
        ("GET", nic_id("gpu"), recorded.NIC_GET),
        ("POST", f"{vm_id('gpu')}/start", recorded.OTHER),
        ("GET", "/nonsense", recorded.OTHER),
    ],
)
def test_each_kind_of_request_has_its_own_recorded_latency(method, path, spread):
    assert spread_of(Request(method, path)) is spread


def test_half_of_what_is_drawn_lies_below_the_median_and_all_within_the_range():
    rng, spread = Random(5), Spread(5, 5.5, 23)
    drawn = sorted(spread.draw(rng) for _ in range(2001))
    assert spread.low <= drawn[0]
    assert drawn[-1] <= spread.high
    assert abs(drawn[1000] - spread.median) < 0.1
    assert drawn[-1] > 20
