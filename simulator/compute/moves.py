"""Moving resources to another resource group: `POST .../resourceGroups/{group}/moveResources`.

As documented (azure-resource-manager/management/move-resource-group-and-subscription, and the OpenAPI document
resources.json 2021-04-01): 202 with `Location`, then 204 at the end; only ids change. Not recorded: how long it takes,
every error here, and which events it raises. `events`: whether there is a write of each new id and a delete of each old
one. The action on the group itself raises an event in any case (inferred). Not simulated: the locks that Azure puts on
both groups meanwhile, and moves to another subscription. VMs and NICs can be moved.
"""

from __future__ import annotations

import msgspec

from simulator.arm.collection import decode
from simulator.arm.front_door import ArmError, ArmFrontDoor, Call, Response
from simulator.arm.operation_results import OperationResults
from simulator.compute.provider import Compute
from simulator.compute.vm import VM_TYPE
from simulator.network.nic import NIC_TYPE
from simulator.network.provider import Network
from simulator.timing.latency import Spread

SECONDS = Spread(20, 60, 300)
"""Assumed."""

_ACTION = "Microsoft.Resources/subscriptions/resourceGroups/moveResources/action"


class _Body(msgspec.Struct, rename="camel"):
    resources: list[str]
    target_resource_group: str


class Moves:
    """Answers for `moveResources`; `results` has the operations. `events`: unknown behaviour, see above."""

    def __init__(self, azure: ArmFrontDoor, compute: Compute, network: Network, results: OperationResults) -> None:
        self.events = False
        self._azure = azure
        self._compute = compute
        self._network = network
        self._results = results

    def handle(self, call: Call) -> Response:
        """Answer a POST of moveResources on a resource group."""
        if call.kind != "resourcegroups/moveresources" or call.method != "POST":
            raise ArmError(405, "MethodNotAllowed", f"{call.method} on {'/'.join(call.types)} is not simulated.")
        body = decode(call, _Body)
        target = body.target_resource_group.rstrip("/").split("/")
        if len(target) != 5 or target[2].lower() != call.subscription.lower():
            raise ArmError(400, "InvalidTargetResourceGroup", "A resource group of the same subscription is expected.")
        if (target[2].lower(), target[4].lower()) not in self._azure.groups:
            raise ArmError(404, "ResourceGroupNotFound", f"Resource group '{target[4]}' could not be found.")
        for each in body.resources:
            self._check(each, call)
        job, headers = self._results.begin(call.request)

        def end() -> None:
            for each in body.resources:
                self._move(each, target[4])
            self._azure.emit(call.id.rsplit("/", 1)[0], _ACTION, "Action")
            self._results.end(job, Response(204))

        self._azure.schedule(SECONDS.draw(self._azure.rng) * self._azure.operation_scale, end)
        return Response(202, None, headers)

    def _check(self, resource_id: str, call: Call) -> None:
        found = self._compute.vms.find(resource_id) or self._network.nics.find(resource_id)
        if found is None:
            raise ArmError(404, "ResourceNotFound", f"The Resource '{resource_id}' was not found, or cannot be moved.")
        if resource_id.split("/")[4].lower() != (call.group or "").lower():
            raise ArmError(400, "InvalidMoveResources", f"'{resource_id}' is not in resource group '{call.group}'.")

    def _move(self, resource_id: str, group: str) -> None:
        is_vm = self._compute.vms.find(resource_id) is not None
        if not is_vm and self._network.nics.find(resource_id) is None:
            return  # deleted meanwhile
        kind = VM_TYPE if is_vm else NIC_TYPE
        moved = (self._compute.move if is_vm else self._compute.move_nic)(resource_id, group)
        if self.events:
            self._azure.emit(moved, f"{kind}/write", "Write")
            self._azure.emit(resource_id, f"{kind}/delete", "Delete")


def register(azure: ArmFrontDoor, compute: Compute, network: Network, results: OperationResults) -> Moves:
    """Create the provider of moves and register it."""
    moves = Moves(azure, compute, network, results)
    azure.register("Microsoft.Resources", "resourceGroups", moves)
    return moves
