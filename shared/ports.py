"""The protocols through which the loop reaches the world. Adapters implement them; only protocols belong here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from shared.domain.catalog_rows import WHOLE_ZONE, Lease, LeaseHolder, LogPage, NameIndexEntry, Versioned
from shared.domain.catalog_state import BadRow, CatalogState, WriteStamp
from shared.domain.clock import Clock
from shared.domain.counters import ProcessCounters
from shared.domain.dirty import DirtyName, RecordChange
from shared.domain.endpoints import Endpoint, EndpointRow, Listing
from shared.domain.overrides import Override
from shared.domain.probes import EvidencePage, Probe, ProbeResult, VantageRow
from shared.domain.zone_environment import Permission, ZoneEnvironment
from shared.domain.zone_findings import ZoneFindings
from shared.domain.zones import RecordSet, Zone

if TYPE_CHECKING:
    from shared.domain.resource_graph import GraphFindings


class Metrics(Protocol):
    """Records measurements. Raises nothing."""

    def __call__(self, name: str, value: float, /, **dimensions: str) -> None:
        """One measurement of a metric of `metrics.METRICS`."""


def no_metrics(_name: str, _value: float, /, **_dimensions: str) -> None:
    """Discards every measurement."""


class ZoneEnvironmentReader(Protocol):
    """Reads what the zones depend on. Raises nothing; the result names what could not be read."""

    async def read(self, zone: Zone) -> ZoneEnvironment:
        """One zone."""

    async def regions(self, zone: Zone) -> frozenset[str]:
        """The regions of the VNets that are linked to a zone; empty where not all of them can be read."""

    async def permissions(self, subscription: str) -> tuple[Permission, ...] | None:
        """What the identity may do in a whole subscription; None where that cannot be read."""


class Catalog(Protocol):
    """The cache of observations. Conditional writes raise Conflict; any call may raise Transient.

    A row that cannot be read stops no call: `catalog/row_repair.py` repairs or drops it, and `bad_rows` lists it.
    """

    async def open(self, clock: Clock) -> None:
        """Begin to use it: from now on its answers correct the clock to the time that all instances share."""

    async def location(self) -> Mapping[str, str]:
        """Where it is: `kind` (table or memory), `account` and `table`."""

    async def take_over(self) -> None:
        """Where there is no state row yet, copy what the release before kept elsewhere. It is incomplete after that."""

    async def purge_others(self, before: float) -> None:
        """Remove the catalogs of other deployments in the same place that were not swept since then."""

    async def bad_rows(self) -> Sequence[BadRow]:
        """The rows that could not be read lately, by any instance."""

    async def forget_bad_rows(self, before: float) -> None:
        """Forget rows that could not be read before then (seconds since the epoch)."""

    async def endpoint(self, key: str) -> Versioned[EndpointRow] | None:
        """One endpoint's row."""

    async def endpoints(self) -> Sequence[Versioned[EndpointRow]]:
        """Every endpoint's row."""

    async def claimants(self, name: str) -> Sequence[EndpointRow]:
        """The rows that the index of a name leads to: index first, rows second."""

    async def put_endpoint(self, row: EndpointRow, etag: str | None) -> str:
        """Write a row if it still has this etag (None: if it is absent); gives the new etag."""

    async def purge_endpoint(self, key: str, etag: str) -> None:
        """Remove a row on condition."""

    async def index(self, name: str, key: str, now: float) -> None:
        """Upsert an index row."""

    async def indexed(self) -> Sequence[Versioned[NameIndexEntry]]:
        """Every index row."""

    async def purge_index(self, row: Versioned[NameIndexEntry]) -> None:
        """Remove an index row on condition."""

    async def mark_dirty(self, dirty: DirtyName) -> None:
        """Upsert a dirty row: always a new etag; keeps attempts, back-off, `since`, the greater urgency."""

    async def dirty(self, zone: str) -> Sequence[Versioned[DirtyName]]:
        """The dirty rows of a zone."""

    async def dirty_name(self, zone: str, name: str) -> Versioned[DirtyName] | None:
        """One dirty row."""

    async def put_dirty(self, dirty: DirtyName, etag: str) -> None:
        """Change a dirty row on condition."""

    async def remove_dirty(self, zone: str, name: str, etag: str) -> None:
        """Remove a dirty row on condition."""

    async def acquire(self, zone: str, holder: str, now: float, seconds: float) -> Lease | None:
        """Take or prolong the lease of a zone; None where another holder has it."""

    async def release(self, zone: str, holder: str, spent: Sequence[WriteStamp]) -> None:
        """Give a lease back with the writes of the last minute, for the next holder; nothing where it is another's."""

    async def lease_holder(self, zone: str, seconds: float) -> LeaseHolder:
        """Which process holds the lease of a zone now. `seconds`: how long a lease lasts after it was written."""

    async def state(self) -> Versioned[CatalogState] | None:
        """The state row; None where the catalog is new or was lost."""

    async def put_state(self, state: CatalogState, etag: str | None) -> str:
        """Write the state row if it still has this etag (None: if there is none); gives the new etag."""

    async def overrides(self) -> Sequence[Versioned[Override]]:
        """All overrides, expired ones as well."""

    async def put_override(self, override: Override) -> None:
        """Upsert an override."""

    async def purge_override(self, target: str, etag: str | None = None) -> None:
        """Remove an override, on condition where an etag is given."""

    async def findings(self, zone: str) -> Versioned[ZoneFindings] | None:
        """What an operator should know of a zone."""

    async def put_findings(self, found: ZoneFindings, etag: str | None) -> str:
        """Write it if it still has this etag (None: if there is none); gives the new etag."""

    async def add_history(self, zone: str, changes: Sequence[RecordChange]) -> None:
        """Add to the history of a zone and of these names, "*" for none. Raises Conflict where a race is always lost.

        A record set that was made or changed is known as ours from then on, one that was removed is not any more.
        """

    async def history(self, zone: str, name: str = WHOLE_ZONE) -> Sequence[RecordChange]:
        """The last changes of a name, or of a zone, newest first."""

    async def log(self, zone: str, since: float, until: float) -> LogPage:
        """What was kept of a zone from `since` on and before `until`, oldest first; a page of it where it is long."""

    async def purge_history(self, before: float, zones: Collection[str]) -> None:
        """Remove the log that is older, and the history of what has not changed since (seconds since the epoch).

        Not that of the names of these zones whose record sets are known as ours.
        """

    async def owned(self, zone: str) -> Mapping[str, str]:
        """The names of a zone whose record sets are known as ours, each with the etag of the row that says so."""

    async def is_owned(self, zone: str, name: str) -> bool:
        """Whether the record set of one name is known as ours."""

    async def record_owned(self, zone: str, names: Collection[str]) -> None:
        """Note that the record sets of these names are ours."""

    async def remove_owned(self, zone: str, names: Mapping[str, str]) -> None:
        """Note that these are not ours any more, each unless its row has another etag by now."""

    async def vantage(self, vantage: str) -> Versioned[VantageRow] | None:
        """The row of a vantage; None where it has not probed yet."""

    async def put_vantage(self, row: VantageRow, etag: str | None) -> str:
        """Write it if it still has this etag (None: if there is none); gives the new etag."""

    async def evidence(self, vantage: str) -> Sequence[EvidencePage]:
        """What a vantage has seen of all targets."""

    async def put_evidence(self, page: EvidencePage) -> None:
        """Replace a page. Only the prober that has just written the vantage's row does so."""

    async def purge_evidence(self, vantage: str, number: int) -> None:
        """Remove a page."""

    async def purge_vantages(self, but: str, before: float) -> None:
        """Remove what other vantages have kept, unless they have written it since then (seconds since the epoch)."""

    async def process_counters(self) -> Sequence[ProcessCounters]:
        """The counters of each process, as of its last write."""

    async def put_process_counters(self, tally: ProcessCounters) -> None:
        """Replace the counters of a process; only that process writes them."""

    async def purge_process_counters(self, before: float) -> None:
        """Remove those that were not written since then (seconds since the epoch)."""


