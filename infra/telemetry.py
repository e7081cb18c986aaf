"""The destination of an app's metrics, traces and logs: its own workspace in its own region, with its identity only."""

from __future__ import annotations

from dataclasses import dataclass

from pulumi_azure_native import applicationinsights, operationalinsights

from infra import rights
from infra.clouds import Clouds
from infra.config import Deployment
from infra.roles import Identity, built_in, grant
from infra.zones import ZonePlacement


@dataclass(frozen=True, slots=True)
class Telemetry:
    """A workspace and the Application Insights component that writes into it."""

    workspace: operationalinsights.Workspace
    component: applicationinsights.Component


def telemetry(deployment: Deployment, name: str, home: ZonePlacement, identity: Identity, clouds: Clouds) -> Telemetry:
    """Create both, and permit the app to send. A region's telemetry does not depend on another region."""
    opts = clouds.at(deployment.subscription)
    workspace = operationalinsights.Workspace(
        f"{name}-logs",
        resource_group_name=home.group.name,
        workspace_name=f"{name}-logs",
        location=home.region.name,
        sku=operationalinsights.WorkspaceSkuArgs(name="PerGB2018"),
        retention_in_days=30,
        features=operationalinsights.WorkspaceFeaturesArgs(disable_local_auth=True),
        opts=opts,
    )
    component = applicationinsights.Component(
        f"{name}-insights",
        resource_group_name=home.group.name,
        resource_name_=f"{name}-insights",
        location=home.region.name,
        kind="web",
        application_type="web",
        ingestion_mode="LogAnalytics",
        workspace_resource_id=workspace.id,
        disable_local_auth=True,
        opts=opts,
    )
    publisher = built_in(deployment.subscription, rights.MONITORING_METRICS_PUBLISHER)
    grant(identity, publisher, component.id, "telemetry", opts)
    return Telemetry(workspace, component)
