"""NEARZONE_SUBSCRIPTIONS may name a management group: its subscriptions are watched, also while it cannot be read."""

import asyncio
import json

import pytest

from benchmarks.recorded import Token
from shared.bootstrap import build_app
from shared.catalog.memory import MemoryCatalog
from shared.domain.errors import Forbidden, Terminal
from shared.loop.group_reconciler import REREAD_SECONDS
from simulator.arm.permissions import EVERYTHING, Role
from tests.support.deployment import REGIONS, SUB, a_vm, a_world, run_scenario

EAST, _, _ = REGIONS
OTHER = "22222222-2222-4222-8222-222222222222"
GROUP = "managementGroups/Platform"
WITHOUT_GROUP = (Role(f"/subscriptions/{SUB}", ["*"]), Role(f"/subscriptions/{OTHER}", ["*"]))


def moved(vm, subscription=OTHER):
    """The same VM in another subscription, in the same VNet."""
    text = json.dumps(vm).replace(f"{SUB}/resourceGroups/gpu", f"{subscription}/resourceGroups/gpu")
    return json.loads(text)


def fleet(**settings):
    vms = [a_vm("e-1", EAST, 4), moved(a_vm("e-2", EAST, 5))]
    return a_world(*vms, **{"SUBSCRIPTIONS": [GROUP], "CLAIMS": {"*": [GROUP]}} | settings)


class Grouped:
    """An app on a stage whose settings name a group; `sweep` as the timer does."""

    def __init__(self, stage, catalog):
        stage.cloud.management_groups.members["platform"] = [SUB, OTHER]
        self.stage = stage
        self.app = build_app(
            stage.environment, credential=Token(), transport=stage.transport, catalog=catalog, clock=stage.clock
        )

    async def sweep(self):
        return await (await self.app.current(sweeps=True)).correct_drift()

    async def event(self, text):
        return await (await self.app.current()).on_event(text)


def play(story, **settings):
    catalog = MemoryCatalog()
    world = fleet(**settings)
    given = {name: world["settings"][f"NEARZONE_{name}"] for name in ("SUBSCRIPTIONS", "CLAIMS")}
    world["settings"] |= {"NEARZONE_SUBSCRIPTIONS": [SUB, OTHER], "NEARZONE_CLAIMS": {"*": [SUB, OTHER]}}

    async def begin(stage):
        stage.environment |= {f"NEARZONE_{name}": json.dumps(value) for name, value in given.items()}
        return await story(stage, Grouped(stage, catalog))

    run_scenario(begin, world)


def test_the_subscriptions_of_a_group_are_watched_and_may_claim_what_the_group_may_claim():
    async def story(stage, app):
        report = await app.sweep()
        assert report.complete
        assert stage.record(EAST, "llama") == ["10.1.0.4", "10.1.0.5"]
        assert not stage.wrong_answers()

    play(story)


def test_a_subscription_that_joins_is_watched_after_the_next_sweep_and_its_events_count():
    async def story(stage, app):
        stage.cloud.management_groups.members["platform"] = [SUB]
        await app.sweep()
        assert stage.record(EAST, "llama") == ["10.1.0.4"]
        stage.cloud.management_groups.members["platform"] = [SUB, OTHER]
        await app.sweep()
        assert stage.record(EAST, "llama") == ["10.1.0.4", "10.1.0.5"]

    play(story)


def test_a_subscription_that_leaves_is_withdrawn_under_the_guard():
    async def story(stage, app):
        await app.sweep()
        stage.cloud.management_groups.members["platform"] = [SUB]
        await app.sweep()
        assert stage.record(EAST, "llama") == ["10.1.0.4"]

    play(story)


@pytest.mark.parametrize("trouble", ["refused", "empty"])
def test_a_group_that_cannot_be_read_keeps_its_subscriptions_and_is_an_alarm(trouble):
    async def story(stage, app):
        await app.sweep()
        if trouble == "refused":
            stage.cloud.permissions.roles = WITHOUT_GROUP
        else:
            stage.cloud.management_groups.members["platform"] = []
        report = await app.sweep()
        assert stage.record(EAST, "llama") == ["10.1.0.4", "10.1.0.5"]
        assert [each.what for each in report.alarms if "management group platform" in each.what]
        stage.cloud.permissions.roles = (EVERYTHING,)
        stage.cloud.management_groups.members["platform"] = [SUB, OTHER]
        assert not [each for each in (await app.sweep()).alarms if "management group" in each.what]

    play(story)


def test_a_group_that_was_never_read_stops_the_app_and_leaves_the_zones():
    async def story(stage, app):
        await app.sweep()
        stage.cloud.permissions.roles = WITHOUT_GROUP
        fresh = Grouped(stage, MemoryCatalog())
        with pytest.raises(Forbidden):
            await fresh.sweep()
        with pytest.raises(Forbidden):
            await fresh.event("{}")
        assert stage.record(EAST, "llama") == ["10.1.0.4", "10.1.0.5"]

    play(story)


@pytest.mark.parametrize(
    ("trouble", "cause", "do"),
    [
        ("refused", "http 403", "assign Reader to the app's identity at the management group"),
        ("missing", "there is no", "correct NEARZONE_SUBSCRIPTIONS"),
        ("empty", "it has no subscription", "move a subscription into the management group"),
    ],
)
def test_the_error_about_a_group_that_was_never_read_names_the_setting_the_group_and_what_to_do(trouble, cause, do):
    async def story(stage, app):
        members = stage.cloud.management_groups.members
        if trouble == "refused":
            stage.cloud.permissions.roles = WITHOUT_GROUP
        elif trouble == "missing":
            del members["platform"]
        else:
            members["platform"] = []
        with pytest.raises(Terminal) as error:
            await app.sweep()
        text = str(error.value)
        assert text.startswith("NEARZONE_SUBSCRIPTIONS: management group platform was never read: ")
        assert cause in text.lower()
        assert do in text

    play(story)


def test_the_alarm_about_a_group_that_became_empty_does_not_advise_a_role():
    async def story(stage, app):
        await app.sweep()
        stage.cloud.management_groups.members["platform"] = []
        (alarm,) = (each for each in (await app.sweep()).alarms if "management group platform" in each.what)
        assert alarm.do.startswith("move a subscription into the management group")

    play(story)


def test_another_process_learns_of_a_change_from_the_catalog():
    async def story(stage, app):
        stage.cloud.management_groups.members["platform"] = [SUB]
        await app.sweep()
        other = Grouped(stage, app.app.catalog)
        stage.cloud.management_groups.members["platform"] = [SUB]
        assert (await other.app.current()).settings.subscriptions == {SUB}
        stage.cloud.management_groups.members["platform"] = [SUB, OTHER]
        await app.sweep()
        assert (await other.app.current()).settings.subscriptions == {SUB}
        await asyncio.sleep(REREAD_SECONDS)
        assert (await other.app.current()).settings.subscriptions == {SUB, OTHER}

    play(story)


def test_a_group_with_an_explicit_subscription_beside_it():
    async def story(stage, app):
        stage.cloud.management_groups.members["platform"] = [OTHER]
        await app.sweep()
        assert stage.record(EAST, "llama") == ["10.1.0.5"], "only the group may claim names"

    play(story, SUBSCRIPTIONS=[SUB, GROUP])
