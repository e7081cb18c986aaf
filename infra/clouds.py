"""The subscription of each resource. Nothing depends on the subscription of the signed-in account."""

from __future__ import annotations

from collections.abc import Sequence

import pulumi
import pulumi_azure_native as azure

from infra import names
from infra.config import Deployment


class Clouds:
    """A provider for every subscription in which resources are created."""

    def __init__(self, deployment: Deployment) -> None:
        zones = (names.subscription_of(names.zone_id(deployment, region)) for region in deployment.regions)
        watched = (each.id for each in deployment.subscriptions)
        vnets = (names.subscription_of(region.subnet.vnet) for region in deployment.regions if region.subnet)
        self._providers = {
            each: azure.Provider(each, subscription_id=each)
            for each in sorted({deployment.subscription, *zones, *watched, *vnets})
        }

    def at(
        self, subscription: str, *, after: Sequence[pulumi.Resource] = (), protect: bool = False
    ) -> pulumi.ResourceOptions:
        """Return the options of a resource in a subscription, created `after` others."""
        provider = self._providers[subscription.lower()]
        return pulumi.ResourceOptions(provider=provider, depends_on=list(after), protect=protect)

    def invoke_options(self, subscription: str) -> pulumi.InvokeOutputOptions:
        """Return the options of a query to a subscription."""
        return pulumi.InvokeOutputOptions(provider=self._providers[subscription.lower()])
