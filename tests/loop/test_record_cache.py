"""Record sets are read within the zone's budget, with few requests, and never too early for a decision."""

import asyncio
from collections import Counter

from shared.decide.rate_limit import LIMITS
from shared.domain.catalog_rows import Versioned
from shared.domain.catalog_state import WriteStamp
from shared.domain.dirty import DirtyName
from shared.domain.errors import Transient
from shared.domain.zones import RecordSet
from shared.loop.zone.record_cache import CACHE_TTL_SECONDS, PREFETCH_MAX_GETS, RecordSetCache
from shared.loop.zone.record_caches import MAX_CACHED, RecordCaches
from shared.loop.zone.record_reads import CachedRecordSet
from tests.support.small_world import in_virtual_time
from tests.support.values import zone

ZONE = zone()


class Sets:
    """A zone that counts how it is asked."""

    def __init__(self, clock, names=()):
        self.clock, self.asked, self.fails = clock, [], False
        self.held = {name: RecordSet(name, 30, ("10.0.0.1",), (), "etag") for name in names}

    async def get(self, zone, name):
        self.asked.append(("get", self.clock()))
        await asyncio.sleep(0.2)
        if self.fails:
            raise Transient("HTTP 500")
        return self.held.get(name)

    async def list(self, zone, before_page):
        found, names = [], sorted(self.held)
        for start in range(0, max(1, len(names)), 100):
            await before_page()
            self.asked.append(("list", self.clock()))
            await asyncio.sleep(0.3)
            found += [self.held[name] for name in names[start : start + 100]]
        return found

    def count(self):
        return Counter(kind for kind, _ in self.asked)


def played(story, *names):
    async def play(loop):
        sets = Sets(loop.time, names)
        await story(sets, RecordSetCache(sets, ZONE, loop.time), loop.time)

    in_virtual_time(play)


def row(name, etag="1"):
    return Versioned(DirtyName(ZONE.key, name), etag)


def test_lists_are_paced_page_by_page_and_the_last_page_does_not_wait():
    async def story(sets, cache, clock):
        begun = clock()
        assert len(await cache.reads.list_all()) == 25_000
        times = [at for _, at in sets.asked]
        assert max(sum(at <= each < at + 60 for each in times) for at in times) == LIMITS["list"]
        assert clock() - begun < 150

    played(story, *(f"n{i}" for i in range(25_000)))


def test_gets_are_paced():
    async def story(sets, cache, clock):
        await asyncio.gather(*(cache.reads.fetch(f"n{i}") for i in range(2 * LIMITS["get"])))
        times = [at for _, at in sets.asked]
        assert max(sum(at <= each < at + 60 for each in times) for at in times) == LIMITS["get"]

    played(story)


def test_a_list_with_more_pages_than_names_is_given_up():
    async def story(sets, cache, clock):
        await cache.fill_from_list([row("n1"), row("n2"), row("n3")])
        assert sets.count() == {"list": 3}
        assert cache.cached("n1") is None

    played(story, *(f"n{i}" for i in range(1000)))


def test_a_list_answers_for_every_dirty_name_also_for_those_without_a_record_set():
    async def story(sets, cache, clock):
        await cache.fill_from_list([row("n1", "7"), row("absent", "8")])
        assert (cache.cached("n1").record_set, cache.cached("n1").dirty_etag) == (sets.held["n1"], "7")
        assert (cache.cached("absent").record_set, cache.cached("absent").dirty_etag) == (None, "8")

    played(story, *(f"n{i}" for i in range(150)))


def test_a_list_answers_for_names_that_are_dirty_later_unless_they_have_changed_meanwhile():
    async def story(sets, cache, clock):
        reading = asyncio.ensure_future(cache.fill_from_list([row("n1"), row("n2")]))
        await asyncio.sleep(0.4)
        written = RecordSet("n3", 30, ("10.0.0.9",), (), "newer")
        cache.put("n3", CachedRecordSet(written, clock()))
        cache.invalidate("n4")
        await reading
        assert (cache.cached("n5").record_set, cache.cached("n5").dirty_etag) == (sets.held["n5"], None)
        assert cache.cached("later").record_set is None
        assert cache.cached("n3").record_set == written
        assert cache.cached("n4") is None
        cache.invalidate("later")
        assert cache.cached("later") is None
        cache.apply_foreign_writes([WriteStamp("create", "another", clock())])
        assert cache.cached("another") is None
        assert sets.count() == {"list": 2}

    played(story, *(f"n{i}" for i in range(150)))


