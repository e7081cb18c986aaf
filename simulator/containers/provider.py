"""The container instance provider: `Microsoft.ContainerInstance/containerGroups` and the operations on them.

Statuses, headers and states of PUT, GET, list and DELETE as recorded (`container_group.py` names the recordings); those
of start, stop, restart and PATCH by the OpenAPI document 2023-05-01. A group that ends loses its IP: at once when it is
stopped, some time after its containers ended (it was still there 12 s later: test_container_exec.yaml, calls 4 and 5).
Documented (container-instances-stop-start.md): a stop deallocates, and does nothing to a group that has ended.
Inferred: errors, and that a group has its old address again after a start, until the platform moves it, without an
event (mbraekman.github.io/2024/03/28/ACI-IP-Monitor).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from simulator.arm.collection import Collection, decode, rejected
from simulator.arm.front_door import ArmError, ArmFrontDoor, Call, Family, Outcome, Response
from simulator.arm.managed_identity import identity_of
from simulator.containers.container_group import CG_TYPE, ENDED, ContainerGroup, Current, State, ended
from simulator.containers.limits import ContainerLimits
from simulator.network.addresses import Reference, Wanted, WantedProperties
from simulator.network.changes import assign, region, release, reserve
from simulator.network.provider import PAGE_SIZE, Network
from simulator.timing.latency import Spread

START_SECONDS = Spread(15.0, 23.0, 105.0)
"""From a PUT to running containers: 15, 23 and, in a VNet, 105 s in azure-cli's recordings. Also used for start and
restart."""
RELEASE_SECONDS = 60.0
"""From the end of a group's containers to the loss of its IP: assumed."""
OPERATIONS_VERSION = "2018-06-01"
"""The api-version in links to operations, whatever the caller's version: recorded 2023 and 2026."""


_STATUS: Mapping[Outcome, str] = {"Success": "Succeeded", "Failure": "Failed", "Cancel": "Canceled"}


class _Container(msgspec.Struct):
    name: str
    properties: dict[str, Any]


class _Properties(msgspec.Struct, rename="camel"):
    containers: list[_Container]
    subnet_ids: list[Reference] = []


class _Body(msgspec.Struct):
    location: str
    properties: _Properties
    tags: dict[str, str] | None = None


class _Tags(msgspec.Struct):
    tags: dict[str, str] = {}


@dataclass(slots=True)
class _Operation:
    group: str
    started: float
    status: str = "Pending"


