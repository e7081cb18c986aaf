"""One zone, a catalog that knows some hosts, and processes that apply what is dirty, in virtual time."""

import asyncio
import itertools
from collections import Counter
from dataclasses import replace

from shared.catalog.memory import MemoryCatalog
from shared.domain.catalog_state import CatalogState
from shared.domain.dirty import DirtyName, Urgency
from shared.domain.endpoints import EndpointRow
from shared.domain.errors import Conflict
from shared.edge.report import Report
from shared.loop.zone.apply import ZoneApplier
from shared.loop.zone.services import LoopServices
from tests.support.small_world import in_virtual_time
from tests.support.values import LATENCY, parsed, vm

SETTINGS = parsed()


(ZONE,) = SETTINGS.zones


READ, WRITE, STEP = 0.17, 0.66, 0.01
"""Seconds that a read and a write of Azure, and a call of the catalog take."""


class Sets:
    """A zone's record sets. `pages`: how long its list is. `writes`: when each began, and of what name."""

    def __init__(self, clock, held=(), pages=1):
        self.clock, self.pages, self.writes, self.asked = clock, pages, [], Counter()
        self.held = {each.name: each for each in held}
        self._etags = itertools.count(1)
        self.fails = {}

    async def get(self, zone, name):
        self.asked["get"] += 1
        await asyncio.sleep(READ)
        return self.held.get(name)

    async def list(self, zone, before_page):
        for _ in range(self.pages):
            await before_page()
            self.asked["list"] += 1
            await asyncio.sleep(READ)
        return list(self.held.values())

    async def put(self, zone, record_set, etag):
        await self._write(record_set.name, etag)
        self.held[record_set.name] = replace(record_set, etag=str(next(self._etags)))
        return self.held[record_set.name]

    async def delete(self, zone, name, etag):
        await self._write(name, etag)
        del self.held[name]

    async def _write(self, name, etag):
        self.writes.append((self.clock(), name))
        await asyncio.sleep(WRITE)
        if name in self.fails:
            raise self.fails[name]
        held = self.held.get(name)
        if (held.etag if held else None) != etag:
            raise Conflict("HTTP 412")


class Slow:
    """One process's way to a shared catalog: each call takes its time, half of it on the way back.

    `going`: cleared while the process is paused. `fails_once`: calls whose next one raises this.
    """

    def __init__(self, whole):
        self.whole, self.calls, self.back, self.going = whole, Counter(), {}, asyncio.Event()
        self.fails_once = {}
        self.going.set()

    def __getattr__(self, name):
        async def call(*arguments):
            self.calls[name] += 1
            await asyncio.sleep(STEP / 2)
            await self.going.wait()
            if name in self.fails_once:
                raise self.fails_once.pop(name)
            result = await getattr(self.whole, name)(*arguments)
            await asyncio.sleep(self.back.get(name, STEP / 2))
            await self.going.wait()
            return result

        return call


class Bench:
    """A zone, a catalog that knows some hosts, and processes that apply. `at`: seconds since the beginning."""

    def __init__(self, clock, hosts, held, pages):
        self.clock, self.began, self.whole = clock, clock(), MemoryCatalog()
        self.sets = Sets(clock, held, pages)
        self.hosts = [f"vm-{number}" for number in range(hosts)]

    async def know(self, **changed):
        await self.whole.put_state(CatalogState(SETTINGS.digest, self.began, self.began, epoch="e"), None)
        for number, name in enumerate(self.hosts):
            endpoint = vm(name, f"10.0.{number // 250}.{1 + number % 250}", tagged=(), own=name)
            await self.whole.put_endpoint(EndpointRow(endpoint), None)
            await self.whole.index(name, endpoint.key, 1.0)

    def applier(self, holder="one"):
        return ZoneApplier(LoopServices(Slow(self.whole), self.sets, SETTINGS, LATENCY, self.clock, holder))

    async def mark(self, *names, urgency=Urgency.HOST_FIRST_ADDRESS):
        for name in names:
            await self.whole.mark_dirty(DirtyName(ZONE.key, name, urgency, self.clock()))

    async def drain(self, applier, seconds, *, wait=False):
        report = Report("drain")
        await applier.apply((ZONE,), self.clock() + seconds, report, keep_waiting=wait, count_remaining=wait)
        return report

    @property
    def at(self):
        return self.clock() - self.began

    def written(self, before=float("inf")):
        return [name for at, name in self.sets.writes if at - self.began < before]


def played(story, hosts=0, held=(), pages=1):
    async def play(loop):
        bench = Bench(loop.time, hosts, held, pages)
        await bench.know()
        await story(bench)

    in_virtual_time(play)
