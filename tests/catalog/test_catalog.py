"""What every catalog promises; a new implementation joins the list and passes the same tests."""

import asyncio
import hashlib
from contextlib import suppress
from dataclasses import replace

import pytest

from shared.domain.alarms import Alarm
from shared.domain.catalog_state import CatalogState, SweepSummary, WriteStamp
from shared.domain.counters import BUCKETS, Histogram, ProcessCounters
from shared.domain.dirty import DirtyName, RecordChange, Urgency
from shared.domain.endpoints import EndpointRow, State
from shared.domain.errors import Conflict
from shared.domain.overrides import Override
from shared.domain.zone_findings import BlockedName, KeptRecord, Obstacle, ZoneFindings
from tests.support.catalogs import opened
from tests.support.values import vm

ROW = EndpointRow(vm("a", "10.0.0.1"), frozenset({"llama"}), 1.0)
KEY = ROW.endpoint.key


@pytest.fixture(params=["memory", "simulated", "azurite"])
async def shared(request):
    async for each in opened(request):
        yield each


@pytest.fixture
async def catalog(shared):
    return await shared.open()


@pytest.fixture
async def other(shared, catalog):
    """The same catalog as another process has it."""
    return await shared.open()


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
    await catalog.mark_dirty(DirtyName("z", "llama", Urgency.WITHDRAW, 5.0, adopt=True))
    first = await catalog.dirty_name("z", "llama")
    await catalog.put_dirty(DirtyName("z", "llama", Urgency.WITHDRAW, 5.0, False, True, 3, 9.0, "why"), first.etag)
    failed = await catalog.dirty_name("z", "llama")
    await catalog.mark_dirty(DirtyName("z", "llama", Urgency.OTHER, 7.0, cleared=True))
    again = await catalog.dirty_name("z", "llama")
    assert len({first.etag, failed.etag, again.etag}) == 3
    assert again.value == DirtyName("z", "llama", Urgency.WITHDRAW, 5.0, True, True, 3, 9.0, "why")
    with pytest.raises(Conflict):
        await catalog.remove_dirty("z", "llama", failed.etag)
    await catalog.remove_dirty("z", "llama", again.etag)
    assert await catalog.dirty("z") == ()
    with pytest.raises(Conflict):
        await catalog.put_dirty(again.value, again.etag)


async def test_names_are_dirty_zone_by_zone(catalog):
    await catalog.mark_dirty(DirtyName("z", "llama"))
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
    wrote = (WriteStamp("create", "llama", 10.5), WriteStamp("delete", "mistral", 11.25))
    assert (await catalog.acquire("z", "me", 0.0, 60.0)).recent_writes == (), "nothing was written before"
    await catalog.release("z", "me", wrote)
    assert (await catalog.acquire("z", "you", 20.0, 60.0)).recent_writes == wrote
    assert (await catalog.acquire("z", "you", 40.0, 60.0)).recent_writes == wrote, "prolonged: still what came before"
    assert (await catalog.acquire("z", "me", 100.0, 60.0)).recent_writes is None, (
        "you let it expire: who knows what you wrote"
    )
    assert (await catalog.acquire("z", "me", 130.0, 60.0)).recent_writes is None
    await catalog.release("z", "me", wrote[:1])
    assert (await catalog.acquire("z", "you", 131.0, 60.0)).recent_writes == wrote[:1]


async def test_the_marker_is_written_only_over_the_one_that_was_read(catalog):
    assert await catalog.state() is None
    first = await catalog.put_state(CatalogState("digest", 2.0, epoch="one"), None)
    stored = await catalog.state()
    assert (stored.value, stored.etag) == (CatalogState("digest", 2.0, epoch="one"), first)
    with pytest.raises(Conflict):
        await catalog.put_state(CatalogState(), None)
    second = await catalog.put_state(CatalogState(epoch="two"), first)
    with pytest.raises(Conflict):
        await catalog.put_state(CatalogState(), first)
    assert (await catalog.state()).etag == second


