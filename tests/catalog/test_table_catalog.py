"""What the catalog in a table promises beyond what every catalog does: its cost, its limits, what it survives."""

import asyncio
import json
from contextlib import suppress
from dataclasses import replace
from random import Random

import pytest

from shared.catalog import codec as rows
from shared.catalog import history_rows
from shared.catalog.storage_account import Account, connect
from shared.catalog.table import TableCatalog
from shared.decide.findings import findings_of
from shared.decide.guard import UnsafePlan
from shared.domain.alarms import Alarm
from shared.domain.catalog_state import CatalogState
from shared.domain.concurrency import gather_bounded
from shared.domain.dirty import DirtyName, RecordChange, Urgency
from shared.domain.endpoints import EndpointRow
from shared.domain.errors import Conflict, Terminal
from shared.domain.overrides import Override
from shared.domain.zone_findings import BlockedName, Obstacle, RefusedPlan
from simulator.arm.front_door import Request
from tests.support.catalogs import CatalogFixture, on_catalog
from tests.support.deployment import Token, a_vm, a_world, run_scenario, vm_id
from tests.support.values import vm
from tests.support.values import zone as pure_zone

ROW = EndpointRow(vm("a", "10.0.0.1"), frozenset({"llama"}), 1.0)
KEY = ROW.endpoint.key


def test_the_table_is_made_by_the_first_write_of_whoever_comes_first_and_reading_makes_none():
    async def story(bench):
        assert await bench.catalog.endpoint(KEY) is None
        assert await bench.catalog.endpoints() == ()
        assert await bench.catalog.state() is None
        with pytest.raises(Conflict):
            await bench.catalog.remove_dirty("z", "llama", "W/\"datetime'2026-11-23T00%3A00%3A00Z'\"")
        assert {request.method for request in bench.requests} == {"GET", "DELETE"}
        processes = [bench.open() for _ in range(5)]
        await asyncio.gather(*(each.index("llama", str(n), 1.0) for n, each in enumerate(processes)))
        assert len(await bench.catalog.indexed()) == 5

    on_catalog(story)


def test_a_table_that_somebody_deletes_or_empties_is_an_empty_catalog_that_goes_on():
    async def story(bench):
        etag = await bench.catalog.put_endpoint(ROW, None)
        assert (await bench.catalog.acquire("z", "me", 0.0, 60.0)).recent_writes == ()
        bench.tables.handle(Request("DELETE", "/Tables('nearzone')"))
        assert await bench.catalog.endpoints() == ()
        with pytest.raises(Conflict):
            await bench.catalog.put_endpoint(ROW, etag)
        assert (await bench.catalog.acquire("z", "me", 1.0, 60.0)).expires == 61.0
        await bench.catalog.put_endpoint(ROW, None)
        bench.tables.wipe()
        await bench.catalog.release("z", "me", ())
        assert await bench.catalog.endpoint(KEY) is None
        assert await bench.catalog.acquire("z", "you", 2.0, 60.0)

    on_catalog(story)


def test_calls_cost_as_few_requests_as_can_be():
    async def story(bench):
        catalog, cost = bench.catalog, bench.cost
        await catalog.index("llama", KEY, 1.0)  # makes the table
        assert await cost(catalog.endpoint(KEY)) == 1
        assert await cost(catalog.put_endpoint(ROW, None)) == 1
        assert await cost(catalog.put_endpoint(ROW, bench.result)) == 1
        assert await cost(catalog.index("llama", KEY, 2.0)) == 1
        assert await cost(catalog.mark_dirty(DirtyName("z", "llama"))) == 1
        assert await cost(catalog.mark_dirty(DirtyName("z", "llama"))) == 2
        assert await cost(catalog.dirty("z")) == 1
        assert await cost(catalog.put_dirty(DirtyName("z", "llama"), bench.result[0].etag)) == 1
        assert await cost(catalog.claimants("llama")) == 2
        assert await cost(catalog.acquire("z", "me", 0.0, 60.0)) == 2, "what the row holds has to be read"
        assert await cost(catalog.acquire("z", "me", 1.0, 60.0)) == 1
        assert await cost(catalog.release("z", "me", ())) == 1
        assert await cost(catalog.acquire("z", "me", 2.0, 60.0)) == 1, "nobody else had it meanwhile"
        assert await cost(bench.open().acquire("z", "you", 3.0, 60.0)) == 1, "another one has it"
        past = [
            RecordChange(f"n{n}", 5.0, "update", ("10.0.0.1",), ("10.0.0.2",), "r" * 100, "event") for n in range(170)
        ]
        assert await cost(catalog.add_history("z", past)) == 2 * (170 + 1) + 1, (
            "each history is read and written; the log once"
        )

    on_catalog(story)


