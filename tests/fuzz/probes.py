"""What servers answer to probes: HTTP in virtual time, and TLS records from a server in memory.

Played beside the other kinds, with chance of their own, in a world without Azure. Equal seeds spoil TLS records at the
same places; the records themselves contain keys that OpenSSL draws.
"""

import gzip
from functools import partial
from random import Random

from shared.config.settings import Probing
from shared.domain.probes import Probe, ProbeWord
from shared.probing import http_answer, tls
from shared.probing.prober import probe
from shared.probing.socket_dialer import secured
from tests.fuzz.mutate import spoil_bytes
from tests.fuzz.world import Broken
from tests.support.probe_servers import FOREVER, Certificates, FakeConnection, FakeDialer, TlsPeer

SHARES = {"answer": 150, "record": 15}
"""Beside each thousand of the other inputs."""
IP, NAME = "10.0.0.4", "llama.example"
PROBING = Probing(timeout=5.0, connect_timeout=3.0)
PLAIN = Probe("vllm", 8000, "/health", ((200, 204), (401, 401)))
SECURE = Probe("https", 443, "/health", tls=True, tls_name=NAME)

HEAD = b"HTTP/1.1 200 OK\r\n"
ANSWERS = (
    HEAD + b"Content-Length: 2\r\n\r\nok",
    HEAD + b"\r\nOllama is running",
    HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Trailer: y\r\n\r\n",
    HEAD + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(bytes(5_000_000)),
    b"HTTP/1.0 200 OK\r\nServer: BaseHTTP/0.6\r\n\r\n{}",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
    + HEAD
    + b"Content-Length: 0\r\n\r\n",
    HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 50_000,
    b"HTTP/1.1 102 Processing\r\n\r\n" * 4_000,
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b'HTTP/1.1 503 Service Unavailable\r\nContent-Length: 46\r\n\r\n{"error": {"code": 503, "message": "Loading"}}',
    b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/metadata\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n",
    b"SSH-2.0-OpenSSH_9.9\r\n",
    b"\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00d",
    b"\x15\x03\x01\x00\x02\x02\x46",
    b"",
)
PIECES = (
    b"\r\n", b"\n", b"\r", b"\r\n\r\n", b"\x00", b" ", b":", b"X: y\r\n", b"Content-Length: 1\r\n",
    b"Content-Length: 99999999999999999999\r\n", b"Content-Length: -1\r\n", b"Content-Length: 1, 1\r\n",
    b"Content-Length: " + b"9" * 5000 + b"\r\n", b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: gzip, chunked\r\n", b"Connection: keep-alive\r\n", b"HTTP/1.1 200 OK\r\n",
    b"HTTP/1.1 100 X\r\n\r\n", b"HTTP/9.9 999 \r\n", b"0\r\n\r\n", b"ffffffff\r\n", b"1;" + b"x" * 200, b"\xff" * 50,
    b"x" * 70_000, b" folded\r\n", b"\x0b", b"HTTP/1.1 099 X\r\n\r\n",
)  # fmt: skip
"""What is put into answers."""
LARGEST = 2_000_000
"""Bytes of an answer: many times what a probe reads."""
WORDS = (ProbeWord.RESET, ProbeWord.ANSWER_TIMEOUT, ProbeWord.LOCAL_FAULT)


class TlsDialer:
    """Connects to servers in memory."""

    def __init__(self, peer, certificates):
        self._peer, self._certificates = peer, certificates

    async def connect(self, ip, asked, connect_seconds):
        return await secured(self._peer, ip, asked, self._certificates.clients)


async def play(tally, seed, count):
    """As many answers and records as belong to so many other inputs."""
    rng, certificates = Random(f"{seed} probes"), Certificates()
    wrong = certificates.server("other.example"), certificates.server(NAME, expired=True)
    servers = [certificates.server(NAME)] * 6 + [*wrong]
    kinds = {"answer": partial(_answer, rng), "record": partial(_record, rng, certificates, servers)}
    for kind, share in SHARES.items():
        for _ in range(count * share // 1000):
            given, throw = kinds[kind]()
            await tally.play(kind, given, throw)
            if tally.enough:
                return


def _spoilt(rng, data):
    for _ in range(rng.choice((0, 0, 1, 1, 1, 2, 5))):
        at = rng.randrange(len(data) + 1)
        match rng.randrange(6):
            case 0:
                data = spoil_bytes(rng, data)
            case 1:
                data = data[:at] + data[rng.randrange(len(data) + 1) :]
            case 2:
                data = data[:at] + rng.choice(PIECES) * rng.choice((1, 2, 20)) + data[at:]
            case 3:
                data = data[: LARGEST // 1000] * rng.choice((2, 1000))
            case _:
                data = data[:at] + rng.choice(PIECES) + data[at:]
        data = data[:LARGEST]
    return data


def _answer(rng):
    """A server's script: an answer, spoilt, in pieces, with pauses, and an end."""
    data = _spoilt(rng, rng.choice(ANSWERS))
    size = rng.choice((1, 7, 100, 5000, 2_000_000))
    pause = rng.choice((0.0, 0.0, 0.01, 1.0))
    script = []
    for start in range(0, min(len(data), 1000 * size), size):
        script += [data[start : start + size], pause]
    script += rng.choice(((), (), (FOREVER,), (rng.choice(WORDS),)))
    return script, _ask


async def _ask(script):
    connection = FakeConnection(*script)
    result = await probe(FakeDialer(**{IP.replace(".", "_"): connection}), IP, PLAIN, PROBING)
    sent = b"".join(step for step in script if isinstance(step, bytes))
    _judge(result, connection, http_answer.HEAD_BYTES + http_answer.BODY_BYTES)
    if result.status and f" {result.status}".encode() not in sent:
        raise Broken(f"status {result.status} was not sent")
    if result.ok and not PLAIN.accepts(result.status):
        raise Broken(f"status {result.status} is not expected")
    return result.word.value


def _record(rng, certificates, servers):
    """A TLS server whose bytes are spoilt on their way, now and then from the first on."""
    pieces = [_spoilt(rng, rng.choice(ANSWERS))[:100_000] for _ in range(rng.choice((1, 2)))]
    clean, ways = rng.choice((0, 1, 2)), rng.choice((0.0, 0.3, 1.0))

    def spoil(data):
        nonlocal clean
        clean -= 1
        if not data or clean >= 0 or rng.random() > ways:
            return data
        return rng.randbytes(rng.choice((5, 500))) if rng.random() < 0.2 else _spoilt(rng, data)[:400_000]

    given = (rng.choice(servers), [piece for piece in pieces if piece], spoil)
    return given, partial(_shake, certificates)


async def _shake(certificates, given):
    peer = TlsPeer(*given)
    result = await probe(TlsDialer(peer, certificates), IP, SECURE, PROBING)
    _judge(result, peer, tls.MOST + tls.RECORD)
    if result.ok and b"GET /health" not in peer.got:
        raise Broken("an answer without a request")
    return result.word.value


def _judge(result, connection, most):
    """What holds for every probe."""
    if not isinstance(result.word, ProbeWord) or not 0 <= result.status <= 999:
        raise Broken(f"{result.word!r} {result.status!r}")
    if not connection.closed:
        raise Broken("a connection was left open")
    if result.seconds > PROBING.timeout + 1e-3:
        raise Broken(f"a probe took {result.seconds} s")
    if connection.taken > most:
        raise Broken(f"{connection.taken} bytes were read")
