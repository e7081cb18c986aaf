"""`python -m simulator` is a whole Azure on loopback: real clients, real credential, real webhooks, clean ends."""

import asyncio
import base64
import io
import json
import signal
import sys
import time
from contextlib import asynccontextmanager

import aiohttp
import dns.asyncquery
import dns.message
import pytest
import pytest_asyncio
from aiohttp import web
from azure.core.exceptions import ClientAuthenticationError
from azure.identity.aio import ManagedIdentityCredential
from azure.mgmt.compute.aio import ComputeManagementClient

from simulator.__main__ import main
from tests.support.small_world import VNET, ZONE, a_vm, small, vm_id

DEADLINE = 20


async def start(*arguments):
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "simulator", *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )


def world_file(folder, *vms):
    file = folder / "world.json"
    world = small(*(vms or [a_vm("gpu", "10.1.0.4", "deallocated", "healthy")]))
    world["zones"][0]["records"] = [{"name": "db", "type": "A", "ttl": 300, "addresses": ["10.9.9.9"]}]
    file.write_text(json.dumps(world))
    return str(file)


@asynccontextmanager
async def running(folder, *arguments, vms=()):
    """A simulator as a process of its own; gives its addresses, and sees to it that it ends."""
    process = await start("--world", world_file(folder, *vms), "--latency", "0", *arguments)
    try:
        async with asyncio.timeout(DEADLINE):
            line = await process.stdout.readline()
        yield json.loads(line), process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        await process.communicate()


@asynccontextmanager
async def webhook(*, willing=True):
    """An Event Grid endpoint on loopback; gives its URL and a queue of what it got."""
    got = asyncio.Queue()

    async def receive(request):
        content = await request.json()
        if request.headers["aeg-event-type"] == "SubscriptionValidation":
            code = content[0]["data"]["validationCode"]
            return web.json_response({"validationResponse": code if willing else "no"})
        got.put_nowait(content[0])
        return web.Response(status=202)

    app = web.Application()
    app.router.add_post("/hook", receive)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/hook", got
    finally:
        await runner.cleanup()


async def ask(method, url, body=None, **headers):
    async with aiohttp.ClientSession() as session, session.request(method, url, json=body, headers=headers) as answer:
        return answer.status, await answer.json()


@pytest.fixture
def identity(monkeypatch):
    def use(addresses, secret=None):
        monkeypatch.setenv("IDENTITY_ENDPOINT", addresses["identity_endpoint"])
        monkeypatch.setenv("IDENTITY_HEADER", secret or addresses["identity_header"])

    return use


async def test_a_real_client_with_a_real_credential_starts_a_vm_and_the_webhook_hears_of_it(tmp_path, identity):
    async with running(tmp_path, "--operations", "0.05") as (addresses, _), webhook() as (url, got):
        identity(addresses)
        assert (await ask("POST", f"{addresses['control']}/subscriptions", {"endpoint": url}))[0] == 200
        async with (
            ManagedIdentityCredential() as credential,
            ComputeManagementClient(
                credential,
                "S",
                base_url=addresses["arm"],
                credential_scopes=["https://management.azure.com/.default"],
                enforce_https=False,
            ) as client,
        ):
            vm = await client.virtual_machines.get("G", "gpu", expand="instanceView", enforce_https=False)
            assert vm.instance_view.statuses[1].code == "PowerState/deallocated"
            poller = await client.virtual_machines.begin_start("G", "gpu", enforce_https=False, polling_interval=0.1)
            async with asyncio.timeout(DEADLINE):
                event = await got.get()
                await poller.result()
            vm = await client.virtual_machines.get("G", "gpu", expand="instanceView", enforce_https=False)
            assert vm.instance_view.statuses[1].code == "PowerState/running"
        assert event["eventType"] == "Microsoft.Resources.ResourceActionSuccess"
        assert event["subject"] == vm_id("gpu")
        [entry] = await eventually(lambda: ask("GET", f"{addresses['control']}/deliveries?after=0"))
        assert (entry["status"], entry["attempt"], entry["url"]) == (202, 1, url)
        assert entry["sent_at"] <= entry["answered_at"] <= time.time()


async def eventually(question):
    """Ask until the answer is not empty; fails after the deadline."""
    async with asyncio.timeout(DEADLINE):
        while True:
            _, answer = await question()
            if answer:
                return answer
            await asyncio.sleep(0.02)