async def test_drain_orders_are_kept(catalog):
    await catalog.put_override(Override("eastus", 5.0))
    (old,) = await catalog.overrides()
    await catalog.put_override(Override("eastus", 9.0))
    with pytest.raises(Conflict):
        await catalog.purge_override("eastus", old.etag)
    assert [row.value for row in await catalog.overrides()] == [Override("eastus", 9.0)]
    await catalog.purge_override("eastus")
    await catalog.purge_override("eastus")
    assert await catalog.overrides() == ()


async def test_each_process_sees_and_condition_what_the_others_have_written(catalog, other):
    etag = await catalog.put_endpoint(ROW, None)
    stored = await other.endpoint(KEY)
    assert (stored.value, stored.etag) == (ROW, etag)
    newer = await other.put_endpoint(EndpointRow(ROW.endpoint, frozenset(), 2.0), etag)
    with pytest.raises(Conflict):
        await catalog.put_endpoint(ROW, etag)
    assert [row.etag for row in await catalog.endpoints()] == [newer]
    await catalog.index("llama", KEY, 1.0)
    assert [row.endpoint.key for row in await other.claimants("llama")] == [KEY]
    await catalog.mark_dirty(DirtyName("z", "llama"))
    (dirty,) = await other.dirty("z")
    await other.remove_dirty("z", "llama", dirty.etag)
    assert await catalog.dirty("z") == ()
    await catalog.put_state(CatalogState("digest", 2.0), None)
    await catalog.put_override(Override("eastus", 5.0))
    assert (await other.state()).value == CatalogState("digest", 2.0)
    assert [row.value for row in await other.overrides()] == [Override("eastus", 5.0)]


async def test_of_those_who_race_for_a_zone_exactly_one_gets_it(catalog, other):
    for now in (0.0, 100.0, 200.0):  # first a zone that nobody had, then one whose lease has ended
        racers = [each.acquire("z", who, now, 60.0) for each, who in ((catalog, "me"), (other, "you")) * 2]
        got = await asyncio.gather(*racers)
        holders = {"me" if lease is got[0] or lease is got[2] else "you" for lease in got if lease}
        assert len(holders) == 1
        assert [lease.expires for lease in got if lease] == [now + 60.0] * 2, "once held, the holder prolongs it"


async def test_a_holder_prolongs_from_many_tasks_at_once_and_the_others_stay_out(catalog, other):
    await catalog.acquire("z", "me", 0.0, 60.0)
    leases = await asyncio.gather(*(catalog.acquire("z", "me", float(now), 60.0) for now in range(4)))
    assert all(leases)
    assert await other.acquire("z", "you", 4.0, 56.0) is None
    await catalog.release("z", "me", ())
    assert await other.acquire("z", "you", 4.0, 60.0)
    await catalog.release("z", "me", ())
    assert await catalog.acquire("z", "me", 5.0, 60.0) is None


async def test_a_lease_that_was_lost_meanwhile_is_neither_prolonged_nor_given_back(catalog, other):
    assert await catalog.acquire("z", "me", 0.0, 60.0)
    assert (await other.acquire("z", "you", 60.0, 60.0)).recent_writes is None
    await catalog.release("z", "me", [WriteStamp("create", "late", 61.0)])
    assert await catalog.acquire("z", "me", 62.0, 60.0) is None
    await other.release("z", "you", ())
    assert (await catalog.acquire("z", "me", 63.0, 60.0)).recent_writes == ()


async def test_a_zone_that_was_given_back_elsewhere_is_free_at_once(catalog, other):
    assert await catalog.acquire("z", "me", 0.0, 60.0)
    await other.release("z", "me", [WriteStamp("create", "llama", 0.5)])
    assert (await catalog.acquire("z", "you", 1.0, 60.0)).recent_writes == (WriteStamp("create", "llama", 0.5),)


