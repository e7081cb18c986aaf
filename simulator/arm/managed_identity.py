"""Managed identities of resources: what a client asks for, as served.

As recorded (azure-cli, test_vm_generic_update.yaml, 2023, and test_container_create_msi.yaml, 2018): a system-assigned
identity has a `principalId` and a `tenantId`; each user-assigned one has a `principalId` and a `clientId`. The
identities authenticate nothing here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from simulator.arm.front_door import TENANT

Identity = dict[str, Any]


def identity_of(written: Mapping[str, Any], old: Identity | None, new_guid: Callable[[], str]) -> Identity | None:
    """The identity of a resource after a write; one that the body leaves out stays (recorded for VMs)."""
    wanted = written.get("identity")
    if not wanted:
        return old
    kind = str(wanted.get("type", "None"))
    if kind == "None":
        return None
    before: Identity = old or {}
    found: Identity = {"type": kind}
    if "SystemAssigned" in kind:
        found |= {"principalId": before.get("principalId") or new_guid(), "tenantId": TENANT}
    users = wanted.get("userAssignedIdentities")
    if users:
        found |= {"tenantId": TENANT, "userAssignedIdentities": {name: _user(name) for name in users}}
    return found


def _user(name: str) -> dict[str, str]:
    """A user-assigned identity is the same on each resource that has it."""
    return {each: str(uuid5(NAMESPACE_URL, f"{name.lower()}/{each}")) for each in ("principalId", "clientId")}
