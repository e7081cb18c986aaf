"""A dry run shows what a sweep would do and writes nothing; a sweep completes the catalog whatever its findings do."""

import pytest

from shared.catalog.memory import MemoryCatalog
from shared.domain.errors import Transient
from tests.support.deployment import REGIONS, a_vm, a_world, run_scenario, vm_id, zone_id

EAST, WEST, _ = REGIONS
WRITES = [name for name in dir(MemoryCatalog) if name.startswith(("put_", "mark_", "purge_", "remove_", "record_"))]
WRITES.remove("put_process_counters")  # A process keeps what it has counted, whatever it did.


def fleet():
    return a_world(a_vm("e-1", EAST, 4), a_vm("w-1", WEST, 4), a_vm("cold", EAST, 6, power="deallocated"))


class Watched(MemoryCatalog):
    """A catalog that remembers what was written to it."""

    def __init__(self):
        super().__init__()
        self.written = []


def watched(name):
    async def write(self, *args, **more):
        self.written.append(name)
        return await getattr(MemoryCatalog, name)(self, *args, **more)

    return write


for each in (*WRITES, "index", "add_history", "acquire", "release"):
    setattr(Watched, each, watched(each))


@pytest.mark.parametrize("swept", [False, True])
def test_a_dry_run_shows_what_the_sweep_then_writes_and_writes_nothing(swept):
    catalog = Watched()

    async def story(stage):
        if swept:
            await stage.app.correct_drift()
            stage.arm("DELETE", f"{stage.app.settings.zones[0].id}/A/llama")
            await stage.finish_operations()
        catalog.written.clear()
        plan = (await stage.resync(dry_run=True)).as_json()
        assert catalog.written == []
        assert plan["changes"]
        assert (await stage.resync()).as_json()["changes"] == plan["changes"]
        assert not stage.wrong_answers()

    run_scenario(story, fleet(), catalog=catalog)


class WithoutFindings(MemoryCatalog):
    """Cannot keep findings while it is `full`."""

    full = False

    async def put_findings(self, found, etag):
        if self.full:
            raise Transient("ServerBusy")
        return await super().put_findings(found, etag)


def test_a_sweep_that_cannot_keep_its_findings_fails_and_the_catalog_is_complete_all_the_same():
    """Otherwise events could remove no dead address for as long as the findings cannot be written."""
    catalog = WithoutFindings()

    async def story(stage):
        await stage.app.correct_drift()
        stage.restart(catalog, NEARZONE_TTL="31")
        stage.arm("PUT", f"{zone_id(EAST)}/A/foreign", {"properties": {"ttl": 30, "aRecords": []}})
        stage.arm("PATCH", vm_id("e-1"), {"tags": {"nearzone": "llama, foreign"}})
        catalog.full = True
        assert not await stage.app.applier.complete_epoch()
        with pytest.raises(Transient, match="ServerBusy"):
            await stage.app.correct_drift()
        assert await stage.app.applier.complete_epoch()

    run_scenario(story, fleet(), catalog=catalog)