async def test_a_full_minute_of_writes_is_handed_on(catalog, other):
    name = "n" * 60
    wrote = tuple(
        WriteStamp(kind, f"{name}{n:03}", 1795475091.123456 + n) for kind in ("create", "update") for n in range(86)
    )
    await catalog.acquire("z", "me", 0.0, 60.0)
    await catalog.release("z", "me", wrote)
    assert (await other.acquire("z", "you", 1.0, 60.0)).recent_writes == wrote


async def test_a_mark_that_races_with_a_clear_is_never_lost(catalog, other):
    for _ in range(10):
        await catalog.mark_dirty(DirtyName("z", "llama", Urgency.OTHER, 5.0))
        seen = await other.dirty_name("z", "llama")

        async def clear(etag=seen.etag):
            with suppress(Conflict):
                await other.remove_dirty("z", "llama", etag)

        await asyncio.gather(clear(), catalog.mark_dirty(DirtyName("z", "llama", Urgency.WITHDRAW, 6.0)))
        left = await other.dirty_name("z", "llama")
        assert left.value.urgency == Urgency.WITHDRAW
        assert left.value.since in (5.0, 6.0)
        await other.remove_dirty("z", "llama", left.etag)


async def test_marks_at_the_same_time_add_up(catalog, other):
    rows = [
        DirtyName("z", "llama", Urgency.MORE_ADDRESSES),
        DirtyName("z", "llama", Urgency.FIRST_ADDRESS, cleared=True),
    ]
    rows += [DirtyName("z", "llama", Urgency.OTHER, adopt=True), DirtyName("z", "mistral")]
    await asyncio.gather(*(each.mark_dirty(row) for row, each in zip(rows, (catalog, other) * 2, strict=True)))
    found = {row.value.name: row.value for row in await catalog.dirty("z")}
    assert found == {
        "llama": DirtyName("z", "llama", Urgency.FIRST_ADDRESS, cleared=True, adopt=True),
        "mistral": DirtyName("z", "mistral"),
    }


@pytest.mark.parametrize("urgency", list(Urgency))
async def test_every_urgency_is_kept(catalog, urgency):
    await catalog.mark_dirty(DirtyName("z", "llama", urgency))
    await catalog.mark_dirty(DirtyName("z", "mistral", Urgency.OTHER))
    await catalog.mark_dirty(DirtyName("z", "mistral", urgency))
    assert {row.value.urgency for row in await catalog.dirty("z")} == {urgency}


ODD = ["a" * 63, "A", "a_b.c", "it's", "a/b", "x y#?%2f", "é", "-", "a" * 64, hashlib.sha256(b"A").hexdigest()]


async def test_names_zones_and_endpoints_may_be_long_and_odd_and_are_told_apart(catalog):
    zone = "/subscriptions/s/resourcegroups/{}/providers/microsoft.network/privatednszones/ai.internal"
    zones = [zone.format(group) for group in ("g" * 90, "g" * 89 + "h", "a(b).c_d'e")]
    for each in zones:
        for name in ODD:
            await catalog.mark_dirty(DirtyName(each, name))
    for each in zones:
        rows = await catalog.dirty(each)
        assert sorted((row.value.zone, row.value.name) for row in rows) == sorted((each, name) for name in ODD)
        assert (await catalog.dirty_name(each, "it's")).value == DirtyName(each, "it's")
    endpoints = [EndpointRow(vm(f"vm(1)_{group}é", "10.0.0.1", group=group)) for group in ("g" * 90, "G.h_(i)")]
    for row in endpoints:
        await catalog.put_endpoint(row, None)
        for name in ODD:
            await catalog.index(name, row.endpoint.key, 1.0)
    for name in ODD:
        assert {row.endpoint.key for row in await catalog.claimants(name)} == {row.endpoint.key for row in endpoints}
    assert {(row.value.name, row.value.key) for row in await catalog.indexed()} == {
        (name, row.endpoint.key) for name in ODD for row in endpoints
    }
    await catalog.put_override(Override(endpoints[0].endpoint.key, 1.0))
    await catalog.purge_override(endpoints[0].endpoint.key)
    assert await catalog.overrides() == ()


