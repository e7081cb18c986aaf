"""Ctrl-C while an order is sent: what has arrived is shown, and what may be missing."""

import shlex

import pytest

from nearzone_cli.client import Timeouts
from tests.cli.test_orders import printed_command, words


@pytest.mark.parametrize("more", [[], ["--until-all"]])
@pytest.mark.parametrize("form", ["table", "json"])
def test_ctrl_c_in_the_first_round_says_what_was_received_and_what_may_be_missing(tool, apps, more, form):
    apps["eastus"].silent.set()
    tool.timeouts, tool.look_seconds = Timeouts(300.0, 300.0, 300.0), 20.0
    waits = "2 of 3 apps answered; waiting for eastus"
    said = tool("drain", "eastus", "--for", "60m", "--yes", "-o", form, *more, interrupted_at=waits)
    assert said.code == 130
    if form == "json":
        assert (said.json["exit_code"], said.json["missing"]) == (130, ["eastus"])
        assert shlex.split(said.json["again"])[1:] == printed_command(said)
        assert {each["outcome"] for each in said.json["apps"].values()} == {"ok", "not reached"}
    else:
        assert words(said.out).count("the override covers 5 endpoint(s) and 9 name(s)") == 2
        assert "eastus not reached interrupted before it answered" in words(said.out)
    assert "may be missing at: eastus." in said.err
    apps["eastus"].silent.clear()
    assert tool(*printed_command(said)).code == 0
    assert all(set(app.drains) == {"eastus"} for app in apps.values())


def test_ctrl_c_in_a_later_round_keeps_what_that_round_has_brought(tool, apps):
    apps["eastus"].trouble = apps["westeurope"].trouble = (503, "", "")
    tool.timeouts, tool.look_seconds = Timeouts(300.0, 300.0, 300.0), 20.0

    def mend_one(_):
        apps["westeurope"].trouble = None
        apps["eastus"].silent.set()

    tool.at_sleep = mend_one
    waits = "1 of 2 apps answered; waiting for eastus"
    said = tool("drain", "eastus", "--for", "60m", "--yes", "--until-all", interrupted_at=waits)
    assert said.code == 3
    assert "may be missing at: eastus." in said.err
    assert apps["westeurope"].drains
