"""The figures of docs/costs.md: arithmetic that is right, quantities that are the app's, times as measured."""

import asyncio
import json
import math
import re
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest
from cronsim import CronSim

from shared.config.settings import DRAIN_SCHEDULE, PROBE_SCHEDULE, SWEEP_SCHEDULE, Probing
from shared.probing.rounds import PACE
from tests.support.catalogs import CatalogFixture
from tests.support.deployment import a_vm, a_world, run_scenario, vm_id
from tests.support.ingestion import connected_app
from tests.support.runbook_reader import DOCS, STATUS

ROOT = Path(__file__).parents[2]
TEXT = (DOCS / "costs.md").read_text(encoding="utf-8")
COSTS = TEXT.split("\n## What it costs\n")[1].split("\n## ")[0]
TIMES = TEXT.split("\n## How long it takes\n")[1].split("\n## ")[0]
NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
ANY_DAY = datetime(2026, 1, 1, tzinfo=UTC)
TIMES_SIGN, PLUS_MINUS = "\N{MULTIPLICATION SIGN}", "+\N{MINUS SIGN}"


def by(text):
    """With the sign of multiplication that the document has."""
    return text.replace(" x ", f" {TIMES_SIGN} ")


def rows(text):
    return [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("| ")
    ]


SUMS = [row for row in rows(COSTS) if len(row) == 3 and any(sign in row[1] for sign in TIMES_SIGN + "+")]


def number(text):
    return float(NUMBER.search(text)[0].replace(",", ""))


def worked(text):
    """A sum of products as the document writes them."""
    total, sign = 0.0, 1
    for part in re.split(f" ([{PLUS_MINUS}]) ", text):
        if part in PLUS_MINUS:
            sign = 1 if part == "+" else -1
            continue
        over = part.split(" / ")
        total += (
            sign
            * math.prod(number(each) for each in over[0].split(f" {TIMES_SIGN} "))
            / math.prod(map(number, over[1:]))
        )
    return total


@pytest.mark.parametrize(("what", "arithmetic", "makes"), SUMS)
def test_a_line_of_the_costs_adds_up(what, arithmetic, makes):
    decimals = len(NUMBER.search(makes)[0].partition(".")[2])
    assert round(worked(arithmetic), decimals) == number(makes), what


def test_there_are_such_lines_and_their_units_are_prices_that_the_table_gives():
    assert len(SUMS) >= 15
    given = set(
        re.findall(r"[€$][\d.]+", "".join(row[0] for row in rows(COSTS) if row[2] != "source" and len(row) == 3))
    )
    used = {price for row in SUMS for price in re.findall(r"[€$]0\.\d+", row[1])}
    assert used <= given


def runs(schedule):
    """How often a timer fires in 30 days."""
    first, second = (each.timestamp() for each in next(pairwise(CronSim(schedule, ANY_DAY))))
    return round(30 * 86_400 / (second - first))


def test_timers_fire_as_often_as_the_costs_say_and_instances_are_as_large():
    assert by(f"{runs(DRAIN_SCHEDULE):,} x 1 s x 2 GB") in COSTS
    assert by(f"{runs(SWEEP_SCHEDULE):,} x 2 s x 2 GB") in COSTS
    assert "MEMORY_MB = 2048\n" in (ROOT / "infra" / "app.py").read_text(encoding="utf-8")


def test_rounds_of_probes_are_as_many_and_take_as_long_as_the_costs_say():
    """A round is as long as its spread and its slowest probe; an address that hangs costs a timeout in each."""
    defaults, rounds = Probing(), runs(PROBE_SCHEDULE)
    few, many = (min(PACE.spread, PACE.each * count) for count in (20, 60))
    assert (few, many) == (1.0, PACE.spread)
    for spread in (few, many):
        (row,) = (row for row in rows(COSTS) if f"spread over {spread:g} s" in row[0])
        assert row[1] == by(f"{rounds:,} x {spread + 0.1:g} s x 2 GB")
    for setting, seconds in (("connect_timeout", defaults.connect_timeout), ("timeout", defaults.timeout)):
        (row,) = (row for row in rows(COSTS) if f"(`{setting}`, {seconds:g} s)" in row[0])
        assert row[1] == by(f"{rounds:,} x {few + seconds:g} s x 2 GB")
    assert by(f"{runs('*/30 * * * * *'):,} x {few + 0.1:g} s x 2 GB") in COSTS
    assert by(f"| {rounds:,} x 1 kB / 1,000,000 |") in COSTS
    assert by(f"20 x {rounds:,} x ") in COSTS


