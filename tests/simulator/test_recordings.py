"""The simulator answers as Azure did in every recording of private DNS, or the difference is named here."""

import json

import pytest
from recordings import EITHER_WAY, SET_UP, SHARED, Interaction, Replay, recordings, replay_all, table

SAMPLE = SHARED / "samples" / "pdns_conditional_powershell_2019.json"

present = pytest.mark.skipif(not (SHARED / "recordings").is_dir(), reason=f"no recordings at {SHARED / 'recordings'}")


@pytest.fixture(scope="module")
def outcomes():
    return replay_all()


@present
def test_nothing_that_is_compared_differs(outcomes):
    differing = [line for line in table(outcomes) if line.startswith("DIFFERENT")]
    assert differing == []


@present
def test_at_least_95_percent_of_the_zone_and_a_record_calls_are_compared(outcomes):
    relevant = [outcome for outcome in outcomes if outcome.interaction.kind in {"zone", "A"}]
    compared = [outcome for outcome in relevant if outcome.reason is None]
    assert len(relevant) >= 290
    assert len(compared) / len(relevant) >= 0.95


@present
def test_whatever_is_skipped_has_one_of_the_reasons_known_here(outcomes):
    reasons = {outcome.reason for outcome in outcomes} - {None}
    assert reasons == {*SET_UP.values(), EITHER_WAY}
    skipped = [outcome for outcome in outcomes if outcome.reason == EITHER_WAY]
    assert len(skipped) == 16
    assert {outcome.interaction.status for outcome in skipped} == {404}


@present
def test_a_recording_that_is_tampered_with_is_noticed():
    """The comparison can fail: another status, another value, another header or an etag that stays is a difference."""
    name = "test_PatchRecordSet_IfMatchFailure_ExpectError"
    whole = recordings()[name]
    last = len(whole) - 1
    put = next(number for number, item in enumerate(whole) if item.method == "PUT" and item.kind == "A")
    etag = whole[put].answer_headers["etag"]
    later = next(n for n, item in enumerate(whole) if n > put and item.answer_headers.get("etag") not in {None, etag})
    tampered = {
        last: {"status": 409},
        last - 1: {"answer": whole[last - 1].answer.replace("10.0.0.1", "10.0.0.2")},
        0: {"answer_headers": {**whole[0].answer_headers, "x-ms-failure-cause": "gateway"}},
        later: {"answer_headers": {**whole[later].answer_headers, "etag": etag}},
    }
    for number, change in tampered.items():
        interactions = [
            Interaction(**{**{slot: getattr(item, slot) for slot in Interaction.__dataclass_fields__}, **change})
            if at == number
            else item
            for at, item in enumerate(whole)
        ]
        replay = Replay()
        found = [at for at, item in enumerate(interactions) if replay.step(name, at, item).differences]
        assert number in found


@pytest.mark.skipif(not SAMPLE.is_file(), reason=f"no sample at {SAMPLE}")
def test_conditions_on_aaaa_sets_hold_and_fail_as_azure_powershell_saw_them_in_2019():
    exchanges = json.loads(SAMPLE.read_text())["exchanges"]
    replay = Replay()
    zone_id = exchanges[0]["request"]["uri"].split("/AAAA/")[0].removeprefix("https://management.azure.com")
    replay.dns.load_zone(zone_id)
    assert len(exchanges) == 5
    for number, exchange in enumerate(exchanges):
        request, response = exchange["request"], exchange["response"]
        if response["body"]:  # 2019 answers lack the field; every later recording has it
            response["body"].get("properties", {}).setdefault("isAutoRegistered", False)
        interaction = Interaction(
            request["method"],
            request["uri"],
            request["headers"],
            json.dumps(request["body"]) if request["body"] else "",
            response["status"],
            response["headers"],
            json.dumps(response["body"]) if response["body"] else "",
        )
        assert replay.step(SAMPLE.stem, number, interaction).differences == ()
