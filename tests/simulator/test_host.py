"""The Functions host stand-in serves, checks and runs what the real host does."""

import asyncio
import json
import threading
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import aiohttp
import azure.functions as func
import pytest

from simulator.functions_host.functions import StartError, next_run
from simulator.functions_host.host import Keys, route_pattern, start

PATIENCE = aiohttp.ClientTimeout(total=10)
KEYS = Keys("fk", "sk", "mk")
EVENT = {"id": "1", "topic": "/t", "subject": "/s", "eventType": "E", "eventTime": "2026-01-01T00:00:00Z", "data": {}}
CLOUD = {"specversion": "1.0", "id": "2", "source": "/t", "type": "C", "subject": "/s", "data": {"é": 1}}


async def eventually(holds, seconds=5.0):
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 - what is waited for is any state of the world, not only ours to signal
            await asyncio.sleep(0.01)


def small_app():
    """An app with every trigger; what its functions were called with stands in `seen`."""
    app, seen = func.FunctionApp(), SimpleNamespace(text=[], typed=[], ticks=[], running=0, most=0)
    seen.gate = asyncio.Event()

    @app.event_grid_trigger(arg_name="event")
    async def take_text(event: str) -> None:
        seen.text.append(json.loads(event))
        if json.loads(event).get("data") == "bad":
            raise RuntimeError("bad event")

    @app.event_grid_trigger(arg_name="event")
    async def take_typed(event: func.EventGridEvent) -> None:
        seen.running += 1
        seen.most = max(seen.most, seen.running)
        await seen.gate.wait()
        seen.running -= 1
        seen.typed.append(event)

    @app.timer_trigger(arg_name="timer", schedule="%TICKS%")
    async def tick(timer: func.TimerRequest) -> None:
        seen.running += 1
        seen.most = max(seen.most, seen.running)
        seen.ticks.append(timer.past_due)
        await seen.gate.wait()
        seen.running -= 1

    add_http(app)
    return app, seen


def add_http(app):
    @app.route(route="echo/{item?}", methods=["POST"])
    async def echo(req: func.HttpRequest) -> func.HttpResponse:
        what = {
            "params": dict(req.params),
            "headers": dict(req.headers),
            "route": dict(req.route_params),
            "body": req.get_body().decode(),
            "url": req.url,
        }
        return func.HttpResponse(json.dumps(what), status_code=201, mimetype="application/json", headers={"X-A": "b"})

    @app.route(route="open", auth_level=func.AuthLevel.ANONYMOUS)
    def hello(req: func.HttpRequest) -> str:
        on_the_loop = threading.current_thread() is threading.main_thread()
        return f"{req.method} {'beside' if not on_the_loop else 'on'} the loop"

    @app.route(route="locked", auth_level=func.AuthLevel.ADMIN)
    async def locked(req: func.HttpRequest) -> func.HttpResponse:
        raise RuntimeError("inside")

    @app.event_grid_trigger(arg_name="event")
    async def answers(event: str):
        return event


@asynccontextmanager
async def running(schedule="0 0 0 1 1 *"):
    app, seen = small_app()
    host = await start(app, {"TICKS": schedule}, keys=KEYS)
    try:
        async with aiohttp.ClientSession(host.url, timeout=PATIENCE) as http:
            yield http, seen
    finally:
        seen.gate.set()
        await host.close()


WEBHOOK = "/runtime/webhooks/EventGrid?functionName={}&code=sk"


async def deliver(http, function, payload, kind="Notification"):
    url = WEBHOOK.format(function)
    async with http.post(url, json=payload, headers={"aeg-event-type": kind}) as answer:
        return answer.status, await answer.text()


async def test_http_functions_get_what_the_host_hands_over():
    async with running() as (http, _):
        url, headers = "/api/ECHO/Seven?code=fk&empty=&a=1&a=2", {"X-Upper": "V"}
        async with http.post(url, data=b"body", headers=headers) as answer:
            assert (answer.status, answer.headers["X-A"], answer.content_type) == (201, "b", "application/json")
            got = await answer.json()
    assert got["params"] == {"code": "fk", "a": "1,2"}
    assert got["headers"]["x-upper"] == "V"
    assert all(name == name.lower() for name in got["headers"])
    assert (got["route"], got["body"]) == ({"item": "Seven"}, "body")
    assert got["url"].endswith("/api/ECHO/Seven?code=fk&empty=&a=1&a=2")


