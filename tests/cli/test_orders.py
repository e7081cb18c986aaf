"""Orders reach all apps, or the tool says which ones do not have them."""

import json
import re
import shlex

import pytest

from nearzone_cli.client import Timeouts
from tests.cli.fake_app import REGIONS
from tests.cli.tool import BEGIN

HOUR = BEGIN + 3600
GROUP = "/subscriptions/5e7a1c00-0000-4000-8000-000000000001/resourceGroups/serving"
VM = f"{GROUP}/providers/Microsoft.Compute/virtualMachines/llama-eus-1"


def drains(apps):
    return {region: app.drains for region, app in apps.items()}


def everywhere(value):
    return dict.fromkeys(REGIONS, value)


def words(text):
    return " ".join(text.split())


def printed_command(said):
    """The arguments of the command that the tool prints for the apps that do not have the order."""
    (line,) = re.findall(r"^    nearzone (.*)$", said.err, re.MULTILINE)
    return shlex.split(line)


def test_a_drain_is_set_at_every_app_with_its_end_and_reason(tool, apps):
    said = tool("drain", "eastus", "--for", "60m", "--yes", "--reason", "INC-4711")
    assert said.code == 0
    assert drains(apps) == everywhere({"eastus": HOUR})
    assert all(app.orders[-1]["reason"] == "INC-4711" for app in apps.values())
    assert words(said.out).count("the override covers 5 endpoint(s) and 9 name(s)") == 3


@pytest.mark.parametrize("target", ["llama-eus-1", "LLAMA-EUS-1", VM, "virtualMachines/llama-eus-1"])
def test_an_endpoint_is_drained_by_its_id_or_its_name(tool, apps, target):
    assert tool("drain", target, "--for", "1h", "--yes").code == 0
    assert {key.lower() for app in apps.values() for key in app.drains} == {VM.lower()}


def test_a_scale_set_is_drained_by_its_id_without_a_look_for_endpoints(tool, apps):
    pool = f"{GROUP}/providers/Microsoft.Compute/virtualMachineScaleSets/pool"
    tool("drain", pool, "--for", "1h", "--yes")
    tool("undrain", pool)
    for app in apps.values():
        assert app.orders == [{"drain": {"endpoint": pool, "minutes": 60}}, {"undrain": {"endpoint": pool}}]
        assert app.queries == []


def test_a_uniform_scale_set_and_an_api_management_service_are_drained_by_their_names(tool, apps):
    pool = f"{GROUP}/providers/Microsoft.Compute/virtualMachineScaleSets/phi-weu"
    assert tool("drain", "phi-weu", "--for", "1h", "--yes").code in (0, 1)
    assert apps["eastus"].orders[-1] == {"drain": {"endpoint": pool, "minutes": 60}}
    page = json.dumps({"items": [{"id": LOCATION, "region": "westeurope"}], "count": 1, "next": None})
    apps["southeastasia"].trouble = (200, "application/json", page)
    tool("drain", "apim", "--for", "1h", "--yes")
    assert apps["eastus"].orders[-1]["drain"]["endpoint"] == LOCATION.removesuffix("/locations/westeurope")


def test_a_region_may_be_written_with_blanks_and_capitals(tool, apps):
    assert tool("drain", "East US", "--for", "1h", "--yes").code == 0
    assert drains(apps) == everywhere({"eastus": HOUR})


LOCATION = f"{GROUP}/providers/Microsoft.ApiManagement/service/apim/locations/westeurope"


