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

from simulator.arm import deployments, locks, permissions, tags
from simulator.arm.collection import Collection
from simulator.arm.front_door import ArmFrontDoor, Request, Response
from simulator.arm.limits import ArmLimits
from simulator.arm.management_groups import ManagementGroups
from simulator.arm.resource_graph import ResourceGraph
from simulator.arm.resource_groups import ResourceGroups
from simulator.arm.resource_manager import Entry, ResourceManager
from simulator.compute import moves
from simulator.compute import provider as compute
from simulator.compute.registered import registered
from simulator.containers import environment as container_environments
from simulator.containers import provider as container_groups
from simulator.gateways import api_managements, application_gateways
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
        self._assume(unknowns)
        self.network.deallocated = lambda vm_id: (
            (vm := self.compute.vms.find(vm_id)) is not None and (vm.power == "deallocated")
        )
        self.private_dns = private_dns.register(self.azure, unknowns=unknowns)
        self.private_dns.registrations.machines = lambda: registered(self.compute.vms, self.network.nics)
        self.private_dns.vnet_exists = lambda vnet_id: self.network.vnets.find(vnet_id) is not None
        self.load_balancers = load_balancers.register(self.azure, self.network)
        self.private_endpoints = private_endpoints.register(self.azure, self.network, self.private_dns)
        self.container_groups = container_groups.register(self.azure, self.network)
        self.application_gateways = application_gateways.register(self.azure, self.network)
        self.api_managements = api_managements.register(self.azure, self.network)
        self.container_environments = container_environments.register(self.azure, self.network)
        machines = (self.compute.vms, self.compute.scale_sets.sets)
        network_types = (self.network.nics, self.network.public_addresses.all)
        self.tags = tags.register(self.azure, [*machines, *network_types, *self.endpoints])
        self.permissions = permissions.register(self.azure)
        locks.register(self.azure, self.private_dns.locks)
        deployments.register(self.azure)
        groups = ResourceGroups(self.azure, self._inventory, self.private_dns.locks, self.permissions)
        self.moves = moves.register(self.azure, self.compute, self.network, groups.results)
        self.moves.events = unknowns.move_events
        self.graph = ResourceGraph(self.azure, self.permissions, self._graph_rows)
        self.azure.completed.append(self.graph.note)
        self.management_groups = ManagementGroups(self.permissions)
        rest = (self.graph.handle, self.management_groups.handle)
        self.azure.beyond = ResourceManager(self.azure, self._listed, groups.handle, self.permissions, *rest).handle
        self.servers = ModelServers(seed)
        self.compute.moved = self.servers.rename
        self.paths = Paths(clock, seed, MATRIX)
        self.hosts: dict[str, HostEntry] = {}
        self.settings: dict[str, Any] = {}
        world.load(self, initial or world.World())

    def _assume(self, unknowns: AssumedBehaviour) -> None:
        """Set the switches of compute for what is not known about Azure."""
        self.compute.status_only_health = unknowns.status_only_health
        self.compute.writes.inline_nic_event = unknowns.inline_nic_event
        self.compute.writes.put_keeps_tags = unknowns.put_keeps_tags
        self.compute.scale_sets.machines.vm_events = unknowns.flexible_vm_events

    @property
    def endpoints(self) -> tuple[Collection[Any], ...]:
        """The resources that may be endpoints, or that contain some, other than machines."""
        return (
            self.load_balancers.all,
            self.private_endpoints.all,
            self.container_groups.all,
            self.application_gateways.all,
            self.api_managements.all,
            self.container_environments.all,
        )

    def _inventory(self) -> Iterator[Entry]:
        """Every resource of any type, in an order in which they can be deleted."""
        machines = (self.compute.vms, self.compute.scale_sets.sets)
        network = (self.network.nics, self.network.public_addresses.all, self.network.vnets)
        found: Iterator[tags.Tagged] = chain(*self.endpoints, *machines, *network)
        for each in found:
            yield Entry(each.id, each.location, each.tags or {})
        for zone in self.private_dns.zones():
            for link in zone.links:
                yield Entry(f"{zone.id}/virtualNetworkLinks/{link.name}", tags=link.tags or {})
            yield Entry(zone.id, tags=zone.tags)

    def _listed(self) -> Iterator[Entry]:
        """The resources in lists of all types: also services, of which nothing else is simulated."""
        services = {key.lower(): Entry(key, location) for key, location in self.private_endpoints.services()}
        return chain(self._inventory(), services.values())

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
