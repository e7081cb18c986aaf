"""The command line tool against three real apps in three regions, one of which is stopped in the middle."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.regional import REGIONS, SERVING, regional

pytestmark = pytest.mark.timeout(150)

CLI = Path(__file__).parents[2] / "cli"
WEST, EAST, ASIA = REGIONS


@pytest.fixture(scope="module")
def apps():
    with regional() as started:
        yield started


@pytest.fixture(scope="module")
def nearzone(apps):
    path = os.pathsep.join(filter(None, (str(CLI), os.environ.get("PYTHONPATH"))))
    environ = {**os.environ, "PYTHONPATH": path, "NEARZONE_CONFIG": str(apps.config), "COLUMNS": "200"}

    def start(*arguments):
        command = [sys.executable, "-m", "nearzone_cli", *arguments]
        return subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run(*arguments, code=0):
        process = start(*arguments)
        out, err = process.communicate(timeout=100)
        assert process.returncode == code, out + err
        return out

    run.start = start
    return run


def drains(apps):
    return {region: [each["target"] for each in apps.status(region)["drains"]] for region in REGIONS}


def test_the_context_of_make_up_works_at_once_and_every_question_is_answered(apps, nearzone):
    for region in REGIONS:
        apps.settle(region)
    out = nearzone("status")
    assert all(region in out for region in REGIONS)
    assert "llama-70b" in out
    assert "no changes; 3 of 3 apps" in nearzone("plan")
    nearzone("check")
    assert "in  llama-eus-1" in nearzone("explain", "llama-70b", "--from", EAST)
    assert "llama-sea-1" in nearzone("probe", "llama-70b")
    assert "create" in nearzone("history", "llama-70b")
    names = json.loads(nearzone("names", "llama-70b", "-o", "json"))["apps"]
    assert [each["answer"][0]["name"] for each in names.values()] == ["llama-70b"] * 3


def test_an_order_reaches_an_app_that_was_down_when_it_was_given(apps, nearzone):
    before = apps.ask(ASIA, "mistral-7b")
    apps.stop(ASIA)
    out = json.loads(nearzone("drain", "eastus", "--for", "30m", "--yes", "--reason", "INC-1", "-o", "json", code=3))
    assert out["missing"] == [ASIA]
    assert [each["outcome"] for each in out["apps"].values()] == ["ok", "ok", "not reached"]
    assert apps.ask(ASIA, "mistral-7b") == before
    late = nearzone.start(*shlex.split(out["again"])[1:])
    assert "not yet at all apps" in late.stderr.readline()
    apps.start(ASIA)
    assert late.communicate(timeout=100)[0]
    assert late.returncode == 0
    assert drains(apps) == {region: ["eastus"] for region in REGIONS}
    ends = {apps.status(region)["drains"][0]["until"][:15] for region in REGIONS}
    assert len(ends) <= 2, "one common end, but for the rounding to minutes"
    for region in REGIONS:
        apps.until([], lambda region=region: [ip for ip in apps.ask(region, "llama-70b") if ip.startswith("10.2.")])
    assert "INC-1" in nearzone("history", "--since", "10m")


def test_undrain_and_freeze_are_seen_in_every_zone(apps, nearzone):
    nearzone("undrain", "eastus", "--until-all=1m")
    assert drains(apps) == {region: [] for region in REGIONS}
    apps.until(["10.2.0.4", "10.2.0.5"], lambda: apps.ask(EAST, "llama-70b"))
    nearzone("freeze", WEST)
    assert [bool(apps.status(region)["zones"][0]["frozen"]) for region in REGIONS] == [True, False, False]
    apps.arm(f"{SERVING}/llama-weu-2", "deallocate")
    nearzone("unfreeze")
    apps.until(["10.1.0.4"], lambda: apps.ask(WEST, "llama-70b"))
    nearzone("unfreeze", code=1)
