"""The protocols through which the loop reaches the world. Adapters fulfil them; nothing in here does anything."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from shared.clock import Clock
from shared.figures import Tally
from shared.model import BadRow, Dirty, Endpoint, EndpointRow, Found, Marker, Order, Past, RecordSet, Write, Zone

T = TypeVar("T", covariant=True)  # noqa: PLC0105 - a row is only read

EVERY_NAME = "*"
"""Stands for a zone's history as a whole; no record set that could be ours has this name."""


class Measure(Protocol):
    """Where figures go. Raises nothing."""

    def __call__(self, name: str, value: float, /, **dimensions: str) -> None:
        """One measurement of a metric of `telemetry.METRICS`."""


def unmeasured(_name: str, _value: float, /, **_dimensions: str) -> None:
    """Nobody wants to know."""


@dataclass(frozen=True, slots=True)
class Stored(Generic[T]):
    """A row as read, with the etag that a conditional write of it carries."""

    value: T
    etag: str


@dataclass(frozen=True, slots=True)
class Indexed:
    """An index row: look at this endpoint's row for this name. `at`: when it was last upserted, in seconds."""

    name: str
    key: str
    at: float


@dataclass(frozen=True, slots=True)
class Logged:
    """A page of a zone's log: every entry of the span asked for that is before `until` (seconds since the epoch)."""

    entries: tuple[Past, ...]
    until: float


def tick(seconds: float) -> int:
    """A time in whole milliseconds since the epoch: what is told of it can be asked for again."""
    return int(seconds * 1000 + 1e-3)  # A float of today is exact to 2.4e-7 s.


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to write a zone. `expires`: seconds since the epoch.

    `spent`: the writes of the last minute that the holder before left behind, or None where it let its lease expire, so
    that nobody knows what it wrote.
    """

    zone: str
    expires: float
    spent: tuple[Write, ...] | None = ()


@dataclass(frozen=True, slots=True)
class Tenancy:
    """Who has a zone, for people. `holder`: "" for nobody. `expires`: seconds since the epoch, 0 where it is free.

    `spent`: as in `Lease`, what the last holder has left behind; while a zone is held, that is the one before.
    `changed_at`: when the lease was last taken, prolonged or given back, 0 where that is not known.
    """

    holder: str = ""
    expires: float = 0.0
    spent: tuple[Write, ...] | None = ()
    changed_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Listing:
    """What a list of one kind in one subscription has shown.

    `unclear`: endpoints of which it does not say enough, with what it says: names and addresses, as far as they are
    known, and no state. `error`: why it is not complete, or "".
    """

    subscription: str
    kind: str
    endpoints: tuple[Endpoint, ...] = ()
    unclear: tuple[Endpoint, ...] = ()
    error: str = ""


@dataclass(frozen=True, slots=True)
class VnetLink:
    """A link of a zone to a VNet (id in lower case). `redirects`: what is not in the zone is asked in public DNS."""

    name: str
    vnet: str
    redirects: bool = False


@dataclass(frozen=True, slots=True)
class Lock:
    """A management lock. `level`: `readonly` or `cannotdelete`. `id`: where it stands, and its name."""

    id: str
    level: str


@dataclass(frozen=True, slots=True)
class Permission:
    """Actions that a role gives, and those that it leaves out; both may hold `*`."""

    actions: tuple[str, ...] = ()
    not_actions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What stands around a zone. None: it could not be read, and `unread` says why.

    `negative_ttl`: seconds for which "no such name" is cached. `record_sets`, `max_record_sets`: of any type. `peers`:
    for each linked VNet (by id in lower case) those that it is peered with. `locations`: the regions of those VNets.
    """

    exists: bool = True
    record_sets: int | None = None
    max_record_sets: int | None = None
    negative_ttl: int | None = None
    links: tuple[VnetLink, ...] | None = None
    peers: Mapping[str, frozenset[str]] = field(default_factory=dict)
    locations: Mapping[str, str] = field(default_factory=dict)
    locks: tuple[Lock, ...] | None = None
    permissions: tuple[Permission, ...] | None = None
    unread: tuple[str, ...] = ()

    @property
    def regions(self) -> frozenset[str]:
        """The regions of the linked VNets; empty where not all of them are known."""
        at = {self.locations.get(link.vnet, "") for link in self.links or ()}
        return frozenset() if "" in at else frozenset(at)


