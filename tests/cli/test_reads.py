"""The commands that change nothing: what they show, and their exit codes."""

import json

import pytest

from nearzone_cli.client import Timeouts
from tests.cli.fake_app import REGIONS

EMPTY = {
    "changes": [],
    "skips": [],
    "failures": [],
    "refusals": [],
    "notes": [],
    "alarms": [],
    "left": 0,
    "covers": None,
}
CHANGE = {"zone": "/s/1/g/dns/p/m/z/ai.internal", "name": "phi-4", "ttl": 30, "reason": "nearest: eastus"}


def words(text):
    return " ".join(text.split())


def reports(app, **fields):
    app.trouble = (200, "application/json", json.dumps({**EMPTY, **fields}))


def test_status_shows_all_regions_their_answers_and_overrides(tool):
    tool("drain", "eastus", "--for", "60m", "--yes", "--reason", "INC-4711")
    said = tool("status")
    assert said.code == 0
    for region in REGIONS:
        assert f"{region} apply 17 serving, 2 stopped" in words(said.out)
    assert "drain eastus westeurope, eastus, southeastasia - 2026-11-29T" in words(said.out)
    assert "INC-4711" in said.out
    assert "llama-70b" in said.out
    assert "llama-eus-1" not in said.out, "a host's own name is no service"


def test_status_shows_at_which_apps_a_drain_is_missing(tool):
    tool("drain", "eastus", "--for", "60m", "--yes", "--reason", "INC-4711", "-r", "westeurope", "-r", "eastus")
    assert "drain eastus westeurope, eastus southeastasia 2026-11-29T" in words(tool("status").out)


def test_status_does_not_say_that_a_drain_is_nowhere_missing_while_an_app_is_not_reached(tool, apps):
    tool("drain", "eastus", "--for", "60m", "--yes", "-r", "westeurope", "-r", "eastus")
    apps["eastus"].stop()
    assert "drain eastus westeurope southeastasia; unknown at: eastus 2026-11-29T" in words(tool("status").out)
    found = words(tool("status", "-r", "westeurope", "-r", "eastus").out)
    assert "drain eastus westeurope unknown at: eastus 2026-11-29T" in found


def test_status_shows_what_needs_an_operator(tool, apps):
    told = json.loads(apps["eastus"].answer("/api/status", None, apps["eastus"].key)[2])
    zone = told["zones"][0]["id"]
    waits = {"zone": zone, "name": "phi-4", "since": "2026-11-29T10:44:00Z", "attempts": 3, "last_error": "HTTP 429"}
    told["dirty"], told["dirty_count"] = [{**waits, "waits_for": "next attempt in 20 s"}] * 10, 37
    told["blocked"] = [{"zone": zone, "name": "chat", "why": "lost", "owner": None, "addresses": ["10.9.9.9"]}]
    told["refused"] = [{"zone": zone, "digest": "0123456789ab", "removals": 4, "owned": 10, "beyond": False}]
    told["alarms"] = [{"what": "no role", "means": "no write", "do": "assign it", "count": 1}]
    apps["eastus"].trouble = (200, "application/json", json.dumps({**told, "items": [], "count": 0, "next": None}))
    text = words(tool("status", "-r", "eastus").out)
    assert "phi-4 2026-11-29T10:44:00Z 3 next attempt in 20 s: HTTP 429" in text
    assert "27 more: nearzone status -o json" in text
    assert "chat ai.internal (dns-eastus) lost 10.9.9.9" in text
    assert "0123456789ab ai.internal (dns-eastus) 4 of 10 no" in text
    assert "no role no write assign it" in text


def test_status_of_an_app_that_is_down_shows_the_others(tool, apps):
    apps["eastus"].stop()
    said = tool("status")
    assert said.code == 3
    assert "eastus not reached" in words(said.out)
    assert "westeurope apply 17 serving" in words(said.out)