async def test_a_vm_starts_by_itself_although_nobody_asks(tmp_path):
    async with running(tmp_path, "--operations", "0.01") as (addresses, _), webhook() as (url, got):
        await ask("POST", f"{addresses['control']}/subscriptions", {"endpoint": url})
        start_url = f"{addresses['arm']}{vm_id('gpu')}/start?api-version=2024-03-01"
        async with aiohttp.ClientSession() as session, session.post(start_url, headers={"Authorization": "Bearer x"}):
            pass
        async with asyncio.timeout(DEADLINE):
            assert (await got.get())["data"]["operationName"].endswith("start/action")


async def test_a_token_is_a_jwt_of_three_segments_and_needs_the_secret(tmp_path, identity):
    async with running(tmp_path) as (addresses, _):
        url = f"{addresses['identity_endpoint']}?resource=https://management.azure.com&api-version=2019-08-01"
        status, token = await ask("GET", url, **{"X-IDENTITY-HEADER": addresses["identity_header"]})
        assert status == 200
        assert set(token) >= {"access_token", "expires_on", "resource", "token_type"}
        segments = [json.loads(base64.urlsafe_b64decode(part + "==")) for part in token["access_token"].split(".")]
        assert len(segments) == 3
        assert segments[1]["aud"] == "https://management.azure.com"
        assert {"tid", "oid", "xms_mirid"} <= set(segments[1])
        assert int(token["expires_on"]) > time.time()
        assert (await ask("GET", url))[0] == 401
        identity(addresses, secret="wrong")
        async with ManagedIdentityCredential() as credential:
            with pytest.raises(ClientAuthenticationError):
                await credential.get_token("https://management.azure.com/.default")


async def test_arm_wants_a_bearer_token(tmp_path):
    async with running(tmp_path) as (addresses, _):
        url = f"{addresses['arm']}{vm_id('gpu')}?api-version=2024-03-01"
        status, content = await ask("GET", url)
        assert (status, content["error"]["code"]) == (401, "AuthenticationFailed")
        assert (await ask("GET", url, Authorization="Bearer x"))[0] == 200


async def test_links_in_answers_lead_back_to_the_simulator(tmp_path):
    async with running(tmp_path) as (addresses, _), aiohttp.ClientSession() as session:
        bearer = {"Authorization": "Bearer x"}
        url = f"{addresses['arm']}{vm_id('gpu')}/start?api-version=2024-03-01"
        async with session.post(url, headers=bearer) as answer:
            assert answer.status == 202
            link = answer.headers["azure-asyncoperation"]
        assert link.startswith(addresses["arm"])
        assert (await ask("GET", link, **bearer))[1]["status"] == "InProgress"


@pytest.mark.parametrize(("size", "status"), [(4 * 1024 * 1024 + 1, 413), (4 * 1024 * 1024 - 1, 400)])
async def test_a_body_over_4_mib_is_413_and_a_smaller_one_is_read(tmp_path, size, status):
    async with running(tmp_path) as (addresses, _), aiohttp.ClientSession() as session:
        url = f"{addresses['arm']}{ZONE}/A/x?api-version=2024-06-01"
        body = io.BytesIO(b"x" * size)
        async with session.put(url, data=body, headers={"Authorization": "Bearer x"}) as answer:
            assert answer.status == status
            assert (await answer.json())["error"]["code"] in {"RequestContentTooLarge", "InvalidRequestContent"}


async def test_each_network_is_answered_by_dns_at_the_address_that_was_announced(tmp_path):
    async with running(tmp_path) as (addresses, _):
        host, port = addresses["dns"][VNET].split(":")
        reply = await dns.asyncquery.udp(
            dns.message.make_query("db.ai.internal", "A"), host, port=int(port), timeout=DEADLINE
        )
        assert [record.address for record in reply.answer[0]] == ["10.9.9.9"]


async def test_the_control_routes_change_the_world_and_tell_nobody(tmp_path):
    async with running(tmp_path) as (addresses, _):
        control = addresses["control"]
        assert (await ask("POST", f"{control}/health", {"vm": vm_id("gpu"), "health": "unhealthy"}))[0] == 200
        assert (await ask("POST", f"{control}/guest-shutdown", {"vm": vm_id("gpu")}))[0] == 200
        assert (await ask("POST", f"{control}/lose", {"events": 3}))[0] == 200
        [vm] = (await ask("GET", f"{control}/world"))[1]["vms"]
        assert (vm["health"], vm["power"]) == ("unhealthy", "stopped")
        assert (await ask("GET", f"{control}/deliveries"))[1] == []


