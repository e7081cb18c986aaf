"""What is to be deployed, as one frozen tree. How it is written, defaults, and what is wrong with it: `decode.py`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Region:
    """A region with clients. `vnets`: ids of the VNets that its zone is linked to; `zone`: id of a zone that is there.

    `reach`: what its clients can connect to, as CIDRs; empty: the app's default. `public`: public addresses of it may
    be published as well.
    """

    name: str
    vnets: tuple[str, ...] = ()
    reach: tuple[str, ...] = ()
    zone: str = ""
    public: bool = False


@dataclass(frozen=True, slots=True)
class Watched:
    """A subscription with endpoints. `topic`, `health_topic`: ids of system topics that are there already."""

    id: str
    topic: str = ""
    health_topic: str = ""


@dataclass(frozen=True, slots=True)
class Alerts:
    """Whom alerts tell (ids of action groups), and from when on.

    `latency_seconds`: mean time from delivery to DNS. `dirty_minutes`: for how long a name may wait for its write; a
    zone is filled with 57 names a minute, so a first fill of 3,400 names takes an hour. `frozen_hours`: for how long a
    zone may be frozen.
    """

    action_groups: tuple[str, ...] = ()
    latency_seconds: int = 10
    dirty_minutes: int = 60
    frozen_hours: int = 4


@dataclass(frozen=True, slots=True)
class Entra:
    """Whose tokens the HTTP functions ask for. `client_id`: of the app registration that stands for them; `tenant`: id.

    `groups`, `identities`: object ids of those who may call. Not both empty: it would be everybody in the tenant.
    """

    tenant: str
    client_id: str
    groups: tuple[str, ...] = ()
    identities: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Deployment:
    """Everything. `subscription`: where nearzone itself lives. `one_app`: one app writes all zones."""

    subscription: str
    zone: str
    regions: tuple[Region, ...]
    subscriptions: tuple[Watched, ...]
    claims: Mapping[str, object]
    name: str
    one_app: bool
    subscribed: bool
    health: bool
    zone_redundant_plan: bool
    max_instances: int
    settings: Mapping[str, object]
    alerts: Alerts
    entra: Entra | None = None

    @property
    def apps(self) -> tuple[tuple[Region, ...], ...]:
        """The regions of each app; the first one is where it runs."""
        return (self.regions,) if self.one_app else tuple((region,) for region in self.regions)