class ContainerGroups:
    """Answers for `Microsoft.ContainerInstance/containerGroups` and `.../locations`."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._azure = network.azure
        self.all: Collection[ContainerGroup] = Collection(CG_TYPE)
        self.limits = ContainerLimits(network.azure.clock)
        self._operations: dict[str, _Operation] = {}
        self._routes: dict[tuple[str, int, str], Callable[[Call], Response]] = {
            ("containergroups", 0, "GET"): self._list,
            ("containergroups", 1, "GET"): lambda call: Response(200, self.all.get_or_404(call).body()),
            ("containergroups", 1, "PUT"): self._put,
            ("containergroups", 1, "PATCH"): self._patch,
            ("containergroups", 1, "DELETE"): self._delete,
            ("containergroups/start", 1, "POST"): self._start,
            ("containergroups/stop", 1, "POST"): self._stop,
            ("containergroups/restart", 1, "POST"): self._restart,
            ("containergroups/containers/logs", 2, "GET"): self._logs,
            ("containergroups/containers/exec", 2, "POST"): self._exec,
            ("locations/operations", 2, "GET"): self._poll,
        }

    def handle(self, call: Call) -> Response:
        """Answer a call on container groups or on one of their operations."""
        answer = self._routes.get((call.kind, len(call.names), call.method))
        if answer is None:
            raise ArmError(405, "MethodNotAllowed", f"{call.method} on {'/'.join(call.types)} is not simulated.")
        return answer(call)

    def load(self, group: ContainerGroup) -> None:
        """Add a group to the world as it is, without an event; its address counts as assigned."""
        self.all.add(group)
        group.started, group.released = group.since, group.state in ENDED
        assign(self._network, group.id, [group.address] if group.address else [])

    def relocate(self, group_id: str) -> str:
        """The platform moves a group to a new address in its subnet, without an event. Returns the address.

        Raises KeyError if no group with a private address has this id.
        """
        group = self.all.find(group_id)
        if group is None or group.address is None:
            raise KeyError(group_id)
        vnet = self._network.vnets.find(group.address.vnet)
        subnet = vnet.subnet(group.address.subnet) if vnet else None
        free = vnet.free(subnet, group.address.version, set()) if vnet and subnet else None
        if free is None:
            raise rejected(400, "SubnetIsFull", f"No address is free in the subnet of {group_id}.")
        release(self._network, group.id, [group.address])
        group.address.address = free
        assign(self._network, group.id, [group.address])
        return free

    def set_state(self, group_id: str, state: State) -> None:
        """The containers of a group end, fail or run, without an event. Raises KeyError for an unknown group."""
        group = self.all.find(group_id)
        if group is None:
            raise KeyError(group_id)
        self._enter(group, state)

    def finish(self, group_id: str, container: str, exit_code: int) -> None:
        """A container's command ends, without an event. KeyError: an unknown container, or its group does not run.

        The group's restart policy decides whether it is restarted; without any left, the group is `Succeeded` or
        `Failed` (docs, container-instances/container-state.md; restarts as in test_container_create_msi.yaml).
        """
        group = self.all.find(group_id)
        now = group.containers.get(container) if group and group.state == "Running" else None
        if group is None or now is None:
            raise KeyError(container)
        end = ended(exit_code, self._azure.clock())
        if group.restarts == "Always" or (group.restarts == "OnFailure" and exit_code):
            detail = "CrashLoopBackOff: Back-off 10s restarting failed"
            group.others[container] = Current("Waiting", detail, previous=end, restarts=now.restarts + 1)
            return
        group.others[container] = end
        codes = [each.exit_code for each in group.containers.values()]
        if None not in codes:
            self._enter(group, "Failed" if any(codes) else "Succeeded")

    def _enter(self, group: ContainerGroup, state: State) -> None:
        """Enter a state; a group that has ended loses its IP, a stopped one at once, until it runs again."""
        group.released = state == "Stopped" or (state == "Pending" and group.released)
        group.state, group.since = state, self._azure.clock()
        if state == "Running":
            group.started = group.since
        if state in {"Succeeded", "Failed"}:
            since = group.since

            def release() -> None:
                group.released = group.released or (group.since == since and group.state == state)

            self._azure.schedule(RELEASE_SECONDS * self._azure.operation_scale, release)

    def set_container(self, group_id: str, container: str, current: Current) -> None:
        """One container of a running group waits, ends or runs, without an event. KeyError: unknown container."""
        group = self.all.find(group_id)
        if group is None or container not in group.containers:
            raise KeyError(container)
        group.others[container] = current

    def _list(self, call: Call) -> Response:
        return self.all.page(call, PAGE_SIZE, lambda each: each.body(listed=True))

    def _put(self, call: Call) -> Response:
        body = decode(call, _Body)
        counted = self.limits.charge(call)
        own = self.all.id_of(call)
        old = self.all.find(own)
        written = call.json()["properties"]
        group = ContainerGroup(own, region(body.location), body.tags, written, "Pending", self._azure.clock())
        group.identity = identity_of(call.json(), old.identity if old else None, self._azure.new_guid)
        self._give_address(group, old, body.properties.subnet_ids)
        group.provisioning = "Pending"
        self.all.add(group)

        headers = {**self._begin(call, group, "write", "Write"), **counted}
        return Response(200 if old else 201, group.body(), headers)

    def _give_address(self, group: ContainerGroup, old: ContainerGroup | None, subnets: list[Reference]) -> None:
        held = [old.address] if old and old.address else []
        kind = group.written.get("ipAddress", {}).get("type")
        if subnets:
            wanted = [Wanted("private", WantedProperties(subnet)) for subnet in subnets[:1]]
            group.address = reserve(self._network, group.id, held, wanted)[0]
        else:
            release(self._network, group.id, held)
        if kind == "Public":
            number = self._azure.rng.randrange(1 << 16)
            group.public_ip = (old and old.public_ip) or f"203.0.{number >> 8}.{number & 255}"

    def _patch(self, call: Call) -> Response:
        group = self.all.get_or_404(call)
        group.tags = dict(decode(call, _Tags).tags)
        self._azure.emit(group.id, f"{CG_TYPE}/write", "Write")
        return Response(200, group.body())

    def _delete(self, call: Call) -> Response:
        group = self.all.find(self.all.id_of(call))
        if group is None:
            return Response(204)
        counted = self.limits.charge(call)
        body = group.body()
        release(self._network, group.id, [group.address] if group.address else [])
        self.all.remove(group)
        self._azure.emit(group.id, f"{CG_TYPE}/delete", "Delete")
        return Response(200, body, counted)

    def _start(self, call: Call) -> Response:
        group = self.all.get_or_404(call)
        if group.state in {"Running", "Pending"}:
            return Response(204)
        return Response(202, None, self._run_again(call, group, "start"))

    def _restart(self, call: Call) -> Response:
        return Response(204, None, self._run_again(call, self.all.get_or_404(call), "restart"))

    def _run_again(self, call: Call, group: ContainerGroup, action: str) -> dict[str, str]:
        group.others = {}
        self._enter(group, "Pending")
        return self._begin(call, group, f"{action}/action", "Action")

    def _stop(self, call: Call) -> Response:
        group = self.all.get_or_404(call)
        if group.state not in ENDED:
            self._enter(group, "Stopped")
        self._azure.emit(group.id, f"{CG_TYPE}/stop/action", "Action")
        return Response(204)

    def _begin(self, call: Call, group: ContainerGroup, action: str, family: Family) -> dict[str, str]:
        """Start an operation that ends in running containers, unless it is forced to fail or they are stopped before.

        Returns the header that leads to its status.
        """
        name, operation = self._azure.new_guid(), _Operation(group.id, self._azure.clock())
        self._operations[name] = operation
        ending = self._azure.endings.pop(group.id.lower(), "Success")

        def complete() -> None:
            operation.status = _STATUS[ending]
            group.provisioning = _STATUS[ending]
            if group.state == "Pending":
                self._enter(group, "Running" if ending == "Success" else "Failed")
            self._azure.emit(group.id, f"{CG_TYPE}/{action}", family, ending)

        self._azure.schedule(START_SECONDS.draw(self._azure.rng) * self._azure.operation_scale, complete)
        root = f"{call.request.base}/subscriptions/{call.subscription}/providers/{call.namespace}"
        link = f"{root}/locations/{group.location}/operations/{name}?api-version={OPERATIONS_VERSION}"
        return {"azure-asyncoperation": link}

    def _logs(self, call: Call) -> Response:
        """What a container printed: nothing, because none runs here."""
        self._container(call)
        return Response(200, {"content": ""})

    def _exec(self, call: Call) -> Response:
        """Where a command's terminal would be, in the recorded form (test_container_exec.yaml, call 6).

        Nothing answers there.
        """
        self._container(call)
        size = call.json().get("terminalSize") or {}
        query = f"api-version=1.0&rows={size.get('rows', 24)}&cols={size.get('cols', 80)}"
        uri = f"wss://terminal.simulator.invalid:19390/execstream/sessionId/{self._azure.new_guid()}?{query}"
        return Response(200, {"webSocketUri": uri, "password": self._azure.new_guid()})

    def _container(self, call: Call) -> None:
        """Raises ArmError 404 for a missing group or container."""
        if call.names[1] not in self.all.get_or_404(call).containers:
            raise ArmError(404, "ResourceNotFound", f"The container '{call.names[1]}' was not found.")  # inferred

    def _poll(self, call: Call) -> Response:
        operation = self._operations.get(call.names[1].lower())
        if operation is None:
            raise ArmError(404, "NotFound", "The entity was not found.")
        started = datetime.fromtimestamp(operation.started, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f0Z")
        body = {"id": operation.group, "status": operation.status, "startTime": started, "properties": {"events": []}}
        return Response(200, body)


def register(azure: ArmFrontDoor, network: Network) -> ContainerGroups:
    """Create the container instance provider and register it."""
    groups = ContainerGroups(network)
    for resource_type in ("containerGroups", "locations"):
        azure.register("Microsoft.ContainerInstance", resource_type, groups)
    return groups
