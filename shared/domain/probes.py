"""Probes: what is asked of an address, what a vantage has seen of it, and what follows from that.

A vantage is an app that probes, named by its region. A verdict takes an address out of answers; it ends by itself
unless the vantage renews it. Times are in seconds since the epoch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from enum import StrEnum
from functools import cached_property

import msgspec
from msgspec.structs import replace

from shared.domain.alarms import Alarm

STRIP = 20
"""Results of a target that are kept for display."""
SAMPLES = 21
"""Round-trip times of a target that are kept; the median of them is its distance."""


class ProbeWord(StrEnum):
    """What a probe has found. No other word about an answer is kept, logged or shown."""

    OK = "ok"
    REFUSED = "refused"
    CONNECT_TIMEOUT = "connect timed out"
    UNREACHABLE = "unreachable"
    RESET = "reset"
    CLOSED = "closed without an answer"
    ANSWER_TIMEOUT = "answer timed out"
    TLS_FAILED = "TLS handshake failed"
    CERTIFICATE_EXPIRED = "certificate expired"
    CERTIFICATE_NAME = "certificate is for another name"
    CERTIFICATE_UNTRUSTED = "certificate is not trusted"
    STATUS = "unexpected status"
    REDIRECT = "redirect"
    TOO_LONG = "answer is too long"
    NOT_HTTP = "answer is not HTTP"
    LOCAL_FAULT = "the vantage could not open a connection"
    """The vantage's own fault, such as no free file descriptor. It is no evidence against the address."""


class Probe(msgspec.Struct, frozen=True, dict=True):
    """How an address is asked whether its server works. Everything comes from the settings, nothing from a tag.

    TCP always; TLS where `tls`; an HTTP GET where `path` is not empty. `expect`: the accepted status codes, as ranges
    with both ends. `tls_name`: the name for SNI and the certificate. `host`: the Host header, "" for `tls_name` or the
    address.
    """

    kind: str
    port: int
    path: str = ""
    expect: tuple[tuple[int, int], ...] = ((200, 299),)
    tls: bool = False
    tls_name: str = ""
    verify: bool = True
    host: str = ""

    @cached_property
    def digest(self) -> str:
        """Names the probe in evidence and verdicts: a probe with other settings starts without either."""
        parts = (self.port, self.path, sorted(self.expect), self.tls, self.tls_name, self.verify, self.host)
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]

    def accepts(self, status: int) -> bool:
        """Return whether a status code says that the server works."""
        return any(first <= status <= last for first, last in self.expect)


