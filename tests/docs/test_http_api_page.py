"""docs/http-api.md names every field, parameter and key of the HTTP API, and no other."""

import json
import re
from itertools import combinations
from pathlib import Path
from typing import get_args, get_type_hints

import msgspec
import pytest

import function_app
from shared.domain.errors import BadRequest
from shared.domain.probes import Better
from shared.edge import commands as resync
from shared.edge.report import Report
from shared.edge.status_query import StatusQuery, parse_status_query
from simulator.functions_host.functions import index
from simulator.model_servers.entry import ServerEntry
from tests.support.deployment import REGIONS, a_vm, a_world, run_scenario, strip, vm_id
from tests.support.probed import (
    failing_evidence,
    measured_distances,
    probed_settings,
    store_round,
    verdict_of,
)
from tests.support.values import parsed, zone_id
from tests.support.values import vm_id as plain_vm_id

ROOT = next(each for each in Path(__file__).parents if (each / "pyproject.toml").exists())
TEXT = (ROOT / "docs" / "http-api.md").read_text(encoding="utf-8")
EAST, WEST, ASIA = REGIONS
SETTINGS = parsed(ZONES=[{"id": zone_id(each), "region": each} for each in (EAST, WEST)])
TYPES = frozenset({"microsoft.compute/virtualmachines"})
SWEEP, OVERRIDES = "### Fields of a sweep", "### Overrides and the preflight"


def words(cell):
    return re.findall(r"`(\w+)`", cell)


def rows(heading, table=0):
    """The cells of the rows of a table below a heading; `table` counts from 0."""
    section = re.split(r"\n##+ ", TEXT.split(f"\n{heading}\n")[1])[0]
    tables = [part.strip() for part in section.split("\n\n") if part.strip().startswith("| ")]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in tables[table].splitlines()[2:]]


def keys(heading, table=0):
    """The keys of a table, each with the words that its row says of it."""
    return {key: set(words(cells[-1])) for cells in rows(heading, table) for key in words(cells[0])}


def fields():
    """Each request field with its example; the example of an endpoint is shortened on the page."""
    found = {words(cells[0])[0]: json.loads(cells[1].strip("`")) for cells in (*rows(SWEEP), *rows(OVERRIDES))}
    return found | {"endpoint": plain_vm_id("gpu-1")}


def test_the_page_has_every_function_that_is_called_over_http():
    routes = {each.trigger["route"] for each in index(function_app.app) if "route" in each.trigger}
    assert set(re.findall(r"\| \[`(?:GET|POST) /api/(\w+)`\]", TEXT)) == routes


def test_the_page_has_every_field_of_a_request_and_no_other():
    assert set(fields()) == set(resync._Body.__struct_fields__)


def test_the_page_has_every_field_of_an_override():
    for cells in rows(OVERRIDES):
        (name,) = words(cells[0])
        hints = get_args(get_type_hints(resync._Body)[name])
        structs = [each for each in hints if isinstance(each, type) and issubclass(each, msgspec.Struct)]
        assert set(words(cells[2])) == {field for each in structs for field in each.__struct_fields__}, name


def pairs():
    """Each pair of fields, and whether they may stand in one request, as the page says."""
    beside = {words(cells[0])[0]: words(cells[4]) for cells in rows(OVERRIDES)}
    for one, other in combinations(fields(), 2):
        yield one, other, all(b in beside[a] for a, b in ((one, other), (other, one)) if a in beside)


@pytest.mark.parametrize(("one", "other", "allowed"), list(pairs()))
def test_fields_stand_beside_each_other_as_the_page_says(one, other, allowed):
    body = {name: fields()[name] for name in {one, other} | ({"force"} if "force_beyond" in (one, other) else set())}
    if allowed:
        resync.parse(json.dumps(body).encode(), SETTINGS, TYPES)
        return
    with pytest.raises(BadRequest, match="not together with"):
        resync.parse(json.dumps(body).encode(), SETTINGS, TYPES)


def test_a_second_word_without_its_digest_is_refused_as_the_page_says():
    with pytest.raises(BadRequest, match="force_beyond: only together with force"):
        resync.parse(b'{"force_beyond": true}', SETTINGS, TYPES)


def test_the_page_has_every_parameter_of_the_status_and_its_examples_are_taken():
    examples = {words(cells[0])[0]: cells[1].strip("`") for cells in rows("## Status")}
    assert set(examples) == {name for kind in get_args(StatusQuery) for name in kind.__struct_fields__}
    groups = [("zone", "name"), ("full",), ("list", "after", "limit"), ("since", "until")]
    assert sorted(sum(groups, ())) == sorted(examples)
    for number, group in enumerate(groups):
        given = {name: examples[name] for name in group}
        parse_status_query(given, SETTINGS)
        with pytest.raises(BadRequest):
            parse_status_query(given | {groups[number - 1][0]: examples[groups[number - 1][0]]}, SETTINGS)


