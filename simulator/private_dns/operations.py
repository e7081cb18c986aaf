"""The long-running operations of private DNS zones and links: the 202, the status polls, the end.

As recorded, and unlike other providers: a status that is not final is itself a 202 with all headers, and a failed
condition shows only here, as status Failed with an error.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from simulator.arm.front_door import ArmError, ArmFrontDoor, Call, Response
from simulator.private_dns.budgets import ZoneBudgets

RETRY_AFTER = 30
"""Seconds in the Retry-After header of a 202 (azure-service-operator, 2023 and 2024), scaled like the operation."""

DURATIONS: Mapping[float, int] = {31.0: 108, 60.0: 1, 122.0: 1}
"""Seconds that an operation takes -> weight. Its duration is drawn from these, and scaled.

Recorded, with polls every 30 s: 108 operations were over at the first (29 to 36 s after the 202; 7 of them were still
running after 3 to 5 s), one at the second (azure-cli, 2021 and 2023; azure-service-operator, 2024). 122 s is the
longest that was reported; its weight is assumed. In 2019, with `Retry-After: 3`, 118 operations took 3 to 14 s
(azure-sdk-for-net).
"""


class OperationFailed(Exception):
    """The operation ends with status Failed and this code and message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.error = {"code": code, "message": message}


@dataclass(frozen=True, slots=True)
class Work:
    """The work of an operation: its recorded name, its target, the name of its event, and the function that does it."""

    name: str
    resource_id: str
    operation: str
    do: Callable[[], None]
    """Runs at the end of the operation; may raise OperationFailed."""


@dataclass(slots=True)
class _Operation:
    deletes: bool
    status: str = "InProgress"
    error: Mapping[str, str] | None = None


class DnsOperations:
    """The operations under `privateDnsOperationStatuses` and `privateDnsOperationResults`, running and ended."""

    def __init__(self, azure: ArmFrontDoor, budgets: ZoneBudgets) -> None:
        self._azure = azure
        self._budgets = budgets
        self._all: dict[str, _Operation] = {}

    def begin(self, call: Call, work: Work) -> Response:
        """Start an operation: 202 with an empty object for PUT and PATCH and without a body for DELETE."""
        token = base64.b64encode(f"FrontEndAsyncOperation;{work.name};{self._azure.new_guid()}".encode()).decode()
        operation = self._all[token] = _Operation(deletes=call.method == "DELETE")

        def end() -> None:
            try:
                work.do()
            except OperationFailed as failed:
                operation.status, operation.error = "Failed", failed.error
            else:
                operation.status = "Succeeded"
            self._azure.emit(
                work.resource_id,
                work.operation,
                "Delete" if call.method == "DELETE" else "Write",
                "Failure" if operation.error else "Success",
            )

        seconds = self._azure.rng.choices(tuple(DURATIONS), tuple(DURATIONS.values()))[0]
        self._azure.schedule(seconds * self._azure.operation_scale, end)
        return Response(202, None if call.method == "DELETE" else {}, self._headers(call, token))

    def _headers(self, call: Call, token: str) -> Mapping[str, str]:
        root = f"{call.request.base}/subscriptions/{call.subscription}/resourceGroups/{call.group}"
        version = call.request.query["api-version"]

        def link(kind: str) -> str:
            return f"{root}/providers/Microsoft.Network/privateDnsOperation{kind}/{token}?api-version={version}"

        return {
            "azure-asyncoperation": link("Statuses"),
            "location": link("Results"),
            "retry-after": str(math.ceil(RETRY_AFTER * self._azure.operation_scale)),
            **self._budgets.countdown(call),
        }

    def poll(self, call: Call) -> Response:
        """Answer a GET of a status or a result.

        The result (the location header) of a deletion that succeeded is `true` (azure-sdk-for-net,
        DeleteZone_ZoneExists_ExpectZoneDeleted). No other end of a result is recorded: here the status.
        """
        operation = self._all.get(call.names[0]) if len(call.names) == 1 else None
        if operation is None or call.method != "GET":
            raise ArmError(404, "NotFound", "The operation was not found.", wrapped=False)
        if operation.status == "InProgress":
            return Response(202, {"status": operation.status}, self._headers(call, call.names[0]))
        if operation.deletes and not operation.error and call.types[0].lower() == "privatednsoperationresults":
            return Response(200, True, self._budgets.countdown(call))
        content = {"error": operation.error} if operation.error else {}
        return Response(200, {**content, "status": operation.status}, self._budgets.countdown(call))
