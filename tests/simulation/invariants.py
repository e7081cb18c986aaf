"""What the instances have put into the catalog, and the promises that can be checked there, call by call.

Kept beside the catalog from the calls that took effect, so it knows what an instance that died has done. Times are the
simulation's. For each endpoint it knows from when on the row's observation must be: `Known.since`.
"""

import asyncio
import math
from collections import defaultdict
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from shared.domain.endpoints import State
from tests.simulation.history import START
from tests.simulation.probe_invariants import NoProbes
from tests.simulation.process import ERRAND


@dataclass(eq=False)
class Known:
    """An endpoint's row. `begun`: its observation was begun then or later. `put`: when it was written.

    `since`: what every answer has to reflect; `of_name`: the same for names that are published already while others of
    the row are not.
    """

    row: object
    begun: float
    put: float
    since: float
    of_name: dict = field(default_factory=dict)

    @property
    def claims(self):
        """Whether it may serve one day, by what is known."""
        return self.row.endpoint.names and self.row.endpoint.state != State.GONE


@dataclass(eq=False)
class Read:
    """The claims of a name as read; `since`: from when on they reflect each endpoint.

    `open`: of a claimant it is not known whether it serves, so what the zone holds of it stays.
    `whole`: the catalog knew every claim, until after they were read.
    """

    since: object
    whole: bool = False
    open: bool = False