def test_the_claimants_of_a_name_are_read_one_by_one_or_in_one_scan_whatever_costs_less():
    async def story(bench):
        for number in range(150):
            row = EndpointRow(vm(f"vm{number}", "10.0.0.1"))
            await bench.catalog.put_endpoint(row, None)
            await bench.catalog.index("all", row.endpoint.key, 1.0)
            if number < 3:
                await bench.catalog.index("few", row.endpoint.key, 1.0)
        assert await bench.cost(bench.open().claimants("few")) == 4
        assert await bench.cost(bench.open().claimants("all")) == 2
        assert len(bench.result) == 150
        await bench.catalog.endpoints()
        assert await bench.cost(bench.catalog.claimants("few")) == 2, "there are hardly any others"

    on_catalog(story)


def test_a_name_that_is_cleared_between_the_two_calls_of_a_mark_is_dirty_since_that_mark():
    async def story(bench):
        await bench.catalog.mark_dirty(
            DirtyName("z", "llama", Urgency.FIRST_ADDRESS, 5.0, attempts=3, last_error="old")
        )

        def clear_first(request):
            if request.method == "PATCH":
                assert bench.raw("DELETE", f"(PartitionKey='{rows.dirty_partition('z')}',RowKey='llama')").status == 204

        bench.faults = clear_first
        await bench.catalog.mark_dirty(DirtyName("z", "llama", Urgency.MORE_ADDRESSES, 7.0))
        bench.faults = lambda request: None
        assert (await bench.catalog.dirty_name("z", "llama")).value == DirtyName(
            "z", "llama", Urgency.MORE_ADDRESSES, 7.0
        )

    on_catalog(story)


def test_columns_of_a_newer_version_are_ignored_and_missing_ones_have_their_defaults():
    async def story(bench):
        await bench.catalog.put_state(CatalogState(), None)
        small = {"endpoint": {"id": "/A", "kind": "k", "color": "red"}, "shape": []}
        bench.raw("POST", "", PartitionKey="endpoints", RowKey=rows.digest("/a"), body=json.dumps(small), more=1)
        (row,) = await bench.catalog.endpoints()
        assert row.value == EndpointRow(replace(vm("a"), id="/A", kind="k", region="", tagged=(), state="unknown"))
        where = {"PartitionKey": rows.dirty_partition("z"), "RowKey": "llama"}
        bench.raw("POST", "", **where, body='{"name": "llama", "shape": 1}', urgency_immediate=True, colour="red")
        (row,) = await bench.catalog.dirty("z")
        assert row.value == DirtyName("z", "llama")
        bench.raw("POST", "", PartitionKey="leases", RowKey=rows.digest("z"), body='{"zone": "z", "since": 1}')
        assert (await bench.catalog.acquire("z", "me", 0.0, 60.0)).recent_writes == ()

    on_catalog(story)


def test_rows_of_the_release_before_have_nobody_who_has_asked():
    """As release 0.1.0 writes them, without the fields about callers."""

    async def story(bench):
        await bench.catalog.put_state(CatalogState(), None)
        past = {"name": "a", "at": 5.0, "kind": "update", "before": ["10.0.0.1"], "after": [], "reason": "r"}
        body = json.dumps([past | {"cause": "event 1"}])
        for key in ("a", "*"):
            where = {"PartitionKey": rows.history_partition("z"), "RowKey": key, "at": 5.0, "ours": int(key == "a")}
            bench.raw("POST", "", **where, body=body)
        bench.raw("POST", "", PartitionKey="orders", RowKey=rows.digest("x"), body='{"target": "x", "until": 9.0}')
        found = {"zone": "z", "refusals": ["refused"], "alarms": [], "blocked": [], "count": 0}
        bench.raw("POST", "", PartitionKey="found", RowKey=rows.digest("z"), body=json.dumps(found))
        where = {"PartitionKey": rows.dirty_partition("z"), "RowKey": "a"}
        bench.raw(
            "POST", "", **where, body='{"name": "a", "cause": "event 1"}', mark='{"name": "a", "cause": "event 2"}'
        )
        old = RecordChange("a", 5.0, "update", ("10.0.0.1",), (), "r", "event 1")
        assert await bench.catalog.history("z") == await bench.catalog.history("z", "a") == (old,)
        new = replace(old, at=6.0, by="a@example.com")
        await bench.catalog.add_history("z", [new])
        assert await bench.catalog.history("z", "a") == (new, old)
        assert [each.value for each in await bench.catalog.overrides()] == [Override("x", 9.0)]
        assert (await bench.catalog.findings("z")).value.refused == ()
        assert (await bench.catalog.dirty_name("z", "a")).value.by == ""

    on_catalog(story)


