"""Orders of people: kept in the catalog, so that every instance obeys them, and they outlive it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace

from shared.errors import BadRequest, Conflict
from shared.explain import because, moment
from shared.model import FOREVER, Cause, Order, Urgency, Zone
from shared.order_errors import kept, not_kept
from shared.plan import Skip
from shared.ports import EVERY_NAME, Catalog
from shared.record import Recorder
from shared.regions import suggestion
from shared.report import Report
from shared.resync import Resync


@dataclass(frozen=True)
class Orders:
    """Gives, ends and carries out orders. `clock`: seconds since the epoch. Raises Transient."""

    catalog: Catalog
    recorder: Recorder
    clock: Callable[[], float]
    regions: frozenset[str]
    """Those of the table of round-trip times and of NEARZONE_LATENCY."""

    async def drain(self, wanted: Resync) -> None:
        """Keep or drop a drain order, then mark the names that it is about: in this order nobody routes without it.

        Raises BadRequest for a region that is not known: the order would do nothing.
        """
        target = wanted.drain or wanted.undrain or ""
        with not_kept():
            await self._known("drain.region" if wanted.drain else "undrain.region", target)
        cause = because("drain order" if wanted.drain else "undrain", self.clock())
        if wanted.drain:
            with not_kept():
                await self.catalog.put_order(Order(target, self.clock() + 60.0 * wanted.drain_minutes))
        else:
            with not_kept("The order was NOT taken back"):
                await self.catalog.purge_order(target)
        with kept():
            await self._mark(Order(target, 0.0), cause)

    async def _known(self, field: str, target: str) -> None:
        """Azure may have endpoints in a region that neither the table nor the settings know."""
        if "/" in target or target in self.regions:  # No region has a slash, every endpoint's id does.
            return
        seen = {stored.value.endpoint.region for stored in await self.catalog.endpoints()}
        ordered = {stored.value.target for stored in await self.catalog.orders()}
        if target not in seen | ordered:
            meant = suggestion(target, self.regions | seen)
            known = "the table of round-trip times, of NEARZONE_LATENCY or of an endpoint that is known"
            raise BadRequest(f"{field}: {target[:200]!r} is not a region of {known}{meant}")

    async def freeze(self, zone: Zone, minutes: int) -> Report:
        """From now on nothing is written to a zone, but for what is under way this moment (10 s at the most).

        What the guard had let pass before is for the sweep to judge anew that ends the freeze.
        """
        until = self.clock() + 60.0 * minutes if minutes else FOREVER
        with not_kept():
            await self.catalog.put_order(Order(zone.key, until))
        with kept():
            rows = await self.catalog.dirty(zone.key)
            for row in rows:
                if row.value.cleared:
                    with suppress(Conflict):  # Settled, or marked again, in this moment.
                        await self.catalog.put_dirty(replace(row.value, cleared=False), row.etag)
        end = f"until {moment(until)}" if minutes else "until it is unfrozen"
        return Report("resync", skips=[Skip(zone.id, EVERY_NAME, f"frozen {end}")], left=len(rows))

    async def hurry(self, zones: Iterable[Zone], names: Collection[str] | None) -> None:
        """Try now what has failed (these names, None: all): who asks by hand has removed what stood in the way."""
        for zone in zones:
            for row in await self.catalog.dirty(zone.key):
                waits = row.value.not_before > self.clock()
                if waits and (names is None or row.value.name in names):
                    with suppress(Conflict):  # Settled, or marked again, in this moment.
                        await self.catalog.put_dirty(replace(row.value, not_before=0.0), row.etag)

    async def end(self) -> None:
        """Give back what orders have withdrawn whose time is over."""
        for stored in await self.catalog.orders():
            if stored.value.until <= self.clock():
                await self._mark(stored.value, because("end of an order", self.clock()))
                with suppress(Conflict):  # Somebody has just renewed it.
                    await self.catalog.purge_order(stored.value.target, stored.etag)

    async def _mark(self, order: Order, cause: Cause) -> None:
        """What an order withdraws, or gives back, is as urgent as a stop or a start."""
        urgencies: dict[str, Urgency] = {}
        for stored in await self.catalog.endpoints():
            endpoint = stored.value.endpoint
            if order.covers(endpoint):
                urgencies |= dict.fromkeys(endpoint.names - urgencies.keys(), Urgency.HOST_WITHDRAW)
                urgencies |= dict.fromkeys(endpoint.tagged, Urgency.WITHDRAW)
        await self.recorder.mark(urgencies, cause)
