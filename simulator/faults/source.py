"""A seeded source of faults: which requests fail, and how. The front ends call it once for each request.

Each kind has its own chance. No fault makes a claim about the world that could mislead a correct client:

- Never invented: 412 (no etag has changed), and empty or shortened lists without an error. A test that needs them makes
  them true with calls of another writer.
- A 404 for an existing resource is the answer of a lagging replica (`not_found`): it may come again within
  `LAG_SECONDS`, and then not for a minute.
- `exists` is another form (409) of the 412 that the request would get anyway: the set exists.
- `locked`, `cname` and `quota` claim what may have been true for that instant: another client created a lock, a CNAME
  or the last set and removed it again. `cname` and `quota` hit creations of missing sets, as in Azure.
- All others claim nothing, or only that the caller has no permission (403).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Annotated, TypeAlias

import msgspec

from simulator.arm.front_door import ArmError, Call, Request, Response, parse
from simulator.arm.locks import scope_locked
from simulator.cloud import SimulatedAzure
from simulator.faults import answers
from simulator.faults.fault_domains import all_regions, regions_of
from simulator.private_dns.record_set_calls import is_record_type
from simulator.private_dns.record_sets import SETS_PER_ZONE
from simulator.private_dns.rules import cname_in_the_way, conflict, zone_full


@dataclass(frozen=True, slots=True)
class Lost:
    """The connection breaks. `after`: the request took effect, and only its answer is lost."""

    after: bool = False


@dataclass(frozen=True, slots=True)
class Slow:
    """The answer comes this many seconds later than it would."""

    seconds: float


Fault: TypeAlias = "Response | Lost | Slow | None"
"""The fault of a request: this answer instead of Azure's, a broken connection, a slow answer, or None."""

LAG_SECONDS = 4.0
"""How long a lagging replica of Resource Manager answers 404 for an existing resource: assumed; reports speak of
seconds."""
LAG_PAUSE = 60.0
LONGEST_WAIT = 15
"""Most seconds in ARM's Retry-After: 6 and 10 were seen in public captures, the rest is assumed."""

Chance = Annotated[float, msgspec.Meta(ge=0, le=1)]
Seconds = Annotated[float, msgspec.Meta(ge=0)]