async def get_vm(addresses):
    """A VM's GET over HTTP: status and body, or the error of a connection that broke."""
    url = f"{addresses['arm']}{vm_id('gpu')}?api-version=2024-03-01"
    try:
        return await ask("GET", url, Authorization="Bearer x")
    except aiohttp.ClientError as error:
        return type(error), None


async def test_faults_can_be_switched_on_and_off_over_http(tmp_path):
    async with running(tmp_path) as (addresses, process):
        control = addresses["control"]
        assert (await get_vm(addresses))[0] == 200
        assert (await ask("POST", f"{control}/faults", {"internal_error": 1.0}))[0] == 200
        status, content = await get_vm(addresses)
        assert (status, content["error"]["code"]) == (500, "InternalServerError")
        for kind in ("lost_before", "lost_after"):
            await ask("POST", f"{control}/faults", {kind: 1})
            assert issubclass((await get_vm(addresses))[0], aiohttp.ClientConnectionError)
        await ask("POST", f"{control}/faults", {"slow": 1.0, "slowest": 0.01})
        assert (await get_vm(addresses))[0] == 200
        made = (await ask("GET", f"{control}/refused"))[1]["faults"]
        assert (made["internal_error"], made["slow"]) == (1, 1)
        assert made.keys() == {"internal_error", "lost_before", "lost_after", "slow"}
        assert (await ask("POST", f"{control}/outage", {"region": "eastus", "seconds": 600}))[0] == 200
        assert (await get_vm(addresses))[0] == 503
        await ask("POST", f"{control}/faults", {})
        assert (await get_vm(addresses))[0] == 200
        process.send_signal(signal.SIGTERM)
        assert (await process.communicate())[1] == b"", "a broken connection is no error of the simulator's"


async def test_a_connection_breaks_before_the_request_took_effect_or_after(tmp_path):
    async with running(tmp_path) as (addresses, _), aiohttp.ClientSession() as session:
        url = f"{addresses['arm']}{ZONE}/A/lost?api-version=2024-06-01"
        bearer = {"Authorization": "Bearer x"}
        body = {"properties": {"ttl": 30, "aRecords": [{"ipv4Address": "10.1.0.9"}]}}
        for kind, found in (("lost_before", 404), ("lost_after", 200)):
            await ask("POST", f"{addresses['control']}/faults", {kind: 1})
            with pytest.raises(aiohttp.ClientConnectionError):
                await session.put(url, json=body, headers=bearer)
            await ask("POST", f"{addresses['control']}/faults", {})
            assert (await ask("GET", url, **bearer))[0] == found


async def test_limits_and_foreign_calls_can_be_made_over_http(tmp_path):
    async with running(tmp_path) as (addresses, _):
        control, bearer = addresses["control"], {"Authorization": "Bearer x"}
        url = f"{addresses['arm']}{ZONE}/A/db?api-version=2024-06-01"
        assert (await ask("POST", f"{control}/limits", {"enforced": True}))[0] == 200
        foreign = {"zone": ZONE, "kind": "get", "count": 500}
        assert await ask("POST", f"{control}/foreign-calls", foreign) == (200, {"let_through": 200})
        assert (await ask("GET", url, **bearer))[0] == 429
        refused = (await ask("GET", f"{control}/refused"))[1]["throttled"]
        assert refused == [{"by": "dns", "scope": ZONE.lower(), "kind": "get", "calls": 1}]
        await ask("POST", f"{control}/limits", {"enforced": False})
        assert (await ask("GET", url, **bearer))[0] == 200


