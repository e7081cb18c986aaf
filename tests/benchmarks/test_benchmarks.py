"""The benchmarks measure what they say: tiny worlds, figures that are known beforehand, results that hide nothing."""

import asyncio
import json
from pathlib import Path

import pytest
from azure.core.rest import HttpRequest

from benchmarks import cold, converged, drift, growth, inventory, plot, probe_round, results, sweep, table_rows, worlds
from benchmarks.harness import Figure, Scenario, judge
from benchmarks.stage import Sent, Stage
from shared.domain.endpoints import State
from simulator.front_ends.transport import understand
from simulator.oracle.answers import expected, held
from simulator.timing.virtual_time import START, in_virtual_time

pytestmark = pytest.mark.timeout(120)

SCENARIO = Scenario(
    "A try.", {"ratio": Figure("x", "ours over theirs", "<= 2.0"), "size": Figure("", "things")}, lambda *_: {}
)


def quiet(_):
    """Progress that nobody wants to see."""


def page(url, began, ended):
    return Sent("GET", f"https://management.azure.com{url}", began, ended, 200)


def test_equal_arguments_give_equal_worlds():
    assert worlds.world(worlds.fleet(20, 9)) == worlds.world(worlds.fleet(20, 9))


def test_a_settled_world_holds_what_the_oracle_says_in_every_zone():
    world = worlds.world(worlds.fleet(30, 20, names_each=2))
    assert len(held(world)) == 3 * (30 + 20)
    assert held(world) == expected(world)


def test_virtual_time_passes_only_while_something_waits():
    async def story():
        await asyncio.sleep(1000)
        return asyncio.get_running_loop().time()

    assert in_virtual_time(story) == START + 1000


def test_a_catalog_call_takes_its_time_and_a_long_list_takes_it_for_every_thousand_rows():
    async def story():
        stage = Stage(worlds.world(worlds.fleet(1, 1, names_each=1)), catalog_seconds=0.01)
        begun = stage.clock()
        await stage.catalog.state()
        after_one = stage.clock()
        for number in range(1001):
            await stage.catalog.index(f"n{number}", "key", 0.0)
        before_list = stage.clock()
        await stage.catalog.indexed()
        return after_one - begun, stage.clock() - before_list

    one, many = in_virtual_time(story)
    assert one == pytest.approx(0.01, abs=1e-4)
    assert many == pytest.approx(0.02, abs=1e-4)


def test_a_sweep_of_a_settled_world_needs_no_write_and_is_compared_with_fresh_processes(tmp_path):
    table = tmp_path / "table"
    table.mkdir()

    async def story():
        swept = await converged.keep_sweep(tmp_path, converged.a_stage(6, 9))
        await table_rows.keep(table, swept.app)
        return swept

    swept = in_virtual_time(story)
    zone = worlds.zone_id(converged.CLIENTS)
    assert swept.writes == 0
    assert 1.0 <= swept.seconds / sweep.floor(swept.sent, zone) < 1.3
    figures = sweep.worker.measure(tmp_path, "cpu", "1")
    assert all(figures[name] > 0 for name in ("sweep", "fetch", "discard", "msgspec"))
    memory = sweep.worker.measure(tmp_path, "memory")
    assert 0 < memory["before"] <= memory["peak"]
    rows = sweep.worker.measure(table, "table", "1")
    assert all(rows[name] > 0 and swept.asked[name] > 0 for name in ("endpoints", "indexed"))


def test_what_a_sweep_has_written_counts_as_a_write_and_the_world_is_kept_as_it_is_afterwards(tmp_path):
    async def story():
        stage = converged.a_stage(6, 9, latency=0)
        stage.arm("DELETE", f"{worlds.zone_id(converged.CLIENTS)}/A/svc-00003")
        return await converged.keep_sweep(tmp_path, stage)

    assert in_virtual_time(story).writes == 1
    assert sweep.worker.measure(tmp_path, "cpu", "1")["sweep"] > 0


def test_a_world_that_is_not_settled_is_no_measurement(tmp_path):
    async def story():
        await converged.keep_sweep(tmp_path, converged.a_stage(6, 9))

    in_virtual_time(story)
    kept = json.loads((tmp_path / "index.json").read_text())
    (file,) = (file for url, *_, file in kept.values() if "/privateDnsZones/" in url)
    page = json.loads((tmp_path / file).read_text())
    page["value"][0]["properties"]["metadata"]["nearzone-owner"] = "somebody"
    (tmp_path / file).write_text(json.dumps(page))
    with pytest.raises(RuntimeError, match="not settled"):
        sweep.worker.measure(tmp_path, "cpu", "1")


