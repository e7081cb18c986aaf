"""Forcing a plan: only the plan that a person has read, and above the hard bound only with a second word."""

from dataclasses import replace

import pytest

from shared.decide.guard import digest, guard, is_beyond
from shared.decide.plan import Change
from tests.support.deployment import REGIONS, a_vm, a_world, run_scenario, zone_id
from tests.support.values import ours, zone

EAST, WEST, _ = REGIONS
ZONE = zone()
OURS = {"nearzone-owner": "nearzone"}


def removal(name, *addresses):
    return Change(ZONE.key, name, ours(name, *addresses), None, "gone", removal_explained=False)


PLAN = [removal("a", "10.0.0.1", "10.0.0.2"), removal("b", "10.0.0.3"), removal("c", "10.0.0.4")]


def test_a_digest_names_zones_names_and_addresses_and_not_their_order():
    same = [removal("c", "10.0.0.4"), removal("a", "10.0.0.2", "10.0.0.1"), removal("b", "10.0.0.3")]
    assert digest(same) == digest(PLAN)
    others = (
        PLAN[:2],
        [*PLAN, removal("d", "10.0.0.5")],
        [*PLAN[:2], removal("d", "10.0.0.4")],
        [*PLAN[:2], removal("c", "10.0.0.9")],
        [*PLAN[:2], replace(PLAN[2], zone="another")],
    )
    assert len({digest(each) for each in (PLAN, *others)}) == 6


@pytest.mark.parametrize(
    ("removals", "owned", "beyond"),
    [(9, 9, False), (10, 20, False), (11, 21, True), (10, 19, True), (200, 1000, False), (201, 25_000, True)],
)
def test_above_half_of_a_zone_or_200_a_digest_is_not_enough(removals, owned, beyond):
    assert is_beyond(removals, owned) is beyond
    plan = [removal(f"n{i}", "10.0.0.1") for i in range(removals)]
    force = {digest(plan)}
    found = guard(ZONE, plan, owned, force)
    assert (found.plan.beyond, found.forced) == (beyond, not beyond)
    assert ('"force_beyond": true' in found.text) is beyond
    assert guard(ZONE, plan, owned, force, beyond=True).forced
    assert not guard(ZONE, plan, owned, beyond=True).forced


def body(number):
    return {"properties": {"ttl": 30, "metadata": OURS, "aRecords": [{"ipv4Address": f"10.1.9.{number}"}]}}


def old(stage, *numbers):
    """Record sets with our owner tag that no endpoint accounts for."""
    for number in numbers:
        stage.arm("PUT", f"{zone_id(EAST)}/A/old-{number}", body(number))


def left(stage, most=20):
    return [number for number in range(most) if stage.record(EAST, f"old-{number}")]


def test_a_plan_that_has_changed_since_it_was_read_is_refused_anew_with_its_new_digest():
    async def story(stage):
        await stage.app.correct_drift()
        old(stage, 0, 1, 2)
        report = await stage.app.correct_drift()
        (read,) = report.refused
        assert (read.removals, read.owned, read.beyond) == (3, 6, False)
        status = await stage.app.status()
        assert [each["digest"] for each in status["refused"]] == [read.digest]
        old(stage, 3)
        report = await stage.resync(force=read.digest)
        (now,) = report.refused
        assert now.digest != read.digest
        assert f'"force": "{now.digest}"' in report.refusals[0]
        (note,) = report.notes
        assert note.startswith(f"force {read.digest}: no plan of this scope has this digest now")
        assert left(stage) == [0, 1, 2, 3]
        stage.arm("DELETE", f"{zone_id(EAST)}/A/old-3")
        report = await stage.resync(force=[read.digest, now.digest])
        assert (report.refusals, left(stage)) == ([], [])
        assert (await stage.app.status())["refused"] == []

    run_scenario(story, a_world(a_vm("e-1", EAST, 4), a_vm("w-1", WEST, 4)))


def test_a_plan_above_the_hard_bound_needs_the_second_word():
    async def story(stage):
        await stage.app.correct_drift()
        old(stage, *range(12))
        (plan,) = (await stage.app.correct_drift()).refused
        assert plan.beyond
        report = await stage.resync(force=plan.digest)
        assert '"force_beyond": true' in report.refusals[0]
        assert len(left(stage)) == 12
        assert (await stage.resync(force=plan.digest, force_beyond=True)).refusals == []
        assert left(stage) == []

    run_scenario(story, a_world(a_vm("e-1", EAST, 4), a_vm("w-1", WEST, 4)))


def test_a_digest_forces_the_plan_of_its_own_zone_alone():
    async def story(stage):
        report = await stage.app.correct_drift()
        assert len(report.refused) == 3
        east = next(plan for plan in report.refused if plan.zone == zone_id(EAST))
        report = await stage.resync(force=east.digest)
        assert (len(report.refused), stage.record(EAST, "old-0")) == (2, None)
        assert stage.record(WEST, "old-0") == ["10.1.9.0"]

    records = [
        {"name": f"old-{i}", "type": "A", "ttl": 30, "addresses": [f"10.1.9.{i}"], "metadata": OURS} for i in range(5)
    ]
    run_scenario(story, a_world(a_vm("e-1", EAST, 4), records=records))
