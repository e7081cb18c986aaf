"""Long-running operations of the compute and network providers: the 202, the status polls, the completion.

Shapes as recorded by azure-cli (test_vm_create_state_modifications.yaml, test_network_nic.yaml, 2023) and Azure Service
Operator (Test_Compute_VM_20201201_CRUD.yaml, 2026). The provider defines what an operation does when it completes.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal, Protocol

from simulator.arm.front_door import ArmError, ArmFrontDoor, Call, Family, Outcome, Response


@dataclass(frozen=True, slots=True)
class Fault:
    """How and why an operation failed."""

    code: str
    message: str
    status: Literal["Failed", "Canceled"] = "Failed"


FORCED_FAILURES: dict[Outcome, Fault] = {
    "Failure": Fault("InternalOperationError", "An internal error occurred. Please try again later."),
    "Cancel": Fault("OperationCanceled", "The operation was canceled.", "Canceled"),
}
"""The result of an operation that was forced to fail (`ArmFrontDoor.endings`); code and words are the simulator's."""


class _HasId(Protocol):
    id: str


def _nothing() -> None:
    pass


@dataclass(frozen=True, slots=True)
class Work:
    """The target of an operation, and what happens at its end.

    `operation`: its name, e.g. `Microsoft.Compute/virtualMachines/write`. `done` returns why it failed after all, or
    None; `undone` is called instead if the operation is forced to fail. `result`: the final status of its result link,
    as recorded 204 for the network provider's deletions, except for one NIC's: 200.
    """

    resource: _HasId
    operation: str
    family: Family
    done: Callable[[], Fault | None]
    undone: Callable[[], object] = _nothing
    result: int = 200


@dataclass(slots=True)
class _Operation:
    id: str
    started: float
    patient: bool
    result: int = 200
    links: Mapping[str, str] = field(default_factory=dict)
    ended: float | None = None
    fault: Fault | None = None

    @property
    def status(self) -> str:
        if self.ended is None:
            return "InProgress"
        return self.fault.status if self.fault else "Succeeded"


class Operations:
    """The running and finished operations of one namespace.

    `detailed`: the status body has times and a name (compute) instead of the bare status (network).
    """

    def __init__(self, azure: ArmFrontDoor, namespace: str, *, detailed: bool) -> None:
        self._azure = azure
        self._namespace = namespace
        self._detailed = detailed
        self._running: dict[str, _Operation] = {}

    def begin(
        self, call: Call, location: str, duration: float, complete: Callable[[], Fault | None], *, patient: bool = False
    ) -> dict[str, str]:
        """Start an operation of `duration` seconds (before scaling); returns the headers that lead to its status.

        `patient`: polls also return how long to wait.
        """
        operation = _Operation(self._azure.new_guid(), self._azure.clock(), patient)
        self._running[operation.id] = operation

        def end() -> None:
            operation.fault = complete()
            operation.ended = self._azure.clock()

        self._azure.schedule(duration * self._azure.operation_scale, end)
        operation.links = self._links(call, location, operation.id)
        return dict(operation.links)

    def run(self, call: Call, location: str, duration: float, work: Work, *, patient: bool = False) -> dict[str, str]:
        """Start an operation that notifies Event Grid of its result, which `endings` may force."""
        ending = self._azure.endings.pop(work.resource.id.lower(), "Success")

        def complete() -> Fault | None:
            if ending == "Success":
                fault = work.done()
                outcome: Outcome = "Failure" if fault else "Success"
            else:
                work.undone()
                fault, outcome = FORCED_FAILURES[ending], ending
            self._azure.emit(work.resource.id, work.operation, work.family, outcome)
            return fault

        links = self.begin(call, location, duration, complete, patient=patient)
        next(reversed(self._running.values())).result = work.result
        return links

    def _links(self, call: Call, location: str, operation: str) -> dict[str, str]:
        root = f"{call.request.base}/subscriptions/{call.subscription}/providers/{self._namespace}/locations/{location}"
        version = f"api-version={call.request.query['api-version']}"
        headers = {"azure-asyncnotification": "Enabled", "retry-after": self._retry_after(10)}
        if not self._detailed:
            return {
                **headers,
                "azure-asyncoperation": f"{root}/operations/{operation}?{version}",
                "location": f"{root}/operationResults/{operation}?{version}",
                "retry-after": self._retry_after(3),
            }
        status = f"{root}/operations/{operation}?p={self._azure.new_guid()}"
        return {
            **headers,
            "azure-asyncoperation": f"{status}&{version}",
            "location": f"{status}&monitor=true&{version}",
        }

    def _retry_after(self, seconds: int) -> str:
        # Recorded seconds are scaled with the operations; otherwise a client would oversleep in a fast simulation.
        return str(math.ceil(seconds * self._azure.operation_scale))

    def poll(self, call: Call) -> Response:
        """Answer a GET on a status or result link. An unknown operation is 404 (inferred)."""
        operation = self._running.get(call.names[1].lower()) if len(call.names) == 2 else None
        if call.method != "GET" or operation is None:
            raise ArmError(404, "NotFound", "The entity was not found.", wrapped=True)
        if "monitor" in call.request.query or call.kind == "locations/operationresults":
            links = {name: operation.links[name] for name in ("azure-asyncoperation", "location")}
            # The network provider's result link names itself and the status link, as recorded; compute's does not.
            return Response(202 if operation.ended is None else operation.result, None, {} if self._detailed else links)
        # Recorded: 10 to 61 s, most often 30, during creations, deletions and operations of scale sets; 20 s
        # for a private endpoint; 10 s for a VNet (azure-sdk-for-net, PatchLink_LinkExistsAddTags, 7).
        seconds = 30 if self._detailed else 20 if operation.patient else 10
        waits = operation.ended is None and (operation.patient or not self._detailed)
        wait = {"retry-after": self._retry_after(seconds)} if waits else {}
        return Response(200, self._body(operation), wait)

    def _body(self, operation: _Operation) -> dict[str, object]:
        body: dict[str, object] = {"startTime": stamp(operation.started)} if self._detailed else {}
        if self._detailed and operation.ended is not None:
            body["endTime"] = stamp(operation.ended)
        body["status"] = operation.status
        if operation.fault:
            body["error"] = {"code": operation.fault.code, "message": operation.fault.message}
        if self._detailed:
            body["name"] = operation.id
        return body


@functools.lru_cache(maxsize=4096)
def stamp(seconds: float) -> str:
    """A time as compute writes it: seven digits of the second and an offset."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f0+00:00")
