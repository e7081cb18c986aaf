"""The dialer of sockets gives its word for what real servers on loopback do, and the kernel's round-trip time.

Whatever should succeed has far more time than it needs, and whatever should not ends by a short limit.
"""

import asyncio
import errno
import os
import resource
import socket
import ssl
import struct
import sys
import time
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from shared.config.settings import Probing
from shared.domain.addresses import NEVER
from shared.domain.errors import DialError
from shared.domain.probes import Probe, ProbeWord
from shared.probing import socket_dialer, tls
from shared.probing.os_errors import connect_word, connection_word
from shared.probing.prober import probe
from shared.probing.socket_dialer import SocketDialer
from shared.probing.tcp_info import TcpInfo, parse
from tests.support.probe_servers import Certificates, accepting, answers, full, refused_port, reset, serving

IP = "127.0.0.1"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
PATIENT = Probing(timeout=30.0, connect_timeout=30.0)
SHORT = Probing(timeout=0.5, connect_timeout=0.5)
"""For what would never end."""


def dialer(**more):
    """A dialer that may connect to loopback."""
    return SocketDialer(forbidden=(), **more)


def http(port, **more):
    return Probe("http", port, "/health", **more)


async def word(asked, probing=PATIENT, **more):
    begun = time.monotonic()
    result = await probe(dialer(**more), IP, asked, probing)
    assert time.monotonic() - begun < probing.timeout + 20
    return result.word


async def hang(reader, writer):
    await reader.read()


async def hang_after_headers(reader, writer):
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
    await reader.read()


async def drip(reader, writer):
    writer.write(b"HTTP/1.1 200 OK\r\nX: ")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.01)


async def reset_at_once(reader, writer):
    reset(writer)


async def reset_after_request(reader, writer):
    await reader.readuntil(b"\r\n\r\n")
    reset(writer)


async def close_at_once(reader, writer):
    await reader.readuntil(b"\r\n\r\n")


async def endless(reader, writer):
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        writer.write(b"x" * 65536)
        await writer.drain()


