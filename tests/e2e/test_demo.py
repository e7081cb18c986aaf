"""The demo as a user runs it: a process with an exit code, a last line, and nothing left behind."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import dns.asyncquery
import dns.message
import pytest

from tests.support import large_world

pytestmark = pytest.mark.timeout(180)

ROOT = Path(__file__).parents[2]
WORLDS = ROOT / "simulator" / "worlds"
DEMO = ["-m", "simulator.demo", "--operations", "0.02", "--latency", "0.1"]
MISTAKEN = """
import sys
from simulator.demo.__main__ import main
from simulator.oracle.answers import expected

def mistaken(world, drains, before, probed):
    answers = expected(world, drains, before, probed)
    pair = max(pair for pair, answer in answers.items() if answer)
    return answers | {pair: (answers[pair][0], frozenset({"10.99.99.99"}))}

sys.exit(main(["--world", sys.argv[1]], oracle=mistaken, limit=1.0))
"""


async def begin(*arguments):
    return await asyncio.create_subprocess_exec(
        *(sys.executable, *arguments), cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )


async def play(*arguments):
    process = await begin(*arguments)
    output, errors = await asyncio.wait_for(process.communicate(), 180)
    return process.returncode, output.decode(), errors.decode()


def with_faster_probes(world, folder):
    """A file with this world, whose probes begin every second and hold nothing back for long."""
    content = json.loads((WORLDS / f"{world}.json").read_text())
    if "NEARZONE_PROBING" in content["settings"]:
        content["settings"]["NEARZONE_PROBE_SCHEDULE"] = "* * * * * *"
        content["settings"]["NEARZONE_PROBING"] |= {"hold": [1, 60], "slow_start": 1, "dwell": [2, 60]}
    (folder / f"{world}.json").write_text(json.dumps(content))
    return str(folder / f"{world}.json")


@pytest.mark.parametrize(("world", "steps", "skipped"), [("demo", 18, 0), ("two-regions", 10, 8)])
async def test_every_answer_of_a_world_is_right_after_every_step(world, steps, skipped, tmp_path):
    code, output, errors = await play(*DEMO, "--world", with_faster_probes(world, tmp_path))
    assert (code, errors) == (0, ""), output
    last = json.loads(output.splitlines()[-1])
    assert (last["converged"], last["steps"], output.count("skipped:")) == (True, steps, skipped)
    assert last["checks"] >= 40
    assert last["events"] >= 6
    assert 0 < last["delivery_to_dns_ms"]["p50"] <= last["delivery_to_dns_ms"]["max"]
    assert "\x1b" not in output


async def test_up_prints_commands_that_show_its_answers_in_both_regions_for_300_seconds():
    process = await begin("-m", "simulator.up", "--world", str(WORLDS / "two-regions.json"))
    try:
        lines = await asyncio.wait_for(_lines(process), 60)
        digs = [line for line in lines if line.startswith("dig ")]
        answers = {await _dig(*command.split()[1:4:2], name) for command in digs for name in ("server1", "server2")}
        (ask,) = [line for line in lines if " -m simulator.dns_server.ask " in line]
        found = [
            await _ran(ask),
            *[await _ran(line) for line in lines if line.startswith("curl ") and "status" in line],
        ]
        breaking = [await _ran(line) for line in lines if line.rstrip().endswith(("/server", "/path"))]
        stop = next(line for line in lines if "/deallocate?" in line)
        found.append(await _ran(stop))
        await _ran(ask.rpartition(":")[0].rpartition(" ")[0] + " 127.0.0.1:9 server1.aiworkloads.local", code=1)
    finally:
        process.terminate()
        await process.communicate()
    assert {(fqdn, ttl, address) for fqdn, ttl, address, _ in answers} == {
        ("server1.aiworkloads.local.", 300, "10.1.0.4"),
        ("server2.aiworkloads.local.", 300, "10.2.0.4"),
    }
    assert len({where for *_, where in answers}) == 2
    assert found[0].endswith(" 300 IN A 10.1.0.4\n")
    assert all(answer.startswith("{\n") for answer in found[1:-1]), "one value a line"
    assert found[-1].endswith("HTTP 202\n")
    assert breaking == ["{}HTTP 200\n"] * 4
    assert process.returncode == 0


async def _ran(command, code=0):
    ran = await asyncio.create_subprocess_shell(
        command, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    output, errors = await asyncio.wait_for(ran.communicate(), 30)
    assert ran.returncode == code, errors.decode()
    return output.decode()


async def test_up_is_of_use_while_the_budgets_of_a_large_world_hold_its_names_back(tmp_path):
    """80 VMs: more names in each zone than it takes in a minute."""
    (tmp_path / "world.json").write_text(large_world.text(80))
    process = await begin("-m", "simulator.up", "--world", str(tmp_path / "world.json"))
    try:
        lines = await asyncio.wait_for(_lines(process), 100)
        more = (await asyncio.wait_for(process.stdout.readline(), 20)).decode()
    finally:
        process.terminate()
        await process.communicate()
    assert any(line.startswith("nearzone is up: 80 VMs. It knows all of them") for line in lines), lines
    assert any(line.startswith("... ") for line in lines), "it says how far it is before that"
    assert more.startswith("... the zones are being filled: ")
    assert "57 creates a minute: at most " in more


async def _lines(process):
    lines = []
    while not lines or not lines[-1].startswith("Ctrl-C"):
        lines.append((await process.stdout.readline()).decode())
        assert lines[-1], (await process.stderr.read()).decode()
    return lines


async def _dig(where, port, name):
    query = dns.message.make_query(f"{name}.aiworkloads.local", "A")
    reply = await dns.asyncquery.udp(query, where.lstrip("@"), port=int(port), timeout=5)
    return str(reply.answer[0].name), reply.answer[0].ttl, str(reply.answer[0][0]), where


async def test_a_wrong_answer_is_shown_with_what_was_expected_and_ends_with_exit_code_1():
    code, output, _ = await play("-c", MISTAKEN, str(WORLDS / "two-regions.json"))
    assert code == 1, output
    assert json.loads(output.splitlines()[-1])["converged"] is False
    assert "expected  10.99.99.99" in output
    assert "got       10.2.0.4" in output


async def test_a_world_that_cannot_be_is_refused_with_the_field_and_exit_code_2(tmp_path):
    (tmp_path / "world.json").write_text('{"vms": [{"id": 1}]}')
    code, output, errors = await play(*DEMO, "--world", str(tmp_path / "world.json"))
    assert (code, output) == (2, "")
    assert "vms[0].id: expected `str`" in errors


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for children in /proc")
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
async def test_no_process_is_left_behind_when_it_is_interrupted(end):
    process = await begin(*DEMO)
    async with asyncio.timeout(60):
        while b"The first sweep" not in await process.stdout.readline():
            pass
    children = _children(process.pid)
    process.send_signal(end)
    await asyncio.wait_for(process.communicate(), 30)
    assert (process.returncode, len(children)) == (130, 2)
    assert not [pid for pid in children if _alive(pid)]


def _children(parent):
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text()
        except OSError:
            continue
        if int(stat.rpartition(")")[2].split()[1]) == parent:
            found.append(int(folder.name))
    return found


def _alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
