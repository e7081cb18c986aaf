"""The probe gateway speaks its protocol, takes as long as the path, and leaves nothing behind."""

import asyncio
import ssl
from contextlib import asynccontextmanager, suppress

import pytest
from test_server import running

from shared.config.settings import Probing
from shared.domain.probes import Probe, ProbeWord
from shared.probing.gateway_dialer import GatewayDialer
from shared.probing.prober import probe
from simulator.dialing.connections import ProbedNetwork
from simulator.front_ends.probe_gateway import ProbeGateway
from simulator.front_ends.tls import Authority
from simulator.model_servers.entry import ServerEntry
from simulator.paths.entry import PathEntry
from tests.support.small_world import Scene, a_vm, vm_id

ASKED = b"CONNECT 10.1.0.4:8000 eastus\n"
REQUEST = b"GET /health HTTP/1.1\r\nhost: a\r\n\r\n"


@asynccontextmanager
async def gateway(behaviour="healthy"):
    """A gateway to a world of one machine; gives it and its network."""
    scene = Scene(a_vm("gpu", "10.1.0.4"), clock=asyncio.get_running_loop().time)
    scene.cloud.servers.set(vm_id("gpu"), ServerEntry(behaviour=behaviour), 0.0)
    network = ProbedNetwork(scene.cloud)
    found = ProbeGateway(network, Authority().of_server)
    await found.start(0)
    try:
        yield found, network
    finally:
        await found.stop()


async def connected(to):
    host, port = to.address.split(":")
    return await asyncio.open_connection(host, int(port))


async def all_of(reader):
    async with asyncio.timeout(20):
        return await reader.read()


@pytest.mark.parametrize(("behaviour", "line"), [("refuses", b"REFUSED\n"), ("unreachable", b"UNREACHABLE\n")])
async def test_a_connection_that_fails_is_answered_with_one_line(behaviour, line):
    async with gateway(behaviour) as (there, _):
        reader, writer = await connected(there)
        writer.write(ASKED)
        assert await all_of(reader) == line
        writer.close()


async def test_an_open_connection_is_told_with_its_round_trip_time_and_is_logged_for_its_vantage():
    async with gateway() as (there, network):
        network.cloud.paths.change(PathEntry("eastus", "eastus", rtt_ms=7.5))
        reader, writer = await connected(there)
        writer.write(ASKED)
        assert await reader.readline() == b"OK 7.5000\n"
        writer.write(REQUEST)
        assert (await all_of(reader)).startswith(b"HTTP/1.1 200 OK\r\n")
        writer.close()
        assert [(each.vantage, each.ip, each.port) for each in network.log] == [("eastus", "10.1.0.4", 8000)]


@pytest.mark.parametrize(
    "text", [b"GET / HTTP/1.1\n", b"CONNECT 10.1.0.4 eastus\n", b"CONNECT 10.1.0.4:x eastus\n", b"\xff\n", b"x" * 9999]
)
async def test_what_is_not_the_protocol_is_answered_with_an_end(text):
    async with gateway() as (there, network):
        reader, writer = await connected(there)
        writer.write(text)
        with suppress(ConnectionResetError):  # The gateway has not read all of it.
            assert await all_of(reader) == b""
        writer.close()
        assert not network.log


@pytest.mark.parametrize("behaviour", ["hangs", "dead", "headers-then-hangs", "endless"])
async def test_a_client_that_leaves_ends_what_the_gateway_does_for_it(behaviour):
    before = asyncio.all_tasks()
    async with gateway(behaviour) as (there, _):
        reader, writer = await connected(there)
        writer.write(ASKED + REQUEST)
        if behaviour != "dead":
            assert (await reader.readline()).startswith(b"OK ")
        writer.close()
        async with asyncio.timeout(20):
            await asyncio.gather(*asyncio.all_tasks() - before, return_exceptions=True)


async def test_an_answer_takes_as_long_as_the_path():
    async with gateway() as (there, network):
        network.cloud.paths.change(PathEntry("eastus", "eastus", rtt_ms=200))
        loop, (reader, writer) = asyncio.get_running_loop(), await connected(there)
        begun = loop.time()
        writer.write(ASKED)
        await reader.readline()
        opened = loop.time() - begun
        writer.write(REQUEST)
        await all_of(reader)
        writer.close()
    assert opened >= 0.19
    assert loop.time() - begun >= 0.39


async def test_a_prober_that_trusts_the_ca_of_the_run_accepts_its_model_servers(tmp_path):
    def trusting(*, verify):
        return ssl.create_default_context(cafile=ready["probe_ca"])

    asked = Probe("http", 443, "/health", tls=True, tls_name="llama.ai.internal")
    async with running(tmp_path, vms=[a_vm("gpu", "10.1.0.4")]) as (ready, _):
        there = GatewayDialer(ready["probe_gateway"], "eastus", tls_contexts=trusting)
        strange = GatewayDialer(ready["probe_gateway"], "eastus")
        found = [(await probe(each, "10.1.0.4", asked, Probing())).word for each in (there, strange)]
    assert found == [ProbeWord.OK, ProbeWord.CERTIFICATE_UNTRUSTED]
