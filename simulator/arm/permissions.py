"""The caller's permissions: `{scope}/providers/Microsoft.Authorization/permissions`, and ARM's 403 for everything else.

Roles are assigned at a scope and apply to everything below it. What one role excludes (`notActions`) another may grant
(rest/api/authorization/permissions/list-for-resource, role-based-access-control/role-definitions). There is one
identity here, and it may do everything unless the simulator's own route changes its roles.
"""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Any

import msgspec

from simulator.arm.front_door import ArmError, ArmFrontDoor, Call, Response

OBJECT_ID = "00000000-0000-0000-0000-00000000cccc"


class Role(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Actions (`*` matches any text) that the identity has at a scope and below; scope "": everywhere."""

    scope: str = ""
    actions: list[str] = []
    not_actions: list[str] = []

    def holds_at(self, scope: str) -> bool:
        """Whether the role is assigned at this scope or above it."""
        return f"{scope.rstrip('/').lower()}/".startswith(f"{self.scope.rstrip('/').lower()}/")

    def allows(self, action: str) -> bool:
        """Whether the role has the action."""
        return _matches(action, self.actions) and not _matches(action, self.not_actions)

    def body(self) -> dict[str, Any]:
        """The role as served."""
        return {"actions": self.actions, "notActions": self.not_actions, "dataActions": [], "notDataActions": []}


EVERYTHING = Role(actions=["*"])


def _matches(action: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(action.lower(), pattern.lower()) for pattern in patterns)


class Permissions:
    """The roles of the calling identity. As a provider, it answers for `Microsoft.Authorization/permissions`."""

    def __init__(self, azure: ArmFrontDoor) -> None:
        self._azure = azure
        self.roles: tuple[Role, ...] = (EVERYTHING,)

    def check(self, call: Call) -> None:
        """Raise ArmError 403 AuthorizationFailed for a call that no role allows."""
        if EVERYTHING not in self.roles:
            self.demand(action_of(call), call.id)

    def demand(self, action: str, scope: str) -> None:
        """Raise ArmError 403 AuthorizationFailed unless a role allows the action at the scope."""
        if not self.allow(action, scope):
            raise forbidden(action, scope)

    def allow(self, action: str, scope: str) -> bool:
        """Whether a role allows the action at the scope."""
        return EVERYTHING in self.roles or any(role.holds_at(scope) and role.allows(action) for role in self.roles)

    def handle(self, call: Call) -> Response:
        """Answer a GET with the roles that apply at a scope."""
        if call.method != "GET" or call.names:
            raise ArmError(405, "MethodNotAllowed", f"{call.method} on {'/'.join(call.types)} is not simulated.")
        if call.subscription.lower() not in {subscription for subscription, _ in self._azure.groups}:
            text = f"The subscription '{call.subscription}' could not be found."  # As for the subscription itself.
            raise ArmError(404, "SubscriptionNotFound", text)
        scope = call.id[: call.id.lower().rindex("/providers/microsoft.authorization/")]
        return Response(200, {"value": [role.body() for role in self.roles if role.holds_at(scope)]})


def forbidden(action: str, scope: str) -> ArmError:
    """The 403 of ARM for a caller without a role, in Azure's public words."""
    return ArmError(
        403,
        "AuthorizationFailed",
        f"The client '{OBJECT_ID}' with object id '{OBJECT_ID}' does not have authorization to perform action "
        f"'{action}' over scope '{scope}' or the scope is invalid. If access was recently granted, please refresh your "
        "credentials.",
    )


def action_of(call: Call) -> str:
    """The action of a call in the format of role definitions: the type path and read, write, delete or action."""
    verb = {"GET": "read", "HEAD": "read", "DELETE": "delete", "POST": "action"}.get(call.method, "write")
    return f"{call.namespace}/{'/'.join(call.types)}/{verb}"


def register(azure: ArmFrontDoor) -> Permissions:
    """Create the provider, register it, and register its check before every provider."""
    permissions = Permissions(azure)
    azure.register("Microsoft.Authorization", "permissions", permissions)
    azure.checks.append(permissions.check)
    return permissions
