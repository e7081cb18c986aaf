"""A row of the catalog that cannot be read stops nothing: it is told, and dropped, made good or obeyed all the same."""

import asyncio
import json

import pytest
from azure.data.tables import UpdateMode

from shared.catalog import codec as rows
from shared.catalog.table import TableCatalog
from shared.domain.catalog_state import CatalogState
from shared.domain.dirty import DirtyName, RecordChange, Urgency
from shared.domain.endpoints import EndpointRow
from shared.domain.overrides import FOREVER, Override, active_freeze
from shared.domain.resource_ids import digest
from shared.domain.zone_findings import ZoneFindings
from simulator.tables import Tables
from tests.support.catalogs import client, on_catalog, opened
from tests.support.deployment import a_vm, a_world, run_scenario, vm_id, zone_id
from tests.support.values import vm, zone

ROW = EndpointRow(vm("a", "10.0.0.1"), frozenset(), 1.0)
KEY = ROW.endpoint.key
MARKER = CatalogState("digest", 5.0, 4.0, epoch="first")
BODIES = {
    "no JSON": {"body": "what?"},
    "cut off": {"body": '{"endpoint": {"id": "/A"'},
    "a number": {"body": 7},
    "wrong types": {"body": json.dumps([{"name": 1}])},
    "no column": {"other": "x"},
    "too deep": {"body": "[" * 5000},
}


@pytest.fixture(params=["simulated", "azurite"])
async def shared(request):
    async for each in opened(request):
        yield each


@pytest.fixture
async def catalog(shared):
    made = await shared.open()
    await made.put_state(MARKER, None)
    return made


async def spoil(catalog, partition, key, mode=UpdateMode.REPLACE, **columns):
    await catalog._client.upsert_entity({"PartitionKey": partition, "RowKey": key, **columns}, mode)


async def told(catalog):
    return {(row.partition, row.key) for row in await catalog.bad_rows()}


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("read", ["one", "all", "claimants"])
async def test_an_endpoint_that_cannot_be_read_is_dropped_and_the_catalog_is_complete_no_more(catalog, body, read):
    await catalog.put_endpoint(ROW, None)
    await catalog.index("llama", KEY, 1.0)
    await spoil(catalog, "endpoints", digest(KEY), **BODIES[body])
    calls = {"one": catalog.endpoint(KEY), "all": catalog.endpoints(), "claimants": catalog.claimants("llama")}
    assert not await calls.pop(read)
    for call in calls.values():
        call.close()
    marker = (await catalog.state()).value
    assert marker.digest == ""
    assert marker.epoch != MARKER.epoch
    assert marker.completed_at == MARKER.completed_at, "sweeps go by it to see which machines are due"
    assert await told(catalog) == {("endpoints", digest(KEY))}
    await catalog.put_endpoint(ROW, None)
    assert await catalog.claimants("llama") == (ROW,)


@pytest.mark.parametrize(
    "endpoint",
    [
        {"id": "/A", "kind": "k", "state": "dozing"},
        {"id": "/A", "kind": "k", "addresses": [{"ip": "10.0.0.256"}]},
        {"kind": "k"},
    ],
)
async def test_values_that_this_release_does_not_know_are_not_believed(catalog, endpoint):
    await spoil(catalog, "endpoints", digest("/a"), body=json.dumps({"endpoint": endpoint}))
    assert await catalog.endpoints() == ()
    assert await told(catalog) == {("endpoints", digest("/a"))}


async def test_one_bad_row_among_many_takes_none_of_them_away(catalog):
    for name in "abc":
        await catalog.put_endpoint(EndpointRow(vm(name, "10.0.0.1")), None)
    await spoil(catalog, "endpoints", digest(KEY), body="{")
    assert {row.value.endpoint.key for row in await catalog.endpoints()} == {vm("b").key, vm("c").key}