@pytest.mark.parametrize(
    ("target", "order"),
    [
        ("westeurope", {"region": "westeurope"}),
        ("West Europe", {"region": "westeurope"}),
        (LOCATION, {"endpoint": LOCATION}),
        ("apim/locations/westeurope", {"endpoint": LOCATION}),
    ],
)
def test_a_region_is_drained_by_its_name_although_an_api_management_location_has_it_too(tool, apps, target, order):
    """No app of the context is in the region, so the tool learns of the region and of the location together."""
    eastus, southeastasia = (apps[region] for region in ("eastus", "southeastasia"))
    tables = [
        f'[contexts.test.apps.{app.region}]\nurl = "{app.url}"\nkey_env = "KEY_{app.region.upper()}"\n'
        for app in (eastus, southeastasia)
    ]
    tool.config.write_text("\n".join(['current = "test"\n', *tables]))
    page = json.dumps({"items": [{"id": LOCATION, "region": "westeurope"}], "count": 1, "next": None})
    eastus.trouble = (200, "application/json", page)
    tool("drain", target, "--for", "1h", "--yes")
    assert southeastasia.orders == [{"drain": order | {"minutes": 60}}]


def test_a_name_that_several_endpoints_have_is_refused_with_their_ids(tool, apps):
    found = {"id": "/subscriptions/2/x/llama-eus-1", "region": "eastus"}, {"id": VM, "region": "eastus"}
    page = json.dumps({"items": found, "count": 2, "next": None})
    apps["eastus"].trouble = (200, "application/json", page)
    said = tool("drain", "llama-eus-1", "--for", "1h", "--yes")
    assert said.code == 64
    assert "/subscriptions/2/x/llama-eus-1" in said.err
    assert drains(apps) == everywhere({})


@pytest.mark.parametrize("target", ["no-such-host", "llama"])
def test_an_unknown_target_changes_nothing(tool, apps, target):
    assert tool("drain", target, "--for", "1h", "--yes").code in (1, 64)
    assert drains(apps) == everywhere({})


def test_a_misspelt_region_is_refused_by_the_apps_with_their_suggestion(tool, apps):
    said = tool("drain", "eastu", "--for", "1h", "--yes")
    assert said.code == 1
    assert "did you mean eastus?" in words(said.out)
    assert drains(apps) == everywhere({})


@pytest.mark.parametrize(
    ("options", "minutes"),
    [
        (["--for", "90s"], 2),
        (["--for", "2h"], 120),
        (["--for", "1h30m"], 90),
        (["--for", "7d"], 10080),
        (["--until", "2026-11-29T11:45:00Z"], 60),
        (["--until", "2026-11-29T12:45:00+01:00"], 60),
        (["--until", "11:45"], 60),
        (["--until", "10:46"], 1),
        (["--until", "23:59:00"], 13 * 60 + 14),
    ],
)
def test_durations_and_ends_are_sent_as_whole_minutes(tool, apps, options, minutes):
    said = tool("drain", "eastus", *options, "--yes")
    assert drains(apps) == everywhere({"eastus": BEGIN + 60 * minutes})
    assert ("whole minutes" in said.err) is (options == ["--for", "90s"])


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--for", "60"],
        ["--for", "0m"],
        ["--for", "8d"],
        ["--for", "an hour"],
        ["--for", "-5m"],
        ["--until", "2026-11-29T10:00:00Z"],
        ["--until", "soon"],
        ["--until", "10:30"],
        ["--until", "10:45"],
        ["--until", "2h"],
        ["--for", "1h", "--until", "11:45"],
        ["--for", "1h", "--until-all=soon"],
        ["--for", "1h", "--reason", "x" * 201],
        ["--for", "1h", "--reason", "two\nlines"],
        ["--for", "1h", "--region", "westus"],
        ["--for", "1h", "--frob"],
    ],
)
def test_a_wrong_option_sends_nothing(tool, apps, options):
    said = tool("drain", "eastus", *options, "--yes")
    assert said.code == 64
    assert said.err.startswith("nearzone: ")
    assert [app.orders for app in apps.values()] == [[]] * 3


