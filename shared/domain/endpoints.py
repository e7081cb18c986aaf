"""Endpoints, their addresses and states, their rows in the catalog, and lists of endpoints."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from ipaddress import IPv4Address

STATIC = "static"
"""The kind of endpoints that the settings define, and the first part of their ids: `static/NAME`."""


class State(StrEnum):
    """The state of an endpoint. Only `SERVING` is published."""

    SERVING = "serving"
    WARMING = "warming"
    DRAINING = "draining"
    STOPPED = "stopped"
    GONE = "gone"
    UNKNOWN = "unknown"


@dataclass(frozen=True, order=True)
class Address:
    """An IPv4 address and the VNet that it lives in (resource id in lower case, "" if unknown or public)."""

    ip: str
    network: str = ""

    @cached_property
    def number(self) -> int:
        """The address as a number, to compare it with the ranges that a zone's clients can reach."""
        return int(IPv4Address(self.ip))


@dataclass(frozen=True)
class Endpoint:
    """One observation of an ARM resource that answers inference traffic.

    `tagged`: names that its tags claim. `own`: the resource's own name, if it opted in. `health`: whether ARM reports
    application health for it, None until a GET has read it. `doubt`: why the last read failed, or ""; after a failure
    all other fields have their previous values. `faults`: the refused parts of its claims, as text. `parent`: the id of
    its scale set in lower case, or "". `unreported`: the endpoint runs, has the Application Health extension, and the
    extension has not reported yet; its state is `WARMING` then. `selected`: names for which only these addresses are
    published; every other name has all of `addresses`. `not_serving`: why the endpoint or a part of it does not serve,
    with the evidence, where its state does not say it, or "". `service`: the id or alias in lower case of the service
    that an approved private endpoint leads to, or ""; `region` is this service's. `region_assumed`: its region could
    not be read, so a tag states it, or it is the private endpoint's own. `location`: the region of the private endpoint
    itself, its NIC and its VNet, if that differs from `region`, or "".
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
    selected: tuple[tuple[str, tuple[Address, ...]], ...] = ()
    not_serving: str = ""
    service: str = ""
    region_assumed: bool = False
    location: str = ""

    @cached_property
    def key(self) -> str:
        """The id for comparison: ARM preserves the case of ids and ignores it."""
        return self.id.lower()

    def equals_ignoring_id_case(self, other: Endpoint) -> bool:
        """Return whether both observations are equal; lists and GETs may spell an id differently."""
        return self == other or self == replace(other, id=self.id)

    @property
    def network_region(self) -> str:
        """The region in which its addresses are: for a private endpoint its own, not its service's."""
        return self.location or self.region

    def narrowed(self, name: str) -> Endpoint:
        """Return the endpoint with the addresses that it publishes for a name; itself if that are all of them."""
        for selected, addresses in self.selected:
            if selected == name:
                return replace(self, addresses=addresses)
        return self

    @property
    def unread(self) -> bool:
        """Whether only a list has shown the endpoint: its names are known, and its state has not been read yet."""
        return self.state == State.UNKNOWN and not self.doubt and bool(self.names)

    @property
    def open(self) -> bool:
        """Whether its state is unknown: it has not been read yet, or has never been readable."""
        return self.state == State.UNKNOWN and bool(self.names)

    @property
    def is_relevant(self) -> bool:
        """Whether the catalog needs it: it claims a name, or a claim of it was refused."""
        return bool(self.names or self.faults)

    @cached_property
    def subscription(self) -> str:
        """The id of its subscription, in lower case; `static` for an endpoint from the settings."""
        return self.key.removeprefix("/subscriptions/").split("/", 1)[0]

    @cached_property
    def names(self) -> frozenset[str]:
        """All names that this endpoint claims."""
        return frozenset((*self.tagged, self.own) if self.own else self.tagged)


def own_name_fault(own: str) -> str:
    """The fault of an endpoint whose own name is no DNS label. `own`: in lower case."""
    return f"its own name {own!r} is not a DNS label and is not claimed"


@dataclass(frozen=True, slots=True)
class EndpointRow:
    """The catalog's row of an endpoint. `todo`: names to mark dirty. Times in seconds since the epoch.

    `missing_at`: when ARM returned 404, until a second read confirms or refutes it. While another question is open (see
    `confirmation.py`): `since` when, and after how many reads (`looks`). `look_at`: time of the next read, 0 for none.
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
    """The result of listing one kind in one subscription.

    `needs_get`: endpoints for which the list is not sufficient, with their names and addresses as far as known, and
    without a state. `error`: why the list is incomplete, or "".

    `hinted`: it comes from Resource Graph and shows only what is to be read: an endpoint that it lacks may exist, and
    one that it has may not. `known`: how many other endpoints Resource Graph shows as the catalog knows them.
    """

    subscription: str
    kind: str
    endpoints: tuple[Endpoint, ...] = ()
    needs_get: tuple[Endpoint, ...] = ()
    error: str = ""
    hinted: bool = False
    known: int = 0
