"""The deployment, as one frozen tree. Its format, defaults and validation: `decode.py`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from shared.decide.sweep_reads import SUBSCRIPTIONS_LISTED

LONGEST_PREFIX = 27
"""Of the smallest subnet that Microsoft documents for Flex Consumption: an app uses up to 27 addresses of it. Two apps
need a /26 (Microsoft Learn, functions-networking-options, subnets)."""


@dataclass(frozen=True, slots=True)
class Subnet:
    """The integration subnet of an app. `vnet`: the id of its VNet, which exists.

    `name`: of an existing subnet, which is used as it is; "" for one that is created with the IPv4 network `prefix`.
    """

    vnet: str
    name: str = ""
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class Region:
    """A region with clients. `vnets`: ids of the VNets linked to its zone; `zone`: id of an existing zone.

    `reach`: the networks that its clients can connect to, as CIDRs; empty for the app's default. `public`: public
    addresses within it may be published. `subnet`: where the app of the region connects from; None: it has no VNet
    integration. `probing`: fields of NEARZONE_PROBING that differ for the app of the region.
    """

    name: str
    vnets: tuple[str, ...] = ()
    reach: tuple[str, ...] = ()
    zone: str = ""
    public: bool = False
    subnet: Subnet | None = None
    probing: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WatchedSubscription:
    """A subscription with endpoints. `topic`, `health_topic`: ids of existing system topics."""

    id: str
    topic: str = ""
    health_topic: str = ""


@dataclass(frozen=True, slots=True)
class Alerts:
    """The recipients of alerts (ids of action groups), and the thresholds.

    `latency_seconds`: mean time from delivery to DNS. `dirty_minutes`: how long a name may wait for its write; a zone
    is filled with 57 names a minute, so a first fill of 3,400 names takes an hour. `frozen_hours`: how long a zone may
    be frozen.
    """

    action_groups: tuple[str, ...] = ()
    latency_seconds: int = 10
    dirty_minutes: int = 60
    frozen_hours: int = 4


@dataclass(frozen=True, slots=True)
class Entra:
    """The accepted tokens of the HTTP functions. `client_id`: of the app registration; `tenant`: its id.

    `groups`, `identities`: object ids of permitted callers. Not both empty: every account in the tenant could call
    then.
    """

    tenant: str
    client_id: str
    groups: tuple[str, ...] = ()
    identities: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Deployment:
    """The whole deployment. `subscription`: of nearzone's own resources. `one_app`: one app writes all zones.

    `management_groups`: names of groups whose subscriptions are watched as well.
    """

    subscription: str
    zone: str
    regions: tuple[Region, ...]
    subscriptions: tuple[WatchedSubscription, ...]
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
    management_groups: tuple[str, ...] = ()

    @property
    def finds_by_resource_graph(self) -> bool:
        """Whether sweeps may find endpoints by Azure Resource Graph."""
        chosen = str(self.settings.get("NEARZONE_RESOURCE_GRAPH", "auto")).lower()
        many = len(self.subscriptions) > SUBSCRIPTIONS_LISTED or bool(self.management_groups)
        return chosen == "always" or (chosen == "auto" and many)

    @property
    def apps(self) -> tuple[tuple[Region, ...], ...]:
        """The regions of each app; the app runs in the first one."""
        return (self.regions,) if self.one_app else tuple((region,) for region in self.regions)
