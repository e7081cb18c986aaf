"""Each deployment has a catalog of its own on the storage account, takes over what the release before kept, and purges
what is abandoned."""

import asyncio
import json
import logging
import re
import time
from pathlib import Path

import pytest

from shared.bootstrap import build
from shared.catalog.other_deployments import SHARED_TABLE, OtherDeployments
from shared.catalog.storage_account import Account, connect, service, table_of
from shared.catalog.table import TableCatalog
from shared.config import parser as settings_parser
from shared.domain.catalog_state import CatalogState
from shared.domain.clock import Clock
from shared.domain.dirty import DirtyName
from shared.domain.endpoints import State
from shared.domain.errors import NearzoneError
from shared.domain.resource_ids import digest
from shared.edge.commands import parse
from shared.loop.housekeeping import CATALOG_RETENTION_SECONDS, DAY
from simulator.arm.front_door import Request
from simulator.front_ends.transport import Lost, SimulatorTransport
from simulator.tables import Tables
from tests.support.catalogs import SIMULATED, error
from tests.support.deployment import REGIONS, Token, a_vm, a_world, event, run_scenario, vm_id
from tests.support.deployment import zone_id as stage_zone
from tests.support.small_world import in_virtual_time
from tests.support.values import parsed, zone_id

RECORDED = json.loads((Path(__file__).parent / "recorded_catalog.json").read_text())
"""The rows of the table `nearzone` as release 0.1.0 has written them: three VMs, one of them drained by an order, one
stopped since then, and a zone that is frozen, so that two of its names are dirty."""
EAST, WEST, ASIA = REGIONS
OURS = frozenset({vm_id("e-2").lower()})


def fleet(**more):
    return a_world(a_vm("e-1", EAST, 4, power="deallocated"), a_vm("e-2", EAST, 5), a_vm("w-1", WEST, 4), **more)


class Place:
    """A storage account, simulated, and the deployments on it. `faults`: what becomes of a request to it."""

    def __init__(self, clock, rows=RECORDED):
        self.tables, self.requests = Tables(clock), []
        self.faults = lambda request: None
        for row in rows:
            self.write(SHARED_TABLE, row)

    def handle(self, request):
        self.requests.append((request.method, request.path))
        return self.tables.handle(request)

    def write(self, table, row):
        self.tables.handle(Request("POST", "/Tables", body=json.dumps({"TableName": table}).encode()))
        types = {f"{name}@odata.type": "Edm.Double" for name, value in row.items() if isinstance(value, float)}
        assert self.tables.handle(Request("POST", f"/{table}", body=json.dumps({**row, **types}).encode())).status < 300

    def rows(self, table):
        """Keys and columns of a table's rows; None: there is no such table."""
        found = self.tables._tables.get(table)
        return found and {(r.partition, r.key): dict(r.columns) for part in found.values() for r in part.values()}

    def _fault(self, request):
        return self.faults(request)

    def catalog(self, settings):
        transport = SimulatorTransport(self, None, self._fault)
        others = OtherDeployments(service(SIMULATED, Token(), transport), settings)
        return TableCatalog(connect(SIMULATED, Token(), transport, table_of(settings)), others)


def app(stage, place, **changed):
    """One more process of a deployment."""
    values = stage.environment | changed
    return build(
        values,
        credential=Token(),
        transport=stage.transport,
        catalog=place.catalog(settings_parser.parse(values, frozenset(REGIONS))),
        clock=stage.clock,
    )


def played(story, world=None):
    async def play(stage):
        return await story(stage, Place(stage.clock))

    return run_scenario(play, world or fleet())


def zones(*regions):
    return json.dumps([{"id": stage_zone(region), "region": region} for region in regions])


async def ask(process, **body):
    return await process.resync(parse(json.dumps(body).encode(), process.settings, process.inventory.kinds))


# --- which table


def named(**changed):
    return table_of(parsed(**changed))


