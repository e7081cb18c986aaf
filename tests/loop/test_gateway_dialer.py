"""The dialer of the simulator reaches addresses through a gateway on loopback, and nothing else."""

import asyncio
from ipaddress import IPv4Network

import pytest

from shared.config.settings import Probing
from shared.domain.probes import Probe, ProbeWord
from shared.probing.gateway_dialer import GatewayDialer
from shared.probing.prober import probe
from tests.support.probe_servers import Certificates, answers, refused_port, serving

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
PATIENT = Probing(timeout=30.0, connect_timeout=30.0)
IP = "10.1.0.4"


def gateway(line, then=None, asked=None):
    """A gateway that answers with a line and plays the server behind it."""

    async def handle(reader, writer):
        request = await reader.readline()
        if asked is not None:
            asked.append(request)
        writer.write(line)
        await (then or hang)(reader, writer)

    return handle


async def hang(reader, writer):
    await reader.read()


async def probed(handle, asked=None, probing=PATIENT):
    async with serving(handle) as port:
        return await probe(
            GatewayDialer(f"127.0.0.1:{port}", "eastus"), IP, asked or Probe("http", 8000, "/health"), probing
        )


async def test_the_gateway_is_told_address_and_vantage_and_gives_the_round_trip_time():
    asked = []
    found = await probed(gateway(b"OK 83.25\n", answers(OK), asked))
    assert (found.word, found.status, found.rtt_ms) == (ProbeWord.OK, 200, 83.25)
    assert asked == [b"CONNECT 10.1.0.4:8000 eastus\n"]


@pytest.mark.parametrize(
    ("line", "word"),
    [
        (b"REFUSED\n", ProbeWord.REFUSED),
        (b"UNREACHABLE\n", ProbeWord.UNREACHABLE),
        (b"OK\n", ProbeWord.LOCAL_FAULT),
        (b"OK nan\n", ProbeWord.LOCAL_FAULT),
        (b"MAYBE 1\n", ProbeWord.LOCAL_FAULT),
        (b"x" * 1000, ProbeWord.LOCAL_FAULT),
        (b"\xff\xfe\n", ProbeWord.LOCAL_FAULT),
    ],
)
async def test_each_line_of_the_gateway_has_its_word(line, word):
    found = await probed(gateway(line))
    assert (found.word, found.rtt_ms) == (word, None)


async def test_a_gateway_that_says_nothing_is_a_dead_address():
    found = await probed(gateway(b""), probing=Probing(timeout=30.0, connect_timeout=0.3))
    assert found.word == ProbeWord.CONNECT_TIMEOUT
    assert found.seconds < 25


async def test_bytes_right_after_the_line_belong_to_the_server():
    found = await probed(gateway(b"OK 1\n" + OK))
    assert found.word == ProbeWord.OK


async def test_no_gateway_is_a_fault_of_this_machine():
    with refused_port() as sock:
        dialer = GatewayDialer(f"127.0.0.1:{sock.getsockname()[1]}", "eastus")
        assert (await probe(dialer, IP, Probe("tcp", 22), PATIENT)).word == ProbeWord.LOCAL_FAULT


@pytest.mark.parametrize("ip", ["127.0.0.1", "169.254.169.254", "168.63.129.16", "10.9.0.4", "localhost"])
async def test_what_is_never_dialed_is_not_asked_for(ip):
    asked = []
    async with serving(gateway(b"OK 1\n", asked=asked)) as port:
        dialer = GatewayDialer(f"127.0.0.1:{port}", "eastus", [IPv4Network("10.9.0.0/24")])
        assert (await probe(dialer, ip, Probe("tcp", 22), PATIENT)).word == ProbeWord.LOCAL_FAULT
        await asyncio.sleep(0)
    assert asked == []


@pytest.mark.parametrize("address", ["10.0.0.1:80", "localhost:80", "127.0.0.1", "127.0.0.1:x", "[::1]:80"])
def test_the_gateway_is_on_loopback(address):
    with pytest.raises(ValueError, match=r"."):
        GatewayDialer(address, "eastus")


async def test_tls_runs_through_the_gateway_end_to_end():
    certificates = Certificates()

    async def through(reader, writer):
        """Copy bytes between the probe and a TLS server."""
        async with serving(answers(OK), certificates.server("llama.example")) as port:
            there, back = await asyncio.open_connection("127.0.0.1", port)
            try:
                await asyncio.gather(_copy(reader, back), _copy(there, writer))
            finally:
                back.close()
                await back.wait_closed()

    asked = Probe("https", 443, "/health", tls=True, tls_name="llama.example")
    async with serving(gateway(b"OK 5\n", through)) as port:
        dialer = GatewayDialer(f"127.0.0.1:{port}", "eastus", tls_contexts=certificates.clients)
        found = await probe(dialer, IP, asked, PATIENT)
    assert (found.word, found.rtt_ms) == (ProbeWord.OK, 5.0)


async def _copy(reader, writer):
    while data := await reader.read(4096):
        writer.write(data)
        await writer.drain()
    writer.close()
