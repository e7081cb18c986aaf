"""Model servers behave the same in virtual time and over the probe gateway: the prober says the same word of both."""

import asyncio
import ssl
from typing import get_args

import pytest

from shared.config.settings import Probing
from shared.domain.probes import Probe, ProbeWord
from shared.probing.gateway_dialer import GatewayDialer
from shared.probing.prober import probe
from simulator.dialing.connections import ProbedNetwork
from simulator.front_ends.probe_gateway import ProbeGateway
from simulator.front_ends.tls import Authority
from simulator.model_servers.entry import Behaviour, ServerEntry
from tests.support.small_world import Scene, a_vm, in_virtual_time, vm_id
from tests.support.virtual_dialer import virtual_dialer

HTTP = Probe("http", 8000, "/health")
TLS = Probe("http", 8443, "/health", tls=True, tls_name="llama.ai.internal")
TCP = Probe("tcp", 8000)
PATIENT = Probing(timeout=20, connect_timeout=10)
HASTY = {
    ProbeWord.ANSWER_TIMEOUT: Probing(timeout=1, connect_timeout=5),
    ProbeWord.CONNECT_TIMEOUT: Probing(timeout=5, connect_timeout=0.5),
}
W = ProbeWord
WORDS = {
    "healthy": (W.OK, W.OK),
    "dead": (W.CONNECT_TIMEOUT, W.CONNECT_TIMEOUT),
    "unreachable": (W.UNREACHABLE, W.UNREACHABLE),
    "refuses": (W.REFUSED, W.REFUSED),
    "hangs": (W.ANSWER_TIMEOUT, W.ANSWER_TIMEOUT),
    "headers-then-hangs": (W.ANSWER_TIMEOUT, W.ANSWER_TIMEOUT),
    "drips": (W.ANSWER_TIMEOUT, W.ANSWER_TIMEOUT),
    "resets": (W.RESET, W.RESET),
    "closes": (W.CLOSED, W.CLOSED),
    "not-http": (W.NOT_HTTP, W.TLS_FAILED),
    "loading": (W.STATUS, W.STATUS),
    "slow-start": (W.REFUSED, W.REFUSED),
    "unauthorized": (W.STATUS, W.STATUS),
    "certificate-expired": (W.OK, W.CERTIFICATE_EXPIRED),
    "certificate-name": (W.OK, W.CERTIFICATE_NAME),
    "certificate-untrusted": (W.OK, W.CERTIFICATE_UNTRUSTED),
    "redirects": (W.REDIRECT, W.REDIRECT),
    "endless": (W.TOO_LONG, W.TOO_LONG),
    "gzip-bomb": (W.OK, W.OK),
    "stalled": (W.OK, W.OK),
    "busy": (W.OK, W.OK),
    "wakes": (W.STATUS, W.STATUS),
}
"""What a prober says of each behaviour without TLS and with it."""


@pytest.fixture(scope="module")
def authority():
    return Authority()


def trusting(authority):
    """TLS contexts of a client that trusts the run's CA."""

    def contexts(*, verify):
        context = ssl.create_default_context(cadata=authority.trusted.decode())
        context.check_hostname = verify
        context.verify_mode = ssl.CERT_REQUIRED if verify else ssl.CERT_NONE
        return context

    return contexts


def stage(clock, entry=None, **vm):
    scene = Scene(a_vm("gpu", "10.1.0.4", **vm), clock=clock)
    network = ProbedNetwork(scene.cloud)
    if entry is not None:
        scene.cloud.servers.set(vm_id("gpu"), entry, clock())
    return scene, network


def virtually(entry, asked, probing=PATIENT):
    async def story(loop):
        _, network = stage(loop.time, entry)
        return await probe(virtual_dialer(network, "eastus"), "10.1.0.4", asked, probing)

    return in_virtual_time(story)


async def over_loopback(entry, asked, authority, probing=PATIENT):
    _, network = stage(asyncio.get_running_loop().time, entry)
    gateway = ProbeGateway(network, authority.of_server)
    await gateway.start(0)
    try:
        dialer = GatewayDialer(gateway.address, "eastus", tls_contexts=trusting(authority))
        return await probe(dialer, "10.1.0.4", asked, probing)
    finally:
        await gateway.stop()


def test_every_behaviour_is_tried_below():
    assert set(WORDS) == set(get_args(Behaviour))


@pytest.mark.parametrize("asked", [HTTP, TLS], ids=["plain", "tls"])
@pytest.mark.parametrize("behaviour", WORDS)
def test_a_behaviour_gets_the_same_word_over_loopback_as_in_virtual_time(behaviour, asked, authority):
    entry, word = ServerEntry(behaviour=behaviour), WORDS[behaviour][asked.tls]
    virtual = virtually(entry, asked)
    real = asyncio.run(over_loopback(entry, asked, authority, HASTY.get(word, PATIENT)))
    assert virtual.word == word
    assert (real.word, real.status) == (virtual.word, virtual.status)