class Rates(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The chance of each kind of fault per request that it can hit (0 never, 1 always), and how severe it is."""

    throttled_by_dns: Chance = 0.0
    """429 of the DNS provider, on record set calls."""
    throttled_by_gateway: Chance = 0.0
    """429 of ARM, on any request."""
    no_retry_after: Chance = 0.0
    """The share of these 429 without a wait."""
    internal_error: Chance = 0.0
    """500, on any request; it took no effect."""
    unavailable: Chance = 0.0
    """503, on any request."""
    broken_page: Chance = 0.0
    """502 on a page of a listing after the first."""
    forbidden: dict[str, Chance] = {}
    """403, by the called type in lower case (`virtualmachines`, `privatednszones/a`); `*`: all others."""
    not_found: dict[str, Chance] = {}
    """404 for an existing resource, on its GET, by type as in `forbidden`; never for resources in a zone."""
    pending: Chance = 0.0
    """409, another operation is pending: on writes of record sets."""
    locked: Chance = 0.0
    """409 ScopeLocked, on writes of record sets."""
    cname: Chance = 0.0
    """409, a CNAME has that name: on creations of record sets."""
    quota: Chance = 0.0
    """409, the zone is full: on creations of record sets."""
    exists: Chance = 0.0
    """409 in place of the 412 for a creation of an existing record set."""
    lost_before: Chance = 0.0
    """The connection breaks before the request arrives."""
    lost_after: Chance = 0.0
    """The connection breaks after the request took effect."""
    slow: Chance = 0.0
    """The answer comes up to `slowest` seconds late."""
    outage: Chance = 0.0
    """A region of the world fails from now on, for up to `longest_outage` seconds."""
    slowest: Seconds = 20.0
    longest_outage: Seconds = 120.0


class Faults:
    """Faults for the requests to a simulated Azure. Equal seeds, rates and requests give equal faults.

    Pass it as `faults=` to SimulatorTransport. `rates` may be changed at any time; `made` counts the injected faults.
    """

    def __init__(self, cloud: SimulatedAzure, rng: Random, rates: Rates | None = None) -> None:
        self.rates = rates or Rates()
        self.made: Counter[str] = Counter()
        self._cloud = cloud
        self._rng = rng
        self._out: dict[str, float] = {}
        self._lagging: dict[str, float] = {}
        self._kinds: Sequence[tuple[str, Callable[[Call], Fault]]] = (
            ("outage", self._break_out),
            ("throttled_by_dns", self._throttled_by_dns),
            ("throttled_by_gateway", self._throttled_by_gateway),
            ("internal_error", lambda call: answers.server_error(call, 500)),
            ("unavailable", lambda call: answers.server_error(call, 503)),
            ("broken_page", lambda call: answers.broken_page(call) if _goes_on(call) else None),
            ("pending", lambda call: answers.pending(call) if _writes(call) else None),
            ("locked", lambda call: scope_locked(call, _zone(call)).response if _writes(call) else None),
            ("cname", lambda call: cname_in_the_way(call.types[1]).response if self._creates(call) else None),
            ("quota", self._quota),
            ("exists", self._exists),
            ("lost_before", lambda _: Lost(after=False)),
            ("lost_after", lambda _: Lost(after=True)),
            ("slow", lambda _: Slow(self._rng.uniform(0, self.rates.slowest))),
        )

    def __call__(self, request: Request) -> Fault:
        """The fault of a request, or None."""
        try:
            call = parse(request)
        except ArmError:
            return None
        for name, fault in self._chosen(call):
            if fault is not None:
                self.made[name] += 1
                return fault
        return None

    def stop(self) -> None:
        """End all faults and outages."""
        self.rates = Rates()
        self._out.clear()

    def fail_region(self, region: str, seconds: float) -> None:
        """Make a region (`eastus`) unavailable for this many seconds from now."""
        self._out[region] = self._cloud.azure.clock() + seconds

    def _chosen(self, call: Call) -> Iterator[tuple[str, Fault]]:
        yield "outage", self._outage(call)
        denied = self.rates.forbidden.get(call.kind, self.rates.forbidden.get("*", 0.0))
        if denied and self._rng.random() < denied:
            yield "forbidden", answers.forbidden(call)
        if self._lags(call):
            yield "not_found", answers.not_found(call, self._rng.randrange(3))
        for name, fault in self._kinds:
            chance: float = getattr(self.rates, name)
            if chance and self._rng.random() < chance:
                yield name, fault(call)

    def _lags(self, call: Call) -> bool:
        """Whether the call reaches a replica that does not know the resource yet."""
        chance = self.rates.not_found.get(call.kind, self.rates.not_found.get("*", 0.0))
        if not chance or call.method != "GET" or len(call.names) != len(call.types) or answers.is_dns(call):
            return False
        now, key = self._cloud.azure.clock(), call.id.lower()
        since = now - self._lagging.get(key, -LAG_PAUSE)
        if LAG_SECONDS < since < LAG_PAUSE or self._rng.random() >= (chance if since >= LAG_PAUSE else 0.5):
            return False
        if since >= LAG_PAUSE:
            self._lagging[key] = now
        return True

    def _outage(self, call: Call) -> Fault:
        now = self._cloud.azure.clock()
        out = {region for region, until in self._out.items() if until > now}
        if not out or out.isdisjoint(regions_of(self._cloud, call)):
            return None
        return answers.server_error(call, 503) if call.names else answers.broken_page(call)

    def _break_out(self, call: Call) -> Fault:
        self.fail_region(self._rng.choice(all_regions(self._cloud)), self._rng.uniform(0, self.rates.longest_outage))
        return self._outage(call)

    def _says_wait(self) -> bool:
        return self._rng.random() >= self.rates.no_retry_after

    def _throttled_by_dns(self, call: Call) -> Fault:
        return answers.throttled_by_dns(call, retry_after=self._says_wait()) if _is_set(call) else None

    def _throttled_by_gateway(self, call: Call) -> Fault:
        wait = self._rng.randint(1, LONGEST_WAIT)
        return answers.throttled_by_gateway(call, wait=wait if self._says_wait() else None)

    def _held(self, call: Call) -> bool:
        zone = self._cloud.private_dns.zone(_zone(call))
        return zone is not None and zone.get(call.types[1].upper(), call.names[1]) is not None

    def _creates(self, call: Call) -> bool:
        return _writes(call) and call.method == "PUT" and not self._held(call)

    def _quota(self, call: Call) -> Fault:
        return zone_full(call.names[0], SETS_PER_ZONE, SETS_PER_ZONE).response if self._creates(call) else None

    def _exists(self, call: Call) -> Fault:
        if not _writes(call) or call.header("if-none-match") != "*" or not self._held(call):
            return None
        return conflict(f"The Record set {call.names[1]} exists already and hence cannot be created again.").response


def _is_set(call: Call) -> bool:
    """Whether a call is on a record set or a list of record sets."""
    return call.types[0].lower() == "privatednszones" and len(call.types) == 2 and is_record_type(call.types[1])


def _writes(call: Call) -> bool:
    return _is_set(call) and len(call.names) == 2 and call.method != "GET"


def _goes_on(call: Call) -> bool:
    """Whether a call is for a page after the first of a list."""
    return len(call.types) > len(call.names) and any(name.lower() == "$skiptoken" for name in call.request.query)


def _zone(call: Call) -> str:
    return call.id.rsplit("/", 2)[0]