async def test_times_keep_their_full_precision(catalog):
    time = 1795475091.1234567
    await catalog.mark_dirty(DirtyName("z", "llama", since=time))
    (row,) = await catalog.dirty("z")
    await catalog.put_dirty(DirtyName("z", "llama", since=time, attempts=3, not_before=time + 1e-6), row.etag)
    assert (await catalog.dirty_name("z", "llama")).value == DirtyName(
        "z", "llama", since=time, attempts=3, not_before=time + 1e-6
    )
    await catalog.put_endpoint(EndpointRow(ROW.endpoint, frozenset(), time), None)
    assert (await catalog.endpoint(KEY)).value.seen_at == time
    await catalog.index("llama", KEY, time)
    assert [row.value.at for row in await catalog.indexed()] == [time]
    assert (await catalog.acquire("z", "me", time, 60.0)).expires == time + 60.0
    await catalog.release("z", "me", [WriteStamp("create", "llama", time)])
    assert (await catalog.acquire("z", "me", time, 60.0)).recent_writes == (WriteStamp("create", "llama", time),)
    await catalog.put_state(CatalogState("digest", time, time), None)
    assert (await catalog.state()).value == CatalogState("digest", time, time)
    await catalog.put_override(Override("eastus", time))
    assert [row.value for row in await catalog.overrides()] == [Override("eastus", time)]


async def test_every_fact_about_an_endpoint_is_kept(catalog):
    for state in State:
        endpoint = vm(state, ("10.0.0.1", "vnet"), own="own", tagged=("a", "b"), state=state, doubt="d", faults=("f",))
        row = EndpointRow(endpoint, frozenset({"a", "own"}), 3.5)
        await catalog.put_endpoint(row, None)
        assert (await catalog.endpoint(endpoint.key)).value == row


@pytest.mark.parametrize("count", [5, 60])
async def test_few_and_many_claimants_of_a_name_are_all_found(catalog, count):
    keys = []
    for number in range(count):
        row = EndpointRow(vm(f"vm{number}", "10.0.0.1"))
        keys.append(row.endpoint.key)
        await catalog.put_endpoint(row, None)
        await catalog.index("llama", keys[-1], 1.0)
    await catalog.index("llama", "gone", 1.0)
    assert sorted(row.endpoint.key for row in await catalog.claimants("llama")) == sorted(keys)


def changed(name, at, **fields):
    known = {"kind": "update", "before": ("10.0.0.1",), "after": ("10.0.0.2",), "reason": "r", "cause": f"event {at}"}
    return RecordChange(name, at, **known | fields)


async def test_a_names_history_and_its_zones_are_kept_newest_first_for_every_process(catalog, other):
    await catalog.add_history("z", [changed("a", 1.0), changed("b", 2.0)])
    await other.add_history("z", [changed("a", 3.0)])
    assert await catalog.history("z", "a") == (changed("a", 3.0), changed("a", 1.0))
    assert await other.history("z") == (changed("a", 3.0), changed("b", 2.0), changed("a", 1.0))
    assert [await catalog.history(zone, name) for zone, name in (("z", "c"), ("y", "a"))] == [(), ()]


async def test_history_has_a_bound_for_each_name_and_for_a_zone(catalog):
    for start in (0, 40):
        await catalog.add_history("z", [changed("a", float(at)) for at in range(start, start + 40)])
    assert [each.at for each in await catalog.history("z", "a")] == [float(at) for at in range(79, 69, -1)]
    assert [each.at for each in await catalog.history("z")] == [float(at) for at in range(79, 29, -1)]


