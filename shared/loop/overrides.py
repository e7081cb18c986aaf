"""Orders of people: kept in the catalog, so that every instance obeys them, and they outlive it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from shared.config.region_names import suggestion
from shared.decide.plan import Skip
from shared.domain.catalog_rows import WHOLE_ZONE
from shared.domain.dirty import Cause, Urgency
from shared.domain.endpoints import Endpoint, State
from shared.domain.errors import BadRequest, Conflict, NearzoneError
from shared.domain.overrides import FOREVER, Override
from shared.domain.zones import Zone
from shared.edge.commands import Resync
from shared.edge.override_errors import NOT_TAKEN_BACK, override_kept, override_not_kept
from shared.edge.report import Report
from shared.loop.operator_log import OperatorLog
from shared.loop.recorder import Recorder
from shared.loop.status import cause_now, format_time
from shared.loop.zone_plan import SweepScope
from shared.ports import Catalog


@dataclass(frozen=True)
class Overrides:
    """Gives, ends and carries out orders. `clock`: seconds since the epoch. Raises Transient."""

    catalog: Catalog
    recorder: Recorder
    clock: Callable[[], float]
    regions: frozenset[str]
    """Those of the table of round-trip times and of NEARZONE_LATENCY."""

    @property
    def _journal(self) -> OperatorLog:
        return OperatorLog(self.catalog)

    async def check(self, wanted: Resync, report: Report) -> Sequence[Endpoint]:
        """The endpoints that an order is about; the report says how many, and that it is about none.

        Raises BadRequest where an order names what is not known, or takes back what is not in force: nothing is done.
        What is known, but has no endpoint today, may be drained in advance.
        """
        if wanted.freeze:
            return ()
        target = wanted.drain or wanted.undrain or (wanted.unfreeze.key if wanted.unfreeze else "")
        orders = [stored.value for stored in await self.catalog.overrides()]
        ordered = {order.target for order in orders}
        known = [stored.value.endpoint for stored in await self.catalog.endpoints()]
        known = [each for each in known if each.state != State.GONE]
        if wanted.drain or wanted.undrain:
            self._known(f"{wanted.override}.region", target, ordered | {each.region for each in known})
        if not wanted.drain and not any(order.about(target) for order in orders):
            raise BadRequest(_no_such_override(wanted, ordered))
        if wanted.unfreeze:
            return ()
        covered = [each for each in known if Override(target, 0.0).applies_to(each)]
        if wanted.drain and "/" in target and not covered:
            covered += await self.look("drain.endpoint", target, report)
        names = {name for each in covered for name in each.names}
        report.covered_counts = (len(covered), len(names))
        report.notes += _coverage(target, *report.covered_counts, known)
        return covered

    def _known(self, field: str, target: str, also: Collection[str]) -> None:
        """Azure may have endpoints in a region that neither the table nor the settings know."""
        if (
            "/" in target or target in self.regions or target in also
        ):  # No region has a slash, every endpoint's id does.
            return
        seen = {each for each in also if each and "/" not in each}
        meant = suggestion(target, self.regions | seen)
        known = "the table of round-trip times, of NEARZONE_LATENCY or of an endpoint that is known"
        raise BadRequest(f"{field}: {target[:200]!r} is not a region of {known}{_listed(seen)}{meant}")

    async def look(self, field: str, endpoint_id: str, report: Report) -> Sequence[Endpoint]:
        """Ask Azure about an endpoint that the catalog does not know. Raises BadRequest where Azure has none either.

        Where Azure does not answer, which is no reason to refuse an order, the report says so.
        """
        try:
            found = await self.recorder.observer.inventory.observe(endpoint_id, None)
        except NearzoneError as error:
            report.notes.append(f"{field}: the catalog does not know it, and Azure could not be asked: {error}"[:500])
            return ()
        if found.state == State.GONE:
            raise BadRequest(
                f"{field}: no such endpoint known: neither the catalog nor Azure has {endpoint_id[:300]!r}"
            )
        return (found,)

    def supposed(self, wanted: Resync, covered: Iterable[Endpoint]) -> SweepScope:
        """What a dry run has to plan for, to show what an order would do."""
        cause, zone = cause_now("resync", self.clock(), wanted.by, wanted.reason), wanted.freeze or wanted.unfreeze
        names = None if zone else frozenset(name for each in covered for name in each.names)
        scope = SweepScope((zone,) if zone else wanted.zones, cause, names, dry_run=True)
        if wanted.undrain or wanted.unfreeze:
            return replace(scope, lifted=wanted.undrain or (zone.key if zone else ""))
        return replace(scope, supposed=(Override(zone.key if zone else wanted.drain or "", FOREVER),))

    async def drain(self, wanted: Resync, report: Report) -> None:
        """Keep or drop a drain order, then mark the names that it is about: in this order nobody routes without it."""
        target = wanted.drain or wanted.undrain or ""
        what = "drain order" if wanted.drain else "undrain"
        cause = cause_now(what, self.clock(), wanted.by, wanted.reason)
        until = self.clock() + 60.0 * wanted.drain_minutes
        with override_not_kept() if wanted.drain else override_not_kept(NOT_TAKEN_BACK):
            report.notes += await self._others(target, drained=bool(wanted.drain))
        if wanted.drain:
            with override_not_kept():
                await self.catalog.put_override(Override(target, until, wanted.by, wanted.reason))
        else:
            with override_not_kept(NOT_TAKEN_BACK):
                await self.catalog.purge_override(target)
        with override_kept():
            await self._mark_dirty(Override(target, 0.0), cause)
        said = f"drain of {target} until {format_time(until)}" if wanted.drain else f"drain of {target} taken back"
        await self._journal.enter(wanted.zones, wanted.override, said, cause, report)

    async def freeze(self, zone: Zone, wanted: Resync) -> Report:
        """From now on nothing is written to a zone, but for what is under way this moment (10 s at the most).

        What the guard had let pass before is for the sweep to judge anew that ends the freeze.
        """
        minutes = wanted.freeze_minutes
        until = self.clock() + 60.0 * minutes if minutes else FOREVER
        with override_not_kept():
            notes = await self._others(zone.key)
            await self.catalog.put_override(Override(zone.key, until, wanted.by, wanted.reason))
        with override_kept():
            rows = await self.catalog.dirty(zone.key)
            for row in rows:
                if row.value.cleared:
                    with suppress(Conflict):  # Settled, or marked again, in this moment.
                        await self.catalog.put_dirty(replace(row.value, cleared=False), row.etag)
        end = f"until {format_time(until)}" if minutes else "until it is unfrozen"
        report = Report(
            "resync", skips=[Skip(zone.id, WHOLE_ZONE, f"frozen {end}")], names_remaining=len(rows), notes=notes
        )
        cause = cause_now("freeze", self.clock(), wanted.by, wanted.reason)
        await self._journal.enter((zone,), "freeze", f"frozen {end}", cause, report)
        return report

    async def _others(self, target: str, *, drained: bool = True) -> list[str]:
        """What a person should know of the orders in force.

        `drained`: an order about `target` is about to be given; otherwise one is about to be taken back. A new order
        replaces the one about the same target, whoever gave it. One about a region leaves those about its endpoints as
        they are, and the other way round.
        """
        orders = [stored.value for stored in await self.catalog.overrides()]
        orders = [order for order in orders if order.until > self.clock()]
        if drained:
            return [f"replaces {_ordered(order)}" for order in orders if order.about(target)]
        rows = [stored.value.endpoint for stored in await self.catalog.endpoints()]
        taken_back = Override(target, 0.0)
        covered = [each for each in rows if taken_back.applies_to(each) and each.state != State.GONE]
        others = [order for order in orders if not order.about(target)]
        left = [(each, order) for each in covered for order in others if order.applies_to(each)]
        return [f"{each.id} stays drained: {_ordered(order)}, which this does not take back" for each, order in left]

    async def unfreeze(self, zone: Zone, cause: Cause, report: Report) -> None:
        """From now on the zone may be written again, and what has failed is tried again."""
        with override_not_kept(NOT_TAKEN_BACK):
            await self.catalog.purge_override(zone.key)
        await self._journal.enter((zone,), "unfreeze", "unfrozen", cause, report)
        await self.clear_backoff((zone,), None)

    async def clear_backoff(self, zones: Iterable[Zone], names: Collection[str] | None) -> None:
        """Try now what has failed (these names, None: all): who asks by hand has removed what stood in the way."""
        for zone in zones:
            for row in await self.catalog.dirty(zone.key):
                waits = row.value.not_before > self.clock()
                if waits and (names is None or row.value.name in names):
                    with suppress(Conflict):  # Settled, or marked again, in this moment.
                        await self.catalog.put_dirty(replace(row.value, not_before=0.0), row.etag)

    async def expire(self, zones: Collection[Zone], report: Report) -> None:
        """Give back what orders have withdrawn whose time is over. The histories of these zones say so."""
        for stored in await self.catalog.overrides():
            order = stored.value
            if order.until <= self.clock():
                cause = cause_now("end of an order", self.clock(), order.by, order.reason_given)
                await self._mark_dirty(order, cause)
                with suppress(Conflict):  # Another instance has ended it, or a person has just renewed it.
                    await self.catalog.purge_override(order.target, stored.etag)
                    frozen = [zone for zone in zones if order.about(zone.key)]
                    said = f"{'freeze' if frozen else f'drain of {order.target}'} ended, its time is over"
                    await self._journal.enter(frozen or zones, "end", said, cause, report)

    async def _mark_dirty(self, order: Override, cause: Cause) -> None:
        """What an order withdraws, or gives back, is as urgent as a stop or a start."""
        urgencies: dict[str, Urgency] = {}
        for stored in await self.catalog.endpoints():
            endpoint = stored.value.endpoint
            if order.applies_to(endpoint):
                urgencies |= dict.fromkeys(endpoint.names - urgencies.keys(), Urgency.HOST_WITHDRAW)
                urgencies |= dict.fromkeys(endpoint.tagged, Urgency.WITHDRAW)
        await self.recorder.mark_dirty(urgencies, cause)


def _ordered(order: Override) -> str:
    """An order in force, in words: until when, by whom, and why."""
    what = "freeze" if "/privatednszones/" in order.target else f"drain of {order.target}"
    end = "without end" if order.has_no_end else f"until {format_time(order.until)}"
    who = ", ".join(each for each in (order.by, order.reason_given) if each)
    return f"the {what} {end}{f' by {who}' if who else ''}"


def _listed(regions: Iterable[str]) -> str:
    return f" (endpoints are known in: {', '.join(sorted(regions)) or 'none'})"


def _coverage(target: str, endpoints: int, names: int, known: Iterable[Endpoint]) -> list[str]:
    """How many endpoints and names an order is about, in words; where none, what the person may have meant."""
    if endpoints:
        return [f"the order covers {endpoints} endpoint(s) and {names} name(s)"]
    seen = _listed({each.region for each in known if each.region and each.names}) if "/" not in target else ""
    return [f"the order about {target} covers no endpoint that is known{seen}: it takes effect on those that come"]


def _no_such_override(wanted: Resync, ordered: Collection[str]) -> str:
    """Why what is not in force cannot be taken back."""
    if wanted.unfreeze:
        zone = wanted.unfreeze
        return f'unfreeze.zone: zone {zone.fqdn} ({zone.region}) is not frozen; a sweep of it is {{"zone": ...}} alone'
    drained = sorted(each for each in ordered if "/privatednszones/" not in each)
    found = ", ".join(drained[:10]) or "none"
    return f"undrain: {wanted.undrain} is not drained by order; drained by order are: {found}"[:1000]