class Connection(Protocol):
    """An open connection to a probed address. Calls raise DialError."""

    @property
    def rtt_ms(self) -> float | None:
        """The connection's round-trip time in milliseconds as the kernel measured it; None where it is not known."""

    async def read(self, limit: int) -> bytes:
        """At most so many bytes; none at the end of the answer."""

    async def write(self, data: bytes) -> None:
        """Send all of it."""

    def close(self) -> None:
        """End the connection at once. Raises nothing."""


class Dialer(Protocol):
    """Opens connections to addresses of endpoints: the one way to the network that is probed."""

    async def connect(self, ip: str, probe: Probe, connect_seconds: float) -> Connection:
        """Connect to the probe's port, with TLS where it asks for that. `connect_seconds`: at the most for TCP alone.

        Raises DialError. The caller limits the whole time by cancelling.
        """


class Prober(Protocol):
    """Probes addresses. Raises nothing."""

    async def __call__(
        self, dials: Iterable[tuple[str, Probe]], *, first: Collection[tuple[str, str]] = ()
    ) -> Mapping[tuple[str, str], ProbeResult]:
        """Probe each distinct pair of address and probe once, within the time of a round.

        Results by address and digest of the probe; what the time did not suffice for is missing. `first`: these begin
        at once, the others are spread over some seconds.
        """


