"""The scenarios of probing measure what they say: tiny sizes, and figures that are known beforehand."""

import asyncio
from functools import cache, partial
from random import Random

import pytest

from benchmarks import distances, health_rules, probe_noise, probes, worlds
from benchmarks.health_rules import Rule
from benchmarks.noise import DAY, Disturbances, Span, true_rtt
from benchmarks.probe_failures import blind_vantage, one_path, one_server
from benchmarks.probe_storm import KNOWN_AFTER, Storm
from simulator.timing.virtual_time import in_virtual_time

pytestmark = pytest.mark.timeout(120)

TINY = probes.Sizes(
    servers=2, paths=2, blind=1, storms=1, storm_hours=0.1, noises=2, noise_days=2, others=2, connects=2
)
HOURS = dict.fromkeys(distances.GAPS_MS, 6.0)


def quiet(_):
    """Progress that is not shown."""


@cache
def measured():
    return probes.measure(TINY, quiet)


def without_noise(*spans):
    """Disturbances that are these alone; packets are lost too rarely to count in a few probes."""
    found = Disturbances(Random(0), 0.0)
    found.spans = list(spans)
    return found


def test_probes_gives_exactly_the_figures_that_it_declares():
    assert measured().keys() == probes.FIGURES.keys()


def test_distances_gives_exactly_the_figures_that_it_declares():
    assert distances.measure(HOURS, 1, 3, quiet).keys() == distances.FIGURES.keys()


def test_equal_runs_of_probing_give_equal_figures():
    assert distances.measure(HOURS, 1, 3, quiet) == distances.measure(HOURS, 1, 3, quiet)
    assert in_virtual_time(partial(one_server, "hangs", 3)) == in_virtual_time(partial(one_server, "hangs", 3))


def test_a_failed_server_is_withdrawn_after_three_rounds_and_comes_back_after_its_hold():
    gone, back = in_virtual_time(partial(one_server, "dead", 1))
    assert 30.0 < gone < 50.0, "three rounds of 15 s, 3 s without an answer to the last SYN, and the write"
    assert 15.0 < back < 120.0, "two rounds, and 60 s more for the zones of other regions"


def test_a_failed_path_changes_the_answer_of_its_clients_alone():
    gone, elsewhere, beside = in_virtual_time(partial(one_path, 1))
    assert 30.0 < gone < 50.0
    assert (elsewhere, beside) == (0, 0)


def test_a_vantage_that_is_cut_off_changes_no_answer():
    assert in_virtual_time(partial(blind_vantage, 1, seconds=300.0)) == 0


@pytest.mark.parametrize(("stops", "emptied"), [(False, 1), (True, 0)])
def test_a_record_set_that_is_removed_counts_as_emptied_while_azure_has_a_running_vm(stops, emptied):
    """The record set is removed by another client: the count does not depend on what the app does."""

    async def story():
        storm = Storm(0)
        name = storm.vms[0]["tags"]["nearzone"].split(",")[0]
        for vm in storm.vms:
            machine = storm.apps.cloud.compute.vms.find(vm["id"])
            machine.power = "deallocated" if stops else "running"
        await asyncio.sleep(KNOWN_AFTER)
        storm.apps.stage.arm("DELETE", f"{worlds.zone_id('eastus')}/A/{name}")
        await storm.apps.close()
        return storm.seen.emptied

    assert in_virtual_time(story) == emptied


def test_a_storm_withdraws_addresses_and_keeps_names_of_which_all_are_down():
    async def story():
        return await Storm(0).run(0.5, quiet)

    seen = in_virtual_time(story)
    assert seen.emptied == 0
    assert min(seen.withdrawals, seen.kept) > 0


@pytest.mark.parametrize(
    ("begins", "answer", "connect", "fails"),
    [(99, 5, None, False), (100, 5, None, True), (103, 5, None, True), (106, 5, None, False), (106, 5, 3, True)],
)
def test_a_probe_fails_if_a_disturbance_lasts_longer_than_it_waits(begins, answer, connect, fails):
    assert without_noise(Span(100.0, 110.0, of_path=True)).fails(begins, answer, connect) is fails


def test_a_server_that_pauses_accepts_connections():
    assert not without_noise(Span(100.0, 110.0, of_path=False)).fails(106, 5, 3)


def test_equal_seeds_give_all_rules_the_same_disturbances():
    first, second = (Disturbances(Random(4), 3 * DAY).spans for _ in range(2))
    assert first == second
    assert len(first) > 50


def test_the_rule_of_others_needs_its_failures_in_a_row_and_the_time_of_the_last():
    rule = Rule(interval=10, patience=2, down_after=3, up_after=1)
    found = [health_rules.withdrawal_seconds(rule, seed) for seed in range(100)]
    assert min(found) >= 2 * 9 + 2
    assert max(found) <= 3 * 11 + 2


def test_a_rule_that_waits_longer_withdraws_less():
    patient, hasty = (
        sum(health_rules.false_per_day(Rule(10, patience, 3, 3), seed, 10) for seed in range(3)) for patience in (9, 1)
    )
    assert patient < hasty


def test_an_app_that_gives_up_connections_earlier_withdraws_at_least_as_often():
    runs = [
        (probe_noise.false_per_day(seed, 20), probe_noise.false_per_day(seed, 20, connects=True)) for seed in (0, 1)
    ]
    assert all(connects >= answers for answers, connects in runs)
    assert sum(connects for _, connects in runs) > 0


def test_one_path_in_ten_begins_on_another_route():
    detours = sum(next(true_rtt(Random(seed), 80.0)) > 83.0 for seed in range(2000))
    assert 120 < detours < 260


def test_the_nearest_region_by_a_table_never_changes_and_by_the_last_sample_always_does():
    flips = {name: rate for name, (rate, _) in distances._costs(0.0, 6.0, 1).items()}
    assert flips["published"] == 0
    assert flips["last_sample"] > flips["ewma"] > flips["ours"]


def test_a_path_that_becomes_longer_is_followed_after_half_of_the_samples_and_the_wait():
    """11 of 21 samples and 2 minutes, unless the other path is longer too."""
    seconds = sorted(each for seed in range(4) if (each := distances._step_seconds(seed)))
    assert 270 < seconds[1] < 300
