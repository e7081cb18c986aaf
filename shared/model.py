"""The frozen values that every room speaks in. Nothing in here does anything but hold, compare and name itself."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from enum import IntEnum, StrEnum
from functools import cached_property
from ipaddress import IPv4Address, IPv4Network

from shared.addresses import publishable

MAX_ADDRESSES = 20
"""Records in one Azure Private DNS record set. Source: Azure DNS limits, 2024-10-08."""

FOREVER = 253_402_300_799.0
"""Until when an order holds that has no end; the last second that a date can say."""

LONGEST_WAIT = 600.0
"""Seconds after which a name is tried again whatever was asked for; a row that says to wait longer is not believed.
Twice the longest back-off: what a wrong clock has written holds no name back for longer than this."""

_SEGMENT = r"(?!\.{1,2}(?:/|$))(?:[\w.()-](?<![\u0130\u03f4\u2126\u212a\u212b])){1,260}"
"""Groups may have letters of any alphabet. Left out are those that `lower()` makes equal to another letter, such as the
Kelvin sign to a k: an id with one would be taken for the id of another resource, and that one's 404 for its end."""
_RESOURCE_ID = re.compile(
    rf"(?P<id>(?ai:/subscriptions)/(?P<subscription>(?a:[\w-]{{1,64}}))(?ai:/resourceGroups)/{_SEGMENT}"
    rf"(?ai:/providers)/(?P<type>(?a:[\w.-]{{1,260}}/\w{{1,260}}))/{_SEGMENT})(?P<rest>/.*)?",
    re.DOTALL,
)
_CHILD = re.compile(rf"/(?P<type>(?a:\w{{1,260}}))/{_SEGMENT}(?=/|$)")


@dataclass(frozen=True, slots=True)
class ResourceId:
    """The id of an ARM resource. `subscription` and `type` in lower case; `whole`: nothing came behind it."""

    id: str
    subscription: str
    type: str
    whole: bool


def resource_id(text: str, types: Collection[str] = ()) -> ResourceId | None:
    """Read the id of a top-level resource, or the top-level part of a longer one; None where the text is none.

    `types` (in lower case): the longest part counts that is of one of these types, so that a sub-resource may be meant.
    Segments hold only what Azure allows in names, so that an id from an event is safe in a URL.
    """
    match = _RESOURCE_ID.fullmatch(text)
    if not match:
        return None
    kind, end = match["type"].lower(), match.end("id")
    found = (kind, end)
    while (child := _CHILD.match(text, end)) and child["type"].lower() != "providers":
        kind, end = f"{kind}/{child['type'].lower()}", child.end()
        if kind in types:
            found = (kind, end)
    return ResourceId(text[: found[1]], match["subscription"].lower(), found[0], found[1] == len(text))


STATIC = "static"
"""The kind of endpoints that stand in the settings, and the beginning of their ids: `static/NAME`."""


class State(StrEnum):
    """What an endpoint does. Only `SERVING` is published."""

    SERVING = "serving"
    WARMING = "warming"
    DRAINING = "draining"
    STOPPED = "stopped"
    GONE = "gone"
    UNKNOWN = "unknown"


@dataclass(frozen=True, order=True)
class Address:
    """A private IPv4 address and the VNet that it lives in (resource id in lower case, or "" if not known)."""

    ip: str
    network: str = ""

    @cached_property
    def number(self) -> int:
        """The address as a number, to be held against what a zone's clients can reach."""
        return int(IPv4Address(self.ip))