class ProbeResult(msgspec.Struct, frozen=True):
    """What one probe has found. `status`: of the HTTP answer, 0 for none. `seconds`: how long all of it took.

    `rtt_ms`: round-trip time of the connection in milliseconds as the kernel measured it; None where it is not known.
    """

    word: ProbeWord
    status: int = 0
    rtt_ms: float | None = None
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether the server works."""
        return self.word == ProbeWord.OK


TargetKey = tuple[str, str, str]
"""The endpoint's key, the address, and the probe's digest."""


class Target(msgspec.Struct, frozen=True):
    """An address of an endpoint that is to be probed in one way.

    `region`: the endpoint's. `place`: what its round-trip time is a distance to: the region, or the key of a static
    endpoint. `names`: the names that ask for this probe; `tagged`: those of them that the endpoint claims by tag.
    """

    endpoint: str
    ip: str
    region: str
    place: str
    probe: Probe
    names: frozenset[str] = frozenset()
    tagged: frozenset[str] = frozenset()

    @property
    def key(self) -> TargetKey:
        """Identifies its evidence and verdicts."""
        return self.endpoint, self.ip, self.probe.digest


class Evidence(msgspec.Struct, frozen=True):
    """What a vantage has seen of a target.

    `armed`: it has answered at least once. `since`: when it was first probed, or first after it did not serve.
    `at`: the last result; `ok_at`: the last success. `word`, `status`: of the last result. `fails`, `successes`: in a
    row. `down_since`: 0 while it is up. `up_at`: when it last came back. `withdrawals`: when it was withdrawn within
    the last hour. `samples`: round-trip times in milliseconds, oldest first; `sampled_at`: of the last one. `recent`:
    the last results, oldest first, `.` for a success and `x` for a failure. `absent`: it was not to be probed in the
    last round, since it did not serve.
    """

    endpoint: str
    ip: str
    probe: str
    place: str
    region: str
    since: float
    armed: bool = False
    at: float = 0.0
    word: ProbeWord = ProbeWord.OK
    status: int = 0
    fails: int = 0
    successes: int = 0
    down_since: float = 0.0
    up_at: float = 0.0
    withdrawals: tuple[float, ...] = ()
    samples: tuple[float, ...] = ()
    sampled_at: float = 0.0
    recent: str = ""
    absent: bool = False
    ok_at: float = 0.0

    @property
    def key(self) -> TargetKey:
        """Identifies its target."""
        return self.endpoint, self.ip, self.probe


class VerdictKind(StrEnum):
    """Why an address is taken out of answers."""

    DOWN = "down"
    """Its probe fails."""
    WAITING = "waiting"
    """It has begun to serve and has not answered its probe yet."""
    RETURNING = "returning"
    """It works again; zones of other regions get it later than its own."""


class Verdict(msgspec.Struct, frozen=True):
    """What a vantage says against an address. `why`: for people, made of fixed words and numbers.

    `everywhere`: it holds for all zones; otherwise for the zones of the vantage's region alone, because the path from
    there may be at fault. RETURNING never holds for the zones of the endpoint's own region.
    """

    kind: VerdictKind
    endpoint: str
    ip: str
    probe: str
    region: str
    since: float
    why: str = ""
    everywhere: bool = False

    @property
    def key(self) -> TargetKey:
        """Identifies its target."""
        return self.endpoint, self.ip, self.probe

    @property
    def words(self) -> str:
        """Why the address is not in the answer."""
        return f"{self.kind.value}: {self.why}"

    def holds_in(self, zone_region: str, vantage: str) -> bool:
        """Return whether it concerns the zones of a region."""
        if self.kind == VerdictKind.RETURNING and zone_region == self.region:
            return False
        return self.everywhere or zone_region == vantage


class Better(msgspec.Struct, frozen=True):
    """A place that has been better than one before it in the order, by more than the band, since then."""

    nearer: str
    farther: str
    since: float


class Distances(msgspec.Struct, frozen=True):
    """Measured distances from a vantage, and the order that is in force.

    `ms`: round-trip times in milliseconds by place, where enough fresh samples exist. `order`: places, nearest first;
    it may hold places without a current value. `previous`: the order before the last change, which names in `pending`
    still use. `changed_at`: when `order` last changed. `released`: when names were last taken off `pending`, for the
    rate. `better`: what may change the order next. `implausible`: places whose value is too small to be true.
    """

    until: float = 0.0
    ms: Mapping[str, float] = {}
    order: tuple[str, ...] = ()
    previous: tuple[str, ...] = ()
    pending: frozenset[str] = frozenset()
    changed_at: float = 0.0
    released: tuple[float, ...] = ()
    better: tuple[Better, ...] = ()
    implausible: tuple[str, ...] = ()

    def order_for(self, name: str) -> tuple[str, ...]:
        """Return the order that a name uses."""
        return self.previous if name in self.pending else self.order


class VantageRow(msgspec.Struct, frozen=True):
    """The last round of a vantage, and what follows from its evidence.

    `until`: when the drain timer ends `verdicts` unless the vantage renews them; `distances` have an end of their own.
    Decisions use what the row holds, without a clock: what has been written with a verdict and what without it is
    known only if the end is a write as well. `todo`: endpoints whose names must still be marked dirty. `reordered`: so
    must the names that use measured distances. `addresses`, `failing`: targets of the round, and those that failed.
    `blind_since`: since when the vantage is presumed blind, 0 if it is not. `kept`: names, as `NAME.ZONE`, of which
    all addresses have verdicts, so that all of them count. `alarms`: what an operator should know. `suspected_since`:
    since when so many addresses fail that the vantage may be blind; it is presumed blind once they have failed often
    enough.
    """

    vantage: str
    round: int = 0
    at: float = 0.0
    seconds: float = 0.0
    until: float = 0.0
    verdicts: tuple[Verdict, ...] = ()
    distances: Distances = Distances()
    todo: frozenset[str] = frozenset()
    reordered: bool = False
    addresses: int = 0
    failing: int = 0
    blind_since: float = 0.0
    kept: tuple[str, ...] = ()
    alarms: tuple[Alarm, ...] = ()
    suspected_since: float = 0.0


class EvidencePage(msgspec.Struct, frozen=True):
    """The evidence of a part of a vantage's targets, as of a round."""

    vantage: str
    number: int
    evidence: tuple[Evidence, ...] = ()
    round: int = 0


class Measured:
    """What the decisions of a moment may use of a vantage's row: verdicts and distances that are in force."""

    __slots__ = ("_verdicts", "distances", "vantage")

    def __init__(self, vantage: str = "", verdicts: Iterable[Verdict] = (), distances: Distances | None = None) -> None:
        self.vantage, self.distances = vantage, distances
        self._verdicts = {verdict.key: verdict for verdict in verdicts}

    @property
    def verdicts(self) -> Iterable[Verdict]:
        """All verdicts in force."""
        return self._verdicts.values()

    def verdict(self, zone_region: str, endpoint: str, ip: str, probe: str) -> Verdict | None:
        """Return what is said against an address in the zones of a region; None: nothing."""
        found = self._verdicts.get((endpoint, ip, probe))
        return found if found and found.holds_in(zone_region, self.vantage) else None

    def __bool__(self) -> bool:
        return bool(self._verdicts) or self.distances is not None


NOTHING_MEASURED = Measured()


def measured(row: VantageRow) -> Measured:
    """Return what a vantage's row says, whatever the mode. What has ended is not in the row any more."""
    return Measured(row.vantage, row.verdicts, row.distances if row.distances.order else None)


def shown(row: VantageRow, now: float, *, enforce: bool) -> Measured:
    """Return what a vantage's row says, to be shown. In observe mode the drain timer ends nothing: the time does."""
    if enforce:
        return measured(row)
    distances = row.distances if now < row.distances.until else Distances()
    return measured(replace(row, verdicts=row.verdicts if now < row.until else (), distances=distances))
