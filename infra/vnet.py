"""VNet integration of an app: the subnet that its outgoing connections come from. It lets nothing in.

Flex Consumption sends all traffic of an integrated app through the subnet, so "Route All" is not set: the plan does not
have it (Microsoft Learn, functions-networking-options, outbound IP restrictions, and functions-app-settings, Flex
Consumption plan deprecations).
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_network
from typing import NamedTuple

import pulumi
from pulumi_azure_native import network

from infra import names
from infra.clouds import Clouds
from infra.config import LONGEST_PREFIX, Deployment, Region, Subnet
from shared.config.settings import region_name

DELEGATION = "Microsoft.App/environments"
"""The service that a subnet of Flex Consumption must be delegated to (functions-networking-options)."""


class Integration(NamedTuple):
    """The subnet of an app. `prefixes`: its IPv4 networks, as far as Azure tells them."""

    subnet_id: pulumi.Output[str]
    prefixes: pulumi.Output[Sequence[str]]


def integration(deployment: Deployment, region: Region, clouds: Clouds) -> Integration | None:
    """Return the subnet of a region's app, created here or existing; None if it has no VNet integration.

    Raises ValueError within the output if Azure says that the app cannot use it.
    """
    if region.subnet is None:
        return None
    subscription, group, vnet = (region.subnet.vnet.split("/")[i] for i in (2, 4, 8))
    field = f"regions[{deployment.regions.index(region)}].subnet"
    found = network.get_virtual_network_output(
        resource_group_name=group, virtual_network_name=vnet, opts=clouds.invoke_options(subscription)
    )
    wanted = region.subnet
    if wanted.name:
        used = found.apply(lambda there: existing(field, wanted, in_region(field, region, there).subnets or []))
        return Integration(used.apply(lambda _: f"{wanted.vnet}/subnets/{wanted.name}"), used)
    made = network.Subnet(
        names.subnet(deployment, region),
        resource_group_name=group,
        virtual_network_name=found.apply(lambda there: in_region(field, region, there).name),
        subnet_name=names.subnet(deployment, region),
        address_prefix=wanted.prefix,
        delegations=[network.DelegationArgs(name="flex-consumption", service_name=DELEGATION)],
        opts=clouds.at(subscription),
    )
    return Integration(made.id, pulumi.Output.from_input([wanted.prefix]))


def in_region(field: str, region: Region, vnet: network.GetVirtualNetworkResult) -> network.GetVirtualNetworkResult:
    """Return a VNet. Raises ValueError if the app is in another region."""
    if region_name(vnet.location or "") != region.name:
        why = f"the VNet is in {vnet.location}, the app in {region.name}"
        raise ValueError(f"{field}: {why}: name a VNet of {region.name}")
    return vnet


def existing(field: str, wanted: Subnet, subnets: Sequence[network.outputs.SubnetResponse]) -> list[str]:
    """Return the IPv4 networks of an existing subnet.

    Raises ValueError if it does not exist or does not fit Flex Consumption.
    """
    found = next((each for each in subnets if (each.name or "").lower() == wanted.name.lower()), None)
    if found is None:
        raise ValueError(f"{field}: {wanted.vnet} has no subnet {wanted.name}: create it, or give vnet and prefix")
    delegated = {(each.service_name or "").lower() for each in found.delegations or []}
    if DELEGATION.lower() not in delegated:
        raise ValueError(f"{field}: subnet {wanted.name} is not delegated to {DELEGATION}: delegate it")
    prefixes = [found.address_prefix] if found.address_prefix else found.address_prefixes or []
    if prefixes and not any(_is_large_enough(each) for each in prefixes):
        shown = ", ".join(prefixes)
        raise ValueError(
            f"{field}: subnet {wanted.name} ({shown}) is smaller than a /{LONGEST_PREFIX}: use a larger one"
        )
    return [each for each in prefixes if ip_network(each).version == 4]


def _is_large_enough(prefix: str) -> bool:
    found = ip_network(prefix)
    return found.version == 4 and found.prefixlen <= LONGEST_PREFIX