@pytest.mark.parametrize(
    ("method", "path", "key", "status"),
    [
        ("POST", "/api/echo", None, 401),
        ("POST", "/api/echo", "wrong", 401),
        ("POST", "/api/echo", "sk", 401),
        ("POST", "/api/echo", "fk", 201),
        ("POST", "/api/echo", "mk", 201),
        ("GET", "/api/echo", "fk", 404),
        ("POST", "/api/nothing", "fk", 404),
        ("POST", "/elsewhere", "fk", 404),
        ("DELETE", "/api/open", None, 200),
        ("GET", "/api/locked", "fk", 401),
        ("GET", "/api/locked", "mk", 500),
    ],
)
async def test_each_http_door_opens_for_its_key_and_method_only(method, path, key, status):
    async with running() as (http, _):
        by_header = {"x-functions-key": key} if key else {}
        async with http.request(method, path, headers=by_header) as answer:
            assert answer.status == status
            if status in {401, 500}:
                assert await answer.read() == b""
        async with http.request(method, path, params={"code": key} if key else {}) as answer:
            assert answer.status == status


@pytest.mark.parametrize(
    "payload",
    [
        [{**EVENT, "data": {"validationCode": "42"}}],
        {**CLOUD, "data": json.dumps({"validationCode": "42"})},
    ],
)
async def test_the_handshake_is_answered_in_both_schemas(payload):
    async with running() as (http, seen):
        status, text = await deliver(http, "take_text", payload, "SubscriptionValidation")
        assert (status, json.loads(text)) == (200, {"validationResponse": "42"})
        assert seen.text == []


async def test_each_event_of_a_delivery_is_one_invocation_and_all_are_done_before_the_answer():
    async with running() as (http, seen):
        assert await deliver(http, "take_text", [EVENT, {**EVENT, "id": "3"}]) == (202, "")
        assert seen.text == [EVENT, {**EVENT, "id": "3"}]
        assert await deliver(http, "take_text", CLOUD) == (202, "")
        assert seen.text[2] == CLOUD


async def test_events_of_a_batch_run_in_parallel_and_arrive_as_the_schema_says():
    async with running() as (http, seen):
        answer = asyncio.create_task(deliver(http, "take_typed", [EVENT, CLOUD]))
        await eventually(lambda: seen.running == 2)
        assert not answer.done()
        seen.gate.set()
        assert (await answer)[0] == 202
    old, new = sorted(seen.typed, key=lambda event: event.id)
    assert (type(old), old.event_type, old.event_time) == (func.EventGridEvent, "E", datetime(2026, 1, 1, tzinfo=UTC))
    assert (type(new), new.type, new.get_json()) == (func.CloudEvent, "C", {"é": 1})


async def test_one_failed_event_fails_the_delivery_but_not_the_other_events():
    async with running() as (http, seen):
        status, text = await deliver(http, "take_text", [{**EVENT, "data": "bad"}, EVENT])
        assert status == 500
        assert "bad event" in text
        assert EVENT in seen.text


@pytest.mark.parametrize(
    ("path", "kind", "status"),
    [
        (WEBHOOK.format("take_text"), "Unsubscribe", 202),
        (WEBHOOK.format("take_text"), "Other", 400),
        (WEBHOOK.format("take_text"), "", 400),
        (WEBHOOK.format("nobody"), "Notification", 404),
        (WEBHOOK.format("tick"), "Notification", 404),
        ("/runtime/webhooks/EventGrid?functionName=take_text&code=fk", "Notification", 401),
        ("/runtime/webhooks/EventGrid?functionName=nobody", "Notification", 401),
        ("/runtime/webhooks/EventGrid?functionName=take_text&code=mk", "Notification", 202),
        ("/runtime/webhooks/blobs?functionName=take_text&code=sk", "Notification", 404),
    ],
)
async def test_the_webhook_answers_by_key_function_and_kind(path, kind, status):
    async with running() as (http, seen):
        async with http.post(path, json=[EVENT], headers={"aeg-event-type": kind}) as answer:
            assert answer.status == status
        assert len(seen.text) == (status == 202 and kind == "Notification")


@pytest.mark.parametrize("body", [b"{", b"", b"[", b"\xff", b"[" * 50_000])
@pytest.mark.parametrize("kind", ["Notification", "SubscriptionValidation"])
async def test_an_unreadable_delivery_is_a_bad_request_and_the_host_goes_on(body, kind):
    async with running() as (http, seen):
        async with http.post(WEBHOOK.format("take_text"), data=body, headers={"aeg-event-type": kind}) as no:
            assert no.status == 400
        assert await deliver(http, "take_text", EVENT) == (202, "")
        assert seen.text == [EVENT]


