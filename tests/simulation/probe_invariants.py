"""What probers have done and stored, and the promises about it: each row of the vantage is judged as it is written.

Kept beside the catalog, as `Invariants` is. What probes have found is known from the connections themselves.
"""

import asyncio
import itertools
from collections import defaultdict
from weakref import WeakKeyDictionary

from shared.domain.probes import VantageRow
from simulator.oracle.answers import NOTHING, Findings
from simulator.oracle.claims import most_specific, permitted
from tests.simulation.distance_invariants import ROUND, DistanceInvariants
from tests.simulation.history import START
from tests.simulation.process import ERRAND

KEPT = 60
"""Contacts of an address that are remembered."""


class NoProbes:
    """Stands for the probes of a story without any."""

    enforce = False

    def options(self, _zone, _name):
        """Nothing is ever measured."""
        return (NOTHING,)

    standing = options

    def awaited(self, _name):
        """No name is ever marked for probes."""
        return False

    def wipe(self):
        """There is nothing."""

    def replaced(self, _row):
        """Nothing is dialed."""

    def current(self, _zone, _name):
        """Nothing is measured."""
        return NOTHING

    def counts(self):
        """Nothing to count."""
        return {}


class ProbeInvariants:
    """Follows the row and the evidence of the story's vantage.

    `settings`: the app's; `world`: the probed one; `ledger`: the other invariants.
    """

    def __init__(self, settings, world, ledger):
        self.settings, self.world, self.ledger = settings, world, ledger
        self.trace, self.clock, self.off = ledger.trace, ledger.clock, ledger.off
        self.probing, self.vantage = settings.probing, settings.probing.vantage
        self.enforce = self.probing.enforce
        self.zones = {zone["id"].lower(): zone for zone in ledger.history.settings["NEARZONE_ZONES"]}
        self.own = [key for key, zone in self.zones.items() if zone["region"] == self.vantage]
        self.rounds = self.withdrawals = self.dials = 0
        self.distances = DistanceInvariants(world, self.trace, self.clock, self.off)
        self.versions = [(START, None)]
        self.joined, self.allowed = {}, {}
        self.stored, self.armed = {}, set()
        self.version = None
        self._versions = itertools.count()
        self.on_todo = None
        self._read, self._seen, self._dialed = {}, defaultdict(set), defaultdict(dict)
        self._asked = WeakKeyDictionary()

    @property
    def row(self):
        """The row as it is stored; None: there is none."""
        return self.versions[-1][1]

    def wipe(self):
        """The catalog is about to be lost."""
        for known in self.ledger.rows.values():
            self.replaced(known.row)
        self.versions.append((self.clock(), None))
        self.version = None
        self.stored, self.armed, self.joined = {}, set(), {}
        self.distances.wipe()

    # --- connections

    def dialed(self, errand, contact, probe):
        """A prober opens a connection."""
        self.dials += 1
        key = contact.ip, contact.probe
        if key in self._dialed[errand]:
            self.trace.violation("one probe per address and round", f"{errand}: {key} again")
        self._dialed[errand][key] = contact
        if not self._may_dial(errand, contact.ip, probe.port):
            self.trace.violation("no connection beyond permitted claims", f"{errand}: {contact.ip}:{probe.port}")

    def _may_dial(self, errand, ip, port):
        known = self.ledger.rows.values()
        return (ip, port) in {each for row in known for each in self._dialable(row.row)} or (
            self.allowed.get((ip, port), START) >= errand.began
        )

    def _dialable(self, row):
        """The addresses and ports of a row's endpoint that may be probed."""
        endpoint, known = row.endpoint, self.ledger.history.settings
        names = [n for n in endpoint.names if self.settings.probe(n)] if endpoint.state == "serving" else []
        vm = {"id": endpoint.key}
        ports = {self.settings.probe(name).port for name in names if permitted(vm, name, known)}
        return {(address.ip, port) for address in endpoint.addresses for port in ports}

    def replaced(self, row):
        """A row of an endpoint is about to be replaced: a round that has read it may still dial its addresses."""
        for each in self._dialable(row):
            self.allowed[each] = self.clock()

    # --- what answers may use

    def before_vantage(self, _vantage):
        task = asyncio.current_task()
        while task:
            self._asked[task] = self.clock()
            task = self.ledger.parents.get(task)

    def options(self, zone, name):
        """What a decision may have used in a zone for a name: what was in force since this task has read the row."""
        if not self._matters(name):
            return (NOTHING,)
        since = self._asked.get(asyncio.current_task(), START)
        return tuple({self._findings(row, zone, name): None for _, row in self._since(since)})

    def standing(self, zone, name):
        """What an answer that stands comes from: what the row says, for its end is a write as well."""
        return (self.current(zone, name),)

    def current(self, zone, name):
        """What is in force now."""
        return self._findings(self.row, zone, name) if self._matters(name) else NOTHING

    def _matters(self, name):
        return self.enforce and self.settings.probe(name) is not None

    def _since(self, since):
        later = [each for each in self.versions[-50:] if each[0] >= since]
        before = next((each for each in reversed(self.versions) if each[0] < since), None)
        return [before, *later] if before else later

    def _findings(self, row, zone, name):
        if row is None:
            return NOTHING
        region, asked = self.zones[zone]["region"], self.settings.probe(name).digest
        policy = most_specific(name, self.ledger.history.settings.get("NEARZONE_POLICIES", {}), {})
        said = [v for v in row.verdicts if v.probe == asked and self._holds(v, region)]
        waits = policy.get("wait_minutes", 0) > 0
        down = frozenset((v.endpoint, v.ip) for v in said if v.kind == "down")
        held = frozenset((v.endpoint, v.ip) for v in said if v.kind == "returning" or (v.kind == "waiting" and waits))
        found = row.distances
        if region != self.vantage or policy.get("distance", "measured") != "measured":
            return Findings(down, held)
        order = found.previous if name in found.pending else found.order
        return Findings(down, held, tuple(p for p in order if p in found.ms), tuple(sorted(found.ms.items())))

    def _holds(self, verdict, region):
        if verdict.kind == "returning" and region == verdict.region:
            return False
        return verdict.everywhere or region == self.vantage

    def awaited(self, name):
        """Whether a name is still to be marked for what probes have found."""
        row = self.row
        if row is None or not (row.todo or row.reordered):
            return False
        return row.reordered or any(name in self._names(key) for key in row.todo)

    def _names(self, key):
        known = self.ledger.rows.get(key)
        return [name for name in known.row.endpoint.names if self.settings.probe(name)] if known else []

    # --- the row and the pages

    def after_vantage(self, _row, _began, _vantage):
        self._seen[ERRAND.get()].add(self.version)

    def after_evidence(self, _pages, _began, _vantage):
        self._read[ERRAND.get()] = dict(self.stored), frozenset(self.armed)

    def after_put_evidence(self, _none, _began, page):
        errand = ERRAND.get()
        read, _ = self._read.get(errand, ({}, frozenset()))
        for each in page.evidence:
            key = each.ip, each.probe
            chain = self._chain(errand, key, read)
            self.stored[key] = chain
            if any(contact.result is not False for contact in chain):
                self.armed.add(key)

    def _chain(self, errand, key, read):
        contact = self._dialed[errand].get(key)
        return (*read.get(key, ()), *((contact,) if contact and contact.usable else ()))[-KEPT:]

    def after_put_vantage(self, _etag, _began, row, _old_etag):
        errand, old, now = ERRAND.get(), self.row, self.clock()
        if self.version not in self._seen[errand]:
            self.trace.violation("the row of a vantage is replaced only as it was read", f"{errand}: {row.round}")
        self.version = next(self._versions)
        self._seen[errand].add(self.version)
        self.versions.append((now, row))
        old = old or VantageRow(self.vantage)
        self._check_todo(old, row, errand)
        if row.round > old.round:
            self.rounds += 1
            self._check_round(old, row, errand)
        if row.round > old.round and row.todo and self.on_todo:
            self.on_todo(errand)

    def _check_todo(self, old, row, errand):
        """An endpoint leaves the row only after the names were marked that it may answer now."""
        for key in old.todo - row.todo:
            joined = self.joined.pop(key, START)
            down = any(each.endpoint == key and each.kind == "down" for each in row.verdicts)
            for name in self._answered(key) if down else ():  # Other verdicts do not concern each of its names.
                marked = [self.ledger.marks.get((zone, name), (START, None))[0] for zone in self.own]
                if marked and min(marked) < joined:
                    detail = f"{errand}: {name} of {key.rsplit('/', 1)[-1]}"
                    self.trace.violation("a name is marked before its endpoint is taken off the row", detail)
        for key in row.todo:
            if row.round > old.round:
                self.joined[key] = self.clock()
            self.joined.setdefault(key, self.clock())

    def _answered(self, key):
        """The probed names that an endpoint serves by a permitted tag, by a row that was there before it joined."""
        known = self.ledger.rows.get(key)
        if not known or known.row.endpoint.state != "serving" or known.put > self.clock() - 2 * ROUND:
            return []
        vm, settings = {"id": key}, self.ledger.history.settings
        found = [name for name in self._names(key) if name in known.row.endpoint.tagged]
        only = settings.get("NEARZONE_POLICIES", {})
        return [n for n in found if permitted(vm, n, settings) and not most_specific(n, only, {}).get("regions")]

    def _check_round(self, old, row, errand):
        read, armed = self._read.get(errand, ({}, frozenset()))
        keys = set(read) | set(self._dialed[errand])
        chains = {key: self._chain(errand, key, read) for key in keys}
        was = {each.key: each for each in old.verdicts if each.kind == "down"}
        new = [each for each in row.verdicts if each.kind == "down" and each.key not in was]
        self.withdrawals += len(new)
        for each in new:
            self._check_withdrawal(each, chains.get((each.ip, each.probe), ()), armed, errand)
        for each in row.verdicts:
            self._check_scope(each, chains, errand)
            self._check_end(each, chains.get((each.ip, each.probe), ()), errand)
        if new:
            self._check_sight(chains, was, armed, errand)
        self._check_return(old, row, chains, errand)
        self.distances.check(old, row, chains, errand)

    def _check_return(self, old, row, chains, errand):
        """A probed address is up after `up_after` successes in a row; a blind vantage withdraws nothing any more."""
        if row.blind_since or old.until <= row.at:
            return
        down = {each.key for each in row.verdicts if each.kind == "down"}
        for each in old.verdicts:
            key = each.ip, each.probe
            contact = self._dialed[errand].get(key)
            if each.kind != "down" or each.key in down or not contact or not contact.usable:
                continue
            last = chains[key][-self.probing.up_after :]
            if len(last) < self.probing.up_after or any(contact.result is False for contact in last):
                what = f"{errand}: {each.ip}, {_strip(chains[key])}"
                self.trace.violation("an address returns after up_after successes in a row", what)

    def _check_withdrawal(self, verdict, chain, armed, errand):
        failed = []
        for contact in reversed(chain):
            late = failed and failed[-1].at - contact.at > self.probing.stale_after + ROUND + 2 * self.off
            if contact.result is True or late:
                break
            failed.append(contact)
        what = f"{errand}: {verdict.ip} {verdict.why}, {_strip(chain)}"
        if len(failed) < self.probing.down_after:
            self.trace.violation("no withdrawal without down_after failures in a row", what)
        key = verdict.ip, verdict.probe
        if key not in armed and all(contact.result is False for contact in chain):
            self.trace.violation("no withdrawal of an address that has never answered", what)

    def _check_scope(self, verdict, chains, errand):
        """Elsewhere an address is down only while another one of its region answers.

        One that has begun to fail counts until it has failed `down_after` times; the count begins anew where rounds are
        missing, because the evidence of a round that did not end does not count.
        """
        if verdict.kind != "down" or not verdict.everywhere:
            return
        others = [
            self._unbroken(chain)
            for (ip, _), chain in chains.items()
            if chain and ip != verdict.ip and chain[-1].region == verdict.region
        ]
        failing = [all(contact.result is False for contact in chain) for chain in others]
        restarted = [0 < len(chain) < self.probing.down_after for chain in others]
        if all(fails and not anew for fails, anew in zip(failing, restarted, strict=True)):
            self.trace.violation("a dead path withdraws in its own region's zone alone", f"{errand}: {verdict.ip}")

    def _unbroken(self, chain):
        """The last `down_after` contacts, as far back as no round is missing between two of them."""
        found = chain[-1:]
        for contact in reversed(chain[-self.probing.down_after : -1]):
            if found[0].at - contact.at > 2 * ROUND:
                break
            found = (contact, *found)
        return found

    def _check_end(self, verdict, chain, errand):
        """An address that has answered for as long as the longest hold is up."""
        up = []
        for contact in reversed(chain):
            if contact.result is not True:
                break
            up.append(contact)
        longest = self.probing.hold[1] + 2 * self.probing.stale_after
        if verdict.kind == "down" and up and up[0].at - up[-1].at > longest + 2 * self.off:
            self.trace.violation("an address that answers is not held out", f"{errand}: {verdict.ip} {_strip(chain)}")

    def _check_sight(self, chains, was, armed, errand):
        """A vantage for which half of everything fails everywhere withdraws nothing."""
        down = {(each[1], each[2]) for each in was}
        regions = defaultdict(list)
        for key, contact in self._dialed[errand].items():
            known = key in armed or any(each.result is not False for each in chains[key])
            if contact.usable and known and not (key in down and contact.result is False):
                regions[contact.region].append(contact.result is False)
        blind = all(2 * sum(found) >= len(found) for found in regions.values())
        if len(regions) == 1:
            blind = all(all(found) for found in regions.values())
        if regions and blind:
            self.trace.violation("a blind vantage withdraws nothing", f"{errand}: {dict(regions)}")

    def counts(self):
        """What probing was full of."""
        return {
            "probes": self.dials,
            "rounds": self.rounds,
            "withdrawals": self.withdrawals,
            "orders": self.distances.changes,
        }


def _strip(chain):
    signs = {True: ".", False: "x", None: "?"}
    return "".join(signs[each.result] for each in chain[-20:])