async def test_machines_can_crash_and_operations_be_made_to_fail_over_http(tmp_path):
    async with running(tmp_path) as (addresses, _), webhook() as (url, got):
        health = "Microsoft.ResourceNotifications.HealthResources"
        await ask("POST", f"{addresses['control']}/subscriptions", {"endpoint": url, "topic": health})
        gpu = vm_id("gpu")
        await ask("POST", f"{addresses['control']}/ending", {"id": gpu, "outcome": "Cancel"})
        start_url = f"{addresses['arm']}{gpu}/start?api-version=2024-03-01"
        async with (
            aiohttp.ClientSession(headers={"Authorization": "Bearer x"}) as session,
            session.post(start_url) as started,
        ):
            assert started.status == 202
        async with asyncio.timeout(DEADLINE):
            told = {(await got.get())["data"]["resourceInfo"]["properties"].get("annotationName") for _ in range(2)}
        assert told == {"VirtualMachineAllocated", "VirtualMachineStartInitiatedByControlPlane"}
        assert (await ask("POST", f"{addresses['control']}/host-crash", {"vm": gpu, "seconds": 1}))[0] == 200


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("route", "body", "named"),
    [
        ("health", {"vm": vm_id("nope"), "health": "healthy"}, "vm"),
        ("health", {"vm": vm_id("gpu"), "health": "fine"}, "$.health"),
        ("health", {"health": "healthy"}, "`vm`"),
        ("guest-shutdown", {"vm": vm_id("gpu"), "more": 1}, "more"),
        ("preempt", {"vm": vm_id("gpu")}, "not a Spot VM"),
        ("host-crash", {"vm": vm_id("gpu"), "seconds": -1}, "$.seconds"),
        ("ending", {"id": vm_id("nope"), "outcome": "Failure"}, "vm"),
        ("ending", {"id": vm_id("gpu"), "outcome": "Success"}, "$.outcome"),
        ("subscriptions", {"endpoint": "http://127.0.0.1:9/hook", "topic": "Other"}, "$.topic"),
        ("lose", {"events": -1}, "$.events"),
        ("subscriptions", {"endpoint": "ftp://x"}, "$.endpoint"),
        ("subscriptions", {"endpoint": "http://127.0.0.1:9/hook", "schema": "Other"}, "$.schema"),
        ("subscriptions", {"endpoint": "http://127.0.0.1:9/hook"}, "did not answer"),
        ("lose", [], "object"),
        ("faults", {"slow": 1.5}, "$.slow"),
        ("faults", {"fast": 1}, "fast"),
        ("faults", {"forbidden": {"virtualmachines": -1}}, "$.forbidden"),
        ("outage", {"region": "eastsu", "seconds": 1}, "['eastus']"),
        ("limits", {"enforced": "yes"}, "$.enforced"),
        ("foreign-calls", {"zone": ZONE + "x", "kind": "get", "count": 1}, "zone"),
        ("foreign-calls", {"zone": ZONE, "kind": "zone get", "count": 1}, "$.kind"),
    ],
)
async def test_a_faulty_control_request_is_400_and_names_the_field(route, body, named, control):
    status, content = await ask("POST", f"{control}/{route}", body)
    assert status == 400
    assert named in content["error"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def control(tmp_path_factory):
    """The control URL of one simulator for all requests that it refuses."""
    async with running(tmp_path_factory.mktemp("refused")) as (addresses, _):
        yield addresses["control"]


async def test_an_endpoint_that_fails_the_handshake_is_not_subscribed(tmp_path):
    async with running(tmp_path) as (addresses, _), webhook(willing=False) as (url, _got):
        status, content = await ask("POST", f"{addresses['control']}/subscriptions", {"endpoint": url})
        assert status == 400
        assert url in content["error"]


@pytest.mark.parametrize("name", [signal.SIGINT, signal.SIGTERM])
async def test_it_stops_cleanly_when_told_to(tmp_path, name):
    async with running(tmp_path) as (addresses, process):
        assert addresses["pid"] == process.pid
        process.send_signal(name)
        async with asyncio.timeout(DEADLINE):
            _, errors = await process.communicate()
        assert process.returncode == 0
        assert errors == b""


def test_a_world_that_cannot_be_read_ends_it_with_2_and_the_name_of_the_field(tmp_path, capsys):
    file = world_file(tmp_path, a_vm("gpu", "10.1.0.4", power="on"))
    assert main(["--world", file]) == 2
    told = capsys.readouterr().err
    assert "vms[0].power: found" in told
    assert file in told


@pytest.mark.parametrize("option", ["--http", "--https", "--dns"])
@pytest.mark.parametrize("port", ["65536", "-1", "http"])
def test_a_port_that_cannot_be_ends_it_with_2_and_the_name_of_the_option(option, port, capsys):
    with pytest.raises(SystemExit) as ended:
        main([f"{option}={port}"])
    assert ended.value.code == 2
    assert f"argument {option}: '{port}' is not a port" in capsys.readouterr().err


async def test_a_port_of_https_that_is_taken_ends_it_with_2(tmp_path):
    async with running(tmp_path) as (addresses, _):
        taken = addresses["arm"].rsplit(":", 1)[1]
        process = await start("--world", world_file(tmp_path), "--https", taken)
        _, errors = await process.communicate()
    assert process.returncode == 2
    assert taken in errors.decode()
    assert len(errors.splitlines()) == 1


def test_a_world_file_that_is_not_there_ends_it_with_2(tmp_path, capsys):
    assert main(["--world", str(tmp_path / "nope.json")]) == 2
    assert "nope.json" in capsys.readouterr().err