@dataclass(frozen=True)
class Endpoint:
    """One observation of an ARM resource that answers inference traffic.

    `tagged`: names claimed by tag. `own`: the resource's own name, where it opted in. `health`: whether ARM reports
    application health for it, None as long as it was not read by GET. `doubt`: why the last look could not read it
    (then all else is what was known before), or "". `faults`: what in its claims was refused, in words. `parent`: the
    scale set that it belongs to (id in lower case), or "". `unreported`: it runs, the Application Health extension is
    installed, and it has reported nothing yet; its state is `WARMING` then.
    """

    id: str
    kind: str
    region: str = ""
    tagged: tuple[str, ...] = ()
    own: str | None = None
    addresses: tuple[Address, ...] = ()
    state: State = State.UNKNOWN
    health: bool | None = None
    doubt: str = ""
    faults: tuple[str, ...] = ()
    parent: str = ""
    unreported: bool = False

    @cached_property
    def key(self) -> str:
        """The id for comparison: ARM is case-preserving but not case-sensitive."""
        return self.id.lower()

    def same(self, other: Endpoint) -> bool:
        """Whether both say the same; lists and GETs may spell an id differently."""
        return self == other or self == replace(other, id=self.id)

    @property
    def unread(self) -> bool:
        """Whether it is only known, from a list, what it claims, and not yet whether it serves."""
        return self.state == State.UNKNOWN and not self.doubt and bool(self.names)

    @property
    def open(self) -> bool:
        """Whether it is not known if it serves: it has still to be read, or cannot be, and was never seen before."""
        return self.state == State.UNKNOWN and bool(self.names)

    @property
    def speaks(self) -> bool:
        """Whether there is anything to know of it: a name that it claims, or why it claims none."""
        return bool(self.names or self.faults)

    @cached_property
    def subscription(self) -> str:
        """The id of its subscription, in lower case; `static` for an endpoint of the settings."""
        return self.key.removeprefix("/subscriptions/").split("/", 1)[0]

    @cached_property
    def names(self) -> frozenset[str]:
        """All names that this endpoint claims."""
        return frozenset((*self.tagged, self.own) if self.own else self.tagged)


@dataclass(frozen=True, slots=True)
class EndpointRow:
    """The catalog's row of an endpoint. `todo`: names not yet marked dirty. Times in seconds since the epoch.

    `missing_at`: when ARM has said 404, as long as no second look has settled that. While something else about it is
    open (see `doubt.py`): `since` when, and after how many `looks`. `look_at`: when to look again, 0 for no time.
    """

    endpoint: Endpoint
    todo: frozenset[str] = frozenset()
    seen_at: float = 0.0
    missing_at: float = 0.0
    since: float = 0.0
    looks: int = 0
    look_at: float = 0.0


class Urgency(IntEnum):
    """Which write goes first when the zone's budget is short.

    Host names come after service names: a client that asks for a service has nobody else to tell it who is dead.
    """

    WITHDRAW = 0
    FIRST = 1
    MORE = 2
    HOST_WITHDRAW = 3
    HOST_FIRST = 4
    OTHER = 5

    @property
    def host(self) -> bool:
        """Whether this is no service name's address: it leaves a part of the budget to those."""
        return self >= Urgency.HOST_WITHDRAW


@dataclass(frozen=True, slots=True)
class Dirty:
    """A name of a zone that has to be looked at. Times in seconds since the epoch.

    `cleared`: the guard has looked at this change, so it may empty the record set even where that rests on absence.
    `adopt`: a person asked to take over a foreign record set of this name; `regain`: only where it was ours and has
    lost our mark. `cause`: what marked it, for people; `by`, `reason_given`: as in `Cause`. `holds`: the addresses that
    the zone held at `held_at`, None where they were not read since the name became dirty.
    """

    zone: str
    name: str
    urgency: Urgency = Urgency.OTHER
    since: float = 0.0
    cleared: bool = False
    adopt: bool = False
    attempts: int = 0
    not_before: float = 0.0
    last_error: str = ""
    cause: str = ""
    regain: bool = False
    holds: tuple[str, ...] | None = None
    held_at: float = 0.0
    by: str = ""
    reason_given: str = ""

    def told(self, mark: Dirty) -> Dirty:
        """The same row with what a newer mark knows of the record set."""
        newer = mark.holds is not None and mark.held_at >= self.held_at
        return replace(self, holds=mark.holds, held_at=mark.held_at) if newer else self


@dataclass(frozen=True, slots=True)
class Cause:
    """Who asks for a look. `said`: for people, with the id that leads to log lines. `at`: since when, in seconds.

    `by`: the person or program that has called, "" where none has; `reason_given`: the reason that they gave, or "".
    """

    said: str
    at: float
    by: str = ""
    reason_given: str = ""


@dataclass(frozen=True, slots=True)
class Past:
    """A change of a record set that was written: its addresses `before` and `after`. `at`: seconds since the epoch.

    `kind`: create, update, delete, or adopt for an update that took the record set over. Or an order, about no name
    (`*`): drain, undrain, freeze, unfreeze, force, or end of an order whose time was over.
    `cause`: what has marked the name, and when or by which event; the log lines have the same words. `by`,
    `reason_given`: as in `Cause`. Rows of releases up to 0.1.0 have neither.
    """

    name: str
    at: float
    kind: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    reason: str
    cause: str
    by: str = ""
    reason_given: str = ""