async def test_history_fits_into_its_row_however_long_the_answers_are(catalog):
    many = tuple(f"10.100.100.{n}" for n in range(100, 120))
    await catalog.add_history(
        "z", [changed("a", float(n), before=many, after=many, reason="r" * 400) for n in range(60)]
    )
    found = await catalog.history("z")
    assert 20 < len(found) < 50
    assert found[0].at == 59.0


async def test_what_has_not_changed_since_is_forgotten_but_not_what_is_ours(catalog):
    await catalog.add_history("z", [changed("old", 5.0), changed("new", 20.0), changed("gone", 5.0, kind="delete")])
    await catalog.add_history("y", [changed("old", 9.5)])
    await catalog.mark_dirty(DirtyName("z", "old"))
    await catalog.purge_history(10.0, {"z"})
    of = (("z", "old"), ("z", "gone"), ("y", "old"), ("y",), ("z", "new"), ("z",))
    assert [len(await catalog.history(*each)) for each in of] == [1, 0, 0, 0, 1, 3]
    assert len(await catalog.dirty("z")) == 1
    assert sorted(await catalog.owned("z")) == ["new", "old"]


async def test_what_was_made_or_changed_is_known_as_ours_until_it_is_removed(catalog, other):
    await catalog.add_history("z", [changed("a", 1.0), changed("b", 1.0), changed("a", 2.0, kind="delete")])
    assert sorted(await other.owned("z")) == ["b"]
    assert [await other.is_owned("z", name) for name in ("a", "b", "c")] == [False, True, False]
    await other.add_history("z", [changed("a", 3.0, kind="create")])
    assert sorted(await catalog.owned("z")) == ["a", "b"]
    assert not await catalog.owned("y")


async def test_what_is_found_to_be_ours_is_kept_without_a_history_and_beside_one(catalog, other):
    await catalog.add_history("z", [changed("b", 1.0, kind="delete")])
    await catalog.record_owned("z", ["a", "b"])
    assert sorted(await other.owned("z")) == ["a", "b"]
    assert [len(await other.history("z", name)) for name in ("a", "b")] == [0, 1]
    await catalog.add_history("z", [changed("a", 5.0)])
    assert len(await other.history("z", "a")) == 1


async def test_what_was_written_since_it_was_read_stays_known_as_ours(catalog, other):
    await catalog.record_owned("z", ["a", "b"])
    known = await catalog.owned("z")
    await other.add_history("z", [changed("a", 5.0)])
    await catalog.remove_owned("z", known)
    assert sorted(await catalog.owned("z")) == ["a"]
    await catalog.purge_history(10.0, {"z"})
    assert len(await catalog.history("z", "a")) == 1


async def test_what_was_found_of_a_zone_is_replaced_only_by_those_who_have_read_it(catalog, other):
    found = ZoneFindings("z", ("refused",), (Alarm("a", "b", "c", 2, ("d",)),), (BlockedName("n", Obstacle.LOST),), 1)
    etag = await catalog.put_findings(found, None)
    assert (await other.findings("z")).value == found
    for stale in (None, "W/\"datetime'2026-11-23T00%3A00%3A00Z'\""):
        with pytest.raises(Conflict):
            await other.put_findings(ZoneFindings("z"), stale)
    await other.put_findings(ZoneFindings("z"), etag)
    assert (await catalog.findings("z")).value == ZoneFindings("z")
    assert await catalog.findings("y") is None