@pytest.mark.parametrize("meanwhile", ["written anew", "gone"])
def test_a_row_that_was_written_anew_meanwhile_is_not_dropped(meanwhile):
    async def story(bench):
        await bench.catalog.put_state(MARKER, None)
        bench.raw("POST", "", PartitionKey="endpoints", RowKey=digest(KEY), body="{")
        where = f"(PartitionKey='endpoints',RowKey='{digest(KEY)}')"
        good = rows.encode_row("endpoints", digest(KEY), ROW, "")

        def first(request):
            if request.method == "DELETE":
                bench.faults = lambda request: None
                assert bench.raw("DELETE", where).status == 204
                if meanwhile == "written anew":
                    assert bench.raw("POST", "", **good).status < 300

        bench.faults = first
        assert await bench.catalog.endpoint(KEY) is None
        found = await bench.catalog.endpoint(KEY)
        assert (found and found.value) == (ROW if meanwhile == "written anew" else None)

    on_catalog(story)


def test_that_the_catalog_is_not_complete_is_known_before_the_row_is_gone():
    async def story(bench):
        await bench.catalog.put_state(MARKER, None)
        bench.raw("POST", "", PartitionKey="endpoints", RowKey=digest(KEY), body="{")
        before = len(bench.requests)
        await bench.catalog.endpoint(KEY)
        changed = [(each.method, "marker" in each.path) for each in bench.requests[before:] if each.method != "GET"]
        assert changed.index(("PUT", True)) < changed.index(("DELETE", False))

    on_catalog(story)


@pytest.mark.parametrize("body", BODIES)
async def test_the_index_is_made_anew_from_its_key(catalog, body):
    await catalog.put_endpoint(ROW, None)
    await catalog.index("llama", KEY, 1.0)
    await spoil(catalog, "index", rows.index_key("llama", KEY), **BODIES[body])
    await spoil(catalog, "index", rows.index_key("llama", "nobody"), **BODIES[body])
    await spoil(catalog, "index", "strange", **BODIES[body])
    assert await catalog.claimants("llama") == (ROW,)
    (row,) = await catalog.indexed()
    assert (row.value.name, row.value.key) == ("llama", KEY)
    assert row.value.at > 1.0, "it is no older than it was written: a purge may not come too early"
    assert (await catalog.state()).value == MARKER, "nothing was lost"
    assert len(await told(catalog)) == 3


async def test_everybody_who_reads_a_bad_index_row_at_once_is_led_to_the_endpoint(catalog):
    await catalog.put_endpoint(ROW, None)
    await spoil(catalog, "index", rows.index_key("llama", KEY), body="{")
    found = await asyncio.gather(*(catalog.claimants("llama") for _ in range(5)))
    assert found == [(ROW,)] * 5


@pytest.mark.parametrize("body", BODIES)
async def test_a_dirty_name_stays_dirty_by_its_key(catalog, body):
    await catalog.mark_dirty(DirtyName("z", "fine"))
    await spoil(catalog, rows.dirty_partition("z"), "llama", urgency_withdraw=True, cleared="yes", **BODIES[body])
    found = {row.value.name: row for row in await catalog.dirty("z")}
    assert found.keys() == {"fine", "llama"}
    llama = found["llama"].value
    assert (llama.urgency, llama.cleared, llama.attempts, llama.not_before) == (Urgency.WITHDRAW, False, 0, 0.0)
    assert (await catalog.dirty_name("z", "llama")).value == llama
    await catalog.mark_dirty(DirtyName("z", "llama", cleared=True))
    again = await catalog.dirty_name("z", "llama")
    assert again.value.cleared, "what is marked from now on counts"
    await catalog.remove_dirty("z", "llama", again.etag)
    assert await catalog.dirty_name("z", "llama") is None


@pytest.mark.parametrize("body", [*BODIES, "a write of an unknown kind"])
async def test_a_lease_that_cannot_be_read_is_anothers_until_it_is_over(catalog, body):
    strange = {"body": json.dumps({"zone": "z", "spent": [["rename", "llama", 1.0]]})}
    await spoil(catalog, "leases", digest("z"), **BODIES.get(body, strange))
    row = await catalog._client.get_entity("leases", digest("z"))
    at = row.metadata["timestamp"].timestamp()
    assert await catalog.acquire("z", "me", at + 59.0, 60.0) is None
    await catalog.release("z", "me", ())
    assert await catalog.acquire("z", "me", at + 59.0, 60.0) is None
    lease = await catalog.acquire("z", "me", at + 64.0, 60.0)
    assert lease.recent_writes is None, "nobody knows what was written"
    assert await told(catalog) == {("leases", digest("z"))}


