"""A name that no app knows is an error; what could not be asked may know it."""

import json

import pytest

from nearzone_cli.commands.giving import is_unknown
from shared.loop.resync import NO_SUCH_NAME
from tests.cli.fake_app import REGIONS

LOOKS = [
    ("names", "no-such-name"),
    ("names", "no-such-*"),
    ("explain", "no-such-name"),
    ("plan", "--name", "no-such-name"),
]


def note(name):
    """What an app's report says of a name that nothing has."""
    empty = {"changes": [], "skips": [], "failures": [], "refusals": [], "alarms": [], "left": 0, "covers": None}
    return json.dumps({**empty, "notes": [f"name {name}: {NO_SUCH_NAME}"]})


@pytest.mark.parametrize("command", LOOKS, ids=" ".join)
def test_a_look_at_a_name_that_no_app_knows_fails_and_says_so(tool, command):
    said = tool(*command)
    assert said.code == 1
    assert f"nearzone: {command[-1]}: unknown at all 3 apps" in said.err
    said = tool(*command, "-o", "json")
    assert (said.code, said.json["exit_code"]) == (1, 1)


@pytest.mark.parametrize("command", LOOKS, ids=" ".join)
def test_while_an_app_is_not_reached_a_name_is_not_called_unknown(tool, apps, command):
    apps["eastus"].stop()
    said = tool(*command)
    assert said.code == 3
    assert "unknown at" not in said.err


@pytest.mark.parametrize("command", [("names", "llama-70b"), ("names", "llama-*"), ("explain", "llama-70b")])
def test_a_known_name_is_no_error(tool, command):
    assert tool(*command).code == 0


def test_a_sync_of_a_name_that_no_app_knows_fails(tool, apps):
    for app in apps.values():
        app.trouble = (200, "application/json", note("phi"))
    said = tool("sync", "--name", "Phi")
    assert said.code == 1
    assert "nearzone: Phi: unknown at all 3 apps" in said.err


def test_a_sync_of_a_name_that_one_app_knows_is_done(tool, apps):
    for region in REGIONS[1:]:
        apps[region].trouble = (200, "application/json", note("phi"))
    apps[REGIONS[0]].trouble = (200, "application/json", note("other"))
    assert tool("sync", "--name", "phi").code == 0


def test_without_a_report_no_name_is_called_unknown():
    assert not is_unknown("phi", [])