async def log(bench, entries):
    """A row of the log for each entry, without the histories."""
    await bench.catalog.put_state(CatalogState(), None)
    await gather_bounded(bench.catalog._store.upsert(history_rows.encode_log("z", [[each]])) for each in entries)


def test_a_long_log_is_read_page_by_page_and_every_entry_is_told_once():
    async def story(bench):
        entries = [RecordChange("a", 1e9 + n, "update", (), (), f"{n}", "c") for n in range(0, 2600, 2)]
        await log(bench, entries)
        told, since, pages = [], 1e9, 0
        while since < 1e9 + 3000:
            page = await bench.catalog.log("z", since, 1e9 + 3000)
            told += page.entries
            since, pages = page.until, pages + 1
        assert told == entries
        assert pages > 1

    on_catalog(story)


def test_more_entries_of_a_minute_than_a_page_holds_are_read_at_once():
    async def story(bench):
        entries = [RecordChange("a", 1e9 + n / 100, "drain", (), (), f"{n}", "c") for n in range(1100)]
        await log(bench, entries)
        page = await bench.catalog.log("z", 1e9 + 10.99, 1e9 + 60)
        assert (page.entries, page.until) == (tuple(entries[1099:]), 1e9 + 60)

    on_catalog(story)


@pytest.mark.parametrize(("letter", "most"), [("x", 32_000), ("é", 32_000), ("\N{ROCKET}", 16_000)])
def test_an_endpoint_that_does_not_fit_is_named(letter, most):
    async def story(bench):
        fits = vm("fits", "10.0.0.1", faults=(letter * most,))
        await bench.catalog.put_endpoint(EndpointRow(fits), None)
        assert (await bench.catalog.endpoint(fits.key)).value.endpoint == fits
        large = vm("large", "10.0.0.1", faults=(letter * (most + 800),))
        with pytest.raises(Terminal, match=r"virtualMachines/large does not fit .* at most 32768"):
            await bench.catalog.put_endpoint(EndpointRow(large), None)

    on_catalog(story)


@pytest.mark.parametrize("text", ["twice", '"\\\n\x01' * 100, "é" * 3000])
def test_the_marker_keeps_the_first_alarms_and_counts_the_rest(text):
    async def story(bench):
        alarms = tuple(Alarm(f"{number} {text}", text, text) for number in range(2000))
        await bench.catalog.put_state(CatalogState("digest", 1.0, 2.0, alarms, findings=alarms[:1]), None)
        marker = (await bench.catalog.state()).value
        kept = len(marker.alarms) - 1
        assert marker.alarms == (*alarms[:kept], Alarm(f"... and {2000 - kept} more"))
        assert marker.findings == alarms[: len(marker.findings)] or len(text) > 2000
        assert (marker.digest, marker.completed_at, marker.attempted_at) == ("digest", 1.0, 2.0)

    on_catalog(story)


@pytest.mark.parametrize("text", ["10.100.100.", '"\\\n\x01' * 20, "é" * 60])
def test_the_first_blocked_names_of_a_zone_are_kept_and_all_are_counted(text):
    """However many there are and whatever a mark or an error says, it fits into the row."""

    async def story(bench):
        zone = pure_zone()
        many = [BlockedName(f"n{i:05}", Obstacle.OTHER, f"{i} {text}"[:80], (text[:15],) * 20) for i in range(3000)]
        refused = UnsafePlan(RefusedPlan(zone.id, "d1", 2, 2), "refused")
        await bench.catalog.put_findings(findings_of(zone, many, refused=refused), None)
        found = (await bench.catalog.findings(zone.key)).value
        assert found.count == 3000
        assert found.blocked == tuple(many[: len(found.blocked)])
        assert 3 < len(found.blocked) < 3000
        assert [alarm.count for alarm in found.alarms] == [3000]
        assert found.refusals == ("refused",)

    on_catalog(story)