def test_a_clock_time_that_is_over_is_refused_with_the_one_of_tomorrow(tool, apps):
    for order in (["drain", "eastus", "--yes"], ["freeze"]):
        said = tool(*order, "--until", "10:30")
        assert said.code == 64
        assert "10:30 is over; it is 2026-11-29T10:45:00Z; for tomorrow: --until 2026-11-30T10:30:00Z" in said.err
    assert [app.orders for app in apps.values()] == [[]] * 3


def test_a_drain_asks_first_and_says_what_it_takes_away(tool, apps):
    said = tool("drain", "eastus", "--for", "60m", typed="n\n")
    assert said.code == 1
    assert "Drain region eastus at 3 apps for 1h?" in said.err
    assert re.search(r"eastus +5 +9 +9 +\d+ +5", said.err), "endpoints, names, record sets, addresses, names without"
    assert drains(apps) == everywhere({})
    assert tool("drain", "eastus", "--for", "60m", typed="y\n").code == 0
    assert drains(apps) == everywhere({"eastus": HOUR})


@pytest.mark.parametrize(
    "arguments", [["drain", "eastus", "--for", "1h"], ["adopt", "db"], ["sync", "--force", "0" * 12]]
)
def test_without_a_terminal_and_without_yes_nothing_is_sent(tool, apps, arguments):
    said = tool(*arguments)
    assert said.code in (1, 64)
    assert ("add --yes" in said.err) or ("nothing was sent" in said.err)
    assert all(order.get("dry_run") for app in apps.values() for order in app.orders)


def test_a_dry_run_sets_nothing(tool, apps):
    said = tool("drain", "eastus", "--for", "60m", "--dry-run")
    assert said.code == 0
    assert re.search(r"~ +llama-70b +10.1.0.4, 10.1.0.5 +10.2.0.4, 10.2.0.5", said.out)
    assert drains(apps) == everywhere({})


def test_the_tool_says_which_app_did_not_get_the_order_and_how_to_send_it_later(tool, apps):
    apps["eastus"].stop()
    said = tool("drain", "eastus", "--for", "60m", "--yes", "--reason", "it's INC-4711")
    assert said.code == 3
    assert re.search(r"eastus +not reached +no connection", said.out)
    assert drains(apps) == {"westeurope": {"eastus": HOUR}, "southeastasia": {"eastus": HOUR}, "eastus": {}}
    apps["eastus"].start()
    tool.now += 20 * 60  # The app comes back 20 minutes later.
    again = tool(*printed_command(said))
    assert again.code == 0
    assert drains(apps) == everywhere({"eastus": HOUR}), "the late app must end the drain with the others"
    assert apps["eastus"].orders[-1]["reason"] == "it's INC-4711"
    assert len(apps["westeurope"].orders) == 1, "the others get it once"


def test_until_all_waits_for_an_app_that_comes_back_and_keeps_the_common_end(tool, apps):
    apps["southeastasia"].stop()
    tool.at_sleep = lambda count: apps["southeastasia"].start() if count == 50 else None
    said = tool("drain", "eastus", "--for", "60m", "--yes", "--until-all")
    assert said.code == 0
    assert tool.now >= BEGIN + 250
    found = drains(apps)
    assert found["westeurope"] == found["eastus"] == {"eastus": HOUR}
    assert HOUR <= found["southeastasia"]["eastus"] < HOUR + 60
    assert "not yet at all apps, 15m left: southeastasia: no connection" in said.err
    assert said.err.count("westeurope, eastus: have the order\n") == 1, "they are shown while the rest is waited for"


def test_until_all_shows_each_app_as_soon_as_it_has_the_order(tool, apps):
    for region in ("eastus", "southeastasia"):
        apps[region].stop()
    tool.at_sleep = lambda count: {5: apps["eastus"].start, 9: apps["southeastasia"].start}.get(count, int)()
    said = tool("drain", "eastus", "--for", "60m", "--yes", "--until-all")
    assert said.code == 0
    shown = [line for line in said.err.splitlines() if line.endswith("has the order")]
    assert shown == ["westeurope: has the order", "eastus: has the order"], "with the last one the result comes"