def test_the_floor_lets_a_hundred_pages_of_a_zone_go_in_a_minute_and_the_inventory_afterwards():
    zone = worlds.zone_id("eastus")
    pages = [page(f"{zone}/A?$skipToken={n}", 0.0, 0.2) for n in range(201)]
    vms = f"/subscriptions/{worlds.SUBSCRIPTION}/providers/Microsoft.Compute/virtualMachines"
    lists = [page(f"{vms}?x=1", 0.0, 3.0), page(f"{vms}?statusOnly=true", 0.0, 1.0), page(f"{vms}?x=2", 0.0, 2.0)]
    assert sweep.floor([*pages[:100], *lists], zone) == pytest.approx(20.0 + 5.0)
    assert sweep.floor([*pages, *lists], zone) == pytest.approx(120.2 + 5.0)


def test_a_page_that_is_read_twice_or_refused_does_not_raise_the_floor():
    zone = worlds.zone_id("eastus")
    vms = f"/subscriptions/{worlds.SUBSCRIPTION}/providers/Microsoft.Compute/virtualMachines"
    pages = [*(page(f"{zone}/A?$skipToken={n}", 0.0, 0.2) for n in range(201)), page(f"{vms}?x=1", 0.0, 3.0)]
    refused = [Sent("GET", each.url, 0.0, 9.0, 429) for each in pages]
    for sent in (pages + pages, refused + pages, pages + refused):
        assert sweep.floor(sent, zone) == sweep.floor(pages, zone)


def test_sweep_gives_exactly_the_figures_that_it_declares():
    if not sweep.OCTODNS.exists():
        pytest.skip("octoDNS has an environment of its own, made by `make bench`")
    found = sweep.measure(20, 30, 1, sweep.OCTODNS, quiet)
    assert found.keys() == sweep.FIGURES.keys()
    assert (found["record_sets"], found["writes"]) == (51, 0)


def test_drift_is_mended_by_the_sweep_and_the_drains_behind_it():
    found = drift.measure(60, 140, quiet)
    assert found.keys() == drift.FIGURES.keys()
    assert found["drifted"] == 2
    assert found["calls_per_drift"] >= 1


def test_growth_gives_exactly_the_figures_that_it_declares():
    sizes = {name: (4 * n, 6 * n) for n, name in enumerate(growth.SIZES, 1)}
    found = growth.measure(sizes, 1, 8, quiet)
    assert found.keys() == growth.FIGURES.keys()
    assert found["events_per_second"] > 0


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_the_exponent_of_a_power_law_is_its_power(power):
    assert growth.slope([(x, 3 * x**power) for x in (10, 70, 900)]) == pytest.approx(power)


def test_cold_gives_exactly_the_figures_that_it_declares():
    found = cold.measure(1, quiet)
    assert found.keys() == cold.FIGURES.keys()
    assert found["rest_mb"] > 10


def test_the_process_of_a_cold_start_reads_and_writes_arm_and_the_table_with_what_is_deployed():
    async def story():
        async with cold.deployed() as (cloud, account, environment):
            before = held(cloud.world()).keys()
            _, told = await cold.first_event(cloud, environment)
            (row,) = await account.open().endpoints()
            return before, held(cloud.world()).keys(), row.value.endpoint, told["sdks"]

    before, after, endpoint, sdks = asyncio.run(story())
    assert (len(before), len(after)) == (2, 0)
    assert endpoint.state is State.STOPPED
    assert set(sdks) == set(cold.SDKS)


@pytest.mark.parametrize(
    ("goal", "value", "holds"),
    [
        ("<= 2.0", 2.0, True),
        ("<= 2.0", 2.01, False),
        (">= 5", 5, True),
        (">= 5", 4.9, False),
        ("< 250", 250, False),
        ("= 0", 0, True),
        ("= 0", 1, False),
        (None, 1e9, True),
    ],
)
def test_a_goal_is_held_or_missed(goal, value, holds):
    assert Figure("", "", goal).holds(value) is holds


