"""Writes and deletions of VNets, subnets and peerings: one at a time in each VNet.

A second one is refused while the first goes on. No recording has such a refusal. The network provider "returns 429 with
the RetryableErrorDueToAnotherOperation error code when the target resource is locked by another operation"
(request-limits-and-throttling, Microsoft Learn). Only issues have the bodies: 429 for a VNet whose subnet is being
written (kubernetes-sigs/cluster-api-provider-azure 4385), 409 for a sibling subnet (Azure/terraform-provider-azapi
503), and 429 for one of three siblings that were written at once (Azure/azure-rest-api-specs 14202). Which of the two a
sibling gets is unknown: it is drawn.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from simulator.arm.collection import rejected
from simulator.arm.front_door import ArmError, ArmFrontDoor, Call, Family, Response
from simulator.arm.operations import Operations, Work
from simulator.network.nic import Running, Vnet
from simulator.timing.latency import Spread

RETRY_AFTER = 12
"""Seconds in a 429: as in the one message found with a number, in gardener-extension-provider-azure's tests."""


@dataclass(frozen=True, slots=True)
class VnetWrite:
    """A write or deletion: the resource's id, the operation's type, Azure's name of it, how long, and its end.

    `locks`: whether other writes in the VNet are refused until then.
    """

    resource_id: str
    operation: str
    name: str
    seconds: Spread
    done: Callable[[], None]
    retry_after: int = 3
    locks: bool = True


@dataclass(slots=True)
class _Named:
    id: str


class VnetWrites:
    """Starts writes and deletions, and refuses a second one in the same VNet."""

    def __init__(self, azure: ArmFrontDoor, operations: Operations) -> None:
        self._azure = azure
        self._operations = operations

    def check(self, call: Call, vnet: Vnet | None) -> None:
        """Raise ArmError 409 or 429 while another operation changes the VNet or a part of it."""
        running = vnet.running if vnet is not None else None
        if vnet is None or running is None:
            return
        if len(call.types) == 1 or self._azure.rng.random() < 0.5:
            raise self._locked(vnet, running)
        raise rejected(
            409,
            "AnotherOperationInProgress",
            "Another operation on this or dependent resource is in progress. To retrieve status of the operation use "
            f"uri: {running.link}.",
        )

    def _locked(self, vnet: Vnet, running: Running) -> ArmError:
        seconds = math.ceil(RETRY_AFTER * self._azure.operation_scale)
        operation = running.link.partition("?")[0].rsplit("/", 1)[1]
        detail = {
            "code": "RetryableErrorDueToAnotherOperation",
            "message": f"Operation {running.name} ({operation}) is updating resource {vnet.id}. The call can be "
            f"retried in {seconds} seconds.",
        }
        error = rejected(429, "RetryableError", "A retryable error occurred.")
        content = {"error": {**error.response.content["error"], "details": [detail]}}
        headers = {"retry-after": str(seconds), "x-ms-failure-cause": "service"}
        error.response = replace(Response(429, content), headers=headers)
        return error

    def start(self, call: Call, vnet: Vnet, write: VnetWrite) -> dict[str, str]:
        """Start it and lock the VNet until its end; returns the answer's headers."""
        deletes = call.method == "DELETE"
        family: Family = "Delete" if deletes else "Write"

        def done() -> None:
            if vnet.running is running:
                vnet.running = None
            write.done()

        work = Work(_Named(write.resource_id), write.operation, family, done, done, 204 if deletes else 200)
        seconds = write.seconds.draw(self._azure.rng)
        headers = self._operations.run(call, vnet.location, seconds, work)
        running = Running(write.name, headers["azure-asyncoperation"])
        if write.locks:
            vnet.running = running
        headers["retry-after"] = str(math.ceil(write.retry_after * self._azure.operation_scale))
        if not deletes:  # as recorded: only deletions have both
            headers.pop("location", None)
        return headers
