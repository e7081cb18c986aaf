"""Access to a site: no passwords, and Entra ID in addition to the function keys for the HTTP functions.

App Service Authentication checks Entra tokens for the whole site.

Event Grid sends a key and no token, so its path is excluded; otherwise every delivery would get 401
(azure-functions-host#4674, azure-docs#59065). The status page, which contains no data, is excluded as well.
"""

from __future__ import annotations

import pulumi
from pulumi_azure_native import web

from infra.clouds import Clouds
from infra.config import Deployment, Entra
from shared.config.settings import CLOUDS

WEBHOOKS = ("/runtime/webhooks/EventGrid", "/runtime/webhooks/eventgrid")
"""Both spellings occur in documents; whether the case matters is not documented."""
EXCLUDED = (*WEBHOOKS, "/api/dashboard")
_PUBLIC = "login.microsoftonline.com"


def refuse_passwords(
    deployment: Deployment, name: str, site: web.WebApp, group: pulumi.Output[str], clouds: Clouds
) -> pulumi.Resource:
    """Disable deployment with passwords; return the resource that was created last.

    Changes of one site run one after the other: Azure may refuse the second of two at a time with HTTP 409.
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
    """Require a token of this tenant for this registration for `resync` and `status`."""
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