def test_owner_zones_and_mode_make_a_deployment_and_nothing_else_does():
    one, two = {"id": zone_id("a"), "region": "westeurope"}, {"id": zone_id("b"), "region": "eastus"}
    tables = [
        named(ZONES=[one]),
        named(ZONES=[two]),
        named(ZONES=[one, two]),
        named(ZONES=[one], OWNER="other"),
        named(ZONES=[one], MODE="shadow"),
    ]
    assert len(set(tables)) == 5
    assert all(re.fullmatch("nearzone[0-9a-f]{12}", table) for table in tables)
    loud = {"id": one["id"].upper().replace("/PROVIDERS/", "/providers/"), "region": "eastus"}
    assert named(ZONES=[loud], TTL=60, HOST_NAMES="false") == tables[0], "upper case and other settings change nothing"
    assert named(ZONES=[two, one]) == tables[2]


def test_the_status_says_which_catalog_it_is_and_no_secret():
    async def story(stage, place):
        process = app(stage, place)
        told = (await process.status())["catalog"]
        assert told == {"kind": "table", "account": "devstoreaccount1", "table": table_of(process.settings)}
        assert (await stage.app.status())["catalog"] == {"kind": "memory", "account": "", "table": ""}

    played(story)


async def test_an_account_by_shared_access_signature_is_named_without_it():
    where = Account(connection="TableEndpoint=https://acc.example;SharedAccessSignature=sv=1&sig=secret")
    async with connect(where, Token()) as client:
        assert "secret" not in str(await TableCatalog(client).location())


def test_a_shadow_slot_and_a_regional_app_on_the_same_account_leave_each_others_marks_and_orders_alone():
    async def story(stage, place):
        apply, shadow = app(stage, place), app(stage, place, NEARZONE_MODE="shadow")
        asia = app(stage, place, NEARZONE_ZONES=zones(ASIA))
        for process in (apply, shadow, asia):
            await process.drain()
        await ask(apply, freeze={"zone": EAST})
        await ask(asia, drain={"region": WEST, "minutes": 5})
        dirty = DirtyName(stage_zone(EAST).lower(), "llama")
        await apply.catalog.mark_dirty(dirty)
        for process in (shadow, asia):
            await process.drain()
        assert [row.value for row in await apply.catalog.dirty(dirty.zone)] == [dirty]
        assert {order.target for order in await apply.applier.active_overrides()} == {
            *OURS,
            stage_zone(EAST).lower(),
            stage_zone(WEST).lower(),
        }
        assert {order.target for order in await shadow.applier.active_overrides()} == {*OURS, stage_zone(WEST).lower()}
        assert {order.target for order in await asia.applier.active_overrides()} == {*OURS, WEST}

    played(story)


# --- taking over


async def is_taken_over(stage, process):
    """Orders hold, the past is known, what was due is done, and every zone is right."""
    orders = {order.target for order in await process.applier.active_overrides()}
    assert orders == {*OURS, stage_zone(WEST).lower()}
    status = await process.status()
    assert status["last_sweep"]["current"]
    assert {(row["zone"].split("/")[4], row["name"]) for row in status["dirty"]} == {
        ("dns-westeurope", "e-1"),
        ("dns-westeurope", "llama"),
        ("dns-westeurope", "w-1"),
    }, "also what the sweep has found in the frozen zone"
    told = [each for each in status["changes"] if each["cause"].startswith("drain order")]
    assert {each["name"] for each in told} == {"llama", "e-2"}
    why = await process.explain(process.settings.zones[0], "llama")
    assert why["history"][-1]["kind"] == "create"
    await ask(process, unfreeze={"zone": WEST})
    assert stage.wrong_answers(OURS) == {}


