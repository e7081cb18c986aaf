"""What the instances ask of Azure, and the promises that can be checked there, write by write.

A write is judged when an instance sends it, by what that instance knows and holds at this time; and again when Azure
carries it out, which may be much later.
"""

import json
from collections import defaultdict, deque

from tests.simulation.graph_scenario import asks
from tests.simulation.history import START
from tests.simulation.process import ERRAND

REQUEST = 10.0
"""Seconds that a request may take: a write is sent only while more of the zone's lease is left."""
LEASE = 60.0
WRITES = 57


class Witness:
    """Sees every request of every instance. `ledger` and `short_lists` are given once they are there."""

    WEIGHT = 20
    """A crash at a write is so much likelier than at an ordinary step."""

    def __init__(self, cloud, history, trace, clock, owner="nearzone"):
        self.cloud, self.history, self.trace, self.clock, self.owner = cloud, history, trace, clock, owner
        self.ledger = self.short_lists = None
        self.requests = self.writes = self.late = 0
        self.drifted = defaultdict(lambda: START)
        self._shown, self._spent, self._left = defaultdict(set), defaultdict(deque), {}
        self._ends = {}

    def handle(self, life, request):
        """Azure's answer to an instance's request, which takes effect now."""
        self.requests += 1
        if asks(request):
            response = self.cloud.handle(request)
            ERRAND.get().graph[request.body] = response.status
        elif request.method == "GET":
            response = self.short_lists.cut(request, self.cloud.handle(request), ERRAND.get())
        else:
            response = self._carry_out(life, request)
        if response.status in (200, 201):
            for each in (response.content or {}).get("value", [response.content or {}]):
                if "etag" in each:
                    self._shown[life, each["id"].lower()].add(each["etag"])
        if self.trace.on:
            self.trace(life.name, request.method, f"{short(request.path)} -> {response.status} {told(response)}")
        return response

    def _carry_out(self, life, request):
        zone, name = whose(request.path)
        before = self._record(zone, name)
        response = self.cloud.handle(request)
        if response.status < 300:
            self.writes += 1
            if before and not self._owned(before):
                self.trace.violation(
                    "foreign and auto-registered record sets never change",
                    f"{life.name} {request.method} {name} {zone}",
                )
            # It was frozen or broken off meanwhile, or the catalog is gone: the next sweep finds what this leaves.
            if self._ends.pop(_which(life, request), START) < self.clock() or self.ledger.holds(zone, life) <= 0.0:
                self.late += 1
                self.drifted[zone, name] = self.clock()
        return response

    def edited(self, path):
        """A person has changed a record set."""
        self.drifted[whose(path)] = self.clock()

    def wiped(self):
        """The catalog is gone, and with it what the holders of leases told each other about the last minute."""
        self._spent.clear()

    # --- a write is sent

    def sending(self, life, request):
        """Judge a write that an instance is about to send."""
        zone, name = whose(request.path)
        who = f"{ERRAND.get()} {request.method} {name} in {region(zone)}"
        exact, absent = request.headers.get("if-match"), request.headers.get("if-none-match")
        founded = exact in self._shown[life, request.path.lower()] if exact else absent == "*"
        if not founded or (absent and request.method != "PUT"):
            self.trace.violation("every write carries an etag that was shown", f"{who}: {exact}, {absent}")
        left = self.ledger.holds(zone, life)
        self._ends[_which(life, request)] = self.clock() + left
        if left < REQUEST and self.ledger.wiped <= self.clock() - LEASE:
            self.trace.violation("one instance writes a zone", f"{who} with {left:.1f} s of the lease left")
        self._spend(zone, "delete" if request.method == "DELETE" else "update" if exact else "create", who)
        self._judge(zone, name, request, who)

    def _spend(self, zone, kind, who):
        spent, now = self._spent[zone, kind], self.clock()
        spent.append(now)
        while spent[0] <= now - 60.0:
            spent.popleft()
        if len(spent) > WRITES:
            self.trace.violation(f"at most {WRITES} writes of a kind a minute", f"{who}: the {len(spent)}th {kind}")

    def _judge(self, zone, name, request, who):
        ledger, errand, got = self.ledger, ERRAND.get(), None
        if request.method == "PUT":
            properties = json.loads(request.body)["properties"]
            got = (properties["ttl"], frozenset(each["ipv4Address"] for each in properties["aRecords"]))
        if errand.kind == "event" and ledger.complete is None and ledger.wiped < errand.began:
            self.trace.violation("an event writes nothing before the first complete sweep", who)
        read = ledger.claims_read(name)
        if read is None:
            self.trace.violation("whoever writes has read the claims", who)
            return
        orders = ledger.orders_read()
        if all(zone in each for each in orders):
            self.trace.violation("nothing is written to a frozen zone", who)
        record = self._record(zone, name)
        meant = record and record.etag == request.headers.get("if-match")  # Otherwise its condition fails.
        gone = set(record.addresses if meant else ()) - (got[1] if got else set())
        if not read.whole:
            if gone:
                self.trace.violation("an incomplete catalog narrows nothing", f"{who}: {sorted(gone)} would go")
        elif read.open:
            if gone & ledger.held_open(name) and not any(orders):
                self.trace.violation("what a zone holds of an unread claimant stays", f"{who}: {sorted(gone)}")
        elif not self.history.explains(
            zone, name, got, read.since, orders, ledger.probes.options(zone, name), written=True
        ):
            self.trace.violation("what is written is true of something that may have been seen", f"{who}: {show(got)}")

    # --- a record set as it stands

    def settled(self, zone, name, since, marked, what):
        """Nothing more is going to be done about a name that was marked at some time: then it is right.

        Not judged: what somebody has edited, or an instance that was frozen has written, since then (the next sweep
        finds it), and what may be empty but holds an address that no row accounts for (a sweep decides, under guard,
        and until it has, or the name is marked for another reason, the record set stays).
        """
        record, key = self._record(zone, name), (zone, name)
        if self._left.get(key) == marked:
            return
        if (record and not self._owned(record)) or self.drifted[key] >= marked:
            return
        got = (record.ttl, frozenset(record.addresses)) if record else None
        orders, probed = self.ledger.orders_since(marked), self.ledger.probes.standing(zone, name)
        if self.history.explains(zone, name, got, since, orders, probed):
            return
        if got and not got[1] <= self.ledger.addresses(name) and self.history.explains(zone, name, None, since, orders):
            self._left[key] = marked
            return
        self.trace.violation(
            "a name that is not dirty is right", f"{what}: {name} in {region(zone)} is {show(got)}, marked {marked}"
        )

    def _record(self, zone, name):
        return self.cloud.private_dns.zone(zone).get("A", name)

    def _owned(self, record):
        return not record.auto_registered and (record.metadata or {}).get("nearzone-owner") == self.owner

    def untouchable(self):
        """Every record set that is not the app's, with its etag."""
        return {
            (zone.id.lower(), each.type, each.name): each.etag
            for zone in self.cloud.private_dns.zones()
            for each in zone.record_sets
            if each.type != "SOA" and not self._owned(each)
        }


def _which(life, request):
    return life, request.method, request.path, request.headers.get("if-match")


def whose(path):
    """Zone id in lower case and name, of a record set's path."""
    zone, _, name = path.lower().rpartition("/a/")
    return zone, name


def region(zone):
    """What tells zones of one name apart: their resource group."""
    return zone.split("/")[4]


def short(path):
    """The last parts of a path."""
    parts = path.split("/")
    return "/".join([parts[4], *parts[-2:]]) if len(parts) > 8 else "/".join(parts[-2:])


def show(got):
    """An answer, for people."""
    return "nothing" if got is None else f"{got[0]} s {sorted(got[1])}"


def told(response):
    """What an answer says of a record set or VM, for people."""
    properties = (response.content or {}).get("properties", {})
    records = [each["ipv4Address"] for each in properties.get("aRecords") or ()]
    view = properties.get("instanceView", {}).get("statuses", [{}])
    return f"{records or view[-1].get('code', '')}"
