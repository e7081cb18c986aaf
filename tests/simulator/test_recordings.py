"""The simulator answers as Azure did in every recording at hand, or the difference has a reason that is named."""

import json
from dataclasses import replace
from datetime import datetime

import pytest
import skips
from durations import ELSEWHERE, OUTSIDE, ranges
from eras import ABSENT, ERAS
from fidelity import differences, equal, replay_all, share, supported, tables
from readme import README, generated
from recordings import CORPORA, SAMPLES, Interaction, Recording, present, read
from replay import Replay

SAMPLE = SAMPLES / "pdns_conditional_powershell_2019.json"
CONDITIONAL = "test_PatchRecordSet_IfMatchFailure_ExpectError"


@pytest.fixture(scope="module")
def outcomes():
    return replay_all()


@present
def test_nothing_that_is_compared_differs_unless_it_is_known_to(outcomes):
    assert list(differences(outcomes)) == []


@present
def test_what_is_known_to_differ_differs(outcomes):
    differing = {(each.recording, each.number) for each in outcomes if each.reason is None and each.differences}
    assert skips.DIFFERENT.keys() <= differing


def test_a_call_that_is_known_to_differ_is_known_to_in_some_fields_only():
    assert skips.FIELDS.keys() == set(skips.DIFFERENT.values())
    assert skips.known("test_vmss_nics", 16, "/value/*/properties/provisioningState: 'Succeeded' instead of 'Updating'")
    assert not skips.known("test_vmss_nics", 16, "/value/*/properties/vmId: missing")
    assert not skips.known("test_vmss_nics", 17, "/value/*/properties/provisioningState: 'Succeeded' instead of 'Up'")


@present
def test_each_field_of_an_era_explains_a_difference(outcomes):
    explained = set().union(*(each.explained for each in outcomes))
    assert {(each.reason, *found) for each in ERAS for found in each.idle(explained)} == set()


@pytest.mark.parametrize(
    ("at", "label", "field", "recorded", "explained"),
    [
        ("2019-01-21", "zones", "/properties/maxNumberOfRecordSets", 5000, True),
        ("2019-01-21", "zones", "/properties/maxNumberOfRecordSets", 6000, False),
        ("2019-01-21", "links", "/properties/maxNumberOfRecordSets", 5000, False),
        ("2021-01-21", "zones", "/properties/maxNumberOfRecordSets", 5000, False),
        ("2019-01-21", "A record sets", "/properties/isAutoRegistered", ABSENT, True),
        ("2019-01-21", "A record sets", "/properties/isAutoRegistered", True, False),
        ("2019-01-21", "links", "/error/message", "The Resource 'a' was not found.", True),
        ("2019-01-21", "links", "/error/message", "The resource 'a' was not found.", False),
    ],
)
def test_an_era_explains_only_its_own_values_on_its_own_types_before_its_end(at, label, field, recorded, explained):
    moment = datetime.fromisoformat(at).timestamp()
    assert any(each.explains(moment, label, field, recorded) for each in ERAS) is explained
    assert not any(each.explains(None, label, field, recorded) for each in ERAS)


@present
@pytest.mark.parametrize(
    ("corpus", "calls"),
    [
        ("azure-cli", 1400),
        ("azure-service-operator", 340),
        ("azure-cli, new", 450),
        ("azure-sdk-for-net, new", 700),
    ],
)
def test_of_each_corpus_94_percent_of_the_calls_are_compared_and_97_percent_of_these_are_equal(outcomes, corpus, calls):
    mine = [each for each in outcomes if each.corpus == corpus]
    assert len(supported(mine)) >= calls
    assert share(mine) >= 0.94
    assert equal(mine) >= 0.97


@present
@pytest.mark.parametrize(("label", "calls"), [("zones", 170), ("A record sets", 130)])
def test_at_least_95_percent_of_the_zone_and_a_record_calls_are_compared(outcomes, label, calls):
    mine = [each for each in outcomes if each.label == label]
    assert len(mine) >= calls
    assert share(mine) >= 0.95


@present
def test_whatever_is_skipped_has_one_of_the_reasons_known_here(outcomes):
    known = {skips.OTHER_TYPE, skips.OTHER_POLL, skips.GROUP_DELETED, skips.SKIPPED_POLL}
    known |= set(skips.ONE_BY_ONE.values())
    skipped = [each for each in outcomes if each.reason is not None]
    unknown = {each.reason for each in skipped if not each.reason.startswith(f"{skips.NOT_SIMULATED}: ")} - known
    assert unknown == set()
    assert {each.interaction.status for each in skipped if each.reason == skips.GROUP_DELETED} == {404}


@present
def test_a_call_that_is_named_by_its_number_is_there(outcomes):
    assert skips.ONE_BY_ONE.keys() | skips.DIFFERENT.keys() <= {(each.recording, each.number) for each in outcomes}


@present
def test_the_simulators_operations_take_as_long_as_recorded_ones_of_their_kind(outcomes):
    found = list(ranges(each.span for each in outcomes if each.span))
    assert sum(each.count for each in found) >= 300
    assert {each.kind: each.outside for each in found if each.outside and each.kind not in OUTSIDE} == {}
    assert OUTSIDE.keys() <= {each.kind for each in found if each.outside}
    assert ELSEWHERE.keys() <= {each.kind for each in found}


@present
def test_hundreds_of_steps_of_recorded_countdowns_are_compared(outcomes):
    assert sum(each.steps for each in outcomes) >= 300


@present
def test_the_readme_has_the_tables_that_the_recordings_give(outcomes):
    page = README.read_text(encoding="utf-8")
    assert generated(page, "recordings") == tables(outcomes), "make fidelity ARGS=--write"