def test_a_hung_app_does_not_delay_the_lookup_of_a_name_that_another_one_knows(tool, apps):
    apps["eastus"].silent.set()
    tool.look_seconds, tool.timeouts = 1.0, Timeouts(1.0, status=3600.0, resync=1.0)
    assert tool("drain", "llama-eus-1", "--for", "60m", "--yes").code == 3, "the order itself is given up after 1 s"
    assert {region for region, app in apps.items() if app.drains} == {"westeurope", "southeastasia"}


def test_until_all_gives_up_after_its_time_with_the_command_for_the_rest(tool, apps):
    apps["southeastasia"].stop()
    apps["eastus"].drains["eastus"] = apps["westeurope"].drains["eastus"] = HOUR
    said = tool("undrain", "eastus", "--until-all=2m")
    assert said.code == 3
    assert tool.now == BEGIN + 120
    command = ["undrain", "eastus", "--region", "southeastasia", "--yes", "--until-all"]
    assert printed_command(said) == command


def test_a_drain_that_is_over_before_an_app_is_back_is_not_sent_to_it(tool, apps):
    apps["eastus"].stop()
    tool.at_sleep = lambda count: apps["eastus"].start() if tool.now > BEGIN + 60 else None
    said = tool("drain", "eastus", "--for", "1m", "--yes", "--until-all=30m")
    assert said.code == 1
    assert "the drain is over since 2026-11-29T10:46:00Z" in words(said.out)
    assert apps["eastus"].orders == []


def test_ctrl_c_ends_the_attempts_and_says_what_is_missing(tool, apps):
    apps["eastus"].stop()

    def interrupt(_):
        raise KeyboardInterrupt

    tool.at_sleep = interrupt
    said = tool("drain", "eastus", "--for", "60m", "--yes", "--until-all")
    assert said.code == 3
    assert "--region eastus" in said.err
    assert apps["westeurope"].drains == {"eastus": HOUR}


def test_an_app_that_answers_503_gets_the_order_later(tool, apps):
    apps["eastus"].trouble = (503, "application/json", '{"error": "the catalog cannot be read; nothing was stored"}')

    def mend(count):
        if count == 3:
            apps["eastus"].trouble = None

    tool.at_sleep = mend
    assert tool("drain", "eastus", "--for", "60m", "--yes").code == 1
    assert tool("drain", "eastus", "--for", "60m", "--yes", "--until-all").code == 0
    assert apps["eastus"].drains


def test_an_app_that_refuses_is_not_asked_again(tool, apps):
    tool.environ["KEY_EASTUS"] = "not-the-key-of-eastus"
    said = tool("drain", "eastus", "--for", "60m", "--yes", "--until-all")
    assert (said.code, tool.sleeps) == (1, 0)
    assert "the key is wrong for the function resync;" in words(said.out)
    assert "--region eastus" in said.err


def test_region_limits_an_order(tool, apps):
    assert tool("drain", "eastus", "--for", "60m", "--yes", "-r", "eastus", "-r", "westeurope").code == 0
    assert drains(apps) == {"westeurope": {"eastus": HOUR}, "eastus": {"eastus": HOUR}, "southeastasia": {}}


def test_undrain_ends_a_drain_everywhere_also_where_it_never_was(tool, apps):
    tool("drain", "eastus", "--for", "60m", "--yes", "-r", "westeurope")
    said = tool("undrain", "eastus", "--reason", "over")
    assert said.code == 0
    assert drains(apps) == everywhere({})
    assert words(said.out).count("nothing to do: undrain: eastus is not drained by an override") == 2


def test_undrain_that_was_carried_out_without_an_answer_is_done(tool, apps):
    apps["eastus"].drains["eastus"] = HOUR
    apps["eastus"].lost.set()
    tool.at_sleep = lambda _: apps["eastus"].lost.clear()
    said = tool("undrain", "eastus", "-r", "eastus", "--until-all")
    assert said.code == 0
    assert apps["eastus"].drains == {}