def test_an_old_answer_is_marked(tool, apps):
    told = json.loads(apps["eastus"].answer("/api/status", None, apps["eastus"].key)[2])
    told["stale"] = {"as_of": "2026-11-29T10:00:00Z", "age_s": 2700, "error": "the account does not answer"}
    apps["eastus"].trouble = (200, "application/json", json.dumps(told))
    assert "STALE since 2026-11-29T10:00:00Z" in words(tool("status").out)


def test_names_of_all_zones_stand_side_by_side_and_are_kept_for_completion(tool):
    said = tool("names")
    assert said.code == 0
    row = next(line for line in said.out.splitlines() if " mistral-7b " in line)
    assert row.split() == ["mistral-7b", "10.2.0.6", "10.1.0.6", "10.3.0.5"]
    kept = json.loads(next((tool.config.parent / "cache").rglob("names.json")).read_text())
    assert "mistral-7b" in kept


def test_one_name_shows_why_and_a_pattern_shows_several(tool):
    assert "nearest: eastus 1 ms (measured, 0 published)" in words(tool("names", "llama-70b").out)
    found = tool("names", "LLAMA-*", "-o", "json").json["apps"]["eastus"]["answer"]
    assert {each["name"] for each in found} >= {"llama-70b", "llama-weu-2"}
    assert all(each["name"].startswith("llama-") for each in found)
    assert "No endpoint claims this name" in tool("names", "nothing").out


def test_explain_shows_every_claim_in_or_out_with_its_probes(tool):
    said = tool("explain", "llama-70b", "--from", "eastus")
    assert said.code == 0
    assert "llama-70b in ai.internal (dns-eastus)" in said.out
    assert "dns-westeurope" not in said.out
    assert "in  llama-eus-1 (eastus, serving) 10.1.0.4: nearest" in said.out
    assert "out llama-weu-1 (westeurope, serving) 10.2.0.4: farther" in said.out
    assert "probe 10.2.0.4:8000 vllm: up, 83 ms" in said.out
    assert "southeastasia 224 ms (measured, 224 published)" in said.out
    assert all(f"(dns-{region})" in tool("explain", "llama-70b").out for region in REGIONS)


def test_explain_from_a_region_does_not_need_the_apps_of_others(tool, apps):
    apps["westeurope"].stop()
    assert tool("explain", "llama-70b", "--from", "eastus").code == 0
    assert tool("explain", "llama-70b", "--from", "westeurope").code == 3
    apps["westeurope"].start()
    assert tool("explain", "llama-70b", "--from", "mars").code == 64


@pytest.mark.parametrize(
    ("fields", "code", "text"),
    [
        ({}, 0, "Plan: no changes; 1 of 1 apps answered."),
        ({"changes": [{**CHANGE, "kind": "create", "before": [], "after": ["10.1.0.4"]}]}, 2, "+ phi-4 - 10.1.0.4"),
        ({"changes": [{**CHANGE, "kind": "delete", "before": ["10.1.0.4"], "after": []}]}, 2, "1 to delete"),
        ({"refusals": ["refused to remove 4 of 10"]}, 1, "refused to remove 4 of 10"),
        ({"failures": [{"what": "phi-4", "error": "HTTP 403"}]}, 1, "phi-4: HTTP 403"),
    ],
)
def test_plan_shows_a_diff_and_its_code_says_whether_there_is_something(tool, apps, fields, code, text):
    reports(apps["eastus"], **fields)
    said = tool("plan", "-r", "eastus")
    assert said.code == code
    assert text in words(said.out)
    assert tool("plan", "-r", "eastus", "-o", "json").json["exit_code"] == code


def test_a_plan_that_an_app_did_not_answer_is_not_complete(tool, apps):
    reports(apps["eastus"], changes=[{**CHANGE, "kind": "delete", "before": ["10.1.0.4"], "after": []}])
    apps["westeurope"].stop()
    assert tool("plan").code == 3


