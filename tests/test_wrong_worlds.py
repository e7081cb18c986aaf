"""A wrong world file ends the real commands with one line: the file, the place in it, and what is expected."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import pytest

from simulator.world import WorldError
from simulator.world_settings import load

ROOT = Path(__file__).parent.parent
SMALL = ROOT / "simulator" / "worlds" / "two-regions.json"
COMMANDS = {"simulator.up": "simulator.up: ", "simulator.demo": "simulator.demo: ", "simulator": ""}


def world(**changed):
    return json.loads(SMALL.read_text(encoding="utf-8")) | changed


def derived(region):
    """Without settings, a zone has the region of its VNet."""
    found = world(settings={})
    found["vnets"][0]["location"] = region
    return found


def stated(name, value):
    found = world()
    found["settings"][name] = value
    return found


def at(place, value):
    """The world with one value changed."""
    found = inner = world()
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value
    return found


async def ended(command, path):
    """Exit code, output and errors of a command, and what is left of its processes."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", command, "--world", str(path)),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        output, errors = await asyncio.wait_for(process.communicate(), 120)
    finally:
        left = _session(process.pid)
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
    return process.returncode, output.decode(), errors.decode(), left


def _session(leader):
    """The processes of a session that still run."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == leader and fields[0] != "Z":
            found.append(int(folder.name))
    return found


SYNTAX = SMALL.read_text(encoding="utf-8").replace('"vms": [', '"vms": [,', 1)
LINE = SYNTAX[: SYNTAX.index("[,")].count("\n") + 1
COLUMN = len(SYNTAX[: SYNTAX.index("[,") + 1].rpartition("\n")[2]) + 1
ZONE = "/subscriptions/ID/resourceGroups/NAME/providers/Microsoft.Network/privateDnsZones/NAME"
RECORD = {"name": "not a name", "type": "A", "ttl": 30, "addresses": ["10.1.0.9"]}
NEW = "(a region that is not in the table of round-trip times needs a distance in NEARZONE_LATENCY)"
EASTU = f'found "eastu", expected an Azure region; did you mean eastus? {NEW}'
WRONG = {
    # what is wrong: the file (None: there is none), the line, which commands say so
    "missing": (None, "No such file or directory", COMMANDS),
    "syntax": (SYNTAX, f"line {LINE}, column {COLUMN}: this is not JSON: Expecting value", COMMANDS),
    "type": (at(("vnets", 0, "location"), 5), "vnets[0].location: expected `str`, got `int`", COMMANDS),
    "duplicate key": (
        '{"settings": {"A": 1, "A": 2}}',
        "settings.A: this key comes twice, expected each key of an object once",
        COMMANDS,
    ),
    "id": (at(("zones", 1, "id"), "ai"), f'zones[1].id: found "ai", expected the id {ZONE}', COMMANDS),
    "record set": (
        at(("zones", 0, "records"), [RECORD]),
        "zones[0]: 400 BadRequest: The relative record set name 'not a name' is invalid.",
        COMMANDS,
    ),
    "no zones": (
        world(zones=[], settings={}),
        "zones: found none, expected at least one",
        ("simulator.up", "simulator.demo"),
    ),
    "region in a setting": (
        stated("NEARZONE_POLICIES", {"a": {"regions": ["eastu"]}}),
        f'settings.NEARZONE_POLICIES["a"].regions[0]: {EASTU}',
        ("simulator.up", "simulator.demo"),
    ),
    "region of a VNet": (derived("eastu"), f"vnets[0].location: {EASTU}", ("simulator.up",)),
}
CASES = [(name, command) for name, (_, _, commands) in WRONG.items() for command in commands]


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")
@pytest.mark.parametrize(("name", "command"), CASES)
async def test_a_wrong_world_ends_with_one_line_and_leaves_no_process(name, command, tmp_path):
    content, line, _ = WRONG[name]
    path = tmp_path / "world.json"
    if content is not None:
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    assert await ended(command, path) == (2, "", f"{COMMANDS[command]}{path}: {line}\n", [])


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")
async def test_a_schedule_that_the_host_refuses_is_told_by_its_place_in_the_file(tmp_path):
    path = tmp_path / "world.json"
    path.write_text(json.dumps(stated("NEARZONE_SWEEP_SCHEDULE", "hourly")), encoding="utf-8")
    code, output, errors, left = await ended("simulator.up", path)
    assert (code, output, left) == (1, "", [])
    assert errors.startswith(f"simulator.up: {path}: settings.NEARZONE_SWEEP_SCHEDULE: 'hourly' is not a schedule")
    assert errors.count("\n") == 1


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
async def test_signals_that_come_again_while_it_ends_leave_no_word_and_no_process(end):
    """A shell and `make` may both pass one on: the second one broke off the ending of the children."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "simulator.up", "--world", str(SMALL)),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(120):
            while not (await process.stdout.readline()).startswith(b"Ctrl-C"):
                pass
            ending = asyncio.create_task(process.communicate())
            while len(_session(process.pid)) == 3:  # With both children: it waits for the first one's end.
                os.kill(process.pid, end)
                await asyncio.wait([ending], timeout=0.02)
            _, errors = await ending
    finally:
        for left in _session(process.pid):
            os.kill(left, signal.SIGKILL)
    assert (process.returncode, errors) == (0, b"")


def test_a_world_without_settings_has_those_that_follow_from_what_is_in_it(tmp_path):
    path = tmp_path / "world.json"
    path.write_text(json.dumps(world(settings={})), encoding="utf-8")
    assert load(path)["settings"] == world()["settings"]


TWICE = world()["vms"][0]
REFUSED = [
    # a world that cannot be, the place and what is expected
    (world(vnets=world()["vnets"] * 2), "vnets[2].id: found ", "expected each id once"),
    (
        world(vms=[*world()["vms"], TWICE | {"id": TWICE["id"] + "b"}]),
        "vms[2].nics[0].id: found ",
        "expected each id once",
    ),
    (
        at(("vms", 0, "nics", 0, "ip_configurations"), []),
        "vms[0].nics[0].ip_configurations: found none",
        "expected at least one",
    ),
    (at(("vms", 0, "power"), "on"), 'vms[0].power: found "on", expected one of starting, running, ', "deallocated"),
    (at(("vms", 0, "health"), "sick"), 'vms[0].health: found "sick", expected one of ', "healthy"),
    (
        at(("zones", 0, "records"), [RECORD | {"type": "B"}]),
        "zones[0].records[0].type: found 'B', expected one of A, ",
        "TXT",
    ),
    (
        at(("zones", 0, "records"), [RECORD | {"auto_registered": True, "addresses": []}]),
        "zones[0].records[0].addresses: found none",
        "registered",
    ),
    (world(zones=world()["zones"][1:]), "settings.NEARZONE_ZONES[0].id: found ", "expected the id of one of `zones`"),
    (
        world(zones=[{"id": each["id"]} for each in world()["zones"]], settings={}),
        "zones: found none with a link",
        "at least one",
    ),
    (
        stated("NEARZONE_LATENCY", "{,"),
        "settings.NEARZONE_LATENCY: found '{,', expected JSON or the text of it",
        "line 1 column 2",
    ),
]


@pytest.mark.parametrize(("content", "place", "expected"), REFUSED, ids=[place[:40] for _, place, _ in REFUSED])
def test_a_world_that_cannot_be_is_refused_with_its_place(content, place, expected, tmp_path):
    path = tmp_path / "world.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(WorldError) as refused:
        load(path)
    assert str(refused.value).startswith(place)
    assert expected in str(refused.value)