@dataclass(frozen=True, slots=True)
class Swept:
    """A sweep that is over. `at`: when it began, in seconds since the epoch. `endpoints`: so many were listed.

    `drift`: record sets that were not as they should be. `complete`: everything could be read. `failures`: also names
    that failed before and were not due for another attempt. `failing`: how many names stay dirty because their writes
    fail; `examples`: the first of them. `error`: why the sweep was broken off, or the first failure, or "".
    """

    at: float
    seconds: float
    cause: str
    endpoints: int = 0
    drift: int = 0
    changes: int = 0
    failures: int = 0
    refused: int = 0
    complete: bool = False
    failing: int = 0
    examples: tuple[str, ...] = ()
    error: str = ""
    by: str = ""
    reason_given: str = ""


@dataclass(frozen=True, slots=True)
class Write:
    """A write that has gone to a zone. `kind`: create, update or delete. `at`: seconds since the epoch."""

    kind: str
    name: str
    at: float


@dataclass(frozen=True, slots=True)
class Alarm:
    """What a person should know of: what was found, what that means, and what to do about it.

    `count`: how many endpoints, names or zones have this one cause; `examples`: the first of them. `at`: when the look
    began that found it, in seconds since the epoch, 0 for now; alarms that differ only in this are equal.
    """

    what: str
    means: str = ""
    do: str = ""
    count: int = 1
    examples: tuple[str, ...] = ()
    at: float = field(default=0.0, compare=False)


class Obstacle(StrEnum):
    """Why a record set is not ours to write.

    `LOST`: it was ours, and has no owner's mark any more. `FOREIGN`: it has no mark and was never ours. `OTHER`: it has
    the mark of another owner. `AUTO`: Azure's auto-registration has made it.
    """

    LOST = "lost"
    FOREIGN = "foreign"
    OTHER = "other owner"
    AUTO = "auto-registered"


@dataclass(frozen=True, slots=True)
class Blocked:
    """A name whose record set in a zone is not ours to write. `owner`: whose mark it has, or "".

    `addresses`: what it holds. `claimed`: an endpoint that may do so claims the name. `at`: when it was read, in
    seconds since the epoch; it does not count in comparisons.
    """

    name: str
    why: Obstacle
    owner: str = ""
    addresses: tuple[str, ...] = ()
    claimed: bool = True
    at: float = field(default=0.0, compare=False)

    @property
    def concerns(self) -> bool:
        """Whether a person should know of it: not of what was never ours and nobody claims."""
        return self.claimed or self.why == Obstacle.LOST


@dataclass(frozen=True, slots=True)
class Held:
    """What a zone holds for a name that a sweep leaves as it is. `at`: when it was read, in seconds since the epoch.

    `why`: `refused` by the guard, `incomplete` (a list was not complete), or `kept` for a claimant that is not read.
    """

    name: str
    addresses: tuple[str, ...]
    why: str
    at: float = field(default=0.0, compare=False)


@dataclass(frozen=True, slots=True)
class Refused:
    """A plan for a zone (its id) that the guard refused: it would remove or empty `removals` of `owned` record sets.

    `digest`: names exactly these record sets with their addresses. `beyond`: more than `force` alone may let through.
    """

    zone: str
    digest: str
    removals: int
    owned: int
    beyond: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """What a person should know of one zone (its key), as the last sweep has found it.

    `count`: how many names are blocked; `blocked`: the first of them; `alarms`: about all of them. `held_count` and
    `held`: the same of names that the sweep leaves as they are. `at`: when it read the zone (seconds since the epoch).
    `refused`: the plan that `refusals` are about.
    """

    zone: str
    refusals: tuple[str, ...] = ()
    alarms: tuple[Alarm, ...] = ()
    blocked: tuple[Blocked, ...] = ()
    count: int = 0
    held: tuple[Held, ...] = ()
    held_count: int = 0
    at: float = 0.0
    refused: tuple[Refused, ...] = ()


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a sweep has read what lists leave open: `read` of `of` endpoints, from `begun` to `at` (seconds).

    `ended`: it does not go on; what it has not read is left to the next one.
    """

    read: int
    of: int
    begun: float
    at: float
    ended: bool = False


@dataclass(frozen=True, slots=True)
class Marker:
    """Says that the catalog knows every claim: as of `completed_at`, under the settings with this `digest`.

    `attempted_at`: when the last sweep began. `alarms`: what it has to say to a person beyond one zone (see `Found`).
    `checked_at`, `findings`: the last preflight, and what it found. `event_at`: when about the last event was seen.
    `sweeps`: the last ones, newest first.
    `epoch`: made with the first marker of a catalog, and kept: another one means that the catalog was lost meanwhile.
    `began_at`: when that was, 0 where an earlier release made it.
    `progress`: of the last sweep that had to read many endpoints one by one.
    `deferred_at`: when an event was last left to a sweep (see `strangers.py`). `covered_at`: all that were left to one
    until then have been made up for.
    """

    digest: str = ""
    completed_at: float = 0.0
    attempted_at: float = 0.0
    alarms: tuple[Alarm, ...] = ()
    epoch: str = ""
    checked_at: float = 0.0
    findings: tuple[Alarm, ...] = ()
    event_at: float = 0.0
    sweeps: tuple[Swept, ...] = ()
    progress: Progress | None = None
    began_at: float = 0.0
    deferred_at: float = 0.0
    covered_at: float = 0.0


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row of the catalog that could not be read. `why`: what was wrong with it. `at`: when, in seconds.

    `partition`: the kind of row, as `catalog/rows.py` lists them.
    """

    partition: str
    key: str
    why: str
    at: float