async def test_history_and_dirty_names_keep_who_has_asked_and_orders_are_about_no_name(catalog, other):
    who = {"by": "a@example.com (1)", "reason_given": "INC-7"}
    order = changed("*", 2.0, kind="drain", before=(), after=(), **who)
    await catalog.add_history("z", [changed("a", 1.0, **who), order])
    await other.add_history("z", [replace(order, at=3.0)])
    assert await other.history("z") == (replace(order, at=3.0), order, changed("a", 1.0, **who))
    assert await other.history("z", "a") == (changed("a", 1.0, **who),)
    assert sorted(await catalog.owned("z")) == ["a"]
    await catalog.mark_dirty(DirtyName("z", "a", cause="event 1"))
    await catalog.mark_dirty(DirtyName("z", "a", cause="drain", **who))
    (row,) = await other.dirty("z")
    assert (row.value.by, row.value.reason_given) == tuple(who.values())
    await catalog.put_dirty(replace(row.value, attempts=1), row.etag)
    assert (await other.dirty_name("z", "a")).value.by == who["by"]
    await catalog.put_override(Override("eastus", 9.0, **who))
    assert [each.value for each in await other.overrides()] == [Override("eastus", 9.0, **who)]


async def test_entries_of_several_processes_at_once_are_all_kept(catalog, other):
    await asyncio.gather(
        *(
            each.add_history("z", [changed("*", float(at), kind="drain")])
            for at, each in enumerate((catalog, other, catalog))
        )
    )
    assert [each.at for each in await catalog.history("z")] == [2.0, 1.0, 0.0]


async def test_the_log_has_every_entry_of_a_span_oldest_first_for_every_process(catalog, other):
    began = 1_800_000_000.0
    entries = [changed("a", began + at, reason=f"r{at}") for at in (0.0, 0.1234, 59.0, 61.5, 3600.0)]
    await catalog.add_history("z", [entries[3], *entries[:3]])
    await other.add_history("z", [entries[4]])
    await other.add_history("y", [changed("a", began)])
    found = await other.log("z", began, began + 3601.0)
    assert (found.entries, found.until) == (tuple(entries), began + 3601.0)
    assert (await catalog.log("z", began + 0.123, began + 61.5)).entries == tuple(entries[1:3])
    assert (await catalog.log("z", began + 0.124, began + 61.501)).entries == tuple(entries[2:4])
    assert (await catalog.log("z", began + 61.0, began + 62.0)).entries == (entries[3],), "one row is not older than it"
    assert (await catalog.log("x", began, began + 9.0)).entries == ()
    await catalog.purge_history(began + 3600.0, {"z"})
    assert (await other.log("z", 0.0, began + 9999.0)).entries == (entries[4],)
    assert (await other.log("y", 0.0, began + 9999.0)).entries == ()


async def test_the_log_keeps_more_than_the_histories_do_and_more_than_a_row_holds(catalog):
    many = tuple(f"10.100.100.{n}" for n in range(100, 120))
    entries = [changed(f"n{n % 7}", 1e9 + n / 100, before=many, after=many, reason=f"{n} " * 99) for n in range(600)]
    await catalog.add_history("z", entries)
    assert (await catalog.log("z", 1e9, 1e9 + 9)).entries == tuple(entries)


async def test_a_dirty_name_knows_who_marked_it_last(catalog):
    await catalog.mark_dirty(DirtyName("z", "a", since=1.0, cause="event 1"))
    await catalog.mark_dirty(DirtyName("z", "a", since=2.0, cause="event 2"))
    (row,) = await catalog.dirty("z")
    assert (row.value.cause, row.value.since) == ("event 2", 1.0)
    await catalog.put_dirty(replace(row.value, attempts=1), row.etag)
    assert (await catalog.dirty_name("z", "a")).value.cause == "event 2"


async def test_a_dirty_name_knows_what_the_zone_held_when_it_was_last_read(catalog, other):
    """Of marks and failed attempts the latest reading counts, and a mark that has read nothing takes nothing away."""
    await catalog.mark_dirty(DirtyName("z", "a", since=1.0))
    assert (await other.dirty_name("z", "a")).value.holds is None
    await catalog.mark_dirty(DirtyName("z", "a", since=2.0, holds=("10.0.0.1",), held_at=2.0))
    row = await other.dirty_name("z", "a")
    assert (row.value.holds, row.value.held_at) == (("10.0.0.1",), 2.0)
    await other.put_dirty(replace(row.value, attempts=1, holds=(), held_at=3.0), row.etag)
    for mark in (DirtyName("z", "a", since=4.0), DirtyName("z", "a", holds=("10.0.0.2",), held_at=2.5)):
        await catalog.mark_dirty(mark)
        row = await other.dirty_name("z", "a")
        assert (row.value.holds, row.value.held_at, row.value.attempts) == ((), 3.0, 1)