def conditional():
    return named(CONDITIONAL)


def named(name):
    [path] = (path for folder in CORPORA.values() for path in folder.rglob(f"{name}.yaml"))
    return read(path)


def recording(interactions, name=CONDITIONAL):
    return Recording(name, "azure-cli", interactions)


def differing(interactions):
    return {each.number for each in Replay(recording(interactions)).outcomes() if each.differences}


@present
def test_a_recording_as_it_is_does_not_differ():
    assert differing(conditional()) == set()


def status(whole):
    return len(whole) - 1, {"status": 409}


def body(whole):
    at = len(whole) - 2
    return at, {"answer": whole[at].answer.replace("10.0.0.1", "10.0.0.2")}


def an_added_field(whole):
    at = len(whole) - 2
    return at, {"answer": json.dumps({**whole[at].content, "more": 1})}


def a_header(whole):
    return 0, {"answer_headers": {**whole[0].answer_headers, "x-ms-failure-cause": "gateway"}}


def a_countdown(whole):
    return 0, {"answer_headers": {**whole[0].answer_headers, "x-ms-ratelimit-remaining-subscription-whims": "11"}}


def an_etag_that_stays(whole):
    put = next(at for at, each in enumerate(whole) if each.method == "PUT" and each.label == "A record sets")
    etag = whole[put].answer_headers["etag"]
    later = next(at for at in range(put + 1, len(whole)) if whole[at].answer_headers.get("etag") not in {None, etag})
    return later, {"answer_headers": {**whole[later].answer_headers, "etag": etag}}


@present
@pytest.mark.parametrize("change", [status, body, an_added_field, a_header, a_countdown, an_etag_that_stays])
def test_a_recording_that_is_tampered_with_is_noticed(change):
    whole = conditional()
    number, changed = change(whole)
    whole[number] = replace(whole[number], **changed)
    assert number in differing(whole)


FIRST_SIGHT = "test_vm_create_no_wait"
"""A template creates the VMs of this recording; they enter the simulator with the GET that first shows them."""


@present
@pytest.mark.parametrize("change", [("PowerState/running", "PowerState/unheard"), ("vmId", "vmNo")])
def test_the_get_through_which_a_resource_enters_is_compared(change):
    whole = named(FIRST_SIGHT)
    number = next(at for at, each in enumerate(whole) if each.label == "VMs" and "instanceView" in each.answer)
    assert number not in differing(whole)
    whole[number] = replace(whole[number], answer=whole[number].answer.replace(*change, 1))
    assert number in differing(whole)


PAGES = "ListZonesInResourceGroup_ListNextPage_ExpectNextZonesRetrieved"


def pages():
    whole = named(PAGES)
    first = next(at for at, each in enumerate(whole) if isinstance(each.content, dict) and "nextLink" in each.content)
    assert whole[first + 1].url == whole[first].content["nextLink"]
    return whole, first


@present
def test_a_recorded_next_page_is_asked_of_the_simulator_by_its_own_link():
    whole, first = pages()
    token = whole[first].content["nextLink"].partition("$skipToken=")[2]
    for number in (first, first + 1):  # a token that the simulator has never heard of
        each = whole[number]
        opaque = {"url": each.url.replace(token, "opaque"), "answer": each.answer.replace(token, "opaque")}
        whole[number] = replace(each, **opaque)
    assert {first, first + 1} & differing(whole) == set()
    second = whole[first + 1]
    whole[first + 1] = replace(second, answer=second.answer.replace('"name": "hydra', '"name": "hydro'))
    assert first + 1 in differing(whole)


@present
@pytest.mark.parametrize("change", [("$top=1", "$top=2"), ("privateDnsZones?", "privateDnsZone?"), ("&$skipToken", "")])
def test_a_link_to_another_page_than_recorded_is_noticed(change):
    whole, first = pages()
    link = whole[first].content["nextLink"]
    whole[first] = replace(whole[first], answer=whole[first].answer.replace(link, link.replace(*change)))
    assert first in differing(whole)


@present
def test_a_call_that_is_skipped_by_its_number_and_does_not_differ_is_noticed():
    replay = Replay(recording(conditional()), {(CONDITIONAL, 0): skips.OVERPROVISIONED})
    assert [each.number for each in replay.outcomes() if each.differences] == [0]


@pytest.mark.skipif(not SAMPLE.is_file(), reason=f"no sample at {SAMPLE}")
def test_conditions_on_aaaa_sets_hold_and_fail_as_azure_powershell_saw_them_in_2019():
    sample = json.loads(SAMPLE.read_text())
    exchanges = sample["exchanges"]
    assert len(exchanges) == 5
    replay = Replay(recording([interaction(each, sample["_origin"]["recorded"]) for each in exchanges], SAMPLE.stem))
    scope = replay.interactions[0].path.split("/AAAA/")[0]
    replay.cloud.private_dns.load_zone(scope)
    found = list(replay.outcomes())
    assert [each.reason for each in found] == [None] * 5
    assert list(differences(found)) == []


def interaction(exchange, day):
    request, response = exchange["request"], exchange["response"]
    date = {"date": f"{datetime.fromisoformat(day):%a, %d %b %Y} 00:00:00 GMT"}
    return Interaction(
        request["method"],
        request["uri"],
        {name.lower(): value for name, value in request["headers"].items()},
        json.dumps(request["body"]) if request["body"] else "",
        response["status"],
        date | {name.lower(): value for name, value in response["headers"].items()},
        json.dumps(response["body"]) if response["body"] else "",
    )
