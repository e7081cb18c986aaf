"""Endpoints, their addresses and states, the rows in which the catalog keeps them, and lists of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from ipaddress import IPv4Address

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

    def equals_ignoring_id_case(self, other: Endpoint) -> bool:
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
    def is_relevant(self) -> bool:
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


@dataclass(frozen=True, slots=True)
class Listing:
    """What a list of one kind in one subscription has shown.

    `unclear`: endpoints of which it does not say enough, with what it says: names and addresses, as far as they are
    known, and no state. `error`: why it is not complete, or "".
    """

    subscription: str
    kind: str
    endpoints: tuple[Endpoint, ...] = ()
    needs_get: tuple[Endpoint, ...] = ()
    error: str = ""