@pytest.mark.parametrize("body", BODIES)
async def test_an_order_that_cannot_be_read_stays_in_force_until_it_is_given_anew_or_taken_back(catalog, body):
    east, here = vm("a", region="eastus"), zone()
    for target in ("eastus", vm("b").key, here.key):
        await spoil(catalog, "orders", digest(target), **BODIES[body])
    await catalog.put_override(Override("westeurope", 9.0))
    orders = [stored.value for stored in await catalog.overrides()]
    assert len(orders) == 4
    assert [any(order.applies_to(each) for order in orders) for each in (east, vm("b"), vm("c", region="asia"))] == [
        True,
        True,
        False,
    ]
    assert active_freeze(here, orders).until == FOREVER
    assert active_freeze(zone(group="other"), orders) is None
    await catalog.put_override(Override("eastus", 7.0))
    await catalog.purge_override(vm("b").key)
    orders = [stored.value for stored in await catalog.overrides()]
    assert sorted(order.until for order in orders) == [7.0, 9.0, FOREVER]
    assert len(await told(catalog)) == 3


@pytest.mark.parametrize("body", BODIES)
async def test_history_that_cannot_be_read_is_emptied_and_the_record_set_stays_known_as_ours(catalog, body):
    await catalog.add_history("z", [RecordChange("llama", 1.0, "create", (), ("10.0.0.1",), "new", "event")])
    for key in ("llama", "*"):
        columns = BODIES[body] if body != "no column" else {"body": "{"}
        await spoil(catalog, rows.history_partition("z"), key, UpdateMode.MERGE, **columns)
    assert await catalog.history("z", "llama") == await catalog.history("z") == ()
    assert await catalog.is_owned("z", "llama")
    past = RecordChange("llama", 2.0, "update", ("10.0.0.1",), ("10.0.0.2",), "moved", "event")
    await catalog.add_history("z", [past])
    assert await catalog.history("z", "llama") == await catalog.history("z") == (past,)
    assert await told(catalog) == {(rows.history_partition("z"), "llama"), (rows.history_partition("z"), "*")}


@pytest.mark.parametrize("body", BODIES)
async def test_what_a_sweep_writes_anew_is_dropped(catalog, body):
    await spoil(catalog, "found", digest("z"), **BODIES[body])
    await spoil(catalog, "marker", "marker", **BODIES[body])
    assert await catalog.findings("z") is None
    assert await catalog.state() is None
    await catalog.put_findings(ZoneFindings("z", ("refused",)), None)
    await catalog.put_state(MARKER, None)
    assert (await catalog.state()).value == MARKER
    assert await told(catalog) == {("found", digest("z")), ("marker", "marker")}


async def test_what_was_told_of_bad_rows_is_seen_by_every_process_and_forgotten_in_time(catalog, shared):
    await spoil(catalog, "found", digest("z"), body="{")
    await catalog.findings("z")
    other = await shared.open()
    (row,) = await other.bad_rows()
    assert "truncated" in row.why
    await spoil(catalog, "unreadable", "x", body="{")
    assert await other.bad_rows() == [row], "a note that cannot be read is none"
    await other.forget_bad_rows(row.at - 1.0)
    assert await told(catalog)
    await other.forget_bad_rows(row.at + 60.0)
    assert not await told(catalog)


# --- the whole app


def play(story, *vms, **settings):
    """`story(stage, catalog)` on a table, after a sweep has filled it."""

    async def played(stage):
        tables = Tables(stage.clock)
        catalog = TableCatalog(client(tables))
        stage.restart(catalog)
        await stage.app.correct_drift()
        assert stage.wrong_answers() == {}
        await story(stage, catalog)

    return run_scenario(played, a_world(*vms, **settings), latency=0.0)


VMS = (a_vm("a", "eastus", 4), a_vm("b", "eastus", 5), a_vm("c", "westeurope", 4, "mistral"))


async def stopped(stage, name):
    stage.arm("POST", f"{vm_id(name)}/deallocate")
    await stage.deliver_pending_events()


