"""Names and locations of the resources: they follow from the configuration, so ids are known early."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence

from infra.config import Deployment, Region

FUNCTION = "on_resource_event"
PROBE_FUNCTION = "probe"
PACKAGES = "packages"
DEAD_LETTERS = "dead-letters"


def group(deployment: Deployment, region: Region) -> str:
    """Return the resource group of a region's zone and app."""
    return f"{deployment.name}-{region.name}"


def group_id(deployment: Deployment, region: Region) -> str:
    """Return the id of that group."""
    return f"/subscriptions/{deployment.subscription}/resourceGroups/{group(deployment, region)}"


def zone_id(deployment: Deployment, region: Region) -> str:
    """Return the id of a region's zone, created here or existing."""
    made = f"{group_id(deployment, region)}/providers/Microsoft.Network/privateDnsZones/{deployment.zone}"
    return region.zone or made


def app(deployment: Deployment, regions: Sequence[Region]) -> str:
    """Return an app's name in this program; it is unique within a deployment."""
    return f"{deployment.name}-{regions[0].name}"


def site(deployment: Deployment, regions: Sequence[Region]) -> str:
    """Return a function app's name, which is part of its host name and unique in Azure."""
    return f"{app(deployment, regions)}-{_digest(deployment, regions)[:6]}"


def subnet(deployment: Deployment, region: Region) -> str:
    """Return the name of a subnet that is created for an app; Flex Consumption refuses a name with '_'."""
    return f"{deployment.name}-{region.name}-probes"


def account(deployment: Deployment, regions: Sequence[Region]) -> str:
    """Return a storage account's name: unique in Azure, 3 to 24 letters and digits."""
    return f"nz{_digest(deployment, regions)[:18]}"


def role_id(deployment: Deployment, role: str) -> str:
    """Return the GUID of a custom role; each deployment in a tenant has its own roles."""
    return str(uuid.uuid5(uuid.UUID(deployment.subscription), f"{deployment.name}/{role}"))


def subscription_of(resource: str) -> str:
    """Return the subscription of a resource id, in lower case."""
    return resource.split("/")[2].lower()


def short(resource: str) -> str:
    """Return a short name for a resource id; different resources of one name get different ones."""
    return f"{resource.rsplit('/', maxsplit=1)[-1][:64]}-{_hash(resource.lower())[:6]}"


def _digest(deployment: Deployment, regions: Sequence[Region]) -> str:
    return _hash(f"{deployment.subscription}/{deployment.name}/{regions[0].name}")


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