SERVERS = [
    (answers(OK), PATIENT, ProbeWord.OK),
    (answers(b"HTTP/1.1 503 Loading\r\nContent-Length: 0\r\n\r\n"), PATIENT, ProbeWord.STATUS),
    (answers(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"), PATIENT, ProbeWord.STATUS),
    (answers(b"HTTP/1.1 307 X\r\nLocation: http://169.254.169.254/\r\n\r\n"), PATIENT, ProbeWord.REDIRECT),
    (answers(b"220 mail ESMTP\r\n"), PATIENT, ProbeWord.NOT_HTTP),
    (hang, SHORT, ProbeWord.ANSWER_TIMEOUT),
    (hang_after_headers, SHORT, ProbeWord.ANSWER_TIMEOUT),
    (drip, SHORT, ProbeWord.ANSWER_TIMEOUT),
    (reset_at_once, PATIENT, ProbeWord.RESET),
    (reset_after_request, PATIENT, ProbeWord.RESET),
    (close_at_once, PATIENT, ProbeWord.CLOSED),
    (endless, PATIENT, ProbeWord.TOO_LONG),
]


@pytest.mark.parametrize(("handle", "probing", "expected"), SERVERS)
async def test_each_server_has_its_word(handle, probing, expected):
    async with serving(handle) as port:
        assert await word(http(port), probing) == expected


async def test_a_port_on_which_nothing_listens_is_refused():
    with refused_port() as sock:
        assert await word(http(sock.getsockname()[1])) == ProbeWord.REFUSED


async def test_an_address_that_does_not_answer_ends_at_the_connect_timeout():
    server, fillers = full()
    try:
        asked = http(server.getsockname()[1])
        found = await probe(dialer(), IP, asked, Probing(timeout=30.0, connect_timeout=0.3))
        assert found.word == ProbeWord.CONNECT_TIMEOUT
        assert found.seconds < 25
    finally:
        for sock in (server, *fillers):
            sock.close()


async def test_an_open_port_is_enough_for_tcp():
    with accepting() as sock:
        assert await word(Probe("tcp", sock.getsockname()[1])) == ProbeWord.OK


async def test_a_connection_that_is_closed_after_a_probe_ends_without_an_error_at_the_server():
    """RST would fill the servers' logs."""
    ended = asyncio.get_running_loop().create_future()

    async def handle(reader, writer):
        try:
            ended.set_result(await reader.read())
        except ConnectionError as error:
            ended.set_result(error)

    async with serving(handle) as port:
        assert await word(Probe("tcp", port)) == ProbeWord.OK
        assert await asyncio.wait_for(ended, 30) == b""


# Round-trip time


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells the round-trip time")
async def test_the_round_trip_time_is_the_kernels_even_if_the_process_is_busy():
    """100 connections at once while the event loop stands still for 20 ms again and again."""
    asked = Probing(timeout=60.0, connect_timeout=60.0)

    async def be_busy():
        while True:
            time.sleep(0.02)  # noqa: ASYNC251 - this is the point
            await asyncio.sleep(0)

    with accepting(backlog=512) as sock:
        busy = asyncio.create_task(be_busy())
        found = await asyncio.gather(
            *(probe(dialer(), IP, Probe("tcp", sock.getsockname()[1]), asked) for _ in range(100))
        )
        busy.cancel()
    measured = sorted(result.rtt_ms for result in found if result.rtt_ms is not None)
    assert len(measured) > 50
    assert measured[len(measured) // 2] < 5.0


async def test_the_tls_handshake_is_no_part_of_the_round_trip_time():
    certificates = Certificates()
    asked = []

    def ask_kernel(sock):
        asked.append(b"" if _sent_nothing(sock) else "late")
        return TcpInfo(7.5, retransmitted=False)

    async with serving(answers(OK), certificates.server("llama.example")) as port:
        probed = http(port, tls=True, tls_name="llama.example")
        found = await probe(dialer(ask_kernel=ask_kernel, tls_contexts=certificates.clients), IP, probed, PATIENT)
    assert (found.word, found.rtt_ms, asked) == (ProbeWord.OK, 7.5, [b""])


def _sent_nothing(sock):
    """Whether no byte has been sent yet: tcpi_bytes_acked counts the SYN alone."""
    return struct.unpack_from("=Q", sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256), 120)[0] <= 1


def info(rtt_us=12_345, retransmits=0, total=0, size=232):
    data = bytearray(max(size, 104))
    data[2] = retransmits
    struct.pack_into("=I", data, 68, rtt_us)
    struct.pack_into("=I", data, 100, total)
    return bytes(data[:size])


@pytest.mark.parametrize(
    ("data", "sample"),
    [
        (info(), 12.345),
        (info(size=104), 12.345),
        (info(total=1), None),
        (info(retransmits=1), None),
    ],
)
def test_a_connection_that_had_to_repeat_a_segment_gives_no_sample(data, sample):
    assert parse(data).sample_ms == sample


@pytest.mark.parametrize("data", [info(size=103), b"", info(rtt_us=0)])
def test_what_the_kernel_does_not_tell_is_unknown(data):
    assert parse(data) is None


async def test_a_retransmitted_connection_is_not_measured_again():
    accepted = 0

    async def count(reader, writer):
        nonlocal accepted
        accepted += 1
        await answers(OK)(reader, writer)

    async with serving(count) as port:
        lost = TcpInfo(1000.0, retransmitted=True)
        found = await probe(dialer(ask_kernel=lambda _: lost), IP, http(port), PATIENT)
    assert (found.word, found.rtt_ms, accepted) == (ProbeWord.OK, None, 1)


async def test_without_the_kernels_word_a_second_connection_is_timed():
    with accepting() as sock:
        asked = Probe("tcp", sock.getsockname()[1])
        found = await probe(dialer(ask_kernel=lambda _: None), IP, asked, PATIENT)
        for _ in range(2):
            sock.accept()[0].close()
    assert found.word == ProbeWord.OK
    assert 0 < found.rtt_ms < 900


async def test_a_server_that_refuses_the_second_connection_has_no_round_trip_time():
    """A word about the address comes from the first connection alone."""
    with accepting() as sock:
        asked = Probe("tcp", sock.getsockname()[1])

        def stop_listening(_):
            sock.close()

        found = await probe(dialer(ask_kernel=stop_listening), IP, asked, PATIENT)
    assert (found.word, found.rtt_ms) == (ProbeWord.OK, None)


# TLS

NAME = "llama.example"
CERTIFICATES = {
    "good": (NAME, False, NAME, True, ProbeWord.OK),
    "expired": (NAME, True, NAME, True, ProbeWord.CERTIFICATE_EXPIRED),
    "another name": ("other.example", False, NAME, True, ProbeWord.CERTIFICATE_NAME),
    "address instead of a name": (NAME, False, "", True, ProbeWord.CERTIFICATE_NAME),
    "for the address": ("127.0.0.1", False, "", True, ProbeWord.OK),
    "expired, not verified": (NAME, True, NAME, False, ProbeWord.OK),
    "another name, not verified": ("other.example", False, "", False, ProbeWord.OK),
    "a name that no certificate has": (NAME, False, ".", True, ProbeWord.LOCAL_FAULT),
}


@pytest.fixture(scope="module")
def certificates():
    return Certificates()


@pytest.mark.parametrize(("issued", "expired", "asked", "verify", "expected"), CERTIFICATES.values(), ids=CERTIFICATES)
async def test_each_certificate_has_its_word(certificates, issued, expired, asked, verify, expected):
    async with serving(answers(OK), certificates.server(issued, expired=expired)) as port:
        probed = http(port, tls=True, tls_name=asked, verify=verify)
        assert await word(probed, tls_contexts=certificates.clients) == expected
        assert (
            await word(Probe("tls", port, tls=True, tls_name=asked, verify=verify), tls_contexts=certificates.clients)
            == expected
        )


async def test_a_certificate_of_an_unknown_authority_is_not_trusted(certificates):
    async with serving(answers(OK), certificates.server(NAME)) as port:
        assert await word(http(port, tls=True, tls_name=NAME)) == ProbeWord.CERTIFICATE_UNTRUSTED
        assert await word(http(port, tls=True, tls_name=NAME, verify=False)) == ProbeWord.OK


TLS_SERVERS = [
    (answers(OK), ProbeWord.ANSWER_TIMEOUT, SHORT),  # It waits for the end of headers in the handshake.
    (hang, ProbeWord.ANSWER_TIMEOUT, SHORT),
    (reset_at_once, ProbeWord.RESET, PATIENT),
]


@pytest.mark.parametrize(("handle", "expected", "probing"), TLS_SERVERS)
async def test_a_server_without_tls_has_its_word(handle, expected, probing):
    async with serving(handle) as port:
        assert await word(Probe("tls", port, tls=True, tls_name=NAME), probing) == expected


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (b"", ProbeWord.CLOSED),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", ProbeWord.TLS_FAILED),
        (b"\x16\x03\x03\x00", ProbeWord.TLS_FAILED),
    ],
)
async def test_a_handshake_that_is_none_has_its_word(sent, expected):
    async def handle(reader, writer):
        await reader.read(1)
        writer.write(sent)
        await reader.read(65536)  # What is not read would make the kernel send RST.

    async with serving(handle) as port:
        assert await word(Probe("tls", port, tls=True, tls_name=NAME)) == expected


