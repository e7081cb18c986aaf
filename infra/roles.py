"""Custom roles and role assignments. The actions of the roles: `rights.py`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi_azure_native import authorization

from infra import names, rights
from infra.clouds import Clouds
from infra.config import Deployment, Region
from infra.zones import ZonePlacement


@dataclass(frozen=True, slots=True)
class Roles:
    """The ids of the custom roles."""

    endpoints: pulumi.Output[str]
    records: pulumi.Output[str]
    surroundings: pulumi.Output[str]
    locks: pulumi.Output[str]


@dataclass(frozen=True, slots=True)
class Identity:
    """An identity that is assigned roles. `name`: its name in this program."""

    name: str
    principal: pulumi.Input[str]


def define(deployment: Deployment, clouds: Clouds) -> Roles:
    """Create the custom roles; each can be assigned only in the subscriptions that need it."""
    zones = {names.subscription_of(names.zone_id(deployment, region)) for region in deployment.regions}
    vnets = {names.subscription_of(vnet) for region in deployment.regions for vnet in region.vnets}
    watched = {each.id for each in deployment.subscriptions}
    shown = rights.READ_SUBSCRIPTION if deployment.finds_by_resource_graph else ()

    def role(name: str, does: str, actions: Sequence[str], where: set[str]) -> pulumi.Output[str]:
        scopes = [f"/subscriptions/{each}" for each in sorted(where)]
        return authorization.RoleDefinition(
            f"{deployment.name}-{name}",
            role_definition_id=names.role_id(deployment, name),
            role_name=f"{deployment.name} {name} ({deployment.subscription})",
            role_type="CustomRole",
            description=does,
            scope=scopes[0],
            assignable_scopes=scopes,
            permissions=[authorization.PermissionArgs(actions=list(actions))],
            opts=clouds.at(deployment.subscription),
        ).id

    return Roles(
        endpoints=role(
            "endpoints", "Read endpoints and what they depend on", (*rights.READ_ENDPOINTS, *shown), watched
        ),
        records=role("records", "Read and write A record sets of private zones", rights.WRITE_RECORDS, zones),
        surroundings=role("surroundings", "Read what a preflight looks at", rights.READ_SURROUNDINGS, zones | vnets),
        locks=role("locks", "Read management locks", rights.READ_LOCKS, zones),
    )


def grant(
    identity: Identity, role: pulumi.Input[str], scope: pulumi.Input[str], label: str, opts: pulumi.ResourceOptions
) -> authorization.RoleAssignment:
    """Assign a role at a scope. `label` distinguishes the assignments of one identity."""
    return authorization.RoleAssignment(
        f"{identity.name}-{label}",
        principal_id=identity.principal,
        principal_type="ServicePrincipal",
        role_definition_id=role,
        scope=scope,
        opts=opts,
    )


def at(role: pulumi.Output[str], scope: str) -> pulumi.Output[str]:
    """Return the id of a custom role in the subscription of a scope: a role has one GUID in all its subscriptions."""
    return role.apply(lambda found: built_in(names.subscription_of(scope), found.rsplit("/", maxsplit=1)[-1]))


def built_in(subscription: str, role: str) -> str:
    """Return the id of a role, given by its GUID, in a subscription."""
    return f"/subscriptions/{subscription}/providers/Microsoft.Authorization/roleDefinitions/{role}"


def grant_app(
    deployment: Deployment, identity: Identity, places: Sequence[ZonePlacement], roles: Roles, clouds: Clouds
) -> None:
    """Assign an app's roles in Azure Resource Manager: read endpoints, write its own zones, read their environment."""
    given: list[tuple[pulumi.Output[str], str, str, list[pulumi.Resource]]] = [
        (roles.endpoints, f"/subscriptions/{each.id}", f"endpoints-{each.id}", []) for each in deployment.subscriptions
    ]
    for each in places:
        zone, region = names.zone_id(deployment, each.region), each.region.name
        given.append((roles.records, zone, f"records-{region}", each.dependencies))
        given.append((roles.surroundings, zone, f"surroundings-{region}", each.dependencies))
        given += [(roles.surroundings, vnet, names.short(vnet), []) for vnet in each.region.vnets]
    for subscription in _zone_subscriptions(deployment, [each.region for each in places]):
        given.append((roles.locks, f"/subscriptions/{subscription}", f"locks-{subscription}", []))
    for role, scope, label, after in given:
        grant(identity, at(role, scope), scope, label, clouds.at(deployment.subscription, after=after))
    for group in deployment.management_groups:
        scope = f"/providers/Microsoft.Management/managementGroups/{group}"
        reader = f"/providers/Microsoft.Authorization/roleDefinitions/{rights.READER}"
        grant(identity, reader, scope, f"group-{group}", clouds.at(deployment.subscription))


def _zone_subscriptions(deployment: Deployment, regions: Sequence[Region]) -> list[str]:
    return sorted({names.subscription_of(names.zone_id(deployment, region)) for region in regions})
