"""Each region's resource group, its zone (all zones have one name) and the links of its clients' VNets."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_azure_native import privatedns, resources

from infra import names
from infra.clouds import Clouds
from infra.config import Deployment, Region


@dataclass(frozen=True, slots=True)
class ZonePlacement:
    """A region's group and its zone. `zone`: None if the zone existed before."""

    region: Region
    group: resources.ResourceGroup
    zone: privatedns.PrivateZone | None

    @property
    def dependencies(self) -> list[pulumi.Resource]:
        """The resources that must exist before a role can be assigned at the zone."""
        return [self.zone] if self.zone else []


def make_zone(deployment: Deployment, region: Region, clouds: Clouds) -> ZonePlacement:
    """Create a region's group, its zone unless it exists, and its links."""
    group = resources.ResourceGroup(
        names.group(deployment, region),
        resource_group_name=names.group(deployment, region),
        location=region.name,
        opts=clouds.at(deployment.subscription),
    )
    zone = None if region.zone else _zone(deployment, region, group, clouds)
    for vnet in region.vnets:
        _link(deployment, region, vnet, clouds, zone)
    return ZonePlacement(region, group, zone)


def _zone(
    deployment: Deployment, region: Region, group: resources.ResourceGroup, clouds: Clouds
) -> privatedns.PrivateZone:
    """Create a zone. It is protected: `pulumi destroy` removes no names from clients."""
    return privatedns.PrivateZone(
        f"{names.group(deployment, region)}-zone",
        resource_group_name=group.name,
        private_zone_name=deployment.zone,
        location="global",
        opts=clouds.at(deployment.subscription, protect=True),
    )


def _link(
    deployment: Deployment, region: Region, vnet: str, clouds: Clouds, zone: privatedns.PrivateZone | None
) -> None:
    """Create a link without registration: otherwise Azure would write its own records into the zone."""
    zone_id, name = names.zone_id(deployment, region), names.short(vnet)
    privatedns.VirtualNetworkLink(
        f"{names.group(deployment, region)}-{name}",
        resource_group_name=zone_id.split("/")[4],
        private_zone_name=deployment.zone,
        virtual_network_link_name=name,
        location="global",
        registration_enabled=False,
        virtual_network=privatedns.SubResourceArgs(id=vnet),
        opts=clouds.at(names.subscription_of(zone_id), after=[zone] if zone else []),
    )
