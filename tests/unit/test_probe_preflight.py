"""What keeps probes from working is said with the thing to do, whatever the platform tells of its network."""

import pytest

from shared.decide import probe_preflight as preflight
from shared.decide.probe_preflight import ProbingFacts, check, never_answered, private_address
from shared.domain.probes import Evidence, Probe, ProbeWord, Target, VantageRow

PROBE = Probe("vllm", 8000, "/health")
NOW = 1_000_000.0
ROW = VantageRow("eastus", round=7, at=NOW - 10, addresses=4, failing=3)


def seen(number, *names, armed=False, word=ProbeWord.CONNECT_TIMEOUT, **more):
    """A target and its evidence."""
    ip = f"10.1.0.{number}"
    target = Target(f"/vms/{number}", ip, "eastus", "eastus", PROBE, frozenset(names or ("chat",)))
    kept = {"fails": 0 if armed else 3, "word": ProbeWord.OK if armed else word} | more
    return target, Evidence(target.endpoint, ip, PROBE.digest, "eastus", "eastus", NOW - 60, armed, NOW, **kept)


def facts(*found, own_ip="", row=ROW, **more):
    targets = {target.key: target for target, _ in found}
    return ProbingFacts(row, [evidence for _, evidence in found], targets, own_ip, **more)


def test_a_missing_network_rule_is_said_with_name_address_cause_and_what_to_allow():
    (alarm,) = check(facts(seen(4), own_ip="10.9.0.5"), NOW)
    assert alarm.what == "no address has ever answered the probe of chat (10.1.0.4:8000: connect timed out)"
    assert alarm.do.startswith("allow the app's integration subnet (it has 10.9.0.5) in the network security groups of")
    assert (alarm.count, alarm.examples) == (1, ("10.1.0.4:8000",))


def test_nothing_is_concluded_from_an_address_that_the_platform_does_not_tell():
    """Flex Consumption may not set it, with VNet integration as well as without."""
    assert check(facts(seen(4, armed=True), own_ip=""), NOW) == []
    (alarm,) = never_answered(facts(seen(4), seen(5, "embed", armed=True)))
    assert alarm.do.startswith("allow the app's integration subnet in the network security groups")
    (alarm,) = never_answered(facts(seen(4)))
    assert alarm.do.startswith("check that the app has VNet integration (`subnet` in")
    assert "allow the app's integration subnet in the network security groups" in alarm.do


def test_one_missing_rule_is_one_alarm_for_any_number_of_names_and_addresses():
    (alarm,) = never_answered(facts(*(seen(i, f"name-{i}") for i in range(1, 60))))
    assert alarm.what == (
        "no address has ever answered the probe of name-1, name-10, name-11, ... "
        "(10.1.0.1:8000, 10.1.0.2:8000, 10.1.0.3:8000, ...: connect timed out)"
    )
    assert (alarm.count, len(alarm.examples)) == (59, preflight.EXAMPLES)


def test_an_address_beside_ones_that_answer_is_told_apart():
    found = never_answered(facts(seen(4), seen(5), seen(6, armed=True)))
    assert [each.what for each in found] == [
        "2 addresses have never answered the probe of chat (10.1.0.4:8000, 10.1.0.5:8000: connect timed out)"
    ]
    (alone,) = never_answered(facts(seen(4), seen(6, armed=True)))
    assert alone.what.startswith("an address has never answered the probe of chat")


@pytest.mark.parametrize("word", sorted(set(ProbeWord) - {ProbeWord.OK}))
def test_every_word_of_a_probe_has_something_to_do(word):
    (alarm,) = never_answered(facts(seen(4, word=word)))
    assert f": {word})" in alarm.what
    assert any(each in alarm.do for each in ("NEARZONE_PROB", "subnet", "certificate", "restart the app"))


def test_an_unexpected_status_is_shown():
    (alarm,) = never_answered(facts(seen(4, word=ProbeWord.STATUS, status=401)))
    assert "(10.1.0.4:8000: unexpected status 401)" in alarm.what
    assert "`expect`" in alarm.do


def test_causes_with_different_things_to_do_are_alarms_of_their_own():
    found = never_answered(facts(seen(4), seen(5, "embed", word=ProbeWord.REFUSED)))
    assert {each.what.split(" (")[0].rsplit(" ", 1)[-1] for each in found} == {"chat", "embed"}
    assert len({each.do for each in found}) == 2


def test_an_address_is_silent_only_after_several_rounds_and_while_it_is_a_target():
    assert never_answered(facts(seen(4, fails=2))) == []
    went_down = seen(4, armed=True, fails=9, word=ProbeWord.CONNECT_TIMEOUT)
    assert never_answered(facts(went_down)) == [], "it has answered before"
    gone = facts(seen(4))
    assert never_answered(ProbingFacts(gone.row, gone.evidence, {})) == []


def test_a_blind_vantage_is_told_with_its_network():
    row = VantageRow("eastus", at=NOW, addresses=4, failing=3, blind_since=NOW - 60)
    (alarm,) = check(facts(seen(4, armed=True), row=row, own_ip="10.9.0.5"), NOW)
    assert alarm.what == "the vantage eastus is blind: 3 of 4 addresses fail, in every region"
    assert alarm.do.endswith("network security groups of the app's integration subnet (it has 10.9.0.5)")


@pytest.mark.parametrize(
    ("row", "begun", "told"),
    [
        (ROW, 0.0, []),
        (VantageRow("eastus", at=NOW - 300), 0.0, []),
        (VantageRow("eastus", at=NOW - 660), 0.0, ["no round of probes ended for 11 minutes"]),
        (None, NOW - 100, []),
        (None, NOW - 600, ["no round of probes ended for 10 minutes"]),
        (None, 0.0, ["no round of probes has ended yet"]),
    ],
)
def test_probes_that_do_not_run_are_told_with_the_setting_that_may_keep_them_from_it(row, begun, told):
    found = check(facts(row=row, begun=begun), NOW)
    assert [each.what for each in found] == told
    assert all("AzureWebJobs.probe.Disabled" in each.do for each in found)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("10.9.0.5", "10.9.0.5"),
        ("172.16.4.2", "172.16.4.2"),
        *(
            (each, "")
            for each in (None, "", "127.0.0.1", "169.254.8.1", "0.0.0.0", "20.1.2.3", "fd00::1", "no", "10.9")
        ),
    ],
)
def test_only_a_private_address_counts_as_the_instances_own(text, found):
    assert private_address(text) == found