HASHED = "sha256:"
"""Begins the target of an order of which only the hash is known (see `Order`)."""


def digest(text: str) -> str:
    """An id as a key of the catalog."""
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Order:
    """A person's order until `until` (seconds since the epoch), about its `target`.

    An endpoint (its id in lower case) or a whole region is withdrawn; to a zone (its key) nothing is written. Of an
    order whose row cannot be read, the row's key still tells the target: `sha256:` and the digest of it.
    `by`, `reason_given`: as in `Cause`.
    """

    target: str
    until: float
    by: str = ""
    reason_given: str = ""

    def covers(self, endpoint: Endpoint) -> bool:
        """Whether this order is about that endpoint."""
        return self.about(endpoint.key) or self.about(endpoint.region)

    def about(self, target: str) -> bool:
        """Whether this is the target."""
        if self.target.startswith(HASHED):
            return self.target == HASHED + digest(target)
        return self.target == target

    @property
    def endless(self) -> bool:
        """Whether it holds until somebody takes it back."""
        return self.until >= FOREVER


def freeze(zone: Zone, orders: Iterable[Order]) -> Order | None:
    """The order, of those in force, that nothing is written to a zone."""
    return next((order for order in orders if order.about(zone.key)), None)


@dataclass(frozen=True)
class Zone:
    """A private DNS zone, the region of its clients, and what those clients can reach.

    `public`: public addresses within reach may be published as well.
    """

    id: str
    region: str
    reach: tuple[IPv4Network, ...]
    public: bool = False

    @cached_property
    def key(self) -> str:
        """The id for comparison."""
        return self.id.lower()

    @cached_property
    def ranges(self) -> tuple[tuple[int, int], ...]:
        """What its clients can reach and may be published, as the first and the last address of each range."""
        return publishable(self.reach, with_public=self.public)

    @property
    def fqdn(self) -> str:
        """The zone's DNS name, e.g. `ai.internal`."""
        return self.id.rsplit("/", 1)[-1].lower()


@dataclass(frozen=True, slots=True)
class Policy:
    """How a name is answered. `regions`: only these, or any when empty. `ttl`: seconds, None for the default."""

    min_endpoints: int = 1
    tolerance_ms: float = 0.0
    regions: frozenset[str] = frozenset()
    fallback: tuple[str, ...] = ()
    when_empty: str = "remove"
    ttl: int | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """Why one endpoint is in an answer or not."""

    endpoint: str
    region: str
    state: State
    addresses: tuple[str, ...]
    included: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Answer:
    """The A record set that a zone should hold for a name. `addresses` is None when what is there is to be kept."""

    name: str
    addresses: tuple[str, ...] | None
    ttl: int
    reason: str


@dataclass(frozen=True, slots=True)
class RecordSet:
    """An A record set as it stands in Azure. `etag` is sent back exactly as it came."""

    name: str
    ttl: int
    addresses: tuple[str, ...]
    metadata: tuple[tuple[str, str], ...] = ()
    etag: str = ""
    auto_registered: bool = False

    def tag(self, key: str) -> str | None:
        """A metadata value."""
        return dict(self.metadata).get(key)