def test_the_process_has_one_tls_context_of_each_kind():
    strict, lax = tls.client_context(verify=True), tls.client_context(verify=False)
    assert (tls.client_context(verify=True), tls.client_context(verify=False)) == (strict, lax)
    assert (strict.verify_mode, strict.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert (lax.verify_mode, lax.check_hostname) == (ssl.CERT_NONE, False)


async def test_a_tls_server_may_close_without_a_last_alert(certificates):
    async def handle(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nok")
        await writer.drain()
        writer.transport.abort()

    async with serving(handle, certificates.server(NAME)) as port:
        assert await word(http(port, tls=True, tls_name=NAME), tls_contexts=certificates.clients) == ProbeWord.OK


# What is never dialed, and faults of this machine


@pytest.mark.parametrize("network", NEVER, ids=str)
async def test_an_address_that_no_endpoint_can_have_is_never_dialed(network):
    with accepting() as sock:
        asked = Probe("tcp", sock.getsockname()[1])
        found = await probe(SocketDialer(), str(network[1] if network.prefixlen < 32 else network[0]), asked, SHORT)
        assert found.word == ProbeWord.LOCAL_FAULT


async def test_loopback_is_not_dialed_although_a_server_would_answer():
    with accepting() as sock:
        sock.setblocking(False)
        assert (
            await probe(SocketDialer(), IP, Probe("tcp", sock.getsockname()[1]), SHORT)
        ).word == ProbeWord.LOCAL_FAULT
        with pytest.raises(BlockingIOError):
            sock.accept()


async def test_the_apps_own_subnet_is_not_dialed():
    with accepting() as sock:
        port = sock.getsockname()[1]
        own = SocketDialer([IPv4Network("127.0.0.0/24")], forbidden=())
        assert (await probe(own, IP, Probe("tcp", port), PATIENT)).word == ProbeWord.LOCAL_FAULT
        with accepting("127.0.1.1") as other:
            asked = Probe("tcp", other.getsockname()[1])
            assert (await probe(own, "127.0.1.1", asked, PATIENT)).word == ProbeWord.OK


@pytest.mark.parametrize(
    "ip", ["localhost", "llama.example", "::1", "127.1", "0x7f.0.0.1", "127.0.0.01", "", "2130706433"]
)
async def test_only_addresses_are_dialed_and_no_names(ip):
    assert (await probe(dialer(), ip, Probe("tcp", 80), SHORT)).word == ProbeWord.LOCAL_FAULT


async def test_a_process_without_a_free_descriptor_blames_itself():
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    with accepting() as sock:
        asked, ready = Probe("tcp", sock.getsockname()[1]), dialer()
        lowest = os.dup(0)
        os.close(lowest)
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, limits[1]))
        try:
            with pytest.raises(DialError) as raised:
                await ready.connect(IP, asked, 30.0)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert raised.value.word == ProbeWord.LOCAL_FAULT