class Surveyor(Protocol):
    """Reads what stands around the zones. Raises nothing: what cannot be read is said."""

    async def survey(self, zone: Zone) -> Surroundings:
        """One zone."""

    async def regions(self, zone: Zone) -> frozenset[str]:
        """The regions of the VNets that are linked to a zone; empty where not all of them can be read."""

    async def rights(self, subscription: str) -> tuple[Permission, ...] | None:
        """What the identity may do in a whole subscription; None where that cannot be read."""


class Catalog(Protocol):
    """The cache of observations. Conditional writes raise Conflict; any call may raise Transient.

    A row that cannot be read stops no call: what becomes of it stands in `catalog/mending.py`, and `bad_rows` tells it.
    """

    async def open(self, clock: Clock) -> None:
        """Begin to use it: from now on its answers tell the clock the time that all instances share."""

    async def place(self) -> Mapping[str, str]:
        """Where it is: `kind` (table or memory), `account` and `table`."""

    async def take_over(self) -> None:
        """Take over what the release before has kept elsewhere, where no marker is yet; it is not complete by that."""

    async def purge_others(self, before: float) -> None:
        """Remove the catalogs of other deployments in the same place that were not swept since then."""

    async def bad_rows(self) -> Sequence[BadRow]:
        """The rows that could not be read of late, whichever instance has met them."""

    async def forget_bad_rows(self, before: float) -> None:
        """Tell no more of rows that could not be read before then (seconds since the epoch)."""

    async def endpoint(self, key: str) -> Stored[EndpointRow] | None:
        """One endpoint's row."""

    async def endpoints(self) -> Sequence[Stored[EndpointRow]]:
        """Every endpoint's row."""

    async def claimants(self, name: str) -> Sequence[EndpointRow]:
        """The rows that the index of a name leads to: index first, rows second."""

    async def put_endpoint(self, row: EndpointRow, etag: str | None) -> str:
        """Write a row if it still has this etag (None: if it is absent); gives the new etag."""

    async def purge_endpoint(self, key: str, etag: str) -> None:
        """Remove a row on condition."""

    async def index(self, name: str, key: str, now: float) -> None:
        """Upsert an index row."""

    async def indexed(self) -> Sequence[Stored[Indexed]]:
        """Every index row."""

    async def purge_index(self, row: Stored[Indexed]) -> None:
        """Remove an index row on condition."""

    async def mark(self, dirty: Dirty) -> None:
        """Upsert a dirty row: always a new etag; keeps attempts, back-off, `since`, the greater urgency."""

    async def dirty(self, zone: str) -> Sequence[Stored[Dirty]]:
        """The dirty rows of a zone."""

    async def dirty_name(self, zone: str, name: str) -> Stored[Dirty] | None:
        """One dirty row."""

    async def put_dirty(self, dirty: Dirty, etag: str) -> None:
        """Change a dirty row on condition."""

    async def clear(self, zone: str, name: str, etag: str) -> None:
        """Remove a dirty row on condition."""

    async def acquire(self, zone: str, holder: str, now: float, seconds: float) -> Lease | None:
        """Take or prolong the lease of a zone; None where another holder has it."""

    async def release(self, zone: str, holder: str, spent: Sequence[Write]) -> None:
        """Give a lease back with the writes of the last minute, for the next holder; nothing where it is another's."""

    async def tenancy(self, zone: str, seconds: float) -> Tenancy:
        """Who has a zone now. `seconds`: for how long a lease is taken, which ends no later after it was written."""

    async def marker(self) -> Stored[Marker] | None:
        """The completeness marker."""

    async def put_marker(self, marker: Marker, etag: str | None) -> str:
        """Write the marker if it still has this etag (None: if there is none); gives the new etag."""

    async def orders(self) -> Sequence[Stored[Order]]:
        """All orders, expired ones as well."""

    async def put_order(self, order: Order) -> None:
        """Upsert an order."""

    async def purge_order(self, target: str, etag: str | None = None) -> None:
        """Remove an order, on condition where an etag is given."""

    async def found(self, zone: str) -> Stored[Found] | None:
        """What a person should know of a zone."""

    async def put_found(self, found: Found, etag: str | None) -> str:
        """Write it if it still has this etag (None: if there is none); gives the new etag."""

    async def keep(self, zone: str, changes: Sequence[Past]) -> None:
        """Add to the history of a zone and of these names, "*" for none. Raises Conflict where a race is always lost.

        A record set that was made or changed is known as ours from then on, one that was removed is not any more.
        """

    async def history(self, zone: str, name: str = EVERY_NAME) -> Sequence[Past]:
        """The last changes of a name, or of a zone, newest first."""

    async def log(self, zone: str, since: float, until: float) -> Logged:
        """What was kept of a zone from `since` on and before `until`, oldest first; a page of it where it is long."""

    async def forget(self, before: float, zones: Collection[str]) -> None:
        """Remove the log that is older, and the history of what has not changed since (seconds since the epoch).

        Not that of the names of these zones whose record sets are known as ours.
        """

    async def owned(self, zone: str) -> Mapping[str, str]:
        """The names of a zone whose record sets are known as ours, each with the etag of the row that says so."""

    async def owns(self, zone: str, name: str) -> bool:
        """Whether the record set of one name is known as ours."""

    async def own(self, zone: str, names: Collection[str]) -> None:
        """Keep that the record sets of these names are ours."""

    async def disown(self, zone: str, names: Mapping[str, str]) -> None:
        """Keep that these are not ours any more, each unless its row has another etag by now."""

    async def tallies(self) -> Sequence[Tally]:
        """What each process has counted, as it was written last."""

    async def put_tally(self, tally: Tally) -> None:
        """Write what a process has counted over what it wrote before; only that process writes it."""

    async def purge_tallies(self, before: float) -> None:
        """Remove those that were not written since then (seconds since the epoch)."""


