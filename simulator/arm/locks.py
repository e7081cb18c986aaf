"""Management locks: `{scope}/providers/Microsoft.Authorization/locks/{name}`, and ARM's refusals because of them.

Statuses and fields follow the documents (rest/api/resources/management-locks, 2016-09-01). The content of a list
follows Get-AzResourceLock: locks at, above and below the scope; with `$filter=atScope()` only those at or above it. No
recording has them; code and words of the 404 are the simulator's. The locks themselves can be written despite any lock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from simulator.arm.collection import decode
from simulator.arm.front_door import ArmError, ArmFrontDoor, Call, Response

Level = Literal["CanNotDelete", "ReadOnly"]
LOCK_TYPE = "Microsoft.Authorization/locks"


class _Properties(msgspec.Struct):
    level: Level
    notes: str | None = None
    owners: list[Any] | None = None


class _Body(msgspec.Struct):
    properties: _Properties


@dataclass(frozen=True, slots=True)
class _Lock:
    scope: str
    name: str
    level: Level
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return f"{self.scope}/providers/{LOCK_TYPE}/{self.name}"

    def body(self) -> dict[str, Any]:
        properties = {"level": self.level, **self.more}
        return {"properties": properties, "id": self.id, "type": LOCK_TYPE, "name": self.name}


class Locks:
    """All management locks. As a provider, it answers for `Microsoft.Authorization/locks`."""

    def __init__(self) -> None:
        self._locks: dict[str, _Lock] = {}

    def lock(self, scope: str, level: Level) -> None:
        """Lock a subscription, resource group or resource, and everything below it."""
        self._put(_Lock(scope.rstrip("/"), "lock", level))

    def unlock(self, scope: str) -> None:
        """Remove all locks from exactly this scope."""
        self._drop([each for each in self._locks.values() if _is_in(scope.rstrip("/"), each.scope, exactly=True)])

    def forget(self, scope: str) -> None:
        """The scope was deleted: remove all locks at and below it."""
        self._drop([each for each in self._locks.values() if _is_in(each.scope, scope)])

    def check(self, call: Call) -> None:
        """Raise ArmError 409 ScopeLocked if a lock forbids the call."""
        if not self._locks or call.method == "GET" or call.namespace.lower() == "microsoft.authorization":
            return
        for each in self._locks.values():
            if _is_in(call.id, each.scope) and (each.level == "ReadOnly" or call.method == "DELETE"):
                raise scope_locked(call, each.scope)

    def below(self, scope: str) -> list[str]:
        """The scopes of all locks that forbid deleting this scope and everything in it."""
        return [each.scope for each in self._locks.values() if _is_in(each.scope, scope) or _is_in(scope, each.scope)]

    def handle(self, call: Call) -> Response:
        """Answer a call on the locks of a scope."""
        scope = call.id[: call.id.lower().rindex("/providers/microsoft.authorization/")]
        if not call.names:
            return self._list(call, scope)
        name = call.names[0]
        present = self._locks.get(f"{scope}/providers/{LOCK_TYPE}/{name}".lower())
        if call.method == "PUT":
            properties = decode(call, _Body).properties
            more = {"notes": properties.notes, "owners": properties.owners}
            lock = _Lock(scope, name, properties.level, {key: value for key, value in more.items() if value})
            self._put(lock)
            return Response(200 if present else 201, lock.body())
        if call.method == "DELETE":
            self._drop([present] if present else [])
            return Response(200 if present else 204)
        if present is None or call.method != "GET":
            raise ArmError(404, "LockNotFound", f"The lock '{name}' was not found at the scope '{scope}'.")
        return Response(200, present.body())

    def _list(self, call: Call, scope: str) -> Response:
        below_too = call.request.query.get("$filter", "").lower() != "atscope()"
        found = [
            each.body()
            for each in self._locks.values()
            if _is_in(scope, each.scope) or (below_too and _is_in(each.scope, scope))
        ]
        return Response(200, {"value": found})

    def _put(self, lock: _Lock) -> None:
        self._locks[lock.id.lower()] = lock

    def _drop(self, locks: list[_Lock]) -> None:
        for each in locks:
            del self._locks[each.id.lower()]


def _is_in(scope: str, outer: str, *, exactly: bool = False) -> bool:
    """Whether a scope is the outer one or, unless `exactly`, below it; ids may differ in case."""
    inner, outer = scope.lower(), outer.lower()
    return inner == outer or (not exactly and inner.startswith(f"{outer}/"))


def scope_locked(call: Call, scope: str) -> ArmError:
    """ARM's 409 for a lock: openshift/installer#2300 (a record set below a locked zone), azure-sdk-for-java#2560."""
    return locked(call.id, "delete" if call.method == "DELETE" else "write", scope)


def locked(target: str, operation: str, scope: str) -> ArmError:
    """The 409 for an operation on a target, in the words of `scope_locked`."""
    return ArmError(
        409,
        "ScopeLocked",
        f"The scope '{target}' cannot perform {operation} operation because following scope(s) are locked: '{scope}'. "
        "Please remove the lock and try again.",
    )


def register(azure: ArmFrontDoor, locks: Locks) -> None:
    """Register the locks as a provider, and as a check before every provider."""
    azure.register("Microsoft.Authorization", "locks", locks)
    azure.checks.append(locks.check)