def test_the_total_of_probes_has_the_amounts_of_their_table():
    probes = COSTS.split("\n**Probes**")[1]
    (functions,) = (row[2] for row in rows(probes) if row[0] == "**functions, together**")
    telemetry = next(row[2] for row in rows(probes) if row[0] == "price of that without a free grant")
    assert f"20 addresses that are healthy: {functions} for functions and {telemetry} for telemetry" in probes


def test_the_table_is_asked_as_often_as_the_costs_say_and_a_sweep_takes_as_long():
    async def story(stage):
        bench = CatalogFixture(asyncio.get_running_loop())
        stage.restart(bench.catalog)
        await stage.app.correct_drift()
        await stage.app.drain()
        drain = await bench.cost(stage.app.drain())
        begun = stage.clock()
        sweep = await bench.cost(stage.app.correct_drift())
        assert stage.clock() - begun <= 2
        assert by(f"{runs(DRAIN_SCHEDULE):,} x {drain} + {runs(SWEEP_SCHEDULE):,} x {sweep} |") in COSTS
        most = 0
        for happens in ("deallocate", "start", "restart"):
            stage.arm("POST", f"{vm_id('gpu-0')}/{happens}")
            most = max(most, await bench.cost(stage.deliver_pending_events()))
        assert most <= number(re.search(by(r"at most \| 1,000 x (\d+)"), COSTS)[1])

    run_scenario(story, a_world(*(a_vm(f"gpu-{i}", "eastus", 4 + i) for i in range(100)), regions=("eastus",)))


def size(items):
    """Bytes of what has arrived, without what only this machine is called."""
    for item in items:
        item["tags"]["ai.device.id"] = "instance"
    return sum(len(json.dumps(item)) for item in items)


def test_an_idle_app_sends_as_much_telemetry_as_the_costs_say():
    """Its drains send their figures with each export, once a minute; each sweep its own and its span."""
    with connected_app() as app:
        app.calls("correct_drift")
        sent = [app.calls("drain", "drain") for _ in range(5)]
        exports = [size(items) for items in sent]
        sweeps = [size(app.calls("correct_drift")) for _ in range(3)]
    for times, measured in ((43_200, exports), (runs(SWEEP_SCHEDULE), sweeps)):
        told = number(re.search(by(rf"\| {times:,} x ([\d.]+) kB / 1,000,000"), COSTS)[1])
        assert max(measured) / 1000 == pytest.approx(told, abs=0.15), "a duration has some digits more or less"
    one = max(size([item]) for item in sent[-1] if item["name"].endswith(".Metric")) / 1000
    told = number(re.search(by(r"43,200 x 14 x ([\d.]+) kB"), COSTS)[1])
    assert one == pytest.approx(told, abs=0.02), "of one metric, as for probes"
    assert by(f"{runs(DRAIN_SCHEDULE) + runs(SWEEP_SCHEDULE):,} x 1 kB / 1,000,000") in COSTS


MEASURED = {
    "a start": [("event", "start_s"), ("event", "start_p99_s")],
    "a stop": [("event", "stop_s"), ("event", "stop_p99_s")],
    "in a new process": [("cold", "first_event_s"), ("cold", "telemetry_s")],
    "a thousand VMs start": [("storm", "first_answer_s")],
    "all VMs of a region stop": [("stop", "region_dead_address_s")],
}


@pytest.mark.parametrize("what", MEASURED)
def test_what_is_called_ours_is_what_was_measured_last(what):
    results = json.loads((ROOT / "benchmarks" / "results.json").read_text(encoding="utf-8"))
    (row,) = (row for row in rows(TIMES) if row[0].startswith("ours") and what in row[0])
    told = [float(each) for each in re.findall(r"([\d.]+) s\b", row[1])]
    assert told == [round(results[scenario][figure]["value"], 1) for scenario, figure in MEASURED[what]]


def test_every_metric_that_a_query_reads_is_in_the_table_of_what_to_look_at():
    queries = list((ROOT / "infra" / "queries").glob("*.kql"))
    table = STATUS.read_text(encoding="utf-8")
    assert queries
    for query in queries:
        assert f"(../infra/queries/{query.name})" in table
        for metric in re.findall(r'"(nearzone\.[\w.]+)"', query.read_text(encoding="utf-8")):
            assert f"`{metric}`" in table