@pytest.mark.parametrize("more", [[], ["--until-all"], ["--region", "eastus"]])
def test_undrain_of_what_no_app_has_drained_fails(tool, more):
    said = tool("undrain", "eastus", *more)
    assert said.code == 1
    assert "is not drained by an override" in words(said.out)


@pytest.mark.parametrize("order", [["undrain", "eastus"], ["unfreeze"], ["unfreeze", "eastus"]])
def test_an_app_that_is_asked_for_the_rest_and_has_nothing_to_end_is_done(tool, order):
    said = tool(*order, "--region", "eastus", "--yes", "--until-all")
    assert said.code == 0
    assert "nothing to do: " in words(said.out)


def test_freeze_without_a_zone_freezes_every_zone_and_unfreeze_ends_that(tool, apps):
    assert tool("freeze", "--reason", "stop").code == 0
    assert {app.frozen for app in apps.values()} == {float("inf")}
    assert tool("unfreeze").code == 0
    assert {app.frozen for app in apps.values()} == {None}
    assert tool("unfreeze").code == 1


def test_freeze_of_one_zone_concerns_its_app_alone(tool, apps):
    apps["westeurope"].stop()
    said = tool("freeze", "eastus", "--for", "1h")
    assert said.code == 0
    assert [apps[region].frozen for region in ("eastus", "southeastasia")] == [HOUR, None]
    assert "westeurope" not in said.out
    assert tool("freeze", "westus").code == 3, "the app that is down may have that zone"
    apps["westeurope"].start()
    assert tool("freeze", "westus").code == 64


def test_the_command_for_a_freeze_that_is_missing_works(tool, apps):
    apps["westeurope"].stop()
    said = tool("freeze", "--for", "1h")
    assert said.code == 3
    apps["westeurope"].start()
    assert tool(*printed_command(said)).code == 0
    assert {app.frozen for app in apps.values()} == {HOUR}


def test_adopt_wants_names_or_lost(tool, apps):
    assert tool("adopt").code == tool("adopt", "db", "--lost").code == 64
    said = tool("adopt", "db", "--dry-run")
    assert said.code == 0
    assert "not adopted: no endpoint claims this name" in words(said.out)
    assert {str(app.orders) for app in apps.values()} == {"[{'adopt': ['db'], 'dry_run': True}]"}


def test_a_sync_with_failures_is_no_success(tool, apps):
    assert tool("sync").code == 0
    report = {"alarms": [], "changes": [], "skips": [], "refusals": [], "notes": [], "left": 1, "covers": None}
    apps["eastus"].trouble = (
        200,
        "application/json",
        json.dumps({**report, "failures": [{"what": "phi-4", "error": "HTTP 429"}]}),
    )
    said = tool("sync")
    assert said.code == 1
    assert "phi-4: HTTP 429" in words(said.out)


def test_json_is_one_object_with_what_each_app_said(tool, apps):
    apps["eastus"].stop()
    said = tool("drain", "eastus", "--for", "60m", "--yes", "-o", "json")
    found = said.json
    assert {key: found[key] for key in ("format", "command", "context", "exit_code", "dry_run", "missing")} == {
        "format": 1,
        "command": "drain",
        "context": "test",
        "exit_code": 3,
        "dry_run": False,
        "missing": ["eastus"],
    }
    assert shlex.split(found["again"])[1:] == printed_command(said)
    assert list(found["apps"]) == list(REGIONS)
    assert {key: value for key, value in found["apps"]["eastus"].items() if key not in ("url", "error")} == {
        "outcome": "not reached",
        "status": None,
        "attempts": 1,
        "answer": None,
    }
    assert found["apps"]["westeurope"]["answer"]["covers"] == {"endpoints": 5, "names": 9}
