"""The scenarios of events and storms measure what they say: tiny worlds, and figures that are known beforehand."""

import asyncio
import json
from functools import cache

import pytest
from azure.core.rest import HttpRequest

from benchmarks import bootstrap, event, same, stop, storm, strangers, worlds
from benchmarks.fleet import LIMIT, SWEEP_EVERY, Fleet, a_fleet, a_world, budget_use, worst
from benchmarks.history import History
from benchmarks.per_event_writer import PerEventWriter
from benchmarks.stage import Stage
from simulator.timing.virtual_time import in_virtual_time

pytestmark = pytest.mark.timeout(120)

ZONE = worlds.zone_id("eastus")
HELD = [
    {"name": "db", "type": "A", "ttl": 60, "addresses": ["10.9.9.9"], "metadata": {}},
    {"name": "ab", "type": "A", "ttl": 60, "addresses": ["10.9.9.8"], "metadata": {}},
]


def quiet(_):
    """Progress that nobody wants to see."""


SIZES = {
    storm: (12, 2, 1),
    stop: (12, 2, 1),
    event: (2,),
    same: (6, 12),
    strangers: (12, 6, 300),
    bootstrap: (30, 12, 6, 3),
}


def with_db():
    world = worlds.world([])
    world["zones"][0]["records"] = HELD
    return world


@cache
def measured(scenario):
    """The figures of a scenario in a tiny world, measured once."""
    return scenario.measure(*SIZES[scenario], quiet)


@pytest.mark.parametrize("scenario", SIZES, ids=lambda scenario: scenario.__name__)
def test_a_scenario_gives_exactly_the_figures_that_it_declares(scenario):
    assert measured(scenario).keys() == scenario.FIGURES.keys()


def test_equal_runs_give_equal_figures():
    assert storm.measure(*SIZES[storm], quiet) == measured(storm)


def test_a_small_storm_ends_with_every_answer_right_and_nothing_refused():
    found = measured(storm)
    assert found["settled_s"] < 30
    assert found["hosts_s"] < 60
    assert (found["throttled"], found["failed_deliveries"]) == (0, 0)


def test_a_few_events_about_the_same_endpoint_are_all_acknowledged_with_few_looks():
    found = measured(same)
    assert (found["failed_deliveries"], found["flood_failed"]) == (0, 0)
    assert found["reads"] <= 6, "two instances of the app, three looks each"
    assert found["set_lists"] <= 10


def test_a_small_flood_of_unknown_ids_is_acknowledged_and_seen_by_a_sweep():
    found = measured(strangers)
    assert found["flood_acknowledged"] == found["ghosts_acknowledged"] == 1
    assert max(found["flood_seen_s"], found["ghosts_seen_s"]) < 120
    assert min(found["flood_sweep_reads"], found["ghosts_sweep_reads"]) > 0


def test_after_a_small_first_sweep_every_vm_is_read_and_its_services_are_right():
    found = measured(bootstrap)
    assert max(found["services_s"], found["complete_s"], found["large_services_s"]) < 20.0
    assert (found["throttled"], found["large_throttled"]) == (0, 0)


def test_in_a_small_stop_no_dead_address_stays():
    found = measured(stop)
    assert found["dead_address_s"] == max(found["all_dead_address_s"], found["region_dead_address_s"]) < 15
    assert found["throttled"] == 0


def test_an_app_that_does_nothing_is_not_said_to_have_settled():
    async def nothing(_):
        await asyncio.sleep(1.5)

    async def story():
        vms = a_fleet(6, 2, "deallocated")
        fleet = Fleet(Stage(a_world(vms)), [nothing])
        await fleet.burst(vms, "running")
        want = fleet.expected()
        await fleet.until_right(want, quiet)
        await fleet.close(quiet)
        return fleet.latest(fleet.since_right(want).values()), fleet.first_answer([(ZONE.lower(), "svc-00000")])

    assert in_virtual_time(story) == (LIMIT, LIMIT)


def test_a_vm_has_changed_before_its_event_is_told_and_within_ten_seconds():
    seen = []

    async def story():
        vms = a_fleet(6, 2, "running")
        stage = Stage(a_world(vms))
        begun = stage.clock()

        async def look(text):
            vm_id = json.loads(text)["subject"]
            seen.append((vm_id, stage.cloud.compute.vms.find(vm_id).power, stage.clock() - begun))

        fleet = Fleet(stage, [look])
        await fleet.burst(vms, "deallocated")
        await fleet.event_grid.idle()
        return {vm["id"] for vm in vms}

    everyone = in_virtual_time(story)
    assert {vm_id for vm_id, _, _ in seen} == everyone
    assert {power for _, power, _ in seen} == {"deallocated"}
    assert all(0 <= after <= 10 for _, _, after in seen)