def test_check_fails_if_something_is_wrong(tool, apps):
    assert tool("check").code == 0
    reports(apps["eastus"], alarms=[{"what": "no role at zone", "means": "no write", "do": "assign it", "count": 1}])
    said = tool("check")
    assert said.code == 1
    assert "no role at zone no write assign it" in words(said.out)


def test_probe_shows_what_each_app_sees(tool):
    said = tool("probe", "llama-70b")
    assert said.code == 0
    assert "eastus 10.2.0.4:8000 westeurope llama-weu-1 ok 200 83 nothing: the server works" in words(said.out)
    assert "southeastasia 10.2.0.4:8000" in words(said.out)


def test_history_says_what_changed_why_and_who_did_it(tool):
    for region in REGIONS:
        tool.apps[region].drains["eastus"] = 1.0  # The recorded history then has the drain.
    said = tool("history", "llama-70b")
    assert said.code == 0
    text = words(said.out)
    assert "drain override" in text
    assert "function key" in text
    assert "INC-4711" in text
    times = [line.split()[0] for line in said.out.splitlines() if line.strip().startswith("10:")]
    assert times == sorted(times)


def test_history_of_a_time_has_the_overrides_of_a_name_too(tool):
    said = tool("history", "llama-70b", "--since", "10:00", "--until", "10:44", "-o", "json")
    entries = said.json["apps"]["eastus"]["answer"]
    assert {each["name"] for each in entries} == {"llama-70b", "*"}
    assert {"drain", "undrain", "freeze"} <= {each["kind"] for each in entries}


def test_history_says_that_a_time_still_ahead_today_is_yesterdays(tool, apps):
    said = tool("history", "--since", "10:46", "--until", "10:44")
    assert said.err == "--since: 10:46 is still ahead today; yesterday's is used: 2026-11-28T10:46:00Z\n"
    query = apps["eastus"].queries[-1]
    assert (query["since"], query["until"]) == ("2026-11-28T10:46:00Z", "2026-11-29T10:44:00Z")


@pytest.mark.parametrize(
    "arguments",
    [
        ["history"],
        ["history", "x", "--until", "10:00"],
        ["history", "x", "--since", "yesterday"],
        ["explain"],
        ["status", "-o", "yaml"],
        ["frob"],
        ["watch"],
        ["watch", "--interval", "0"],
    ],
)
def test_wrong_usage_has_a_code_of_its_own(tool, arguments):
    said = tool(*arguments)
    assert said.code == 64
    assert said.err.startswith("nearzone: ")
    assert said.out == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ["history", "-o", "json"],
        ["drain", "eastus", "--for", "soon", "-yojson"],
        ["drain", "eastus", "--until", "10:30", "-yo", "json"],
        ["drain", "--output=json"],
        ["explain", "--output", "json"],
        ["frob", "-o", "table", "-o=json"],
        ["status", "--region", "nowhere", "-o", "json"],
        ["drain", "eastus", "--for", "1h", "-o", "json"],
    ],
)
def test_wrong_usage_is_one_object_with_json(tool, arguments):
    said = tool(*arguments)
    assert said.code == said.json["exit_code"] == 64
    assert said.err.endswith(f"nearzone: {said.json['error']}\n")


def test_an_interrupted_command_is_one_object_with_json(tool, apps):
    apps["eastus"].silent.set()
    tool.timeouts, tool.look_seconds = Timeouts(300.0, 300.0, 300.0), 20.0
    said = tool("status", "-o", "json", interrupted_at="waiting for eastus")
    assert said.code == said.json["exit_code"] == 130
    assert said.err.endswith(f"nearzone: {said.json['error']}\n")
    assert "interrupted" in said.json["error"]


