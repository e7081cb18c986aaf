"""An app's own storage account: the host's state, the deployed package, the catalog, dead letters. It has no keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi_azure_native import storage

from infra import names, rights
from infra.clouds import Clouds
from infra.config import Deployment, Region
from infra.roles import Identity, built_in, grant
from infra.zones import ZonePlacement

DEAD_LETTER_DAYS = 30
"""Days for which dead letters are kept; they contain names of users and addresses."""


@dataclass(frozen=True, slots=True)
class Account:
    """A storage account with its containers. `ready`: what an app needs before it can run from the account.

    That is the container of the deployed package, and the roles of the app's identity at the account.
    """

    account: storage.StorageAccount
    dead_letters: storage.BlobContainer
    ready: Sequence[pulumi.Resource]


def account(
    deployment: Deployment, regions: Sequence[Region], home: ZonePlacement, identity: Identity, clouds: Clouds
) -> Account:
    """Create the account: zone-redundant, with access by identities only."""
    name, opts = names.app(deployment, regions), clouds.at(deployment.subscription)
    made = storage.StorageAccount(
        f"{name}-storage",
        resource_group_name=home.group.name,
        account_name=names.account(deployment, regions),
        location=home.region.name,
        kind="StorageV2",
        sku=storage.SkuArgs(name="Standard_ZRS"),
        allow_shared_key_access=False,
        allow_blob_public_access=False,
        allow_cross_tenant_replication=False,
        default_to_o_auth_authentication=True,
        enable_https_traffic_only=True,
        minimum_tls_version="TLS1_2",
        opts=opts,
    )
    packages, dead_letters = (
        storage.BlobContainer(
            f"{name}-{container}",
            resource_group_name=home.group.name,
            account_name=made.name,
            container_name=container,
            public_access=storage.PublicAccess.NONE,
            opts=opts,
        )
        for container in (names.PACKAGES, names.DEAD_LETTERS)
    )
    _expire(name, home, made, clouds.at(deployment.subscription, after=[dead_letters]))
    usable = [
        grant(identity, built_in(deployment.subscription, role), made.id, f"storage-{role[:8]}", opts)
        for role in rights.OWN_ACCOUNT
    ]
    return Account(made, dead_letters, ready=[packages, *usable])


def _expire(name: str, home: ZonePlacement, made: storage.StorageAccount, opts: pulumi.ResourceOptions) -> None:
    """Delete dead letters after `DEAD_LETTER_DAYS`."""
    age = storage.DateAfterModificationArgs(days_after_modification_greater_than=DEAD_LETTER_DAYS)
    definition = storage.ManagementPolicyDefinitionArgs(
        filters=storage.ManagementPolicyFilterArgs(blob_types=["blockBlob"], prefix_match=[f"{names.DEAD_LETTERS}/"]),
        actions=storage.ManagementPolicyActionArgs(base_blob=storage.ManagementPolicyBaseBlobArgs(delete=age)),
    )
    rule = storage.ManagementPolicyRuleArgs(name="dead-letters-expire", type="Lifecycle", definition=definition)
    storage.ManagementPolicy(
        f"{name}-expiry",
        resource_group_name=home.group.name,
        account_name=made.name,
        management_policy_name="default",
        policy=storage.ManagementPolicySchemaArgs(rules=[rule]),
        opts=opts,
    )
