"""The steps with Core Tools in CONTRIBUTING.md work as printed, with a stand-in in place of `func start`."""

import asyncio
import json
import re
import shlex
import time
from contextlib import suppress
from pathlib import Path

import aiohttp
import pytest
from azure.data.tables import TableServiceClient

import function_app
from shared.catalog.other_deployments import CATALOG_TABLE
from shared.config import parser as settings_parser
from shared.loop import deadlines
from simulator.demo.app_settings import load
from simulator.demo.processes import DEMO, Ports, Scale, started
from simulator.functions_host.functions import index
from tests.support.azurite import azurite  # noqa: F401 - a fixture
from tests.support.values import REGIONS

pytestmark = pytest.mark.timeout(120)

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
EXAMPLE = json.loads((ROOT / "local.settings.json.example").read_text())
HOST = json.loads((ROOT / "host.json").read_text())
ENOUGH = 30.0
IN_THE_HOST = {"httpTrigger", "http", "timerTrigger"}
"""Bindings that need no extension (azure-functions-host, read 2026-11-23)."""
IN_THE_BUNDLE = {"eventGridTrigger": "eventGrid"}
"""Bindings that the bundle brings, with the section of host.json that is theirs."""


def steps():
    """The commands of the section, as lists of arguments."""
    section = GUIDE.split("## Run it with Azure Functions Core Tools")[1].split("\n## ")[0]
    lines = [line.strip() for line in section.splitlines() if line.startswith("    ")]
    return [shlex.split(line, comments=True) for line in lines]


def curls():
    """URL, headers and body (None: GET) of each curl."""
    for _, *arguments in (step for step in steps() if step[0] == "curl"):
        given = iter(arguments)
        body, headers, url = None, {}, ""
        for each in given:
            if each == "--json":
                body = next(given)
            elif each == "-H":
                name, value = next(given).split(": ")
                headers[name] = value
            else:
                url = each
        yield url, headers, body


async def asked(session, url, headers, body):
    """What curl would do."""
    more = {"Content-Type": "application/json", "Accept": "application/json"} if body is not None else {}
    async with session.request("GET" if body is None else "POST", url, data=body, headers=headers | more) as answer:
        text = await answer.text()
        assert answer.status < 300, (url, answer.status, text)
        with suppress(ValueError):
            return json.loads(text)


def test_the_steps_of_the_guide_lead_from_an_event_to_an_answer(azurite):  # noqa: F811 - the fixture
    values = EXAMPLE["Values"] | {"AzureWebJobsStorage": azurite}
    assert EXAMPLE["Values"]["AzureWebJobsStorage"] == "UseDevelopmentStorage=true", "the same, on the default ports"

    async def story():
        world = load(DEMO)
        async with (
            started({**world, "settings": values}, Ports(), Scale(operations=0.001, latency=0.0)) as pair,
            aiohttp.ClientSession() as session,
        ):
            ports = {"http://127.0.0.1:8701": pair.simulator["arm"], "http://127.0.0.1:7071": pair.app["url"]}
            keys = {"x-functions-key": pair.app["function_key"]}  # Core Tools ask for none; the stand-in does.

            def here(text):
                for printed, real in ports.items():
                    text = text.replace(printed, real)
                return text.replace("?functionName", f"?code={pair.app['system_key']}&functionName")

            *before, last = [(here(url), headers | keys, body and here(body)) for url, headers, body in curls()]
            answers = [await asked(session, *step) for step in before]
            assert answers[1]["failures"] == []
            end = time.monotonic() + ENOUGH
            while "10.1.0.4" in (answer := await asked(session, *last))["record"]["addresses"]:
                assert time.monotonic() < end, answer
                await asyncio.sleep(0.1)
            assert answer["record"]["addresses"] == answer["answer"]["addresses"] == ["10.1.0.5"]
            assert answer["history"][0]["cause"].startswith("event ")

    asyncio.run(story())
    tables = TableServiceClient.from_connection_string(azurite)
    (catalog,) = [table.name for table in tables.list_tables() if CATALOG_TABLE.fullmatch(table.name)]
    assert list(tables.get_table_client(catalog).list_entities(results_per_page=1)), "the catalog is in Azurite"


def test_the_guide_starts_what_the_example_speaks_to():
    commands = [" ".join(step) for step in steps()]
    (simulator,) = [each for each in commands if "-m simulator" in each]
    port = re.search(r"--http (\d+)", simulator)[1]
    read = settings_parser.parse(EXAMPLE["Values"], REGIONS)
    assert read.cloud.arm == f"http://127.0.0.1:{port}"
    assert "cp local.settings.json.example local.settings.json" in commands


def bindings():
    return [(each.name, each.trigger) for each in index(function_app.app)]


def test_every_binding_is_the_hosts_own_or_comes_with_the_bundle_that_host_json_names():
    kinds = {trigger["type"] for _, trigger in bindings()}
    assert kinds <= IN_THE_HOST | set(IN_THE_BUNDLE)
    assert (kinds & set(IN_THE_BUNDLE) != set()) == ("extensionBundle" in HOST)
    assert set(HOST.get("extensions", {})) <= {"http", *IN_THE_BUNDLE.values()}


def test_host_json_has_only_sections_that_the_host_knows():
    assert set(HOST) <= {"version", "functionTimeout", "extensionBundle", "extensions", "logging", "telemetryMode"}


def test_a_function_ends_by_itself_before_the_host_ends_it():
    hours, minutes, seconds = map(int, HOST["functionTimeout"].split(":"))
    names = ("SWEEP", "RESYNC", "DRAIN", "EVENT", "PROBE", "PROBE_APPLY")
    longest = max(getattr(deadlines, f"{name}_SECONDS") for name in names)
    assert longest + deadlines.SHUTDOWN_GRACE_SECONDS < 3600 * hours + 60 * minutes + seconds
    assert deadlines.RESYNC_SECONDS + deadlines.SHUTDOWN_GRACE_SECONDS < 230, (
        "when Azure's front end gives an HTTP request up"
    )


@pytest.mark.parametrize("setting", ["NEARZONE_DRAIN_SCHEDULE", "NEARZONE_SWEEP_SCHEDULE"])
def test_a_schedule_of_the_example_is_what_its_timer_is_given(setting):
    default = {"NEARZONE_DRAIN_SCHEDULE": "drain", "NEARZONE_SWEEP_SCHEDULE": "correct_drift"}[setting]
    (trigger,) = [trigger for name, trigger in bindings() if name == default]
    assert EXAMPLE["Values"][setting] == trigger["schedule"] or trigger["schedule"] == f"%{setting}%"
