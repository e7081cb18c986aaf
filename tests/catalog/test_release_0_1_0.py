"""A catalog that release 0.1.0 has written is read row by row to what it meant, and the app goes on with it.

`release_0_1_0.json` was written by that release on a simulated storage account: a world, its zones and the table after
a story with a frozen zone, drained targets, a refused plan, a blocked name, a name whose writes fail, a deleted VM, a
VM with a faulty tag, a row that could not be read and a lease in force. `status` is what that release said of it.
"""

import asyncio
import json
from pathlib import Path

from azure.data.tables import TableEntity

from shared.catalog import dirty_rows
from shared.catalog.table import TableCatalog
from shared.domain.dirty import DirtyName, Urgency
from simulator.arm.front_door import Request
from simulator.tables import Tables
from tests.support.catalogs import client
from tests.support.deployment import REGIONS, run_scenario, vm_id, zone_id

KEPT = json.loads((Path(__file__).parent / "release_0_1_0.json").read_text(encoding="utf-8"))
EAST, WEST, ASIA = REGIONS
ZONES = [zone_id(region).lower() for region in REGIONS]
ORPHANS = {f"old-{number}" for number in range(5)}
"""Names that no endpoint claims: the guard refuses to remove their record sets."""
COMPUTED = {"waits_for", "status_from", "names"}
"""Fields of the status that are told from the rows, in words of a release."""


def played(story):
    """`story(stage, catalog)` at the instant at which the old release stopped, with its world and its table."""

    async def play(stage):
        await asyncio.sleep(KEPT["at"] - stage.clock())
        tables = Tables(stage.clock)
        for path, content in [("/Tables", {"TableName": "nearzone"}), *(("/nearzone", row) for row in KEPT["rows"])]:
            made = tables.handle(Request("POST", path, {}, {}, json.dumps(content).encode()))
            assert made.status < 300, content
        catalog = TableCatalog(client(tables))
        stage.restart(catalog)
        await story(stage, catalog)

    run_scenario(play, KEPT["world"] | {"settings": KEPT["settings"]})


def rows(partition):
    """The bodies of a partition's rows, as the old release has written them."""
    return [json.loads(row["body"]) for row in KEPT["rows"] if row["PartitionKey"] == partition]


def as_told(new, old):
    """What a list of the status tells now, by the keys that it had and that stand in rows."""
    return [{key: now.get(key) for key in before if key not in COMPUTED} for now, before in zip(new, old, strict=True)]


def test_the_status_tells_of_every_row_what_the_old_release_told():
    async def story(stage, catalog):
        told = await stage.app.status(full=True)
        for part in ("dirty", "blocked", "drains", "changes", "sweeps", "known"):
            old = KEPT["status"][part]
            assert as_told(told[part], old) == as_told(old, old), part
            assert old, "it was there to be told"
        assert told["refusals"] == KEPT["status"]["refusals"] != []
        assert [zone["frozen"] for zone in told["zones"]] == [zone["frozen"] for zone in KEPT["status"]["zones"]]
        assert told["zones"][-1]["frozen"], "Southeast Asia"

    played(story)


def test_rows_that_the_status_does_not_tell_are_read_as_well():
    async def story(stage, catalog):
        (state,) = rows("marker")
        read = (await catalog.state()).value
        assert (read.digest, read.epoch, read.completed_at) == (state["digest"], state["epoch"], state["completed_at"])
        indexed = sorted((each["name"], each["key"]) for each in rows("index"))
        assert sorted((row.value.name, row.value.key) for row in await catalog.indexed()) == indexed
        (counted,) = await catalog.process_counters()
        assert {(name, *labels): count for name, labels, count in counted.counts}["events", "accepted"] == 2
        assert counted.spreads
        assert await catalog.acquire(ZONES[0], "another", stage.clock(), 60.0) is None, "instance-b has it"
        assert await catalog.acquire(ZONES[1], "another", stage.clock(), 60.0)
        assert (await catalog.lease_holder(ZONES[0], 60.0)).holder == "instance-b"
        assert set(await catalog.owned(ZONES[0])) >= {"llama"}
        for zone in ZONES:
            log = (await catalog.log(zone, 0.0, stage.clock() + 1.0)).entries
            assert set(await catalog.history(zone)) <= set(log)
        assert [row.why for row in await catalog.bad_rows()] == ["Input data was truncated"], "of the old release"

    played(story)


def test_drain_sweep_and_orders_go_on_where_the_old_release_stopped():
    async def story(stage, catalog):
        frozen = stage.record(ASIA, "llama")
        await stage.deliver_pending_events(
            120
        )  # The lease of the instance that was stopped ends, and so does the failing name's back-off.
        assert (await stage.app.drain()).failures == []
        assert stage.record(WEST, "mistral") == ["10.2.0.4"], "what failed is written"
        assert (await stage.app.correct_drift()).failures == []
        assert (stage.record(ASIA, "llama"), stage.record(EAST, "old-1")) == (frozen, ["10.1.9.1"])
        await stage.resync(unfreeze={"zone": ASIA})
        assert {name for _, name in stage.wrong_answers({vm_id("e-2").lower()})} == ORPHANS, (
            "the drained endpoint stays out"
        )
        await stage.resync(undrain={"endpoint": vm_id("e-2")})
        assert {name for _, name in stage.wrong_answers()} == ORPHANS
        told = await stage.app.status(full=True)
        assert (told["dirty"], told["drains"], len(told["refusals"])) == ([], [], 3)
        assert len(await catalog.bad_rows()) == 1, "no row of its own is told to be unreadable"

    played(story)


URGENCY_COLUMNS = {
    "urgency_withdraw": Urgency.WITHDRAW,
    "urgency_first": Urgency.FIRST_ADDRESS,
    "urgency_more": Urgency.MORE_ADDRESSES,
    "urgency_host_withdraw": Urgency.HOST_WITHDRAW,
    "urgency_host_first": Urgency.HOST_FIRST_ADDRESS,
    "urgency_other": Urgency.OTHER,
}


def test_every_urgency_has_the_column_and_the_word_of_the_old_release():
    async def story(stage, catalog):
        zone = ZONES[0]
        assert set(URGENCY_COLUMNS.values()) == set(Urgency)
        for column, urgency in URGENCY_COLUMNS.items():
            name = column.replace("_", "-")
            row = dirty_rows.read_dirty(zone, entity({"body": json.dumps({"name": name}), column: True}))
            assert row.value.urgency == urgency
            assert dirty_rows.encode_dirty(row.value)[column] is True
            await catalog.mark_dirty(DirtyName(zone, name, urgency))
        told = (await stage.app.page("dirty"))["items"]
        words = {each["name"]: each["urgency"] for each in told if each["name"].startswith("urgency-")}
        assert words == {column.replace("_", "-"): column.removeprefix("urgency_") for column in URGENCY_COLUMNS}

    played(story)


def entity(columns):
    """A row as the SDK gives it."""
    found = TableEntity(columns)
    found._metadata = {"etag": "W/\"datetime'2027-01-15T08%3A00%3A00.0000000Z'\"", "timestamp": None}
    return found