@pytest.mark.parametrize("spoilt", ["endpoints", "marker"])
def test_an_address_that_is_served_does_not_vanish_with_the_row_that_knew_it(spoilt):
    async def story(stage, catalog):
        where = {"endpoints": digest(vm_id("b").lower()), "marker": "marker"}[spoilt]
        await spoil(catalog, spoilt, where, body="{")
        await stopped(stage, "a")
        assert "10.1.0.5" in stage.record("eastus", "llama")
        await stopped(stage, "c")
        assert "10.1.0.5" in stage.record("eastus", "llama")
        await stage.deliver_pending_events(60.0)
        await stage.app.drain()
        assert stage.record("eastus", "llama") == ["10.1.0.5"]
        assert stage.wrong_answers() == {}
        assert (await stage.app.status())["last_sweep"]["current"]

    play(story, *VMS)


def test_a_sweep_that_meets_a_bad_row_is_complete_at_once():
    async def story(stage, catalog):
        await spoil(catalog, "endpoints", digest(vm_id("b").lower()), body="{")
        report = await stage.app.correct_drift()
        assert report.complete
        assert report.failures == []
        assert await stage.app.applier.complete_epoch()
        assert (await catalog.endpoint(vm_id("b").lower())).value.endpoint.tagged == ("llama",)

    play(story, *VMS)


def test_an_order_that_cannot_be_read_gives_no_traffic_back():
    async def story(stage, catalog):
        await stage.resync(drain={"region": "eastus", "minutes": 5})
        assert stage.record("eastus", "llama") is None
        await spoil(catalog, "orders", digest("eastus"), body="{")
        await stage.deliver_pending_events(600.0)
        await stage.app.correct_drift()
        await stopped(stage, "a")
        assert stage.record("eastus", "llama") is None
        told = [alarm for alarm in (await stage.app.status())["alarms"] if "of partition orders" in alarm["what"]]
        assert "stays in force" in told[0]["means"]
        await stage.resync(undrain={"region": "eastus"})
        assert stage.record("eastus", "llama") == ["10.1.0.5"]
        assert stage.wrong_answers() == {}

    play(story, *VMS)


async def everything_spoilt(catalog):
    """One bad row of each kind; gives the partitions."""
    east = zone_id("eastus").lower()
    bad = {
        "endpoints": digest(vm_id("a").lower()),
        "index": rows.index_key("llama", vm_id("b").lower()),
        rows.dirty_partition(east): "llama",
        "leases": digest(east),
        "orders": digest("nowhere"),
        rows.history_partition(east): "llama",
        "found": digest(east),
        "marker": "marker",
    }
    for partition, key in bad.items():
        await spoil(catalog, partition, key, UpdateMode.MERGE, body="{")
    return bad


CALLS = {
    "status": lambda stage: stage.app.status(full=True),
    "explain": lambda stage: stage.app.explain(stage.app.settings.zones[0], "llama"),
    "check": lambda stage: stage.app.preflight.check(),
    "drain": lambda stage: stage.app.drain(),
    "sweep": lambda stage: stage.app.correct_drift(),
    "order": lambda stage: stage.resync(drain={"region": "westeurope", "minutes": 60}),
    "dry run": lambda stage: stage.resync(dry_run=True),
    "event": lambda stage: stopped(stage, "a"),
}


@pytest.mark.parametrize("call", CALLS)
def test_with_a_bad_row_of_every_kind_everything_goes_on_and_each_is_named(call):
    async def story(stage, catalog):
        bad = await everything_spoilt(catalog)
        await CALLS[call](stage)
        assert all(each.status == 202 for each in stage.event_grid.deliveries)
        await stage.deliver_pending_events(120.0)
        await stage.app.drain()
        await stage.app.status(full=True)
        await stage.app.explain(stage.app.settings.zones[0], "llama")
        await stage.deliver_pending_events(60.0)
        await stage.app.drain()
        alarms = [alarm["what"] for alarm in (await stage.app.status())["alarms"]]
        for partition, key in bad.items():
            assert any(f"row {key} of partition {partition} " in what for what in alarms), partition
        drained = {order.target for order in await stage.app.applier.active_overrides()} & {"westeurope"}
        assert stage.wrong_answers(drained) == {}

    play(story, *VMS)