def test_a_list_goes_on_over_every_page_and_every_partition():
    async def story(bench):
        for number in range(25):
            await bench.catalog.put_endpoint(EndpointRow(vm(f"vm{number}", "10.0.0.1")), None)
            await bench.catalog.index(f"name{number % 7}", str(number), 1.0)
            await bench.catalog.mark_dirty(DirtyName("z", f"name{number}"))
        assert len({row.value.endpoint.key for row in await bench.catalog.endpoints()}) == 25
        assert len({row.value.key for row in await bench.catalog.indexed()}) == 25
        assert len({row.value.name for row in await bench.catalog.dirty("z")}) == 25

    on_catalog(story, page=4, split=True)


def test_a_list_whose_table_goes_in_the_middle_of_it_has_no_rows_instead_of_some():
    async def story(bench):
        for number in range(8):
            await bench.catalog.put_endpoint(EndpointRow(vm(f"vm{number}", "10.0.0.1")), None)

        def delete_first(request):
            if "NextRowKey" in request.query:
                bench.tables.handle(Request("DELETE", "/Tables('nearzone')"))

        bench.faults = delete_first
        assert await bench.catalog.endpoints() == ()

    on_catalog(story, page=4)


async def test_2500_rows_are_all_listed(azurite):
    async with connect(Account(connection=azurite), Token(), table="manyrows") as table:
        catalog = TableCatalog(table)
        await catalog.put_endpoint(ROW, None)
        every = [EndpointRow(vm(f"vm{number}", "10.0.0.1")) for number in range(2499)]
        entities = [rows.encode_row("endpoints", rows.digest(row.endpoint.key), row, "") for row in every]
        for begin in range(0, len(entities), 100):
            await table.submit_transaction([("create", entity) for entity in entities[begin : begin + 100]])
        assert {row.value.endpoint.key for row in await catalog.endpoints()} == {KEY, *(r.endpoint.key for r in every)}


class Jitter:
    """Latencies of 1 to 30 ms, by a seed."""

    def __init__(self, seed):
        self._random = Random(seed)

    def of(self, request):
        return self._random.uniform(0.001, 0.030)


@pytest.mark.parametrize("seed", range(4))
def test_in_any_interleaving_a_zone_has_one_holder_and_no_mark_is_lost(seed):
    """Processes mark one name and drain it: whoever clears it last has acted on what every mark was about."""

    async def story(bench):
        random, inside = Random(seed), set()
        facts, acted_on = 0, 0

        async def mark(catalog):
            nonlocal facts
            for _ in range(5):
                facts += 1
                await catalog.mark_dirty(DirtyName("z", "llama", since=bench.loop.time()))
                await asyncio.sleep(random.uniform(0, 0.2))

        async def drain(catalog, who):
            nonlocal acted_on
            if not await catalog.acquire("z", who, bench.loop.time(), 60.0):
                return
            assert not inside
            inside.add(who)
            for row in await catalog.dirty("z"):
                seen = facts
                with suppress(Conflict):
                    await catalog.remove_dirty("z", "llama", row.etag)
                    acted_on = seen
            inside.remove(who)
            await catalog.release("z", who, ())

        async def work(catalog, who):
            for _ in range(15):
                await drain(catalog, who)
                await asyncio.sleep(random.uniform(0, 0.1))

        processes = [bench.open(Jitter(f"{seed} {number}")) for number in range(4)]
        await asyncio.gather(*map(mark, processes), *(work(each, str(n)) for n, each in enumerate(processes)))
        await drain(processes[0], "last")
        assert await bench.catalog.dirty("z") == ()
        assert acted_on == facts

    on_catalog(story)


def test_the_whole_loop_runs_on_a_table_and_a_new_process_goes_on_where_the_old_one_stopped():
    async def story(stage):
        bench = CatalogFixture(asyncio.get_running_loop())
        stage.restart(bench.catalog)
        await stage.resync()
        assert stage.wrong_answers() == {}
        stage.restart(bench.open())
        stage.arm("POST", f"{vm_id('a')}/deallocate")
        await stage.deliver_pending_events(60)
        assert stage.wrong_answers() == {}
        assert stage.record("eastus", "llama") == ["10.2.0.5"], "failover to what only the table knew"

    run_scenario(story, a_world(a_vm("a", "eastus", 4), a_vm("b", "westeurope", 5), a_vm("c", "southeastasia", 6)))