class Inventory(Protocol):
    """The truth about endpoints, read from ARM. Raises Transient."""

    @property
    def types(self) -> frozenset[str]:
        """ARM types that a hint may name, in lower case: endpoints and what they depend on."""

    @property
    def kinds(self) -> frozenset[str]:
        """ARM types of endpoints, in lower case."""

    @property
    def parent_types(self) -> frozenset[str]:
        """ARM types, in lower case, that endpoints name as their `parent`."""

    async def resolve(self, resource_id: str) -> Sequence[str]:
        """The ids of the endpoints that a resource is, or that depend on it."""

    async def observe(self, endpoint_id: str, known: Endpoint | None, listed: Endpoint | None = None) -> Endpoint:
        """Read one endpoint. 404 gives state gone, 403 what was known with `doubt` set.

        `listed`: what a list has shown that was begun after `known` was read: its addresses need not be read again.
        """

    async def members(
        self, parent_id: str, known: Sequence[Endpoint]
    ) -> tuple[Sequence[Endpoint], Sequence[Endpoint]] | None:
        """List the endpoints of a parent: those of which lists say enough, and those that they leave open.

        None: there is no such parent. Raises Transient, Terminal.
        """

    async def observe_many(self, wanted: Mapping[str, Endpoint | None]) -> Mapping[str, Endpoint]:
        """Read many endpoints (id, and what is known of it) by lists; what these leave open is not in the answer."""

    async def list_all(self, subscriptions: Collection[str], known: Sequence[Endpoint]) -> Sequence[Listing]:
        """List every kind in every subscription; an incomplete list says so instead of raising."""

    async def list_some(self, places: Collection[tuple[str, str]], known: Sequence[Endpoint]) -> Sequence[Listing]:
        """List these kinds in these subscriptions (pairs of both), and the static endpoints; as `list_all`."""

    async def find_opted_in(self, subscriptions: Collection[str]) -> GraphFindings:
        """Ask Azure Resource Graph what has opted in: hints, which may be minutes old.

        Raises Transient, Forbidden, Terminal, also if the answer is incomplete.
        """

    async def group_subscriptions(self, group: str) -> Collection[str]:
        """The ids of the subscriptions below a management group, in lower case. Raises Transient, Terminal."""

    async def list_addresses(self, vms: Sequence[Endpoint]) -> Sequence[Endpoint]:
        """Give VMs the addresses that lists of NICs show, where that costs fewer calls than GETs. Raises nothing."""


class RecordSets(Protocol):
    """The A record sets of the zones. Raises Transient, Terminal; writes raise Conflict as well."""

    async def get(self, zone: Zone, name: str) -> RecordSet | None:
        """One record set."""

    async def list(self, zone: Zone, before_page: Callable[[], Awaitable[None]]) -> Sequence[RecordSet]:
        """All A record sets of a zone; awaits `before_page` before each page, and lets its errors through."""

    async def put(self, zone: Zone, record_set: RecordSet, etag: str | None) -> RecordSet:
        """Write on condition of the etag (None: that no record set exists); return it with its new etag."""

    async def delete(self, zone: Zone, name: str, etag: str) -> None:
        """Remove on condition of the etag."""
