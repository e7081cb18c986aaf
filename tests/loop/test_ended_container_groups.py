"""A container group that has ended and shows no address any more: its names are withdrawn, and it is explained."""

import pytest

from tests.support.deployment import REGIONS, run_scenario
from tests.support.endpoint_kinds import FAR, container_group, llama, swept, world

EAST = next(iter(REGIONS))
ENTRY = container_group(containers=[{"name": "server"}])


async def explained(stage):
    """What the app says of the group's own name."""
    return (await stage.app.explain(stage.app.settings.zones[0], "aci"))["claims"]


def test_the_names_of_a_stopped_group_are_withdrawn_by_its_event_although_its_address_is_gone():
    async def story(stage):
        await swept(stage)
        assert llama(stage) == stage.record(EAST, "aci") == ["10.1.0.40"]
        stage.arm("POST", f"{ENTRY['id']}/stop")
        await stage.deliver_pending_events()
        assert "ip" not in stage.arm("GET", ENTRY["id"]).content["properties"]["ipAddress"]
        assert stage.wrong_answers() == {}
        assert (llama(stage), stage.record(EAST, "aci")) == (["10.3.0.4"], None)
        [claim] = await explained(stage)
        assert (claim["state"], claim["addresses"], claim["included"]) == ("stopped", ["10.1.0.40"], False)
        stage.arm("POST", f"{ENTRY['id']}/start")
        await stage.deliver_pending_events()
        assert llama(stage) == stage.record(EAST, "aci") == ["10.1.0.40"]

    run_scenario(story, world(FAR, container_groups=[ENTRY]))


@pytest.mark.parametrize("seconds", [0, 120], ids=["its address is still there", "its address is gone"])
def test_the_sweep_withdraws_a_group_whose_containers_have_failed(seconds):
    async def story(stage):
        await swept(stage)
        stage.cloud.container_groups.set_state(ENTRY["id"], "Failed")
        await stage.deliver_pending_events(seconds)
        await swept(stage)
        assert (llama(stage), stage.record(EAST, "aci")) == (["10.3.0.4"], None)
        [claim] = await explained(stage)
        assert (claim["state"], claim["addresses"]) == ("stopped", ["10.1.0.40"])

    run_scenario(story, world(FAR, container_groups=[ENTRY]))


def test_a_group_that_has_ended_before_the_app_first_saw_it_is_no_answer_and_no_fault():
    async def story(stage):
        await swept(stage)
        assert (llama(stage), stage.record(EAST, "aci")) == (["10.3.0.4"], None)
        [claim] = await explained(stage)
        assert (claim["state"], claim["addresses"]) == ("stopped", [])
        assert [alarm for alarm in (await stage.app.status())["alarms"] if "aci" in alarm["what"]] == []

    run_scenario(story, world(FAR, container_groups=[ENTRY | {"state": "Failed"}]))
