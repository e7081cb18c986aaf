"""A wrong world file ends the real commands with one line: the file, the place in it, and what is expected."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import pytest

import simulator.__main__ as simulator
import simulator.demo.__main__ as demo
import simulator.up.__main__ as up
from simulator.demo.app_settings import load, told
from simulator.demo.client import SettingsError
from simulator.world.world import World, WorldError

pytestmark = pytest.mark.timeout(120)

ROOT = Path(__file__).parents[2]
SMALL = ROOT / "simulator" / "worlds" / "two-regions.json"
COMMANDS = {
    "simulator.up": "simulator.up: ",
    "simulator.demo": "simulator.demo: ",
    "simulator": "",
}
MAINS = {"simulator.up": up.main, "simulator.demo": demo.main, "simulator": simulator.main}


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
        '{"settings": {"NEARZONE_A": 1, "NEARZONE_A": 2}}',
        "settings.NEARZONE_A: this key is a duplicate, expected each key of an object once",
        COMMANDS,
    ),
    "id": (at(("zones", 1, "id"), "ai"), f'zones[1].id: found "ai", expected the id {ZONE}', COMMANDS),
    "record set": (
        at(("zones", 0, "records"), [RECORD]),
        "zones[0].records[0]: 400 BadRequest: The relative record set name 'not a name' is invalid.",
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
    "case of a setting": (
        stated("nearzone_mode", "apply"),
        'settings.nearzone_mode: found "apply", expected no setting of this name; did you mean NEARZONE_MODE?',
        ("simulator.demo",),
    ),
    "region of a VNet": (
        derived("eastu"),
        "vnets[0].location: found 'eastu', expected an Azure region; did you mean eastus?",
        COMMANDS,
    ),
}
DEEPEST = ("region in a setting", "simulator.up")
CASES = [(name, command) for name, (_, _, commands) in WRONG.items() for command in commands]


REAL = [(name, command) for name, command in CASES if name == "type" or (name, command) == DEEPEST]
"""One of each command, and one that ends when the simulator and the app run already."""


def written(name, folder):
    """The file of a wrong world, and what is wrong with it."""
    content, line, _ = WRONG[name]
    path = folder / "world.json"
    if content is not None:
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path, line


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")
@pytest.mark.parametrize(("name", "command"), REAL)
async def test_a_wrong_world_ends_with_one_line_and_leaves_no_process(name, command, tmp_path):
    path, line = written(name, tmp_path)
    assert await ended(command, path) == (2, "", f"{COMMANDS[command]}{path}: {line}\n", [])


@pytest.mark.parametrize(("name", "command"), [case for case in CASES if case not in REAL])
def test_each_command_says_in_one_line_what_is_wrong_with_a_world(name, command, tmp_path, capsys):
    path, line = written(name, tmp_path)
    assert MAINS[command](["--world", str(path)]) == 2
    assert capsys.readouterr() == ("", f"{COMMANDS[command]}{path}: {line}\n")


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
        at(("zones", 0, "id"), world()["zones"][0]["id"].replace("aiworkloads", "aiworkload")),
        "zones[0].id: found ",
        "as settings.NEARZONE_ZONES[0].id has it",
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


def broken(*changes):
    """The small world with several values changed at once; a function changes the world itself."""
    found = world(settings={})
    for place, value in changes:
        inner = found
        for step in place[:-1]:
            inner = inner[step]
        if value is GONE:
            del inner[place[-1]]
        else:
            inner[place[-1]] = value
    return found


GONE = object()
FOUND = world()
VNET, OTHER = (each["id"] for each in FOUND["vnets"])
NOWHERE = VNET + "-nope"
NIC = ("vms", 0, "nics", 0)
IP = (*NIC, "ip_configurations", 0)
BALANCER = {"id": VNET.replace("virtualNetworks", "loadBalancers"), "location": "westeurope"}
SMALL_SUBNET = {"name": "small", "prefix": "10.1.5.0/29"}
FAULTS = {
    "a key that is misspelt": (
        [(("vms", 0, "locaton"), "eastus"), (("vms", 0, "location"), GONE)],
        ["vms[0].locaton: there is no such key; did you mean location?", "vms[0].location: missing"],
    ),
    "a key of a VNet that is misspelt": (
        [(("vnets", 0, "Location"), "eastus"), (("vnets", 0, "location"), GONE)],
        ["vnets[0].Location: there is no such key; did you mean location?", "vnets[0].location: missing"],
    ),
    "a kind that is misspelt": ([(("vm",), [])], ["vm: there is no such key; did you mean vms?"]),
    "a key like no other": ([(("zones", 0, "xyz"), 1)], ["zones[0].xyz: there is no such key; expected one of id, "]),
    "a region that is misspelt": (
        [(("vnets", 0, "location"), "eastuss"), (("vms", 0, "location"), "eastuss")],
        [
            "vnets[0].location: found 'eastuss', expected an Azure region; did you mean eastus?",
            "vms[0].location: found 'eastuss', expected an Azure region; did you mean eastus?",
        ],
    ),
    "a region like no other": (
        [(("vms", 0, "location"), "mars")],
        ["vms[0].location: found 'mars', expected an Azure region"],
    ),
    "a VM in another region than its VNet": (
        [(("vms", 0, "location"), "westeurope")],
        [f"vms[0].location: found 'westeurope', expected 'eastus', the location of its VNet {VNET}"],
    ),
    "a load balancer in another region than its VNet": (
        [
            (
                ("load_balancers",),
                [BALANCER | {"frontends": [{"name": "f", "vnet": VNET, "address": "10.1.9.9"}]}],
            )
        ],
        [f"load_balancers[0].location: found 'westeurope', expected 'eastus', the location of its VNet {VNET}"],
    ),
    "references to nothing": (
        [
            (("zones", 0, "links", 0, "vnet"), NOWHERE),
            ((*NIC, "vnet"), NOWHERE),
            (("vnets", 1, "peerings"), [NOWHERE]),
            (("vms", 1, "scale_set"), VNET.replace("Network/virtualNetworks", "Compute/virtualMachineScaleSets")),
        ],
        [
            "vms[1].scale_set: '/subscriptions/",
            f"vnets[1].peerings[0]: {NOWHERE!r} is not among the vnets",
            f"zones[0].links[0].vnet: {NOWHERE!r} is not among the vnets",
            f"vms[0].nics[0].vnet: {NOWHERE!r} is not among the vnets",
        ],
    ),
    "ids that come twice": (
        [(("vms", 1, "id"), FOUND["vms"][0]["id"]), (("zones", 1, "id"), FOUND["zones"][0]["id"].upper())],
        ["zones[1].id: found ", "zones[1].id: found ", "vms[1].id: found "],
    ),
    "names that come twice": (
        [
            (("zones", 0, "links"), FOUND["zones"][0]["links"] * 2),
            (("zones", 0, "records"), [RECORD | {"name": "a"}, RECORD | {"name": "A", "type": "a"}]),
            (("vnets", 0, "subnets"), [SMALL_SUBNET, SMALL_SUBNET | {"prefix": "10.1.6.0/29"}]),
        ],
        [
            "vnets[0].subnets[1].name: found 'small' twice, expected no duplicates; it is also at vnets[0].subnets[0]",
            "zones[0].links[1].name: found ",
            "zones[0].links[1].vnet: found ",
            "zones[0].records[1].name: found 'a a' twice, expected each name and type once",
        ],
    ),
    "addresses": (
        [
            (("vnets", 0, "subnets"), [SMALL_SUBNET, {"name": "more", "prefix": "10.1.5.4/30"}]),
            (("vnets", 1, "subnets"), [{"name": "out", "prefix": "10.99.0.0/24"}]),
            ((*NIC, "subnet"), "small"),
            (("vms", 1, "nics", 0, "ip_configurations", 0, "address"), "10.2.0.400"),
        ],
        [
            "vnets[0].subnets[1].prefix: 10.1.5.4/30 overlaps 10.1.5.0/29 at vnets[0].subnets[0].prefix",
            "vnets[1].subnets[0].prefix: 10.99.0.0/24 is not in the prefixes of its VNet",
            "vms[0].nics[0].ip_configurations[0].address: 10.1.0.4 is not in 10.1.5.0/29, the prefix of its ",
            "vms[1].nics[0].ip_configurations[0].address: '10.2.0.400' does not appear to be an IPv4 or IPv6 address",
        ],
    ),
    "an address that is taken": (
        [(("vms", 1, "nics"), [FOUND["vms"][0]["nics"][0] | {"id": FOUND["vms"][1]["nics"][0]["id"]}])],
        [
            "vms[1].location: found 'westeurope', expected 'eastus'",
            "vms[1].nics[0].ip_configurations[0].address: 10.1.0.4 is used twice in this VNet; it is also at vms[0].",
        ],
    ),
    "record sets that Azure refuses, beside another fault": (
        [
            (("zones", 0, "records"), [RECORD | {"name": "a"}, RECORD]),
            (
                ("zones", 1, "records"),
                [
                    {"name": "b", "type": "A", "ttl": 5, "addresses": [f"10.1.1.{n}" for n in range(21)]},
                    {"name": "c", "type": "A", "ttl": 5, "addresses": ["10.1.1.256"]},
                    {"name": "d", "type": "TXT", "ttl": -1, "records": []},
                    {"name": "d", "type": "CNAME", "ttl": 5, "records": {"cname": "x"}},
                ],
            ),
            ((*IP, "address"), "10.99.0.4"),
        ],
        [
            "zones[0].records[1]: 400 BadRequest: The relative record set name 'not a name' is invalid.",
            "zones[1].records[0]: 409 Conflict: Record set 'b' has more than 20 records.",
            "zones[1].records[1]: 400 BadRequest: The record set 'c' holds an invalid IPv4 address",
            "zones[1].records[2]: 400 BadRequest: The TTL of record set 'd'",
            "zones[1].records[3]: a CNAME and another record set of the name 'd'",
            "vms[0].nics[0].ip_configurations[0].address: 10.99.0.4 is not in the prefixes of its VNet",
        ],
    ),
    "control characters in names": (
        [(("vms", 0, "id"), FOUND["vms"][0]["id"] + "\0"), (("zones", 0, "links", 0, "name"), "a\nb")],
        ["vms[0].id: found ", "zones[0].links[0].name: found 'a\\nb', expected text without control characters"],
    ),
    "zones with names that are none in DNS": (
        [
            (("zones", 0, "id"), FOUND["zones"][0]["id"].replace("aiworkloads.local", "ai_..x")),
            (("zones", 1, "id"), FOUND["zones"][1]["id"].replace("aiworkloads.local", "local")),
        ],
        [
            "zones[0].id: the zone's name is 'ai_..x', expected a DNS name of 2 to 34 labels",
            "zones[1].id: the zone's name is 'local', expected a DNS name of 2 to 34 labels",
        ],
    ),
    "a zone without a subscription": (
        [(("zones", 0, "id"), FOUND["zones"][0]["id"].replace("5e7a1c00", "mine"))],
        ["zones[0].id: found "],
    ),
    "addresses that Azure keeps": (
        [
            ((*IP, "address"), "10.1.0.3"),
            (("vnets", 1, "subnets"), [{"name": "default", "prefix": "10.2.5.0/29"}]),
            (("vms", 1, "nics", 0, "ip_configurations", 0, "address"), "10.2.5.7"),
        ],
        [
            "vms[0].nics[0].ip_configurations[0].address: 10.1.0.3 is one of the first four or the last of its subnet",
            "vms[1].nics[0].ip_configurations[0].address: 10.2.5.7 is one of the first four or the last of its subnet",
        ],
    ),
    "one VNet linked to two zones of a name": (
        [(("zones", 1, "links", 0, "vnet"), VNET.replace("vnet-", "VNET-"))],
        ["zones[1].links[0].vnet: found "],
    ),
    "a VM without NICs": ([(("vms", 0, "nics"), [])], ["vms[0].nics: found none, expected at least one"]),
    "wrong types beside other faults": (
        [
            (("vms", 0, "power"), "on"),
            (("vms", 1, "nics"), "none"),
            (("zones", 0, "id"), "ai"),
            (("zones", 0, "records"), [{"name": 5, "type": "A", "ttl": "soon"}]),
            (("vnets", 0, "prefixes"), ["10.1.0.1/16"]),
            (("vnets", 1, "location"), "westeurop"),
        ],
        [
            "vnets[1].location: found 'westeurop', expected an Azure region; did you mean westeurope?",
            "vnets[0].prefixes[0]: 10.1.0.1/16 has host bits set; an address range such as 10.1.0.0/16 is expected",
            f'zones[0].id: found "ai", expected the id {ZONE}',
            "zones[0].records[0].name: expected `str`, got `int`",
            "zones[0].records[0].ttl: expected `int`, got `str`",
            'vms[0].power: found "on", expected one of starting, running, ',
            "vms[1].nics: expected `array`, got `str`",
        ],
    ),
}


@pytest.mark.parametrize("kind", FAULTS)
def test_all_faults_of_a_world_are_told_at_once_each_with_its_place_and_no_setting_is_blamed(kind, tmp_path):
    changes, expected = FAULTS[kind]
    path = tmp_path / "world.json"
    path.write_text(json.dumps(broken(*changes)), encoding="utf-8")
    with pytest.raises(WorldError) as refused:
        load(path)
    left, missing = list(refused.value.faults), []
    for each in expected:
        found = next((fault for fault in left if fault.startswith(each)), None)
        missing += [] if found else [each]
        left = [fault for fault in left if fault is not found]
    assert (missing, left) == ([], [])
    assert "NEARZONE" not in str(refused.value)


def test_keys_that_come_twice_are_told_with_all_other_faults(tmp_path):
    path = tmp_path / "world.json"
    path.write_text('{"vms": [], "vms": [], "zones": [{"id": "a", "id": "b"}], "x": 1}', encoding="utf-8")
    with pytest.raises(WorldError) as refused:
        load(path)
    assert refused.value.faults == (
        "vms: this key is a duplicate, expected each key of an object once",
        "zones[0].id: this key is a duplicate, expected each key of an object once",
        f"x: there is no such key; expected one of {', '.join(World.__struct_fields__)}",
        f'zones[0].id: found "b", expected the id {ZONE}',
    )


def test_settings_that_never_reach_the_app_are_told_at_once(tmp_path):
    path = tmp_path / "world.json"
    path.write_text(json.dumps(world(settings={"FOO": 1, "NEARZONE_CLOUD": "china", "NEARZONE_OWNER": "a\0b"})))
    with pytest.raises(WorldError) as refused:
        load(path)
    assert refused.value.faults == (
        "settings.FOO: there is no such setting; expected names that begin with NEARZONE_",
        "settings.NEARZONE_CLOUD: the simulator sets it to its own address; leave it out",
        "settings.NEARZONE_OWNER: found a NUL character, expected text without one",
    )


def test_a_region_that_a_world_gives_a_distance_to_may_be_named_in_it(tmp_path):
    found = world(settings={"NEARZONE_LATENCY": {"Mars North": {"marsnorth": 0, "westeurope": 900}}})
    found["vnets"][0]["location"] = found["vms"][0]["location"] = "marsnorth"
    path = tmp_path / "world.json"
    path.write_text(json.dumps(found), encoding="utf-8")
    assert load(path)["settings"]["NEARZONE_ZONES"][0]["region"] == "marsnorth"


def test_faults_of_several_zones_and_settings_are_told_at_once(tmp_path):
    path = tmp_path / "world.json"
    found = world(settings={"NEARZONE_LATENCY": "{,", "NEARZONE_POLICIES": "[", "NEARZONE_ZONES": [{"id": "a"}]})
    path.write_text(json.dumps(found), encoding="utf-8")
    with pytest.raises(WorldError) as refused:
        load(path)
    assert [fault.partition(":")[0] for fault in refused.value.faults] == [
        "settings.NEARZONE_LATENCY",
        "settings.NEARZONE_POLICIES",
        "settings.NEARZONE_ZONES[0].id",
    ]
    bad = [RECORD]
    path.write_text(json.dumps(world(zones=[each | {"records": bad} for each in world()["zones"]])), encoding="utf-8")
    with pytest.raises(WorldError) as refused:
        load(path)
    assert [fault.partition(":")[0] for fault in refused.value.faults] == [
        "zones[0].records[0]",
        "zones[1].records[0]",
    ]


def test_a_hundred_faults_are_told_and_how_many_more_there_are(tmp_path):
    vms = [world()["vms"][0] | {"x": 1, "id": f"{TWICE['id']}{number}", "nics": []} for number in range(120)]
    path = tmp_path / "world.json"
    path.write_text(json.dumps(world(vms=vms)), encoding="utf-8")
    with pytest.raises(WorldError) as refused:
        load(path)
    lines = refused.value.told(path)
    assert (len(lines), lines[-1]) == (101, f"{path}: and 140 more")


def test_what_the_app_finds_wrong_with_a_setting_that_was_derived_is_told_by_its_place_in_the_file(tmp_path):
    path = tmp_path / "world.json"
    path.write_text(json.dumps(world(settings={})), encoding="utf-8")
    faults = ["NEARZONE_ZONES[1]: found the same zone twice, expected no duplicates", "NEARZONE_ZONES: missing"]
    assert told(path, SettingsError(faults)) == [
        f"{path}: zones[1].id: found the same zone twice, expected no duplicates",
        f"{path}: zones[0].id: missing",
    ]