@pytest.mark.parametrize(
    ("trouble", "code", "text"),
    [
        ((400, "application/json", '{"error": "zone: empty"}'), 1, "zone: empty"),
        ((400, "text/html", "<html>"), 1, "HTTP 400 without an explanation"),
        ((401, "", ""), 1, "the key is wrong for the function status"),
        ((403, "text/html", "<html>Site Disabled"), 3, "HTTP 403: the app is stopped, or network rules"),
        ((404, "", ""), 3, "HTTP 404: no such function"),
        ((302, "", ""), 3, "HTTP 302: a redirect"),
        ((500, "", ""), 3, "HTTP 500: the platform answers in place of the app"),
        ((502, "text/html", "<html>"), 3, "HTTP 502: the platform"),
        ((503, "text/plain", "Function host is not running."), 3, "HTTP 503: the platform"),
        ((503, "application/json", '{"error": "the catalog cannot be read"}'), 1, "the catalog cannot be read"),
        ((200, "text/html", "<html>Sign in</html>"), 3, "the answer is not JSON"),
        ((200, "application/json", "[]"), 3, "the answer is not an object"),
        ((200, "application/json", "{}"), 1, "is the app of another release?"),
    ],
)
def test_every_answer_that_is_none_says_what_to_do(tool, apps, trouble, code, text):
    apps["eastus"].trouble = trouble
    said = tool("status")
    assert said.code == code
    assert text in words(said.out)
    assert "Traceback" not in said.out + said.err
    assert "westeurope apply" in words(said.out)


def test_an_answer_that_no_screen_can_read_hides_no_other(tool, apps):
    reports(apps["eastus"], changes=[{"name": "phi-4"}], notes=[])
    said = tool("plan")
    assert said.code == 1
    assert "is the app of another release?" in said.out
    assert "2 of 3 apps answered" in said.out


def test_an_app_with_several_zones_shows_each(tool, apps):
    page = json.loads(apps["eastus"].answer("/api/status?list=names&limit=1", None, apps["eastus"].key)[2])
    (item,) = [each for each in page["items"] if each["name"] == "llama-70b"]
    other = {**item["answers"][0], "zone": item["answers"][0]["zone"].replace("dns-eastus", "dns-westus")}
    item["answers"] = [*item["answers"], {**other, "held": {"why": "frozen", "addresses": [], "at": None, "error": ""}}]
    apps["eastus"].trouble = (200, "application/json", json.dumps({**page, "items": [item]}))
    said = tool("names", "-r", "eastus")
    assert "ai.internal (dns-eastus): 10.1.0.4, 10.1.0.5" in said.out
    assert "ai.internal (dns-westus): ! 10.1.0.4, 10.1.0.5 (frozen)" in said.out
    assert "! the zone is not known to hold this answer" in said.out


def test_an_app_that_does_not_answer_in_time_is_given_up(tool, apps):
    tool.timeouts = type(tool.timeouts)(connect=1.0, status=0.3, resync=0.3)
    apps["eastus"].silent.set()
    said = tool("status")
    assert said.code == 3
    assert "no answer within 0.3 s" in words(said.out)


def test_text_of_an_app_cannot_drive_the_terminal(tool, apps):
    evil = "\x1b]0;owned\x07\x1b[31m[bold]red"
    reports(apps["eastus"], notes=[evil], changes=[{**CHANGE, "kind": "create", "before": [], "after": [evil]}])
    said = tool("plan", "-r", "eastus")
    assert "\x1b" not in said.out
    assert "\x07" not in said.out
    assert "[bold]red" in said.out, "it is shown as it is"


def test_a_fault_of_the_tool_is_one_line_and_with_debug_a_stack_trace(tool):
    tool.token = None

    def broken(_):
        raise RuntimeError(f"bug {tool.apps['eastus'].key}")

    tool.token = broken
    text = tool.config.read_text()
    tool.config.write_text(text.replace('key_env = "KEY_EASTUS"', 'key_env = "KEY_EASTUS"\nentra_scope = "api://1"'))
    said = tool("status")
    assert said.code == 1
    assert "a fault of this tool: RuntimeError: bug ***" in said.err
    assert "Traceback" not in said.err
    said = tool("status", "--debug")
    assert "Traceback" in said.err
    assert tool.apps["eastus"].key not in said.err
