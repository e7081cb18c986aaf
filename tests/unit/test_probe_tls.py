"""TLS of a probe, against a server in memory: it ends as TLS prescribes, and it is bounded."""

import ast
import datetime as dt
import os
import subprocess
import sys

import pytest

from shared.domain.errors import DialError
from shared.domain.probes import ProbeWord
from shared.probing import tls
from shared.probing.tls import TlsConnection
from tests.support.probe_servers import Certificates, TlsPeer

NAME = "llama.example"


@pytest.fixture(scope="module")
def certificates():
    return Certificates()


async def connected(certificates, peer, verify=True):
    connection = TlsConnection(peer, certificates.clients(verify=verify), NAME)
    await connection.handshake()
    return connection


async def test_the_server_sees_the_end_that_tls_prescribes(certificates):
    """A missing alert is an error in the logs of OpenSSL 3."""
    peer = TlsPeer(certificates.server(NAME))
    connection = await connected(certificates, peer)
    await connection.write(b"hello")
    connection.close()
    assert (peer.got, peer.ended, peer.closed, connection.rtt_ms) == (b"hello", True, True, 1.5)


async def test_a_failed_handshake_is_closed_too(certificates):
    peer = TlsPeer(certificates.server("other.example"))
    connection = TlsConnection(peer, certificates.clients(verify=True), NAME)
    with pytest.raises(DialError) as raised:
        await connection.handshake()
    connection.close()
    assert (raised.value.word, peer.closed, peer.ended) == (ProbeWord.CERTIFICATE_NAME, True, False)


async def test_records_of_one_byte_end_at_the_limit(certificates):
    """Nothing above counts the bytes around the content."""
    peer = TlsPeer(certificates.server(NAME), [b"x"] * (tls.MOST // 20))
    connection = await connected(certificates, peer)
    with pytest.raises(DialError) as raised:
        await read_all(connection, 1)
    assert raised.value.word == ProbeWord.TOO_LONG
    assert peer.taken <= tls.MOST + tls.RECORD


async def test_a_long_answer_below_the_limit_is_read_to_its_end(certificates):
    peer = TlsPeer(certificates.server(NAME), [b"x" * 16_000] * 10)
    assert await read_all(await connected(certificates, peer), 4096) == 160_000


async def read_all(connection, limit):
    got = 0
    while data := await connection.read(limit):
        got += len(data)
    return got


async def test_a_certificate_that_is_not_valid_yet_is_not_trusted(certificates):
    peer = TlsPeer(certificates.server(NAME, valid_in=dt.timedelta(days=1)))
    with pytest.raises(DialError) as raised:
        await connected(certificates, peer)
    assert raised.value.word == ProbeWord.CERTIFICATE_UNTRUSTED


def test_a_private_authority_is_trusted_if_a_setting_of_the_process_names_its_certificate(certificates, tmp_path):
    """SSL_CERT_FILE replaces the file of the system's roots."""
    roots = tmp_path / "roots.pem"
    certificates.ca.cert_pem.write_to_path(str(roots))
    program = (
        "from shared.probing.tls import client_context\n"
        "print([dict(part[0] for part in each['subject'])['organizationName']"
        " for each in client_context(verify=True).get_ca_certs()])"
    )
    environment = os.environ | {"SSL_CERT_FILE": str(roots)}
    found = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert len(ast.literal_eval(found.stdout)) == 1
    assert "trustme" in found.stdout
