"""Each result of a probe comes with one sentence that says what to do."""

import pytest

from shared.domain.probes import Probe, ProbeResult, ProbeWord
from shared.edge.probe_advice import advice

PROBE = Probe("http", 8443, "/health", tls=True, tls_name="llama.example.com")


@pytest.mark.parametrize("word", ProbeWord)
def test_every_word_has_advice_of_one_sentence_in_which_nothing_is_left_to_fill_in(word):
    text = advice(ProbeResult(word, 418), PROBE)
    assert text
    assert not set("{}.").intersection(text.replace("tls.name", "").replace("tls.verify", "").replace(".example.", ""))
    assert len(text) < 200


@pytest.mark.parametrize(
    ("word", "status", "said"),
    [
        (ProbeWord.REFUSED, 0, "nothing listens on port 8443"),
        (ProbeWord.CONNECT_TIMEOUT, 0, "an NSG, a firewall, a route or a missing peering"),
        (ProbeWord.CERTIFICATE_NAME, 0, "set tls.name, which is 'llama.example.com'"),
        (ProbeWord.STATUS, 401, "a probe sends none"),
        (ProbeWord.STATUS, 404, "no /health"),
        (ProbeWord.STATUS, 503, "not ready"),
        (ProbeWord.STATUS, 418, "HTTP 418"),
        (ProbeWord.REDIRECT, 302, "HTTP 302 leads elsewhere"),
        (ProbeWord.LOCAL_FAULT, 0, "says nothing of the server"),
    ],
)
def test_the_advice_names_the_thing_to_change(word, status, said):
    assert said in advice(ProbeResult(word, status), PROBE)


def test_what_a_setting_contains_cannot_spoil_the_sentence():
    assert "{port}" in advice(ProbeResult(ProbeWord.TOO_LONG), Probe("http", 80, "/{port}"))
