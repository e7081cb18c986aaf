"""Long-running operations of the compute and network providers: the 202, the status polls, the completion.

Shapes as recorded by azure-cli (test_vm_create_state_modifications.yaml, test_network_nic.yaml, 2023) and Azure Service
Operator (Test_Compute_VM_20201201_CRUD.yaml, 2026). What an operation does when it completes is its provider's affair.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from simulator.core import ArmError, Azure, Call, Response


@dataclass(frozen=True, slots=True)
class Fault:
    """Why an operation ended badly."""

    code: str
    message: str


@dataclass(slots=True)
class _Operation:
    id: str
    started: float
    ended: float | None = None
    fault: Fault | None = None

    @property
    def status(self) -> str:
        if self.ended is None:
            return "InProgress"
        return "Failed" if self.fault else "Succeeded"


class Operations:
    """The running and finished operations of one namespace.

    `detailed`: the status body has times and a name (compute) instead of the bare status (network).
    """

    def __init__(self, azure: Azure, namespace: str, *, detailed: bool) -> None:
        self._azure = azure
        self._namespace = namespace
        self._detailed = detailed
        self._running: dict[str, _Operation] = {}

    def begin(self, call: Call, location: str, duration: float, complete: Callable[[], Fault | None]) -> dict[str, str]:
        """Start an operation of `duration` seconds (before scaling); returns the headers that lead to its status."""
        operation = _Operation(self._azure.new_guid(), self._azure.clock())
        self._running[operation.id] = operation

        def end() -> None:
            operation.fault = complete()
            operation.ended = self._azure.clock()

        self._azure.schedule(duration * self._azure.operation_scale, end)
        return self._links(call, location, operation.id)

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
        # Recorded seconds shrink with the operations themselves, or a client would sleep through a fast simulation.
        return str(math.ceil(seconds * self._azure.operation_scale))

    def poll(self, call: Call) -> Response:
        """Answer a GET on a status or result link. An unknown operation is 404 (inferred)."""
        operation = self._running.get(call.names[1].lower()) if len(call.names) == 2 else None
        if call.method != "GET" or operation is None:
            raise ArmError(404, "NotFound", "The entity was not found.", wrapped=True)
        if "monitor" in call.request.query or call.kind == "locations/operationresults":
            return Response(202 if operation.ended is None else 200)
        return Response(200, self._body(operation))

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
