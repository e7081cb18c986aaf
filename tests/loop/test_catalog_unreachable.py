"""The storage account cannot be reached: what was known is told with its age, and no override is taken for stored."""

import asyncio

import pytest

from shared.domain.errors import Transient
from shared.edge.last_status import MAX_KEPT, LastStatus
from shared.edge.status_query import NameQuery, SummaryQuery
from simulator.arm.front_door import Response
from tests.support.catalogs import CatalogFixture, error
from tests.support.deployment import REGIONS, a_vm, a_world, run_scenario, vm_id, zone_id
from tests.support.values import zone

EAST, WEST, ASIA = REGIONS
AWAY = error(403, "AuthorizationFailure")


def fleet(**settings):
    return a_world(a_vm("e-1", EAST, 4), a_vm("e-2", EAST, 5), a_vm("w-1", WEST, 4), **settings)


def played(story, **options):
    async def play(stage):
        bench = CatalogFixture(asyncio.get_running_loop())
        stage.restart(bench.catalog)
        await stage.app.correct_drift()
        await story(stage, bench)

    run_scenario(play, fleet(), **options)


def away(bench):
    bench.faults = lambda request: AWAY


def back(bench):
    bench.faults = lambda request: None


ORDERS = [
    {"drain": {"endpoint": vm_id("e-2"), "minutes": 60}},
    {"drain": {"region": EAST, "minutes": 60}},
    {"undrain": {"region": EAST}},
    {"freeze": {"zone": EAST}},
    {"unfreeze": {"zone": EAST}},
]


@pytest.mark.parametrize("full", [False, True])
def test_status_tells_what_was_known_with_its_age_and_why_it_is_old_and_is_new_again_afterwards(full):
    async def story(stage, bench):
        before = await stage.app.handle_status(SummaryQuery(full=full))
        assert "stale" not in before
        at = stage.clock()
        away(bench)
        await asyncio.sleep(100)
        told = await stage.app.handle_status(SummaryQuery(full=full))
        old = told.pop("stale")
        assert told == before
        assert old["age_s"] == pytest.approx(stage.clock() - at, abs=1.5)
        assert old["as_of"][:19] == before["now"][:19]
        assert "HTTP 403 AuthorizationFailure" in old["error"]
        back(bench)
        assert "stale" not in await stage.app.handle_status(SummaryQuery(full=full))

    played(story)


def test_a_process_that_was_only_asked_in_short_answers_a_long_question_in_short():
    async def story(stage, bench):
        short = await stage.app.handle_status(SummaryQuery())
        away(bench)
        told = await stage.app.handle_status(SummaryQuery(full=True))
        assert told.pop("stale")
        assert told == {**short, "names": [], "known": []}

    played(story)


def test_a_process_that_never_knew_anything_says_so_and_where_help_is():
    async def story(stage, bench):
        away(bench)
        stage.restart(bench.open())
        with pytest.raises(Transient, match=r"HTTP 403 .* so there is no older answer; .* docs/runbooks.md"):
            await stage.app.handle_status(SummaryQuery())

    played(story)


def test_an_answer_about_a_name_has_what_the_zone_holds_now_and_the_rest_as_it_was_last_known():
    async def story(stage, bench):
        (east, *_), stage_zone = stage.app.settings.zones, zone_id(EAST)
        known = await stage.app.handle_status(NameQuery(east, "llama"))
        away(bench)
        held = stage.arm("GET", f"{stage_zone}/A/llama").content["properties"]
        stage.arm("PUT", f"{stage_zone}/A/llama", {"properties": held | {"aRecords": [{"ipv4Address": "10.1.0.5"}]}})
        told = await stage.app.handle_status(NameQuery(east, "llama"))
        assert told["record"] == {"addresses": ["10.1.0.5"], "ttl": 30, "owned": True}
        assert (told["answer"], told["claims"]) == (known["answer"], known["claims"])
        assert told["stale"]["as_of"]

    played(story)