def test_a_list_gives_way_to_what_was_written_while_it_was_read():
    async def story(sets, cache, clock):
        listed = await cache.reads.list_all()
        begun = clock() - 0.1
        written = RecordSet("n1", 30, ("10.0.0.9",), (), "newer")
        cache.put("n0", CachedRecordSet(None, clock()))
        cache.put("n1", CachedRecordSet(written, clock()))
        cache.put("n2", CachedRecordSet(None, begun - 1))
        found = {each.name: each for each in cache.merge_newer(listed, begun)}
        assert found == {"n1": written, "n2": sets.held["n2"]}

    played(story, "n0", "n1", "n2")


def test_a_prefetch_saves_a_request_but_does_not_count_as_read_after_the_row():
    async def story(sets, cache, clock):
        cache.prefetch("n1")
        await asyncio.sleep(1)
        known = await cache.cached_or_fetch(row("n1", "7"))
        assert (known.record_set, known.dirty_etag, sets.count()) == (sets.held["n1"], None, {"get": 1})
        assert (await cache.cached_or_fetch(row("n1", "7"))).dirty_etag == "7"

    played(story, "n1")


def test_prefetching_stops_long_before_the_budget_is_used_up():
    async def story(sets, cache, clock):
        for number in range(500):
            cache.prefetch(f"n{number}")
            await asyncio.sleep(0.01)
        await asyncio.sleep(1)
        assert sets.count()["get"] == PREFETCH_MAX_GETS

    played(story)


def test_a_prefetch_that_fails_fails_no_name():
    async def story(sets, cache, clock):
        sets.fails = True
        cache.prefetch("n1")
        await asyncio.sleep(1)
        sets.fails = False
        assert (await cache.cached_or_fetch(row("n1"))).record_set == sets.held["n1"]

    played(story, "n1")


def test_what_another_holder_has_written_since_is_forgotten():
    async def story(sets, cache, clock):
        cache.put("old", CachedRecordSet(sets.held["old"], clock()))
        cache.put("mine", CachedRecordSet(sets.held["mine"], clock()))
        cache.prefetch("early")
        await asyncio.sleep(1)
        cache.apply_foreign_writes([WriteStamp("update", "old", clock()), WriteStamp("update", "mine", clock() - 30)])
        assert cache.cached("old") is None
        assert cache.cached("mine")
        cache.apply_foreign_writes(None)
        assert cache.cached("mine") is None, "it is not known what was written"
        assert (await cache.cached_or_fetch(row("early", "3"))).dirty_etag == "3"

    played(story, "old", "mine", "early")


def test_the_caches_of_all_zones_together_are_bounded():
    async def story(sets, cache, clock):
        zones = (zone("westeurope", group="west"), zone("eastus", group="east"))
        caches = RecordCaches(zones, sets, clock)
        for number in range(MAX_CACHED):
            caches.put(zones[number % 2], f"n{number}", CachedRecordSet(None, clock()))
        assert sum(caches.of_zone(each).size for each in zones) == MAX_CACHED
        caches.put(zones[0], "one-more", CachedRecordSet(None, clock()))
        assert [caches.of_zone(each).size for each in zones] == [1, 0]

    played(story)


def test_a_record_set_is_used_for_an_hour():
    async def story(sets, cache, clock):
        cache.put("n1", CachedRecordSet(sets.held["n1"], clock()))
        await asyncio.sleep(CACHE_TTL_SECONDS - 1)
        assert cache.cached("n1")
        await asyncio.sleep(1)
        assert cache.cached("n1") is None

    played(story, "n1")
