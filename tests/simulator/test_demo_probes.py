"""What the demo expects of probes: which answers they change, and how long they may take."""

import copy
from dataclasses import asdict

import pytest

from shared.config.settings import PROBE_SCHEDULE
from shared.config.settings import Probing as AppProbing
from shared.domain import probes
from shared.probing import rounds
from simulator.demo import probed, world_model
from simulator.demo.app_settings import load
from simulator.demo.processes import DEMO
from simulator.demo.step import Skip, StepContext
from simulator.demo.steps_probes import path_through_a_hub, server_hangs
from simulator.demo.world_model import WorldModel, differing

WORLD = load(DEMO)
MISTRAL, EMBED = (
    next(vm["id"] for vm in WORLD["vms"] if vm["id"].endswith(name)) for name in ("mistral-eus-1", "embed-eus-1")
)


def demo(**settings):
    world = copy.deepcopy(WORLD)
    world["settings"] |= settings
    found = WorldModel(world)
    found.do(world_model.nothing)
    return found


def changed(replica, change):
    """Names whose answers a change alters, with the region of the zone."""
    moved = differing(replica.answers, replica.after(change))
    return {(zone.split("/")[4].removeprefix("dns-"), name) for zone, name in moved}


def test_its_defaults_are_those_of_the_app():
    app = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(AppProbing()).items()}
    assert probed.DEFAULTS.items() <= app.items()
    assert (probed.SCHEDULE, probed.SAMPLES) == (PROBE_SCHEDULE, probes.SAMPLES)
    assert probed.ADDRESSES * rounds.PACE.each == probed.SPREAD


def test_it_names_the_settings_that_differ_beside_their_defaults():
    text = probed.pace(WORLD["settings"])
    assert text.startswith(
        "Its probes from eastus (seconds; default in brackets): a round every 1 (15), timeout 1.5 (5)"
    )
    assert text.endswith("hold 5 to 60 (30 to 300), slow_start 3 (60), dwell 5 to 5 (120 to 600).")
    assert probed.pace({"NEARZONE_PROBES": {"a": {"kind": "vllm"}}, "NEARZONE_PROBING": {"vantage": "eastus"}}) == ""
    assert probed.pace({"NEARZONE_PROBE_SCHEDULE": "* * * * * *"}) == ""


def test_a_dead_path_concerns_the_clients_of_the_vantage_alone():
    assert changed(demo(), world_model.cut("westeurope")) == {("eastus", "gpt")}
    assert {zone for zone, _ in changed(demo(), world_model.cut("eastus"))} == {"eastus"}


def test_a_hanging_server_concerns_other_zones_while_another_address_of_its_region_answers():
    replica = demo()
    replica.do(world_model.power([vm["id"] for vm in WORLD["vms"] if "mistral-weu" in vm["id"]], "deallocated"))
    assert changed(replica, world_model.hanging(MISTRAL)) == {("eastus", "mistral-7b"), ("westeurope", "mistral-7b")}
    replica.do(world_model.cut("eastus"))
    assert changed(replica, world_model.hanging(EMBED)) == set()


def test_where_all_endpoints_of_a_name_fail_it_keeps_its_answer():
    replica = demo()
    mistrals = [vm for vm in WORLD["vms"] if "mistral" in vm["id"]]
    for vm in mistrals[1:]:
        replica.do(world_model.power([vm["id"]], "deallocated"))
    assert changed(replica, world_model.hanging(mistrals[0]["id"])) == set()


def test_a_detour_reorders_the_regions_for_the_clients_of_the_vantage_unless_a_policy_forbids_it():
    far = world_model.farther("westeurope", 280.0)
    assert changed(demo(), far) == {("eastus", "gpt")}
    assert changed(demo(NEARZONE_POLICIES={"gpt": {"distance": "published"}}), far) == set()


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"NEARZONE_PROBES": {}}, "no probes"),
        ({"NEARZONE_PROBING": {"mode": "observe", "vantage": "eastus"}}, "no probes that take effect"),
        ({"NEARZONE_PROBING": {"mode": "enforce", "vantage": "eastus"}}, "may need 3 minutes"),
    ],
)
def test_a_step_that_the_settings_do_not_allow_is_skipped(settings, reason):
    context = StepContext(demo(**settings), None, None, print)
    with pytest.raises(Skip, match=reason):
        path_through_a_hub(context)


def test_the_server_that_hangs_is_one_whose_loss_moves_clients_of_the_vantage():
    step = server_hangs(StepContext(demo(), None, None, print))
    assert "(eastus)" in step.title
    assert step.seconds == 8.0
