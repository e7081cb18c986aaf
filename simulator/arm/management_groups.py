"""Management groups: `GET /providers/Microsoft.Management/managementGroups/{name}/descendants`.

Source: OpenAPI of Microsoft.Management 2020-05-01. Assumed: 404 NotFound for an unknown group, and pages of 100.
"""

from __future__ import annotations

from typing import Any

from simulator.arm.front_door import ArmError, Request, Response
from simulator.arm.permissions import Permissions

PATH = "/providers/Microsoft.Management/managementGroups/([^/]+)/descendants"
PAGE = 100


class ManagementGroups:
    """The groups of the tenant. `members`: name in lower case -> the ids of the subscriptions below it."""

    def __init__(self, permissions: Permissions) -> None:
        self.members: dict[str, list[str]] = {}
        self._permissions = permissions

    def handle(self, request: Request, name: str) -> Response:
        """Answer a list. Raises ArmError."""
        scope = f"/providers/Microsoft.Management/managementGroups/{name}"
        self._permissions.demand("Microsoft.Management/managementGroups/descendants/read", scope)
        if name.lower() not in self.members:
            raise ArmError(404, "NotFound", f"'{scope}' not found.")
        at, below = int(request.query.get("$skiptoken", "0")), self.members[name.lower()]
        parent = {"displayName": name, "parent": {"id": scope}}
        content: dict[str, Any] = {
            "value": [
                {"id": f"/subscriptions/{each}", "type": "/subscriptions", "name": each, "properties": parent}
                for each in below[at : at + PAGE]
            ],
            "nextLink": None,
        }
        if at + PAGE < len(below):
            query = f"api-version={request.query['api-version']}&$skiptoken={at + PAGE}"
            content["nextLink"] = f"{request.base}{request.path}?{query}"
        return Response(200, content)