CONNECTING = [
    (errno.ECONNREFUSED, True, ProbeWord.REFUSED),
    (errno.ECONNREFUSED, False, ProbeWord.REFUSED),
    (errno.EHOSTUNREACH, False, ProbeWord.UNREACHABLE),
    (errno.EHOSTUNREACH, True, ProbeWord.UNREACHABLE),
    (errno.ENETUNREACH, False, ProbeWord.UNREACHABLE),
    (errno.ENETUNREACH, True, ProbeWord.LOCAL_FAULT),
    (errno.ETIMEDOUT, False, ProbeWord.CONNECT_TIMEOUT),
    (errno.ECONNRESET, False, ProbeWord.RESET),
    (errno.EMFILE, True, ProbeWord.LOCAL_FAULT),
    (errno.ENOBUFS, True, ProbeWord.LOCAL_FAULT),
    (errno.ENOBUFS, False, ProbeWord.LOCAL_FAULT),
    (errno.EADDRNOTAVAIL, True, ProbeWord.LOCAL_FAULT),
    (errno.EACCES, True, ProbeWord.LOCAL_FAULT),
    (errno.EPROTO, False, ProbeWord.UNREACHABLE),
]


@pytest.mark.parametrize(("code", "at_once", "expected"), CONNECTING)
def test_an_error_of_this_machine_is_no_evidence_against_an_address(code, at_once, expected):
    assert connect_word(code, at_once=at_once) == expected


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (errno.ECONNRESET, ProbeWord.RESET),
        (errno.EPIPE, ProbeWord.RESET),
        (errno.ETIMEDOUT, ProbeWord.ANSWER_TIMEOUT),
        (errno.EHOSTUNREACH, ProbeWord.UNREACHABLE),
        (errno.ENOBUFS, ProbeWord.LOCAL_FAULT),
        (None, ProbeWord.RESET),
    ],
)
def test_an_error_of_an_open_connection_has_its_word(code, expected):
    assert connection_word(code) == expected


async def test_a_port_that_no_socket_may_use_is_a_fault_of_this_machine():
    """connect(2) to a broadcast address is refused by the kernel at once: EACCES."""
    with pytest.raises(DialError) as raised:
        await socket_dialer.tcp_connect("255.255.255.255", 9, 30.0)
    assert raised.value.word == ProbeWord.LOCAL_FAULT


async def test_connections_are_closed_whatever_happens():
    async with serving(hang) as port:
        before = open_files()
        for asked in (http(port), Probe("tls", port, tls=True), Probe("tcp", port)):
            await probe(dialer(), IP, asked, Probing(timeout=0.2, connect_timeout=0.2))
        running = asyncio.create_task(probe(dialer(), IP, http(port), PATIENT))
        await asyncio.sleep(0)
        running.cancel()
        await asyncio.wait([running])
        async with asyncio.timeout(30):
            while open_files() > before:  # noqa: ASYNC110 - the server's sockets close after the probe's
                await asyncio.sleep(0.01)


def open_files():
    return sum(1 for _ in Path("/proc/self/fd").iterdir())