def test_a_catalog_of_the_release_before_is_taken_over_by_the_first_drain_and_left_as_it_is():
    async def story(stage, place):
        before = place.rows(SHARED_TABLE)
        process = app(stage, place)
        await process.on_event(event(vm_id("e-1")))
        assert stage.request_log.writes == [], "nothing is narrowed, and nothing written, before a sweep"
        assert await process.catalog.overrides() == ()
        await process.drain()
        kept = place.rows(SHARED_TABLE)
        assert {**kept, ("taken", table_of(process.settings)): {}} == {
            **before,
            ("taken", table_of(process.settings)): {},
        }
        assert (await process.catalog.state()).value.event_at, "events have come before"
        await is_taken_over(stage, process)

    played(story)


def test_every_row_of_the_release_before_is_there_as_it_was():
    async def story(stage, place):
        process = app(stage, place)
        await process.catalog.take_over()
        own = place.rows(table_of(process.settings))
        wanted = {
            key: row for key, row in place.rows(SHARED_TABLE).items() if key[0] not in ("leases", "taken", "marker")
        }
        assert {key: row for key, row in own.items() if key[0] != "marker"} == wanted
        old, new = CatalogState(), (await process.catalog.state()).value
        assert (new.digest, new.epoch, new.completed_at) == (old.digest, old.epoch, old.completed_at), "not complete"

    played(story)


def test_what_an_event_has_recorded_since_the_change_of_release_is_newer_than_what_is_taken_over():
    async def story(stage, place):
        process = app(stage, place)
        stage.arm("POST", vm_id("w-1") + "/deallocate")
        await stage.finish_operations()
        await process.on_event(event(vm_id("w-1")))
        seen = await process.catalog.endpoint(vm_id("w-1").lower())
        assert seen.value.endpoint.state == State.STOPPED
        await process.catalog.take_over()
        assert await process.catalog.endpoint(vm_id("w-1").lower()) == seen
        assert len(await process.catalog.endpoints()) == 3

    played(story)


def test_an_order_by_hand_right_after_the_change_of_release_is_not_undone_by_what_is_taken_over():
    async def story(stage, place):
        process = app(stage, place)
        await ask(process, undrain={"endpoint": vm_id("e-2")})
        await process.drain()
        assert {order.target for order in await process.applier.active_overrides()} == {stage_zone(WEST).lower()}

    played(story)


def test_shadow_takes_over_neither_what_was_written_nor_what_is_due():
    async def story(stage, place):
        process = app(stage, place, NEARZONE_MODE="shadow")
        await process.catalog.take_over()
        parts = {key[0].split(":")[0] for key in place.rows(table_of(process.settings))}
        assert parts == {"endpoints", "index", "orders", "marker"}

    played(story)


def test_a_deployment_takes_over_what_concerns_its_zones_and_subscriptions():
    async def story(stage, place):
        east = app(stage, place, NEARZONE_ZONES=zones(EAST))
        await east.catalog.take_over()
        own = place.rows(table_of(east.settings))
        assert {key[0] for key in own if key[0].startswith(("history", "dirty"))} == {
            key[0] for key in place.rows(SHARED_TABLE) if key[0].startswith("history") and "3f5efed6" in key[0]
        }
        assert {row.value.target for row in await east.catalog.overrides()} == OURS
        elsewhere = {"NEARZONE_SUBSCRIPTIONS": '["22222222-2222-4222-8222-222222222222"]', "NEARZONE_OWNER": "other"}
        other = app(stage, place, **elsewhere, NEARZONE_CLAIMS='{"*": ["22222222-2222-4222-8222-222222222222"]}')
        await other.catalog.take_over()
        assert (await other.catalog.endpoints(), await other.catalog.indexed()) == ((), ())

    played(story)


@pytest.mark.parametrize("at", range(1, 68, 6))
def test_a_process_that_dies_while_it_takes_over_leaves_a_catalog_that_the_next_one_completes(at):
    async def story(stage, place):
        died = 0

        def dies(_request):
            nonlocal died
            died += 1
            return Lost(after=died % 2 == 0) if died >= at else None

        first = app(stage, place)
        place.faults = dies
        try:
            await first.drain()
        except NearzoneError:
            assert not await survivor(stage, place).applier.complete_epoch()
        place.faults = lambda request: None
        process = app(stage, place)
        await asyncio.sleep(61)
        await process.drain()
        await is_taken_over(stage, process)

    def survivor(stage, place):
        place.faults = lambda request: None
        return app(stage, place)

    played(story)