class Inventory(Protocol):
    """The truth about endpoints, read from ARM. Raises Transient."""

    @property
    def types(self) -> frozenset[str]:
        """ARM types that a hint may name, in lower case: endpoints and what they depend on."""

    @property
    def kinds(self) -> frozenset[str]:
        """ARM types of endpoints, in lower case."""

    @property
    def parents(self) -> frozenset[str]:
        """ARM types, in lower case, that endpoints name as their `parent`."""

    async def resolve(self, resource_id: str) -> Sequence[str]:
        """The ids of the endpoints that a resource is, or that depend on it."""

    async def observe(self, endpoint_id: str, known: Endpoint | None, listed: Endpoint | None = None) -> Endpoint:
        """Read one endpoint. 404 gives state gone, 403 what was known with `doubt` set.

        `listed`: what a list has shown that was begun after `known` was read: its addresses need not be read again.
        """

    async def members(self, parent_id: str, known: Sequence[Endpoint]) -> tuple[Sequence[Endpoint], Sequence[Endpoint]]:
        """List the endpoints of a parent: those of which lists say enough, and those that they leave open.

        Raises Transient, Terminal.
        """

    async def several(self, wanted: Mapping[str, Endpoint | None]) -> Mapping[str, Endpoint]:
        """Read many endpoints (id, and what is known of it) by lists; what these leave open is not in the answer."""

    async def listings(self, subscriptions: Collection[str], known: Sequence[Endpoint]) -> Sequence[Listing]:
        """List every kind in every subscription; an incomplete list says so instead of raising."""


class RecordSets(Protocol):
    """The A record sets of the zones. Raises Transient, Terminal; writes raise Conflict as well."""

    async def get(self, zone: Zone, name: str) -> RecordSet | None:
        """One record set."""

    async def list(self, zone: Zone, turn: Callable[[], Awaitable[None]]) -> Sequence[RecordSet]:
        """All A record sets of a zone; waits for `turn` before it asks for a page, and lets its errors through."""

    async def put(self, zone: Zone, record_set: RecordSet, etag: str | None) -> RecordSet:
        """Write on condition of the etag (None: that there is nothing); gives what stands there now."""

    async def delete(self, zone: Zone, name: str, etag: str) -> None:
        """Remove on condition of the etag."""
