"""The registry of endpoint kinds: a new kind is one module and one entry in `KINDS`."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from shared.azure.api_management import ApiManagementLocations, ApiManagementServices
from shared.azure.application_gateways import ApplicationGateways
from shared.azure.client import Arm
from shared.azure.container_environments import ContainerEnvironments
from shared.azure.container_groups import ContainerGroups
from shared.azure.endpoint_kind import Dependency, Kind, ListResult, Parent
from shared.azure.load_balancers import LoadBalancers
from shared.azure.network_interfaces import NetworkInterfaces
from shared.azure.private_endpoints import PrivateEndpoints
from shared.azure.scale_sets import ScaleSetInstances, ScaleSets
from shared.azure.static_endpoints import StaticEndpoints
from shared.azure.virtual_machines import VirtualMachines
from shared.domain.endpoints import STATIC, Endpoint, Listing
from shared.domain.errors import Terminal
from shared.domain.resource_ids import resource_id
from shared.domain.zones import Zone

if TYPE_CHECKING:
    from shared.domain.resource_graph import GraphFindings

KINDS = (
    VirtualMachines,
    LoadBalancers,
    ApplicationGateways,
    ScaleSetInstances,
    PrivateEndpoints,
    ApiManagementLocations,
    ContainerGroups,
    ContainerEnvironments,
)
DEPENDENCIES = (NetworkInterfaces,)
"""Resources that endpoints depend on: an event of one is a hint for its endpoints."""
PARENTS = (ScaleSets, ApiManagementServices)
"""Resources that contain endpoints."""


class ArmInventory:
    """Implements `ports.Inventory` with all kinds.

    `static`, `zones`: the endpoints and the zones of the settings. `regions`: all known regions; empty: any.
    """

    def __init__(
        self, arm: Arm, static: Sequence[Endpoint] = (), zones: Sequence[Zone] = (), regions: Collection[str] = ()
    ) -> None:
        own = [zone.key for zone in zones]
        self._kinds: list[Kind] = [make(arm, own, regions) if make is PrivateEndpoints else make(arm) for make in KINDS]
        self._static = StaticEndpoints(static)
        self._by_type: dict[str, Kind] = {kind.kind: kind for kind in (*self._kinds, self._static)}
        self._dependencies: dict[str, Dependency] = {make.type: make(arm) for make in DEPENDENCIES}
        self._parents: dict[str, Parent] = {make.type: make(arm) for make in PARENTS}
        self._vms = next(kind for kind in self._kinds if isinstance(kind, VirtualMachines))
        self._arm = arm

    @property
    def kinds(self) -> frozenset[str]:
        """ARM types of endpoints."""
        return frozenset(kind.kind for kind in self._kinds)

    @property
    def types(self) -> frozenset[str]:
        """ARM types of endpoints and of their dependencies."""
        return self.kinds | self._dependencies.keys() | self._parents.keys()

    @property
    def parent_types(self) -> frozenset[str]:
        """ARM types of resources that contain endpoints."""
        return frozenset(self._parents)

    async def resolve(self, resource: str) -> Sequence[str]:
        """Return the ids of the endpoints that a resource is, or that depend on it."""
        found = resource_id(resource, self.types)
        if found and found.type in self._dependencies:
            return await self._dependencies[found.type].endpoints(found.id)
        return [found.id] if found else []

    async def members(self, parent_id: str, previous: Sequence[Endpoint]) -> ListResult | None:
        """Return the endpoints of a parent, by lists; None if it does not exist."""
        found = resource_id(parent_id, self._parents)
        return await self._parents[found.type].members(found.id, previous) if found else None

    async def observe(self, endpoint_id: str, previous: Endpoint | None, listed: Endpoint | None = None) -> Endpoint:
        """Read one endpoint of any kind."""
        kind = self._kind(endpoint_id)
        if kind is None:
            raise Terminal(f"{endpoint_id} is not an endpoint of a known kind")
        return await kind.observe(endpoint_id, previous, listed)

    async def observe_many(self, wanted: Mapping[str, Endpoint | None]) -> Mapping[str, Endpoint]:
        """Read many endpoints by lists, for each of their kinds and subscriptions."""
        groups: defaultdict[tuple[str, str], dict[str, Endpoint | None]] = defaultdict(dict)
        for endpoint_id, previous in wanted.items():
            kind = self._kind(endpoint_id)
            if kind:
                groups[kind.kind, Endpoint(endpoint_id, kind.kind).subscription][endpoint_id.lower()] = previous
        read = [self._by_type[kind].observe_many(subscription, group) for (kind, subscription), group in groups.items()]
        seen = {endpoint.key: endpoint for endpoints in await asyncio.gather(*read) for endpoint in endpoints}
        return {endpoint_id: seen[endpoint_id.lower()] for endpoint_id in wanted if endpoint_id.lower() in seen}

    async def list_all(self, subscriptions: Collection[str], previous: Sequence[Endpoint]) -> Sequence[Listing]:
        """List every kind of every subscription, and the static endpoints."""
        lists = [(each, kind.kind) for each in sorted(subscriptions) for kind in self._kinds]
        return await self.list_some(lists, previous)

    async def list_some(self, places: Collection[tuple[str, str]], previous: Sequence[Endpoint]) -> Sequence[Listing]:
        """List these kinds of these subscriptions, and the static endpoints."""
        by_kind: defaultdict[tuple[str, str], list[Endpoint]] = defaultdict(list)
        for endpoint in previous:
            by_kind[endpoint.subscription, endpoint.kind].append(endpoint)
        lists = [(each, self._by_type[kind]) for each, kind in places] + [(STATIC, self._static)]
        return await asyncio.gather(*(kind.list_in(each, by_kind[each, kind.kind]) for each, kind in lists))

    async def find_opted_in(self, subscriptions: Collection[str]) -> GraphFindings:
        """Ask Azure Resource Graph what has opted in. Imported here: a process that handles events does not need it."""
        from shared.azure.resource_graph import ResourceGraph  # noqa: PLC0415

        return await ResourceGraph(self._arm, {_top_level(kind): kind for kind in self.kinds}).find(subscriptions)

    async def group_subscriptions(self, group: str) -> Collection[str]:
        """Read the subscriptions below a management group. Imported here: few apps have one."""
        from shared.azure.management_groups import subscriptions_of  # noqa: PLC0415

        return await subscriptions_of(self._arm, group)

    async def list_addresses(self, vms: Sequence[Endpoint]) -> Sequence[Endpoint]:
        """Return VMs with their addresses, where lists of NICs show these with fewer calls than GETs."""
        return await self._vms.list_addresses(vms)

    def _kind(self, endpoint_id: str) -> Kind | None:
        if endpoint_id.lower().startswith(f"{STATIC}/"):
            return self._static
        found = resource_id(endpoint_id, self.kinds)
        return self._by_type.get(found.type) if found and found.whole else None


def _top_level(kind: str) -> str:
    """Return the ARM type of the resource that has the tags of an endpoint."""
    return "/".join(kind.split("/")[:2])