def test_the_page_has_every_key_of_the_report():
    assert set(keys("### Report")) == set(Report("resync").as_json())


def inner(value):
    """The keys of all objects in a value."""
    if isinstance(value, dict):
        yield from value
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from inner(each)


def agree(answer, page, *, numbers=()):
    """The page has exactly the keys of an answer, and names those below them but for `numbers`."""
    assert set(answer) == set(page)
    for key in answer.keys() - set(numbers):
        assert set(inner(answer[key])) <= page[key], key


def test_the_page_has_every_key_of_the_status():
    async def story(stage):
        await stage.app.correct_drift()
        strip(stage, WEST, "llama")
        await stage.app.correct_drift()
        await stage.resync(freeze={"zone": EAST, "minutes": 60}, reason="INC-4711")
        await stage.resync(drain={"region": ASIA, "minutes": 60})
        stage.arm("POST", vm_id("e-1") + "/deallocate")
        await stage.deliver_pending_events()
        summary, full = await stage.app.status(), await stage.app.status(full=True)
        assert all(full[key] for key in ("dirty", "blocked", "sweeps", "changes", "drains", "alarms", "names", "known"))
        short, more = keys("### Summary"), keys("### Summary", 1)
        agree(summary, short, numbers=("endpoints", "events"))
        agree(full, short | more, numbers=("endpoints", "events"))
        one = await stage.app.handle_status(parse_status_query({"zone": EAST, "name": "llama"}, stage.app.settings))
        as_in_the_summary = {"dirty": short["dirty"], "frozen": short["zones"], "history": short["changes"]}
        agree(one, keys("### One answer") | as_in_the_summary)
        page = await stage.app.handle_status(parse_status_query({"list": "names"}, stage.app.settings))
        agree(page, keys("### One page"), numbers=("items",))
        (line, *_) = (
            await stage.app.handle_status(parse_status_query({"since": "1970-01-01"}, stage.app.settings))
        ).splitlines()
        assert set(json.loads(line)) <= short["changes"]

    run_scenario(story, a_world(*(a_vm(f"{region[0]}-1", region, 4) for region in REGIONS)))


def test_the_answer_to_a_probe_by_hand_is_the_one_on_the_page():
    shown = re.search(r'    "probed": (\[.*?\n    \])\n', TEXT, re.DOTALL)[1]
    measured = {"rtt_ms": None, "seconds": None}

    async def story(stage):
        await stage.app.correct_drift()
        for name, behaviour in (("e-1", "refuses"), ("w-1", "dead")):
            stage.cloud.servers.set(vm_id(name), ServerEntry(behaviour=behaviour), stage.clock())
        report = (await stage.resync(probe={"name": "llama", "zone": EAST})).as_json()
        assert [each | measured for each in json.loads(shown)] == [each | measured for each in report["probed"]]
        assert set(report["probed"][0]) == keys("### Report")["probed"]
        empty = Report("probe").as_json()
        assert {key: empty[key] for key in empty.keys() - {"probed"}} == {
            key: report[key] for key in empty.keys() - {"probed"}
        }

    machines = (a_vm("e-1", EAST, 4), a_vm("e-2", EAST, 5), a_vm("w-1", WEST, 4))
    probes = {"llama": {"kind": "http", "port": 8000, "path": "/health"}}
    run_scenario(story, a_world(*machines, PROBES=probes, PROBING={"vantage": EAST}))


def test_the_page_has_every_key_that_probing_adds():
    async def story(stage):
        app = stage.app
        await app.correct_drift()
        better = [Better(WEST, ASIA, app.clock() - 60)]
        never = failing_evidence(app, "w-1", "10.2.0.4", WEST, armed=False)
        await store_round(
            app,
            verdicts=[verdict_of(app, "e-1", "10.1.0.4", EAST)],
            evidence=[failing_evidence(app, "e-1", "10.1.0.4", EAST), never],
            distances=measured_distances(app, better=better, pending=frozenset({"llama"}), previous=REGIONS),
        )
        shown, more = await app.status(full=True), keys("### Summary", 2)
        one, page = await app.explain(app.settings.zones[0], "llama"), keys("### One answer", 1)
        assert set(inner(shown["probing"])) <= more["probing"] | page["probes"]
        for name in ("verdicts", "would_change", "never_answered"):
            assert shown["probing"][name]["count"] == 1, name
            assert set(inner(shown["probing"][name])) <= more["probing"], name
        (changed,) = [a["probes"] for each in shown["names"] for a in each["answers"] if a["probes"]]
        assert set(changed) == more["probes"] - {"answers", "names"}
        assert set(inner(one["probing"])) <= page["probing"]
        assert set(inner(one["claims"][0]["probes"])) <= page["probes"]

    run_scenario(story, a_world(*(a_vm(f"{region[0]}-1", region, 4) for region in REGIONS), **probed_settings()))
