"""What every catalog promises; a new implementation joins the list and passes the same tests."""

import pytest

from shared.catalog.memory import MemoryCatalog
from shared.errors import Conflict
from shared.model import Dirty, Drain, EndpointRow, Marker, Urgency, Write
from tests.pure_values import vm

CATALOGS = [MemoryCatalog]
ROW = EndpointRow(vm("a", "10.0.0.1"), frozenset({"llama"}), 1.0)
KEY = ROW.endpoint.key


@pytest.fixture(params=CATALOGS)
def catalog(request):
    return request.param()


async def test_a_row_is_created_only_where_there_is_none(catalog):
    assert await catalog.endpoint(KEY) is None
    await catalog.put_endpoint(ROW, None)
    assert (await catalog.endpoint(KEY)).value == ROW
    with pytest.raises(Conflict):
        await catalog.put_endpoint(ROW, None)


async def test_a_row_changes_only_from_the_version_that_was_read_and_every_write_makes_a_new_one(catalog):
    first = await catalog.put_endpoint(ROW, None)
    second = await catalog.put_endpoint(ROW, first)
    assert first != second, "writing the same again is a new version: that stops a slower handler"
    with pytest.raises(Conflict):
        await catalog.put_endpoint(ROW, first)
    with pytest.raises(Conflict):
        await catalog.purge_endpoint(KEY, first)
    await catalog.purge_endpoint(KEY, second)
    assert await catalog.endpoints() == ()
    with pytest.raises(Conflict):
        await catalog.put_endpoint(ROW, second)


async def test_the_index_leads_from_a_name_to_the_rows_that_are_there(catalog):
    await catalog.index("llama", KEY, 1.0)
    await catalog.index("llama", "nobody", 1.0)
    assert await catalog.claimants("llama") == ()
    await catalog.put_endpoint(ROW, None)
    assert await catalog.claimants("llama") == (ROW,)
    assert await catalog.claimants("mistral") == ()


async def test_an_index_row_that_was_upserted_again_is_not_purged(catalog):
    await catalog.index("llama", KEY, 1.0)
    (old,) = await catalog.indexed()
    await catalog.index("llama", KEY, 2.0)
    with pytest.raises(Conflict):
        await catalog.purge_index(old)
    (new,) = await catalog.indexed()
    assert new.value.at == 2.0
    await catalog.purge_index(new)
    assert await catalog.indexed() == ()


async def test_a_mark_always_changes_the_version_and_keeps_what_was_worse(catalog):
    await catalog.mark(Dirty("z", "llama", Urgency.WITHDRAW, 5.0, adopt=True))
    first = await catalog.dirty_name("z", "llama")
    await catalog.put_dirty(Dirty("z", "llama", Urgency.WITHDRAW, 5.0, False, True, 3, 9.0, "why"), first.etag)
    failed = await catalog.dirty_name("z", "llama")
    await catalog.mark(Dirty("z", "llama", Urgency.OTHER, 7.0, cleared=True))
    again = await catalog.dirty_name("z", "llama")
    assert len({first.etag, failed.etag, again.etag}) == 3
    assert again.value == Dirty("z", "llama", Urgency.WITHDRAW, 5.0, True, True, 3, 9.0, "why")
    with pytest.raises(Conflict):
        await catalog.clear("z", "llama", failed.etag)
    await catalog.clear("z", "llama", again.etag)
    assert await catalog.dirty("z") == ()
    with pytest.raises(Conflict):
        await catalog.put_dirty(again.value, again.etag)


async def test_names_are_dirty_zone_by_zone(catalog):
    await catalog.mark(Dirty("z", "llama"))
    assert await catalog.dirty("y") == ()
    assert [row.value.name for row in await catalog.dirty("z")] == ["llama"]


async def test_a_zone_has_one_holder_until_the_lease_is_released_or_ends(catalog):
    assert (await catalog.acquire("z", "me", 0.0, 60.0)).expires == 60.0
    assert await catalog.acquire("z", "you", 59.0, 60.0) is None
    assert (await catalog.acquire("z", "me", 30.0, 60.0)).expires == 90.0, "the holder prolongs it"
    assert (await catalog.acquire("z", "you", 90.0, 60.0)).expires == 150.0, "it ended"
    await catalog.release("z", "me", ())
    assert await catalog.acquire("z", "me", 91.0, 60.0) is None, "nobody releases another's lease"
    await catalog.release("z", "you", ())
    assert (await catalog.acquire("z", "me", 92.0, 60.0)).expires == 152.0
    assert (await catalog.acquire("y", "you", 92.0, 60.0)) is not None


async def test_the_next_holder_learns_what_was_written_or_that_nobody_knows(catalog):
    wrote = (Write("create", "llama", 10.5), Write("delete", "mistral", 11.25))
    assert (await catalog.acquire("z", "me", 0.0, 60.0)).spent == (), "nothing was written before"
    await catalog.release("z", "me", wrote)
    assert (await catalog.acquire("z", "you", 20.0, 60.0)).spent == wrote
    assert (await catalog.acquire("z", "you", 40.0, 60.0)).spent == wrote, "prolonged: still what came before"
    assert (await catalog.acquire("z", "me", 100.0, 60.0)).spent is None, "you let it expire: who knows what you wrote"
    assert (await catalog.acquire("z", "me", 130.0, 60.0)).spent is None
    await catalog.release("z", "me", wrote[:1])
    assert (await catalog.acquire("z", "you", 131.0, 60.0)).spent == wrote[:1]


async def test_the_marker_and_the_drain_orders_are_kept(catalog):
    assert await catalog.marker() == Marker()
    await catalog.put_marker(Marker("digest", 2.0))
    assert await catalog.marker() == Marker("digest", 2.0)
    await catalog.put_drain(Drain("eastus", 5.0))
    (old,) = await catalog.drains()
    await catalog.put_drain(Drain("eastus", 9.0))
    with pytest.raises(Conflict):
        await catalog.purge_drain("eastus", old.etag)
    assert [row.value for row in await catalog.drains()] == [Drain("eastus", 9.0)]
    await catalog.purge_drain("eastus")
    await catalog.purge_drain("eastus")
    assert await catalog.drains() == ()
