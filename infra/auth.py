"""Who may enter a site: no password is accepted, and Entra ID stands in front of the HTTP functions, beside their keys.

Entra ID is asked by App Service Authentication, which covers a whole site.

Event Grid shows a key and no token, so its path is left out, or every delivery would be answered with 401
(azure-functions-host#4674, azure-docs#59065). So is the status page, which has no data in it.
"""

from __future__ import annotations

import pulumi
from pulumi_azure_native import web

from infra.clouds import Clouds
from infra.config import Deployment, Entra
from shared.config.settings import CLOUDS

WEBHOOKS = ("/runtime/webhooks/EventGrid", "/runtime/webhooks/eventgrid")
"""Documents write it both ways; whether upper and lower case are told apart is not documented."""
EXCLUDED = (*WEBHOOKS, "/api/dashboard")
_PUBLIC = "login.microsoftonline.com"


def refuse_passwords(
    deployment: Deployment, name: str, site: web.WebApp, group: pulumi.Output[str], clouds: Clouds
) -> pulumi.Resource:
    """Let nothing be deployed with a password; gives what was made last.

    Changes of one site come one after the other: Azure may refuse the second of two at a time with HTTP 409.
    """
    ftp = web.WebAppFtpAllowed(
        f"{name}-ftp",
        resource_group_name=group,
        name=site.name,
        allow=False,
        opts=clouds.at(deployment.subscription),
    )
    return web.WebAppScmAllowed(
        f"{name}-scm",
        resource_group_name=group,
        name=site.name,
        allow=False,
        opts=clouds.at(deployment.subscription, after=[ftp]),
    )


def protect(
    deployment: Deployment,
    entra: Entra,
    name: str,
    site: web.WebApp,
    group: pulumi.Output[str],
    opts: pulumi.ResourceOptions,
) -> web.WebAppAuthSettingsV2:
    """Let nobody call `resync` and `status` without a token of this tenant for this registration."""
    cloud = CLOUDS.get(str(deployment.settings.get("NEARZONE_CLOUD")))
    return web.WebAppAuthSettingsV2(
        f"{name}-entra",
        resource_group_name=group,
        name=site.name,
        platform=web.AuthPlatformArgs(enabled=True),
        http_settings=web.HttpSettingsArgs(require_https=True),
        global_validation=web.GlobalValidationArgs(
            require_authentication=True,
            unauthenticated_client_action=web.UnauthenticatedClientActionV2.RETURN401,
            excluded_paths=list(EXCLUDED),
        ),
        identity_providers=web.IdentityProvidersArgs(
            azure_active_directory=web.AzureActiveDirectoryArgs(
                enabled=True,
                registration=web.AzureActiveDirectoryRegistrationArgs(
                    client_id=entra.client_id,
                    open_id_issuer=f"https://{(cloud and cloud.authority) or _PUBLIC}/{entra.tenant}/v2.0",
                ),
                validation=web.AzureActiveDirectoryValidationArgs(
                    allowed_audiences=[entra.client_id, f"api://{entra.client_id}"],
                    default_authorization_policy=web.DefaultAuthorizationPolicyArgs(
                        allowed_principals=web.AllowedPrincipalsArgs(
                            groups=list(entra.groups), identities=list(entra.identities)
                        )
                    ),
                ),
            )
        ),
        opts=opts,
    )
