"""`sync` and `adopt` of one zone concern its app alone."""

import json

import pytest

from tests.cli.fake_app import recordings

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


def zone_of(region):
    """The id of an app's zone, as recorded."""
    return next(json.loads(each["text"])["zones"][0]["id"] for each in recordings(region) if each["path"] == "status")


@pytest.fixture
def orders(apps):
    """What each app is asked for. Every app answers with an empty report."""
    found = {}
    for region, app in apps.items():
        found[region] = app.orders
        app._resync = lambda body, app=app: (app.orders.append(body), (200, "application/json", json.dumps(EMPTY)))[1]
    return found


@pytest.mark.parametrize("zone", ["eastus", "East US", zone_of("eastus")])
def test_only_the_app_of_the_zone_is_asked_with_the_zones_id(tool, orders, zone):
    assert tool("sync", "--name", "phi-4", "--zone", zone).code == 0
    assert orders == {
        "westeurope": [],
        "eastus": [{"name": "phi-4", "zone": zone_of("eastus")}],
        "southeastasia": [],
    }


def test_a_question_shows_only_the_apps_that_have_the_zone(tool, orders):
    said = tool("adopt", "db", "--zone", "eastus", "--zone", "westeurope", typed="y\n")
    assert said.code == 0
    assert "southeastasia" not in said.err + said.out
    for region in ("eastus", "westeurope"):
        adopt = {"adopt": ["db"], "zone": zone_of(region)}
        assert orders[region] == [adopt | {"dry_run": True}, adopt]


def test_the_command_for_the_rest_names_the_zone(tool, apps, orders):
    apps["eastus"].stop()
    said = tool("adopt", "--lost", "--zone", "eastus", "--yes")
    assert said.code == 3
    assert "nearzone adopt --lost --zone eastus --region" in said.err


def test_a_zone_that_no_app_has_is_a_usage_error(tool, orders):
    said = tool("sync", "--zone", "mars")
    assert (said.code, orders["eastus"]) == (64, [])
    assert "mars: no app has this zone" in said.err
