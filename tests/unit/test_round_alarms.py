"""What an operator should know of a round, and one sentence that says what to do for each thing a probe may find."""

import pytest

from shared.decide.probes.advice import advice, advice_for
from shared.decide.probes.round_alarms import EXAMPLES
from shared.domain.probes import Probe, ProbeResult, ProbeWord
from tests.support.probing import DEAD, OK, REFUSED, Vantage, ip_of, target
from tests.support.values import WEST

FOUND = [(word, 0) for word in ProbeWord if word != ProbeWord.STATUS]
FOUND += [(ProbeWord.STATUS, status) for status in (401, 403, 404, 418, 429, 500, 503)]


@pytest.mark.parametrize(("word", "status"), FOUND)
def test_whatever_a_probe_finds_one_sentence_names_something_to_do(word, status):
    text = advice(word, status)
    assert len(text) < 200
    assert not set("{}.").intersection(text.replace("tls.name", "").replace("tls.verify", ""))
    named = ("nothing: ", "NEARZONE_PROB", "subnet", "certificate", "restart", "server's log")
    assert any(each in text for each in named)


@pytest.mark.parametrize(
    ("word", "status", "said"),
    [
        (ProbeWord.REFUSED, 0, "start the server"),
        (ProbeWord.CONNECT_TIMEOUT, 0, "allow the app's integration subnet in the network security groups"),
        (ProbeWord.UNREACHABLE, 0, "route tables"),
        (ProbeWord.CERTIFICATE_NAME, 0, "`tls.name`"),
        (ProbeWord.STATUS, 401, "needs no key"),
        (ProbeWord.STATUS, 503, "not ready"),
        (ProbeWord.STATUS, 418, "`expect`"),
        (ProbeWord.LOCAL_FAULT, 0, "says nothing of the server"),
        (ProbeWord.CERTIFICATE_UNTRUSTED, 0, "not valid yet"),
        (ProbeWord.CERTIFICATE_UNTRUSTED, 0, "SSL_CERT_FILE"),
        (ProbeWord.TLS_FAILED, 0, "client certificate"),
    ],
)
def test_the_sentence_names_the_cause_that_is_likely(word, status, said):
    assert said in advice(word, status)


@pytest.mark.parametrize(
    ("probe", "said"),
    [
        (Probe("http", 80, "/"), "nothing: the server works"),
        (Probe("tcp", 80), "the port accepts connections; whether the server answers requests is not known"),
        (Probe("tls", 443, tls=True, tls_name="a.b"), "presents a valid certificate; whether the server answers"),
        (Probe("tls", 443, tls=True, verify=False), "the port accepts connections and speaks TLS; whether"),
    ],
)
def test_a_success_without_a_request_does_not_say_that_the_server_works(probe, said):
    assert said in advice_for(ProbeResult(ProbeWord.OK), probe)
    assert advice_for(ProbeResult(ProbeWord.REFUSED), probe) == advice(ProbeWord.REFUSED)


def silent(targets, rounds=3, **results):
    """The alarms about addresses that have never answered."""
    return [each for each in Vantage(targets).rounds(rounds, **results).row.alarms if "never answered" in each.what]


def test_an_address_that_never_answered_is_said_with_its_cause_port_and_names_and_what_to_do():
    (alarm,) = silent([target("w1", WEST, "chat"), target("w2")], w1=DEAD)
    assert alarm.what == (
        "an address has never answered a probe from westeurope: connect timed out (10.119.0.1:8000; names: chat)"
    )
    assert alarm.do == advice(ProbeWord.CONNECT_TIMEOUT)
    assert (alarm.count, alarm.examples) == (1, ("10.119.0.1:8000",))


def test_one_cause_is_one_alarm_for_any_number_of_names_and_addresses():
    targets = [target(f"w{i}", "westus2", f"name-{i}") for i in range(1, 60)]
    (alarm,) = silent(targets, **{f"w{i}": DEAD for i in range(1, 60)})
    assert alarm.what.startswith("59 addresses have never answered a probe from westeurope: connect timed out (")
    assert alarm.what.count("10.119.") == alarm.what.count("name-") == alarm.what.count(":8000") == EXAMPLES
    assert (alarm.count, len(alarm.examples)) == (59, EXAMPLES)


def test_causes_with_different_things_to_do_are_alarms_of_their_own():
    found = silent(
        [target(f"w{i}") for i in range(1, 5)],
        w1=DEAD,
        w2=REFUSED,
        w3=ProbeResult(ProbeWord.STATUS, 401),
        w4=ProbeResult(ProbeWord.STATUS, 503),
    )
    assert {ip_of(f"w{i}") for i in range(1, 5)} == {each.examples[0].split(":")[0] for each in found}
    assert len({each.do for each in found}) == 4
    assert any(": unexpected status 401 (" in each.what for each in found)


def test_an_address_is_silent_only_after_several_rounds_and_before_its_first_success():
    assert silent([target("w1"), target("w2")], rounds=2, w1=DEAD) == []
    went_down = Vantage([target("w1"), target("w2")]).round(w1=OK).rounds(5, w1=DEAD)
    assert not [each for each in went_down.row.alarms if "never answered" in each.what]
