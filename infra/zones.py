"""Each region's resource group, its zone (all zones have one name) and the links of its clients' VNets."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_azure_native import privatedns, resources

from infra import names
from infra.clouds import Clouds
from infra.config import Deployment, Region


@dataclass(frozen=True, slots=True)
class Place:
    """A region's group and its zone. `zone` is None where the zone was there before."""

    region: Region
    group: resources.ResourceGroup
    zone: privatedns.PrivateZone | None

    @property
    def made(self) -> list[pulumi.Resource]:
        """What has to be there before anybody can be given rights at the zone."""
        return [self.zone] if self.zone else []


def place(deployment: Deployment, region: Region, clouds: Clouds) -> Place:
    """Make a region's group, its zone unless that is there, and its links."""
    group = resources.ResourceGroup(
        names.group(deployment, region),
        resource_group_name=names.group(deployment, region),
        location=region.name,
        opts=clouds.at(deployment.subscription),
    )
    zone = None if region.zone else _zone(deployment, region, group, clouds)
    for vnet in region.vnets:
        _link(deployment, region, vnet, clouds, zone)
    return Place(region, group, zone)


def _zone(
    deployment: Deployment, region: Region, group: resources.ResourceGroup, clouds: Clouds
) -> privatedns.PrivateZone:
    """Protected: `pulumi destroy` takes no names away from clients."""
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
    """Registration is off: Azure would write records of its own into the zone."""
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