def test_instances_that_start_at_once_take_over_together():
    async def story(stage, place):
        processes = [app(stage, place) for _ in range(3)]
        await asyncio.gather(*(process.drain() for process in processes))
        await is_taken_over(stage, processes[1])

    played(story)


def test_what_was_taken_over_once_does_not_come_back_when_the_catalog_is_lost():
    async def story(stage, place):
        process = app(stage, place)
        await process.drain()
        await ask(process, undrain={"endpoint": vm_id("e-2")})
        assert place.tables.handle(Request("DELETE", f"/Tables('{table_of(process.settings)}')")).status == 204
        process = app(stage, place)
        await process.drain()
        assert await process.catalog.overrides() == ()
        assert stage.wrong_answers() == {}

    played(story)


def test_where_no_release_was_before_nothing_is_taken_over_and_no_table_of_it_is_made():
    async def story(stage, place):
        del place.tables._tables[SHARED_TABLE]
        process = app(stage, place)
        await process.drain()
        assert place.rows(SHARED_TABLE) is None
        assert stage.wrong_answers() == {}

    played(story)


def test_a_row_of_the_release_before_that_cannot_be_read_is_left_out_unless_it_is_an_order():
    async def story(stage, place):
        place.write(SHARED_TABLE, {"PartitionKey": "orders", "RowKey": digest(vm_id("e-1").lower()), "body": "{"})
        for partition in ("endpoints", "index"):
            place.write(SHARED_TABLE, {"PartitionKey": partition, "RowKey": "bad", "body": "{"})
        process = app(stage, place)
        await process.drain()
        orders = await process.applier.active_overrides()
        assert any(order.about(vm_id("e-1").lower()) for order in orders)
        assert len(orders) == len(OURS) + 2

    played(story)


# --- a catalog that was not in use


def test_a_catalog_that_was_not_swept_for_hours_is_not_believed_before_the_next_sweep():
    """The deployment was in shadow mode meanwhile, which has a catalog of its own."""

    async def story(stage, place):
        await app(stage, place).drain()
        stage.arm("POST", vm_id("w-1") + "/deallocate")
        await stage.finish_operations()
        await asyncio.sleep(7 * 3600)
        process, before = app(stage, place), len(stage.request_log.writes)
        await process.on_event(event(vm_id("e-1")))
        assert len(stage.request_log.writes) == before
        await process.drain()
        assert len(stage.request_log.writes) > before
        await ask(process, unfreeze={"zone": WEST})
        assert stage.wrong_answers(OURS) == {}

    played(story)


# --- purging


def marker(at=0.0):
    return {"PartitionKey": "marker", "RowKey": "marker", "body": json.dumps({"completed_at": at})}


def purged(skew=0.0, meanwhile=None, faults=None):
    """The tables that are left when a deployment has swept that shares its account with many others."""

    async def play(loop):
        place, settings = Place(loop.time, ()), parsed()
        for table in (
            SHARED_TABLE,
            "nearzone0123456789ab",
            "nearzoneffffffffffff",
            "nearzonelogs",
            "nearzone0123456789a",
        ):
            place.write(table, marker(loop.time() + 9e8))
        place.write("nearzoneaaaaaaaaaaaa", {"PartitionKey": "p", "RowKey": "r", "body": "{}"})
        place.write("nearzonebbbbbbbbbbbb", marker())
        place.write(table_of(settings), marker())
        await asyncio.sleep(2 * DAY)
        place.write("nearzonecccccccccccc", marker())
        catalog, clock = place.catalog(settings), Clock(lambda: loop.time() + skew)
        await asyncio.sleep(CATALOG_RETENTION_SECONDS - DAY)
        place.faults = faults or place.faults
        if meanwhile:
            place.faults = lambda request: meanwhile(place, request)
        await catalog.open(clock)
        await catalog.purge_others(clock() - CATALOG_RETENTION_SECONDS)
        assert table_of(settings) in place.tables._tables
        return {name.removeprefix("nearzone") for name in place.tables._tables} - {table_of(settings)[8:]}

    return in_virtual_time(play)


