"""How long operations take and how calls are counted down is compared with the recordings, where they show it."""

import json

import pytest
from countdowns import Countdowns
from durations import Range, Span, Stopwatch, ranges
from recordings import Interaction

from simulator.arm.front_door import Request, Response

ARM = "https://management.azure.com"
ZONES = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/privateDnsZones"
REQUESTS = "x-ms-ratelimit-remaining-subscription-resource-requests"


def at(seconds, method="GET", path=f"{ZONES}/z", status=200, answer="", **headers):
    clock = {"date": f"Mon, 21 Jun 2021 19:{24 + seconds // 60:02}:{seconds % 60:02} GMT"}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Interaction(method, f"{ARM}{path}?api-version=2020-06-01", {}, "", status, clock | named, answer)


def status(seconds, state, **more):
    return at(seconds, answer=json.dumps({"status": state, **more}))


def watched(*polls, ours=20.0):
    watch = Stopwatch()
    watch.start(at(0, "PUT", status=202), ["status", "result"], ours)
    return [watch.stop(poll, "status" if number % 2 else "result") for number, poll in enumerate(polls)]


def test_an_operation_ends_between_its_last_running_poll_and_the_first_other_one():
    found = watched(status(3, "InProgress"), status(5, "InProgress"), status(35, "Succeeded"), status(65, "Succeeded"))
    [*running, span, again] = found
    assert running == [None, None]
    assert (span.kind, span.least, span.most, span.ours) == ("zones: PUT", 5.0, 35.0, 20.0)
    assert again is None


@pytest.mark.parametrize(
    "end", [at(31, status=204), at(31, answer="true"), status(31, "Failed"), status(31, "Canceled")]
)
def test_an_operation_has_ended_with_any_answer_that_is_not_of_a_running_one(end):
    [*_, span] = watched(at(1, status=202), end)
    assert (span.least, span.most) == (1.0, 31.0)


def test_a_poll_that_states_both_times_gives_the_exact_duration():
    times = {"startTime": "2023-05-25T17:34:25.0851749+00:00", "endTime": "2023-05-25T17:34:34.3351749+00:00"}
    [span] = watched(status(30, "Succeeded", **times))
    assert (span.least, span.most) == (9.25, 9.25)


def test_of_a_kind_only_the_operations_of_recent_years_count_if_there_are_any():
    old, new = Span("zones: PUT", 0.0, 3.0, 6.0, 5.0), Span("zones: PUT", 1_700_000_000.0, 5.0, 35.0, 10.0)
    assert list(ranges([old, new])) == [Range("zones: PUT", 1, 5.0, 35.0, (10.0,))]
    assert list(ranges([old])) == [Range("zones: PUT", 1, 3.0, 6.0, (5.0,))]


@pytest.mark.parametrize(
    ("count", "ours", "outside"),
    [(10, 40.0, True), (10, 36.5, False), (10, 3.0, True), (1, 50.0, False), (1, 56.0, True), (1, 1.0, True)],
)
def test_a_time_that_no_recorded_operation_makes_likely_is_outside(count, ours, outside):
    assert bool(Range("NICs: PUT", count, 6.0, 36.0, (20.0, ours)).outside) is outside


def counted(countdowns, recorded, ours, now=0.0, method="GET"):
    request = Request(method, f"{ZONES}/z", {"api-version": "2020-06-01"})
    response = Response(200, None, {REQUESTS: str(ours)})
    countdowns.sent(request, response)
    recorded_answer = at(0, method, **{REQUESTS.replace("-", "_"): str(recorded)})
    found = countdowns.differences(recorded_answer, request, response, now)
    return list(found)


def test_a_counter_that_falls_by_another_step_than_recorded_is_noticed():
    countdowns = Countdowns()
    assert counted(countdowns, 11_962, 499) == []
    assert counted(countdowns, 11_961, 498) == []
    assert counted(countdowns, 11_960, 498) == [f"header {REQUESTS}: fell by 0 in 1 calls"]
    assert counted(countdowns, 11_959, 496) == [f"header {REQUESTS}: fell by 2 in 1 calls"]
    assert countdowns.steps == 3


def test_reads_and_writes_are_counted_apart():
    countdowns = Countdowns()
    assert counted(countdowns, 11_962, 499) == []
    assert counted(countdowns, 11_999, 11_999, method="PUT") == []
    assert counted(countdowns, 11_961, 498) == []
    assert counted(countdowns, 11_998, 11_997, method="PATCH") == [f"header {REQUESTS}: fell by 2 in 1 calls"]


def test_a_recorded_step_of_another_size_and_the_end_of_a_window_say_nothing():
    countdowns = Countdowns()
    assert counted(countdowns, 11_962, 499) == []
    assert counted(countdowns, 11_950, 499) == []
    assert counted(countdowns, 11_949, 499, now=300.0) == []
    assert countdowns.steps == 0


def test_calls_that_the_recording_does_not_have_are_counted():
    countdowns = Countdowns()
    assert counted(countdowns, 11_962, 499) == []
    other = Request("GET", f"{ZONES}/other", {"api-version": "2020-06-01"})
    countdowns.sent(other, Response(200, None, {REQUESTS: "498"}))
    countdowns.sent(other, Response(404, None, {}))
    assert counted(countdowns, 11_961, 497) == []