def test_a_missed_goal_is_written_as_missed():
    found = judge(SCENARIO, {"ratio": 2.5, "size": 3})
    assert found == {
        "ratio": {"value": 2.5, "goal": "<= 2.0", "unit": "x", "holds": False},
        "size": {"value": 3, "goal": None, "unit": "", "holds": True},
    }


def test_a_round_of_probes_finds_the_living_and_the_dead_and_waits_for_the_dead():
    """A wrong word of any address ends the measurement with an error."""
    figures = probe_round.measure(alive=4, dead=1, rounds=1, bursts=1, say=quiet)
    assert figures.keys() == probe_round.FIGURES.keys()
    assert figures["round_wall_s"] >= 3.0
    assert 0 < figures["rtt_error_ms"] < figures["loop_clock_error_ms"]


@pytest.mark.parametrize("values", [{"ratio": 1.0}, {"ratio": 1.0, "size": 3, "pages": 1}])
def test_a_figure_that_is_missing_or_unknown_is_an_error(values):
    with pytest.raises(KeyError, match=r"size|pages"):
        judge(SCENARIO, values)


def test_a_run_of_one_scenario_leaves_the_others_results_and_the_docs_follow(tmp_path: Path):
    docs = tmp_path / "performance.md"
    docs.write_text(f"before\n{results.BEGIN}\nwritten by hand\n{results.END}\nafter\n")
    results.keep("drift", judge(drift.SCENARIO, dict.fromkeys(drift.FIGURES, 1.5)), tmp_path)
    results.keep("cold", judge(cold.SCENARIO, dict.fromkeys(cold.FIGURES, 1.0)), tmp_path)
    results.keep("drift", judge(drift.SCENARIO, dict.fromkeys(drift.FIGURES, 1.0)), tmp_path)
    found = json.loads((tmp_path / "results.json").read_text())
    assert {name: found[name][figure]["value"] for name, figure in (("drift", "pages"), ("cold", "rest_mb"))} == {
        "drift": 1.0,
        "cold": 1.0,
    }
    results.document(tmp_path, docs)
    text = docs.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "by hand" not in text
    assert "| drift | `calls_per_drift` | 1 | <= 1.1 | holds | virtual |" in text
    assert f"| cold | {results.machine()['date']} |" in text


def test_a_page_without_markers_is_left_alone(tmp_path):
    docs = tmp_path / "performance.md"
    docs.write_text("by hand")
    results.keep("cold", judge(cold.SCENARIO, dict.fromkeys(cold.FIGURES, 1.0)), tmp_path)
    with pytest.raises(ValueError, match="no markers"):
        results.document(tmp_path, docs)
    assert docs.read_text() == "by hand"


def test_the_plot_shows_every_size_with_its_seconds():
    figures = judge(growth.SCENARIO, {**dict.fromkeys(growth.FIGURES, 1.0), "cpu_1k_s": 0.04, "cpu_25k_s": 1.23})
    drawn = plot.growth(figures)
    assert all(f">{text}<" in drawn for text in ("1,000", "5,000", "25,000", "0.04 s", "1 s", "1.23 s"))


def test_inventory_finds_every_vm_in_both_ways_and_gives_exactly_its_figures():
    found = inventory.measure(11, 60, 2, quiet)
    assert found.keys() == inventory.FIGURES.keys()
    assert (found["unread"], found["throttled"], found["drift"]) == (0, 0, 0)
    assert found["graph_queries"] == 2
    assert found["arm_calls"] < found["listed_calls"]


def test_a_list_has_the_whole_crowd_once_whatever_the_pages():
    async def listed():
        stage = Stage(inventory.a_world(1, 3), limits=False, front=lambda cloud: inventory.Crowd(cloud, 700))
        scope = f"/subscriptions/{inventory.a_subscription(0)}"
        for kind in ("Microsoft.Compute/virtualMachines", "Microsoft.Network/networkInterfaces"):
            url, found = f"https://management.azure.com{scope}/providers/{kind}?api-version=2024-01-01", []
            while url:
                answer = stage.timed.handle(understand(HttpRequest("GET", url)))
                found += [each["id"] for each in answer.content["value"]]
                url = answer.content.get("nextLink")
            assert len(found) == len(set(found)) == 703
            assert sum("/vm-" in each for each in found) == 3

    in_virtual_time(listed)
