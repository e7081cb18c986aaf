"""One app for each region: what each is given, where its catalog is, and how it is stopped and started."""

import json
from pathlib import Path

import aiohttp
import pytest
from azure.core.exceptions import ResourceNotFoundError
from azure.data.tables.aio import TableClient

import simulator.up.__main__ as up
from simulator.cloud import SimulatedAzure
from simulator.demo.client import SettingsError
from simulator.demo.processes import LaunchError
from simulator.front_ends.server import Options, Server
from simulator.front_ends.storage import STORAGE
from simulator.up.app_control import app_control
from simulator.up.regional_apps import RegionalApps, settings_by_region
from simulator.world.world import read_file

ZONES = [
    {"id": "/zones/a", "region": "eastus"},
    {"id": "/zones/b", "region": "West Europe"},
    {"id": "/zones/c", "region": "eastus"},
]
ROW = {"PartitionKey": "p", "RowKey": "it's 50% & more", "text": "ä"}


def test_each_app_gets_the_zones_of_its_region_and_its_region_as_the_vantage():
    probing = {"NEARZONE_PROBES": {"a": {"kind": "vllm"}}, "NEARZONE_PROBING": {"mode": "enforce", "vantage": "x"}}
    found = settings_by_region({"NEARZONE_ZONES": ZONES, "NEARZONE_TTL": 5, **probing})
    assert {name: each["NEARZONE_ZONES"] for name, each in found.items()} == {
        "eastus": [ZONES[0], ZONES[2]],
        "westeurope": [ZONES[1]],
    }
    for region, each in found.items():
        assert each["NEARZONE_PROBING"] == {"mode": "enforce", "vantage": region}
        assert each["NEARZONE_TTL"] == 5


def test_an_app_without_probes_gets_no_vantage():
    assert "NEARZONE_PROBING" not in settings_by_region({"NEARZONE_ZONES": ZONES[:1]})["eastus"]


@pytest.mark.parametrize(
    ("zones", "told"),
    [
        ([ZONES[0], {"id": "x", "region": 5}], "NEARZONE_ZONES[1].region: found 5, expected an Azure region"),
        (["x"], "NEARZONE_ZONES[0].region: found null, expected an Azure region"),
        ("eastus", 'NEARZONE_ZONES: found "eastus", expected a list of zones'),
    ],
)
def test_a_zone_without_a_region_is_a_fault_that_names_it(zones, told):
    with pytest.raises(SettingsError) as caught:
        settings_by_region({"NEARZONE_ZONES": zones})
    assert caught.value.faults == (told,)


def test_up_says_where_the_fault_is_in_the_file(tmp_path, capsys):
    world = json.loads(up.REGIONAL.read_text())
    del world["settings"]["NEARZONE_ZONES"][2]["region"]
    path = tmp_path / "world.json"
    path.write_text(json.dumps(world))
    assert up.main(["--apps", "regional", "--world", str(path)]) == 2
    place = "settings.NEARZONE_ZONES[2].region"
    assert capsys.readouterr() == ("", f"simulator.up: {path}: {place}: found null, expected an Azure region\n")


def test_the_world_of_the_regions_has_probes_and_services_in_several_regions():
    world = read_file(up.REGIONAL, for_app=True)
    regions = {}
    for vm in world.vms:
        regions.setdefault(vm.tags["nearzone"], set()).add(vm.location)
    assert len(regions["llama-70b"]) == 3
    assert set(world.settings["NEARZONE_PROBES"]) <= set(regions)
    assert len(settings_by_region(world.settings)) == 3


async def test_each_account_keeps_its_tables_for_the_clients_that_come_later():
    server = Server(SimulatedAzure(), Options())
    await server.start()
    try:
        async with TableClient.from_connection_string(account(server, "nzone"), "catalog") as client:
            await client.create_table()
            await client.create_entity(ROW)
        async with TableClient.from_connection_string(account(server, "nzone"), "catalog") as client:
            assert dict(await client.get_entity(ROW["PartitionKey"], ROW["RowKey"])) == ROW
        async with TableClient.from_connection_string(account(server, "nztwo"), "catalog") as client:
            with pytest.raises(ResourceNotFoundError):
                await client.get_entity(ROW["PartitionKey"], ROW["RowKey"])
    finally:
        await server.stop()


def account(server, name):
    endpoint = f"TableEndpoint={server.url}{STORAGE}/{name}"
    return f"DefaultEndpointsProtocol=http;AccountName={name};AccountKey=bm8=;{endpoint}"


class App:
    """An app whose process starts or does not."""

    def __init__(self, region, *, starts=True):
        self.region, self.starts = region, starts
        self.ready = {"url": "http://127.0.0.1:1", "function_key": "secret"}
        self.running = True

    async def start(self):
        if not self.starts:
            raise LaunchError("port 1 is in use")
        self.running = True

    async def stop(self):
        self.running = False


async def test_the_control_stops_and_starts_an_app_and_says_what_went_wrong_without_telling_a_key():
    apps = RegionalApps({}, {"eastus": App("eastus"), "westeurope": App("westeurope", starts=False)}, Path())
    async with app_control(apps) as url, aiohttp.ClientSession() as session:

        async def call(method, path):
            async with session.request(method, f"{url}/apps{path}") as answer:
                text = await answer.text()
                assert "secret" not in text
                return answer.status, json.loads(text)

        down = {"region": "eastus", "url": "http://127.0.0.1:1", "running": False}
        assert await call("POST", "/eastus/stop") == (200, down)
        assert [each["running"] for each in (await call("GET", ""))[1]] == [False, True]
        assert await call("POST", "/eastus/start") == (200, down | {"running": True})
        assert await call("POST", "/westeurope/start") == (503, {"error": "port 1 is in use"})
        status, said = await call("POST", "/mars/stop")
        assert (status, said["error"]) == (
            404,
            "found 'mars', expected a region with an app: eastus, westeurope",
        )
