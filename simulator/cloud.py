"""The wiring: builds one simulated Azure from a clock, a seed and a world, for the front ends and for tests.

Decides nothing.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import chain
from random import Random
from typing import Any

from simulator.arm import locks, permissions, tags
from simulator.arm.front_door import ArmFrontDoor, Request, Response
from simulator.arm.limits import ArmLimits
from simulator.arm.management_groups import ManagementGroups
from simulator.arm.resource_graph import ResourceGraph
from simulator.arm.resource_groups import ResourceGroups
from simulator.arm.resource_manager import Entry, ResourceManager
from simulator.compute import moves
from simulator.compute import provider as compute
from simulator.containers import provider as container_groups
from simulator.model_servers.server import ModelServers
from simulator.network import load_balancer_provider as load_balancers
from simulator.network import private_endpoint_provider as private_endpoints
from simulator.network import provider as network
from simulator.oracle.answers import MATRIX
from simulator.paths.paths import Paths
from simulator.private_dns import provider as private_dns
from simulator.private_dns.rules import AssumedBehaviour
from simulator.world import world
from simulator.world.entries import HostEntry


class SimulatedAzure:
    """A whole simulated Azure. Raises WorldError for an impossible world.

    `clock` returns seconds since the epoch; equal seeds, clocks and requests give equal histories. `operation_scale`
    multiplies the durations of long-running operations. `unknowns`: how this Azure behaves where its behaviour is
    unknown.
    """

    def __init__(
        self,
        initial: world.World | None = None,
        *,
        clock: Callable[[], float] = time.time,
        seed: int = 0,
        operation_scale: float = 1.0,
        unknowns: AssumedBehaviour | None = None,
    ) -> None:
        self.unknowns = unknowns = unknowns or AssumedBehaviour()
        self.azure = ArmFrontDoor(clock, Random(seed), operation_scale=operation_scale)
        self.azure.action_in_subject = unknowns.action_in_subject
        self.azure.gate = self.arm_limits = ArmLimits(clock)
        self.network = network.register(self.azure)
        self.compute = compute.register(self.azure, self.network)
        self.compute.status_only_health = unknowns.status_only_health
        self.compute.writes.inline_nic_event = unknowns.inline_nic_event
        self.compute.scale_sets.machines.vm_events = unknowns.flexible_vm_events
        self.private_dns = private_dns.register(self.azure, unknowns=unknowns)
        self.private_dns.vnet_exists = lambda vnet_id: self.network.vnets.find(vnet_id) is not None
        self.load_balancers = load_balancers.register(self.azure, self.network)
        self.private_endpoints = private_endpoints.register(self.azure, self.network, self.private_dns)
        self.container_groups = container_groups.register(self.azure, self.network)
        taggable = (self.load_balancers.all, self.private_endpoints.all, self.container_groups.all)
        machines = (self.compute.vms, self.compute.scale_sets.sets)
        self.tags = tags.register(self.azure, [*machines, self.network.nics, *taggable])
        self.permissions = permissions.register(self.azure)
        locks.register(self.azure, self.private_dns.locks)
        groups = ResourceGroups(self.azure, self._inventory, self.private_dns.locks, self.permissions)
        self.moves = moves.register(self.azure, self.compute, self.network, groups.results)
        self.moves.events = unknowns.move_events
        self.graph = ResourceGraph(self.azure, self.permissions, self._graph_rows)
        self.azure.completed.append(self.graph.note)
        self.management_groups = ManagementGroups(self.permissions)
        rest = (groups.handle, self.graph.handle, self.management_groups.handle)
        self.azure.beyond = ResourceManager(self.azure, self._inventory, *rest).handle
        self.servers = ModelServers(seed)
        self.compute.moved = self.servers.rename
        self.paths = Paths(clock, seed, MATRIX)
        self.hosts: dict[str, HostEntry] = {}
        self.settings: dict[str, Any] = {}
        world.load(self, initial or world.World())

    def _inventory(self) -> Iterator[Entry]:
        """Every resource of any type, in an order in which they can be deleted."""
        endpoints = (self.load_balancers.all, self.private_endpoints.all, self.container_groups.all)
        machines = (self.compute.vms, self.compute.scale_sets.sets)
        found: Iterator[tags.Tagged] = chain(*endpoints, *machines, self.network.nics, self.network.vnets)
        for each in found:
            yield Entry(each.id, each.location, each.tags or {})
        for zone in self.private_dns.zones():
            for link in zone.links:
                yield Entry(f"{zone.id}/virtualNetworkLinks/{link.name}", tags=link.tags or {})
            yield Entry(zone.id, tags=zone.tags)

    def _graph_rows(self) -> Iterator[dict[str, Any]]:
        """Every resource as Resource Graph shows it, as far as its queries read it."""
        for each in self._inventory():
            vm, scale_set = self.compute.vms.find(each.id), self.compute.scale_sets.sets.find(each.id)
            power = f"PowerState/{vm.power}" if vm else ""
            mode = "Flexible" if scale_set and scale_set.flexible else ""
            yield {"id": each.id, "type": each.type, "tags": dict(each.tags), "power": power, "mode": mode}

    def handle(self, request: Request) -> Response:
        """Answer an ARM request."""
        return self.azure.handle(request)

    def enforce_limits(self, *, enforced: bool = True) -> None:
        """Refuse calls beyond the published limits of ARM and of each provider, or stop refusing them."""
        self.arm_limits.enforce = self.compute.limits.enforce = self.network.limits.enforce = enforced
        self.container_groups.limits.enforce = self.graph.enforce = enforced
        self.private_dns.limits = self.private_dns.budgets.requests_enforced = enforced

    @property
    def throttled(self) -> Counter[tuple[str, str, str]]:
        """How many calls were refused for a limit (429), by owner of the limit, scope and kind of call."""
        counts = {
            "arm": self.arm_limits.throttled,
            "compute": self.compute.limits.throttled,
            "network": self.network.limits.throttled,
            "dns": self.private_dns.throttled,
            "containers": self.container_groups.limits.throttled,
            "graph": self.graph.throttled,
        }
        return Counter({(whose, *key): n for whose, count in counts.items() for key, n in count.items()})

    def world(self) -> dict[str, Any]:
        """The current world, in the format of a world file."""
        return world.dump(self)
