"""A probe says in one word what came back, within its limits, whatever the server does (virtual time)."""

import asyncio
import gzip
import tomllib
from pathlib import Path

import pytest

from shared.config.settings import Probing
from shared.domain.probes import Probe, ProbeWord
from shared.probing import http_answer
from shared.probing.prober import probe
from simulator.timing.virtual_time import in_virtual_time
from tests.support.probe_servers import FOREVER, Endless, FakeConnection, FakeDialer

IP = "10.0.0.4"
HEALTH = Probe("vllm", 8000, "/health")
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
HEAD = b"HTTP/1.1 200 OK\r\n"


def answer(status, *headers, body=b""):
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def probed(connection, asked=HEALTH, **times):
    """The result of one probe of a scripted server."""

    async def story():
        return await probe(FakeDialer(**{IP.replace(".", "_"): connection}), IP, asked, Probing(**times))

    return in_virtual_time(story)


def drip(text, seconds=1.0):
    return [part for byte in text for part in (bytes([byte]), seconds)]


GZIP_BOMB = gzip.compress(bytes(50_000_000))
CASES = {
    "answers": ([OK], ProbeWord.OK, 200),
    "answers in bytes": (drip(OK, 0.01), ProbeWord.OK, 200),
    "answers until it closes": ([HEAD + b"\r\n", b"ok"], ProbeWord.OK, 200),
    "answers HTTP/1.0": ([b"HTTP/1.0 200 OK\r\n\r\nok"], ProbeWord.OK, 200),
    "answers in chunks": ([HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"], ProbeWord.OK, 200),
    "announces, then answers": ([b"HTTP/1.1 103 Early Hints\r\n\r\n", OK], ProbeWord.OK, 200),
    "sends more than it should": ([OK + b"garbage" * 100], ProbeWord.OK, 200),
    "body of the longest length": ([answer(200, body=bytes(http_answer.BODY_BYTES))], ProbeWord.OK, 200),
    "loading": ([answer(503, body=b"x" * 1_000_000)], ProbeWord.STATUS, 503),
    "wants a key": ([answer(401)], ProbeWord.STATUS, 401),
    "redirects": ([answer(302, "Location: http://169.254.169.254/")], ProbeWord.REDIRECT, 302),
    "not modified": ([answer(304)], ProbeWord.REDIRECT, 304),
    "hangs": ([FOREVER], ProbeWord.ANSWER_TIMEOUT, 0),
    "hangs in its headers": ([HEAD, FOREVER], ProbeWord.ANSWER_TIMEOUT, 0),
    "hangs after its headers": ([HEAD + b"Content-Length: 2\r\n\r\n", FOREVER], ProbeWord.ANSWER_TIMEOUT, 200),
    "drips headers": (drip(OK), ProbeWord.ANSWER_TIMEOUT, 0),
    "drips its body": ([HEAD + b"Content-Length: 99\r\n\r\n", *drip(b"x" * 99)], ProbeWord.ANSWER_TIMEOUT, 200),
    "resets": ([ProbeWord.RESET], ProbeWord.RESET, 0),
    "resets in its body": ([HEAD + b"Content-Length: 9\r\n\r\nx", ProbeWord.RESET], ProbeWord.RESET, 200),
    "closes": ([], ProbeWord.CLOSED, 0),
    "closes in its headers": ([HEAD], ProbeWord.CLOSED, 0),
    "closes in its body": ([HEAD + b"Content-Length: 9\r\n\r\nx"], ProbeWord.CLOSED, 200),
    "endless header": ([HEAD + b"X: ", b"x" * 1_000_000], ProbeWord.TOO_LONG, 0),
    "endless headers": ([HEAD + b"X: y\r\n" * 100_000], ProbeWord.TOO_LONG, 0),
    "endless body": ([HEAD + b"\r\n", b"x" * 100_000_000], ProbeWord.TOO_LONG, 200),
    "announces a long body": ([HEAD + b"Content-Length: 100000000\r\n\r\n", FOREVER], ProbeWord.TOO_LONG, 200),
    "body a byte too long": ([answer(200, body=bytes(http_answer.BODY_BYTES + 1))], ProbeWord.TOO_LONG, 200),
    "long body without a length": ([HEAD + b"\r\n" + bytes(http_answer.BODY_BYTES + 1)], ProbeWord.TOO_LONG, 200),
    "tiny chunks": (
        [HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 1_000_000],
        ProbeWord.TOO_LONG,
        200,
    ),
    "few bytes in many chunks": (
        [HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * http_answer.MOST_PARTS + b"0\r\n\r\n"],
        ProbeWord.TOO_LONG,
        200,
    ),
    "few bytes in many reads": (
        [HEAD + b"\r\n", *[b"x"] * http_answer.MOST_PARTS],
        ProbeWord.TOO_LONG,
        200,
    ),
    "endless chunk": ([HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;" + b"x" * 999_999], ProbeWord.TOO_LONG, 200),
    "flood of interim answers": ([b"HTTP/1.1 100 Continue\r\n\r\n" * 100_000], ProbeWord.TOO_LONG, 0),
    "gzip bomb": ([answer(200, "Content-Encoding: gzip", body=GZIP_BOMB)], ProbeWord.OK, 200),
    "switches protocols": ([b"HTTP/1.1 101 Switching Protocols\r\n\r\n"], ProbeWord.NOT_HTTP, 0),
    "speaks before it is asked": ([b"SSH-2.0-OpenSSH_9.9\r\n", FOREVER], ProbeWord.NOT_HTTP, 0),
    "HTTP/0.9": ([b"<html>ok</html>\r\n\r\n"], ProbeWord.NOT_HTTP, 0),
    "HTTP/2": ([b"\x00\x00\x12\x04\x00\x00\x00\x00\x00", b"\x00" * 18], ProbeWord.NOT_HTTP, 0),
    "number too long to read": ([HEAD + b"Content-Length: " + b"9" * 9999 + b"\r\n\r\n"], ProbeWord.NOT_HTTP, 0),
    "two lengths": ([HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"], ProbeWord.NOT_HTTP, 0),
    "unknown coding": ([HEAD + b"Transfer-Encoding: gzip\r\n\r\nab"], ProbeWord.NOT_HTTP, 0),
}
assert 10_000 < len(GZIP_BOMB) < http_answer.BODY_BYTES


@pytest.mark.parametrize(("script", "word", "status"), CASES.values(), ids=CASES)
def test_each_answer_has_its_word_within_the_limits(script, word, status):
    connection = FakeConnection(*script)
    result = probed(connection, timeout=5.0)
    assert (result.word, result.status, result.rtt_ms) == (word, status, 1.5)
    assert connection.closed
    assert result.seconds <= 5.0
    assert connection.taken <= http_answer.HEAD_BYTES + http_answer.BODY_BYTES


@pytest.mark.parametrize("steps", [(b"HTTP/1.1 100 Continue\r\n\r\n",), (b"x", 0.5), (b"\r\n",)])
def test_a_server_that_never_stops_is_left_in_time(steps):
    connection = FakeConnection()
    connection.script = Endless(*steps)
    assert not probed(connection, timeout=5.0).ok
    assert connection.closed


@pytest.mark.parametrize("word", [ProbeWord.REFUSED, ProbeWord.LOCAL_FAULT, ProbeWord.CERTIFICATE_EXPIRED])
def test_a_failed_connection_gives_the_dialers_word(word):
    result = probed(word)
    assert (result.word, result.status, result.rtt_ms) == (word, 0, None)


class HangingDialer:
    def __init__(self):
        self.seconds = None

    async def connect(self, ip, asked, connect_seconds):
        self.seconds = connect_seconds
        await asyncio.sleep(FOREVER)


@pytest.mark.parametrize(
    ("asked", "word"),
    [(HEALTH, ProbeWord.CONNECT_TIMEOUT), (Probe("tls", 443, tls=True), ProbeWord.ANSWER_TIMEOUT)],
)
def test_the_probe_ends_at_its_timeout_even_if_the_dialer_does_not(asked, word):
    dialer = HangingDialer()
    result = in_virtual_time(lambda: probe(dialer, IP, asked, Probing(timeout=2.0, connect_timeout=3.0)))
    assert (result.word, result.seconds, dialer.seconds) == (word, pytest.approx(2.0), 2.0)


def test_without_a_path_an_open_connection_is_enough_and_nothing_is_sent():
    connection = FakeConnection(hangs=True)
    assert probed(connection, Probe("tcp", 22)).word == ProbeWord.OK
    assert (connection.written, connection.closed) == (b"", True)


@pytest.mark.parametrize(
    ("expect", "status", "word"),
    [
        (((200, 200), (401, 401)), 401, ProbeWord.OK),
        (((200, 200),), 204, ProbeWord.STATUS),
        (((200, 399),), 302, ProbeWord.OK),
        (((500, 599),), 200, ProbeWord.STATUS),
    ],
)
def test_the_settings_say_which_status_is_expected(expect, status, word):
    assert probed(FakeConnection(answer(status)), Probe("http", 80, "/", expect)).word == word


@pytest.mark.parametrize(
    ("asked", "host"),
    [
        (Probe("http", 80, "/x"), "10.0.0.4"),
        (Probe("http", 8000, "/x"), "10.0.0.4:8000"),
        (Probe("http", 443, "/x", tls=True, tls_name="llama.example"), "llama.example"),
        (Probe("http", 8443, "/x", tls=True, tls_name="llama.example"), "llama.example:8443"),
        (Probe("http", 8443, "/x", tls=True, tls_name="llama.example", host="front.example"), "front.example"),
    ],
)
def test_the_request_names_the_host_and_the_probe_and_nothing_secret(asked, host):
    connection = FakeConnection(OK)
    probed(connection, asked)
    head, *headers = connection.written.decode().removesuffix("\r\n\r\n").split("\r\n")
    assert head == "GET /x HTTP/1.1"
    assert dict(line.split(": ") for line in headers) == {
        "Host": host,
        "User-Agent": f"nearzone-probe/{http_answer.VERSION}",
        "Accept": "*/*",
        "Accept-Encoding": "identity",
        "Connection": "close",
    }


def test_the_probes_version_is_the_projects():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert project["version"] == http_answer.VERSION


@pytest.mark.parametrize("path", ["/a b", "/a\r\nX: y", "/\u212a"])
def test_a_path_that_no_request_can_have_is_a_fault_of_this_side(path):
    connection = FakeConnection(OK)
    assert probed(connection, Probe("http", 80, path)).word == ProbeWord.LOCAL_FAULT
    assert (connection.written, connection.closed) == (b"", True)


def test_a_cancelled_probe_leaves_no_connection_behind():
    connection = FakeConnection(hangs=True)

    async def story():
        running = asyncio.create_task(probe(FakeDialer(**{"10_0_0_4": connection}), IP, HEALTH, Probing()))
        await asyncio.sleep(1)
        running.cancel()
        await asyncio.wait([running])
        return running.cancelled()

    assert in_virtual_time(story)
    assert connection.closed