class Invariants:
    """Follows one catalog. `settled(zone, name, since, marked, what)` judges a record set.

    `parents`: which task has begun which. `complete`: since when the catalog has known every claim, None: it does not.
    `swept`: when the last complete sweep began. `off`: seconds by which the clocks of two instances may differ.
    `probes`: the invariants of probing. `lag`: seconds by which Resource Graph may be late.
    """

    def __init__(self, history, trace, clock, settled, parents, *, off=0.0, lag=0.0):
        self.history, self.trace, self.clock, self.settled = history, trace, clock, settled
        self.parents, self.off, self.lag = parents, off, lag
        self.rows, self.dirty, self.marks, self.leases, self.acked = {}, set(), {}, {}, {}
        self.orders, self.frozen = [(START, {})], 0
        self.wiped, self.swept, self.completed_at, self.complete = START, START, 0.0, None
        self.versions, self.indexed = {}, defaultdict(set)
        self.read, self.ordered = WeakKeyDictionary(), WeakKeyDictionary()
        self.probes = NoProbes()

    def wipe(self):
        """Every row is gone."""
        self.probes.wipe()
        self.wiped, self.swept, self.completed_at, self.complete = self.clock(), START, 0.0, None
        for each in (self.rows, self.dirty, self.marks, self.leases, self.acked, self.versions, self.indexed):
            each.clear()
        self.orders.append((self.clock(), {}))

    # --- what answers have to reflect

    def since(self, name):
        """For each endpoint, from when on an answer for this name has to reflect it, as of now."""
        known = {key: each.of_name.get(name, each.since) for key, each in self.rows.items()}
        swept = self.swept if self.complete else START
        return lambda key: known.get(key, swept)

    def addresses(self, name):
        """Addresses of which a row says why they went, of those to which the index of a name leads.

        Not so where an endpoint serves, but claims the name only by being called so while others claim it by tag.
        """
        found = [self.rows[key].row.endpoint for key in self.indexed[name] if key in self.rows]
        return {
            address.ip
            for endpoint in found
            if endpoint.state != State.SERVING or name in endpoint.tagged or endpoint.own != name
            for address in endpoint.addresses
        }

    def orders_since(self, since):
        """Sets of orders, to drain and to freeze, that were in force at some time since then.

        By whatever clock: an instance's may be ahead or behind.
        """
        now, off = self.clock(), self.off
        times = {since, now} | {at for at, _ in self.orders if since <= at}
        times |= {until for _, orders in self.orders for until in orders.values() if since - off < until <= now + off}
        before = self._orders_at(math.nextafter(since, START))  # What changed in that instant may have come later.
        found = [(self._orders_at(at), at) for at in times] + [(before, since)]
        found += [(orders, at + shift) for orders, at in found for shift in ((-off, off) if off else ())]
        return {frozenset(t for t, until in orders.items() if until > at) for orders, at in found}

    def _orders_at(self, at):
        return next(orders for begun, orders in reversed(self.orders) if begun <= at)

    def holds(self, zone, life):
        """How long an instance still has a zone's lease, in seconds; negative where it has not."""
        holder, expires = self.leases.get(zone, ("", START))
        return expires - self.clock() if holder == life.name else -1.0

    # --- calls that were made

    def after_endpoint(self, _row, began, key):
        ERRAND.get().reads.append((began, key))

    def after_endpoints(self, _rows, began):
        ERRAND.get().reads.append((began, None))

    def after_put_endpoint(self, version, _began, row, etag):
        key, now, old = row.endpoint.key, self.clock(), self.rows.get(row.endpoint.key)
        errand, (replaced, since) = ERRAND.get(), self.versions.get(etag, (START, START))
        read = [at for at, of in errand.reads if of in (None, key) and at >= replaced]
        begun = min(read, default=max(since, errand.began))  # Not read: the errand has written that version itself.
        if old and row.endpoint.equals_ignoring_id_case(old.row.endpoint) and not self._fits(row.endpoint, begun):
            # Another handler wrote what this one has seen: it was observed after its first read.
            begun = max([old.begun, *(at for at, of in errand.reads if of in (None, key) and at < replaced)])
        if _open(row):
            begun = old.begun if old else START
        elif not self._fits(row.endpoint, begun):
            seen = [each.vm for each in self.history.seen(key, begun)]
            self.trace.violation("a row holds what was seen after its old version was read", f"{errand}: {row}, {seen}")
        if begun < self.acked.get(key, START) and not _open(row):
            self.trace.violation(
                "a row never goes back behind an acknowledged event",
                f"{errand} wrote {key}, read at {begun - self.trace.began:.3f}, acknowledged: an event of "
                f"{self.acked[key] - self.trace.began:.3f}",
            )
        if old:
            self.probes.replaced(old.row)
        self.versions[version] = now, begun
        known = Known(row, begun, now, old.since if old else START, dict(old.of_name) if old else {})
        if not row.todo:
            known.since, known.of_name = begun, {}
        self.rows[key] = known

    def before_claimants(self, name):
        read = Read(self.since(name), open=self.is_open(name))
        for reader in self._readers():
            self.read.setdefault(reader, {})[name] = read

    def before_overrides(self):
        for reader in self._readers():
            self.ordered[reader] = self.clock()

    def _readers(self):
        """This task, the one that has begun it, and so on."""
        reader = asyncio.current_task()
        while reader:
            yield reader
            reader = self.parents.get(reader)

    def after_claimants(self, _rows, began, name):
        self.read[asyncio.current_task()][name].open |= self.is_open(name)
        self.read[asyncio.current_task()][name].whole = self.complete is not None and self.complete <= began

    def claims_read(self, name):
        """What this task, or one begun by it, has read last of the claims of a name; None: nothing."""
        return self.read.get(asyncio.current_task(), {}).get(name)

    def orders_read(self):
        """Sets of orders of which this task, or one begun by it, may have read any."""
        return self.orders_since(self.ordered[asyncio.current_task()])

    def after_index(self, _none, _began, name, key, _now):
        self.indexed[name].add(key)
        known = self.rows.get(key)
        if known and name in known.row.todo:
            known.of_name[name] = known.begun

    def after_mark_dirty(self, _none, _began, dirty):
        key = (dirty.zone, dirty.name)
        self.dirty.add(key)
        self.marks[key] = (self.clock(), self.since(dirty.name))

    def after_remove_dirty(self, _none, _began, zone, name, _etag):
        self.dirty.discard((zone, name))
        marked, since = self.marks.get((zone, name), (START, None))
        read = self.claims_read(name)
        # A claimant that was unknown when the claims were read may be known by now: its row has the name to mark.
        awaited = self._awaited(name, unread_only=not (read and read.open))
        if self.complete and self.complete <= marked and not awaited:
            self.settled(zone, name, since, marked, f"{ERRAND.get()} cleared it")

    def after_acquire(self, lease, _began, zone, holder, _now, _seconds):
        if lease is None:
            return
        other, expires = self.leases.get(zone, ("", START))
        if other not in ("", holder) and expires - self.off > self.clock():
            self.trace.violation("one lease per zone", f"{holder} got {zone}, which {other} has")
        self.leases[zone] = (holder, lease.expires)

    def before_release(self, zone, holder, _spent):
        if self.leases.get(zone, ("", START))[0] == holder:
            del self.leases[zone]

    def after_put_override(self, _none, _began, order):
        self.orders.append((self.clock(), {**self.orders[-1][1], order.target: order.until}))
        self.frozen += order.target in self.history.zones

    def after_purge_override(self, _none, _began, target, _etag=None):
        self.orders.append((self.clock(), {t: until for t, until in self.orders[-1][1].items() if t != target}))

    def after_put_state(self, _etag, _began, marker, _old=None):
        if marker.completed_at <= self.completed_at:
            return
        listed = [at for at, of in ERRAND.get().reads if of is None]  # What was listed was listed after this.
        begun = min([at for at in listed if at >= self.wiped] or listed)  # A sweep starts anew where it was lost.
        self.completed_at = marker.completed_at
        shown = begun - (self.lag if ERRAND.get().hinted else 0.0)  # What claims nothing may do so only in a hint.
        if shown < self.wiped:
            self.trace.violation("a complete catalog knows what was claimed before it was lost", f"{ERRAND.get()}")
        self.swept, self.complete = max(shown, self.swept), self.complete or self.clock()
        for key in self.history.vms():
            self._check_swept(key, begun, shown)
        for known in self.rows.values():
            if known.put < begun and not known.row.todo and not _open(known.row):
                known.begun = known.since = max(known.begun, begun if known.claims else shown)

    def _check_swept(self, key, begun, shown):
        """A complete sweep has seen every endpoint, so no row is older than it, unless a slow handler wrote it.

        `shown`: when what it has not read was as it was shown.
        """
        known, errand = self.rows.get(key), ERRAND.get()
        if known is None:
            if all(each.names for each in self.history.seen(key, shown)):
                self.trace.violation("a complete catalog knows every claim", f"{errand}: no row of {key}")
            return
        if not known.claims:
            begun = shown
        since = begun if known.put < begun else min(begun, known.begun)
        if not _open(known.row) and not self._fits(known.row.endpoint, since):
            self.trace.violation("after a complete sweep no row is old", f"{errand}: {known.row}")

    def _fits(self, endpoint, since):
        """Whether an endpoint is what a VM may have been since then."""
        seen = self.history.seen(endpoint.key, since)
        if not endpoint.names:
            return not all(each.names for each in seen)
        gone = any(each.vm is None for each in seen)
        if endpoint.state == State.GONE:
            return gone
        serves = {
            name: tuple(sorted((each.ip, each.network) for each in endpoint.narrowed(name).addresses))
            for name in endpoint.names
        }
        for each in seen:
            if each.vm is None or each.names != endpoint.names:
                continue
            if endpoint.state != State.SERVING and not each.serving:
                return True
            if endpoint.state == State.SERVING and all(each.served(name) == ips for name, ips in serves.items()):
                return True
            if gone and endpoint.state != State.SERVING:
                return True  # Its NIC was gone already when that was read.
        return False

    # --- events

    def acknowledged(self, key, life, began, *, power):
        """An event about this endpoint was answered with 2xx: its observation is here, and its names are.

        But for a power event, where the catalog knows no claim of it.
        """
        known = self.rows.get(key)
        if power and not (known and known.row.endpoint.names):
            return
        if self.wiped >= began or life.refused_at >= began or (known and _open(known.row)):
            return
        if known is None or known.begun < began:
            self.trace.violation(
                "no event is acknowledged without its observation in the catalog",
                f"{life.name}: {key}, delivery begun {began - self.trace.began:.3f}, row: {known}",
            )
            return
        self.acked[key] = max(began, self.acked.get(key, START))
        names = known.row.endpoint.names.union(*(each.names for each in self.history.seen(key, began)))
        for name in sorted(names - known.row.todo):
            self.check_name(name, f"{life.name} acknowledged an event of {key}")

    def check_name(self, name, what):
        """A name that is not dirty is right by what the catalog knows."""
        if self.complete is None:
            return
        for zone in self.history.zones:
            marked, _ = self.marks.get((zone, name), (START, None))
            if (zone, name) not in self.dirty and not self._awaited(name) and not START < marked < self.complete:
                self.settled(zone, name, self.since(name), marked, what)

    def is_open(self, name):
        """Whether a claimant of the name has not been read, or cannot be and was never seen before."""
        return any(name in each.names for each in self._all_open())

    def held_open(self, name):
        """The addresses of such claimants, as lists have shown them."""
        return {address.ip for each in self._all_open() if name in each.names for address in each.addresses}

    def _all_open(self):
        return [known.row.endpoint for known in self.rows.values() if known.row.endpoint.open]

    def _awaited(self, name, *, unread_only=False):
        """Whether a row is going to mark this name: it has it to mark, or it is not known yet if it serves."""
        rows = [known.row for known in self.rows.values()]
        unread = any(row.endpoint.open and name in row.endpoint.names for row in rows) or self.probes.awaited(name)
        return unread or (not unread_only and any(name in row.todo for row in rows))


def _open(row):
    """Whether a row promises another look: in doubt, missing at the last look, or only enlisted until it is read."""
    return row.endpoint.doubt or row.missing_at or row.endpoint.unread