@pytest.mark.parametrize("path", ["/api/echo?code=fk", WEBHOOK.format("take_text")])
async def test_a_body_that_is_not_encoded_as_its_header_says_is_a_bad_request(path):
    headers = {"aeg-event-type": "Notification", "Content-Encoding": "gzip"}
    async with running() as (http, seen):
        async with http.post(path, data=b"[]", headers=headers) as answer:
            assert answer.status == 400
        assert await deliver(http, "take_text", EVENT) == (202, "")
        assert seen.text == [EVENT]


async def test_a_function_that_returns_what_nobody_takes_has_failed():
    async with running() as (http, _):
        status, text = await deliver(http, "answers", EVENT)
        assert status == 500
        assert "without a $return binding" in text


async def test_a_plain_def_runs_beside_the_loop():
    async with running() as (http, _), http.get("/api/open") as answer:
        assert await answer.text() == "GET beside the loop"


async def test_a_timer_runs_by_hand_with_the_master_key_only():
    async with running() as (http, seen):
        seen.gate.set()
        for key, status in (("fk", 401), ("sk", 401), ("mk", 202)):
            headers = {"x-functions-key": key}
            async with http.post("/admin/functions/tick", json={"input": ""}, headers=headers) as answer:
                assert answer.status == status
        async with http.post("/admin/functions/nobody", json={"input": ""}, headers={"x-functions-key": "mk"}) as no:
            assert no.status == 404
        await eventually(lambda: seen.ticks)
        assert seen.ticks == [False]


async def test_a_timer_never_overlaps_itself_and_never_blocks_an_event():
    async with running("* * * * * *") as (http, seen):
        await eventually(lambda: seen.running == 1)
        for _ in range(3):
            async with http.post("/admin/functions/tick", headers={"x-functions-key": "mk"}) as answer:
                assert answer.status == 202
        assert await deliver(http, "take_text", EVENT) == (202, "")
        assert len(seen.ticks) == 1
        seen.gate.set()
        await eventually(lambda: len(seen.ticks) >= 5)
    assert seen.most == 1


@pytest.mark.parametrize(
    ("schedule", "now", "due"),
    [
        ("*/30 * * * * *", "2026-01-01T00:00:00", "2026-01-01T00:00:30"),
        ("0 */10 * * * *", "2026-01-01T00:09:59", "2026-01-01T00:10:00"),
        ("15 0 3 * * 1-5", "2026-01-02T03:00:15", "2026-01-05T03:00:15"),
        ("0 0 0 13 * Fri", "2026-01-01T00:00:00", "2026-02-13T00:00:00"),
    ],
)
def test_schedules_fire_at_their_next_occurrence_in_utc(schedule, now, due):
    after = datetime.fromisoformat(now).replace(tzinfo=UTC)
    assert next_run(schedule, after) == datetime.fromisoformat(due).replace(tzinfo=UTC)


def test_an_occurrence_that_was_served_a_little_early_does_not_come_twice():
    due = datetime(2026, 1, 1, 0, 0, 30, tzinfo=UTC)
    early = due - timedelta(microseconds=200)
    assert next_run("*/30 * * * * *", early) == due
    assert next_run("*/30 * * * * *", early, due) == due + timedelta(seconds=30)


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({}, "setting TICKS is missing"),
        ({"TICKS": "* * * * *"}, "six fields"),
        ({"TICKS": "00:00:30"}, "six fields"),
        ({"TICKS": "0 0 99 * * *"}, "is not a schedule"),
    ],
)
async def test_a_schedule_that_cannot_be_kept_is_a_start_error_naming_timer_and_setting(settings, word):
    app, _ = small_app()
    with pytest.raises(StartError, match=f"timer tick.*{word}"):
        await start(app, settings)


async def test_one_app_can_be_served_again_and_again():
    app, _ = small_app()
    for _ in range(2):
        host = await start(app, {"TICKS": "0 0 0 1 1 *"})
        assert list(host.ready["functions"]) == [
            "take_text",
            "take_typed",
            "tick",
            "echo",
            "hello",
            "locked",
            "answers",
        ]
        await host.close()


@pytest.mark.parametrize(
    ("template", "path", "values"),
    [
        ("resync", "/Resync", {}),
        ("resync", "/resync/x", None),
        ("a/{b}", "/a", None),
        ("a/{b}", "/a/1", {"b": "1"}),
        ("a/{b?}", "/a", {"b": None}),
        ("a/{*b}", "/a/1/2", {"b": "1/2"}),
        ("a.b", "/axb", None),
    ],
)
def test_route_templates_match_as_the_host_matches_them(template, path, values):
    match = route_pattern(template).fullmatch(path)
    assert (match and match.groupdict()) == values