def test_what_the_timers_sweeps_read_is_not_of_the_storm():
    async def story():
        vms = a_fleet(6, 2, "running")
        stage = Stage(a_world(vms))
        app = stage.app()
        await stage.fill_catalog(app)
        stage.sent.clear()

        async def look(text):
            await stage.wire.send(HttpRequest("GET", f"https://management.azure.com{json.loads(text)['subject']}"))

        fleet = Fleet(stage, [look])
        fleet.start_timers(app)
        await fleet.burst(vms, "running")
        await asyncio.sleep(2 * SWEEP_EVERY)
        await fleet.close(quiet)
        return fleet.costs([(ZONE.lower(), "svc-00000")])["reads_per_event"], len(stage.sent)

    each, sent = in_virtual_time(story)
    assert each == 1
    assert sent > 6


def test_what_an_answer_was_counts_from_the_instant_of_the_write():
    async def story():
        stage = Stage(with_db())
        history, begun = History(stage.cloud), stage.clock()
        await asyncio.sleep(3)
        stage.arm("PUT", f"{ZONE}/A/web", {"properties": {"ttl": 30, "aRecords": [{"ipv4Address": "10.1.0.4"}]}})
        await asyncio.sleep(4)
        stage.arm("DELETE", f"{ZONE}/A/db")
        web, db, ab = ((ZONE.lower(), name) for name in ("web", "db", "ab"))
        assert history.now(web) == (30, frozenset({"10.1.0.4"}))
        assert history.first(web) - begun == pytest.approx(3)
        assert history.since(db, lambda answer: answer is None) - begun == pytest.approx(7)
        assert history.since(ab, lambda answer: answer is None) == float("inf")
        assert history.since(ab, bool) == begun

    in_virtual_time(story)


def test_one_write_a_second_is_the_whole_budget_of_a_zone_and_the_slowest_zone_counts():
    assert budget_use({("a", str(n)): float(n) for n in range(100)}) == pytest.approx(1.0)
    assert budget_use({(z, str(n)): n * pace for z, pace in (("a", 1.0), ("b", 2.0)) for n in range(100)}) == 0.5


def test_of_several_runs_the_worst_value_of_each_figure_counts():
    runs = [{"settled_s": 9.0, "budget_use": 0.5}, {"settled_s": 7.0, "budget_use": 0.9}]
    assert worst(runs) == {"settled_s": 9.0, "budget_use": 0.5}


def test_an_event_that_nothing_follows_is_an_error_and_no_figure():
    async def nothing():
        pass

    async def story():
        vm = worlds.vm(0, event.OURS, [event.SERVICE]) | {"power": "deallocated"}
        stage = Stage(worlds.world([vm], converged=False))
        await event.Scene(stage, History(stage.cloud)).change(vm, "running", event.OURS, nothing)

    with pytest.raises(RuntimeError, match="have not followed"):
        in_virtual_time(story)


def test_the_chain_takes_as_long_as_its_calls_one_after_the_other():
    """A start: the VM's GET, the NIC's, and half of a PUT, for there the write takes effect."""

    async def story():
        vm = worlds.vm(0, event.CHAINS, [event.SERVICE]) | {"power": "deallocated"}
        stage = Stage(worlds.world([vm], converged=False))
        took, _ = await event.Scene(stage, History(stage.cloud)).change(
            vm, "running", event.CHAINS, event.Chain(stage.wire, vm).start
        )
        times = {"VM": [], "NIC": [], "PUT": []}
        for each in stage.sent:
            kind = (
                "PUT"
                if each.method == "PUT"
                else {"virtualMachines": "VM", "networkInterfaces": "NIC"}.get(each.path.split("/")[-2], "set")
            )
            times.setdefault(kind, []).append(each.ended - each.began)
        return took, max(times["VM"] + times["set"]) + times["NIC"][0] + max(times["PUT"]) / 2

    took, calls = in_virtual_time(story)
    assert took == pytest.approx(calls, abs=1e-4)


def test_by_hand_one_start_is_published_under_both_names_in_every_zone():
    async def story():
        vms = a_fleet(2, 2, "running")
        stage = Stage(worlds.world(vms, converged=False))
        fleet = Fleet(stage, [PerEventWriter(stage).on_event])
        await fleet.burst(vms[:1], "running")
        await fleet.event_grid.idle()
        return [stage.record_sets(worlds.zone_id(region)) for region in worlds.REGIONS]

    for held in in_virtual_time(story):
        assert held == {"svc-00000": (30, ("10.1.0.4",)), "vm-00000": (30, ("10.1.0.4",))}