async def test_twenty_sweeps_with_long_errors_and_many_alarms_fit_into_the_marker(catalog, other):
    alarms = tuple(Alarm("a" * 400, "b" * 400, str(number), at=5.0) for number in range(50))
    sweeps = tuple(
        SweepSummary(float(at), 1.0, "c" * 100, failing=9, examples=("n" * 90,) * 3, error="e" * 300)
        for at in range(20)
    )
    await catalog.put_state(CatalogState("d", sweeps=sweeps, alarms=alarms, findings=alarms), None)
    kept = (await other.state()).value
    assert kept.sweeps == sweeps[: len(kept.sweeps)]
    assert len(kept.sweeps) > 10
    assert kept.alarms[0].at == 5.0


async def test_a_time_of_a_look_does_not_make_another_finding_of_it(catalog, other):
    held = (KeptRecord("n", ("10.0.0.1",), "refused", 7.0),)
    found = ZoneFindings("z", (), (Alarm("a", at=7.0),), (BlockedName("m", Obstacle.LOST, at=7.0),), 1, held, 1, 7.0)
    await catalog.put_findings(found, None)
    kept = (await other.findings("z")).value
    assert kept == found
    assert (kept.alarms[0].at, kept.blocked[0].at, kept.held[0].at) == (7.0, 7.0, 7.0)
    assert Alarm("a", at=7.0) == Alarm("a", at=8.0)


COUNTED = ProcessCounters(
    "0a1b",
    5.5,
    (("writes", ("eastus", "create"), 3.0), ("events", ("accepted",), 1.0)),
    (
        ("sweep.duration", (), Histogram() + 2.5),
        ("delivery_to_dns", ("eastus",), Histogram((1,) * (len(BUCKETS) + 1), 0.25)),
    ),
)


async def test_what_each_process_has_counted_is_kept_whole_and_written_over_by_itself_alone(catalog, other):
    assert await catalog.process_counters() == ()
    await catalog.put_process_counters(ProcessCounters("0a1b", 1.0))
    await other.put_process_counters(ProcessCounters("2c/3d", 2.0))
    await catalog.put_process_counters(COUNTED)
    assert sorted(await other.process_counters(), key=lambda each: each.instance) == [
        COUNTED,
        ProcessCounters("2c/3d", 2.0),
    ]


async def test_what_a_process_has_counted_is_removed_when_it_was_not_written_since(catalog, other):
    await catalog.put_process_counters(ProcessCounters("old", 1.0))
    await catalog.put_process_counters(ProcessCounters("new", 2.0))
    await other.purge_process_counters(2.0)
    assert await catalog.process_counters() == (ProcessCounters("new", 2.0),)
    await other.purge_process_counters(2.0)
    assert len(await catalog.process_counters()) == 1


async def test_the_figures_of_an_instance_fit_into_their_row_in_every_region_that_there_is(catalog):
    regions, kinds = [f"aregionofalongname{number:02}" for number in range(70)], ("create", "update", "delete")
    counts = [("writes", (region, kind), 123456.0) for region in regions for kind in kinds]
    counts += [(name, (r,), 123456.0) for r in regions for name in ("failures", "conflicts", "drift", "refused_plans")]
    spread = Histogram((100_000,) * (len(BUCKETS) + 1), 123456.789012)
    spreads = [("delivery_to_dns", (region,), spread) for region in regions]
    await catalog.put_process_counters(ProcessCounters("many", 1.0, tuple(counts), tuple(spreads)))
    assert [len(each.counts) for each in await catalog.process_counters()] == [len(counts)]
