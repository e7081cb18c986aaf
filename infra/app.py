"""A function app on Flex Consumption with its own identity, and all that it needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi_azure_native import managedidentity, web

from infra import names
from infra.auth import protect, refuse_passwords
from infra.clouds import Clouds
from infra.config import Deployment, Region
from infra.roles import Identity, Roles, grant_app
from infra.settings import host_settings, own_settings, switches
from infra.storage import Account, account
from infra.telemetry import Telemetry, telemetry
from infra.vnet import integration
from infra.zones import ZonePlacement

PYTHON = "3.13"
MEMORY_MB = 2048


@dataclass(frozen=True, slots=True)
class App:
    """An app that writes the zones of `regions`; it runs in the first one. `settled`: the last change of its site."""

    name: str
    regions: Sequence[Region]
    home: ZonePlacement
    site: web.WebApp
    storage: Account
    telemetry: Telemetry
    settled: pulumi.Resource

    @property
    def urls(self) -> dict[str, pulumi.Output[str]]:
        """The URLs of its HTTP functions."""
        functions = ("status", "resync", "metrics", "dashboard")
        return {
            each: pulumi.Output.format("https://{0}/api/{1}", self.site.default_host_name, each) for each in functions
        }


def make_app(deployment: Deployment, places: Sequence[ZonePlacement], roles: Roles, clouds: Clouds) -> App:
    """Create the app that writes the zones of these placements."""
    regions, home = [each.region for each in places], places[0]
    name = names.app(deployment, regions)
    identity = managedidentity.UserAssignedIdentity(
        f"{name}-identity",
        resource_group_name=home.group.name,
        resource_name_=f"{name}-identity",
        location=home.region.name,
        opts=clouds.at(deployment.subscription),
    )
    who = Identity(name, identity.principal_id)
    grant_app(deployment, who, places, roles, clouds)
    kept = account(deployment, regions, home, who, clouds)
    told = telemetry(deployment, name, home, who, clouds)
    endpoints = kept.account.primary_endpoints
    host = pulumi.Output.all(
        identity.client_id, endpoints.blob, endpoints.queue, endpoints.table, told.component.connection_string
    ).apply(lambda values: host_settings(*values))
    joined = integration(deployment, home.region, clouds)
    own = pulumi.Output.from_input(joined.prefixes if joined else []).apply(
        lambda prefixes: own_settings(deployment, regions, prefixes)
    )
    settings = pulumi.Output.all(host, own).apply(lambda both: {**both[0], **both[1], **switches(deployment)})
    subnet = joined.subnet_id if joined else None
    spec = _SiteSpec(names.site(deployment, regions), identity, kept, settings, subnet)
    site = _site(deployment, name, home, spec, clouds)
    settled: pulumi.Resource = refuse_passwords(deployment, name, site, home.group.name, clouds)
    if deployment.entra:
        opts = clouds.at(deployment.subscription, after=[settled])
        settled = protect(deployment, deployment.entra, name, site, home.group.name, opts)
    return App(name, regions, home, site, kept, told, settled)


@dataclass(frozen=True, slots=True)
class _SiteSpec:
    name: str
    identity: managedidentity.UserAssignedIdentity
    storage: Account
    settings: pulumi.Output[dict[str, str]]
    subnet: pulumi.Output[str] | None


def _site(deployment: Deployment, name: str, home: ZonePlacement, wanted: _SiteSpec, clouds: Clouds) -> web.WebApp:
    """Create the site. Its plan has only this app: Flex Consumption allows no other."""
    opts = clouds.at(deployment.subscription)
    plan = web.AppServicePlan(
        f"{name}-plan",
        resource_group_name=home.group.name,
        name=f"{name}-plan",
        location=home.region.name,
        kind="functionapp",
        reserved=True,  # Linux.
        sku=web.SkuDescriptionArgs(name="FC1", tier="FlexConsumption"),
        zone_redundant=deployment.zone_redundant_plan,
        opts=opts,
    )
    return web.WebApp(
        f"{name}-app",
        resource_group_name=home.group.name,
        name=wanted.name,
        location=home.region.name,
        kind="functionapp,linux",
        server_farm_id=plan.id,
        https_only=True,
        identity=web.ManagedServiceIdentityArgs(
            type=web.ManagedServiceIdentityType.USER_ASSIGNED, user_assigned_identities=[wanted.identity.id]
        ),
        function_app_config=_flex(deployment, wanted),
        virtual_network_subnet_id=wanted.subnet,
        # A dict and not SiteConfigArgs, which would add its own defaults (see `_without_defaults`).
        site_config={"min_tls_version": "1.2", "app_settings": wanted.settings.apply(_pairs)},
        opts=pulumi.ResourceOptions.merge(
            clouds.at(deployment.subscription, after=wanted.storage.ready),
            pulumi.ResourceOptions(transformations=[_without_defaults]),
        ),
    )


_SDK_DEFAULTS = frozenset({"client_affinity_enabled", "hyper_v", "is_xenon", "scm_site_also_stopped"})
"""Properties that the SDK sends for every web app by default (pulumi-azure-native 3.29)."""


def _without_defaults(args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult:
    """Send only what this program sets, without the SDK's defaults: Flex Consumption refuses several of these.

    SiteConfigArgs adds netFrameworkVersion, which Azure refuses (pulumi-azure-native#4168); isXenon is one of the
    properties that Flex Consumption no longer has (Microsoft Learn, functions-app-settings).
    """
    asked = {name: value for name, value in args.props.items() if name not in _SDK_DEFAULTS}
    return pulumi.ResourceTransformationResult(props=asked, opts=args.opts)


def _pairs(settings: dict[str, str]) -> list[web.NameValuePairArgsDict]:
    return [{"name": name, "value": value} for name, value in sorted(settings.items())]


def _flex(deployment: Deployment, wanted: _SiteSpec) -> web.FunctionAppConfigArgs:
    """Keep one instance always ready for events: a delivery to a cold one may fail (azure-functions-host#11834)."""
    package = pulumi.Output.concat(wanted.storage.account.primary_endpoints.blob, names.PACKAGES)
    return web.FunctionAppConfigArgs(
        deployment=web.FunctionsDeploymentArgs(
            storage=web.FunctionsDeploymentStorageArgs(
                type="blobContainer",
                value=package,
                authentication=web.FunctionsDeploymentStorageAuthenticationArgs(
                    type="UserAssignedIdentity", user_assigned_identity_resource_id=wanted.identity.id
                ),
            )
        ),
        runtime=web.FunctionsRuntimeArgs(name="python", version=PYTHON),
        scale_and_concurrency=web.FunctionsScaleAndConcurrencyArgs(
            instance_memory_mb=MEMORY_MB,
            maximum_instance_count=deployment.max_instances,
            always_ready=[web.FunctionsAlwaysReadyConfigArgs(name=f"function:{names.FUNCTION}", instance_count=1)],
        ),
    )
