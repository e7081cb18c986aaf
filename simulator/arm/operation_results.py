"""ARM's own long-running work: `/subscriptions/{id}/operationresults/{job}`, 202 until it has ended.

As recorded for the deletion of resource groups (azure-service-operator, Test_Network_v1api20240601_CreationAndDeletion,
2024): 202 with `Location` and `Retry-After: 15`, then 200 without a body. The answer of a failed job was not recorded.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from simulator.arm.front_door import ArmError, ArmFrontDoor, Call, Request, Response

_RETRY_AFTER = 15  # seconds


class OperationResults:
    """The jobs, running and ended. As a provider, it answers for `Microsoft.Resources/operationresults`."""

    def __init__(self, azure: ArmFrontDoor) -> None:
        self._azure = azure
        self._jobs: dict[str, Response | None] = {}

    def begin(self, request: Request) -> tuple[str, Mapping[str, str]]:
        """A new job; returns its name and the headers that lead to it."""
        job = self._azure.new_guid()
        self._jobs[job] = None
        subscription = request.path.split("/")[2]
        location = f"{request.base}/subscriptions/{subscription}/operationresults/{job}"
        return job, self._headers(f"{location}?api-version={request.query.get('api-version', '')}")

    def end(self, job: str, result: Response) -> None:
        """End the job; polls return the result from now on."""
        self._jobs[job] = result

    def handle(self, call: Call) -> Response:
        """Answer a GET on a job."""
        if call.method != "GET" or len(call.names) != 1 or call.names[0] not in self._jobs:
            raise ArmError(404, "NotFound", "The operation result was not found.")  # inferred
        request = call.request
        again = f"{request.base}{call.id}?api-version={request.query['api-version']}"
        return self._jobs[call.names[0]] or Response(202, None, self._headers(again))

    def _headers(self, location: str) -> Mapping[str, str]:
        # Recorded seconds are scaled with the operations; otherwise a client would oversleep in a fast simulation.
        return {"location": location, "retry-after": str(math.ceil(_RETRY_AFTER * self._azure.operation_scale))}