LEFT = {"logs", "0123456789a", "aaaaaaaaaaaa", "cccccccccccc"}


@pytest.mark.parametrize("skew", [0.0, 600.0, -600.0, 4e7, -4e7])
def test_abandoned_catalogs_are_purged_and_nothing_else_whatever_the_clock_says(skew):
    assert purged(skew) == LEFT


def test_a_deployment_that_comes_back_while_its_catalog_is_purged_keeps_it():
    def meanwhile(place, request):
        if request.method == "PUT" and "nearzonebbbbbbbbbbbb" in request.path:
            path = "/nearzonebbbbbbbbbbbb(PartitionKey='marker',RowKey='marker')"
            place.tables.handle(Request("PUT", path, {}, {"if-match": "*"}, json.dumps(marker()).encode()))

    assert purged(meanwhile=meanwhile) == LEFT | {"bbbbbbbbbbbb"}


def test_a_catalog_whose_table_could_not_be_deleted_is_purged_another_time(caplog):
    caplog.set_level(logging.WARNING, "nearzone")
    left = purged(faults=lambda request: error(500, "InternalError") if request.method == "DELETE" else None)
    assert left == LEFT | {"", "0123456789ab", "bbbbbbbbbbbb", "ffffffffffff"}
    assert "abandoned catalogs" in caplog.text


def test_where_tables_may_not_be_listed_the_sweep_goes_on_and_says_so(caplog):
    caplog.set_level(logging.WARNING, "nearzone")

    async def story(stage, place):
        process = app(stage, place)
        refused = error(403, "AuthorizationPermissionMismatch")
        place.faults = lambda request: refused if request.path.endswith("/Tables") and request.method == "GET" else None
        report = await process.correct_drift()
        assert report.failures == []
        assert "Storage Table Data Contributor" in caplog.text
        asked = place.requests.count(("GET", "/devstoreaccount1/Tables"))
        await process.correct_drift()
        assert place.requests.count(("GET", "/devstoreaccount1/Tables")) == asked, "once a day is enough"

    played(story)


# --- on Microsoft's own emulator


WATCHED = "11111111-1111-4111-8111-111111111111"


async def test_on_azurite_a_catalog_is_taken_over_and_an_abandoned_one_is_purged(azurite):
    account, settings = (
        Account(connection=azurite),
        parsed(OWNER="azurite", SUBSCRIPTIONS=[WATCHED], CLAIMS={"*": [WATCHED]}),
    )
    async with (
        connect(account, Token()) as shared,
        connect(account, Token(), table=table_of(settings)) as own,
        service(account, Token()) as beside,
    ):
        await shared.create_table()
        for row in RECORDED:
            await shared.create_entity(row)
        catalog = TableCatalog(own, OtherDeployments(beside, settings))
        await catalog.take_over()
        assert len(await catalog.endpoints()) == 3
        assert [row.value.target for row in await catalog.overrides()] == [vm_id("e-2").lower()]
        clock = Clock(lambda: 0.0)
        await catalog.open(clock)
        assert abs(clock() - time.time()) < 5, "Azurite runs on this machine"
        await catalog.purge_others(clock() - 60)
        assert {table.name async for table in beside.list_tables()} >= {SHARED_TABLE}
        await catalog.purge_others(clock() + 60)
        names = {table.name async for table in beside.list_tables()}
        assert SHARED_TABLE not in names
        assert table_of(settings) in names
        await own.delete_table()
