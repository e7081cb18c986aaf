"""Housekeeping removes what nothing needs any more, and never what another instance may still need or has changed."""

import asyncio
from dataclasses import replace

from shared.catalog.memory import MemoryCatalog
from shared.domain.catalog_state import CatalogState
from shared.domain.dirty import RecordChange
from shared.domain.endpoints import EndpointRow, State
from shared.domain.probes import EvidencePage, VantageRow
from shared.loop.housekeeping import Housekeeping
from tests.support.values import vm, zone

ZONE = zone()
HOUR, DAY = 3600.0, 86_400.0
NOW = 100.5 * DAY
TODAY = CatalogState(attempted_at=NOW, completed_at=NOW - 600.0)
OLD, YOUNG = NOW - HOUR - 1.0, NOW - HOUR + 1.0
GONE = vm("a", "10.0.0.1", state=State.GONE)


async def purge(catalog, *, begun=TODAY, meanwhile=()):
    rows = {each.value.endpoint.key: each for each in await catalog.endpoints()}
    index = await catalog.indexed()
    for row in meanwhile:
        await catalog.put_endpoint(row, rows[row.endpoint.key].etag)
    await Housekeeping(catalog, (ZONE,)).purge(rows, index, begun, NOW)


def left(*rows, meanwhile=()):
    """The ids of the rows that stay."""

    async def story():
        catalog = MemoryCatalog()
        for row in rows:
            await catalog.put_endpoint(row, None)
        await purge(catalog, meanwhile=meanwhile)
        return {each.value.endpoint.id for each in await catalog.endpoints()}

    return asyncio.run(story())


def test_a_tombstone_goes_an_hour_after_the_endpoint_was_seen_gone():
    assert left(EndpointRow(GONE, seen_at=OLD)) == set()
    assert left(EndpointRow(GONE, seen_at=YOUNG)) == {GONE.id}


def test_the_row_of_an_endpoint_that_claims_nothing_goes_as_well_and_no_other_row():
    plain, serving = vm("b", "10.0.0.2", tagged=()), vm("c", "10.0.0.3")
    assert left(*(EndpointRow(each, seen_at=OLD) for each in (plain, serving))) == {serving.id}


def test_a_row_stays_while_its_recording_or_its_second_look_is_not_done():
    assert left(EndpointRow(GONE, frozenset({"llama"}), OLD)) == {GONE.id}
    assert left(EndpointRow(GONE, seen_at=OLD, missing_at=OLD)) == {GONE.id}


def test_a_row_that_has_changed_meanwhile_stays():
    back = EndpointRow(replace(GONE, state=State.SERVING), seen_at=NOW)
    assert left(EndpointRow(GONE, seen_at=OLD), meanwhile=[back]) == {GONE.id}


def test_an_index_row_goes_an_hour_after_the_endpoint_left_the_name():
    async def story():
        catalog, moved = MemoryCatalog(), vm("a", "10.0.0.1", tagged=("qwen",))
        await catalog.put_endpoint(EndpointRow(moved, seen_at=OLD), None)
        for name, at in (("llama", OLD), ("phi", YOUNG), ("qwen", OLD)):
            await catalog.index(name, moved.key, at)
        await purge(catalog)
        return {each.value.name for each in await catalog.indexed()}

    assert asyncio.run(story()) == {"phi", "qwen"}


def test_history_goes_once_a_day_30_days_after_the_last_change_of_its_name():
    async def story(begun, age):
        catalog = MemoryCatalog()
        past = RecordChange("llama", NOW - age, "delete", ("10.0.0.1",), (), "x", "y")
        await catalog.add_history(ZONE.key, [past])
        await purge(catalog, begun=begun)
        return len(await catalog.history(ZONE.key, "llama"))

    yesterday = replace(TODAY, completed_at=NOW - DAY)
    assert asyncio.run(story(TODAY, 31 * DAY)) == 1
    assert asyncio.run(story(yesterday, 30 * DAY + 1.0)) == 0
    assert asyncio.run(story(yesterday, 30 * DAY - 1.0)) == 1


def test_what_another_vantage_has_kept_goes_once_a_day_when_it_has_not_probed_for_a_day_and_only_where_we_probe():
    async def story(begun, age, vantage):
        catalog = MemoryCatalog()
        for other in ("eastus", "westus"):
            await catalog.put_vantage(VantageRow(other, at=NOW - age), None)
            await catalog.put_evidence(EvidencePage(other, 0))
        await Housekeeping(catalog, (ZONE,), vantage).purge({}, (), begun, NOW)
        assert await catalog.vantage("eastus")
        assert await catalog.evidence("eastus")
        return bool(await catalog.vantage("westus")), len(await catalog.evidence("westus"))

    yesterday = replace(TODAY, completed_at=NOW - DAY)
    assert asyncio.run(story(TODAY, 2 * DAY, "eastus")) == (True, 1)
    assert asyncio.run(story(yesterday, DAY - 1.0, "eastus")) == (True, 1)
    assert asyncio.run(story(yesterday, DAY + 1.0, "eastus")) == (False, 0)
    assert asyncio.run(story(yesterday, 2 * DAY, "")) == (True, 1)