@pytest.mark.parametrize("asked_before", [True, False])
def test_a_name_that_was_not_asked_for_before_is_answered_from_the_last_long_answer_or_with_what_the_zone_holds(
    asked_before,
):
    async def story(stage, bench):
        east = stage.app.settings.zones[0]
        if asked_before:
            await stage.app.handle_status(SummaryQuery(full=True))
        away(bench)
        told = await stage.app.handle_status(NameQuery(east, "llama"))
        assert (told["zone"], told["name"], told["record"]["addresses"]) == (east.id, "llama", ["10.1.0.4", "10.1.0.5"])
        wanted = {"addresses": ["10.1.0.4", "10.1.0.5"], "ttl": 30, "reason": "nearest: eastus 0 ms"}
        assert told["answer"] == (wanted if asked_before else None)
        assert bool(told["stale"]["as_of"]) == asked_before

    played(story)


def test_where_azure_does_not_answer_either_the_whole_answer_is_the_last_one():
    async def story(stage, bench):
        east = stage.app.settings.zones[0]
        known = await stage.app.handle_status(NameQuery(east, "llama"))
        stage.faults = lambda request: Response(500, {"error": {"code": "InternalServerError", "message": "no"}})
        told = await stage.app.handle_status(NameQuery(east, "llama"))
        assert told.pop("stale")
        assert told == known

    played(story)


@pytest.mark.parametrize("opened", [True, False])
def test_a_check_runs_what_needs_no_catalog_and_says_what_is_missing(opened):
    async def story(stage, bench):
        healthy = await stage.resync(check=True)
        assert healthy.failures == []
        stage.cloud.private_dns.lock(zone_id(EAST), "ReadOnly")
        if not opened:
            stage.restart(bench.open())
        away(bench)
        report = await stage.resync(check=True)
        ((what, why),) = report.failures
        assert what == "the state in the catalog"
        assert "HTTP 403" in why
        assert any("is a lock (readonly)" in alarm.what for alarm in report.alarms)
        assert report.observed == 3

    played(story)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("opened", [True, False])
def test_an_override_that_could_not_be_stored_says_so_plainly(order, opened):
    async def story(stage, bench):
        if not opened:
            stage.restart(bench.open())
        away(bench)
        done = "ended" if order.keys() & {"undrain", "unfreeze"} else "stored"
        with pytest.raises(Transient, match=rf"The override was NOT {done}, .* docs/runbooks.md") as caught:
            await stage.resync(**order)
        assert "HTTP 403" in str(caught.value)
        back(bench)
        assert list(await stage.app.catalog.overrides()) == []
        assert stage.wrong_answers() == {}

    played(story)


@pytest.mark.parametrize("order", [ORDERS[0], ORDERS[3]])
def test_an_override_that_was_stored_and_not_carried_out_says_that(order):
    """The account goes away after the override is in the catalog."""

    async def story(stage, bench):
        def faults(request):
            orders = request.method in ("PUT", "POST", "MERGE", "PATCH") and "orders" in request.path
            if orders:
                bench.faults = later

        def later(request):
            return AWAY

        bench.faults = faults
        with pytest.raises(Transient, match="The override was stored, but its names were not all marked dirty"):
            await stage.resync(**order)
        back(bench)
        assert len(await stage.app.catalog.overrides()) == 1
        await stage.resync(**order)

    played(story)


def test_an_override_that_was_ended_and_not_carried_out_says_that():
    """The account goes away after the override has left the catalog."""

    async def story(stage, bench):
        await stage.resync(**ORDERS[1])

        def faults(request):
            if request.method == "DELETE" and "orders" in request.path:
                bench.faults = later

        def later(request):
            return AWAY

        bench.faults = faults
        with pytest.raises(Transient, match="The override was ended, but its names were not all marked dirty"):
            await stage.resync(**ORDERS[2])
        back(bench)
        assert list(await stage.app.catalog.overrides()) == []
        await stage.app.correct_drift()
        assert stage.wrong_answers() == {}

    played(story)


def test_few_answers_are_kept_and_one_long_one():
    last, where = LastStatus(), zone()
    last.keep(SummaryQuery(full=True), {"names": []}, 1.0)
    for number in range(3 * MAX_KEPT):
        last.keep(NameQuery(where, f"n{number}"), {"name": number}, float(number))
    assert len(last._answers) == MAX_KEPT
    assert last.find(NameQuery(where, f"n{3 * MAX_KEPT - 1}")) == (3.0 * MAX_KEPT - 1, {"name": 3 * MAX_KEPT - 1})
    assert last.find(NameQuery(where, "n0")) is None
